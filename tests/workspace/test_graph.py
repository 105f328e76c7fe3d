"""The graph: order, and what is refused with names."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence, files_of
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from workspace import graph
from workspace.errors import Refused
from workspace.node import Kind, Node, Output, Stage


def node(name: str, *needs: str, owns: tuple[str, ...] = (), **settings: object) -> Node:
    return Node(name, Kind.PAUSE, Stage.IMAGES, frozenset(needs), settings, owns)


def test_each_name_comes_after_its_needs_and_alphabetically_among_equals() -> None:
    needs = graph.needs([node("web", "db", "cache"), node("db"), node("cache"), node("app", "db")], "dev")
    assert graph.order(needs) == ("cache", "db", "app", "web")


def test_an_output_in_the_settings_is_a_need() -> None:
    needs = graph.needs([node("db"), node("web", address={"at": [Output("db", "host")]})], "dev")
    assert needs["web"] == {"db"}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("a", "b"), node("b", "c"), node("c", "a")], ["circle", "a", "b", "c"]),
        ([node("web", "db")], ["web", "db", "does not exist"]),
        ([node("web"), node("web")], ["Two nodes are named web"]),
        ([node("a", owns=("record x.y A",)), node("b", owns=("record X.y A",))], ["record X.y A", "a", "b"]),
        ([node("web", "staging/db")], ["web", "staging/db", "a node of staging"]),
    ],
)
def test_a_wrong_graph_is_refused_with_the_names(nodes: list[Node], words: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        graph.needs(nodes, "dev")
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_a_need_from_the_world_is_not_waited_for_but_named() -> None:
    nodes = [node("record", "world/zone")]
    assert graph.needs(nodes, "dev") == {"record": frozenset()}
    assert graph.foreign(nodes, "dev") == {"world/zone"}


def test_dependants_are_found_through_others() -> None:
    needs = graph.needs([node("a"), node("b", "a"), node("c", "b"), node("d")], "dev")
    assert graph.dependants(needs, "a") == {"b", "c"}


def test_the_critical_path_is_the_longest_chain_by_duration() -> None:
    needs = graph.needs([node("a"), node("b", "a"), node("c"), node("d", "b", "c")], "dev")
    assert graph.critical_path(needs, {"a": 1, "b": 1, "c": 5, "d": 1}) == (6, ("c", "d"))


def test_the_way_of_a_name_is_the_longest_chain_that_begins_with_it() -> None:
    needs = graph.needs([node("a"), node("b", "a"), node("c"), node("d", "b", "c"), node("e", "a")], "dev")
    assert graph.ways(needs) == {"a": 3, "b": 2, "c": 2, "d": 1, "e": 1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=80))
def test_waves_keep_every_edge_and_lose_no_name(pairs: list[tuple[int, int]]) -> None:
    needs: dict[str, frozenset[str]] = {str(n): frozenset() for pair in pairs for n in pair}
    for low, high in ((min(p), max(p)) for p in pairs if p[0] != p[1]):
        needs[str(high)] |= {str(low)}
    waves = graph.waves(needs)
    place = {name: number for number, wave in enumerate(waves) for name in wave}
    assert place.keys() == needs.keys()
    assert all(place[need] < place[name] for name, its in needs.items() for need in its)


def used_outputs(value: Any) -> Iterator[str]:
    """The steps whose outputs a step takes as inputs, anywhere in it."""
    if isinstance(value, dict):
        source = value.get("input")
        if isinstance(source, dict) and "step" in source:
            yield f"{source['resourceGroup']}/{source['step']}"
        for item in value.values():
            yield from used_outputs(item)
    elif isinstance(value, list):
        for item in value:
            yield from used_outputs(item)


@pytest.mark.evidence("graphs")
def test_real_deployment_graphs_come_in_the_recorded_waves(samples: Path, evidence: Evidence) -> None:
    recorded = json.loads((samples / "graphs/dev/expected-waves.json").read_text())
    evidence.used("graphs/dev/expected-waves.json")

    def same_waves(file: str) -> str:
        expected = recorded[Path(file).name]
        needs = graph.needs(steps_of(YAML(typ="safe").load((samples / file).read_text())), "dev")
        evidence.used(file)
        evidence.figure("steps", len(needs), len(needs))
        assert len(needs) == expected["steps"]
        assert sum(map(len, needs.values())) == expected["edges"]
        assert [_plain(wave) for wave in expected["waves"]] == [list(wave) for wave in graph.waves(needs)]
        return "the same waves"

    pipelines = [file for file in files_of("graphs", samples) if Path(file).name in recorded]
    evidence.each(pipelines, same_waves)
    assert len(pipelines) == len(recorded)


@pytest.mark.evidence("graphs")
def test_the_topology_of_services_has_an_order_in_which_parents_come_first(samples: Path, evidence: Evidence) -> None:
    """The waves of this one were not computed by others; each service comes after the one it is a child of."""
    file = "graphs/dev/aro-hcp--topology.yaml"
    evidence.used(file)
    parents = dict(_children("", YAML(typ="safe").load((samples / file).read_text())["services"]))

    def after_its_parent(name: str) -> str:
        assert not parents[name] or order.index(parents[name]) < order.index(name)
        return "services after their parents"

    order = graph.order(graph.needs([node(name, *filter(None, [its])) for name, its in parents.items()], "dev"))
    evidence.each(parents, after_its_parent)


def _children(parent: str, services: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for service in services:
        name = service["serviceGroup"]
        yield name, parent
        yield from _children(name, service.get("children") or [])


def steps_of(pipeline: dict[str, Any]) -> list[Node]:
    """The steps of a pipeline with what they name as needs and whose outputs they take."""
    found = []
    for group in pipeline["resourceGroups"]:
        for step in group.get("steps") or []:
            explicit = [f"{need['resourceGroup']}/{need['step']}" for need in step.get("dependsOn") or []]
            found.append(node(f"{group['name']}:{step['name']}", *_plain(explicit), *_plain(used_outputs(step))))
    return found


def _plain(names: Iterable[str]) -> list[str]:
    """A slash means another environment to us, so these names are written with a colon."""
    return [name.replace("/", ":") for name in names]

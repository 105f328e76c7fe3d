"""What a release takes along: the nodes and data of the environments that follow, wherever the checkout is by then."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs_known import Known
from workspace import onward, promotion, scheduler
from workspace.addresses import Addresses
from workspace.ending import conclude
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Output, Part, Stage
from workspace.onward import Catalogue
from workspace.release import Release
from workspace.scheduler import Patience

RELEASE = Release({}, definitions="d", built_in="dev")
FOLDERS = ("infra",)


def there_and_back(catalogue: Catalogue, root: Path, place: Environment) -> Catalogue:
    for name, content in onward.files([catalogue]).items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    return onward.read(root, place, RELEASE)


# ---- made-up nodes

TEXT = st.text(max_size=8) | st.sampled_from(["$output", "$tuple", "$mapping", "$", "é", "node"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
SETTINGS: st.SearchStrategy[Any] = st.recursive(
    PLAIN | st.builds(Output, TEXT, TEXT),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=12,
)
NODES = st.builds(
    Node,
    id=TEXT,
    kind=st.sampled_from(Kind),
    stage=st.sampled_from(Stage),
    needs=st.frozensets(TEXT, max_size=3),
    settings=st.dictionaries(TEXT, SETTINGS, max_size=4),
    owns=st.lists(TEXT, max_size=2).map(tuple),
    about=TEXT,
    part=st.none() | st.sampled_from(Part),
    shares=st.lists(TEXT, max_size=2).map(tuple),
)
NAMES = st.dictionaries(TEXT, TEXT, max_size=3)
PLACES = st.builds(
    Environment,
    name=st.just("staging"),
    follows=st.just("dev"),
    regions=NAMES,
    hosts=NAMES,
    names=NAMES,
    sizes=st.dictionaries(TEXT, st.dictionaries(TEXT, SETTINGS, max_size=2), max_size=2),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(PLACES, st.lists(NODES, max_size=4))
@pytest.mark.slow
def test_nothing_of_a_catalogue_is_lost_on_the_way(
    tmp_path_factory: pytest.TempPathFactory, place: Environment, nodes: list[Node]
) -> None:
    catalogue = Catalogue(place, tuple(nodes))
    root = tmp_path_factory.mktemp("kept", numbered=True)
    brought = there_and_back(catalogue, root, Environment("staging", follows="dev"))
    assert repr(_sorted(brought)) == repr(_sorted(catalogue))
    assert brought == catalogue
    assert onward.files([brought]) == onward.files([catalogue])


def _sorted(value: Any) -> Any:
    """Types and values of everything in it, in an order of its own."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            "a": type(value).__name__,
            **{f.name: _sorted(getattr(value, f.name)) for f in dataclasses.fields(value)},
        }
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_sorted, value))
    return value


@pytest.mark.parametrize(
    ("value", "what"),
    [(Path("x"), "hold PosixPath"), (float("nan"), "hold float"), ({1: "x"}, "have a key that is not text")],
)
def test_what_has_no_form_is_refused_with_whose_it_is(value: Any, what: str) -> None:
    node = Node("web", Kind.APP, Stage.APP_SERVICES, settings={"deep": [value]})
    with pytest.raises(Refused, match=rf"^The settings of web of staging {what}"):
        onward.files([Catalogue(Environment("staging"), (node,))])


# ---- what is read


def test_policy_is_the_checkouts_and_data_the_releases(tmp_path: Path) -> None:
    then = Environment("staging", follows="dev", hosts={"web": "old.example"}, soak_hours=1)
    now = Environment("staging", follows="dev", hosts={"web": "new.example"}, soak_hours=9, needs_approval=True)
    brought = there_and_back(Catalogue(then, ()), tmp_path, now)
    assert brought.environment == dataclasses.replace(now, hosts={"web": "old.example"})


def test_a_copy_without_nodes_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"does not bring the nodes of staging: .* nothing was touched\. Run promote/dev"):
        onward.read(tmp_path, Environment("staging"), RELEASE)


@pytest.mark.parametrize("change", [{"format": 2}, {"nodes": [{}]}, {"environment": {}}])
def test_what_this_version_does_not_understand_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    place = Environment("staging")
    there_and_back(Catalogue(place, ()), tmp_path, place)
    file = tmp_path / onward.FOLDER / "staging.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(Refused, match="that this version does not understand"):
        onward.read(tmp_path, place, RELEASE)


def test_what_moved_on_is_told_in_one_line() -> None:
    def node(name: str, **settings: Any) -> Node:
        return Node(name, Kind.APP, Stage.APP_SERVICES, settings=settings)

    place = Environment("staging", names={"plan": "old"})
    then = Catalogue(place, (node("same"), node("old"), node("web", size=1)))
    assert onward.moved_on(then, then) == ""
    now = Catalogue(dataclasses.replace(place, names={}), (node("web", size=2), node("same"), node("new")))
    assert onward.moved_on(then, now) == (
        "the checkout's catalogue of staging has moved on (added new; gone old; different web; other names), which "
        "takes effect with the next release"
    )


# ---- promotions


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "infra").mkdir(parents=True)
    (root / "infra/web.tf").write_text("# proven\n")
    return root


def node(name: str, **settings: Any) -> Node:
    return Node(name, Kind.PAUSE, Stage.VERIFICATION, settings={"seconds": 0, **settings})


DEV = Environment("dev")
STAGING = Environment("staging", follows="dev", names={"plan": "proven"})
PROVEN = (node("web", size="proven"), node("old"))


def promoted(
    checkout: Path, place: Environment, nodes: tuple[Node, ...], following: Catalogue | None = None, **more: Any
) -> Execution:
    addresses = Addresses(subscription="s", state=checkout.parent / "state", engine="tcp://127.0.0.1:1")
    opening = promotion.opened(
        place,
        nodes,
        addresses,
        run=f"run-{place.name}",
        sources=checkout,
        folders=FOLDERS,
        owner="a test",
        following=[following] if following else (),
        reach=Known,
        **more,
    )
    with opening as execution:
        execution.begin("somebody")
        scheduler.settle(execution, Patience(()))
        conclude(execution)
        return execution


def started(checkout: Path, environment: str) -> dict[str, Any]:
    entries = Ledger(checkout.parent / "state").after(0, environment)
    return dict(next(entry.body for entry in reversed(entries) if entry.event is Event.STARTED))


def test_staging_gets_the_nodes_that_were_proven_though_nodes_and_files_changed(checkout: Path) -> None:
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN))
    (checkout / "infra/web.tf").write_text("# another\n")
    another = dataclasses.replace(STAGING, names={"plan": "another"}, soak_hours=0.0)
    said: list[str] = []
    run = promoted(checkout, another, (node("web", size="another"), node("new")), say=said.append)
    assert tuple(run.plan.nodes.values()) == PROVEN
    assert run.plan.environment.names == {"plan": "proven"}
    assert run.definitions is not None
    assert (run.definitions.root / "infra/web.tf").read_text() == "# proven\n"
    told = (
        "the checkout's catalogue of staging has moved on (added new; gone old; different web; other names), which "
        "takes effect with the next release"
    )
    assert (said, run.plan.moved_on, started(checkout, "staging")["moved_on"]) == ([told], told, told)


def test_where_nothing_moved_on_nothing_is_said(checkout: Path) -> None:
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN))
    said: list[str] = []
    assert promoted(checkout, STAGING, PROVEN, say=said.append).plan.moved_on == ""
    assert said == []
    assert "moved_on" not in started(checkout, "staging")


def test_what_moved_on_takes_effect_with_the_next_release(checkout: Path) -> None:
    another = (node("web", size="another"),)
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN))
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, another))
    assert tuple(promoted(checkout, STAGING, another).plan.nodes.values()) == another


def test_other_nodes_alone_make_another_release(checkout: Path) -> None:
    first = promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN))
    second = promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN[:1]))
    assert first.definitions is not None
    assert second.definitions is not None
    assert first.definitions.digest != second.definitions.digest


def test_an_older_release_that_is_asked_for_brings_its_own_nodes(checkout: Path) -> None:
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, PROVEN))
    first = Ledger(checkout.parent / "state").proven("dev")
    assert first is not None
    another = (node("web", size="another"),)
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, another))
    run = promoted(checkout, STAGING, another, release=first.id)
    assert tuple(run.plan.nodes.values()) == PROVEN


def test_a_stage_alone_is_a_part_of_what_was_proven(checkout: Path) -> None:
    proven = (*PROVEN, dataclasses.replace(node("zone"), stage=Stage.ZONE))
    promoted(checkout, DEV, PROVEN, Catalogue(STAGING, proven))
    run = promoted(checkout, STAGING, PROVEN, narrow=lambda plan: plan.only(Stage.ZONE))
    assert tuple(run.plan.nodes) == ("zone",)
    assert "gone zone" in run.plan.moved_on


def test_a_release_built_before_nodes_travelled_is_refused_before_anything_is_touched(checkout: Path) -> None:
    promoted(checkout, DEV, PROVEN)
    with pytest.raises(Refused, match=r"does not bring the nodes of staging: it was built before"):
        promoted(checkout, STAGING, PROVEN)
    assert [e.event for e in Ledger(checkout.parent / "state").after(0, "staging")] == [Event.HELD, Event.ENDED]

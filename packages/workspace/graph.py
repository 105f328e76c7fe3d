"""The order of things: who needs whom, checked before anything starts.

Refused with the names: a node twice, a need that no node answers, a need from another environment, a circle, two nodes
that own one thing. Names among equals come alphabetically, so the same workspace always gives the same plan.
"""

import graphlib
from collections.abc import Iterable, Mapping

from workspace.environment import WORLD
from workspace.errors import Refused
from workspace.node import Node

Needs = Mapping[str, frozenset[str]]


def needs(nodes: Iterable[Node], environment: str) -> dict[str, frozenset[str]]:
    """Needs by node id within one environment, checked; needs from the world are left out (they are settled before)."""
    nodes = list(nodes)
    _refuse_twins(nodes)
    _refuse_shared_ownership(nodes)
    known = {node.id for node in nodes}
    found = {node.id: frozenset(_local(node, environment, known)) for node in nodes}
    order(found)
    return found


def foreign(nodes: Iterable[Node], environment: str) -> frozenset[str]:
    """The needs that the world answers, as `world/zone`; none within the world itself."""
    return frozenset(
        need
        for node in nodes
        for need in node.all_needs
        if need.startswith(WORLD + "/") and environment != WORLD
    )  # fmt: skip


def order(needs: Needs) -> tuple[str, ...]:
    """All names so that each comes after its needs; refuses a circle with its names."""
    return tuple(name for wave in waves(needs) for name in wave)


def waves(needs: Needs) -> tuple[tuple[str, ...], ...]:
    """Names in groups: each group needs only groups before it and could run side by side."""
    sorter = graphlib.TopologicalSorter(needs)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise Refused(f"The graph has a circle: {circle}; take one of these needs away.") from error
    found = []
    while sorter.is_active():
        ready = tuple(sorted(sorter.get_ready()))
        found.append(ready)
        sorter.done(*ready)
    return tuple(found)


def dependants(needs: Needs, name: str) -> frozenset[str]:
    """Everything that needs `name`, directly or through others."""
    found: set[str] = set()
    edge = {name}
    while edge:
        edge = {each for each, its in needs.items() if its & edge and each not in found}
        found |= edge
    return frozenset(found)


def without(needs: Needs, kept: Iterable[str]) -> dict[str, frozenset[str]]:
    """The graph of the kept names alone; a need that is not kept is taken as settled before."""
    names = frozenset(kept)
    return {name: its & names for name, its in needs.items() if name in names}


def ways(needs: Needs) -> dict[str, int]:
    """By name, how many nodes the longest chain has that begins with it: who is worth being served first."""
    found: dict[str, int] = dict.fromkeys(needs, 1)
    for name in reversed(order(needs)):
        for need in needs[name]:
            found[need] = max(found[need], found[name] + 1)
    return found


def critical_path(needs: Needs, seconds: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """The longest chain by duration, and its names in order: no schedule can be shorter."""
    ends: dict[str, float] = {}
    before: dict[str, str] = {}
    for name in order(needs):
        last = max(needs[name], key=lambda need: ends[need], default="")
        ends[name] = seconds.get(name, 0.0) + (ends[last] if last else 0.0)
        before[name] = last
    if not ends:
        return 0.0, ()
    name = max(ends, key=lambda each: ends[each])
    total, chain = ends[name], []
    while name:
        chain.append(name)
        name = before[name]
    return total, tuple(reversed(chain))


def _local(node: Node, environment: str, known: set[str]) -> Iterable[str]:
    for need in sorted(node.all_needs):
        place, _, name = need.rpartition("/")
        if place in ("", environment):
            if name not in known:
                raise Refused(
                    f"Node {node.id} of {environment} needs {name}, which does not exist; check the catalogue."
                )
            yield name
        elif place != WORLD:
            raise Refused(
                f"Node {node.id} of {environment} needs {need}, a node of {place}; an environment may need its own "
                f"nodes and those of the world, nothing else."
            )


def _refuse_twins(nodes: list[Node]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node.id in seen:
            raise Refused(f"Two nodes are named {node.id}; names are unique within an environment.")
        seen.add(node.id)


def _refuse_shared_ownership(nodes: list[Node]) -> None:
    owners: dict[str, str] = {}
    for node in nodes:
        for thing in node.owns:
            other = owners.setdefault(thing.lower(), node.id)
            if other != node.id:
                raise Refused(f"{thing} is owned by both {other} and {node.id}; one thing has one owner.")

"""The graphs that benchmarks run: the seed's own catalogue, with every node replaced by a pause."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from workspace.environment import Environment
from workspace.execution import Execution
from workspace.kinds import pause
from workspace.ledger import Ledger
from workspace.node import Kind, Node
from workspace.plan import Plan, draw

import deployments
from deployments import catalogue

SEED = len(catalogue.CONTAINERS)


def nodes(services: int, seconds: float) -> list[Node]:
    """The dev catalogue with as many container services, each node a pause of the same length; the world is settled."""
    place = deployments.find("dev")
    seed = list(catalogue.nodes(place, containers=catalogue.CONTAINERS[: min(services, SEED)]))
    model = catalogue.CONTAINERS[-1].name
    rows = [node for node in seed if model in node.id]
    more = [_copied(node, model, f"service-{n:03}") for n in range(services - SEED) for node in rows]
    return [_paused(node, seconds) for node in (*seed, *more)]


def _copied(node: Node, model: str, name: str) -> Node:
    """The same node for a service of another name, among the same shared things."""
    needs = frozenset(need.replace(model, name) for need in node.all_needs)
    return replace(node, id=node.id.replace(model, name), needs=needs, settings={}, owns=())


def plan(services: int, seconds: float) -> Plan:
    """The plan of those nodes in an environment called dev."""
    return draw(Environment("dev"), nodes(services, seconds), world={})


def execution(drawn: Plan, folder: Path) -> Execution:
    """The plan ready to be carried out, with its ledger in a folder."""
    ledger = Ledger(folder)
    table = {Kind.PAUSE: pause}
    return Execution(drawn, run="race", outside=None, ledger=ledger, kinds=table, sources=folder, state=folder)  # type: ignore[dict-item]


def _paused(node: Node, seconds: float) -> Node:
    needs = frozenset(need for need in node.all_needs if not need.startswith("world/"))
    return replace(node, kind=Kind.PAUSE, needs=needs, settings={"seconds": seconds}, owns=())


def listen(starts: list[float]) -> None:
    """Note the moment of every node's start from now on."""
    usual = pause.apply

    def noted(*arguments: Any) -> Any:
        starts.append(time.perf_counter())
        return usual(*arguments)

    pause.apply = noted

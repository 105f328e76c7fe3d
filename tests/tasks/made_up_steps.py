"""Runs of made-up plans with results that are simply said, for what tasks tell about them."""

from collections.abc import Mapping
from pathlib import Path

from workspace.addresses import Addresses
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.release import Release
from workspace.work import Outcome, Result

from tasks.patience import Threads
from tasks.step import Step

NEEDS: Mapping[str, tuple[str, ...]] = {"network": (), "chain": ("network",), "publisher": ("chain", "network")}


def step(
    folder: Path,
    results: Mapping[str, tuple[Outcome, str]],
    *,
    needs: Mapping[str, tuple[str, ...]] = NEEDS,
    release: Release | None = None,
    parts: Mapping[str, str] | None = None,
) -> Step:
    """A step of an environment called dev whose nodes have these results; no kind is ever asked."""
    place = Environment("dev", follows="before" if release else "")
    nodes = [Node(name, Kind.PAUSE, Stage.IMAGES, needs=frozenset(its)) for name, its in needs.items()]
    plan = draw(place, nodes, {}, release)
    ledger = Ledger(folder)
    execution = Execution(plan, run="r", outside=None, ledger=ledger, kinds={}, sources=folder, state=folder)
    execution.results |= {name: Result(outcome, detail) for name, (outcome, detail) in results.items()}
    addresses = Addresses(subscription="s", state=folder, parts=dict(parts or {})) if parts is not None else None
    return Step(execution, Threads(1), addresses=addresses)

"""The kill matrix: every mutating node of dev and staging, killed at four points, a stack at a fifth: with its machine.

`python tests/kill/cases.py [--sample N] [--seed S] [--jobs N]` is what `make kill-matrix` runs. Kills of different
nodes stand in a row on one state: a promotion is killed at one node, the next one finishes that node and is killed at a
later one, and so on to the end; then the environment is promoted whole, and once more. A row holds each node once, so
five rows an environment hold all kills. After every kill is counted what was finished and is applied again, what was
half done and is taken as done, and in the end what is not there or should not be.
"""

import argparse
import contextlib
import multiprocessing
import pkgutil
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import victim
from rich.console import Console
from rich.table import Table
from victim import AFTER, DYING, IN_BETWEEN, MACHINE, OUTLIVED, POINTS, UNRECORDED
from workspace import clients, ending, kinds, scheduler
from workspace.addresses import Addresses
from workspace.execution import Execution
from workspace.ledger import Entry, Event, Ledger
from workspace.node import Kind
from workspace.patience import delays
from workspace.scheduler import Patience
from workspace.work import Outcome, Preview, Result, Work

import deployments
from deployments import local

ENVIRONMENTS = ("dev", "staging")
# Victims are forked from a process that has loaded what a promotion needs: loading is most of a short run.
_PROCESSES = multiprocessing.get_context("forkserver")
_CLIENTS = [f"workspace.clients.{module.name}" for module in pkgutil.iter_modules(clients.__path__)]


@dataclass(frozen=True)
class Kill:
    """One kill: of which node, where, and in between after how many seconds of the effect."""

    environment: str
    node: str
    point: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.environment}/{self.node} killed {self.point}"


@dataclass
class Verdict:
    """What a kill came to; `wrong` holds what must not be, by the sort of it.

    `adopted` tells that the next promotion found the node done; `interrupted` that the effect was not over by then.
    """

    kill: Kill
    adopted: bool = False
    interrupted: bool = False
    wrong: list[tuple[str, str]] = field(default_factory=list)


AGAIN, HALF, SKIPPED, OTHER = "finished, applied again", "half done, taken as done", "skipped wrongly", "other"


class Place:
    """A state folder with a rehearsal in it that answers."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.addresses = Addresses.model_validate_json(local.addresses(state).read_text())

    def promote(self, environment: str, run: str) -> Execution:
        """Promote an environment whole; a node that fails is told in the execution's results."""
        with victim.at_work(self.addresses, environment, run) as execution:
            scheduler.settle(execution, Patience(delays(self.addresses.poll_seconds)))
            ending.conclude(execution)
            return execution

    def outcomes(self, environment: str, run: str) -> dict[str, Outcome]:
        """What became of each node of a run."""
        entries = Ledger(self.state / "runs").after(0, environment, run)
        return {each.node: Outcome(each.body["outcome"]) for each in entries if each.event is Event.OUTCOME}

    def ended(self, environment: str, run: str, node: str) -> str:
        """How a node ended in a run, and why, in words."""
        entries = Ledger(self.state / "runs").after(0, environment, run)
        outcomes = [each.body for each in entries if each.event is Event.OUTCOME and each.node == node]
        return f"{outcomes[-1]['outcome']}: {outcomes[-1]['detail']}" if outcomes else "without an outcome"

    def things(self) -> set[str]:
        """What there is: every resource of the cloud and every object of the clusters, by name."""
        rehearsal = local.addresses(self.state).parent
        cloud = {str(file.relative_to(rehearsal)) for file in (rehearsal / "cloud").rglob("*.json")}
        return {name for name in cloud if "/deployments/" not in name.lower()} | {
            str(file.relative_to(rehearsal))
            for file in (rehearsal / "clusters").rglob("*.json")
            if not any(kind in str(file).lower() for kind in _COMES_AND_GOES)
        }


# Their names are made up anew each time; and the stand-in counts in a file.
_COMES_AND_GOES = ("pod", "replicaset", "controllerrevision", "event", "certificaterequest", "order", "challenge",
                   "revision.json")  # fmt: skip


class Matrix:
    """Clean promotions to compare with, and the kills that follow from them."""

    def __init__(self, folder: Path) -> None:
        _PROCESSES.set_forkserver_preload(["victim", *_CLIENTS])
        self._folder = folder
        self._bases: dict[str, Path] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._things: dict[str, set[str]] = {}
        self.kills: list[Kill] = []

    def prepare(self, seed: int, environments: Sequence[str] = ENVIRONMENTS) -> None:
        """Promote everything once; every node that meant to change something is to be killed."""
        clean = self._folder / "clean"
        chance = random.Random(seed)
        for environment in ("world", *environments):
            self._bases[environment] = self._copy(clean, f"before-{environment}")
            with standing(clean) as place, timed() as seconds:
                run = f"clean-{environment}"
                execution = place.promote(environment, run)
                _must_succeed(execution)
                self._orders[environment] = execution.plan.order
                self._things[environment] = place.things()
                entries = Ledger(clean / "runs").after(0, environment, run)
            if environment in ENVIRONMENTS:
                self.kills += list(_kills(environment, entries, seconds, chance))

    def rows(self, kills: Collection[Kill]) -> list[list[Kill]]:
        """The kills in rows: in each an environment's, in the order of its plan, no node twice, points mixed."""
        rows: list[list[Kill]] = []
        for environment in ENVIRONMENTS:
            its = [kill for kill in kills if kill.environment == environment]
            for turn in range(len(POINTS)):
                row = []
                for place, node in enumerate(self._orders.get(environment, ())):
                    of_node = {POINTS.index(kill.point): kill for kill in its if kill.node == node}
                    if kill := of_node.get((place + turn) % len(POINTS)):
                        row.append(kill)
                rows += [row] if row else []
        return rows

    def run(self, row: Sequence[Kill], number: int, tell: Callable[[Verdict], None]) -> list[Verdict]:
        """Carry out a row in a state of its own, telling the verdict on each kill as soon as it stands."""
        environment = row[0].environment
        state = self._copy(self._bases[environment], f"row-{number}")
        try:
            with standing(state) as place:
                return _Row(place, self._orders[environment], self._things[environment], tell).run(row)
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def _copy(self, state: Path, name: str) -> Path:
        target = self._folder / name
        if state.exists():
            shutil.copytree(state, target)
        else:
            target.mkdir(mode=0o700)
        return target


class _Row:
    """Kills on one state, one after the other."""

    def __init__(
        self, place: Place, order: Sequence[str], things: Collection[str], tell: Callable[[Verdict], None]
    ) -> None:
        self._place, self._order, self._things, self._tell = place, order, things, tell
        self._finished: set[str] = set()
        self._verdicts: list[Verdict] = []
        self._told = 0

    def run(self, row: Sequence[Kill]) -> list[Verdict]:
        for number, kill in enumerate(row):
            run = f"kill-{number}"
            before = self._order[: self._order.index(kill.node)]
            is_killed = self._kill(kill, run, before)
            self._judge(kill.environment, f"{run}-before", before)
            verdict = Verdict(kill, interrupted=kill.point in IN_BETWEEN and not self._outlived(run))
            if not is_killed:
                ended = self._place.ended(kill.environment, run, kill.node)
                sentence = f"the process was not killed {kill.point}, so nothing was practised"
                verdict.wrong.append((OTHER, f"{sentence}: {kill.node} ended {ended}"))
            self._verdicts.append(verdict)
        environment = row[0].environment
        for run in ("whole", "once more"):
            self._place.promote(environment, run)
            self._judge(environment, run, self._order)
        there = self._place.things()
        missing = [(SKIPPED, f"{name} was never made") for name in sorted(self._things - there)[:5]]
        more = [(OTHER, f"{name} was made and belongs to nothing") for name in sorted(there - self._things)[:5]]
        self._verdicts[-1].wrong += missing + more
        self._tell_first(len(self._verdicts))
        return self._verdicts

    def _kill(self, kill: Kill, run: str, before: Collection[str]) -> bool:
        """Let a process promote what is before the node and then work on it until it dies; True when it was killed."""
        words = (self._place.state, kill.environment, run, before, kill.node, kill.point, kill.seconds)
        process = _PROCESSES.Process(target=victim.main, args=words)
        process.start()
        process.join()
        # Not by its exit code alone: with two rows at work, multiprocessing may lose one and tells 255 then.
        return process.exitcode != 0 and (self._place.state / run).with_suffix(DYING).exists()

    def _outlived(self, run: str) -> bool:
        return (self._place.state / run).with_suffix(OUTLIVED).exists()

    def _judge(self, environment: str, run: str, expected: Collection[str]) -> None:
        """What a promotion after the last kill did to each node that it was to bring to its end."""
        outcomes = self._place.outcomes(environment, run)
        last = self._verdicts[-1] if self._verdicts else None
        for name in expected:
            outcome = outcomes.get(name)
            is_victim = last is not None and last.kill.node == name and name not in self._finished
            if outcome is None or not outcome.is_success:
                self._note(OTHER, f"{name} ended {self._place.ended(environment, run, name)}")
            elif is_victim and last is not None:
                last.adopted = outcome is Outcome.UNCHANGED
                if not last.adopted and last.kill.point in (AFTER, UNRECORDED):
                    self._note(AGAIN, f"{name} was finished and was applied again")
            elif name in self._finished and outcome is Outcome.CHANGED:
                killed = next((each for each in reversed(self._verdicts) if each.kill.node == name), None)
                if killed and killed.adopted:
                    killed.wrong.append((HALF, f"{name} was taken as done and was not"))
                else:
                    self._note(AGAIN, f"{name} was finished and was applied again")
            if outcome is not None and outcome.is_success:
                self._finished.add(name)
        # The verdict on a kill stands once the promotion after the next one has looked at the node again.
        self._tell_first(len(self._verdicts) - 1)

    def _tell_first(self, count: int) -> None:
        for verdict in self._verdicts[self._told : count]:
            self._tell(verdict)
            self._told += 1

    def _note(self, sort: str, sentence: str) -> None:
        """Hold it against the last kill, after which it was seen."""
        if not self._verdicts:
            raise SystemExit(f"Before anything was killed: {sentence}")
        self._verdicts[-1].wrong.append((sort, sentence))


@contextlib.contextmanager
def standing(state: Path) -> Iterator[Place]:
    """The rehearsal of a state, at work until the end of the block."""
    with local.bare(state):
        yield Place(state)


def _timed(kind: Any, seconds: dict[str, float]) -> Any:
    """A kind that notes how long each of its effects took."""

    def apply(work: Work, preview: Preview, outside: Any) -> Result:
        began = time.monotonic()
        done: Result = kind.apply(work, preview, outside)
        seconds[work.node.id] = time.monotonic() - began
        return done

    return SimpleNamespace(**{**vars(kind), "apply": apply})


@contextlib.contextmanager
def timed() -> Iterator[dict[str, float]]:
    """How long the effect of each node takes that is promoted within the block, in seconds."""
    seconds: dict[str, float] = {}
    table = kinds.TABLE
    kinds.TABLE = {kind: _timed(module, seconds) for kind, module in table.items()}  # type: ignore[misc]
    try:
        yield seconds
    finally:
        kinds.TABLE = table  # type: ignore[misc]


def _kills(
    environment: str, entries: Sequence[Entry], seconds: Mapping[str, float], chance: random.Random
) -> Iterator[Kill]:
    """The kills for each node that meant to change something, and not only to wait; stacks alone start programs."""
    kinds_of = {node.id: node.kind for node in deployments.nodes(deployments.find(environment))}
    for node in dict.fromkeys(entry.node for entry in entries if entry.event is Event.INTENT):
        points = [each for each in POINTS if each != MACHINE or kinds_of[node] is Kind.STACK]
        for point in points if kinds_of[node] is not Kind.CERTIFICATE else ():
            yield Kill(environment, node, point, round(seconds[node] * chance.uniform(0.05, 0.95), 3))


def _must_succeed(execution: Execution) -> None:
    failed = {name: each.detail for name, each in execution.results.items() if not each.outcome.is_success}
    if failed:
        raise SystemExit(f"{execution.place} could not be promoted cleanly, so nothing can be compared: {failed}")


def main() -> None:
    """Run the matrix, or a sample of it, and print what was counted; exit with 1 when anything was wrong."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--sample", type=int, default=0, help="so many kills, chosen by the seed; 0: all")
    wanted.add_argument("--seed", type=int, default=int(time.time()))
    wanted.add_argument("--jobs", type=int, default=2)
    chosen = wanted.parse_args()
    console = Console(highlight=False, width=150)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-matrix-") as folder:
        matrix = Matrix(Path(folder))
        matrix.prepare(chosen.seed)
        kills = matrix.kills
        if chosen.sample:
            kills = random.Random(chosen.seed).sample(kills, min(chosen.sample, len(kills)))
        rows = matrix.rows(kills)
        console.print(f"{len(kills)} of {len(matrix.kills)} kills in {len(rows)} rows, seed {chosen.seed}")
        verdicts = carried_out(matrix, rows, chosen.jobs, console)
    console.print(summary(verdicts))
    console.print(f"{len(verdicts)} kills in {time.monotonic() - began:.0f} s, seed {chosen.seed}")
    sys.exit(1 if any(each.wrong for each in verdicts) or len(verdicts) != len(kills) else 0)


def carried_out(matrix: Matrix, rows: Sequence[Sequence[Kill]], jobs: int, console: Console) -> list[Verdict]:
    """The verdicts on all kills of these rows, each printed as soon as it stands."""
    total, told, alone = sum(map(len, rows)), Counter[str](), threading.Lock()

    def tell(verdict: Verdict) -> None:
        with alone:
            told["all"] += 1
            mark = "; ".join(sentence for _, sentence in verdict.wrong) or (
                "adopted" if verdict.adopted else "completed"
            )
            style = "red" if verdict.wrong else "dim"
            console.print(f"{told['all']:4}/{total} {verdict.kill}: {mark}", style=style, soft_wrap=True)

    with ThreadPoolExecutor(jobs) as pool:
        done = pool.map(lambda numbered: matrix.run(numbered[1], numbered[0], tell), enumerate(rows))
        return [verdict for row in done for verdict in row]


def summary(verdicts: Sequence[Verdict]) -> Table:
    """Counts by point: kills, what the next promotion found done or had to complete, and what was wrong."""
    table = Table("point", "kills", "interrupted", "adopted", "completed")
    for heading in (AGAIN, HALF, SKIPPED, OTHER):
        table.add_column(heading)
    for point in POINTS:
        its = [each for each in verdicts if each.kill.point == point]
        wrongs = Counter(sort for each in its for sort, _ in each.wrong)
        adopted = sum(each.adopted for each in its)
        interrupted = str(sum(each.interrupted for each in its)) if point in IN_BETWEEN else ""
        counted = [str(wrongs[sort]) for sort in (AGAIN, HALF, SKIPPED, OTHER)]
        table.add_row(point, str(len(its)), interrupted, str(adopted), str(len(its) - adopted), *counted)
    return table


if __name__ == "__main__":
    main()

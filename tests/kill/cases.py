"""The kill matrix: every mutating node of dev and staging, killed at four points, then promoted again.

`python tests/kill/cases.py [--sample N] [--seed S] [--jobs N]` is what `make kill-matrix` runs. For each case: what the
node needs is promoted, a process that works on the node is killed, the environment is promoted whole, and once more.
Counted are finished steps that were applied again, half-done steps that were taken as done, and what is not there.
"""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from victim import AFTER, POINTS, UNRECORDED
from workspace import ending, promotion, scheduler
from workspace.addresses import Addresses
from workspace.execution import Execution
from workspace.ledger import Entry, Event, Ledger
from workspace.patience import delays
from workspace.scheduler import Patience
from workspace.work import Outcome

import deployments
from deployments import local

ENVIRONMENTS = ("dev", "staging")
_VICTIM = Path(__file__).with_name("victim.py")


@dataclass(frozen=True)
class Case:
    """One kill: of which node, where, and for `during the effect` after how many seconds of it."""

    environment: str
    node: str
    point: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.environment}/{self.node} killed {self.point}"


@dataclass(frozen=True)
class Verdict:
    """What a case came to; `wrong` holds a sentence for everything that must not be."""

    case: Case
    killed: bool
    adopted: bool
    wrong: tuple[str, ...]


class Place:
    """A state folder with a rehearsal in it that answers."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.addresses = Addresses.model_validate_json(local.addresses(state).read_text())

    def promote(self, environment: str, run: str, names: set[str] | None = None) -> Execution:
        """Promote an environment, or some nodes of it; a node that fails is told in the execution's results."""
        place = deployments.find(environment)

        opening = promotion.opened(
            place,
            deployments.nodes(place),
            self.addresses,
            run=run,
            sources=deployments.SOURCES,
            folders=deployments.DEFINITIONS,
            owner=run,
            following=deployments.following(place),
            narrow=lambda plan: plan if names is None else plan.narrowed(names),
        )
        with opening as execution:
            execution.begin("the kill matrix")
            scheduler.settle(execution, Patience(delays(self.addresses.poll_seconds)))
            ending.conclude(execution)
            return execution

    def kill(self, case: Case) -> bool:
        """Let a process work on the node until it dies; True when it was killed where it should be."""
        words = [case.environment, case.node, case.point, str(case.seconds)]
        done = subprocess.run([sys.executable, str(_VICTIM), str(self.state), *words], capture_output=True, check=False)
        return done.returncode == -9

    def entries(self, environment: str, run: str = "") -> list[Entry]:
        return Ledger(self.state / "runs").after(0, environment, run)

    def things(self) -> set[str]:
        """What there is: every resource of the cloud and every object of the clusters, by name."""
        rehearsal = local.addresses(self.state).parent
        cloud = {str(file.relative_to(rehearsal)) for file in (rehearsal / "cloud").rglob("*.json")}
        return {name for name in cloud if "/deployments/" not in name.lower()} | {
            str(file.relative_to(rehearsal))
            for file in (rehearsal / "clusters").rglob("*.json")
            if not any(kind in str(file).lower() for kind in _COMES_AND_GOES)
        }


# Their names are made up anew each time.
_COMES_AND_GOES = ("pod", "replicaset", "controllerrevision", "event", "certificaterequest", "order", "challenge")


class Matrix:
    """Clean promotions to compare with, and the cases that follow from them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bases: dict[str, Path] = {}
        self.things: dict[str, set[str]] = {}
        self.cases: list[Case] = []

    def prepare(self, seed: int, environments: Sequence[str] = ENVIRONMENTS) -> None:
        """Promote everything once; every node that meant to change something is to be killed."""
        clean = self._folder / "clean"
        chance = random.Random(seed)
        for environment in ("world", *environments):
            self._bases[environment] = self._copy(clean, f"before-{environment}")
            with standing(clean) as place:
                run = f"clean-{environment}"
                execution = place.promote(environment, run)
                _must_succeed(execution)
                self.things[environment] = place.things()
                entries = place.entries(environment, run)
            if environment in ENVIRONMENTS:
                self.cases += list(_cases(environment, entries, chance))

    def run(self, case: Case, number: int) -> Verdict:
        """Carry out one case in a state of its own."""
        state = self._copy(self._bases[case.environment], f"case-{number}")
        try:
            with standing(state) as place:
                return _verdict(place, case, self.things[case.environment])
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def _copy(self, state: Path, name: str) -> Path:
        target = self._folder / name
        if state.exists():
            shutil.copytree(state, target)
        else:
            target.mkdir(mode=0o700)
        return target


@contextlib.contextmanager
def standing(state: Path) -> Iterator[Place]:
    """The rehearsal of a state, at work until the end of the block."""
    with local.bare(state):
        yield Place(state)


def _cases(environment: str, entries: Sequence[Entry], chance: random.Random) -> Iterator[Case]:
    """Four kills for each node that meant to change something."""
    seconds = {entry.node: float(entry.body["seconds"]) for entry in entries if entry.event is Event.OUTCOME}
    for node in dict.fromkeys(entry.node for entry in entries if entry.event is Event.INTENT):
        for point in POINTS:
            yield Case(environment, node, point, round(seconds[node] * chance.uniform(0.05, 0.95), 3))


def _verdict(place: Place, case: Case, things: set[str]) -> Verdict:
    nodes = deployments.nodes(deployments.find(case.environment))
    before = _ancestors({each.id: frozenset(_plain(each.all_needs)) for each in nodes}, case.node)
    if before:
        _must_succeed(place.promote(case.environment, "before", before))
    killed = place.kill(case)
    again = place.promote(case.environment, "again")
    done = {name for name, each in again.results.items() if each.outcome is Outcome.CHANGED}
    once_more = place.promote(case.environment, "once more")
    wrong = [
        *(f"{name} failed: {each.detail}" for name, each in again.results.items() if not each.outcome.is_success),
        *(f"{name} was finished and was applied again" for name in sorted(before & done)),
        *(
            f"{name} was taken as done and was not: {each.detail}"
            for name, each in once_more.results.items()
            if each.outcome is not Outcome.UNCHANGED
        ),
        *(f"{name} was never made" for name in sorted(things - place.things())[:5]),
        *(f"{name} was made and belongs to nothing" for name in sorted(place.things() - things)[:5]),
    ]
    adopted = case.node not in done
    if case.point in (AFTER, UNRECORDED) and not adopted:
        wrong.append(f"{case.node} was finished and was applied again")
    if not killed:
        wrong.append(f"the process was not killed {case.point}, so nothing was practised")
    return Verdict(case, killed, adopted, tuple(wrong))


def _plain(needs: frozenset[str]) -> set[str]:
    return {need for need in needs if "/" not in need}


def _ancestors(needs: dict[str, frozenset[str]], node: str) -> set[str]:
    found: set[str] = set()
    waiting = list(needs[node])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return found


def _must_succeed(execution: Execution) -> None:
    failed = {name: each.detail for name, each in execution.results.items() if not each.outcome.is_success}
    if failed:
        raise SystemExit(f"{execution.place} could not be promoted cleanly, so nothing can be compared: {failed}")


def main() -> None:
    """Run the matrix, or a sample of it, and print what was counted; exit with 1 when anything was wrong."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--sample", type=int, default=0, help="so many cases, chosen by the seed; 0: all")
    wanted.add_argument("--seed", type=int, default=int(time.time()))
    wanted.add_argument("--jobs", type=int, default=2)
    chosen = wanted.parse_args()
    console = Console(highlight=False, width=150)
    with tempfile.TemporaryDirectory(prefix="kill-matrix-") as folder:
        matrix = Matrix(Path(folder))
        matrix.prepare(chosen.seed)
        cases = matrix.cases
        if chosen.sample:
            cases = random.Random(chosen.seed).sample(cases, min(chosen.sample, len(cases)))
        console.print(f"{len(cases)} of {len(matrix.cases)} kills, seed {chosen.seed}")
        with ThreadPoolExecutor(chosen.jobs) as pool:
            verdicts = []
            for verdict in pool.map(matrix.run, cases, range(len(cases))):
                verdicts.append(verdict)
                mark = "ok" if not verdict.wrong else "; ".join(verdict.wrong)
                console.print(f"{len(verdicts):4} {verdict.case}: {mark}", style="red" if verdict.wrong else "dim")
    console.print(summary(verdicts))
    sys.exit(1 if any(each.wrong for each in verdicts) else 0)


def summary(verdicts: Sequence[Verdict]) -> Table:
    """Counts by point: kills, how many were adopted instead of applied again, and what was wrong."""
    table = Table("point", "kills", "adopted", "applied or completed")
    for heading in ("finished steps applied again", "half-done taken as done", "other wrongs"):
        table.add_column(heading)
    for point in POINTS:
        its = [each for each in verdicts if each.case.point == point]
        wrongs = Counter(_sort(sentence) for each in its for sentence in each.wrong)
        adopted = sum(each.adopted for each in its)
        table.add_row(point, str(len(its)), str(adopted), str(len(its) - adopted), str(wrongs["again"]),
                      str(wrongs["half"]), str(wrongs["other"]))  # fmt: skip
    return table


def _sort(sentence: str) -> str:
    if "applied again" in sentence:
        return "again"
    return "half" if "taken as done" in sentence else "other"


if __name__ == "__main__":
    main()

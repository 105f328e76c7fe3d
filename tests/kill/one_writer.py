"""One writer, at the level of promotions: processes that promote at the same moment, and a stand-in that notes writes.

`python tests/kill/one_writer.py [--times N] [--seed S]` is what `make one-writer` runs; it prints what was counted.
"""

import argparse
import contextlib
import datetime
import http.server
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from workspace.ledger import Entry, Event, Ledger
from writer import PARTS

_WRITER = Path(__file__).with_name("writer.py")
_SECONDS = 120
SHORT = "1"
"""Seconds of the lease of a writer that is stopped."""


@dataclass(frozen=True)
class Write:
    """One write as the stand-in saw it."""

    run: str
    node: str
    part: str
    at: float


@dataclass
class StandIn:
    """Notes every write, and every one that came while an effect of another run was half done."""

    url: str = ""
    pause: float = 0.0
    may_answer: threading.Event = field(default_factory=threading.Event)
    writes: list[Write] = field(default_factory=list)
    interleaved: list[tuple[Write, str]] = field(default_factory=list)
    _open: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, run: str, node: str, part: str) -> None:
        """Take in one write, and answer once that is allowed; an effect is open from its first write to its last."""
        write = Write(run, node, part, time.time())
        with self._lock:
            self.writes.append(write)
            self._open.add((run, node))
            self.interleaved += [(write, other) for other, _ in self._open if other != run]
        self.may_answer.wait(_SECONDS)
        time.sleep(self.pause)
        with self._lock:
            if part == PARTS[-1]:
                self._open.discard((run, node))

    def of(self, run: str) -> list[Write]:
        return [each for each in self.writes if each.run == run]


@contextlib.contextmanager
def standing(pause: float) -> Iterator[StandIn]:
    """A stand-in that answers on loopback until the end of the block."""
    stand_in = StandIn(pause=pause)
    stand_in.may_answer.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            run, node, part = self.path.strip("/").split("/")
            stand_in.write(run, node, part)
            with contextlib.suppress(OSError):
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def writer(
    state: Path, stand_in: StandIn, environment: str, run: str, shares: str = "", seconds: str = "30"
) -> Iterator["subprocess.Popen[str]"]:
    """A promotion in a process of its own, which begins when it is told to; it is gone at the end of the block."""
    command = [sys.executable, str(_WRITER), str(state), stand_in.url, environment, run, seconds, shares]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise AssertionError(f"the writer did not start: {process.communicate()[0]}")
        yield process
    finally:
        process.kill()
        process.wait()


def begin(*processes: "subprocess.Popen[str]") -> None:
    """Let them all begin, at the same moment."""
    for each in processes:
        if each.stdin is not None:
            each.stdin.write("begin\n")
            each.stdin.flush()


@dataclass
class Counted:
    """What a number of cases came to; `wrong` holds a sentence for everything that must not be."""

    what: str
    cases: int = 0
    writes: int = 0
    waited: int = 0
    late: int = 0
    wrong: list[str] = field(default_factory=list)


def two_runs(state: Path, seed: int, counted: Counted) -> None:
    """Two processes promote one environment at the same moment: one writes all of its own, then the other.

    The first gets no answer from the stand-in until the other stands in line.
    """
    with (
        standing(random.Random(seed).uniform(0, 0.03)) as stand_in,
        writer(state, stand_in, "dev", "one") as one,
        writer(state, stand_in, "dev", "two") as two,
    ):
        stand_in.may_answer.clear()
        begin(one, two)
        _until(lambda: bool(Ledger(state).standing("dev").line), one)
        stand_in.may_answer.set()
        said = {"one": one.communicate(timeout=_SECONDS)[0], "two": two.communicate(timeout=_SECONDS)[0]}
        codes = {one.returncode, two.returncode}
    entries = Ledger(state).after(0, "dev")
    runs = [each.run for each in entries if each.run]
    first, second = dict.fromkeys(runs)
    told = f"waiting for {first} (process " in said[second]
    counted.waited += told
    _count(counted, stand_in, 24)
    counted.wrong += [
        *(["a run failed: " + " ".join(said.values())] if codes != {0} else []),
        *(["the entries of two runs are interleaved"] if _turns(runs) != 2 else []),
        *(["the writes of two runs are interleaved"] if _turns([each.run for each in stand_in.writes]) != 2 else []),
        *([] if told else [f"{second} did not say for whom it waits: {said[second]!r}"]),
    ]


def two_environments(state: Path, seed: int, counted: Counted) -> None:
    """Two environments write to one zone: no write comes while an effect of the other is half done."""
    with (
        standing(random.Random(seed).uniform(0, 0.03)) as stand_in,
        writer(state, stand_in, "dev", "one", "zone") as one,
        writer(state, stand_in, "demo", "two", "zone") as two,
    ):
        begin(one, two)
        said = [one.communicate(timeout=_SECONDS)[0], two.communicate(timeout=_SECONDS)[0]]
        codes = {one.returncode, two.returncode}
    lines = [str(each.body.get("line", "")) for each in Ledger(state).after(0) if each.event is Event.PROGRESS]
    counted.waited += any("who is at work in zone" in line for line in lines)
    _count(counted, stand_in, 24)
    counted.wrong += [f"a run failed: {' '.join(said)}"] if codes != {0} else []


def stale(state: Path, seed: int, counted: Counted) -> None:
    """A writer is stopped in the middle and outlives its lease; another finishes; the first wakes up.

    Guaranteed, and looked for here: once the other holds the environment, nothing of the first reaches the stand-in
    but the rest of effects that it announced before, one a node, and that have no outcome; it announces none, records
    none, ends with a refusal, and the entries of the other stay together.
    """
    chance = random.Random(seed)
    with (
        standing(0.5) as stand_in,
        writer(state, stand_in, "dev", "stale", seconds=SHORT) as first,
    ):
        begin(first)
        wanted = chance.randrange(1, 9)
        _until(lambda: len(stand_in.writes) >= wanted, first)
        time.sleep(chance.uniform(0, 0.4))
        first.send_signal(signal.SIGSTOP)
        with writer(state, stand_in, "dev", "next", seconds=SHORT) as second:
            begin(second)
            told = second.communicate(timeout=_SECONDS)[0]
            code = second.returncode
        first.send_signal(signal.SIGCONT)
        said = first.communicate(timeout=_SECONDS)[0]
    entries = Ledger(state).after(0, "dev")
    taken = next(each.number for each in entries if each.event is Event.HELD and each.body["owner"] == "next")
    began = _at(entries, "next", Event.HELD)
    announced = {each.node for each in entries if each.run == "stale" and each.event is Event.INTENT}
    done = {each.node for each in entries if each.run == "stale" and each.event is Event.OUTCOME}
    late = [each for each in stand_in.of("stale") if each.at > began]
    counted.cases += 1
    counted.writes += len(stand_in.writes)
    counted.late += len(late)
    counted.waited += "waiting for stale" in told
    counted.wrong += [
        *([f"the next run failed: {told}"] if code != 0 or len(stand_in.of("next")) != 12 else []),
        *([f"the stale run was not refused: {said}"] if "stale no longer holds dev" not in said else []),
        *(f"{e.event} of the stale run came after the next held it" for e in entries[taken:] if e.run == "stale"),
        *(f"{w.node} was written late and not in flight" for w in late if w.node not in announced - done),
        *(f"{w.node} was begun twice" for w in late if sum(w.node == o.node and w.part == o.part for o in late) > 1),
    ]


def _count(counted: Counted, stand_in: StandIn, expected: int) -> None:
    counted.cases += 1
    counted.writes += len(stand_in.writes)
    counted.wrong += [f"{write} came while {other} was at work" for write, other in stand_in.interleaved]
    if len(stand_in.writes) != expected:
        counted.wrong.append(f"{len(stand_in.writes)} writes, not {expected}")


def _turns(names: Sequence[str]) -> int:
    """How often the name changes, the first one counted."""
    return sum(name != before for name, before in zip(names, [None, *names], strict=False))


def _at(entries: Sequence[Entry], run: str, event: Event) -> float:
    """When a run took the environment, or ended."""
    its = (e for e in entries if e.event is event and (e.run == run or e.body.get("owner") == run))
    return datetime.datetime.fromisoformat(next(its).at).timestamp()


def _until(true: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + _SECONDS
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("the writer ended before it was to be stopped")
        time.sleep(0.005)


CASES = {
    "two promotions of one environment": two_runs,
    "two environments on one zone": two_environments,
    "a stopped writer wakes up": stale,
}


def counted(what: str, times: int, seed: int, folder: Path) -> Counted:
    """So many cases of one sort, each with a seed and a state of its own."""
    found = Counted(what)
    for number in range(times):
        state = folder / f"{what.replace(' ', '-')}-{number}"
        state.mkdir(mode=0o700)
        CASES[what](state, seed + number, found)
    return found


def main() -> None:
    """Run them all and print the counts; exit with 1 when anything was wrong."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--times", type=int, default=10)
    wanted.add_argument("--seed", type=int, default=int(time.time()))
    chosen = wanted.parse_args()
    console = Console(highlight=False, width=150)
    table = Table("what", "cases", "writes seen", "waited and said so", "late, announced before", "wrong",
                  title=f"one writer, seed {chosen.seed}")  # fmt: skip
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="one-writer-") as folder:
        for what in CASES:
            found = counted(what, chosen.times, chosen.seed, Path(folder))
            late = str(found.late) if CASES[what] is stale else "-"
            table.add_row(what, str(found.cases), str(found.writes), str(found.waited), late, str(len(found.wrong)))
            wrong += found.wrong
    console.print(table)
    for each in wrong:
        console.print(each, style="red")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

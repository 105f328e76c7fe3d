"""What several environments write to: their writes never interleave, whatever the schedule."""

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from workspace import scheduler
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.scheduler import Patience
from workspace.sharing import Sharing
from workspace.work import Outcome, Preview, Result, Work, say_nothing


class Zone:
    """A made-up zone that several environments write to, in a schedule of its own; it notes who writes beside whom."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.at_work: list[str] = []
        self.written: list[str] = []
        self.interleaved: list[tuple[str, ...]] = []

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview() if work.settings.get("so already") else Preview((f"write {work.node.id}",))

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        place = work.environment.name
        with self._lock:
            self.at_work.append(place)
            if set(self.at_work) != {place}:
                self.interleaved.append(tuple(self.at_work))
            pause = self._random.random() / 500
        time.sleep(pause)
        with self._lock:
            self.at_work.remove(place)
            self.written.append(f"{place}/{work.node.id}")
        return Result(Outcome.CHANGED, "written")

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result


def execution(place: str, kind: Zone, folder: Path, shares: tuple[str, ...], **settings: Any) -> Execution:
    names = ("a-record", "b-record", "c-record")
    nodes = [Node(name, Kind.PAUSE, Stage.NAMES, shares=shares, settings=settings) for name in names]
    return Execution(
        draw(Environment(place), nodes, {}),
        run=place,
        outside=None,
        ledger=Ledger(folder),
        kinds={Kind.PAUSE: kind},
        sources=folder,
        state=folder,
    )


def at_once(*executions: Execution) -> None:
    threads = [threading.Thread(target=scheduler.settle, args=(each, Patience(()))) for each in executions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize("seed", range(10))
def test_two_environments_never_write_to_one_zone_at_the_same_time(tmp_path: Path, seed: int) -> None:
    zone = Zone(seed)
    at_once(*(execution(place, zone, tmp_path, ("zone",)) for place in ("dev", "staging")))
    assert zone.interleaved == []
    assert len(zone.written) == 6


@pytest.mark.slow
def test_a_hundred_schedules_have_no_interleaved_write(tmp_path: Path) -> None:
    found = []
    for seed in range(100):
        zone = Zone(seed)
        at_once(*(execution(place, zone, tmp_path / str(seed), ("zone",)) for place in ("dev", "staging")))
        found.append((len(zone.written), zone.interleaved))
    assert found == [(6, [])] * 100


def test_without_sharing_they_do_so_the_test_can_fail(tmp_path: Path) -> None:
    met = []
    for seed in range(20):
        zone = Zone(seed)
        at_once(*(execution(place, zone, tmp_path / str(seed), ()) for place in ("dev", "staging")))
        met += zone.interleaved
    assert met


def test_nodes_of_one_environment_write_side_by_side(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=20)

    class Meeting(Zone):
        def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
            together.wait()
            return super().apply(work, preview, outside)

    zone = Meeting(0)
    at_once(execution("dev", zone, tmp_path, ("zone",)))
    assert len(zone.written) == 3


def test_who_has_nothing_to_write_waits_for_nobody(tmp_path: Path) -> None:
    with Ledger(tmp_path).share("zone", "somebody else"):
        run = execution("dev", Zone(0), tmp_path, ("zone",), **{"so already": True})
        scheduler.settle(run, Patience(()))
    assert {result.outcome for result in run.results.values()} == {Outcome.CHANGED}


def test_a_writer_that_lost_the_zone_is_refused_before_its_next_write(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, lease_seconds=0.3)
    sharing = Sharing(ledger, "dev (run 1)")
    with sharing.holding(("zone",), say_nothing):
        # as after a stop that outlasted the lease: another one has it now
        lease = tmp_path / "zone.shared.lease"
        lease.write_text(lease.read_text().replace('"token": 1', '"token": 2'))
        sharing._open["zone"][1].lost.wait(10)
        again = sharing.holding(("zone",), say_nothing)
        with pytest.raises(Refused, match=r"^dev \(run 1\) no longer holds zone\.shared\.lease"), again:
            raise AssertionError("it wrote")

"""What several environments write to: their writes never interleave, whatever the schedule."""

import contextlib
import json
import random
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blobs import Memory, in_memory
from workspace import promotion, scheduler
from workspace.addresses import Addresses
from workspace.clients.blobs import BlobStore
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.execution import Execution
from workspace.kinds import image
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.scheduler import Patience
from workspace.sharing import Sharing
from workspace.store import Folder
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


def execution(
    place: str,
    kind: Zone,
    folder: Path,
    shares: tuple[str, ...],
    halt: threading.Event | None = None,
    **settings: Any,
) -> Execution:
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
        halt=halt,
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
@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.thorough)])
def test_so_many_schedules_have_no_interleaved_write(count: int, tmp_path: Path) -> None:
    found = []
    for seed in range(count):
        zone = Zone(seed)
        at_once(*(execution(place, zone, tmp_path / str(seed), ("zone",)) for place in ("dev", "staging")))
        found.append((len(zone.written), zone.interleaved))
    assert found == [(6, [])] * count


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


class Hanging(Folder):
    """A store that does not answer those who renew a lease, for as long as it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.answers = threading.Event()
        self.answers.set()

    def replace(self, name: str, data: bytes, version: str) -> str:
        if threading.current_thread().name.startswith("lease "):
            self.answers.wait(20)
        return super().replace(name, data, version)


def test_a_writer_whose_renewal_hangs_is_refused_once_another_one_has_the_zone(tmp_path: Path) -> None:
    store = Hanging(tmp_path)
    hung, other = (Sharing(Ledger(each, lease_seconds=0.3), "a run") for each in (store, Folder(tmp_path)))
    with hung.holding(("zone",), say_nothing):
        store.answers.clear()
        with other.holding(("zone",), say_nothing):
            again = hung.holding(("zone",), say_nothing)
            with pytest.raises(Refused, match=r"no longer holds zone\.shared\.lease"), again:
                raise AssertionError("it wrote beside the other")
            with pytest.raises(Refused, match=r"no longer holds zone\.shared\.lease"):
                hung.check(("zone",))
        store.answers.set()


def test_a_writer_whose_renewal_hangs_goes_on_where_nobody_came(tmp_path: Path) -> None:
    store = Hanging(tmp_path)
    hung = Sharing(Ledger(store, lease_seconds=0.15), "a run")
    with hung.holding(("zone",), say_nothing):
        store.answers.clear()
        time.sleep(0.3)
        hung.check(("zone",))
        store.answers.set()


def test_a_run_that_is_stopped_waits_for_the_zone_no_longer_and_writes_nothing(tmp_path: Path) -> None:
    halt, zone = threading.Event(), Zone(0)
    run = execution("dev", zone, tmp_path, ("zone",), halt=halt)
    ended: list[str] = []

    def settle() -> None:
        try:
            scheduler.settle(run, Patience((), halt))
        except Broken as error:
            ended.append(str(error))

    thread = threading.Thread(target=settle)
    with Ledger(tmp_path).share("zone", "somebody else"):
        thread.start()
        while not any("waiting for somebody else" in str(each.body) for each in run.ledger.after(0, "dev")):
            time.sleep(0.01)
        halt.set()
        thread.join(20)
        assert not thread.is_alive()
        assert json.loads((tmp_path / "zone.shared.lease").read_text())["line"] == []
    assert zone.written == []
    assert {result.detail for result in run.results.values()} == {
        "dev (run dev) stopped waiting for zone; nothing was touched."
    }
    assert Event.INTENT not in [entry.event for entry in run.ledger.after(0, "dev")]


def test_a_promotion_that_is_stopped_while_it_waits_leaves_the_line_and_touches_nothing(tmp_path: Path) -> None:
    halt, said = threading.Event(), threading.Event()
    addresses = Addresses(subscription="s", state=tmp_path, engine="tcp://127.0.0.1:1")
    told: list[str] = []

    def promote() -> None:
        node = Node("web", Kind.PAUSE, Stage.NAMES, settings={"seconds": 0})
        try:
            promotion.promote(
                Environment("dev"), [node], addresses, run="r", sources=tmp_path, folders=(), halt=halt,
                say=lambda _: said.set(),
            )  # fmt: skip
        except Broken as error:
            told.append(str(error))

    thread = threading.Thread(target=promote)
    with Ledger(tmp_path).hold("dev", "another run"):
        before = len(Ledger(tmp_path).after(0, "dev"))
        thread.start()
        assert said.wait(20)
        halt.set()
        thread.join(20)
        assert not thread.is_alive()
        assert json.loads((tmp_path / "dev.lease").read_text())["line"] == []
    assert told == ["run r stopped waiting for dev; nothing was touched."]
    assert len(Ledger(tmp_path).after(0, "dev")) == before


# ---- a kind that holds the registry only while it writes there


class Registry:
    """A made-up engine and registry: both builds must be at work before one of them may end; pushes are noted."""

    host = authority = "registry.example"

    def __init__(self) -> None:
        self.building = threading.Barrier(2, timeout=20)
        self.tags: dict[str, str] = {}
        self.at_work: list[str] = []
        self.interleaved: list[tuple[str, ...]] = []
        self.pushed: list[str] = []

    @property
    def engine(self) -> "Registry":
        return self

    @property
    def registry(self) -> "Registry":
        return self

    def inputs(self, **recipe: Any) -> Any:
        return SimpleNamespace(fingerprint="f" * 64)

    def build(self, *, tag: str, **recipe: Any) -> None:
        self.building.wait()

    def push(self, reference: str, say: Any, login: Any) -> str:
        return self._write(reference.partition("/")[2])

    def carry(self, digest: str, source: str, repository: str, *, tag: str, say: Any) -> None:
        self._write(f"{repository}:{tag}")

    def digest(self, repository: str, tag: str) -> str | None:
        return self.tags.get(f"{repository}:{tag}")

    def exists(self, repository: str, digest: str) -> bool:
        return digest in self.tags.values()

    def login(self) -> None:
        return None

    def describe(self) -> str:
        return "a made-up engine"

    def _write(self, name: str) -> str:
        self.at_work.append(name)
        if len(self.at_work) > 1:
            self.interleaved.append(tuple(self.at_work))
        time.sleep(0.02)
        self.at_work.remove(name)
        self.pushed.append(name)
        self.tags[name] = "sha256:" + "a" * 64
        return self.tags[name]


def building(place: str, registry: Registry, folder: Path, ledger: Ledger | None = None) -> Execution:
    settings = {"repository": "web", "dockerfile": "Dockerfile"}
    nodes = [Node("web-image", Kind.IMAGE, Stage.IMAGES, settings=settings, shares=("registry",))]
    return Execution(
        draw(Environment(place), nodes, {}),
        run=place,
        outside=registry,
        ledger=ledger or Ledger(folder),
        kinds={Kind.IMAGE: image},
        sources=folder,
        state=folder,
    )


def test_two_environments_build_side_by_side_and_push_one_after_the_other(tmp_path: Path) -> None:
    registry = Registry()
    runs = [building(place, registry, tmp_path) for place in ("dev", "demo")]
    at_once(*runs)
    assert [each.results["web-image"].outcome for each in runs] == [Outcome.CHANGED] * 2
    assert registry.interleaved == []
    first, second = (name.partition(":")[2][:3] for name in registry.pushed[::2])
    assert {first, second} == {"dev", "dem"}, "a push and its tag are one write"
    assert len(registry.pushed) == 4


def test_an_image_that_is_there_and_tagged_waits_for_nobody(tmp_path: Path) -> None:
    registry = Registry()
    registry.tags = dict.fromkeys(("web:dev-ffffffffffff", "web:dev"), "sha256:" + "a" * 64)
    with Ledger(tmp_path).share("registry", "somebody else"):
        run = building("dev", registry, tmp_path)
        scheduler.settle(run, Patience(()))
    assert run.results["web-image"].outcome is Outcome.UNCHANGED


def test_who_lost_its_environment_during_the_build_does_not_push(tmp_path: Path) -> None:
    """The entry before the write is refused, as any entry of a stale writer."""

    class Slow(Registry):
        def build(self, *, tag: str, **recipe: Any) -> None:
            lease = tmp_path / "dev.lease"
            lease.write_text(lease.read_text().replace('"token": 1', '"token": 2'))
            if not lost.wait(10):
                raise AssertionError("the lease was never seen to be lost")

    ledger, registry = Ledger(tmp_path, lease_seconds=0.3), Slow()
    run = building("dev", registry, tmp_path, ledger)
    with ledger.hold("dev", "run 1"):
        held = ledger._journal("dev")._held
        assert held is not None
        lost = held.lost
        with pytest.raises(Refused, match=r"^run 1 no longer holds dev\.lease"):
            run.apply("web-image")
    assert registry.pushed == []


def test_who_lost_its_environment_in_a_store_far_away_does_not_push_before_it_knows(tmp_path: Path) -> None:
    """Its renewal has not looked since; the entry before the write is waited for and finds it out."""
    memory, registry = Memory(), Registry()
    ledger, other = (Ledger(BlobStore(in_memory(memory))) for _ in range(2))
    with contextlib.ExitStack() as stack:

        def taken_over(**_: Any) -> None:
            store = BlobStore(in_memory(memory))
            lease, version = store.document("dev.lease")
            store.replace("dev.lease", json.dumps({**json.loads(lease), "holder": None}).encode(), version)
            stack.enter_context(other.hold("dev", "run 2"))

        registry.build = taken_over  # type: ignore[method-assign]
        run = building("dev", registry, tmp_path, ledger)
        with ledger.hold("dev", "run 1"), pytest.raises(Refused, match=r"^run 1 no longer holds dev\.lease"):
            run.apply("web-image")
    assert registry.pushed == []

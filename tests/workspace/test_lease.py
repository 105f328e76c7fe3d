"""Leases: one holder at a time, in line, renewed, ending by themselves, with a number that only grows."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blobs import Memory, in_memory
from workspace import lease
from workspace.clients.blobs import BlobStore
from workspace.errors import Broken, Refused, Unsettled
from workspace.lease import Ended, Held
from workspace.store import Folder, Store

SHORT = 0.4
"""Seconds of a lease in these tests; nothing here asserts how long something took."""


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Folder(tmp_path) if request.param == "folder" else BlobStore(in_memory(Memory()))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A store that other processes share."""
    return Folder(tmp_path)


def taken(store: Store, owner: str) -> Held:
    with lease.held(store, "zone", owner, seconds=SHORT) as held:
        return held


def test_each_holder_has_a_higher_number_than_the_one_before(store: Store) -> None:
    held = [taken(store, owner) for owner in ("a", "b", "c")]
    assert [each.token for each in held] == [1, 2, 3]
    assert [each.before for each in held] == [Ended(), Ended("released", "a"), Ended("released", "b")]


@pytest.mark.slow
def test_a_lease_lasts_as_long_as_its_holder_beats(store: Store) -> None:
    came = threading.Event()

    def wait_for_it() -> None:
        with lease.held(store, "zone", "b", seconds=SHORT):
            came.set()

    with lease.held(store, "zone", "a", seconds=SHORT) as held:
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        assert not came.wait(4 * SHORT)
        held.check()
    waiting.join(10)
    assert came.is_set()


def test_those_who_wait_come_in_the_order_they_came(store: Store) -> None:
    order: list[str] = []
    said: dict[str, list[str]] = {}
    lined_up = {name: threading.Event() for name in "bcd"}

    def come(name: str) -> None:
        said[name] = []

        def tell(line: str) -> None:
            said[name].append(line)
            lined_up[name].set()

        with lease.held(store, "zone", name, tell, seconds=5):
            order.append(name)

    threads = []
    with lease.held(store, "zone", "a", seconds=5):
        for name in "bcd":
            thread = threading.Thread(target=come, args=(name,))
            threads.append(thread)
            thread.start()
            assert lined_up[name].wait(10)
    for thread in threads:
        thread.join(20)
    assert order == ["b", "c", "d"]
    assert said["b"][0].startswith("waiting for a (process ")
    assert said["d"][0].endswith("who is at work in zone, after b, c")


def test_who_stops_waiting_leaves_the_line_and_touches_nothing(store: Store) -> None:
    halt = threading.Event()
    halt.set()
    with lease.held(store, "zone", "a", seconds=5):
        second = lease.held(store, "zone", "b", seconds=5, halt=halt)
        with pytest.raises(Broken, match=r"^b stopped waiting for zone; nothing was touched\.$"), second:
            raise AssertionError("it was never ours")
        assert json.loads(store.document("zone")[0])["line"] == []


def test_who_was_stopped_before_it_came_takes_nothing(store: Store) -> None:
    halt = threading.Event()
    halt.set()
    first = lease.held(store, "zone.shared.lease", "a", seconds=5, halt=halt)
    with pytest.raises(Broken, match=r"^a stopped waiting for zone; nothing was touched\.$"), first:
        raise AssertionError("it was never ours")
    assert store.document("zone.shared.lease") == (b"", "")


SLEEPER = """
import sys, threading
from pathlib import Path
from workspace import lease
from workspace.errors import Refused
from workspace.store import Folder

with lease.held(Folder(Path(sys.argv[1])), "zone", "the sleeper", seconds=float(sys.argv[2])) as held:
    print("mine", flush=True)
    sys.stdin.readline()
    try:
        held.lost.wait(20)
        held.check()
    except Refused as error:
        print(error, flush=True)
"""


@contextlib.contextmanager
def sleeper(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SLEEPER, str(folder), str(SHORT)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_who_is_stopped_loses_its_lease_and_is_told_when_it_wakes_up(folder: Folder, tmp_path: Path) -> None:
    with sleeper(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with lease.held(folder, "zone", "the next", seconds=SHORT) as held:
            assert (held.token, held.before) == (2, Ended("expired", "the sleeper"))
            process.send_signal(signal.SIGCONT)
            told, _ = process.communicate("wake up\n", timeout=30)
            held.check()
    assert told.startswith("the sleeper no longer holds zone: its lease ended while it did not answer")
    assert process.returncode == 0


@pytest.mark.slow
def test_who_was_killed_is_not_waited_for(folder: Folder, tmp_path: Path) -> None:
    with sleeper(tmp_path) as process:
        process.kill()
        process.wait()
        with lease.held(folder, "zone", "the next", seconds=3600) as held:
            assert held.before == Ended("died", "the sleeper")


def test_a_holder_that_lost_it_does_not_take_it_from_the_next(store: Store) -> None:
    with lease.held(store, "zone", "a", seconds=SHORT) as held:
        document = json.loads(store.document("zone")[0])
        document |= {"token": 7, "holder": {**document["holder"], "id": "another", "owner": "b"}}
        store.replace("zone", json.dumps(document).encode(), store.document("zone")[1])
        assert held.lost.wait(10)
        with pytest.raises(Refused, match="a no longer holds zone"):
            held.check()
    assert json.loads(store.document("zone")[0])["holder"]["owner"] == "b"
    assert lease.holder(store, "zone").startswith("b (process ")


def test_a_lease_that_cannot_be_let_go_ends_by_itself_and_spoils_nothing(folder: Folder, tmp_path: Path) -> None:
    class Away(Folder):
        is_away = False

        def replace(self, name: str, data: bytes, version: str) -> str:
            if self.is_away:
                raise Unsettled("the store is away")
            return super().replace(name, data, version)

    store, done = Away(tmp_path), []
    with lease.held(store, "zone", "a", seconds=SHORT):
        done.append("what it held it for")
        store.is_away = True
    assert done
    assert taken(folder, "b").before == Ended("expired", "a")


def test_a_damaged_lease_lets_nobody_in(store: Store) -> None:
    store.replace("zone", b"{", "")
    with pytest.raises(Broken, match=r"The lease zone in .* is damaged"):
        taken(store, "a")


@pytest.mark.slow
def test_many_at_once_never_hold_it_together(store: Store) -> None:
    inside, together, tokens = threading.Semaphore(1), [], []

    def come(name: str) -> None:
        with lease.held(store, "zone", name, seconds=20) as held:
            if not inside.acquire(blocking=False):
                together.append(name)
            tokens.append(held.token)
            time.sleep(0.001)
            inside.release()

    threads = [threading.Thread(target=come, args=(f"run {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == []
    assert tokens == list(range(1, 13))


@pytest.mark.parametrize(("numbers", "apart"), [("pid:[4026531836]", ""), ("pid:[4026532201]", "-4026532201")])
def test_a_container_with_process_numbers_of_its_own_is_a_machine_of_its_own(
    monkeypatch: pytest.MonkeyPatch, numbers: str, apart: str
) -> None:
    monkeypatch.setattr(Path, "readlink", lambda each: Path(numbers))
    monkeypatch.setattr(socket, "gethostname", lambda: "worker")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    assert lease.here()["host"] == f"worker/{boot}{apart}"


def test_a_process_of_another_container_of_the_same_name_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "readlink", lambda each: Path("pid:[4026532201]"))
    other = {**lease.here(), "process": 1, "began": "7"}
    assert lease.is_dead(other)
    monkeypatch.setattr(Path, "readlink", lambda each: Path("pid:[4026532202]"))
    assert not lease.is_dead(other)


def test_a_process_knows_itself_to_be_alive_and_a_number_used_again_to_be_another() -> None:
    me = {"host": lease._host(), "process": os.getpid(), "began": lease.began(os.getpid())}
    assert not lease.is_dead(me)
    assert lease.is_dead({**me, "began": "1"})
    assert not lease.is_dead({**me, "began": "1", "host": "elsewhere"}), "of another machine nothing is certain"

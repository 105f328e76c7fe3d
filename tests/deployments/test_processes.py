"""Processes that live with their owner."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from workspace import lease
from workspace.errors import Broken

from deployments import processes
from deployments.processes import Process

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def until(true: Callable[[], object]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_a_process_that_was_started_is_alive_until_it_is_ended(tmp_path: Path) -> None:
    process = processes.start("sleeper", SLEEP, tmp_path, {})
    assert process.alive
    process.end()
    assert not process.alive
    process.end()


def test_what_it_says_is_in_a_log_that_only_we_read(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print('one'); print(os.environ['WORD'])"]
    process = processes.start("speaker", command, tmp_path / "logs", {"WORD": "two"})
    until(lambda: not process.alive)
    assert process.last_words() == "one\ntwo"
    assert process.last_words(1) == "two"
    assert stat.S_IMODE(Path(process.log).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_one_that_does_not_listen_is_ended_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_END_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = processes.start("deaf", [sys.executable, "-c", deaf], tmp_path, {})
    until(process.last_words)
    process.end()
    assert not process.alive


def test_what_it_started_is_ended_with_it(tmp_path: Path) -> None:
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = processes.start("parent", [sys.executable, "-c", parent], tmp_path, {})
    until(process.last_words)
    child = int(process.last_words())
    process.end()
    assert lease.began(child) == ""


@pytest.mark.parametrize(("outlive", "alive"), [(False, False), (True, True)])
def test_it_dies_with_its_owner_unless_it_may_outlive_it(tmp_path: Path, outlive: bool, alive: bool) -> None:
    owner = (
        "import os, signal, sys, pathlib\n"
        "from deployments import processes\n"
        f"p = processes.start('sleeper', {SLEEP!r}, pathlib.Path(sys.argv[1]), {{}}, outlive={outlive})\n"
        "processes.remember(pathlib.Path(sys.argv[1]) / 'list', [p])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", owner, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    if alive:
        (process,) = processes.remembered(tmp_path / "list")
        process.end()
    else:
        until(lambda: not processes.remembered(tmp_path / "list"))


def test_another_process_with_the_same_pid_is_not_ours(tmp_path: Path) -> None:
    process = processes.start("sleeper", SLEEP, tmp_path, {})
    before = replace(process, began="1")
    assert not before.alive
    before.end()
    assert process.alive
    process.end()


def test_ours_are_found_again_from_a_private_list(tmp_path: Path) -> None:
    process = processes.start("sleeper", SLEEP, tmp_path, {})
    gone = Process("gone", os.getpid(), "1", "")
    processes.remember(tmp_path / "list", [process, gone])
    assert processes.remembered(tmp_path / "list") == [process]
    assert stat.S_IMODE((tmp_path / "list").stat().st_mode) == 0o600
    process.end()
    assert processes.remembered(tmp_path / "list") == []


def test_no_list_means_nothing_of_ours_runs(tmp_path: Path) -> None:
    assert processes.remembered(tmp_path / "list") == []


@pytest.mark.parametrize("damage", ["{", '[{"pid": 1}]'])
def test_a_damaged_list_is_told_with_what_to_do(tmp_path: Path, damage: str) -> None:
    (tmp_path / "list").write_text(damage)
    with pytest.raises(Broken, match=r"is damaged .*; remove it after ending what it names by hand"):
        processes.remembered(tmp_path / "list")


def test_a_free_port_is_one_that_can_be_listened_on() -> None:
    import socket

    with socket.create_server(("127.0.0.1", processes.free_port())):
        pass

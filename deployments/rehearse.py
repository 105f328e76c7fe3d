"""A rehearsal without Prefect, Docker or a network: world, dev and staging promoted against stand-ins, in seconds.

`python -m deployments.rehearse promote` is what `make rehearse` runs. It begins with an empty cloud each time, has a
folder of its own, and leaves it there to be looked into.
"""

import contextlib
import shutil
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from workspace import gate, promotion
from workspace.addresses import Addresses
from workspace.ending import Ending
from workspace.errors import Broken, Refused
from workspace.ledger import Ledger
from workspace.rehearsal import written
from workspace.work import Way

import deployments
from deployments import described, faults, local, processes, progress
from deployments.processes import Process
from deployments.progress import Watched

_ORDER = ("world", "dev", "staging")

_NOT_COUNTED = "Reads, what-ifs, dry runs, keys and tokens are none."
_INTERRUPTED = "Interrupted; what was at work has ended and is recorded."

application = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


class Rehearsed:
    """One rehearsal: its stand-ins as a process, and promotions from this one."""

    def __init__(self, state: Path, process: Process) -> None:
        self.state = state
        self.folder = local.addresses(state).parent
        self.addresses = Addresses.model_validate_json(local.addresses(state).read_text())
        self._process = process

    def promote(self, environment: str) -> Watched:
        """Promote an environment and show it live; returns when it has ended, well or not."""
        place, run = deployments.find(environment), f"rehearse-{environment}-{uuid.uuid4().hex[:8]}"
        halt = threading.Event()
        with contextlib.closing(Ledger(self.state / "runs")) as ledger, ThreadPoolExecutor(1) as pool:
            watched, seen = Watched(environment), ledger.last_number(environment)
            ending = pool.submit(
                promotion.promote,
                place,
                deployments.nodes(place),
                self.addresses,
                run=run,
                sources=deployments.SOURCES,
                folders=deployments.DEFINITIONS,
                by=local.person(),
                following=deployments.following(place),
                halt=halt,
                look=partial(gate.looked, facts=described.facts()),
            )
            try:
                progress.follow(ledger, run, seen, watched, console, lambda: self._look_after(ending))
            finally:
                halt.set()
        return watched

    def _look_after(self, ending: Future[Ending]) -> None:
        """Raise when the run cannot end well: it ended without a word in the ledger, or its stand-ins are gone."""
        if ending.done():
            ending.result()
        if not self._process.alive:
            raise Broken(f"The stand-ins stopped while a promotion was at work; their log: {self._process.log}")


@application.command()
def promote(
    fault: Annotated[str, typer.Option(help="Practise a fault by name; `faults` lists them.")] = "",
    again: Annotated[bool, typer.Option(help="Go on with the state the last rehearsal left.")] = False,
    nodes: Annotated[bool, typer.Option(help="Show every node, not only the stages.")] = False,
    environment: Annotated[list[str] | None, typer.Option(help="Promote only these, in this order.")] = None,
) -> None:
    """Promote world, dev and staging against stand-ins, and show the seconds of each stage.

    With a fault: promote with it in force; where that fails, lift it and promote again, to see that only what is
    missing is done.
    """
    with progress.sentences(console, _INTERRUPTED):
        began = time.monotonic()
        with _running(local.state() / "rehearse", fault, again=again) as rehearsed:
            console.print(f"The stand-ins answer ({time.monotonic() - began:.1f} s).")
            before = written.writes(rehearsed.folder)
            failed = _practised(rehearsed, environment or _ORDER, fault, nodes=nodes)
            _tell_written(written.writes(rehearsed.folder, len(before)), again=again)
            _close(rehearsed, time.monotonic() - began)
        if failed:
            raise typer.Exit(1)


@application.command(name="faults")
def list_faults() -> None:
    """List the faults that can be practised."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("fault", no_wrap=True)
    table.add_column("what it practises", overflow="fold")
    for name, entries in sorted(faults.known().items()):
        table.add_row(name, str(entries[0].get("about", "")))
    console.print(table)


@contextlib.contextmanager
def _running(state: Path, fault: str, *, again: bool) -> Iterator[Rehearsed]:
    """The stand-ins at work on this state, until the end of the block."""
    _refuse_second(state)
    if not again:
        shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    faults.put(local.addresses(state).parent, fault)
    remembered = state / "processes.json"
    try:
        with local.bare(state, lambda process: processes.remember(remembered, [process])) as process:
            yield Rehearsed(state, process)
    finally:
        remembered.unlink(missing_ok=True)


def _refuse_second(state: Path) -> None:
    if running := processes.remembered(state / "processes.json"):
        pids = ", ".join(str(each.pid) for each in running)
        raise Refused(f"A rehearsal of this checkout is at work already (process {pids}); wait for it, or end it.")


def _practised(rehearsed: Rehearsed, order: tuple[str, ...] | list[str], fault: str, *, nodes: bool) -> bool:
    """Promote each environment in order; True when one of them failed at first."""
    failed = False
    for environment in order:
        watched = rehearsed.promote(environment)
        _show(rehearsed, watched, nodes=nodes)
        if _succeeded(watched):
            continue
        failed = True
        if not fault:
            break
        _tell_met(rehearsed, fault)
        faults.put(rehearsed.folder, "")
        console.print("The fault is lifted; the same promotion again:", style="bold")
        watched = rehearsed.promote(environment)
        _show(rehearsed, watched, nodes=nodes)
        if not _succeeded(watched):
            break
    if fault and not failed:
        _tell_met(rehearsed, fault)
    return failed


def _tell_met(rehearsed: Rehearsed, fault: str) -> None:
    """How often the fault bit; refused when it never did, because then nothing was practised."""
    met = faults.met(rehearsed.folder)
    if not met:
        raise Refused(f"The fault {fault} was put in force and met nothing; nothing was practised.")
    told = ", ".join(f"{subject} {times} times" for subject, times in met.most_common(3))
    console.print(f"The fault {fault} was met {sum(met.values())} times: {told}.")


def _tell_written(writes: Sequence[written.Write], *, again: bool) -> None:
    """How many requests to change something reached the stand-ins; in a rehearsal that goes on there should be none."""
    by = ", ".join(f"{count} to the {to}" for to, count in sorted(Counter(each.to for each in writes).items()))
    colour = "yellow" if again and writes else "green"
    console.print(
        f"\nRequests to change something: {len(writes)}{f' ({by})' if by else ''}. {_NOT_COUNTED}", style=colour
    )


def _succeeded(watched: Watched) -> bool:
    return bool((watched.ended or {}).get("success"))


def _show(rehearsed: Rehearsed, watched: Watched, *, nodes: bool) -> None:
    if nodes:
        console.print(watched.table(rehearsed.addresses.parts))
    table = Table(box=box.SIMPLE_HEAD, title=f"promote/{watched.environment}", title_justify="left", pad_edge=False)
    skipped = sum(body.get("way") == Way.SKIPPED for body in watched.outcomes.values())
    for heading, justify in (("stage", "left"), ("nodes", "right"), ("seconds", "right"), ("outcomes", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for stage, (count, seconds) in watched.stages().items():
        table.add_row(stage, str(count), f"{seconds:.1f}", watched.tally(stage))
    console.print(table)
    if watched.moved_on:
        console.print(f"Note: {watched.moved_on}.", style="yellow")
    colour = "green" if _succeeded(watched) else "bold red"
    console.print(str((watched.ended or {}).get("sentence", "")), style=colour)
    if skipped:
        console.print(f"{skipped} of {len(watched.outcomes)} nodes were skipped: as they were left, and seen to be.")


def _close(rehearsed: Rehearsed, seconds: float) -> None:
    console.print("\nReal and stand-in in this rehearsal:")
    for name, what in rehearsed.addresses.parts.items():
        console.print(f"  {name}: {what}", style="dim")
    console.print(f"\n{seconds:.0f} s in all. Its cloud, ledger and logs are in {rehearsed.state}.")


if __name__ == "__main__":
    application()

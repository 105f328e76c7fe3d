"""The rehearsal as a process, and a look into what it keeps.

`python -m workspace.rehearsal --directory DIR --state DIR` runs it until it is ended; with `show` it tells what its
cloud holds, with `reset` it forgets that. Faults are in `DIR/faults.json`, figures in `DIR/settings.json`.
"""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from workspace.errors import WorkspaceError
from workspace.rehearsal import state

application = typer.Typer(add_completion=False, help=__doc__)
_WIDE = 200


@application.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    directory: Annotated[Path, typer.Option(help="Where the rehearsal keeps its state.")],
    runs: Annotated[Path | None, typer.Option("--state", help="Where runs keep ledger and work folders.")] = None,
    bare: Annotated[bool, typer.Option(help="Stand-ins only, even where an engine or a registry is here.")] = False,
) -> None:
    """Start everything, write `DIR/addresses.json` when all of it answers, stop at SIGTERM or SIGINT."""
    context.obj = directory
    if context.invoked_subcommand:
        return
    if runs is None:
        raise typer.BadParameter("a rehearsal that runs needs --state, the folder of ledger and work folders")
    ended = threading.Event()
    for order in (signal.SIGTERM, signal.SIGINT):
        signal.signal(order, lambda *_: ended.set())
    from workspace.rehearsal.server import Rehearsal  # everything, which showing and resetting need not wait for

    try:
        rehearsal = Rehearsal(directory, runs, bare=bare)
    except (state.InUse, ValueError, WorkspaceError) as error:
        _end(str(error))
    with rehearsal:
        write(directory / "addresses.json", json.dumps(rehearsal.addresses, indent=1))
        ended.wait()


@application.command()
def show(
    context: typer.Context,
    resources: Annotated[str, typer.Argument(help="Only ids that fit this glob, as '*vaults*'.")] = "*",
    full: Annotated[bool, typer.Option("--full", help="Each resource as JSON, without what is secret.")] = False,
) -> None:
    """List what the rehearsal's cloud holds, by group and type."""
    from rich.console import Console
    from rich.table import Table

    directory: Path = context.obj
    held = state.resources(directory, resources) if directory.is_dir() else []
    if full:
        typer.echo(json.dumps([each.resource for each in held], indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    table = Table("group", "type", "name", "location", "state", "made through", box=None, pad_edge=False)
    for each in held:
        table.add_row(each.group, each.type, each.name, each.location, each.state, each.maker)
    console.print(table)
    console.print(f"{len(held)} resources in {directory / 'cloud'}")
    for name, files, size in state.folders(directory) if directory.is_dir() else ():
        console.print(f"  {name}: {files} files, {size:,} bytes")


@application.command()
def reset(context: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Forget cloud, clusters, Terraform's states and all else, but not the settings, faults and by-hand.json."""
    directory: Path = context.obj
    if not directory.is_dir():
        _end(f"There is no rehearsal in {directory}.")
    if not yes:
        typer.confirm(f"Forget everything in {directory}?", abort=True)
    try:
        gone = state.empty(directory)
    except state.InUse as error:
        _end(f"{error} Stop it first.")
    typer.echo(f"Forgotten: {', '.join(gone) or 'nothing, it was empty'}.")


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def write(file: Path, text: str) -> None:
    """Write a private file in one step, so that nobody reads half of it."""
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(file)


if __name__ == "__main__":
    application(prog_name="python -m workspace.rehearsal")

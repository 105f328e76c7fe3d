"""`python -m workspace.rehearsal --directory DIR --state DIR`: the rehearsal as a process, until it is ended."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from workspace.errors import WorkspaceError
from workspace.rehearsal.server import Rehearsal


def main() -> None:
    """Start everything, write `DIR/addresses.json` when all of it answers, stop at SIGTERM or SIGINT."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--directory", type=Path, required=True, help="where the rehearsal keeps its state")
    wanted.add_argument("--state", type=Path, required=True, help="where runs keep ledger and work folders")
    wanted.add_argument("--bare", action="store_true", help="stand-ins only, even where an engine or registry is here")
    chosen = wanted.parse_args()
    ended = threading.Event()
    for order in (signal.SIGTERM, signal.SIGINT):
        signal.signal(order, lambda *_: ended.set())
    try:
        with Rehearsal(chosen.directory, chosen.state, bare=chosen.bare) as rehearsal:
            write(chosen.directory / "addresses.json", json.dumps(rehearsal.addresses, indent=1))
            ended.wait()
    except WorkspaceError as error:
        sys.exit(str(error))


def write(file: Path, text: str) -> None:
    """Write a private file in one step, so that nobody reads half of it."""
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(file)


if __name__ == "__main__":
    main()

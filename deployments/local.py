"""This checkout on this machine: where its state is, and its rehearsal as a process."""

import contextlib
import getpass
import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path
from workspace.errors import Refused

import deployments
from deployments import catalogue, processes
from deployments.processes import Process

if TYPE_CHECKING:
    from workspace.addresses import Addresses


def state() -> Path:
    """The private folder of this checkout's state: `MYSTIRA_STATE`, else one of the user's, a checkout each."""
    checkout = hashlib.sha256(str(deployments.SOURCES).encode()).hexdigest()[:8]
    chosen = os.environ.get("MYSTIRA_STATE")
    return Path(chosen) if chosen else user_state_path("mystira-workspace") / checkout


def person() -> str:
    """Who is at work here: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def target(file: Path) -> "Addresses":
    """The addresses in a file that a person named; refused, without showing what stands there, when it holds none."""
    # Imported here: most commands read no addresses, and start without the libraries that do.
    from workspace.addresses import Addresses

    try:
        return Addresses.model_validate_json(file.read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"{file} holds no addresses of an environment ({type(error).__name__}); mend it.") from None


def addresses(state: Path) -> Path:
    """The file in which the rehearsal of a state says where it answers, once all of it does."""
    return state / "rehearsal" / "addresses.json"


def rehearsal(state: Path, *options: str) -> Sequence[str]:
    """The command that runs the rehearsal of a state; its folder is made ready for it.

    What a person would put into new vaults is left there for the rehearsal to make up.
    """
    answers = addresses(state)
    answers.parent.mkdir(exist_ok=True, parents=True, mode=0o700)
    answers.unlink(missing_ok=True)
    places = map(deployments.find, deployments.environments())
    (answers.parent / "by-hand.json").write_text(json.dumps(catalogue.by_hand(places)))
    where = ["--directory", str(answers.parent), "--state", str(state / "runs")]
    return [sys.executable, "-m", "workspace.rehearsal", *where, *options]


@contextlib.contextmanager
def bare(state: Path, started: Callable[[Process], None] = lambda _: None) -> Iterator[Process]:
    """The rehearsal of a state as a process, without Docker and network; it answers until the end of the block.

    `started` is told of the process before it answers.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    process = processes.start("rehearsal", rehearsal(state, "--bare"), state / "logs", {})
    started(process)
    try:
        processes.wait(process, addresses(state).exists)
        yield process
    finally:
        process.end()

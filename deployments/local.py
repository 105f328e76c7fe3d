"""This checkout on this machine: where its state is, and its rehearsal as a process."""

import getpass
import hashlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_state_path

import deployments
from deployments import catalogue


def state() -> Path:
    """The private folder of this checkout's state: `MYSTIRA_STATE`, else one of the user's, a checkout each."""
    checkout = hashlib.sha256(str(deployments.SOURCES).encode()).hexdigest()[:8]
    chosen = os.environ.get("MYSTIRA_STATE")
    return Path(chosen) if chosen else user_state_path("mystira-workspace") / checkout


def person() -> str:
    """Who is at work here: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


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

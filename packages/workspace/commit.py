"""Which commit a checkout is at, and whether it is clean: where a release comes from."""

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SECONDS = 20


@dataclass(frozen=True)
class Commit:
    """A commit by its id (40 hexadecimal digits), its author and its time; all empty outside of git.

    `clean` is false when files that git follows were changed, or new ones are there that it does not ignore.
    """

    id: str = ""
    author: str = ""
    at: str = ""
    clean: bool = False

    def __str__(self) -> str:
        return f"{self.id[:12] or 'no commit'}{'' if self.clean or not self.id else ', with changes of its own'}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the ledger."""
        return asdict(self)


def of(root: Path) -> Commit:
    """The commit of the checkout that this folder belongs to; an empty one where git or a checkout is not at hand."""
    head = _git(root, "log", "-1", "--format=%H%n%an%n%cI")
    if head is None or head.count("\n") != 2:
        return Commit()
    name, author, at = head.split("\n")
    return Commit(name, author, at, clean=_git(root, "status", "--porcelain") == "")


def name(root: Path) -> str:
    """The id of that commit alone; empty where there is none to be had."""
    return _git(root, "rev-parse", "HEAD") or ""


def moved(began: str, now: str) -> str:
    """The clause that tells of a checkout that is at another commit than when a run began; both are ids."""
    return f"the checkout went from commit {began[:12]} to {now[:12] or 'none'} since this run began"


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

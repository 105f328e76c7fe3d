"""One promoted workspace for all practices: made once, whichever worker comes first, and copied by each file."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from practice import Practice, promoted


class Stage:
    """The workspace a file of practices works on: the same one from row to row, until one of them fails."""

    def __init__(self, source: Path, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._copies = 0
        self._practice: Practice | None = None

    def practice(self) -> Practice:
        """A workspace in which everything is what it should be."""
        if self._practice is None:
            self._copies += 1
            self._practice = Practice(self._source, self._folder / f"copy-{self._copies}")
        return self._practice

    def close(self) -> None:
        """Leave the workspace as it is; the next practice gets another one."""
        if self._practice is not None:
            self._practice.close()
            self._practice = None


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with world and dev promoted, at rest."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "promoted"
    with (shared / "promoted.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "promoted.done").exists():
            promoted(folder)
            (shared / "promoted.done").touch()
    return folder


@pytest.fixture(scope="module")
def stage(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The workspace of one file."""
    made = Stage(workspace, tmp_path_factory.mktemp("stage"))
    yield made
    made.close()

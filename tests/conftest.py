"""What tests of every room share."""

import gc
import os
from pathlib import Path

import pytest
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

pytest_plugins = ["evidence", "exchanges", "stores"]

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def samples() -> Path:
    """The recorded samples nobody on the team wrote; the test is skipped where they are not at hand."""
    folder = os.environ.get("WIRE_SAMPLES", "")
    if not folder:
        pytest.skip("WIRE_SAMPLES names no folder of recorded samples")
    return Path(folder)


# Libraries and thousands of tests stay alive to the end; to look through them as often as Python would finds nothing.
gc.set_threshold(20_000, 20, 20)

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 512 * 1024 * 1024
_TEMPORARY = "PYTEST_DEBUG_TEMPROOT"


def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of quick tests in memory, where there is room: they force thousands of small files to disk.

    A person's own choice of a folder goes first, and one where no program may be started is not taken.
    """
    is_quick = config.getoption("markexpr") == "quick"
    if not is_quick or config.getoption("basetemp") or _TEMPORARY in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    memory = os.statvfs(_MEMORY)
    if memory.f_bavail * memory.f_frsize >= _ENOUGH_BYTES and not memory.f_flag & os.ST_NOEXEC:
        os.environ[_TEMPORARY] = str(_MEMORY)


_LIBRARY = {"workspace", "kinds", "clients", "rehearsal"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers and programs, by its folder, the library's quick tests, and the stand-ins' proofs."""
    for item in items:
        room = item.path.relative_to(_HERE).parts[0]
        if room == "contract":
            item.add_marker("contract")
        elif room in _LIBRARY and not any(map(item.get_closest_marker, ("slow", "conformance"))):
            item.add_marker("quick")
        asks_samples = "samples" in getattr(item, "fixturenames", ())
        if room == "rehearsal" and asks_samples and not item.get_closest_marker("evidence"):
            item.add_marker(pytest.mark.evidence("stand-ins"))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """An empty rehearsal cloud."""
    return Cloud(tmp_path / "cloud")


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """No faults, until a test writes faults.json into tmp_path."""
    return Faults(tmp_path)

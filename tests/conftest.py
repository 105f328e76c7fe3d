"""What tests of every room share."""

import os
from pathlib import Path

import pytest
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults


@pytest.fixture(scope="session")
def samples() -> Path:
    """The recorded samples nobody on the team wrote; the test is skipped where they are not at hand."""
    folder = os.environ.get("WIRE_SAMPLES", "")
    if not folder:
        pytest.skip("WIRE_SAMPLES names no folder of recorded samples")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands in tests/contract starts servers and programs: it is marked so, to be left out of a quick run."""
    for item in items:
        if "contract" in item.path.parts:
            item.add_marker("contract")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """An empty rehearsal cloud."""
    return Cloud(tmp_path / "cloud")


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """No faults, until a test writes faults.json into tmp_path."""
    return Faults(tmp_path)

"""Whatever a stand-in for Resource Manager serves in a contract test must be what Azure could have served."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from azures_operations import Judged, Operations, Overheard
from evidence import Evidence
from workspace.rehearsal import arm

_ANSWERING = (arm.__name__, "workspace.rehearsal.server", "azure_here")
"""The modules out of which a test takes a stand-in for Resource Manager."""


def asks(module: ModuleType) -> bool:
    """Whether the tests of a module can ask a stand-in for Resource Manager."""
    return any(
        getattr(each, "__module__", getattr(each, "__name__", "")) in _ANSWERING for each in vars(module).values()
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What these tests were served makes the suite arm-contract."""
    for item in items:
        if item.path.parent == Path(__file__).parent and isinstance(item, pytest.Function) and asks(item.module):
            item.add_marker(pytest.mark.evidence("arm-contract"))


@pytest.fixture(scope="session")
def overheard() -> Iterator[Overheard]:
    """An ear at every stand-in of the session."""
    listening, log = Overheard(), logging.getLogger(arm.__name__)
    log.addHandler(listening)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield listening
    log.removeHandler(listening)
    log.setLevel(logging.NOTSET)
    log.propagate = True


@pytest.fixture(scope="session")
def operations() -> Operations | None:
    """Azure's list; None where the samples are not at hand."""
    folder = os.environ.get("WIRE_SAMPLES", "")
    return Operations(Path(folder)) if folder else None


@pytest.fixture(autouse=True)
def every_exchange_is_azures(
    request: pytest.FixtureRequest, overheard: Overheard, operations: Operations | None, evidence: Evidence
) -> Iterator[None]:
    """Judge what was served while a test ran; the test that made the stand-in say it is the one that fails."""
    yield
    served, judged = overheard.taken(), Judged()
    if operations is None:
        return
    assert not served or asks(request.module), "this asks Resource Manager and is not counted: see asks()"
    for exchange in served:
        judged.judge(exchange, operations)
    evidence.used(operations.file)
    evidence.passed(count=judged.good)
    evidence.failed(judged.complaints)
    evidence.covers(f"of Azure's {operations.total:,} operations", judged.operations)
    evidence.figure("exchanges besides the list, named below", judged.besides, judged.besides)
    for name in sorted(judged.named):
        evidence.detail(f"besides the list: {name}")
    assert judged.complaints == []

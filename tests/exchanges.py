"""Whatever a stand-in for Resource Manager serves in a contract test must be what Azure could have served.

It applies to every test in tests/contract: all stand-ins of the process are heard, also those a test was not told of.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from evidence import Evidence

if TYPE_CHECKING:
    from azures_operations import Operations, Overheard
    from workspace.rehearsal.arm import Exchange

_HERE = Path(__file__).parent / "contract"
_STAND_IN = "workspace.rehearsal.arm"
_ANSWERING = (_STAND_IN, "workspace.rehearsal.server", "azure_here")
"""The modules out of which a test takes a stand-in for Resource Manager."""


def asks(module: ModuleType) -> bool:
    """Whether the tests of a module can ask a stand-in for Resource Manager."""
    return any(
        getattr(each, "__module__", getattr(each, "__name__", "")) in _ANSWERING for each in vars(module).values()
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What these tests were served makes the suite arm-contract."""
    for item in items:
        if item.path.parent == _HERE and isinstance(item, pytest.Function) and asks(item.module):
            item.add_marker(pytest.mark.evidence("arm-contract"))


@pytest.fixture(scope="session")
def overheard() -> Iterator["Overheard"]:
    """An ear at every stand-in of the session."""
    from azures_operations import Overheard

    listening, log = Overheard(), logging.getLogger(_STAND_IN)
    log.addHandler(listening)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield listening
    log.removeHandler(listening)
    log.setLevel(logging.NOTSET)
    log.propagate = True


@pytest.fixture(scope="session")
def operations() -> "Operations | None":
    """Azure's list; None where the samples are not at hand."""
    from azures_operations import Operations

    folder = os.environ.get("WIRE_SAMPLES", "")
    return Operations(Path(folder)) if folder else None


@pytest.fixture(autouse=True)
def every_exchange_is_azures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Judge what was served while a contract test ran; the test that made the stand-in say it is the one that fails."""
    if request.path.parent != _HERE:
        yield
        return
    overheard: Overheard = request.getfixturevalue("overheard")
    known: Operations | None = request.getfixturevalue("operations")
    evidence: Evidence = request.getfixturevalue("evidence")
    if not asks(request.module):
        # what tests before it, elsewhere in this process, left behind is not this one's
        overheard.taken()
    yield
    served = overheard.taken()
    if known is not None:
        assert not served or asks(request.module), "this asks Resource Manager and is not counted: see asks()"
        judge(served, known, evidence)


def judge(served: list["Exchange"], known: "Operations", evidence: Evidence) -> None:
    """Count them; what Azure could not have served is a complaint."""
    from azures_operations import Judged

    judged = Judged()
    for exchange in served:
        judged.judge(exchange, known)
    evidence.used(known.file)
    evidence.passed(count=judged.good)
    evidence.failed(judged.complaints)
    evidence.covers(f"of Azure's {known.total:,} operations", judged.operations)
    evidence.figure("exchanges besides the list, named below", judged.besides, judged.besides)
    for name in sorted(judged.named):
        evidence.detail(f"besides the list: {name}")
    assert judged.complaints == []

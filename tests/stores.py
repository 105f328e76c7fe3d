"""The stores of a test: a folder, a container in memory, and one in Azurite where that is asked for.

What they are made of is loaded by the test that opens one: pytest itself, which loads this for every run, needs none.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blobs import Azurite
    from workspace.clients.blobs import Container
    from workspace.store import Store


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Azurite]":
    """Azurite, for as long as the session lasts."""
    from blobs import Azurite

    started = Azurite(tmp_path_factory.mktemp("azurite"))
    yield started
    started.close()


BLOBS = ["memory", pytest.param("azurite", marks=pytest.mark.conformance)]


def openings(request: pytest.FixtureRequest, where: str) -> "Callable[..., Container]":
    """Opens one and the same new container again, each time with trouble of its own when it is given."""
    if where == "memory":
        from blobs import Memory, in_memory

        memory = Memory()
        return lambda trouble=None: in_memory(memory, trouble)
    azurite: Azurite = request.getfixturevalue("azurite")
    url = azurite.made()
    return lambda trouble=None: azurite.container(url, trouble)


@pytest.fixture(params=BLOBS)
def opened(request: pytest.FixtureRequest) -> "Callable[..., Container]":
    """Opens the test's container, in memory and in Azurite."""
    return openings(request, request.param)


@pytest.fixture(params=["folder", *BLOBS])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> "Callable[[], Store]":
    """Opens one and the same store once more: a folder, a container in memory, and one in Azurite."""
    from workspace.clients.blobs import BlobStore
    from workspace.store import Folder

    if request.param == "folder":
        return lambda: Folder(tmp_path / "store")
    opened = openings(request, request.param)
    return lambda: BlobStore(opened())

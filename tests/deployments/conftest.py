"""One Prefect server for what is registered with one."""

from collections.abc import Iterator

import prefect_server
import pytest
from prefect_server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The shared server; flows that run in this process speak to it."""
    with prefect_server.spoken_to(prefect_server.standing()) as standing:
        yield standing

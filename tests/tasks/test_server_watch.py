"""Whether anybody listens at the Prefect server's address, and when nobody does any more."""

import asyncio
import socket

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.01)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/api"


async def within(seconds: float, patience: float) -> str:
    """The address that is gone, or nothing when the time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await server.gone(patience)
    except TimeoutError:
        return ""


def test_a_server_that_listens_is_not_gone() -> None:
    with listening() as listener, temporary_settings({PREFECT_API_URL: url(listener)}):
        assert asyncio.run(within(0.3, patience=0.05)) == ""


def test_one_that_stops_listening_is_gone_once_patience_ends() -> None:
    async def stop(listener: socket.socket) -> str:
        looking = asyncio.create_task(within(20, patience=0.05))
        await asyncio.sleep(0.05)
        listener.close()
        return await looking

    listener = listening()
    address = url(listener)
    with temporary_settings({PREFECT_API_URL: address}):
        assert asyncio.run(stop(listener)) == address


def test_one_that_comes_back_in_time_is_not_gone() -> None:
    async def come_back(listener: socket.socket) -> str:
        looking = asyncio.create_task(within(1.5, patience=1.0))
        await asyncio.sleep(0.05)
        port = listener.getsockname()[1]
        listener.close()
        await asyncio.sleep(0.2)
        with socket.create_server(("127.0.0.1", port)):
            return await looking

    listener = listening()
    with temporary_settings({PREFECT_API_URL: url(listener)}):
        assert asyncio.run(come_back(listener)) == ""


def test_one_that_could_never_be_reached_directly_is_not_called_gone() -> None:
    with listening() as listener:
        address = url(listener)
    with temporary_settings({PREFECT_API_URL: address}):
        assert asyncio.run(within(0.3, patience=0.05)) == ""


def test_without_a_server_s_address_nothing_is_gone() -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert asyncio.run(within(0.1, patience=0.01)) == ""

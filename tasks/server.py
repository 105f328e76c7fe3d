"""How long a run goes on when nobody listens at the Prefect server's address any more, and how it ends then."""

import asyncio
import os
import sys
import time
from urllib.parse import SplitResult, urlsplit

from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL

from tasks.step import Step

_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


async def gone(patience: float) -> str:
    """The server's address, once nobody listened there for that many seconds.

    Never returns where that cannot be seen: without a server's address, or where only a proxy reaches it.
    """
    url = PREFECT_API_URL.value() or ""
    address = urlsplit(url)
    if not address.hostname or not await _listens(address):
        await asyncio.Event().wait()
    heard = time.monotonic()
    while time.monotonic() - heard < patience:
        await asyncio.sleep(_LOOK_SECONDS)
        if await _listens(address):
            heard = time.monotonic()
    return url


async def leave_when_gone(step: Step, body: "asyncio.Task[object] | None") -> None:
    """End the run in order when its server is gone: start nothing more, let what is at work finish, say so, leave.

    Prefect itself would ask the absent server for minutes, holding the environment, and then end in traces.
    """
    url = await gone(step.server_patience)
    execution = step.execution
    execution.halt.set()
    await step.threads.finish()
    sentence = (
        f"promote/{execution.place}: the Prefect server at {url} is gone, so nothing more was started; "
        f"{len(execution.results)} of {len(execution.plan.nodes)} nodes are done and recorded. "
        f"Start the server and run promote/{execution.place} again; what is done is not done again."
    )
    execution.end(sentence, success=False)
    get_run_logger().error("%s", sentence)
    _end_a_process_of_its_own()
    if body is not None:
        body.cancel(sentence)


def _end_a_process_of_its_own() -> None:
    """End the process where it was started for this run alone; its ledger is on disk, its locks are the kernel's."""
    if "PREFECT__FLOW_RUN_ID" in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


async def _listens(address: SplitResult) -> bool:
    port = address.port or _PORTS.get(address.scheme, 80)
    try:
        # Not wait_for: in Python 3.11 it can swallow a cancellation that comes just as the connection stands.
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address.hostname, port)
    except TimeoutError:
        return True  # slow or behind something that drops packets: not for us to call it gone
    except OSError:
        return False
    writer.close()
    return True

"""The embedded Prefect server: Prefect's own, on SQLite, with write transactions that wait for one another.

Prefect opens SQLite transactions deferred; two writers then collide, the server answers 503 and the client waits 2, 4,
8 … seconds (docs/decisions/0003). Opening them as writers from the start makes them queue instead. On PostgreSQL
nothing is changed.
"""

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn
from prefect.server.api.server import create_app
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL


class QueueingSqlite(AioSqliteConfiguration):
    """SQLite whose transactions take the write lock when they begin and wait their turn for it."""

    @contextlib.asynccontextmanager
    async def begin_transaction(self, session: Any, with_for_update: bool = False) -> AsyncGenerator[Any, None]:
        """A transaction opened as a writer, whatever the caller asked for."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def serve(port: int) -> None:
    """Serve the API and the UI on loopback until the process is ended."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if url is not None and str(getattr(url, "get_secret_value", lambda: url)()).startswith("sqlite"):
        set_database_config(QueueingSqlite(connection_url=url))
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""The front of the chain container: one port for probes and for gRPC, one child process behind it.

`serve.py COMMAND…` starts the service, answers `/health` (the service runs) and `/ready` (it accepts connections) in
HTTP/1.1 and hands HTTP/2, which is what gRPC speaks, through to it byte by byte. It ends when the service ends, with
the service's exit code, and passes signals on. `serve.py --check` asks `/health`: the container's health check.
"""

import asyncio
import contextlib
import os
import signal
import sys
import urllib.request

PORT = int(os.environ.get("PORT", "8545"))
GRPC_PORT = int(os.environ.get("GRPC_PORT", "50051"))
HTTP_2 = b"PRI "
CHUNK = 65536
PATIENCE = 10


async def accepts_connections() -> bool:
    """True when something listens where the service should."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", GRPC_PORT), timeout=2)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand everything on until one side has no more to say."""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


async def hand_through(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect the caller with the service."""
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", GRPC_PORT)
    inner_writer.write(first)
    try:
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))
    finally:
        inner_writer.close()


async def answer_probe(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One HTTP/1.1 answer; the connection is closed after it."""
    request = first + await asyncio.wait_for(reader.readline(), timeout=PATIENCE)
    path = request.split()[1].decode("ascii", "replace").partition("?")[0] if len(request.split()) > 1 else ""
    status = "404 Not Found"
    if path == "/health":
        status = "200 OK"
    elif path == "/ready":
        status = "200 OK" if await accepts_connections() else "503 Service Unavailable"
    body = status.encode() + b"\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection's first four bytes say which of the two it is."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        first = await asyncio.wait_for(reader.readexactly(len(HTTP_2)), timeout=PATIENCE)
        await (hand_through if first == HTTP_2 else answer_probe)(first, reader, writer)
    writer.close()


async def serve(command: list[str]) -> int:
    """Run the service behind the port until it ends."""
    child = await asyncio.create_subprocess_exec(*command)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, send, child, number)
    front = await asyncio.start_server(answer, "0.0.0.0", PORT)  # noqa: S104 - a container is reached from outside
    code = await child.wait()
    front.close()
    return code if code >= 0 else 128 - code


def send(child: asyncio.subprocess.Process, number: int) -> None:
    """Pass a signal on to a service that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)


def check() -> int:
    """0 when /health answers."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5).close()
    except OSError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else asyncio.run(serve(sys.argv[1:])))

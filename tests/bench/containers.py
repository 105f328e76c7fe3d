"""A promotion with its ledger in a folder, and in a blob container: dev of a bare rehearsal each.

`make bench-blobs`. The container is Azurite's on loopback, once as it is and once with so many milliseconds added to
each request on its way. All figures of a table come from one run on one machine, one after the other, so that their
ratios can be quoted. Installs Azurite once.
"""

import argparse
import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kill")]


def main() -> None:
    """Print one row for each place of the ledger."""
    import victim
    from blobs import Azurite
    from cases import standing
    from rich.console import Console
    from rich.table import Table
    from workspace.rehearsal import serving

    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--milliseconds", type=float, default=20.0, help="added to each request in the last row")
    wanted.add_argument("--times", type=int, default=1, help="so many promotions a row; the quickest counts")
    chosen = wanted.parse_args()
    rows = {"folder": None, "container": 0.0, f"container, {chosen.milliseconds:g} ms away": chosen.milliseconds / 1000}
    found: dict[str, float] = {}
    for _ in range(chosen.times):
        for name, away in rows.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder, standing(Path(folder) / "rehearsed") as place:
                addresses = place.addresses
                with contextlib.ExitStack() as stack:
                    if away is not None and addresses.certificate:
                        tls = serving.Certificate(addresses.certificate, addresses.certificate.with_name("key.pem"))
                        azurite = Azurite(Path(folder) / "azurite", tls)
                        stack.callback(azurite.close)
                        port = stack.enter_context(farther(azurite.port, away)) if away else azurite.port
                        ledger = azurite.made().replace(f":{azurite.port}/", f":{port}/")
                        addresses = addresses.model_copy(update={"ledger": ledger})
                    victim.promote(addresses, "world", "world")
                    began = time.monotonic()
                    victim.promote(addresses, "dev", "dev")
                    found[name] = min(found.get(name, float("inf")), time.monotonic() - began)
    table = Table("ledger", "dev promoted in s", "over the folder")
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / found['folder']:.2f}")
    Console(width=120).print(table)


@contextlib.contextmanager
def farther(port: int, seconds: float) -> Iterator[int]:
    """A port of this machine that leads to another one, with a pause before whatever is sent there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, port, seconds), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket, port: int, seconds: float) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_carry, args=(near, far, seconds), daemon=True).start()
            threading.Thread(target=_carry, args=(far, near, 0.0), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 20):
            time.sleep(seconds)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()

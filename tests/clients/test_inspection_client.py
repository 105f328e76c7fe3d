"""Which actions a set of permissions allows, and that a target on this machine is asked without its proxy."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from workspace.clients.inspection import Inspection, Permission, Subscription, allows

CONTRIBUTOR = Permission(("*",), ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"))
ADMINISTRATOR = Permission(("*/read", "Microsoft.Authorization/*"))


@pytest.mark.parametrize(
    ("patterns", "action", "allowed"),
    [
        (("*",), "Microsoft.Web/sites/write", True),
        (("*/read",), "Microsoft.Web/sites/read", True),
        (("*/read",), "Microsoft.Web/sites/write", False),
        (("Microsoft.Web/sites/*",), "microsoft.web/SITES/slots/slotsswap/action", True),
        (("Microsoft.Web/sites/*",), "Microsoft.Web/serverfarms/write", False),
        (("Microsoft.Web/sites/write",), "Microsoft.Web/sites/write", True),
        (("Microsoft.Web/sites/write",), "Microsoft.Web/sites/writer", False),
        (("Microsoft.*/sites/*/action",), "Microsoft.Web/sites/restart/action", True),
        (("Microsoft.*/sites/*/action",), "Microsoft.Web/sites/action", False),
        ((), "Microsoft.Web/sites/read", False),
    ],
)
def test_an_action_fits_a_pattern(patterns: tuple[str, ...], action: str, allowed: bool) -> None:
    assert allows([Permission(patterns)], action) is allowed


def test_what_one_role_takes_away_another_gives() -> None:
    action = "Microsoft.Authorization/roleAssignments/write"
    assert not allows([CONTRIBUTOR], action)
    assert allows([CONTRIBUTOR, ADMINISTRATOR], action)


def test_actions_and_data_actions_are_apart() -> None:
    assert not allows([Permission(("*",))], "Microsoft.KeyVault/vaults/secrets/getSecret/action", data=True)


class _Azure(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"tenantId": "t", "state": "Enabled"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def azure() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Azure)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_machine_s_proxy_is_not_asked_for_what_is_on_this_machine(
    azure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.closing(Inspection(credential=None, subscription="s", base_url=azure)) as inspection:
        assert inspection.subscription() == Subscription("s", "t", "Enabled")

"""Which actions a set of permissions allows."""

import pytest
from workspace.clients.inspection import Permission, allows

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

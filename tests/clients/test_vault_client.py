"""The vault client on recorded and hand-made answers of Key Vault."""

from pathlib import Path

import pytest
from web_replay import Anybody, Replay, exchange, recorded_error
from workspace.clients.vault import Vault
from workspace.errors import Broken, Unsettled

VAULT = "mystira-chain-dev-kv"
CHALLENGE = 'Bearer authorization="https://login.windows.net/tenant", resource="https://vault.azure.net"'
DOOR = exchange("GET", "/secrets/key", 401, {"error": {"code": "Unauthorized"}}, WWW_Authenticate=CHALLENGE)


def client(*exchanges: dict[str, object]) -> Vault:
    return Vault(credential=Anybody(), transport=Replay([DOOR, *exchanges]).transport)


def test_a_secret_is_read_behind_the_challenge() -> None:
    bundle = {"id": f"https://{VAULT}.vault.azure.net/secrets/key/1", "value": "whisper", "attributes": {}}

    assert client(exchange("GET", "/secrets/key", 200, bundle)).get(VAULT, "key") == "whisper"


def test_a_secret_that_is_not_there_is_none() -> None:
    body = {"error": {"code": "SecretNotFound", "message": "A secret with (name/id) key was not found"}}

    assert client(exchange("GET", "/secrets/key", 404, body)).get(VAULT, "key") is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, {"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}, Broken, "Secrets User"),
        (403, {"error": {"code": "Forbidden", "innererror": {"code": "SecretDisabled"}}}, Broken, "disabled"),
        (404, {"error": {"code": "VaultNotFound"}}, Broken, "no vault"),
        (429, {"error": {"code": "Throttled"}}, Unsettled, VAULT),
        (503, None, Unsettled, VAULT),
    ],
)
def test_what_a_vault_says_against_us_is_told_in_our_words(
    status: int, body: object, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        client(exchange("GET", "/secrets/key", status, body)).get(VAULT, "key")


def test_a_recorded_wrong_audience_is_broken(samples: Path) -> None:
    error = recorded_error(samples, "2d3b48f731")

    with pytest.raises(Broken, match=VAULT):
        client({"request": {"method": "GET", "path": "/secrets/key"}, "response": error["response"]}).get(VAULT, "key")


def test_a_value_stands_in_no_error_and_in_no_representation() -> None:
    body = {"error": {"code": "Forbidden", "message": "cannot set whisper", "innererror": {"code": "ForbiddenByRbac"}}}
    missing = exchange("GET", "/secrets/key", 404, {"error": {"code": "SecretNotFound"}})
    vault = client(missing, exchange("PUT", "/secrets/key", 403, body))

    with pytest.raises(Broken) as refused:
        vault.set(VAULT, "key", "whisper")
    assert "whisper" not in str(refused.value) + repr(vault)

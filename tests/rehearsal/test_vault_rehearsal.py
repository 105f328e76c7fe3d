"""The vault stand-in answers as Key Vault was recorded to answer."""

import json
from pathlib import Path

import pytest
from web_asked import Asked
from workspace.rehearsal import behaviour, vault
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def azure(cloud: Cloud, faults: Faults) -> Asked:
    cloud.put(behaviour.complete({"id": VAULT, "properties": {"tenantId": "the-tenant"}}))
    return Asked(vault.routes(cloud, faults))


def test_a_request_without_a_token_meets_the_recorded_challenge(samples: Path, azure: Asked) -> None:
    lines = (samples / "azure/dev/errors.jsonl").read_text().splitlines()
    expected = next(each for each in map(json.loads, lines) if each["id"] == "03d6a5d736")["response"]

    answer = azure.get("/vault/kv/secrets")

    assert (answer.status_code, answer.json()) == (expected["status"], expected["body"])
    assert answer.headers["www-authenticate"].endswith('the-tenant", resource="https://vault.azure.net"')


def test_a_secret_is_kept_in_a_private_file(azure: Asked, tmp_path: Path) -> None:
    azure.put("/vault/kv/secrets/key", json={"value": "whisper"}, headers=TOKEN)

    (file,) = (each for each in (tmp_path / "cloud").rglob("key.json"))
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_list_shows_names_and_no_values(azure: Asked) -> None:
    azure.put("/vault/kv/secrets/key", json={"value": "whisper"}, headers=TOKEN)

    answer = azure.get("/vault/kv/secrets", headers=TOKEN)
    assert answer.json()["value"][0]["id"].endswith("/secrets/key")
    assert "whisper" not in answer.text


@pytest.mark.parametrize(
    ("path", "code"), [("/vault/kv/secrets/none", "SecretNotFound"), ("/vault/none/secrets/key", "VaultNotFound")]
)
def test_what_is_not_there_is_a_404_with_its_code(azure: Asked, path: str, code: str) -> None:
    answer = azure.get(path, headers=TOKEN)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_a_secret_without_a_value_is_refused(azure: Asked) -> None:
    assert azure.put("/vault/kv/secrets/key", json={}, headers=TOKEN).status_code == 400


def test_a_deleted_secret_can_be_recovered_with_its_value(azure: Asked) -> None:
    azure.put("/vault/kv/secrets/key", json={"value": "whisper"}, headers=TOKEN)
    azure.delete("/vault/kv/secrets/key", headers=TOKEN)
    assert azure.put("/vault/kv/secrets/key", json={"value": "new"}, headers=TOKEN).status_code == 409

    azure.post("/vault/kv/deletedsecrets/key/recover", headers=TOKEN)
    assert azure.get("/vault/kv/secrets/key", headers=TOKEN).json()["value"] == "whisper"

"""Who we are: a private file, or what the machine offers."""

import json
from pathlib import Path

import pytest
from workspace.clients.credentials import OfTenant, credential, identity
from workspace.errors import Refused


def a_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "identity.json"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_private_file_gives_the_service_principal(tmp_path: Path) -> None:
    file = a_file(tmp_path, json.dumps({"client_id": "a", "client_secret": "b"}))
    assert identity(file) == ("a", "b")
    made = credential(
        authority="https://127.0.0.1:1", tenant="11111111-2222-4333-8444-555555555555", identity_file=file
    )
    from azure.identity import ClientSecretCredential

    assert isinstance(made, ClientSecretCredential)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refused, match="chmod 600"):
        identity(a_file(tmp_path, "{}", mode))


@pytest.mark.parametrize("text", ["", "hush", '{"client_id": "a"}', "[]"])
def test_a_file_without_both_parts_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as caught:
        identity(a_file(tmp_path, text))
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        identity(tmp_path / "nothing")


def test_a_file_needs_a_tenant(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="needs a tenant"):
        credential(identity_file=a_file(tmp_path, '{"client_id": "a", "client_secret": "b"}'))


def test_without_a_file_the_machine_is_asked() -> None:
    from azure.identity import DefaultAzureCredential

    assert isinstance(credential(), DefaultAzureCredential)


class Login:
    """What a machine's own login is asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def get_token(self, *scopes: str, **more: object) -> str:
        self.asked.append((scopes, more))
        return "token"

    def get_token_info(self, *scopes: str, options: object = None) -> str:
        self.asked.append((scopes, options))
        return "info"


def test_the_machines_own_login_is_asked_for_the_tenant_that_is_declared() -> None:
    """Whichever subscription `az account set` has chosen, in whichever tenant."""
    login = Login()
    ours = OfTenant(login, "ours")
    assert (ours.get_token("scope"), ours.get_token_info("scope", options={"enable_cae": True})) == ("token", "info")
    assert ours.get_token("scope", tenant_id="named") == "token"
    assert login.asked == [
        (("scope",), {"tenant_id": "ours"}),
        (("scope",), {"enable_cae": True, "tenant_id": "ours"}),
        (("scope",), {"tenant_id": "named"}),
    ]


def test_with_a_tenant_no_other_one_is_asked_for() -> None:
    assert isinstance(credential(tenant="11111111-2222-4333-8444-555555555555"), OfTenant)

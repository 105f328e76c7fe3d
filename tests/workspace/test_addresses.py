"""A target is whole, or refused: a stand-in of a rehearsal never works for Azure itself."""

from typing import Any

import pytest
from pydantic import ValidationError
from workspace import blob_address
from workspace.addresses import Addresses
from workspace.clients.terraform.engine import environment

REATTACHED = {"TF_REATTACH_PROVIDERS": '{"hashicorp/azurerm": {}}'}
BASE: dict[str, Any] = {"subscription": "s", "state": "/var/lib/mystira"}


@pytest.mark.parametrize("variables", [REATTACHED, {"TF_CLI_CONFIG_FILE": "/tmp/dev_overrides.tfrc"}])
@pytest.mark.parametrize("where", ["https://management.azure.com", "https://10.0.0.1:443", "https://localhost.example"])
def test_a_plugin_in_azurerms_place_is_refused_with_a_resource_manager_elsewhere(
    variables: dict[str, str], where: str
) -> None:
    with pytest.raises(ValidationError, match="which only a rehearsal may"):
        Addresses(**BASE, resource_manager=where, terraform_environment=variables)


@pytest.mark.parametrize("where", ["https://127.0.0.1:4433", "https://localhost:4433", "https://[::1]:4433"])
def test_a_rehearsal_may(where: str) -> None:
    assert Addresses(**BASE, resource_manager=where, terraform_environment=REATTACHED).resource_manager == where


def test_what_a_shell_was_left_with_does_not_reach_terraform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_REATTACH_PROVIDERS", REATTACHED["TF_REATTACH_PROVIDERS"])
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/tmp/dev_overrides.tfrc")
    assert not environment({}).keys() & {"TF_REATTACH_PROVIDERS", "TF_CLI_CONFIG_FILE"}


CONTAINER = "https://mystira.blob.core.windows.net/ledger"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (CONTAINER, ("https://mystira.blob.core.windows.net", "ledger", "")),
        (f"{CONTAINER}/team/one", ("https://mystira.blob.core.windows.net", "ledger", "team/one/")),
        ("https://127.0.0.1:10000/devstoreaccount1/ledger", ("https://127.0.0.1:10000/devstoreaccount1", "ledger", "")),
    ],
)
def test_a_ledger_is_in_a_container_or_a_folder_of_it(url: str, found: tuple[str, str, str]) -> None:
    assert Addresses(**BASE, ledger=url, packages=url).ledger == url
    assert blob_address.parse(url) == blob_address.BlobAddress(*found)
    assert blob_address.parse(url).account_name == ("devstoreaccount1" if "127.0.0.1" in url else "mystira")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://mystira.blob.core.windows.net/ledger", "is no https address"),
        ("https://example.com/ledger", "names no storage account"),
        ("https://mystira.blob.core.windows.net", "names no container"),
        ("https://mystira.blob.core.windows.net/Ledger", "names no container"),
        (f"{CONTAINER}/../other", "has '..' in its path"),
        (f"{CONTAINER}?sig=geheim", "signatures and keys are not used here"),
        ("https://me:geheim@mystira.blob.core.windows.net/ledger", "signatures and keys are not used here"),
        ("a-folder", "is no https address"),
    ],
)
def test_what_is_no_container_of_ours_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        blob_address.parse(url)
    assert "geheim" not in str(refused.value)
    with pytest.raises(ValidationError, match="ledger") as invalid:
        Addresses(**BASE, ledger=url)
    assert "geheim" not in str(invalid.value)


def test_a_packages_folder_stays_a_folder() -> None:
    assert Addresses(**BASE, packages="/srv/packages").packages == "/srv/packages"

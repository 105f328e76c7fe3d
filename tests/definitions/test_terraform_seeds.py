"""Mistakes put into our Terraform on purpose: each is found by its rule, at its place, and nothing else is."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from workspace.preflight import terraform
from workspace.preflight.checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
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


@dataclass(frozen=True)
class Seed:
    """One mistake: what it is, where old text becomes new, and the finding it must make.

    `at` is text of the line found; `place` another file it is found in. A NEW file has no old text, a GONE one no
    new text; otherwise, without new text the old is taken away.
    """

    what: str
    file: str
    old: str
    new: str
    rule: str
    words: tuple[str, ...]
    at: str = ""
    place: str = ""


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
        'data "azurerm_kubernetes_cluster" "this" {\n name = "a"\n  resource_group_name = var.resource_group_name\n}\n',
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


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the rules read."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / TERRAFORM, folder / TERRAFORM, ignore=shutil.ignore_patterns(".terraform*", "tests"))
    shutil.copy(ROOT / WIRING, folder / WIRING)
    return folder


@contextmanager
def _sown(workspace: Path, seed: Seed) -> Iterator[None]:
    """The copy with the mistake in it; as it was before, afterwards."""
    file = workspace / seed.file
    before = file.read_text() if seed.old != NEW else None
    if before is None:
        assert not file.exists()
        file.write_text(seed.new)
    elif seed.new == GONE:
        file.unlink()
    else:
        assert seed.old in before
        file.write_text(before.replace(seed.old, seed.new, 1))
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.what)
def test_a_seeded_mistake_is_found_at_its_place_and_nothing_else_is(seed: Seed, workspace: Path) -> None:
    with _sown(workspace, seed):
        report = terraform.check(Checkout(workspace))
        places = _places(workspace, seed)
    told = [str(finding) for finding in report.findings]
    assert {finding.rule.id for finding in report.findings} == {f"terraform/{seed.rule}"}, told
    fitting = [finding for finding in report.findings if all(word in finding.what for word in seed.words)]
    assert fitting, told
    assert fitting[0].place in places


def _places(workspace: Path, seed: Seed) -> set[str]:
    """Where the finding may stand: a line with the text of `at`, or the file or folder alone when none is given."""
    place = seed.place or seed.file
    if not seed.at and (workspace / place).is_dir():
        return {place}
    lines = (workspace / place).read_text().splitlines() if (workspace / place).is_file() else []
    found = {f"{place}:{number}" for number, line in enumerate(lines, 1) if seed.at and seed.at in line}
    return found if seed.at else {place}


def test_our_own_definitions_have_no_finding() -> None:
    report = terraform.check(Checkout(ROOT / "infra"))
    assert list(map(str, report.findings)) == []
    assert all(checked.count for checked in report.checked)


def test_every_rule_is_sown_at_least_once() -> None:
    assert {rule.id for rule in terraform.RULES} == {f"terraform/{seed.rule}" for seed in SEEDS}


def test_every_rule_says_why_and_what_to_do() -> None:
    assert all(
        rule.about.endswith(".") and rule.why.endswith(".") and rule.todo.endswith(".") for rule in terraform.RULES
    )
    assert len({rule.id for rule in terraform.RULES}) == len(terraform.RULES)


@pytest.mark.parametrize(
    "text",
    [
        "resource {\n}\n",
        "x = " + "[" * 1000 + "]" * 1000,
        "\0\1\2",
        'locals {\n  a = [local.b, local.b]\n  b = [local.a, local.a]\n}\noutput "o" {\n  value = local.a\n}\n',
        'module "a" {\n  source = "./"\n}\nmodule "b" {\n  source = "./"\n}\nterraform {\n  backend "azurerm" {}\n}\n',
        'resource "azurerm_subnet" "a" {\n  name = azurerm_subnet.b.name\n}\n'
        'resource "azurerm_subnet" "b" {\n  name = azurerm_subnet.a.name\n}\n',
    ],
    ids=["no labels", "deep", "binary", "locals in a circle", "a module that calls itself", "resources in a circle"],
)
def test_what_no_engine_would_take_is_answered_and_not_crashed_on(text: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(text)
    (tmp_path / "dev.tfvars").write_text("x = 1\n")
    (tmp_path / "gone.tf").symlink_to(tmp_path / "nowhere")
    report = terraform.check(Checkout(tmp_path))
    assert "terraform/unreadable" in {finding.rule.id for finding in report.findings}

"""Environments are recognised in any layout: by a data file's name, its folder, or the root's folder."""

from pathlib import Path

import pytest
from workspace.preflight import terraform
from workspace.preflight.checkout import Checkout
from workspace.preflight.terraform_tree import Tree

ROOT = """terraform {
  backend "azurerm" {}
}
variable "range" {}
resource "azurerm_virtual_network" "this" {
  name          = "network"
  address_space = [var.range]
}
"""


@pytest.mark.parametrize(
    ("root", "data", "environments"),
    [
        ("stacks/network", "stacks/network/{}.tfvars", ["dev", "prod"]),
        ("stacks/network", "environments/{}/network.tfvars.json", ["dev", "prod"]),
        ("stacks/network", "environments/{}/network.tfvars.json", ["customer-a", "customer-b"]),
        ("iac", "iac/vars/{}.tfvars", ["dev", "prod"]),
        ("iac", "iac/vars/{}.tfvars", ["customer-a", "customer-b"]),
        ("iac", "iac/customers/{}/values.tfvars", ["customer-a", "customer-b"]),
        ("iac", "iac/environments/{}/main.tfvars", ["dev", "prod"]),
        ("iac", "config/{}.tfvars", ["dev", "customer-b"]),
        ("", "environments/{}/terraform.tfvars", ["dev", "prod"]),
        ("live/{}/network", "live/{}/network/terraform.tfvars", ["dev", "prod"]),
        ("live/{}/west/network", "live/{}/west/network/terraform.tfvars", ["staging", "prod"]),
    ],
)
def test_networks_that_overlap_are_found_in_any_layout(
    root: str, data: str, environments: list[str], tmp_path: Path
) -> None:
    for each in environments:
        place = tmp_path / root.format(each) / "main.tf"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(ROOT)
        values = tmp_path / data.format(each)
        values.parent.mkdir(parents=True, exist_ok=True)
        is_json = values.suffix == ".json"
        values.write_text('{"range": "10.0.0.0/16"}\n' if is_json else 'range = "10.0.0.0/16"\n')
    assert {each.environment for each in Tree(Checkout(tmp_path)).instances} == set(environments)
    overlaps = [
        each for each in terraform.check(Checkout(tmp_path)).findings if each.rule.id == "terraform/range-overlap"
    ]
    assert len(overlaps) == 1
    assert all(each in overlaps[0].what for each in environments)


def test_a_root_without_data_is_of_the_environment_that_its_folder_names(tmp_path: Path) -> None:
    for each in ("dev", "prod"):
        place = tmp_path / f"envs/{each}/network/main.tf"
        place.parent.mkdir(parents=True)
        place.write_text(ROOT.replace("[var.range]", '["10.0.0.0/16"]').replace('variable "range" {}\n', ""))
    found = [each for each in terraform.check(Checkout(tmp_path)).findings if "overlap" in each.what]
    assert len(found) == 1


def test_workspaces_are_the_environments_that_maps_of_a_root_speak_of(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    ranges = 'locals {\n  ranges = {\n    dev  = "10.0.0.0/16"\n    prod = "10.0.0.0/17"\n  }\n}\n'
    asked = ROOT.replace("[var.range]", "[lookup(local.ranges, terraform.workspace)]").replace(
        'variable "range" {}\n', ""
    )
    (tmp_path / "site/main.tf").write_text(ranges + asked)
    tree = Tree(Checkout(tmp_path))
    assert [each.environment for each in tree.instances] == ["dev", "prod"]
    assert [each.get("address_space") for each in tree.instances] == [["10.0.0.0/16"], ["10.0.0.0/17"]]
    found = [each for each in terraform.check(Checkout(tmp_path)).findings if "overlap" in each.what]
    assert len(found) == 1


def test_what_every_environment_shares_is_below_what_each_says(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/main.tf").write_text(ROOT)
    for name, range_ in (("all.auto.tfvars", "10.0.0.0/16"), ("dev.tfvars", "10.1.0.0/16"), ("prod.tfvars", "")):
        (tmp_path / "site" / name).write_text(f'range = "{range_}"\n' if range_ else "")
    told = {each.environment: each.get("address_space") for each in Tree(Checkout(tmp_path)).instances}
    assert told == {"dev": ["10.1.0.0/16"], "prod": ["10.0.0.0/16"]}

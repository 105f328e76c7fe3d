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

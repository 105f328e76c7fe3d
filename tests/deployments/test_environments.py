"""Environments: found by name, refused otherwise, added by a file and a word."""

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import Output, outputs
from workspace.plan import draw

import deployments
from deployments import catalogue, names


@pytest.mark.parametrize("name", deployments.environments())
def test_an_environment_is_found_by_its_name(name: str) -> None:
    assert deployments.find(name).name == name


def test_the_world_comes_first() -> None:
    assert deployments.environments()[0] == "world"


@pytest.mark.parametrize("name", ["qa", "production", "", "names"])
def test_another_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(Refused) as told:
        deployments.find(name)
    assert str(told.value) == f"There is no environment {name!r}; there are world, dev, staging, prod."


def test_an_illegal_name_is_refused_with_its_length() -> None:
    with pytest.raises(Refused, match=r"\d+ characters|not one of|dev, staging"):
        names.of("a-name-that-no-vault-could-ever-have")


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """A new environment: its file (here a module made up), its word in the list, and its sizes as data."""
    dev = deployments.find("dev")
    module = ModuleType("deployments.demo")
    module.environment = Environment(  # type: ignore[attr-defined]
        "demo",
        follows="dev",
        regions=dev.regions,
        names={what: name.replace("dev", "demo") for what, name in dev.names.items()},
        hosts={service: host.replace("dev", "demo") for service, host in dev.hosts.items()},
    )
    monkeypatch.setitem(sys.modules, "deployments.demo", module)
    monkeypatch.setattr(deployments, "EnvironmentName", Literal["world", "dev", "staging", "prod", "demo"])
    monkeypatch.setattr(catalogue, "_SIZES", tmp_path)
    shutil.copytree(deployments.SOURCES / "infra/terraform/environments", tmp_path, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "dev", tmp_path / "demo")
    for file in (tmp_path / "demo").iterdir():
        file.write_text(json.dumps(json.loads(file.read_text().replace("dev", "demo"))))
    return deployments.find("demo")


def test_an_environment_is_one_file_and_one_word(demo: Environment) -> None:
    assert "demo" in deployments.environments()
    its = deployments.nodes(demo)
    assert {node.id for node in its} == {node.id for node in deployments.nodes(deployments.find("staging"))}


def test_a_new_environment_s_plan_is_drawn_with_its_own_names(demo: Environment) -> None:
    from workspace.plan import CARRIED
    from workspace.release import Release

    its = deployments.nodes(demo)
    release = Release({node.id: "x" for node in its if node.kind in CARRIED}, "d", "dev")
    world = {output.node.removeprefix("world/"): {} for node in its for output in world_outputs(node.settings)}
    plan = draw(demo, its, world, release)
    assert "record demo.mystira.app CNAME" in plan.nodes["pwa-record"].owns
    assert plan.nodes["network"].settings["variables"]["resource_group_name"] == "mystira-demo-rg"


def test_what_an_environment_says_nothing_about_is_refused_with_the_file_to_write(
    demo: Environment, tmp_path: Path
) -> None:
    (tmp_path / "demo/redis.tfvars.json").unlink()
    with pytest.raises(Refused, match=r"demo says nothing about the stack redis; write redis\.tfvars\.json in demo\."):
        deployments.nodes(demo)


def world_outputs(settings: object) -> list[Output]:
    return [output for output in outputs(settings) if output.node.startswith("world/")]

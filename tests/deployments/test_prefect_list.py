"""prefect.yaml: what Prefect can run is what the workspace has, no more and no less."""

import importlib
import inspect
import zoneinfo
from typing import Any

import pytest
from prefect import Flow
from workspace.node import Part, Stage

import deployments
from deployments import register

LISTED = register.listed()
ALWAYS = {*(f"promote/{each}" for each in deployments.environments()), "rebuild/dev"}


def stages() -> set[str]:
    """Every stage of every environment that has nodes in it, as `flow/deployment`."""
    return {
        f"{node.stage}/{environment}"
        for environment in deployments.environments()
        for node in deployments.nodes(deployments.find(environment))
    }


def line(name: str) -> str:
    """The line to add to prefect.yaml for a deployment that is missing."""
    flow, _, environment = name.partition("/")
    module = flow.replace("-", "_")
    return (
        f"  - {{name: {environment}, entrypoint: flows.{module}.{module}, parameters: {{environment: {environment}}}, "
        f"work_pool: *pool, tags: [{flow}, {environment}]}}"
    )


def test_every_stage_of_every_environment_can_be_run_and_nothing_else() -> None:
    wanted = ALWAYS | stages()
    missing = sorted(wanted - LISTED.keys())
    assert not missing, "add to prefect.yaml:\n" + "\n".join(line(each) for each in missing)
    assert sorted(LISTED.keys() - wanted) == [], "remove these from prefect.yaml: nothing is there to run"


def test_the_line_to_add_is_one_that_would_be_understood() -> None:
    from ruamel.yaml import YAML

    anchors = "definitions:\n  pool: &pool {name: workspace}\ndeployments:\n"
    added = YAML(typ="safe").load(anchors + line("names/dev"))["deployments"][0]
    assert added == LISTED["names/dev"]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_an_entry_names_a_flow_by_module(name: str) -> None:
    module, _, function = LISTED[name]["entrypoint"].rpartition(".")
    flow: Any = getattr(importlib.import_module(module), function)
    assert isinstance(flow, Flow)
    assert flow.name == name.partition("/")[0]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_an_entry_is_for_the_environment_it_is_named_after(name: str) -> None:
    entry = LISTED[name]
    assert entry["parameters"] == {"environment": entry["name"]}
    assert "concurrency_limit" not in entry, "one run at a time is the ledger's business"
    assert entry["work_pool"] == {"name": register.POOL}
    assert entry["tags"] == name.split("/")


def test_dev_is_built_again_every_night_by_the_clock_of_a_place() -> None:
    (schedule,) = LISTED["rebuild/dev"]["schedules"]
    assert (schedule["cron"], schedule["timezone"], schedule["active"]) == ("0 2 * * *", "Africa/Johannesburg", True)
    assert zoneinfo.ZoneInfo(schedule["timezone"])


def test_nothing_else_has_a_schedule() -> None:
    assert [name for name, entry in LISTED.items() if entry.get("schedules")] == ["rebuild/dev"]


def test_every_stage_has_its_flow_in_promote() -> None:
    from flows.promote import STAGES

    assert list(STAGES) == list(Stage)
    assert [flow.name for flow in STAGES.values()] == [str(stage) for stage in Stage]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_s_flow_takes_an_environment_and_keeps_no_results(stage: Stage) -> None:
    from flows.promote import STAGES

    assert list(inspect.signature(STAGES[stage].fn).parameters) == ["environment"]
    assert STAGES[stage].persist_result is False
    assert STAGES[stage].retries == 0


@pytest.mark.parametrize("part", list(Part))
def test_every_part_has_its_flow_in_shared_infrastructure(part: Part) -> None:
    from flows.shared_infrastructure import PARTS

    assert PARTS[part].name == str(part)
    assert list(inspect.signature(PARTS[part].fn).parameters) == ["environment"]
    assert (PARTS[part].persist_result, PARTS[part].retries) == (False, 0)

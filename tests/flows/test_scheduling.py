"""The scheduler through Prefect: what starts when, what a person sees, what becomes of failures."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from prefect_server import Server
from small_promotions import Settled, node, settled
from workspace.ledger import Event
from workspace.node import Part, Stage

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def well(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Four nodes in three stages; `slow` and `eager`, two stages later, can only end side by side."""
    nodes = [
        node("quick", Stage.ZONE),
        node("slow", Stage.ZONE, after="eager"),
        node("eager", Stage.NAMES, "quick", after="slow"),
        node("last", Stage.VERIFICATION, "slow", "eager"),
    ]
    return settled(nodes, tmp_path_factory.mktemp("well"))


@pytest.fixture(scope="module")
def apart(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Shared infrastructure in three parts and a node of none; `cluster` and `server` can only end side by side."""
    stage = Stage.SHARED_INFRASTRUCTURE
    nodes = [
        node("network", stage, part=Part.NETWORK_AND_CLUSTER),
        node("cluster", stage, "network", part=Part.NETWORK_AND_CLUSTER, after="server"),
        node("server", stage, "network", part=Part.POSTGRESQL, after="cluster"),
        node("cache", stage, "network", part=Part.REDIS, fails="eastus has no more of these"),
        node("odd", stage),
        node("rollout", Stage.CLUSTER_ROLLOUT, "cluster"),
    ]
    return settled(nodes, tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def ill(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Everything that can go wrong with a node, beside nodes that have nothing to do with it."""
    nodes = [
        node("network", Stage.SHARED_INFRASTRUCTURE),
        node("chain", Stage.SHARED_INFRASTRUCTURE, "network", fails="the quota of eastus is used up; ask for more"),
        node("publisher", Stage.CLUSTER_ROLLOUT, "chain"),
        node("publisher-record", Stage.NAMES, "publisher"),
        node("api", Stage.APP_SERVICES, refuses="the name api is not legal"),
        node("pwa", Stage.APP_SERVICES, "network", unsettled=2),
        node("late", Stage.APP_SERVICES, unsettled=99),
        node("foggy", Stage.NAMES, unknown=True),
        node("foggy-check", Stage.VERIFICATION, "foggy"),
    ]
    return settled(nodes, tmp_path_factory.mktemp("ill"))


def test_a_node_starts_when_its_own_needs_are_settled_whatever_the_stage(well: Settled) -> None:
    assert set(well.outcomes.values()) == {"changed"}
    assert well.kind.applied[-1] == "last"


def test_a_person_sees_each_stage_as_a_subflow_named_after_stage_and_environment(server: Server, well: Settled) -> None:
    seen = stages(server, well.run)
    assert seen.keys() == {"zone-dev", "names-dev", "verification-dev"}
    assert {each["state_name"] for each in seen.values()} == {"Changed"}


def test_a_person_sees_task_runs_named_after_nodes_inside_their_stage(server: Server, well: Settled) -> None:
    seen = {name: tasks(server, stage["id"]) for name, stage in stages(server, well.run).items()}
    assert {name: set(runs) for name, runs in seen.items()} == {
        "zone-dev": {"quick", "slow"},
        "names-dev": {"eager"},
        "verification-dev": {"last"},
    }


def test_the_parts_of_a_stage_run_side_by_side(apart: Settled) -> None:
    assert apart.outcomes == {
        "network": "changed",
        "cluster": "changed",
        "server": "changed",
        "cache": "failed",
        "odd": "changed",
        "rollout": "changed",
    }


def test_a_person_sees_each_part_as_a_subflow_of_its_stage(server: Server, apart: Settled) -> None:
    stage = stages(server, apart.run)["shared-infrastructure-dev"]
    assert {name: each["state_name"] for name, each in stages(server, stage["id"]).items()} == {
        "network-and-cluster-dev": "Changed",
        "postgresql-dev": "Changed",
        "redis-dev": "Failed",
    }
    assert stage["state_name"] == "Failed"


def test_a_node_of_a_part_is_shown_in_the_part_and_one_of_none_in_the_stage(server: Server, apart: Settled) -> None:
    stage = stages(server, apart.run)["shared-infrastructure-dev"]
    within = stages(server, stage["id"])
    assert set(tasks(server, within["network-and-cluster-dev"]["id"])) == {"network", "cluster"}
    assert set(tasks(server, within["redis-dev"]["id"])) == {"cache"}
    assert "odd" in tasks(server, stage["id"])


def test_plan_and_result_are_artifacts(server: Server, well: Settled) -> None:
    found = server.post("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [well.run]}}}).json()
    told = {each["key"]: each["data"] for each in found}
    assert "# Plan for dev" in told["plan-dev"]
    assert "promote/dev: 4 of 4 nodes changed." in told["result-dev"]


def test_what_needs_a_failed_node_does_not_start_and_what_does_not_finishes(ill: Settled) -> None:
    assert ill.outcomes == {
        "network": "changed",
        "chain": "failed",
        "publisher": "blocked",
        "publisher-record": "blocked",
        "api": "failed",
        "pwa": "changed",
        "late": "unknown",
        "foggy": "unknown",
        "foggy-check": "blocked",
    }
    assert not {"publisher", "publisher-record", "foggy-check"} & set(ill.kind.applied)


def test_what_is_not_ready_is_tried_again_until_it_is(ill: Settled) -> None:
    assert ill.kind.applied.count("pwa") == 3


def test_what_is_never_ready_ends_as_unknown_when_patience_ends(ill: Settled) -> None:
    assert ill.kind.applied.count("late") == 4
    assert ill.execution.results["late"].detail == "late is not ready yet"


@pytest.mark.parametrize("name", ["chain", "api", "foggy"])
def test_what_is_refused_or_broken_or_unknown_is_not_tried_again(ill: Settled, name: str) -> None:
    assert ill.kind.applied.count(name) == 1


def test_a_run_with_failures_ends_failed_on_what_where_and_what_to_do(ill: Settled) -> None:
    assert ill.state is not None
    assert ill.state.is_failed()
    told = ill.state.message or ""
    assert told.startswith("promote/dev: 4 of 9 nodes failed. ")
    assert told.endswith("Mend the cause and run promote/dev again; what is done is not done again.")


@pytest.mark.parametrize(
    "reason",
    [
        "chain failed: the quota of eastus is used up; ask for more.",
        "api failed: the name api is not legal.",
        "late failed: late is not ready yet.",
        "foggy failed: made foggy.",
    ],
)
def test_every_failure_is_told_with_its_reason(ill: Settled, reason: str) -> None:
    assert ill.state is not None
    assert reason in (ill.state.message or "")


def test_what_did_not_start_is_told_by_name(ill: Settled) -> None:
    assert ill.state is not None
    _, _, rest = (ill.state.message or "").partition("Not started because of that: ")
    assert set(rest.partition(".")[0].split(", ")) == {"publisher", "publisher-record", "foggy-check"}


def test_the_ledger_says_how_the_run_ended(ill: Settled) -> None:
    last = ill.execution.ledger.after(0)[-1]
    assert ill.state is not None
    assert (last.event, last.body) == (Event.ENDED, {"success": False, "sentence": ill.state.message})


def test_stages_with_a_failure_are_failed_and_those_that_only_wait_are_blocked(server: Server, ill: Settled) -> None:
    assert {name: (each["state_type"], each["state_name"]) for name, each in stages(server, ill.run).items()} == {
        "shared-infrastructure-dev": ("FAILED", "Failed"),
        "cluster-rollout-dev": ("FAILED", "Blocked"),
        "app-services-dev": ("FAILED", "Failed"),
        "names-dev": ("FAILED", "Failed"),
        "verification-dev": ("FAILED", "Blocked"),
    }


def test_the_state_of_a_task_run_is_what_became_of_its_node(server: Server, ill: Settled) -> None:
    ids = [each["id"] for each in stages(server, ill.run).values()]
    seen = {name: state for each in ids for name, state in tasks(server, each).items()}
    assert seen == {
        "network": "Changed",
        "chain": "Broken",
        "publisher": "Blocked",
        "publisher-record": "Blocked",
        "api": "Refused",
        "pwa": "Changed",
        "late": "Unsettled",
        "foggy": "Unknown",
        "foggy-check": "Blocked",
    }


def stages(server: Server, run: str) -> dict[str, Mapping[str, Any]]:
    """The subflows of a run, by name: stages, or the parts of a stage."""
    parents = server.post("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}}).json()
    wanted = {"flow_runs": {"parent_task_run_id": {"any_": [task["id"] for task in parents]}}}
    return {each["name"]: each for each in server.post("flow_runs/filter", wanted).json()}


def tasks(server: Server, run: str) -> dict[str, str]:
    """The task runs of a run, with the names of their states; they reach the server as events, a moment later."""
    wanted = {"flow_runs": {"id": {"any_": [run]}}}

    def ended() -> list[dict[str, Any]]:
        found = server.post("task_runs/filter", wanted).json()
        return found if found and all(each["end_time"] for each in found) else []

    return {each["name"]: each["state_name"] for each in eventually(ended)}


def eventually(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    for _ in range(150):
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("the server never heard that all task runs ended")

"""A Prefect server that was registered with: what it has, what it refuses, and how it bears a crowd."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import prefect_server
import pytest
from prefect_server import Server
from workspace.addresses import Addresses

import deployments
from blocks import target
from deployments import register

pytestmark = pytest.mark.prefect

CROWD = 12


@pytest.fixture(scope="module")
def registered(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The shared server, registered with as `python -m deployments.register` does, beside a leftover of ours."""
    addresses = Addresses(subscription="made-up", state=tmp_path_factory.mktemp("state"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prefect_server.child_environment(server).items():
            patch.setenv(name, value)
        leftover(server)
        register.server(dict.fromkeys(deployments.environments(), addresses))
    return server


def leftover(server: Server) -> None:
    """A deployment of an earlier prefect.yaml, in our pool."""
    server.post("work_pools/", {"name": register.POOL, "type": "process"})
    flow = server.post("flows/", {"name": "promote"}).json()["id"]
    body = {"name": "qa", "flow_id": flow, "work_pool_name": register.POOL}
    server.post("deployments/", body).raise_for_status()


def deployment(server: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"deployments/name/{name}").raise_for_status().json()
    return found


def test_the_server_has_what_prefect_yaml_lists_and_what_it_no_longer_lists_is_gone(registered: Server) -> None:
    flows = {each["id"]: each["name"] for each in registered.post("flows/filter", {}).json()}
    found = registered.post("deployments/filter", {}).json()
    assert {f"{flows[each['flow_id']]}/{each['name']}" for each in found} == set(register.listed())


def test_the_nightly_rebuild_has_its_clock(registered: Server) -> None:
    (schedule,) = deployment(registered, "rebuild/dev")["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Africa/Johannesburg")


@pytest.mark.parametrize("environment", deployments.environments())
def test_a_target_block_is_found_for_every_environment(registered: Server, environment: str) -> None:
    assert asyncio.run(target.of(environment)).subscription == "made-up"


@pytest.mark.parametrize("parameters", [{"environment": "qa"}, {"environment": 1}])
def test_a_run_of_an_environment_nobody_knows_is_refused_before_it_exists(
    registered: Server, parameters: dict[str, Any]
) -> None:
    found = deployment(registered, "promote/staging")
    before = registered.post("flow_runs/count", {}).json()
    answer = registered.post(f"deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    assert 400 <= answer.status_code < 500
    assert registered.post("flow_runs/count", {}).json() == before


def test_twelve_runs_created_at_once_are_all_accepted(server: Server) -> None:
    flow = server.post("flows/", {"name": "crowd"}).json()["id"]

    async def create() -> Counter[int]:
        async with httpx.AsyncClient(base_url=server.api, timeout=60, verify=False) as client:
            body = {"flow_id": flow, "state": {"type": "PENDING"}}
            asked = [client.post("/flow_runs/", json=body) for _ in range(CROWD)]
            return Counter(answer.status_code for answer in await asyncio.gather(*asked))

    assert asyncio.run(create()) == {httpx.codes.CREATED: CROWD}


def test_twelve_runs_that_change_their_state_at_once_are_all_heard(server: Server) -> None:
    flow = server.post("flows/", {"name": "crowd"}).json()["id"]

    async def change() -> Counter[int]:
        async with httpx.AsyncClient(base_url=server.api, timeout=60, verify=False) as client:
            made = [(await client.post("/flow_runs/", json={"flow_id": flow})).json()["id"] for _ in range(CROWD)]
            body = {"state": {"type": "RUNNING"}}
            asked = [client.post(f"/flow_runs/{each}/set_state", json=body) for each in made]
            return Counter(answer.status_code for answer in await asyncio.gather(*asked))

    assert asyncio.run(change()) == {httpx.codes.CREATED: CROWD}


def test_the_server_listens_on_loopback_alone(server: Server) -> None:
    port = int(server.api.rsplit(":", 1)[1].partition("/")[0])
    tables = [Path(f"/proc/net/{each}").read_text().splitlines()[1:] for each in ("tcp", "tcp6")]
    listening = [line.split()[1] for table in tables for line in table if line.split()[3] == "0A"]
    assert [each for each in listening if int(each.rpartition(":")[2], 16) == port] == [f"0100007F:{port:04X}"]

"""Bring a Prefect server to what we expect: work pool, target blocks, deployments; and nothing of ours beside them.

Harmless when called twice. `python -m deployments.register --addresses azure.json` registers one target for every
environment; `--environment prod --addresses prod.json` for one.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import ValidationError
from ruamel.yaml import YAML
from workspace.addresses import Addresses
from workspace.errors import Broken, Refused, WorkspaceError

import deployments
from blocks.target import Target

POOL = "workspace"
LIST = deployments.SOURCES / "prefect.yaml"


def server(addresses: dict[str, Addresses], *, deployed: bool = False) -> None:
    """Bring the server that PREFECT_API_URL names to what prefect.yaml and these addresses say.

    `deployed` says that this very prefect.yaml was deployed there before: then only pool and blocks are looked after.
    """
    if deployed:
        asyncio.run(_blocks_and_pool(addresses))
        return
    asyncio.run(_pool())
    deploying = _deploy()
    asyncio.run(_blocks_and_pool(addresses))
    _finish(deploying)
    asyncio.run(_prune())


def read(file: Path) -> Addresses:
    """The addresses in a JSON file; refused with the first thing that is wrong."""
    try:
        return Addresses.model_validate(json.loads(file.read_text()))
    except (OSError, json.JSONDecodeError) as error:
        raise Refused(f"The addresses in {file} cannot be read: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


def listed() -> dict[str, dict[str, Any]]:
    """What prefect.yaml declares, by `flow/deployment`."""
    declared = YAML(typ="safe").load(LIST.read_text())["deployments"]
    return {f"{_flow_of(each['entrypoint'])}/{each['name']}": each for each in declared}


def _flow_of(entrypoint: str) -> str:
    return str(entrypoint.rsplit(".", 1)[-1]).replace("_", "-")


async def _blocks_and_pool(addresses: dict[str, Addresses]) -> None:
    await _pool()
    await Target.register_type_and_schema()
    for environment, each in addresses.items():
        await Target(addresses=each).save(environment, overwrite=True)


async def _pool() -> None:
    async with get_client() as client:
        try:
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def _deploy() -> subprocess.Popen[str]:
    """Prefect's own command reads prefect.yaml, so that what a person types and what we do are the same."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=deployments.SOURCES, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def _finish(deploying: subprocess.Popen[str]) -> None:
    said, _ = deploying.communicate()
    if deploying.returncode:
        raise Broken(f"`prefect deploy --all` failed: {said.strip()[-600:]}")


async def _prune() -> None:
    """Prefect's deploy never takes away; what prefect.yaml no longer names is removed here, with its schedules."""
    async with get_client() as client:
        ours = await _ours(client)
        for name, identity in ours.items():
            if name not in listed():
                await client.delete_deployment(identity)


async def _ours(client: PrefectClient) -> dict[str, Any]:
    found = await client.read_deployments()
    flows = {flow.id: flow.name for flow in await client.read_flows()}
    return {f"{flows[each.flow_id]}/{each.name}": each.id for each in found if each.work_pool_name == POOL}


def main(
    addresses: Annotated[Path, typer.Option(help="A JSON file with the addresses of a target; see README.md.")],
    environment: Annotated[list[str] | None, typer.Option(help="Only these environments; default: all.")] = None,
    deployed: Annotated[
        bool, typer.Option(help="This prefect.yaml was deployed there before; only look after blocks.")
    ] = False,
) -> None:
    """Register target blocks, the work pool and the deployments of prefect.yaml."""
    try:
        if not os.environ.get("PREFECT_API_URL"):
            raise Refused("PREFECT_API_URL names no Prefect server; set it to the API of the server to register with.")
        chosen = environment or list(deployments.environments())
        server({deployments.find(name).name: read(addresses) for name in chosen}, deployed=deployed)
    except WorkspaceError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)

"""What counts as written through a stand-in, and that it is told wherever the request arrives."""

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from workspace.rehearsal import azurerm_wire, serving, written
from workspace.rehearsal.azurerm_random import Random
from workspace.rehearsal.written import CLUSTER, ENGINE, MANAGER, REGISTRY, TERRAFORM, Write, Written

GROUP = "/subscriptions/s/resourceGroups/g"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/a"
NAMESPACED = "/clusters/g/k/apis/apps/v1/namespaces/n/deployments"


@pytest.mark.parametrize(
    ("to", "method", "path"),
    [
        (MANAGER, "PUT", GROUP),
        (MANAGER, "PATCH", GROUP),
        (MANAGER, "DELETE", GROUP),
        (MANAGER, "POST", f"{SITE}/slotsswap"),
        (MANAGER, "POST", f"{SITE}/restart"),
        (MANAGER, "POST", "/scm/a/api/zipdeploy"),
        (MANAGER, "PUT", "/vault/v/secrets/list"),
        (MANAGER, "POST", "/subscriptions/s/providers/Microsoft.Web/register"),
        (CLUSTER, "POST", NAMESPACED),
        (CLUSTER, "PATCH", f"{NAMESPACED}/a"),
        (CLUSTER, "DELETE", f"{NAMESPACED}/a"),
        (REGISTRY, "POST", "/v2/r/blobs/uploads/"),
        (REGISTRY, "PUT", "/v2/r/manifests/dev"),
        (ENGINE, "POST", "/v1.47/build"),
    ],
)
def test_a_request_to_change_something_counts(to: str, method: str, path: str) -> None:
    assert written.is_write(to, method, path, {})


@pytest.mark.parametrize(
    ("to", "method", "path"),
    [
        (MANAGER, "GET", GROUP),
        (MANAGER, "HEAD", GROUP),
        (MANAGER, "POST", f"{GROUP}/providers/Microsoft.Resources/deployments/d/whatIf"),
        (MANAGER, "POST", f"{GROUP}/providers/Microsoft.Resources/deployments/d/validate"),
        (MANAGER, "POST", f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/k/listClusterUserCredential"),
        (MANAGER, "POST", f"{SITE}/config/appsettings/list"),
        (MANAGER, "POST", "/t/oauth2/v2.0/token"),
        (CLUSTER, "GET", NAMESPACED),
        (CLUSTER, "POST", "/clusters/g/k/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        (REGISTRY, "HEAD", "/v2/r/manifests/dev"),
        (ENGINE, "POST", "/v1.47/auth"),
    ],
)
def test_a_request_that_only_asks_does_not_count(to: str, method: str, path: str) -> None:
    assert not written.is_write(to, method, path, {})


def test_a_dry_run_does_not_count() -> None:
    assert not written.is_write(CLUSTER, "PATCH", f"{NAMESPACED}/a", {"dryRun": ["All"]})


def test_what_is_written_through_a_stand_in_is_told_in_order(tmp_path: Path) -> None:
    async def answer(_: object) -> PlainTextResponse:
        return PlainTextResponse("done")

    inner = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "PATCH"])])
    app = Written(tmp_path).in_front(CLUSTER, inner)
    for method, target in (("PUT", "/a"), ("GET", "/a"), ("PATCH", "/a?dryRun=All"), ("PATCH", "/a?force=true")):
        asyncio.run(serving.ask(app, method, target, {}, b""))
    assert written.writes(tmp_path) == (Write(CLUSTER, "PUT", "/a"), Write(CLUSTER, "PATCH", "/a"))
    assert written.writes(tmp_path, 1) == (Write(CLUSTER, "PATCH", "/a"),)


def test_nothing_was_written_where_nothing_is_told(tmp_path: Path) -> None:
    assert written.writes(tmp_path) == ()


def test_what_terraform_applies_is_told_and_what_it_plans_is_not(tmp_path: Path) -> None:
    class Context:
        def peer(self) -> str:
            return "terraform"

    servicer = azurerm_wire._Servicer(Random(), Written(tmp_path))
    kind, nothing = "random_string", azurerm_wire.encode(None)
    config = azurerm_wire.conform(Random().schemas.resources[kind], {"length": 8})
    asked = azurerm_wire.pb.PlanResourceChange.Request(
        type_name=kind,
        prior_state=nothing,
        proposed_new_state=azurerm_wire.encode(config),
        config=azurerm_wire.encode(config),
    )
    planned = servicer.PlanResourceChange(asked, Context())
    assert written.writes(tmp_path) == ()
    applied = azurerm_wire.pb.ApplyResourceChange.Request(
        type_name=kind,
        prior_state=nothing,
        planned_state=planned.planned_state,
        config=azurerm_wire.encode(config),
    )
    assert not servicer.ApplyResourceChange(applied, Context()).diagnostics
    assert written.writes(tmp_path) == (Write(TERRAFORM, "APPLY", kind),)

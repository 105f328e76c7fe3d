"""The stand-in for Resource Manager, asked directly: it refuses what Azure refuses, in Azure's words."""

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from workspace.rehearsal import arm_types, serving
from workspace.rehearsal.arm import Arm, subject
from workspace.rehearsal.arm_deployments import camel
from workspace.rehearsal.arm_resources import address as arm_path
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

TENANT, SUBSCRIPTION = "t1", "s1"
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
STORE = f"{GROUPS}/g1/providers/Microsoft.Storage/storageAccounts/store1"
CLUSTER = f"{GROUPS}/g1/providers/Microsoft.ContainerService/managedClusters/k"
SECRETS = {
    "client_id": "someone",
    "client_secret": "whisper",
    "grant_type": "client_credentials",
    "scope": "https://management.azure.com/.default",
}
ASSIGNMENT = "00000000-0000-4000-8000-00000000000"
READER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Reader']}"


async def whoami(request: Request) -> JSONResponse:
    return JSONResponse({"zone": request.path_params["zone"], "authorised": request.state.authorised})


def newest(path: str) -> str:
    """A version that the type at a path is offered in."""
    place = arm_path(path) if "/providers/" in path else None
    known = arm_types.find(place.type if place and place.names else f"{place.type}/{place.rest}") if place else None
    return known.api_versions[0] if known else "2025-04-01"


class Here:
    """A served stand-in and a signed-in caller of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        self.arm = Arm(
            self.cloud,
            Faults(folder),
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            extra_routes=[
                Route("/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Network/dnsZones/{zone}", whoami),
                Route("/vault/{zone}", whoami),
            ],
            kubeconfig=lambda group, name: f"config of {group}/{name}",
            deployment_seconds=0.0,
        )
        self.served = serving.Served(self.arm.app)
        self.web = httpx.Client(base_url=self.served.url, verify=False)

    def reset(self) -> None:
        self.cloud.delete(f"/subscriptions/{SUBSCRIPTION}")
        (self.folder / "faults.json").unlink(missing_ok=True)
        self.arm.exchanges.clear()

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.arm.identity.token()}"}
        params = {"api-version": newest(path), **query}
        return self.web.request(method, path, json=body, params=params, headers=headers)

    def have(self, path: str, **body: Any) -> dict[str, Any]:
        made = self.ask("PUT", path, {"location": "eastus", **body})
        assert made.status_code in (200, 201, 202), made.text
        found: dict[str, Any] = self.ask("GET", path).json()
        return found

    def deploy(self, path: str, **properties: Any) -> dict[str, Any]:
        """A deployment that has ended: one that still runs would write itself down again after a reset."""
        made = self.ask("PUT", path, {"properties": {"mode": "Incremental", **properties}})
        assert made.status_code in (200, 201), made.text
        while (told := self.ask("GET", path).json())["properties"]["provisioningState"] in ("Accepted", "Running"):
            time.sleep(0.01)
        return told


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    made = Here(tmp_path_factory.mktemp("standin"))
    yield made
    made.web.close()
    made.served.close()


@pytest.fixture
def here(served: Here) -> Here:
    served.reset()
    served.have(f"{GROUPS}/g1")
    return served


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# signing in


def test_the_token_endpoint_gives_a_token_to_whoever_knows_the_secret(here: Here) -> None:
    answer = here.web.post(f"/{TENANT}/oauth2/v2.0/token", data=SECRETS)
    token = answer.json()["access_token"]
    assert here.web.get(
        "/subscriptions?api-version=2022-12-01", headers={"Authorization": f"Bearer {token}"}
    ).is_success


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "guess"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_the_token_endpoint_refuses_in_its_own_dialect(
    here: Here, change: dict[str, str], status: int, error: str
) -> None:
    answer = here.web.post(f"/{TENANT}/oauth2/v2.0/token", data={**SECRETS, **change})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    ("tenant", "issuer"), [(TENANT, TENANT), ("organizations", "{tenantid}"), ("common", "{tenantid}")]
)
def test_a_tenant_tells_where_it_signs_people_in_and_so_does_nobodys_in_particular(
    here: Here, tenant: str, issuer: str
) -> None:
    told = here.web.get(f"/{tenant}/v2.0/.well-known/openid-configuration").json()
    assert told["issuer"] == f"{here.served.url}/{issuer}/v2.0"
    assert told["token_endpoint"] == f"{here.served.url}/{tenant}/oauth2/v2.0/token"
    assert here.web.get("/elsewhere/v2.0/.well-known/openid-configuration").status_code == 400


@pytest.mark.parametrize("header", [None, "Bearer guess", "Basic whisper"])
def test_nothing_is_told_without_a_token(here: Here, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = here.web.get(f"{GROUPS}/g1?api-version=2025-04-01", headers=headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]


def test_a_token_that_has_ended_is_told_so(here: Here) -> None:
    here.arm.identity.token_seconds, kept = -1, here.arm.identity.token_seconds
    answer = here.ask("GET", f"{GROUPS}/g1")
    here.arm.identity.token_seconds = kept
    assert refusal(answer) == (401, "ExpiredAuthenticationToken")


def test_the_endpoints_are_told_to_everybody(here: Here) -> None:
    told = here.web.get("/metadata/endpoints?api-version=2022-09-01").json()
    assert told["authentication"]["loginEndpoint"] == here.served.url
    assert here.web.get("/common/discovery/instance").json()["tenant_discovery_endpoint"].startswith(here.served.url)


# the front door


def test_every_request_needs_an_api_version(here: Here) -> None:
    headers = {"Authorization": f"Bearer {here.arm.identity.token()}"}
    assert refusal(here.web.get(f"{GROUPS}/g1", headers=headers)) == (400, "MissingApiVersionParameter")
    assert refusal(here.ask("GET", f"{GROUPS}/g1", **{"api-version": "soon"})) == (400, "InvalidApiVersionParameter")


def test_paths_are_the_same_in_any_case_and_with_double_slashes(here: Here) -> None:
    here.have(STORE)
    assert here.ask("GET", STORE.lower()).json()["id"] == STORE
    assert here.ask("GET", STORE.replace("/providers/", "/providers//")).is_success
    assert (
        here.ask("GET", f"{GROUPS.lower()}/G1/providers/microsoft.network/DNSZONES/a.test").json()["zone"] == "a.test"
    )


def test_routes_of_others_learn_whether_the_caller_signed_in(here: Here) -> None:
    assert here.web.get("/vault/v1").json()["authorised"] is False
    assert here.ask("GET", "/vault/v1").json()["authorised"] is True


def test_another_subscription_is_not_found(here: Here) -> None:
    other = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/g1"
    assert refusal(here.ask("GET", other)) == (404, "SubscriptionNotFound")
    assert refusal(here.ask("GET", "/subscriptions/mine/resourceGroups/g1")) == (400, "InvalidSubscriptionId")


def test_what_nobody_offers_is_refused_and_not_accepted_silently(here: Here) -> None:
    assert refusal(here.ask("GET", f"/subscriptions/{SUBSCRIPTION}/nonsense")) == (404, "NotFound")
    assert refusal(here.ask("PUT", f"{GROUPS}/g1/providers/Nonsense/things/one", {})) == (
        404,
        "InvalidResourceNamespace",
    )
    here.have(STORE)
    assert refusal(here.ask("POST", f"{STORE}/explode")) == (404, "InvalidResourceType")


def test_a_body_that_is_no_json_object_is_refused(here: Here) -> None:
    headers = {"Authorization": f"Bearer {here.arm.identity.token()}"}
    answer = here.web.put(f"{STORE}?api-version=2023-01-01", content="{template: x}", headers=headers)
    assert refusal(answer) == (400, "InvalidRequestContent")
    assert refusal(here.ask("PUT", STORE, [1])) == (400, "InvalidRequestContent")


def test_faults_are_met_at_the_door_as_often_as_they_are_meant_to_be(here: Here) -> None:
    fault = {"point": "arm", "subject": "GET Microsoft.Storage/storageAccounts store1", "how": "throttle", "times": 1}
    here.have(STORE)
    (here.folder / "faults.json").write_text(json.dumps([fault]))
    busy = here.ask("GET", STORE)
    assert refusal(busy) == (429, "SubscriptionRequestsThrottled")
    assert busy.headers["retry-after"] == "1"
    assert here.ask("GET", STORE).is_success


def test_a_fault_is_about_a_method_a_type_and_a_name() -> None:
    assert subject("PUT", STORE) == "PUT Microsoft.Storage/storageAccounts store1"
    assert subject("GET", f"{GROUPS}/g1") == "GET Microsoft.Resources/resourceGroups g1"
    assert subject("PUT", f"{GROUPS}/g/providers/Microsoft.Web/sites/a/slots/b") == "PUT Microsoft.Web/sites/slots a/b"


def test_every_answer_says_that_it_is_a_rehearsal_and_is_remembered(here: Here) -> None:
    answer = here.ask("GET", f"{GROUPS}/g1")
    assert answer.headers["x-ms-routing-request-id"].startswith("REHEARSAL:")
    last = here.arm.exchanges[-1]
    assert (last.method, last.path, last.status) == ("GET", f"{GROUPS}/g1", 200)


# groups and resources


def test_a_group_is_there_or_not(here: Here) -> None:
    assert here.ask("HEAD", f"{GROUPS}/g1").status_code == 204
    assert here.ask("HEAD", f"{GROUPS}/g2").status_code == 404
    assert refusal(here.ask("GET", f"{GROUPS}/g2")) == (404, "ResourceGroupNotFound")
    assert [g["name"] for g in here.ask("GET", GROUPS).json()["value"]] == ["g1"]
    assert refusal(here.ask("PUT", f"{GROUPS}/g2", {})) == (400, "LocationRequired")
    assert refusal(here.ask("PUT", f"{GROUPS}/g1", {"location": "westus"})) == (409, "InvalidResourceGroupLocation")
    assert refusal(here.ask("PUT", f"{GROUPS}/~", {"location": "westus"})) == (400, "ResourceGroupNameInvalid")


def test_a_resource_is_made_read_changed_listed_and_deleted(here: Here) -> None:
    made = here.have(STORE, tags={"a": "1"}, properties={"allowBlobPublicAccess": False})
    assert made["properties"]["primaryEndpoints"]["blob"].startswith("https://store1.blob")
    changed = here.ask("PATCH", STORE, {"tags": {"a": None, "b": "2"}, "properties": {"accessTier": "Cool"}}).json()
    assert (changed["tags"], changed["properties"]["accessTier"]) == ({"b": "2"}, "Cool")
    assert changed["properties"]["allowBlobPublicAccess"] is False
    kind = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts"
    assert len(here.ask("GET", kind).json()["value"]) == 1
    assert [r["name"] for r in here.ask("GET", f"{GROUPS}/g1/resources").json()["value"]] == ["store1"]
    assert here.ask("DELETE", STORE).status_code == 200
    assert here.ask("DELETE", STORE).status_code == 204
    assert refusal(here.ask("GET", STORE)) == (404, "ResourceNotFound")


def test_names_of_private_keys_are_never_told(here: Here) -> None:
    here.have(STORE)
    kept = here.cloud.get(STORE)
    assert kept is not None
    here.cloud.put({**kept, "_secret": "x", "properties": {**kept["properties"], "_inner": "y"}})
    told = here.ask("GET", STORE).text
    assert "_secret" not in told
    assert "_inner" not in told


REFUSED = [
    (
        f"{GROUPS}/g2/providers/Microsoft.Storage/storageAccounts/store1",
        {"location": "eastus"},
        404,
        "ResourceGroupNotFound",
    ),
    (f"{STORE}/blobServices/default", {}, 404, "ParentResourceNotFound"),
    (f"{STORE}/providers/Microsoft.Authorization/roleAssignments/{ASSIGNMENT}1", {}, 404, "ResourceNotFound"),
    (STORE, {}, 400, "LocationRequired"),
]


@pytest.mark.parametrize(("path", "body", "status", "code"), REFUSED)
def test_a_write_that_cannot_be_is_refused(here: Here, path: str, body: Any, status: int, code: str) -> None:
    assert refusal(here.ask("PUT", path, body)) == (status, code)


def test_a_resource_cannot_move(here: Here) -> None:
    here.have(STORE)
    assert refusal(here.ask("PUT", STORE, {"location": "westus"})) == (409, "InvalidResourceLocation")


def test_the_same_role_for_the_same_principal_exists_once(here: Here) -> None:
    said = {"properties": {"principalId": "p", "roleDefinitionId": READER, "principalType": "User"}}
    base = f"{GROUPS}/g1/providers/Microsoft.Authorization/roleAssignments/{ASSIGNMENT}"
    assert here.ask("PUT", f"{base}1", said).status_code == 201
    assert here.ask("PUT", f"{base}1", said).status_code == 200
    assert refusal(here.ask("PUT", f"{base}2", said)) == (409, "RoleAssignmentExists")


def test_a_vaults_secret_is_kept_and_its_value_is_not_told(here: Here) -> None:
    vault = f"{GROUPS}/g1/providers/Microsoft.KeyVault/vaults/v-1"
    here.have(vault)
    told = here.have(f"{vault}/secrets/one", properties={"value": "sesame"})
    assert "sesame" not in json.dumps(told)
    kept = here.cloud.get(f"{vault}/secrets/one")
    assert kept is not None
    assert kept["_value"] == "sesame"


def test_a_slow_write_is_followed_at_its_own_address(here: Here) -> None:
    made = here.ask("PUT", f"{GROUPS}/g1/providers/Microsoft.DBforPostgreSQL/flexibleServers/p", {"location": "eastus"})
    assert made.status_code == 202
    followed = here.ask("GET", made.headers["azure-asyncoperation"].removeprefix(here.served.url).split("?")[0])
    assert followed.json()["status"] == "Succeeded"


def test_keys_and_cluster_credentials_are_actions(here: Here) -> None:
    here.have(STORE)
    assert len(here.ask("POST", f"{STORE}/listKeys").json()["keys"]) == 2
    here.have(CLUSTER)
    told = here.ask("POST", f"{CLUSTER}/listClusterUserCredential").json()["kubeconfigs"][0]
    assert (told["name"], base64.b64decode(told["value"]).decode()) == ("clusterUser", "config of g1/k")
    here.have(CLUSTER, properties={"disableLocalAccounts": True})
    assert here.ask("POST", f"{CLUSTER}/listClusterAdminCredential").json()["code"] == "BadRequest"
    assert refusal(here.ask("POST", f"{CLUSTER}2/listClusterUserCredential")) == (404, "ResourceNotFound")


def test_providers_are_registered(here: Here) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Web"
    assert here.ask("GET", path).json()["registrationState"] == "Registered"
    assert here.ask("POST", f"{path}/register").is_success


# deployments


def test_what_is_offered_and_where_is_listed(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    here.have(STORE, sku={"name": "Standard_LRS"})

    listed = here.ask("GET", f"/subscriptions/{SUBSCRIPTION}/providers").json()["value"]
    regions = here.ask("GET", f"/subscriptions/{SUBSCRIPTION}/locations").json()["value"]

    assert {"Microsoft.Resources", "Microsoft.Storage"} <= {each["namespace"] for each in listed}
    assert "South Africa North" in [each["displayName"] for each in regions]


def test_roles_that_azure_brings_along_are_found_by_name_and_by_id(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    roles = f"{GROUPS}/g1/providers/Microsoft.Authorization/roleDefinitions"

    found = here.ask("GET", roles, **{"$filter": "roleName eq 'AcrPull'"}).json()["value"]

    assert [each["properties"]["roleName"] for each in found] == ["AcrPull"]
    assert here.ask("GET", f"{roles}/{found[0]['name']}").json() == found[0]
    assert here.ask("GET", roles, **{"$filter": "roleName eq 'Nobody'"}).json()["value"] == []
    assert refusal(here.ask("GET", f"{roles}/nobody")) == (404, "ResourceNotFound")


def test_assignments_are_listed_by_principal_and_told_when_they_go(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    assignments = f"{GROUPS}/g1/providers/Microsoft.Authorization/roleAssignments"
    for number in (1, 2):
        said = {"principalId": f"p-{number}", "roleDefinitionId": READER, "principalType": "User"}
        here.have(f"{assignments}/{ASSIGNMENT}{number}", properties=said)

    found = here.ask("GET", assignments, **{"$filter": "atScope() and principalId eq 'p-2'"}).json()["value"]

    assert [each["name"] for each in found] == [f"{ASSIGNMENT}2"]
    assert here.ask("DELETE", found[0]["id"]).json() == found[0]
    assert here.ask("DELETE", found[0]["id"]).status_code == 204


def test_the_pools_a_cluster_was_written_with_are_resources_too(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    here.have(CLUSTER, properties={"agentPoolProfiles": [{"name": "system", "count": 2, "mode": "System"}]})
    here.have(f"{CLUSTER}/agentPools/chain", properties={"count": 1})

    listed = here.ask("GET", f"{CLUSTER}/agentPools").json()["value"]

    assert [each["name"] for each in listed] == ["system", "chain"]
    assert here.ask("GET", f"{CLUSTER}/agentPools/system").json() == listed[0]
    assert listed[0]["properties"]["count"] == 2
    assert "name" not in listed[0]["properties"]
    assert refusal(here.ask("GET", f"{CLUSTER}/agentPools/none")) == (404, "ResourceNotFound")


def test_a_deployments_template_can_be_had_back(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    path = f"{GROUPS}/g1/providers/Microsoft.Resources/deployments/d"
    template = {"$schema": "x#", "contentVersion": "1.0.0.0", "resources": []}
    here.deploy(path, template=template)

    assert here.ask("POST", f"{path}/exportTemplate").json() == {"template": template}
    assert "_template" not in here.ask("GET", path).json()


def test_a_deployment_shows_its_parameters_and_hides_what_is_secure(here: Here) -> None:
    here.have(f"{GROUPS}/g1")
    defined = {
        "name": {"type": "string", "defaultValue": "one"},
        "sizes": {"type": "array", "defaultValue": [1]},
        "where": {"type": "string", "defaultValue": "[resourceGroup().location]"},
        "key": {"type": "securestring"},
        "keys": {"type": "secureObject", "defaultValue": {"a": "b"}},
    }
    template = {"$schema": "x#", "contentVersion": "1.0.0.0", "parameters": defined, "resources": []}
    path = f"{GROUPS}/g1/providers/Microsoft.Resources/deployments/d"

    told = here.deploy(path, template=template, parameters={"key": {"value": "whisper"}})["properties"]["parameters"]

    assert told["name"] == {"type": "String", "value": "one"}
    assert told["sizes"] == {"type": "Array", "value": [1]}
    assert told["key"] == {"type": "SecureString"}
    assert told["keys"] == {"type": "SecureObject"}


def test_a_deployment_is_validated_without_being_made(here: Here) -> None:
    path = f"{GROUPS}/g1/providers/Microsoft.Resources/deployments/d"
    template = {"$schema": "s", "contentVersion": "1.0.0.0", "resources": []}
    properties = {"mode": "Incremental", "template": template}
    assert (
        here.ask("POST", f"{path}/validate", {"properties": properties}).json()["properties"]["validatedResources"]
        == []
    )
    assert refusal(here.ask("GET", path)) == (404, "DeploymentNotFound")
    assert refusal(here.ask("PUT", path, {"properties": {"mode": "Complete", "template": template}}))[0] == 400
    assert refusal(here.ask("PUT", path, {"properties": {}})) == (400, "InvalidRequestContent")
    nowhere = path.replace("/g1/", "/g2/")
    assert refusal(here.ask("PUT", nowhere, {"properties": properties})) == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("STORAGE_ACCOUNT_ID", "storagE_ACCOUNT_ID"),
        ("keyVaultName", "keyVaultName"),
        ("ID", "id"),
        ("URLValue", "urlValue"),
    ],
)
def test_output_names_change_case_as_azure_changes_them(name: str, told: str) -> None:
    assert camel(name) == told


# the recorded requests, asked of the stand-in


def retold(samples: Path, name: str, here: Here) -> Iterator[tuple[dict[str, Any], httpx.Response]]:
    """Every exchange of a story with what the stand-in answers to the same request; polls go where it says."""
    story = json.loads((samples / f"azure/dev/{name}.json").read_text())
    follow = ""
    for each in story["exchanges"]:
        asked = each["request"]
        path = re.sub("^/subscriptions/[^/]+", f"/subscriptions/{SUBSCRIPTION}", asked["path"])
        if re.search("/operation(statuses|results)/", path, re.IGNORECASE):
            path = follow
        body = json.loads(json.dumps(asked["body"])) if isinstance(asked["body"], dict) else None
        version = asked["api_version"]
        answer = here.ask(asked["method"], path, body, **{"api-version": version})
        while path == follow and (
            answer.status_code == 202 or answer.text in ('{"status":"Running"}', '{"status":"Accepted"}')
        ):
            answer = here.ask(asked["method"], path, body, **{"api-version": version})
        header = answer.headers.get("azure-asyncoperation") or answer.headers.get("location") or ""
        follow = header.removeprefix(here.served.url).split("?")[0] or follow
        yield each, answer


def keys(value: Any) -> set[str]:
    """The names of an object and of the objects directly in it; what a person's own data is called does not count."""
    if not isinstance(value, dict):
        return set()
    inner = value.get("properties") or {}
    return set(value) | {f"properties.{name}" for name in inner if name != "outputs"}


@pytest.mark.parametrize(
    "name", ["arm-deploy-rg-create-poll-outputs-delete-2026", "arm-whatif-sub-create-then-nochange-2026"]
)
def test_recorded_requests_get_the_recorded_status_headers_and_shape(here: Here, samples: Path, name: str) -> None:
    for each, answer in retold(samples, name, here):
        asked, recorded = each["request"], each["response"]
        where = f"{asked['method']} {asked['path']}"
        assert answer.status_code == recorded["status"], where
        for header in ("location", "azure-asyncoperation"):
            assert (header in answer.headers) == (header in recorded["headers"]), where
        if isinstance(recorded["body"], dict):
            missing = keys(recorded["body"]) - keys(answer.json()) - {"tags"}
            assert not missing, where


def test_the_recorded_what_ifs_name_the_recorded_changes(here: Here, samples: Path) -> None:
    seen = []
    for each, answer in retold(samples, "arm-whatif-sub-create-then-nochange-2026", here):
        changes = ((each["response"]["body"] or {}).get("properties") or {}).get("changes")
        if changes and each["request"]["method"] == "GET":
            ours = answer.json()["properties"]["changes"]
            seen.append((told_changes(changes), told_changes(ours)))
    assert len(seen) == 2
    for recorded, ours in seen:
        assert ours == recorded


def told_changes(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted(
        (re.sub("^/subscriptions/[^/]+", "", c["resourceId"]).rsplit("/", 1)[0], c["changeType"]) for c in changes
    )

"""The look at a target, against a rehearsal: nothing wrong gives no finding, and each fault alone gives its own."""

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from workspace.addresses import Addresses
from workspace.clients.states import States
from workspace.clients.terraform import Terraform
from workspace.clients.terraform.engine import Engine
from workspace.environment import Environment
from workspace.ledger import Ledger
from workspace.live import ways
from workspace.live.look import look
from workspace.live.needs import Needs
from workspace.node import Kind, Node, Stage
from workspace.outside import Outside
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import RULES
from workspace.rehearsal import arm_rules, behaviour, vault_bin
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.server import Rehearsal
from workspace.release import Release

import deployments
from deployments import command

BASE = "/subscriptions/00000000-7e4e-4a15-b000-000000000000"
OTHER = "/subscriptions/66666666-7777-4888-8999-000000000002/resourceGroups/theirs/providers"
GROUP = f"{BASE}/resourceGroups/mystira-dev-rg"
APP_GROUP = f"{BASE}/resourceGroups/mys-dev-mystira-rg-san"
WORLD_GROUP = f"{BASE}/resourceGroups/mys-prod-mystira-rg-glob"
ZONE = f"{WORLD_GROUP}/providers/Microsoft.Network/dnszones/mystira.app"
REGISTRY = f"{WORLD_GROUP}/providers/Microsoft.ContainerRegistry/registries/mystiraacr"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/mystira-dev-aks"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/mystira-sg-dev-kv"
STATE = "dev/redis.tfstate"
APP_VAULT = f"{APP_GROUP}/providers/Microsoft.KeyVault/vaults/mys-dev-mystira-kv-san"
LEDGER = "https://mystiraledger.blob.core.windows.net/ledger"
ACCOUNT = f"{WORLD_GROUP}/providers/Microsoft.Storage/storageAccounts/mystiraledger"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/ledger"
_HOLD = """
import fcntl, os, sys, time
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print(1, flush=True)
time.sleep(60)
"""


class Target:
    """A rehearsal with what dev stands on, and the look at it."""

    def __init__(self, folder: Path, rehearsal: Rehearsal) -> None:
        self.folder, self.rehearsal = folder, rehearsal
        self.addresses = Addresses.model_validate(rehearsal.addresses)
        self.outside = Outside(self.addresses)
        self.undo: list[Callable[[], object]] = []
        world, place = deployments.nodes(deployments.find("world")), deployments.find("dev")
        self.needs = Needs.of(place, deployments.nodes(place), world, deployments.SOURCES)
        for group, region in ((GROUP, "eastus"), (APP_GROUP, "southafricanorth"), (WORLD_GROUP, "eastus")):
            self.put(group, location=region)
        self.put(ZONE, location="global")
        self.put(REGISTRY, location="eastus")
        pools = [{"name": "system", "vmSize": "Standard_B2s", "count": 2}]
        told = {"agentPoolProfiles": pools, "kubernetesVersion": "1.35", "currentKubernetesVersion": "1.35.1"}
        self.put(CLUSTER, location="eastus", properties=told)
        self.put(VAULT, location="eastus", properties={"enableRbacAuthorization": True})
        self.caller = behaviour.caller(self.addresses.subscription)
        self.grant = self.give("Key Vault Secrets User", VAULT)
        self.state = Path(self.addresses.terraform_backend["local"]["path"]) / STATE
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self.state.write_text("{}")

    def give(self, role: str, scope: str) -> str:
        """Have a role at a scope; returns the assignment."""
        assignment = f"{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
        definition = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
        self.put(assignment, properties={"principalId": self.caller, "roleDefinitionId": definition})
        return assignment

    def put(self, resource_id: str, **said: Any) -> None:
        """Have a resource, for this test only where it is not there already."""
        before = self.rehearsal.cloud.get(resource_id)
        self.rehearsal.cloud.put(
            behaviour.complete({"id": resource_id, "name": resource_id.rpartition("/")[2], **said})
        )
        self.undo.append(
            lambda: self.rehearsal.cloud.put(before) if before else self.rehearsal.cloud.delete(resource_id)
        )

    def fail(self, **fault: Any) -> None:
        """Have a fault in force."""
        file = self.folder / "rehearsal" / "faults.json"
        file.write_text(json.dumps([fault]))
        self.undo.append(file.unlink)

    def look(self, **changed: Any) -> tuple[Finding, ...]:
        needs = changed.pop("needs", self.needs)
        if not changed:
            return look([needs], self.outside).findings
        changed.pop("fresh", None)
        with Outside(self.addresses.model_copy(update=changed)) as outside:
            return look([needs], outside).findings


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("live")
    with Rehearsal(folder / "rehearsal", folder / "runs", bare=True) as made:
        target = Target(folder, made)
        target.undo.clear()
        with target.outside:
            yield target


@pytest.fixture
def target(whole: Target) -> Iterator[Target]:
    yield whole
    while whole.undo:
        whole.undo.pop()()


def unregistered_as(name: str) -> Callable[[Target], None]:
    def happens(target: Target) -> None:
        told = target.addresses.subscription, name
        arm_rules.register(target.rehearsal.cloud, *told, registered=False)
        target.undo.append(lambda: arm_rules.register(target.rehearsal.cloud, *told, registered=True))

    return happens


unregistered = unregistered_as("Microsoft.ServiceBus")


def locked(target: Target) -> None:
    note = target.state.with_name(f".{target.state.name}.lock.info")
    note.write_text(json.dumps({"ID": "1-2", "Who": "ada@desk", "Created": "2026-11-28"}))
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(target.state)], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline()

    def release() -> None:
        holder.kill()
        holder.communicate()
        note.unlink()

    target.undo.append(release)


def cluster(**said: Any) -> Callable[[Target], None]:
    def change(target: Target) -> None:
        before = target.rehearsal.cloud.get(CLUSTER) or {}
        target.put(CLUSTER, location="eastus", properties={**before["properties"], **said})

    return change


def failing(**fault: Any) -> Callable[[Target], None]:
    return lambda target: target.fail(**fault)


def without_cores(target: Target) -> None:
    cluster(agentPoolProfiles=[])(target)
    target.fail(point="quota", subject="eastus standardBSFamily", limit=3)


def without_a_role(target: Target) -> None:
    target.put(target.grant, properties={})


def pools(target: Target, most: int) -> dict[str, Any]:
    """Needs of which the cluster's machines are two, and may become so many."""
    node = next(each for each in target.needs.own if "kubernetes_version" in (each.settings.get("variables") or {}))
    variables = node.settings["variables"] | {
        "system_pool": {"vm_size": "Standard_B2s", "min_count": 2, "max_count": most}
    }
    changed = replace(node, settings={**node.settings, "variables": variables})
    return {"needs": replace(target.needs, nodes={**target.needs.nodes, node.id: changed})}


def growing(limit: int) -> Callable[[Target], dict[str, Any]]:
    """Machines of two cores, which may grow from two to five, where so many cores are allowed; four are used."""

    def happens(target: Target) -> dict[str, Any]:
        target.fail(point="quota", subject="eastus standardBSFamily", limit=limit)
        return pools(target, 5)

    return happens


def search(target: Target, *folders: Path) -> None:
    """Have programs looked for in these folders alone."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join(map(str, folders)) or os.devnull
    target.undo.append(lambda: os.environ.__setitem__("PATH", before))


def program(target: Target, name: str, prints: str = "") -> Path:
    """A folder with a program that prints something."""
    folder = target.folder / f"programs-{name}"
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\nprintf '%s' '{prints}'\n")
    file.chmod(0o700)
    return folder


def without_bicep(target: Target) -> dict[str, Any]:
    search(target)
    return {"programs": None}


def with_bicep_inside_az(target: Target) -> dict[str, Any]:
    search(target, program(target, "az"))
    return {"programs": None}


def without_an_engine(target: Target) -> dict[str, Any]:
    return {"engine": f"unix://{target.folder}/nowhere.sock"}


def asked_version(condition: str) -> Callable[[Target], dict[str, Any]]:
    """One stack, of definitions that ask for a version of Terraform."""

    def happens(target: Target) -> dict[str, Any]:
        root = target.folder / f"asks-{len(condition)}" / "infra/terraform/stacks/redis"
        root.mkdir(parents=True, exist_ok=True)
        (root / "main.tf").write_text(f'terraform {{\n  required_version = "{condition}"\n}}\n')
        node = next(each for each in target.needs.own if each.id == "redis")
        return {"needs": Needs(target.needs.place, {"redis": node}, root.parents[3])}

    return happens


def state_that_is_a_folder(target: Target) -> None:
    target.state.unlink()
    target.state.mkdir()

    def back() -> None:
        target.state.rmdir()
        target.state.write_text("{}")

    target.undo.append(back)


def state_that_is_not_there_yet(target: Target) -> None:
    target.state.unlink()
    target.undo.append(lambda: target.state.write_text("{}"))


def base_image(host: str) -> Callable[[Target], dict[str, Any]]:
    """One image, built from a base of a registry."""

    def happens(target: Target) -> dict[str, Any]:
        where = host or target.addresses.registry.partition("://")[2]
        folder = target.folder / f"builds-{len(where)}"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(f"FROM {where}/base:1 AS made\nFROM made\n")
        node = Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"dockerfile": "Dockerfile", "repository": "web"})
        return {"needs": Needs(target.needs.place, {node.id: node}, folder)}

    return happens


def pushed(registry: str) -> str:
    """The digest of an image of one layer in the repository `web`, where it is now."""

    def digest_of(content: bytes) -> str:
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    kind = "application/vnd.oci.image.manifest.v1+json"
    parts = (json.dumps({"os": "linux", "architecture": "amd64"}).encode(), b"a layer")
    with httpx.Client(base_url=registry) as client:
        for each in parts:
            place = client.post("/v2/web/blobs/uploads/").headers["location"]
            mark = "&" if "?" in place else "?"
            assert client.put(f"{place}{mark}digest={digest_of(each)}", content=each).status_code == 201
        config, layer = (
            {"mediaType": f"application/vnd.oci.image.{sort}", "size": len(each), "digest": digest_of(each)}
            for sort, each in zip(("config.v1+json", "layer.v1.tar"), parts, strict=True)
        )
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}).encode()
        place = f"/v2/web/manifests/{digest_of(body)}"
        assert client.put(place, content=body, headers={"content-type": kind}).status_code == 201
    return digest_of(body)


def carrying(*, kept: bool, proven: bool = True) -> Callable[[Target], dict[str, Any]]:
    """An environment that follows dev, where a release of an image and a package was proven; both kept or neither."""

    def happens(target: Target) -> dict[str, Any]:
        state = target.folder / f"carrying-{kept}-{proven}"
        (state / "packages").mkdir(parents=True)
        zipped = b"a package"
        sha256 = hashlib.sha256(zipped).hexdigest()
        digest = pushed(target.addresses.registry) if kept else f"sha256:{'0' * 64}"
        if kept:
            (state / "packages" / sha256).write_bytes(zipped)
        if proven:
            with contextlib.closing(Ledger(state)) as ledger:
                release = Release({"web-image": digest, "pwa": sha256}, "definitions", "dev")
                ledger.prove("run-1", "dev", release)
        nodes = (
            Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"repository": "web"}),
            Node("pwa", Kind.PACKAGE, Stage.IMAGES, settings={"name": "pwa"}),
        )
        place = Environment("staging", follows="dev")
        return {"needs": Needs.of(place, nodes, (), target.folder), "state": state, "packages": str(state / "packages")}

    return happens


def policies(*permissions: str, whose: str = "", role: bool = True) -> Callable[[Target], None]:
    """The vault is opened by access policies: one for us (or somebody), or none."""

    def happens(target: Target) -> None:
        policy = {"objectId": whose or target.caller, "permissions": {"secrets": list(permissions)}}
        said = {"enableRbacAuthorization": False, "accessPolicies": [policy] if permissions else []}
        target.put(VAULT, location="eastus", properties=said)
        if not role:
            target.put(target.grant, properties={})

    return happens


def shared(*roles: str, account: bool = True, container: bool = True, left: str = "", url: str = LEDGER) -> Any:
    """A team's ledger in a container on which we have these roles, and at whose account this one is left."""

    def happens(target: Target) -> dict[str, Any]:
        if account:
            target.put(ACCOUNT, location="eastus")
        if container:
            target.put(CONTAINER)
        for role in roles:
            target.give(role, CONTAINER)
        if left:
            target.fail(point="permissions", subject="mystiraledger", how=left)
        return {"ledger": url}

    return happens


def deleted_vault(resource_id: str) -> Callable[[Target], None]:
    def happens(target: Target) -> None:
        cloud, name = target.rehearsal.cloud, resource_id.rpartition("/")[2]
        vault = {"id": resource_id, "location": "eastus"}
        cloud.put(behaviour.complete(vault))
        vault_bin.throw_away(cloud, cloud.get(vault["id"]) or vault)
        target.undo.append(lambda: vault_bin.purge(cloud, vault_bin.found(cloud, name) or {}))

    return happens


def their(name: str) -> Callable[[Target], None]:
    return lambda target: target.put(f"{OTHER}/Microsoft.Storage/storageAccounts/{name}")


Happens = Callable[[Target], Mapping[str, Any] | None]
FAULTS: dict[str, tuple[Happens, str, str]] = {
    "an expired secret": (
        failing(point="identity", subject="token", how="expired-secret"),
        "live/credential-expired", "AADSTS7000222",
    ),
    "a reader where a contributor is needed": (
        failing(point="permissions", subject="mystira-dev-rg", how="Reader"),
        "live/role-missing", f"the role Contributor on {GROUP} allows it",
    ),
    "no right to assign roles": (
        failing(point="permissions", subject="mystira-dev-rg", how="Contributor"),
        "live/role-missing", "roleAssignments/write; the role Role Based Access Control Administrator",
    ),
    "no right to push": (
        failing(point="permissions", subject="mystiraacr", how="Reader"),
        "live/role-missing", "registries/push/write; the role AcrPush",
    ),
    "no right to write records": (
        failing(point="permissions", subject="mystira.app", how="Reader"),
        "live/role-missing", "the role DNS Zone Contributor",
    ),
    "no role on a vault": (without_a_role, "live/data-role-missing", "the role Key Vault Secrets User"),
    "a provider": (unregistered, "live/provider-not-registered", "Microsoft.ServiceBus is not registered"),
    "too few cores": (
        without_cores,
        "live/quota", "needs 4 cores more at least, and of standardBSFamily in eastus 3 cores are left",
    ),
    "cores for now and not for all": (
        growing(8), "live/quota-for-growth",
        "may grow by 6 cores, and of standardBSFamily in eastus 4 cores are left (4 of 8 are used)",
    ),
    "somebody's name": (their("mystirachaindevsa"), "live/name-taken", "mystirachaindevsa is already taken"),
    "somebody's name of a template": (their("mysdevmystirastsan"), "live/name-taken", "mysdevmystirastsan"),
    "a deleted vault": (
        deleted_vault(f"{GROUP}/providers/Microsoft.KeyVault/vaults/mystira-chain-dev-kv"),
        "live/name-soft-deleted", "mystira-chain-dev-kv was deleted in eastus",
    ),
    "a deleted vault of a template": (
        deleted_vault(APP_VAULT), "live/name-soft-deleted", "mys-dev-mystira-kv-san was deleted in eastus",
    ),
    "a role on a vault that access policies open": (policies(), "live/data-role-missing", "none lets us"),
    "an access policy that does not get": (policies("list", "set"), "live/data-role-missing", "We may not get secrets"),
    "access policies of others": (
        policies("get", whose="99999999-0000-4000-8000-000000000000", role=False), "live/not-asked", "let 1 others get",
    ),
    "no role on the ledger's container": (
        shared(), "live/data-role-missing", f"the role Storage Blob Data Contributor on {CONTAINER} allows it",
    ),
    "only a reader of the ledger": (
        shared("Storage Blob Data Reader"), "live/data-role-missing", "blobs/add/action",
    ),
    "no right to sign for a site": (
        shared("Storage Blob Data Contributor", left="Reader"),
        "live/role-missing", f"the role Storage Blob Delegator on {ACCOUNT} allows it",
    ),
    "a ledger in an account that is not there": (
        shared(account=False, container=False), "live/not-asked", "no storage account mystiraledger",
    ),
    "a ledger in a container that is not there": (
        shared(container=False), "live/not-asked", "no container ledger",
    ),
    "a base image that nobody has": (base_image("127.0.0.1:9"), "live/feed-unreachable", "Dockerfile builds from"),
    "a release of which parts are gone": (carrying(kept=False), "live/part-missing", "package pwa"),
    "no Bicep": (without_bicep, "live/tool-missing", "no Bicep compiler is here"),
    "no Docker engine": (without_an_engine, "live/tool-missing", "No Docker engine answers"),
    "a Terraform that is too old": (asked_version(">= 99.1"), "live/tool-version", "redis ask for >= 99.1"),
    "a state that cannot be read": (state_that_is_a_folder, "live/state-unreachable", "Is a directory"),
    "no delegation": (
        failing(point="dns", subject="mystira.app", how="nxdomain"),
        "live/not-delegated", "The public finds mystira.app at no name server",
    ),
    "a stopped cluster": (cluster(powerState={"code": "Stopped"}), "live/cluster-unready", "is stopped"),
    "a cluster that is too old": (
        cluster(currentKubernetesVersion="1.33.4"), "live/cluster-version", "more than one minor version above",
    ),
    "a cluster that is newer": (
        cluster(currentKubernetesVersion="1.37.0"), "live/cluster-version", "say 1.36, which is lower",
    ),
    "a locked state": (
        locked, "live/state-locked", "dev/redis.tfstate is locked by ada@desk since 2026-11-28 (lock 1-2)",
    ),
    "no answer about usages": (
        failing(point="arm", subject="*usages*", how="503"), "live/not-asked", "quota for dev",
    ),
}  # fmt: skip


# The rule it comes near to, and what happens.
NEAR: dict[str, tuple[Happens, str]] = {
    "cores for all that may be": (growing(10), "live/quota-for-growth"),
    "as many cores as are needed": (failing(point="quota", subject="eastus standardBSFamily", limit=4), "live/quota"),
    "Bicep inside az": (with_bicep_inside_az, "live/tool-missing"),
    "a version that fits": (asked_version(">= 1.5, < 99"), "live/tool-version"),
    "a state that is not there yet": (state_that_is_not_there_yet, "live/state-unreachable"),
    "a base image of a registry that answers": (base_image(""), "live/feed-unreachable"),
    "a release that is whole": (carrying(kept=True), "live/part-missing"),
    "a release that nobody proved": (carrying(kept=False, proven=False), "live/part-missing"),
    "an access policy and no role": (policies("Get", role=False), "live/data-role-missing"),
    "an access policy for everything": (policies("all", role=False), "live/data-role-missing"),
    "a contributor to the ledger's blobs": (shared("Storage Blob Data Contributor"), "live/data-role-missing"),
    "a delegator on the ledger's account": (
        shared("Storage Blob Data Owner", left="Storage Blob Delegator"), "live/role-missing",
    ),
    "a ledger of an emulator": (
        shared(account=False, container=False, url="https://127.0.0.1:10000/here/ledger"), "live/not-asked",
    ),
    "a deleted vault of another name": (deleted_vault(f"{APP_VAULT}-old"[:-4] + "x"), "live/name-soft-deleted"),
    "somebody's similar name": (their("mystirachaindevsax"), "live/name-taken"),
    "a provider that nothing here uses": (unregistered_as("Microsoft.Batch"), "live/provider-not-registered"),
    "a tenant in capitals": (lambda target: {"tenant": target.addresses.tenant.upper()}, "live/wrong-tenant"),
    "a registry's address with a slash at its end": (
        lambda target: {"registry": f"{target.addresses.registry}/"}, "live/registry-unreachable",
    ),
    "a cluster that is being changed and runs": (cluster(powerState={"code": "Running"}), "live/cluster-unready"),
    "a cluster one version below": (cluster(currentKubernetesVersion="1.35.9"), "live/cluster-version"),
}  # fmt: skip


def test_a_target_with_nothing_wrong_gives_no_finding(target: Target) -> None:
    assert [str(each) for each in target.look()] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_alone_is_found_as_itself(target: Target, fault: str) -> None:
    happens, rule, words = FAULTS[fault]
    changed = happens(target) or {}
    found = target.look(**changed, **({"fresh": True} if rule == "live/credential-expired" else {}))
    # without a credential it is said once what was not asked
    beside = {"live/not-asked"} if rule == "live/credential-expired" else set()
    assert {each.rule.id for each in found} == {rule} | beside, [str(each) for each in found]
    assert any(words in each.what for each in found), [each.what for each in found]
    place = changed["needs"].place.name if "needs" in changed else "dev"
    assert {each.environments for each in found if each.rule.id == rule} == {(place,)}


@pytest.mark.parametrize("near", NEAR)
def test_what_only_looks_like_a_fault_is_none(target: Target, near: str) -> None:
    changed = NEAR[near][0](target) or {}
    assert [str(each) for each in target.look(**changed)] == []


def test_every_rule_about_a_target_is_made_to_speak() -> None:
    told = {rule for _, rule, _ in FAULTS.values()} | {rule for _, rule in IDENTITIES} | {"live/registry-unreachable"}
    assert told == {each.id for each in RULES}
    assert {rule for _, rule in NEAR.values()} <= told


IDENTITIES: list[tuple[dict[str, Any], str]] = [
    ({"tenant": "11111111-2222-4333-8444-555555555555"}, "live/wrong-tenant"),
    ({"subscription": "66666666-7777-4888-8999-000000000009"}, "live/wrong-subscription"),
    ({"identity": Path("/nowhere/identity.json")}, "live/no-credential"),
]


@pytest.mark.parametrize(("changed", "rule"), IDENTITIES)
def test_an_identity_that_does_not_fit_is_told_and_the_rest_is_not_asked(
    target: Target, changed: dict[str, Any], rule: str
) -> None:
    found = target.look(**changed)
    assert [each.rule.id for each in found] == [rule, "live/not-asked"]
    assert "roles, providers, quota, names, delegation and the cluster are not known" in found[1].what


def test_a_registry_that_does_not_answer_is_told(target: Target) -> None:
    (found,) = target.look(registry="http://127.0.0.1:9")
    assert (found.rule.id, found.place) == ("live/registry-unreachable", "http://127.0.0.1:9")


def test_a_note_about_a_lock_that_nobody_holds_is_no_lock(target: Target) -> None:
    note = target.state.with_name(f".{target.state.name}.lock.info")
    note.write_text("{}")
    target.undo.append(note.unlink)
    assert target.look() == ()


class Store(http.server.BaseHTTPRequestHandler):
    """A storage account: which status and headers a container and a blob have."""

    answers: Mapping[str, tuple[int, Mapping[str, str]]] = {}

    def do_HEAD(self) -> None:
        status, headers = self.answers.get(self.path.partition("?")[0], (404, {"x-ms-error-code": "BlobNotFound"}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


FORBIDDEN = (403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ({"/states/tf": FORBIDDEN}, "live/state-unreachable"),
        ({"/states/tf": (404, {"x-ms-error-code": "ContainerNotFound"})}, "live/state-unreachable"),
        ({"/states/tf": (200, {}), f"/states/tf/{STATE}": FORBIDDEN}, "live/state-unreachable"),
        (
            {"/states/tf": (200, {}), f"/states/tf/{STATE}": (200, {"x-ms-lease-status": "locked"})},
            "live/state-locked",
        ),
        ({"/states/tf": (200, {}), f"/states/tf/{STATE}": (200, {"x-ms-lease-status": "unlocked"})}, ""),
        ({"/states/tf": (200, {})}, ""),
    ],
)
def test_states_in_a_container_are_looked_at_there(target: Target, answers: Any, rule: str) -> None:
    handler = type("Answering", (Store,), {"answers": answers})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"storage_account_name": "states", "container_name": "tf", "use_azuread_auth": True}
        endpoint = f"http://127.0.0.1:{server.server_port}/{{account}}"
        states = States({"azurerm": settings}, token=lambda: "token", endpoint=endpoint)
        needs = replace(target.needs, nodes={"redis": target.needs.nodes["redis"]})
        found = [each.rule.id for each in ways.states(needs, SimpleNamespace(states=states))]
        server.shutdown()
    assert found == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("prints", "rule", "words"),
    [
        ('{"terraform_version": "1.4.6"}', "live/tool-missing", "passed over Terraform 1.4.6"),
        ("Segmentation fault", "live/tool-missing", "passed over Terraform 0"),
        ('{"terraform_version": "1.5.0"}', "live/tool-version", "redis ask for >= 1.6"),
        ('{"terraform_version": "1.6.0"}', "", ""),
    ],
)
def test_the_terraform_of_this_machine_is_asked_for_its_version(
    target: Target, prints: str, rule: str, words: str
) -> None:
    engine = Engine(str(program(target, "terraform", prints) / "terraform"), origin="here")
    outside = SimpleNamespace(terraform=Terraform(backend={}, engine=engine))
    found = list(ways.terraform(asked_version(">= 1.6")(target)["needs"], outside))
    assert [each.rule.id for each in found] == ([rule] if rule else [])
    assert words in "".join(each.what for each in found)


@pytest.mark.parametrize(
    ("version", "condition", "fits"),
    [
        ("1.9.5", ">= 1.5", True),
        ("1.9.5", "~> 1.9", True),
        ("1.10.0", "~> 1.9", True),
        ("2.0.0", "~> 1.9", False),
        ("1.10.0", "~> 1.9.2", False),
        ("1.9.1", "~> 1.9.2", False),
        ("1.9.5", ">= 1.5, < 1.9", False),
        ("1.9.5", "!= 1.9.5", False),
        ("1.9.0", "1.9", True),
        ("1.9.5-beta1", "= 1.9.5", True),
    ],
)
def test_a_condition_on_a_version_is_read_as_terraform_reads_it(version: str, condition: str, fits: bool) -> None:
    assert ways.fits(version, condition) is fits


def test_nothing_is_written(target: Target) -> None:
    before = {each["id"]: each for each in target.rehearsal.cloud.all()}
    target.look()
    assert {each["id"]: each for each in target.rehearsal.cloud.all()} == before


def test_the_command_line_looks_at_a_target_too(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(target.addresses.model_dump_json())
    words = ["check", "--addresses", str(file), "--only", "live", "--environment", "dev", "--quiet"]
    clean = CliRunner().invoke(command.application, words)
    assert clean.exit_code == 0, clean.output
    unregistered(target)
    found = CliRunner().invoke(command.application, words)
    assert (found.exit_code, "Microsoft.ServiceBus" in found.output) == (1, True), found.output


def test_rules_about_a_target_want_its_addresses() -> None:
    told = CliRunner().invoke(command.application, ["check", "--only", "live"])
    assert told.exit_code == 2
    assert "--addresses" in told.output

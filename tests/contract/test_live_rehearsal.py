"""The look at a target, against a rehearsal: nothing wrong gives no finding, and each fault alone gives its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workspace.addresses import Addresses
from workspace.errors import Broken
from workspace.live.look import look
from workspace.live.needs import Needs
from workspace.outside import Outside
from workspace.preflight.finding import Finding
from workspace.rehearsal import arm_rules, behaviour, vault_bin
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.server import Rehearsal

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
        self.grant = f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
        role = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{ROLES['Key Vault Secrets User']}"
        caller = behaviour.caller(self.addresses.subscription)
        self.put(self.grant, properties={"principalId": caller, "roleDefinitionId": role})
        self.state = Path(self.addresses.terraform_backend["local"]["path"]) / STATE
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self.state.write_text("{}")

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
        lacking = changed.pop("lacking", lambda: ())
        answers = changed.pop("answers", lambda url: url)
        if not changed:
            return look([self.needs], self.outside, lacking={"dev": lacking}, answers=answers).findings
        changed.pop("fresh", None)
        with Outside(self.addresses.model_copy(update=changed)) as outside:
            return look([self.needs], outside, lacking={"dev": lacking}, answers=answers).findings


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


def unregistered(target: Target) -> None:
    told = target.addresses.subscription, "Microsoft.ServiceBus"
    arm_rules.register(target.rehearsal.cloud, *told, registered=False)
    target.undo.append(lambda: arm_rules.register(target.rehearsal.cloud, *told, registered=True))


def deleted(target: Target) -> None:
    cloud = target.rehearsal.cloud
    vault = {"id": f"{GROUP}/providers/Microsoft.KeyVault/vaults/mystira-chain-dev-kv", "location": "eastus"}
    cloud.put(behaviour.complete(vault))
    vault_bin.throw_away(cloud, cloud.get(vault["id"]) or vault)
    target.undo.append(lambda: vault_bin.purge(cloud, vault_bin.found(cloud, "mystira-chain-dev-kv") or {}))


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


def taken(target: Target) -> None:
    target.put(f"{OTHER}/Microsoft.Storage/storageAccounts/mystirachaindevsa")


FAULTS: dict[str, tuple[Callable[[Target], None], str, str]] = {
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
    "somebody's name": (taken, "live/name-taken", "mystirachaindevsa is already taken"),
    "a deleted vault": (deleted, "live/name-soft-deleted", "mystira-chain-dev-kv was deleted in eastus"),
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


def test_a_target_with_nothing_wrong_gives_no_finding(target: Target) -> None:
    assert [str(each) for each in target.look()] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_alone_is_found_as_itself(target: Target, fault: str) -> None:
    happens, rule, words = FAULTS[fault]
    happens(target)
    found = target.look(**({"fresh": True} if rule == "live/credential-expired" else {}))
    # without a credential it is said once what was not asked
    beside = {"live/not-asked"} if rule == "live/credential-expired" else set()
    assert {each.rule.id for each in found} == {rule} | beside, [str(each) for each in found]
    assert any(words in each.what for each in found), [each.what for each in found]
    assert {each.environments for each in found if each.rule.id == rule} == {("dev",)}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"tenant": "11111111-2222-4333-8444-555555555555"}, "live/wrong-tenant"),
        ({"subscription": "66666666-7777-4888-8999-000000000009"}, "live/wrong-subscription"),
        ({"identity": Path("/nowhere/identity.json")}, "live/no-credential"),
    ],
)
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


def test_parts_and_feeds_are_asked_of_whoever_knows(target: Target) -> None:
    (part,) = target.look(lacking=lambda: ["the image of chain is gone"])
    assert (part.rule.id, part.what) == ("live/part-missing", "the image of chain is gone")

    def silent(url: str) -> None:
        raise Broken("refused")

    found = target.look(answers=silent, sources={})
    assert {each.rule.id for each in found} == {"live/feed-unreachable"}


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

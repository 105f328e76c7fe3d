"""Every recorded Azure conversation, through what of the product could have held it: the true end, no write too many.

The cases are the files of the samples: a story that nothing here meets fails, and so does an exchange that no client of
ours asked for, unless UNASKED says why none would.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence, files_of
from stories import Told, asking, soon
from workspace.clients.arm import ChangeKind
from workspace.clients.zone import RecordSet
from workspace.errors import Broken, Refused, Unsettled

Meeting = Callable[[Told], None]
MEETINGS: dict[str, list[Meeting]] = {}

SIGNING_IN = "the recorder signed in by itself; ours is the business of the real credential"
VALIDATING = "we ask what-if, which validates too"
LOOKING_AROUND = "azd finds its things by listing them all; we ask for the one we mean"
NOT_OURS = "a type of record that we read and refuse to write"
REGISTRY_TASKS = "we build with an engine and push; no source goes to a registry's tasks"
THE_SAME_AGAIN = "the same question was answered before"

UNASKED: dict[str, dict[int, str]] = {
    "acr-remote-build-2026": {0: LOOKING_AROUND, **dict.fromkeys(range(2, 18), REGISTRY_TASKS)},
    "aks-quota-409-toplevel-code": {1: "the versions stand in our definitions"},
    "arm-deploy-cancel-2016": {5: "what a cancelled deployment left is what-if's to find"},
    "arm-deploy-operations-list": {0: SIGNING_IN, **dict.fromkeys(range(6, 10), VALIDATING)},
    "arm-deploy-rg-create-poll-outputs-delete-2026": {1: LOOKING_AROUND, 3: VALIDATING},
    "arm-deploy-validate-ruby": {0: SIGNING_IN, **dict.fromkeys(range(6, 10), VALIDATING)},
    "arm-stack-rg-up-down-2026": {0: LOOKING_AROUND, 7: LOOKING_AROUND, 8: THE_SAME_AGAIN},
    "arm-whatif-sub-create-then-nochange-2026": {4: VALIDATING, **dict.fromkeys((2, 3, 8, 11), LOOKING_AROUND)},
    "dns-zone-records-crud": dict.fromkeys((1, 6, 7, 10, 18, 22, 24), NOT_OURS),
    "list-keyvaulttest-whitelist": {3: "people are looked up in Entra; we know none by name"},
    "webapp-slots-swap-net": {11: LOOKING_AROUND, 16: THE_SAME_AGAIN},
    "webapp-zipdeploy-async-and-slot-2026": {
        **dict.fromkeys((1, 7, 9), LOOKING_AROUND),
        **dict.fromkeys((6, 10, 13), THE_SAME_AGAIN),
    },
}


def meets(story: str) -> Callable[[Meeting], Meeting]:
    """What follows hears this story; several may, each from its beginning."""

    def register(meeting: Meeting) -> Meeting:
        MEETINGS.setdefault(story, []).append(meeting)
        return meeting

    return register


@pytest.mark.evidence("azure-stories")
def test_every_recorded_story_is_met_and_taken_to_its_true_end(samples: Path, evidence: Evidence) -> None:
    def hear(file: str) -> None:
        story = Path(file).stem
        evidence.used(file)
        told = [(meeting, Told(samples, file)) for meeting in MEETINGS[story]]
        for meeting, each in told:
            meeting(each)
        recorded = set(range(len(told[0][1].exchanges)))
        unasked = recorded - set().union(*(each.replay.used for _, each in told))
        assert unasked == set(UNASKED.get(story, {})), f"not asked for: {sorted(unasked)}"
        evidence.figure("exchanges asked for", len(recorded - unasked), len(recorded))

    evidence.each(files_of("azure-stories", samples), hear)
    reasons = Counter(reason for those in UNASKED.values() for reason in those.values())
    for reason, count in reasons.most_common():
        evidence.detail(f"not asked for, {count} times: {reason}")


def test_no_story_is_met_that_is_not_recorded(samples: Path) -> None:
    assert set(MEETINGS) == {Path(file).stem for file in files_of("azure-stories", samples)}


# --- groups and deployments


@meets("arm-deploy-rg-create-poll-outputs-delete-2026")
def a_group_and_a_deployment_are_made_read_and_deleted(told: Told) -> None:
    group, asked = told.group(0), told.deployed(4)
    names = ["STORAGE_ACCOUNT_ID", "STORAGE_ACCOUNT_NAME"]

    assert told.arm.last(group, asked["name"]) is None
    assert told.arm.ensure_group(group, "eastus2", {"DeleteAfter": "2026-04-09T20:15:29Z"}) is True
    done = told.arm.deploy(group, **asked)
    newest = told.arm.last(group, asked["name"])

    assert set(done.named(names)) == set(names)
    assert newest is not None and newest.outputs == done.outputs
    assert told.arm.resources(group) == done.resources
    assert told.arm.delete_group(group) is True
    assert [method for method, _ in told.replay.writes] == ["PUT", "PUT", "DELETE"]


@meets("arm-deploy-rg-create-poll-outputs-delete-2026")
def its_operation_is_followed_to_its_end(told: Told) -> None:
    made = told.waited(told.put(4), "the deployment")
    assert made["properties"]["provisioningState"] == "Succeeded"


@meets("arm-whatif-sub-create-then-nochange-2026")
def what_if_creates_at_first_and_is_uncertain_right_after(told: Told) -> None:
    asked = told.deployed(5)

    def ask() -> Any:
        return told.arm.what_if("", **asked, location="eastus2")

    first, second = ask(), ask()

    assert [each.kind for each in first.certain] == [ChangeKind.CREATE, ChangeKind.CREATE]
    assert first.certain[0].resource.endswith("/rg-azdtest-d8523ca")
    assert second.certain == ()
    assert [each.properties for each in second.uncertain] == [("tags.DeleteAfter", "tags.SecureTag")]
    assert [each.kind for each in second.changes] == [ChangeKind.UNCERTAIN, ChangeKind.NO_CHANGE]
    assert {method for method, _ in told.replay.writes} == {"POST"}


@meets("arm-whatif-sub-create-then-nochange-2026")
def what_was_previewed_is_deployed_once(told: Told) -> None:
    assert told.arm.deploy("", **told.deployed(5), location="eastus2").succeeded
    assert [method for method, _ in told.replay.writes] == ["PUT"]


@meets("arm-whatif-sub-create-then-nochange-2026")
def its_operation_is_followed_at_the_subscription_too(told: Told) -> None:
    assert told.waited(told.put(5), "the deployment")["properties"]["provisioningState"] == "Succeeded"


@meets("arm-stack-rg-up-down-2026")
def a_deployment_stack_is_validated_made_read_and_deleted(told: Told) -> None:
    stack = told.path(3)
    told.waited(told.post(1), "validating the stack")
    told.waited(told.put(3), "the stack")
    found = told.arm.resource(stack, "2024-03-01")
    assert found is not None and found["properties"]["provisioningState"] == "succeeded"
    told.waited(told.delete(9), "deleting the stack")
    assert [method for method, _ in told.replay.writes] == ["POST", "PUT", "DELETE"]


@meets("arm-deploy-cancel-2016")
def a_running_deployment_is_cancelled_and_its_end_is_told(told: Told) -> None:
    group, asked = told.group(0), told.deployed(1)
    assert told.arm.ensure_group(group, "southcentralus") is True
    with pytest.raises(Unsettled, match="still runs"):
        told.arm.deploy(group, asked["name"], {}, {}, deadline_seconds=-1)
    told.arm.cancel(group, asked["name"])
    found = told.arm.deployment(group, asked["name"])
    assert found is not None
    assert (found.state, found.is_running) == ("Canceled", False)
    assert told.arm.delete_group(group) is True


@meets("arm-deploy-invalid-template")
def an_invalid_template_is_refused_and_a_missing_group_needs_no_deleting(told: Told) -> None:
    group, asked = told.group(1), told.deployed(1)
    assert told.arm.ensure_group(group, "eastus") is True
    with pytest.raises(Refused, match=r"InvalidTemplate: .*sshKeyData"):
        told.arm.deploy(group, **asked)
    with pytest.raises(Unsettled):
        told.arm.delete_group(group, deadline_seconds=0.05)  # how it went on was not recorded
    assert told.arm.delete_group(told.group(3)) is False


@meets("arm-deploy-operations-list")
@meets("arm-deploy-validate-ruby")
def a_deployment_is_read_until_it_has_ended(told: Told) -> None:
    group, asked = told.group(1), told.deployed(2)
    heard: list[str] = []
    assert told.arm.deploy(group, **asked, say=heard.append).succeeded
    assert heard == [f"deployment {asked['name']} in {group} accepted"]
    assert [method for method, _ in told.replay.writes] == ["PUT"]


@meets("arm-deploy-operations-list")
def a_deployment_is_followed_and_its_operations_are_read(told: Told) -> None:
    group, asked = told.group(1), told.deployed(2)
    heard: list[str] = []
    assert told.arm.ensure_group(group, "westus") is True
    assert told.waited(told.put(2), "the deployment")["properties"]["provisioningState"] == "Succeeded"
    operations = list(told.arm._operations(group, asked["name"]))
    assert [each["properties"]["provisioningState"] for each in operations] == ["Succeeded"] * len(operations)
    assert told.arm.delete_group(group, heard.append) is True
    assert heard[0] == f"deleting resource group {group}: accepted"


@meets("arm-deploy-validate-ruby")
def a_deployment_that_was_validated_first_is_followed_too(told: Told) -> None:
    group = told.group(1)
    assert told.arm.ensure_group(group, "westus") is True
    assert told.waited(told.put(2), "the deployment")["properties"]["provisioningState"] == "Succeeded"
    assert told.arm.delete_group(group) is True


@meets("rg-delete-blocked-409")
def a_blocked_deletion_is_told_by_what_blocks_it(told: Told) -> None:
    with pytest.raises(Broken, match=r"InUseSubnetCannotBeDeleted.*Delete what blocks it first") as caught:
        told.arm.delete_group(told.group(0))
    assert "\n" not in str(caught.value)


@meets("rg-errors-ruby")
def a_group_name_azure_does_not_allow_is_refused(told: Told) -> None:
    with pytest.raises(Refused, match="InvalidResourceGroup"):
        told.arm.group("~`123")


@meets("list-resourcegrouptest-empty_group")
def what_a_group_holds_is_listed_and_an_empty_one_is_empty(told: Told) -> None:
    for group in told.each_by_itself(0):
        found = told.arm.group(group.rpartition("/")[2])
        assert found is not None and found.state == "Succeeded" and found.location
    assert told.arm.resources("test_emptyrg") == ()


@meets("acr-remote-build-2026")
def what_a_group_holds_is_listed(told: Told) -> None:
    (app,) = told.arm.resources(told.group(1))
    assert app.endswith("/Microsoft.App/containerApps/app-z3d55g5kvuifw")


# --- long operations of many kinds


@meets("aks-create-nodepool-credentials-2020")
def a_cluster_is_made_grown_changed_and_spoken_to(told: Told) -> None:
    group, name, pool = told.group(0), told.path(1).rpartition("/")[2], told.path(10).rpartition("/")[2]
    assert told.arm.ensure_group(group, "eastus") is True

    clusters, pools = told.kubernetes.managed_clusters, told.kubernetes.agent_pools
    body = {"location": "eastus"}
    first = told.waited(lambda **o: clusters.begin_create_or_update(group, name, body, **o), "the cluster")
    added = told.waited(lambda **o: pools.begin_create_or_update(group, name, pool, {}, **o), "the pool")
    second = told.waited(lambda **o: clusters.begin_create_or_update(group, name, body, **o), "the cluster")

    assert {each["properties"]["provisioningState"] for each in (first, added, second)} == {"Succeeded"}
    assert told.clusters.ready(group, name).power == "Running"
    assert told.clusters.kubeconfig(group, name).startswith("apiVersion: v1")
    assert told.clusters.kubeconfig(group, name).startswith("apiVersion: v1")


@meets("aks-create-nodepool-credentials-2020")
def where_the_user_may_not_the_administrators_credentials_are_used_if_that_is_allowed(told: Told) -> None:
    told.replay.assume(1, 17)
    group, name = told.group(1), told.path(1).rpartition("/")[2]
    for place in (9, 25):
        told.refuse(place, "AuthorizationFailed")
    with pytest.raises(Broken, match="AuthorizationFailed"):
        told.clusters.kubeconfig(group, name)
    assert told.clusters.kubeconfig(group, name, admin=True).startswith("apiVersion: v1")
    assert [path.rpartition("/")[2] for _, path in told.replay.writes] == [
        *["listclusterusercredential"] * 2,
        "listclusteradmincredential",
    ]


@meets("aks-create-nodepool-credentials-2020")
def and_again_after_it_was_changed(told: Told) -> None:
    told.replay.assume(1, 8, 9, 17)
    told.refuse(25, "AuthorizationFailed")
    name = told.path(1).rpartition("/")[2]
    assert told.clusters.kubeconfig(told.group(1), name, admin=True).startswith("apiVersion: v1")


@meets("aks-list-2019")
def a_cluster_in_creation_is_worth_waiting_for(told: Told) -> None:
    (cluster,) = told.each_by_itself(0)
    with pytest.raises(Unsettled, match="is creating"):
        told.clusters.ready(cluster.split("/")[4], cluster.rpartition("/")[2])
    with pytest.raises(Unsettled, match="does not exist"):
        told.clusters.ready(cluster.split("/")[4], "nobody")


@meets("aks-quota-409-toplevel-code")
def a_cluster_beyond_the_quota_is_broken_and_not_there_already(told: Told) -> None:
    group, name = told.group(0), told.path(2).rpartition("/")[2]
    assert told.arm.ensure_group(group, "eastus") is True
    make = told.kubernetes.managed_clusters.begin_create_or_update
    with pytest.raises(Broken, match=r"QuotaExceeded: Public preview limit of 5.*Ask for more quota"):
        told.waited(lambda **o: make(group, name, {"location": "eastus"}, **o), "the cluster")
    with pytest.raises(Unsettled):
        told.arm.delete_group(group, deadline_seconds=0.05)  # how it went on was not recorded


@meets("lro-async-failed-sql-region")
def an_operation_that_ends_failed_is_broken_with_its_code(told: Told) -> None:
    group = told.group(0)
    assert told.arm.ensure_group(group, "westus") is True
    with pytest.raises(Broken, match="RegionDoesNotAllowProvisioning: Location 'West US' is not accepting"):
        told.waited(told.put(1), "the server")
    with pytest.raises(Unsettled, match="has not ended"):
        told.arm.delete_group(group, deadline_seconds=0.05)


@meets("lro-location-storage-202")
def an_operation_behind_a_location_gives_what_it_made(told: Told) -> None:
    made = told.waited(told.put(0), "the account")
    assert made["properties"]["provisioningState"] == "Succeeded"
    found = told.arm.resource(told.path(3), "2018-11-01")
    assert found is not None and found["id"] == made["id"]


@meets("lro-redis-201-java")
def a_cache_that_is_still_being_made_is_not_taken_for_made(told: Told) -> None:
    assert told.arm.ensure_group(told.group(0), "centralus") is True
    with pytest.raises(Unsettled, match=r"(?i)creating"):
        told.waited(told.put(1), "the cache", 0.5)
    for _ in range(3):
        found = told.arm.resource(told.path(2), "2018-03-01")
        assert found is not None and found["properties"]["provisioningState"] == "Creating"


@meets("keyvault-softdelete-purge")
def a_vault_is_made_deleted_found_among_the_deleted_and_purged(told: Told) -> None:
    made = told.waited(told.put(0), "the vault")
    assert made["properties"]["provisioningState"] == "Succeeded"
    told.waited(told.delete(3), "deleting the vault")
    deleted = told.arm.resource(told.path(4), "2018-02-14-preview")
    assert deleted is not None and deleted["properties"]["vaultId"].lower() == told.path(0).lower()
    told.waited(told.post(5), "purging the vault")
    told.replay.assume(4)
    assert told.arm.resource(told.path(11), "2018-02-14-preview") is None
    assert [method for method, _ in told.replay.writes] == ["PUT", "DELETE", "POST"]


# --- refusals


@meets("rbac-principal-not-found-then-ok")
def a_principal_that_is_not_known_yet_is_asked_for_again_until_it_is(told: Told) -> None:
    identity = told.put(0)(polling=False).result()
    assert identity.id == told.answered(0)["id"]
    roles = told.each_by_itself(1)
    assert roles and told.arm.resource(roles[0], "2018-01-01-preview") is not None
    # neither goes on after its answer
    for _ in range(5):
        with pytest.raises(Unsettled, match="PrincipalNotFound"), asking("the role"):
            told.put(2)(polling=False)
    assert told.put(2)(polling=False).result().id == told.answered(7)["id"]


@meets("rp-not-registered-409")
def a_provider_that_is_not_registered_is_broken_with_what_to_do(told: Told) -> None:
    group = told.group(0)
    assert told.arm.ensure_group(group, "eastus") is True
    with pytest.raises(Broken, match=r"MissingSubscriptionRegistration.*Register the resource provider"):
        told.waited(told.put(1), "the domain")
    with pytest.raises(Unsettled):
        told.arm.delete_group(group, deadline_seconds=0.05)  # how it went on was not recorded


@meets("authz-403")
def a_missing_role_is_named(told: Told) -> None:
    with pytest.raises(
        Broken, match=r"AuthorizationFailed.*Give the deploying identity a role with microsoft\.insights"
    ):
        told.arm.resource(told.path(0), "2015-04-01")


# --- lists


@meets("list-cosmosdbtest-find_by_name")
@meets("list-postgresqlflexibleservertest-find_by_name")
def every_listed_resource_is_read(told: Told) -> None:
    for resource in told.each_by_itself(0):
        found = told.arm.resource(resource, "2024-11-01")
        assert found is not None and found["id"] == resource and found["properties"]


@meets("list-keyvaulttest-whitelist")
def a_list_is_read_to_its_last_page_although_that_one_is_empty(told: Told) -> None:
    vault = told.path(2)
    # the same pages, as the listing that we ask for
    group = told.group(2)
    listing = f"/subscriptions/{told.subscription}/resourceGroups/{group}/resources"
    told.exchanges[0]["request"]["path"] = listing
    assert told.arm.resources(group) == (told.answered(2)["id"],)
    found = told.arm.resource(vault, "2019-09-01")
    assert found is not None and found["properties"]["networkAcls"]["defaultAction"] == "Deny"


@meets("webapp-find-c7n")
def every_listed_site_tells_its_host(told: Told) -> None:
    (site,) = told.each_by_itself(0)
    state = told.apps.state(site.split("/")[4], site.rpartition("/")[2])
    assert state is not None and state.running
    assert state.host == f"{site.rpartition('/')[2]}.azurewebsites.net"


# --- names


@meets("dns-zone-records-crud")
def record_sets_of_our_types_are_made_changed_and_read(told: Told) -> None:
    group, zone = told.group(0), told.path(0).rpartition("/")[2]
    for place in range(1, 27):
        method, kind, name = told.exchanges[place]["request"]["method"], *told.path(place).split("/")[-2:]
        if method != "PUT" or kind not in ("A", "AAAA", "CNAME", "TXT", "NS"):
            continue
        said = told.answered(place)["properties"]
        wanted = RecordSet(name, kind, said["TTL"], _values(kind, said), "us")
        assert told.zone.ensure(group, zone, wanted, adopt=True)
        assert told.replay.writes[-1][1].endswith(f"/{kind}/{name}".lower())


@meets("dns-zone-records-crud")
def other_types_are_read_and_refused_before_anything_is_written(told: Told) -> None:
    group, zone = told.group(0), told.path(0).rpartition("/")[2]
    told.replay.assume(6)
    for place in (12, 17, 23):
        kind, name = told.path(place).split("/")[-2:]
        found = told.zone.read(group, zone, name, kind)
        assert found is not None and (found.type, found.name, found.values) == (kind, name, ())
    for kind in ("PTR", "SRV", "MX", "SOA"):
        with pytest.raises(Refused, match=f"type {kind} is not one of"):
            told.zone.ensure(group, zone, RecordSet("new", kind, 300, ("x",), "us"))
    assert told.replay.writes == []


@meets("dns-zone-records-crud")
def what_the_zone_holds_is_listed_and_what_is_ours_is_deleted(told: Told) -> None:
    group, zone = told.group(0), told.path(0).rpartition("/")[2]
    told.readable(0)
    told.readable(14)
    for place in (2, 11):
        told.readable(place)
    assert told.zone.name_servers(group, zone) == tuple(
        each.rstrip(".") for each in told.answered(0)["properties"]["nameServers"]
    )
    assert told.zone.owned(group, zone, "us") == ()
    assert len(told.zone.owned(group, zone, "")) == len(told.answered(13)["value"])
    with pytest.raises(Refused, match="left alone"):
        told.zone.delete(group, zone, "www", "TXT", owner="us")
    for kind, name in (("TXT", "www"), ("CNAME", "userguide")):
        assert told.zone.delete(group, zone, name, kind, owner="") is True
    assert [method for method, _ in told.replay.writes] == ["DELETE", "DELETE"]


def _values(kind: str, said: dict[str, Any]) -> tuple[str, ...]:
    """The values of a record set as it went over the wire, read without the code under test."""
    if kind == "CNAME":
        return (said["CNAMERecord"]["cname"],)
    field = {"A": "ipv4Address", "AAAA": "ipv6Address", "TXT": "value", "NS": "nsdname"}[kind]
    values = (each[field] for each in said[f"{kind}Records"])
    return tuple("".join(each) if isinstance(each, list) else each for each in values)


@meets("dns-zone-etag-412")
def a_zone_that_changed_meanwhile_is_unsettled_and_written_with_its_newest_etag(told: Told) -> None:
    group, zone = told.group(0), told.path(0).rpartition("/")[2]
    write = told.dns.zones.create_or_update
    first = write(group, zone, {"location": "global"})
    with pytest.raises(Unsettled, match=r"PreconditionFailed: .*etag mismatch"), asking(f"zone {zone}"):
        write(group, zone, {"location": "global"}, if_match="stale")
    second = write(group, zone, {"location": "global"}, if_match=first.etag)
    assert second.etag != first.etag


# --- App Service


@meets("webapp-zipdeploy-async-and-slot-2026")
def a_package_goes_to_a_site_and_to_its_slot_with_one_push_each(told: Told) -> None:
    group, site = told.group(2), told.path(2).rpartition("/")[2]
    file = Path(__file__)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    state, slot = told.apps.state(group, site), told.apps.state(group, site, "staging")

    assert told.path(2) in told.arm.resources(group)
    assert state is not None and slot is not None
    assert (state.host, slot.host) == (f"{site}.azurewebsites.net", f"{site}-staging.azurewebsites.net")
    told.apps.push(group, site, "", file, sha256, deadline=soon())
    told.apps.push(group, site, "staging", file, sha256, deadline=soon())
    assert told.apps.deployed(group, site, "staging") == ""  # somebody else's package is not taken for ours

    assert [path for _, path in told.replay.writes] == ["/api/zipdeploy", "/api/zipdeploy"]
    assert [status for _, path, status in told.replay.log if "deploymentstatus" in path] == [202, 200]


@meets("webapp-slots-swap-net")
def slots_are_swapped_with_one_write_followed_to_its_end(told: Told) -> None:
    group, site = told.group(1), told.path(1).rpartition("/")[2]
    assert told.apps.swap(group, site, "java-slot-6659", target="java-slot-7468")
    assert told.replay.writes == [("POST", told.path(12).lower())]
    assert [status for _, path, status in told.replay.log if "operationresults" in path][-1] == 200


@meets("webapp-slots-swap-net")
def settings_are_merged_into_what_is_there(told: Told) -> None:
    group, site = told.group(1), told.path(1).rpartition("/")[2]
    wanted = {"appkey": "appvalue", "WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"}
    assert told.apps.merge_settings(group, site, "", wanted) == ("appkey",)
    assert [method for method, path in told.replay.writes if not path.endswith("/list")] == ["PUT"]


@meets("webapp-slots-swap-net")
def sites_and_slots_are_made_and_tell_their_hosts(told: Told) -> None:
    group, site = told.group(1), told.path(1).rpartition("/")[2]
    for place in (0, 1, 3, 6, 7, 9, 10):
        told.waited(told.put(place), told.path(place).rpartition("/")[2])
    for slot in ("", told.path(8).rpartition("/")[2]):
        state = told.apps.state(group, site, slot)
        assert state is not None and state.host.endswith(".azurewebsites.net")

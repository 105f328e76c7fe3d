"""Our client against every kind of cluster: what it applies, waits for, refuses and takes back."""

from collections.abc import Callable
from typing import Any

import pytest
from clusters_here import ABSENT, FALSE, MERGE, NAMED, Place, path_of, rolled_out
from workspace.clients.cluster import Cluster, Difference
from workspace.errors import Broken, Refused

Body = dict[str, Any]
SECONDS = 60.0


@pytest.fixture(scope="module")
def cluster(cluster_place: Place) -> Cluster:
    return cluster_place.client()


def digest_of(image: str) -> str:
    return image.rpartition("@")[2]


def test_a_cluster_is_known_by_its_uid(place: Place, cluster: Cluster) -> None:
    assert cluster.identity() == place.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]


def test_what_is_not_there_is_none(place: Place, cluster: Cluster) -> None:
    assert cluster.get("v1", "ConfigMap", place.namespace, "client-absent") is None
    assert cluster.get("v1", "ConfigMap", "conformance-nowhere", "client-absent") is None
    assert cluster.get("nowhere.mystira.app/v1", "Nothing", place.namespace, "x") is None
    assert cluster.all_of("nowhere.mystira.app/v1", "Nothing", place.namespace) == []


def test_objects_are_applied_in_order_and_the_second_time_nothing_is_written(place: Place, cluster: Cluster) -> None:
    service = place.made(
        "Service", "client-web", spec={"selector": {"app": "x"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    )
    objects = [
        place.workload("client-web", replicas=0),
        service,
        place.made("ConfigMap", "client-web", data={"a": "1"}),
    ]
    done = cluster.apply(objects)
    assert [str(each).split()[:2] for each in done] == [
        ["create", "ConfigMap"],
        ["create", "Service"],
        ["create", "Deployment"],
    ]
    versions = [
        place.get(path_of(each))["metadata"]["resourceVersion"] for each in objects if each["kind"] != "Deployment"
    ]
    assert cluster.apply(objects) == []
    again = [
        place.get(path_of(each))["metadata"]["resourceVersion"] for each in objects if each["kind"] != "Deployment"
    ]
    assert again == versions
    assert cluster.differences(objects) == []


def test_a_difference_is_told_by_its_path_and_nothing_is_written(place: Place, cluster: Cluster) -> None:
    body = place.workload("client-diff", replicas=0)
    cluster.apply([body])
    before = place.wait(body, rolled_out)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.invalid/other:1"
    (found,) = cluster.differences([body])
    assert found.change == "change"
    assert found.paths == ("spec.template.spec.containers[main].image",)
    assert place.get(path_of(body)) == before


def test_an_object_of_a_namespace_to_come_is_a_guess(place: Place, cluster: Cluster) -> None:
    body = place.made("ConfigMap", "early", namespace="conformance-to-come")
    assert cluster.differences([body]) == [Difference("ConfigMap conformance-to-come/early", "create", is_guess=True)]


def test_a_new_namespace_is_waited_for_before_what_stands_in_it(place: Place, cluster: Cluster) -> None:
    name = f"{place.namespace}-new"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    body = place.made("ConfigMap", "inside", namespace=name)
    try:
        assert [each.change for each in cluster.apply([body, namespace])] == ["create", "create"]
    finally:
        place.ask("DELETE", f"/api/v1/namespaces/{name}")


def test_what_another_manager_owns_is_never_taken(place: Place, cluster: Cluster) -> None:
    body = place.made("ConfigMap", "client-owned", data={"a": "1"})
    place.put(body, "somebody")
    for attempt in (cluster.differences, cluster.apply):
        with pytest.raises(Broken, match=r"is not ours alone: somebody owns \.data\.a"):
            attempt([{**body, "data": {"a": "2"}}])
    assert place.get(path_of(body))["data"] == {"a": "1"}


def test_the_same_value_of_another_manager_is_shared(place: Place, cluster: Cluster) -> None:
    body = place.made("ConfigMap", "client-shared", data={"a": "1"})
    place.put(body, "somebody")
    (found,) = cluster.differences([body])
    assert found.paths == ("metadata.managedFields",)
    cluster.apply([body])
    assert cluster.differences([body]) == []


def _selector(body: Body) -> None:
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}


def _service_name(body: Body) -> None:
    body["spec"]["serviceName"] = "other"


FIXED: list[tuple[str, Callable[[Body], None], str]] = [
    ("Deployment", _selector, "spec.selector"),
    ("StatefulSet", _service_name, "spec.serviceName"),
]


@pytest.mark.parametrize(("kind", "change", "said"), FIXED)
def test_what_never_changes_is_refused_before_anything_is_written(
    place: Place, cluster: Cluster, kind: str, change: Callable[[Body], None], said: str
) -> None:
    body = place.workload("client-fixed", kind, replicas=0)
    cluster.apply([body])
    other = place.made("ConfigMap", f"client-fixed-{kind.lower()}")
    change(body)
    with pytest.raises(Refused, match=said):
        cluster.apply([other, body])
    assert place.ask("GET", path_of(other)).status == 404


WRONG: list[tuple[str, Body, str]] = [
    ("a field that no schema knows", {"container": {"readyProbe": {}}}, "field not declared in schema"),
    ("a mount without a volume", {"container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}}, "Not found"),
    ("replicas below zero", {"replicas": -1}, "must be greater than or equal to 0"),
]


@pytest.mark.parametrize(("more", "said"), [pytest.param(*case[1:], id=case[0]) for case in WRONG])
def test_a_wrong_object_is_refused_by_the_preview(place: Place, cluster: Cluster, more: Body, said: str) -> None:
    with pytest.raises(Refused, match=said):
        cluster.differences([place.workload("client-wrong", **{"replicas": 0, **more})])


def test_an_unknown_kind_is_told_with_what_it_needs(place: Place, cluster: Cluster) -> None:
    body = place.made("Nothing", "client-unknown", "nowhere.mystira.app/v1")
    with pytest.raises(Broken, match="needs its definition installed first"):
        cluster.apply([body])


@pytest.mark.pods
def test_a_rollout_is_waited_for_and_its_digests_are_told(place: Place, cluster: Cluster) -> None:
    body = place.workload("client-rollout", replicas=2)
    cluster.apply([body])
    (live,) = cluster.wait_ready([body], SECONDS)
    assert live["status"]["readyReplicas"] == 2
    if place.name != NAMED:
        assert cluster.running_images(live) == {"main": frozenset({digest_of(place.images["a"])})}
    assert cluster.trouble(live) is None


@pytest.mark.pods
@pytest.mark.parametrize(
    ("name", "image", "more", "said"),
    [
        ("client-absent", ABSENT, {}, "ImagePullBackOff"),
        ("client-crashing", "a", {"container": {"command": FALSE}}, "CrashLoopBackOff"),
    ],
)
def test_a_pod_that_cannot_start_ends_the_wait_with_its_reason(
    place: Place, cluster: Cluster, name: str, image: str, more: Body, said: str
) -> None:
    body = place.workload(name, "Deployment", image, **more)
    cluster.apply([body])
    with pytest.raises(Broken, match=f"cannot become ready in .*{said}"):
        cluster.wait_ready([body], SECONDS)


@pytest.mark.pods
def test_a_wait_that_is_too_short_ends_with_what_was_seen_last(place: Place, cluster: Cluster) -> None:
    body = place.workload("client-unready", container={"readinessProbe": {"exec": {"command": FALSE}}})
    cluster.apply([body])
    with pytest.raises(Broken, match=r"not ready in .* after 1 s: Deployment .*client-unready"):
        cluster.wait_ready([body], 1.0)


@pytest.mark.pods
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_undo_goes_back_one_revision_and_a_second_undo_does_nothing(place: Place, cluster: Cluster, kind: str) -> None:
    for image in "ab":
        body = place.workload("client-undone", kind, image)
        cluster.apply([body])
        cluster.wait_ready([body], SECONDS)
    said = cluster.undo(kind, place.namespace, "client-undone")
    assert "is back at revision 1" in said
    (live,) = cluster.wait_ready([body], SECONDS)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == place.images["a"]
    assert cluster.undo(kind, place.namespace, "client-undone") == ""
    (found,) = [each for each in cluster.differences([body]) if "image" in str(each)]
    assert "spec.template.spec.containers[main].image" in found.paths
    cluster.apply([body])
    (live,) = cluster.wait_ready([body], SECONDS)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == place.images["b"]


@pytest.mark.pods
def test_what_has_one_revision_only_cannot_be_undone(place: Place, cluster: Cluster) -> None:
    body = place.workload("client-first")
    cluster.apply([body])
    cluster.wait_ready([body], SECONDS)
    with pytest.raises(Refused, match="has no earlier revision"):
        cluster.undo("Deployment", place.namespace, "client-first")


@pytest.mark.pods
def test_a_failed_rollout_is_undone(place: Place, cluster: Cluster) -> None:
    good = place.workload("client-failed", "Deployment", "a", 2)
    cluster.apply([good])
    cluster.wait_ready([good], SECONDS)
    bad = place.workload("client-failed", "Deployment", ABSENT, 2)
    cluster.apply([bad])
    with pytest.raises(Broken, match="ImagePullBackOff"):
        cluster.wait_ready([bad], SECONDS)
    cluster.undo("Deployment", place.namespace, "client-failed")
    (live,) = cluster.wait_ready([good], SECONDS)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == place.images["a"]


@pytest.mark.pods
def test_a_stateful_set_that_hangs_is_freed_while_it_is_waited_for(place: Place, cluster: Cluster) -> None:
    bad = place.workload("client-stuck", "StatefulSet", ABSENT, 1)
    cluster.apply([bad])
    with pytest.raises(Broken, match="ImagePullBackOff"):
        cluster.wait_ready([bad], SECONDS)
    good = place.workload("client-stuck", "StatefulSet", "a", 1)
    cluster.apply([good])
    said: list[str] = []
    cluster.wait_ready([good], SECONDS, said.append)
    assert any("deleted pod client-stuck-0, which held up" in each for each in said)


@pytest.mark.pods
def test_a_pod_that_had_failed_before_is_started_anew(place: Place, cluster: Cluster) -> None:
    body = place.workload("client-revived", "Deployment", ABSENT)
    cluster.apply([body])
    with pytest.raises(Broken, match="ImagePullBackOff"):
        cluster.wait_ready([body], SECONDS)
    (name,) = cluster.revive([body])
    place.wait(f"{place.at('pods')}/{name}", lambda found: found == {} or found["metadata"].get("deletionTimestamp"))


@pytest.mark.pods
def test_a_quota_that_refuses_pods_is_told(place: Place, cluster: Cluster) -> None:
    namespace = place.open_namespace()
    quota = place.made("ResourceQuota", "none", namespace=namespace, spec={"hard": {"pods": "0"}})
    place.put(quota)
    place.wait(quota, lambda body: (body.get("status") or {}).get("hard"))
    for kind in ("Deployment", "StatefulSet"):
        body = place.workload("client-squeezed", kind)
        body["metadata"]["namespace"] = namespace
        cluster.apply([body])
        live = place.wait(
            body, lambda found, kind=kind: cluster.trouble({**found, "kind": kind}) or "ReplicaFailure" in str(found)
        )
        assert "exceeded quota: none" in (str(cluster.trouble(live)) + str(live["status"]))
        if kind == "StatefulSet":
            assert "exceeded quota: none" in cluster.last_warning(live)


def test_a_secret_is_told_by_its_keys_and_written_once(place: Place, cluster: Cluster) -> None:
    values = {"user": "u", "password": "p"}
    assert cluster.secret_state(place.namespace, "client-secret", values).added == ("password", "user")
    made = cluster.write_secret(place.namespace, "client-secret", values)
    assert made.added == ("password", "user")
    settled = cluster.write_secret(place.namespace, "client-secret", values)
    assert (settled.is_settled, settled.version) == (True, made.version)
    changed = cluster.write_secret(place.namespace, "client-secret", {"user": "v"})
    assert (changed.changed, changed.removed) == (("user",), ("password",))
    assert place.get(place.at("secrets") + "/client-secret")["data"] == {"user": "dg=="}


def test_a_key_that_somebody_added_to_a_secret_stays(place: Place, cluster: Cluster) -> None:
    cluster.write_secret(place.namespace, "client-added", {"a": "1"})
    path = place.at("secrets") + "/client-added"
    place.ask("PATCH", path, {"data": {"theirs": "Mg=="}}, MERGE, fieldManager="hand")
    assert cluster.secret_state(place.namespace, "client-added", {"a": "1"}).is_settled
    cluster.write_secret(place.namespace, "client-added", {"a": "2"})
    assert place.get(path)["data"] == {"a": "Mg==", "theirs": "Mg=="}


@pytest.mark.ours("it makes a definition for the whole cluster")
def test_a_definition_and_its_object_are_applied_in_one_go(place: Place, cluster: Cluster) -> None:
    group = "client.conformance.mystira.app"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": group,
        "names": {"plural": "gadgets", "kind": "Gadget"},
        "scope": "Namespaced",
        "versions": [version],
    }
    definition = place.made("CustomResourceDefinition", f"gadgets.{group}", "apiextensions.k8s.io/v1", spec=spec)
    gadget = place.made("Gadget", "client-gadget", f"{group}/v1", spec={"any": "thing"})
    try:
        assert [each.change for each in cluster.apply([gadget, definition])] == ["create", "create"]
        assert cluster.apply([gadget, definition]) == []
        found = cluster.get(f"{group}/v1", "Gadget", place.namespace, "client-gadget")
        assert found is not None
        assert found["spec"] == {"any": "thing"}
    finally:
        place.ask("DELETE", path_of(definition))

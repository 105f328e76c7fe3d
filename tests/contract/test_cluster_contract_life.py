"""How objects end, who goes with whom, what a definition adds: namespaces, finalizers, owners, custom resources."""

import secrets
from typing import Any

import pytest
from clusters_here import MERGE, STRATEGIC, Place, all_of, condition, path_of

Body = dict[str, Any]
OURS = pytest.mark.ours("it makes a definition for the whole cluster")


def gone(body: Body) -> bool:
    return body == {}


# --- namespaces -------------------------------------------------------------------------------------------------------


def test_a_new_namespace_is_active_and_has_a_service_account(place: Place) -> None:
    name = place.open_namespace()
    live = place.get(f"/api/v1/namespaces/{name}")
    assert (live["status"], live["spec"]) == ({"phase": "Active"}, {"finalizers": ["kubernetes"]})
    assert place.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")["metadata"]["name"] == "default"


@pytest.mark.since(21, "a namespace is not labelled with its name")
def test_a_namespace_is_labelled_with_its_name(place: Place) -> None:
    live = place.get(f"/api/v1/namespaces/{place.namespace}")
    assert live["metadata"]["labels"]["kubernetes.io/metadata.name"] == place.namespace


def test_a_namespace_that_goes_takes_its_objects_along_and_takes_no_new_ones(place: Place) -> None:
    name = place.open_namespace()
    held = place.made("ConfigMap", "held", namespace=name, metadata={"finalizers": ["mystira.app/hold"]})
    free = place.made("ConfigMap", "free", namespace=name)
    place.put(held)
    place.put(free)
    answer = place.ask("DELETE", f"/api/v1/namespaces/{name}")
    assert (answer.status, answer.body["kind"], answer.body["status"]["phase"]) == (200, "Namespace", "Terminating")
    assert answer.body["metadata"]["deletionTimestamp"]
    place.wait(free, gone)
    for refused in (
        place.ask("POST", all_of(free), place.made("ConfigMap", "late", namespace=name)),
        place.apply(place.made("ConfigMap", "late", namespace=name)),
    ):
        assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
        assert refused.body["message"] == (
            f'configmaps "late" is forbidden: unable to create new content in namespace {name} '
            "because it is being terminated"
        )
        assert refused.causes == [("metadata.namespace", "NamespaceTerminating")]
    place.ask("PATCH", path_of(held), {"metadata": {"finalizers": None}}, MERGE)
    place.wait(f"/api/v1/namespaces/{name}", gone)


def test_a_namespace_that_is_not_there_cannot_be_deleted(place: Place) -> None:
    assert place.ask("DELETE", "/api/v1/namespaces/conformance-nowhere").status == 404


@pytest.mark.pods
def test_a_namespace_with_running_pods_goes_too(place: Place) -> None:
    name = place.open_namespace()
    body = place.workload("web", replicas=2)
    body["metadata"]["namespace"] = name
    place.put(body)
    place.wait(body, lambda live: (live.get("status") or {}).get("readyReplicas") == 2)
    place.ask("DELETE", f"/api/v1/namespaces/{name}")
    place.wait(f"/api/v1/namespaces/{name}", gone)


# --- finalizers -------------------------------------------------------------------------------------------------------


def test_a_finalizer_holds_an_object_until_it_is_taken_away(place: Place) -> None:
    body = place.made("ConfigMap", "finalized", data={"a": "1"}, metadata={"finalizers": ["mystira.app/hold"]})
    live = place.put(body)
    first = place.ask("DELETE", path_of(body))
    assert (first.status, first.body["kind"]) == (200, "ConfigMap")
    assert first.body["metadata"]["deletionTimestamp"]
    assert first.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert first.body["metadata"]["uid"] == live["metadata"]["uid"]
    assert place.ask("DELETE", path_of(body)).status == 200
    changed = place.ask("PATCH", path_of(body), {"data": {"a": "2"}}, MERGE)
    assert (changed.status, changed.body["data"]) == (200, {"a": "2"})
    place.ask("PATCH", path_of(body), {"metadata": {"finalizers": []}}, MERGE)
    assert place.ask("GET", path_of(body)).status == 404


def test_an_object_that_goes_takes_no_new_finalizer(place: Place) -> None:
    body = place.made("ConfigMap", "no-more", metadata={"finalizers": ["mystira.app/hold"]})
    place.put(body)
    place.ask("DELETE", path_of(body))
    patch = {"metadata": {"finalizers": ["mystira.app/hold", "mystira.app/more"]}}
    answer = place.ask("PATCH", path_of(body), patch, MERGE)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert set(answer.causes) == {("metadata.finalizers", "FieldValueForbidden")}
    assert "no new finalizers can be added if the object is being deleted" in answer.body["message"]
    place.ask("PATCH", path_of(body), {"metadata": {"finalizers": []}}, MERGE)


def test_the_last_finalizer_may_go_by_an_apply(place: Place) -> None:
    body = place.made("ConfigMap", "by-apply", metadata={"finalizers": ["mystira.app/hold"]})
    place.put(body)
    place.ask("DELETE", path_of(body))
    assert place.apply(place.made("ConfigMap", "by-apply")).status == 200
    assert place.ask("GET", path_of(body)).status == 404


# --- owners -----------------------------------------------------------------------------------------------------------


def owner_of(live: Body, **more: Any) -> Body:
    metadata = live["metadata"]
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        **more,
    }


def family(place: Place, name: str, **more: Any) -> tuple[Body, Body]:
    owner = place.put(place.made("ConfigMap", name))
    child = place.made("Secret", f"{name}-child", metadata={"ownerReferences": [owner_of(owner, **more)]})
    return owner, place.put(child)


def test_what_is_owned_goes_after_its_owner(place: Place) -> None:
    owner, child = family(place, "background")
    assert place.ask("DELETE", path_of(owner)).body["kind"] == "Status"
    place.wait(child, gone)


def test_an_orphan_stays_and_forgets_its_owner(place: Place) -> None:
    owner, child = family(place, "orphaning")
    answer = place.ask("DELETE", path_of(owner), {"propagationPolicy": "Orphan"})
    assert "orphan" in answer.body["metadata"]["finalizers"]
    place.wait(owner, gone)
    assert "ownerReferences" not in place.wait(child, bool)["metadata"]


def test_an_owner_waits_for_what_blocks_it_when_deleted_in_the_foreground(place: Place) -> None:
    owner, child = family(place, "foreground", blockOwnerDeletion=True)
    place.ask("PATCH", path_of(child), {"metadata": {"finalizers": ["mystira.app/hold"]}}, MERGE)
    answer = place.ask("DELETE", path_of(owner), {"propagationPolicy": "Foreground"})
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    place.wait(child, lambda body: body["metadata"].get("deletionTimestamp"))
    assert place.ask("GET", path_of(owner)).status == 200
    place.ask("PATCH", path_of(child), {"metadata": {"finalizers": []}}, MERGE)
    place.wait(owner, gone)
    place.wait(child, gone)


def test_what_has_an_owner_left_stays(place: Place) -> None:
    first, second = (place.put(place.made("ConfigMap", name)) for name in ("first-owner", "second-owner"))
    references = [owner_of(first), owner_of(second)]
    child = place.put(place.made("Secret", "two-owners", metadata={"ownerReferences": references}))
    place.ask("DELETE", path_of(first))
    left = place.wait(child, lambda body: len(body["metadata"].get("ownerReferences") or []) == 1)
    assert [each["name"] for each in left["metadata"]["ownerReferences"]] == ["second-owner"]


def test_an_unknown_way_to_go_is_refused(place: Place) -> None:
    body = place.made("ConfigMap", "sideways")
    place.put(body)
    answer = place.ask("DELETE", path_of(body), {"propagationPolicy": "Sideways"})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.causes == [("propagationPolicy", "FieldValueNotSupported")]


@pytest.mark.pods
def test_a_deleted_deployment_takes_its_replica_sets_and_pods_along(place: Place) -> None:
    body = place.workload("family", replicas=2)
    place.put(body)
    live = place.wait(body, lambda found: (found.get("status") or {}).get("readyReplicas") == 2)
    (replica_set,) = place.owned("replicasets", "apps/v1", live)
    pods = place.owned("pods", "v1", {**replica_set, "kind": "ReplicaSet"})
    place.ask("DELETE", path_of(body))
    place.wait(place.at("replicasets", "apps/v1") + f"/{replica_set['metadata']['name']}", gone)
    for pod in pods:
        place.wait(place.at("pods") + f"/{pod['metadata']['name']}", gone)


@pytest.mark.pods
def test_a_deleted_deployment_may_leave_its_pods_running(place: Place) -> None:
    body = place.workload("left", replicas=1)
    place.put(body)
    live = place.wait(body, lambda found: (found.get("status") or {}).get("readyReplicas") == 1)
    (replica_set,) = place.owned("replicasets", "apps/v1", live)
    place.ask("DELETE", path_of(body), {"propagationPolicy": "Orphan"})
    place.wait(body, gone)
    path = place.at("replicasets", "apps/v1") + f"/{replica_set['metadata']['name']}"
    left = place.wait(path, lambda found: not found["metadata"].get("ownerReferences"))
    assert left["status"]["readyReplicas"] == 1
    again = place.put(body)
    place.wait(
        path,
        lambda found: [o["uid"] for o in found["metadata"].get("ownerReferences") or []] == [again["metadata"]["uid"]],
    )
    assert place.wait(body, lambda found: (found.get("status") or {}).get("readyReplicas") == 1)
    assert len(place.owned("replicasets", "apps/v1", again)) == 1


@pytest.mark.pods
def test_a_deleted_pod_is_told_as_it_was_and_goes_after_its_grace(place: Place) -> None:
    spec = {"containers": [{"name": "main", "image": place.images["a"]}], "terminationGracePeriodSeconds": 7}
    body = place.made("Pod", "graceful", spec=spec)
    place.put(body)
    place.wait(body, lambda pod: condition(pod, "Ready").get("status") == "True")
    answer = place.ask("DELETE", path_of(body))
    assert (answer.status, answer.body["kind"]) == (200, "Pod")
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 7
    place.wait(body, gone)


# --- definitions ------------------------------------------------------------------------------------------------------


SCHEMA: Body = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


def defined(place: Place) -> tuple[Body, str]:
    """A definition of a new kind, established, and the API version of its objects."""
    group = f"{secrets.token_hex(4)}.conformance.mystira.app"
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": SCHEMA},
    }
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}
    body = place.made("CustomResourceDefinition", f"widgets.{group}", "apiextensions.k8s.io/v1", spec=spec)
    place.put(body)
    place.wait(body, lambda found: condition(found, "Established").get("status") == "True")
    place.wait(f"/apis/{group}/v1", lambda found: found and found["resources"])
    return body, f"{group}/v1"


@pytest.fixture(scope="module")
def widgets(cluster_place: Place) -> Any:
    """The definition that the cases share; it goes at the end."""
    if cluster_place.name == "kubeconfig":
        yield ({}, "")
        return
    body, version = defined(cluster_place)
    yield body, version
    cluster_place.ask("DELETE", path_of(body))


def widget(place: Place, widgets: Any, name: str, **spec: Any) -> Body:
    return place.made("Widget", name, widgets[1], spec={"size": 1, **spec})


@OURS
def test_a_definition_is_established_and_says_so(place: Place, widgets: Any) -> None:
    live = place.get(path_of(widgets[0]))
    told = {each["type"]: (each["status"], each["reason"]) for each in live["status"]["conditions"]}
    assert told["NamesAccepted"] == ("True", "NoConflicts")
    assert told["Established"] == ("True", "InitialNamesAccepted")
    assert live["status"]["storedVersions"] == ["v1"]
    assert live["spec"]["conversion"] == {"strategy": "None"}


@OURS
def test_a_custom_object_is_made_filled_in_and_counted(place: Place, widgets: Any) -> None:
    body = widget(place, widgets, "made")
    live = place.put(body)
    assert (live["spec"], live["metadata"]["generation"]) == ({"size": 1, "colour": "red"}, 1)
    assert place.put({**body, "spec": {"size": 2}})["metadata"]["generation"] == 2
    assert place.get(all_of(body))["kind"] == "WidgetList"
    assert "kind" in place.get(all_of(body))["items"][0]


@OURS
@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": None}, "spec.size"),
        ({"colour": "blue"}, "spec.colour"),
        ({"size": "big"}, "spec.size"),
    ],
    ids=["too small", "missing", "unknown", "of another type"],
)
def test_a_custom_object_that_breaks_its_schema_is_invalid(place: Place, widgets: Any, spec: Body, field: str) -> None:
    body = widget(place, widgets, "broken", **spec)
    answer = place.ask("POST", all_of(body), body)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [each for each, _ in answer.causes] == [field]
    assert answer.body["details"]["kind"] == "Widget"


@OURS
def test_an_unknown_field_of_a_custom_object_is_dropped(place: Place, widgets: Any) -> None:
    body = widget(place, widgets, "pruned", unknown="x")
    assert place.ask("POST", all_of(body), body).body["spec"] == {"size": 1, "colour": "red"}


@OURS
def test_lists_of_a_custom_object_are_merged_as_its_schema_says(place: Place, widgets: Any) -> None:
    place.put(widget(place, widgets, "merged", parts=[{"name": "a", "weight": 1}]), "one")
    live = place.put(widget(place, widgets, "merged", parts=[{"name": "b", "weight": 2}]), "two")
    assert sorted(each["name"] for each in live["spec"]["parts"]) == ["a", "b"]
    answer = place.apply(widget(place, widgets, "merged", parts=[{"name": "a", "weight": 9}]), "two")
    assert [field for field, _ in answer.causes] == ['.spec.parts[name="a"].weight']


@OURS
def test_status_of_a_custom_object_has_its_own_door(place: Place, widgets: Any) -> None:
    body = widget(place, widgets, "door")
    place.put(body)
    assert "status" not in place.ask("PATCH", path_of(body), {"status": {"phase": "x"}}, MERGE).body
    live = place.ask("PATCH", f"{path_of(body)}/status", {"status": {"phase": "x"}}, MERGE).body
    assert (live["status"], live["metadata"]["generation"]) == ({"phase": "x"}, 1)


@OURS
def test_a_custom_object_takes_no_strategic_patch(place: Place, widgets: Any) -> None:
    body = widget(place, widgets, "plain")
    place.put(body)
    assert place.ask("PATCH", path_of(body), {"spec": {"size": 3}}, STRATEGIC).status == 415


@OURS
def test_a_custom_object_is_replaced_only_by_its_version(place: Place, widgets: Any) -> None:
    body = widget(place, widgets, "versioned")
    place.put(body)
    answer = place.ask("PUT", path_of(body), body)
    assert (answer.status, answer.causes) == (422, [("metadata.resourceVersion", "FieldValueInvalid")])


@OURS
def test_a_definition_that_goes_takes_its_objects_along(place: Place) -> None:
    made = defined(place)
    body = widget(place, made, "doomed")
    place.put(body)
    place.ask("DELETE", path_of(made[0]))
    place.wait(made[0], gone)
    place.wait(f"/apis/{made[1]}", gone)
    answer = place.ask("GET", path_of(body))
    assert answer.status == 404


@OURS
@pytest.mark.parametrize(
    ("what", "change", "field"),
    [
        ("another name", {"metadata": {"name": "gadgets.conformance.mystira.app"}}, "metadata.name"),
        ("another scope", {"scope": "Sideways"}, "spec.scope"),
    ],
)
def test_a_definition_that_contradicts_itself_is_invalid(place: Place, what: str, change: Body, field: str) -> None:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": "conformance.mystira.app", "names": names, "scope": "Namespaced", "versions": [version]}
    spec |= {key: value for key, value in change.items() if key != "metadata"}
    name = change.get("metadata", {}).get("name", "things.conformance.mystira.app")
    answer = place.apply(place.made("CustomResourceDefinition", name, "apiextensions.k8s.io/v1", spec=spec))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid"), what
    assert field in [each for each, _ in answer.causes]

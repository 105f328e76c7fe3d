"""What our client and our kinds rely on in a cluster's API: the same cases for the stand-in and the real thing.

Words are compared where the client reads them; elsewhere the status, its reason and the fields that it names.
"""

import time
from typing import Any

import pytest
from clusters_here import APPLY, JSON, MERGE, STRATEGIC, Place, all_of, path_of

Body = dict[str, Any]

OLD_500 = pytest.mark.since(21, "what is no object of the kind ends in a 500 of the merge")


def failure(answer: Any) -> tuple[int, str]:
    """Status code and reason of a refusal, which must be a whole Status object."""
    body = answer.body
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure"), answer.text
    assert body["code"] == answer.status, answer.text
    assert body["message"], answer.text
    return answer.status, body.get("reason", "")


def owned(body: Body, manager: str) -> Body:
    """The fields a manager owns, by the first entry of its name."""
    entries = body["metadata"]["managedFields"]
    return next((each["fieldsV1"] for each in entries if each["manager"] == manager), {})


# --- what is served ---------------------------------------------------------------------------------------------------


def test_the_version_is_told(place: Place) -> None:
    found = place.get("/version")
    assert found["major"] == "1"
    assert found["gitVersion"].startswith("v1.")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_one_word(place: Place, path: str) -> None:
    answer = place.ask("GET", path)
    assert (answer.status, answer.text) == (200, "ok")


def test_a_wrong_token_is_unauthorized(place: Place) -> None:
    response = place.api.rest_client.pool_manager.request(
        "GET", f"{place.api.configuration.host}/api/v1/namespaces", headers={"Authorization": "Bearer wrong"}
    )
    assert (response.status, response.json()["reason"]) == (401, "Unauthorized")


def test_groups_name_their_versions_and_the_preferred_one(place: Place) -> None:
    assert "v1" in place.get("/api")["versions"]
    found = {each["name"]: each for each in place.get("/apis")["groups"]}
    assert found["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert {"batch", "networking.k8s.io", "apiextensions.k8s.io", "rbac.authorization.k8s.io"} <= found.keys()


def test_a_resource_list_tells_kind_scope_verbs_and_subresources(place: Place) -> None:
    found = {each["name"]: each for each in place.get("/apis/apps/v1")["resources"]}
    deployments = found["deployments"]
    assert (deployments["kind"], deployments["namespaced"]) == ("Deployment", True)
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(deployments["verbs"])
    assert {"deployments/status", "deployments/scale", "statefulsets", "controllerrevisions"} <= found.keys()
    assert found["deployments/scale"]["kind"] == "Scale"


@pytest.mark.parametrize(
    ("api_version", "plural"),
    [
        pytest.param("policy/v1", "poddisruptionbudgets", marks=pytest.mark.since(21, "only policy/v1beta1")),
        pytest.param("autoscaling/v2", "horizontalpodautoscalers", marks=pytest.mark.since(23, "only v1 and v2beta2")),
        ("networking.k8s.io/v1", "ingresses"),
        ("batch/v1", "jobs"),
        ("rbac.authorization.k8s.io/v1", "rolebindings"),
        ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    ],
)
def test_what_our_overlays_use_is_served(place: Place, api_version: str, plural: str) -> None:
    assert plural in [each["name"] for each in place.get(f"/apis/{api_version}")["resources"]]


@pytest.mark.since(24, "schemas come as OpenAPI v2 only")
def test_schemas_come_as_openapi_v3(place: Place) -> None:
    assert "apis/apps/v1" in place.get("/openapi/v3")["paths"]


@pytest.mark.since(26, "discovery takes one request for each group")
def test_discovery_comes_in_one_document(place: Place) -> None:
    version = "v2" if place.minor >= 30 else "v2beta1"
    accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    assert place.get("/apis", headers={"Accept": accept})["kind"] == "APIGroupDiscoveryList"


def test_an_unknown_group_is_a_bare_page(place: Place) -> None:
    answer = place.ask("GET", "/apis/nowhere.mystira.app/v1/things")
    assert (answer.status, answer.text) == (404, "404 page not found\n")


def test_an_unknown_resource_is_a_status(place: Place) -> None:
    answer = place.ask("GET", place.at("gadgets", "apps/v1") + "/x")
    assert failure(answer) == (404, "NotFound")
    assert answer.body["message"] == "the server could not find the requested resource"


# --- objects come and go ----------------------------------------------------------------------------------------------


def test_a_created_object_has_what_the_server_adds(place: Place) -> None:
    body = place.made("ConfigMap", "created", data={"a": "1"})
    answer = place.ask("POST", all_of(body), body)
    assert answer.status == 201
    metadata = answer.body["metadata"]
    assert metadata.keys() >= {"uid", "resourceVersion", "creationTimestamp"}
    assert "generation" not in metadata
    assert place.get(path_of(body)) == answer.body


def test_the_same_name_twice_already_exists(place: Place) -> None:
    body = place.made("ConfigMap", "twice")
    place.ask("POST", all_of(body), body)
    answer = place.ask("POST", all_of(body), body)
    assert failure(answer) == (409, "AlreadyExists")
    assert answer.body["message"] == 'configmaps "twice" already exists'
    assert answer.body["details"] == {"name": "twice", "kind": "configmaps"}


def test_what_is_not_there_is_not_found_by_name_and_group(place: Place) -> None:
    answer = place.ask("GET", place.at("deployments", "apps/v1") + "/absent")
    assert failure(answer) == (404, "NotFound")
    assert answer.body["message"] == 'deployments.apps "absent" not found'
    assert answer.body["details"] == {"name": "absent", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize("method", ["PUT", "DELETE", MERGE])
def test_a_write_to_what_is_not_there_is_not_found(place: Place, method: str) -> None:
    body = place.made("ConfigMap", "absent")
    verb = "PATCH" if method == MERGE else method
    given = None if verb == "DELETE" else body
    answer = place.ask(verb, path_of(body), given, MERGE if verb == "PATCH" else "application/json")
    if verb == "PUT":
        # A ConfigMap may be made by PUT nowhere: only a few kinds allow it.
        assert answer.status == 404, answer.text
    assert failure(answer) == (404, "NotFound")


@pytest.mark.parametrize("how", ["POST", "apply"])
def test_a_namespace_that_is_not_there_takes_nothing(place: Place, how: str) -> None:
    body = place.made("ConfigMap", "lost", namespace="conformance-nowhere")
    answer = place.ask("POST", all_of(body), body) if how == "POST" else place.apply(body)
    assert failure(answer) == (404, "NotFound")
    assert answer.body["message"] == 'namespaces "conformance-nowhere" not found'
    assert answer.body["details"] == {"name": "conformance-nowhere", "kind": "namespaces"}


def test_a_body_of_another_namespace_is_a_bad_request(place: Place) -> None:
    body = place.made("ConfigMap", "strange", namespace="elsewhere")
    answer = place.ask("POST", place.at("configmaps"), body)
    assert failure(answer) == (400, "BadRequest")
    assert "the namespace of the provided object does not match the namespace sent on the request" in answer.text


def test_a_body_of_another_kind_is_a_bad_request(place: Place) -> None:
    assert failure(place.ask("POST", place.at("configmaps"), place.made("Secret", "strange"))) == (400, "BadRequest")


def test_a_generated_name_has_five_letters_more(place: Place) -> None:
    body = {"metadata": {"generateName": "made-up-"}}
    names = {place.ask("POST", place.at("configmaps"), body).body["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
    assert {len(each) for each in names} == {len("made-up-") + 5}


def test_an_object_without_a_name_is_invalid(place: Place) -> None:
    answer = place.ask("POST", place.at("configmaps"), {"metadata": {}})
    assert failure(answer) == (422, "Invalid")
    assert answer.causes == [("metadata.name", "FieldValueRequired")]


@pytest.mark.parametrize("given", [b"{", b"[]", b'{"data": {"a": 1}}', b'{"data": []}'])
def test_a_body_that_is_no_object_of_its_kind_is_a_bad_request(place: Place, given: bytes) -> None:
    assert failure(place.ask("POST", place.at("configmaps"), given)) == (400, "BadRequest")


def test_another_media_type_is_refused(place: Place) -> None:
    answer = place.ask("POST", place.at("configmaps"), b"a=b", "application/x-www-form-urlencoded")
    assert failure(answer) == (415, "UnsupportedMediaType")


def test_a_collection_cannot_be_patched(place: Place) -> None:
    assert failure(place.ask("PATCH", place.at("configmaps"), {}, MERGE)) == (405, "MethodNotAllowed")


def test_a_stale_version_is_a_conflict(place: Place) -> None:
    body = place.made("ConfigMap", "stale", data={"a": "1"})
    first = place.put(body)
    place.put({**body, "data": {"a": "2"}})
    answer = place.ask("PUT", path_of(body), first)
    assert failure(answer) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "stale": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert answer.body["details"] == {"name": "stale", "kind": "configmaps"}


def test_a_replacement_without_a_version_is_taken_and_removes_what_it_does_not_say(place: Place) -> None:
    body = place.made("ConfigMap", "replaced", data={"a": "1", "b": "2"})
    place.put(body)
    answer = place.ask("PUT", path_of(body), {**body, "data": {"b": "3"}})
    assert (answer.status, answer.body["data"]) == (200, {"b": "3"})


def test_a_replacement_that_changes_nothing_writes_nothing(place: Place) -> None:
    body = place.made("ConfigMap", "as-it-is", data={"a": "1"})
    live = place.put(body)
    again = place.ask("PUT", path_of(body), live).body
    assert again["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


def test_a_replacement_of_another_name_is_a_bad_request(place: Place) -> None:
    body = place.made("ConfigMap", "named", data={"a": "1"})
    place.put(body)
    other = place.made("ConfigMap", "otherwise")
    assert failure(place.ask("PUT", path_of(body), other)) == (400, "BadRequest")


def test_a_replacement_of_another_uid_is_a_conflict(place: Place) -> None:
    body = place.made("ConfigMap", "other-uid", data={"a": "1"})
    place.put(body)
    answer = place.ask("PUT", path_of(body), {**body, "metadata": {**body["metadata"], "uid": "4711"}})
    assert failure(answer) == (409, "Conflict")
    assert "Precondition failed: UID in precondition: 4711, UID in object meta: " in answer.body["message"]


def test_a_deleted_object_is_told_as_a_success_with_its_uid(place: Place) -> None:
    body = place.made("ConfigMap", "ended")
    live = place.put(body)
    answer = place.ask("DELETE", path_of(body))
    assert (answer.status, answer.body["kind"], answer.body["status"]) == (200, "Status", "Success")
    assert answer.body["details"] == {"name": "ended", "kind": "configmaps", "uid": live["metadata"]["uid"]}
    assert place.ask("GET", path_of(body)).status == 404


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_deletion_whose_precondition_fails_is_a_conflict(place: Place, field: str) -> None:
    body = place.made("ConfigMap", f"kept-{field.lower()}")
    place.put(body)
    answer = place.ask("DELETE", path_of(body), {"preconditions": {field: "1"}})
    assert failure(answer) == (409, "Conflict")
    assert "in the precondition (1) does not match the" in answer.body["message"]
    assert answer.body["message"].startswith(f'Operation cannot be fulfilled on ConfigMap "kept-{field.lower()}": ')
    assert place.ask("GET", path_of(body)).status == 200


def test_a_collection_is_deleted_by_its_labels(place: Place) -> None:
    for name, value in (("many-1", "yes"), ("many-2", "yes"), ("many-3", "no")):
        place.put(place.made("ConfigMap", name, metadata={"labels": {"doomed": value}}))
    assert place.ask("DELETE", place.at("configmaps"), labelSelector="doomed=yes").status == 200
    left = place.get(place.at("configmaps"), labelSelector="doomed")["items"]
    assert [each["metadata"]["name"] for each in left] == ["many-3"]


def test_text_of_a_secret_is_kept_as_data(place: Place) -> None:
    live = place.put(place.made("Secret", "words", stringData={"a": "b"}))
    assert (live["data"], live["type"]) == ({"a": "Yg=="}, "Opaque")
    assert "stringData" not in live


# --- patches ----------------------------------------------------------------------------------------------------------


def test_a_merge_patch_replaces_lists_and_null_removes(place: Place) -> None:
    body = place.made("ConfigMap", "merged", data={"a": "1", "b": "2"}, metadata={"finalizers": ["mystira.app/x"]})
    place.put(body)
    patch = {"data": {"a": None, "c": "3"}, "metadata": {"finalizers": []}}
    answer = place.ask("PATCH", path_of(body), patch, MERGE)
    assert answer.body["data"] == {"b": "2", "c": "3"}
    assert "finalizers" not in answer.body["metadata"]


def test_a_strategic_patch_merges_containers_by_name(place: Place) -> None:
    body = place.workload("strategic", replicas=0, container={"ports": [{"containerPort": 80}]})
    place.put(body)
    containers = [
        {"name": "main", "image": "registry.invalid/other:1"},
        {"name": "side", "image": "registry.invalid/s:1"},
    ]
    answer = place.ask("PATCH", path_of(body), {"spec": {"template": {"spec": {"containers": containers}}}}, STRATEGIC)
    found = {each["name"]: each for each in answer.body["spec"]["template"]["spec"]["containers"]}
    assert found.keys() == {"main", "side"}
    assert (found["main"]["image"], found["main"]["ports"][0]["containerPort"]) == ("registry.invalid/other:1", 80)


def test_a_strategic_patch_deletes_what_it_says(place: Place) -> None:
    body = place.workload("strategic-less", replicas=0)
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "registry.invalid/s:1"})
    place.put(body)
    containers = [{"name": "side", "$patch": "delete"}]
    answer = place.ask("PATCH", path_of(body), {"spec": {"template": {"spec": {"containers": containers}}}}, STRATEGIC)
    assert [each["name"] for each in answer.body["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_a_json_patch_does_its_operations_in_order(place: Place) -> None:
    body = place.made("ConfigMap", "operated", data={"a": "1"})
    place.put(body)
    patch = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "remove", "path": "/data/a"},
    ]
    assert place.ask("PATCH", path_of(body), patch, JSON).body["data"] == {"b": "2"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/absent"},
        {"op": "replace", "path": "/nowhere/at/all", "value": "2"},
    ],
    ids=["test", "remove", "replace"],
)
def test_a_json_patch_that_does_not_fit_is_invalid_and_changes_nothing(place: Place, operation: Body) -> None:
    body = place.made("ConfigMap", "misfit", data={"a": "1"})
    live = place.put(body)
    answer = place.ask("PATCH", path_of(body), [operation], JSON)
    assert failure(answer) == (422, "Invalid")
    assert place.get(path_of(body)) == live


def test_a_json_patch_that_is_none_is_a_bad_request(place: Place) -> None:
    body = place.made("ConfigMap", "none", data={"a": "1"})
    place.put(body)
    assert failure(place.ask("PATCH", path_of(body), {"op": "add"}, JSON)) == (400, "BadRequest")


def test_an_unknown_way_to_patch_is_refused(place: Place) -> None:
    body = place.made("ConfigMap", "unknown-way", data={"a": "1"})
    place.put(body)
    answer = place.ask("PATCH", path_of(body), {}, "application/json")
    assert failure(answer) == (415, "UnsupportedMediaType")


def test_a_patch_with_a_stale_version_is_a_conflict(place: Place) -> None:
    body = place.made("ConfigMap", "patched-late", data={"a": "1"})
    first = place.put(body)
    place.put({**body, "data": {"a": "2"}})
    stale = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    assert failure(place.ask("PATCH", path_of(body), stale, MERGE)) == (409, "Conflict")


def test_only_a_changed_spec_raises_the_generation(place: Place) -> None:
    body = place.workload("counted", replicas=0)
    assert place.put(body)["metadata"]["generation"] == 1
    labelled = {**body, "metadata": {**body["metadata"], "labels": {"a": "b"}}}
    assert place.put(labelled)["metadata"]["generation"] == 1
    labelled["spec"]["paused"] = True
    assert place.put(labelled)["metadata"]["generation"] == 2


def test_status_is_written_through_its_own_door_only(place: Place) -> None:
    body = place.workload("door", replicas=0, spec={"paused": True})
    place.put(body)
    patch = {"status": {"collisionCount": 7}}
    live = place.ask("PATCH", path_of(body), patch, MERGE).body
    assert "collisionCount" not in live["status"]
    inner = place.ask("PATCH", f"{path_of(body)}/status", {**patch, "spec": {"replicas": 5}}, MERGE).body
    assert (inner["status"]["collisionCount"], inner["spec"]["replicas"]) == (7, 0)
    assert inner["metadata"]["generation"] == live["metadata"]["generation"]


def test_scale_is_read_and_written_through_its_own_door(place: Place) -> None:
    body = place.workload("scaled", replicas=0, spec={"paused": True})
    place.put(body)
    scale = place.get(f"{path_of(body)}/scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {})
    assert scale["status"]["selector"] == "app=scaled"
    made = place.ask("PATCH", f"{path_of(body)}/scale", {"spec": {"replicas": 3}}, MERGE).body
    assert made["spec"] == {"replicas": 3}
    assert place.get(path_of(body))["spec"]["replicas"] == 3
    assert failure(place.ask("PATCH", f"{path_of(body)}/scale", {"spec": {"replicas": -1}}, MERGE)) == (422, "Invalid")


# --- server-side apply ------------------------------------------------------------------------------------------------


def test_an_apply_makes_an_object_that_the_manager_owns(place: Place) -> None:
    body = place.made("ConfigMap", "applied", data={"a": "1"}, metadata={"labels": {"x": "y"}})
    answer = place.apply(body)
    assert answer.status == 201
    (entry,) = answer.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("workspace", "Apply", "v1")
    assert (entry["fieldsType"], "time" in entry) == ("FieldsV1", True)
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}


def test_the_same_apply_again_writes_nothing(place: Place) -> None:
    body = place.workload("again", replicas=0, spec={"paused": True})
    place.put(body)
    time.sleep(1.1)  # times are whole seconds: a new one would show
    live = place.get(path_of(body))
    answer = place.apply(body)
    assert answer.status == 200
    assert answer.body == live


def test_what_the_server_fills_in_belongs_to_nobody(place: Place) -> None:
    body = place.workload("defaults", replicas=0, container={"ports": [{"containerPort": 80, "protocol": "TCP"}]})
    live = place.put(body)
    assert live["spec"]["progressDeadlineSeconds"] == 600
    container = owned(live, "workspace")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert container == {
        ".": {},
        "f:image": {},
        "f:name": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}}},
    }


def test_a_field_of_another_manager_is_a_conflict_with_its_cause(place: Place) -> None:
    body = place.workload("contested", replicas=0)
    place.put(body, "one")
    answer = place.apply(place.workload("contested", image="registry.invalid/other:1", replicas=0), "two")
    assert failure(answer) == (409, "Conflict")
    path = '.spec.template.spec.containers[name="main"].image'
    assert answer.body["message"] == f'Apply failed with 1 conflict: conflict with "one": {path}'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": path}
    assert answer.body["details"] == {"causes": [cause]}


def test_a_plain_creator_owns_what_it_said_and_the_maps_it_made(place: Place) -> None:
    body = place.made("ConfigMap", "by-post", data={"a": "1"}, metadata={"labels": {"x": "y"}})
    live = place.ask("POST", all_of(body), body, fieldManager="maker").body
    (entry,) = live["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("maker", "Update")
    maps = {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}
    assert entry["fieldsV1"] == maps


def test_several_conflicts_are_told_by_manager(place: Place) -> None:
    place.put(place.made("ConfigMap", "many", data={"a": "1", "b": "1"}), "one")
    place.put(place.made("ConfigMap", "many", data={"c": "1"}), "three")
    answer = place.apply(place.made("ConfigMap", "many", data={"a": "2", "b": "2", "c": "2"}), "two")
    assert answer.body["message"] == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "three":\n- .data.c'
    )
    told = [(each["message"], each["field"]) for each in answer.body["details"]["causes"]]
    assert sorted(told) == [
        ('conflict with "one"', ".data.a"),
        ('conflict with "one"', ".data.b"),
        ('conflict with "three"', ".data.c"),
    ]


def test_a_conflict_with_a_plain_write_tells_its_version(place: Place) -> None:
    body = place.made("ConfigMap", "by-hand", data={"a": "1"})
    place.put(body)
    place.ask("PATCH", path_of(body), {"data": {"a": "2"}}, MERGE, fieldManager="hand")
    answer = place.apply({**body, "data": {"a": "3"}})
    assert failure(answer) == (409, "Conflict")
    assert answer.body["message"].startswith('Apply failed with 1 conflict: conflict with "hand" using v1')
    assert answer.body["message"].endswith(": .data.a")


def test_force_takes_a_field_from_its_owner(place: Place) -> None:
    place.put(place.made("ConfigMap", "taken", data={"a": "1", "b": "1"}), "one")
    live = place.put(place.made("ConfigMap", "taken", data={"a": "2"}), "two", force="true")
    assert live["data"] == {"a": "2", "b": "1"}
    assert (owned(live, "one"), owned(live, "two")) == ({"f:data": {"f:b": {}}}, {"f:data": {"f:a": {}}})


def test_the_same_value_is_owned_together_and_goes_with_the_last_owner(place: Place) -> None:
    body = place.made("ConfigMap", "shared", data={"a": "1"})
    place.put(body, "one")
    live = place.put(body, "two")
    assert owned(live, "one") == owned(live, "two") == {"f:data": {"f:a": {}}}
    empty = place.made("ConfigMap", "shared")
    live = place.put(empty, "one")
    assert (live["data"], owned(live, "one")) == ({"a": "1"}, {})
    assert not place.put(empty, "two").get("data")


def test_what_an_apply_no_longer_says_is_removed(place: Place) -> None:
    body = place.workload(
        "less", replicas=0, container={"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    )
    place.put(body)
    body["spec"]["template"]["spec"]["containers"][0]["env"].pop(0)
    live = place.put(body)
    assert [each["name"] for each in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["B"]


def test_what_another_manager_added_to_a_list_or_map_stays(place: Place) -> None:
    body = place.workload("together", replicas=0, container={"env": [{"name": "A", "value": "1"}]})
    place.put(body)
    other = place.workload("together", replicas=0, container={"env": [{"name": "B", "value": "1"}]})
    other["metadata"]["labels"] = {"by": "other"}
    place.put(other, "other")
    live = place.put(body)
    assert {each["name"] for each in live["spec"]["template"]["spec"]["containers"][0]["env"]} == {"A", "B"}
    assert live["metadata"]["labels"] == {"by": "other"}


def test_finalizers_are_owned_one_by_one(place: Place) -> None:
    for manager in ("one", "two"):
        body = place.made("ConfigMap", "held", metadata={"finalizers": [f"mystira.app/{manager}"]})
        live = place.put(body, manager)
    assert sorted(live["metadata"]["finalizers"]) == ["mystira.app/one", "mystira.app/two"]
    live = place.put(place.made("ConfigMap", "held"), "one")
    assert live["metadata"]["finalizers"] == ["mystira.app/two"]
    place.put(place.made("ConfigMap", "held"), "two")


def test_a_plain_list_is_owned_as_a_whole(place: Place) -> None:
    place.put(place.workload("atomic", replicas=0, container={"args": ["a"]}), "one")
    answer = place.apply(place.workload("atomic", replicas=0, container={"args": ["a", "b"]}), "two")
    assert [field for field, _ in answer.causes] == ['.spec.template.spec.containers[name="main"].args']


def test_a_plain_writer_becomes_an_owner_of_what_it_changed(place: Place) -> None:
    body = place.made("ConfigMap", "updated", data={"a": "1", "b": "1"})
    place.put(body)
    live = place.ask("PATCH", path_of(body), {"data": {"a": "2"}}, MERGE, fieldManager="hand").body
    entry = next(each for each in live["metadata"]["managedFields"] if each["manager"] == "hand")
    assert (entry["operation"], entry["fieldsV1"]) == ("Update", {"f:data": {"f:a": {}}})
    assert owned(live, "workspace") == {"f:data": {"f:b": {}}}


@pytest.mark.since(22, "an entry of managedFields names no subresource, so a scale looks like any other write")
def test_a_scale_is_an_owner_of_its_own(place: Place) -> None:
    body = place.workload("scale-owner", replicas=0, spec={"paused": True})
    place.put(body)
    place.ask("PATCH", f"{path_of(body)}/scale", {"spec": {"replicas": 2}}, MERGE, fieldManager="scaler")
    answer = place.apply(body)
    assert answer.body["details"]["causes"][0]["message"] == (
        'conflict with "scaler" with subresource "scale" using apps/v1'
    )


@pytest.mark.since(21, "a port that names no protocol cannot be told from another one (an old defect)")
def test_a_service_port_needs_no_protocol(place: Place) -> None:
    body = place.made("Service", "portly", spec={"selector": {"a": "b"}, "ports": [{"port": 80}]})
    place.put(body)
    assert place.put(body)["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_an_apply_without_a_manager_is_refused(place: Place) -> None:
    body = place.made("ConfigMap", "nobody")
    answer = place.ask("PATCH", path_of(body), body, APPLY)
    assert failure(answer) == (422, "Invalid")
    assert answer.causes == [("fieldManager", "FieldValueRequired")]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("managed fields", {"metadata": {"managedFields": [{"manager": "x", "operation": "Apply"}]}}),
        ("another name", {"metadata": {"name": "other"}}),
        pytest.param("another kind", {"kind": "Secret"}, marks=OLD_500),
        pytest.param("no kind", {"kind": ""}, marks=OLD_500),
        ("no version", {"apiVersion": ""}),
    ],
)
def test_an_apply_that_contradicts_itself_is_a_bad_request(place: Place, what: str, change: Body) -> None:
    body = place.made("ConfigMap", "contradiction")
    path = path_of(body)
    given = {**body, **change, "metadata": {**body["metadata"], **change.get("metadata", {})}}
    answer = place.ask("PATCH", path, given, APPLY, fieldManager="workspace")
    assert failure(answer) == (400, "BadRequest"), what


def test_an_apply_may_be_yaml(place: Place) -> None:
    text = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\n  namespace: {place.namespace}\ndata: {{a: '1'}}\n"
    )
    answer = place.ask("PATCH", place.at("configmaps") + "/yaml", text.encode(), APPLY, fieldManager="workspace")
    assert (answer.status, answer.body["data"]) == (201, {"a": "1"})


def test_an_apply_that_is_no_yaml_is_a_bad_request(place: Place) -> None:
    answer = place.ask("PATCH", place.at("configmaps") + "/x", b"a: [", APPLY, fieldManager="workspace")
    assert failure(answer) == (400, "BadRequest")


def test_an_applied_field_that_no_schema_knows_is_a_500_that_says_so(place: Place) -> None:
    """The client takes this for what it is: the request is wrong."""
    body = place.workload("typo", container={"readyProbe": {}})
    answer = place.apply(body)
    assert answer.status == 500
    assert "failed to create typed patch object" in answer.body["message"]
    assert ".spec.template.spec.containers" in answer.body["message"]
    assert "field not declared in schema" in answer.body["message"]
    assert place.ask("GET", path_of(body)).status == 404


@pytest.mark.since(25, "a plain write drops unknown fields in silence")
def test_an_unknown_field_of_a_plain_write_is_refused_when_asked(place: Place) -> None:
    body = {**place.made("ConfigMap", "unknown-field"), "dota": {}}
    answer = place.ask("POST", all_of(body), body, fieldValidation="Strict")
    assert failure(answer) == (400, "BadRequest")
    assert 'unknown field "dota"' in answer.body["message"]


def test_an_apply_of_a_stale_version_is_a_conflict(place: Place) -> None:
    body = place.made("ConfigMap", "apply-stale", data={"a": "1"})
    first = place.put(body)
    place.put({**body, "data": {"a": "2"}})
    body["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    assert failure(place.apply({**body, "data": {"a": "3"}})) == (409, "Conflict")


def test_an_apply_of_a_uid_makes_no_object(place: Place) -> None:
    body = place.made("ConfigMap", "apply-uid", metadata={"uid": "4711"})
    assert failure(place.apply(body)) == (409, "Conflict")
    assert place.ask("GET", path_of(body)).status == 404


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_of_something_new_is_filled_in_and_not_kept(place: Place) -> None:
    body = place.workload("dry-new", replicas=0)
    answer = place.apply(body, dryRun="All")
    assert (answer.status, answer.body["spec"]["progressDeadlineSeconds"]) == (201, 600)
    assert answer.body["metadata"]["uid"]
    assert place.ask("GET", path_of(body)).status == 404


def test_a_dry_run_of_a_change_leaves_everything_as_it_was(place: Place) -> None:
    body = place.workload("dry-change", replicas=0, spec={"paused": True})
    place.put(body)
    live = place.wait(body, lambda found: (found.get("status") or {}).get("observedGeneration") == 1)
    answer = place.apply(place.workload("dry-change", replicas=2, spec={"paused": True}), dryRun="All")
    assert (answer.status, answer.body["spec"]["replicas"]) == (200, 2)
    assert answer.body["metadata"]["generation"] == 2
    assert answer.body["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    assert place.get(path_of(body)) == live


def test_a_dry_run_finds_conflicts_and_broken_rules_too(place: Place) -> None:
    place.put(place.made("ConfigMap", "dry-conflict", data={"a": "1"}), "one")
    conflict = place.apply(place.made("ConfigMap", "dry-conflict", data={"a": "2"}), "two", dryRun="All")
    assert failure(conflict) == (409, "Conflict")
    invalid = place.apply(place.made("Service", "dry-invalid", spec={"selector": {"a": "b"}}), dryRun="All")
    assert failure(invalid) == (422, "Invalid")


def test_a_dry_deletion_deletes_nothing(place: Place) -> None:
    body = place.made("ConfigMap", "dry-deleted")
    place.put(body)
    assert place.ask("DELETE", path_of(body), dryRun="All").status == 200
    assert place.ask("GET", path_of(body)).status == 200


def test_another_kind_of_dry_run_is_refused(place: Place) -> None:
    answer = place.apply(place.made("ConfigMap", "half-dry"), dryRun="Some")
    assert failure(answer) == (422, "Invalid")
    assert answer.causes == [("dryRun", "FieldValueNotSupported")]


# --- requests that make no sense --------------------------------------------------------------------------------------


def test_a_request_that_is_too_large_is_not_read(place: Place) -> None:
    body = place.made("ConfigMap", "huge", data={"a": "x" * 3_500_000})
    assert failure(place.ask("POST", all_of(body), body)) == (413, "RequestEntityTooLarge")


def test_data_of_a_secret_that_is_not_encoded_is_a_bad_request(place: Place) -> None:
    body = place.made("Secret", "plain", data={"a": "%%"})
    assert failure(place.ask("POST", all_of(body), body)) == (400, "BadRequest")
    answer = place.apply(body)
    assert answer.status == 500
    assert "failed to convert new object to proper version" in answer.body["message"]


def test_a_quantity_that_is_none_cannot_be_read(place: Place) -> None:
    body = place.workload("lots", container={"resources": {"limits": {"cpu": "lots"}}})
    assert failure(place.ask("POST", all_of(body), body)) == (400, "BadRequest")
    answer = place.apply(body)
    assert answer.status == 500
    assert "quantities must match the regular expression" in answer.body["message"]


@pytest.mark.parametrize(
    ("query", "reason", "causes"),
    [
        ({"fieldManager": "x" * 200}, "Invalid", [("fieldManager", "FieldValueTooLong")]),
        ({"fieldManager": "x", "force": "true"}, "Invalid", [("force", "FieldValueForbidden")]),
    ],
    ids=["a long manager", "force without apply"],
)
def test_a_patch_asked_for_wrongly_is_invalid(place: Place, query: Body, reason: str, causes: Any) -> None:
    body = place.made("ConfigMap", "asked-wrongly", data={"a": "1"})
    place.put(body)
    answer = place.ask("PATCH", path_of(body), {"data": {"a": "2"}}, MERGE, **query)
    assert (failure(answer), answer.causes) == ((422, reason), causes)


@pytest.mark.parametrize("metadata", [{"name": "other"}, {"namespace": "other"}])
def test_a_patch_moves_no_object(place: Place, metadata: Body) -> None:
    body = place.made("ConfigMap", "unmoved", data={"a": "1"})
    place.put(body)
    assert failure(place.ask("PATCH", path_of(body), {"metadata": metadata}, MERGE)) == (400, "BadRequest")


def test_an_apply_names_its_object(place: Place) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "named-"}}
    answer = place.ask("PATCH", place.at("configmaps") + "/nameless", body, APPLY, fieldManager="workspace")
    assert failure(answer) == (400, "BadRequest")
    assert "name must be provided" in answer.body["message"]
    place.put(place.made("ConfigMap", "nameless"))
    assert place.ask("PATCH", place.at("configmaps") + "/nameless", body, APPLY, fieldManager="workspace").status == 200


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
@pytest.mark.ours("it asks to delete what holds the cluster together, though only for show")
def test_a_namespace_of_the_clusters_own_is_never_deleted(place: Place, name: str) -> None:
    answer = place.ask("DELETE", f"/api/v1/namespaces/{name}", dryRun="All")
    assert failure(answer) == (403, "Forbidden")
    assert answer.body["message"] == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_an_unknown_version_of_a_group_is_a_status(place: Place) -> None:
    assert failure(place.ask("GET", "/apis/apps/v9")) == (404, "NotFound")

"""The cluster API over HTTP: who may ask, what is served, what is refused, and in which words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_bench import Bench, call, made, path_of, rolled_out, workload


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(tmp_path_factory.mktemp("cluster"))
    found.put_there(made("Namespace", "dev"))
    found.wait("/api/v1/namespaces/dev/serviceaccounts/default", bool)
    yield found
    found.close()


def test_without_the_token_nobody_is_answered(bench: Bench) -> None:
    response = bench.send("GET", "/api/v1/namespaces", {"Authorization": "Bearer wrong"})
    assert (response.status_code, response.json()["reason"]) == (401, "Unauthorized")


def test_a_cluster_azure_does_not_have_answers_503_and_says_so(bench: Bench) -> None:
    response = call(bench.clusters.app, "GET", "/clusters/mystira-dev-rg/other/version", "", {}, b"")
    assert response.status_code == 503
    assert "there is no managed cluster other in resource group mystira-dev-rg" in response.json()["message"]


def test_the_version_says_rehearsal(bench: Bench) -> None:
    assert bench.get("/version")["gitVersion"].startswith("v1.35.")
    assert bench.get("/version")["gitVersion"].endswith("-rehearsal")


def test_the_kubeconfig_is_yaml_with_one_context_and_a_token(bench: Bench) -> None:
    config = yaml.safe_load(bench.clusters.kubeconfig("g", "n", "https://127.0.0.1:1/", "PEM"))
    assert config["current-context"] == "n"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1/clusters/g/n"


def test_discovery_lists_groups_and_resources(bench: Bench) -> None:
    groups = [group["name"] for group in bench.get("/apis")["groups"]]
    assert {"apps", "gateway.networking.k8s.io", "apiextensions.k8s.io"} <= set(groups)
    names = [resource["name"] for resource in bench.get("/apis/apps/v1")["resources"]]
    assert {"deployments", "deployments/status", "deployments/scale"} <= set(names)


def test_discovery_comes_in_one_document_for_those_who_ask(bench: Bench) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    response = bench.send("GET", "/apis", {**bench.headers, "Accept": accept})
    assert "APIGroupDiscoveryList" in response.headers["content-type"]
    assert response.json()["kind"] == "APIGroupDiscoveryList"


def test_an_unknown_group_is_a_bare_404_page(bench: Bench) -> None:
    response = bench.ask("GET", "/apis/cert-manager.io/v1/certificates")
    assert (response.status_code, response.text) == (404, "404 page not found\n")


def test_an_unknown_resource_is_a_404_status(bench: Bench) -> None:
    response = bench.ask("GET", "/apis/apps/v1/namespaces/dev/gadgets/x")
    assert response.json()["message"] == "the server could not find the requested resource"


def test_an_object_is_made_read_listed_and_deleted(bench: Bench) -> None:
    body = made("ConfigMap", "crud", data={"a": "1"}, metadata={"labels": {"for": "crud"}})
    assert bench.ask("POST", "/api/v1/namespaces/dev/configmaps", body).status_code == 201
    assert bench.get(path_of(body))["data"] == {"a": "1"}
    listed = bench.get("/api/v1/configmaps", labelSelector="for=crud")
    assert [each["metadata"]["name"] for each in listed["items"]] == ["crud"]
    assert bench.ask("DELETE", path_of(body)).json()["status"] == "Success"
    assert bench.get(path_of(body))["message"] == 'configmaps "crud" not found'


def test_making_an_object_twice_is_refused(bench: Bench) -> None:
    body = made("ConfigMap", "twice")
    bench.ask("POST", "/api/v1/namespaces/dev/configmaps", body)
    response = bench.ask("POST", "/api/v1/namespaces/dev/configmaps", body)
    assert response.json()["message"] == 'configmaps "twice" already exists'


def test_a_namespace_that_is_not_there_takes_nothing(bench: Bench) -> None:
    body = made("ConfigMap", "lost", namespace="nowhere")
    response = bench.apply(body)
    assert (response.status_code, response.json()["message"]) == (404, 'namespaces "nowhere" not found')


def test_a_stale_version_is_a_conflict(bench: Bench) -> None:
    body = made("ConfigMap", "stale", data={"a": "1"})
    first = bench.apply(body).json()
    bench.apply(made("ConfigMap", "stale", data={"a": "2"}))
    response = bench.ask("PUT", path_of(body), first)
    assert response.status_code == 409
    assert "the object has been modified; please apply your changes to the latest version" in response.json()["message"]


def test_pages_go_on_where_they_stopped(bench: Bench) -> None:
    bench.put_there(*(made("ConfigMap", f"page-{n}", metadata={"labels": {"for": "pages"}}) for n in range(3)))
    first = bench.get("/api/v1/namespaces/dev/configmaps", labelSelector="for=pages", limit=2)
    assert "remainingItemCount" not in first["metadata"]  # a server that selects does not count
    rest = bench.get(
        "/api/v1/namespaces/dev/configmaps",
        labelSelector="for=pages",
        limit=2,
        **{"continue": first["metadata"]["continue"]},
    )
    assert [each["metadata"]["name"] for each in rest["items"]] == ["page-2"]


def test_a_second_apply_of_the_same_writes_nothing(bench: Bench) -> None:
    body = made("Service", "same", spec={"selector": {"app": "same"}, "ports": [{"port": 80, "protocol": "TCP"}]})
    first = bench.apply(body)
    again = bench.apply(body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["metadata"]["resourceVersion"] == again.json()["metadata"]["resourceVersion"]


def test_apply_without_a_manager_is_refused(bench: Bench) -> None:
    body = made("ConfigMap", "nobody")
    response = bench.ask("PATCH", path_of(body), body, "application/apply-patch+yaml")
    assert "fieldManager: Required value: is required for apply patch" in response.json()["message"]


def test_a_conflicting_apply_is_a_409_with_causes(bench: Bench) -> None:
    bench.put_there(made("ConfigMap", "shared", data={"a": "1"}))
    response = bench.apply(made("ConfigMap", "shared", data={"a": "2"}), manager="other")
    body = response.json()
    assert response.status_code == 409
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "workspace": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "workspace"', "field": ".data.a"}
    assert body["details"]["causes"] == [cause]
    assert bench.apply(made("ConfigMap", "shared", data={"a": "2"}), manager="other", force="true").status_code == 200


def test_what_a_put_changed_belongs_to_its_writer(bench: Bench) -> None:
    live = bench.apply(made("ConfigMap", "put", data={"a": "1"})).json()
    bench.ask("PUT", path_of(live), {**live, "data": {"a": "2"}}, fieldManager="hand")
    response = bench.apply(made("ConfigMap", "put", data={"a": "3"}))
    assert response.json()["message"] == ('Apply failed with 1 conflict: conflict with "hand" using v1: .data.a')


def test_an_unknown_field_in_an_apply_is_refused_with_the_servers_own_500(bench: Bench) -> None:
    body = workload("typo")
    body["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    response = bench.apply(body)
    assert response.status_code == 500
    assert response.json()["message"] == (
        "failed to create typed patch object (dev/typo; apps/v1, Kind=Deployment): "
        ".spec.template.spec.containers[0].readyProbe: field not declared in schema"
    )


def test_an_unknown_field_elsewhere_warns_or_is_refused_as_asked(bench: Bench) -> None:
    body = {**made("ConfigMap", "extra"), "dota": {}}
    refused = bench.ask("POST", "/api/v1/namespaces/dev/configmaps", body, fieldValidation="Strict")
    assert 'strict decoding error: unknown field "dota"' in refused.json()["message"]
    warned = bench.ask("POST", "/api/v1/namespaces/dev/configmaps", body)
    assert (warned.status_code, warned.headers["warning"]) == (201, '299 - "unknown field \\"dota\\""')


def test_a_dry_run_leaves_no_trace(bench: Bench) -> None:
    body = workload("dry", replicas=0)
    dry = bench.apply(body, dryRun="All")
    assert dry.json()["spec"]["progressDeadlineSeconds"] == 600
    assert bench.ask("GET", path_of(body)).status_code == 404
    bench.put_there(body)
    live = bench.wait(path_of(body), rolled_out)
    changed = bench.apply(workload("dry", replicas=3), dryRun="All").json()
    assert changed["spec"]["replicas"] == 3
    assert bench.get(path_of(body)) == live


def test_only_a_changed_spec_raises_the_generation(bench: Bench) -> None:
    body = workload("counted", replicas=0)
    bench.put_there(body)
    labelled = bench.apply({**body, "metadata": {**body["metadata"], "labels": {"a": "b"}}}).json()
    assert labelled["metadata"]["generation"] == 1
    assert bench.apply(workload("counted", replicas=0, paused=True)).json()["metadata"]["generation"] == 2


def test_status_is_written_only_through_its_own_door(bench: Bench) -> None:
    body = workload("door", replicas=0, paused=True)
    bench.put_there(body)
    patch, media = {"status": {"readyReplicas": 7}}, "application/merge-patch+json"
    assert bench.ask("PATCH", path_of(body), patch, media).json()["status"].get("readyReplicas") is None
    assert bench.ask("PATCH", path_of(body) + "/status", patch, media).json()["status"]["readyReplicas"] == 7


def test_scale_has_its_own_owner(bench: Bench) -> None:
    body = workload("scaled", replicas=1, paused=True)
    bench.put_there(body)
    scale = bench.ask("PATCH", path_of(body) + "/scale", {"spec": {"replicas": 2}}, "application/merge-patch+json")
    assert scale.json()["spec"] == {"replicas": 2}
    said = bench.apply(body).json()["message"]
    assert 'with subresource "scale" using apps/v1: .spec.replicas' in said


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a bad name", made("ConfigMap", "Bad_Name"), "a lowercase RFC 1123 subdomain must consist of"),
    (
        "a selector that misses its own pods",
        workload("astray", selector={"matchLabels": {"app": "other"}}),
        'spec.template.metadata.labels: Invalid value: {"app":"astray"}: `selector` does not match template `labels`',
    ),
    ("a pod without containers", workload("empty", pod={"containers": []}), "containers: Required value"),
    (
        "a mount without volume",
        workload("mount", container={"volumeMounts": [{"name": "x", "mountPath": "/x"}]}),
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "x"',
    ),
    (
        "a service without ports",
        made("Service", "portless", spec={"selector": {"a": "b"}}),
        "spec.ports: Required value",
    ),
    (
        "an autoscaler upside down",
        made(
            "HorizontalPodAutoscaler",
            "upside",
            "autoscaling/v2",
            spec={"minReplicas": 3, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "x"}},
        ),
        "must be greater than or equal to `minReplicas`",
    ),
    (
        "a request above its limit",
        workload("greedy", container={"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}),
        "must be less than or equal to cpu limit of 1",
    ),
]


@pytest.mark.parametrize(("body", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_breaks_a_rule_is_refused_by_name(bench: Bench, body: dict[str, Any], said: str) -> None:
    response = bench.apply(body)
    assert response.status_code == 422
    assert said in response.json()["message"]


def test_a_deployments_selector_cannot_change(bench: Bench) -> None:
    bench.put_there(workload("fixed", replicas=0))
    changed = workload("fixed", replicas=0, selector={"matchLabels": {"app": "new"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "new"}
    changed["spec"]["selector"]["matchLabels"] = {"app": "new"}
    response = bench.apply(changed)
    assert response.status_code == 422
    assert response.json()["message"] == (
        'Deployment.apps "fixed" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"new"}}: '
        "field is immutable"
    )


def test_most_of_a_stateful_set_cannot_change(bench: Bench) -> None:
    bench.put_there(workload("chain", "StatefulSet", replicas=0))
    response = bench.apply(workload("chain", "StatefulSet", replicas=0, serviceName="other"))
    assert response.status_code == 422
    assert "spec: Forbidden: updates to statefulset spec for fields other than 'replicas'" in response.json()["message"]


def test_a_cluster_address_cannot_change(bench: Bench) -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    body = made("Service", "address", spec=spec)
    bench.put_there(body)
    response = bench.apply(made("Service", "address", spec={**spec, "clusterIP": "10.0.0.9"}), force="true")
    assert "may not change once set" in response.json()["message"]


def test_text_of_a_secret_is_kept_as_data(bench: Bench) -> None:
    live = bench.apply(made("Secret", "words", stringData={"a": "b"})).json()
    assert (live["data"], live.get("stringData"), live["type"]) == ({"a": "Yg=="}, None, "Opaque")


def test_a_watch_tells_what_happened_since_and_ends_in_time(bench: Bench) -> None:
    start = bench.get("/api/v1/namespaces/dev/configmaps")["metadata"]["resourceVersion"]
    body = made("ConfigMap", "seen", data={"a": "1"})
    bench.put_there(body, made("ConfigMap", "seen", data={"a": "2"}))
    bench.ask("DELETE", path_of(body))
    lines = bench.ask(
        "GET",
        "/api/v1/namespaces/dev/configmaps",
        watch="true",
        resourceVersion=start,
        timeoutSeconds="0.05",
        fieldSelector="metadata.name=seen",
    ).text.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["ADDED", "MODIFIED", "DELETED"]


def test_an_object_that_stops_to_match_leaves_the_watch(bench: Bench) -> None:
    body = made("ConfigMap", "leaving", metadata={"labels": {"watch": "me"}})
    bench.put_there(body)
    start = bench.get("/api/v1/configmaps")["metadata"]["resourceVersion"]
    bench.put_there(made("ConfigMap", "leaving"))
    query = {"watch": "1", "resourceVersion": start, "timeoutSeconds": "0.05", "labelSelector": "watch=me"}
    lines = bench.ask("GET", "/api/v1/configmaps", **query).text.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["DELETED"]


def test_initial_events_end_with_a_bookmark(bench: Bench) -> None:
    query = {"watch": "1", "sendInitialEvents": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "0.05"}
    lines = bench.ask("GET", "/api/v1/namespaces", **query).text.splitlines()
    bookmarks = [json.loads(line)["object"] for line in lines if '"BOOKMARK"' in line]
    assert bookmarks[0]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_from_a_forgotten_version_expires(bench: Bench) -> None:
    start = bench.get("/api/v1/configmaps")["metadata"]["resourceVersion"]
    bench.put_there(made("ConfigMap", "later"))
    bench.clusters.compact("mystira-dev-rg", "mystira-dev-aks")
    response = bench.ask("GET", "/api/v1/configmaps", watch="1", resourceVersion=start)
    event = json.loads(response.text)
    assert (response.status_code, event["type"]) == (200, "ERROR")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {start} (")


def test_kubectl_gets_a_table(bench: Bench) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = bench.send("GET", "/api/v1/namespaces", {**bench.headers, "Accept": accept}).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Status", "Age"]


def test_a_definition_makes_its_kind_servable(bench: Bench) -> None:
    bench.put_there(_widgets())
    bench.wait("/apis/test.dev/v1", lambda body: body.get("kind") == "APIResourceList")
    taken = bench.apply(made("Widget", "one", "test.dev/v1", spec={"size": 3}))
    assert taken.json()["spec"] == {"size": 3, "colour": "red"}
    unknown = bench.apply(made("Widget", "two", "test.dev/v1", spec={"size": 3, "shape": "x"}))
    assert ".spec.shape: field not declared in schema" in unknown.json()["message"]
    small = bench.apply(made("Widget", "three", "test.dev/v1", spec={"size": 0}))
    assert "spec.size in body should be greater than or equal to 1" in small.json()["message"]
    bench.ask("DELETE", path_of(_widgets()))
    assert bench.ask("GET", "/apis/test.dev/v1/namespaces/dev/widgets").status_code == 404


def _widgets() -> dict[str, Any]:
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"type": "integer", "minimum": 1}, "colour": {"type": "string", "default": "red"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return made(
        "CustomResourceDefinition",
        "widgets.test.dev",
        "apiextensions.k8s.io/v1",
        spec={
            "group": "test.dev",
            "names": {"plural": "widgets", "kind": "Widget"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    )


def test_a_webhook_without_pods_behind_it_stops_writes(bench: Bench) -> None:
    hook = {
        "name": "webhook.test.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"name": "hook", "namespace": "dev"}},
        "rules": [
            {"apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["leases"]}
        ],
    }
    body = made("ValidatingWebhookConfiguration", "hook", "admissionregistration.k8s.io/v1", webhooks=[hook])
    bench.put_there(body)
    response = bench.apply(made("Lease", "held", "coordination.k8s.io/v1", spec={"holderIdentity": "us"}))
    bench.ask("DELETE", path_of(body))
    assert response.status_code == 500
    assert 'failed calling webhook "webhook.test.dev"' in response.json()["message"]
    assert 'service "hook" not found' in response.json()["message"]


def test_a_namespace_empties_before_it_goes(bench: Bench) -> None:
    bench.put_there(made("Namespace", "brief"), made("ConfigMap", "inside", namespace="brief"))
    assert bench.ask("DELETE", "/api/v1/namespaces/brief").json()["status"]["phase"] == "Terminating"
    bench.wait("/api/v1/namespaces", lambda body: "brief" not in json.dumps(body))
    assert bench.get("/api/v1/configmaps", fieldSelector="metadata.name=inside")["items"] == []


def test_deleting_an_owner_deletes_what_it_owned_unless_orphaned(bench: Bench) -> None:
    for policy, left in (("Background", 0), ("Orphan", 1), ("Foreground", 0)):
        owner = bench.apply(made("ConfigMap", "owner")).json()["metadata"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
        bench.put_there(made("ConfigMap", "owned", metadata={"ownerReferences": [reference]}))
        bench.ask("DELETE", "/api/v1/namespaces/dev/configmaps/owner", {"propagationPolicy": policy})
        bench.wait("/api/v1/configmaps", lambda body: "owner" not in _names(body))
        bench.wait("/api/v1/configmaps", lambda body, left=left: _names(body).count("owned") == left)
        bench.ask("DELETE", "/api/v1/namespaces/dev/configmaps/owned")


def _names(listed: dict[str, Any]) -> list[str]:
    return [each["metadata"]["name"] for each in listed["items"]]


def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.put_there(made("Namespace", "dev"), workload("web"))
    path = path_of(workload("web"))
    before = first.wait(path, rolled_out)
    first.close()
    second = Bench(tmp_path)
    second.wait("/apis/gateway.networking.k8s.io/v1/gatewayclasses/approuting-istio", bool)
    assert second.get(path) == before
    assert any(body["kind"] == "Deployment" for body in second.clusters.objects("mystira-dev-rg", "mystira-dev-aks"))
    second.close()


def test_private_keys_and_tokens_are_seen_by_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put_there(made("Namespace", "dev"), workload("web", replicas=1))
    bench.wait(path_of(workload("web")), rolled_out)
    pods = bench.get("/api/v1/pods")["items"]
    assert pods
    assert not [key for pod in pods for key in pod if key.startswith("_")]
    token = tmp_path / "clusters" / "mystira-dev-rg" / "mystira-dev-aks" / "token"
    assert token.stat().st_mode & 0o077 == 0
    bench.close()


def test_a_dropped_cluster_is_empty_when_it_comes_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put_there(made("Namespace", "dev"))
    bench.clusters.drop("mystira-dev-rg", "mystira-dev-aks")
    assert bench.clusters.objects("mystira-dev-rg", "mystira-dev-aks") == []
    assert bench.ask("GET", "/api/v1/namespaces").status_code == 401
    bench.close()


def test_a_cluster_that_azure_deleted_comes_back_empty(tmp_path: Path) -> None:
    there = [True]
    bench = Bench(tmp_path, exists=lambda group, name: there[0])
    bench.put_there(made("Namespace", "dev"))
    there[0] = False
    assert bench.ask("GET", "/api/v1/namespaces/dev").status_code == 503
    there[0] = True
    config = json.loads(bench.clusters.kubeconfig("mystira-dev-rg", "mystira-dev-aks", "https://127.0.0.1", "PEM"))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    assert bench.send("GET", "/api/v1/namespaces/dev", headers).status_code == 404
    bench.close()


def test_the_nodes_are_those_azure_has(tmp_path: Path) -> None:
    bench = Bench(tmp_path, nodes=lambda group, name: [{"name": "aks-chain-0", "labels": {"workload": "chain"}}])
    nodes = bench.get("/api/v1/nodes")["items"]
    assert [(each["metadata"]["name"], each["metadata"]["labels"]["workload"]) for each in nodes] == [
        ("aks-chain-0", "chain")
    ]
    bench.close()


def test_a_settled_cluster_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put_there(made("Namespace", "dev"), workload("web"), workload("chain", "StatefulSet"))
    for kind in ("Deployment", "StatefulSet"):
        name = "web" if kind == "Deployment" else "chain"
        bench.wait(path_of(workload(name, kind)), rolled_out)
    bench.wait("/apis/gateway.networking.k8s.io/v1/gatewayclasses/approuting-istio", bool)
    before = bench.clusters.objects("mystira-dev-rg", "mystira-dev-aks")
    bench.ask("GET", "/api/v1/pods", watch="1", timeoutSeconds="0.1")
    assert bench.clusters.objects("mystira-dev-rg", "mystira-dev-aks") == before
    bench.close()

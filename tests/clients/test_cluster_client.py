"""The cluster client against a small scripted API: what it asks, what it makes of the answers."""

import base64
import copy
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from workspace.clients import cluster as cluster_module
from workspace.clients.cluster import Cluster
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.rehearsal.serving import Served, certificate

DIGEST = "sha256:" + "d" * 64
KINDS = {
    "v1": {"Namespace": "namespaces", "Secret": "secrets", "Pod": "pods", "Event": "events", "ConfigMap": "configmaps"},
    "apps/v1": {
        "Deployment": "deployments",
        "StatefulSet": "statefulsets",
        "ReplicaSet": "replicasets",
        "ControllerRevision": "controllerrevisions",
    },
}
Answer = Callable[[Request, Any], Response | None]


class Api:
    """Keeps objects by path, remembers what it was asked, and answers otherwise where a test says so."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.changed: list[str] = []
        self.otherwise: Answer = lambda request, body: None
        self.put("v1", "namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        self.put("v1", "namespaces", {"metadata": {"name": "shop"}})
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "PATCH", "DELETE"])])

    def put(self, api: str, plural: str, thing: dict[str, Any]) -> dict[str, Any]:
        metadata = thing["metadata"]
        place = f"namespaces/{metadata['namespace']}/" if "namespace" in metadata else ""
        path = f"{'api' if api == 'v1' else 'apis'}/{api}/{place}{plural}/{metadata['name']}"
        self.objects[path] = thing
        return thing

    def writes(self) -> list[tuple[str, dict[str, str]]]:
        return [(path, query) for method, path, query, _ in self.asked if method != "GET" and "dryRun" not in query]

    async def answer(self, request: Request) -> Response:
        path, text = request.path_params["path"], await request.body()
        body = json.loads(text) if text else None
        self.asked.append((request.method, path, dict(request.query_params), copy.deepcopy(body)))
        special = self.otherwise(request, body)
        if special is not None:
            return special
        if request.method == "GET":
            return self.read(path)
        if request.method == "DELETE":
            return JSONResponse(self.objects.pop(path))
        return self.change(request, path, body)

    def read(self, path: str) -> Response:
        found = discovery(path)
        if found is not None:
            return JSONResponse(found)
        if path in self.objects:
            return JSONResponse(self.objects[path])
        items = [each for key, each in self.objects.items() if key.rpartition("/")[0] == path]
        known = path.rpartition("/")[2] in {plural for kinds in KINDS.values() for plural in kinds.values()}
        return JSONResponse({"items": items}) if known else missing()

    def change(self, request: Request, path: str, body: Any) -> Response:
        live = copy.deepcopy(self.objects.get(path, {}))
        if request.headers["content-type"].startswith("application/json-patch"):
            live["spec"]["template"] = body[0]["value"]
        else:
            live = merged(live, body)
        metadata = live["metadata"]
        if "apply-patch" in request.headers["content-type"]:
            owned = {"f:data": {f"f:{key}": {} for key in live.get("data", {})}}
            manager = request.query_params["fieldManager"]
            metadata["managedFields"] = [{"manager": manager, "operation": "Apply", "fieldsV1": owned}]
        if live != self.objects.get(path):
            metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", "0")) + 1)
            if "dryRun" not in request.query_params:
                self.objects[path] = live
                self.changed.append(path)
        return JSONResponse(live)


def discovery(path: str) -> Any:
    if path == "version":
        return {"gitVersion": "v1.35.0"}
    if path == "apis":
        version = {"groupVersion": "apps/v1", "version": "v1"}
        return {
            "kind": "APIGroupList",
            "groups": [{"name": "apps", "versions": [version], "preferredVersion": version}],
        }
    api = path.partition("/")[2]
    if api in KINDS and path.startswith(("api/", "apis/")):
        kinds = KINDS[api].items()
        names = [
            {"name": plural, "kind": kind, "namespaced": kind != "Namespace", "verbs": []} for kind, plural in kinds
        ]
        return {"kind": "APIResourceList", "resources": names}
    return None


def merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: merged(old.get(key), new[key]) if key in new else old[key] for key in {**old, **new}}
    return new


def missing() -> Response:
    return failure(404, "NotFound", "not found")


def failure(code: int, reason: str, message: str, **more: Any) -> Response:
    return JSONResponse(
        {"kind": "Status", "code": code, "reason": reason, "message": message, **more}, status_code=code
    )


def kubeconfig(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    return yaml.safe_dump(
        {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {"token": "the-token"}}],
        }
    )


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[list[Api], str]]:
    current: list[Api] = []

    async def forward(scope: Any, receive: Any, send: Any) -> None:
        await current[-1].app(scope, receive, send)

    with Served(forward) as here:
        yield current, here.url


@pytest.fixture
def api(served: tuple[list[Api], str]) -> Api:
    served[0].append(Api())
    return served[0][-1]


@pytest.fixture(scope="module")
def one_cluster(served: tuple[list[Api], str]) -> Iterator[Cluster]:
    """The kinds are the same for every test, so they are discovered once."""
    made = Cluster(kubeconfig(served[1]), timeout_seconds=5)
    yield made
    made.close()


@pytest.fixture
def cluster(api: Api, one_cluster: Cluster) -> Cluster:
    return one_cluster


def config_map(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": data,
    }


def deployment(image: str = f"r/web@{DIGEST}", **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": "shop", "uid": "d-1", "generation": 1}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec, **more}


DONE = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


def pod(name: str, labels: dict[str, str], **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web", **labels}, "uid": name}
    containers = [{"name": "web", "image": f"r/web@{DIGEST}"}]
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": containers}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {
        "phase": "Pending",
        "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": reason, "message": message}}}],
    }


# --- the connection


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nothing", "is not one"),
        ("{}", "is not one"),
        (kubeconfig("", None), "names no server"),
        (kubeconfig("https://a", {"client-certificate": "/c.pem"}), r"points to files \(client-certificate\)"),
        (kubeconfig("https://a", {"exec": {"command": "kubelogin"}}), "credential program, which is not run here"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_alone_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        Cluster(text)


def test_a_token_is_asked_for_instead_of_running_a_credential_program(api: Api, served: tuple[list[Api], str]) -> None:
    seen: list[str] = []

    def look(request: Request, body: Any) -> None:
        seen.append(request.headers["authorization"])

    api.otherwise = look
    text = kubeconfig(served[1], {"exec": {"command": "kubelogin"}})
    assert Cluster(text, token=lambda: "asked-for").identity() == "cluster-1"
    assert set(seen) == {"Bearer asked-for"}


def test_the_private_key_lies_in_a_private_file_until_the_cluster_is_closed(tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    key = base64.b64encode(pair.key.read_bytes()).decode()
    made = Cluster(kubeconfig("https://127.0.0.1:1", {"client-key-data": key}))
    file = Path(made._configuration.key_file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    made.close()
    assert not file.exists()


def test_the_persons_own_kubeconfig_is_not_read(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/at/all")
    assert cluster.identity() == "cluster-1"


def test_a_server_that_is_not_there_is_unsettled() -> None:
    with pytest.raises(Unsettled, match=r"https://127\.0\.0\.1:1 does not answer"):
        Cluster(kubeconfig("https://127.0.0.1:1"), timeout_seconds=2).identity()


def test_a_certificate_that_is_not_trusted_is_broken(api: Api, tmp_path: Path) -> None:
    with Served(api.app, certificate(tmp_path / "a")) as here:
        other = base64.b64encode(certificate(tmp_path / "b").certificate.read_bytes()).decode()
        with pytest.raises(Broken, match="its kubeconfig does not trust"):
            Cluster(kubeconfig(here.url, None, **{"certificate-authority-data": other})).identity()


def test_a_path_in_the_address_is_kept(api: Api, tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    trusted = base64.b64encode(pair.certificate.read_bytes()).decode()

    async def below(scope: Any, receive: Any, send: Any) -> None:
        scope = {**scope, "path": scope["path"].removeprefix("/clusters/g/n")}
        await api.app(scope, receive, send)

    with Served(below, pair) as here:
        made = Cluster(kubeconfig(f"{here.url}/clusters/g/n", None, **{"certificate-authority-data": trusted}))
        assert made.identity() == "cluster-1"
        made.close()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Broken),
        (403, Broken),
        (405, Broken),
        (410, Unsettled),
        (429, Unsettled),
        (500, Unsettled),
        (503, Unsettled),
    ],
)
def test_each_refusal_of_the_server_is_said_in_our_words(
    cluster: Cluster, api: Api, code: int, kind: type[WorkspaceError]
) -> None:
    api.otherwise = lambda request, body: (
        failure(code, "Because", "the words of the server") if "kube-system" in request.url.path else None
    )
    with pytest.raises(kind, match=f"answers {code} about Namespace kube-system: the words of the server"):
        cluster.identity()


def test_an_exceeded_quota_is_broken_with_its_message(cluster: Cluster, api: Api) -> None:
    refused = failure(403, "Forbidden", "exceeded quota: pods")
    api.otherwise = lambda request, body: refused if request.method == "PATCH" else None
    with pytest.raises(Broken, match=r"exceeded quota: pods$"):
        cluster.apply([config_map(a="1")])


# --- previewing and applying


def test_a_new_object_is_a_creation_that_the_server_tried_strictly(cluster: Cluster, api: Api) -> None:
    (found,) = cluster.differences([config_map(a="1")])
    assert str(found) == "create ConfigMap shop/settings"
    _, path, query, body = api.asked[-1]
    assert path == "api/v1/namespaces/shop/configmaps/settings"
    assert query == {"fieldValidation": "Strict", "fieldManager": "mystira-workspace", "dryRun": "All"}
    assert body == config_map(a="1")
    assert api.writes() == []


def test_a_change_is_told_by_its_paths(cluster: Cluster) -> None:
    cluster.apply([config_map(a="1", b="2")])
    (found,) = cluster.differences([config_map(a="1", b="3")])
    assert str(found) == "change ConfigMap shop/settings: data.b"


def test_a_second_apply_writes_nothing(cluster: Cluster, api: Api) -> None:
    said: list[str] = []
    assert [str(each) for each in cluster.apply([config_map(a="1")], said.append)] == ["create ConfigMap shop/settings"]
    assert said == ["created ConfigMap shop/settings"]
    before = list(api.changed)
    assert cluster.apply([config_map(a="1")]) == []
    assert api.changed == before


@pytest.mark.parametrize("attempt", ["apply", "differences"])
def test_what_a_controller_writes_meanwhile_is_no_change_of_ours(cluster: Cluster, api: Api, attempt: str) -> None:
    cluster.apply([deployment()])

    def report(request: Request, body: Any) -> Response | None:
        if request.method == "PATCH":
            live = api.objects["apis/apps/v1/namespaces/shop/deployments/web"]
            live["metadata"]["resourceVersion"] = str(int(live["metadata"]["resourceVersion"]) + 1)
            live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
            live["status"] = {"observedGeneration": 1}
        return None

    api.otherwise = report
    assert getattr(cluster, attempt)([deployment()]) == []


CLAIMS = {
    "f:metadata": {"f:annotations": {"f:a.test/x": {}}},
    "f:spec": {"f:replicas": {}, "f:ports": {'k:{"port":80}': {".": {}, "f:port": {}}}, "f:args": {}},
}


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("spec.replicas", True),
        ("spec", True),
        ("metadata.annotations", True),
        ("metadata.annotations.a.test/x", True),
        ("metadata.annotations.a.test/y", False),
        ("spec.ports[http].port", True),
        ("spec.args[0]", True),
        ("spec.replicasMax", False),
        ("metadata.labels", False),
    ],
)
def test_a_path_is_ours_when_we_say_it_or_something_in_it(path: str, is_ours: bool) -> None:
    assert cluster_module._claimed(CLAIMS, path) is is_ours


def test_an_equal_object_of_somebody_else_is_adopted(cluster: Cluster, api: Api) -> None:
    api.put("v1", "configmaps", config_map(a="1"))
    (found,) = cluster.apply([config_map(a="1")])
    assert found.paths == ("metadata.managedFields",)


def test_what_cannot_be_tried_yet_is_a_guess(cluster: Cluster) -> None:
    elsewhere = config_map(a="1")
    elsewhere["metadata"]["namespace"] = "not-yet"
    unknown = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "shop"}}
    assert [each.is_guess for each in cluster.differences([elsewhere, unknown])] == [True, True]


def test_a_kind_nobody_defined_cannot_be_applied(cluster: Cluster) -> None:
    unknown = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "shop"}}
    with pytest.raises(Broken, match="does not know the kind Thing"):
        cluster.apply([unknown])


def test_a_namespace_is_there_before_what_lies_in_it(cluster: Cluster, api: Api) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fresh"}, "status": {"phase": "Active"}}
    inside = config_map(a="1")
    inside["metadata"]["namespace"] = "fresh"
    cluster.apply([inside, namespace])
    assert [path.rpartition("/")[2] for path, _ in api.writes()] == ["fresh", "settings"]


def test_an_object_without_a_namespace_is_refused(cluster: Cluster) -> None:
    thing = config_map(a="1")
    del thing["metadata"]["namespace"]
    with pytest.raises(Refused, match="ConfigMap settings needs a namespace"):
        cluster.differences([thing])


def test_a_changed_selector_is_refused_before_anything_is_written(cluster: Cluster, api: Api) -> None:
    api.put("apps/v1", "deployments", deployment())
    other = deployment()
    other["spec"]["selector"] = {"matchLabels": {"app": "web", "environment": "dev"}}
    with pytest.raises(Refused, match=r"Deployment shop/web exists with another spec\.selector.*delete the object"):
        cluster.apply([config_map(a="1"), other])
    assert api.writes() == []


def conflict(*owners: str) -> Response:
    causes = [{"message": f'conflict with "{each}" using apps/v1', "field": ".spec.replicas"} for each in owners]
    message = f'Apply failed with {len(owners)} conflict: conflict with "{owners[0]}" using apps/v1: .spec.replicas'
    return failure(409, "Conflict", message, details={"causes": causes})


def test_a_field_of_somebody_else_is_named_with_its_owner_and_left_alone(cluster: Cluster, api: Api) -> None:
    api.otherwise = lambda request, body: conflict("kubectl") if request.method == "PATCH" else None
    with pytest.raises(Broken, match=r"ConfigMap shop/settings is not ours alone: kubectl owns \.spec\.replicas"):
        cluster.apply([config_map(a="1")])
    assert all("force" not in query for _, _, query, _ in api.asked)


def test_what_our_own_undo_wrote_is_taken_back(cluster: Cluster, api: Api) -> None:
    def refuse_unless_forced(request: Request, body: Any) -> Response | None:
        forced = "force" in request.query_params
        return conflict("mystira-workspace-undo") if request.method == "PATCH" and not forced else None

    api.otherwise = refuse_unless_forced
    assert len(cluster.apply([config_map(a="1")])) == 1


def test_an_object_the_server_finds_invalid_is_refused_in_the_dry_run(cluster: Cluster, api: Api) -> None:
    invalid = failure(422, "Invalid", "spec.ports: Required value")
    api.otherwise = lambda request, body: invalid if request.method == "PATCH" else None
    with pytest.raises(Refused, match="Required value"):
        cluster.differences([config_map(a="1")])


# --- waiting


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_FIRST_POLL", 0.005)
    monkeypatch.setattr(cluster_module, "_SLOWEST_POLL", 0.01)


def becoming(api: Api, plural: str, *states: dict[str, Any]) -> None:
    """Let an object have one state after the other, each time it is read."""
    left = list(states)

    def next_state(request: Request, body: Any) -> Response | None:
        if request.method == "GET" and request.url.path.endswith(f"{plural}/web"):
            return JSONResponse(left.pop(0) if len(left) > 1 else left[0])
        return None

    api.otherwise = next_state


def test_waiting_ends_when_everything_is_ready_and_tells_the_way(cluster: Cluster, api: Api) -> None:
    said: list[str] = []
    becoming(api, "deployments", deployment(status={}), deployment(status=DONE))
    (found,) = cluster.wait_ready([deployment()], 5, said.append)
    assert found["status"] == DONE
    assert said == ["Deployment shop/web: 0 of 1 new replicas are updated", "Deployment shop/web: is ready"]


@pytest.mark.parametrize(
    ("reason", "message"),
    [("ImagePullBackOff", "manifest unknown"), ("CrashLoopBackOff", "back-off 10s")],
)
def test_waiting_ends_early_with_the_pods_own_reason(cluster: Cluster, api: Api, reason: str, message: str) -> None:
    api.put("apps/v1", "deployments", deployment(status={"observedGeneration": 1}))
    api.put("v1", "pods", pod("web-1", {}, **waiting(reason, message)))
    with pytest.raises(Broken, match=f"Deployment shop/web cannot become ready.*pod web-1: .*{reason}: {message}"):
        cluster.wait_ready([deployment()], 60)


def replica_set(name: str, revision: int, image: str, hash_of_it: str) -> dict[str, Any]:
    labels = {"app": "web", "pod-template-hash": hash_of_it}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    metadata = {
        "name": name,
        "namespace": "shop",
        "labels": labels,
        "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        "ownerReferences": [{"uid": "d-1", "controller": True}],
    }
    return {"kind": "ReplicaSet", "metadata": metadata, "spec": {"template": template}}


def test_what_pods_of_the_revision_before_suffer_from_does_not_count(cluster: Cluster, api: Api) -> None:
    live = deployment(status={"observedGeneration": 1})
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    api.put("apps/v1", "replicasets", replica_set("web-a", 1, "old", "a"))
    api.put("apps/v1", "replicasets", replica_set("web-b", 2, "new", "b"))
    api.put("v1", "pods", pod("web-a-1", {"pod-template-hash": "a"}, **waiting("CrashLoopBackOff")))
    assert cluster.trouble(live) is None
    api.put("v1", "pods", pod("web-b-1", {"pod-template-hash": "b"}, **waiting("CrashLoopBackOff")))
    verdict = cluster.trouble(live)
    assert verdict is not None and "web-b-1" in verdict.reason


def test_nothing_is_judged_before_the_controller_has_seen_the_change(cluster: Cluster, api: Api) -> None:
    api.put("v1", "pods", pod("web-1", {}, **waiting("CrashLoopBackOff")))
    stale = deployment(status={"observedGeneration": 1})
    stale["metadata"]["generation"] = 2
    becoming(api, "deployments", stale, stale, deployment(status=DONE))
    assert cluster.wait_ready([deployment()], 5)


def test_a_passed_deadline_tells_what_was_seen_last_and_the_newest_warning(cluster: Cluster, api: Api) -> None:
    api.put("apps/v1", "deployments", deployment(status={"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1}))
    api.put("v1", "pods", pod("web-1", {}, phase="Running"))
    event = {"metadata": {"name": "e", "namespace": "shop"}, "involvedObject": {"uid": "web-1"}, "reason": "Unhealthy"}
    api.put(
        "v1", "events", {**event, "message": "Readiness probe failed: 503", "lastTimestamp": "2026-11-01T00:00:00Z"}
    )
    with pytest.raises(
        Broken, match=r"0 of 1 updated replicas are available; Readiness probe failed: 503 \(Unhealthy\)"
    ):
        cluster.wait_ready([deployment()], 0.05)


def test_an_object_that_never_appears_is_told_at_the_deadline(cluster: Cluster) -> None:
    with pytest.raises(Broken, match="Deployment shop/web is not there"):
        cluster.wait_ready([deployment()], 0.03)


def test_a_missed_answer_does_not_end_the_wait(cluster: Cluster, api: Api) -> None:
    api.put("apps/v1", "deployments", deployment(status=DONE))
    left = [failure(503, "Down", "busy")] * 2

    def stumble(request: Request, body: Any) -> Response | None:
        return left.pop() if left and request.url.path.endswith("deployments/web") else None

    api.otherwise = stumble
    assert cluster.wait_ready([deployment()], 5)


def test_an_autoscaler_and_a_budget_are_not_waited_for(cluster: Cluster) -> None:
    adviser = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    assert cluster.wait_ready([adviser], 0.01) == []


def stateful_set(revision: str = "web-2", **status: Any) -> dict[str, Any]:
    thing = deployment(status={"observedGeneration": 1, "updateRevision": revision, **status})
    return {**thing, "kind": "StatefulSet", "metadata": {**thing["metadata"], "uid": "s-1"}}


def test_a_stuck_pod_of_an_old_revision_is_deleted_so_that_the_new_one_can_start(cluster: Cluster, api: Api) -> None:
    thing = stateful_set()
    api.put("v1", "pods", pod("web-0", {"controller-revision-hash": "web-1"}, **waiting("ImagePullBackOff")))
    api.put("v1", "pods", pod("web-1", {"controller-revision-hash": "web-2"}, **waiting("ImagePullBackOff")))
    assert cluster.free_stuck_pods(thing) == ["web-0"]
    assert [path.rpartition("/")[2] for path, _ in api.writes()] == ["web-0"]


def test_pods_that_failed_before_are_deleted_so_that_new_ones_start_at_once(cluster: Cluster, api: Api) -> None:
    api.put("v1", "pods", pod("web-1", {}, **waiting("CrashLoopBackOff")))
    api.put("v1", "pods", pod("web-2", {}, phase="Running"))
    told: list[str] = []
    assert cluster.revive([deployment(), config_map(a="1")], told.append, told.append) == ["web-1"]
    assert [line.partition(" ")[0] for line in told] == ["start", "deleted"], "announced before it is done"
    assert [path.rpartition("/")[2] for path, _ in api.writes()] == ["web-1"]


def test_what_had_failed_before_the_wait_gets_a_second_chance(cluster: Cluster, api: Api) -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"}
    old = deployment(status={"observedGeneration": 1, "conditions": [late]})
    becoming(api, "deployments", old, old, deployment(status=DONE))
    assert cluster.wait_ready([deployment()], 5)
    becoming(api, "deployments", deployment(status={"observedGeneration": 1}), old)
    with pytest.raises(Broken, match="exceeded its progress deadline: too late"):
        cluster.wait_ready([deployment()], 5)


def test_a_stateful_set_whose_pods_are_refused_fails_with_the_event(cluster: Cluster, api: Api) -> None:
    event = {"metadata": {"name": "e", "namespace": "shop"}, "involvedObject": {"uid": "s-1"}, "reason": "FailedCreate"}
    api.put("v1", "events", {**event, "message": "exceeded quota"})
    verdict = cluster.trouble(stateful_set())
    assert verdict is not None and verdict.is_failed and verdict.reason == "exceeded quota"


# --- taking back


def test_a_deployment_goes_back_one_revision_and_stays_there(cluster: Cluster, api: Api) -> None:
    live = api.put("apps/v1", "deployments", deployment("new"))
    api.put("apps/v1", "replicasets", replica_set("web-a", 1, "old", "a"))
    api.put("apps/v1", "replicasets", replica_set("web-b", 2, "new", "b"))
    assert cluster.undo("Deployment", "shop", "web") == "Deployment shop/web is back at revision 1"
    now = cluster.get("apps/v1", "Deployment", "shop", "web")
    assert now is not None and now["spec"]["template"]["spec"]["containers"][0]["image"] == "old"
    assert "pod-template-hash" not in now["spec"]["template"]["metadata"]["labels"]
    assert live["spec"]["selector"] == now["spec"]["selector"]
    assert cluster.undo("Deployment", "shop", "web") == ""


def test_a_stateful_set_goes_back_to_its_controller_revision(cluster: Cluster, api: Api) -> None:
    thing = stateful_set()
    api.put("apps/v1", "statefulsets", thing)
    for number, image in ((1, "old"), (2, f"r/web@{DIGEST}")):
        template = copy.deepcopy(thing["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        metadata = {
            "name": f"web-{number}",
            "namespace": "shop",
            "ownerReferences": [{"uid": "s-1", "controller": True}],
        }
        data = {"spec": {"template": {**template, "$patch": "replace"}}}
        api.put("apps/v1", "controllerrevisions", {"metadata": metadata, "revision": number, "data": data})
    assert cluster.undo("StatefulSet", "shop", "web").endswith("is back at revision 1")
    patch = next(body for _, _, query, body in api.asked if query.get("fieldManager") == "mystira-workspace-undo")
    assert patch[0]["value"]["spec"]["containers"][0]["image"] == "old" and "$patch" not in patch[0]["value"]


def test_a_first_revision_cannot_be_undone(cluster: Cluster, api: Api) -> None:
    api.put("apps/v1", "deployments", deployment("new"))
    api.put("apps/v1", "replicasets", replica_set("web-a", 1, "new", "a"))
    with pytest.raises(Refused, match="no earlier revision"):
        cluster.undo("Deployment", "shop", "web")


@pytest.mark.parametrize(("kind", "sentence"), [("DaemonSet", "has no revisions"), ("Deployment", "there is no")])
def test_what_cannot_be_undone_is_refused(cluster: Cluster, kind: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        cluster.undo(kind, "shop", "absent")


def test_the_digests_that_run_are_told_by_container(cluster: Cluster, api: Api) -> None:
    running = {"containerStatuses": [{"name": "web", "state": {"running": {}}, "imageID": "r/web@sha256:" + "e" * 64}]}
    api.put("v1", "pods", pod("web-1", {}, **running))
    leaving = pod("web-2", {}, **running)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    leaving["spec"]["containers"][0]["image"] = "r/web@sha256:" + "f" * 64
    api.put("v1", "pods", leaving)
    assert cluster.running_images(deployment()) == {"web": frozenset({DIGEST})}


# --- secrets


def test_a_secret_is_written_once_and_told_by_keys(cluster: Cluster, api: Api) -> None:
    first = cluster.write_secret("shop", "web", {"a": "1", "b": "2"})
    assert (first.added, first.changed, first.removed) == (("a", "b"), (), ())
    before = api.writes()
    assert cluster.write_secret("shop", "web", {"a": "1", "b": "2"}).is_settled
    assert api.writes() == before
    assert cluster.secret_state("shop", "web", {"a": "9"}).changed == ("a",)
    assert cluster.secret_state("shop", "web", {"a": "1"}).removed == ("b",)


def test_a_key_that_somebody_else_added_stays_theirs(cluster: Cluster, api: Api) -> None:
    cluster.write_secret("shop", "web", {"a": "1"})
    path = "api/v1/namespaces/shop/secrets/web"
    api.objects[path]["data"]["theirs"] = base64.b64encode(b"x").decode()
    assert cluster.secret_state("shop", "web", {"a": "1"}).is_settled


def test_a_refused_secret_says_no_value_anywhere(cluster: Cluster, api: Api) -> None:
    text = base64.b64encode(b"hunter2").decode()
    invalid = failure(422, "Invalid", f"data.a: Invalid value: {text}")
    api.otherwise = lambda request, body: invalid if request.method == "PATCH" else None
    with pytest.raises(Broken) as caught:
        cluster.write_secret("shop", "web", {"a": "hunter2"})
    assert text not in str(caught.value) and "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "answers 422 about Secret shop/web: Invalid" in str(caught.value)

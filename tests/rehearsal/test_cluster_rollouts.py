"""What workloads do in the stand-in: progress, wait, fail with the real words, roll back, and recover."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_bench import A, B, Bench, condition, made, path_of, rolled_out, workload

pytestmark = pytest.mark.slow

ABSENT = "registry.test/web@sha256:" + "c" * 64
PODS = "/api/v1/namespaces/dev/pods"
SETS = "/apis/apps/v1/namespaces/dev/replicasets"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(tmp_path_factory.mktemp("rollouts"))
    found.put_there(made("Namespace", "dev"))
    found.wait("/api/v1/namespaces/dev/serviceaccounts/default", bool)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_faults(bench: Bench) -> Iterator[None]:
    yield
    bench.fault()


def pods(bench: Bench, name: str) -> list[dict[str, Any]]:
    return list(bench.get(PODS, labelSelector=f"app={name}")["items"])


def waiting(bench: Bench, name: str) -> list[tuple[str, str]]:
    statuses = [each for pod in pods(bench, name) for each in pod["status"].get("containerStatuses", [])]
    found = [each["state"].get("waiting", {}) for each in statuses]
    return [(each.get("reason", ""), each.get("message", "")) for each in found]


def wait_for_reason(bench: Bench, name: str, reason: str) -> str:
    found: list[str] = []

    def there(_: Any) -> bool:
        found[:] = [message for word, message in waiting(bench, name) if word == reason]
        return bool(found)

    bench.wait(PODS, there)
    return found[0]


def events(bench: Bench, reason: str) -> list[str]:
    listed = bench.get("/api/v1/namespaces/dev/events", fieldSelector=f"reason={reason}")["items"]
    return [each["message"] for each in listed]


def test_a_deployment_ends_complete_with_pods_of_its_digest(bench: Bench) -> None:
    bench.put_there(workload("web"))
    body = bench.wait(path_of(workload("web")), rolled_out)
    assert condition(body, "Available")["reason"] == "MinimumReplicasAvailable"
    progressing = condition(body, "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")
    assert body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    images = {each["imageID"] for pod in pods(bench, "web") for each in pod["status"]["containerStatuses"]}
    assert images == {A}


def test_only_a_changed_template_rolls_and_the_old_set_is_kept_for_undo(bench: Bench) -> None:
    body = workload("rolling")
    bench.put_there(body)
    bench.wait(path_of(body), rolled_out)
    bench.put_there({**body, "metadata": {**body["metadata"], "labels": {"seen": "yes"}}})
    assert len(bench.get(SETS, labelSelector="app=rolling")["items"]) == 1
    bench.put_there(workload("rolling", image=B))
    live = bench.wait(path_of(body), rolled_out)
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sizes = {each["spec"]["replicas"] for each in bench.get(SETS, labelSelector="app=rolling")["items"]}
    assert sizes == {0, 2}
    bench.put_there(body)
    live = bench.wait(path_of(body), rolled_out)
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert len(bench.get(SETS, labelSelector="app=rolling")["items"]) == 2


def test_a_rolling_update_never_goes_below_what_must_be_available(bench: Bench) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    bench.put_there(workload("careful", strategy=strategy))
    start = bench.wait(path_of(workload("careful")), rolled_out)["metadata"]["resourceVersion"]
    bench.put_there(workload("careful", image=B, strategy=strategy))
    bench.wait(path_of(workload("careful")), rolled_out)
    query = {"watch": "1", "resourceVersion": start, "timeoutSeconds": "0.05"}
    lines = bench.ask("GET", "/apis/apps/v1/namespaces/dev/deployments", fieldSelector="metadata.name=careful", **query)
    seen = [_available(line) for line in lines.text.splitlines()]
    assert min(seen) >= 2
    assert max(seen) <= 3


def _available(line: str) -> int:
    return int(json.loads(line)["object"]["status"].get("availableReplicas", 0))


def test_recreate_ends_the_old_pods_first(bench: Bench) -> None:
    bench.put_there(workload("again", strategy={"type": "Recreate"}))
    bench.wait(path_of(workload("again")), rolled_out)
    bench.put_there(workload("again", image=B, strategy={"type": "Recreate"}))
    bench.wait(path_of(workload("again")), rolled_out)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(bench, "again")} == {B}


def test_an_image_that_is_not_in_the_registry_cannot_start(bench: Bench) -> None:
    bench.put_there(workload("absent", image=ABSENT, replicas=1))
    said = wait_for_reason(bench, "absent", "ImagePullBackOff")
    assert said.startswith(f'Back-off pulling image "{ABSENT}"')
    assert f"{ABSENT}: not found" in said
    body = bench.wait(path_of(workload("absent")), lambda body: condition(body, "Progressing").get("status") == "False")
    assert condition(body, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert condition(body, "Available")["status"] == "False"
    assert any("Failed to pull image" in each for each in events(bench, "Failed"))


def test_the_registrys_own_words_are_in_the_pods_status(bench: Bench) -> None:
    image = "registry.test/secret@sha256:" + "d" * 64
    bench.images[image] = {"error": "401 Unauthorized"}
    bench.put_there(workload("unauthorized", image=image, replicas=1))
    assert "401 Unauthorized" in wait_for_reason(bench, "unauthorized", "ImagePullBackOff")


def test_a_tag_runs_as_the_digest_the_registry_gives(bench: Bench) -> None:
    bench.images["registry.test/web:1.2"] = {"digest": "sha256:" + "e" * 64}
    bench.put_there(workload("tagged", image="registry.test/web:1.2", replicas=1))
    bench.wait(path_of(workload("tagged")), rolled_out)
    status = pods(bench, "tagged")[0]["status"]["containerStatuses"][0]
    assert status["imageID"] == "registry.test/web@sha256:" + "e" * 64


def test_a_pod_waits_for_its_configuration_and_starts_when_it_comes(bench: Bench) -> None:
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}
    bench.put_there(workload("late", container={"env": [variable]}, replicas=1))
    assert wait_for_reason(bench, "late", "CreateContainerConfigError") == 'configmap "late" not found'
    bench.put_there(made("ConfigMap", "late", data={"b": "1"}))
    bench.wait(PODS, lambda _: waiting(bench, "late")[0][1] == "couldn't find key a in ConfigMap dev/late")
    bench.put_there(made("ConfigMap", "late", data={"a": "1"}))
    bench.wait(path_of(workload("late")), rolled_out)


def test_a_pod_waits_for_its_mounted_secret(bench: Bench) -> None:
    mounts = {"volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}
    volumes = {"volumes": [{"name": "keys", "secret": {"secretName": "keys"}}]}
    bench.put_there(workload("mounted", container=mounts, pod=volumes, replicas=1))
    said = 'MountVolume.SetUp failed for volume "keys" : secret "keys" not found'
    bench.wait(PODS, lambda _: said in events(bench, "FailedMount"))
    bench.put_there(made("Secret", "keys", stringData={"a": "b"}))
    bench.wait(path_of(workload("mounted")), rolled_out)


def test_without_its_service_account_no_pod_is_made(bench: Bench) -> None:
    bench.put_there(workload("nobody", pod={"serviceAccountName": "somebody"}, replicas=1))
    body = bench.wait(path_of(workload("nobody")), lambda body: condition(body, "ReplicaFailure"))
    failure = condition(body, "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert 'error looking up service account dev/somebody: serviceaccount "somebody" not found' in failure["message"]
    bench.put_there(made("ServiceAccount", "somebody"))
    body = bench.wait(path_of(workload("nobody")), rolled_out)
    assert not condition(body, "ReplicaFailure")


def test_a_quota_stops_what_does_not_fit(bench: Bench) -> None:
    bench.put_there(made("Namespace", "small"))
    bench.put_there(made("ResourceQuota", "tight", namespace="small", spec={"hard": {"pods": "1"}}))
    body = workload("big")
    body["metadata"]["namespace"] = "small"
    bench.put_there(body)
    live = bench.wait(path_of(body), lambda body: condition(body, "ReplicaFailure"))
    said = condition(live, "ReplicaFailure")["message"]
    assert "exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1" in said


def test_a_pod_that_no_node_takes_stays_pending(bench: Bench) -> None:
    bench.put_there(workload("picky", pod={"nodeSelector": {"workload": "chain"}}, replicas=1))
    said = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    bench.wait(PODS, lambda _: said in [condition(pod, "PodScheduled").get("message") for pod in pods(bench, "picky")])


@pytest.mark.parametrize(
    ("how", "reason", "said"),
    [
        ("CrashLoopBackOff", "CrashLoopBackOff", "restarting failed container=main pod=broken-"),
        ("ImagePullBackOff", "ImagePullBackOff", "Back-off pulling image"),
    ],
)
def test_a_fault_breaks_pods_until_it_is_lifted(bench: Bench, how: str, reason: str, said: str) -> None:
    name = f"broken-{how.lower()}"
    bench.fault({"point": "rollout", "subject": name, "how": how})
    bench.put_there(workload(name, replicas=1))
    assert said in wait_for_reason(bench, name, reason)
    bench.wait(path_of(workload(name)), lambda body: condition(body, "Progressing").get("status") == "False")
    bench.fault()
    body = bench.wait(path_of(workload(name)), rolled_out)
    assert condition(body, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_crashing_container_tells_how_it_ended(bench: Bench) -> None:
    bench.fault({"point": "rollout", "subject": "crashing", "how": "CrashLoopBackOff"})
    bench.put_there(workload("crashing", replicas=1))
    wait_for_reason(bench, "crashing", "CrashLoopBackOff")
    status = pods(bench, "crashing")[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["exitCode"] == 1


def test_a_failing_probe_leaves_pods_running_and_unready(bench: Bench) -> None:
    bench.fault({"point": "rollout", "subject": "sick", "how": "ProbeFailing"})
    bench.put_there(workload("sick", replicas=1))
    bench.wait(path_of(workload("sick")), lambda body: condition(body, "Progressing").get("status") == "False")
    pod = pods(bench, "sick")[0]
    assert pod["status"]["phase"] == "Running"
    assert condition(pod, "Ready")["message"] == "containers with unready status: [main]"
    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in events(bench, "Unhealthy")


def test_a_quota_fault_refuses_to_make_pods(bench: Bench) -> None:
    bench.fault({"point": "rollout", "subject": "squeezed", "how": "Quota"})
    bench.put_there(workload("squeezed", replicas=1))
    body = bench.wait(path_of(workload("squeezed")), lambda body: condition(body, "ReplicaFailure"))
    assert "exceeded quota" in condition(body, "ReplicaFailure")["message"]


def test_a_fault_with_a_count_is_over_after_so_many_attempts(bench: Bench) -> None:
    bench.fault({"point": "rollout", "subject": "shaky", "how": "CrashLoopBackOff", "times": 2})
    bench.put_there(workload("shaky", replicas=1))
    bench.wait(path_of(workload("shaky")), rolled_out)
    assert pods(bench, "shaky")[0]["status"]["containerStatuses"][0]["restartCount"] == 2


def test_a_stateful_set_makes_pods_one_after_the_other_with_their_claims(bench: Bench) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    body = workload("chain", "StatefulSet", replicas=2, volumeClaimTemplates=[claim])
    bench.put_there(body)
    live = bench.wait(path_of(body), rolled_out)
    assert live["status"]["currentRevision"] == live["status"]["updateRevision"]
    first, second = sorted(pods(bench, "chain"), key=lambda pod: str(pod["metadata"]["name"]))
    assert [first["metadata"]["name"], second["metadata"]["name"]] == ["chain-0", "chain-1"]
    claims = bench.get("/api/v1/namespaces/dev/persistentvolumeclaims")["items"]
    assert {each["metadata"]["name"]: each["status"]["phase"] for each in claims} == {
        "data-chain-0": "Bound",
        "data-chain-1": "Bound",
    }


def test_a_stateful_set_is_updated_from_the_last_pod_to_the_first(bench: Bench) -> None:
    body = workload("ordered", "StatefulSet")
    bench.put_there(body)
    bench.wait(path_of(body), rolled_out)
    bench.put_there(workload("ordered", "StatefulSet", image=B))
    bench.wait(path_of(body), rolled_out)
    first, second = sorted(pods(bench, "ordered"), key=lambda pod: str(pod["metadata"]["name"]))
    assert first["spec"]["containers"][0]["image"] == B
    assert first["metadata"]["creationTimestamp"] >= second["metadata"]["creationTimestamp"]


def test_a_broken_pod_blocks_a_stateful_set_even_on_the_way_back(bench: Bench) -> None:
    body = workload("stuck", "StatefulSet", replicas=1)
    bench.put_there(body)
    bench.wait(path_of(body), rolled_out)
    bench.put_there(workload("stuck", "StatefulSet", replicas=1, image=ABSENT))
    wait_for_reason(bench, "stuck", "ImagePullBackOff")
    bench.put_there(body)
    live = bench.wait(path_of(body), lambda live: live["status"]["observedGeneration"] == 3)
    assert not rolled_out(live)
    assert pods(bench, "stuck")[0]["spec"]["containers"][0]["image"] == ABSENT
    bench.ask("DELETE", f"{PODS}/stuck-0")
    bench.wait(path_of(body), rolled_out)


def test_an_autoscaler_takes_the_replicas_over_and_owns_them(bench: Bench) -> None:
    resources = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    bench.put_there(workload("scaled", replicas=1, container=resources))
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"}
    spec = {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": reference}
    body = made("HorizontalPodAutoscaler", "scaled", "autoscaling/v2", spec=spec)
    bench.put_there(body)
    live = bench.wait(path_of(body), lambda body: body["status"].get("currentReplicas") == 2)
    assert condition(live, "ScalingActive")["reason"] == "ValidMetricFound"
    response = bench.apply(workload("scaled", replicas=1, container=resources))
    assert response.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "kube-controller-manager" with subresource "scale" '
        "using apps/v1: .spec.replicas"
    )


def test_a_disruption_budget_counts_what_it_protects(bench: Bench) -> None:
    bench.put_there(workload("guarded"))
    body = made(
        "PodDisruptionBudget",
        "guarded",
        "policy/v1",
        spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}},
    )
    bench.put_there(body)
    live = bench.wait(path_of(body), lambda body: body["status"].get("currentHealthy") == 2)
    assert (live["status"]["desiredHealthy"], live["status"]["disruptionsAllowed"]) == (1, 1)


def test_a_job_runs_to_its_end(bench: Bench) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": A}]}
    body = made("Job", "once", "batch/v1", spec={"template": {"spec": pod}})
    bench.put_there(body)
    live = bench.wait(path_of(body), lambda body: condition(body, "Complete").get("status") == "True")
    assert live["status"]["succeeded"] == 1


def test_a_daemon_set_runs_on_every_node(bench: Bench) -> None:
    body = workload("agent", "DaemonSet")
    del body["spec"]["replicas"]
    bench.put_there(body)
    bench.wait(path_of(body), lambda body: body["status"].get("numberAvailable") == 3)


def test_deleting_a_deployment_ends_its_pods(bench: Bench) -> None:
    bench.put_there(workload("gone"))
    bench.wait(path_of(workload("gone")), rolled_out)
    bench.ask("DELETE", path_of(workload("gone")))
    bench.wait(PODS, lambda _: not pods(bench, "gone"))

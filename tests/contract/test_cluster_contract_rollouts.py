"""What controllers make of workloads: rollouts, their history, their deadlines, and pods that cannot start."""

from typing import Any

import pytest
from clusters_here import ABSENT, FALSE, MERGE, Place, condition, path_of, rolled_out

Body = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"
pytestmark = pytest.mark.pods


def revision(body: Body) -> str:
    return str((body["metadata"].get("annotations") or {}).get(REVISION, ""))


def roll(place: Place, body: Body) -> Body:
    place.put(body)
    return place.wait(body, rolled_out)


def sets_of(place: Place, live: Body) -> dict[str, Body]:
    return {revision(each): each for each in place.owned("replicasets", "apps/v1", live)}


def pods_of(place: Place, name: str) -> list[Body]:
    found = place.get(place.at("pods"), labelSelector=f"app={name}")["items"]
    return [each for each in found if not each["metadata"].get("deletionTimestamp")]


# --- Deployments ------------------------------------------------------------------------------------------------------


def test_a_deployment_rolls_out_and_says_so(place: Place) -> None:
    live = roll(place, place.workload("web", replicas=2))
    status = live["status"]
    counts = {key: status[key] for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    assert (set(counts.values()), status.get("unavailableReplicas")) == ({2}, None)
    assert (status["observedGeneration"], revision(live)) == (live["metadata"]["generation"], "1")
    available, progressing = condition(live, "Available"), condition(live, "Progressing")
    assert (available["status"], available["reason"]) == ("True", "MinimumReplicasAvailable")
    assert (progressing["status"], progressing["reason"]) == ("True", "NewReplicaSetAvailable")
    assert available.keys() == {"type", "status", "reason", "message", "lastUpdateTime", "lastTransitionTime"}


def test_a_replica_set_stands_between_a_deployment_and_its_pods(place: Place) -> None:
    live = roll(place, place.workload("layers", replicas=2))
    (replica_set,) = place.owned("replicasets", "apps/v1", live)
    metadata = replica_set["metadata"]
    hashed = metadata["labels"]["pod-template-hash"]
    assert metadata["name"] == f"layers-{hashed}"
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "layers",
            "uid": live["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "layers", "pod-template-hash": hashed}
    assert replica_set["spec"]["template"]["metadata"]["labels"] == {"app": "layers", "pod-template-hash": hashed}
    pods = place.owned("pods", "v1", {**replica_set, "apiVersion": "apps/v1"})
    assert len(pods) == 2
    assert {each["metadata"]["labels"]["pod-template-hash"] for each in pods} == {hashed}
    assert all(each["metadata"]["name"].startswith(f"layers-{hashed}-") for each in pods)


def test_a_pod_that_runs_says_what_and_since_when(place: Place) -> None:
    roll(place, place.workload("running"))
    (pod,) = pods_of(place, "running")
    (container,) = pod["status"]["containerStatuses"]
    assert (pod["status"]["phase"], container["name"], container["ready"]) == ("Running", "main", True)
    assert container["state"]["running"]["startedAt"]
    assert pod["spec"]["nodeName"]
    told = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
    wanted = dict.fromkeys(("Initialized", "Ready", "ContainersReady", "PodScheduled"), "True")
    assert told.items() >= wanted.items()
    assert pod["spec"]["serviceAccountName"] == "default"


def test_another_template_is_another_revision_and_the_old_one_is_kept_empty(place: Place) -> None:
    roll(place, place.workload("revised", "Deployment", "a"))
    live = roll(place, place.workload("revised", "Deployment", "b"))
    found = sets_of(place, live)
    assert (revision(live), sorted(found)) == ("2", ["1", "2"])
    assert (found["1"]["spec"]["replicas"], found["2"]["spec"]["replicas"]) == (0, 1)
    assert [each["spec"]["containers"][0]["image"] for each in pods_of(place, "revised")] == [place.images["b"]]


def test_going_back_to_a_template_takes_its_replica_set_up_again_as_the_newest(place: Place) -> None:
    for image in "aba":
        live = roll(place, place.workload("back", "Deployment", image))
    found = sets_of(place, live)
    assert (revision(live), sorted(found)) == ("3", ["2", "3"])
    assert found["3"]["spec"]["template"]["spec"]["containers"][0]["image"] == place.images["a"]


def test_the_same_template_again_rolls_nothing(place: Place) -> None:
    body = place.workload("same")
    first = roll(place, body)
    again = roll(place, body)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert len(place.owned("replicasets", "apps/v1", again)) == 1


def test_another_number_of_replicas_is_no_new_revision(place: Place) -> None:
    roll(place, place.workload("number", replicas=1))
    live = roll(place, place.workload("number", replicas=3))
    assert (revision(live), len(pods_of(place, "number"))) == ("1", 3)
    live = roll(place, place.workload("number", replicas=0))
    place.wait(body_pods(place, "number"), lambda found: not found["items"])
    assert condition(live, "Available")["status"] == "True"


def body_pods(place: Place, name: str) -> str:
    return f"{place.at('pods')}?labelSelector=app%3D{name}"


def test_only_so_many_old_revisions_are_kept(place: Place) -> None:
    for number in range(4):
        annotations = {"annotations": {"n": str(number)}, "labels": {"app": "history"}}
        body = place.workload("history", spec={"revisionHistoryLimit": 1})
        body["spec"]["template"]["metadata"] = annotations
        live = roll(place, body)
    path = f"{place.at('replicasets', 'apps/v1')}?labelSelector=app%3Dhistory"
    place.wait(path, lambda found: len(found["items"]) == 2)
    # Which old one stays is decided by their age in whole seconds.
    assert "4" in sets_of(place, live)


def test_a_paused_deployment_does_not_roll(place: Place) -> None:
    roll(place, place.workload("paused", "Deployment", "a"))
    body = place.workload("paused", "Deployment", "b", spec={"paused": True})
    place.put(body)
    live = place.wait(body, lambda found: found["status"].get("observedGeneration") == found["metadata"]["generation"])
    paused = place.wait(body, lambda found: condition(found, "Progressing").get("reason") == "DeploymentPaused")
    assert condition(paused, "Progressing")["status"] == "Unknown"
    assert len(place.owned("replicasets", "apps/v1", live)) == 1
    body["spec"]["paused"] = False
    live = roll(place, body)
    assert revision(live) == "2"


def test_a_rollout_never_has_fewer_pods_than_promised(place: Place) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    body = place.workload("promise", "Deployment", "a", 3, spec={"strategy": strategy})
    start = roll(place, body)["metadata"]["resourceVersion"]
    body["spec"]["template"]["spec"]["containers"][0]["image"] = place.images["b"]
    place.put(body)
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=promise"}
    events = place.watch(
        place.at("deployments", "apps/v1"),
        lambda seen: seen and len(seen) > 2 and rolled_out(seen[-1]["object"]),
        **query,
    )
    seen = [each["object"]["status"] for each in events]
    assert min(each.get("availableReplicas", 0) for each in seen) >= 3


def test_a_recreation_ends_the_old_pods_first(place: Place) -> None:
    body = place.workload("recreated", "Deployment", "a", 2, spec={"strategy": {"type": "Recreate"}})
    start = roll(place, body)["metadata"]["resourceVersion"]
    body["spec"]["template"]["spec"]["containers"][0]["image"] = place.images["b"]
    place.put(body)
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=recreated"}
    events = place.watch(
        place.at("deployments", "apps/v1"), lambda seen: len(seen) > 2 and rolled_out(seen[-1]["object"]), **query
    )
    assert min(each["object"]["status"].get("replicas", 0) for each in events) == 0
    assert max(each["object"]["status"].get("replicas", 0) for each in events) <= 2


def test_a_rollout_that_does_not_move_exceeds_its_deadline_and_may_recover(place: Place) -> None:
    body = place.workload("late", "Deployment", ABSENT, spec={"progressDeadlineSeconds": 2})
    place.put(body)
    live = place.wait(body, lambda found: condition(found, "Progressing").get("status") == "False")
    progressing = condition(live, "Progressing")
    (replica_set,) = place.owned("replicasets", "apps/v1", live)
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert progressing["message"] == f'ReplicaSet "{replica_set["metadata"]["name"]}" has timed out progressing.'
    available = condition(live, "Available")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert (live["status"]["unavailableReplicas"], live["status"].get("readyReplicas")) == (1, None)
    live = roll(place, place.workload("late", "Deployment", "a", spec={"progressDeadlineSeconds": 2}))
    assert condition(live, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_good_version_goes_on_running_while_a_bad_one_does_not_start(place: Place) -> None:
    roll(place, place.workload("careful", "Deployment", "a", 2))
    body = place.workload("careful", "Deployment", ABSENT, 2, spec={"progressDeadlineSeconds": 2})
    place.put(body)
    live = place.wait(body, lambda found: condition(found, "Progressing").get("reason") == "ProgressDeadlineExceeded")
    assert (live["status"]["availableReplicas"], live["status"]["updatedReplicas"]) == (2, 1)
    assert condition(live, "Available")["status"] == "True"


def test_a_quota_is_told_by_replica_set_deployment_and_event(place: Place) -> None:
    namespace = place.open_namespace()
    quota = place.made("ResourceQuota", "tight", namespace=namespace, spec={"hard": {"pods": "1"}})
    place.put(quota)
    place.wait(quota, lambda body: (body.get("status") or {}).get("hard"))
    body = place.workload("squeezed", replicas=2)
    body["metadata"]["namespace"] = namespace
    place.put(body)
    live = place.wait(body, lambda found: condition(found, "ReplicaFailure"))
    failed = condition(live, "ReplicaFailure")
    assert (failed["status"], failed["reason"]) == ("True", "FailedCreate")
    assert "is forbidden: exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1" in failed["message"]
    (replica_set,) = place.owned("replicasets", "apps/v1", live)
    assert condition(replica_set, "ReplicaFailure")["reason"] == "FailedCreate"
    fields = f"involvedObject.uid={replica_set['metadata']['uid']},type=Warning"
    place.wait(f"{place.at('events', namespace=namespace)}?fieldSelector={fields}", lambda found: found["items"])
    used = place.wait(quota, lambda found: found["status"].get("used") == {"pods": "1"})
    assert used["status"]["hard"] == {"pods": "1"}


def test_an_unknown_service_account_is_told_by_the_deployment(place: Place) -> None:
    body = place.workload("accountless", pod={"serviceAccountName": "nobody"})
    place.put(body)
    live = place.wait(body, lambda found: condition(found, "ReplicaFailure"))
    said = f'error looking up service account {place.namespace}/nobody: serviceaccount "nobody" not found'
    assert said in condition(live, "ReplicaFailure")["message"]


def test_a_scaled_deployment_follows_its_scale(place: Place) -> None:
    body = place.workload("followed")
    roll(place, body)
    place.ask("PATCH", f"{path_of(body)}/scale", {"spec": {"replicas": 2}}, MERGE)
    live = place.wait(body, lambda found: rolled_out(found) and found["spec"]["replicas"] == 2)
    assert place.get(f"{path_of(body)}/scale")["status"]["replicas"] == live["status"]["replicas"] == 2


# --- pods that do not start -------------------------------------------------------------------------------------------


def container_state(place: Place, name: str, reason: str) -> Body:
    def waits(found: Body) -> Any:
        told = [s for each in found["items"] for s in each["status"].get("containerStatuses") or []]
        return [each for each in told if (each["state"].get("waiting") or {}).get("reason") == reason]

    found = place.wait(body_pods(place, name), waits)
    return dict(next(each for each in found["items"] if each["status"].get("containerStatuses")))


def test_an_image_that_is_not_there_is_told_by_the_pod(place: Place) -> None:
    place.put(place.workload("imageless", "Deployment", ABSENT))
    pod = container_state(place, "imageless", "ImagePullBackOff")
    (container,) = pod["status"]["containerStatuses"]
    assert (pod["status"]["phase"], container["ready"], container["restartCount"]) == ("Pending", False, 0)
    assert container["state"]["waiting"]["message"].startswith(f'Back-off pulling image "{ABSENT}"')
    assert condition(pod, "Ready")["reason"] == "ContainersNotReady"
    assert condition(pod, "Ready")["message"] == "containers with unready status: [main]"


def test_a_container_that_ends_again_and_again_is_told_by_the_pod(place: Place) -> None:
    place.put(place.workload("web-crashing", container={"command": FALSE}))
    pod = container_state(place, "web-crashing", "CrashLoopBackOff")
    (container,) = pod["status"]["containerStatuses"]
    assert container["restartCount"] > 0
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert "restarting failed container" in container["state"]["waiting"]["message"]


def test_a_probe_that_does_not_hold_keeps_a_running_pod_unready(place: Place) -> None:
    body = place.workload("web-unready", container={"readinessProbe": {"exec": {"command": FALSE}}})
    place.put(body)
    found = place.wait(
        body_pods(place, "web-unready"),
        lambda found: [e for e in found["items"] if e["status"].get("phase") == "Running"],
    )
    (pod,) = found["items"]
    assert (pod["status"]["containerStatuses"][0]["ready"], condition(pod, "Ready")["status"]) == (False, "False")
    assert condition(place.get(path_of(body)), "Available")["status"] == "False"


def test_a_pod_that_fits_no_node_is_unschedulable(place: Place) -> None:
    place.put(place.workload("homeless", pod={"nodeSelector": {"mystira.app/none": "here"}}))
    found = place.wait(
        body_pods(place, "homeless"), lambda found: [e for e in found["items"] if condition(e, "PodScheduled")]
    )
    (pod,) = found["items"]
    scheduled = condition(pod, "PodScheduled")
    assert (pod["status"]["phase"], scheduled["status"], scheduled["reason"]) == ("Pending", "False", "Unschedulable")
    assert "nodes are available" in scheduled["message"]
    assert "node(s) didn't match" in scheduled["message"]
    fields = f"involvedObject.uid={pod['metadata']['uid']},reason=FailedScheduling"
    events = place.wait(f"{place.at('events')}?fieldSelector={fields}", lambda found: found["items"])["items"]
    assert events[0]["type"] == "Warning"


# --- StatefulSets, DaemonSets, Jobs -----------------------------------------------------------------------------------


def test_a_stateful_set_makes_its_pods_by_number_in_order(place: Place) -> None:
    live = roll(place, place.workload("chain", "StatefulSet", replicas=3))
    pods = {each["metadata"]["name"]: each for each in pods_of(place, "chain")}
    assert sorted(pods) == ["chain-0", "chain-1", "chain-2"]
    made = [pods[f"chain-{number}"]["metadata"] for number in range(3)]
    assert [each["labels"]["statefulset.kubernetes.io/pod-name"] for each in made] == sorted(pods)
    versions = [int(pods[name]["metadata"]["resourceVersion"]) for name in sorted(pods)]
    assert versions == sorted(versions)
    status = live["status"]
    assert status["currentRevision"] == status["updateRevision"] == made[0]["labels"]["controller-revision-hash"]
    assert (status["replicas"], status["readyReplicas"], status["currentReplicas"]) == (3, 3, 3)


@pytest.mark.since(22, "a StatefulSet does not count its available pods")
def test_a_stateful_set_counts_its_available_pods(place: Place) -> None:
    assert roll(place, place.workload("counting", "StatefulSet"))["status"]["availableReplicas"] == 1


def test_a_stateful_set_keeps_its_templates_as_revisions(place: Place) -> None:
    roll(place, place.workload("kept", "StatefulSet", "a"))
    live = roll(place, place.workload("kept", "StatefulSet", "b"))
    found = sorted(place.owned("controllerrevisions", "apps/v1", live), key=lambda each: each["revision"])
    assert [each["revision"] for each in found] == [1, 2]
    images = [each["data"]["spec"]["template"]["spec"]["containers"][0]["image"] for each in found]
    assert images == [place.images["a"], place.images["b"]]
    assert found[1]["metadata"]["name"] == live["status"]["updateRevision"]
    done = place.wait(live, lambda found: found["status"]["currentRevision"] == found["status"]["updateRevision"])
    assert done["status"]["currentReplicas"] == 1


def test_going_back_takes_a_stateful_sets_revision_up_again(place: Place) -> None:
    for image in "aba":
        live = roll(place, place.workload("renewed", "StatefulSet", image))
    found = place.owned("controllerrevisions", "apps/v1", live)
    assert sorted(each["revision"] for each in found) == [2, 3]


def test_a_stateful_set_waits_for_a_pod_that_cannot_start(place: Place) -> None:
    body = place.workload("stuck", "StatefulSet", ABSENT, 2)
    place.put(body)
    container_state(place, "stuck", "ImagePullBackOff")
    # the controller may make the pod before it writes down which revision is the current one
    place.wait(body, lambda found: (found.get("status") or {}).get("currentRevision"))
    assert [each["metadata"]["name"] for each in pods_of(place, "stuck")] == ["stuck-0"]
    good = place.workload("stuck", "StatefulSet", "a", 2)
    place.put(good)
    live = place.wait(good, lambda found: found["status"].get("observedGeneration") == 2)
    assert live["status"]["updateRevision"] != live["status"]["currentRevision"]
    # The controller never replaces a pod of an old revision that is not ready: somebody has to delete it.
    place.ask("DELETE", f"{place.at('pods')}/stuck-0")
    place.wait(good, rolled_out)


def test_a_daemon_set_counts_the_nodes_it_runs_on(place: Place) -> None:
    body = place.workload("everywhere", "DaemonSet")
    place.put(body)

    def done(found: Body) -> bool:
        status = found.get("status") or {}
        return bool(status.get("numberReady")) and status["numberReady"] == status["desiredNumberScheduled"]

    status = place.wait(body, done)["status"]
    assert status["observedGeneration"] == 1
    counts = ("currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady")
    assert {status[key] for key in counts} == {status["desiredNumberScheduled"]}
    assert status["numberMisscheduled"] == 0


def test_a_job_completes_and_says_so(place: Place) -> None:
    pod = {"containers": [{"name": "main", "image": place.images["a"]}], "restartPolicy": "Never"}
    body = place.made("Job", "once", "batch/v1", spec={"template": {"spec": pod}})
    place.put(body)
    live = place.wait(body, lambda found: condition(found, "Complete"))
    assert condition(live, "Complete")["status"] == "True"
    assert (live["status"]["succeeded"], live["status"].get("active")) == (1, None)
    assert live["status"]["completionTime"]
    assert live["spec"]["selector"]["matchLabels"].keys() & {"controller-uid", "batch.kubernetes.io/controller-uid"}

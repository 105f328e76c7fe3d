"""The controllers of Deployments and ReplicaSets, and how any workload makes and counts its pods."""

import hashlib
import json
import math
import time
from typing import Any

from workspace.rehearsal import cluster_pods as pods
from workspace.rehearsal.cluster_control import Place, adopt, compact, condition, conditioned, holds, owned, owner
from workspace.rehearsal.cluster_status import Rejected, forbidden
from workspace.rehearsal.cluster_store import now
from workspace.rehearsal.cluster_verbs import CONTROLLER

Body = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_RETRY = 1.0


def digest(value: Any) -> str:
    """A short name for a template, the same for the same template."""
    seed = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in seed[:10])


def is_active(pod: Body) -> bool:
    """Whether a pod counts: it has not ended and is not being deleted."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def is_ready(pod: Body) -> bool:
    """Whether a pod is ready."""
    return holds(pod, "Ready") and not pod["metadata"].get("deletionTimestamp")


def available_in(place: Place, pod: Body, seconds: int) -> float | None:
    """After how many seconds a pod counts as available: 0 when it does, None when it is not even ready."""
    if not is_ready(pod):
        return None
    since = pod.get("_life", {}).get("ready_at", 0.0)
    return float(max(0.0, since + seconds * place.deadline_scale - time.time()))


def make_pod(place: Place, parent: Body, kind: str, template: Body, name: Body, workload: str) -> Body:
    """Make a pod from a template; a quota fault refuses it as a quota would."""
    namespace = parent["metadata"]["namespace"]
    told = pods.ask(place, workload)
    shown = name.get("name") or name["generateName"]
    if told == "Quota":
        said = "exceeded quota: rehearsal, requested: pods=1, used: pods=10, limited: pods=10"
        raise forbidden("", "pods", shown, said)
    source = json.loads(json.dumps(template))
    metadata = {key: value for key, value in source.get("metadata", {}).items() if value}
    metadata |= {**name, "namespace": namespace, "ownerReferences": [owner(parent, kind)]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": source["spec"]}
    body["_life"] = {"workload": workload, "fault": told}
    return place.server.create(place.server.kind("Pod"), namespace, body, CONTROLLER)


def deployment(place: Place, namespace: str, name: str) -> float | None:
    """Bring a Deployment one step on: the ReplicaSet of its template grows, the others shrink."""
    body = place.server.find("Deployment", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    adopt(place.server, "ReplicaSet", body, "Deployment")
    sets = owned(place.server, "ReplicaSet", body)
    current = next((each for each in sets if _template_of(each) == _plain(body["spec"]["template"])), None)
    if not body["spec"].get("paused"):
        made = current is None
        current = _current(place, body, sets, current)
        sets = owned(place.server, "ReplicaSet", body)
        current = next(each for each in sets if each["metadata"]["uid"] == current["metadata"]["uid"])
        _scale_sets(place, body, sets, current)
        again = _deployment_status(place, body, current, "NewReplicaSetCreated" if made else "")
        _forget_old(place, body, sets, current)
        return again
    return _deployment_status(place, body, current, "")


def _plain(template: Body) -> Body:
    """A template without the hash label, comparable."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key != _HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _template_of(replica_set: Body) -> Body:
    return _plain(replica_set["spec"]["template"])


def _revision(body: Body) -> int:
    return int((body["metadata"].get("annotations") or {}).get(REVISION, 0))


def _current(place: Place, body: Body, sets: list[Body], current: Body | None) -> Body:
    """The ReplicaSet of the present template, made if need be, with the highest revision."""
    others = [_revision(each) for each in sets if each is not current]
    revision = max([0, *others]) + 1
    if current is None:
        current = _make_set(place, body, revision)
    elif _revision(current) < revision:
        current = _annotated(place, "ReplicaSet", current, revision) or current
    if _revision(body) != _revision(current):
        _annotated(place, "Deployment", body, _revision(current))
    return current


def _annotated(place: Place, kind: str, body: Body, revision: int) -> Body | None:
    def new(live: Body) -> Body:
        annotations = live["metadata"].get("annotations") or {}
        live["metadata"]["annotations"] = {**annotations, REVISION: str(revision)}
        return live

    return place.server.change(kind, body, new)


def _make_set(place: Place, body: Body, revision: int) -> Body:
    spec, metadata = body["spec"], body["metadata"]
    template = json.loads(json.dumps(_plain(spec["template"])))
    hashed = digest(template)
    labels = {**template["metadata"]["labels"], _HASH: hashed}
    template["metadata"]["labels"] = labels
    selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), _HASH: hashed}}
    kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith("kubectl.kubernetes.io/")}
    made: Body = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{hashed}",
            "labels": labels,
            "annotations": {**kept, REVISION: str(revision)},
            "ownerReferences": [owner(body, "Deployment")],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    kind = place.server.kind("ReplicaSet")
    return place.server.create(kind, metadata["namespace"], made, CONTROLLER)


def share(value: Any, whole: int, up: bool) -> int:
    """A count, or a percentage of the whole rounded as asked."""
    if isinstance(value, str) and value.endswith("%"):
        part = int(value[:-1]) * whole / 100
        return math.ceil(part) if up else math.floor(part)
    return int(value)


def limits(spec: Body) -> tuple[int, int]:
    """How many pods a rolling update may have too many, and how many too few."""
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", 0), spec["replicas"], up=True)
    unavailable = share(rolling.get("maxUnavailable", 0), spec["replicas"], up=False)
    return surge, unavailable if surge or unavailable else 1


def wanted_replicas(body: Body) -> int:
    """How many replicas a workload wants."""
    return int(body["spec"].get("replicas", 0))


def count_of(body: Body, name: str) -> int:
    """A count of a status, 0 when it is not said."""
    return int(body.get("status", {}).get(name, 0))


def _resize(place: Place, kind: str, body: Body, replicas: int) -> None:
    if wanted_replicas(body) == replicas:
        return

    def new(live: Body) -> Body:
        live["spec"]["replicas"] = replicas
        return live

    place.server.change(kind, body, new)


def _scale_sets(place: Place, body: Body, sets: list[Body], current: Body) -> None:
    old = sorted((each for each in sets if each is not current), key=_revision)
    wanted = wanted_replicas(body)
    if body["spec"]["strategy"]["type"] == "Recreate":
        for each in old:
            _resize(place, "ReplicaSet", each, 0)
        if not any(count_of(each, "replicas") or wanted_replicas(each) for each in old):
            _resize(place, "ReplicaSet", current, wanted)
        return
    surge, unavailable = limits(body["spec"])
    total = sum(wanted_replicas(each) for each in sets)
    if wanted_replicas(current) > wanted:
        _resize(place, "ReplicaSet", current, wanted)
    elif total < wanted + surge:
        more = min(wanted + surge - total, wanted - wanted_replicas(current))
        _resize(place, "ReplicaSet", current, wanted_replicas(current) + more)
    _shrink_old(place, old, current, wanted - unavailable)


def _shrink_old(place: Place, old: list[Body], current: Body, least: int) -> None:
    fresh = place.server.find("ReplicaSet", current["metadata"]["namespace"], current["metadata"]["name"]) or current
    total = wanted_replicas(fresh) + sum(wanted_replicas(each) for each in old)
    missing = max(0, wanted_replicas(fresh) - count_of(fresh, "availableReplicas"))
    budget = total - least - missing
    available = count_of(fresh, "availableReplicas") + sum(count_of(each, "availableReplicas") for each in old)
    for each in old:
        unhealthy = max(0, wanted_replicas(each) - count_of(each, "availableReplicas"))
        spare = max(0, available - least)
        healthy = min(spare, wanted_replicas(each) - unhealthy)
        less = min(budget, unhealthy + healthy)
        if less > 0:
            _resize(place, "ReplicaSet", each, wanted_replicas(each) - less)
            budget -= less
            available -= max(0, less - unhealthy)


def _forget_old(place: Place, body: Body, sets: list[Body], current: Body) -> None:
    idle = [
        each for each in sets if each["metadata"]["uid"] != current["metadata"]["uid"] and not wanted_replicas(each)
    ]
    idle = sorted((each for each in idle if not count_of(each, "replicas")), key=_revision)
    for each in idle[: max(0, len(idle) - body["spec"]["revisionHistoryLimit"])]:
        place.server.finish("ReplicaSet", each)


def _deployment_status(place: Place, body: Body, current: Body | None, news: str) -> float | None:
    body = place.server.find("Deployment", body["metadata"]["namespace"], body["metadata"]["name"]) or body
    sets = owned(place.server, "ReplicaSet", body)
    uid = current["metadata"]["uid"] if current else ""
    fresh = next((each for each in sets if each["metadata"]["uid"] == uid), None)
    available = sum(count_of(each, "availableReplicas") for each in sets)
    counts = {
        "replicas": sum(count_of(each, "replicas") for each in sets),
        "updatedReplicas": count_of(fresh, "replicas") if fresh else 0,
        "readyReplicas": sum(count_of(each, "readyReplicas") for each in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(wanted_replicas(each) for each in sets) - available),
    }
    progress, again = _progress(place, body, fresh, counts, news)
    conditions = _available_condition(body, counts["availableReplicas"])
    conditions = _failure_condition(conditions, sets)
    if progress["condition"]:
        moment = now()
        before = condition(body, "Progressing")
        same = before and {**before, **progress["condition"]} == before
        updated = {"lastUpdateTime": before["lastUpdateTime"] if same else moment}
        conditions = conditioned(conditions, "Progressing", **progress["condition"], **updated)
    status = {"observedGeneration": body["metadata"]["generation"], **compact(counts), "conditions": conditions}
    place.server.set_status("Deployment", body, status, CONTROLLER, {"_progress": progress["mark"]})
    return again


def _available_condition(body: Body, available: int) -> list[Body]:
    least = wanted_replicas(body) - (
        limits(body["spec"])[1] if body["spec"]["strategy"]["type"] == "RollingUpdate" else 0
    )
    before, listed = condition(body, "Available"), body.get("status", {}).get("conditions", [])
    if available >= least:
        words = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        words = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    moment = before["lastUpdateTime"] if before.get("status") == words[0] else now()
    return conditioned(listed, "Available", *words, lastUpdateTime=moment)


def _failure_condition(conditions: list[Body], sets: list[Body]) -> list[Body]:
    failed = next((c for c in (condition(each, "ReplicaFailure") for each in sets) if c.get("status") == "True"), None)
    if failed:
        return conditioned(
            conditions, "ReplicaFailure", "True", failed["reason"], failed["message"], lastUpdateTime=now()
        )
    return [each for each in conditions if each["type"] != "ReplicaFailure"]


def _progress(place: Place, body: Body, fresh: Body | None, counts: Body, news: str) -> tuple[Body, float | None]:
    """The Progressing condition, the mark it was judged by, and when to judge again."""
    if fresh is None or body["spec"].get("paused"):
        words = {"status": "Unknown", "reason": "DeploymentPaused", "message": "Deployment is paused"}
        return {"condition": words if body["spec"].get("paused") else None, "mark": None}, None
    name, wanted = fresh["metadata"]["name"], wanted_replicas(body)
    old = counts["replicas"] - counts["updatedReplicas"]
    mark = [name, counts["updatedReplicas"], counts["readyReplicas"], counts["availableReplicas"], -old]
    before = body.get("_progress") or {"mark": [], "since": 0.0, "finished": ""}
    complete = all(counts[key] == wanted for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if complete or before.get("finished") == name:
        words = _words("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        return {"condition": words, "mark": {"mark": mark, "since": before["since"], "finished": name}}, None
    moved = before["mark"][:1] != [name] or any(
        new > was for new, was in zip(mark[1:], before["mark"][1:], strict=True)
    )
    since = time.time() if moved or news else before["since"]
    kept = {"mark": mark, "since": since, "finished": ""}
    left = since + deadline(place, body) - time.time()
    if left <= 0:
        said = f'ReplicaSet "{name}" has timed out progressing.'
        return {"condition": _words("False", "ProgressDeadlineExceeded", said), "mark": kept}, None
    if news:
        words = _words("True", news, f'Created new replica set "{name}"')
    elif condition(body, "Progressing").get("reason") == "ProgressDeadlineExceeded" and not moved:
        words = _words("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    else:
        words = _words("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    return {"condition": words, "mark": kept}, left


def _words(status: str, reason: str, message: str) -> Body:
    return {"status": status, "reason": reason, "message": message}


def deadline(place: Place, body: Body) -> float:
    """The progress deadline in the seconds of this rehearsal; never so short that a good pod misses it."""
    return float(max(body["spec"]["progressDeadlineSeconds"] * place.deadline_scale, place.pace * 5))


def replica_set(place: Place, namespace: str, name: str) -> float | None:
    """Bring a ReplicaSet one step on: as many pods as it wants."""
    body = place.server.find("ReplicaSet", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    adopt(place.server, "Pod", body, "ReplicaSet")
    retry = body.get("_retry") or {"at": 0.0, "tries": 0, "why": ""}
    if time.time() >= retry["at"]:
        mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
        retry = _again_after(place, retry, _fill(place, body, mine))
    mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
    waits = [available_in(place, pod, body["spec"].get("minReadySeconds", 0)) for pod in mine]
    status = {
        "replicas": len(mine),
        "fullyLabeledReplicas": len(mine),
        "readyReplicas": sum(1 for wait in waits if wait is not None),
        "availableReplicas": sum(1 for wait in waits if wait == 0),
    }
    kept = {"replicas": status["replicas"], **compact(status), "observedGeneration": body["metadata"]["generation"]}
    listed = body.get("status", {}).get("conditions", [])
    if retry["why"]:
        kept["conditions"] = conditioned(listed, "ReplicaFailure", "True", "FailedCreate", retry["why"])
    place.server.set_status("ReplicaSet", body, kept, CONTROLLER, {"_retry": retry})
    soon = [wait for wait in waits if wait] + [retry["at"] - time.time()] * bool(retry["why"])
    return max(0.0, min(soon)) if soon else None


def _again_after(place: Place, retry: Body, failure: str) -> Body:
    """When to try again to make pods, a little later each time."""
    if not failure:
        return {"at": 0.0, "tries": 0, "why": ""}
    wait = min(place.pace * 2 ** retry["tries"], max(_LONGEST_RETRY, place.pace))
    return {"at": time.time() + wait, "tries": min(retry["tries"] + 1, 10), "why": failure}


def _fill(place: Place, body: Body, mine: list[Body]) -> str:
    """Make or end pods until there are as many as wanted; returns why one could not be made."""
    wanted = wanted_replicas(body)
    workload = _workload(body)
    for _ in range(wanted - len(mine)):
        try:
            base = f"{body['metadata']['name']}-"
            make_pod(place, body, "ReplicaSet", body["spec"]["template"], {"generateName": base}, workload)
        except Rejected as rejected:
            said = f"Error creating: {rejected.message}"
            place.server.event(body, "ReplicaSet", "FailedCreate", said, "replicaset-controller")
            return rejected.message
    spare = sorted(mine, key=lambda pod: (is_ready(pod), -int(pod["metadata"]["resourceVersion"])))
    for pod in spare[: max(0, len(mine) - wanted)]:
        end_pod(place, pod)
    return ""


def _workload(body: Body) -> str:
    references = body["metadata"].get("ownerReferences") or [{"name": body["metadata"]["name"]}]
    return str(references[0]["name"])


def end_pod(place: Place, pod: Body) -> None:
    """Delete a pod, with its grace."""
    metadata = pod["metadata"]
    place.server.delete(place.server.kind("Pod"), metadata["namespace"], metadata["name"], {})

"""The workload controllers: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, autoscaler and disruption budget."""

import hashlib
import json
import math
import time
from typing import Any

from workspace.rehearsal import cluster_pods as pods
from workspace.rehearsal.cluster_control import Place, compact, condition, conditioned, holds, owned, owner
from workspace.rehearsal.cluster_rules import quantity
from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_status import Rejected, forbidden
from workspace.rehearsal.cluster_store import now
from workspace.rehearsal.cluster_verbs import CONTROLLER, Writer

Body = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_STATEFUL_HASH = "controller-revision-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_RETRY = 1.0


def _digest(value: Any) -> str:
    seed = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in seed[:10])


def is_active(pod: Body) -> bool:
    """Whether a pod counts: it has not ended and is not being deleted."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def is_ready(pod: Body) -> bool:
    """Whether a pod is ready."""
    return holds(pod, "Ready") and not pod["metadata"].get("deletionTimestamp")


def _available_in(place: Place, pod: Body, seconds: int) -> float | None:
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
    digest = _digest(template)
    labels = {**template["metadata"]["labels"], _HASH: digest}
    template["metadata"]["labels"] = labels
    selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), _HASH: digest}}
    kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith("kubectl.kubernetes.io/")}
    made = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
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


def _share(value: Any, whole: int, up: bool) -> int:
    """A count, or a percentage of the whole rounded as asked."""
    if isinstance(value, str) and value.endswith("%"):
        part = int(value[:-1]) * whole / 100
        return math.ceil(part) if up else math.floor(part)
    return int(value)


def limits(spec: Body) -> tuple[int, int]:
    """How many pods a rolling update may have too many, and how many too few."""
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", 0), spec["replicas"], up=True)
    unavailable = _share(rolling.get("maxUnavailable", 0), spec["replicas"], up=False)
    return surge, unavailable if surge or unavailable else 1


def _wanted(body: Body) -> int:
    return int(body["spec"].get("replicas", 0))


def _count(body: Body, name: str) -> int:
    return int(body.get("status", {}).get(name, 0))


def _resize(place: Place, kind: str, body: Body, replicas: int) -> None:
    if _wanted(body) == replicas:
        return

    def new(live: Body) -> Body:
        live["spec"]["replicas"] = replicas
        return live

    place.server.change(kind, body, new)


def _scale_sets(place: Place, body: Body, sets: list[Body], current: Body) -> None:
    old = sorted((each for each in sets if each is not current), key=_revision)
    wanted = _wanted(body)
    if body["spec"]["strategy"]["type"] == "Recreate":
        for each in old:
            _resize(place, "ReplicaSet", each, 0)
        if not any(_count(each, "replicas") or _wanted(each) for each in old):
            _resize(place, "ReplicaSet", current, wanted)
        return
    surge, unavailable = limits(body["spec"])
    total = sum(_wanted(each) for each in sets)
    if _wanted(current) > wanted:
        _resize(place, "ReplicaSet", current, wanted)
    elif total < wanted + surge:
        more = min(wanted + surge - total, wanted - _wanted(current))
        _resize(place, "ReplicaSet", current, _wanted(current) + more)
    _shrink_old(place, old, current, wanted - unavailable)


def _shrink_old(place: Place, old: list[Body], current: Body, least: int) -> None:
    fresh = place.server.find("ReplicaSet", current["metadata"]["namespace"], current["metadata"]["name"]) or current
    total = _wanted(fresh) + sum(_wanted(each) for each in old)
    missing = max(0, _wanted(fresh) - _count(fresh, "availableReplicas"))
    budget = total - least - missing
    available = _count(fresh, "availableReplicas") + sum(_count(each, "availableReplicas") for each in old)
    for each in old:
        unhealthy = max(0, _wanted(each) - _count(each, "availableReplicas"))
        spare = max(0, available - least)
        healthy = min(spare, _wanted(each) - unhealthy)
        less = min(budget, unhealthy + healthy)
        if less > 0:
            _resize(place, "ReplicaSet", each, _wanted(each) - less)
            budget -= less
            available -= max(0, less - unhealthy)


def _forget_old(place: Place, body: Body, sets: list[Body], current: Body) -> None:
    idle = [each for each in sets if each["metadata"]["uid"] != current["metadata"]["uid"] and not _wanted(each)]
    idle = sorted((each for each in idle if not _count(each, "replicas")), key=_revision)
    for each in idle[: max(0, len(idle) - body["spec"]["revisionHistoryLimit"])]:
        place.server.finish("ReplicaSet", each)


def _deployment_status(place: Place, body: Body, current: Body | None, news: str) -> float | None:
    body = place.server.find("Deployment", body["metadata"]["namespace"], body["metadata"]["name"]) or body
    sets = owned(place.server, "ReplicaSet", body)
    uid = current["metadata"]["uid"] if current else ""
    fresh = next((each for each in sets if each["metadata"]["uid"] == uid), None)
    available = sum(_count(each, "availableReplicas") for each in sets)
    counts = {
        "replicas": sum(_count(each, "replicas") for each in sets),
        "updatedReplicas": _count(fresh, "replicas") if fresh else 0,
        "readyReplicas": sum(_count(each, "readyReplicas") for each in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(_wanted(each) for each in sets) - available),
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
    least = _wanted(body) - (limits(body["spec"])[1] if body["spec"]["strategy"]["type"] == "RollingUpdate" else 0)
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
    name, wanted = fresh["metadata"]["name"], _wanted(body)
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
    return float(max(body["spec"]["progressDeadlineSeconds"] * place.deadline_scale, place.pace * 2))


def replica_set(place: Place, namespace: str, name: str) -> float | None:
    """Bring a ReplicaSet one step on: as many pods as it wants."""
    body = place.server.find("ReplicaSet", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    retry = body.get("_retry") or {"at": 0.0, "tries": 0, "why": ""}
    if time.time() >= retry["at"]:
        mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
        retry = _again_after(place, retry, _fill(place, body, mine))
    mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
    waits = [_available_in(place, pod, body["spec"].get("minReadySeconds", 0)) for pod in mine]
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
    wanted = _wanted(body)
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


def stateful_set(place: Place, namespace: str, name: str) -> float | None:
    """Bring a StatefulSet one step on: pods by ordinal, each only after the one before is ready.

    As with the real one, a pod that never becomes ready blocks everything behind it, even the way back.
    """
    body = place.server.find("StatefulSet", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    update = _record_revision(place, body)
    failure = _stateful_step(place, body, update)
    mine = _ordered(place, body)
    waits = [_available_in(place, pod, body["spec"].get("minReadySeconds", 0)) for pod in mine.values()]
    ready = sum(1 for wait in waits if wait is not None)
    updated = sum(1 for pod in mine.values() if pod["metadata"]["labels"].get(_STATEFUL_HASH) == update)
    before = body.get("status", {}).get("currentRevision", update)
    complete = updated == len(mine) == ready == _wanted(body)
    current = update if complete or not before else before
    status = {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": len(mine),
        "readyReplicas": ready,
        "currentReplicas": sum(1 for p in mine.values() if p["metadata"]["labels"].get(_STATEFUL_HASH) == current),
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
    }
    available = sum(1 for wait in waits if wait == 0)
    kept = {"replicas": len(mine), **compact(status), "availableReplicas": available, "collisionCount": 0}
    place.server.set_status("StatefulSet", body, kept)
    soon = [wait for wait in waits if wait]
    return place.pace if failure else min(soon) if soon else None


def _record_revision(place: Place, body: Body) -> str:
    """Keep the present template as a ControllerRevision; returns its name."""
    metadata, template = body["metadata"], body["spec"]["template"]
    name = f"{metadata['name']}-{_digest(template)}"
    found = owned(place.server, "ControllerRevision", body)
    latest = max((each["revision"] for each in found), default=0)
    known = next((each for each in found if each["metadata"]["name"] == name), None)
    if known is None:
        made = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "labels": {**(template["metadata"].get("labels") or {}), "controller.kubernetes.io/hash": name[-10:]},
                "ownerReferences": [owner(body, "StatefulSet")],
            },
            "data": {"spec": {"template": {**template, "$patch": "replace"}}},
            "revision": latest + 1,
        }
        place.server.create(place.server.kind("ControllerRevision"), metadata["namespace"], made, CONTROLLER)
    elif known["revision"] < latest:
        place.server.change("ControllerRevision", known, lambda live: {**live, "revision": latest + 1})
    return name


def _ordered(place: Place, body: Body) -> dict[int, Body]:
    found = {}
    for pod in owned(place.server, "Pod", body):
        found[int(pod["metadata"]["name"].rsplit("-", 1)[1])] = pod
    return dict(sorted(found.items()))


def _stateful_step(place: Place, body: Body, update: str) -> str:
    """Do the one next thing, or everything at once for parallel sets; returns why a pod could not be made."""
    mine, spec = _ordered(place, body), body["spec"]
    one_by_one = spec["podManagementPolicy"] == "OrderedReady"
    first = (spec.get("ordinals") or {}).get("start", 0)
    ordinals = range(first, first + _wanted(body))
    for ordinal in ordinals:
        pod = mine.get(ordinal)
        if pod is None:
            failure = _make_ordinal(place, body, ordinal, update)
            if failure or one_by_one:
                return failure
        elif one_by_one and not is_ready(pod):
            return ""
    for ordinal in sorted((each for each in mine if each not in ordinals), reverse=True):
        if not mine[ordinal]["metadata"].get("deletionTimestamp"):
            end_pod(place, mine[ordinal])
        if one_by_one:
            return ""
    _replace_outdated(place, body, mine, update)
    return ""


def _replace_outdated(place: Place, body: Body, mine: dict[int, Body], update: str) -> None:
    strategy = body["spec"]["updateStrategy"]
    if strategy["type"] != "RollingUpdate":
        return
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    for ordinal in sorted((each for each in mine if each >= partition), reverse=True):
        pod = mine[ordinal]
        if pod["metadata"]["labels"].get(_STATEFUL_HASH) != update:
            if not pod["metadata"].get("deletionTimestamp"):
                end_pod(place, pod)
            return
        if not is_ready(pod):
            return


def _make_ordinal(place: Place, body: Body, ordinal: int, update: str) -> str:
    name = f"{body['metadata']['name']}-{ordinal}"
    revision = _revision_for(body, ordinal, update)
    template = _revision_template(place, body, revision)
    labels = {
        **(template["metadata"].get("labels") or {}),
        "apps.kubernetes.io/pod-index": str(ordinal),
        _STATEFUL_HASH: revision,
        "statefulset.kubernetes.io/pod-name": name,
    }
    template["metadata"]["labels"] = labels
    template["spec"]["hostname"] = name
    template["spec"]["subdomain"] = body["spec"].get("serviceName", "")
    try:
        _claims(place, body, ordinal, template)
        make_pod(place, body, "StatefulSet", template, {"name": name}, body["metadata"]["name"])
    except Rejected as rejected:
        said = f"create Pod {name} in StatefulSet {body['metadata']['name']} failed error: {rejected.message}"
        place.server.event(body, "StatefulSet", "FailedCreate", said, "statefulset-controller")
        return rejected.message
    said = f"create Pod {name} in StatefulSet {body['metadata']['name']} successful"
    place.server.event(body, "StatefulSet", "SuccessfulCreate", said, "statefulset-controller", warning=False)
    return ""


def _revision_for(body: Body, ordinal: int, update: str) -> str:
    strategy = body["spec"]["updateStrategy"]
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0) if strategy["type"] == "RollingUpdate" else 0
    current = body.get("status", {}).get("currentRevision") or update
    return str(current) if ordinal < partition else update


def _revision_template(place: Place, body: Body, revision: str) -> Body:
    found = place.server.find("ControllerRevision", body["metadata"]["namespace"], revision)
    source = found["data"]["spec"]["template"] if found else body["spec"]["template"]
    template: Body = json.loads(json.dumps({key: value for key, value in source.items() if key != "$patch"}))
    template.setdefault("metadata", {})
    return template


def _claims(place: Place, body: Body, ordinal: int, template: Body) -> None:
    for claim in body["spec"].get("volumeClaimTemplates") or []:
        name = f"{claim['metadata']['name']}-{body['metadata']['name']}-{ordinal}"
        volume = {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": name}}
        others = [v for v in template["spec"].get("volumes") or [] if v["name"] != volume["name"]]
        template["spec"]["volumes"] = [*others, volume]
        namespace = body["metadata"]["namespace"]
        if place.server.find("PersistentVolumeClaim", namespace, name) is None:
            labels = body["spec"]["selector"].get("matchLabels", {})
            made = {"metadata": {"name": name, "labels": labels}, "spec": json.loads(json.dumps(claim["spec"]))}
            place.server.create(place.server.kind("PersistentVolumeClaim"), namespace, made, CONTROLLER)


def daemon_set(place: Place, namespace: str, name: str) -> float | None:
    """Bring a DaemonSet one step on: one pod of the present template per node."""
    body = place.server.find("DaemonSet", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    nodes = [node["metadata"]["name"] for node in place.server.every("Node")]
    digest = _digest(body["spec"]["template"])
    mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
    old = [pod for pod in mine if pod["metadata"]["labels"].get(_STATEFUL_HASH) != digest]
    failure = ""
    if old and all(is_ready(pod) for pod in mine if pod not in old):
        end_pod(place, old[0])
    elif not old:
        failure = _fill_nodes(place, body, digest, len(nodes) - len(mine))
    ready = sum(1 for pod in mine if is_ready(pod))
    status = {
        "currentNumberScheduled": len(mine),
        "desiredNumberScheduled": len(nodes),
        "numberMisscheduled": 0,
        "numberReady": ready,
        "observedGeneration": body["metadata"]["generation"],
        **compact({"updatedNumberScheduled": len(mine) - len(old), "numberAvailable": ready}),
        **compact({"numberUnavailable": len(nodes) - ready}),
    }
    place.server.set_status("DaemonSet", body, status)
    return place.pace if failure else None


def _fill_nodes(place: Place, body: Body, digest: str, missing: int) -> str:
    template = json.loads(json.dumps(body["spec"]["template"]))
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), _STATEFUL_HASH: digest}
    for _ in range(missing):
        try:
            name = {"generateName": f"{body['metadata']['name']}-"}
            make_pod(place, body, "DaemonSet", template, name, body["metadata"]["name"])
        except Rejected as rejected:
            said = f"Error creating: {rejected.message}"
            place.server.event(body, "DaemonSet", "FailedCreate", said, "daemonset-controller")
            return rejected.message
    return ""


def job(place: Place, namespace: str, name: str) -> float | None:
    """Bring a Job one step on: a pod until one succeeds, or too many failed."""
    body = place.server.find("Job", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp") or holds(body, "Complete") or holds(body, "Failed"):
        return None
    mine = owned(place.server, "Pod", body)
    phases = [pod.get("status", {}).get("phase") for pod in mine]
    succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
    conditions = body.get("status", {}).get("conditions", [])
    extra: Body = {}
    if succeeded >= body["spec"]["completions"]:
        conditions = conditioned(
            conditions, "Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods"
        )
        extra["completionTime"] = now()
    elif failed > body["spec"]["backoffLimit"]:
        said = "Job has reached the specified backoff limit"
        conditions = conditioned(conditions, "Failed", "True", "BackoffLimitExceeded", said)
    elif not any(is_active(pod) for pod in mine):
        template = json.loads(json.dumps(body["spec"]["template"]))
        template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), "job-name": name}
        make_pod(place, body, "Job", template, {"generateName": f"{name}-"}, name)
    active = sum(1 for pod in owned(place.server, "Pod", body) if is_active(pod))
    counts = compact({"active": active, "succeeded": succeeded, "failed": failed})
    started = body.get("status", {}).get("startTime", now())
    place.server.set_status("Job", body, {"startTime": started, **counts, "conditions": conditions, **extra})
    return None


def autoscaler(place: Place, namespace: str, name: str) -> float | None:
    """Keep an autoscaled workload within its bounds; the load of a rehearsal never asks for more."""
    body = place.server.find("HorizontalPodAutoscaler", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    reference = body["spec"]["scaleTargetRef"]
    target = place.server.find(reference["kind"], namespace, reference["name"])
    conditions = body.get("status", {}).get("conditions", [])
    if target is None:
        group = reference.get("apiVersion", "").partition("/")[0]
        said = f"the HPA controller was unable to get the target's current scale: {reference['kind'].lower()}s.{group} "
        conditions = conditioned(
            conditions, "AbleToScale", "False", "FailedGetScale", f'{said}"{reference["name"]}" not found'
        )
        place.server.set_status("HorizontalPodAutoscaler", body, {"currentMetrics": None, "conditions": conditions})
        return None
    present = _wanted(target)
    desired = min(max(present, body["spec"]["minReplicas"]), body["spec"]["maxReplicas"]) if present else 0
    if desired != present:
        _autoscale(place, reference["kind"], target, desired)
    status = {
        "currentReplicas": _count(target, "replicas"),
        "desiredReplicas": desired,
        "conditions": _scaling_conditions(conditions, target, body),
        "currentMetrics": _metrics(body, target),
    }
    place.server.set_status("HorizontalPodAutoscaler", body, status)
    return None


def _autoscale(place: Place, kind: str, target: Body, replicas: int) -> None:
    """Write the new size as the real controller does: through the scale subresource, under its own name."""

    def new(live: Body) -> Body:
        live["spec"]["replicas"] = replicas
        return live

    place.server.change(kind, target, new, Writer("kube-controller-manager", inside=True, subresource="scale"))


def _scaling_conditions(conditions: list[Body], target: Body, body: Body) -> list[Body]:
    said = "recommended size matches current size"
    conditions = conditioned(conditions, "AbleToScale", "True", "ReadyForNewScale", said)
    missing = _missing_requests(body, target)
    if missing:
        words = f"the HPA was unable to compute the replica count: failed to get {missing[0]} utilization: "
        words += f"missing request for {missing[0]} in container {missing[1]}"
        conditions = conditioned(conditions, "ScalingActive", "False", "FailedGetResourceMetric", words)
    else:
        words = "the HPA was able to successfully calculate a replica count from cpu resource utilization"
        conditions = conditioned(conditions, "ScalingActive", "True", "ValidMetricFound", words)
    words = "the desired count is within the acceptable range"
    return conditioned(conditions, "ScalingLimited", "False", "DesiredWithinRange", words)


def _resource_metrics(body: Body) -> list[str]:
    found = (each.get("resource", {}).get("name") for each in body["spec"].get("metrics", []))
    return [name for name in found if name]


def _missing_requests(body: Body, target: Body) -> tuple[str, str] | None:
    for name in _resource_metrics(body):
        for container in target["spec"]["template"]["spec"]["containers"]:
            resources = container.get("resources", {})
            if name not in (resources.get("requests") or resources.get("limits") or {}):
                return name, container["name"]
    return None


def _metrics(body: Body, target: Body) -> list[Body]:
    if _missing_requests(body, target):
        return []
    containers = target["spec"]["template"]["spec"]["containers"]
    found = []
    for name in _resource_metrics(body):
        resources = [c.get("resources", {}).get("requests") or c["resources"]["limits"] for c in containers]
        asked = sum(quantity(each[name]) for each in resources)
        current = {"averageUtilization": 10, "averageValue": str(int(asked * 100)) + "m"}
        found.append({"type": "Resource", "resource": {"name": name, "current": current}})
    return found


def budget(place: Place, namespace: str, name: str) -> float | None:
    """Count what a PodDisruptionBudget protects."""
    body = place.server.find("PodDisruptionBudget", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    selector = body["spec"].get("selector")
    mine = [pod for pod in place.server.every("Pod", namespace) if matches(selector, pod["metadata"].get("labels"))]
    expected, healthy = len(mine), sum(1 for pod in mine if is_ready(pod))
    if "maxUnavailable" in body["spec"]:
        desired = max(0, expected - _share(body["spec"]["maxUnavailable"], expected, up=True))
    else:
        desired = _share(body["spec"].get("minAvailable", 1), expected, up=True)
    allowed = max(0, healthy - desired)
    words = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    conditions = conditioned(body.get("status", {}).get("conditions", []), "DisruptionAllowed", *words, "")
    status = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": body["metadata"]["generation"],
        "conditions": conditions,
    }
    place.server.set_status("PodDisruptionBudget", body, status)
    return None

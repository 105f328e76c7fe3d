"""The controllers of StatefulSets, DaemonSets and Jobs."""

import json
from typing import Any

from workspace.rehearsal.cluster_control import Place, compact, conditioned, holds, owned, owner
from workspace.rehearsal.cluster_rollouts import (
    available_in,
    digest,
    end_pod,
    is_active,
    is_ready,
    make_pod,
    wanted_replicas,
)
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_store import now
from workspace.rehearsal.cluster_verbs import CONTROLLER

Body = dict[str, Any]

_STATEFUL_HASH = "controller-revision-hash"


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
    waits = [available_in(place, pod, body["spec"].get("minReadySeconds", 0)) for pod in mine.values()]
    ready = sum(1 for wait in waits if wait is not None)
    updated = sum(1 for pod in mine.values() if pod["metadata"]["labels"].get(_STATEFUL_HASH) == update)
    before = body.get("status", {}).get("currentRevision", update)
    complete = updated == len(mine) == ready == wanted_replicas(body)
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
    name = f"{metadata['name']}-{digest(template)}"
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
    ordinals = range(first, first + wanted_replicas(body))
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
    hashed = digest(body["spec"]["template"])
    mine = [pod for pod in owned(place.server, "Pod", body) if is_active(pod)]
    old = [pod for pod in mine if pod["metadata"]["labels"].get(_STATEFUL_HASH) != hashed]
    failure = ""
    if old and all(is_ready(pod) for pod in mine if pod not in old):
        end_pod(place, old[0])
    elif not old:
        failure = _fill_nodes(place, body, hashed, len(nodes) - len(mine))
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


def _fill_nodes(place: Place, body: Body, hashed: str, missing: int) -> str:
    template = json.loads(json.dumps(body["spec"]["template"]))
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), _STATEFUL_HASH: hashed}
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
        make_pod(place, body, "Job", body["spec"]["template"], {"generateName": f"{name}-"}, name)
    active = sum(1 for pod in owned(place.server, "Pod", body) if is_active(pod))
    counts = compact({"active": active, "succeeded": succeeded, "failed": failed})
    started = body.get("status", {}).get("startTime", now())
    place.server.set_status("Job", body, {"startTime": started, **counts, "conditions": conditions, **extra})
    return None

"""The scheduler and the kubelet: a pod finds a node, its images and its configuration, runs, or says why not.

How far a pod is stands in its private key `_life`: since when its present attempt runs, which attempt it is, what it
was told to do wrong, the digests it pulled.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workspace.rehearsal.cluster_control import Place, conditioned
from workspace.rehearsal.cluster_store import now
from workspace.rehearsal.cluster_verbs import CONTROLLER, KUBELET, Server, Writer

Body = dict[str, Any]

_SCHEDULER = Writer("kube-scheduler", inside=True)
_RUNNING_AT = 0.4
_LONGEST_WAIT = 5.0
_REFERENCE = re.compile(r"^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$")


@dataclass(frozen=True)
class Trouble:
    """Why a container does not run: the reason as pods say it, the sentence, and the event that tells it."""

    reason: str
    message: str
    event: str
    said: str
    crashed: bool = False


def reconcile(place: Place, namespace: str, name: str) -> float | None:
    """Bring a pod one step on."""
    pod = place.server.find("Pod", namespace, name)
    if pod is None or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return _end(place, pod)
    if pod["metadata"].get("deletionTimestamp"):
        return _end(place, pod)
    if not pod["spec"].get("nodeName"):
        return _schedule(place, pod)
    return _run(place, pod)


def _end(place: Place, pod: Body | None) -> float | None:
    """A pod that is being deleted goes after a moment, however long its grace."""
    if pod is None or not pod["metadata"].get("deletionTimestamp"):
        return None
    life = pod.get("_life", {})
    ending = life.get("ending_at")
    if ending is None:
        ending = time.time() + place.pace * 0.1
        place.server.set_status("Pod", pod, pod["status"], KUBELET, {"_life": {**life, "ending_at": ending}})
    if time.time() < ending:
        return float(ending - time.time())
    place.server.finish("Pod", pod)
    return None


def _schedule(place: Place, pod: Body) -> float | None:
    node, why = _node_for(place, pod)
    life = pod.get("_life", {})
    if life.get("fault") == "Unschedulable":
        life = {**life, "fault": ask(place, life["workload"])}
    if node is None:
        conditions = conditioned(_conditions(pod), "PodScheduled", "False", "Unschedulable", why)
        if not any(each.get("message") == why for each in _conditions(pod)):
            place.server.event(pod, "Pod", "FailedScheduling", why, "default-scheduler")
        place.server.set_status("Pod", pod, {**pod["status"], "conditions": conditions}, _SCHEDULER, {"_life": life})
        return place.pace

    def bound(body: Body) -> Body:
        body["spec"]["nodeName"] = node
        life = body.get("_life") or {
            "workload": body["metadata"]["name"],
            "fault": ask(place, body["metadata"]["name"]),
        }
        body["_life"] = {**life, "since": time.time(), "attempt": 0}
        body["status"] = _created(body, place)
        return body

    place.server.change("Pod", pod, bound, _SCHEDULER)
    _bind_claims(place.server, pod)
    return place.pace * _RUNNING_AT


def _conditions(pod: Body) -> list[Body]:
    listed: list[Body] = pod.get("status", {}).get("conditions", [])
    return listed


def _node_for(place: Place, pod: Body) -> tuple[str | None, str]:
    nodes = place.server.every("Node")
    total, spec = len(nodes), pod["spec"]
    if _told(place, pod) == "Unschedulable":
        return None, f"0/{total} nodes are available: {total} Insufficient cpu."
    for claim in _claims(spec):
        found = place.server.find("PersistentVolumeClaim", pod["metadata"]["namespace"], claim)
        if found is None:
            return None, f'0/{total} nodes are available: persistentvolumeclaim "{claim}" not found.'
        storage = found["spec"].get("storageClassName") or ""
        if found["status"].get("phase") != "Bound" and place.server.find("StorageClass", "", storage) is None:
            return None, f"0/{total} nodes are available: pod has unbound immediate PersistentVolumeClaims."
    selected = [node for node in nodes if _selected(spec.get("nodeSelector") or {}, node)]
    fitting = [node for node in selected if _tolerated(spec, node)]
    if fitting:
        names = sorted(node["metadata"]["name"] for node in fitting)
        return names[_number(pod) % len(names)], ""
    reasons = []
    if len(selected) < total:
        reasons.append(f"{total - len(selected)} node(s) didn't match Pod's node affinity/selector")
    if selected:
        reasons.append(f"{len(selected)} node(s) had untolerated taint(s)")
    return None, f"0/{total} nodes are available: {', '.join(reasons) or 'no nodes'}."


def _claims(spec: Body) -> list[str]:
    found = (volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or [])
    return [claim["claimName"] for claim in found if claim]


def _selected(selector: Mapping[str, str], node: Body) -> bool:
    labels = node["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in selector.items())


def _tolerated(spec: Body, node: Body) -> bool:
    taints = [each for each in node["spec"].get("taints", []) if each.get("effect") in ("NoSchedule", "NoExecute")]
    return all(any(_tolerates(each, taint) for each in spec.get("tolerations") or []) for taint in taints)


def _tolerates(toleration: Body, taint: Body) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return (toleration.get("key"), toleration.get("value", "")) == (taint["key"], taint.get("value", ""))


def _number(pod: Body) -> int:
    return int(hashlib.sha256(pod["metadata"]["uid"].encode()).hexdigest()[:6], 16)


def _bind_claims(server: Server, pod: Body) -> None:
    for name in _claims(pod["spec"]):
        claim = server.find("PersistentVolumeClaim", pod["metadata"]["namespace"], name)
        if claim and claim["status"].get("phase") != "Bound":

            def bound(body: Body) -> Body:
                body["spec"]["volumeName"] = f"pvc-{body['metadata']['uid']}"
                size = (body["spec"].get("resources") or {}).get("requests", {}).get("storage", "1Gi")
                modes = body["spec"].get("accessModes", ["ReadWriteOnce"])
                body["status"] = {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}}
                return body

            server.change("PersistentVolumeClaim", claim, bound, CONTROLLER)


def _created(pod: Body, place: Place) -> Body:
    """The status of a pod that has a node and waits for its containers."""
    conditions = conditioned(_conditions(pod), "PodScheduled", "True", "", "")
    conditions = [{key: value for key, value in each.items() if value != ""} for each in conditions]
    status = {**pod["status"], "phase": "Pending", "conditions": conditions, "startTime": now()}
    status["hostIP"] = f"10.224.0.{_number(pod) % 250 + 4}"
    waiting = Trouble("ContainerCreating", "", "", "")
    return _with_containers(pod, status, lambda container: _waiting(pod, container, waiting))


def _run(place: Place, pod: Body) -> float | None:
    life = pod.get("_life", {})
    began, moment = life.get("since", 0.0), time.time()
    if life.get("retry_at"):
        if moment < life["retry_at"]:
            return float(life["retry_at"] - moment)
        return _begin_again(place, pod)
    running_at, ready_at = began + place.pace * _RUNNING_AT, began + place.pace
    if moment < running_at:
        return float(running_at - moment)
    if not life.get("started"):
        return _start(place, pod)
    if _told(place, pod) == "ProbeFailing":
        return _unready(place, pod)
    if moment < ready_at and _has_probe(pod):
        return float(ready_at - moment)
    return _ready(place, pod)


def _told(place: Place, pod: Body) -> str:
    """What this attempt of the pod was told to do wrong, asked at its beginning."""
    life = pod.get("_life")
    if life is None or "fault" not in life:
        return ""
    return str(life["fault"])


def ask(place: Place, workload: str) -> str:
    """What pods of this workload are to do wrong now."""
    found = place.faults.find("rollout", workload)
    return str(found.how) if found else ""


def _begin_again(place: Place, pod: Body) -> float | None:
    life = dict(pod["_life"])
    life.update(since=time.time() - place.pace * _RUNNING_AT, attempt=life["attempt"] + 1, retry_at=None)
    life["fault"] = ask(place, life.get("workload", pod["metadata"]["name"]))
    place.server.set_status("Pod", pod, pod["status"], KUBELET, {"_life": life})
    return 0.0


def _start(place: Place, pod: Body) -> float | None:
    """Pull, mount and configure; then the containers run, or the pod waits with the reason and tries again."""
    volume = next(_missing_volumes(place.server, pod), "")
    if volume:
        _note(place, pod, Trouble("ContainerCreating", "", "FailedMount", volume))
        return _later(place, pod, pod["status"])
    digests: dict[str, str] = {}
    for container in _all_containers(pod):
        trouble = _trouble(place, pod, container, digests)
        if trouble:
            return _fail(place, pod, container["name"], trouble, digests)
    if not _forever(pod) and _told(place, pod) not in ("ProbeFailing",):
        return _complete(place, pod, digests)
    life = {**pod["_life"], "started": True, "digests": digests, "running_since": now()}
    whole = {**pod, "_life": life}
    status = {**pod["status"], "phase": "Running", "podIP": _pod_address(pod)}
    status["podIPs"] = [{"ip": status["podIP"]}]
    status = _with_containers(whole, status, lambda container: _running(whole, container, ready=False))
    place.server.set_status("Pod", pod, status, KUBELET, {"_life": life})
    return 0.0


def _forever(pod: Body) -> bool:
    return bool(pod["spec"].get("restartPolicy", "Always") == "Always")


def _all_containers(pod: Body) -> list[Body]:
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]


def _has_probe(pod: Body) -> bool:
    return any(container.get("readinessProbe") for container in pod["spec"]["containers"])


def _pod_address(pod: Body) -> str:
    number = _number(pod)
    return f"10.244.{number // 250 % 250}.{number % 250 + 2}"


def _missing_volumes(server: Server, pod: Body) -> Iterator[str]:
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or []:
        for kind, field, key in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            source = volume.get(field)
            if not source or source.get("optional"):
                continue
            if server.find(kind, namespace, source.get(key, "")) is None:
                said = f'{kind.lower()} "{source.get(key, "")}" not found'
                yield f'MountVolume.SetUp failed for volume "{volume["name"]}" : {said}'


def _trouble(place: Place, pod: Body, container: Body, digests: dict[str, str]) -> Trouble | None:
    told = _told(place, pod)
    return (
        _image_trouble(place, container["image"], told, digests)
        or _config_trouble(place.server, pod["metadata"]["namespace"], container)
        or _crash(pod, container, told)
    )


def _image_trouble(place: Place, image: str, told: str, digests: dict[str, str]) -> Trouble | None:
    if not _REFERENCE.match(image):
        said = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}"'
        said += ": invalid reference format"
        return Trouble("InvalidImageName", said, "InspectFailed", said)
    found = False if told == "ImagePullBackOff" else _pulled(place, image)
    given = found if isinstance(found, Mapping) else {}
    if found and not given.get("error"):
        digest = image.rpartition("@")[2] if "@" in image else str(given.get("digest") or _made_up(image))
        digests[image] = f"{_repository(image)}@{digest}"
        return None
    words = str(given.get("error") or f"{image}: not found")
    resolved = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {words}'
    said = f"rpc error: code = NotFound desc = {resolved}"
    back_off = f'Back-off pulling image "{image}"'
    return Trouble(
        "ImagePullBackOff", f"{back_off}: ErrImagePull: {said}", "Failed", f'Failed to pull image "{image}": {said}'
    )


def _pulled(place: Place, image: str) -> Any:
    try:
        return place.pulls(image)
    except Exception as error:  # whatever keeps the registry from answering is why the pull fails
        return {"error": f"failed to do request: {error}"}


def _repository(image: str) -> str:
    bare = image.partition("@")[0]
    return bare.rsplit(":", 1)[0] if ":" in bare.rsplit("/", 1)[-1] else bare


def _made_up(image: str) -> str:
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def _config_trouble(server: Server, namespace: str, container: Body) -> Trouble | None:
    said = next(_missing_config(server, namespace, container), "")
    return Trouble("CreateContainerConfigError", said, "Failed", f"Error: {said}") if said else None


def _missing_config(server: Server, namespace: str, container: Body) -> Iterator[str]:
    for source in container.get("envFrom") or []:
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            reference = source.get(field)
            if reference and not reference.get("optional") and not server.find(kind, namespace, reference["name"]):
                yield f'{kind.lower()} "{reference["name"]}" not found'
    for variable in container.get("env") or []:
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            reference = (variable.get("valueFrom") or {}).get(field)
            if reference and not reference.get("optional"):
                yield from _missing_key(server, kind, namespace, reference)


def _missing_key(server: Server, kind: str, namespace: str, reference: Body) -> Iterator[str]:
    found = server.find(kind, namespace, reference["name"])
    if found is None:
        yield f'{kind.lower()} "{reference["name"]}" not found'
    elif reference["key"] not in (found.get("data") or {}):
        yield f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}"


def _crash(pod: Body, container: Body, told: str) -> Trouble | None:
    if told not in ("CrashLoopBackOff", "OOMKilled"):
        return None
    metadata = pod["metadata"]
    seconds = min(10 * 2 ** pod["_life"].get("attempt", 0), 300)
    wait = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    place = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    said = f"back-off {wait} restarting failed container={container['name']} pod={place}"
    event = f"Back-off restarting failed container {container['name']} in pod {place}"
    return Trouble("CrashLoopBackOff", said, "BackOff", event, crashed=True)


def _fail(place: Place, pod: Body, name: str, trouble: Trouble, digests: dict[str, str]) -> float | None:
    _note(place, pod, trouble)
    if trouble.crashed and pod["spec"].get("restartPolicy") == "Never":
        _failed(place, pod)
        return None
    whole = {**pod, "_life": {**pod["_life"], "digests": digests}}
    phase = "Running" if trouble.crashed else "Pending"
    other = Trouble("PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating", "", "", "")

    def stands(container: Body) -> Body:
        return _waiting(whole, container, trouble if container["name"] == name else other)

    return _later(place, pod, _with_containers(pod, {**pod["status"], "phase": phase}, stands))


def _later(place: Place, pod: Body, status: Body) -> float:
    """Keep the status and try again, each time a little later."""
    life = dict(pod["_life"])
    wait: float = min(place.pace * 2 ** min(life.get("attempt", 0), 6), max(_LONGEST_WAIT, place.pace))
    place.server.set_status("Pod", pod, status, KUBELET, {"_life": {**life, "retry_at": time.time() + wait}})
    return wait


def _note(place: Place, pod: Body, trouble: Trouble) -> None:
    component = "kubelet"
    place.server.event(pod, "Pod", trouble.event, trouble.said, component)
    if trouble.reason == "ImagePullBackOff":
        place.server.event(pod, "Pod", "Failed", "Error: ErrImagePull", component)
        place.server.event(pod, "Pod", "BackOff", trouble.message.partition(": ErrImagePull")[0], component)


def _unready(place: Place, pod: Body) -> float | None:
    said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    place.server.event(pod, "Pod", "Unhealthy", said, "kubelet")
    return _later(place, pod, pod["status"])


def _ready(place: Place, pod: Body) -> float | None:
    life = pod["_life"]
    if life.get("ready_at"):
        return None
    status = _with_containers(pod, pod["status"], lambda container: _running(pod, container, ready=True))
    place.server.set_status("Pod", pod, status, KUBELET, {"_life": {**life, "ready_at": time.time()}})
    return None


def _complete(place: Place, pod: Body, digests: dict[str, str]) -> float | None:
    moment = time.time()
    ends_at = pod["_life"]["since"] + place.pace
    if moment < ends_at:
        return float(ends_at - moment)
    life = {**pod["_life"], "digests": digests}
    whole = {**pod, "_life": life}
    status = _with_containers(
        whole, {**pod["status"], "phase": "Succeeded"}, lambda container: _ended(whole, container, 0, "Completed")
    )
    place.server.set_status("Pod", pod, status, KUBELET, {"_life": life})
    return None


def _failed(place: Place, pod: Body) -> None:
    status = _with_containers(pod, {**pod["status"], "phase": "Failed"}, lambda c: _ended(pod, c, 1, "Error"))
    place.server.set_status("Pod", pod, status, KUBELET)


def _with_containers(pod: Body, status: Body, stands: Callable[[Body], Body]) -> Body:
    """The status with container statuses and the conditions that follow from them."""
    status = dict(status)
    status["containerStatuses"] = [stands(container) for container in pod["spec"]["containers"]]
    first = pod["spec"].get("initContainers") or []
    started = all("waiting" not in each["state"] for each in status["containerStatuses"])
    if first:
        done = [_ended(pod, container, 0, "Completed") for container in first]
        status["initContainerStatuses"] = done if started else [stands(container) for container in first]
    unready = [each["name"] for each in status["containerStatuses"] if not each["ready"]]
    conditions = _conditions({"status": status})
    conditions = _said(conditions, "Initialized", not first or started, "ContainersNotInitialized", "")
    words = f"containers with unready status: [{' '.join(unready)}]"
    reason = "PodCompleted" if status["phase"] == "Succeeded" else "ContainersNotReady"
    for kind in ("Ready", "ContainersReady"):
        conditions = _said(conditions, kind, not unready, reason, "" if reason == "PodCompleted" else words)
    status["conditions"] = conditions
    return status


def _said(conditions: list[Body], kind: str, true: bool, reason: str, message: str) -> list[Body]:
    if true:
        listed = conditioned(conditions, kind, "True", "", "")
    else:
        listed = conditioned(conditions, kind, "False", reason, message)
    return [{key: value for key, value in each.items() if value != ""} for each in listed]


def _container(pod: Body, container: Body, state: Body, **more: Any) -> Body:
    life = pod.get("_life", {})
    found = {
        "name": container["name"],
        "image": container["image"],
        "imageID": life.get("digests", {}).get(container["image"], ""),
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
    return {**found, **more}


def _waiting(pod: Body, container: Body, trouble: Trouble) -> Body:
    waiting = {"reason": trouble.reason, "message": trouble.message}
    state = {"waiting": {key: value for key, value in waiting.items() if value}}
    if not trouble.crashed:
        return _container(pod, container, state)
    told = pod["_life"].get("fault")
    last = _terminated(137, "OOMKilled") if told == "OOMKilled" else _terminated(1, "Error")
    count = pod["_life"].get("attempt", 0) + 1
    return _container(pod, container, state, restartCount=count, lastState={"terminated": last})


def _running(pod: Body, container: Body, ready: bool) -> Body:
    life = pod["_life"]
    state = {"running": {"startedAt": life.get("running_since", now())}}
    more: Body = {"ready": ready, "started": True}
    before: Body = next((e for e in pod["status"].get("containerStatuses", []) if e["name"] == container["name"]), {})
    more |= {key: before[key] for key in ("restartCount", "lastState") if key in before}
    return _container(pod, container, state, **more)


def _ended(pod: Body, container: Body, code: int, reason: str) -> Body:
    return _container(pod, container, {"terminated": _terminated(code, reason)})


def _terminated(code: int, reason: str) -> Body:
    return {"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()}

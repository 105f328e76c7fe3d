"""When a Kubernetes object is ready, and why it is not: an object in, a verdict out. No cluster, no clock of its own.

The policy, where the field's own rules (kstatus, Argo CD, `kubectl rollout status`) disagree:

* What the controller has not seen yet is never ready: `generation` against `observedGeneration` comes first.
* Ready means *finished and serving*, because dependants start on it: a running Job, a load balancer without address and
  a pod that ended in failure are not ready (kstatus calls the three of them Current).
* What is stopped on purpose (a paused Deployment, a suspended Job) has failed: no wait would ever end.
* `OnDelete` workloads are ready when they run what they should, and have failed when nobody will replace their pods.
* A schedule is ready when it exists: how the last run of a CronJob ended says nothing about this rollout.
* A `Ready: False` of a kind not known here is failure when its own reason says so (Failed, Error, Invalid), and
  progress otherwise; the deadline decides.
* A failure that a controller takes back by itself carries a `grace`: it must stand that long before it is believed.
* A Gateway is judged by its own conditions, not by its listeners': a TLS listener waits for a certificate that is only
  issued through that very Gateway.
"""

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Object = Mapping[str, Any]


class State(StrEnum):
    """How far an object is."""

    READY = "ready"
    PROGRESSING = "progressing"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """How far an object is, why, and for how many seconds a failure must stand before it is believed."""

    state: State
    reason: str = ""
    grace: float = 0.0

    @property
    def is_ready(self) -> bool:
        """True when dependants may start."""
        return self.state is State.READY

    @property
    def is_failed(self) -> bool:
        """True when waiting is pointless, once `grace` is over."""
        return self.state is State.FAILED


READY = Verdict(State.READY)

_CONTROLLER_GRACE = 30.0
_QUOTA_GRACE = 15.0
_SCALE_UP_GRACE = 180.0
_SCHEDULING_WINDOW = 15.0

_AT_REST = {
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "NetworkPolicy",
    "PriorityClass",
    "StorageClass",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}
_PULL = re.compile(r'^Back-off pulling image "(?P<image>[^"]+)": .*failed to resolve reference "[^"]+": (?P<why>.+)$')
_FATAL_WAITS: Mapping[str, float] = {
    "CrashLoopBackOff": 0.0,
    "ImagePullBackOff": 0.0,
    "InvalidImageName": 0.0,
    "ErrImageNeverPull": 0.0,
    "CreateContainerConfigError": 10.0,
    "CreateContainerError": 10.0,
    "RunContainerError": 10.0,
    "ErrImagePull": 20.0,
}
_SAYS_FAILED = re.compile(r"fail|err(or|$|[A-Z])|invalid|denied|forbidden", re.IGNORECASE)


def verdict(thing: Object, now: datetime.datetime | None = None) -> Verdict:
    """Whether one object is ready, still on its way, or has failed, and the reason in the cluster's own words.

    `now` only matters for pods that wait for a node; without it the present time is taken.
    """
    if _metadata(thing).get("deletionTimestamp"):
        return _waits("is being deleted")
    stale = _stale(thing)
    if stale:
        return _waits(stale)
    if thing.get("kind") == "Pod":
        return pod(thing, now or datetime.datetime.now(datetime.UTC))
    return _RULES.get(_group_kind(thing), _by_conditions)(thing)


def has_progress(thing: Object) -> bool:
    """False for kinds that no controller works on: they are ready as soon as they are there."""
    return thing.get("kind") not in _AT_REST


def is_observed(thing: Object) -> bool:
    """True once the controller has seen the present generation, so that its status speaks about it."""
    return not _stale(thing)


def supported() -> frozenset[str]:
    """The kinds that have a rule of their own, as `Deployment.apps`; all others are judged by their conditions."""
    return frozenset({*_RULES, "Pod"})


def pod(thing: Object, now: datetime.datetime) -> Verdict:
    """The verdict of one pod, with what the container or the scheduler said."""
    phase = _status(thing).get("phase", "")
    if phase == "Succeeded":
        return READY
    trouble = _container_trouble(thing)
    if phase == "Failed":
        return _fails(_status(thing).get("message") or _terminated(thing) or _status(thing).get("reason") or "failed")
    if trouble:
        return trouble
    scheduled = _condition(thing, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return _unschedulable(thing, scheduled, now)
    ready = _condition(thing, "Ready")
    if ready.get("status") == "True":
        return READY
    return _waits(_said(ready) or f"phase is {phase or 'unknown'}")


def addresses(thing: Object) -> tuple[str, ...]:
    """Where a Gateway, Ingress or load-balancer Service is reached; empty while it has no address."""
    if thing.get("kind") == "Gateway":
        return tuple(each["value"] for each in _status(thing).get("addresses") or () if each.get("value"))
    found = (_status(thing).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(each.get("ip") or each.get("hostname") for each in found if each.get("ip") or each.get("hostname"))


def _deployment(thing: Object) -> Verdict:
    status, wanted = _status(thing), _replicas(thing)
    if _spec(thing).get("paused"):
        return _fails("is paused; nothing rolls out until it is resumed")
    progress = _condition(thing, "Progressing")
    refused = _replica_failure(thing)
    if progress.get("reason") == "ProgressDeadlineExceeded":
        why = f"; {refused.reason}" if refused else ""
        return _fails(f"exceeded its progress deadline: {progress.get('message', '')}{why}")
    if refused:
        return refused
    updated, total, available = (_count(status, key) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        return _waits(f"{updated} of {wanted} new replicas are updated")
    if total > updated:
        return _waits(f"{total - updated} old replicas are still there")
    if available < updated:
        return _waits(f"{available} of {updated} updated replicas are available")
    if _condition(thing, "Available").get("status", "True") != "True":
        return _waits(_said(_condition(thing, "Available")) or "is not available")
    return READY


def _replica_set(thing: Object) -> Verdict:
    status, wanted = _status(thing), _replicas(thing)
    refused = _replica_failure(thing)
    if refused:
        return refused
    for key in ("fullyLabeledReplicas", "availableReplicas", "readyReplicas"):
        if _count(status, key) < wanted:
            return _waits(f"{key} is {_count(status, key)} of {wanted}")
    if _count(status, "replicas") > wanted:
        return _waits(f"{_count(status, 'replicas') - wanted} replicas are still to go")
    return READY


def _stateful_set(thing: Object) -> Verdict:
    status, wanted = _status(thing), _replicas(thing)
    updated = _count(status, "updatedReplicas")
    strategy = _spec(thing).get("updateStrategy") or {}
    same = _same_revision(status)
    if strategy.get("type") == "OnDelete" and not same and updated < wanted:
        return _fails("updates only pods that somebody deletes (OnDelete), and old ones are left")
    for key in ("replicas", "readyReplicas", "availableReplicas"):
        have = _count(status, key)
        if have < wanted and not (key == "availableReplicas" and key not in status):
            return _waits(f"{key} is {have} of {wanted}")
    if _count(status, "replicas") > wanted:
        return _waits(f"{_count(status, 'replicas') - wanted} replicas are still to go")
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition and updated < wanted - partition:
        return _waits(f"{updated} of {wanted - partition} pods above the partition are updated")
    if not partition and status.get("updateRevision") and not same:
        return _waits(f"{updated} of {wanted} pods run the new revision")
    return READY


def _daemon_set(thing: Object) -> Verdict:
    status = _status(thing)
    if "observedGeneration" not in status:
        return _waits("its controller has not seen it yet")
    wanted = _count(status, "desiredNumberScheduled")
    updated, available = _count(status, "updatedNumberScheduled"), _count(status, "numberAvailable")
    if updated < wanted:
        on_delete = (_spec(thing).get("updateStrategy") or {}).get("type") == "OnDelete"
        if on_delete:
            return _fails("updates only pods that somebody deletes (OnDelete), and old ones are left")
        return _waits(f"{updated} of {wanted} pods are updated")
    for key in ("currentNumberScheduled", "numberReady", "numberAvailable"):
        if status.get(key, available) < wanted:
            return _waits(f"{key} is {status.get(key, available)} of {wanted}")
    return READY


def _job(thing: Object) -> Verdict:
    failed = _condition(thing, "Failed")
    if failed.get("status") == "True":
        return _fails(_said(failed))
    if _condition(thing, "Complete").get("status") == "True":
        return READY
    if _condition(thing, "Suspended").get("status") == "True" or _spec(thing).get("suspend"):
        return _fails("is suspended; it does not run until it is resumed")
    return _waits(
        f"{_count(_status(thing), 'succeeded')} runs succeeded, {_count(_status(thing), 'active')} are running"
    )


def _exists(_: Object) -> Verdict:
    return READY


def _service(thing: Object) -> Verdict:
    balanced = _spec(thing).get("type") == "LoadBalancer"
    if balanced and not (_status(thing).get("loadBalancer") or {}).get("ingress"):
        return _waits("has no load balancer address yet")
    return READY


def _ingress(thing: Object) -> Verdict:
    if not (_status(thing).get("loadBalancer") or {}).get("ingress"):
        return _waits("has no address yet; is there a controller for its class?")
    return READY


def _claim(thing: Object) -> Verdict:
    phase = _status(thing).get("phase", "Pending")
    if phase == "Lost":
        return _fails("lost its volume")
    return READY if phase == "Bound" else _waits(f"phase is {phase}")


def _autoscaler(thing: Object) -> Verdict:
    conditions = list(_conditions(thing))
    for each in conditions:
        if (each.get("type"), each.get("reason")) in _BAD_AUTOSCALING and each.get("status") == "False":
            return _fails(_said(each), _SCALE_UP_GRACE)
    if any(
        each.get("type") in ("AbleToScale", "ScalingLimited") and each.get("status") == "True" for each in conditions
    ):
        return READY
    return _waits("has not computed a replica count yet")


_BAD_AUTOSCALING = {
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "InvalidSelector"),
}


def _budget(thing: Object) -> Verdict:
    return READY if _status(thing) else _waits("has no status yet")


def _definition(thing: Object) -> Verdict:
    names = _condition(thing, "NamesAccepted")
    if names.get("status") == "False":
        return _fails(f"its names are not accepted: {_said(names)}", _CONTROLLER_GRACE)
    established = _condition(thing, "Established")
    if established.get("status") == "True":
        return READY
    if established and established.get("reason") != "Installing":
        return _fails(f"is not established: {_said(established)}", _CONTROLLER_GRACE)
    return _waits("is being installed")


def _namespace(thing: Object) -> Verdict:
    phase = _status(thing).get("phase")
    if phase == "Terminating":
        return _waits("is being deleted")
    return READY if phase == "Active" else _waits("is not active yet")


def _certificate(thing: Object) -> Verdict:
    judged, issuing = _strict(thing, "Ready"), _condition(thing, "Issuing")
    # A certificate that is renewed in good time is Ready and Issuing at once.
    if judged.is_ready:
        return judged
    if issuing.get("status") == "True":
        return _waits(_said(issuing))
    # cert-manager tries again after an hour at the earliest.
    return _fails(_said(issuing)) if issuing.get("reason") == "Failed" else judged


def _issuer(thing: Object) -> Verdict:
    return _strict(thing, "Ready")


def _gateway_class(thing: Object) -> Verdict:
    return _strict(thing, "Accepted")


def _gateway(thing: Object) -> Verdict:
    for kind in ("Accepted", "ResolvedRefs"):
        condition = _condition(thing, kind)
        # A Gateway nobody has looked at carries `Accepted: Unknown, Pending`; only False is an answer.
        if condition.get("status") == "False":
            return _fails(_said(condition), _CONTROLLER_GRACE)
    programmed = _condition(thing, "Programmed")
    if programmed.get("status") == "True" and _condition(thing, "Accepted").get("status") == "True":
        return READY
    return _waits(_said(programmed) or "no controller has accepted it yet")


def _route(thing: Object) -> Verdict:
    status = _status(thing)
    parents = [_fresh(thing, each.get("conditions")) for each in status.get("parents") or status.get("ancestors") or ()]
    judged = [each for each in parents if each]
    if not judged:
        return _waits("no Gateway has accepted it yet")
    for kind in ("Accepted", "ResolvedRefs"):
        for conditions in judged:
            refused = [each for each in conditions if each.get("type") == kind and each.get("status") == "False"]
            if refused:
                return _fails(_said(refused[0]), _CONTROLLER_GRACE)
    for conditions in judged:
        pending = [each for each in conditions if each.get("status") != "True"]
        if pending:
            return _waits(_said(pending[0]))
    return READY


def _by_conditions(thing: Object) -> Verdict:
    wrong = _says_it_failed(thing)
    if wrong:
        return _fails(wrong, _CONTROLLER_GRACE)
    ready = _condition(thing, "Ready") or _condition(thing, "Available") or _condition(thing, "Synced")
    if ready.get("status", "True") == "True":
        busy = _condition(thing, "Reconciling")
        return _waits(_said(busy)) if busy.get("status") == "True" else READY
    if ready.get("status") == "False" and _SAYS_FAILED.search(ready.get("reason") or ""):
        return _fails(_said(ready), 2 * _CONTROLLER_GRACE)
    return _waits(_said(ready))


def _says_it_failed(thing: Object) -> str:
    """The words with which a kind that is not known here says that it failed; empty when it does not."""
    stalled, progress = _condition(thing, "Stalled"), _condition(thing, "Progressing")
    if stalled.get("status") == "True":
        return _said(stalled)
    paused = _condition(thing, "Paused")
    if paused.get("status") == "True":
        return _said(paused) or "it is paused"
    if progress.get("status") == "False":
        return _said(progress)
    if _status(thing).get("phase") in ("Failed", "Degraded", "Error"):
        return str(_status(thing).get("message") or _status(thing)["phase"])
    error = _status(thing).get("error")
    return str(error.get("message") or "an error") if isinstance(error, Mapping) else ""


_RULES: Mapping[str, Callable[[Object], Verdict]] = {
    "Deployment.apps": _deployment,
    "StatefulSet.apps": _stateful_set,
    "DaemonSet.apps": _daemon_set,
    "ReplicaSet.apps": _replica_set,
    "Job.batch": _job,
    "CronJob.batch": _exists,
    "Service": _service,
    "Ingress.networking.k8s.io": _ingress,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler.autoscaling": _autoscaler,
    "PodDisruptionBudget.policy": _budget,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
    "Namespace": _namespace,
    "Certificate.cert-manager.io": _certificate,
    "Issuer.cert-manager.io": _issuer,
    "ClusterIssuer.cert-manager.io": _issuer,
    "GatewayClass.gateway.networking.k8s.io": _gateway_class,
    "Gateway.gateway.networking.k8s.io": _gateway,
    "HTTPRoute.gateway.networking.k8s.io": _route,
    "GRPCRoute.gateway.networking.k8s.io": _route,
    "TLSRoute.gateway.networking.k8s.io": _route,
    "BackendTLSPolicy.gateway.networking.k8s.io": _route,
}


def _strict(thing: Object, kind: str) -> Verdict:
    """The verdict of a kind that is ready by one condition and has failed when that condition is False."""
    conditions = {each.get("type"): each for each in _fresh(thing, _status(thing).get("conditions"))}
    condition = conditions.get(kind, {})
    if condition.get("status") == "True":
        return READY
    if condition.get("status") == "False":
        return _fails(_said(condition), _CONTROLLER_GRACE)
    return _waits(_said(condition) or "has no status yet")


def _container_trouble(thing: Object) -> Verdict | None:
    for container in _containers(thing):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in _FATAL_WAITS:
            message = _unpacked(str(waiting.get("message") or ""))
            said = ": ".join(each for each in (message, _last_words(container)) if each)
            name = container.get("name", "")
            return _fails(f"container {name} is in {reason}" + (f": {said}" if said else ""), _FATAL_WAITS[reason])
    return None


def _unpacked(message: str) -> str:
    """What a kubelet says about a pull without the layers around it, each of which names the image again."""
    found = _PULL.search(message)
    if not found:
        return message
    return f"{found['image']}: {found['why'].removeprefix(found['image'] + ': ')}"


def _containers(thing: Object) -> Iterator[Mapping[str, Any]]:
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from _status(thing).get(key) or ()


def _last_words(container: Mapping[str, Any]) -> str:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    return _ending(ended) if ended else ""


def _terminated(thing: Object) -> str:
    for container in _containers(thing):
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return f"container {container.get('name', '')} {_ending(ended)}"
    return ""


def _ending(ended: Mapping[str, Any]) -> str:
    said = f"ended with exit code {ended.get('exitCode', 'unknown')}"
    said += f" ({ended['reason']})" if ended.get("reason") else ""
    return f"{said}: {ended['message'].strip()}" if ended.get("message") else said


def _unschedulable(thing: Object, condition: Mapping[str, Any], now: datetime.datetime) -> Verdict:
    made = _moment(_metadata(thing).get("creationTimestamp"))
    said = f"no node takes it: {condition.get('message') or 'unschedulable'}"
    if made and (now - made).total_seconds() < _SCHEDULING_WINDOW:
        return _waits(said)
    return _fails(said, _SCALE_UP_GRACE)


def _replica_failure(thing: Object) -> Verdict | None:
    condition = _condition(thing, "ReplicaFailure")
    if condition.get("status") != "True":
        return None
    said = _said(condition) or "replicas cannot be made"
    return _fails(said, _QUOTA_GRACE) if "forbidden" in said or "quota" in said else _waits(said)


def _same_revision(status: Mapping[str, Any]) -> bool:
    return bool(status.get("updateRevision")) and status.get("currentRevision") == status.get("updateRevision")


def _stale(thing: Object) -> str:
    generation, observed = _metadata(thing).get("generation"), _status(thing).get("observedGeneration")
    # Some controllers write a number as text, and some write a hash, which says nothing.
    if isinstance(generation, int) and str(observed).isdigit() and int(str(observed)) < generation:
        return "its controller has not seen the latest change yet"
    return ""


def _fresh(thing: Object, conditions: Any) -> list[Mapping[str, Any]]:
    """The conditions that speak about the present generation; an older one speaks about another object."""
    generation = _metadata(thing).get("generation") or 0
    found = conditions if isinstance(conditions, list) else []
    return [each for each in found if (each.get("observedGeneration") or generation) >= generation]


def _conditions(thing: Object) -> Iterator[Mapping[str, Any]]:
    conditions = _status(thing).get("conditions")
    if isinstance(conditions, list):
        yield from _fresh(thing, conditions)
    # Version 1 of the autoscaler API keeps its conditions as text in an annotation.
    text = (_metadata(thing).get("annotations") or {}).get("autoscaling.alpha.kubernetes.io/conditions")
    if text:
        yield from json.loads(text)


def _condition(thing: Object, kind: str) -> Mapping[str, Any]:
    return next((each for each in _conditions(thing) if each.get("type") == kind), {})


def _said(condition: Mapping[str, Any]) -> str:
    reason, message = condition.get("reason") or "", (condition.get("message") or "").strip()
    if reason and message:
        return f"{message} ({reason})"
    return str(message or reason)


def _group_kind(thing: Object) -> str:
    group = str(thing.get("apiVersion", "")).rpartition("/")[0]
    return f"{thing.get('kind', '')}.{group}" if group else str(thing.get("kind", ""))


def _metadata(thing: Object) -> Mapping[str, Any]:
    return thing.get("metadata") or {}


def _spec(thing: Object) -> Mapping[str, Any]:
    return thing.get("spec") or {}


def _status(thing: Object) -> Mapping[str, Any]:
    return thing.get("status") or {}


def _replicas(thing: Object) -> int:
    wanted = _spec(thing).get("replicas")
    return 1 if wanted is None else int(wanted)


def _count(status: Mapping[str, Any], key: str) -> int:
    return int(status.get(key) or 0)


def _moment(text: Any) -> datetime.datetime | None:
    try:
        made = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=datetime.UTC)


def _fails(reason: Any, grace: float = 0.0) -> Verdict:
    return Verdict(State.FAILED, str(reason), grace)


def _waits(reason: str) -> Verdict:
    return Verdict(State.PROGRESSING, reason)

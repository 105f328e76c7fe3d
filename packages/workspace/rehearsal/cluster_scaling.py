"""The controllers of autoscalers and disruption budgets."""

from typing import Any

from workspace.rehearsal.cluster_control import Place, conditioned
from workspace.rehearsal.cluster_rollouts import count_of, is_ready, share, wanted_replicas
from workspace.rehearsal.cluster_rules import quantity
from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_verbs import Writer

Body = dict[str, Any]


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
    present = wanted_replicas(target)
    desired = min(max(present, body["spec"]["minReplicas"]), body["spec"]["maxReplicas"]) if present else 0
    if desired != present:
        _autoscale(place, reference["kind"], target, desired)
    status = {
        "currentReplicas": count_of(target, "replicas"),
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
        desired = max(0, expected - share(body["spec"]["maxUnavailable"], expected, up=True))
    else:
        desired = share(body["spec"].get("minAvailable", 1), expected, up=True)
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

"""What the API server fills in when an object leaves it out, kind by kind."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal.cluster_kinds import Kind

Body = dict[str, Any]

_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_POD: Body = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
DEFAULT_STORAGE_CLASS = "default"
_FIRST_STATUS: dict[str, Body] = {
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "ReplicaSet": {"replicas": 0},
    "DaemonSet": dict.fromkeys(
        ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"), 0
    ),
}


def fill(kind: Kind, body: Body) -> Body:
    """The object with every default of its kind; it is changed in place and returned."""
    if kind.custom:
        whole: Body = schema.filled(body, schema.resolve(kind.shape))
        return whole
    filler = _FILLERS.get(kind.kind)
    if filler:
        filler(body)
    if kind.has_status:
        body.setdefault("status", dict(_FIRST_STATUS.get(kind.kind, {})))
    return body


def _default(place: Body, values: Body) -> None:
    for name, value in values.items():
        if place.get(name) is None:
            place[name] = value.copy() if isinstance(value, dict | list) else value


def pod_spec(spec: Body) -> None:
    """Defaults of a pod, in a template or on its own."""
    _default(spec, {**_POD, "securityContext": {}})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        for source in ("configMap", "secret", "downwardAPI", "projected"):
            if isinstance(volume.get(source), dict):
                _default(volume[source], {"defaultMode": 420})
        if volume.keys() == {"name"}:
            volume["emptyDir"] = {}


def _container(container: Body) -> None:
    image = container.get("image", "")
    latest = "@" not in image and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"))
    _default(container, {**_CONTAINER, "imagePullPolicy": "Always" if latest else "IfNotPresent", "resources": {}})
    for port in container.get("ports", []):
        _default(port, {"protocol": "TCP"})
    for probe in (container.get(name) for name in _PROBES):
        if probe:
            _default(probe, _PROBE)
            if isinstance(probe.get("httpGet"), dict):
                _default(probe["httpGet"], {"scheme": "HTTP", "path": "/"})
    for variable in container.get("env", []):
        field = (variable.get("valueFrom") or {}).get("fieldRef")
        if field:
            _default(field, {"apiVersion": "v1"})


def _template(spec: Body) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def _pod(body: Body) -> None:
    pod_spec(body.setdefault("spec", {}))
    _default(body["spec"], {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0})
    _tolerate(body["spec"])
    body.setdefault("status", {}).setdefault("phase", "Pending")
    for container in [*body["spec"].get("initContainers", []), *body["spec"].get("containers", [])]:
        for name, limit in container["resources"].get("limits", {}).items():
            container["resources"].setdefault("requests", {}).setdefault(name, limit)


def _tolerate(spec: Body) -> None:
    """A pod stays five minutes on a node that went away, unless it says otherwise."""
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(each.get("key") in (None, "", key) for each in spec.get("tolerations") or []):
            patience = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            spec["tolerations"] = [*(spec.get("tolerations") or []), patience]


def _deployment(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": {}})
    _default(spec["strategy"], {"type": "RollingUpdate"})
    if spec["strategy"]["type"] == "RollingUpdate":
        _default(spec["strategy"], {"rollingUpdate": {}})
        _default(spec["strategy"]["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(spec)


def _replica_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"replicas": 1})
    _template(spec)


def _stateful_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"})
    _default(spec, {"updateStrategy": {}, "persistentVolumeClaimRetentionPolicy": {}})
    _default(spec["persistentVolumeClaimRetentionPolicy"], {"whenDeleted": "Retain", "whenScaled": "Retain"})
    _default(spec["updateStrategy"], {"type": "RollingUpdate"})
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _default(spec["updateStrategy"], {"rollingUpdate": {}})
        _default(spec["updateStrategy"]["rollingUpdate"], {"partition": 0})
    for claim in spec.get("volumeClaimTemplates", []):
        _default(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}})
        _default(claim.setdefault("spec", {}), {"volumeMode": "Filesystem"})
    _template(spec)


def _daemon_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"revisionHistoryLimit": 10, "updateStrategy": {}})
    _default(spec["updateStrategy"], {"type": "RollingUpdate"})
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _default(spec["updateStrategy"], {"rollingUpdate": {}})
        _default(spec["updateStrategy"]["rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0})
    _template(spec)


def _job(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed"})
    _default(spec, {"suspend": False, "manualSelector": False, "podReplacementPolicy": "TerminatingOrFailed"})
    _template(spec)


def _service(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["type"] == "ExternalName":
        return
    _default(spec, {"internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    if spec["type"] in ("LoadBalancer", "NodePort"):
        _default(spec, {"externalTrafficPolicy": "Cluster"})
    if spec["type"] == "LoadBalancer":
        _default(spec, {"allocateLoadBalancerNodePorts": True})
    for port in spec.get("ports", []):
        _default(port, {"protocol": "TCP", "targetPort": port.get("port")})
    body.setdefault("status", {}).setdefault("loadBalancer", {})


def allocate(body: Body) -> None:
    """Give a Service the cluster address and node ports it has not got yet, the same ones every time."""
    spec, metadata = body["spec"], body["metadata"]
    if spec["type"] == "ExternalName":
        return
    seed = hashlib.sha256(f"{metadata.get('namespace')}/{metadata['name']}".encode()).digest()
    _default(spec, {"clusterIP": f"10.0.{seed[0]}.{seed[1] % 254 + 1}"})
    _default(spec, {"clusterIPs": [spec["clusterIP"]]})
    if spec["type"] in ("LoadBalancer", "NodePort"):
        for index, port in enumerate(spec.get("ports", [])):
            _default(port, {"nodePort": 30000 + (seed[2] * 256 + seed[3] + index) % 2768})


def _claim(body: Body) -> None:
    _default(body.setdefault("spec", {}), {"volumeMode": "Filesystem", "storageClassName": DEFAULT_STORAGE_CLASS})
    body.setdefault("status", {}).setdefault("phase", "Pending")


def _secret(body: Body) -> None:
    _default(body, {"type": "Opaque"})
    plain = body.pop("stringData", None) or {}
    if plain:
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
        body["data"] = {**(body.get("data") or {}), **encoded}


def _namespace(body: Body) -> None:
    metadata = body["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata.get("name", "")}
    body.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    body.setdefault("status", {}).setdefault("phase", "Active")


def _autoscaler(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"minReplicas": 1})
    target = {"type": "Utilization", "averageUtilization": 80}
    _default(spec, {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]})


def _network_policy(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _default(spec, {"policyTypes": ["Ingress", *(["Egress"] if spec.get("egress") else [])]})
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in (rule or {}).get("ports", []):
            _default(port, {"protocol": "TCP"})


def _definition(body: Body) -> None:
    spec = body.setdefault("spec", {})
    names = spec.get("names")
    if isinstance(names, dict) and names.get("kind"):
        _default(names, {"singular": names["kind"].lower(), "listKind": f"{names['kind']}List"})
    _default(spec, {"conversion": {"strategy": "None"}})


def _binding(body: Body) -> None:
    reference = body.get("roleRef")
    if isinstance(reference, dict):
        _default(reference, {"apiGroup": "rbac.authorization.k8s.io"})
    for subject in body.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            _default(subject, {"apiGroup": "rbac.authorization.k8s.io"})


def _hooks(body: Body) -> None:
    for hook in body.get("webhooks") or []:
        _default(hook, {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10})
        _default(hook, {"namespaceSelector": {}, "objectSelector": {}})
        service = (hook.get("clientConfig") or {}).get("service")
        if service:
            _default(service, {"port": 443})


_FILLERS: dict[str, Callable[[Body], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Secret": _secret,
    "Namespace": _namespace,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "CustomResourceDefinition": _definition,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "MutatingWebhookConfiguration": _hooks,
    "ValidatingWebhookConfiguration": _hooks,
}

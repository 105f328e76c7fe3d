"""What the API server refuses in an object: names, missing and contradicting fields, and changes that may not be."""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal.cluster_kinds import Kind
from workspace.rehearsal.cluster_pod_rules import LABEL_WORDS as _LABEL_WORDS
from workspace.rehearsal.cluster_pod_rules import (
    PORT_WORDS,
    bad_key,
    duplicate,
    forbidden,
    is_port,
    pod_rules,
    required,
    unsupported,
    wrong,
)
from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_status import Cause, Rejected, invalid, shown

Body = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_LABEL}(\.{_LABEL})*')"
)
_SERVICE_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_LABEL_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ANNOTATIONS = 256 * 1024
_DATA = 1024 * 1024
_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_QUANTITY_WORDS = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_NOT_NEGATIVE = "must be greater than or equal to 0"
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
_STATEFUL_WORDS = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_FREE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
}
_POD_WORDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check(kind: Kind, body: Body, live: Body | None) -> None:
    """Reject an object that breaks a rule of its kind, naming every broken one."""
    causes = [*_metadata(kind, body), *_structure(kind, body), *_quantities(kind, body)]
    # Further rules look into what must be there; a selector alone may be missing.
    if {cause.field for cause in causes} <= {"spec.selector"}:
        causes += [*_kind_rules(kind, body), *(_changes(kind, body, live) if live else [])]
    causes += _late_finalizers(body, live) if live else []
    if causes:
        raise invalid(kind.group, kind.kind, body["metadata"].get("name", ""), causes)


def _late_finalizers(body: Body, live: Body) -> list[Cause]:
    """What is being deleted takes no new finalizers."""
    if not live["metadata"].get("deletionTimestamp"):
        return []
    new = sorted(set(body["metadata"].get("finalizers") or ()) - set(live["metadata"].get("finalizers") or ()))
    if not new:
        return []
    named = ", ".join(shown(each) for each in new)
    said = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{named}}}"
    return [forbidden("metadata.finalizers", said)]


def _metadata(kind: Kind, body: Body) -> Iterator[Cause]:
    metadata = body["metadata"]
    name = metadata.get("name")
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
        return
    words = _bad_name(kind, name)
    if words:
        yield Cause("metadata.name", f"Invalid value: {shown(name)}: {words}")
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str):
            yield Cause("metadata.labels", f"Invalid value: {shown(value)}: must be a string")
        elif len(value) > 63:
            yield Cause("metadata.labels", "Too long: may not be more than 63 bytes", "FieldValueTooLong")
        elif not _LABEL_VALUE.match(value):
            yield Cause("metadata.labels", f"Invalid value: {shown(value)}: {_LABEL_VALUE_WORDS}")
        if words := bad_key(key):
            yield wrong("metadata.labels", key, words)
    for key, value in (metadata.get("annotations") or {}).items():
        if not isinstance(value, str):
            yield Cause("metadata.annotations", f"Invalid value: {shown({key: value})}: must be a string")
        if words := bad_key(key.lower()):
            yield wrong("metadata.annotations", key, words)
    if sum(len(f"{key}{value}".encode()) for key, value in (metadata.get("annotations") or {}).items()) > _ANNOTATIONS:
        yield Cause("metadata.annotations", f"Too long: may not be more than {_ANNOTATIONS} bytes", "FieldValueTooLong")
    yield from _owners(metadata.get("ownerReferences") or [])
    for index, each in enumerate(metadata.get("finalizers") or []):
        if not kind.custom and "/" not in each and each not in _FINALIZERS:
            said = "name is neither a standard finalizer name nor is it fully qualified"
            yield wrong(f"metadata.finalizers[{index}]", each, said)


def _owners(references: list[Body]) -> Iterator[Cause]:
    for each in references:
        for name in ("apiVersion", "kind", "name", "uid"):
            if not each.get(name):
                yield wrong(f"metadata.ownerReferences.{name}", "", f"{name} must not be empty")
    controllers = [each for each in references if each.get("controller")]
    if len(controllers) > 1:
        said = "Only one reference can have Controller set to true"
        yield wrong("metadata.ownerReferences", references, said)


def _bad_name(kind: Kind, name: str) -> str:
    if kind.kind in _FREE_NAMES:
        return "" if "/" not in name and "%" not in name and name not in (".", "..") else "may not contain '/'"
    if kind.kind == "Service":
        return "" if re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) and len(name) < 64 else _SERVICE_WORDS
    if kind.kind == "Namespace":
        return "" if re.fullmatch(_LABEL, name) and len(name) < 64 else _LABEL_WORDS
    return "" if re.fullmatch(_SUBDOMAIN, name) and len(name) < 254 else _SUBDOMAIN_WORDS


def _structure(kind: Kind, body: Body) -> Iterator[Cause]:
    shape = schema.resolve(kind.shape)
    judged = {name: value for name, value in body.items() if name not in ("metadata", "status")}
    for path in schema.missing(
        judged, {**shape, "required": [r for r in shape.get("required", []) if r not in ("status", "metadata")]}
    ):
        yield Cause(path, "Required value", "FieldValueRequired")
    if kind.custom:
        for problem in schema.mistyped(judged, shape):
            yield Cause(problem.path.lstrip("."), f"Invalid value: {problem.what}", "FieldValueTypeInvalid")
        for problem in schema.outside_limits(judged, shape):
            yield Cause(problem.path, problem.what)


def _quantities(kind: Kind, body: Body) -> Iterator[Cause]:
    for path, resources in _resource_lists(kind, body):
        for group in ("requests", "limits"):
            for name, value in (resources.get(group) or {}).items():
                if not _QUANTITY.match(str(value)):
                    yield Cause(f"{path}.{group}[{name}]", f"Invalid value: {shown(value)}: {_QUANTITY_WORDS}")
                elif quantity(value) < 0:
                    yield wrong(f"{path}.{group}[{name}]", str(value), _NOT_NEGATIVE)
        yield from _over_limit(path, resources)


def _over_limit(path: str, resources: Body) -> Iterator[Cause]:
    for name, value in (resources.get("requests") or {}).items():
        limit = (resources.get("limits") or {}).get(name)
        if limit is not None and _QUANTITY.match(str(value)) and quantity(value) > quantity(limit):
            said = f"must be less than or equal to {name} limit of {limit}"
            yield Cause(f"{path}.requests", f"Invalid value: {shown(str(value))}: {said}")


def _resource_lists(kind: Kind, body: Body) -> Iterator[tuple[str, Body]]:
    found = pod_template(kind, body)
    if found:
        path, spec = found
        for index, container in enumerate(spec.get("containers") or []):
            yield f"{path}.containers[{index}].resources", container.get("resources") or {}


_SUFFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTP", start=1)
}


def quantity(value: Any) -> float:
    """A Kubernetes quantity as a number."""
    text = str(value)
    number = text.rstrip("numkKMGTPi")
    return float(number) * _SUFFIXES.get(text[len(number) :], 1.0)


_TEMPLATED = {"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job"}


def pod_template(kind: Kind, body: Body) -> tuple[str, Body] | None:
    """Where the pod of this object is written, and the pod's spec; None for kinds without pods."""
    if kind.kind == "Pod" and not kind.group:
        return "spec", body.get("spec") or {}
    if kind.kind in _TEMPLATED and kind.group in ("apps", "batch"):
        return "spec.template.spec", (body.get("spec") or {}).get("template", {}).get("spec") or {}
    return None


_RESTARTS = {"Job": ("OnFailure", "Never"), "Pod": ("Always", "OnFailure", "Never")}


def _kind_rules(kind: Kind, body: Body) -> Iterator[Cause]:
    found = pod_template(kind, body)
    if found:
        claims = {claim["metadata"]["name"] for claim in body["spec"].get("volumeClaimTemplates") or []}
        yield from pod_rules(*found, claims, _RESTARTS.get(kind.kind, ("Always",)))
    rule = None if kind.custom else _RULES.get(kind.kind)
    if rule:
        yield from rule(body)


def _selected(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector")
    if selector is not None and not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield Cause("spec.selector", f"Invalid value: {shown(selector)}: empty selector is invalid")
    elif not matches(selector, labels):
        said = f"Invalid value: {shown(labels)}: `selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", said)


def _deployment(body: Body) -> Iterator[Cause]:
    yield from _selected(body)
    spec = body["spec"]
    if spec["replicas"] < 0:
        said = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        yield Cause("spec.replicas", said)
    for name in ("minReadySeconds", "revisionHistoryLimit"):
        if spec.get(name, 0) < 0:
            yield wrong(f"spec.{name}", spec[name], _NOT_NEGATIVE)
    if spec["strategy"]["type"] not in ("Recreate", "RollingUpdate"):
        yield unsupported("spec.strategy", spec["strategy"], ("Recreate", "RollingUpdate"))
    rolling = spec["strategy"].get("rollingUpdate") or {}
    for name in ("maxUnavailable", "maxSurge"):
        value = rolling.get(name)
        if isinstance(value, str) and not re.fullmatch(r"[0-9]+%", value):
            said = "a valid percent string must be a numeric string followed by an ending '%'"
            yield wrong(f"spec.strategy.rollingUpdate.{name}", value, said)
        elif isinstance(value, str) and name == "maxUnavailable" and int(value[:-1]) > 100:
            yield wrong(f"spec.strategy.rollingUpdate.{name}", value, "must not be greater than 100%")
    if spec["strategy"]["type"] == "RollingUpdate" and _zero(rolling, "maxUnavailable") and _zero(rolling, "maxSurge"):
        value = shown(rolling.get("maxUnavailable"))
        said = f"Invalid value: {value}: may not be 0 when `maxSurge` is 0"
        yield Cause("spec.strategy.rollingUpdate.maxUnavailable", said)
    if spec["strategy"]["type"] == "Recreate" and spec["strategy"].get("rollingUpdate") is not None:
        said = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", said, "FieldValueForbidden")
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        said = f"Invalid value: {spec['progressDeadlineSeconds']}: must be greater than minReadySeconds"
        yield Cause("spec.progressDeadlineSeconds", said)


def _zero(rolling: Body, name: str) -> bool:
    return str(rolling.get(name)) in ("0", "0%")


_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_SERVICE_RANGE = "10.0.0.0/16"


def _service(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    ports = spec.get("ports") or []
    if spec["type"] not in _SERVICE_TYPES:
        yield unsupported("spec.type", spec["type"], _SERVICE_TYPES)
    if spec["type"] == "ExternalName" and not re.fullmatch(_SUBDOMAIN, spec.get("externalName") or ""):
        name = spec.get("externalName")
        yield wrong("spec.externalName", name, _SUBDOMAIN_WORDS) if name else required("spec.externalName")
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        yield unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    yield from _service_ports(ports)
    address = spec.get("clusterIP")
    if address not in (None, "", "None") and not _in_range(address):
        said = (
            f"failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. "
            f"The range of valid IPs is {_SERVICE_RANGE}"
        )
        yield wrong("spec.clusterIPs", [address], said)


def _service_ports(ports: list[Body]) -> Iterator[Cause]:
    names: set[str] = set()
    pairs: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        here, name, pair = f"spec.ports[{index}]", port.get("name"), (port["port"], port["protocol"])
        if len(ports) > 1 and not name:
            yield required(f"{here}.name")
        if name and name in names:
            yield duplicate(f"{here}.name", name)
        names.add(name or "")
        for field in ("port", "targetPort"):
            value = port.get(field)
            if isinstance(value, int) and not is_port(value):
                yield wrong(f"{here}.{field}", value, PORT_WORDS)
        target, node = port.get("targetPort"), port.get("nodePort")
        if isinstance(target, str) and not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", target):
            said = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            yield wrong(f"{here}.targetPort", target, said)
        if node and not 30000 <= node <= 32767:
            said = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            yield wrong(f"{here}.nodePort", node, said)
        if pair in pairs:
            yield duplicate(here, {"port": pair[0], "protocol": pair[1]})
        pairs.add(pair)


def _in_range(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(_SERVICE_RANGE)
    except ValueError:
        return False


def _autoscaler(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    if spec["maxReplicas"] < 1:
        said = f"Invalid value: {spec['maxReplicas']}: must be greater than 0"
        yield Cause("spec.maxReplicas", said)
    elif spec["maxReplicas"] < spec["minReplicas"]:
        said = f"Invalid value: {spec['maxReplicas']}: must be greater than or equal to `minReplicas`"
        yield Cause("spec.maxReplicas", said)


_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def _ingress(body: Body) -> Iterator[Cause]:
    spec = body.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        said = f"Invalid value: {shown(spec.get('rules') or [])}: either `defaultBackend` or `rules` must be specified"
        yield Cause("spec", said)
    for index, rule in enumerate(spec.get("rules") or []):
        host = rule.get("host", "")
        if host and not re.fullmatch(rf"(\*\.)?{_SUBDOMAIN}", host):
            yield wrong(f"spec.rules[{index}].host", host, _SUBDOMAIN_WORDS)
        for place, path in enumerate((rule.get("http") or {}).get("paths") or []):
            yield from _ingress_path(f"spec.rules[{index}].http.paths[{place}]", path)


def _ingress_path(here: str, path: Body) -> Iterator[Cause]:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        yield required(f"{here}.pathType", "pathType must be specified")
    elif kind not in _PATH_TYPES:
        yield unsupported(f"{here}.pathType", kind, _PATH_TYPES)
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        yield wrong(f"{here}.path", text, "must be an absolute path")
    service = (path.get("backend") or {}).get("service")
    if service is not None and not (service.get("port") or {}).keys() & {"number", "name"}:
        yield required(f"{here}.backend.service.port", "port name or number is required")


def _role(body: Body) -> Iterator[Cause]:
    for index, rule in enumerate(body.get("rules") or []):
        if not rule.get("verbs"):
            yield required(f"rules[{index}].verbs", "verbs must contain at least one value")
        if not rule.get("nonResourceURLs"):
            if not rule.get("apiGroups"):
                yield required(f"rules[{index}].apiGroups", "resource rules must supply at least one api group")
            if not rule.get("resources"):
                yield required(f"rules[{index}].resources", "resource rules must supply at least one resource")


_SUBJECTS = ("ServiceAccount", "User", "Group")


def _binding(body: Body) -> Iterator[Cause]:
    bound, of_cluster = body["roleRef"], body["kind"] == "ClusterRoleBinding"
    allowed: tuple[str, ...] = ("ClusterRole",) if of_cluster else ("Role", "ClusterRole")
    if bound.get("kind") not in allowed:
        yield unsupported("roleRef.kind", bound.get("kind"), allowed)
    if not bound.get("name"):
        yield required("roleRef.name")
    for index, each in enumerate(body.get("subjects") or []):
        if each.get("kind") not in _SUBJECTS:
            yield unsupported(f"subjects[{index}].kind", each.get("kind"), _SUBJECTS)


def _quota(body: Body) -> Iterator[Cause]:
    for name, value in ((body.get("spec") or {}).get("hard") or {}).items():
        if not _QUANTITY.match(str(value)):
            yield wrong(f"spec.hard[{name}]", value, _QUANTITY_WORDS)
        elif quantity(value) < 0:
            yield wrong(f"spec.hard[{name}]", str(value), _NOT_NEGATIVE)


def _policy(body: Body) -> Iterator[Cause]:
    spec = body.get("spec") or {}
    for index, each in enumerate(spec.get("policyTypes") or []):
        if each not in ("Ingress", "Egress"):
            yield unsupported(f"spec.policyTypes[{index}]", each, ("Ingress", "Egress"))
    for way, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(way) or []):
            here = f"spec.{way}[{index}]"
            for place, port in enumerate((rule or {}).get("ports") or []):
                if isinstance(port.get("port"), int) and not is_port(port["port"]):
                    yield wrong(f"{here}.ports[{place}].port", port["port"], PORT_WORDS)
            for place, peer in enumerate((rule or {}).get(side) or []):
                yield from _peer(f"{here}.{side}[{place}]", peer)


def _peer(here: str, peer: Body) -> Iterator[Cause]:
    if not any(peer.get(name) is not None for name in ("podSelector", "namespaceSelector", "ipBlock")):
        yield required(here, "must specify a peer")
    if peer.get("ipBlock") is not None:
        try:
            ipaddress.ip_network(peer["ipBlock"].get("cidr", ""), strict=False)
        except ValueError:
            yield wrong(f"{here}.ipBlock.cidr", peer["ipBlock"].get("cidr", ""), "not a valid CIDR")


_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def _job(body: Body) -> Iterator[Cause]:
    for name in ("backoffLimit", "parallelism", "completions"):
        if (body["spec"].get(name) or 0) < 0:
            yield wrong(f"spec.{name}", body["spec"][name], _NOT_NEGATIVE)


def _event(body: Body) -> Iterator[Cause]:
    about = (body.get("involvedObject") or {}).get("namespace") or "default"
    if about != body["metadata"].get("namespace"):
        yield wrong("involvedObject.namespace", about, "does not match event.namespace")


def _claim(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    for each in spec.get("accessModes") or []:
        if each not in _MODES:
            yield unsupported("spec.accessModes", each, _MODES)
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    elif not _QUANTITY.match(str(size)) or quantity(size) <= 0:
        yield wrong("spec.resources[storage]", str(size), "must be greater than zero")


def _budget(body: Body) -> Iterator[Cause]:
    spec = body.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield wrong("spec", spec, "minAvailable and maxUnavailable cannot be both set")


def _definition(body: Body) -> Iterator[Cause]:
    spec, name = body["spec"], body["metadata"]["name"]
    if name != f"{spec['names']['plural']}.{spec['group']}":
        yield Cause("metadata.name", f'Invalid value: {shown(name)}: must be spec.names.plural+"."+spec.group')
    if sum(1 for version in spec["versions"] if version.get("storage")) != 1:
        said = f"Invalid value: {shown([v.get('name') for v in spec['versions']])}: "
        yield Cause("spec.versions", said + "must have exactly one version marked as storage version")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    for index, version in enumerate(spec["versions"]):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            said = "Required value: schemas are required"
            yield Cause(f"spec.versions[{index}].schema.openAPIV3Schema", said, "FieldValueRequired")


def _secret(body: Body) -> Iterator[Cause]:
    required = {"kubernetes.io/tls": ("tls.crt", "tls.key"), "kubernetes.io/dockerconfigjson": (".dockerconfigjson",)}
    for key in required.get(body["type"], ()):
        if key not in (body.get("data") or {}):
            yield Cause(f"data[{key}]", "Required value", "FieldValueRequired")
    yield from _data_keys(body)


def _data_keys(body: Body) -> Iterator[Cause]:
    if sum(len(str(value).encode()) for value in (body.get("data") or {}).values()) > _DATA:
        where = "data" if body["kind"] == "Secret" else "[]"
        yield Cause(where, f"Too long: may not be more than {_DATA} bytes", "FieldValueTooLong")
    for key in body.get("data") or {}:
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            said = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
            yield Cause(f"data[{key}]", f"Invalid value: {shown(key)}: {said}")


_RULES: dict[str, Callable[[Body], Iterator[Cause]]] = {
    "Deployment": _deployment,
    "StatefulSet": _selected,
    "DaemonSet": _selected,
    "ReplicaSet": _selected,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "CustomResourceDefinition": _definition,
    "Secret": _secret,
    "ConfigMap": _data_keys,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "ResourceQuota": _quota,
    "NetworkPolicy": _policy,
    "PersistentVolumeClaim": _claim,
    "PodDisruptionBudget": _budget,
    "Job": _job,
    "Event": _event,
}


def _changes(kind: Kind, body: Body, live: Body) -> Iterator[Cause]:
    """What may not change, once made."""
    rule = None if kind.custom else _IMMUTABLE.get(kind.kind)
    if rule:
        yield from rule(body, live)


def _same_field(path: str) -> Callable[[Body, Body], Iterator[Cause]]:
    def rule(body: Body, live: Body) -> Iterator[Cause]:
        new, old = (_at(each, path) for each in (body, live))
        if new != old:
            yield Cause(path, f"Invalid value: {shown(new)}: field is immutable")

    return rule


def _at(body: Body, path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _stateful_change(body: Body, live: Body) -> Iterator[Cause]:
    new, old = body["spec"], live["spec"]
    if any(new.get(name) != old.get(name) for name in (new.keys() | old.keys()) - _STATEFUL_FREE):
        yield Cause("spec", f"Forbidden: {_STATEFUL_WORDS}", "FieldValueForbidden")


def _service_change(body: Body, live: Body) -> Iterator[Cause]:
    new, old = body["spec"].get("clusterIPs") or [], live["spec"].get("clusterIPs") or []
    address = body["spec"].get("clusterIP")
    if old and address is not None and address != live["spec"].get("clusterIP"):
        new = [address]
    if old and new != old and "ExternalName" not in (body["spec"]["type"], live["spec"]["type"]):
        yield Cause("spec.clusterIPs[0]", f"Invalid value: {shown(new)}: may not change once set")


def _job_change(body: Body, live: Body) -> Iterator[Cause]:
    for path in ("spec.completions", "spec.selector", "spec.template"):
        yield from _same_field(path)(body, live)


def _claim_change(body: Body, live: Body) -> Iterator[Cause]:
    free = {"resources", "volumeAttributesClassName", "volumeName"}
    new, old = body["spec"], live["spec"]
    if any(new.get(name) != old.get(name) for name in (new.keys() | old.keys()) - free):
        said = (
            "Forbidden: spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims"
        )
        yield Cause("spec", said, "FieldValueForbidden")


def _frozen_data(body: Body, live: Body) -> Iterator[Cause]:
    if live.get("immutable"):
        if not body.get("immutable"):
            said = "Forbidden: field is immutable when `immutable` is set"
            yield Cause("immutable", said, "FieldValueForbidden")
        for field in ("data", "binaryData"):
            if body.get(field) != live.get(field):
                yield Cause(field, "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
    if body.get("type") != live.get("type"):
        yield Cause("type", f"Invalid value: {shown(body.get('type'))}: field is immutable")


def _pod_change(body: Body, live: Body) -> Iterator[Cause]:
    new, old = (_without_images(each["spec"]) for each in (body, live))
    if new != old:
        yield Cause("spec", f"Forbidden: {_POD_WORDS}", "FieldValueForbidden")


def _without_images(spec: Body) -> Body:
    free = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"}
    kept = {name: value for name, value in spec.items() if name not in free}
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [{key: value for key, value in each.items() if key != "image"} for each in kept[name]]
    return kept


def _role_change(body: Body, live: Body) -> Iterator[Cause]:
    if body.get("roleRef") != live.get("roleRef"):
        yield Cause("roleRef", f"Invalid value: {shown(body.get('roleRef'))}: cannot change roleRef")


def _definition_change(body: Body, live: Body) -> Iterator[Cause]:
    for path in ("spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"):
        yield from _same_field(path)(body, live)


def _storage_change(body: Body, live: Body) -> Iterator[Cause]:
    for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if body.get(name) != live.get(name):
            said = f"Forbidden: updates to {name} are forbidden."
            yield Cause(name, said, "FieldValueForbidden")


_IMMUTABLE: dict[str, Callable[[Body, Body], Iterator[Cause]]] = {
    "Deployment": _same_field("spec.selector"),
    "ReplicaSet": _same_field("spec.selector"),
    "DaemonSet": _same_field("spec.selector"),
    "StatefulSet": _stateful_change,
    "Service": _service_change,
    "Job": _job_change,
    "PersistentVolumeClaim": _claim_change,
    "ConfigMap": _frozen_data,
    "Secret": _frozen_data,
    "Pod": _pod_change,
    "RoleBinding": _role_change,
    "ClusterRoleBinding": _role_change,
    "IngressClass": _same_field("spec.controller"),
    "CustomResourceDefinition": _definition_change,
    "StorageClass": _storage_change,
}


_OF_KEYED_LISTS = ("duplicate entries", "element ")


def strict(kind: Kind, body: Body, mode: str) -> list[str]:
    """Unknown fields and wrong types of a plain write, refused when `mode` is Strict; returns the warnings to send."""
    shape = schema.resolve(kind.shape)
    # Only an apply must tell the items of a list apart; a doubled key is a matter for the rules of the kind.
    found = [] if kind.custom else list(schema.mistyped(body, shape))
    bad = [each for each in found if not each.what.startswith(_OF_KEYED_LISTS)]
    where = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
    if bad:
        said = f"json: cannot unmarshal into Go struct field {kind.kind}{bad[0].path}: {bad[0].what}"
        raise Rejected(400, "BadRequest", f"{where}: {said}")
    if problem := _undecodable(kind, body):
        raise Rejected(400, "BadRequest", f"{where}: {problem}")
    unknown = [f'unknown field "{path}"' for path in schema.unknown(body, shape)]
    if unknown and mode == "Strict":
        raise Rejected(400, "BadRequest", f"{where}: strict decoding error: {', '.join(unknown)}")
    return unknown if mode == "Warn" else []


def _undecodable(kind: Kind, body: Body) -> str:
    """What is text to a schema and yet nothing that Go can read: a quantity or the data of a secret that are none."""
    for _, resources in () if kind.custom else _resource_lists(kind, body):
        for group in ("requests", "limits"):
            if not all(_QUANTITY.match(str(each)) for each in (resources.get(group) or {}).values()):
                return _QUANTITY_WORDS
    for value in (body.get("data") or {}).values() if kind.kind == "Secret" and not kind.custom else ():
        try:
            base64.b64decode(value or "", validate=True)
        except (ValueError, TypeError):
            return "illegal base64 data at input byte 0"
    return ""


def typed(kind: Kind, body: Body) -> None:
    """Reject a configuration to apply that the schema does not know; the real server answers 500 here, so do we."""
    shape = schema.resolve(kind.shape)
    unknown = [(f".{path}", "field not declared in schema") for path in schema.unknown(body, shape)]
    problems = [*unknown, *schema.mistyped(body, shape)]
    if not problems:
        if problem := _undecodable(kind, body):
            said = f"unable to convert unstructured object to {kind.api_version}, Kind={kind.kind}: {problem}"
            raise Rejected(500, "", f"failed to convert new object to proper version: {said}")
        return
    metadata = body.get("metadata", {})
    subject = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.api_version}, Kind={kind.kind}"
    subject = subject if kind.group else subject.replace(f"; {kind.version}", f"; /{kind.version}")
    lines = [f"{path}: {what}" for path, what in problems]
    said = lines[0] if len(lines) == 1 else "errors:\n  " + "\n  ".join(lines)
    raise Rejected(500, "", f"failed to create typed patch object ({subject}): {said}")

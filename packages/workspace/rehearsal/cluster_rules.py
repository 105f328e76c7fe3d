"""What the API server refuses in an object: names, missing and contradicting fields, and changes that may not be."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from workspace.rehearsal import cluster_schema as schema
from workspace.rehearsal.cluster_kinds import Kind
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
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
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
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_QUANTITY_WORDS = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
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
    if not causes:
        causes = [*_kind_rules(kind, body), *(_changes(kind, body, live) if live else [])]
    if causes:
        raise invalid(kind.group, kind.kind, body["metadata"].get("name", ""), causes)


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
        elif not _LABEL_VALUE.match(value) or not key:
            yield Cause("metadata.labels", f"Invalid value: {shown(value)}: {_LABEL_VALUE_WORDS}")
    for key, value in (metadata.get("annotations") or {}).items():
        if not isinstance(value, str):
            yield Cause("metadata.annotations", f"Invalid value: {shown({key: value})}: must be a string")


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
    for path in schema.missing(judged, {**shape, "required": [r for r in shape.get("required", []) if r != "status"]}):
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


def _kind_rules(kind: Kind, body: Body) -> Iterator[Cause]:
    found = pod_template(kind, body)
    if found:
        claims = {claim["metadata"]["name"] for claim in body["spec"].get("volumeClaimTemplates") or []}
        yield from _pod_rules(kind, *found, claims)
    rule = None if kind.custom else _RULES.get(kind.kind)
    if rule:
        yield from rule(body)


def _pod_rules(kind: Kind, path: str, spec: Body, claims: set[str]) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield Cause(f"{path}.containers", "Required value", "FieldValueRequired")
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for index, container in enumerate(spec.get("containers") or []):
        here = f"{path}.containers[{index}]"
        if not container.get("image"):
            yield Cause(f"{here}.image", "Required value", "FieldValueRequired")
        if not re.fullmatch(_LABEL, container.get("name", "")):
            yield Cause(f"{here}.name", f"Invalid value: {shown(container.get('name'))}: {_LABEL_WORDS}")
        for place, mount in enumerate(container.get("volumeMounts") or []):
            if mount.get("name") not in volumes | claims:
                said = f"Not found: {shown(mount.get('name'))}"
                yield Cause(f"{here}.volumeMounts[{place}].name", said, "FieldValueNotFound")
    allowed = ("OnFailure", "Never") if kind.kind == "Job" else ("Always",)
    if kind.kind != "Pod" and spec.get("restartPolicy") not in allowed:
        said = ", ".join(shown(each) for each in allowed)
        what = f"Unsupported value: {shown(spec.get('restartPolicy'))}: supported values: {said}"
        yield Cause(f"{path}.restartPolicy", what, "FieldValueNotSupported")


def _selected(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not (spec["selector"].get("matchLabels") or spec["selector"].get("matchExpressions")):
        yield Cause("spec.selector", f"Invalid value: {shown(spec['selector'])}: empty selector is invalid")
    elif not matches(spec["selector"], labels):
        said = f"Invalid value: {shown(labels)}: `selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", said)


def _deployment(body: Body) -> Iterator[Cause]:
    yield from _selected(body)
    spec = body["spec"]
    if spec["replicas"] < 0:
        said = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        yield Cause("spec.replicas", said)
    rolling = spec["strategy"].get("rollingUpdate") or {}
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


def _service(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield Cause("spec.ports", "Required value", "FieldValueRequired")
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            yield Cause(f"spec.ports[{index}].name", "Required value", "FieldValueRequired")
        if not 0 < port["port"] < 65536:
            said = f"Invalid value: {port['port']}: must be between 1 and 65535, inclusive"
            yield Cause(f"spec.ports[{index}].port", said)
    seen: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        pair = (port["port"], port["protocol"])
        if pair in seen:
            said = f"Duplicate value: {shown({'port': pair[0], 'protocol': pair[1]})}"
            yield Cause(f"spec.ports[{index}]", said, "FieldValueDuplicate")
        seen.add(pair)


def _autoscaler(body: Body) -> Iterator[Cause]:
    spec = body["spec"]
    if spec["maxReplicas"] < 1:
        said = f"Invalid value: {spec['maxReplicas']}: must be greater than 0"
        yield Cause("spec.maxReplicas", said)
    elif spec["maxReplicas"] < spec["minReplicas"]:
        said = f"Invalid value: {spec['maxReplicas']}: must be greater than or equal to `minReplicas`"
        yield Cause("spec.maxReplicas", said)


def _ingress(body: Body) -> Iterator[Cause]:
    spec = body.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        said = f"Invalid value: {shown(spec.get('rules') or [])}: either `defaultBackend` or `rules` must be specified"
        yield Cause("spec", said)


def _definition(body: Body) -> Iterator[Cause]:
    spec, name = body["spec"], body["metadata"]["name"]
    if name != f"{spec['names']['plural']}.{spec['group']}":
        yield Cause("metadata.name", f'Invalid value: {shown(name)}: must be spec.names.plural+"."+spec.group')
    if sum(1 for version in spec["versions"] if version.get("storage")) != 1:
        said = f"Invalid value: {shown([v.get('name') for v in spec['versions']])}: "
        yield Cause("spec.versions", said + "must have exactly one version marked as storage version")
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


def strict(kind: Kind, body: Body, mode: str) -> list[str]:
    """Unknown fields and wrong types of a plain write, refused when `mode` is Strict; returns the warnings to send."""
    shape = schema.resolve(kind.shape)
    wrong = [] if kind.custom else list(schema.mistyped(body, shape))
    where = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
    if wrong:
        said = f"json: cannot unmarshal into Go struct field {kind.kind}{wrong[0].path}: {wrong[0].what}"
        raise Rejected(400, "BadRequest", f"{where}: {said}")
    unknown = [f'unknown field "{path}"' for path in schema.unknown(body, shape)]
    if unknown and mode == "Strict":
        raise Rejected(400, "BadRequest", f"{where}: strict decoding error: {', '.join(unknown)}")
    return unknown if mode == "Warn" else []


def typed(kind: Kind, body: Body) -> None:
    """Reject a configuration to apply that the schema does not know; the real server answers 500 here, so do we."""
    shape = schema.resolve(kind.shape)
    unknown = [(f".{path}", "field not declared in schema") for path in schema.unknown(body, shape)]
    problems = [*unknown, *schema.mistyped(body, shape)]
    if not problems:
        return
    metadata = body.get("metadata", {})
    subject = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.api_version}, Kind={kind.kind}"
    subject = subject if kind.group else subject.replace(f"; {kind.version}", f"; /{kind.version}")
    lines = [f"{path}: {what}" for path, what in problems]
    said = lines[0] if len(lines) == 1 else "errors:\n  " + "\n  ".join(lines)
    raise Rejected(500, "", f"failed to create typed patch object ({subject}): {said}")

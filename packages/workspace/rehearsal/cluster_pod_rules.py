"""What the API server refuses in a pod's description, in a workload's template or on its own."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.rehearsal.cluster_status import Cause, shown

Body = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_LABEL}(\.{_LABEL})*')"
)
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_VARIABLE_WORDS = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
    "start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is "
    "'[-._a-zA-Z][-._a-zA-Z0-9]*')"
)
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_UNSATISFIED = ("DoNotSchedule", "ScheduleAnyway")
_HIGHEST_ID = 2**31 - 1
PORT_WORDS = "must be between 1 and 65535, inclusive"
_NAME_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PULLS = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_KEYED = ("configMapKeyRef", "secretKeyRef")


def unsupported(path: str, value: Any, allowed: tuple[str, ...]) -> Cause:
    """A value that is none of those there are."""
    said = ", ".join(shown(each) for each in allowed)
    return Cause(path, f"Unsupported value: {shown(value)}: supported values: {said}", "FieldValueNotSupported")


def required(path: str, why: str = "") -> Cause:
    """A field that must be there."""
    return Cause(path, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def duplicate(path: str, value: Any) -> Cause:
    """A value that may stand only once."""
    return Cause(path, f"Duplicate value: {shown(value)}", "FieldValueDuplicate")


def forbidden(path: str, why: str) -> Cause:
    """A field that may not stand here."""
    return Cause(path, f"Forbidden: {why}", "FieldValueForbidden")


def wrong(path: str, value: Any, why: str) -> Cause:
    """A value that breaks a rule."""
    return Cause(path, f"Invalid value: {shown(value)}: {why}")


def bad_key(key: str) -> str:
    """What is wrong with the key of a label or annotation, `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return (
            f"a qualified name {_NAME_WORDS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
    if slash and not (re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", prefix) and len(prefix) < 254):
        return f"prefix part {SUBDOMAIN_WORDS}" if prefix else "prefix part must be non-empty"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 bytes"
    return "" if _NAME.match(name) else f"name part {_NAME_WORDS}"


def is_port(value: Any) -> bool:
    """Whether a number may be a port."""
    return isinstance(value, int) and 0 < value < 65536


def pod_rules(path: str, spec: Body, claims: set[str], allowed_restarts: tuple[str, ...]) -> Iterator[Cause]:
    """Every broken rule of a pod whose description stands at `path`; `claims` are volumes that come from elsewhere."""
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    yield from _whereabouts(path, spec)
    yield from _volumes(path, spec.get("volumes") or [])
    volumes = {volume.get("name") for volume in spec.get("volumes") or []} | claims
    names: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or []):
            here = f"{path}.{field}[{index}]"
            if container.get("name") in names:
                yield duplicate(f"{here}.name", container["name"])
            names.add(container.get("name", ""))
            yield from _container(here, container, volumes)
    if spec.get("restartPolicy") not in allowed_restarts:
        yield _restarts(f"{path}.restartPolicy", spec.get("restartPolicy"), allowed_restarts)


def _whereabouts(path: str, spec: Body) -> Iterator[Cause]:
    """Who a pod runs as, where it may run, whom it asks for addresses."""
    account = spec.get("serviceAccountName")
    if account and not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", account):
        yield wrong(f"{path}.serviceAccountName", account, SUBDOMAIN_WORDS)
    if spec.get("dnsPolicy") not in _DNS:
        yield unsupported(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS)
    for key in spec.get("nodeSelector") or {}:
        if words := bad_key(key):
            yield wrong(f"{path}.nodeSelector", key, words)
    for index, each in enumerate(spec.get("tolerations") or []):
        if each.get("operator") == "Exists" and each.get("value"):
            yield wrong(
                f"{path}.tolerations[{index}].operator", each, "value must be empty when `operator` is 'Exists'"
            )
    for index, each in enumerate(spec.get("topologySpreadConstraints") or []):
        here = f"{path}.topologySpreadConstraints[{index}]"
        if each.get("maxSkew", 0) <= 0:
            yield wrong(f"{here}.maxSkew", each.get("maxSkew"), "must be greater than zero")
        if not each.get("topologyKey"):
            yield required(f"{here}.topologyKey", "can not be empty")
        if each.get("whenUnsatisfiable") not in _UNSATISFIED:
            yield unsupported(f"{here}.whenUnsatisfiable", each.get("whenUnsatisfiable"), _UNSATISFIED)
    yield from _identity(f"{path}.securityContext", spec.get("securityContext") or {})


def _identity(path: str, context: Body) -> Iterator[Cause]:
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(name) is not None and not 0 <= context[name] <= _HIGHEST_ID:
            yield wrong(f"{path}.{name}", context[name], f"must be between 0 and {_HIGHEST_ID}, inclusive")
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        said = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        yield wrong(path, context, said)


def _restarts(path: str, value: Any, allowed: tuple[str, ...]) -> Cause:
    # A job's rule is an older one and speaks otherwise.
    if "Always" in allowed:
        return unsupported(path, value, allowed)
    return required(path, f"valid values: {', '.join(shown(each) for each in allowed)}")


def _volumes(path: str, volumes: list[Body]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here, name = f"{path}.volumes[{index}]", volume.get("name", "")
        if not re.fullmatch(_LABEL, name):
            yield wrong(f"{here}.name", name, LABEL_WORDS) if name else required(f"{here}.name")
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        if volume.get("configMap") is not None and not volume["configMap"].get("name"):
            yield required(f"{here}.configMap.name")
        if volume.get("secret") is not None and not volume["secret"].get("secretName"):
            yield required(f"{here}.secret.secretName")
        sources = [each for each in sorted(volume) if each != "name" and volume[each] is not None]
        # Go looks at them in the order of its structure, in which emptyDir comes early and configMap late.
        for extra in sorted(sources, key=lambda each: (each != "emptyDir", each == "configMap"))[1:]:
            yield forbidden(f"{here}.{extra}", "may not specify more than 1 volume type")


def _container(path: str, container: Body, volumes: set[Any]) -> Iterator[Cause]:
    if not re.fullmatch(_LABEL, container.get("name") or ""):
        yield wrong(f"{path}.name", container.get("name"), LABEL_WORDS)
    image = container.get("image")
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield wrong(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from _identity(f"{path}.securityContext", container.get("securityContext") or {})
    for source in container.get("envFrom") or []:
        if not (source.get("configMapRef") or source.get("secretRef")):
            yield wrong(f"{path}.envFrom", "", "must specify one of: `configMapRef` or `secretRef`")
    yield from _mounts(path, container.get("volumeMounts") or [], volumes)
    yield from _ports(path, container.get("ports") or [])
    for index, variable in enumerate(container.get("env") or []):
        yield from _variable(f"{path}.env[{index}]", variable)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield from _probe(f"{path}.{name}", container[name], must_be_one=name != "readinessProbe")
    if container.get("imagePullPolicy") not in _PULLS:
        yield unsupported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULLS)


def _mounts(path: str, mounts: list[Body], volumes: set[Any]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here, at = f"{path}.volumeMounts[{index}]", mount.get("mountPath", "")
        if mount.get("name") not in volumes:
            yield Cause(f"{here}.name", f"Not found: {shown(mount.get('name'))}", "FieldValueNotFound")
        if not at:
            yield required(f"{here}.mountPath")
        elif at in seen:
            yield wrong(f"{here}.mountPath", at, "must be unique")
        seen.add(at)


def _ports(path: str, ports: list[Body]) -> Iterator[Cause]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"{path}.ports[{index}]", port.get("name")
        if name and len(name) > 15:
            yield wrong(f"{here}.name", name, "must be no more than 15 characters")
        if name and name in names:
            yield duplicate(f"{here}.name", name)
        names.add(name or "")
        if not is_port(port.get("containerPort")):
            yield wrong(f"{here}.containerPort", port.get("containerPort"), PORT_WORDS)
        if port.get("protocol") not in _PROTOCOLS:
            yield unsupported(f"{here}.protocol", port.get("protocol"), _PROTOCOLS)


def _variable(path: str, variable: Body) -> Iterator[Cause]:
    name, source = variable.get("name") or "", variable.get("valueFrom")
    if not _VARIABLE.fullmatch(name):
        yield wrong(f"{path}.name", name, _VARIABLE_WORDS) if name else required(f"{path}.name")
    if source is None:
        return
    if variable.get("value"):
        yield wrong(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    told = [name for name in source if source[name] is not None]
    if not told:
        yield wrong(
            f"{path}.valueFrom",
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        )
    elif len(told) > 1:
        yield wrong(f"{path}.valueFrom", "", "may not have more than one field specified at a time")
    for name in _KEYED:
        if source.get(name) is not None and not source[name].get("key"):
            yield required(f"{path}.valueFrom.{name}.key")


def _probe(path: str, probe: Body, *, must_be_one: bool) -> Iterator[Cause]:
    told = [name for name in _HANDLERS if probe.get(name) is not None]
    if not told:
        yield required(path, "must specify a handler type")
    for extra in told[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    if probe.get("httpGet") is not None:
        port = probe["httpGet"].get("port")
        if isinstance(port, int) and not is_port(port):
            yield wrong(f"{path}.httpGet.port", port, PORT_WORDS)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(name, 0) < 0:
            yield wrong(f"{path}.{name}", probe[name], "must be greater than or equal to 0")
    if must_be_one and probe.get("successThreshold", 1) != 1:
        yield wrong(f"{path}.successThreshold", probe["successThreshold"], "must be 1")

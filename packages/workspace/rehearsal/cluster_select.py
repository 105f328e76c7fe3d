"""Selectors: which objects a label selector, a field selector or a LabelSelector object means."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from workspace.rehearsal.cluster_status import bad_request

Body = dict[str, Any]
Test = Callable[[Body], bool]

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase"),
    "Event": (
        *(f"involvedObject.{field}" for field in ("kind", "name", "namespace", "uid", "apiVersion", "fieldPath")),
        *("reason", "type", "source", "reportingComponent"),
    ),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
}
_EXPRESSION = re.compile(r"^\s*(!?)\s*([\w./-]+)\s*(?:(notin|in)\s*\(([^)]*)\)|(==|=|!=)\s*([\w.-]*))?\s*$")


def labelled(text: str) -> Test:
    """The objects a label selector text means; every object when it is empty."""
    tests = [_label_test(part) for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    return lambda body: all(test(body["metadata"].get("labels") or {}) for test in tests)


def _label_test(text: str) -> Callable[[Mapping[str, str]], bool]:
    match = _EXPRESSION.match(text)
    if not match:
        raise bad_request(f'unable to parse requirement: found "{text.strip()}", expected: identifier')
    negated, key, within, listed, operator, value = match.groups()
    if within:
        values = {each.strip() for each in listed.split(",")}
        wanted = within == "in"
        return lambda labels: (labels.get(key) in values) == wanted if wanted else labels.get(key) not in values
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if operator:
        return lambda labels: labels.get(key) == value
    return lambda labels: (key in labels) != bool(negated)


def fielded(text: str, kind: str) -> Test:
    """The objects a field selector text means; a field the kind cannot be selected by is refused."""
    tests = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        pieces = re.split(r"(!=|==|=)", part, maxsplit=1)
        if len(pieces) != 3:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        path, operator, value = pieces
        if path not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind, ())):
            raise bad_request(_unknown_field(path, kind))
        tests.append((path, operator == "!=", value))
    return lambda body: all((str(_field(body, path)) == value) != negated for path, negated, value in tests)


def _unknown_field(path: str, kind: str) -> str:
    if kind in _FIELDS:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field(body: Body, path: str) -> Any:
    if path in ("source", "reportingComponent"):
        return body.get("reportingComponent") or body.get("source", {}).get("component", "")
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else value


def matches(selector: Body | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector object means these labels; none means nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expressed(each, labels) for each in selector.get("matchExpressions") or [])


def _expressed(expression: Body, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    found = labels.get(key)
    return {
        "In": found in values,
        "NotIn": found not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(expression["operator"], False)


def selector_text(selector: Body) -> str:
    """A LabelSelector object as `status.selector` of a scale says it."""
    pairs = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join(pairs)

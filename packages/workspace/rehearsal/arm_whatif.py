"""What a deployment would change, compared with what the rehearsal's cloud holds: as honest as Azure, and as noisy.

Like the real service it does not compute secure values, `utcNow()` or `newGuid()`: their expressions stand in the
answer as text, and so a second what-if right after a deployment may still speak of a change.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from workspace.rehearsal.arm_answers import Json, Refusal, visible
from workspace.rehearsal.cloud import Cloud, parse
from workspace.rehearsal.template_expressions import ExpressionError, TemplateError

_GROUPS = "microsoft.resources/resourcegroups"
_DEPLOYMENTS = "microsoft.resources/deployments"
_UNTIMELY = re.compile(r"\b(utcNow|newGuid)\s*\(", re.IGNORECASE)
_PARTS = ("location", "kind", "sku", "identity", "tags", "zones", "properties")

EvaluatorMaker = Callable[..., Any]
Lookup = Callable[[str], Json | None]


class Comparison:
    """Compares what a template wants with what is there."""

    def __init__(self, cloud: Cloud, evaluator: EvaluatorMaker, lookup: Lookup) -> None:
        self._cloud = cloud
        self._evaluator = evaluator
        self._lookup = lookup

    def changes(
        self, template: Json, parameters: Json, subscription: str, group: str, location: str, deployment: str
    ) -> list[Json]:
        """The changes, sorted by id: of what the template names, and `Ignore` for what else the group holds."""
        self._prove(template, parameters, subscription, group, location, deployment)
        place = {"subscription": subscription, "group": group, "location": location, "deployment": deployment}
        found = {change["resourceId"].lower(): change for change in self._compared(template, parameters, place)}
        for each in self._others(subscription, group, set(found)):
            found[each["resourceId"].lower()] = each
        return [found[key] for key in sorted(found)]

    def _prove(self, template: Json, parameters: Json, *place: str) -> None:
        """Refuse at once what a deployment would refuse."""
        names = ("subscription", "group", "location", "deployment")
        try:
            self._evaluator(
                template, parameters, lookup=self._lookup, **dict(zip(names, place, strict=True))
            ).resources()
        except (TemplateError, ExpressionError) as error:
            code, text = getattr(error, "code", "InvalidTemplate"), getattr(error, "message", str(error))
            raise Refusal(400, code, text) from error

    def _compared(self, template: Json, parameters: Json, place: Json) -> Iterator[Json]:
        for planned in self._planned(template, parameters, place):
            if planned.existing:
                continue
            nested = planned.deployment
            if nested:
                where = {**place, "group": nested.group, "deployment": nested.name}
                yield from self._compared(nested.template, nested.parameters, where)
            else:
                yield self._compare(planned)

    def _planned(self, template: Json, parameters: Json, place: Json) -> list[Any]:
        for given in (masked(template, parameters), parameters):
            try:
                made = self._evaluator(template, given, lookup=self._lookup, lenient=True, **place)
                return list(made.resources())
            except (TemplateError, ExpressionError):
                # a masked value can break a limit or a property access; then the true one has to serve
                continue
        return []

    def _compare(self, planned: Any) -> Json:
        resource_id = _true_id(planned.id)
        try:
            wanted = {k: v for k, v in planned.body().items() if k in _PARTS and v is not None}
        except (TemplateError, ExpressionError) as error:
            return {"resourceId": resource_id, "changeType": "Unsupported", "unsupportedReason": str(error)}
        named = {
            "apiVersion": planned.api_version,
            "id": resource_id,
            "name": parse(resource_id).name,
            "type": planned.type,
        }
        found = self._cloud.get(resource_id)
        if found is None:
            return {"resourceId": resource_id, "changeType": "Create", "after": {**named, **wanted}}
        before = {**named, **{k: v for k, v in visible(found).items() if k in _PARTS}}
        delta = list(_delta(before, wanted, "", whole=True))
        after = _laid_over(before, wanted)
        kind = "Modify" if delta else "NoChange"
        return {"resourceId": resource_id, "changeType": kind, "before": before, "after": after, "delta": delta}

    def _others(self, subscription: str, group: str, named: set[str]) -> Iterator[Json]:
        if not group:
            return
        for each in self._cloud.under(f"/subscriptions/{subscription}/resourceGroups/{group}"):
            kind = parse(each["id"]).type.lower()
            if kind.count("/") == 1 and kind != _DEPLOYMENTS and each["id"].lower() not in named:
                shown = {k: v for k, v in visible(each).items() if k in ("id", "name", "type", "location")}
                yield {"resourceId": each["id"], "changeType": "Ignore", "before": shown, "after": shown}


def masked(template: Json, parameters: Json) -> Json:
    """The parameters as what-if sees them: secure values and untimely defaults as the text of their expression."""
    given = {name.lower(): value for name, value in parameters.items()}
    seen: Json = {}
    for name, definition in (template.get("parameters") or {}).items():
        value = given.get(name.lower())
        kind = str(definition.get("type", "")).lower()
        default = definition.get("defaultValue")
        if value is None and isinstance(default, str) and _UNTIMELY.search(default):
            value = {"value": default}
        elif kind == "securestring" and isinstance(value, dict) and value.get("value"):
            # conditions often ask whether a secret was given, so one that was not stays empty
            value = {"value": f"[parameters('{name}')]"}
        if value is not None:
            seen[name] = value
    return {**{k: v for k, v in parameters.items() if k not in seen}, **seen} if seen else parameters


def _delta(before: Any, wanted: Json, path: str, whole: bool = False) -> Iterator[Json]:
    for name, value in wanted.items():
        where = f"{path}.{name}" if path else name
        if name in before and isinstance(before[name], dict) and isinstance(value, dict):
            yield from _delta(before[name], value, where)
            if name == "tags" and whole:
                yield from _gone(before[name], value, where)
        elif name not in before or before[name] is None:
            if value not in (None, {}, []):
                yield {"path": where, "propertyChangeType": "Create", "after": value}
        elif not (_same_region(before[name], value) if name == "location" else _same(before[name], value)):
            yield {"path": where, "propertyChangeType": "Modify", "before": before[name], "after": value}


def _gone(before: Json, wanted: Json, path: str) -> Iterator[Json]:
    for name, value in before.items():
        if name not in wanted:
            yield {"path": f"{path}.{name}", "propertyChangeType": "Delete", "before": value}


def _same(before: Any, wanted: Any) -> bool:
    """Equal as Azure sees it: ids without regard to case, and lists of objects by what is asked of them."""
    if isinstance(before, str) and isinstance(wanted, str):
        is_id = before.startswith("/subscriptions/")
        return before.lower() == wanted.lower() if is_id else before == wanted
    if isinstance(before, list) and isinstance(wanted, list):
        return len(before) == len(wanted) and all(map(_same, before, wanted))
    if isinstance(before, dict) and isinstance(wanted, dict):
        return not list(_delta(before, wanted, ""))
    return bool(before == wanted)


def _same_region(before: Any, wanted: Any) -> bool:
    return str(before).lower().replace(" ", "") == str(wanted).lower().replace(" ", "")


def _laid_over(before: Any, wanted: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(wanted, dict):
        return wanted
    return {**before, **{name: _laid_over(before.get(name), value) for name, value in wanted.items()}}


def _true_id(resource_id: str) -> str:
    place = parse(resource_id)
    if place.type.lower() == _GROUPS and "/providers/" in resource_id:
        return f"/subscriptions/{place.subscription}/resourceGroups/{place.name}"
    return resource_id

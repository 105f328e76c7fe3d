"""ARM template JSON, evaluated: which resources a template wants, in which order, with which bodies, and its outputs.

The names, conditions and loops are settled when the template is read; a body is evaluated at the moment it is asked
for, so `reference()` sees what was created a moment before. What exists is asked of `lookup(id)`; what a function such
as `listKeys` answers, of `lookup(id + "/listKeys")`.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.rehearsal.template_expressions import (
    Access,
    Call,
    Expression,
    ExpressionError,
    TemplateError,
    is_expression,
    parse,
)
from workspace.rehearsal.template_functions import text_of
from workspace.rehearsal.template_parameters import invalid, is_secure
from workspace.rehearsal.template_values import Frame, Lookup, Unresolved, Values

__all__ = ["Evaluator", "Nested", "Planned", "TemplateError"]

DEPLOYMENTS = "Microsoft.Resources/deployments"

_NOT_IN_BODY = frozenset(
    (
        "apiVersion",
        "comments",
        "condition",
        "copy",
        "dependsOn",
        "existing",
        "metadata",
        "resourceGroup",
        "resources",
        "scope",
        "subscriptionId",
    )
)


@dataclass(frozen=True)
class Nested:
    """A deployment inside a template. `parameters` are evaluated at the moment they are read.

    `scope` is `inner` or `outer`; the template of an `outer` one comes with all its expressions already evaluated.
    """

    name: str
    subscription: str
    group: str
    location: str
    scope: str
    mode: str
    _template: Callable[[], dict[str, Any]]
    _parameters: Callable[[], dict[str, Any]]

    @property
    def template(self) -> dict[str, Any]:
        """The nested template."""
        return self._template()

    @property
    def parameters(self) -> dict[str, Any]:
        """The values for it, as `{"name": {"value": ...}}`."""
        return self._parameters()


@dataclass(frozen=True)
class Planned:
    """One resource that a template wants. `depends_on` holds the ids of others in the same template."""

    id: str
    type: str
    name: str
    api_version: str
    symbolic: str
    depends_on: tuple[str, ...]
    existing: bool
    _body: Callable[[], dict[str, Any]]
    _nested: Callable[[], Nested] | None = None

    def body(self) -> dict[str, Any]:
        """What is to be put, evaluated now; without id and api version, the name cut to its last part.

        The template inside a deployment is left as it stands.
        """
        return self._body()

    @property
    def deployment(self) -> Nested | None:
        """What to deploy in turn, when this is a nested deployment."""
        return self._nested() if self._nested else None


@dataclass
class _Draft:
    """A resource whose name and place are settled, before the order is."""

    raw: Mapping[str, Any]
    frame: Frame
    id: str
    type: str
    name: str
    symbolic: str
    existing: bool
    copy: str = ""
    place: int = 0
    needs: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Above:
    """The resource around a nested one in a template without symbolic names."""

    type: str = ""
    name: str = ""
    is_wanted: bool = True


class Evaluator(Values):
    """A template with its parameters, in one group of one subscription (an empty group means the subscription itself).

    Raises TemplateError for what Azure's validation would refuse. With `lenient`, an expression that asks for a
    resource which does not exist yields its own text, as Azure's what-if does.
    """

    def __init__(
        self,
        template: dict[str, Any],
        parameters: dict[str, Any],
        *,
        subscription: str,
        group: str,
        location: str,
        deployment: str,
        lookup: Lookup,
        lenient: bool = False,
        tenant: str = "00000000-0000-4000-8000-00000000fe00",
    ) -> None:
        super().__init__(
            template,
            subscription=subscription,
            group=group,
            location=location,
            deployment=deployment,
            lookup=lookup,
            lenient=lenient,
            tenant=tenant,
        )
        self._idle: set[str] = set()
        self._check_shape()
        self._read_parameters(parameters)
        self._drafts: list[_Draft] = list(self._settle())
        self._by_id = {draft.id.lower(): draft for draft in self._drafts}
        self._refuse_twins()

    def resources(self) -> list[Planned]:
        """Every resource, those it depends on before it; conditions that are false leave theirs out."""
        for draft in self._drafts:
            draft.needs = {need for need in self._needs(draft) if need != draft.id.lower()}
        return [self._planned(draft) for draft in self._ordered()]

    def outputs(self) -> dict[str, Any]:
        """The outputs as Azure keeps them: `{"name": {"type", "value"}}`, secure ones without a value."""
        frame = Frame(runtime=True)
        result: dict[str, Any] = {}
        for name, output in (self._template.get("outputs") or {}).items():
            if "condition" in output and not self.value(output["condition"], frame, f"output '{name}'"):
                continue
            kind = _spelled(str(self.resolve(output).get("type", "")))
            result[name] = {"type": kind}
            if not is_secure(output):
                result[name]["value"] = self._output(name, output, frame)
        return result

    def _check_shape(self) -> None:
        for part in ("$schema", "contentVersion", "resources"):
            if part not in self._template:
                raise TemplateError(
                    "InvalidTemplate",
                    f"Deployment template parse failed: 'Required property '{part}' not found in JSON'.",
                )

    def _settle(self) -> Iterator[_Draft]:
        resources = self._template["resources"]
        named = resources.items() if isinstance(resources, Mapping) else (("", each) for each in resources)
        for symbolic, raw in named:
            yield from self._turns(raw, symbolic, _Above())

    def _turns(self, raw: Mapping[str, Any], symbolic: str, above: _Above) -> Iterator[_Draft]:
        loop = raw.get("copy")
        if not isinstance(loop, Mapping):
            yield from self._drafts_of(raw, symbolic, Frame(), above)
            return
        self._idle.update({loop["name"].lower(), symbolic.lower()})
        for place in range(self.count(loop, Frame(), f"resource '{symbolic or loop['name']}'")):
            frame = Frame().loop("", place).loop(loop["name"], place)
            yield from self._drafts_of(raw, symbolic, frame, above)

    def _drafts_of(self, raw: Mapping[str, Any], symbolic: str, frame: Frame, above: _Above) -> Iterator[_Draft]:
        where = f"resource '{symbolic or raw.get('name')}'"
        for part in ("type", "name", "apiVersion"):
            if not raw.get(part):
                raise invalid(f"The {where} has no {part}")
        draft = self._draft(raw, symbolic, frame, above, where)
        is_wanted = above.is_wanted and bool(self.value(raw.get("condition", True), frame, where))
        if is_wanted:
            yield draft
        else:
            self._idle.update(_spellings(draft))
        for child in raw.get("resources") or ():
            yield from self._turns(child, "", _Above(draft.type, draft.name, is_wanted))

    def _draft(self, raw: Mapping[str, Any], symbolic: str, frame: Frame, above: _Above, where: str) -> _Draft:
        kind, name = str(raw["type"]), self.text(raw["name"], frame, where)
        if above.type:
            kind, name = f"{above.type}/{kind}", f"{above.name}/{name}"
        if kind.count("/") != name.count("/") + 1:
            raise invalid(
                f"The template resource '{name}' for type '{kind}' has incorrect segment lengths. A nested resource "
                "type must have identical number of segments as its resource name. A root resource type must have "
                "segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources "
                "for usage details."
            )
        resource_id = self.make_id(self._scope_of(raw, frame, where), kind, name.split("/"))
        loop, place = (raw.get("copy") or {}).get("name", ""), frame.loops.get("", 0)
        return _Draft(raw, frame, resource_id, kind, name, symbolic, bool(raw.get("existing")), loop.lower(), place)

    def _scope_of(self, raw: Mapping[str, Any], frame: Frame, where: str) -> str:
        if "scope" in raw:
            return self.absolute(self.text(raw["scope"], frame, where))
        if "resourceGroup" not in raw and "subscriptionId" not in raw:
            return self.here
        subscription = self.text(raw.get("subscriptionId", self._subscription), frame, where)
        group = self.text(raw.get("resourceGroup", ""), frame, where)
        return f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")

    def _refuse_twins(self) -> None:
        if len(self._by_id) == len(self._drafts):
            return
        ids = [draft.id.lower() for draft in self._drafts if not draft.existing]
        twin = next((each for each in self._drafts if ids.count(each.id.lower()) > 1), None)
        if twin:
            raise invalid(
                f"The resource '{twin.id}' is defined multiple times in a template. "
                "Please see https://aka.ms/arm-syntax-resources for usage details."
            )

    def ids_of(self, name: str) -> Iterator[str]:
        """The ids of the resources that a name in the template stands for."""
        return (each.id for each in self._known_as(name))

    def _needs(self, draft: _Draft) -> Iterator[str]:
        for raw in draft.raw.get("dependsOn") or ():
            yield from self._named(self.text(raw, draft.frame, f"resource '{draft.id}'"), draft)
        for expression in _runtime_calls(draft.raw):
            yield from self._referenced(expression, draft.frame)
        yield from self._batch_before(draft)

    def _named(self, name: str, draft: _Draft) -> Iterator[str]:
        found = [name.lower()] if name.lower() in self._by_id else list(self.ids_of(name))
        yield from (each.lower() for each in found)
        if not found and name.lower() not in self._idle:
            raise invalid(
                f"The resource '{draft.id}' depends on '{name}', which is not defined in the template. "
                "Please see https://aka.ms/arm-syntax-resources for usage details."
            )

    def _known_as(self, name: str) -> Iterator[_Draft]:
        wanted = name.lower()
        return (each for each in self._drafts if wanted and wanted in _spellings(each))

    def _referenced(self, call: Call, frame: Frame) -> Iterator[str]:
        try:
            name = text_of(self.run(call.arguments[0], frame))
        except (ExpressionError, TemplateError, Unresolved):
            return
        if name.lower() in self._by_id:
            yield name.lower()
        elif not name.startswith("/"):
            yield from (each.id.lower() for each in self._known_as(name))

    def _batch_before(self, draft: _Draft) -> Iterator[str]:
        loop = draft.raw.get("copy")
        if not isinstance(loop, Mapping) or str(loop.get("mode", "")).lower() != "serial":
            return
        size = int(loop.get("batchSize", 1))
        for each in self._drafts:
            if each.copy == draft.copy and each.raw is draft.raw and each.place // size == draft.place // size - 1:
                yield each.id.lower()

    def _ordered(self) -> list[_Draft]:
        done: dict[str, _Draft] = {}
        waiting = list(self._drafts)
        while waiting:
            ready = [draft for draft in waiting if draft.needs <= done.keys()]
            if not ready:
                raise invalid(
                    f"Circular dependency detected on resource: '{waiting[0].id}'. "
                    "Please see https://aka.ms/arm-syntax-resources for usage details."
                )
            done.update((draft.id.lower(), draft) for draft in ready)
            waiting = [draft for draft in waiting if draft.id.lower() not in done]
        return list(done.values())

    def _planned(self, draft: _Draft) -> Planned:
        nested = draft.type.lower() == DEPLOYMENTS.lower() and not draft.existing
        return Planned(
            id=draft.id,
            type=draft.type,
            name=draft.name,
            api_version=str(draft.raw["apiVersion"]),
            symbolic=draft.symbolic,
            depends_on=tuple(self._by_id[need].id for need in sorted(draft.needs)),
            existing=draft.existing,
            _body=lambda: self._body(draft),
            _nested=(lambda: self._nested(draft)) if nested else None,
        )

    def _body(self, draft: _Draft) -> dict[str, Any]:
        raw = {key: value for key, value in draft.raw.items() if key not in _NOT_IN_BODY}
        template = None
        if draft.type.lower() == DEPLOYMENTS.lower():
            template = raw.get("properties", {}).get("template")
            raw["properties"] = {key: value for key, value in raw.get("properties", {}).items() if key != "template"}
        body: dict[str, Any] = self.value(raw, draft.frame.at_run_time(), f"resource '{draft.id}'")
        body.update(type=draft.type, name=draft.name.rsplit("/", 1)[-1])
        if template is not None:
            body["properties"]["template"] = copy.deepcopy(template)
        return body

    def _nested(self, draft: _Draft) -> Nested:
        properties = draft.raw.get("properties") or {}
        where, frame = f"resource '{draft.id}'", draft.frame.at_run_time()
        scope = str((properties.get("expressionEvaluationOptions") or {}).get("scope", "outer")).lower()
        if "template" not in properties:
            raise invalid(f"The {where} has no template; a link to one cannot be followed in a rehearsal")
        subscription, group = _subscription_and_group(draft.id)

        def template() -> dict[str, Any]:
            inner: dict[str, Any] = properties["template"]
            return inner if scope == "inner" else self._outer(inner, frame, where)

        def parameters() -> dict[str, Any]:
            values: dict[str, Any] = self.value(properties.get("parameters") or {}, frame, where)
            return values

        return Nested(
            name=draft.name,
            subscription=subscription,
            group=group,
            location=self._location_of(draft, subscription, group),
            scope=scope,
            mode=str(properties.get("mode", "Incremental")),
            _template=template,
            _parameters=parameters,
        )

    def _outer(self, template: dict[str, Any], frame: Frame, where: str) -> dict[str, Any]:
        plain = {key: value for key, value in template.items() if key in ("parameters", "variables", "functions")}
        rest = {key: value for key, value in template.items() if key not in plain}
        evaluated: dict[str, Any] = _escaped(self.value(rest, frame, where))
        return {**evaluated, **plain}

    def _location_of(self, draft: _Draft, subscription: str, group: str) -> str:
        if "location" in draft.raw:
            return self.text(draft.raw["location"], draft.frame, f"resource '{draft.id}'")
        if group.lower() == self._group.lower() and subscription == self._subscription:
            return self._location
        found = self._lookup(f"/subscriptions/{subscription}/resourceGroups/{group}")
        return str((found or {}).get("location", self._location))

    def _output(self, name: str, output: Mapping[str, Any], frame: Frame) -> Any:
        if "copy" in output:
            return self.copies({"name": "", **output["copy"]}, frame, f"output '{name}'")
        return self.value(output.get("value"), frame, f"output '{name}'")


def _spellings(draft: _Draft) -> set[str]:
    """The ways in which a template names a resource, in lower case."""
    if draft.symbolic:
        names = {draft.symbolic, draft.copy, f"{draft.symbolic}[{draft.place}]"}
    else:
        names = {draft.id, draft.copy, draft.name, f"{draft.type}/{draft.name}"}
    return {name.lower() for name in names if name}


def _spelled(kind: str) -> str:
    """Output types as the service answers them."""
    return {"string": "String", "int": "Int", "bool": "Bool", "array": "Array", "object": "Object"}.get(
        kind.lower(), {"securestring": "SecureString", "secureobject": "SecureObject"}.get(kind.lower(), kind)
    )


def _runtime_calls(raw: Any) -> Iterator[Call]:
    """Every `reference(...)` and `list...(...)` in a resource, but not inside the template of a nested deployment."""
    if isinstance(raw, str):
        if is_expression(raw):
            yield from _calls_in(_parsed(raw))
    elif isinstance(raw, list):
        for each in raw:
            yield from _runtime_calls(each)
    elif isinstance(raw, Mapping):
        for key, value in raw.items():
            if key != "template":
                yield from _runtime_calls(value)


def _parsed(raw: str) -> Expression:
    try:
        return parse(raw)
    except ExpressionError as error:
        raise TemplateError("InvalidTemplate", f"Unable to process template language expressions: '{error}'") from error


def _calls_in(tree: Expression) -> Iterator[Call]:
    if isinstance(tree, Access):
        yield from _calls_in(tree.base)
        yield from _calls_in(tree.key)
    elif isinstance(tree, Call):
        if tree.arguments and (
            tree.name.lower() in ("reference", "references") or tree.name.lower().startswith("list")
        ):
            yield tree
        for each in tree.arguments:
            yield from _calls_in(each)


def _escaped(value: Any) -> Any:
    """An evaluated value made safe against being evaluated again."""
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[") and value.endswith("]") else value
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    return value


def _subscription_and_group(resource_id: str) -> tuple[str, str]:
    match = re.match(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", resource_id, re.IGNORECASE)
    return (match[1], match[2] or "") if match else ("", "")

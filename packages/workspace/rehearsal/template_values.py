"""Values in ARM templates: parameters, variables, and what an expression yields in one deployment.

A resource that `reference()` or a `list...` function asks for is looked up at the moment the expression is evaluated:
`lookup(id)` gives the resource, `lookup(id + "/listKeys")` what the action answers.
"""

import datetime
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.rehearsal import template_dates, template_parameters
from workspace.rehearsal.template_expressions import (
    Access,
    Call,
    Expression,
    ExpressionError,
    Literal,
    TemplateError,
    is_expression,
    parse,
)
from workspace.rehearsal.template_functions import PURE, equals, find, text_of
from workspace.rehearsal.template_parameters import invalid

Lookup = Callable[[str], dict[str, Any] | None]

_MOST_COPIES = 800


class Unresolved(Exception):
    """A resource that a runtime function asks for does not exist (yet)."""

    def __init__(self, error: TemplateError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class Frame:
    """Where an expression stands: the loops around it, the variables of its lambdas, whether resources exist yet."""

    loops: Mapping[str, int] = field(default_factory=dict)
    locals: Mapping[str, Any] = field(default_factory=dict)
    runtime: bool = False
    default: bool = False

    def loop(self, name: str, place: int) -> "Frame":
        """One turn of a loop around the expression."""
        return Frame({**self.loops, name.lower(): place}, self.locals, self.runtime)

    def bind(self, names: Iterable[str], values: Iterable[Any]) -> "Frame":
        """The variables of a lambda around the expression."""
        bound = dict(zip((name.lower() for name in names), values, strict=False))
        return Frame(self.loops, {**self.locals, **bound}, self.runtime)

    def at_run_time(self) -> "Frame":
        """The same place once resources exist."""
        return Frame(self.loops, self.locals, True)


class Values:
    """The expressions of one template in one deployment."""

    def __init__(
        self,
        template: dict[str, Any],
        *,
        subscription: str,
        group: str,
        location: str,
        deployment: str,
        lookup: Lookup,
        lenient: bool,
        tenant: str,
    ) -> None:
        self._template = template
        self._subscription = subscription
        self._group = group
        self._location = location
        self._deployment = deployment
        self._lookup = lookup
        self._lenient = lenient
        self._tenant = tenant
        self._clock = datetime.datetime.now(datetime.UTC)
        self._variables: dict[str, Any] = {}
        self._busy: set[str] = set()
        self._own = {name.lower(): member for name, member in _own_functions(template)}
        self.parameters: dict[str, Any] = {}

    def ids_of(self, name: str) -> Iterator[str]:
        """The ids that a name in the template stands for; the evaluator of resources knows them."""
        return iter(())

    def _read_parameters(self, given: dict[str, Any]) -> None:
        definitions: dict[str, Any] = self._template.get("parameters") or {}
        template_parameters.refuse_unknown(definitions, given)
        by_name = {name.lower(): value for name, value in given.items()}
        missing = [
            name
            for name, definition in definitions.items()
            if name.lower() not in by_name
            and "defaultValue" not in definition
            and not self.resolve(definition).get("nullable")
        ]
        if missing:
            raise invalid(
                f"The value for the template parameter '{missing[0]}' is not provided. "
                "Please see https://aka.ms/arm-create-parameter-file for usage details."
            )
        for name, value in by_name.items():
            definition_name = next(each for each in definitions if each.lower() == name)
            self._keep_parameter(definition_name, self._given(definition_name, value))
        for name in definitions:
            self._parameter(name)

    def _given(self, name: str, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("reference"):
            return self._secret(given["reference"])
        if not isinstance(given, Mapping) or "value" not in given:
            raise invalid(f"The parameter '{name}' has neither a value nor a reference to a key vault")
        return given["value"]

    def _secret(self, reference: Mapping[str, Any]) -> Any:
        vault, name = reference["keyVault"]["id"], reference["secretName"]
        secret = self._lookup(f"{vault}/secrets/{name}")
        if secret is None:
            raise TemplateError(
                "KeyVaultParameterReferenceNotFound",
                f"The specified KeyVault '{vault}' could not be found or has no secret '{name}'.",
            )
        return secret.get("_value", (secret.get("properties") or {}).get("value", ""))

    def _keep_parameter(self, name: str, value: Any) -> Any:
        definition = self._template["parameters"][name]
        if self._lenient and isinstance(value, str) and is_expression(value):
            self.parameters[name.lower()] = value  # what only the run can know fits every type
            return value
        self.parameters[name.lower()] = template_parameters.check(name, value, definition, self.resolve)
        return self.parameters[name.lower()]

    def _parameter(self, name: str) -> Any:
        key = name.lower()
        if key in self.parameters:
            return self.parameters[key]
        definitions = self._template.get("parameters") or {}
        definition_name = next((each for each in definitions if each.lower() == key), None)
        if definition_name is None:
            raise ExpressionError(
                f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters"
            )
        definition = definitions[definition_name]
        if "defaultValue" not in definition:
            self.parameters[key] = None
            return None
        with _Once(self._busy, f"parameter {key}"):
            value = self.value(definition["defaultValue"], Frame(default=True), f"parameter '{name}'")
        return self._keep_parameter(definition_name, value)

    def resolve(self, definition: Mapping[str, Any]) -> Mapping[str, Any]:
        """A definition with its `$ref` to a type of the template followed."""
        reference = definition.get("$ref")
        if not reference:
            return definition
        target = (self._template.get("definitions") or {}).get(str(reference).rsplit("/", 1)[-1])
        if target is None:
            raise invalid(f"The type '{reference}' is not defined in the template")
        rest = {key: value for key, value in definition.items() if key != "$ref"}
        return {**self.resolve(target), **rest}

    def _variable(self, name: str) -> Any:
        key = name.lower()
        if key not in self._variables:
            with _Once(self._busy, f"variable {key}"):
                self._variables[key] = self._new_variable(name)
        return self._variables[key]

    def _new_variable(self, name: str) -> Any:
        variables: Mapping[str, Any] = self._template.get("variables") or {}
        for key, raw in variables.items():
            if key.lower() == name.lower() and key != "copy":
                return self.value(raw, Frame(), f"variable '{key}'")
        for each in variables.get("copy", ()):
            if each["name"].lower() == name.lower():
                return self.copies(each, Frame(), f"variable '{name}'")
        raise ExpressionError(
            f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables"
        )

    @property
    def here(self) -> str:
        """The id of the group or subscription that the deployment is for."""
        return f"/subscriptions/{self._subscription}" + (f"/resourceGroups/{self._group}" if self._group else "")

    def absolute(self, scope: str) -> str:
        """The id for a scope as templates write it: an id, or `Microsoft.X/kind/name`."""
        if scope.startswith("/"):
            return scope.rstrip("/")
        parts = scope.split("/")
        kind, names = "/".join([parts[0], *parts[1::2]]), parts[2::2]
        tenant_wide = parts[0].lower() == "microsoft.management"
        return self.make_id("" if tenant_wide else self.here, kind, names)

    @staticmethod
    def make_id(scope: str, kind: str, names: list[str]) -> str:
        """The id of a resource; refuses a number of names that does not fit the type."""
        namespace, *types = kind.split("/")
        if len(types) != len(names):
            raise ExpressionError(f"the type '{kind}' wants {len(types)} names, found {len(names)}")
        pairs = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
        return f"{scope}/providers/{namespace}/{pairs}"

    def value(self, raw: Any, frame: Frame, where: str) -> Any:
        """A JSON value with every expression in it evaluated; `where` names it in a refusal."""
        if isinstance(raw, str):
            return self._string(raw, frame, where)
        if isinstance(raw, list):
            return [self.value(each, frame, where) for each in raw]
        if isinstance(raw, Mapping):
            return self._object(raw, frame, where)
        return raw

    def _string(self, raw: str, frame: Frame, where: str) -> Any:
        if not is_expression(raw):
            return raw[1:] if raw.startswith("[[") and raw.endswith("]") else raw
        try:
            return self.run(parse(raw), frame)
        except Unresolved as error:
            if self._lenient and frame.runtime:
                return raw
            raise error.error from error
        except ExpressionError as error:
            raise TemplateError(
                "InvalidTemplate", f"Unable to process template language expressions for {where}: '{error}'"
            ) from error
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise TemplateError(
                "InvalidTemplate",
                f"Unable to process template language expressions for {where}: '{raw}' fails: {error!r}",
            ) from error

    def text(self, raw: Any, frame: Frame, where: str) -> str:
        """A value that has to be a text."""
        value = self.value(raw, frame, where)
        if not isinstance(value, str):
            raise TemplateError(
                "InvalidTemplate", f"Unable to process {where}: expected a text, found '{text_of(value)}'"
            )
        return value

    def _object(self, raw: Mapping[str, Any], frame: Frame, where: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in raw.items():
            if key == "copy" and _is_property_loop(value):
                result.update({each["name"]: self.copies(each, frame, where) for each in value})
            else:
                name = self.text(key, frame, where) if is_expression(key) else key
                result[name] = self.value(value, frame, where)
        return result

    def copies(self, loop: Mapping[str, Any], frame: Frame, where: str) -> list[Any]:
        """What a loop over values, not resources, yields."""
        count = self.count(loop, frame, where)
        return [self.value(loop["input"], frame.loop(loop["name"], place), where) for place in range(count)]

    def count(self, loop: Mapping[str, Any], frame: Frame, where: str) -> int:
        """How often a loop goes round."""
        count = self.value(loop["count"], frame, where)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_COPIES:
            raise invalid(f"The copy count '{text_of(count)}' of {where} is not a number between 0 and {_MOST_COPIES}")
        return count

    def run(self, tree: Expression, frame: Frame) -> Any:
        """What an expression yields."""
        if isinstance(tree, Literal):
            return tree.value
        if isinstance(tree, Access):
            return self._access(tree, frame)
        name = tree.name.lower()
        special = getattr(self, f"_do_{name}", None)
        if special is not None:
            return special(tree, frame)
        arguments = [self.run(each, frame) for each in tree.arguments]
        if name in PURE:
            return self._pure(tree, arguments)
        if name in self._own:
            return self._own_call(name, arguments)
        if name.startswith("list"):
            return self._list(tree.name, arguments, frame)
        raise ExpressionError(
            f"The template function '{tree.name}' is not valid. Please see https://aka.ms/arm-functions"
        )

    @staticmethod
    def _pure(call: Call, arguments: list[Any]) -> Any:
        try:
            return PURE[call.name.lower()](*arguments)
        except KeyError as error:
            raise ExpressionError(f"'{call.name}' finds no item {error}") from error
        except (TypeError, AttributeError) as error:
            raise ExpressionError(
                f"The arguments of the template function '{call.name}' are not valid: {error}"
            ) from error

    def _access(self, tree: Access, frame: Frame) -> Any:
        base, key = self.run(tree.base, frame), self.run(tree.key, frame)
        try:
            return find(base, key)
        except KeyError as error:
            known = (
                ", ".join(base)
                if isinstance(base, Mapping)
                else f"{len(base)} items"
                if isinstance(base, list)
                else "none"
            )
            raise ExpressionError(
                f"The language expression property '{key}' doesn't exist, available properties are '{known}'"
            ) from error

    def _own_call(self, name: str, arguments: list[Any]) -> Any:
        member = self._own[name]
        names = [each["name"].lower() for each in member.get("parameters") or ()]
        inner = _Function(self, dict(zip(names, arguments, strict=True)))
        return inner.evaluate(member["output"]["value"])

    def _do_parameters(self, call: Call, frame: Frame) -> Any:
        name = text_of(self.run(call.arguments[0], frame))
        value = self._parameter(name)
        if self._lenient and isinstance(value, str) and is_expression(value) and not self._is_text(name):
            raise Unresolved(invalid(f"The value of the parameter '{name}' is known at run time only"))
        return value

    def _is_text(self, name: str) -> bool:
        definitions: Mapping[str, Any] = self._template.get("parameters") or {}
        kinds = (
            str(self.resolve(each).get("type", "")) for key, each in definitions.items() if key.lower() == name.lower()
        )
        return next(kinds, "").lower() in ("string", "securestring")

    def _do_variables(self, call: Call, frame: Frame) -> Any:
        return self._variable(text_of(self.run(call.arguments[0], frame)))

    def _do_if(self, call: Call, frame: Frame) -> Any:
        chosen = 1 if self._truth(call.arguments[0], frame) else 2
        return self.run(call.arguments[chosen], frame)

    def _do_and(self, call: Call, frame: Frame) -> bool:
        return all(self._truth(each, frame) for each in call.arguments)

    def _do_or(self, call: Call, frame: Frame) -> bool:
        return any(self._truth(each, frame) for each in call.arguments)

    def _truth(self, tree: Expression, frame: Frame) -> bool:
        value = self.run(tree, frame)
        if not isinstance(value, bool):
            raise ExpressionError(f"expected true or false, found '{text_of(value)}'")
        return value

    def _do_coalesce(self, call: Call, frame: Frame) -> Any:
        values = (self.run(each, frame) for each in call.arguments)
        return next((value for value in values if value is not None), None)

    def _do_copyindex(self, call: Call, frame: Frame) -> int:
        values = [self.run(each, frame) for each in call.arguments]
        name = values.pop(0) if values and isinstance(values[0], str) else ""
        if name.lower() not in frame.loops:
            raise ExpressionError("The template function 'copyIndex' is not expected at this location")
        return frame.loops[name.lower()] + int(values[0] if values else 0)

    def _do_resourcegroup(self, call: Call, frame: Frame) -> dict[str, Any]:
        if not self._group:
            raise ExpressionError("The template function 'resourceGroup' is not expected at this location")
        found = self._lookup(self.here) or {}
        return {
            "id": self.here,
            "name": self._group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self._location,
            "tags": found.get("tags", {}),
            "properties": {"provisioningState": "Succeeded"},
        }

    def _do_subscription(self, call: Call, frame: Frame) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{self._subscription}",
            "subscriptionId": self._subscription,
            "tenantId": self._tenant,
            "displayName": "rehearsal",
        }

    def _do_tenant(self, call: Call, frame: Frame) -> dict[str, Any]:
        return {"tenantId": self._tenant, "displayName": "rehearsal", "countryCode": "ZA"}

    def _do_deployment(self, call: Call, frame: Frame) -> dict[str, Any]:
        return {
            "name": self._deployment,
            "location": self._location,
            "properties": {"mode": "Incremental", "template": {"contentVersion": self._template["contentVersion"]}},
        }

    def _do_environment(self, call: Call, frame: Frame) -> dict[str, Any]:
        return {
            "name": "AzureCloud",
            "resourceManager": "https://management.azure.com/",
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common"},
            "suffixes": {
                "storage": "core.windows.net",
                "keyvaultDns": ".vault.azure.net",
                "acrLoginServer": ".azurecr.io",
                "sqlServerHostname": ".database.windows.net",
            },
        }

    def _do_utcnow(self, call: Call, frame: Frame) -> str:
        self._only_as_default("utcNow", frame)
        pattern = text_of(self.run(call.arguments[0], frame)) if call.arguments else template_dates.BASIC
        return template_dates.written(self._clock, pattern)

    def _do_newguid(self, call: Call, frame: Frame) -> str:
        self._only_as_default("newGuid", frame)
        return str(uuid.uuid4())

    @staticmethod
    def _only_as_default(name: str, frame: Frame) -> None:
        if not frame.default:
            raise ExpressionError(f"The template function '{name}' is not expected at this location")

    def _do_resourceid(self, call: Call, frame: Frame) -> str:
        return self._resource_id([text_of(self.run(each, frame)) for each in call.arguments], with_group=True)

    def _do_subscriptionresourceid(self, call: Call, frame: Frame) -> str:
        return self._resource_id([text_of(self.run(each, frame)) for each in call.arguments], with_group=False)

    def _resource_id(self, parts: list[str], *, with_group: bool) -> str:
        place = next((number for number, part in enumerate(parts) if "/" in part), None)
        if place is None or place > (2 if with_group else 1):
            raise ExpressionError("The template function 'resourceId' has no type such as 'Microsoft.Web/sites'")
        before, kind, names = parts[:place], parts[place], parts[place + 1 :]
        subscription = before[0] if len(before) == (2 if with_group else 1) else self._subscription
        scope = f"/subscriptions/{subscription}"
        if with_group:
            group = before[-1] if before else self._group
            scope += f"/resourceGroups/{group}" if group else ""
        return self.make_id(scope, kind, names)

    def _do_tenantresourceid(self, call: Call, frame: Frame) -> str:
        kind, *names = [text_of(self.run(each, frame)) for each in call.arguments]
        return self.make_id("", kind, names)

    def _do_extensionresourceid(self, call: Call, frame: Frame) -> str:
        scope, kind, *names = [text_of(self.run(each, frame)) for each in call.arguments]
        return self.make_id(scope.rstrip("/"), kind, names)

    def _do_reference(self, call: Call, frame: Frame) -> Any:
        self._only_at_run_time("reference", frame)
        arguments = [self.run(each, frame) for each in call.arguments]
        found = self._living(text_of(arguments[0]))
        whole = len(arguments) > 2 and equals(text_of(arguments[2]).lower(), "full")
        return found if whole else found.get("properties", {})

    def _do_references(self, call: Call, frame: Frame) -> Any:
        self._only_at_run_time("references", frame)
        arguments = [text_of(self.run(each, frame)) for each in call.arguments]
        found = [self._living(each) for each in self.ids_of(arguments[0])]
        return found if arguments[-1].lower() == "full" else [each.get("properties", {}) for each in found]

    @staticmethod
    def _only_at_run_time(name: str, frame: Frame) -> None:
        if not frame.runtime:
            raise ExpressionError(
                f"The template function '{name}' is not expected at this location. "
                "Please see https://aka.ms/arm-functions for usage details"
            )

    def _target(self, name: str) -> str:
        if name.startswith("/"):
            return name
        return next(self.ids_of(name), "") or self.absolute(name)

    def _living(self, name: str) -> dict[str, Any]:
        target = self._target(name)
        found = self._lookup(target)
        if found is None:
            raise Unresolved(_not_found(target))
        return found

    def _list(self, function: str, arguments: list[Any], frame: Frame) -> Any:
        self._only_at_run_time(function, frame)
        target = self._target(text_of(arguments[0]))
        answer = self._lookup(f"{target}/{function}")
        if answer is None:
            found = self._living(target)
            raise ExpressionError(f"nobody knows what '{function}' answers for the resource type '{found.get('type')}'")
        return answer

    def _do_lambda(self, call: Call, frame: Frame) -> Callable[..., Any]:
        *names, body = call.arguments
        words = [text_of(self.run(each, frame)) for each in names]
        return lambda *values: self.run(body, frame.bind(words, values))

    def _do_lambdavariables(self, call: Call, frame: Frame) -> Any:
        name = text_of(self.run(call.arguments[0], frame)).lower()
        if name not in frame.locals:
            raise ExpressionError(f"The lambda variable '{name}' is not found")
        return frame.locals[name]

    def _with_lambda(self, call: Call, frame: Frame) -> tuple[Any, Callable[..., Any]]:
        values = [self.run(each, frame) for each in call.arguments]
        return values[0], values[-1]

    def _do_map(self, call: Call, frame: Frame) -> list[Any]:
        items, function = self._with_lambda(call, frame)
        return [function(item, place) for place, item in enumerate(items)]

    def _do_filter(self, call: Call, frame: Frame) -> list[Any]:
        items, function = self._with_lambda(call, frame)
        return [item for place, item in enumerate(items) if function(item, place)]

    def _do_reduce(self, call: Call, frame: Frame) -> Any:
        items, result, function = [self.run(each, frame) for each in call.arguments]
        for place, item in enumerate(items):
            result = function(result, item, place)
        return result

    def _do_sort(self, call: Call, frame: Frame) -> list[Any]:
        items, before = self._with_lambda(call, frame)
        ordered: list[Any] = []
        for item in items:
            place = next((number for number, other in enumerate(ordered) if not before(other, item)), len(ordered))
            ordered.insert(place, item)
        return ordered

    def _do_toobject(self, call: Call, frame: Frame) -> dict[str, Any]:
        items, key, *value = [self.run(each, frame) for each in call.arguments]
        return {key(item): value[0](item) if value else item for item in items}

    def _do_groupby(self, call: Call, frame: Frame) -> dict[str, Any]:
        items, key = self._with_lambda(call, frame)
        groups: dict[str, Any] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        return groups


class _Function(Values):
    """The inside of a function that the template defines: it sees its own parameters and nothing else."""

    def __init__(self, outer: Values, parameters: dict[str, Any]) -> None:
        self.__dict__.update(outer.__dict__)
        self._template = {**outer._template, "parameters": {}, "variables": {}}
        self.parameters = parameters
        self._variables: dict[str, Any] = {}

    def evaluate(self, raw: Any) -> Any:
        """What the function's output says."""
        return self.value(raw, Frame(), "a function of the template")


class _Once:
    """Refuses to enter the same name twice: a variable that needs itself."""

    def __init__(self, busy: set[str], name: str) -> None:
        self._busy, self._name = busy, name

    def __enter__(self) -> None:
        if self._name in self._busy:
            raise invalid(f"Circular dependency detected on {self._name}")
        self._busy.add(self._name)

    def __exit__(self, *_: object) -> None:
        self._busy.discard(self._name)


def _own_functions(template: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for space in template.get("functions") or ():
        for name, member in (space.get("members") or {}).items():
            yield f"{space['namespace']}.{name}", member


def _is_property_loop(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) and "input" in v for v in value)


def _not_found(target: str) -> TemplateError:
    group = target.split("/")[4] if target.lower().startswith("/subscriptions/") and target.count("/") > 4 else ""
    kind = target.rsplit("/providers/", 1)[-1]
    return TemplateError(
        "ResourceNotFound",
        f"The Resource '{kind}' under resource group '{group or '<null>'}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )

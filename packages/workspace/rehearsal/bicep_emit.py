"""A parsed Bicep file as ARM template JSON, in the form the real compiler gives it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workspace.rehearsal.bicep_expressions import Expressions, Template
from workspace.rehearsal.bicep_names import SCHEMAS, Place, Use
from workspace.rehearsal.bicep_symbols import DEPLOYMENTS, DEPLOYMENTS_VERSION, Scope, Symbol, resource_symbol
from workspace.rehearsal.bicep_syntax import (
    Array,
    Call,
    Constant,
    Declaration,
    File,
    Loop,
    Name,
    Object,
    Operation,
    Property,
    Spread,
    Text,
    Type,
)

LoadModule = Callable[[str], Template]
"""Gives the template of a module by its path relative to the file; raises OSError when there is none."""

_LIMITS = ("minValue", "maxValue", "minLength", "maxLength")
_VERSION = "rehearsal subset"


class Emitter(Expressions):
    """One file on its way to a template. With `symbolic` the resources keep their names (language version 2.0)."""

    def __init__(self, file: File, load: LoadModule, *, symbolic: bool = False) -> None:
        if file.beyond:
            raise file.beyond[0]
        needed = any(not each.type.is_plain for each in file.declarations if each.type)
        super().__init__(file, symbolic=symbolic or needed)
        self._load = load
        self._outputs: dict[str, Declaration] = {}
        self._metadata: dict[str, Any] = {}
        self._collect()

    def template(self) -> Template:
        """The whole template."""
        if self._file.scope not in SCHEMAS:
            raise self._error(0, "BCP033", f'The target scope "{self._file.scope}" is not known.')
        body: Template = {
            "$schema": SCHEMAS[self._file.scope],
            **({"languageVersion": "2.0"} if self._symbolic else {}),
            "contentVersion": "1.0.0.0",
            "metadata": {},
        }
        body.update(self._sections())
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
        generator = {"name": "bicep", "version": _VERSION, "templateHash": str(int.from_bytes(digest[:8], "big"))}
        body["metadata"] = {**self._metadata, "_generator": generator}
        return body

    def _sections(self) -> Template:
        parameters = {s.name: self._parameter(s.declaration) for s in self._sorted("param")}
        variables = self._variables()
        resources = self._resources()
        outputs = {name: self._output(each) for name, each in self._outputs.items()}
        sections: Template = {}
        for name, section in (("parameters", parameters), ("variables", variables)):
            if section:
                sections[name] = section
        sections["resources"] = resources
        if outputs:
            sections["outputs"] = outputs
        return sections

    def _collect(self) -> None:
        for each in self._file.declarations:
            if each.sort == "metadata":
                self._metadata[each.name] = self._value(each.value, Scope())
            elif each.sort == "output":
                self._refuse_twice(each, self._outputs)
                self._outputs[each.name] = each
            else:
                self._refuse_twice(each, self._symbols)
                self._symbols[each.name] = self._symbol(each)

    def _refuse_twice(self, each: Declaration, known: Mapping[str, Any]) -> None:
        if each.name in known:
            raise self._error(
                each,
                "BCP028",
                f'Identifier "{each.name}" is declared multiple times. Remove or rename the duplicates.',
            )

    def _symbol(self, each: Declaration) -> Symbol:
        if each.sort == "resource":
            return resource_symbol(self._source, each, None)
        if each.sort == "module":
            template = self._module_template(each)
            return Symbol("module", each.name, each, None, {}, DEPLOYMENTS, DEPLOYMENTS_VERSION, template)
        return Symbol(each.sort, each.name, each)

    def _module_template(self, each: Declaration) -> Template:
        path = each.reference.plain if each.reference else None
        if path is None:
            raise self._error(each, "BCP092", "String interpolation is not supported in file paths.")
        if path.startswith(("br:", "br/", "ts:", "ts/")):
            raise self._beyond(each, "modules from a registry")
        try:
            return self._load(path)
        except OSError as error:
            place = each.reference or each
            raise self._error(place, "BCP091", f"An error occurred reading file. {error}.") from error

    def _sorted(self, sort: str) -> Iterator[Symbol]:
        return (symbol for symbol in self._symbols.values() if symbol.sort == sort)

    def _parameter(self, each: Declaration) -> Template:
        entry = self._typed(each)
        if each.value is not None:
            self._refuse_other_type(each.value, str(each.type.name if each.type else ""), "BCP033")
            entry["defaultValue"] = self._value(each.value, Scope({"": "default"}))
        return entry

    def _typed(self, each: Declaration) -> Template:
        kind = each.type or Type(each.place, "string")
        decorators = self._decorated(each)
        entry = self._type(kind)
        if decorators.pop("secure", False):
            if kind.name not in ("string", "object") or kind.element:
                raise self._error(each, "BCP124", 'The decorator "secure" can only be attached to strings and objects.')
            entry["type"] = "securestring" if kind.name == "string" else "secureObject"
        entry.update(decorators)
        return entry

    def _type(self, kind: Type) -> Template:
        entry: Template = {"type": kind.name}
        if kind.literals:
            entry["allowedValues"] = [self._value(each, Scope()) for each in kind.literals]
        if kind.element:
            entry["items"] = self._type(kind.element)
        if kind.nullable:
            entry["nullable"] = True
        return entry

    def _decorated(self, each: Declaration) -> Template:
        """What the decorators say, as it stands in the template; `secure` and `batchSize` are left to the caller."""
        entry: Template = {}
        metadata: Template = {}
        for call in each.decorators:
            name, values = call.name, [self._value(argument, Scope()) for argument in call.arguments]
            if call.base is not None and not (isinstance(call.base, Name) and call.base.name == "sys"):
                raise self._error(call, "BCP057", f'The name "{call.name}" does not exist in the current context.')
            if name == "description":
                metadata["description"] = values[0]
            elif name == "metadata":
                metadata.update(values[0])
            elif name == "allowed":
                entry["allowedValues"] = values[0]
            elif name in (*_LIMITS, "batchSize"):
                entry[name] = values[0]
            elif name == "secure":
                entry["secure"] = True
            else:
                raise self._beyond(call, f'the decorator "{name}"')
        if metadata:
            entry["metadata"] = metadata
        return entry

    def _variables(self) -> Template:
        variables: Template = {}
        loops: list[Template] = []
        for symbol in self._sorted("var"):
            self._decorated(symbol.declaration)
            value = symbol.declaration.value
            if self._is_runtime_variable(symbol):
                self._expression(value, Scope())  # refused here when it cannot be written at all
            elif isinstance(value, Loop):
                loops.append(self._copy(symbol.name, value, Scope()))
            else:
                variables[symbol.name] = self._value(value, Scope())
        return {**({"copy": loops} if loops else {}), **variables}

    def _output(self, each: Declaration) -> Template:
        entry = self._typed(each)
        if not isinstance(each.value, Loop):
            return {**entry, "value": self._value(each.value, Scope())}
        copy = self._copy("", each.value, Scope())
        return {**entry, "copy": {"count": copy["count"], "input": copy["input"]}}

    def _resources(self) -> Any:
        self._refuse_circles()
        entries: list[tuple[str, Template]] = []
        for symbol in self._in_order():
            if self._symbolic or not symbol.declaration.existing:
                entries.append((symbol.path, self._entry(symbol)))
            else:
                self._entry(symbol)  # an existing resource leaves nothing behind, but its mistakes are reported
        return dict(entries) if self._symbolic else [entry for _, entry in entries]

    def _in_order(self) -> Iterator[Symbol]:
        for symbol in self._sorted("resource"):
            yield from symbol.all()
        yield from self._sorted("resource")
        yield from self._sorted("module")

    def _entry(self, symbol: Symbol) -> Template:
        each, scope = symbol.declaration, self._own_scope(symbol)
        decorated = self._decorated(each)
        entry: Template = {}
        conditions = self._conditions(symbol)
        if conditions:
            entry["condition"] = self._bracketed(conditions)
        if each.loop:
            entry["copy"] = self._loop_head(symbol, decorated.pop("batchSize", None))
        if each.existing:
            entry["existing"] = True
        entry["type"], entry["apiVersion"] = symbol.type, symbol.version
        entry.update(self._module(symbol, scope) if symbol.sort == "module" else self._resource(symbol, scope))
        depends_on = self._depends_on(symbol, scope)
        if depends_on and not each.existing:
            entry["dependsOn"] = depends_on
        entry.update({key: value for key, value in decorated.items() if key == "metadata"})
        return entry

    def _conditions(self, symbol: Symbol) -> str:
        own = symbol.declaration.condition
        text = self._expression(own, self._own_scope(symbol)) if own is not None else ""
        around = self._conditions(symbol.parent) if symbol.parent else ""
        return f"and({around}, {text})" if text and around else text or around

    def _loop_head(self, symbol: Symbol, batch: int | None) -> Template:
        items = self._expression(self._loop(symbol).items, Scope(owner=symbol.parent))
        head: Template = {"name": symbol.path, "count": f"[length({items})]"}
        return {**head, "mode": "serial", "batchSize": batch} if batch else head

    def _resource(self, symbol: Symbol, scope: Scope) -> Template:
        body = symbol.body
        if any(isinstance(each, Spread) for each in body.properties):
            raise self._beyond(body, "a spread at the top of a resource")
        entry = self._scope_entry(symbol, scope)
        entry["name"] = self._full_name(symbol, scope)
        rest = tuple(p for p in body.properties if p.key.plain not in ("name", "parent", "scope", "dependsOn"))
        if symbol.declaration.existing and rest:
            raise self._error(
                rest[0],
                "BCP173",
                f'The property "{rest[0].key.plain}" cannot be used in an existing resource declaration.',
            )
        entry.update(self._members(rest, scope))
        return entry

    def _full_name(self, symbol: Symbol, scope: Scope) -> Any:
        names = [self._expression(self._name_of(each), inner) for each, inner in self._ancestry(symbol, scope)]
        if len(names) == 1:
            return self._value(self._name_of(symbol), scope)
        holes = "/".join(f"{{{number}}}" for number in range(len(names)))
        return f"[format('{holes}', {', '.join(names)})]"

    def _module(self, symbol: Symbol, scope: Scope) -> Template:
        self._refuse_module_properties(symbol)
        entry: Template = {}
        place = self._place(symbol, scope)
        entry["name"] = self._value(self._name_of(symbol), scope)
        entry.update(self._module_scope(symbol, place))
        properties: Template = {"expressionEvaluationOptions": {"scope": "inner"}, "mode": "Incremental"}
        params = symbol.body.get("params")
        self._refuse_parameters(symbol, params)
        if params is not None:
            properties["parameters"] = {p.key.plain: self._argument(p.value, scope) for p in params.properties}
        properties["template"] = symbol.template
        entry["properties"] = properties
        return entry

    def _refuse_module_properties(self, symbol: Symbol) -> None:
        for each in symbol.body.properties:
            if not isinstance(each, Property) or each.key.plain not in ("name", "scope", "params", "dependsOn"):
                raise self._beyond(each, "this property of a module")
        if symbol.body.resources:
            raise self._error(symbol.declaration, "BCP124", "A module holds no resources.")

    def _refuse_parameters(self, symbol: Symbol, params: Any) -> None:
        known: Mapping[str, Any] = symbol.template.get("parameters") or {}
        if params is not None and (
            not isinstance(params, Object)
            or not all(isinstance(p, Property) and p.key.plain for p in params.properties)
        ):
            raise self._beyond(params, "parameters that are not written as an object of plain names")
        given = {p.key.plain: p for p in params.properties} if params is not None else {}
        for name, each in given.items():
            if name not in known:
                raise self._error(each, "BCP037", f'The property "{name}" is not allowed on objects of type "params".')
            self._refuse_other_type(each.value, str(known[name].get("type", "")), "BCP036", name)
        missing = [n for n, p in known.items() if "defaultValue" not in p and not p.get("nullable") and n not in given]
        if missing:
            names = ", ".join(f'"{name}"' for name in sorted(missing))
            raise self._error(
                params or symbol.declaration,
                "BCP035",
                f'The specified "object" declaration is missing the following required properties: {names}.',
            )

    def _refuse_other_type(self, node: Any, wanted: str, code: str, name: str = "") -> None:
        found = _kind(node)
        wanted = wanted.lower().replace("secure", "")
        if found and wanted and found != wanted:
            subject = f'The property "{name}" expected' if name else "Expected"
            raise self._error(
                node, code, f'{subject} a value of type "{wanted}" but the provided value is of type "{found}".'
            )

    def _argument(self, node: Any, scope: Scope) -> Any:
        """One value handed to a module: a value, a loop, a secret of a vault, or a choice between them."""
        if isinstance(node, Loop):
            return {"copy": [self._copy("value", node, scope)]}
        if self._holds_secret(node):
            if isinstance(node, Call):
                return self._secret_reference(node, scope)
            return f"[{self._secret_choice(node, scope)}]"
        return {"value": self._value(node, scope)}

    def _holds_secret(self, node: Any) -> bool:
        if isinstance(node, Call) and node.name == "getSecret" and node.base is not None:
            return True
        return isinstance(node, Operation) and node.operator == "?:" and any(map(self._holds_secret, node.operands[1:]))

    def _secret_reference(self, call: Call, scope: Scope) -> Template:
        use = self._use(call.base, scope)
        if use is None:
            raise self._error(call, "BCP180", 'Function "getSecret" is not valid at this location.')
        reference: Template = {"keyVault": {"id": self._bracketed(self._id_of_use(use, scope))}}
        for key, argument in zip(("secretName", "secretVersion"), call.arguments, strict=False):
            reference[key] = self._value(argument, scope)
        return {"reference": reference}

    def _secret_choice(self, node: Any, scope: Scope) -> str:
        if isinstance(node, Operation) and node.operator == "?:":
            condition, yes, no = node.operands
            chosen = ", ".join(self._secret_choice(each, scope) for each in (yes, no))
            return f"if({self._expression(condition, scope)}, {chosen})"
        if not self._holds_secret(node):
            return f"createObject('value', {self._expression(node, scope)})"
        use = self._use(node.base, scope)
        if use is None:
            raise self._error(node, "BCP180", 'Function "getSecret" is not valid at this location.')
        vault = f"createObject('id', {self._id_of_use(use, scope)})"
        pairs = [f"'keyVault', {vault}"]
        for key, argument in zip(("secretName", "secretVersion"), node.arguments, strict=False):
            pairs.append(f"'{key}', {self._expression(argument, scope)}")
        return f"createObject('reference', createObject({', '.join(pairs)}))"

    def _scope_entry(self, symbol: Symbol, scope: Scope) -> Template:
        place = self._place(symbol, scope)
        if place.sort == "resource" and place.symbol:
            use = Use(place.symbol, place.index)
            return {"scope": self._bracketed(self._id_of_use(use, self._ancestry(symbol, scope)[0][1]))}
        if place == Place(self._file.scope):
            return {}
        if symbol.declaration.existing:
            return self._elsewhere(place)
        if place == Place("tenant"):
            return {"scope": "/"}
        raise self._error(
            symbol.body.get("scope") or symbol.declaration,
            "BCP139",
            "A resource's scope must match the scope of the Bicep file for it to be deployable. "
            "You must use modules to deploy resources to a different scope.",
        )

    def _elsewhere(self, place: Place) -> Template:
        if place.sort == "resourceGroup":
            keys = ("subscriptionId", "resourceGroup")[-len(place.names) :] if place.names else ()
            return {key: self._bracketed(name) for key, name in zip(keys, place.names, strict=True)}
        if place.sort == "subscription":
            return {
                "subscriptionId": self._bracketed(place.names[0] if place.names else "subscription().subscriptionId")
            }
        if place.sort == "tenant":
            return {"scope": "/"}
        group = f"format('Microsoft.Management/managementGroups/{{0}}', {''.join(place.names)})"
        return {"scope": f"[{group}]"}

    def _module_scope(self, symbol: Symbol, place: Place) -> Template:
        if place.sort == "resource":
            raise self._error(symbol.body.get("scope"), "BCP134", "A module's scope is no resource.")
        schema = symbol.template.get("$schema")
        if schema != SCHEMAS[place.sort]:
            raise self._error(
                symbol.body.get("scope") or symbol.declaration,
                "BCP134",
                f'Scope "{place.sort}" is not valid for this module.',
            )
        if place == Place(self._file.scope):
            return {}
        entry = self._elsewhere(place)
        if place.sort != "resourceGroup":
            here = "resourceGroup" if self._file.scope == "resourceGroup" else "deployment"
            entry["location"] = f"[{here}().location]"
        return entry

    def _depends_on(self, symbol: Symbol, scope: Scope) -> list[str]:
        found: dict[tuple[str, str], str] = {}
        for use in self._needs(symbol, scope):
            index = self._expression(use.index, scope) if use.index is not None else ""
            found[(use.symbol.path, index)] = self._dependency(use, scope)
        return [found[key] for key in sorted(found, key=lambda key: (key[0].lower(), key[0], key[1]))]

    def _dependency(self, use: Use, scope: Scope) -> str:
        if use.symbol.declaration.loop is not None and use.index is None:
            return use.symbol.path
        if self._symbolic:
            return use.symbol.path if use.index is None else f"[{self._symbolic_name(use, scope)}]"
        return self._bracketed(self._id_of_use(use, scope))

    def _needs(self, symbol: Symbol, scope: Scope) -> Iterator[Use]:
        """What a resource names, except itself; for an existing one, what that one names."""
        each = symbol.declaration
        nodes = [*symbol.body.properties, *([each.condition] if each.condition is not None else [])]
        if each.loop:
            nodes.append(each.loop.items)
        uses = [use for node in nodes for use in self._uses(node, scope)]
        if symbol.parent:
            uses.insert(0, Use(symbol.parent))
        for use in uses:
            if use.symbol is symbol:
                raise self._error(
                    each, "BCP079", "This expression is referencing its own declaration, which is not allowed."
                )
            if use.symbol.declaration.existing:
                yield from self._needs_of_existing(use, scope)
            else:
                yield use

    def _needs_of_existing(self, use: Use, scope: Scope) -> Iterator[Use]:
        inner = self._own_scope(use.symbol) if use.index is None else self._scope_of_use(use, scope)
        yield from self._needs(use.symbol, inner)

    def _refuse_circles(self) -> None:
        graph = {s.path: {u.symbol.path for u in self._needs(s, self._own_scope(s))} for s in self._in_order()}
        state: dict[str, int] = {}

        def visit(path: str) -> None:
            if state.get(path) == 1:
                declaration = next(s for s in self._in_order() if s.path == path).declaration
                raise self._error(declaration, "BCP080", f'The expression is involved in a cycle ("{path}").')
            if path in state:
                return
            state[path] = 1
            for need in graph.get(path, ()):
                visit(need)
            state[path] = 2

        for path in graph:
            visit(path)


def _kind(node: Any) -> str:
    """The type of a literal; nothing for what has to be evaluated."""
    if isinstance(node, Text):
        return "string"
    if isinstance(node, Constant) and node.value is not None:
        return "bool" if isinstance(node.value, bool) else "int"
    if isinstance(node, Object):
        return "object"
    return "array" if isinstance(node, Array | Loop) else ""

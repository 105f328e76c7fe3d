"""The expressions of a Bicep file, written in the language of ARM templates or as plain JSON."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.rehearsal.bicep_names import Names, Once, is_property, quoted, turn
from workspace.rehearsal.bicep_symbols import FUNCTIONS, ONLY_AS_DEFAULT, Scope, Symbol, children, local_names
from workspace.rehearsal.bicep_syntax import (
    Access,
    Array,
    Call,
    Child,
    Constant,
    File,
    Lambda,
    Loop,
    Name,
    Object,
    Operation,
    Property,
    Spread,
    Text,
)

Template = dict[str, Any]

_OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod", "==": "equals", "&&": "and", "||": "or",
    "??": "coalesce", "<": "less", "<=": "lessOrEquals", ">": "greater", ">=": "greaterOrEquals",
}  # fmt: skip  # fmt: skip
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANT_PROPERTIES = ("id", "name", "type", "apiVersion")
_LARGEST = 2**31 - 1


class Expressions(Names):
    """Values and expressions. A variable that needs what only the run can know is written out where it is used."""

    def __init__(self, file: File, *, symbolic: bool) -> None:
        super().__init__(file, symbolic=symbolic)
        self._runtime: dict[str, bool] = {}

    def _is_runtime_variable(self, symbol: Symbol) -> bool:
        if symbol.name not in self._runtime:
            with Once(self, symbol):
                self._runtime[symbol.name] = self._is_runtime(symbol.declaration.value, Scope())
        return self._runtime[symbol.name]

    def _is_runtime(self, node: Any, scope: Scope) -> bool:
        if isinstance(node, Call) and node.name == "nameof":
            return False
        if isinstance(node, Access) and is_property(node.key) and self._use(node.base, scope):
            use = self._use(node.base, scope)
            return node.key.plain not in _CONSTANT_PROPERTIES or (
                use is not None and use.index is not None and self._is_runtime(use.index, scope)
            )
        if self._use(node, scope):
            return True
        if isinstance(node, Name) and node.name not in scope.locals:
            symbol = self._find(node, scope)
            return symbol.sort == "var" and self._is_runtime_variable(symbol)
        if isinstance(node, Call) and (node.name.startswith("list") or node.name == "reference"):
            return True
        if isinstance(node, Call) and isinstance(node.base, Name) and node.base.name in ("sys", "az"):
            return any(self._is_runtime(each, scope) for each in node.arguments)
        inner = scope.bind(dict.fromkeys(local_names(node), ""))
        return any(self._is_runtime(child, inner) for child in children(node))

    def _value(self, node: Any, scope: Scope) -> Any:
        """The JSON of an expression."""
        if isinstance(node, Text) and node.plain is not None:
            return self._escaped(node, node.plain)
        if isinstance(node, Constant) and node.value is not None:
            return node.value
        if isinstance(node, Array) and not any(isinstance(each, Spread) for each in node.items):
            return [self._value(each, scope) for each in node.items]
        if isinstance(node, Object) and not any(isinstance(each, Spread) for each in node.properties):
            return self._members(node.properties, scope)
        return self._bracketed(self._expression(node, scope))

    def _members(self, properties: tuple[Any, ...], scope: Scope) -> Template:
        loops = [p for p in properties if isinstance(p.value, Loop)]
        result: Template = {}
        if loops:
            result["copy"] = [self._copy(self._loop_name(p), p.value, scope) for p in loops]
        for each in properties:
            if not isinstance(each.value, Loop):
                result[self._value(each.key, scope)] = self._value(each.value, scope)
        return result

    def _loop_name(self, each: Property) -> str:
        if each.key.plain is None:
            raise self._beyond(each, "a loop under a computed property name")
        return each.key.plain

    def _copy(self, name: str, loop: Loop, scope: Scope) -> Template:
        if loop.condition is not None:
            raise self._error(loop, "BCP000", "A condition is allowed in the loops of resources and modules only.")
        if isinstance(loop.body, Loop):
            raise self._beyond(loop.body, "a loop directly inside a loop")
        items = self._expression(loop.items, scope)
        index = f"copyIndex('{name}')" if name else "copyIndex()"
        inner = scope.bind(turn(loop, items, index))
        return {"name": name, "count": f"[length({items})]", "input": self._value(loop.body, inner)}

    def _escaped(self, node: Text, text: str) -> str:
        if not text.startswith("["):
            return text
        if not text.endswith("]"):
            raise self._beyond(node, "a text that begins with a bracket and does not end with one")
        return f"[{text}"

    @staticmethod
    def _bracketed(text: str) -> str:
        """A text of the expression language as a JSON value; a lone quoted text needs no brackets."""
        if re.fullmatch(r"'(?:[^']|'')*'", text):
            plain = text[1:-1].replace("''", "'")
            return f"[{plain}" if plain.startswith("[") else plain
        return f"[{text}]"

    def _expression(self, node: Any, scope: Scope) -> str:
        """The text of an expression in the language of templates, without brackets."""
        if isinstance(node, Text):
            return self._text(node, scope)
        if isinstance(node, Constant):
            return self._constant(node)
        if isinstance(node, Name):
            return self._name(node, scope)
        if isinstance(node, Array):
            return self._array(node, scope)
        if isinstance(node, Object):
            return self._object(node, scope)
        if isinstance(node, Call):
            return self._call(node, scope)
        if isinstance(node, Access | Child):
            return self._accessed(node, scope)
        if isinstance(node, Operation):
            return self._operation(node, scope)
        if isinstance(node, Lambda):
            raise self._error(node, "BCP269", "A lambda is allowed as the argument of a function only.")
        if isinstance(node, Loop):
            raise self._error(
                node,
                "BCP138",
                "For-expressions are not supported in this context. For-expressions may be used as values of "
                "resource, module, variable, and output declarations, or values of resource and module properties.",
            )
        raise self._beyond(node, "this expression")

    def _text(self, node: Text, scope: Scope) -> str:
        if node.plain is not None:
            return quoted(node.plain)
        pattern = ""
        for number, part in enumerate(node.parts):
            literal = isinstance(part, str)
            pattern += part.replace("{", "{{").replace("}", "}}") if literal else f"{{{number // 2}}}"
        values = ", ".join(self._expression(part, scope) for part in node.parts[1::2])
        return f"format({quoted(pattern)}, {values})"

    def _constant(self, node: Constant) -> str:
        if node.value is None or isinstance(node.value, bool):
            return {None: "null()", True: "true()", False: "false()"}[node.value]
        if abs(node.value) > _LARGEST:
            raise self._beyond(node, "numbers this large in an expression")
        return str(node.value)

    def _name(self, node: Name, scope: Scope) -> str:
        if node.name in scope.locals:
            return scope.locals[node.name]
        symbol = self._find(node, scope)
        if symbol.sort == "param":
            return f"parameters('{node.name}')"
        if symbol.sort != "var":
            return self._reference_to_whole(node, scope)
        if not self._is_runtime_variable(symbol):
            return f"variables('{node.name}')"
        with Once(self, symbol):
            return self._expression(symbol.declaration.value, Scope())

    def _reference_to_whole(self, node: Any, scope: Scope) -> str:
        use = self._use(node, scope)
        if use is None or use.symbol.sort == "module":
            raise self._beyond(node, "a whole module as a value")
        return self._reference(use, scope, whole=True)

    def _array(self, node: Array, scope: Scope) -> str:
        if any(isinstance(each, Spread) for each in node.items):
            return f"flatten(createArray({', '.join(self._runs(node.items, 'createArray', scope))}))"
        return f"createArray({', '.join(self._expression(each, scope) for each in node.items)})"

    def _object(self, node: Object, scope: Scope) -> str:
        if any(isinstance(each, Spread) for each in node.properties):
            return f"shallowMerge(createArray({', '.join(self._runs(node.properties, 'createObject', scope))}))"
        return f"createObject({', '.join(self._member(each, scope) for each in node.properties)})"

    def _runs(self, items: tuple[Any, ...], maker: str, scope: Scope) -> Iterator[str]:
        """Spreads, and what stands between them gathered into one array or object each."""
        gathered: list[str] = []
        for each in items:
            if not isinstance(each, Spread):
                gathered.append(self._member(each, scope))
                continue
            if gathered:
                yield f"{maker}({', '.join(gathered)})"
                gathered = []
            yield self._expression(each.value, scope)
        if gathered:
            yield f"{maker}({', '.join(gathered)})"

    def _member(self, each: Any, scope: Scope) -> str:
        if isinstance(each, Property):
            return f"{self._expression(each.key, scope)}, {self._expression(each.value, scope)}"
        return self._expression(each, scope)

    def _operation(self, node: Operation, scope: Scope) -> str:
        values = [self._expression(each, scope) for each in node.operands]
        if node.operator == "?:":
            return f"if({', '.join(values)})"
        if len(values) == 1:
            return f"not({values[0]})" if node.operator == "!" else f"sub(0, {values[0]})"
        if node.operator == "!=":
            return f"not(equals({', '.join(values)}))"
        if node.operator in ("=~", "!~"):
            same = f"equals({', '.join(f'toLower({value})' for value in values)})"
            return same if node.operator == "=~" else f"not({same})"
        return f"{_OPERATORS[node.operator]}({', '.join(values)})"

    def _call(self, node: Call, scope: Scope) -> str:
        if node.base is None or self._is_namespace(node.base, scope):
            return self._function(node, scope)
        use = self._use(node.base, scope)
        if use is None or use.symbol.sort != "resource":
            raise self._beyond(node, f'the method "{node.name}"')
        if node.name == "getSecret":
            raise self._error(
                node,
                "BCP180",
                'Function "getSecret" is not valid at this location. It can only be used '
                "when directly assigning to a module parameter with a secure decorator.",
            )
        if not node.name.startswith("list"):
            raise self._error(node, "BCP109", f'This resource does not have a function named "{node.name}".')
        target = self._symbolic_name(use, scope) if self._symbolic else self._id_of_use(use, scope)
        given = [self._expression(each, scope) for each in node.arguments]
        return f"{node.name}({', '.join([target, *(given or [quoted(use.symbol.version)])])})"

    def _is_namespace(self, node: Any, scope: Scope) -> bool:
        return (
            isinstance(node, Name)
            and node.name in ("sys", "az")
            and node.name not in scope.locals
            and node.name not in self._symbols
        )

    def _function(self, node: Call, scope: Scope) -> str:
        if node.name not in FUNCTIONS:
            raise self._error(node, "BCP057", f'The name "{node.name}" does not exist in the current context.')
        if node.name in ONLY_AS_DEFAULT and scope.locals.get("") != "default":
            raise self._error(
                node,
                "BCP065",
                f'Function "{node.name}" is not valid at this location. '
                "It can only be used as a parameter default value.",
            )
        if node.name in ("resourceGroup", "subscription", "managementGroup", "tenant") and node.arguments:
            raise self._beyond(node, "the properties of another scope")
        if node.name == "any":
            return self._expression(node.arguments[0], scope)
        if node.name == "nameof":
            return quoted(self._last_name(node.arguments[0]))
        arguments = [self._function_argument(each, scope) for each in node.arguments]
        return f"{node.name}({', '.join(arguments)})"

    def _last_name(self, node: Any) -> str:
        if isinstance(node, Name | Child):
            return node.name
        if isinstance(node, Access) and is_property(node.key):
            return str(node.key.plain)
        raise self._error(node, "BCP408", 'The "nameof" function can only be used with an expression which has a name.')

    def _function_argument(self, node: Any, scope: Scope) -> str:
        if not isinstance(node, Lambda):
            return self._expression(node, scope)
        inner = scope.bind({name: f"lambdaVariables('{name}')" for name in node.names})
        names = ", ".join(quoted(name) for name in node.names)
        return f"lambda({names}, {self._expression(node.body, inner)})"

    def _accessed(self, node: Any, scope: Scope) -> str:
        base, keys = self._chain(node, scope)
        return f"tryGet({', '.join([base, *keys])})" if keys else base

    def _chain(self, node: Any, scope: Scope) -> tuple[str, list[str]]:
        """The text of an access, and the keys of a `tryGet` around it that later keys may still join."""
        if not isinstance(node, Access):
            return (
                (self._reference_to_whole(node, scope), [])
                if self._use(node, scope)
                else (self._expression(node, scope), [])
            )
        if self._use(node, scope):
            return self._reference_to_whole(node, scope), []
        if isinstance(node.base, Name) and self._is_namespace(node.base, scope):
            raise self._beyond(node, "this use of a namespace")
        declared = self._declared(node, scope)
        if declared:
            return declared
        base, keys = self._chain(node.base, scope)
        if keys and not node.safe:
            return base, [*keys, self._key(node, scope)]
        return self._plain_access(node, f"tryGet({', '.join([base, *keys])})" if keys else base, scope)

    def _plain_access(self, node: Access, base: str, scope: Scope) -> tuple[str, list[str]]:
        if node.from_end:
            if not node.safe:
                raise self._beyond(node, "an item counted from the end")
            return f"tryIndexFromEnd({base}, {self._expression(node.key, scope)})", []
        if node.safe:
            return base, [self._key(node, scope)]
        if is_property(node.key):
            return base + _property(str(node.key.plain)), []
        return f"{base}[{self._expression(node.key, scope)}]", []

    def _key(self, node: Access, scope: Scope) -> str:
        key = self._expression(node.key, scope)
        return f"createObject('value', {key}, 'fromEnd', true())" if node.from_end else key

    def _declared(self, node: Access, scope: Scope) -> tuple[str, list[str]] | None:
        """A property of a resource or module, or an output of a module."""
        output = self._module_output(node, scope)
        if output:
            return output
        use = self._use(node.base, scope)
        if use is None:
            return None
        if node.safe or not is_property(node.key):
            raise self._beyond(node, "this access to a resource")
        name = str(node.key.plain)
        if name == "id":
            return self._id_of_use(use, scope), []
        if name == "name":
            return self._expression(self._name_of(use.symbol), self._scope_of_use(use, scope)), []
        if use.symbol.sort == "module":
            if name != "outputs":
                raise self._error(node, "BCP053", f'The type "module" does not contain property "{name}".')
            return f"{self._reference(use, scope)}.outputs", []
        if name in ("type", "apiVersion"):
            return quoted(use.symbol.type if name == "type" else use.symbol.version), []
        if name == "properties":
            return self._reference(use, scope), []
        return self._reference(use, scope, whole=True) + _property(name), []

    def _module_output(self, node: Access, scope: Scope) -> tuple[str, list[str]] | None:
        inner = node.base
        if not (isinstance(inner, Access) and is_property(inner.key) and inner.key.plain == "outputs"):
            return None
        use = self._use(inner.base, scope)
        if use is None or use.symbol.sort != "module":
            return None
        name = node.key.plain if is_property(node.key) else None
        if name is None or name not in (use.symbol.template.get("outputs") or {}):
            raise self._error(node, "BCP053", f'The type "outputs" does not contain property "{name}".')
        base = f"{self._reference(use, scope)}.outputs"
        if node.safe:
            return f"tryGet({base}, {quoted(name)})", ["'value'"]
        return f"{base}{_property(name)}.value", []


def _property(name: str) -> str:
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{quoted(name)}]"

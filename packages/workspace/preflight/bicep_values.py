"""What a template would deploy, as far as its files tell: names and bodies with parameters and variables put in.

What only Azure knows (ids, properties, `uniqueString`) is `UNKNOWN`, and so is everything made of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workspace.preflight.bicep_template import UNKNOWN, Template, type_of
from workspace.rehearsal.bicep_syntax import (
    Access,
    Array,
    Call,
    Constant,
    Declaration,
    Lambda,
    Loop,
    Name,
    Object,
    Operation,
    Property,
    Spread,
    Text,
)

if TYPE_CHECKING:
    from workspace.preflight.bicep_files import Files

Locals = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """A resource that would be deployed: where it and its name are written, its name and properties.

    `parent` is the name of the resource it says it belongs to, None when it says none.
    """

    template: Template
    declaration: Declaration
    type: str
    name: Any
    name_place: str
    body: Any
    parent: Any = None

    @property
    def place(self) -> str:
        """`file:line` of the resource."""
        return self.template.at(self.declaration.place)


def made(
    files: "Files", template: Template, given: Mapping[str, Any], *, existing: bool = False
) -> Iterator[tuple[Made, ...]]:
    """The resources of a template and of its modules, together for each use of a file.

    With `existing`, those instead that it only refers to.
    """
    yield from _made(files, (template,), Values(template, given, files), {}, existing=existing)


def _made(
    files: "Files", above: tuple[Template, ...], values: "Values", places: Mapping[str, str], *, existing: bool
) -> Iterator[tuple[Made, ...]]:
    template = above[-1]
    yield tuple(each for each in _resources(template, values, places) if each.declaration.existing is existing)
    for module in template.of("module"):
        target = files.templates.get(template.target(module))
        if target is None or target in above:  # a module that uses itself would never end
            continue
        given = _given(module)
        where = {name: template.at(each.place) for name, each in given.items()}
        for local in values.turns(module):
            inner = Values(target, {name: values.of(each.value, local) for name, each in given.items()}, files)
            yield from _made(files, (*above, target), inner, where, existing=existing)


def _given(module: Declaration) -> dict[str, Property]:
    body = module.value.get("params") if isinstance(module.value, Object) else None
    properties = body.properties if isinstance(body, Object) else ()
    return {each.key.plain or "": each for each in properties if isinstance(each, Property)}


def _resources(template: Template, values: "Values", places: Mapping[str, str]) -> Iterator[Made]:
    for each in template.resources:
        if not isinstance(each.value, Object) or not _surroundings_are_made(template, values, each):
            continue
        name = each.value.get("name")
        place = places.get(name.name, "") if isinstance(name, Name) else ""
        for local in values.turns(each):
            body = values.of(each.value, local)
            called = values.of(name, local)
            where = place or template.at(_place(name, each))
            yield Made(template, each, type_of(each)[0], called, where, body, _parent(template, each, values, local))


def _surroundings_are_made(template: Template, values: "Values", nested: Declaration) -> bool:
    around = template.around(nested)
    return around is None or (
        any(True for _ in values.turns(around)) and _surroundings_are_made(template, values, around)
    )


def _parent(template: Template, declaration: Declaration, values: "Values", local: Locals) -> Any:
    parent = declaration.value.get("parent")
    around = template.around(declaration)
    if parent is None and around is None:
        return None
    found = template.symbols.get(parent.name) if isinstance(parent, Name) else around
    named = found.value.get("name") if found and isinstance(found.value, Object) else None
    return values.of(named, local) if named else UNKNOWN


def _place(name: Any, declaration: Declaration) -> int:
    return int(getattr(name, "place", declaration.place))


class Values:
    """The expressions of one file as values, with the parameters that are given."""

    def __init__(
        self,
        template: Template,
        given: Mapping[str, Any],
        files: "Files | None" = None,
        above: tuple[Template, ...] = (),
    ) -> None:
        self._files = files
        self._above = (*above, template)
        self._template = template
        self._given = given
        self._known: dict[str, Any] = {}
        self._called: list[str] = []

    def turns(self, declaration: Declaration) -> Iterator[Locals]:
        """The local names of each copy of a resource or module; none when its condition is false."""
        loop = declaration.loop
        turns = list(self._turns(loop, {})) if loop else [{}]
        condition = loop.condition if loop else declaration.condition
        yield from (each for each in turns if condition is None or self.of(condition, each) is not False)

    def of(self, node: Any, local: Locals | None = None) -> Any:
        """The value of an expression, or UNKNOWN."""
        local = local or {}
        if isinstance(node, Text):
            return self._text(node, local)
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Name):
            return local[node.name] if node.name in local else self._symbol(node.name)
        if isinstance(node, Object):
            return self._object(node, local)
        if isinstance(node, Array):
            return self._array(node, local)
        return self._made_of_others(node, local)

    def _made_of_others(self, node: Any, local: Locals) -> Any:
        if isinstance(node, Access) and (told := self._told(node, local)) is not UNKNOWN:
            return told
        if isinstance(node, Access):
            return UNKNOWN if node.from_end else _member(self.of(node.base, local), self.of(node.key, local))
        if isinstance(node, Operation):
            return self._operation(node, local)
        if isinstance(node, Call) and node.base is None:
            return self._call(node, local)
        if isinstance(node, Loop):
            turns = list(self._turns(node, local))
            return [self.of(node.body, each) for each in turns] if self._list(node, local) is not UNKNOWN else UNKNOWN
        return UNKNOWN

    def _told(self, node: Access, local: Locals) -> Any:
        """The name of a resource, or what a module gives, where the files tell it; UNKNOWN for everything else."""
        key = _plain(node.key)
        owner = node.base.base if isinstance(node.base, Access) and _plain(node.base.key) == "outputs" else node.base
        found = self._template.symbols.get(owner.name) if isinstance(owner, Name) and owner.name not in local else None
        if found is None or found.loop:
            return UNKNOWN
        if owner is node.base and key == "name" and any(each is found for each in self._template.of("resource")):
            whole = isinstance(found.value, Object) and found.value.get("parent") is None
            return self.of(found.value.get("name")) if whole else UNKNOWN
        return self._output(found, key) if owner is not node.base and found.sort == "module" else UNKNOWN

    def _output(self, module: Declaration, name: str) -> Any:
        target = self._files.templates.get(self._template.target(module)) if self._files else None
        if target is None or target in self._above:
            return UNKNOWN
        asked = f"{module.name}.outputs.{name}"
        if asked not in self._known:
            self._known[asked] = UNKNOWN  # what is made of itself stays unknown
            output = next((each for each in target.of("output") if each.name == name and not each.loop), None)
            given = {each: self.of(value.value) for each, value in _given(module).items()} if output else {}
            inner = Values(target, given, self._files, self._above)
            self._known[asked] = inner.of(output.value) if output else UNKNOWN
        return self._known[asked]

    def _symbol(self, name: str) -> Any:
        if name in self._given and name in self._template.parameters:
            return self._given[name]
        if name not in self._known:
            self._known[name] = UNKNOWN  # what is made of itself stays unknown
            found = self._template.symbols.get(name)
            plain = found is not None and found.sort in ("param", "var", "given") and found.value is not None
            self._known[name] = self.of(found.value) if found and plain else UNKNOWN
        return self._known[name]

    def _text(self, node: Text, local: Locals) -> Any:
        parts = [each if isinstance(each, str) else self.of(each, local) for each in node.parts]
        if any(each is UNKNOWN or isinstance(each, dict | list) for each in parts):
            return UNKNOWN
        return "".join(_spelled(each) for each in parts)

    def _object(self, node: Object, local: Locals) -> Any:
        found: dict[Any, Any] = {}
        for each in node.properties:
            if isinstance(each, Property):
                key = self.of(each.key, local)
                if key is not UNKNOWN:
                    found[key] = self.of(each.value, local)
            elif isinstance(each, Spread) and isinstance(more := self.of(each.value, local), dict):
                found.update(more)
        return found

    def _array(self, node: Array, local: Locals) -> Any:
        found: list[Any] = []
        for each in node.items:
            value = self.of(each.value if isinstance(each, Spread) else each, local)
            found.extend(value if isinstance(each, Spread) and isinstance(value, list) else [value])
        return found

    def _list(self, loop: Loop, local: Locals) -> Any:
        items = self.of(loop.items, local)
        return items if isinstance(items, list) else UNKNOWN

    def _turns(self, loop: Loop, local: Locals) -> Iterator[Locals]:
        items = self._list(loop, local)
        for index, item in enumerate([UNKNOWN] if items is UNKNOWN else items):
            yield {**local, loop.item: item, loop.index: index}

    def _operation(self, node: Operation, local: Locals) -> Any:
        first = self.of(node.operands[0], local)
        rest = node.operands[1:]
        if node.operator == "?:":
            return UNKNOWN if first is UNKNOWN else self.of(rest[0] if first else rest[1], local)
        if node.operator in ("&&", "||"):
            second = self.of(rest[0], local)
            decides = node.operator == "||"
            if first is decides or second is decides:
                return decides
            return UNKNOWN if UNKNOWN in (first, second) else not decides
        if node.operator == "??":
            return self.of(rest[0], local) if first is None else first
        values = (first, *(self.of(each, local) for each in rest))
        return UNKNOWN if any(each is UNKNOWN for each in values) else _computed(node.operator, values)

    def _call(self, node: Call, local: Locals) -> Any:
        if node.name in ("map", "filter") and len(node.arguments) == 2 and isinstance(node.arguments[1], Lambda):
            items, body = self.of(node.arguments[0], local), node.arguments[1]
            if not isinstance(items, list):
                return UNKNOWN
            results = [self.of(body.body, {**local, body.names[0]: each}) for each in items]
            if node.name == "map":
                return results
            return UNKNOWN if UNKNOWN in results else [each for each, kept in zip(items, results, strict=True) if kept]
        values = tuple(self.of(each, local) for each in node.arguments)
        own = self._template.symbols.get(node.name)
        if own is not None and own.sort == "func":
            return self._of_function(own, values)
        if node.name not in _FUNCTIONS or any(each is UNKNOWN for each in values):
            return UNKNOWN
        return _tried(_FUNCTIONS[node.name], values)

    def _of_function(self, function: Declaration, values: tuple[Any, ...]) -> Any:
        if function.name in self._called:  # one that calls itself is refused by the compiler and would never end
            return UNKNOWN
        self._called.append(function.name)
        try:
            return self.of(function.value.body, dict(zip(function.value.names, values, strict=False)))
        finally:
            self._called.pop()


def _plain(key: Any) -> str:
    return (key.plain if isinstance(key, Text) else None) or ""


def _tried(function: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    try:
        return function(*values)
    except (TypeError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError):
        return UNKNOWN


def _member(base: Any, key: Any) -> Any:
    if isinstance(base, dict) and isinstance(key, str):
        return base.get(key, UNKNOWN)
    if isinstance(base, list) and type(key) is int and 0 <= key < len(base):
        return base[key]
    return UNKNOWN


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _computed(operator: str, values: tuple[Any, ...]) -> Any:
    return _tried(_OPERATORS[operator], values) if (operator, len(values)) != ("-", 1) else _tried(_negated, values)


def _negated(value: Any) -> Any:
    return -value


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "!": lambda value: not value,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "=~": lambda left, right: left.lower() == right.lower(),
    "!~": lambda left, right: left.lower() != right.lower(),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}


def _concat(*values: Any) -> Any:
    if all(isinstance(each, list) for each in values):
        return [item for each in values for item in each]
    return "".join(_spelled(each) for each in values)


def _union(*values: Any) -> Any:
    if all(isinstance(each, dict) for each in values):
        return {key: item for each in values for key, item in each.items()}
    found: list[Any] = []
    for each in values:
        found.extend(item for item in each if item not in found)
    return found


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "concat": _concat,
    "union": _union,
    "empty": lambda value: not value,
    "length": len,
    "toLower": lambda value: value.lower(),
    "toUpper": lambda value: value.upper(),
    "padLeft": lambda text, width, by=" ": _spelled(text).rjust(width, by),
    "trim": lambda value: value.strip(),
    "string": _spelled,
    "int": int,
    "bool": lambda value: str(value).lower() == "true",
    "replace": lambda text, old, new: text.replace(old, new),
    "startsWith": lambda text, start: text.lower().startswith(start.lower()),
    "endsWith": lambda text, end: text.lower().endswith(end.lower()),
    "contains": lambda whole, part: part in whole,
    "split": lambda text, by: text.split(by) if isinstance(by, str) else UNKNOWN,
    "join": lambda items, by: by.join(map(_spelled, items)) if UNKNOWN not in items else UNKNOWN,
    "take": lambda whole, count: whole[:count],
    "skip": lambda whole, count: whole[count:],
    "first": lambda whole: whole[0],
    "last": lambda whole: whole[-1],
    "substring": lambda text, start, count: text[start : start + count],
    "flatten": lambda lists: [item for each in lists for item in each],
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "any": lambda value: value,
    "array": lambda value: value if isinstance(value, list) else [value],
    "min": min,
    "max": max,
    "range": lambda start, count: list(range(start, start + min(count, 1000))),
}

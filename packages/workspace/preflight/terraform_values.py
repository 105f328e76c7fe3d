"""What Terraform expressions come to with an environment's data: as far as files tell, and UNKNOWN beyond."""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lark import Token, Tree

from workspace.preflight.terraform_read import Attribute, Expression, trees


class Unknown:
    """A value that only Azure, another stack or the engine knows."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()
_LONGEST = 100_000
# What a pipeline, or azd in a file of JSON, puts another text in for before Terraform reads it.
_OPEN = re.compile(r"#\{[\w.-]+\}#|(?<![A-Za-z0-9])__[A-Za-z]\w*?__(?![A-Za-z0-9])")
_OPEN_IN_JSON = re.compile(rf"{_OPEN.pattern}|\$\{{[A-Z_][A-Z0-9_]*(=[^}}]*)?\}}")

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: left and right,
    "||": lambda left, right: left or right,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "toset": lambda value: value,
    "tolist": lambda value: value,
    "tomap": lambda value: value,
    "tostring": lambda value: value if isinstance(value, bool) or value is None else str(value),
    "keys": lambda value: sorted(value),
    "values": lambda value: [value[key] for key in sorted(value)],
    "length": len,
    "lower": str.lower,
    "upper": str.upper,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "replace": lambda text, old, new: UNKNOWN if old.startswith("/") else text.replace(old, new),
    "concat": lambda *lists: [each for each_list in lists for each in each_list],
    "merge": lambda *maps: {key: value for each in maps for key, value in each.items()},
    "lookup": lambda things, key, *other: things.get(key, *other),
    "join": lambda between, texts: UNKNOWN if UNKNOWN in texts else between.join(map(str, texts)),
    "substr": lambda text, start, length: text[start:] if length < 0 else text[start : start + length],
}


@dataclass(frozen=True)
class Scope:
    """What names mean in one folder: variables, locals (read when asked for) and what else is bound around."""

    variables: Mapping[str, Any]
    locals: Mapping[str, Attribute]
    resource: Callable[[str, str, str], Any]
    bound: Mapping[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    workspace: Any = UNKNOWN
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def with_bound(self, **bound: Any) -> "Scope":
        """The same with more names bound, as `each` is in a resource."""
        return replace(self, bound={**self.bound, **bound})

    def look_up(self, name: str) -> Any:
        """What a first word means; variables, locals and the rest as maps of what they hold."""
        if name in self.bound:
            return self.bound[name]
        if name == "terraform":
            return {"workspace": self.workspace}
        return self.variables if name == "var" else UNKNOWN

    def local(self, name: str) -> Any:
        """The value of a local; UNKNOWN where locals go round in a circle."""
        attribute = self.locals.get(name)
        if attribute and name not in self.known:
            self.known[name] = UNKNOWN
            self.known[name] = value(attribute.expression, replace(self, bound={}))
        return self.known.get(name, UNKNOWN)


NOWHERE = Scope({}, {}, lambda *_: UNKNOWN)
"""Where no name means anything."""


def value(tree: Expression, scope: Scope) -> Any:
    """What an expression comes to; UNKNOWN inside it stays UNKNOWN, and so does what is not understood."""
    known = _READERS.get(tree.data)
    if known is None:
        return UNKNOWN
    try:
        return known(tree, scope)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError):
        return UNKNOWN


def _first(tree: Expression, scope: Scope) -> Any:
    inner = parts(tree)
    return value(inner[0], scope) if len(inner) == 1 else UNKNOWN


def parts(tree: Expression) -> list[Expression]:
    """What an expression is made of, without comments and ends of lines."""
    return [each for each in trees(tree) if each.data != "new_line_or_comment"]


def _number(tree: Expression, _: Scope) -> Any:
    return json.loads(str(tree.children[0]))


def _word(tree: Expression, _: Scope) -> Any:
    return {"true": True, "false": False, "null": None}.get(str(tree.children[0]), UNKNOWN)


def _string(tree: Expression, scope: Scope) -> Any:
    pieces = [_piece(part, scope) for part in trees(tree)]
    if len(pieces) == 1:
        return pieces[0]
    if not all(isinstance(piece, str | int | float) for piece in pieces):
        return UNKNOWN
    if sum(len(str(piece)) for piece in pieces) > _LONGEST:
        return UNKNOWN
    return "".join(str(piece).lower() if isinstance(piece, bool) else str(piece) for piece in pieces)


def _piece(part: Expression, scope: Scope) -> Any:
    (only,) = part.children
    if isinstance(only, Tree):
        return _first(only, scope) if only.data == "interpolation" else UNKNOWN
    text = str(only)
    if _OPEN.search(text):
        return UNKNOWN
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text)


def _tuple(tree: Expression, scope: Scope) -> Any:
    return [value(each, scope) for each in parts(tree)]


def _object(tree: Expression, scope: Scope) -> Any:
    made = {}
    for element in trees(tree):
        if element.data == "object_elem":
            said, content = parts(element)
            name = key(said, scope)
            if name is UNKNOWN:
                return UNKNOWN
            made[name] = value(content, scope)
    return made


def key(tree: Expression, scope: Scope) -> Any:
    """The key of an element of a map: a word as it stands, or what an expression comes to."""
    inner = tree
    while len(inner.children) == 1 and isinstance(inner.children[0], Tree):
        inner = inner.children[0]
    return str(inner.children[0]) if inner.data in ("identifier", "keyword") else value(inner, scope)


def _conditional(tree: Expression, scope: Scope) -> Any:
    condition, yes, no = parts(tree)
    decided = value(condition, scope)
    return UNKNOWN if decided is UNKNOWN else value(yes if decided else no, scope)


def _binary(tree: Expression, scope: Scope) -> Any:
    left, term = parts(tree)[:2]
    sign, right = parts(term)
    sides = value(left, scope), value(right, scope)
    return UNKNOWN if UNKNOWN in sides else _OPERATORS[str(sign.children[0])](*sides)


def _unary(tree: Expression, scope: Scope) -> Any:
    found = value(trees(tree)[0], scope)
    if found is UNKNOWN:
        return UNKNOWN
    return not found if str(tree.children[0]) == "!" else -found


def _call(tree: Expression, scope: Scope) -> Any:
    name, *rest = parts(tree)
    given = [value(each, scope) for each in (parts(rest[0]) if rest else [])]
    if str(name.children[0]) == "coalesce":
        return next((each for each in given if each is UNKNOWN or each not in (None, "")), UNKNOWN)
    spread = bool(rest) and any(isinstance(each, Token) and each == "..." for each in rest[0].children)
    if any(each is UNKNOWN for each in given) or spread:
        return UNKNOWN
    word = str(name.children[0])
    return (scope.functions.get(word) or _FUNCTIONS[word])(*given)


def call_name(tree: Expression) -> str:
    """The name of the function that is called."""
    return str(parts(tree)[0].children[0])


def _attribute(tree: Expression, scope: Scope) -> Any:
    path = _path(tree)
    if path and path[0] == "local" and len(path) == 2:
        return scope.local(path[1])
    if path and len(path) == 3 and path[0] not in ("var", "local", "module", "data") and path[0] not in scope.bound:
        return scope.resource(path[0], path[1], path[2])
    base, step = parts(tree)
    found = value(base, scope)
    return UNKNOWN if found is UNKNOWN else found.get(str(trees(step)[0].children[0]), UNKNOWN)


def _path(tree: Expression) -> tuple[str, ...]:
    """The words of `a.b.c`; nothing when it is not as plain as that."""
    if tree.data == "expr_term" and len(tree.children) == 1:
        (only,) = trees(tree)
        return _path(only)
    if tree.data == "identifier":
        return (str(tree.children[0]),)
    if tree.data != "get_attr_expr_term":
        return ()
    base, step = parts(tree)
    path = _path(base)
    return (*path, str(trees(step)[0].children[0])) if path else ()


def looked_up(tree: Expression) -> Iterator[Expression]:
    """The maps that an expression asks by the workspace: `x` in `x[terraform.workspace]` or in `lookup(x, …)`."""
    for each in tree.iter_subtrees():
        if each.data == "index_expr_term":
            base, step = parts(each)
            if step.data == "braces_index" and _is_workspace(step):
                yield base
        elif each.data == "function_call" and call_name(each) == "lookup" and len(parts(each)) > 1:
            given = parts(parts(each)[1])
            if len(given) > 1 and _is_workspace(given[1]):
                yield given[0]


def _is_workspace(tree: Expression) -> bool:
    inner = tree
    while len(parts(inner)) == 1:
        if _path(inner) == ("terraform", "workspace"):
            return True
        (inner,) = parts(inner)
    return _path(inner) == ("terraform", "workspace")


def _index(tree: Expression, scope: Scope) -> Any:
    base, step = parts(tree)
    key = int(str(step.children[-1])) if step.data == "short_index" else _first(step, scope)
    found = value(base, scope)
    return UNKNOWN if found is UNKNOWN or key is UNKNOWN else found[key]


def _identifier(tree: Expression, scope: Scope) -> Any:
    return scope.look_up(str(tree.children[0]))


_READERS: Mapping[str, Callable[[Expression, Scope], Any]] = {
    "expr_term": _first,
    "int_lit": _number,
    "float_lit": _number,
    "literal_value": _word,
    "string": _string,
    "tuple": _tuple,
    "object": _object,
    "conditional": _conditional,
    "binary_op": _binary,
    "unary_op": _unary,
    "function_call": _call,
    "get_attr_expr_term": _attribute,
    "index_expr_term": _index,
    "identifier": _identifier,
}


def filled(found: Any) -> Any:
    """What a file of JSON says, and UNKNOWN for each text that is still to be filled in."""
    if isinstance(found, dict):
        return {name: filled(each) for name, each in found.items()}
    if isinstance(found, list):
        return [filled(each) for each in found]
    return UNKNOWN if isinstance(found, str) and _OPEN_IN_JSON.search(found) else found

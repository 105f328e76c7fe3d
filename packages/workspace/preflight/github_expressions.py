"""GitHub's expressions, `${{ … }}`: where they stand, what they read, and what can be said of their value."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

FUNCTIONS = frozenset((
    "contains", "startswith", "endswith", "format", "join", "tojson", "fromjson", "hashfiles", "case",
    "success", "always", "cancelled", "failure",
))  # fmt: skip
STATUS = frozenset(("success", "always", "cancelled", "failure"))
CONTEXTS = frozenset((
    "github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix", "needs", "inputs",
))  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*')
    |(?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w-]))
    |(?P<name>[A-Za-z_][\w-]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[!<>()\[\].,*])
    )""",
    re.VERBOSE,
)
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))
_WORDS = {"true": True, "false": False, "null": None}


class Unknown:
    """What nobody can say before the run."""


UNKNOWN = Unknown()
Value = str | float | bool | None | Unknown


@dataclass(frozen=True)
class Constant:
    """A value that stands there."""

    value: str | float | bool | None


@dataclass(frozen=True)
class Reference:
    """`github.event.inputs.name`: its names; one that is worked out, or `*`, is `*`."""

    names: tuple[str, ...]

    def starts(self, *names: str) -> bool:
        """True when it begins with these names, in any case."""
        return tuple(each.lower() for each in self.names[: len(names)]) == names


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple["Tree", ...]


@dataclass(frozen=True)
class Operation:
    """`&&`, `==`, `!` … with what it is applied to."""

    sign: str
    parts: tuple["Tree", ...]


Tree = Constant | Reference | Call | Operation


@dataclass(frozen=True)
class Expression:
    """One expression of a text: where it stands, its tree, or why it has none."""

    start: int
    end: int
    source: str
    tree: Tree | None
    mistake: str = ""

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything it reads."""
        return tuple(each for each in walk(self.tree) if isinstance(each, Reference))

    @property
    def calls(self) -> frozenset[str]:
        """The functions it calls, in small letters."""
        return frozenset(each.name.lower() for each in walk(self.tree) if isinstance(each, Call))

    @property
    def plain(self) -> Reference | None:
        """What it reads when it does nothing else."""
        return self.tree if isinstance(self.tree, Reference) else None


def walk(tree: Tree | None) -> Iterator[Tree]:
    """The tree and all trees in it."""
    if tree is None:
        return
    yield tree
    for each in tree.arguments if isinstance(tree, Call) else tree.parts if isinstance(tree, Operation) else ():
        yield from walk(each)


@lru_cache(maxsize=4096)
def expressions(text: str) -> tuple[Expression, ...]:
    """The expressions of a text, in order."""
    found: list[Expression] = []
    place = text.find("${{")
    while place >= 0:
        end = _end(text, place + 3)
        if end < 0:
            found.append(Expression(place, len(text), text[place + 3 :], None, "it has no closing }}"))
            break
        found.append(_expression(place, end + 2, text[place + 3 : end]))
        place = text.find("${{", end + 2)
    return tuple(found)


def condition(text: str) -> Expression:
    """The expression of an `if`, with or without `${{ }}` around it."""
    found = expressions(text)
    whole = text.strip()
    if len(found) == 1 and whole.startswith("${{") and whole.endswith("}}") and found[0].end == len(text.rstrip()):
        return found[0]
    if found:
        # Text beside an expression makes a text, which is never empty: such a condition always holds.
        mistakes = [each.mistake for each in found if each.mistake]
        tree = Operation("text", tuple(each.tree for each in found if each.tree))
        return Expression(0, len(text), text, None if mistakes else tree, *mistakes[:1])
    return _expression(0, len(text), text)


def value(tree: Tree | None, known: Callable[[Reference], Value]) -> Value:
    """What an expression gives when only some of what it reads is known."""
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Reference):
        return known(tree)
    if isinstance(tree, Call):
        return True if tree.name.lower() == "always" else _called(tree, known)
    return _operated(tree, known) if isinstance(tree, Operation) else UNKNOWN


def truth(found: Value) -> bool | None:
    """True or false as GitHub takes a value; None when it is not known."""
    return None if isinstance(found, Unknown) else bool(found)


def _end(text: str, place: int) -> int:
    quoted = False
    while place < len(text):
        if text[place] == "'":
            quoted = not quoted
        elif not quoted and text.startswith("}}", place):
            return place
        place += 1
    return -1


def _expression(start: int, end: int, source: str) -> Expression:
    try:
        return Expression(start, end, source.strip(), _Parser(source).whole())
    except (ValueError, RecursionError) as error:
        return Expression(start, end, source.strip(), None, str(error) or "it is nested too deeply")


def _called(call: Call, known: Callable[[Reference], Value]) -> Value:
    given = [value(each, known) for each in call.arguments]
    name = call.name.lower()
    if (
        name in ("startswith", "endswith", "contains")
        and len(given) == 2
        and all(isinstance(each, str) for each in given)
    ):
        whole, part = (str(each).lower() for each in given)
        if name == "contains":
            return part in whole
        return whole.startswith(part) if name == "startswith" else whole.endswith(part)
    return UNKNOWN


def _operated(tree: Operation, known: Callable[[Reference], Value]) -> Value:
    parts = [value(each, known) for each in tree.parts]
    if tree.sign == "!":
        found = truth(parts[0])
        return UNKNOWN if found is None else not found
    if tree.sign in ("&&", "||"):
        decides = tree.sign == "||"
        for each in parts:
            if truth(each) is decides:
                return each if all(truth(before) is not None for before in parts[: parts.index(each)]) else decides
        return UNKNOWN if any(isinstance(each, Unknown) for each in parts) else parts[-1]
    if tree.sign in ("==", "!="):
        same = _same(*parts)
        return same if isinstance(same, Unknown) else same is (tree.sign == "==")
    return UNKNOWN


def _same(left: Value, right: Value) -> bool | Unknown:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return left is right or _number(left) == _number(right)


def _number(found: str | float | bool | None) -> float:
    if found is None or found == "":
        return 0.0
    try:
        return float(found)
    except ValueError:
        return float("nan")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place, text = 0, text.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if not found or not found.lastgroup:
                raise ValueError(f"it cannot be read at {text[place:].strip()[:20]!r}")
            self._tokens.append((found.lastgroup, found.group(found.lastgroup)))
            place = found.end()
        self._place = 0

    def whole(self) -> Tree:
        if not self._tokens:
            raise ValueError("it is empty")
        tree = self._level(0)
        if self._place < len(self._tokens):
            raise ValueError(f"{self._sign()!r} is not expected there")
        return tree

    def _sign(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise ValueError("it ends too early")
        kind, text = self._tokens[self._place]
        if wanted and (kind, text) != ("sign", wanted):
            raise ValueError(f"{text!r} stands where {wanted!r} is expected")
        self._place += 1
        return kind, text

    def _level(self, level: int) -> Tree:
        if level == len(_LEVELS):
            return self._unary()
        tree = self._level(level + 1)
        while self._sign() in _LEVELS[level] and self._tokens[self._place][0] == "sign":
            _, sign = self._take()
            tree = Operation(sign, (tree, self._level(level + 1)))
        return tree

    def _unary(self) -> Tree:
        if self._sign() == "!":
            self._take()
            return Operation("!", (self._unary(),))
        return self._trailed(self._atom())

    def _atom(self) -> Tree:
        kind, text = self._take()
        if kind == "text":
            return Constant(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Constant(float(int(text, 0)) if re.match(r"[-+]?0[xo]", text) else float(text))
        if kind == "name":
            return self._named(text)
        if text == "(":
            tree = self._level(0)
            self._take(")")
            return tree
        raise ValueError(f"{text!r} is not expected there")

    def _named(self, name: str) -> Tree:
        if self._sign() == "(":
            return Call(name, self._arguments())
        return Constant(_WORDS[name.lower()]) if name.lower() in _WORDS else Reference((name,))

    def _arguments(self) -> tuple[Tree, ...]:
        self._take("(")
        found: list[Tree] = []
        while self._sign() != ")":
            if found:
                self._take(",")
            found.append(self._level(0))
        self._take(")")
        return tuple(found)

    def _trailed(self, tree: Tree) -> Tree:
        names: list[str] = []
        inside: list[Tree] = []
        while self._sign() in (".", "["):
            if self._take()[1] == ".":
                kind, text = self._take()
                if kind != "name" and text != "*":
                    raise ValueError(f"{text!r} is no name")
                names.append(text)
                continue
            if self._sign() == "*":
                self._take()
                names.append("*")
            else:
                index = self._level(0)
                inside.append(index)
                names.append(index.value if isinstance(index, Constant) and isinstance(index.value, str) else "*")
            self._take("]")
        if isinstance(tree, Reference):
            tree = Reference((*tree.names, *names))
        others = tuple(each for each in inside if not isinstance(each, Constant))
        return Operation("index", (tree, *others)) if others or (names and not isinstance(tree, Reference)) else tree

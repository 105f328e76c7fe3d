"""The expression language of ARM templates, parsed: `[format('{0}-kv', parameters('name'))]` becomes a small tree."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_$][\w$#:]*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<mark>[()\[\].,]))"
)


class TemplateError(Exception):
    """A template or its parameters are wrong; `code` is the one Azure uses, the message reads like Azure's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ExpressionError(Exception):
    """An expression cannot be evaluated; the evaluator says where and turns it into a TemplateError."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text or a number."""

    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; the name keeps its spelling, comparing ignores case."""

    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Access:
    """A property or an item of what `base` yields."""

    base: "Expression"
    key: "Expression"


Expression = Literal | Call | Access


def is_expression(text: str) -> bool:
    """True for `[...]`, false for plain text and for the escaped `[[...]`."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


@lru_cache(maxsize=8192)
def parse(text: str) -> Expression:
    """The tree of an expression given with its brackets; raises ExpressionError for what is none."""
    parser = _Parser(text, _tokens(text[1:-1], text))
    tree = parser.expression()
    if parser.peek():
        raise ExpressionError(f"the expression '{text}' goes on after its end")
    return tree


def _tokens(body: str, whole: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place, end = 0, len(body.rstrip())
    while place < end:
        match = _TOKEN.match(body, place)
        if not match:
            raise ExpressionError(f"the expression '{whole}' is not valid at position {place + 1}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return tokens


class _Parser:
    def __init__(self, whole: str, tokens: list[tuple[str, str]]) -> None:
        self._whole = whole
        self._tokens = tokens
        self._place = 0

    def peek(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def expression(self) -> Expression:
        tree = self._primary()
        while self.peek() in (".", "["):
            tree = Access(tree, self._property() if self._take() == "." else self._index())
        return tree

    def _primary(self) -> Expression:
        if self._place >= len(self._tokens):
            raise self._unexpected()
        sort, text = self._tokens[self._place]
        self._place += 1
        if sort == "text":
            return Literal(text[1:-1].replace("''", "'"))
        if sort == "number":
            return Literal(float(text) if "." in text else int(text))
        if sort != "word":
            raise self._unexpected()
        return self._call(text)

    def _call(self, name: str) -> Call:
        while self.peek() == ".":  # a function of one's own: `contoso.uniqueName(...)`
            self._place += 1
            name = f"{name}.{self._take()}"
        self._expect("(")
        arguments: list[Expression] = []
        while self.peek() != ")":
            arguments.append(self.expression())
            if self.peek() != ")":
                self._expect(",")
        self._expect(")")
        return Call(name, tuple(arguments))

    def _property(self) -> Literal:
        return Literal(self._take())

    def _index(self) -> Expression:
        key = self.expression()
        self._expect("]")
        return key

    def _take(self) -> str:
        text = self.peek()
        if not text:
            raise self._unexpected()
        self._place += 1
        return text

    def _expect(self, mark: str) -> None:
        if self._take() != mark:
            raise self._unexpected()

    def _unexpected(self) -> ExpressionError:
        return ExpressionError(f"the expression '{self._whole}' is not valid near '{self.peek() or 'its end'}'")

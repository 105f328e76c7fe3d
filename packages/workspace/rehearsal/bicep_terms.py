"""The expressions of a Bicep file: operators, calls, accesses, texts with their holes, objects, arrays and loops.

The parser is our own: the tree that tree-sitter-bicep 1.1 gives binds `!a.b` as `(!a).b` and loses the body of a
lambda, which is good enough to colour a file and not to compile one.
"""

from abc import ABC, abstractmethod
from typing import Any

from workspace.rehearsal.bicep_syntax import (
    Access,
    Array,
    Call,
    Child,
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
from workspace.rehearsal.bicep_tokens import BicepError, Source, Token

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("??",),
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~"),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class Terms(ABC):
    """Reads expressions; what may stand around them is for those that build on it."""

    def __init__(self, source: Source, tokens: tuple[Token, ...], beyond: list[BicepError] | None = None) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self._beyond: list[BicepError] = [] if beyond is None else beyond

    @abstractmethod
    def _resource(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        """A resource, its keyword being read."""

    # --- words

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _error(self, code: str, message: str, token: Token | None = None) -> BicepError:
        return self._source.error((token or self._now).place, code, message)

    def _note(self, message: str, token: Token | None = None) -> None:
        """Remember something that is right and that the rehearsal's compiler does not know."""
        self._beyond.append(self._error("BCP000", f"The rehearsal subset {message}", token))

    def _is(self, *marks: str) -> bool:
        return self._now.sort == "mark" and self._now.text in marks

    def _is_word(self, *words: str) -> bool:
        return self._now.sort == "name" and self._now.text in words

    def _take(self) -> Token:
        token = self._now
        self._at += 1
        return token

    def _accept(self, *marks: str) -> bool:
        found = self._is(*marks)
        self._at += found
        return found

    def _expect(self, mark: str, code: str = "BCP018") -> Token:
        if not self._is(mark):
            raise self._error(code, f'Expected the "{mark}" character at this location.')
        return self._take()

    def _word(self, code: str = "BCP013") -> Token:
        if self._now.sort != "name":
            raise self._error(code, "Expected an identifier at this location.")
        return self._take()

    def _lines(self) -> None:
        while self._now.sort == "newline":
            self._at += 1

    def _comes_after_lines(self, *marks: str) -> bool:
        """True, standing on it, when one of the marks comes next, perhaps on a later line."""
        start = self._at
        self._lines()
        if self._is(*marks):
            return True
        self._at = start
        return False

    def _decorators(self) -> tuple[Call, ...]:
        found: list[Call] = []
        while self._is("@"):
            self._take()
            expression = self._postfix()
            if not isinstance(expression, Call):
                raise self._error("BCP121", "Expected a decorator call at this location.")
            found.append(expression)
            self._lines()
        return tuple(found)

    def _condition(self) -> Any:
        if not self._is_word("if"):
            return None
        self._take()
        self._expect("(")
        condition = self._expression()
        self._expect(")")
        self._lines()
        return condition

    # --- expressions

    def _expression(self) -> Any:
        condition = self._binary(0)
        if not self._comes_after_lines("?"):
            return condition
        place = self._take().place
        self._lines()
        yes = self._expression()
        if not self._comes_after_lines(":"):
            raise self._error("BCP018", 'Expected the ":" character at this location.')
        self._take()
        self._lines()
        return Operation(place, "?:", (condition, yes, self._expression()))

    def _binary(self, level: int) -> Any:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._is(*_LEVELS[level]):
            operator = self._take()
            left = Operation(operator.place, operator.text, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Any:
        if not self._is("!", "-", "+"):
            return self._postfix()
        operator = self._take()
        if operator.text == "+":
            self._note("does not know the unary plus.", operator)
            return self._unary()
        operand = self._unary()
        if operator.text == "-" and isinstance(operand, Constant) and type(operand.value) is int:
            return Constant(operator.place, -operand.value)
        return Operation(operator.place, operator.text, (operand,))

    def _postfix(self) -> Any:
        base = self._primary()
        while True:
            place = self._now.place
            if self._accept(".", ".?"):
                base = self._member(base, place, safe=self._tokens[self._at - 1].text == ".?")
            elif self._accept("["):
                base = self._index(base, place)
            elif self._accept("::"):
                base = Child(place, base, self._word().text)
            elif self._is("!") and not self._spaced():
                self._take()  # the assertion that something is not null changes nothing in the template
            else:
                return base

    def _spaced(self) -> bool:
        return self._source.text[self._now.place - 1].isspace()

    def _member(self, base: Any, place: int, *, safe: bool) -> Any:
        name = self._word("BCP020")
        if self._is("(") and not safe:
            return Call(name.place, base, name.text, self._arguments())
        return Access(name.place, base, Text(name.place, (name.text,)), safe)

    def _index(self, base: Any, place: int) -> Access:
        safe = self._accept("?")
        from_end = self._accept("^")
        key = self._expression()
        self._expect("]")
        return Access(place, base, key, safe, from_end)

    def _primary(self) -> Any:
        token = self._now
        if token.sort == "text":
            return self._text(self._take())
        if token.sort == "number":
            return Constant(token.place, int(self._take().text))
        if token.sort == "name":
            return self._named()
        if self._is("{"):
            return self._object()
        if self._is("["):
            return self._array_or_loop()
        if self._is("("):
            return self._parenthesized()
        raise self._error(
            "BCP009",
            "Expected a literal value, an array, an object, a parenthesized expression, or a "
            "function call at this location.",
        )

    def _named(self) -> Any:
        token = self._take()
        if token.text in _CONSTANTS:
            return Constant(token.place, _CONSTANTS[token.text])
        if self._is("("):
            return Call(token.place, None, token.text, self._arguments())
        if self._is("=>"):
            self._take()
            self._lines()
            return Lambda(token.place, (token.text,), self._expression())
        return Name(token.place, token.text)

    def _parenthesized(self) -> Any:
        if names := self._lambda_names():
            place = self._now.place
            self._lines()
            return Lambda(place, names, self._expression())
        self._expect("(")
        self._lines()
        inner = self._expression()
        self._lines()
        self._expect(")")
        return inner

    def _lambda_names(self) -> tuple[str, ...]:
        """The names of `(a, b) =>`, standing after the arrow; or none, standing where we were."""
        start = self._at
        self._take()
        names: list[str] = []
        while self._now.sort == "name":
            names.append(self._take().text)
            if not self._accept(","):
                break
        if names and self._accept(")") and self._accept("=>"):
            return tuple(names)
        self._at = start
        return ()

    def _arguments(self) -> tuple[Any, ...]:
        self._expect("(")
        self._lines()
        found: list[Any] = []
        while not self._is(")"):
            found.append(self._expression())
            self._lines()
            if not self._is(")"):
                self._expect(",", "BCP018")
                self._lines()
        self._take()
        return tuple(found)

    def _text(self, token: Token) -> Text:
        parts: list[Any] = []
        for part in token.parts:
            parts.append(part if isinstance(part, str) else self._hole(part))
        return Text(token.place, tuple(parts))

    def _hole(self, tokens: tuple[Token, ...]) -> Any:
        inner = type(self)(self._source, tokens, self._beyond)
        inner._lines()
        expression = inner._expression()
        inner._lines()
        if inner._now.sort != "end":
            raise inner._error("BCP018", 'Expected the "}" character at this location.')
        return expression

    def _plain_text(self, code: str) -> str:
        value = self._primary()
        if not isinstance(value, Text) or value.plain is None:
            raise self._error(code, "Expected a plain text at this location.")
        return value.plain

    def _object(self) -> Object:
        place = self._expect("{").place
        properties: list[Any] = []
        resources: list[Declaration] = []
        self._lines()
        while not self._is("}"):
            self._member_of_object(properties, resources)
            if not self._is("}") and not self._accept(",") and self._now.sort != "newline":
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        self._take()
        self._refuse_twice(properties)
        return Object(place, tuple(properties), tuple(resources))

    def _member_of_object(self, properties: list[Any], resources: list[Declaration]) -> None:
        if self._is("..."):
            properties.append(Spread(self._take().place, self._expression()))
            return
        decorators = self._decorators()
        following = self._tokens[self._at + 1]
        if self._is_word("resource") and following.sort == "name":
            resources.append(self._resource(self._take(), decorators))
            return
        if decorators:
            raise self._error("BCP130", "Decorators are not allowed here.")
        key = self._key()
        self._expect(":")
        properties.append(Property(key.place, key, self._expression()))

    def _key(self) -> Text:
        token = self._now
        if token.sort == "name":
            return Text(self._take().place, (token.text,))
        if token.sort == "text":
            return self._text(self._take())
        raise self._error("BCP022", "Expected a property name at this location.")

    def _refuse_twice(self, properties: list[Any]) -> None:
        seen: set[str] = set()
        for each in properties:
            name = each.key.plain if isinstance(each, Property) else None
            if name is None:
                continue
            if name in seen:
                raise self._source.error(
                    each.place,
                    "BCP025",
                    f'The property "{name}" is declared multiple times in this object. '
                    "Remove or rename the duplicate properties.",
                )
            seen.add(name)

    def _array_or_loop(self) -> Any:
        start = self._at
        self._take()
        self._lines()
        is_loop = self._is_word("for")
        self._at = start
        return self._loop() if is_loop else self._array()

    def _array(self) -> Array:
        place = self._expect("[").place
        items: list[Any] = []
        self._lines()
        while not self._is("]"):
            items.append(Spread(self._take().place, self._expression()) if self._is("...") else self._expression())
            if not self._is("]") and not self._accept(",") and self._now.sort != "newline":
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        self._take()
        return Array(place, tuple(items))

    def _loop(self) -> Loop:
        place = self._expect("[").place
        self._lines()
        if not self._is_word("for"):
            raise self._error("BCP012", 'Expected the "for" keyword at this location.')
        self._take()
        item, index = self._loop_names()
        if not self._is_word("in"):
            raise self._error("BCP012", 'Expected the "in" keyword at this location.')
        self._take()
        items = self._expression()
        self._expect(":")
        self._lines()
        condition = self._condition()
        body = self._expression()
        self._lines()
        self._expect("]")
        return Loop(place, item, index, items, condition, body)

    def _loop_names(self) -> tuple[str, str]:
        if not self._accept("("):
            return self._word().text, ""
        item = self._word().text
        self._expect(",")
        index = self._word().text
        self._expect(")")
        return item, index

"""A Bicep file as declarations and expressions, each with its place.

The parser is our own: the tree that tree-sitter-bicep 1.1 gives binds `!a.b` as `(!a).b` and loses the body of a
lambda, which is good enough to colour a file and not to compile one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workspace.rehearsal.bicep_tokens import BicepError, Source, Token


@dataclass(frozen=True, slots=True)
class Text:
    """A text: literal parts and expressions in turn, beginning and ending with a literal part."""

    place: int
    parts: tuple[Any, ...]

    @property
    def plain(self) -> str | None:
        """The text itself when it has no holes."""
        return self.parts[0] if len(self.parts) == 1 else None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or null."""

    place: int
    value: int | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """A use of something declared."""

    place: int
    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """Items, some of them `Spread`."""

    place: int
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Property:
    """A key (a Text) and its value."""

    place: int
    key: Text
    value: Any


@dataclass(frozen=True, slots=True)
class Spread:
    """`...value` inside an object or an array."""

    place: int
    value: Any


@dataclass(frozen=True, slots=True)
class Object:
    """Properties, spreads and, in a resource body, nested resources."""

    place: int
    properties: tuple[Any, ...]
    resources: tuple["Declaration", ...] = ()

    def get(self, name: str) -> Any:
        """The value of a property with this literal name, or None."""
        return next((p.value for p in self.properties if isinstance(p, Property) and p.key.plain == name), None)


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or a method when `base` is given."""

    place: int
    base: Any
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """`base.key`, `base[key]`, safe with a question mark, from the end with `^`."""

    place: int
    base: Any
    key: Any
    safe: bool = False
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """`base::name`: a nested resource."""

    place: int
    base: Any
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with one, two or three operands."""

    place: int
    operator: str
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`(a, b) => body`."""

    place: int
    names: tuple[str, ...]
    body: Any


@dataclass(frozen=True, slots=True)
class Loop:
    """`[for (item, index) in items: if (condition) body]`."""

    place: int
    item: str
    index: str
    items: Any
    condition: Any
    body: Any


@dataclass(frozen=True, slots=True)
class Type:
    """A type as written: a simple name, an array of, a union of literals, perhaps null."""

    place: int
    name: str
    element: "Type | None" = None
    literals: tuple[Any, ...] = ()
    nullable: bool = False

    @property
    def is_plain(self) -> bool:
        """True for what the language had from its first day."""
        return not self.element and not self.literals and not self.nullable


@dataclass(frozen=True, slots=True)
class Declaration:
    """Anything declared at the top of a file, or a resource nested in another.

    `sort` is the keyword; `reference` the text after the name of a resource or module; `condition` and `loop` are
    taken out of the value.
    """

    place: int
    sort: str
    name: str
    decorators: tuple[Call, ...] = ()
    type: Type | None = None
    reference: Text | None = None
    existing: bool = False
    condition: Any = None
    loop: Loop | None = None
    value: Any = None


@dataclass(slots=True)
class File:
    """A parsed file."""

    source: Source
    scope: str = "resourceGroup"
    declarations: list[Declaration] = field(default_factory=list)


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
_REFUSED = ("func", "import", "extension", "provider", "assert", "using", "extends", "type")
_SIMPLE_TYPES = ("string", "int", "bool", "object", "array")


def parse(source: Source) -> File:
    """The declarations of a file; raises BicepError at the first place that is not understood."""
    return _Parser(source, source.tokens()).file()


class _Parser:
    def __init__(self, source: Source, tokens: tuple[Token, ...]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0

    # --- words

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _error(self, code: str, message: str, token: Token | None = None) -> BicepError:
        return self._source.error((token or self._now).place, code, message)

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

    # --- declarations

    def file(self) -> File:
        result = File(self._source)
        self._lines()
        while self._now.sort != "end":
            self._declaration(result)
            if self._now.sort not in ("newline", "end"):
                raise self._error("BCP019", "Expected a new line character at this location.")
            self._lines()
        return result

    def _declaration(self, result: File) -> None:
        if self._is_word("targetScope"):
            self._take()
            self._expect("=")
            result.scope = self._plain_text("BCP033")
            return
        decorators = self._decorators()
        word = self._now
        readers: dict[str, Callable[[Token, tuple[Call, ...]], Declaration]] = {
            "param": self._parameter,
            "var": self._variable,
            "metadata": self._variable,
            "output": self._output,
            "resource": self._resource,
            "module": self._resource,
        }
        if word.sort != "name" or word.text not in (*readers, *_REFUSED):
            raise self._error(
                "BCP007",
                "This declaration type is not recognized. Specify a metadata, parameter, variable, resource, or output "
                "declaration.",
            )
        if word.text in _REFUSED:
            raise self._error("BCP000", f'The rehearsal subset does not know the declaration "{word.text}".')
        self._take()
        result.declarations.append(readers[word.text](word, decorators))

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

    def _parameter(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word()
        kind = self._type()
        value = self._expression() if self._accept("=") else None
        return Declaration(name.place, "param", name.text, decorators, kind, value=value)

    def _variable(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP015")
        if self._now.sort == "name":
            raise self._error("BCP000", "The rehearsal subset does not know variables with a type.")
        self._expect("=")
        return Declaration(name.place, word.text, name.text, decorators, value=self._expression())

    def _output(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP016")
        kind = self._type()
        self._expect("=")
        return Declaration(name.place, "output", name.text, decorators, kind, value=self._expression())

    def _resource(self, word: Token, decorators: tuple[Call, ...]) -> Declaration:
        name = self._word("BCP017")
        reference = self._primary()
        if not isinstance(reference, Text):
            raise self._error("BCP067", "Expected a text with a type or a path at this location.")
        existing = word.text == "resource" and self._is_word("existing")
        self._at += existing
        self._expect("=")
        self._lines()
        loop = condition = None
        value: Any
        if self._is("["):
            loop = self._loop()
            condition, value = loop.condition, loop.body
        else:
            condition = self._condition()
            value = self._object()
        if not isinstance(value, Object):
            raise self._source.error(name.place, "BCP167", 'Expected the "{" character at this location.')
        return Declaration(
            name.place, word.text, name.text, decorators, None, reference, existing, condition, loop, value
        )

    def _condition(self) -> Any:
        if not self._is_word("if"):
            return None
        self._take()
        self._expect("(")
        condition = self._expression()
        self._expect(")")
        self._lines()
        return condition

    # --- types

    def _type(self) -> Type:
        kind = self._single_type()
        if self._is("|"):
            kind = self._union(kind)
        return kind

    def _single_type(self) -> Type:
        start = self._now
        if start.sort == "name" and start.text in _SIMPLE_TYPES:
            self._take()
            kind = Type(start.place, start.text)
        elif start.sort in ("text", "number") or self._is_word("true", "false"):
            value = self._primary()
            kind = Type(start.place, _literal_type(value), literals=(value,))
        else:
            raise self._error("BCP000", "The rehearsal subset knows the types string, int, bool, object, array only.")
        return self._type_suffixes(kind)

    def _type_suffixes(self, kind: Type) -> Type:
        while True:
            if self._accept("["):
                self._expect("]")
                kind = Type(kind.place, "array", element=kind)
            elif self._accept("?"):
                kind = Type(kind.place, kind.name, kind.element, kind.literals, True)
            else:
                return kind

    def _union(self, first: Type) -> Type:
        members = [first]
        while self._accept("|"):
            members.append(self._single_type())
        if any(not each.literals or each.nullable or each.name != first.name for each in members):
            raise self._error("BCP000", "The rehearsal subset knows unions of literals of one type only.")
        return Type(first.place, first.name, literals=tuple(each.literals[0] for each in members))

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
            raise self._error("BCP000", "The rehearsal subset does not know the unary plus.", operator)
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
        inner = _Parser(self._source, tokens)
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


def _literal_type(value: Any) -> str:
    if isinstance(value, Text):
        return "string"
    return "bool" if isinstance(value.value, bool) else "int"

"""A Bicep file as declarations and expressions, each with its place."""

from dataclasses import dataclass, field
from typing import Any

from workspace.rehearsal.bicep_tokens import BicepError, Source


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
    """`(a, b) => body`; that of a function says the types of its names, too."""

    place: int
    names: tuple[str, ...]
    body: Any
    types: tuple["Type", ...] = ()


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
class Member:
    """A property of an object's type, an item of a tuple, or one of a union; only a property has a name."""

    place: int
    name: str
    type: "Type"
    decorators: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Type:
    """A type as written: a simple name, an array, an object, a union, perhaps null.

    `name` is empty where the text alone does not tell it. `element` is that of an array, or of whatever else an object
    may have; `refers` is the name of a type that is declared somewhere, perhaps with keys.
    """

    place: int
    name: str
    element: "Type | None" = None
    literals: tuple[Any, ...] = ()
    nullable: bool = False
    members: tuple[Member, ...] = ()
    refers: Any = None

    @property
    def is_plain(self) -> bool:
        """True for what the language had from its first day."""
        return not (self.element or self.literals or self.nullable or self.members or self.refers)


@dataclass(frozen=True, slots=True)
class Declaration:
    """Anything declared at the top of a file, or a resource nested in another.

    `sort` is the keyword, but `given` for the value of a parameter in a parameter file; `reference` the text after the
    name of a resource or module, or the file of an import; `condition` and `loop` are taken out of the value.
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
    """A parsed file; `beyond` are the places with what the rehearsal's compiler has no template for."""

    source: Source
    scope: str = "resourceGroup"
    declarations: list[Declaration] = field(default_factory=list)
    beyond: list[BicepError] = field(default_factory=list)

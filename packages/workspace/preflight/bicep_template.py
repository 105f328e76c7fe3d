"""One Bicep file that could be read: what it declares and uses, and the type that each parameter has in the end."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

from workspace.rehearsal.bicep_syntax import (
    Access,
    Call,
    Constant,
    Declaration,
    File,
    Lambda,
    Loop,
    Member,
    Name,
    Text,
    Type,
)

_APART = ("output", "metadata", "assert", "using", "extends", "extensionConfig")
_LIMITS = ("minLength", "maxLength", "minValue", "maxValue", "allowed", "secure")
# Types of types do not end where one is declared by itself.
_DEEPEST = 20
_INSIDE = 4


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
"""What only Azure, the pipeline or the day of the deployment knows."""


@dataclass(frozen=True)
class Nested:
    """A resource with its whole type, and the resource it is written in."""

    declaration: Declaration
    around: Declaration | None


class Template:
    """One Bicep file that could be read."""

    def __init__(self, path: str, parsed: File, imported: Mapping[str, Declaration] | None = None) -> None:
        self.path = path
        self.scope = parsed.scope
        self._text = parsed.source.text
        own = {each.name: each for each in parsed.declarations if each.sort == "type"}
        self._types: Mapping[str, Declaration] = {**(imported or {}), **own}
        self.declarations = tuple(
            self._typed(each) if each.sort in ("param", "output") else each for each in parsed.declarations
        )

    def at(self, place: int) -> str:
        """`file:line` of a place in the text."""
        return f"{self.path}:{self._text.count(chr(10), 0, place) + 1}"

    def silences(self, place: int, code: str) -> bool:
        """Whether the file switches one of the compiler's own rules off at a place: for the line, or for a part."""
        before = self._text[: self._text.rfind("\n", 0, place) + 1].splitlines()
        if before and re.match(rf"\s*#disable-next-line\b.*\b{re.escape(code)}\b", before[-1]):
            return True
        told = [
            found[1]
            for line in before
            if (found := re.match(rf"\s*#(disable|restore)-diagnostics\b.*\b{code}\b", line))
        ]
        return bool(told) and told[-1] == "disable"

    def of(self, sort: str) -> tuple[Declaration, ...]:
        """The declarations of a sort: param, var, resource, module, output."""
        return tuple(each for each in self.declarations if each.sort == sort)

    @cached_property
    def parameters(self) -> Mapping[str, Declaration]:
        """The parameters by name, with the whole type of each."""
        return {
            each.name: replace(each, type=self._whole(each.type)) if each.type else each for each in self.of("param")
        }

    @cached_property
    def resources(self) -> tuple[Declaration, ...]:
        """The resources, nested ones as well, each with its whole type; those that exist already too."""
        return tuple(each.declaration for each in self._nested)

    def around(self, resource: Declaration) -> Declaration | None:
        """The resource that another is written in."""
        return next((each.around for each in self._nested if each.declaration is resource), None)

    @cached_property
    def _nested(self) -> tuple[Nested, ...]:
        return tuple(_with_nested(self.of("resource"), None))

    @cached_property
    def symbols(self) -> Mapping[str, Declaration]:
        """Everything that an expression may name."""
        named = [each for each in self.declarations if each.sort not in _APART]
        return {each.name: each for each in (*self.resources, *named)}

    @cached_property
    def uses(self) -> tuple[Name, ...]:
        """Every name that is used and is no local of a loop or a lambda."""
        return tuple(name for each in self.declarations for name in _free(each, frozenset()))

    @cached_property
    def nodes(self) -> tuple[tuple[Declaration, tuple[Any, ...]], ...]:
        """Each declaration with all nodes inside it, itself first."""
        return tuple((each, tuple(everything(each))) for each in self.declarations)

    def target(self, module: Declaration) -> str:
        """The path in the checkout of the file that a module, an import or `using` names; nothing for a registry's."""
        written = module.reference.plain if module.reference else None
        if not written or re.match(r"(br|ts)[/:]", written):
            return ""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), written))

    def type_named(self, name: str) -> Declaration | None:
        """A type that the file declares, as far as it can be followed here."""
        found = next((each for each in self.of("type") if each.name == name), None)
        return self._typed(found) if found else None

    def _typed(self, declaration: Declaration) -> Declaration:
        """The declaration with the type that its own is another name of, and with that one's decorators."""
        if declaration.type is None or not declaration.type.refers:
            return declaration
        kind, more = self._followed(declaration.type)
        return replace(declaration, type=kind, decorators=(*declaration.decorators, *more))

    def _followed(self, kind: Type) -> tuple[Type, tuple[Call, ...]]:
        """What a type is another name of, and the limits that its names have on the way."""
        refers, limits = kind.refers, list[Call]()
        for _ in range(_DEEPEST):
            found = self._types.get(spelled(kind.refers)) if kind.refers else None
            if found is None or found.type is None:
                break
            limits += [each for each in found.decorators if each.name in _LIMITS]
            kind = replace(found.type, nullable=kind.nullable or found.type.nullable)
        return replace(kind, refers=refers), tuple(limits)

    def _whole(self, kind: Type, depth: int = _INSIDE) -> Type:
        """A type with those of its parts, and of theirs, in place of their names."""
        if not depth:
            return kind
        element = self._whole(self._followed(kind.element)[0], depth - 1) if kind.element else None
        members = []
        for each in kind.members:
            found, limits = self._followed(each.type)
            decorators = (*each.decorators, *limits)
            members.append(replace(each, type=self._whole(found, depth - 1), decorators=decorators))
        return replace(kind, element=element, members=tuple(members))


def spelled(node: Any) -> str:
    """A name, or a name with one key, as `shared.Sku`; nothing for all else."""
    if isinstance(node, Access) and isinstance(node.base, Name):
        return f"{node.base.name}.{literal(node.key)}"
    return node.name if isinstance(node, Name) else ""


def _with_nested(declarations: tuple[Declaration, ...], around: Declaration | None) -> Iterator[Nested]:
    for each in declarations:
        whole = replace(each, reference=_whole(each, around)) if around else each
        yield Nested(whole, around)
        yield from _with_nested(each.value.resources, whole)


def _whole(nested: Declaration, around: Declaration) -> Text | None:
    """The type of a nested resource: after that of the one it is in, and in its version where it says none."""
    (kind, version), (above, usual) = type_of(nested), type_of(around)
    return Text(nested.reference.place, (f"{above}/{kind}@{version or usual}",)) if nested.reference else None


def inside(node: Any) -> Iterator[Any]:
    """The nodes directly inside another; a loop of a declaration stands for its condition and value."""
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, Declaration):
        rest = (node.loop,) if node.loop else (node.condition, node.value)
        yield from (*node.decorators, node.type, node.reference, *rest)
    elif is_dataclass(node):
        yield from (getattr(node, each.name) for each in fields(node))


def everything(node: Any) -> Iterator[Any]:
    """A node and all nodes inside it, in the order of the text."""
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, tuple):
            pending.extend(reversed(each))
        elif is_dataclass(each):
            yield each
            pending.extend(reversed(tuple(inside(each))))


def _free(node: Any, bound: frozenset[str]) -> Iterator[Name]:
    if isinstance(node, Name):
        if node.name not in bound:
            yield node
        return
    if isinstance(node, Loop):
        yield from _free(node.items, bound)
        within = bound | {node.item, node.index}
        yield from (*_free(node.condition, within), *_free(node.body, within))
        return
    within = bound | frozenset(node.names) if isinstance(node, Lambda) else bound
    for each in inside(node):
        if isinstance(each, tuple) or is_dataclass(each):
            yield from _free(each, within)


def decorator(declaration: Declaration | Member, name: str) -> Call | None:
    """The decorator with this name, also written with `sys.`."""
    return next((each for each in declaration.decorators if each.name == name), None)


def is_secure(declaration: Declaration | Member) -> bool:
    """True for what Azure never shows."""
    return decorator(declaration, "secure") is not None


def is_required(parameter: Declaration) -> bool:
    """True for a parameter that must be given; not for one whose type nobody here can read, as it may be null."""
    kind = parameter.type
    unknown = kind is not None and bool(kind.refers) and not kind.name
    return parameter.value is None and not unknown and not (kind and kind.nullable)


def type_of(resource: Declaration) -> tuple[str, str]:
    """The type and version of a resource."""
    kind, _, version = ((resource.reference.plain if resource.reference else "") or "").partition("@")
    return kind, version


def literal(node: Any) -> Any:
    """The value of a plain text, number, true or false; None for all else."""
    if isinstance(node, Text):
        return node.plain
    return node.value if isinstance(node, Constant) else None

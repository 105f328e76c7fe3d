"""Terraform files as blocks, arguments and references, each with its line; nothing is evaluated here."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import hcl2
from lark import Token, Tree
from lark.exceptions import LarkError

from workspace.errors import Refused
from workspace.preflight.limits import FILE_SECONDS, TooLong, within

if TYPE_CHECKING:
    Expression = Tree[Token]
else:
    Expression = Tree

_CHAINS = {"get_attr_expr_term", "index_expr_term", "attr_splat_expr_term", "full_splat_expr_term"}
_FOR = {"for_tuple_expr", "for_object_expr"}
_DEEPEST = 300
_OPENED = re.compile(r"[$%]{1,2}\{")
_LOOP = re.compile(r"for\s+(\w+)(?:\s*,\s*(\w+))?\s+in\s+")
_ASKED = re.compile(r"if\s+")
# Arguments whose words are no values: addresses of plugins, names of the resource's own arguments.
_NO_VALUES = {"ignore_changes", "provider", "providers", "type"}


class Unreadable(Refused):
    """A file that is no Terraform; `line` says where reading stopped, 0 when that is not known."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True)
class Reference:
    """A chain such as `module.network.subnet_ids`, with `*` where an index is computed."""

    path: tuple[str, ...]
    line: int


@dataclass(frozen=True, eq=False)
class Attribute:
    """One argument: its name, its line and its expression."""

    name: str
    line: int
    expression: Expression

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """What the expression reads; names bound by a `for` inside it are left out."""
        return () if self.name in _NO_VALUES else tuple(references(self.expression))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The pieces of text written in the expression."""
        return tuple(str(each.children[0]) for each in self.expression.find_data("string_part"))

    @property
    def word(self) -> str:
        """The first word of the expression, as `true` or the name in `iterator = name`."""
        inner: Expression | Token = self.expression
        while isinstance(inner, Tree):
            inner = inner.children[0]
        return str(inner)


@dataclass(frozen=True, eq=False)
class Block:
    """One block: `resource "type" "name" { … }`, or one inside another."""

    kind: str
    labels: tuple[str, ...]
    line: int
    attributes: Mapping[str, Attribute]
    blocks: tuple["Block", ...]

    @property
    def name(self) -> str:
        """The last label, which names the thing; the kind where there is none."""
        return self.labels[-1] if self.labels else self.kind

    def inner(self, kind: str) -> tuple["Block", ...]:
        """The blocks of a kind inside this one, those that a `dynamic` block makes included."""
        made = (each for each in self.blocks if each.kind == "dynamic" and each.name == kind)
        contents = tuple(content for each in made for content in each.blocks if content.kind == "content")
        return (*(each for each in self.blocks if each.kind == kind), *contents)

    def literal(self, name: str) -> str | None:
        """The text of an argument that is written out in full, or None."""
        attribute = self.attributes.get(name)
        return literal(attribute.expression) if attribute else None

    def walk(self) -> Iterator["Block"]:
        """This block and every block inside it."""
        yield self
        for each in self.blocks:
            yield from each.walk()


@lru_cache(maxsize=4096)
def read(text: str) -> Block:
    """A file as one block; raises Unreadable. The same text is read once."""
    try:
        with within(FILE_SECONDS):
            (body,) = hcl2.parses_to_tree(text.removeprefix("\ufeff")).children
            return _block("file", (), 1, body)
    except TooLong as error:
        raise Unreadable(0, str(error)) from error
    except LarkError as error:
        line = getattr(error, "line", 0)
        reason = str(error).splitlines()[0].partition(" at line ")[0]
        raise Unreadable(line if isinstance(line, int) and line > 0 else 0, reason) from error
    except RecursionError as error:
        raise Unreadable(0, "it is nested too deeply") from error


def _block(kind: str, labels: tuple[str, ...], line: int, body: Expression) -> Block:
    attributes: dict[str, Attribute] = {}
    blocks: list[Block] = []
    for each in trees(body):
        if each.data == "attribute":
            attribute = _attribute(each)
            if attribute.name in attributes:
                raise Unreadable(attribute.line, f"{attribute.name} is set twice in one block")
            attributes[attribute.name] = attribute
        elif each.data == "block":
            *words, inner = (part for part in trees(each) if part.data != "new_line_or_comment")
            names = [_word(word) for word in words]
            blocks.append(_block(names[0], tuple(names[1:]), each.meta.line, inner))
    return Block(kind, labels, line, MappingProxyType(attributes), tuple(blocks))


def _attribute(tree: Expression) -> Attribute:
    name, value = trees(tree)
    if _is_too_deep(value):
        raise Unreadable(tree.meta.line, "it is nested too deeply")
    return Attribute(_word(name), tree.meta.line, value)


def _is_too_deep(tree: Expression) -> bool:
    level = [tree]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in trees(each)]
        if not level:
            return False
    return True


def trees(tree: Expression) -> list[Expression]:
    """The children that are trees themselves."""
    return [each for each in tree.children if isinstance(each, Tree)]


def _word(tree: Expression) -> str:
    if tree.data == "string":
        return literal(tree) or ""
    return str(tree.children[0])


def literal(tree: Expression) -> str | None:
    """The text of a string without anything computed in it, or None."""
    while tree.data == "expr_term" and len(tree.children) == 1 and isinstance(tree.children[0], Tree):
        tree = tree.children[0]
    if tree.data != "string":
        return None
    parts = [part.children[0] for part in trees(tree)]
    return "".join(map(str, parts)) if all(isinstance(part, Token) for part in parts) else None


# ---- references


def references(tree: Expression, bound: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """Every chain an expression reads, except names that a `for` around it binds."""
    if tree.data in _CHAINS or tree.data == "identifier":
        path, inner = _chain(tree)
        if path and path[0] not in bound and (len(path) > 1 or tree.data in _CHAINS):
            yield Reference(path, getattr(tree.meta, "line", 0))
        for each in inner:
            yield from references(each, bound)
    elif tree.data in ("heredoc_template", "heredoc_template_trim"):
        yield from _in_heredoc(str(tree.children[0]), tree.meta.line, bound)
    else:
        bound |= _bound_by(tree)
        for each in trees(tree)[1:] if tree.data == "function_call" else trees(tree):
            yield from references(each, bound)


def _bound_by(tree: Expression) -> frozenset[str]:
    if tree.data in _FOR:
        intro = next(each for each in trees(tree) if each.data == "for_intro")
        return frozenset(str(each.children[0]) for each in trees(intro) if each.data == "identifier")
    starts = [part for each in trees(tree) for part in trees(each) if part.data == "template_for_start"]
    return frozenset(str(each.children[0]) for start in starts for each in trees(start) if each.data == "identifier")


def _chain(tree: Expression) -> tuple[tuple[str, ...], list[Expression]]:
    """The words of a chain, and the expressions inside its brackets; no words when it begins with a value."""
    if tree.data == "identifier":
        return (str(tree.children[0]),), []
    if tree.data == "expr_term" and len(trees(tree)) == 1:
        (only,) = trees(tree)
        return _chain(only) if only.data in _CHAINS or only.data == "identifier" else ((), [only])
    if tree.data not in _CHAINS:
        return (), [tree]
    base, *steps = trees(tree)
    path, inner = _chain(base)
    for step in steps:
        words, expressions = _step(step)
        path = (*path, *words) if path else ()
        inner = [*inner, *expressions]
    return path, inner


def _step(step: Expression) -> tuple[list[str], list[Expression]]:
    if step.data == "get_attr":
        return [_word(trees(step)[0])], []
    if step.data == "braces_index":
        (index,) = (each for each in trees(step) if each.data != "new_line_or_comment")
        word = literal(index)
        return ([word], []) if word is not None else (["*"], [index])
    if step.data == "short_index":
        return ["*"], []
    inner = [_step(each) for each in trees(step)]
    return ["*", *(word for words, _ in inner for word in words)], [each for _, trees_ in inner for each in trees_]


def _in_heredoc(text: str, line: int, bound: frozenset[str]) -> Iterator[Reference]:
    # The parser keeps a heredoc as one word; what stands in its `${…}` and `%{…}` is read one by one.
    for start, inside in _interpolated(text):
        loop = _LOOP.match(inside)
        bound |= frozenset(each for each in (loop.groups() if loop else ()) if each)
        asked = _ASKED.match(inside)
        expression = inside[loop.end() :] if loop else inside[asked.end() :] if asked else inside
        try:
            block = read(f"x = ({' '.join(expression.split())})\n")
        except Unreadable:
            continue
        for each in block.attributes["x"].references:
            if each.path[0] not in bound:
                yield Reference(each.path, line + text.count("\n", 0, start))


def _interpolated(text: str) -> Iterator[tuple[int, str]]:
    """What stands between `${` or `%{` and its brace, with where it begins; `$${` and `%%{` are no such thing."""
    at = 0
    while found := _OPENED.search(text, at):
        depth, at = 1, found.end()
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if found[0] in ("${", "%{"):
            yield found.end(), text[found.end() : at - 1].strip("~ \n")
        else:
            at = found.end()

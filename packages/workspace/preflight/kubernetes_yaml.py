"""YAML as Kubernetes reads it, with the line of everything that is said."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from workspace.preflight.limits import DEEPEST, FILE_SECONDS, TooLong, within

_MOST = 1_000_000
# Many levels need many columns, or many dashes on one line.
_STEEP = re.compile(r"^(?: {100}|(?:\s*[-?]\s){50})", re.MULTILINE)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a time is a text, and so is an equals sign."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """One YAML document of a file, with the positions of all that is in it."""

    file: str
    node: yaml.Node
    value: Any

    @property
    def kind(self) -> str:
        """Its kind, or nothing."""
        return str(self.value.get("kind", "")) if isinstance(self.value, dict) else ""

    @property
    def name(self) -> str:
        """Its name as written, or nothing."""
        return str(mapping(mapping(self.value).get("metadata")).get("name", ""))

    def listed(self) -> "Iterator[Document]":
        """The objects of a List, each a document of its own; anything else is itself."""
        entries = mapping(self.value).get("items") if self.kind.endswith("List") else None
        node = _step(self.node, "items")
        if not isinstance(entries, list) or node is None or not isinstance(node[1], yaml.SequenceNode):
            yield self
            return
        for place, value in zip(node[1].value, entries, strict=False):
            if isinstance(value, dict):
                yield from Document(self.file, place, value).listed()

    def find(self, path: Sequence[str | int]) -> tuple[int, str]:
        """How many steps of the path this document has, and the place where they end."""
        node, depth, place = self.node, 0, self.at(self.node)
        for step in path:
            following = _step(node, step)
            if following is None:
                break
            key, node = following
            depth, place = depth + 1, self.at(key)
        return depth, place

    def at(self, node: yaml.Node) -> str:
        """The place of a node."""
        return f"{self.file}:{node.start_mark.line + 1}"


@lru_cache(maxsize=8192)
def read_yaml(text: str) -> tuple[tuple[tuple[yaml.Node, Any], ...], tuple[int, str] | None]:
    """The documents of a text, and line and sentence of what cannot be read."""
    found: list[tuple[yaml.Node, Any]] = []
    try:
        with within(FILE_SECONDS):
            deep = _too_deep(text)
            if deep:
                return (), (deep, f"is nested more than {DEEPEST} deep")
            loader = _Loader(text.removeprefix("\ufeff"))
            while loader.check_node():
                node = loader.get_node()
                _weigh(node, {})
                twice = _twice(node)
                if twice:
                    return tuple(found), twice
                value = loader.construct_document(node)
                if value is not None:
                    found.append((node, value))
    except TooLong as error:
        return (), (1, f"is not read: {error}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return tuple(found), (mark.line + 1 if mark else 1, f"is not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        return tuple(found), (1, f"is not YAML: {' '.join(str(error).split())[:200]}")
    return tuple(found), None


def mapping(value: Any) -> dict[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def number(value: Any, otherwise: int) -> int:
    """The value when it is a whole number, else the other one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _too_deep(text: str) -> int:
    """The line where the text is nested too deeply, or 0: the parser's own stack would not hold it."""
    # Counting every step takes as long as reading, so first whether it can be.
    if not (text.count("[") + text.count("{") > DEEPEST or _STEEP.search(text)):
        return 0
    depth = 0
    for event in yaml.parse(text.removeprefix("\ufeff"), Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return int(event.start_mark.line if event.start_mark else 0) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return 0


def _twice(node: yaml.Node) -> tuple[int, str] | None:
    left, seen = [node], set()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, yaml.SequenceNode):
            left += each.value
        elif isinstance(each, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in each.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if name in keys and name != "<<":
                    return key.start_mark.line + 1, f"says {name} twice"
                keys |= {name} if name else set()
                left.append(value)
    return None


def _weigh(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, its aliases written out; too many, or endlessly many, are an error."""
    if id(node) not in known:
        # A node that is met again inside itself has no end.
        known[id(node)] = _MOST
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        below = [one for each in parts for one in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_weigh(each, known) for each in below)
    if known[id(node)] >= _MOST:
        raise ValueError("its aliases stand for too many values")
    return known[id(node)]


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if not isinstance(node, yaml.SequenceNode):
        return None
    if isinstance(step, int) or str(step).isdigit():
        return (node.value[int(step)],) * 2 if int(step) < len(node.value) else None
    for each in node.value:
        named = _step(each, "name") if isinstance(each, yaml.MappingNode) else None
        if (named[1].value if named else each.value) == step:
            return each, each
    return None

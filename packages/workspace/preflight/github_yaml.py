"""A YAML file as GitHub reads it: texts, mappings and lists, each with its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import yaml


@dataclass(frozen=True)
class Piece:
    """A value and where it stands; one that is not there is empty, false and has the line of what should hold it.

    GitHub keeps `on`, `yes` and `1.10` as they are written, so every value is read as its text.
    """

    node: yaml.Node | None
    line: int

    def __bool__(self) -> bool:
        return self.node is not None

    @property
    def is_mapping(self) -> bool:
        """True for names with values."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """True for values one after the other."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_text(self) -> bool:
        """True for a single value, the empty one (`push:`) included."""
        return isinstance(self.node, yaml.ScalarNode)

    @property
    def text(self) -> str:
        """The single value as written; empty for everything else."""
        return str(self.node.value) if isinstance(self.node, yaml.ScalarNode) else ""

    @property
    def is_true(self) -> bool:
        """True for a plain or quoted `true`."""
        return self.text.strip().lower() == "true"

    def __getitem__(self, name: str) -> "Piece":
        return next((value for key, value in self.items if key == name), Piece(None, self.line))

    @cached_property
    def items(self) -> tuple[tuple[str, "Piece"], ...]:
        """The names of a mapping with their values; a value's line is the line of its name."""
        if not isinstance(self.node, yaml.MappingNode):
            return ()
        return tuple((str(key.value), Piece(value, key.start_mark.line + 1)) for key, value in self.node.value)

    @cached_property
    def parts(self) -> tuple["Piece", ...]:
        """The values of a list; a single text counts as a list of one, as GitHub takes it."""
        if isinstance(self.node, yaml.SequenceNode):
            return tuple(Piece(each, each.start_mark.line + 1) for each in self.node.value)
        return (self,) if self.text else ()

    def line_at(self, place: int) -> int:
        """The line of a place in the text."""
        return self.line_of(self.text.count("\n", 0, place))

    def line_of(self, row: int) -> int:
        """The line of a row of the text, the first being 0; of folded and quoted texts the first line alone is sure."""
        if not isinstance(self.node, yaml.ScalarNode):
            return self.line
        start = self.node.start_mark.line + 1
        if self.node.style == "|":
            return start + 1 + row
        return start + 1 if self.node.style == ">" else start

    def walk(self, *path: str) -> Iterator[tuple[tuple[str, ...], "Piece"]]:
        """Every single value below, with the names that lead to it; list places are numbers."""
        if self.is_text:
            yield path, self
        for name, value in self.items:
            yield from value.walk(*path, name)
        if self.is_list:
            for place, value in enumerate(self.parts):
                yield from value.walk(*path, str(place))

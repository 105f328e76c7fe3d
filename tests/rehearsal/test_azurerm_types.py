"""The facts about azurerm's types fit the schema that the real plugin declares."""

import re
from collections.abc import Iterator

import pytest
from workspace.rehearsal.azurerm import LINKS, schemas
from workspace.rehearsal.azurerm_rules import CHOICES, NAMES, RANGES
from workspace.rehearsal.azurerm_types import DEFAULT_VALUES, TYPES
from workspace.rehearsal.azurerm_wire import Block

PLACES = {"subscription", "group", "vault", "version"}


def leads_somewhere(schema: Block, path: str) -> bool:
    first, _, rest = path.partition(".")
    if not rest:
        return first in schema.attributes or first in schema.blocks
    return first in schema.blocks and leads_somewhere(schema.blocks[first].block, rest.partition(".")[2])


def paths() -> Iterator[tuple[str, str]]:
    for kind, known in TYPES.items():
        names = set(re.findall(r"\{(\w+)\}", known.id + known.terraform_id)) - PLACES
        for path in (*names, *known.fields, *known.defaults, *known.replaced_by, *known.computed_blocks):
            yield kind, path
    for table in (DEFAULT_VALUES, CHOICES, RANGES):
        for kind, by_path in table.items():
            yield from ((kind, path) for path in by_path)
    for kind, link in LINKS.items():
        yield from ((kind, path) for path in (link.holder, link.other))


@pytest.mark.parametrize(("kind", "path"), sorted(set(paths())))
def test_every_path_leads_to_an_attribute(kind: str, path: str) -> None:
    assert leads_somewhere(schemas().resources[kind], path)


def test_every_rule_is_about_a_known_type() -> None:
    assert {*NAMES, *CHOICES, *RANGES, *DEFAULT_VALUES} <= {*TYPES}

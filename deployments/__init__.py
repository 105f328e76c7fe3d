"""What and where: the facts of this workspace, as data. An environment is one file here and one word below."""

import importlib
from pathlib import Path
from typing import Literal, cast, get_args

from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import Node
from workspace.onward import Catalogue

EnvironmentName = Literal["world", "dev", "staging", "prod"]

SOURCES = Path(__file__).resolve().parent.parent
"""The checkout: where the definitions are."""

DEFINITIONS = ("infra", "packages/app/infrastructure", "deployments")
"""The folders whose content a release is made from."""


def environments() -> tuple[EnvironmentName, ...]:
    """Every environment, the world first."""
    return cast(tuple[EnvironmentName, ...], get_args(EnvironmentName))


def find(name: str) -> Environment:
    """The environment of that name; refused when there is none."""
    if name not in environments():
        raise Refused(f"There is no environment {name!r}; there are {', '.join(environments())}.")
    return cast(Environment, importlib.import_module(f"deployments.{name}").environment)


def nodes(place: Environment, *, fresh: bool = False) -> tuple[Node, ...]:
    """The catalogue for one environment; `fresh` asks, where things are built, for all of them to be built again."""
    from deployments import catalogue

    return tuple(catalogue.nodes(place, fresh=fresh and place.builds))


def following(place: Environment) -> tuple[Catalogue, ...]:
    """The catalogues of all environments that follow this one, directly or not: what its release takes along."""
    after = [each for each in map(find, environments()) if each.follows == place.name]
    return tuple(found for each in after for found in (Catalogue(each, nodes(each)), *following(each)))


def shared() -> tuple[str, ...]:
    """What several environments write to, one at a time: the zone, the registry."""
    places = map(find, environments())
    return tuple(sorted({name for place in places for node in nodes(place) for name in node.shares}))

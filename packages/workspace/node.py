"""The nodes of a workspace: what kind of thing each is, what it needs, what it owns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TARGET = "target"
"""A name settings may read like a node: what the target's addresses say (`Output(TARGET, "subscription")`)."""


class Kind(StrEnum):
    """What sort of thing a node is; `workspace.kinds` has one module per value."""

    STACK = "stack"
    TEMPLATE = "template"
    IMAGE = "image"
    PACKAGE = "package"
    WORKLOAD = "workload"
    SECRET = "secret"  # noqa: S105 - a word, not a password
    APP = "app"
    SITE = "site"
    RECORD = "record"
    BINDING = "binding"
    CERTIFICATE = "certificate"
    CHECK = "check"
    PAUSE = "pause"


class Stage(StrEnum):
    """The parts of the pipeline a person sees, in the order they are listed."""

    ZONE = "zone"
    SHARED_INFRASTRUCTURE = "shared-infrastructure"
    IMAGES = "images"
    CLUSTER_ROLLOUT = "cluster-rollout"
    APP_SERVICES = "app-services"
    NAMES = "names"
    VERIFICATION = "verification"


class Part(StrEnum):
    """What shared infrastructure consists of, in the order it is listed: a stage within the stage."""

    NETWORK_AND_CLUSTER = "network-and-cluster"
    MONITORING = "monitoring"
    SERVICES = "services"
    POSTGRESQL = "postgresql"
    REDIS = "redis"
    APP_BASE = "app-base"


@dataclass(frozen=True)
class Output:
    """A reference to what another node gives: `Output("network", "subnet_ids.aks")`.

    The path is dotted and case-insensitive, because Azure changes the case of output names. A node of the world is
    written with its environment: `Output("world/registry", "login_server")`.
    """

    node: str
    path: str

    def __str__(self) -> str:
        return f"{self.node}:{self.path}"


@dataclass(frozen=True)
class Node:
    """One thing that can be previewed, applied and verified.

    `needs` names the nodes it waits for; every `Output` in `settings` is a need too. `owns` names what nobody else may
    own, as `record publisher.mystira.app A` or `name mystira-dev-aks`. `shares` names what several environments write
    to, as `zone`: only one of them at a time. `part` says to which part of its stage it belongs, where the stage has
    parts.
    """

    id: str
    kind: Kind
    stage: Stage
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    owns: tuple[str, ...] = ()
    about: str = ""
    part: Part | None = None
    shares: tuple[str, ...] = ()

    @property
    def all_needs(self) -> frozenset[str]:
        """The declared needs and those that the settings imply."""
        return self.needs | {output.node for output in outputs(self.settings)} - {TARGET}


def outputs(value: Any) -> Iterator[Output]:
    """Every `Output` inside a nested value, in reading order."""
    if isinstance(value, Output):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from outputs(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from outputs(item)

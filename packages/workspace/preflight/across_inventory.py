"""What a workspace declares and what it names, under one roof for all tools: the things that the rules compare."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workspace.preflight.across_kinds import ZONE, Kind

TERRAFORM, BICEP, KUBERNETES, TEXT = "Terraform", "Bicep", "Kubernetes", "a script"


@dataclass(frozen=True)
class Said:
    """Who says something: the environment (nothing for all), the tool, the stack, template or overlay, the place."""

    environment: str
    tool: str
    owner: str
    place: str

    def __str__(self) -> str:
        return f"{self.tool} ({self.owner}{', ' + self.environment if self.environment else ''})"


@dataclass(frozen=True)
class Thing:
    """Something that is declared; `within` is its resource group, None when no file says which.

    `address` is what its definition calls it, `region_place` where its region is said.
    """

    kind: Kind
    name: str
    said: Said
    within: str | None = None
    address: str = ""
    region: str = ""
    region_place: str = ""
    subscription: str = ""


@dataclass(frozen=True)
class Mention:
    """A name by which something that must exist is meant; a `looked_up` one is asked for by its type."""

    kind: Kind
    name: str
    said: Said
    looked_up: bool = False


@dataclass(frozen=True)
class Record:
    """A record set of a public zone: host, type, and target and time to live where files tell."""

    host: str
    type: str
    said: Said
    zone: str = ""
    target: str = ""
    ttl: int | None = None
    address: str = ""


@dataclass(frozen=True)
class Binding:
    """A host that a platform is told to answer for; `needs` holds what it waits for in the `folder` it stands in."""

    host: str
    platform: str
    said: Said
    needs: frozenset[str] = frozenset()
    folder: str = ""


@dataclass(frozen=True)
class Secret:
    """A secret of a vault: written by a definition, or read by one; `vault` is None when no file says which."""

    name: str
    vault: str | None
    said: Said
    reader: str = ""


@dataclass(frozen=True)
class Call:
    """A host that a program is told to call."""

    host: str
    said: Said
    caller: str
    namespace: str = ""
    port: int | None = None


@dataclass(frozen=True)
class Image:
    """An image that a container of an environment runs."""

    registry: str
    repository: str
    said: Said
    container: str


@dataclass
class Inventory:
    """Everything that was read. `unknown` holds the kinds of which some name, and `blind` the hosts' ends of which
    some record, is known to Azure only.
    """

    things: list[Thing] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    hosts: list[Binding] = field(default_factory=list)
    written: list[Secret] = field(default_factory=list)
    read: list[Secret] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    unknown: set[Kind] = field(default_factory=set)
    has_unknown_records: bool = False
    has_unknown_secrets: bool = False
    more_environments: set[str] = field(default_factory=set)

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The environments that anything belongs to, in alphabetical order."""
        parts: tuple[list[Any], ...] = (self.things, self.records, self.bindings, self.hosts, self.written, self.images)
        found = {each.said.environment for part in parts for each in part}
        return tuple(sorted((found | self.more_environments) - {""}))

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The public zones that are declared or written to."""
        found = {each.name.lower() for each in self.things if each.kind is ZONE}
        return tuple(sorted(found | {each.zone for each in self.records if each.zone}))

    def zone_of(self, host: str) -> str:
        """The zone that a host is in, the nearest one; nothing when it is in none."""
        fitting = [each for each in self.zones if host == each or host.endswith(f".{each}")]
        return max(fitting, key=len, default="")

    def of(self, kind: Kind) -> list[Thing]:
        """The declared things of a kind."""
        return [each for each in self.things if each.kind is kind]

    def named(self, kind: Kind, name: str) -> list[Thing]:
        """The declared things of that kind and name."""
        return self._by_name.get((kind, name.lower()), [])

    @cached_property
    def _by_name(self) -> dict[tuple[Kind, str], list[Thing]]:
        found: dict[tuple[Kind, str], list[Thing]] = {}
        for each in self.things:
            found.setdefault((each.kind, each.name.lower()), []).append(each)
        return found

    @cached_property
    def served(self) -> dict[str, list[Said]]:
        """Who answers for which host: routes, bindings, and the records that lead somewhere."""
        found: dict[str, list[Said]] = {}
        for one in (*self.hosts, *self.bindings):
            found.setdefault(one.host, []).append(one.said)
        for each in self.records:
            if each.type in ("A", "AAAA", "CNAME"):
                found.setdefault(each.host, []).append(each.said)
        return found

    def groups(self) -> Iterator[list[Thing]]:
        """Things of the same kind and name, where there is more than one of them."""
        yield from (each for each in self._by_name.values() if len(each) > 1)

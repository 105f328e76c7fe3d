"""What travels: the content addresses that were proven together, moved onward as one unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import Refused
from workspace.inputs import fingerprint


@dataclass(frozen=True)
class Release:
    """Parts by node id (`chain-image` → `sha256:…`), the digest of the definitions, and where it was built.

    Two releases with the same content have the same id, whatever they are called and whenever they were made.
    `locks` has, by stack, the lock file of the providers that Terraform chose where the release was built. `nodes` says
    what defines each stack, template, workload and record, environments' sizes left out; `commit` where the checkout
    was; `tools` with which programs it was made: they tell of a release, its content says what it is.
    """

    parts: Mapping[str, str]
    definitions: str
    built_in: str
    nodes: Mapping[str, str] = field(default_factory=dict)
    commit: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    locks: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the digest of everything in it."""
        locks = {"locks": dict(self.locks)} if self.locks else {}
        return fingerprint({"parts": dict(self.parts), "definitions": self.definitions, **locks})[:12]

    def part(self, node: str) -> str:
        """The content address for one node; refused when the release does not carry it."""
        if node not in self.parts:
            raise Refused(f"Release {self.id} carries nothing for {node}; promote {self.built_in} again to build it.")
        return self.parts[node]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the ledger and for people."""
        return {
            "id": self.id,
            "built_in": self.built_in,
            "definitions": self.definitions,
            "parts": dict(sorted(self.parts.items())),
            "nodes": dict(sorted(self.nodes.items())),
            "commit": dict(self.commit),
            "tools": dict(sorted(self.tools.items())),
            "locks": dict(sorted(self.locks.items())),
        }


def from_json(value: Mapping[str, Any]) -> Release:
    """The release that `as_json` wrote; refused when its id does not fit its content."""
    release = Release(
        parts=dict(value["parts"]),
        definitions=value["definitions"],
        built_in=value["built_in"],
        nodes=dict(value["nodes"]),
        commit=dict(value["commit"]),
        tools=dict(value["tools"]),
        locks=dict(value.get("locks", {})),
    )
    if release.id != value["id"]:
        raise Refused(f"Release {value['id']} is not what its id says (it is {release.id}); the record was altered.")
    return release

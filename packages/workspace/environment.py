"""Where a promotion goes: an environment, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WORLD = "world"


@dataclass(frozen=True)
class Environment:
    """One place the workspace is deployed to, or the world that serves all of them.

    `follows` names the environment whose proven release is carried here; where it is empty the release is built here.
    `regions`, `hosts` and `names` are looked up by what they are for (`cluster`, `api`, `app-group`); `sizes` holds,
    per node, what else differs between environments. `soak_hours` is how long a release must have stood, proven, in the
    environment before.
    """

    name: str
    follows: str = ""
    needs_approval: bool = False
    soak_hours: float = 0.0
    regions: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def builds(self) -> bool:
        """True where images and packages are built; later environments carry what was proven before."""
        return not self.follows

    @property
    def is_world(self) -> bool:
        """True for the layer above the environments: state backend, zone, registry."""
        return self.name == WORLD

    def size(self, node: str) -> Mapping[str, Any]:
        """What this environment says about one node; empty when it says nothing."""
        return self.sizes.get(node, {})

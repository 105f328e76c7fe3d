"""A plan: the nodes of one environment in order, with everything refused that can be refused before a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from workspace import graph, naming
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.inputs import Gives
from workspace.node import Kind, Node, Stage
from workspace.release import Release

CARRIED = (Kind.IMAGE, Kind.PACKAGE)


@dataclass(frozen=True)
class Plan:
    """Nodes by id, their needs within the environment, what the world gives, and the release that is carried.

    `carried` holds the content address for each image and package where the environment follows another; `moved_on`
    says where something newer is not carried: the checkout's catalogue, or a release that has not stood long enough.
    """

    environment: Environment
    nodes: Mapping[str, Node]
    needs: Mapping[str, frozenset[str]]
    world: Gives
    carried: Mapping[str, str]
    release: Release | None = None
    moved_on: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """Every node after its needs."""
        return graph.order(self.needs)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that have nodes, in the order people know them."""
        present = {node.stage for node in self.nodes.values()}
        return tuple(stage for stage in Stage if stage in present)

    def of(self, stage: Stage) -> tuple[Node, ...]:
        """The nodes of one stage, in order."""
        return tuple(self.nodes[name] for name in self.order if self.nodes[name].stage is stage)

    def only(self, stage: Stage) -> "Plan":
        """The plan of one stage alone; what it needs of others is taken as settled before."""
        kept = [node.id for node in self.of(stage)]
        if not kept:
            raise Refused(f"{self.environment.name} has no node in the stage {stage}.")
        return self.narrowed(kept)

    def narrowed(self, names: Iterable[str]) -> "Plan":
        """The plan of these nodes alone; what they need of others is taken as settled before."""
        needs = graph.without(self.needs, names)
        return replace(self, nodes={name: self.nodes[name] for name in self.nodes if name in needs}, needs=needs)


def draw(environment: Environment, nodes: Iterable[Node], world: Gives, release: Release | None = None) -> Plan:
    """The plan for an environment, or a refusal that names what is wrong.

    `world` is what the nodes of the world gave, by plain id. Refused: circles, missing needs, two owners of one thing,
    a need from another environment, an illegal name, a world that was not promoted yet, a release that lacks a part.
    """
    nodes = list(nodes)
    needs = graph.needs(nodes, environment.name)
    for node in nodes:
        naming.check_owned(node.owns, f"{node.id} in {environment.name}")
    prefixed = {f"world/{name}": given for name, given in world.items()}
    absent = sorted(graph.foreign(nodes, environment.name) - prefixed.keys())
    if absent:
        raise Refused(f"{environment.name} needs {', '.join(absent)}, not promoted yet; run promote/world first.")
    carried = _carried(environment, nodes, release)
    return Plan(environment, {node.id: node for node in nodes}, needs, prefixed, carried, release)


def _carried(environment: Environment, nodes: list[Node], release: Release | None) -> dict[str, str]:
    if environment.builds:
        return {}
    if release is None:
        raise Refused(
            f"{environment.name} carries what {environment.follows} proved, and nothing is proven there yet; "
            f"run promote/{environment.follows} first."
        )
    found = {node.id: release.part(node.id) for node in nodes if node.kind in CARRIED}
    if strange := sorted(release.parts.keys() - found.keys()):
        raise Refused(
            f"Release {release.id} carries {', '.join(strange)}, for which {environment.name} has no node; nothing was "
            f"touched. Promote {release.built_in} again from this checkout, or {environment.name} from the other one."
        )
    return found

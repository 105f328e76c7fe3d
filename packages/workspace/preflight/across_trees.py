"""The trees that the families read, and the inventory made of them: each is read once for a checkout."""

from dataclasses import dataclass

from workspace.preflight import across_bicep, across_kubernetes, across_terraform, across_texts, shared
from workspace.preflight.across_environments import canonical
from workspace.preflight.across_inventory import Inventory
from workspace.preflight.bicep_files import Files
from workspace.preflight.checkout import Checkout
from workspace.preflight.kubernetes_files import Tree as Manifests
from workspace.preflight.kubernetes_scene import Scene
from workspace.preflight.kubernetes_sources import Sources
from workspace.preflight.terraform_tree import Tree


@dataclass(frozen=True)
class Trees:
    """What the rules look at: the inventory, and the trees behind it."""

    checkout: Checkout
    terraform: Tree
    manifests: Manifests
    scenes: tuple[Scene, ...]
    bicep: Files
    sources: Sources
    inventory: Inventory

    def scene(self, environment: str) -> Scene | None:
        """What an environment's cluster runs; None when that is not known as a whole."""
        found = [each for each in self.scenes if environment and canonical(each.environment) == environment]
        return found[0] if len(found) == 1 and found[0].whole else None


def trees(checkout: Checkout) -> Trees:
    """Everything of a checkout, by way of what other families have read already."""
    terraform, files = shared.once(checkout, Tree), shared.once(checkout, Files)
    scenes, _ = shared.once(checkout, shared.everywhere)
    inventory = Inventory()
    across_terraform.read(terraform, inventory)
    across_bicep.read(files, inventory)
    across_kubernetes.read(scenes, inventory)
    across_texts.read(checkout, inventory)
    manifests, sources = shared.once(checkout, Manifests), shared.once(checkout, shared.sources)
    return Trees(checkout, terraform, manifests, tuple(scenes), files, sources, inventory)

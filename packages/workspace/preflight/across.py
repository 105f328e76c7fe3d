"""Rules across tools and environments: what Terraform, Bicep, Kubernetes and workflows declare, and what they name."""

from workspace.preflight import (
    across_catalogue,
    across_dns,
    across_graph,
    across_images,
    across_names,
    across_ownership,
    across_parity,
    across_secrets,
    across_tls,
    shared,
)
from workspace.preflight.across_catalogue import Facts
from workspace.preflight.across_inventory import Inventory
from workspace.preflight.across_trees import trees
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Report, Rule
from workspace.preflight.kubernetes_yaml import mapping

RULES: tuple[Rule, ...] = (
    *across_ownership.RULES,
    *across_names.RULES,
    *across_dns.RULES,
    *across_tls.RULES,
    *across_secrets.RULES,
    *across_graph.RULES,
    *across_images.RULES,
    *across_parity.RULES,
    *across_catalogue.RULES,
)


def check(checkout: Checkout, facts: Facts | None = None) -> Report:
    """What does not fit together; `facts` are what the caller knows of each environment (see `across_catalogue`)."""
    seen, known = shared.once(checkout, trees), facts or {}
    hosts = {environment: mapping(each.get("hosts")) for environment, each in known.items()}
    findings = [
        *across_ownership.check(seen),
        *across_names.check(seen),
        *across_dns.check(seen, hosts),
        *across_tls.check(seen),
        *across_secrets.check(seen),
        *across_graph.check(seen),
        *across_images.check(seen),
        *across_parity.check(seen),
        *across_catalogue.check(seen, known),
    ]
    return Report.of([Report(_checked(seen.inventory), tuple(findings))])


def _checked(inventory: Inventory) -> tuple[Checked, ...]:
    named = len(inventory.mentions) + len(inventory.calls) + len(inventory.images) + len(inventory.read)
    hosts = len(inventory.hosts) + len(inventory.bindings) + len(inventory.records)
    return (
        Checked("declared things and secrets across tools", len(inventory.things) + len(inventory.written)),
        Checked("names, calls, images and keys that must meet them", named),
        Checked("hosts and records across tools", hosts),
        Checked("environments compared", len(inventory.environments)),
    )

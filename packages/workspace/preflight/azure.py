"""Rules for what Azure refuses late, or has retired: in Terraform, Bicep and Dockerfiles."""

from datetime import UTC, date, datetime

from workspace.preflight import (
    azure_access,
    azure_ages,
    azure_data,
    azure_hosting,
    azure_nodes,
    azure_quota,
    azure_tiers,
    shared,
)
from workspace.preflight.azure_assets import Assets
from workspace.preflight.bicep_files import Files
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Report, Rule
from workspace.preflight.guard import attempted
from workspace.preflight.terraform_tree import Tree

_LIMITS = (azure_quota, azure_nodes, azure_hosting, azure_data, azure_tiers, azure_access)
RULES: tuple[Rule, ...] = (*azure_ages.RULES, *(rule for limits in _LIMITS for rule in limits.RULES))


def check(checkout: Checkout, today: date | None = None) -> Report:
    """What has ended by a day (today) and what Azure would refuse; what no file says is not judged."""
    assets = Assets(checkout, shared.once(checkout, Tree), shared.once(checkout, Files))
    found = [
        *attempted((azure_ages.check,), assets, checkout, today or datetime.now(UTC).date()),
        *attempted([each.check for each in _LIMITS], assets),
    ]
    return Report.of([Report((Checked("Azure resources against limits and ages", len(assets.all)),), tuple(found))])

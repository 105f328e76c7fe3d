"""The world: what serves all environments (state backend, DNS zone, registry)."""

from workspace.environment import WORLD, Environment

from deployments import names

environment = Environment(
    name=WORLD,
    regions={"zone": names.CLUSTER_REGION, "registry": names.CLUSTER_REGION},
    names={
        "zone": names.ZONE,
        "zone-group": names.zone_group(),
        "registry": names.REGISTRY,
        "state-account": names.STATE_ACCOUNT,
    },
)

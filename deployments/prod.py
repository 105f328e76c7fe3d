"""The environment prod."""

from workspace.environment import Environment

from deployments import names
from deployments.names import ZONE

environment = Environment(
    name="prod",
    follows="staging",
    needs_approval=True,
    regions={"cluster": names.CLUSTER_REGION, "app": names.APP_REGION, "site": names.SITE_REGION},
    names=names.of("prod"),
    hosts={
        "chain": f"chain.{ZONE}",
        "publisher": f"publisher.{ZONE}",
        "story-generator": f"story-generator.{ZONE}",
        "api": f"api.{ZONE}",
        "admin-api": f"admin.{ZONE}",
        "pwa": ZONE,
    },
)

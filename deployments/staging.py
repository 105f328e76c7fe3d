"""The environment staging."""

from workspace.environment import Environment

from deployments import names
from deployments.names import ZONE

environment = Environment(
    name="staging",
    follows="dev",
    regions={"cluster": names.CLUSTER_REGION, "app": names.APP_REGION, "site": names.SITE_REGION},
    names=names.of("staging"),
    hosts={
        "chain": f"staging.chain.{ZONE}",
        "publisher": f"staging.publisher.{ZONE}",
        "story-generator": f"staging.story-generator.{ZONE}",
        "api": f"api.staging.{ZONE}",
        "admin-api": f"admin.staging.{ZONE}",
        "pwa": f"staging.{ZONE}",
    },
)

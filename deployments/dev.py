"""The environment dev."""

from workspace.environment import Environment

from deployments import names
from deployments.names import ZONE

environment = Environment(
    name="dev",
    regions={"cluster": names.CLUSTER_REGION, "app": names.APP_REGION, "site": names.SITE_REGION},
    names=names.of("dev"),
    hosts={
        "chain": f"dev.chain.{ZONE}",
        "publisher": f"dev.publisher.{ZONE}",
        "story-generator": f"dev.story-generator.{ZONE}",
        "api": f"api.dev.{ZONE}",
        "admin-api": f"admin.dev.{ZONE}",
        "pwa": f"dev.{ZONE}",
    },
)

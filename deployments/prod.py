"""The environment prod."""

from workspace.environment import Environment

from deployments import names
from deployments.names import ZONE

environment = Environment(
    name="prod",
    follows="staging",
    needs_approval=True,
    regions={"cluster": names.CLUSTER_REGION, "app": names.APP_REGION, "site": names.SITE_REGION},
    # Plans with slots: what is new is warmed up beside what serves, and swapped in.
    names={**names.of("prod"), "slot": "staging"},
    hosts={
        "chain": f"chain.{ZONE}",
        "publisher": f"publisher.{ZONE}",
        "story-generator": f"story-generator.{ZONE}",
        "api": f"api.{ZONE}",
        "admin-api": f"admin.{ZONE}",
        "pwa": ZONE,
    },
)

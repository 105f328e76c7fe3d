"""The names of this workspace: computed by the pattern of ADR-0008, or kept because they are older than it."""

from collections.abc import Mapping

from workspace.naming import Names, legal

ORGANISATION = "mys"
PROJECT = "mystira"
ZONE = "mystira.app"
REGISTRY = "mystiraacr"
STATE_ACCOUNT = "mystiraterraformstate"

CLUSTER_REGION = "eastus"
APP_REGION = "southafricanorth"
SITE_REGION = "eastus2"


def kept(environment: str) -> Mapping[str, str]:
    """The legacy names that ADR-0008 keeps: the container side, in East US. They are never changed, only adopted."""
    return {
        "cluster-group": f"mystira-{environment}-rg",
        "network": f"mystira-{environment}-vnet",
        "cluster": f"mystira-{environment}-aks",
        "namespace": f"mystira-{environment}",
        "postgresql": f"mystira-shared-pg-{environment}-server",
        "redis": f"mystira-shared-redis-{environment}-cache",
        "chain-vault": f"mystira-chain-{environment}-kv",
        "publisher-vault": f"mystira-pub-{environment}-kv",
        "story-generator-vault": f"mystira-sg-{environment}-kv",
        "chain-storage": f"mystirachain{environment}sa",
    }


def of(environment: str) -> Mapping[str, str]:
    """Every name of one environment by what it is for; an illegal one is refused with the rule and the length."""
    names = Names(ORGANISATION, environment, PROJECT, kept={})
    computed = {
        "app-group": names.resource("rg", APP_REGION, "Microsoft.Resources/resourceGroups"),
        "api": names.resource("api", APP_REGION, "Microsoft.Web/sites"),
        "admin-api": names.resource("adminapi", APP_REGION, "Microsoft.Web/sites"),
        "pwa": names.resource("swa", SITE_REGION, "Microsoft.Web/staticSites"),
        "plan": names.resource("plan", APP_REGION, "Microsoft.Web/serverfarms"),
        "cosmos": names.resource("cosmos", APP_REGION, "Microsoft.DocumentDB/databaseAccounts"),
        "app-storage": names.squeezed("st", APP_REGION, "Microsoft.Storage/storageAccounts"),
        "app-vault": names.shortened("kv", APP_REGION, "Microsoft.KeyVault/vaults"),
    }
    return {"zone": legal("Microsoft.Network/dnsZones", ZONE), **kept(environment), **computed}


def zone_group() -> str:
    """The group of the zone: of the production project, regionless, by the pattern."""
    return Names(ORGANISATION, "prod", PROJECT, kept={}).resource("rg", "global", "Microsoft.Resources/resourceGroups")

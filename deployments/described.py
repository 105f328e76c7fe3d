"""What this workspace says about its environments, as plain data, and the rules across tools asked with it."""

from typing import Any

from workspace.preflight import across
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Report

import deployments

RULES = across.RULES

_KINDS = {
    "zone": "Microsoft.Network/dnsZones",
    "registry": "Microsoft.ContainerRegistry/registries",
    "cluster": "Microsoft.ContainerService/managedClusters",
    "network": "Microsoft.Network/virtualNetworks",
    "cluster-group": "Microsoft.Resources/resourceGroups",
    "zone-group": "Microsoft.Resources/resourceGroups",
    "state-account": "Microsoft.Storage/storageAccounts",
    "chain-storage": "Microsoft.Storage/storageAccounts",
    "app-storage": "Microsoft.Storage/storageAccounts",
    "chain-vault": "Microsoft.KeyVault/vaults",
    "publisher-vault": "Microsoft.KeyVault/vaults",
    "story-generator-vault": "Microsoft.KeyVault/vaults",
    "app-vault": "Microsoft.KeyVault/vaults",
    "postgresql": "Microsoft.DBforPostgreSQL/flexibleServers",
    "redis": "Microsoft.Cache/redisEnterprise",
    "cosmos": "Microsoft.DocumentDB/databaseAccounts",
    "api": "Microsoft.Web/sites",
    "admin-api": "Microsoft.Web/sites",
    "pwa": "Microsoft.Web/staticSites",
    "plan": "Microsoft.Web/serverfarms",
}


def facts() -> dict[str, dict[str, Any]]:
    """Hosts, names by Azure type, and regions of every environment, as `workspace.preflight.across` takes them."""
    found: dict[str, dict[str, Any]] = {}
    for environment in deployments.environments():
        place = deployments.find(environment)
        names: dict[str, list[str]] = {}
        for use, name in place.names.items():
            if use in _KINDS:
                names.setdefault(_KINDS[use], []).append(name)
        found[environment] = {
            "hosts": dict(place.hosts),
            "names": names,
            "regions": sorted(set(place.regions.values())),
        }
    return found


def check(checkout: Checkout) -> Report:
    """What does not fit together; in this workspace's own checkout its facts are compared, too."""
    is_ours = checkout.root.resolve() == deployments.SOURCES
    return across.check(checkout, facts() if is_ours else None)

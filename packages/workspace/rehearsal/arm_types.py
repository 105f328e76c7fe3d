"""What Resource Manager offers in a rehearsal: types, their API versions and places, and how writes are told of.

Facts only, and a closed list: a type or version that is not here is refused in Azure's own words. Here is what our
templates, stacks, clients and the azurerm plugin use. Versions are the published ones they name, and a few of their
neighbours; styles are those of recordings and of Azure's published operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """How a service tells of a write or deletion that takes its time."""

    AT_ONCE = "at once"
    STATUS = "Azure-AsyncOperation: 201 or 200 with the resource, asked about at another address"
    LOCATION = "Location: 202 with nothing, 202 there until the outcome is"
    BOTH = "Azure-AsyncOperation and Location: 202"
    ITSELF = "provisioningState: the resource is there and says how far it is"


@dataclass(frozen=True)
class Type:
    """One type: its versions, newest first, where it may be, and how writing and deleting it goes.

    `place` is `region`, `global`, nothing where the type has no location, or the regions it is limited to. `creates` is
    what a first write answers when it is told of at once or with a status. `points_home` is for the services whose 201
    has a Location that is the resource's own: read as an operation, it is over before the resource is ready.
    """

    versions: str
    place: str = ""
    writes: Style = Style.AT_ONCE
    deletes: Style = Style.AT_ONCE
    creates: int = 201
    points_home: bool = False

    @property
    def api_versions(self) -> tuple[str, ...]:
        """Its versions, newest first."""
        return tuple(self.versions.split())


_PUBLIC = (
    "australiacentral australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth canadacentral canadaeast "
    "centralindia centralus chilecentral eastasia eastus eastus2 francecentral germanywestcentral indonesiacentral "
    "israelcentral italynorth japaneast japanwest koreacentral koreasouth malaysiawest mexicocentral newzealandnorth "
    "northcentralus northeurope norwayeast polandcentral qatarcentral southafricanorth southafricawest "
    "southcentralus southeastasia southindia spaincentral swedencentral switzerlandnorth uaenorth uksouth ukwest "
    "westcentralus westeurope westindia westus westus2 westus3"
)
REGIONS = tuple(_PUBLIC.split())
"""The public regions."""

REGION_NAMES = {
    "centralus": "Central US",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "northeurope": "North Europe",
    "southafricanorth": "South Africa North",
    "westeurope": "West Europe",
    "westus": "West US",
    "westus2": "West US 2",
}
"""How people are told of those regions that we name."""

_S = Style
_REGION = "region"
_RESOURCES = (
    "2026-06-01 2025-04-01 2025-03-01 2024-11-01 2024-07-01 2024-03-01 2023-07-01 2022-09-01 2022-12-01 2021-04-01 "
    "2021-01-01 2020-10-01 2020-06-01 2019-10-01 2019-08-01 2019-05-01 2018-05-01 2017-05-10 2016-09-01"
)
_NETWORK = (
    "2025-01-01 2024-10-01 2024-07-01 2024-05-01 2024-03-01 2024-01-01 2023-11-01 2023-09-01 2023-04-01 2015-06-15"
)
_DNS = "2023-07-01-preview 2018-05-01 2018-03-01-preview 2017-10-01 2016-04-01"
_RECORDS = "A AAAA CAA CNAME MX NS PTR SOA SRV TXT"
_PRIVATE_DNS = "2024-06-01 2020-06-01 2018-09-01"
_WEB = (
    "2025-05-01 2025-03-01 2024-11-01 2024-04-01 2023-12-01 2023-01-01 2022-09-01 2022-03-01 2021-03-01 2019-08-01 "
    "2018-11-01"
)
_STORAGE = (
    "2025-08-01 2025-06-01 2025-01-01 2024-01-01 2023-05-01 2023-01-01 2022-09-01 2022-05-01 2021-09-01 2021-04-01 "
    "2018-11-01"
)
_VAULT = (
    "2026-02-01 2025-05-01 2024-11-01 2023-07-01 2023-02-01 2022-07-01 2021-10-01 2019-09-01 2018-02-14 "
    "2018-02-14-preview"
)
_CLUSTER = (
    "2026-08-01 2026-06-01 2025-10-01 2025-08-01 2025-05-01 2024-09-01 2024-05-01 2023-10-01 2023-01-01 2020-09-01 "
    "2019-04-01 2017-08-31"
)
_REGISTRY = "2026-09-01-preview 2025-11-01 2025-04-01 2023-07-01 2023-01-01-preview 2022-12-01 2021-09-01"
_POSTGRES = "2025-08-01 2024-11-01-preview 2024-08-01 2023-12-01-preview 2023-06-01-preview 2022-12-01"
_CACHE = "2024-11-01 2024-03-01 2023-08-01 2023-04-01 2022-06-01 2018-03-01"
_COSMOS = "2025-10-15 2025-04-15 2024-11-15 2024-08-15 2024-05-15 2023-11-15 2023-04-15 2021-10-15"
_BUS = "2024-01-01 2022-10-01-preview 2022-01-01-preview 2021-11-01"
_COMMUNICATION = "2026-03-18 2025-05-01 2023-04-01 2023-03-31"
_IDENTITY = "2024-11-30 2023-01-31 2018-11-30"
_AUTHORIZATION = "2022-04-01 2020-04-01-preview 2018-01-01-preview 2015-07-01"

TYPES: Mapping[str, Type] = {
    "Microsoft.Authorization/locks": Type("2020-05-01 2017-04-01 2016-09-01"),
    "Microsoft.Authorization/permissions": Type(_AUTHORIZATION),
    "Microsoft.Authorization/roleAssignments": Type(_AUTHORIZATION),
    "Microsoft.Authorization/roleDefinitions": Type("2022-05-01-preview " + _AUTHORIZATION),
    "Microsoft.BotService/botServices": Type("2023-09-15-preview 2022-09-15 2021-03-01", "global"),
    "Microsoft.BotService/botServices/channels": Type("2023-09-15-preview 2022-09-15 2021-03-01", "global"),
    "Microsoft.Cache/redis": Type(_CACHE, _REGION, _S.ITSELF, _S.LOCATION, points_home=True),
    "Microsoft.Cache/redis/firewallRules": Type(_CACHE),
    "Microsoft.Cache/redisEnterprise": Type("2025-07-01 2025-04-01 2024-10-01 2024-02-01", _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Cache/redisEnterprise/databases": Type(
        "2025-07-01 2025-04-01 2024-10-01 2024-02-01", "", _S.STATUS, _S.BOTH
    ),
    "Microsoft.Communication/communicationServices": Type(_COMMUNICATION, "global", _S.STATUS, _S.LOCATION),
    "Microsoft.Communication/emailServices": Type(_COMMUNICATION, "global", _S.STATUS, _S.LOCATION),
    "Microsoft.Communication/emailServices/domains": Type(_COMMUNICATION, "global", _S.STATUS, _S.LOCATION),
    "Microsoft.Communication/emailServices/domains/senderUsernames": Type(_COMMUNICATION),
    "Microsoft.Consumption/budgets": Type("2024-08-01 2023-11-01 2023-05-01 2021-10-01 2019-10-01"),
    "Microsoft.ContainerRegistry/registries": Type(_REGISTRY, _REGION, _S.STATUS, _S.LOCATION),
    "Microsoft.ContainerService/managedClusters": Type(_CLUSTER, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.ContainerService/managedClusters/agentPools": Type(_CLUSTER, "", _S.STATUS, _S.BOTH),
    "Microsoft.DBforPostgreSQL/flexibleServers": Type(_POSTGRES, _REGION, _S.BOTH, _S.BOTH),
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators": Type(_POSTGRES, "", _S.BOTH, _S.BOTH),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": Type(_POSTGRES, "", _S.BOTH),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": Type(_POSTGRES, "", _S.BOTH, _S.BOTH),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": Type(_POSTGRES, "", _S.BOTH, _S.BOTH),
    "Microsoft.DocumentDB/databaseAccounts": Type(_COSMOS, _REGION, _S.STATUS, _S.BOTH, creates=200),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": Type(_COSMOS, "", _S.BOTH, _S.BOTH),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": Type(_COSMOS, "", _S.BOTH, _S.BOTH),
    "Microsoft.Insights/actionGroups": Type("2024-10-01-preview 2023-09-01-preview 2023-01-01 2022-06-01", "global"),
    "Microsoft.Insights/components": Type("2020-02-02 2018-05-01-preview 2015-05-01", _REGION, creates=200),
    "Microsoft.Insights/diagnosticSettings": Type("2021-05-01-preview 2017-05-01-preview", creates=200),
    "Microsoft.Insights/metricAlerts": Type("2024-03-01-preview 2018-03-01", "global", creates=200),
    "Microsoft.Insights/scheduledQueryRules": Type("2023-12-01 2023-03-15-preview 2022-06-15 2021-08-01", _REGION),
    "Microsoft.Insights/webtests": Type("2022-06-15 2018-05-01-preview 2015-05-01", _REGION, creates=200),
    "Microsoft.KeyVault/vaults": Type(_VAULT, _REGION, creates=200),
    "Microsoft.KeyVault/vaults/secrets": Type(_VAULT),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Type(_IDENTITY, _REGION, points_home=True),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": Type(_IDENTITY),
    "Microsoft.Network/dnsZones": Type(_DNS, "global", deletes=_S.BOTH),
    **{f"Microsoft.Network/dnsZones/{kind}": Type(_DNS) for kind in _RECORDS.split()},
    "Microsoft.Network/natGateways": Type(_NETWORK, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Network/networkSecurityGroups": Type(_NETWORK, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Network/networkSecurityGroups/securityRules": Type(_NETWORK, "", _S.STATUS, _S.BOTH),
    "Microsoft.Network/privateDnsZones": Type(_PRIVATE_DNS, "global", _S.BOTH, _S.BOTH),
    "Microsoft.Network/privateDnsZones/A": Type(_PRIVATE_DNS),
    "Microsoft.Network/privateDnsZones/CNAME": Type(_PRIVATE_DNS),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": Type(_PRIVATE_DNS, "global", _S.BOTH, _S.BOTH),
    "Microsoft.Network/privateEndpoints": Type(_NETWORK, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Network/publicIPAddresses": Type(_NETWORK, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Network/virtualNetworks": Type(_NETWORK, _REGION, _S.STATUS, _S.BOTH),
    "Microsoft.Network/virtualNetworks/subnets": Type(_NETWORK, "", _S.STATUS, _S.BOTH),
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": Type(_NETWORK, "", _S.STATUS, _S.BOTH),
    "Microsoft.OperationalInsights/workspaces": Type("2025-07-01 2023-09-01 2022-10-01 2021-06-01", _REGION, _S.ITSELF),
    "Microsoft.Portal/dashboards": Type("2022-12-01-preview 2020-09-01-preview 2019-01-01-preview", _REGION),
    "Microsoft.Resources/deployments": Type(_RESOURCES),
    "Microsoft.Resources/resourceGroups": Type(_RESOURCES, _REGION),
    "Microsoft.ServiceBus/namespaces": Type(_BUS, _REGION, _S.ITSELF, _S.LOCATION),
    "Microsoft.ServiceBus/namespaces/authorizationRules": Type(_BUS, creates=200),
    "Microsoft.ServiceBus/namespaces/queues": Type(_BUS, creates=200),
    "Microsoft.ServiceBus/namespaces/topics": Type(_BUS, creates=200),
    "Microsoft.ServiceBus/namespaces/topics/subscriptions": Type(_BUS, creates=200),
    "Microsoft.Storage/storageAccounts": Type(_STORAGE, _REGION, _S.LOCATION),
    "Microsoft.Storage/storageAccounts/blobServices": Type(_STORAGE, creates=200),
    "Microsoft.Storage/storageAccounts/blobServices/containers": Type(_STORAGE),
    "Microsoft.Storage/storageAccounts/fileServices": Type(_STORAGE, creates=200),
    "Microsoft.Storage/storageAccounts/fileServices/shares": Type(_STORAGE),
    "Microsoft.Web/certificates": Type(_WEB, _REGION, creates=200),
    "Microsoft.Web/serverfarms": Type(_WEB, _REGION, creates=200),
    "Microsoft.Web/sites": Type(_WEB, _REGION, creates=200),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": Type(_WEB, creates=200),
    "Microsoft.Web/sites/config": Type(_WEB, creates=200),
    "Microsoft.Web/sites/deployments": Type(_WEB, creates=200),
    "Microsoft.Web/sites/deploymentStatus": Type(_WEB, creates=200),
    "Microsoft.Web/sites/hostNameBindings": Type(_WEB, creates=200),
    "Microsoft.Web/sites/slots": Type(_WEB, _REGION, creates=200),
    "Microsoft.Web/sites/slots/basicPublishingCredentialsPolicies": Type(_WEB, creates=200),
    "Microsoft.Web/sites/slots/config": Type(_WEB, creates=200),
    "Microsoft.Web/sites/slots/deployments": Type(_WEB, creates=200),
    "Microsoft.Web/sites/slots/deploymentStatus": Type(_WEB, creates=200),
    "Microsoft.Web/sites/slots/hostNameBindings": Type(_WEB, creates=200),
    "Microsoft.Web/staticSites": Type(
        _WEB, "centralus eastasia eastus2 westeurope westus2", deletes=_S.LOCATION, creates=200
    ),
    "Microsoft.Web/staticSites/builds": Type(_WEB, creates=200),
    "Microsoft.Web/staticSites/config": Type(_WEB, creates=200),
    "Microsoft.Web/staticSites/customDomains": Type(_WEB, creates=200),
}
"""Every type, as Azure spells it."""

_BY_LOWER = {name.lower(): each for name, each in TYPES.items()}
_SPELLED = {name.lower(): name for name in TYPES}
NAMESPACES = tuple(sorted({name.partition("/")[0] for name in TYPES}))
"""Every provider."""


def find(kind: str) -> Type | None:
    """The type called so, in any case; None when nobody offers it."""
    return _BY_LOWER.get(kind.lower())


def spelled(kind: str) -> str:
    """The type as Azure spells it, or as it came."""
    return _SPELLED.get(kind.lower(), kind)


def of(namespace: str) -> Mapping[str, Type]:
    """The types of one provider, by their name below it."""
    start = f"{namespace}/".lower()
    return {name.partition("/")[2]: each for name, each in TYPES.items() if name.lower().startswith(start)}


def regions_of(each: Type) -> tuple[str, ...]:
    """Where a type may be."""
    if each.place == _REGION:
        return REGIONS
    return tuple(each.place.split())

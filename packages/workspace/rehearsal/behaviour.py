"""What Azure itself computes: complete a resource, as it was asked for, with the values only the service can give.

Everything is derived from the resource's id, so the same resource has the same addresses and identities in every
rehearsal, whichever tool created it. Values that are there already stay.
"""

import base64
import copy
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from workspace.rehearsal.cloud import Resource, ResourceId, parse

TENANT = "00000000-7e4e-4a15-a100-000000000000"
"""The tenant of every rehearsal."""

_SPACE = uuid.UUID("6f1d3c0e-2a55-5c0b-9a6e-7265686561ff")
_ZONE_ENDINGS = ("com", "net", "org", "info")
_FULL_NAME_TYPES = {"microsoft.web/sites/slots", "microsoft.web/sites/hostnamebindings"}
_WITHOUT_STATE = {
    "microsoft.authorization/roleassignments",
    "microsoft.documentdb/databaseaccounts/sqldatabases",
    "microsoft.documentdb/databaseaccounts/sqldatabases/containers",
    "microsoft.insights/diagnosticsettings",
    "microsoft.keyvault/vaults/secrets",
    "microsoft.network/dnszones",
    "microsoft.web/certificates",
    "microsoft.web/sites",
    "microsoft.web/sites/config",
    "microsoft.web/sites/hostnamebindings",
    "microsoft.web/sites/slots",
    "microsoft.web/sites/slots/config",
}

Properties = dict[str, Any]
Completion = Callable[[ResourceId, Resource, Properties], None]


def complete(resource: Resource) -> Resource:
    """A copy of the resource as Azure would answer for it once it is made; needs only `id`."""
    done = copy.deepcopy(resource)
    place = parse(done["id"])
    kind = place.type.lower()
    done["name"] = "/".join(place.names) if kind in _FULL_NAME_TYPES else place.name
    done.setdefault("type", place.type)
    properties = done["properties"] = done.get("properties") or {}
    _identify(place, done)
    if kind in _COMPLETIONS:
        _COMPLETIONS[kind](place, done, properties)
    if kind not in _WITHOUT_STATE:
        properties["provisioningState"] = "Succeeded"
    return done


def secrets(resource: Resource, action: str) -> dict[str, Any] | None:
    """What a `list…` action (`listKeys`, `listConnectionStrings` …) answers; None where the type has no such action."""
    place = parse(resource["id"])
    answer = _SECRETS.get((place.type.lower(), action.lower()))
    return answer(place.name, resource["id"]) if answer else None


def unique(resource_id: str, purpose: str = "") -> str:
    """The same made-up GUID for the same id and purpose, today and tomorrow."""
    return str(uuid.uuid5(_SPACE, f"{resource_id.lower()}#{purpose}"))


def caller(subscription: str) -> str:
    """The object id of the identity that signs in to a rehearsal, whichever tool it works with."""
    return unique(f"/subscriptions/{subscription}", "object")


def key(resource_id: str, purpose: str = "") -> str:
    """A made-up account key: 64 bytes in base64 that say nothing about anything real."""
    return base64.b64encode(hashlib.sha512(f"{resource_id.lower()}#{purpose}".encode()).digest()).decode()


def _short(resource_id: str, purpose: str, length: int) -> str:
    return unique(resource_id, purpose).replace("-", "")[:length]


def _identify(place: ResourceId, resource: Resource) -> None:
    identity = resource.get("identity")
    if not isinstance(identity, dict):
        return
    if "systemassigned" in str(identity.get("type", "")).lower().replace(" ", ""):
        identity.setdefault("principalId", unique(resource["id"], "principal"))
        identity.setdefault("tenantId", TENANT)
    for assigned, details in (identity.get("userAssignedIdentities") or {}).items():
        made = {"principalId": unique(assigned, "principal"), "clientId": unique(assigned, "client")}
        identity["userAssignedIdentities"][assigned] = {**made, **(details or {})}


def _site(place: ResourceId, resource: Resource, properties: Properties) -> None:
    host = "-".join(place.names).lower() + ".azurewebsites.net"
    scm = "-".join(place.names).lower() + ".scm.azurewebsites.net"
    resource.setdefault("kind", "app")
    properties.setdefault("state", "Running")
    properties.setdefault("enabled", True)
    properties.setdefault("availabilityState", "Normal")
    properties.setdefault("defaultHostName", host)
    properties.setdefault("hostNames", [host])
    properties.setdefault("enabledHostNames", [host, scm])
    properties.setdefault("repositorySiteName", place.names[0])
    properties.setdefault("hostNameSslStates", [_ssl(host, "Standard"), _ssl(scm, "Repository")])
    properties.setdefault("outboundIpAddresses", _address(resource["id"]))
    # one subscription proves ownership of a host with one value, whichever of its sites asks
    verification = hashlib.sha256(f"{place.subscription.lower()}#ownership".encode()).hexdigest()
    properties.setdefault("customDomainVerificationId", verification.upper())
    properties.setdefault("resourceGroup", place.group)


def _ssl(host: str, kind: str) -> dict[str, str]:
    return {"name": host, "sslState": "Disabled", "hostType": kind}


def _static_site(place: ResourceId, resource: Resource, properties: Properties) -> None:
    host = f"rehearsal-{place.name.lower()}-{_short(resource['id'], 'host', 8)}.2.azurestaticapps.net"
    properties.setdefault("defaultHostname", host)
    properties.setdefault("customDomains", [])
    properties.setdefault(
        "contentDistributionEndpoint", "https://content-rehearsal.infrastructure.2.azurestaticapps.net"
    )
    properties.setdefault("stagingEnvironmentPolicy", "Enabled")
    properties.setdefault("allowConfigFileUpdates", True)
    properties.setdefault("provider", "None")


def _plan(place: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("serverFarmId", int(_short(resource["id"], "farm", 6), 16))
    properties.setdefault("name", place.name)
    properties.setdefault("status", "Ready")
    properties.setdefault("geoRegion", resource.get("location", ""))
    properties.setdefault("resourceGroup", place.group)
    resource.setdefault("kind", "app")


def _vault(place: ResourceId, _: Resource, properties: Properties) -> None:
    properties.setdefault("vaultUri", f"https://{place.name.lower()}.vault.azure.net/")
    properties.setdefault("tenantId", TENANT)
    properties.setdefault("sku", {"family": "A", "name": "standard"})
    properties.setdefault("accessPolicies", [])
    properties.setdefault("enableSoftDelete", True)
    properties.setdefault("softDeleteRetentionInDays", 90)


def _vault_secret(place: ResourceId, resource: Resource, properties: Properties) -> None:
    vault, name = place.names[0].lower(), place.names[-1]
    versioned = f"https://{vault}.vault.azure.net/secrets/{name}/{_short(resource['id'], 'version', 32)}"
    properties.setdefault("secretUri", versioned.rsplit("/", 1)[0])
    properties.setdefault("secretUriWithVersion", versioned)


def _registry(place: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("loginServer", f"{place.name.lower()}.azurecr.io")
    properties.setdefault("adminUserEnabled", False)
    resource.setdefault("sku", {"name": "Basic"})
    resource["sku"].setdefault("tier", resource["sku"].get("name"))


def _cluster(place: ResourceId, resource: Resource, properties: Properties) -> None:
    location = str(resource.get("location", "eastus")).lower().replace(" ", "")
    prefix = properties.setdefault("dnsPrefix", place.name)
    # whoever leaves the version to Azure sends none, or an empty one
    version = properties["kubernetesVersion"] = properties.get("kubernetesVersion") or "1.35"
    current = version if version.count(".") > 1 else f"{version}.0"
    nodes = properties.setdefault("nodeResourceGroup", f"MC_{place.group}_{place.name}_{location}"[:80])
    properties.setdefault("currentKubernetesVersion", current)
    fqdn = f"{prefix}-{_short(resource['id'], 'fqdn', 8)}.hcp.{location}.azmk8s.io".lower()
    properties.setdefault("fqdn", fqdn)
    properties.setdefault("azurePortalFQDN", fqdn.replace(".hcp.", ".portal.hcp."))
    properties.setdefault("powerState", {"code": "Running"})
    properties.setdefault("enableRBAC", True)
    properties.setdefault("maxAgentPools", 100)
    issuer = f"https://{location}.oic.prod-aks.azure.com/{TENANT}/{unique(resource['id'], 'issuer')}/"
    if (properties.get("oidcIssuerProfile") or {}).get("enabled"):
        properties["oidcIssuerProfile"].setdefault("issuerURL", issuer)
    kubelet = f"/subscriptions/{place.subscription}/resourceGroups/{nodes}/providers/"
    kubelet += f"Microsoft.ManagedIdentity/userAssignedIdentities/{place.name}-agentpool"
    properties.setdefault("identityProfile", {}).setdefault("kubeletidentity", _kubelet_identity(kubelet))
    for pool in properties.setdefault("agentPoolProfiles", []):
        _agent_pool(pool, version, current)


def _kubelet_identity(resource_id: str) -> dict[str, str]:
    client, principal = unique(resource_id, "client"), unique(resource_id, "principal")
    return {"resourceId": resource_id, "clientId": client, "objectId": principal}


def _agent_pool(pool: dict[str, Any], version: str, current: str) -> None:
    pool.setdefault("orchestratorVersion", version)
    pool.setdefault("currentOrchestratorVersion", current)
    pool.setdefault("powerState", {"code": "Running"})
    pool["provisioningState"] = "Succeeded"


def _cluster_pool(_: ResourceId, __: Resource, properties: Properties) -> None:
    version = properties.get("orchestratorVersion") or "1.35"
    _agent_pool(properties, version, version if version.count(".") > 1 else f"{version}.0")


def _zone(place: ResourceId, resource: Resource, properties: Properties) -> None:
    shelf = int(_short(resource["id"], "shelf", 2), 16) % 8 + 1
    servers = [f"ns{number}-0{shelf}.azure-dns.{ending}." for number, ending in enumerate(_ZONE_ENDINGS, start=1)]
    resource.setdefault("location", "global")
    properties.setdefault("nameServers", servers)
    properties.setdefault("zoneType", "Public")
    properties.setdefault("maxNumberOfRecordSets", 10000)
    properties.setdefault("numberOfRecordSets", 2)


def _address(resource_id: str) -> str:
    """An address of its own for every id, on the loopback network the rehearsal listens on."""
    number = int(_short(resource_id, "address", 8), 16) % (254 * 254)
    return f"127.77.{number // 254 + 1}.{number % 254 + 1}"


def _public_address(place: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("ipAddress", _address(resource["id"]))
    properties.setdefault("publicIPAllocationMethod", "Static")
    settings = properties.get("dnsSettings")
    if isinstance(settings, dict) and settings.get("domainNameLabel"):
        label, location = settings["domainNameLabel"], resource.get("location", "eastus")
        settings.setdefault("fqdn", f"{label}.{location}.cloudapp.azure.com")


def _user_identity(_: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("principalId", unique(resource["id"], "principal"))
    properties.setdefault("clientId", unique(resource["id"], "client"))
    properties.setdefault("tenantId", TENANT)


def _postgresql(place: ResourceId, _: Resource, properties: Properties) -> None:
    properties.setdefault("fullyQualifiedDomainName", f"{place.name.lower()}.postgres.database.azure.com")
    properties.setdefault("state", "Ready")
    properties.pop("administratorLoginPassword", None)


def _redis(place: ResourceId, _: Resource, properties: Properties) -> None:
    properties.setdefault("hostName", f"{place.name.lower()}.redis.cache.windows.net")
    properties.setdefault("port", 6379)
    properties.setdefault("sslPort", 6380)
    properties.setdefault("redisVersion", "6.0")


def _managed_redis(place: ResourceId, resource: Resource, properties: Properties) -> None:
    location = str(resource.get("location", "eastus")).lower().replace(" ", "")
    properties.setdefault("hostName", f"{place.name.lower()}.{location}.redis.azure.net")
    properties.setdefault("resourceState", "Running")
    properties.setdefault("redisVersion", "7.4")


def _managed_redis_database(_: ResourceId, __: Resource, properties: Properties) -> None:
    properties.setdefault("port", 10000)
    properties.setdefault("clientProtocol", "Encrypted")
    properties.setdefault("resourceState", "Running")


def _log_workspace(_: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("customerId", unique(resource["id"], "customer"))
    properties.setdefault("sku", {"name": "PerGB2018"})
    properties.setdefault("retentionInDays", 30)


def _insights(place: ResourceId, resource: Resource, properties: Properties) -> None:
    instrumentation = properties.setdefault("InstrumentationKey", unique(resource["id"], "instrumentation"))
    application = properties.setdefault("AppId", unique(resource["id"], "application"))
    location = str(resource.get("location", "eastus")).lower().replace(" ", "")
    endpoint = f"https://{location}-0.in.applicationinsights.azure.com/"
    connection = f"InstrumentationKey={instrumentation};IngestionEndpoint={endpoint};ApplicationId={application}"
    properties.setdefault("ConnectionString", connection)
    properties.setdefault("Application_Type", "web")
    properties.setdefault("ApplicationId", place.name)
    properties.setdefault("TenantId", place.subscription)


def _storage(place: ResourceId, resource: Resource, properties: Properties) -> None:
    location = resource.get("location", "")
    services = ("blob", "queue", "table", "file", "dfs")
    endpoints = {each: f"https://{place.name.lower()}.{each}.core.windows.net/" for each in services}
    endpoints["web"] = f"https://{place.name.lower()}.z1.web.core.windows.net/"
    properties.setdefault("primaryEndpoints", endpoints)
    properties.setdefault("primaryLocation", location)
    properties.setdefault("statusOfPrimary", "available")
    properties.setdefault("accessTier", "Hot")
    properties.setdefault("supportsHttpsTrafficOnly", True)
    resource.setdefault("sku", {"name": "Standard_LRS"})
    resource["sku"].setdefault("tier", str(resource["sku"].get("name", "")).split("_")[0])


def _cosmos(place: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("documentEndpoint", f"https://{place.name.lower()}.documents.azure.com:443/")
    properties.setdefault("databaseAccountOfferType", "Standard")
    resource.setdefault("kind", "GlobalDocumentDB")


def _bus(place: ResourceId, _: Resource, properties: Properties) -> None:
    properties.setdefault("serviceBusEndpoint", f"https://{place.name.lower()}.servicebus.windows.net:443/")
    properties.setdefault("status", "Active")


def _communication(place: ResourceId, resource: Resource, properties: Properties) -> None:
    resource.setdefault("location", "global")
    properties.setdefault("hostName", f"{place.name.lower()}.europe.communication.azure.com")
    properties.setdefault("immutableResourceId", unique(resource["id"], "immutable"))
    properties.setdefault("version", "1.0.0")


def _mail_domain(place: ResourceId, _: Resource, properties: Properties) -> None:
    properties.setdefault("fromSenderDomain", place.name)
    properties.setdefault("mailFromSenderDomain", place.name)


def _bot(place: ResourceId, resource: Resource, properties: Properties) -> None:
    resource.setdefault("location", "global")
    properties.setdefault("displayName", place.name)
    properties.setdefault("configuredChannels", ["webchat", "directline"])


def _network_card(place: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("resourceGuid", unique(resource["id"], "guid"))
    for subnet in properties.get("subnets") or []:
        subnet.setdefault("id", f"{resource['id']}/subnets/{subnet.get('name', '')}")
        subnet.setdefault("properties", {})["provisioningState"] = "Succeeded"


def _role_assignment(_: ResourceId, resource: Resource, properties: Properties) -> None:
    properties.setdefault("scope", resource["id"].rsplit("/providers/", 1)[0])
    properties.setdefault("principalType", "ServicePrincipal")


_COMPLETIONS: dict[str, Completion] = {
    "microsoft.authorization/roleassignments": _role_assignment,
    "microsoft.botservice/botservices": _bot,
    "microsoft.cache/redis": _redis,
    "microsoft.cache/redisenterprise": _managed_redis,
    "microsoft.cache/redisenterprise/databases": _managed_redis_database,
    "microsoft.communication/communicationservices": _communication,
    "microsoft.communication/emailservices/domains": _mail_domain,
    "microsoft.containerregistry/registries": _registry,
    "microsoft.containerservice/managedclusters": _cluster,
    "microsoft.containerservice/managedclusters/agentpools": _cluster_pool,
    "microsoft.dbforpostgresql/flexibleservers": _postgresql,
    "microsoft.documentdb/databaseaccounts": _cosmos,
    "microsoft.insights/components": _insights,
    "microsoft.keyvault/vaults": _vault,
    "microsoft.keyvault/vaults/secrets": _vault_secret,
    "microsoft.managedidentity/userassignedidentities": _user_identity,
    "microsoft.network/dnszones": _zone,
    "microsoft.network/publicipaddresses": _public_address,
    "microsoft.network/virtualnetworks": _network_card,
    "microsoft.operationalinsights/workspaces": _log_workspace,
    "microsoft.servicebus/namespaces": _bus,
    "microsoft.storage/storageaccounts": _storage,
    "microsoft.web/serverfarms": _plan,
    "microsoft.web/sites": _site,
    "microsoft.web/sites/slots": _site,
    "microsoft.web/staticsites": _static_site,
}


def _storage_keys(_: str, resource_id: str) -> dict[str, Any]:
    names = ("key1", "key2")
    return {"keys": [{"keyName": each, "value": key(resource_id, each), "permissions": "FULL"} for each in names]}


def _cosmos_keys(_: str, resource_id: str) -> dict[str, Any]:
    names = ("primaryMasterKey", "secondaryMasterKey", "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey")
    return {each: key(resource_id, each) for each in names}


def _cosmos_strings(name: str, resource_id: str) -> dict[str, Any]:
    account = key(resource_id, "primaryMasterKey")
    text = f"AccountEndpoint=https://{name.lower()}.documents.azure.com:443/;AccountKey={account};"
    return {"connectionStrings": [{"connectionString": text, "description": "Primary SQL Connection String"}]}


def _communication_keys(name: str, resource_id: str) -> dict[str, Any]:
    primary, secondary = key(resource_id, "primary"), key(resource_id, "secondary")
    endpoint = f"endpoint=https://{name.lower()}.europe.communication.azure.com/;accesskey="
    strings = {"primaryConnectionString": endpoint + primary, "secondaryConnectionString": endpoint + secondary}
    return {"primaryKey": primary, "secondaryKey": secondary, **strings}


def _two_keys(_: str, resource_id: str) -> dict[str, Any]:
    return {"primaryKey": key(resource_id, "primary"), "secondaryKey": key(resource_id, "secondary")}


def _log_keys(_: str, resource_id: str) -> dict[str, Any]:
    primary, secondary = key(resource_id, "primary"), key(resource_id, "secondary")
    return {"primarySharedKey": primary, "secondarySharedKey": secondary}


def _bus_keys(name: str, resource_id: str) -> dict[str, Any]:
    primary = key(resource_id, "primary")
    endpoint = (
        f"Endpoint=sb://{name.lower()}.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={primary}"
    )
    return {"primaryKey": primary, "primaryConnectionString": endpoint}


_SECRETS: dict[tuple[str, str], Callable[[str, str], dict[str, Any]]] = {
    ("microsoft.cache/redis", "listkeys"): _two_keys,
    ("microsoft.cache/redisenterprise/databases", "listkeys"): _two_keys,
    ("microsoft.communication/communicationservices", "listkeys"): _communication_keys,
    ("microsoft.documentdb/databaseaccounts", "listconnectionstrings"): _cosmos_strings,
    ("microsoft.documentdb/databaseaccounts", "listkeys"): _cosmos_keys,
    ("microsoft.operationalinsights/workspaces", "sharedkeys"): _log_keys,
    ("microsoft.servicebus/namespaces/authorizationrules", "listkeys"): _bus_keys,
    ("microsoft.storage/storageaccounts", "listkeys"): _storage_keys,
}

"""What Azure computes, computed the same way every time."""

import re
from typing import Any

import pytest
from workspace.rehearsal import behaviour

GROUP = "/subscriptions/s1/resourceGroups/g1/providers/"


def made(path: str, **parts: Any) -> dict[str, Any]:
    return behaviour.complete({"id": GROUP + path, "location": "eastus", **parts})


def at(resource: dict[str, Any], path: str) -> Any:
    value: Any = resource
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else value[part]
    return value


COMPUTED = [
    ("Microsoft.Web/sites/api", "properties.defaultHostName", r"api\.azurewebsites\.net"),
    ("Microsoft.Web/sites/api/slots/staging", "properties.defaultHostName", r"api-staging\.azurewebsites\.net"),
    ("Microsoft.Web/sites/api", "properties.customDomainVerificationId", r"[0-9A-F]{64}"),
    ("Microsoft.Web/sites/api", "properties.state", "Running"),
    ("Microsoft.Web/staticSites/pwa", "properties.defaultHostname", r"rehearsal-pwa-\w{8}\.2\.azurestaticapps\.net"),
    ("Microsoft.Web/serverfarms/plan", "properties.status", "Ready"),
    ("Microsoft.KeyVault/vaults/v1", "properties.vaultUri", r"https://v1\.vault\.azure\.net/"),
    ("Microsoft.ContainerRegistry/registries/acr", "properties.loginServer", r"acr\.azurecr\.io"),
    ("Microsoft.ContainerService/managedClusters/k", "properties.fqdn", r"k-\w{8}\.hcp\.eastus\.azmk8s\.io"),
    ("Microsoft.ContainerService/managedClusters/k", "properties.nodeResourceGroup", "MC_g1_k_eastus"),
    (
        "Microsoft.ContainerService/managedClusters/k",
        "properties.identityProfile.kubeletidentity.clientId",
        "[0-9a-f-]{36}",
    ),
    ("Microsoft.ContainerService/managedClusters/k", "properties.currentKubernetesVersion", r"1\.\d+\.0"),
    ("Microsoft.Network/dnszones/a.test", "properties.nameServers.0", r"ns1-0\d\.azure-dns\.com\."),
    ("Microsoft.Network/dnszones/a.test", "properties.nameServers.3", r"ns4-0\d\.azure-dns\.info\."),
    ("Microsoft.Network/publicIPAddresses/ip", "properties.ipAddress", r"127\.77\.\d+\.\d+"),
    ("Microsoft.ManagedIdentity/userAssignedIdentities/i", "properties.principalId", "[0-9a-f-]{36}"),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers/p",
        "properties.fullyQualifiedDomainName",
        r"p\.postgres\.database\.azure\.com",
    ),
    ("Microsoft.Cache/redis/r", "properties.hostName", r"r\.redis\.cache\.windows\.net"),
    ("Microsoft.Cache/redisEnterprise/r", "properties.hostName", r"r\.eastus\.redis\.azure\.net"),
    ("Microsoft.OperationalInsights/workspaces/l", "properties.customerId", "[0-9a-f-]{36}"),
    ("Microsoft.Insights/components/a", "properties.ConnectionString", "InstrumentationKey=[0-9a-f-]{36};.*"),
    (
        "Microsoft.Storage/storageAccounts/st",
        "properties.primaryEndpoints.blob",
        r"https://st\.blob\.core\.windows\.net/",
    ),
    (
        "Microsoft.DocumentDB/databaseAccounts/c",
        "properties.documentEndpoint",
        r"https://c\.documents\.azure\.com:443/",
    ),
    ("Microsoft.ServiceBus/namespaces/b", "properties.serviceBusEndpoint", r"https://b\.servicebus\.windows\.net:443/"),
]


@pytest.mark.parametrize(("path", "where", "expected"), COMPUTED)
def test_azure_computes_it(path: str, where: str, expected: str) -> None:
    assert re.fullmatch(expected, at(made(path), where))


def test_the_same_resource_is_completed_the_same_way_whatever_the_case_of_its_id() -> None:
    one = made("Microsoft.ContainerService/managedClusters/k")
    other = behaviour.complete({"id": one["id"].replace("resourceGroups", "resourcegroups"), "location": "eastus"})
    assert one["properties"]["fqdn"] == other["properties"]["fqdn"]


def test_two_resources_have_different_addresses() -> None:
    addresses = {at(made(f"Microsoft.Network/publicIPAddresses/ip{n}"), "properties.ipAddress") for n in range(20)}
    assert len(addresses) == 20


def test_completing_twice_changes_nothing_and_what_was_asked_for_stays() -> None:
    asked = made("Microsoft.Web/sites/api", properties={"state": "Stopped", "httpsOnly": True})
    assert behaviour.complete(asked) == asked
    assert asked["properties"]["state"] == "Stopped"


def test_a_system_identity_gets_a_principal_and_a_user_identity_keeps_its_own() -> None:
    identity = made("Microsoft.ManagedIdentity/userAssignedIdentities/i")
    site = made(
        "Microsoft.Web/sites/api",
        identity={"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity["id"]: {}}},
    )
    assert site["identity"]["principalId"] != identity["properties"]["principalId"]
    told = site["identity"]["userAssignedIdentities"][identity["id"]]
    assert told == {k: identity["properties"][k] for k in ("principalId", "clientId")}


def test_the_issuer_is_there_when_it_was_asked_for() -> None:
    asked = {"oidcIssuerProfile": {"enabled": True}, "agentPoolProfiles": [{"name": "system"}]}
    cluster = made("Microsoft.ContainerService/managedClusters/k", properties=asked)
    assert at(cluster, "properties.oidcIssuerProfile.issuerURL").startswith("https://eastus.oic.prod-aks.azure.com/")
    assert at(cluster, "properties.agentPoolProfiles.0.provisioningState") == "Succeeded"


def test_everything_ends_well_and_has_the_name_and_type_of_its_id() -> None:
    made_up = made("Microsoft.Anything/things/one")
    assert (made_up["name"], made_up["type"]) == ("one", "Microsoft.Anything/things")
    assert made_up["properties"] == {"provisioningState": "Succeeded"}
    assert made("Microsoft.Web/sites/api/slots/staging")["name"] == "api/staging"


@pytest.mark.parametrize(
    ("path", "action", "where"),
    [
        ("Microsoft.Storage/storageAccounts/st", "listKeys", "keys.0.value"),
        ("Microsoft.DocumentDB/databaseAccounts/c", "listConnectionStrings", "connectionStrings.0.connectionString"),
        ("Microsoft.Communication/communicationServices/m", "listKeys", "primaryConnectionString"),
    ],
)
def test_keys_are_listed_for_the_types_that_have_them(path: str, action: str, where: str) -> None:
    answer = behaviour.secrets(made(path), action)
    assert answer is not None
    assert at(answer, where)
    assert behaviour.secrets(made("Microsoft.Web/sites/api"), action) is None

"""The attributes of azurerm resources that nobody asks for: keys, addresses and connection strings.

Azure's own part is in `behaviour`; here is what the plugin makes of it, the same in every rehearsal.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from workspace.rehearsal import behaviour
from workspace.rehearsal.azurerm_bodies import get
from workspace.rehearsal.azurerm_wire import UNKNOWN, Values
from workspace.rehearsal.cloud import Cloud, Resource, parse

_STORAGE_SERVICES = ("blob", "dfs", "file", "queue", "table", "web")


def computed(kind: str, arm_id: str, attributes: Values, resource: Resource, cloud: Cloud) -> Values:
    """Values by attribute path; the plugin takes those that are still unknown."""
    make = _COMPUTED.get(kind)
    made = make(arm_id, attributes, resource) if make else {}
    if kind == "azurerm_private_endpoint":
        made |= _endpoint_address(arm_id, attributes, cloud)
    identity = resource.get("identity")
    if isinstance(identity, dict):
        made["identity.0.principal_id"] = identity.get("principalId", "")
        made["identity.0.tenant_id"] = identity.get("tenantId", "")
    return made


def _storage(arm_id: str, attributes: Values, resource: Resource) -> Values:
    keys = [behaviour.key(arm_id, name) for name in ("key1", "key2")]
    suffix = "EndpointSuffix=core.windows.net"
    account = f"DefaultEndpointsProtocol=https;AccountName={parse(arm_id).name}"
    made: Values = {}
    for order, secret in zip(("primary", "secondary"), keys, strict=True):
        made[f"{order}_access_key"] = secret
        made[f"{order}_connection_string"] = f"{account};AccountKey={secret};{suffix}"
    made["primary_blob_connection_string"] = f"{made['primary_connection_string']}"
    for service in _STORAGE_SERVICES:
        address = get(resource, f"properties.primaryEndpoints.{service}") or ""
        made[f"primary_{service}_host"] = address.removeprefix("https://").rstrip("/")
    return made


def _bus(arm_id: str, attributes: Values, resource: Resource) -> Values:
    rule = f"{arm_id}/authorizationRules/RootManageSharedAccessKey"
    host = f"{parse(arm_id).name.lower()}.servicebus.windows.net"
    made: Values = {}
    for order in ("primary", "secondary"):
        secret = behaviour.key(rule, order)
        made[f"default_{order}_key"] = secret
        made[f"default_{order}_connection_string"] = (
            f"Endpoint=sb://{host}/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={secret}"
        )
    return made


def _redis(arm_id: str, attributes: Values, resource: Resource) -> Values:
    host, port = get(resource, "properties.hostName"), get(resource, "properties.sslPort")
    made: Values = {}
    for order in ("primary", "secondary"):
        secret = behaviour.key(arm_id, order)
        made[f"{order}_access_key"] = secret
        made[f"{order}_connection_string"] = f"{host}:{port},password={secret},ssl=True,abortConnect=False"
    return made | {"redis_configuration.0.maxclients": 1000, "redis_configuration.0.maxmemory_policy": "volatile-lru"}


def _managed_redis(arm_id: str, attributes: Values, resource: Resource) -> Values:
    database = f"{arm_id}/databases/default"
    with_keys = get(attributes, "default_database.0.access_keys_authentication_enabled") is True
    return {
        "default_database.0.id": database,
        "default_database.0.port": 10000,
        "default_database.0.primary_access_key": behaviour.key(database, "primary") if with_keys else "",
        "default_database.0.secondary_access_key": behaviour.key(database, "secondary") if with_keys else "",
    }


def _log_workspace(arm_id: str, attributes: Values, resource: Resource) -> Values:
    return {f"{order}_shared_key": behaviour.key(arm_id, order) for order in ("primary", "secondary")}


def _secret(arm_id: str, attributes: Values, resource: Resource) -> Values:
    version = str(get(resource, "properties.secretUriWithVersion") or "").rsplit("/", 1)[-1]
    base = f"https://{parse(arm_id).names[0]}.vault.azure.net/secrets/{attributes['name']}"
    return {
        "id": f"{base}/{version}",
        "resource_id": f"{arm_id}/versions/{version}",
        "resource_versionless_id": arm_id,
        "version": version,
        "versionless_id": base,
    }


def _record(arm_id: str, attributes: Values, resource: Resource) -> Values:
    name, zone = attributes["name"], parse(arm_id).names[0]
    return {"fqdn": f"{zone}." if name == "@" else f"{name}.{zone}."}


def _zone(arm_id: str, attributes: Values, resource: Resource) -> Values:
    host = (get(resource, "properties.nameServers") or ["azureprivatedns.net"])[0]
    name = attributes["name"]
    times = {"expire_time": 2419200, "minimum_ttl": 300, "refresh_time": 3600, "retry_time": 300, "serial_number": 1}
    texts = {"email": "azuredns-hostmaster.microsoft.com", "fqdn": f"{name}.", "host_name": host, "ttl": 3600}
    return {f"soa_record.0.{field}": value for field, value in (times | texts).items()}


def _cluster(arm_id: str, attributes: Values, resource: Resource) -> Values:
    place, fqdn = parse(arm_id), get(resource, "properties.fqdn")
    node_group = get(resource, "properties.nodeResourceGroup")
    account = {
        "client_certificate": "",
        "client_key": "",
        "cluster_ca_certificate": "",
        "host": f"https://{fqdn}:443",
        "password": behaviour.key(arm_id, "cluster"),
        "username": f"clusterUser_{place.group}_{place.name}",
    }
    return {
        "kube_config": [account],
        "kube_config_raw": f"# rehearsal: ask for credentials of {place.name}\n",
        "kube_admin_config": [],
        "kube_admin_config_raw": "",
        "node_resource_group_id": f"/subscriptions/{place.subscription}/resourceGroups/{node_group}",
        "private_fqdn": "",
        "network_profile.0.ip_versions": ["IPv4"],
    }


def _in_storage(endpoint: str) -> Callable[[str, Values, Resource], Values]:
    def make(arm_id: str, attributes: Values, resource: Resource) -> Values:
        account = parse(arm_id).names[0].lower()
        return {"url": f"https://{account}.{endpoint}.core.windows.net/{attributes['name']}"}

    return make


def _share(arm_id: str, attributes: Values, resource: Resource) -> Values:
    scope = arm_id.replace("/fileServices/default/shares/", "/fileServices/default/fileshares/")
    return _in_storage("file")(arm_id, attributes, resource) | {"rbac_scope_id": scope}


def _alert(arm_id: str, attributes: Values, resource: Resource) -> Values:
    scopes = [each for each in attributes.get("scopes") or [] if each is not UNKNOWN]
    return {"target_resource_type": parse(scopes[0]).type} if scopes else {}


def _registry(arm_id: str, attributes: Values, resource: Resource) -> Values:
    if attributes.get("admin_enabled") is not True:
        return {"admin_username": "", "admin_password": ""}
    return {"admin_username": parse(arm_id).name, "admin_password": behaviour.key(arm_id, "admin")}


def _endpoint_address(arm_id: str, attributes: Values, cloud: Cloud) -> Values:
    subnet = cloud.get(attributes.get("subnet_id") or "") or {}
    prefixes = get(subnet, "properties.addressPrefixes") or ["10.0.0.0/24"]
    offset = 4 + int(behaviour.unique(arm_id, "address")[:2], 16) % 200
    network = ipaddress.ip_network(prefixes[0])
    address = str(network[min(offset, network.num_addresses - 2)])
    card = f"{arm_id.rsplit('/', 2)[0]}/networkInterfaces/{parse(arm_id).name}-nic"
    return {
        "network_interface": [{"id": card, "name": f"{parse(arm_id).name}-nic"}],
        "private_service_connection.0.private_ip_address": address,
    }


_COMPUTED: Mapping[str, Callable[[str, Values, Resource], Values]] = {
    "azurerm_container_registry": _registry,
    "azurerm_dns_a_record": _record,
    "azurerm_dns_caa_record": _record,
    "azurerm_dns_cname_record": _record,
    "azurerm_dns_ns_record": _record,
    "azurerm_dns_txt_record": _record,
    "azurerm_dns_zone": _zone,
    "azurerm_key_vault_secret": _secret,
    "azurerm_kubernetes_cluster": _cluster,
    "azurerm_log_analytics_workspace": _log_workspace,
    "azurerm_managed_redis": _managed_redis,
    "azurerm_monitor_metric_alert": _alert,
    "azurerm_private_dns_a_record": _record,
    "azurerm_private_dns_cname_record": _record,
    "azurerm_private_dns_zone": _zone,
    "azurerm_redis_cache": _redis,
    "azurerm_servicebus_namespace": _bus,
    "azurerm_storage_account": _storage,
    "azurerm_storage_container": _in_storage("blob"),
    "azurerm_storage_share": _share,
}


def zero(kind: Any) -> Any:
    """What a computed attribute holds when there is nothing to say."""
    if isinstance(kind, str):
        return {"string": "", "number": 0, "bool": False}.get(kind)
    if kind[0] == "object":
        return {name: zero(inner) for name, inner in kind[1].items()}
    return {} if kind[0] == "map" else []

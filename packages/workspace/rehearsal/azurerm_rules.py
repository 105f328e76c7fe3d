"""What the azurerm plugin refuses while it plans, and what Azure refuses when it is asked: names, values, places.

The first kind becomes an error of `terraform plan`, the second of `terraform apply`, as with the real ones. Only rules
that our definitions could break are here; what is not known is let through.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workspace.rehearsal.azurerm_bodies import get
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.azurerm_wire import UNKNOWN, ProviderError, Values
from workspace.rehearsal.cloud import Cloud

_NETWORK_NAME = (r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?$", "1-80 letters, digits, dots, dashes, underscores")

_STORAGE_GIGABYTES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)

NAMES: Mapping[str, tuple[str, str]] = {
    "azurerm_container_registry": (r"^[A-Za-z0-9]{5,50}$", "5-50 letters and digits"),
    "azurerm_key_vault": (
        r"^[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]$",
        "3-24 letters, digits and single dashes, starting with a letter",
    ),
    "azurerm_key_vault_secret": (r"^[0-9A-Za-z-]{1,127}$", "1-127 letters, digits and dashes"),
    "azurerm_kubernetes_cluster": (
        r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$",
        "1-63 letters, digits, dashes and underscores",
    ),
    "azurerm_kubernetes_cluster_node_pool": (r"^[a-z][a-z0-9]{0,11}$", "1-12 lower-case letters and digits"),
    "azurerm_log_analytics_workspace": (
        r"^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$",
        "4-63 letters, digits and dashes",
    ),
    "azurerm_managed_redis": (
        r"^[A-Za-z0-9](?!.*--)[A-Za-z0-9-]{0,58}[A-Za-z0-9]$",
        "1-60 letters, digits and single dashes",
    ),
    "azurerm_nat_gateway": _NETWORK_NAME,
    "azurerm_network_security_group": _NETWORK_NAME,
    # The plugin's own limit; Azure would take 160.
    "azurerm_portal_dashboard": (r"^[A-Za-z0-9-]{3,64}$", "3-64 letters, digits and dashes"),
    "azurerm_postgresql_flexible_server": (
        r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        "3-63 lower-case letters, digits and dashes",
    ),
    "azurerm_postgresql_flexible_server_database": (
        r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        "1-63 letters, digits, dashes and underscores, starting with a letter",
    ),
    "azurerm_public_ip": _NETWORK_NAME,
    "azurerm_redis_cache": (
        r"^[A-Za-z0-9](?!.*--)[A-Za-z0-9-]{0,61}[A-Za-z0-9]$",
        "1-63 letters, digits and single dashes",
    ),
    "azurerm_resource_group": (r"^[\w.()-]{0,89}[\w()-]$", "1-90 letters, digits, dashes, dots, brackets"),
    "azurerm_servicebus_namespace": (
        r"^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$",
        "6-50 letters, digits and dashes, starting with a letter",
    ),
    "azurerm_storage_account": (r"^[a-z0-9]{3,24}$", "3-24 lower-case letters and digits"),
    "azurerm_storage_container": (
        r"^(\$web|\$root|[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9])$",
        "3-63 lower-case letters, digits and single dashes",
    ),
    "azurerm_storage_share": (
        r"^[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]$",
        "3-63 lower-case letters, digits and single dashes",
    ),
    "azurerm_subnet": _NETWORK_NAME,
    "azurerm_user_assigned_identity": (
        r"^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$",
        "3-128 letters, digits, dashes and underscores",
    ),
    "azurerm_virtual_network": (
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9_]$",
        "2-64 letters, digits, dots, dashes, underscores",
    ),
}
"""What each type may be called: a pattern and the words for it."""

CHOICES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "azurerm_application_insights": {
        "application_type": ("ios", "java", "MobileCenter", "Node.JS", "other", "phone", "store", "web"),
    },
    "azurerm_container_registry": {"sku": ("Basic", "Standard", "Premium")},
    "azurerm_key_vault": {"sku_name": ("standard", "premium")},
    "azurerm_kubernetes_cluster": {
        "automatic_upgrade_channel": ("patch", "rapid", "node-image", "stable"),
        "network_profile.0.network_plugin": ("azure", "kubenet", "none"),
        "network_profile.0.network_policy": ("azure", "calico", "cilium"),
        "node_os_upgrade_channel": ("None", "Unmanaged", "SecurityPatch", "NodeImage"),
        "sku_tier": ("Free", "Standard", "Premium"),
    },
    "azurerm_managed_redis": {"public_network_access": ("Enabled", "Disabled")},
    "azurerm_postgresql_flexible_server": {
        "storage_mb": tuple(
            1024 * size for size in (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
        ),
        "version": ("11", "12", "13", "14", "15", "16", "17", "18"),
    },
    "azurerm_public_ip": {"allocation_method": ("Static", "Dynamic"), "sku": ("Basic", "Standard", "StandardV2")},
    "azurerm_redis_cache": {"family": ("C", "P"), "sku_name": ("Basic", "Standard", "Premium")},
    "azurerm_servicebus_namespace": {"sku": ("Basic", "Standard", "Premium")},
    "azurerm_storage_account": {
        "account_replication_type": ("LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"),
        "account_tier": ("Standard", "Premium"),
    },
}
"""The values an attribute may have."""

RANGES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "azurerm_key_vault": {"soft_delete_retention_days": (7, 90)},
    "azurerm_log_analytics_workspace": {"retention_in_days": (30, 730)},
    "azurerm_nat_gateway": {"idle_timeout_in_minutes": (4, 120)},
    "azurerm_postgresql_flexible_server": {"backup_retention_days": (7, 35)},
    "azurerm_servicebus_queue": {"max_delivery_count": (1, 2000)},
    "azurerm_storage_share": {"quota": (1, 102400)},
}


def check(kind: str, config: Values) -> None:
    """Refuse what the plugin itself refuses, before anything is asked."""
    name = config.get("name")
    if kind in NAMES and isinstance(name, str):
        pattern, words = NAMES[kind]
        if not re.match(pattern, name):
            raise ProviderError(f'invalid value for name "{name}": it must be {words}', attribute="name")
    for path, allowed in CHOICES.get(kind, {}).items():
        value = get(config, path)
        if value not in (None, UNKNOWN) and value not in allowed:
            expected = " ".join(f'"{each}"' for each in allowed)
            raise ProviderError(f"expected {path} to be one of [{expected}], got {value}", attribute=path.split(".")[0])
    for path, (low, high) in RANGES.get(kind, {}).items():
        value = get(config, path)
        if isinstance(value, int | float) and not low <= value <= high:
            raise ProviderError(
                f"expected {path} to be in the range ({low} - {high}), got {value}", attribute=path.split(".")[0]
            )
    if kind in _CHECKS:
        _CHECKS[kind](config)


def _is_set(config: Values, name: str) -> bool:
    return config.get(name) not in (None, [], "")


def _exactly_one(config: Values, *names: str) -> None:
    given = [name for name in names if _is_set(config, name)]
    listed = ",".join(names)
    if not given:
        raise ProviderError("Invalid combination of arguments", f'"{names[0]}": one of `{listed}` must be specified')
    if len(given) > 1:
        raise ProviderError(
            "Invalid combination of arguments", f'"{given[0]}": only one of `{listed}` can be specified, but more were'
        )


def _action_group(config: Values) -> None:
    short = config.get("short_name")
    if isinstance(short, str) and not 1 <= len(short) <= 12:
        raise ProviderError(
            f"expected length of short_name to be in the range (1 - 12), got {short}", attribute="short_name"
        )


def _dashboard(config: Values) -> None:
    text = config.get("dashboard_properties")
    try:
        json.loads(text) if isinstance(text, str) else None
    except ValueError as error:
        raise ProviderError(
            f'"dashboard_properties" contains an invalid JSON: {error}', attribute="dashboard_properties"
        ) from error


def _secret(config: Values) -> None:
    _exactly_one(config, "value", "value_wo")


def _role(config: Values) -> None:
    _exactly_one(config, "role_definition_id", "role_definition_name")


def _cluster(config: Values) -> None:
    _exactly_one(config, "dns_prefix", "dns_prefix_private_cluster")
    if config.get("workload_identity_enabled") is True and config.get("oidc_issuer_enabled") is not True:
        if config.get("oidc_issuer_enabled") is UNKNOWN:
            return
        raise ProviderError(
            "`oidc_issuer_enabled` must be set to `true` to enable Azure AD Workload Identity",
            attribute="workload_identity_enabled",
        )


def _database_server(config: Values) -> None:
    subnet, zone = config.get("delegated_subnet_id"), config.get("private_dns_zone_id")
    if subnet is not None and zone is None:
        raise ProviderError("Missing required argument", '"delegated_subnet_id": all of `private_dns_zone_id` needed')
    if config.get("create_mode") in (None, "Default"):
        password = _is_set(config, "administrator_password") or _is_set(config, "administrator_password_wo")
        authentication = config.get("authentication") or [{}]
        uses_password = authentication is UNKNOWN or authentication[0].get("password_auth_enabled") is not False
        if uses_password and not (_is_set(config, "administrator_login") and password):
            raise ProviderError(
                "`administrator_login` and `administrator_password` are required when `create_mode` is `Default` "
                "and `authentication.password_auth_enabled` is `true`"
            )


_CHECKS: Mapping[str, Callable[[Values], None]] = {
    "azurerm_key_vault_secret": _secret,
    "azurerm_kubernetes_cluster": _cluster,
    "azurerm_monitor_action_group": _action_group,
    "azurerm_portal_dashboard": _dashboard,
    "azurerm_postgresql_flexible_server": _database_server,
    "azurerm_role_assignment": _role,
}


class ServiceError(Exception):
    """What Azure answers: a status, a code, a message."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(f"unexpected status {status} with error: {code}: {message}")
        self.code = code


def bad_request(code: str, message: str) -> ServiceError:
    """Azure's answer to a request that makes no sense."""
    return ServiceError("400 (400 Bad Request)", code, message)


def not_found(code: str, message: str) -> ServiceError:
    """Azure's answer when something that must be there is not."""
    return ServiceError("404 (404 Not Found)", code, message)


def refuse(kind: str, arm_id: str, attributes: Values, cloud: Cloud) -> None:
    """Refuse what Azure refuses although the plugin let it through."""
    if kind in _REFUSALS:
        _REFUSALS[kind](arm_id, attributes, cloud)


def _networks(values: Any) -> list[ipaddress.IPv4Network]:
    made = []
    for each in values or []:
        try:
            made.append(ipaddress.IPv4Network(each))
        except ValueError as error:
            message = f"The address prefix {each} has an invalid CIDR notation. {error}"
            raise bad_request("InvalidCIDRNotation", message) from error
    return made


def _virtual_network(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    _networks(attributes.get("address_space"))


def _subnet(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    network_id, name = arm_id.rsplit("/subnets/", 1)
    network = cloud.get(network_id) or {}
    spaces = _networks(get(network, "properties.addressSpace.addressPrefixes"))
    for prefix in _networks(attributes.get("address_prefixes")):
        if spaces and not any(prefix.subnet_of(space) for space in spaces):
            message = f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of "
            raise bad_request("NetcfgInvalidSubnet", f"{message}virtual network '{network['name']}'.")
        for other in cloud.under(network_id, "Microsoft.Network/virtualNetworks/subnets"):
            taken = _networks(get(other, "properties.addressPrefixes"))
            if other["id"].lower() != arm_id.lower() and any(prefix.overlaps(each) for each in taken):
                message = f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing"
                raise bad_request("NetcfgSubnetRangesOverlap", f"{message} subnet in virtual network.")
    service = get(attributes, "delegation.0.service_delegation.0.name")
    if isinstance(service, str) and service.lower() in ("microsoft.cache/redis", "microsoft.cache"):
        raise bad_request("InvalidServiceDelegation", f"Invalid ServiceName specified in delegation: {service}.")


def _share(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    account = cloud.get(arm_id.split("/fileServices/")[0]) or {}
    quota = attributes.get("quota")
    if get(account, "sku.tier") == "Premium" and isinstance(quota, int | float) and quota < 100:
        message = (
            "The value for one of the HTTP headers is not in the correct format: a premium share has 100 GiB or more."
        )
        raise bad_request("InvalidHeaderValue", message)


def _queue(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    namespace = cloud.get(arm_id.rsplit("/queues/", 1)[0]) or {}
    if get(namespace, "sku.name") == "Premium" and attributes.get("partitioning_enabled") is True:
        raise bad_request("BadRequest", "Partitioning cannot be enabled on entities of a Premium namespace.")


def _kubernetes(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    chosen = get(attributes, "network_profile.0.service_cidr")
    service_cidr = chosen if isinstance(chosen, str) else "10.0.0.0/16"
    subnet = cloud.get(get(attributes, "default_node_pool.0.vnet_subnet_id") or "") or {}
    wanted = _networks([service_cidr])[0]
    for taken in _networks(get(subnet, "properties.addressPrefixes")):
        if wanted.overlaps(taken):
            message = f"The specified service CIDR {service_cidr} is conflicted with an existing subnet CIDR {taken}"
            raise bad_request("ServiceCidrOverlapExistingSubnetsCidr", message)


def _database_place(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    subnet_id = attributes.get("delegated_subnet_id")
    if not isinstance(subnet_id, str):
        return
    subnet = cloud.get(subnet_id) or {}
    services = [get(each, "properties.serviceName") for each in get(subnet, "properties.delegations") or []]
    if "Microsoft.DBforPostgreSQL/flexibleServers" not in services:
        message = f"The subnet {subnet_id} is not delegated to Microsoft.DBforPostgreSQL/flexibleServers."
        raise bad_request("SubnetNotDelegated", message)
    if attributes.get("public_network_access_enabled") is True:
        message = "Public network access cannot be enabled on a server with virtual network integration."
        raise bad_request("PublicNetworkAccessNotAllowed", message)


def _database_rule(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    server = cloud.get(arm_id.rsplit("/firewallRules/", 1)[0]) or {}
    if get(server, "properties.network.delegatedSubnetResourceId"):
        message = "Firewall rule operations cannot be requested for a private access enabled server."
        raise bad_request("FirewallRuleNotAllowed", message)


def _cache(arm_id: str, attributes: Values, cloud: Cloud) -> None:
    premium = attributes.get("sku_name") == "Premium"
    if premium != (attributes.get("family") == "P"):
        raise bad_request("BadRequest", f"The family {attributes.get('family')} does not fit {attributes['sku_name']}.")
    if attributes.get("subnet_id") and not premium:
        raise bad_request("BadRequest", "properties.subnetId is only allowed for the Premium sku.")


_REFUSALS: Mapping[str, Callable[[str, Values, Cloud], None]] = {
    "azurerm_kubernetes_cluster": _kubernetes,
    "azurerm_postgresql_flexible_server": _database_place,
    "azurerm_postgresql_flexible_server_firewall_rule": _database_rule,
    "azurerm_redis_cache": _cache,
    "azurerm_servicebus_queue": _queue,
    "azurerm_storage_share": _share,
    "azurerm_subnet": _subnet,
    "azurerm_virtual_network": _virtual_network,
}


def role_id(subscription: str, name: str) -> str:
    """The id of a built-in role; an unknown name is refused as the plugin refuses it."""
    if name not in ROLES:
        raise ProviderError(f"loading Role Definition List: could not find role '{name}'")
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[name]}"

"""Every node of the workspace: what there is, what each needs, what each owns. Adding a service is rows here.

Needs that the settings imply (`Output(...)`) are not written twice. Ids are those of docs/pipeline.md; the facts behind
them (names, hosts, ports, sizes) stand in the environments' files and in `infra/terraform/environments`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import TARGET, Kind, Node, Output, Part, Stage

_SIZES = Path(__file__).resolve().parent.parent / "infra" / "terraform" / "environments"
_ADOPTION = _SIZES.parent / "adoption.json"
_OVERLAYS = "infra/kubernetes/overlays"


@dataclass(frozen=True)
class Container:
    """A service that runs in the cluster.

    `secrets` maps keys of its Kubernetes secret to secrets of its vault, `by_hand` names the secrets of the vault that
    a person puts there, `values` maps keys to outputs of its stack. `config` maps keys of its config map to such
    outputs. `data` names the shared stacks that write into its vault, `calls` the services that must answer before it
    starts, `subnets` variables of its stack that name subnets other than its own, `runs_as` the kind of its workload,
    `bus` the output of its stack that is a Service Bus namespace.
    """

    name: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    by_hand: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    subnets: Mapping[str, str] = field(default_factory=dict)
    runs_as: str = "Deployment"
    bus: str = ""


@dataclass(frozen=True)
class App:
    """A part of the App on Azure PaaS. `output` begins the names of its outputs in main.bicep."""

    name: str
    output: str
    source: str
    after: tuple[str, ...] = ()
    is_site: bool = False


CONTAINERS = (
    Container(
        "chain",
        values={"azure_client_id": "identity_client_id"},
        subnets={"aks_subnet_id": "aks"},
        runs_as="StatefulSet",
    ),
    Container(
        "publisher",
        secrets={
            "servicebus_connection": "servicebus-connection",
            "appinsights_connection": "appinsights-connection",
        },
        config={"key_vault_url": "key_vault_uri"},
        calls=("chain",),
        bus="servicebus_namespace_id",
    ),
    Container(
        "story-generator",
        secrets={
            "postgres_connection_string": "postgres-connection-string",
            "redis_connection_string": "redis-connection-string",
            "anthropic_api_key": "anthropic-api-key",
            "openai_api_key": "openai-api-key",
            "appinsights_connection": "appinsights-connection",
        },
        by_hand=("anthropic-api-key", "openai-api-key"),
        config={"key_vault_url": "key_vault_uri"},
        data=("postgresql", "redis"),
    ),
)

APPS = (
    App("api", "api", "packages/app/api/publish"),
    App("admin-api", "adminApi", "packages/app/admin-api/publish", after=("api",)),
    App("pwa", "staticWebApp", "packages/app/pwa/publish", after=("api",), is_site=True),
)


def nodes(
    place: Environment,
    *,
    containers: Sequence[Container] = CONTAINERS,
    apps: Sequence[App] = APPS,
    fresh: bool = False,
) -> Iterable[Node]:
    """Every node of one environment; `fresh` asks that images and packages be built again."""
    if place.is_world:
        return list(_world(place))
    return [
        *_shared(place, containers),
        *_app_base(place),
        *(node for each in containers for node in _container(place, each, fresh=fresh)),
        *_cluster(place, containers),
        *(node for each in apps for node in _app(place, each, fresh=fresh)),
    ]


def by_hand(places: Iterable[Environment]) -> dict[str, list[str]]:
    """The secrets a person puts into vaults, by vault: what a rehearsal has to bring itself."""
    return {
        place.names[f"{each.name}-vault"]: list(each.by_hand)
        for place in places
        for each in CONTAINERS
        if each.by_hand and not place.is_world
    }


def _world(place: Environment) -> Iterator[Node]:
    yield replace(
        _stack(place, "state-backend", None, {}),
        owns=(f"Microsoft.Storage/storageAccounts {place.names['state-account']}",),
        about="Terraform's state",
    )
    yield replace(
        _stack(place, "zone", None, {}, needs=("state-backend",)),
        owns=(
            f"Microsoft.Network/dnsZones {place.names['zone']}",
            f"Microsoft.Resources/resourceGroups {place.names['zone-group']}",
        ),
        shares=("zone",),
        about="the public zone, one for all environments",
    )
    yield replace(
        _stack(
            place, "registry", None,
            {"resource_group_name": Output("zone", "resource_group_name")}, needs=("state-backend",),
        ),
        owns=(f"Microsoft.ContainerRegistry/registries {place.names['registry']}",),
        shares=("registry",),
        about="the registry, one for all environments",
    )  # fmt: skip
    yield Node(
        "delegation",
        Kind.CHECK,
        Stage.ZONE,
        settings={"zone": place.names["zone"], "name_servers": Output("zone", "name_servers")},
        about="whether the registrar sends the public to the zone's name servers",
    )


def _shared(place: Environment, containers: Sequence[Container]) -> Iterator[Node]:
    group = {
        "resource_group_name": Output("network", "resource_group_name"),
        "location": Output("network", "location"),
    }
    watch = {
        "workspace_id": Output("monitoring", "workspace_id"),
        "action_group_id": Output("monitoring", "action_group_id"),
    }
    vaults = {
        data: {
            each.name.replace("-", ""): Output(each.name, "key_vault_id") for each in containers if data in each.data
        }
        for data in ("postgresql", "redis")
    }
    network = _size(place, "network")
    yield replace(
        _stack(place, "network", Part.NETWORK_AND_CLUSTER, {}),
        owns=(
            f"Microsoft.Resources/resourceGroups {network['resource_group_name']}",
            f"Microsoft.Network/virtualNetworks {network['vnet_name']}",
        ),
    )
    yield _stack(place, "monitoring", Part.MONITORING, group)
    yield _stack(
        place, "postgresql", Part.POSTGRESQL,
        group | watch | {
            "vnet_id": Output("network", "vnet_id"),
            "delegated_subnet_id": Output("network", "subnet_ids.postgresql"),
            "connection_secret_vault_ids": vaults["postgresql"],
        },
        owns={"server_name": "Microsoft.DBforPostgreSQL/flexibleServers"},
    )  # fmt: skip
    yield _stack(
        place, "redis", Part.REDIS,
        group | watch | {
            "vnet_id": Output("network", "vnet_id"),
            "subnet_id": Output("network", "subnet_ids.redis"),
            "connection_secret_vault_ids": vaults["redis"],
        },
        owns={"name": "Microsoft.Cache/redisEnterprise"},
    )  # fmt: skip
    yield _stack(
        place, "cluster", Part.NETWORK_AND_CLUSTER,
        group | watch | {
            "subnet_id": Output("network", "subnet_ids.aks"),
            "registry_id": Output("world/registry", "registry_id"),
        },
        owns={"name": "Microsoft.ContainerService/managedClusters"},
    )  # fmt: skip
    yield _stack(
        place, "dashboard", Part.MONITORING,
        group | {
            "workspace_id": watch["workspace_id"],
            "application_insights_ids": {
                each.name: Output(each.name, "application_insights_id") for each in containers
            },
            "servicebus_namespace_ids": {each.name: Output(each.name, each.bus) for each in containers if each.bus},
            "cluster_id": Output("cluster", "cluster_id"),
            "postgresql_server_id": Output("postgresql", "server_id"),
            "cache_id": Output("redis", "cache_id"),
        },
    )  # fmt: skip


def _app_base(place: Environment) -> Iterator[Node]:
    size = place.size("app-base")
    yield Node(
        "app-base",
        Kind.TEMPLATE,
        Stage.SHARED_INFRASTRUCTURE,
        settings={
            "name": "app-base",
            "template": "packages/app/infrastructure/main.bicep",
            "parameters_file": f"packages/app/infrastructure/params.{place.name}.json",
            "parameters": dict(size.get("parameters", {})),
            "secure": {
                name: {"file": Output(TARGET, f"secrets.{name}")} for name in ("jwtRsaPrivateKey", "jwtRsaPublicKey")
            },
            "group": place.names["app-group"],
            "location": place.regions["app"],
        },
        owns=(
            f"Microsoft.Resources/resourceGroups {place.names['app-group']}",
            f"Microsoft.Web/sites {place.names['api']}",
            f"Microsoft.Web/sites {place.names['admin-api']}",
            f"Microsoft.Web/staticSites {place.names['pwa']}",
        ),
        about="everything the App stands on, by Bicep",
        part=Part.APP_BASE,
    )


def _container(place: Environment, service: Container, *, fresh: bool) -> Iterator[Node]:
    name = service.name
    yield _stack(
        place, name, Part.SERVICES,
        {
            "resource_group_name": Output("network", "resource_group_name"),
            "location": Output("network", "location"),
            "subnet_id": Output("network", f"subnet_ids.{name}"),
            "workspace_id": Output("monitoring", "workspace_id"),
            "action_group_id": Output("monitoring", "action_group_id"),
            **{variable: Output("network", f"subnet_ids.{subnet}") for variable, subnet in service.subnets.items()},
        },
        owns={
            "key_vault_name": "Microsoft.KeyVault/vaults",
            "storage_account_name": "Microsoft.Storage/storageAccounts",
        },
    )  # fmt: skip
    yield Node(
        f"{name}-image",
        Kind.IMAGE,
        Stage.IMAGES,
        settings={
            "repository": name,
            "context": ".",
            "dockerfile": f"infra/docker/{name}/Dockerfile",
            "fresh": fresh,
            "login_server": Output("world/registry", "login_server"),
        },
        shares=("registry",),
    )
    yield from _in_cluster(place, service)


def _in_cluster(place: Environment, service: Container) -> Iterator[Node]:
    name, workload = service.name, f"mystira-{service.name}"
    yield Node(
        f"{name}-secrets",
        Kind.SECRET,
        Stage.CLUSTER_ROLLOUT,
        needs=frozenset({"namespace", *service.data}),
        settings={
            **_at(place),
            "name": f"{workload}-secrets",
            "keys": {
                key: {"vault": Output(name, "key_vault_name"), "secret": secret}
                for key, secret in service.secrets.items()
            }
            | {key: {"value": Output(name, output)} for key, output in service.values.items()},
        },
    )
    first = {f"{name}-secrets", "workload-identity", "gateway", *(f"{each}-rollout" for each in service.calls)}
    images = {name: Output(f"{name}-image", "reference")}
    yield replace(
        _workload(place, f"{name}-rollout", name, images=images, set=_from_elsewhere(service)),
        needs=frozenset(first),
        owns=(f"kubernetes/workload {workload}",),
    )
    yield _record(place, f"{name}-record", place.hosts[name], "A", [Output("gateway", "address")], 300)
    yield Node(
        f"{name}-certificate",
        Kind.CERTIFICATE,
        Stage.NAMES,
        needs=frozenset({f"{name}-record", "issuers", f"{name}-rollout"}),
        settings={**_at(place), "name": f"{workload}-tls"},
    )
    yield Node(
        f"{name}-check",
        Kind.CHECK,
        Stage.VERIFICATION,
        needs=frozenset({f"{name}-certificate", f"{name}-rollout"}),
        settings={
            "host": place.hosts[name],
            "path": "/health",
            "version_path": Output(TARGET, "version_path"),
            "expect": {"digest": Output(f"{name}-image", "digest")},
        },
    )


def _from_elsewhere(service: Container) -> list[dict[str, Any]]:
    """What manifests need and cannot know: who the pods are in Azure, where their vault is, which secrets they read.

    Pods carry the version of their secret, so that they restart when it changes.
    """
    name = f"mystira-{service.name}"
    client = {
        "kind": "ServiceAccount",
        "name": f"{name}-sa",
        "path": r"metadata.annotations.azure\.workload\.identity/client-id",
        "value": Output(service.name, "identity_client_id"),
    }
    config = [
        {"kind": "ConfigMap", "name": f"{name}-config", "path": f"data.{key}", "value": Output(service.name, output)}
        for key, output in service.config.items()
    ]
    secrets = {
        "kind": service.runs_as,
        "name": name,
        "path": r"spec.template.metadata.annotations.mystira\.app/secret-version",
        "value": Output(f"{service.name}-secrets", "version"),
    }
    return [client, secrets, *config]


def _cluster(place: Environment, containers: Sequence[Container]) -> Iterator[Node]:
    yield _stack(
        place, "workload-identity", Part.SERVICES,
        {
            "oidc_issuer_url": Output("cluster", "oidc_issuer_url"),
            "identity_ids": {f"mystira-{each.name}-sa": Output(each.name, "identity_id") for each in containers},
        },
    )  # fmt: skip
    yield _workload(place, "namespace", "namespace")
    yield _workload(
        place, "cert-manager", "cert-manager", namespace="cert-manager", external_images=["quay.io/jetstack/"]
    )
    yield replace(_workload(place, "issuers", "issuers"), needs=frozenset({"cert-manager", "namespace"}))
    yield replace(_workload(place, "gateway", "gateway"), needs=frozenset({"namespace"}))


def _app(place: Environment, app: App, *, fresh: bool) -> Iterator[Node]:
    name = app.name
    package = {"name": name, "source": app.source, "fresh": fresh}
    yield Node(f"{name}-package", Kind.PACKAGE, Stage.IMAGES, settings=package)
    where: dict[str, Any] = {
        "group": place.names["app-group"],
        "package": Output(f"{name}-package", "sha256"),
        "name" if app.is_site else "site": _place_of(app),
    }
    if not app.is_site:
        where |= {"slot": place.names.get("slot", ""), "health": "/health"}
    kind = Kind.SITE if app.is_site else Kind.APP
    yield Node(name, kind, Stage.APP_SERVICES, needs=frozenset(app.after), settings=where)
    yield from _public_name(place, app)
    yield Node(
        f"{name}-check",
        Kind.CHECK,
        Stage.VERIFICATION,
        needs=frozenset({f"{name}-binding"}),
        settings={
            "host": place.hosts[name],
            "path": "/" if app.is_site else "/health",
            "version_path": Output(TARGET, "version_path"),
            "expect": {"sha256": Output(f"{name}-package", "sha256")},
        },
    )


def _place_of(app: App) -> Output:
    return Output("app-base", f"{app.output}Name" if app.is_site else f"{app.output}AppServiceName")


def _public_name(place: Environment, app: App) -> Iterator[Node]:
    """The records that lead to an app and prove that the host is ours, then the host bound to it."""
    name, host = app.name, place.hosts[app.name]
    binding: dict[str, Any] = {
        "target": "site" if app.is_site else "app",
        "group": place.names["app-group"],
        "name": _place_of(app),
        "host": host,
    }
    ready = {name, f"{name}-record", f"{name}-ownership"}
    if host == place.names["zone"]:
        binding["validation"] = "dns-txt-token"
        yield Node(f"{name}-claim", Kind.BINDING, Stage.NAMES, frozenset({name}), binding | {"claim": True})
        yield _record(place, f"{name}-ownership", host, "TXT", [Output(f"{name}-claim", "token")], 3600)
        yield _record(place, f"{name}-record", host, "A", [], 3600, target=Output("app-base", f"{app.output}Id"))
    else:
        yield _record(place, f"{name}-record", host, "CNAME", [Output(name, "host")], 3600)
        if app.is_site:
            ready.discard(f"{name}-ownership")
        else:
            proof = [Output("app-base", "customDomainVerificationId")]
            yield _record(place, f"{name}-ownership", f"asuid.{host}", "TXT", proof, 3600)
    yield Node(f"{name}-binding", Kind.BINDING, Stage.NAMES, frozenset(ready), binding)


def _workload(place: Environment, node: str, overlay: str, **settings: Any) -> Node:
    where = {**_at(place), "overlay": f"{_OVERLAYS}/{place.name}/{overlay}"}
    return Node(node, Kind.WORKLOAD, Stage.CLUSTER_ROLLOUT, settings=where | settings)


def _record(
    place: Environment, node: str, host: str, kind: str, values: list[Output], ttl: int, **settings: Any
) -> Node:
    """One record set of the public zone; at the zone's own name no CNAME may stand, but an alias (`target`) may."""
    zone = place.names["zone"]
    if host != zone and not host.endswith("." + zone):
        raise Refused(f"{host} is not in the zone {zone}; correct the hosts of {place.name}.")
    where = {"zone": zone, "group": Output("world/zone", "resource_group_name")}
    what = {"name": host.removesuffix(zone).removesuffix(".") or "@", "type": kind, "ttl": ttl, "values": values}
    return Node(
        node,
        Kind.RECORD,
        Stage.NAMES,
        needs=frozenset({"world/zone"}),
        settings=where | what | settings,
        owns=(f"record {host} {kind}",),
        shares=("zone",),
    )


def _at(place: Environment) -> dict[str, Any]:
    cluster = {"group": Output("cluster", "resource_group_name"), "name": Output("cluster", "cluster_name")}
    return {"cluster": cluster, "namespace": place.names["namespace"]}


def _stack(
    place: Environment,
    root: str,
    part: Part | None,
    variables: Mapping[str, Any],
    *,
    needs: tuple[str, ...] = (),
    owns: Mapping[str, str] | None = None,
) -> Node:
    """A Terraform stack: a part of the shared infrastructure, or, with no part, of the world's zone."""
    size = _size(place, root)
    stage = Stage.SHARED_INFRASTRUCTURE if part else Stage.ZONE
    named = tuple(f"{kind} {size[key]}" for key, kind in (owns or {}).items() if key in size)
    adopts = {address: known.replace("{env}", place.name) for address, known in _adoptable(root).items()}
    settings: dict[str, Any] = {"root": root, "adopts": adopts}
    settings["variables"] = {"subscription_id": Output(TARGET, "subscription"), **size, **variables}
    return Node(root, Kind.STACK, stage, needs=frozenset(needs), settings=settings, owns=named, part=part)


def _adoptable(root: str) -> dict[str, str]:
    """Ids, by Terraform address, of what may exist since before this pipeline and is taken over, never made again."""
    known: dict[str, dict[str, str]] = json.loads(_ADOPTION.read_text())
    return known.get(root, {})


def _size(place: Environment, root: str) -> dict[str, Any]:
    file = _SIZES / place.name / f"{root}.tfvars.json"
    try:
        sizes: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise Refused(
            f"{place.name} says nothing about the stack {root}; write {file.name} in {file.parent.name}."
        ) from error
    return sizes

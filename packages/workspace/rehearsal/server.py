"""The whole rehearsal: every stand-in, wired to one cloud, at loopback addresses that are written to one file."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from starlette.routing import BaseRoute

from workspace.rehearsal import bicep, image, serving, vault, web, zone
from workspace.rehearsal import state as state_of
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.azurerm import SUBSCRIPTION, AzurermPlugin
from workspace.rehearsal.behaviour import TENANT
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.dns import Dns
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.machine import Machine
from workspace.rehearsal.public import PublicFace
from workspace.rehearsal.registry import RegistryStandIn, real_registry
from workspace.rehearsal.serving import Served
from workspace.rehearsal.settings import Settings
from workspace.rehearsal.written import CLUSTER, ENGINE, MANAGER, REGISTRY, Written

_SAMPLES = Path(__file__).parent / "samples"
_VAULTS = "Microsoft.KeyVault/vaults"
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_REGISTRY_NAME = "mystiraacr.azurecr.io"
_POLL_SECONDS = 0.2
_REGISTRY_SECONDS = 10
_NEAR = build_opener(ProxyHandler({}))
_DEADLINE_SECONDS = 60.0


class Rehearsal:
    """Everything that stands in, running until closed; `addresses` is what a target needs to be this rehearsal.

    `directory` holds the rehearsal's own state and may be looked at and deleted; `state` is where runs keep theirs. A
    bare one has stand-ins only, even where the machine has a Docker engine or a registry. A
    directory that another rehearsal runs on is refused (`state.InUse`), wrong figures too (ValueError).
    """

    def __init__(self, directory: Path, state: Path, *, bare: bool = False) -> None:
        self._directory, self._state, self._bare = directory, state, bare
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings = Settings(directory)
        self._closing: list[Any] = [state_of.Claim(directory)]
        self.cloud = Cloud(directory / "cloud")
        self.faults = Faults(directory)
        self._written = Written(directory)
        self._tls = serving.certificate(directory / "tls")
        self._client = self._identity()
        self._packages = directory / "deployed"
        self.cloud.listen(self._bring_by_hand)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop everything, newest first; a second call does nothing."""
        while self._closing:
            self._closing.pop().close()

    def __enter__(self) -> "Rehearsal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._registry, registry_part = self._start_registry()
        self._engine, engine_part, runs_images = self._start_engine()
        self._image = image.prepare(self._directory / "image", runs=runs_images)
        self._public = self._kept(
            PublicFace(
                self.cloud,
                self.faults,
                directory=self._directory / "fronts",
                packages=self._packages,
                cluster_route=self._cluster_route,
            )
        )
        self._clusters = self._kept(
            Clusters(
                self._directory / "clusters",
                self.faults,
                pulls=self._pulls,
                exists=self._cluster_exists,
                address=self._front_address,
                issue=self._what_hinders_a_certificate,
                nodes=self._nodes,
            )
        )
        self._cluster_api = self._kept(Served(self._written.in_front(CLUSTER, self._clusters.app), self._tls))
        self._dns = self._kept(
            Dns(
                self.cloud,
                self.faults,
                addresses=self._public.address_of,
                propagation_seconds=lambda: self.settings.pace.dns,
            )
        )
        manager = self._written.in_front(MANAGER, self._resource_manager().app)
        self._arm = self._kept(Served(manager, self._tls))
        self._plugin = AzurermPlugin(self.cloud, self.faults, written=self._written)
        self._terraform = self._kept_plugin()
        bicep.install(self._directory / "programs")
        for address in self._known_fronts():
            self._public.serve(address)
        states, programs = self._directory / "terraform", self._directory / "programs"
        self.machine: Machine = self._kept(
            Machine(
                self.faults, self.cloud, states=states, runs=self._state, programs=programs, registry=self._registry
            )
        )
        self.addresses = self._addresses(registry_part, engine_part)

    def _resource_manager(self) -> Arm:
        extra: list[BaseRoute] = [
            *zone.routes(self.cloud, self.faults),
            *web.routes(self.cloud, self.faults, self._packages, settings=self.settings),
            *vault.routes(self.cloud, self.faults),
        ]
        return Arm(
            self.cloud,
            self.faults,
            tenant=TENANT,
            subscription=SUBSCRIPTION,
            extra_routes=extra,
            kubeconfig=self._kubeconfig,
            settings=self.settings,
            client_id=self._client["client_id"],
            client_secret=self._client["client_secret"],
        )

    def _addresses(self, registry: str, engine: str) -> dict[str, Any]:
        base = self._arm.url
        parts = self._parts(registry, engine)
        return {
            "title": "rehearsal",
            "parts": parts,
            "subscription": SUBSCRIPTION,
            "tenant": TENANT,
            "resource_manager": base,
            "scope": f"{base}/.default",
            "authority": base.removeprefix("https://"),
            "certificate": str(self._tls.certificate),
            "identity": str(self._directory / "identity.json"),
            "vault": f"{base}/vault/{{name}}",
            "kudu": f"{base}/scm/{{name}}",
            "registry": self._registry,
            "registry_name": _REGISTRY_NAME,
            "engine": self._engine,
            "resolvers": [self._dns.public],
            "name_servers": [self._dns.authoritative],
            "public_scheme": "http",
            "version_path": "/version",
            "public_port": self._public.port,
            "terraform_backend": {"local": {"path": str(self._directory / "terraform")}},
            "terraform_environment": dict(self._terraform),
            "programs": str(self._directory / "programs"),
            "state": str(self._state),
            "sources": self._sources(),
            "secrets": self._template_secrets(),
            "poll_seconds": _POLL_SECONDS,
            "deadline_seconds": _DEADLINE_SECONDS,
            "deadlines": self.faults.deadlines,
        }

    def _parts(self, registry: str, engine: str) -> dict[str, str]:
        """What people are told was real, by kind of node."""
        azure = "stand-in for Azure, real SDK"
        return {
            "stack": "real Terraform engine, stand-in for the azurerm plugin",
            "template": "stand-ins for the Bicep compiler and Azure, real SDK",
            "image": ", ".join(filter(None, (engine, registry, self._image.lacks))),
            "package": "real",
            "workload": "real client and Kustomize, stand-in for the cluster API",
            "secret": "real clients, stand-ins for vault and cluster",
            "app": azure,
            "site": azure,
            "record": f"{azure}; real DNS over stand-in servers",
            "binding": azure,
            "certificate": "stand-in for cert-manager",
            "check": "real lookups and requests to stand-in hosts",
        }

    # Docker engine and registry: the real ones where they are at hand.

    def _start_registry(self) -> tuple[str, str]:
        real = None if self._bare else real_registry(self._directory / "registry-real")
        if real is not None:
            self._kept(real)
            return real.url, "real registry"
        stand_in = RegistryStandIn(self._directory / "registry", self.faults)
        return self._kept(Served(self._written.in_front(REGISTRY, stand_in.app))).url, "stand-in registry"

    def _start_engine(self) -> tuple[str, str, bool]:
        """Its address, what people are told of it, and whether it could run what it builds."""
        reachable = "" if self._bare else _docker_reachable()
        if reachable:
            return reachable, "real Docker engine", True
        stand_in = EngineStandIn(self._directory / "engine", self.faults)
        served = self._kept(Served(self._written.in_front(ENGINE, stand_in.app)))
        return served.url.replace("http://", "tcp://"), "stand-in Docker engine", False

    def _pulls(self, reference: str) -> bool:
        """True when an image is in the registry; images of others (cert-manager) are taken to be where they are."""
        host, _, rest = reference.partition("/")
        if host != _REGISTRY_NAME:
            return True
        repository, digest = rest.rsplit("@", 1) if "@" in rest else rest.rsplit(":", 1)
        accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        url = f"{self._registry}/v2/{repository}/manifests/{digest}"
        asked = Request(url, headers={"Accept": accept}, method="HEAD")  # noqa: S310 - our own registry, on loopback
        try:
            _NEAR.open(asked, timeout=_REGISTRY_SECONDS).close()
        except HTTPError:
            return False
        return True

    # Clusters.

    def _cluster_exists(self, group: str, name: str) -> bool:
        return self._managed_cluster(group, name) is not None

    def _managed_cluster(self, group: str, name: str) -> Resource | None:
        return self.cloud.get(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{_CLUSTERS}/{name}")

    def _nodes(self, group: str, name: str) -> list[Mapping[str, Any]]:
        cluster = self._managed_cluster(group, name) or {"id": "/subscriptions/none"}
        own = {pool["name"]: pool for pool in cluster.get("properties", {}).get("agentPoolProfiles") or []}
        added = self.cloud.under(cluster["id"], f"{_CLUSTERS}/agentPools")
        pools = own | {parse(pool["id"]).name: pool["properties"] for pool in added}
        return [
            _node(pool, properties, number) for pool, properties in pools.items() for number in _nodes_of(properties)
        ]

    def _kubeconfig(self, group: str, name: str) -> str:
        url: str = self._cluster_api.url
        text: str = self._clusters.kubeconfig(group, name, url, self._tls.certificate.read_text())
        return text

    def _front_address(self, subject: str) -> str:
        address: str = self._public.address_for(subject)
        self._public.serve(address)
        return address

    def _known_fronts(self) -> list[str]:
        book = self._directory / "fronts" / "addresses.json"
        known: dict[str, str] = json.loads(book.read_text()) if book.exists() else {}
        return list(known.values())

    def _cluster_route(self, host: str, address: str) -> Mapping[str, Any] | None:
        """Which pod the front end at an address hands a request for this host to."""
        reached = self._clusters.reach(address, host, "/health")
        if reached is None or reached.code in (0, 404):
            return None
        return {"ready": reached.pod is not None, **_running(reached.pod or {})}

    def _what_hinders_a_certificate(self, names: list[str]) -> str:
        """An issuer asks the public name for a token first; without a record it has nobody to ask."""
        absent = [name for name in names if not zone.lookup(self.cloud, name, "A")]
        return f"no A record for {', '.join(absent)} yet" if absent else ""

    # Keys and sources.

    def _identity(self) -> dict[str, str]:
        file = self._directory / "identity.json"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(json.dumps({"client_id": "rehearsal", "client_secret": secrets.token_urlsafe(24)}))
        known: dict[str, str] = json.loads(file.read_text())
        return known

    def _bring_by_hand(self, resource_id: str, resource: Resource | None) -> None:
        """Do what a person does after a vault was made: put in the secrets that no tool has (`by-hand.json`)."""
        file = self._directory / "by-hand.json"
        if resource is None or parse(resource_id).type.lower() != _VAULTS.lower() or not file.exists():
            return
        for name in json.loads(file.read_text()).get(parse(resource_id).name, ()):
            secret = f"{resource_id}/secrets/{name}"
            if self.cloud.get(secret) is None:
                self.cloud.put({"id": secret, "name": name, "properties": {}, "_value": secrets.token_urlsafe(24)})

    def _template_secrets(self) -> dict[str, str]:
        """Keys that a person would bring; made up here, once, for this rehearsal alone."""
        files = {}
        for name in ("jwtRsaPrivateKey", "jwtRsaPublicKey"):
            file = self._directory / "secrets" / name
            if not file.exists():
                file.parent.mkdir(mode=0o700, exist_ok=True)
                file.touch(mode=0o600)
                file.write_text(secrets.token_urlsafe(48))
            files[name] = str(file)
        return files

    def _sources(self) -> dict[str, Any]:
        pages = {f"packages/app/{name}/publish": str(_SAMPLES / name) for name in ("api", "admin-api", "pwa")}
        services = ("chain", "publisher", "story-generator")
        recipe = {"context": str(self._image.folder), "dockerfile": "infra/docker/rehearsal/Dockerfile"}
        recipes = {
            f"infra/docker/{name}/Dockerfile": {**recipe, "arguments": self._image.arguments(name)} for name in services
        }
        return {**pages, **recipes}

    def _kept_plugin(self) -> Mapping[str, str]:
        started = self._plugin.start()
        self._closing.append(self._plugin)
        return started

    def _kept(self, thing: Any) -> Any:
        self._closing.append(thing)
        return thing


def _nodes_of(pool: Mapping[str, Any]) -> range:
    return range(max(int(pool.get("count") or 0), int(pool.get("minCount") or 0), 1))


def _node(pool: str, properties: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """A node of a pool, with the labels and taints that the pool gives it."""
    taints = [_taint(each) for each in properties.get("nodeTaints") or []]
    labels = {"agentpool": pool, **(properties.get("nodeLabels") or {})}
    return {"name": f"aks-{pool}-{number}", "labels": labels, "taints": taints}


def _taint(text: str) -> dict[str, str]:
    """`workload=chain:NoSchedule` taken apart."""
    key, _, rest = text.partition("=")
    value, _, effect = rest.rpartition(":")
    return {"key": key, "value": value, "effect": effect}


def _running(pod: Mapping[str, Any]) -> dict[str, str]:
    """The service a pod belongs to and the digest of the image it runs."""
    containers = pod.get("status", {}).get("containerStatuses") or []
    labels = pod.get("metadata", {}).get("labels") or {}
    digest = str(containers[0].get("imageID", "")).rpartition("@")[2] if containers else ""
    return {"service": str(labels.get("app.kubernetes.io/name") or labels.get("app") or ""), "digest": digest}


def _docker_reachable() -> str:
    """The address of a Docker engine that answers, as the docker command would find it; empty when there is none."""
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if shutil.which("docker") is None:
        return ""
    asked = ["docker", "--host", address, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(asked, capture_output=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return address if done.returncode == 0 else ""

"""Everything outside, at one target's addresses: one client per thing, made when it is first asked for."""

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from workspace import blob_address
from workspace.addresses import Addresses
from workspace.contents import Contents
from workspace.errors import WorkspaceError
from workspace.store import Store

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from workspace.clients.app_service import AppService
    from workspace.clients.arm import Arm
    from workspace.clients.bicep import Bicep
    from workspace.clients.blobs import Container
    from workspace.clients.cluster import Cluster
    from workspace.clients.engine import Engine
    from workspace.clients.feeds import Feeds
    from workspace.clients.inspection import Inspection
    from workspace.clients.kustomize import Kustomize
    from workspace.clients.managed_clusters import ManagedClusters
    from workspace.clients.packages import Packages
    from workspace.clients.registry import Registry
    from workspace.clients.resolver import Resolver
    from workspace.clients.states import States
    from workspace.clients.static_site import StaticSite
    from workspace.clients.terraform import Terraform
    from workspace.clients.vault import Vault
    from workspace.clients.web import Web
    from workspace.clients.zone import Zone

_T = TypeVar("_T")

# Imports stand inside: a run loads only the libraries of what it touches, and a command line starts at once. They
# happen one at a time: large libraries import in circles, and of two threads in one circle one sees half a module.
_ONE_AT_A_TIME = threading.RLock()


class _made(cached_property[_T]):
    """A client made at its first use, by one thread at a time."""

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        with _ONE_AT_A_TIME:
            return super().__get__(instance, owner)


class Outside:
    """The clients of one target. Any thread may use them; closing is harmless when nothing was opened."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        # The SDKs log the trace of every answer that is not JSON; our clients read those answers themselves.
        logging.getLogger("azure").setLevel(logging.ERROR)
        self._clusters: dict[tuple[str, str], Cluster] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection that was opened; a second call does nothing."""
        with self._lock:
            for cluster in self._clusters.values():
                cluster.close()
            self._clusters.clear()
        if "registry" in self.__dict__:
            self.registry.close()

    @_made
    def credential(self) -> "TokenCredential":
        """Who we are towards Azure."""
        from workspace.clients.credentials import credential

        return credential(
            authority=self.addresses.authority,
            tenant=self.addresses.tenant,
            identity_file=self.addresses.identity,
            verify=self._verify,
        )

    @_made
    def terraform(self) -> "Terraform":
        """The Terraform engine, with this target's state backend."""
        from workspace.clients.terraform import Terraform

        # The plugin would else ask the machine's own login which tenant and subscription are meant.
        declared = {"ARM_SUBSCRIPTION_ID": self.addresses.subscription, "ARM_TENANT_ID": self.addresses.tenant}
        return Terraform(
            backend=self.addresses.terraform_backend,
            environment={**{k: v for k, v in declared.items() if v}, **self.addresses.terraform_environment},
            programs=self.addresses.programs,
        )

    @_made
    def arm(self) -> "Arm":
        """Resource groups and deployments."""
        from workspace.clients.arm import Arm

        return Arm(**self._azure)

    @_made
    def inspection(self) -> "Inspection":
        """What Azure says about the subscription before anything is asked of it."""
        from workspace.clients.inspection import Inspection

        return Inspection(**self._azure)

    @_made
    def states(self) -> "States":
        """Terraform's states, looked at from outside."""
        from workspace.clients.states import States

        return States(self.addresses.terraform_backend, token=self._storage_token)

    @_made
    def managed_clusters(self) -> "ManagedClusters":
        """The managed clusters as Azure knows them."""
        from workspace.clients.managed_clusters import ManagedClusters

        return ManagedClusters(**self._azure)

    @_made
    def bicep(self) -> "Bicep":
        """The Bicep compiler."""
        from workspace.clients.bicep import Bicep

        return Bicep(self.addresses.programs)

    @_made
    def engine(self) -> "Engine":
        """The Docker engine."""
        from workspace.clients.engine import Engine

        return Engine(self.addresses.engine)

    @_made
    def registry(self) -> "Registry":
        """The container registry."""
        from workspace.clients.registry import Registry

        return Registry(
            self.addresses.registry,
            host=self.addresses.registry_name,
            credential=self._token if urlsplit(self.addresses.registry).scheme == "https" else None,
        )

    @_made
    def packages(self) -> "Packages":
        """Packages by content."""
        from workspace.clients.packages import PackageFolder, SharedPackages

        where, folder = self.addresses.packages, self.addresses.state / "packages"
        if blob_address.is_blob_address(where):
            return SharedPackages(self._contents(self._container(where), ""), PackageFolder(folder))
        if self.addresses.ledger and not where:
            return SharedPackages(self._contents(self._ledger_container, "packages"), PackageFolder(folder))
        return PackageFolder(Path(where or folder))

    @_made
    def ledger(self) -> "Path | Store":
        """Where the ledger is: a folder of this machine, or a team's container."""
        if not self.addresses.ledger:
            return self.addresses.state
        from workspace.clients.blobs import BlobStore

        return BlobStore(self._ledger_container)

    @_made
    def definitions(self) -> Contents | None:
        """Where a team keeps the definitions of its releases; None where they stay on this machine."""
        return self._contents(self._ledger_container, "definitions") if self.addresses.ledger else None

    @_made
    def _ledger_container(self) -> "Container":
        return self._container(self.addresses.ledger)

    def _container(self, url: str) -> "Container":
        from workspace.clients.blobs import Container

        return Container(url, credential=self.credential, verify=self._verify)

    def _contents(self, container: "Container", folder: str) -> Contents:
        from workspace.clients.blobs import BlobContents

        return BlobContents(container, folder)

    @_made
    def feeds(self) -> "Feeds":
        """The registries that base images come from."""
        from workspace.clients.feeds import Feeds

        return Feeds()

    @_made
    def kustomize(self) -> "Kustomize":
        """What renders overlays."""
        from workspace.clients.kustomize import Kustomize

        return Kustomize()

    def cluster(self, group: str, name: str) -> "Cluster":
        """A managed cluster, with the credentials Azure hands out; asked for once a run."""
        with _ONE_AT_A_TIME:
            from workspace.clients.cluster import Cluster
        with self._lock:
            if (group, name) not in self._clusters:
                kubeconfig = self.managed_clusters.kubeconfig(group, name)
                self._clusters[group, name] = Cluster(kubeconfig, token=self._cluster_token)
            return self._clusters[group, name]

    def forget_cluster(self, group: str, name: str) -> None:
        """Ask for the credentials of a managed cluster anew at its next use: what has its name may be another one."""
        with self._lock:
            if known := self._clusters.pop((group, name), None):
                known.close()

    @_made
    def zone(self) -> "Zone":
        """Record sets."""
        from workspace.clients.zone import Zone

        return Zone(**self._azure)

    @_made
    def resolver(self) -> "Resolver":
        """What the public, and the zone's own servers, say about a name."""
        from workspace.clients.resolver import Resolver

        return Resolver(nameservers=self.addresses.resolvers or None, authoritative=self.addresses.name_servers or None)

    @_made
    def web(self) -> "Web":
        """Hosts as the public sees them."""
        from workspace.clients.web import Web

        return Web(
            scheme=self.addresses.public_scheme,
            port=self.addresses.public_port,
            resolver=self.resolver,
            verify=str(self.addresses.public_certificate) if self.addresses.public_certificate else True,
        )

    @_made
    def app_service(self) -> "AppService":
        """App Service and its Kudu."""
        from workspace.clients.app_service import AppService

        return AppService(**self._azure, kudu=self.addresses.kudu)

    @_made
    def static_site(self) -> "StaticSite":
        """Static Web Apps."""
        from workspace.clients.static_site import StaticSite

        return StaticSite(**self._azure)

    @_made
    def vault(self) -> "Vault":
        """Secrets in vaults."""
        from workspace.clients.vault import Vault

        return Vault(credential=self.credential, address=self.addresses.vault, verify=self._verify)

    @property
    def _verify(self) -> str | bool:
        return str(self.addresses.certificate) if self.addresses.certificate else True

    @property
    def _azure(self) -> dict[str, Any]:
        return {
            "credential": self.credential,
            "subscription": self.addresses.subscription,
            "base_url": self.addresses.resource_manager,
            "scopes": [self.addresses.scope],
            "verify": self._verify,
            "polling_seconds": self.addresses.poll_seconds,
        }

    def _token(self) -> str:
        return str(self.credential.get_token("https://containerregistry.azure.net/.default").token)

    def _storage_token(self) -> str:
        return str(self.credential.get_token("https://storage.azure.com/.default").token)

    def _cluster_token(self) -> str:
        # The application id of AKS's own Entra server; the same in every tenant.
        return str(self.credential.get_token("6dae42f8-4368-4678-94ff-3960e28e3630/.default").token)


def describe(outside: Outside) -> dict[str, str]:
    """Which programs of this machine a run would use, by name; what cannot be found is left out."""
    asked: dict[str, Callable[[], object]] = {
        "Terraform": lambda: outside.terraform.version(),
        "Docker engine": lambda: outside.engine.describe(),
        "Kustomize": lambda: outside.kustomize.provenance(),
    }
    found: dict[str, str] = {}
    for name, ask in asked.items():
        with contextlib.suppress(WorkspaceError):
            found[name] = str(ask())
    return found

"""One served Azure for the contract tests of names, apps, sites and vaults: the real clients against the stand-ins."""

import atexit
import functools
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from workspace.clients.app_service import AppService
from workspace.clients.resolver import Resolver
from workspace.clients.static_site import StaticSite
from workspace.clients.vault import Vault
from workspace.clients.web import Web
from workspace.clients.zone import Zone
from workspace.rehearsal import behaviour, serving, vault, web, zone
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.azurerm_types import ROLES
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.dns import Dns
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.public import PublicFace

TENANT = behaviour.TENANT
SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = "mys-dev-mystira-rg-san"
ZONE_GROUP = "mys-prod-mystira-rg-glob"
ZONE = "mystira.app"
APP = "mys-dev-mystira-api-san"
ADMIN = "mys-dev-mystira-adminapi-san"
SITE = "mys-dev-mystira-swa-eus2"
OTHER_SITE = "mys-dev-mystira-other-eus2"
VAULT = "mystira-chain-dev-kv"


class AzureHere:
    """The stand-ins behind one https server, with a DNS server and the public face beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        self.faults = Faults(folder)
        self._furnish()
        packages = folder / "deployed"
        self.arm = Arm(
            self.cloud,
            self.faults,
            tenant=TENANT,
            client_id="someone",
            client_secret="whisper",
            subscription=SUBSCRIPTION,
            extra_routes=[
                *zone.routes(self.cloud, self.faults),
                *web.routes(self.cloud, self.faults, packages),
                *vault.routes(self.cloud, self.faults),
            ],
        )
        self.tls = serving.certificate(folder / "tls")
        self.served = serving.Served(self.arm.app, self.tls)
        self.clusters: dict[str, dict[str, Any]] = {}
        self.face = PublicFace(
            self.cloud,
            self.faults,
            directory=folder,
            packages=packages,
            cluster_route=lambda host, _: self.clusters.get(host),
        )
        self.dns = Dns(self.cloud, self.faults, addresses=self.face.address_of)
        self._connect()

    def _connect(self) -> None:
        verify = str(self.tls.certificate)
        self.credential = credential = ClientSecretCredential(
            TENANT,
            "someone",
            "whisper",
            authority=self.served.url,
            disable_instance_discovery=True,
            connection_verify=verify,
        )
        azure: dict[str, Any] = {
            "credential": credential,
            "subscription": SUBSCRIPTION,
            "base_url": self.served.url,
            "verify": verify,
            "polling_seconds": 0.02,
        }
        self.zone = Zone(**azure)
        self.app_service = AppService(**azure, kudu=self.served.url + "/scm/{name}")
        self.static_site = StaticSite(**azure)
        self.vault = Vault(credential=credential, address=self.served.url + "/vault/{name}", verify=verify)
        self.resolver = Resolver(nameservers=[self.dns.public], authoritative=[self.dns.authoritative])
        self.web = Web(scheme="http", port=self.face.port, resolver=self.resolver)

    @property
    def writes(self) -> int:
        """How many requests so far changed something."""
        reads = ("/list", "/listappsettings")
        return sum(
            1
            for each in self.arm.exchanges
            if each.method in ("PUT", "POST", "PATCH", "DELETE")
            and each.path.startswith(("/subscriptions", "/scm", "/vault"))
            and not each.path.lower().endswith(reads)
        )

    def fail(self, *faults: dict[str, Any]) -> None:
        """From now on these faults are in force."""
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def close(self) -> None:
        for client in (self.zone, self.app_service, self.static_site, self.vault, self.web, self.credential):
            client.close()
        self.dns.close()
        self.face.close()
        self.served.close()
        shutil.rmtree(self.folder)

    def _furnish(self) -> None:
        """What Terraform and Bicep made before."""
        for group in (GROUP, ZONE_GROUP):
            self.put({"id": group_id(group), "name": group, "location": "southafricanorth"})
        plan = self.plan = f"{group_id(GROUP)}/providers/Microsoft.Web/serverfarms/mys-dev-mystira-plan-san"
        self.put({"id": plan, "sku": {"name": "S1", "tier": "Standard"}})
        for name in (APP, ADMIN):
            app = {"location": "South Africa North", "kind": "app,linux", "properties": {"serverFarmId": plan}}
            self.put({"id": site_id(name), **app})
            self.put({"id": f"{site_id(name)}/slots/staging", **app})
        for name in (SITE, OTHER_SITE):
            self.put({"id": f"{group_id(GROUP)}/providers/Microsoft.Web/staticSites/{name}", "location": "East US 2"})
        vault = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/{VAULT}"
        self.put({"id": vault, "properties": {"enableRbacAuthorization": True}})
        self.put(assignment(vault, "Key Vault Secrets Officer"))
        self.put({"id": f"{group_id(ZONE_GROUP)}/providers/Microsoft.Network/dnszones/{ZONE}"})

    def put(self, resource: dict[str, Any]) -> None:
        self.cloud.put(behaviour.complete(resource))


@functools.cache
def shared() -> AzureHere:
    """The one Azure of this test run; tests keep out of each other's way by names."""
    here = AzureHere(Path(tempfile.mkdtemp(prefix="azure-here-")))
    atexit.register(here.close)
    return here


def assignment(scope: str, role: str) -> dict[str, Any]:
    """A role that whoever signs in has at a scope."""
    definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
    said = {"principalId": behaviour.caller(SUBSCRIPTION), "roleDefinitionId": definition}
    name = behaviour.unique(scope, role)
    return {"id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", "properties": said}


def group_id(group: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"


def site_id(name: str) -> str:
    return f"{group_id(GROUP)}/providers/Microsoft.Web/sites/{name}"


def package(folder: Path, text: str, name: str = "index.html") -> tuple[Path, str]:
    """A zip holding one file with this text, and its SHA-256."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    file = folder / f"{sha256}.zip"
    file.write_bytes(content.getvalue())
    return file, sha256


class Anybody:
    """A credential for servers that do not look."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("token", 4102444800)

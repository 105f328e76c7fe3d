"""The public face: hosts that answer over HTTP what was deployed, at the loopback addresses the rehearsal hands out."""

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from workspace.rehearsal import behaviour
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served
from workspace.rehearsal.web_content import SITES, SLOTS, STATIC_SITES, Contents, label_of, serving
from workspace.rehearsal.web_static import build_of, domain_is_ready

APP_SERVICE, STATIC_WEB_APPS = "azurewebsites.net", "azurestaticapps.net"
_FIRST_ADDRESS = ipaddress.IPv4Address("127.77.0.1")
_OLD = f"sha256:{'0' * 64}"
_HEALTH = ("/health", "/health/ready", "/health/live", "/ready")
_NO_APP = "<h1>404 Web Site not found.</h1>"
_WAITING = "<h1>Your web app is running and waiting for your content</h1>"
_STOPPED = "<h1>Error 403 - This web app is stopped.</h1>"
_NO_SITE = "<h1>404: Not Found</h1><p>Azure Static Web Apps</p>"
_NOT_UPLOADED = "<h1>Congratulations on your new site!</h1>"
_NGINX = (
    "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
)

ClusterRoute = Callable[[str, str], Mapping[str, Any] | None]


def no_cluster(_: str, __: str) -> None:
    """A rehearsal without clusters: no host is routed into one."""


class AddressBook:
    """Stable loopback addresses by subject, kept in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def address_for(self, subject: str) -> str:
        """The subject's own address; the same tomorrow."""
        with self._lock:
            known = json.loads(self._file.read_text()) if self._file.exists() else {}
            if subject not in known:
                known[subject] = str(_FIRST_ADDRESS + len(known))
                self._file.parent.mkdir(parents=True, exist_ok=True)
                partial = self._file.with_suffix(".partial")
                partial.write_text(json.dumps(known, indent=1))
                partial.replace(self._file)
            return str(known[subject])


class PublicFace:
    """Every public host of the rehearsal, on one port at several addresses.

    `packages` is where deployed packages are kept. `cluster_route(host, address)` says where the front end at an
    address routes a host: `service`, `digest`, `ready`, and `address` where only one ingress answers for it; None when
    no ingress there knows it.
    """

    def __init__(
        self,
        cloud: Cloud,
        faults: Faults,
        *,
        directory: Path,
        packages: Path,
        cluster_route: ClusterRoute = no_cluster,
        port: int = 0,
    ) -> None:
        self._cloud = cloud
        self._faults = faults
        self._contents = Contents(packages)
        self._cluster_route = cluster_route
        self._book = AddressBook(directory / "addresses.json")
        self._lock = threading.Lock()
        self._servers: dict[str, Served] = {}
        first = self.address_for(APP_SERVICE)
        self._servers[first] = Served(self, port=port, host=first)
        self.port = self._servers[first].port

    def address_for(self, subject: str) -> str:
        """The address of a front end: `azurewebsites.net`, an ingress, whatever needs one. Stable between runs."""
        return self._book.address_for(subject)

    def serve(self, address: str) -> None:
        """Answer at this address too; a second call does nothing."""
        with self._lock:
            if address not in self._servers:
                self._servers[address] = Served(self, port=self.port, host=address)

    def address_of(self, host: str) -> str | None:
        """Where a host name of Azure's own leads; None for a name that no site has. The address is being served."""
        front = next((each for each in (APP_SERVICE, STATIC_WEB_APPS) if host.lower().endswith("." + each)), None)
        if front is None or not (self._app_of(host.lower()) or self._static_of(host.lower())):
            return None
        address = self.address_for(front)
        self.serve(address)
        return address

    def close(self) -> None:
        """Stop answering; a second call does nothing."""
        with self._lock:
            for each in self._servers.values():
                each.close()
            self._servers = {}

    def __enter__(self) -> "PublicFace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by its Host header and the address it came to."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "").partition(":")[0].lower()
        answer = self._answer(host, request.url.path, (scope.get("server") or ("", 0))[0])
        answer.headers["X-Rehearsal"] = "true"
        await answer(scope, receive, send)

    def _answer(self, host: str, path: str, address: str) -> Response:
        """What the host says; faults have the point `public` and the subject `host path`."""
        answer = self._true_answer(host, path, address)
        fault = self._faults.find("public", f"{host} {path}")
        if fault is None:
            return answer
        if fault.how == "old":
            return JSONResponse({"service": "rehearsal", "digest": _OLD, "sha256": _OLD.partition(":")[2]})
        return JSONResponse({"status": "Unhealthy"}, int(fault.details.get("status", 503)))

    def _true_answer(self, host: str, path: str, address: str) -> Response:
        if address == self.address_for(APP_SERVICE):
            app = self._app_of(host)
            return self._app_answer(app, path) if app else HTMLResponse(_NO_APP, 404)
        if address == self.address_for(STATIC_WEB_APPS):
            site = self._static_of(host)
            return self._static_answer(site, path) if site else HTMLResponse(_NO_SITE, 404)
        return self._ingress_answer(host, path, address)

    # App Service.

    def _app_of(self, host: str) -> Resource | None:
        for resource in (*self._cloud.all(SITES), *self._cloud.all(SLOTS)):
            if host == behaviour.complete(resource)["properties"]["defaultHostName"].lower():
                return resource
            if self._cloud.get(f"{resource['id']}/hostNameBindings/{host}"):
                return resource
        return None

    def _app_answer(self, app: Resource, path: str) -> Response:
        label = label_of(app)
        if str((app.get("properties") or {}).get("state", "Running")) != "Running":
            return HTMLResponse(_STOPPED, 403)
        deployed = serving(self._cloud, app["id"])
        newest = "newest" if deployed and self._is_newest(app, deployed) else "older"
        if self._faults.find("rollout", label) or self._faults.find("serving", f"{label} {newest}"):
            return JSONResponse({"status": "Unhealthy"}, 503)
        if deployed is None:
            return HTMLResponse(_WAITING) if path == "/" else HTMLResponse("", 404)
        return _service_answer(path, {"service": label, "sha256": deployed["_sha256"]})

    def _is_newest(self, app: Resource, deployed: Resource) -> bool:
        """True for what was deployed last to the site or one of its slots."""
        site = str(app["id"]).partition("/slots/")[0]
        slots = [each["id"] for each in self._cloud.under(site, SLOTS)]
        served = [each for owner in (site, *slots) if (each := serving(self._cloud, owner)) is not None]
        return bool(deployed["_received"] >= max(each["_received"] for each in served))

    # Static Web Apps.

    def _static_of(self, host: str) -> Resource | None:
        for resource in self._cloud.all(STATIC_SITES):
            if host == behaviour.complete(resource)["properties"]["defaultHostname"].lower():
                return resource
            if domain_is_ready(self._cloud, resource, host):
                return resource
        return None

    def _static_answer(self, site: Resource, path: str) -> Response:
        build = build_of(self._cloud, site)
        if build is None:
            return HTMLResponse(_NOT_UPLOADED) if path == "/" else HTMLResponse(_NO_SITE, 404)
        if path == "/version":
            return JSONResponse({"service": parse(site["id"]).name, "sha256": build["_sha256"]})
        wanted = "index.html" if path == "/" else path.lstrip("/")
        for root in ("", "wwwroot/"):
            content = self._contents.read(build["_sha256"], root + wanted)
            if content is not None:
                return Response(content, media_type="text/html" if wanted.endswith(".html") else None)
        return HTMLResponse(_NO_SITE, 404)

    # Clusters.

    def _ingress_answer(self, host: str, path: str, address: str) -> Response:
        found = self._cluster_route(host, address)
        if found is None or found.get("address", address) != address:
            return HTMLResponse(_NGINX.format("404 Not Found"), 404)
        if not found.get("ready"):
            return HTMLResponse(_NGINX.format("503 Service Temporarily Unavailable"), 503)
        return _service_answer(path, {"service": found.get("service", ""), "digest": found.get("digest", "")})


def _service_answer(path: str, version: Mapping[str, Any]) -> Response:
    """What a service of ours says; a rehearsal runs none of them, so it says so."""
    if path in _HEALTH:
        return JSONResponse({"status": "Healthy", "rehearsal": True})
    if path == "/version":
        return JSONResponse({**version, "rehearsal": True})
    if path == "/":
        return PlainTextResponse(f"{version['service']} (rehearsal)\n")
    return PlainTextResponse("Not Found", 404)

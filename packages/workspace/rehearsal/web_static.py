"""Static Web Apps, rehearsed: sites, upload of a package by URL, app settings and custom domains."""

import asyncio
import hashlib
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workspace.rehearsal import arm_rules
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.web_answers import (
    GROUP,
    Refusal,
    base,
    body,
    capital,
    fails,
    group_of,
    keep,
    listed,
    operation,
    progress,
    require,
    require_group,
    route,
    shown,
)
from workspace.rehearsal.web_content import STATIC_SITES, BadPackage, Contents
from workspace.rehearsal.zone import lookup

_NO_CNAME = "CNAME Record is invalid.  Please ensure the CNAME record has been created."
_FETCH_SECONDS = 10
_LOOPBACK = ("127.0.0.1", "localhost")


def routes(cloud: Cloud, faults: Faults, contents: Contents, *, seconds: Callable[[], float]) -> list[Route]:
    """What Resource Manager answers for static sites. `seconds` says how long an upload or a domain takes."""
    sites = _StaticSites(cloud, faults, contents, seconds)
    home = GROUP + "/providers/Microsoft.Web/staticSites"
    return [
        route(home, ["GET"], sites.list),
        route(home + "/{site}", ["GET", "PUT", "PATCH", "DELETE"], sites.site),
        route(home + "/{site}/zipdeploy", ["POST"], sites.deploy),
        route(home + "/{site}/builds", ["GET"], sites.builds),
        route(home + "/{site}/builds/default", ["GET"], sites.build),
        route(home + "/{site}/listAppSettings", ["POST"], sites.settings),
        route(home + "/{site}/config/appsettings", ["PUT"], sites.settings),
        route(home + "/{site}/customDomains", ["GET"], sites.domains),
        route(home + "/{site}/customDomains/{domain}", ["GET", "PUT", "DELETE"], sites.domain),
        route(home + "/{site}/operationResults/{operation}", ["GET"], sites.operation),
    ]


class _StaticSites:
    def __init__(self, cloud: Cloud, faults: Faults, contents: Contents, seconds: Callable[[], float]) -> None:
        self._cloud = cloud
        self._faults = faults
        self._contents = contents
        self._pace = seconds

    @property
    def _seconds(self) -> float:
        return self._pace()

    async def list(self, request: Request) -> Response:
        return listed(list(self._cloud.under(group_of(request), STATIC_SITES)))

    async def site(self, request: Request) -> Response:
        site_id = self._id(request)
        if request.method == "GET":
            return shown(require(self._cloud, site_id))
        if request.method == "DELETE":
            return Response(status_code=200 if self._cloud.delete(site_id) else 204)
        require_group(self._cloud, request)
        wanted = await body(request)
        found = self._cloud.get(site_id) if request.method == "PUT" else require(self._cloud, site_id)
        arm_rules.check(self._cloud, site_id, wanted, found)
        properties = {**((found or {}).get("properties") or {}), **(wanted.get("properties") or {})}
        kept = keep(
            self._cloud, {**(found or {}), **wanted, "id": site_id, "type": STATIC_SITES, "properties": properties}
        )
        return shown(kept)

    async def deploy(self, request: Request) -> Response:
        site = require(self._cloud, self._id(request))
        url = str(((await body(request)).get("properties") or {}).get("appZipUrl") or "")
        try:
            content = await asyncio.to_thread(_fetch, url)
            package = self._contents.keep(content)
        except (OSError, ValueError, BadPackage):
            raise Refusal(capital(400, "BadRequest", "The app content at appZipUrl could not be downloaded.")) from None
        name = operation(request, self._seconds)
        if not fails(name):
            self._cloud.put(
                {
                    "id": f"{site['id']}/builds/default",
                    "name": "default",
                    "type": f"{STATIC_SITES}/builds",
                    "properties": {"buildId": "default", "sourceBranch": "", "hostname": _host(site)},
                    "_ready": time.time() + self._seconds,
                    "_sha256": package.sha256,
                    "_files": list(package.files),
                }
            )
        return self._accepted(request, site, name)

    async def builds(self, request: Request) -> Response:
        site = require(self._cloud, self._id(request))
        return listed([_build_shown(each) for each in self._cloud.under(f"{site['id']}/builds")])

    async def build(self, request: Request) -> Response:
        return shown(_build_shown(require(self._cloud, f"{self._id(request)}/builds/default")))

    async def settings(self, request: Request) -> Response:
        site = require(self._cloud, self._id(request))
        settings_id = f"{site['id']}/config/appsettings"
        if request.method == "PUT":
            wanted = (await body(request)).get("properties") or {}
            kept = self._cloud.put(
                {"id": settings_id, "name": "appsettings", "type": f"{STATIC_SITES}/config", "properties": wanted}
            )
            return shown(kept)
        empty = {"id": settings_id, "name": "appsettings", "type": f"{STATIC_SITES}/config", "properties": {}}
        return shown(self._cloud.get(settings_id) or empty)

    async def domains(self, request: Request) -> Response:
        site = require(self._cloud, self._id(request))
        found = self._cloud.under(f"{site['id']}/customDomains")
        return listed([_current(self._cloud, site, each) for each in found])

    async def domain(self, request: Request) -> Response:
        site, host = require(self._cloud, self._id(request)), request.path_params["domain"].lower()
        domain_id = f"{site['id']}/customDomains/{host}"
        if request.method == "GET":
            return shown(_current(self._cloud, site, require(self._cloud, domain_id)))
        if request.method == "DELETE":
            return Response(status_code=200 if self._cloud.delete(domain_id) else 204)
        method = ((await body(request)).get("properties") or {}).get("validationMethod") or "cname-delegation"
        return self._put_domain(request, site, host, method)

    def _put_domain(self, request: Request, site: Resource, host: str, method: str) -> Response:
        if method == "cname-delegation" and not _is_proved(self._cloud, site, host, method, ""):
            raise Refusal(capital(400, "BadRequest", _NO_CNAME))
        others = self._cloud.all(f"{STATIC_SITES}/customDomains")
        if any(parse(each["id"]).name == host and not each["id"].startswith(site["id"]) for each in others):
            said = "Request Envelope is invalid. Please ensure the custom domain is not linked to another site."
            raise Refusal(capital(409, "Conflict", said))
        token = hashlib.sha256(f"{site['id']}{host}".lower().encode()).hexdigest()[:32]
        self._cloud.put(
            {
                "id": f"{site['id']}/customDomains/{host}",
                "name": host,
                "type": f"{STATIC_SITES}/customDomains",
                "properties": {"domainName": host, "createdOn": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
                "_method": method,
                "_token": token if method == "dns-txt-token" else "",
                "_ready": self._ready_at(host),
            }
        )
        return self._accepted(request, site, operation(request, self._seconds))

    async def operation(self, request: Request) -> Response:
        require(self._cloud, self._id(request))
        return progress(request, request.path_params["operation"], Response(status_code=200))

    def _accepted(self, request: Request, site: Resource, name: str) -> Response:
        where = f"{base(request)}{site['id']}/operationResults/{name}"
        version = request.query_params.get("api-version", "2025-05-01")
        return Response(status_code=202, headers={"Location": f"{where}?api-version={version}"})

    def _ready_at(self, host: str) -> float:
        fault = self._faults.find("certificate", host)
        return time.time() + (self._seconds if fault is None else 10**9)

    def _id(self, request: Request) -> str:
        return f"{group_of(request)}/providers/{STATIC_SITES}/{request.path_params['site']}"


def domain_is_ready(cloud: Cloud, site: Resource, host: str) -> bool:
    """True when the site answers under this custom domain."""
    found = cloud.get(f"{site['id']}/customDomains/{host}")
    return found is not None and _current(cloud, site, found)["properties"]["status"] == "Ready"


def build_of(cloud: Cloud, site: Resource) -> Resource | None:
    """What the site serves; None until its first upload is over."""
    found = cloud.get(f"{site['id']}/builds/default")
    return found if found is not None and time.time() >= float(found.get("_ready", 0)) else None


def _current(cloud: Cloud, site: Resource, domain: Resource) -> Resource:
    """A domain with the status it has now: proved through DNS, and given time for its certificate."""
    host, token = parse(domain["id"]).name, domain.get("_token", "")
    proved = _is_proved(cloud, site, host, domain.get("_method", "cname-delegation"), token)
    ready = proved and time.time() >= float(domain.get("_ready", 0))
    told = {"status": "Ready" if ready else "Adding" if proved else "Validating", "errorMessage": None}
    if token and not ready:
        told["validationToken"] = token
    return {**domain, "properties": {**(domain.get("properties") or {}), **told}}


def _is_proved(cloud: Cloud, site: Resource, host: str, method: str, token: str) -> bool:
    if method == "dns-txt-token":
        texts = (*lookup(cloud, host, "TXT"), *lookup(cloud, f"_dnsauth.{host}", "TXT"))
        return bool(token) and token in texts
    return _host(site) in [each.rstrip(".").lower() for each in lookup(cloud, host, "CNAME")]


def _build_shown(build: Resource) -> Resource:
    done = time.time() >= float(build.get("_ready", 0))
    return {**build, "properties": {**build["properties"], "status": "Ready" if done else "Uploading"}}


def _host(site: Resource) -> str:
    return str((site.get("properties") or {}).get("defaultHostname") or "").lower()


def _fetch(url: str) -> bytes:
    """The content at a loopback or file address; a rehearsal fetches nothing from anywhere else."""
    place = urllib.parse.urlsplit(url)
    if place.scheme == "file":
        return Path(urllib.request.url2pathname(place.path)).read_bytes()
    if place.scheme in ("http", "https") and place.hostname in _LOOPBACK:
        # Who serves on loopback has made its certificate itself; the package is known by its content.
        trusting = ssl._create_unverified_context() if place.scheme == "https" else None  # noqa: S323
        with urllib.request.urlopen(url, timeout=_FETCH_SECONDS, context=trusting) as answer:  # noqa: S310 - loopback only
            content: bytes = answer.read()
        return content
    raise ValueError(f"a rehearsal does not fetch from {place.scheme}://{place.hostname}")

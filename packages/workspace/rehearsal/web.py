"""App Service, rehearsed: sites, slots, settings, swap, host names and certificates, with Kudu and static sites."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workspace.rehearsal import arm_rules, behaviour, web_kudu, web_static
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.settings import Settings, operation_seconds
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
    missing,
    operation,
    progress,
    require,
    require_group,
    route,
    shown,
    tagged,
)
from workspace.rehearsal.web_content import SITES, SLOTS, Contents, exchange
from workspace.rehearsal.zone import lookup

_PLANS = "Microsoft.Web/serverfarms"
_CERTIFICATES = "Microsoft.Web/certificates"
_BINDINGS = f"{SITES}/hostNameBindings"
_SLOTS_ALLOWED = {"free": 0, "shared": 0, "basic": 0, "standard": 5}
_TIERS = {"F": "Free", "D": "Shared", "B": "Basic", "S": "Standard", "P": "PremiumV3"}


def routes(
    cloud: Cloud,
    faults: Faults,
    packages: Path,
    *,
    kudu_seconds: float | None = None,
    azure_seconds: float | None = None,
    settings: Settings | None = None,
) -> list[Route]:
    """Everything of Microsoft.Web that we use, Kudu under `/scm/{site}` included.

    Deployed packages are kept in the directory `packages`. A zip deployment takes `kudu_seconds`; swaps, certificates,
    uploads and custom domains take `azure_seconds`; what is not given is as `settings` say.
    """
    contents = Contents(packages)
    absorb_settings(cloud)
    kudu_pace, pace = operation_seconds(settings, kudu_seconds), operation_seconds(settings, azure_seconds)
    apps = _Apps(cloud, faults, pace)
    home = GROUP + "/providers/Microsoft.Web"
    own = [
        route("/subscriptions/{subscription}/providers/Microsoft.Web/sites", ["GET"], tagged(apps.list)),
        route(home + "/sites", ["GET"], tagged(apps.list)),
        route(home + "/certificates", ["GET"], apps.list_certificates),
        route(home + "/certificates/{certificate}", ["GET", "PUT", "DELETE"], apps.certificate),
        route(home + "/certificates/{certificate}/operationresults/{operation}", ["GET"], apps.certificate_operation),
        route(home + "/sites/{site}", ["GET", "PUT", "PATCH", "DELETE"], tagged(apps.site)),
        route(home + "/sites/{site}/slots", ["GET"], tagged(apps.list_slots)),
        route(home + "/sites/{site}/slots/{slot}", ["GET", "PUT", "PATCH", "DELETE"], tagged(apps.site)),
        route(home + "/sites/{site}/config/slotConfigNames", ["GET", "PUT"], apps.sticky),
    ]
    for place in ("/sites/{site}", "/sites/{site}/slots/{slot}"):
        own += [
            route(home + place + "/config/appsettings/list", ["POST"], apps.settings),
            route(home + place + "/config/appsettings", ["PUT"], tagged(apps.settings)),
            route(home + place + "/config/web", ["GET", "PUT", "PATCH"], tagged(apps.configuration)),
            route(home + place + "/config/publishingcredentials/list", ["POST"], apps.credentials),
            route(home + place + "/publishxml", ["POST"], apps.publishing_profile),
            route(home + place + "/slotsswap", ["POST"], tagged(apps.swap)),
            route(home + place + "/operationresults/{operation}", ["GET"], apps.operation),
            route(home + place + "/hostNameBindings", ["GET"], apps.list_bindings),
            route(home + place + "/hostNameBindings/{host}", ["GET", "PUT", "DELETE"], apps.binding),
        ]
    return [
        *own,
        *web_kudu.routes(cloud, faults, contents, seconds=kudu_pace),
        *web_static.routes(cloud, faults, contents, seconds=pace),
    ]


def absorb_settings(cloud: Cloud) -> None:
    """Whoever writes a site with `siteConfig.appSettings` replaces its app settings, as in Azure."""

    def absorb(_: str, resource: Resource | None) -> None:
        site_config = ((resource or {}).get("properties") or {}).get("siteConfig")
        if resource is None or not isinstance(site_config, dict) or site_config.get("appSettings") is None:
            return
        if parse(resource["id"]).type.lower() not in (SITES.lower(), SLOTS.lower()):
            return
        given = site_config.pop("appSettings")
        settings = {each["name"]: each.get("value", "") for each in given} if isinstance(given, list) else given
        cloud.put(_settings_resource(resource["id"], settings))
        cloud.put(resource)

    cloud.listen(absorb)


class _Apps:
    def __init__(self, cloud: Cloud, faults: Faults, seconds: Callable[[], float]) -> None:
        self._cloud = cloud
        self._faults = faults
        self._pace = seconds

    @property
    def _seconds(self) -> float:
        return self._pace()

    # Sites and slots.

    async def list(self, request: Request) -> Response:
        scope = group_of(request) if "group" in request.path_params else _subscription(request)
        return listed([self._complete(each) for each in self._cloud.under(scope, SITES)])

    async def list_slots(self, request: Request) -> Response:
        site = require(self._cloud, self._site_id(request))
        return listed([self._complete(each) for each in self._cloud.under(site["id"], SLOTS)])

    async def site(self, request: Request) -> Response:
        owner_id = self._owner_id(request)
        kind = SLOTS if "slot" in request.path_params else SITES
        if request.method == "GET":
            return shown(self._complete(require(self._cloud, owner_id)))
        if request.method == "DELETE":
            return Response(status_code=200 if self._cloud.delete(owner_id) else 204)
        require_group(self._cloud, request)
        return self._put_site(request, owner_id, kind, await body(request))

    def _put_site(self, request: Request, owner_id: str, kind: str, wanted: dict[str, Any]) -> Response:
        found = self._cloud.get(owner_id)
        if request.method == "PATCH" and found is None:
            require(self._cloud, owner_id)
        if kind == SLOTS:
            self._check_slots(require(self._cloud, self._site_id(request)), owner_id)
        elif found is None:
            self._check_name(owner_id)
        self._check_plan(wanted)
        arm_rules.check(self._cloud, owner_id, wanted, found or {})
        properties = {**((found or {}).get("properties") or {}), **(wanted.get("properties") or {})}
        keep(self._cloud, {**(found or {}), **wanted, "id": owner_id, "type": kind, "properties": properties})
        return shown(self._complete(require(self._cloud, owner_id)))

    def _check_name(self, owner_id: str) -> None:
        name = parse(owner_id).name.lower()
        if any(parse(each["id"]).name.lower() == name for each in self._cloud.all(SITES)):
            said = f"Website with given name {name} already exists."
            raise Refusal(capital(409, "Conflict", said, "54001"))

    def _check_plan(self, wanted: dict[str, Any]) -> None:
        plan = str((wanted.get("properties") or {}).get("serverFarmId") or "")
        if plan and self._cloud.get(plan) is None:
            said = f"Cannot find ServerFarm with name {plan.rpartition('/')[2]}."
            raise Refusal(capital(404, "NotFound", said, "51004"))

    def _check_slots(self, site: Resource, slot_id: str) -> None:
        tier = self._tier(site)
        others = [each for each in self._cloud.under(site["id"], SLOTS) if each["id"].lower() != slot_id.lower()]
        if len(others) >= _SLOTS_ALLOWED.get(tier.lower(), 20):
            said = "Cannot complete the operation because the site will exceed the number of slots allowed for the "
            raise Refusal(capital(409, "Conflict", f"{said}'{tier}' SKU.", "04068"))

    def _tier(self, site: Resource) -> str:
        plan = self._cloud.get(str((site.get("properties") or {}).get("serverFarmId") or ""))
        sku = (plan or {}).get("sku") or {}
        return str(sku.get("tier") or _TIERS.get(str(sku.get("name", "S"))[:1].upper(), "Standard"))

    def _complete(self, site: Resource) -> Resource:
        site = behaviour.complete(site)
        properties = site["properties"]
        own = properties["defaultHostName"]
        bound = [parse(each["id"]).name for each in self._cloud.under(f"{site['id']}/hostNameBindings")]
        properties["hostNames"] = [own, *[host for host in bound if host != own]]
        properties["slotSwapStatus"] = site.get("_swapped")
        properties["sku"] = self._tier(site)
        properties.setdefault("lastModifiedTimeUtc", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
        return site

    # Settings and credentials.

    async def settings(self, request: Request) -> Response:
        owner = require(self._cloud, self._owner_id(request))
        if request.method == "PUT":
            wanted = (await body(request)).get("properties") or {}
            return shown(self._cloud.put(_settings_resource(owner["id"], wanted)))
        found = self._cloud.get(f"{owner['id']}/config/appsettings")
        return shown(found or _settings_resource(owner["id"], {}))

    async def configuration(self, request: Request) -> Response:
        """How a site is run: what the service sets, what was written with the site, what was written apart from it."""
        owner = require(self._cloud, self._owner_id(request))
        config_id, names = f"{owner['id']}/config/web", parse(owner["id"]).names
        apart = (self._cloud.get(config_id) or {}).get("properties") or {}
        if request.method != "GET":
            wanted = (await body(request)).get("properties") or {}
            apart = {**apart, **wanted} if request.method == "PATCH" else wanted
            self._cloud.put({"id": config_id, "name": "web", "type": f"{SITES}/config", "properties": apart})
        own = (owner.get("properties") or {}).get("siteConfig") or {}
        told = {"id": config_id, "name": names[-1], "type": f"{parse(owner['id']).type}/config"}
        user = {"publishingUsername": f"${'__'.join(names)}"}
        properties = {**_CONFIGURATION, **user, **own, **apart}
        return shown({**told, "location": owner.get("location"), "properties": properties})

    async def sticky(self, request: Request) -> Response:
        site = require(self._cloud, self._site_id(request))
        names_id = f"{site['id']}/config/slotConfigNames"
        empty: Resource = {"id": names_id, "name": parse(site["id"]).name, "type": SITES, "properties": {}}
        found = self._cloud.get(names_id) or empty
        if request.method == "PUT":
            found = self._cloud.put({**empty, "properties": (await body(request)).get("properties") or {}})
        return shown({**found, "id": None})

    async def credentials(self, request: Request) -> Response:
        owner = require(self._cloud, self._owner_id(request))
        label = "__".join(parse(owner["id"]).names)
        properties = {
            "publishingUserName": f"${label}",
            "publishingPassword": _password(owner),
            "scmUri": f"{base(request)}/scm/{label.replace('__', '-')}",
        }
        return JSONResponse({"id": f"{owner['id']}/publishingcredentials/${label}", "properties": properties})

    async def publishing_profile(self, request: Request) -> Response:
        """The same credentials for tools that publish a site: one profile for each way in, as XML."""
        owner = require(self._cloud, self._owner_id(request))
        label = "__".join(parse(owner["id"]).names)
        ways = {"ZipDeploy": f"{base(request)}/scm/{label.replace('__', '-')}", "FTP": "ftps://127.0.0.1/site/wwwroot"}
        whole = ElementTree.Element("publishData")
        for way, where in ways.items():
            told = {"profileName": f"{label} - {way}", "publishMethod": way, "publishUrl": where}
            ElementTree.SubElement(whole, "publishProfile", told, userName=f"${label}", userPWD=_password(owner))
        return Response(ElementTree.tostring(whole), media_type="application/xml")

    # Swap.

    async def swap(self, request: Request) -> Response:
        source = require(self._cloud, self._owner_id(request))
        wanted = str((await body(request)).get("targetSlot") or "")
        if not wanted:
            raise Refusal(capital(400, "BadRequest", "The parameter targetSlot has an invalid value."))
        target_id = self._site_id(request)
        if wanted.lower() != "production":
            target_id = f"{target_id}/slots/{wanted}"
        target = require(self._cloud, target_id)
        name = operation(request, self._seconds)
        if not fails(name):
            exchange(self._cloud, source["id"], target["id"])
            self._exchange_settings(source, target)
            self._note_swap(source, target)
        where = f"{base(request)}{source['id']}/operationresults/{name}"
        return Response(status_code=202, headers={"Location": f"{where}?{request.url.query}"})

    def _exchange_settings(self, source: Resource, target: Resource) -> None:
        """Settings go with the content, except those the site declares to stay with the slot."""
        names = self._cloud.get(f"{_site_of(source)}/config/slotConfigNames") or {}
        sticky = set((names.get("properties") or {}).get("appSettingNames") or ())
        held = [self._held_settings(each) for each in (source, target)]
        for owner, own, other in ((source, held[0], held[1]), (target, held[1], held[0])):
            stays = {name: value for name, value in own.items() if name in sticky}
            comes = {name: value for name, value in other.items() if name not in sticky}
            self._cloud.put(_settings_resource(owner["id"], {**comes, **stays}))

    def _held_settings(self, owner: Resource) -> dict[str, str]:
        found = self._cloud.get(f"{owner['id']}/config/appsettings") or {}
        return dict(found.get("properties") or {})

    def _note_swap(self, source: Resource, target: Resource) -> None:
        names = [parse(each["id"]).names for each in (source, target)]
        labels = [each[1] if len(each) > 1 else "Production" for each in names]
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        swapped = {"timestampUtc": moment, "sourceSlotName": labels[0], "destinationSlotName": labels[1]}
        for owner in (source, target):
            self._cloud.put({**owner, "_swapped": swapped})

    async def operation(self, request: Request) -> Response:
        done = await tagged(self._shown)(request)
        return progress(request, request.path_params["operation"], done)

    async def _shown(self, request: Request) -> Response:
        return shown(self._complete(require(self._cloud, self._owner_id(request))))

    # Host names.

    async def list_bindings(self, request: Request) -> Response:
        owner = self._complete(require(self._cloud, self._owner_id(request)))
        own, names = owner["properties"]["defaultHostName"], parse(owner["id"]).names
        first = {
            "id": f"{owner['id']}/hostNameBindings/{own}",
            "name": f"{'/'.join(names)}/{own}",
            "type": _BINDINGS,
            "location": owner.get("location"),
            "properties": {"siteName": names[0], "hostNameType": "Verified"},
        }
        return listed([first, *self._cloud.under(f"{owner['id']}/hostNameBindings")])

    async def binding(self, request: Request) -> Response:
        owner, host = require(self._cloud, self._owner_id(request)), request.path_params["host"].lower()
        binding_id = f"{owner['id']}/hostNameBindings/{host}"
        if request.method == "GET":
            return shown(self._require_binding(binding_id, owner, host))
        if request.method == "DELETE":
            return Response(status_code=200 if self._cloud.delete(binding_id) else 204)
        wanted = (await body(request)).get("properties") or {}
        self._check_host(owner, host)
        self._check_certificate(host, str(wanted.get("thumbprint") or ""))
        kept = {
            "id": binding_id,
            "name": f"{'/'.join(parse(owner['id']).names)}/{host}",
            "type": _BINDINGS,
            "location": owner.get("location"),
            "properties": {"sslState": "Disabled", "hostNameType": "Verified", **wanted},
        }
        return shown(self._cloud.put(kept))

    def _require_binding(self, binding_id: str, owner: Resource, host: str) -> Resource:
        found = self._cloud.get(binding_id)
        if found is None:
            name = "/".join(parse(owner["id"]).names)
            said = f"Cannot find HostNameBinding with name {host} for site {name}."
            raise Refusal(capital(404, "NotFound", said, "51004"))
        return found

    def _check_host(self, owner: Resource, host: str) -> None:
        """Azure binds a host only when the public DNS says it is the site's, and whose."""
        properties = behaviour.complete(owner)["properties"]
        if self._tier(owner).lower() == "free":
            raise Refusal(capital(409, "Conflict", "Custom hostnames are not allowed for the 'Free' SKU.", "04022"))
        for other in self._cloud.all(_BINDINGS):
            if parse(other["id"]).name == host and not other["id"].lower().startswith(owner["id"].lower()):
                raise Refusal(
                    capital(409, "Conflict", f"Hostname '{host}' already exists. Please try another name.", "54001")
                )
        proof = properties["customDomainVerificationId"]
        if proof.lower() not in [each.lower() for each in lookup(self._cloud, f"asuid.{host}", "TXT")]:
            said = f"A TXT record pointing from asuid.{host} to {proof.lower()} was not found."
            raise Refusal(capital(400, "BadRequest", said, "04006"))
        own = properties["defaultHostName"].lower()
        points = [each.rstrip(".").lower() for each in lookup(self._cloud, host, "CNAME")]
        if own not in points and not lookup(self._cloud, host, "A"):
            said = f"A CNAME record pointing from {host} to {own} was not found."
            raise Refusal(capital(400, "BadRequest", said, "04006"))

    def _check_certificate(self, host: str, thumbprint: str) -> None:
        if not thumbprint:
            return
        known = [each for each in self._cloud.all(_CERTIFICATES) if _issued(each)]
        fitting = [each for each in known if each["properties"].get("thumbprint", "").lower() == thumbprint.lower()]
        if not fitting:
            raise Refusal(capital(404, "NotFound", f"Certificate {thumbprint} was not found.", "51004"))
        if host not in fitting[0]["properties"].get("hostNames", ()):
            said = f"The certificate with thumbprint '{thumbprint}' does not match the hostname '{host}'."
            raise Refusal(capital(409, "Conflict", said, "04030"))

    # Managed certificates.

    async def list_certificates(self, request: Request) -> Response:
        return listed([each for each in self._cloud.under(group_of(request), _CERTIFICATES) if _issued(each)])

    async def certificate(self, request: Request) -> Response:
        name = request.path_params["certificate"]
        certificate_id = f"{group_of(request)}/providers/{_CERTIFICATES}/{name}"
        if request.method == "DELETE":
            return Response(status_code=200 if self._cloud.delete(certificate_id) else 204)
        if request.method == "PUT":
            require_group(self._cloud, request)
            return self._issue(request, certificate_id, await body(request))
        found = self._cloud.get(certificate_id)
        if found is None or not _issued(found):
            raise Refusal(missing(certificate_id))
        return shown(found)

    def _issue(self, request: Request, certificate_id: str, wanted: dict[str, Any]) -> Response:
        found = self._cloud.get(certificate_id)
        if found is not None and _issued(found):
            return shown(found)
        given = wanted.get("properties") or {}
        host = str(given.get("canonicalName") or "").lower()
        if host not in [parse(each["id"]).name for each in self._cloud.all(_BINDINGS)]:
            said = f"Properties.CanonicalName is invalid.  The hostname {host} is not assigned to any app of this plan."
            raise Refusal(capital(400, "BadRequest", said, "04039"))
        never = self._faults.find("certificate", host) is not None
        thumbprint = hashlib.sha1(certificate_id.lower().encode(), usedforsecurity=False).hexdigest().upper()
        self._cloud.put(
            {
                "id": certificate_id,
                "name": parse(certificate_id).name,
                "type": _CERTIFICATES,
                "location": wanted.get("location"),
                "properties": {
                    "canonicalName": host,
                    "hostNames": [host],
                    "issuer": "rehearsal",
                    "subjectName": host,
                    "thumbprint": thumbprint,
                    "serverFarmId": given.get("serverFarmId"),
                },
                "_ready": time.time() + (10**9 if never else self._seconds),
            }
        )
        where = f"{base(request)}{certificate_id}/operationresults/{operation(request, self._seconds)}"
        return Response(status_code=202, headers={"Location": f"{where}?{request.url.query}"})

    async def certificate_operation(self, request: Request) -> Response:
        found = require(
            self._cloud, f"{group_of(request)}/providers/{_CERTIFICATES}/{request.path_params['certificate']}"
        )
        return progress(request, request.path_params["operation"], shown(found))

    # Ids.

    def _site_id(self, request: Request) -> str:
        return f"{group_of(request)}/providers/{SITES}/{request.path_params['site']}"

    def _owner_id(self, request: Request) -> str:
        slot = request.path_params.get("slot")
        return f"{self._site_id(request)}/slots/{slot}" if slot else self._site_id(request)


_CONFIGURATION: dict[str, Any] = {
    "numberOfWorkers": 1,
    "defaultDocuments": ["Default.htm", "index.html", "hostingstart.html"],
    "netFrameworkVersion": "v4.0",
    "linuxFxVersion": "",
    "windowsFxVersion": None,
    "appCommandLine": "",
    "scmType": "None",
    "use32BitWorkerProcess": True,
    "webSocketsEnabled": False,
    "alwaysOn": False,
    "managedPipelineMode": "Integrated",
    "loadBalancing": "LeastRequests",
    "http20Enabled": False,
    "minTlsVersion": "1.2",
    "ftpsState": "FtpsOnly",
    "healthCheckPath": None,
}
"""What a site runs with until somebody says otherwise; of the recorded ones, those that people set."""


def _password(owner: Resource) -> str:
    return behaviour.key(owner["id"], "publishing")[:60]


def _subscription(request: Request) -> str:
    return f"/subscriptions/{request.path_params['subscription']}"


def _settings_resource(owner_id: str, settings: dict[str, str]) -> Resource:
    name = "appsettings"
    return {"id": f"{owner_id}/config/{name}", "name": name, "type": f"{SITES}/config", "properties": dict(settings)}


def _site_of(owner: Resource) -> str:
    return str(owner["id"]).partition("/slots/")[0]


def _issued(certificate: Resource) -> bool:
    return time.time() >= float(certificate.get("_ready", 0))

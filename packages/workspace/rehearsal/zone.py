"""Azure DNS, rehearsed: zones and record sets with ETags, kept in the one cloud."""

import ipaddress
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workspace.rehearsal import arm_rules, behaviour
from workspace.rehearsal.arm_answers import paged
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.web_answers import (
    GROUP,
    Refusal,
    bare,
    base,
    body,
    group_of,
    listed,
    operation,
    progress,
    require,
    require_group,
    route,
    shown,
    visible,
    wrapped,
)

ZONES = "Microsoft.Network/dnszones"
_HOSTMASTER = "azuredns-hostmaster.microsoft.com"
_KEYS = {
    "A": "ARecords",
    "AAAA": "AAAARecords",
    "CNAME": "CNAMERecord",
    "MX": "MXRecords",
    "NS": "NSRecords",
    "PTR": "PTRRecords",
    "SOA": "SOARecord",
    "SRV": "SRVRecords",
    "TXT": "TXTRecords",
    "CAA": "caaRecords",
}
_VALUES = {"A": "ipv4Address", "AAAA": "ipv6Address", "NS": "nsdname", "PTR": "ptrdname"}
_SEVERAL = {
    "CAA": ("flags", "tag", "value"),
    "MX": ("preference", "exchange"),
    "SRV": ("priority", "weight", "port", "target"),
}
_ZONE = GROUP + "/providers/Microsoft.Network/dnsZones/{zone}"


@dataclass(frozen=True)
class Record:
    """One record set as a name server needs it; `target` is the id of the resource an alias follows."""

    zone: str
    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    target: str = ""

    @property
    def fqdn(self) -> str:
        """The full name, in lower case, without the dot at the end."""
        return self.zone if self.name == "@" else f"{self.name}.{self.zone}"


def record_of(resource: Resource) -> Record | None:
    """The record set in a resource; None when it is something else, whoever wrote it."""
    place = parse(resource["id"])
    if not place.type.lower().startswith(ZONES.lower() + "/") or len(place.names) != 2:
        return None
    kind = place.type.rpartition("/")[2].upper()
    properties = {key.lower(): value for key, value in (resource.get("properties") or {}).items()}
    if kind not in _KEYS:
        return None
    target = (properties.get("targetresource") or {}).get("id") or ""
    values = _plain(kind, properties.get(_KEYS[kind].lower()))
    return Record(
        place.names[0].lower(), place.names[1].lower(), kind, int(properties.get("ttl") or 300), values, target
    )


def records(cloud: Cloud) -> Iterator[Record]:
    """Every record set of every zone."""
    return (found for each in cloud.all() if (found := record_of(each)))


def lookup(cloud: Cloud, fqdn: str, type: str) -> tuple[str, ...]:
    """What the zones in the cloud say about a name, as Azure itself would see it at once."""
    wanted = fqdn.rstrip(".").lower()
    return tuple(value for each in records(cloud) if each.fqdn == wanted and each.type == type for value in each.values)


def routes(cloud: Cloud, _: Faults) -> list[Route]:
    """What Resource Manager answers for DNS zones and their record sets; its faults are met at its own door."""
    zones = _Zones(cloud)
    return [
        route("/subscriptions/{subscription}/providers/Microsoft.Network/dnsZones", ["GET"], zones.list_all),
        route(GROUP + "/providers/Microsoft.Network/dnsZones", ["GET"], zones.list_group),
        route(_ZONE, ["GET", "PUT", "PATCH", "DELETE"], zones.zone),
        route(_ZONE + "/all", ["GET"], zones.list_records),
        route(_ZONE + "/recordsets", ["GET"], zones.list_records),
        route(_ZONE + "/operationresults/{operation}", ["GET"], zones.operation),
        route(_ZONE + "/{kind}", ["GET"], zones.list_records),
        route(_ZONE + "/{kind}/{name:path}", ["GET", "PUT", "PATCH", "DELETE"], zones.record),
    ]


class _Zones:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_all(self, request: Request) -> Response:
        scope = f"/subscriptions/{request.path_params['subscription']}"
        return listed([self._counted(each) for each in self._cloud.under(scope, ZONES)])

    async def list_group(self, request: Request) -> Response:
        return listed([self._counted(each) for each in self._cloud.under(group_of(request), ZONES)])

    async def zone(self, request: Request) -> Response:
        zone_id = self._zone_id(request)
        if request.method == "GET":
            found = self._counted(require(self._cloud, zone_id))
            return shown(found, ETag=found["etag"])
        if request.method == "DELETE":
            return self._delete_zone(request, zone_id)
        return self._put_zone(request, zone_id, await body(request))

    def _delete_zone(self, request: Request, zone_id: str) -> Response:
        """A zone goes with all its records; If-Match keeps one that somebody has changed."""
        found = self._cloud.get(zone_id)
        if found is None:
            return Response(status_code=204)
        self._guard(request, self._counted(found), f"Zone {request.path_params['zone']}")
        self._cloud.delete(zone_id)
        where = f"{base(request)}{zone_id}/operationresults/{operation(request, 0)}"
        return Response(status_code=202, headers={"Location": f"{where}?{request.url.query}", "Retry-After": "0"})

    async def operation(self, request: Request) -> Response:
        return progress(request, request.path_params["operation"], Response(status_code=200))

    def _put_zone(self, request: Request, zone_id: str, wanted: dict[str, Any]) -> Response:
        require_group(self._cloud, request)
        name, found = request.path_params["zone"], self._cloud.get(zone_id)
        if request.method == "PATCH" and found is None:
            require(self._cloud, zone_id)
        if "." not in name or " " in name:
            raise Refusal(bare(400, "BadRequest", f"The domain name '{name.lower()}' is invalid."))
        self._guard(request, self._counted(found) if found else None, f"Zone {name}")
        arm_rules.check(self._cloud, zone_id, wanted, found)
        resource = {
            **(found or {}),
            "id": zone_id,
            "type": ZONES,
            "etag": str(uuid.uuid4()),
            "location": "global",
            "tags": wanted.get("tags") or {},
            "properties": (found or {}).get("properties") or {},
        }
        kept = self._counted(self._cloud.put(behaviour.complete(resource)))
        return shown(kept, 200 if found else 201, ETag=kept["etag"])

    async def list_records(self, request: Request) -> Response:
        zone = self._require_zone(request)
        kind = request.path_params.get("kind", "").upper()
        if kind and kind not in _KEYS:
            raise Refusal(bare(400, "BadRequest", f"The record type '{kind}' is not supported."))
        found = [self._complete(each) for each in self._cloud.under(zone["id"]) if record_of(each)]
        every = [*self._builtin(zone, found), *found]
        ending = request.query_params.get("$recordsetnamesuffix", "").lower()
        chosen = [
            each
            for each in every
            if (not kind or each["type"].upper().endswith(f"/{kind}")) and str(each["name"]).lower().endswith(ending)
        ]
        return paged(request, [visible(each) for each in chosen])

    async def record(self, request: Request) -> Response:
        zone = self._require_zone(request)
        kind, name = request.path_params["kind"].upper(), request.path_params["name"]
        if kind not in _KEYS:
            raise Refusal(bare(400, "BadRequest", f"The record type '{kind}' is not supported."))
        found = self._cloud.get(f"{zone['id']}/{kind}/{name}")
        if found is None:
            found = next((e for e in self._builtin(zone, []) if e["id"].endswith(f"/{kind}/{name}")), None)
        found = self._complete(found) if found else None
        if request.method in ("PUT", "PATCH"):
            return self._put_record(request, zone, found, await body(request))
        if request.method == "DELETE":
            return self._delete_record(request, found)
        if found is None:
            group, subscription = request.path_params["group"], request.path_params["subscription"]
            where = f"resource group '{group}' of subscription '{subscription}'"
            raise Refusal(bare(404, "NotFound", f"The resource record '{name}' does not exist in {where}."))
        return shown(found, ETag=found["etag"])

    def _put_record(self, request: Request, zone: Resource, found: Resource | None, wanted: dict[str, Any]) -> Response:
        kind, name = request.path_params["kind"].upper(), request.path_params["name"]
        self._guard(request, found, f"Record set {name.lower()}")
        properties = {**((found or {}).get("properties") or {})} if request.method == "PATCH" else {}
        properties |= {_proper(key): value for key, value in (wanted.get("properties") or {}).items()}
        self._check(zone, kind, name, properties)
        resource = {
            "id": f"{zone['id']}/{kind}/{name}",
            "name": name,
            "type": f"{ZONES}/{kind}",
            "etag": str(uuid.uuid4()),
            "properties": {**properties, "fqdn": f"{_fqdn(zone, name)}.", "provisioningState": "Succeeded"},
        }
        kept = self._cloud.put(resource)
        return shown(kept, 200 if found else 201, ETag=kept["etag"])

    def _delete_record(self, request: Request, found: Resource | None) -> Response:
        if found is None:
            return Response(status_code=204)
        self._guard(request, found, f"Record set {found['name'].lower()}")
        if found["name"] == "@" and found["type"].rpartition("/")[2] in ("NS", "SOA"):
            raise Refusal(bare(400, "BadRequest", f"The record set '@' of type '{found['type']}' cannot be deleted."))
        self._cloud.delete(found["id"])
        return Response(status_code=200)

    def _check(self, zone: Resource, kind: str, name: str, properties: dict[str, Any]) -> None:
        if not isinstance(properties.get("TTL"), int) or properties["TTL"] < 1:
            raise Refusal(bare(400, "BadRequest", "The value for the TTL must be between 1 and 2147483647."))
        if kind == "CNAME" and name == "@":
            said = "The CNAME record set is not allowed at the zone apex, where the SOA and NS record sets are."
            raise Refusal(bare(400, "BadRequest", said))
        others = [each for each in self._cloud.under(zone["id"]) if _is_beside(each, kind, name)]
        if kind == "CNAME" and others:
            said = "The CNAME record could not be created because another record with the same name already exists in "
            raise Refusal(bare(409, "Conflict", said + "this zone."))
        if any(each["type"].upper().endswith("/CNAME") for each in others):
            said = (
                "The record could not be created because a CNAME record with the same name already exists in this zone."
            )
            raise Refusal(bare(409, "Conflict", said))
        for value in _plain(kind, properties.get(_KEYS[kind])):
            _check_value(kind, value)

    def _guard(self, request: Request, found: Resource | None, what: str) -> None:
        """If-None-Match: * only creates; If-Match only replaces what the caller has seen."""
        if request.headers.get("if-none-match") == "*" and found is not None:
            raise Refusal(
                bare(412, "PreconditionFailed", f"The {what} exists already and hence cannot be created again.")
            )
        seen = request.headers.get("if-match")
        if seen and (found is None or seen.strip('"') not in ("*", found["etag"])):
            raise Refusal(bare(412, "PreconditionFailed", f"The {what} has been modified (etag mismatch)."))

    def _require_zone(self, request: Request) -> Resource:
        zone_id = self._zone_id(request)
        require_group(self._cloud, request)
        found = self._cloud.get(zone_id)
        if found is None:
            kind = request.path_params.get("kind", "all")
            said = (
                f"Failed to perform the operation on a resource of type 'dnszones/{kind}', because the parent resource "
            )
            raise Refusal(wrapped(404, "ParentResourceNotFound", f"{said}'{zone_id}' could not be found."))
        return behaviour.complete(found)

    def _zone_id(self, request: Request) -> str:
        return f"{group_of(request)}/providers/{ZONES}/{request.path_params['zone']}"

    def _counted(self, zone: Resource) -> Resource:
        zone = behaviour.complete(zone)
        zone.setdefault("etag", behaviour.unique(zone["id"], "etag"))
        own = [each for each in self._cloud.under(zone["id"]) if record_of(each)]
        zone["properties"].setdefault("maxNumberOfRecordsPerRecordSet", None)
        zone["properties"]["numberOfRecordSets"] = len(self._builtin(zone, own)) + len(own)
        return zone

    def _complete(self, resource: Resource) -> Resource:
        """A record set another tool wrote gets what Azure adds to it."""
        resource.setdefault("etag", behaviour.unique(resource["id"], str(resource.get("properties"))))
        place = parse(resource["id"])
        resource["name"] = place.names[1]
        zone_and_name = place.names[0] if place.names[1] == "@" else f"{place.names[1]}.{place.names[0]}"
        resource.setdefault("properties", {}).setdefault("fqdn", zone_and_name + ".")
        return resource

    def _builtin(self, zone: Resource, own: list[Resource]) -> list[Resource]:
        """The NS and SOA sets every zone has, unless somebody wrote his own."""
        servers = zone["properties"]["nameServers"]
        soa = {
            "email": _HOSTMASTER,
            "expireTime": 2419200,
            "host": servers[0],
            "minimumTTL": 300,
            "refreshTime": 3600,
            "retryTime": 300,
            "serialNumber": 1,
        }
        made = [
            ("NS", {"TTL": 172800, "NSRecords": [{"nsdname": each} for each in servers]}),
            ("SOA", {"TTL": 3600, "SOARecord": soa}),
        ]
        written = {each["id"].lower() for each in own}
        sets = [
            {"id": f"{zone['id']}/{kind}/@", "name": "@", "type": f"{ZONES}/{kind}", "properties": properties}
            for kind, properties in made
        ]
        return [self._complete(each) for each in sets if str(each["id"]).lower() not in written]


def _is_beside(resource: Resource, kind: str, name: str) -> bool:
    """True for a record set of the same name and another type."""
    record = record_of(resource)
    return record is not None and record.name == name.lower() and record.type != kind


def _fqdn(zone: Resource, name: str) -> str:
    zone_name = parse(zone["id"]).name
    return zone_name if name == "@" else f"{name}.{zone_name}"


def _proper(key: str) -> str:
    """A property's name as Azure writes it; callers write `ttl` and `aRecords` too."""
    known = {name.lower(): name for name in (*_KEYS.values(), "TTL", "metadata", "targetResource")}
    return known.get(key.lower(), key)


def _plain(kind: str, found: Any) -> tuple[str, ...]:
    """The values of a record set as text."""
    if kind == "CNAME":
        return (str(found["cname"]),) if found and found.get("cname") else ()
    if kind == "TXT":
        return tuple("".join(each.get("value") or ()) for each in found or ())
    if kind in _SEVERAL:
        return tuple(" ".join(str(each.get(part, "")) for part in _SEVERAL[kind]) for each in found or ())
    if kind in _VALUES:
        return tuple(str(each.get(_VALUES[kind])) for each in found or ())
    return ()


def _check_value(kind: str, value: str) -> None:
    if kind in ("A", "AAAA"):
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            address = None
        if address is None or address.version != (4 if kind == "A" else 6):
            raise Refusal(bare(400, "BadRequest", f"The value '{value}' of a record of type {kind} is not valid."))
    if kind == "CNAME" and (" " in value or '"' in value or "." not in value):
        raise Refusal(bare(400, "BadRequest", f"The domain name '{value}' is invalid."))

"""The public zone: record sets of Azure DNS, read before they are written and guarded by their ETag."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpTransport
from azure.mgmt.dns import DnsManagementClient, models

from workspace import diagnosis, management
from workspace.errors import Broken, Refused, Unsettled

_OWNER = "owner"
_APEX = "@"
_TXT_CHUNK = 255
_PARENT_MISSING = {"parentresourcenotfound", "resourcegroupnotfound", "subscriptionnotfound"}


@dataclass(frozen=True)
class RecordSet:
    """What one name of a zone answers for one type.

    `owner` says who may change it, as `mystira-workspace/dev`; empty when nobody signed it. `target` is the Azure
    resource an alias follows; an alias has no values of its own.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...] = ()
    owner: str = ""
    target: str = ""
    etag: str = ""

    def says_the_same_as(self, other: "RecordSet") -> bool:
        """True when both answer alike: same values in any order, same time to live, same alias."""
        return self.ttl == other.ttl and self.content == other.content

    @property
    def content(self) -> tuple[str, ...]:
        """The values without what DNS ignores: order, letter case of names, the dot at the end."""
        return (self.target.lower(), *sorted(_plain(self.type, value) for value in self.values))


class Zone:
    """The record sets of the zones in one subscription; may be shared between threads."""

    def __init__(
        self,
        *,
        credential: TokenCredential | None,
        subscription: str,
        base_url: str = "https://management.azure.com",
        scopes: Sequence[str] = (),
        verify: str | bool = True,
        transport: HttpTransport[Any, Any] | None = None,
        polling_seconds: float = 5.0,
    ) -> None:
        settings = management.arguments(
            credential=credential,
            subscription=subscription,
            base_url=base_url,
            scopes=scopes,
            verify=verify,
            transport=transport,
            polling_seconds=polling_seconds,
        )
        self._client = DnsManagementClient(**settings)

    def name_servers(self, group: str, zone: str) -> tuple[str, ...]:
        """The servers the registrar must delegate the zone to; a zone that is not there is broken."""
        with _asking(f"zone {zone} in {group}"):
            return tuple(server.rstrip(".") for server in self._client.zones.get(group, zone).name_servers or ())

    def read(self, group: str, zone: str, name: str, type: str) -> RecordSet | None:
        """The record set, or None when the zone has none of that name and type."""
        try:
            with _asking(f"record {name} {type} of {zone}"):
                return _ours(self._client.record_sets.get(group, zone, name, cast(Any, type)))
        except _Missing:
            return None

    def owned(self, group: str, zone: str, owner: str) -> tuple[RecordSet, ...]:
        """Every record set of the zone that this owner signed."""
        with _asking(f"the records of {zone}"):
            found = [_ours(each) for each in self._client.record_sets.list_by_dns_zone(group, zone)]
        return tuple(each for each in found if each.owner == owner)

    def record(self, **details: Any) -> RecordSet:
        """A record set as it is wanted, for those who may not import this module."""
        return RecordSet(**details)

    def refusal(self, zone: str, wanted: RecordSet, found: RecordSet | None, *, adopt: bool = False) -> str:
        """Why this record set may not be written, as a sentence; empty when it may."""
        if wanted.type == "CNAME" and wanted.name == _APEX:
            return f"{zone} itself cannot be a CNAME; use an alias record (type A with a target)."
        if found is None or adopt or found.owner == wanted.owner or wanted.says_the_same_as(found):
            return ""
        owner = f"belongs to {found.owner}" if found.owner else "is not signed by anyone"
        values = ", ".join(found.values) or found.target
        return (
            f"Record {wanted.name} {wanted.type} of {zone} {owner} and says {values}; it was left alone. "
            f"Remove it, or set `adopt` for this record to take it over."
        )

    def ensure(self, group: str, zone: str, wanted: RecordSet, *, adopt: bool = False) -> bool:
        """Make the record set say exactly this; True when that took a write.

        All earlier values are replaced. A record set of somebody else is refused unless it already says the same or
        adoption is asked. When somebody changes it at the same moment the answer is unsettled and nothing was written.
        """
        found = self.read(group, zone, wanted.name, wanted.type)
        if refusal := self.refusal(zone, wanted, found, adopt=adopt):
            raise Refused(refusal)
        if found is not None and wanted.says_the_same_as(found):
            return False
        guard: dict[str, Any] = {"if_match": found.etag} if found else {"if_none_match": "*"}
        with _asking(f"record {wanted.name} {wanted.type} of {zone}"):
            self._client.record_sets.create_or_update(
                group, zone, wanted.name, cast(Any, wanted.type), _theirs(wanted), **guard
            )
        return True

    def delete(self, group: str, zone: str, name: str, type: str, *, owner: str) -> bool:
        """Remove a record set that this owner signed; False when there is none, refused when it is somebody else's."""
        found = self.read(group, zone, name, type)
        if found is None:
            return False
        if found.owner != owner:
            raise Refused(
                f"Record {name} {type} of {zone} belongs to {found.owner or 'nobody we know'}; it was left alone."
            )
        with _asking(f"record {name} {type} of {zone}"):
            self._client.record_sets.delete(group, zone, name, cast(Any, type), if_match=found.etag)
        return True

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()


_READERS: Mapping[str, Callable[[Any], Sequence[str]]] = {
    "A": lambda found: [each.ipv4_address for each in found.a_records or ()],
    "AAAA": lambda found: [each.ipv6_address for each in found.aaaa_records or ()],
    "CNAME": lambda found: [found.cname_record.cname] if found.cname_record else [],
    "TXT": lambda found: ["".join(each.value) for each in found.txt_records or ()],
    "NS": lambda found: [each.nsdname for each in found.ns_records or ()],
}

_WRITERS: Mapping[str, Callable[[Sequence[str]], Mapping[str, Any]]] = {
    "A": lambda values: {"a_records": [models.ARecord(ipv4_address=each) for each in values]},
    "AAAA": lambda values: {"aaaa_records": [models.AaaaRecord(ipv6_address=each) for each in values]},
    "CNAME": lambda values: {"cname_record": models.CnameRecord(cname=values[0])},
    "TXT": lambda values: {"txt_records": [models.TxtRecord(value=_chunks(each)) for each in values]},
    "NS": lambda values: {"ns_records": [models.NsRecord(nsdname=each) for each in values]},
}


def _ours(found: Any) -> RecordSet:
    kind = str(found.type).rpartition("/")[2].upper()
    target = found.target_resource.id if found.target_resource else ""
    return RecordSet(
        name=found.name,
        type=kind,
        ttl=found.ttl or 0,
        values=tuple(_READERS[kind](found)) if kind in _READERS else (),
        owner=(found.metadata or {}).get(_OWNER, ""),
        target=target or "",
        etag=found.etag or "",
    )


def _theirs(wanted: RecordSet) -> models.RecordSet:
    if wanted.type not in _WRITERS:
        raise Refused(f"Record {wanted.name}: type {wanted.type} is not one of {', '.join(_WRITERS)}.")
    if wanted.type == "CNAME" and len(wanted.values) != 1:
        raise Refused(f"Record {wanted.name}: a CNAME has one value, not {len(wanted.values)}.")
    content: Mapping[str, Any] = (
        {"target_resource": models.SubResource(id=wanted.target)}
        if wanted.target
        else _WRITERS[wanted.type](wanted.values)
    )
    metadata = {_OWNER: wanted.owner} if wanted.owner else None
    return models.RecordSet(ttl=wanted.ttl, metadata=metadata, **content)


def _plain(type: str, value: str) -> str:
    return value if type == "TXT" else value.rstrip(".").lower()


def _chunks(text: str) -> list[str]:
    return [text[start : start + _TXT_CHUNK] for start in range(0, len(text), _TXT_CHUNK)] or [""]


class _Missing(Broken):
    """Azure has no such thing."""


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what Azure says against a request about `what` into our words."""
    try:
        yield
    except AzureError as error:
        found = diagnosis.of(error)
        if found.status == 404 and not found.codes & _PARENT_MISSING:
            raise _Missing(f"{what}: {found}") from error
        if found.status == 412:
            raise Unsettled(f"{what}: somebody changed it at the same moment, nothing was written: {found}") from error
        raise diagnosis.explain(what, error) from error

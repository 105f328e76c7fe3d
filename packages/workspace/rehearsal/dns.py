"""The zone as a real DNS server: answers over UDP and TCP what the record sets in the cloud say.

Two views on two ports: the zone's own servers see a change at once, public resolvers after a delay that can be set.
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dnslib import AAAA, CNAME, NS, QTYPE, RCODE, RR, SOA, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from workspace.rehearsal import behaviour
from workspace.rehearsal.cloud import Cloud, Resource, parse
from workspace.rehearsal.faults import Fault, Faults
from workspace.rehearsal.zone import ZONES, Record, record_of

_HOSTMASTER = "azuredns-hostmaster.microsoft.com."
_NEGATIVE_TTL = 300
_BUILTIN_TTL = 60
_LONGEST_CHAIN = 8
_STOP_SECONDS = 0.1
_TRIES = 20
_WRONG_ADDRESS = "192.0.2.1"
_SLOW_SECONDS = 2.0

Addresses = Callable[[str], str | None]


@dataclass(frozen=True)
class _Change:
    moment: float
    record: Record | None


class Dns:
    """Two name servers over one cloud; `authoritative` and `public` are their addresses (`host:port`).

    `addresses` knows the host names Azure itself answers for (`*.azurewebsites.net`, `*.azurestaticapps.net`).
    """

    def __init__(
        self,
        cloud: Cloud,
        faults: Faults,
        *,
        addresses: Addresses = lambda _: None,
        propagation_seconds: float = 0.0,
        host: str = "127.0.0.1",
        authoritative_port: int = 0,
        public_port: int = 0,
    ) -> None:
        self.propagation_seconds = propagation_seconds
        self._cloud = cloud
        self._faults = faults
        self._addresses = addresses
        self._lock = threading.Lock()
        self._history: dict[str, list[_Change]] = defaultdict(list)
        self._zones: dict[str, Resource] = {}
        for resource in cloud.all():
            self._notice(resource["id"], resource, float("-inf"))
        cloud.listen(lambda resource_id, resource: self._notice(resource_id, resource, time.monotonic()))
        self._pairs = [
            _Pair(host, authoritative_port, lambda query: self._answer(query, public=False)),
            _Pair(host, public_port, lambda query: self._answer(query, public=True)),
        ]
        self.authoritative = f"{host}:{self._pairs[0].port}"
        self.public = f"{host}:{self._pairs[1].port}"

    def close(self) -> None:
        """Stop answering; a second call does nothing."""
        for pair in self._pairs:
            pair.close()
        self._pairs = []

    def __enter__(self) -> "Dns":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _notice(self, resource_id: str, resource: Resource | None, moment: float) -> None:
        kind = parse(resource_id).type.lower()
        if not kind.startswith(ZONES.lower()):
            return
        with self._lock:
            if kind != ZONES.lower():
                record = record_of(resource) if resource else None
                self._history[resource_id.lower()].append(_Change(moment, record))
            elif resource is None:
                self._zones.pop(resource_id.lower(), None)
            else:
                self._zones[resource_id.lower()] = behaviour.complete(resource)

    def _records(self, *, public: bool) -> list[Record]:
        """What this view knows now: for the public one, what was true a while ago."""
        horizon = time.monotonic() - (self.propagation_seconds if public else 0.0)
        with self._lock:
            changes = [[change for change in each if change.moment <= horizon] for each in self._history.values()]
        return [seen[-1].record for seen in changes if seen and seen[-1].record is not None]

    def _answer(self, query: DNSRecord, *, public: bool) -> DNSRecord:
        name, kind = str(query.q.qname).rstrip(".").lower(), QTYPE[query.q.qtype]
        reply = query.reply(ra=int(public), aa=int(not public))
        if fault := self._faults.find("dns", name):
            return self._misbehave(reply, name, kind, fault) or self._say(reply, name, kind, public)
        return self._say(reply, name, kind, public)

    def _misbehave(self, reply: DNSRecord, name: str, kind: str, fault: Fault) -> DNSRecord | None:
        if fault.how == "slow":
            time.sleep(float(fault.details.get("seconds", _SLOW_SECONDS)))
            return None
        if fault.how == "wrong":
            value = str(fault.details.get("value", _WRONG_ADDRESS))
            return self._with(reply, Record(name, "@", "A" if kind == "A" else kind, _BUILTIN_TTL, (value,)))
        reply.header.rcode = RCODE.NXDOMAIN if fault.how == "nxdomain" else RCODE.SERVFAIL
        return reply

    def _say(self, reply: DNSRecord, name: str, kind: str, public: bool) -> DNSRecord:
        known = self._records(public=public)
        for _ in range(_LONGEST_CHAIN):
            zone = self._zone_of(name)
            if zone is None:
                return self._outside(reply, name, kind, public)
            here = [each for each in known if each.fqdn == name]
            fitting = [each for each in here if each.type == kind]
            if fitting or (name == parse(zone["id"]).name.lower() and kind in ("NS", "SOA")):
                for each in fitting:
                    self._with(reply, each)
                return reply if fitting else self._own(reply, zone, kind)
            alias = next((each for each in here if each.type == "CNAME"), None)
            if alias is None:
                return self._nothing(reply, zone, exists=bool(here) or _has_below(known, name))
            self._with(reply, alias)
            name = alias.values[0].rstrip(".").lower()
        reply.header.rcode = RCODE.SERVFAIL
        return reply

    def _outside(self, reply: DNSRecord, name: str, kind: str, public: bool) -> DNSRecord:
        """A name in no zone of ours: public resolvers know Azure's own hosts, a zone's servers know nothing."""
        address = self._addresses(name) if public else None
        if address and kind == "A":
            return self._with(reply, Record(name, "@", "A", _BUILTIN_TTL, (address,)))
        if not reply.rr and not address:
            reply.header.rcode = RCODE.NXDOMAIN if public else RCODE.REFUSED
        elif public and not address:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _own(self, reply: DNSRecord, zone: Resource, kind: str) -> DNSRecord:
        name, servers = parse(zone["id"]).name, zone["properties"]["nameServers"]
        if kind == "NS":
            for server in servers:
                reply.add_answer(RR(name, QTYPE.NS, rdata=NS(server), ttl=172800))
        else:
            reply.add_answer(_soa(zone))
        return reply

    def _nothing(self, reply: DNSRecord, zone: Resource, *, exists: bool) -> DNSRecord:
        if not exists:
            reply.header.rcode = RCODE.NXDOMAIN
        reply.add_auth(_soa(zone))
        return reply

    def _with(self, reply: DNSRecord, record: Record) -> DNSRecord:
        values = record.values
        if record.target:
            address = self._addresses(self._host_of(record.target))
            values = (address,) if address else ()
        for value in values:
            kind, make = _DATA.get(record.type, (0, None))
            if make:
                reply.add_answer(RR(record.fqdn, kind, rdata=make(value), ttl=record.ttl))
        return reply

    def _host_of(self, target: str) -> str:
        properties = (self._cloud.get(target) or {}).get("properties") or {}
        return str(properties.get("defaultHostName") or properties.get("defaultHostname") or "")

    def _zone_of(self, name: str) -> Resource | None:
        with self._lock:
            zones = {parse(each["id"]).name.lower(): each for each in reversed(list(self._zones.values()))}
        fitting = [zone for zone in zones if name == zone or name.endswith("." + zone)]
        return zones[max(fitting, key=len)] if fitting else None


_DATA: dict[str, tuple[int, Callable[[str], Any]]] = {
    "A": (QTYPE.A, A),
    "AAAA": (QTYPE.AAAA, AAAA),
    "CNAME": (QTYPE.CNAME, CNAME),
    "NS": (QTYPE.NS, NS),
    "TXT": (QTYPE.TXT, lambda text: TXT([text[i : i + 255] for i in range(0, len(text), 255)] or [""])),
}


def _soa(zone: Resource) -> RR:
    name, server = parse(zone["id"]).name, zone["properties"]["nameServers"][0]
    times = (1, 3600, 300, 2419200, _NEGATIVE_TTL)
    return RR(name, QTYPE.SOA, rdata=SOA(server, _HOSTMASTER, times), ttl=_NEGATIVE_TTL)


def _has_below(known: list[Record], name: str) -> bool:
    return any(each.fqdn.endswith("." + name) for each in known)


class _Pair:
    """One name server: the same port over UDP and TCP."""

    def __init__(self, host: str, port: int, answer: Callable[[DNSRecord], DNSRecord]) -> None:
        self._servers = _bind(host, port, _Asked(answer))
        self.port = int(self._servers[0].server.server_address[1])
        self._threads = [
            threading.Thread(target=each.server.serve_forever, args=(_STOP_SECONDS,), daemon=True)
            for each in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        stopping = [threading.Thread(target=each.server.shutdown) for each in self._servers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        for each in self._servers:
            each.server.server_close()


class _Asked(BaseResolver):  # type: ignore[misc]
    def __init__(self, answer: Callable[[DNSRecord], DNSRecord]) -> None:
        self._answer = answer

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        return self._answer(request)


def _bind(host: str, port: int, resolver: BaseResolver) -> list[DNSServer]:
    """A UDP and a TCP server on one port; another port is tried when TCP's is taken."""
    quiet = DNSLogger(logf=lambda _: None)
    for attempt in range(_TRIES):
        udp = DNSServer(resolver, address=host, port=port, logger=quiet)
        with contextlib.suppress(OSError):
            return [udp, DNSServer(resolver, address=host, port=udp.server.server_address[1], tcp=True, logger=quiet)]
        udp.server.server_close()
        if port or attempt == _TRIES - 1:
            break
    raise OSError(f"no port of {host} is free for both UDP and TCP")

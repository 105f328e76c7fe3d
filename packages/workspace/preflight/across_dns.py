"""Rules for the names that the public asks: one owner per host, records that lead somewhere, bindings that can hold."""

from collections.abc import Iterator, Mapping

from workspace.preflight.across_environments import bare, canonical
from workspace.preflight.across_inventory import Binding, Inventory, Record, Said
from workspace.preflight.across_kinds import ZONE, endpoints
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_hosts import fits

TWICE = Rule(
    "dns/host-claimed-twice",
    Severity.ERROR,
    "A host that two platforms, or two environments, are told to answer for.",
    "The record can lead to one of them only; the other one's binding fails, or answers nobody.",
    "Give each its own host.",
)
DANGLING = Rule(
    "dns/dangling",
    Severity.ERROR,
    "A record that leads to an Azure name which nobody declares any more.",
    "Whoever takes the free name answers for the host, with a certificate of their own.",
    "Remove the record, or declare its target.",
)
TARGET = Rule(
    "dns/record-without-target",
    Severity.RISK,
    "A record that leads to a host of our own zone which has no record.",
    "The name resolves to nothing; bindings and certificates that wait for it wait for ever.",
    "Add the target's record, or correct the target.",
)
APEX = Rule(
    "dns/apex-cname",
    Severity.ERROR,
    "A CNAME at the zone's own name.",
    "The zone's name has other records always (SOA, NS), and a CNAME may stand beside none; Azure refuses it.",
    "Use an alias record (A with a target resource).",
)
BESIDE = Rule(
    "dns/cname-beside",
    Severity.ERROR,
    "A CNAME beside another record of the same name.",
    "DNS allows none, and Azure refuses the second one, whichever that is.",
    "Move the other record to a name of its own, or use an A record.",
)
TTL = Rule(
    "dns/ttl",
    Severity.RISK,
    "A record that is kept for more than a day, or for less than half a minute.",
    "For as long a change of address is not seen; with almost none every request asks the name servers first.",
    "Use 300 to 3600 seconds.",
)
RECORD = Rule(
    "dns/binding-without-record",
    Severity.ERROR,
    "A host bound to an app whose zone has no record of it.",
    "About 31 fixes were for records and bindings; Azure refuses a binding whose record it cannot find.",
    "Declare the record in the zone, before the binding.",
)
PROOF = Rule(
    "dns/binding-without-proof",
    Severity.RISK,
    "A host bound to an App Service without its asuid record.",
    "No asuid record was made: bindings of addresses are refused, and a name whose app is gone can be taken over.",
    "Declare a TXT record asuid.<host> with the app's verification id.",
)
ORDER = Rule(
    "dns/binding-before-record",
    Severity.RISK,
    "A binding that does not wait for the record it needs.",
    "Terraform makes both at once, and the binding is refused until the record answers: a first run needed a second.",
    "Refer to the record in the binding, or name it in depends_on.",
)
OUTSIDE = Rule(
    "dns/outside-zones",
    Severity.RISK,
    "A host that is in none of the zones which all other hosts are in.",
    "Nobody here can write its record, so no certificate is ever issued; one README had another domain.",
    "Correct the domain, or declare its zone.",
)
UNSERVED = Rule(
    "dns/host-unserved",
    Severity.RISK,
    "A host of our own zone that a program is told to call and that nothing serves.",
    "Monitoring asked a third spelling of the hosts, which no environment had.",
    "Correct the host, or declare who serves it.",
)
OTHER = Rule(
    "dns/other-environments-host",
    Severity.RISK,
    "A program that is told to call another environment's host, although its own has one.",
    "What was meant to be tried out in one environment changes data of the other.",
    "Use the environment's own host.",
)
RULES = (TWICE, DANGLING, TARGET, APEX, BESIDE, TTL, RECORD, PROOF, ORDER, OUTSIDE, UNSERVED, OTHER)

_LEADING = ("A", "AAAA", "CNAME")
_ELSEWHERE = (".local", ".internal", ".localhost", ".test", ".example", ".example.com", ".nip.io", ".sslip.io",
              ".azurewebsites.net", ".azurestaticapps.net", ".azurefd.net", ".cloudapp.azure.com")  # fmt: skip


def check(trees: Trees, catalogue: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """What is wrong with hosts; `catalogue` holds those that the caller knows to be served, by environment and use."""
    inventory = trees.inventory
    yield from _twice(inventory)
    by_host: dict[str, list[Record]] = {}
    for each in inventory.records:
        by_host.setdefault(each.host, []).append(each)
    for each in inventory.records:
        yield from _record(inventory, each, by_host)
    for binding in inventory.bindings:
        yield from _binding(inventory, binding, by_host)
    yield from _outside(inventory)
    yield from _calls(inventory, catalogue)


def _find(rule: Rule, said: Said, what: str, *more: str) -> Finding:
    return rule.at(said.place, what, *dict.fromkeys(each for each in (*more, said.environment) if each))


def _twice(inventory: Inventory) -> Iterator[Finding]:
    seen: dict[str, Binding] = {}
    for each in (*inventory.hosts, *inventory.bindings):
        first = seen.setdefault(each.host, each)
        both = {first.platform, each.platform}
        same = (first.said.owner, first.said.environment) == (each.said.owner, each.said.environment)
        if len(both) > 1 or (both != {"Kubernetes"} and not same):
            what = f"{each.host} is bound by {each.said} to {each.platform} and by {first.said} to {first.platform}."
            yield _find(TWICE, each.said, what, first.said.environment)


def _is_known(inventory: Inventory, zone: str) -> bool:
    """True when the records of a zone are written here, all of them readable."""
    return not inventory.has_unknown_records and any(each.zone == zone for each in inventory.records)


def _record(inventory: Inventory, each: Record, by_host: Mapping[str, list[Record]]) -> Iterator[Finding]:
    others = sorted({one.type for one in by_host[each.host]} - {"CNAME"})
    if each.type == "CNAME" and each.zone and each.host == each.zone:
        yield _find(APEX, each.said, f"{each.host} is the zone's own name and has a CNAME.")
    elif each.type == "CNAME" and others:
        yield _find(BESIDE, each.said, f"{each.host} has a CNAME beside {' and '.join(others)}.")
    if each.type in _LEADING and each.ttl is not None and not 30 <= each.ttl <= 86400:
        yield _find(TTL, each.said, f"The {each.type} record {each.host} is kept for {each.ttl} seconds.")
    if not each.target:
        return
    for kind, name in endpoints(each.target):
        if kind not in inventory.unknown and inventory.of(kind) and not inventory.named(kind, name):
            what = f"{each.host} leads to {each.target}, and nobody declares the {kind.word} {name}."
            yield _find(DANGLING, each.said, what)
    zone = inventory.zone_of(each.target)
    if (
        zone
        and _is_known(inventory, zone)
        and each.target not in inventory.served
        and not _is_wild(inventory, each.target)
    ):
        yield _find(TARGET, each.said, f"{each.host} leads to {each.target}, which has no record in {zone}.")


def _is_wild(inventory: Inventory, host: str) -> bool:
    return any(fits(host, each) for each in inventory.served if each.startswith("*."))


def _binding(inventory: Inventory, each: Binding, by_host: Mapping[str, list[Record]]) -> Iterator[Finding]:
    zone = inventory.zone_of(each.host)
    if not zone or not _is_known(inventory, zone):
        return
    leading = [one for one in by_host.get(each.host, ()) if one.type in _LEADING]
    proofs = [one for one in by_host.get(f"asuid.{each.host}", ()) if one.type == "TXT"]
    if not leading and not _is_wild(inventory, each.host):
        yield _find(RECORD, each.said, f"{each.host} is bound to {each.platform} and has no record in {zone}.")
    elif each.platform == "App Service" and not proofs:
        yield _find(PROOF, each.said, f"{each.host} is bound to {each.platform} and has no record asuid.{each.host}.")
    beside = [one for one in (*leading, *proofs) if each.folder and one.address.partition(" ")[0] == each.folder]
    waiting = [one for one in beside if one.said.environment == each.said.environment and one.address not in each.needs]
    if waiting:
        address = waiting[0].address.partition(" ")[2]
        yield _find(ORDER, each.said, f"The binding of {each.host} does not wait for its record {address}.")


def _outside(inventory: Inventory) -> Iterator[Finding]:
    every = [each for each in (*inventory.hosts, *inventory.bindings) if not each.host.endswith(_ELSEWHERE)]
    outside = [each for each in every if not inventory.zone_of(each.host)]
    if ZONE in inventory.unknown or not inventory.of(ZONE) or len(outside) * 3 >= len(every):
        return
    for each in outside:
        yield _find(OUTSIDE, each.said, f"{each.host} is in none of the zones {', '.join(inventory.zones)}.")


def _calls(inventory: Inventory, catalogue: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    served = {host: {each.environment for each in said} for host, said in inventory.served.items()}
    for environment, hosts in catalogue.items():
        for host in hosts.values():
            served.setdefault(host.lower(), set()).add(canonical(environment))
    services = {(environment, bare(host, environment)): host for host, where in served.items() for environment in where}
    known = {host for hosts in catalogue.values() for host in hosts.values()}
    for each in inventory.calls:
        own, where = each.said.environment, served.get(each.host, set())
        zone = inventory.zone_of(each.host)
        if own and where and not where & {own, ""}:
            counterpart = {services.get((own, bare(each.host, one))) for one in where} - {None}
            for better in sorted(map(str, counterpart)):
                what = f"{each.caller} calls {each.host} of {' and '.join(sorted(where))}; its own is {better}."
                yield _find(OTHER, each.said, what)
        is_known = bool(zone) and (_is_known(inventory, zone) or any(inventory.zone_of(host) == zone for host in known))
        if not where and is_known and not _is_wild(inventory, each.host):
            yield _find(UNSERVED, each.said, f"{each.caller} calls {each.host}, which nothing serves.")

"""Rules for facts that are declared once, and definitions that say otherwise.

The caller hands the facts in as plain data: {"dev": {"hosts": {"chain": "dev.chain.example.org"}, "names":
{"Azure type": ["a-name"]}, "regions": ["eastus"], "ports": {"chain": 8545}}}; every part may be missing.
"""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from workspace.preflight.across_environments import canonical
from workspace.preflight.across_inventory import Said, Thing
from workspace.preflight.across_kinds import BY_TYPE, Kind
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_yaml import mapping

HOST = Rule(
    "catalogue/host",
    Severity.ERROR,
    "A host of an environment that the catalogue does not give it.",
    "Three orders of the same words stood in three places; a host is a fact, and facts stand once.",
    "Use the catalogue's host, or change it there.",
)
UNSERVED = Rule(
    "catalogue/host-unserved",
    Severity.RISK,
    "A service whose host in the catalogue no route of its environment serves.",
    "Its record and certificate are made, and the public finds nobody behind them.",
    "Add the host to the service's route, or take it out of the catalogue.",
)
NAME = Rule(
    "catalogue/name",
    Severity.ERROR,
    "A thing whose name in the catalogue is another one.",
    "Overlays looked for names that were computed anew while the old ones were kept: nothing matched, nothing failed.",
    "Use the catalogue's name, or change it there.",
)
REGION = Rule(
    "catalogue/region",
    Severity.ERROR,
    "A thing in a region that the catalogue does not give its environment.",
    "A region cannot be changed afterwards: moving means deleting and making anew.",
    "Use one of the catalogue's regions, or add this one there.",
)
PORT = Rule(
    "catalogue/port",
    Severity.ERROR,
    "A Service that does not offer the port of the catalogue.",
    "Callers and checks take the port from the catalogue and find it closed.",
    "Offer the port, or change the catalogue.",
)
RULES = (HOST, UNSERVED, NAME, REGION, PORT)

Facts = Mapping[str, Mapping[str, Any]]


def check(trees: Trees, facts: Facts) -> Iterator[Finding]:
    """Where definitions and facts differ."""
    shared = {word for each in facts for word in (each,) if not canonical(each)}
    common = [facts[each] for each in shared]
    for environment, fact in facts.items():
        own = canonical(environment)
        yield from _names(trees, own, fact)
        yield from _regions(trees, own, [fact, *common])
        if own:
            yield from _hosts(trees, own, fact)
            yield from _services(trees, own, fact)


def _find(rule: Rule, said: Said, what: str) -> Finding:
    return rule.at(said.place, what, *([said.environment] if said.environment else []))


def _hosts(trees: Trees, environment: str, fact: Mapping[str, Any]) -> Iterator[Finding]:
    known = {str(each).lower() for each in mapping(fact.get("hosts")).values()}
    if not known:
        return
    inventory = trees.inventory
    said = {(each.host, each.said) for each in (*inventory.hosts, *inventory.bindings)}
    said |= {(each.host, each.said) for each in inventory.records if each.type in ("A", "AAAA", "CNAME")}
    ends = tuple({each.split(".", 1)[-1] for each in known})
    for host, who in sorted(said, key=lambda each: each[1].place):
        is_ours = host in known or host.endswith(ends) or bool(inventory.zone_of(host))
        if who.environment == environment and is_ours and host not in known and not host.startswith("*."):
            yield _find(HOST, who, f"{environment} has no host {host}; it has {', '.join(sorted(known))}.")


def _services(trees: Trees, environment: str, fact: Mapping[str, Any]) -> Iterator[Finding]:
    scene = trees.scene(environment)
    if scene is None:
        return
    served = {each.host for each in trees.inventory.hosts if each.said.environment == environment}
    for service in scene.of("Service"):
        for use, host in mapping(fact.get("hosts")).items():
            if _is_for(service.name, use) and served and str(host).lower() not in served:
                yield scene.find(
                    UNSERVED, service.place("metadata", "name"), f"No route of {environment} serves {host}."
                )
        for use, port in mapping(fact.get("ports")).items():
            offered = [mapping(each).get("port") for each in service.items("spec", "ports")]
            if _is_for(service.name, use) and offered and port not in offered:
                what = f"{service} offers {', '.join(map(str, offered))}; the catalogue says {port}."
                yield scene.find(PORT, service.place("spec", "ports", 0), what)


def _is_for(name: str, use: str) -> bool:
    return name == use or (name.endswith(f"-{use}") and name.count("-") == use.count("-") + 1)


def _names(trees: Trees, environment: str, fact: Mapping[str, Any]) -> Iterator[Finding]:
    for type_, names in mapping(fact.get("names")).items():
        kind = BY_TYPE.get(type_.lower())
        if kind and kind not in trees.inventory.unknown:
            yield from _differing(trees, kind, environment, [str(each) for each in names])


def _differing(trees: Trees, kind: Kind, environment: str, names: list[str]) -> Iterator[Finding]:
    declared: dict[str, Thing] = {}
    for each in trees.inventory.of(kind):
        if each.said.environment == environment:
            declared.setdefault(each.name.lower(), each)
    missing = [each for each in names if each.lower() not in declared]
    more = [each for name, each in declared.items() if name not in {one.lower() for one in names}]
    for thing in more:
        if missing:
            likely = max(missing, key=lambda each: SequenceMatcher(None, each, thing.name).ratio())
            what = f"The {kind.word} {thing.name} is called {likely} in the catalogue."
            yield _find(NAME, thing.said, what)


def _regions(trees: Trees, environment: str, facts: list[Mapping[str, Any]]) -> Iterator[Finding]:
    known = {_plain(str(each)) for fact in facts for each in fact.get("regions", ())}
    if not facts[0].get("regions"):
        return
    for each in trees.inventory.things:
        if each.said.environment == environment and each.region and _plain(each.region) not in known | {"global"}:
            what = (
                f"The {each.kind.word} {each.name} is in {each.region}; the catalogue has {', '.join(sorted(known))}."
            )
            where = [environment] if environment else []
            yield REGION.at(each.region_place or each.said.place, what, *where)


def _plain(region: str) -> str:
    return region.lower().replace(" ", "")

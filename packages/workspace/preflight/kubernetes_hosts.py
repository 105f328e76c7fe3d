"""Rules for names that the world sees: hosts, their certificates, and who issues them."""

from collections.abc import Iterator, Sequence
from typing import Any

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_sources import Sources
from workspace.preflight.kubernetes_yaml import items, mapping

ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute")
HOST = Rule(
    "kubernetes/host-claimed-twice",
    Severity.ERROR,
    "A host that two routes, or two environments, claim.",
    "All overlays published the hosts of prod: the record of one environment pointed at the address of another.",
    "Give each environment its own host.",
)
TLS = Rule(
    "kubernetes/tls-without-certificate",
    Severity.ERROR,
    "A TLS secret that no certificate fills, or whose certificate is for other hosts.",
    "The listener does not come up, or browsers refuse what it shows.",
    "Add a Certificate with this secretName and these dnsNames.",
)
ISSUER = Rule(
    "kubernetes/issuer",
    Severity.ERROR,
    "A certificate of an issuer that does not exist, or of a staging issuer in production.",
    "The certificate never becomes ready, or no browser trusts it.",
    "Name the environment's issuer.",
)
RULES = (HOST, TLS, ISSUER)

_ISSUED_BY = {"cert-manager.io/cluster-issuer": "ClusterIssuer", "cert-manager.io/issuer": "Issuer"}


def check(scene: Scene, sources: Sources, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    """What is wrong with the hosts of an environment."""
    if not scene.whole:
        return
    for thing in scene.of("Gateway", "Ingress"):
        yield from attempted((_tls,), scene, sources, thing)
    for thing in scene.of("Certificate", "Ingress", "Gateway"):
        yield from attempted((_issuer,), scene, thing, everywhere)
    yield from attempted((_hosts,), scene, everywhere)


def fits(host: str, pattern: str) -> bool:
    """True when a host is the one meant, or one of those meant by a wildcard."""
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]) and host != pattern[2:])


def _covers(name: str, host: str) -> bool:
    """True when a name of a certificate stands for a host; its wildcard is for one step."""
    return name == host or (name.startswith("*.") and not host.startswith("*") and host.partition(".")[2] == name[2:])


def _tls(scene: Scene, sources: Sources, thing: Thing) -> Iterator[Finding]:
    annotations = thing.mapping("metadata", "annotations")
    if _ISSUED_BY.keys() & annotations.keys():
        return
    for path, name, hosts in _secured(thing):
        certificates = [each for each in scene.of("Certificate") if each.at("spec", "secretName") == name]
        own = [each for each in certificates if each.namespace == thing.namespace]
        if not own:
            if not sources.gives(scene, thing.namespace, "Secret", name, ""):
                yield scene.find(TLS, thing.place(*path), f"{thing} shows the TLS secret {name}, which nothing makes.")
            continue
        said = [each for one in own for each in (*one.items("spec", "dnsNames"), one.at("spec", "commonName"))]
        given = [str(each) for each in said if each]
        for host in hosts:
            if not any(_covers(each, host) for each in given):
                what = f"{own[0]} is not for {host}, which {thing} serves with it; it is for {', '.join(given)}."
                yield scene.find(TLS, own[0].place("spec", "dnsNames", 0), what)


def _secured(thing: Thing) -> Iterator[tuple[tuple[str | int, ...], str, list[str]]]:
    """The TLS secrets that a gateway or ingress shows, each with its path and hosts."""
    if thing.kind == "Ingress":
        for index, each in enumerate(map(mapping, thing.items("spec", "tls"))):
            if each.get("secretName"):
                hosts = [str(host) for host in items(each.get("hosts"))]
                yield ("spec", "tls", index, "secretName"), str(each["secretName"]), hosts
    for index, each in enumerate(map(mapping, thing.items("spec", "listeners"))):
        for reference in map(mapping, items(mapping(each.get("tls")).get("certificateRefs"))):
            if reference.get("kind", "Secret") == "Secret" and "namespace" not in reference:
                path = ("spec", "listeners", index, "tls", "certificateRefs", str(reference.get("name")))
                yield path, str(reference.get("name")), [str(each["hostname"])] if each.get("hostname") else []


def _issuer(scene: Scene, thing: Thing, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    known = [each for other in everywhere for each in other.of("ClusterIssuer", "Issuer")]
    for path, kind, name in issued(thing):
        # Where the workspace brings no issuer at all, the cluster has them.
        scenes = everywhere if kind == "ClusterIssuer" else [scene]
        found = [one for each in scenes if (one := each.one(kind, name))]
        if not found and known:
            what = f"{thing} is to be issued by {kind} {name}, which does not exist; there is "
            names = dict.fromkeys(str(each) for each in known)
            yield scene.find(ISSUER, thing.place(*path), f"{what}{', '.join(names)}.")
        server = str(found[0].at("spec", "acme", "server") or "") if found else name
        if scene.is_production and "staging" in server:
            what = f"{thing} of {scene.environment} is issued by {name}, a staging issuer, which nobody trusts."
            yield scene.find(ISSUER, thing.place(*path), what)


def issued(thing: Thing) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The issuers that a certificate, ingress or gateway asks: path, kind and name."""
    reference = thing.mapping("spec", "issuerRef")
    if thing.kind == "Certificate" and reference.get("group", "cert-manager.io") == "cert-manager.io":
        yield ("spec", "issuerRef", "name"), str(reference.get("kind", "Issuer")), str(reference.get("name"))
    for annotation, kind in _ISSUED_BY.items():
        name = thing.at("metadata", "annotations", annotation)
        if name:
            yield ("metadata", "annotations", annotation), kind, str(name)


def _hosts(scene: Scene, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], list[Thing]] = {}
    for thing, path, host, way in claims(scene):
        others = seen.setdefault((host, way), [])
        other = next((each for each in others if each is not thing and _meet(each, thing)), None)
        others.append(thing)
        if other:
            what = f"{thing} claims {host}{way}, which {other} claims too."
            yield scene.find(HOST, thing.place(*path), what)
    scenes = [each for each in everywhere if each.environment and each.environment < scene.environment]
    for other_scene in scenes:
        theirs = {(host, thing.kind) for thing, _, host, _ in claims(other_scene)}
        for thing, path, host, _ in claims(scene):
            if (host, thing.kind) in theirs:
                what = f"{thing} claims {host} in {scene.environment} and in {other_scene.environment}."
                yield HOST.at(thing.place(*path), what, other_scene.environment, scene.environment)


def _meet(one: Thing, other: Thing) -> bool:
    """True unless each attaches to listeners of its own."""
    both = [_listeners(one), _listeners(other)]
    return not all(both) or bool(both[0] & both[1])


def _listeners(thing: Thing) -> set[str]:
    """The listeners that a route names, none when it attaches to all of a gateway."""
    parents = [mapping(each) for each in thing.items("spec", "parentRefs")]
    named = {f"{each.get('name')} {each.get('sectionName', '')} {each.get('port', '')}" for each in parents}
    return named if all(each.get("sectionName") or each.get("port") for each in parents) else set()


def _way(match: dict[str, Any]) -> str:
    """What a route matches, as one text: the path, and whatever else it asks for."""
    path = mapping(match.get("path"))
    exactly = " exactly" if path.get("type") == "Exact" else ""
    more = [f"{key}={match[key]}" for key in ("method", "headers", "queryParams") if match.get(key)]
    return f"{path.get('value', '/')}{exactly}{''.join(f' {each}' for each in more)}"


def claims(scene: Scene) -> Iterator[tuple[Thing, tuple[str | int, ...], str, str]]:
    """Who claims which host and path: routes and ingresses."""
    for thing in scene.apart(*ROUTES):
        ways = {
            _way(match)
            for rule in map(mapping, thing.items("spec", "rules"))
            for match in map(mapping, items(rule.get("matches")) or [{}])
        }
        for number, host in enumerate(thing.items("spec", "hostnames")):
            for way in sorted(ways or {"/"}):
                yield thing, ("spec", "hostnames", number), str(host), way
    for thing in scene.apart("Ingress"):
        for index, rule in enumerate(map(mapping, thing.items("spec", "rules"))):
            for each in map(mapping, items(mapping(rule.get("http")).get("paths")) or [{}]):
                if rule.get("host"):
                    exactly = " exactly" if each.get("pathType") == "Exact" else ""
                    way = f"{each.get('path', '/')}{exactly}"
                    yield thing, ("spec", "rules", index, "host"), str(rule["host"]), way

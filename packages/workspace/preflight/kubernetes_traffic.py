"""Rules for how requests find their way: selectors, ports, routes and network policies."""

from collections.abc import Iterator, Sequence
from typing import Any

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_hosts import ROUTES, fits
from workspace.preflight.kubernetes_pods import selected
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_sources import Sources
from workspace.preflight.kubernetes_yaml import items, mapping

SELECTOR = Rule(
    "kubernetes/selector-finds-nothing",
    Severity.ERROR,
    "A selector that finds no pods.",
    "A Service without pods answers nobody; a policy or budget without pods protects nothing, and nobody notices.",
    "Select labels that the pods have.",
)
PORT = Rule(
    "kubernetes/service-port",
    Severity.ERROR,
    "A Service that sends to a port no container has.",
    "Every connection is refused although all pods are ready.",
    "Let targetPort name one of the containers' ports.",
)
BACKEND = Rule(
    "kubernetes/backend-missing",
    Severity.ERROR,
    "A route or ingress that leads nowhere.",
    "The controller answers 500 or 503 for the host, or attaches no route at all.",
    "Name a Service and port, a Gateway and listener, that exist in the same environment.",
)
OPEN = Rule(
    "kubernetes/network-open",
    Severity.RISK,
    "A namespace that requests reach and where no policy denies by default.",
    "Every pod of the cluster may call every other one, whatever the other policies say.",
    "Add a NetworkPolicy with an empty podSelector for Ingress and Egress.",
)
RULES = (SELECTOR, PORT, BACKEND, OPEN)

_EVERYBODY: tuple[dict[str, Any], ...] = (
    {"namespaceSelector": {}},
    {"ipBlock": {"cidr": "0.0.0.0/0"}},
    {"ipBlock": {"cidr": "::/0"}},
)
# Policies of others, which may close what these leave open.
_OTHER_POLICIES = (
    "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy", "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy",
)  # fmt: skip


def check(scene: Scene, sources: Sources, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    """What is wrong with the ways into an environment, and inside it."""
    if not scene.whole:
        return
    for service in scene.of("Service"):
        yield from attempted((_service,), scene, service)
    for thing in (*scene.workloads, *scene.of("PodDisruptionBudget", "NetworkPolicy")):
        yield from attempted((_selectors,), scene, thing)
    for route in (*scene.of(*ROUTES), *scene.of("Ingress")):
        yield from attempted((_backends,), scene, sources, route, everywhere)
    yield from attempted((_open,), scene)


def _pods(scene: Scene, namespace: str) -> list[Thing]:
    return [each for each in scene.workloads if each.namespace == namespace]


def _service(scene: Scene, service: Thing) -> Iterator[Finding]:
    selector = service.mapping("spec", "selector")
    if not selector or not scene.workloads or service.at("spec", "type") == "ExternalName":
        return
    found = [each for each in _pods(scene, service.namespace) if selected(scene, each, selector)]
    if not found and not _is_foreign(scene, selector, service.namespace):
        place = service.place("spec", "selector")
        yield scene.find(SELECTOR, place, f"{service} selects {_labels(selector)}, which no pod has.")
    ports = [mapping(port) for each in found for _, one in each.containers() for port in items(one.get("ports"))]
    names, numbers = {str(each.get("name")) for each in ports}, {str(each.get("containerPort")) for each in ports}
    for index, port in enumerate(map(mapping, service.items("spec", "ports"))):
        target = str(port.get("targetPort", port.get("port")))
        if ports and target not in (numbers if target.isdigit() else names):
            own = ", ".join(sorted((names - {"None"}) | numbers))
            step = str(port.get("name") or index)
            place = service.place("spec", "ports", step, "targetPort")
            yield scene.find(PORT, place, f"{service} sends port {port.get('port')} to {target}; {found[0]} has {own}.")


def _selectors(scene: Scene, thing: Thing) -> Iterator[Finding]:
    if thing.pod:
        labels = thing.mapping("spec", "selector", "matchLabels")
        if labels and not labels.items() <= thing.labels.items():
            place = thing.place("spec", "selector", "matchLabels")
            yield scene.find(SELECTOR, place, f"{thing} selects {_labels(labels)}, which its own pods do not have.")
        return
    for path, selector in _selecting(thing):
        labels = mapping(selector.get("matchLabels"))
        if not labels or selector.get("matchExpressions") or _is_foreign(scene, labels, thing.namespace):
            continue
        if not any(selected(scene, each, labels) for each in _pods(scene, thing.namespace)):
            yield scene.find(SELECTOR, thing.place(*path), f"{thing} selects {_labels(labels)}, which no pod has.")


def _selecting(thing: Thing) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """The selectors of pods of its own namespace, with their paths."""
    for field in ("selector", "podSelector"):
        yield ("spec", field, "matchLabels"), thing.mapping("spec", field)
    for way, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(map(mapping, thing.items("spec", way))):
            for number, peer in enumerate(map(mapping, items(rule.get(side)))):
                if "namespaceSelector" not in peer:
                    yield ("spec", way, index, side, number, "podSelector"), mapping(peer.get("podSelector"))


def _labels(labels: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _installed_to(scene: Scene) -> set[str]:
    """The namespaces into which an operator installs charts, whose pods are not known here."""
    releases = {each.at("spec", "targetNamespace") or each.namespace for each in scene.of("HelmRelease", "HelmChart")}
    of_argo = {each.at("spec", "destination", "namespace") for each in scene.of("Application")}
    return {str(each) for each in releases | of_argo if each}


def _is_foreign(scene: Scene, labels: dict[str, Any], namespace: str) -> bool:
    """True for labels that only a controller gives, to pods that it makes itself, and where a chart is installed."""
    if namespace in _installed_to(scene):
        return True
    own = {key for each in scene.workloads for key in each.labels}
    return any("/" in key and not key.startswith("app.kubernetes.io/") and key not in own for key in map(str, labels))


def _backends(scene: Scene, sources: Sources, route: Thing, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    for path, name, port in _led_to(route):
        service = scene.one("Service", name, route.namespace)
        if service is None and sources.installs(name):
            continue
        if service is None:
            what = f"{route} leads to Service {name}, which does not exist in this environment."
            yield scene.find(BACKEND, route.place(*path, "name"), what)
        elif port is not None:
            ports = [mapping(each) for each in service.items("spec", "ports")]
            known = {str(each.get(field)) for each in ports for field in ("port", "name")} - {"None"}
            if str(port) not in known:
                what = f"{route} leads to port {port} of Service {name}, which has {', '.join(sorted(known))}."
                yield scene.find(BACKEND, route.place(*path, "port"), what)
    if any(each.of("Gateway") for each in everywhere):
        yield from _parents(scene, route)


def _led_to(route: Thing) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    default = route.mapping("spec", "defaultBackend", "service")
    if default:
        yield ("spec", "defaultBackend", "service"), str(default.get("name")), _port(default)
    for index, rule in enumerate(map(mapping, route.items("spec", "rules"))):
        start: tuple[str | int, ...] = ("spec", "rules", index)
        for number, each in enumerate(map(mapping, items(rule.get("backendRefs")))):
            if each.get("kind", "Service") == "Service" and "namespace" not in each:
                yield (*start, "backendRefs", number), str(each.get("name")), each.get("port")
        for number, each in enumerate(map(mapping, items(mapping(rule.get("http")).get("paths")))):
            service = mapping(mapping(each.get("backend")).get("service"))
            if service:
                yield (*start, "http", "paths", number, "backend", "service"), str(service.get("name")), _port(service)


def _port(service: dict[str, Any]) -> Any:
    port = mapping(service.get("port"))
    return port.get("number", port.get("name"))


def _parents(scene: Scene, route: Thing) -> Iterator[Finding]:
    hosts = [str(each) for each in route.items("spec", "hostnames")]
    for index, parent in enumerate(map(mapping, route.items("spec", "parentRefs"))):
        if parent.get("kind", "Gateway") != "Gateway":
            continue
        path = ("spec", "parentRefs", index)
        gateway = scene.one("Gateway", parent.get("name"), parent.get("namespace", route.namespace))
        if gateway is None:
            what = f"{route} attaches to Gateway {parent.get('name')}, which does not exist in this environment."
            yield scene.find(BACKEND, route.place(*path), what)
            continue
        listeners = [mapping(each) for each in gateway.items("spec", "listeners")]
        section = parent.get("sectionName")
        listeners = [each for each in listeners if section in (None, each.get("name"))]
        if not listeners:
            what = f"{route} attaches to listener {section}, which {gateway} does not have."
            yield scene.find(BACKEND, route.place(*path, "sectionName"), what)
        for number, host in enumerate(hosts):
            given = [str(each["hostname"]) for each in listeners if each.get("hostname")]
            if given and len(given) == len(listeners) and not any(fits(host, each) for each in given):
                what = f"{route} is for {host}, but {gateway} listens to {', '.join(given)} there."
                yield scene.find(BACKEND, route.place("spec", "hostnames", number), what)


def _open(scene: Scene) -> Iterator[Finding]:
    if scene.of(*_OTHER_POLICIES):
        return
    outside = [each for each in scene.of("Service") if _is_outside(each)]
    reached = [*scene.of(*ROUTES, "Ingress", "NetworkPolicy"), *outside]
    for namespace in sorted({each.namespace for each in reached}):
        if not _pods(scene, namespace):
            continue
        policies = [each for each in scene.of("NetworkPolicy") if each.namespace == namespace]
        general = [each for each in policies if not each.mapping("spec", "podSelector")]
        # What one policy allows no other one takes back.
        opened = {way for each in general for way in _ways(each) if any(_allows_all(each, way))}
        denied = {way for each in general for way in _ways(each)} - opened
        missing = [way for way in ("Ingress", "Egress") if way not in denied]
        if missing:
            first = next(each for each in reached if each.namespace == namespace)
            said = "type" if first in outside else "policyTypes"
            place = policies[0].origin("spec", "policyTypes") if policies else first.origin("spec", said)
            where = f"namespace {namespace}" if namespace else "the namespace that is chosen when this is applied"
            yield scene.find(OPEN, place, f"No policy of {where} denies {' and '.join(missing)} by default.")


def _is_outside(service: Thing) -> bool:
    """True for a Service that a load balancer, or a port of every node, opens to what is not in the cluster."""
    return service.at("spec", "type") in ("LoadBalancer", "NodePort") and bool(service.mapping("spec", "selector"))


def _ways(policy: Thing) -> list[str]:
    """The ways that a policy closes, but for what its rules let through."""
    said = [str(each) for each in policy.items("spec", "policyTypes")]
    return said or ["Ingress", *(["Egress"] if policy.at("spec", "egress") else [])]


def _allows_all(policy: Thing, way: str) -> Iterator[bool]:
    """For each rule of a way: whether it lets everybody through, at every port."""
    for rule in map(mapping, policy.items("spec", way.lower())):
        peers = [mapping(each) for each in items(rule.get("from" if way == "Ingress" else "to"))]
        yield not rule.get("ports") and (not peers or any(each in _EVERYBODY for each in peers))

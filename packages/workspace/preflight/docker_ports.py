"""The ports at which manifests reach a container: by probes, by routes and ingresses, and by what services offer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workspace.preflight import shared
from workspace.preflight.checkout import Checkout
from workspace.preflight.kubernetes_files import Tree

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Reached:
    """A port of a container that something outside it calls, or could call because a service offers it."""

    image: str
    port: int
    by: str
    workload: str
    file: str
    is_called: bool = True


def reached(checkout: Checkout) -> tuple[Reached, ...]:
    """Every port that a probe, a route, an ingress or a service reaches; each once per image and caller."""
    objects = tuple(_objects(checkout))
    services = [thing for _, thing in objects if thing.get("kind") == "Service"]
    called = set(_called(thing for _, thing in objects))
    found = [
        Reached(_repository(container), port, by, _name(thing), file, is_called)
        for file, thing in objects
        if thing.get("kind") in _WORKLOADS
        for container in _containers(thing)
        for port, by, is_called in (
            *((port, by, True) for port, by in _probed(container)),
            *_offered(thing, _containers(thing), container, services, called),
        )
    ]
    return tuple(dict.fromkeys(found))


def _objects(checkout: Checkout) -> Iterator[tuple[str, Object]]:
    for file, documents in shared.once(checkout, Tree).documents.items():
        yield from ((file, each.value) for each in documents if isinstance(each.value, dict))


def _called(objects: Iterator[Object]) -> Iterator[tuple[str, int | str]]:
    """The services and ports that routes and ingresses name."""
    for thing in objects:
        for each in _inside(thing.get("spec")) if thing.get("kind") in ("HTTPRoute", "GRPCRoute", "Ingress") else ():
            port = each.get("port")
            if isinstance(port, Mapping):
                port = port.get("number") or port.get("name")
            if isinstance(each.get("name"), str) and isinstance(port, int | str):
                yield each["name"], port


def _inside(value: Any) -> Iterator[Object]:
    """Every mapping in a value, at any depth."""
    if isinstance(value, Mapping):
        yield value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _inside(each)


def _containers(workload: Object) -> list[Object]:
    found = _at(workload, "spec", "template", "spec").get("containers")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _at(value: Any, *keys: str) -> Object:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _name(thing: Object) -> str:
    return f"{thing.get('kind')} {_at(thing, 'metadata').get('name', '')}"


def _repository(container: Object) -> str:
    """The last part of an image's name, without tag and digest."""
    return str(container.get("image", "")).partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]


def _probed(container: Object) -> Iterator[tuple[int, str]]:
    for probe in _PROBES:
        for way in ("httpGet", "tcpSocket", "grpc"):
            number = _number(container, _at(container, probe, way).get("port"))
            if number:
                yield number, f"the {probe}"


def _offered(
    workload: Object,
    containers: list[Object],
    container: Object,
    services: list[Object],
    called: set[tuple[str, int | str]],
) -> Iterator[tuple[int, str, bool]]:
    """Ports that services send to this container, and whether a route or an ingress calls them.

    Of several containers it is the one that names the port; where none does nobody knows which it is.
    """
    labels = _at(workload, "spec", "template", "metadata", "labels")
    for service in services:
        selector = _at(service, "spec", "selector")
        name = str(_at(service, "metadata").get("name", ""))
        if not selector or not selector.items() <= labels.items():
            continue
        for port in _at(service, "spec").get("ports") or ():
            is_called = bool({(name, port.get("port")), (name, port.get("name"))} & called)
            number = _number(container, port.get("targetPort") or port.get("port"))
            if number and is_called:
                yield number, f"a route through the service {name}", True
            elif number and (len(containers) == 1 or number in _named(container)):
                yield number, f"port {port.get('port')} of the service {name}", False


def _named(container: Object) -> set[Any]:
    return {each.get("containerPort") for each in container.get("ports") or () if isinstance(each, Mapping)}


def _number(container: Object, port: Any) -> int:
    """The port as a number; a name is looked up among the container's ports."""
    if isinstance(port, int):
        return port
    for each in (container.get("ports") or ()) if isinstance(port, str) else ():
        if isinstance(each, Mapping) and each.get("name") == port and isinstance(each.get("containerPort"), int):
            return int(each["containerPort"])
    return 0

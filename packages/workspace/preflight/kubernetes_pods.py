"""Rules for what runs: images, probes, resources, rights, and the configuration and secrets that pods read."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_kustomize import bare
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_sources import Sources
from workspace.preflight.kubernetes_yaml import items, mapping, number

IMAGE = Rule(
    "kubernetes/image-mutable",
    Severity.RISK,
    "An image whose reference may mean something else tomorrow.",
    "The same tag was applied again and nothing rolled; a node that restarts may run what nobody tried.",
    "Give a digest or a version, in an image rule or at deploy time.",
)
PROBE = Rule(
    "kubernetes/probe-missing",
    Severity.RISK,
    "A container that traffic reaches, or that is killed, without being asked first.",
    "Without readiness requests go to pods that are not up; without a startup probe liveness kills slow starts.",
    "Add the probe.",
)
PROBE_PORT = Rule(
    "kubernetes/probe-port",
    Severity.ERROR,
    "A probe on a port that the container does not have.",
    "An image that served gRPC on 50051 was probed on 8545 and never became ready.",
    "Ask one of the container's ports.",
)
RESOURCES = Rule(
    "kubernetes/resources",
    Severity.RISK,
    "A container without requests or without a limit of memory.",
    "The scheduler packs it anywhere, the autoscaler has nothing to measure against, a leak takes the node.",
    "Give requests of cpu and memory and a limit of memory.",
)
RIGHTS = Rule(
    "kubernetes/pod-security",
    Severity.RISK,
    "A pod with more rights than it needs.",
    "It is not admitted where the restricted standard is enforced, and a break-in owns more than the process.",
    "Meet the restricted standard, on a read-only root file system.",
)
CONFIG = Rule(
    "kubernetes/config-key",
    Severity.ERROR,
    "A key that pods read and no ConfigMap has.",
    "The pod stays in CreateContainerConfigError until someone looks.",
    "Correct the name or the key, or set it at deploy time.",
)
SECRET = Rule(
    "kubernetes/secret-key",
    Severity.ERROR,
    "A secret's key that pods read and nothing in the workspace makes.",
    "Keys were spelt one way where they were made and another where they were read; the pods did not start.",
    "Correct the name or the key, or let something make it.",
)
ACCOUNT = Rule(
    "kubernetes/service-account-missing",
    Severity.ERROR,
    "A pod that runs as a service account which does not exist.",
    "No pod is created, and the workload says so in an event that nobody reads; sign-in to Azure hangs on the account.",
    "Correct the name, or add the ServiceAccount to the same namespace.",
)
TWICE = Rule(
    "kubernetes/variable-twice",
    Severity.ERROR,
    "A container that is given a variable twice.",
    "The last one wins in silence, or the API server refuses the object, depending on how it is applied.",
    "Remove one of them.",
)
RULES = (IMAGE, PROBE, PROBE_PORT, RESOURCES, RIGHTS, CONFIG, SECRET, ACCOUNT, TWICE)

# A tag that is filled in when it is deployed, as IMAGE_TAG or __TAG__.
_FILLED_IN = re.compile(r"_*[A-Z][A-Z0-9]*_[A-Z0-9_]*")
# The same in brackets, for the tag or the whole image; whether somebody fills it in is another question.
_OPEN_END = re.compile(r"(\$\{[^{}]*\}|\{\{[^{}]*\}\}|#\{\w+\}#|<[A-Z_ -]+>)$")
_ASKED = ("httpGet", "tcpSocket", "grpc")
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_METRICS = re.compile(r"metrics|prometheus|monitoring")
# Liveness that gives up sooner than this needs a startup probe before it.
_PATIENCE_SECONDS = 90
_GIVEN_BY_CLUSTER = {"kube-root-ca.crt"}


def check(scene: Scene, sources: Sources) -> Iterator[Finding]:
    """What is wrong with the pods of an environment."""
    for thing in scene.workloads:
        yield from attempted((_of_workload,), scene, sources, thing)


def _of_workload(scene: Scene, sources: Sources, thing: Thing) -> Iterator[Finding]:
    served = _serves(scene, thing)
    for path, container in thing.containers():
        yield from attempted((_image,), scene, sources, thing, path, container)
        yield from attempted((_resources, _rights, _probe_ports, _twice), scene, thing, path, container)
    for path, container in thing.containers(starting=False):
        yield from attempted((_missing_probes,), scene, thing, path, container, served=served)
    if scene.whole:
        yield from attempted((_references,), scene, sources, thing)
        yield from attempted((_account,), scene, sources, thing)


def _account(scene: Scene, sources: Sources, thing: Thing) -> Iterator[Finding]:
    name = thing.pod.get("serviceAccountName")
    if not name or name == "default" or sources.creates("ServiceAccount", str(name)):
        return
    if scene.one("ServiceAccount", name, thing.namespace) is None:
        place = thing.place(*thing.pod_path, "serviceAccountName")
        yield scene.find(ACCOUNT, place, f"{thing} runs as ServiceAccount {name}, which does not exist here.")


def _twice(scene: Scene, thing: Thing, path: Any, container: dict[str, Any]) -> Iterator[Finding]:
    names = [str(mapping(each).get("name")) for each in items(container.get("env"))]
    for name in dict.fromkeys(each for each in names if names.count(each) > 1):
        yield scene.find(TWICE, thing.place(*path, "env", name), f"{thing} is given {name} {names.count(name)} times.")


def selected(scene: Scene, thing: Thing, selector: dict[str, Any]) -> bool:
    """True when the selector finds the pods of a workload."""
    return bool(selector) and selector.items() <= thing.labels.items()


def _image(scene: Scene, sources: Sources, thing: Thing, path: Any, container: dict[str, Any]) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    tag = image.removeprefix(bare(image)).removeprefix(":")
    if "@sha256:" in image or any(each.isdigit() for each in tag):
        return
    if _FILLED_IN.fullmatch(tag) or _OPEN_END.search(image):
        return
    if not tag and "/" not in image and sources.builds(image):
        # A name for the deployment to fill in: the workspace builds it, so it is pinned when it is promoted.
        return
    why = f"the tag {tag}, which moves" if tag else "neither tag nor digest"
    yield scene.find(IMAGE, thing.place(*path, "image"), f"{thing} runs {image or 'no image'}: {why}.")


def _serves(scene: Scene, thing: Thing) -> bool:
    """True when a Service sends the pods more than the questions of a metrics collector."""
    for service in scene.of("Service"):
        if service.namespace == thing.namespace and selected(scene, thing, service.mapping("spec", "selector")):
            names = [str(mapping(each).get("name", "")) for each in service.items("spec", "ports")]
            if not names or not all(_METRICS.search(each) for each in names):
                return True
    return False


def _missing_probes(
    scene: Scene, thing: Thing, path: Any, container: dict[str, Any], *, served: bool
) -> Iterator[Finding]:
    who = f"Container {container.get('name')} of {thing}"
    if thing.kind in ("Job", "CronJob", "Pod"):
        return
    if served and container.get("ports"):
        asked = {"readinessProbe": "a Service sends it requests", "livenessProbe": "it serves requests"}
        missing = [each for each in asked if not container.get(each)]
        if missing:
            what = f"{who} has no {' and no '.join(missing)}, though {asked[missing[0]]}."
            yield scene.find(PROBE, thing.origin(*path), what)
    liveness = mapping(container.get("livenessProbe"))
    if liveness and not container.get("startupProbe"):
        period, failures = number(liveness.get("periodSeconds"), 10), number(liveness.get("failureThreshold"), 3)
        seconds = number(liveness.get("initialDelaySeconds"), 0) + period * failures
        if seconds < _PATIENCE_SECONDS:
            what = f"{who} has no startupProbe: its livenessProbe kills it when it is not up after {seconds} s."
            yield scene.find(PROBE, thing.origin(*path, "livenessProbe"), what)


def _probe_ports(scene: Scene, thing: Thing, path: Any, container: dict[str, Any]) -> Iterator[Finding]:
    ports = [mapping(each) for each in items(container.get("ports"))]
    names = {str(each["name"]) for each in ports if each.get("name")}
    numbers = {str(each.get("containerPort")) for each in ports} | _agreed(container, ports)
    for probe in _PROBES:
        for how in _ASKED:
            asked = mapping(mapping(container.get(probe)).get(how))
            port = asked.get("port")
            is_number = str(port).isdigit()
            # Where a host is named, somebody else is asked.
            if (
                port is None
                or asked.get("host")
                or str(port) in (numbers if is_number else names)
                or (is_number and not ports)
            ):
                continue
            own = ", ".join(sorted(names | numbers)) or "none"
            what = f"The {probe} of {thing} asks port {port}; container {container.get('name')} has {own}."
            yield scene.find(PROBE_PORT, thing.place(*path, probe, how, "port"), what)


def _agreed(container: dict[str, Any], ports: list[dict[str, Any]]) -> set[str]:
    """The port that several probes ask where several are declared: what a container serves need not be declared."""
    asked = [
        str(mapping(mapping(container.get(probe)).get(how)).get("port", ""))
        for probe in _PROBES
        for how in _ASKED
        if mapping(container.get(probe)).get(how)
    ]
    return set(asked) if len(ports) > 1 and len(asked) > 1 and len(set(asked)) == 1 else set()


def _resources(scene: Scene, thing: Thing, path: Any, container: dict[str, Any]) -> Iterator[Finding]:
    given, pod = mapping(container.get("resources")), mapping(thing.pod.get("resources"))
    usual = _usual(scene, thing.namespace)
    requests = {**usual["defaultRequest"], **mapping(pod.get("requests")), **mapping(given.get("requests"))}
    limits = {**usual["default"], **mapping(pod.get("limits")), **mapping(given.get("limits"))}
    # A limit without a request is the request too.
    missing = [f"request of {each}" for each in ("cpu", "memory") if each not in requests and each not in limits]
    missing += [] if "memory" in limits else ["limit of memory"]
    if missing:
        what = f"Container {container.get('name')} of {thing} has no {', no '.join(missing)}."
        yield scene.find(RESOURCES, thing.origin(*path, "resources"), what)


def _usual(scene: Scene, namespace: str) -> dict[str, dict[str, Any]]:
    """What a LimitRange of the namespace gives to containers that say nothing."""
    ranges = [each for each in scene.of("LimitRange") if each.namespace == namespace]
    rows = [mapping(row) for each in ranges for row in each.items("spec", "limits")]
    own = [each for each in rows if each.get("type") == "Container"]
    return {
        field: {name: size for each in own for name, size in mapping(each.get(field)).items()}
        for field in ("default", "defaultRequest")
    }


def _rights(scene: Scene, thing: Thing, path: Any, container: dict[str, Any]) -> Iterator[Finding]:
    own, pod = mapping(container.get("securityContext")), mapping(thing.pod.get("securityContext"))
    both = {**pod, **own}
    seccomp = mapping(both.get("seccompProfile")).get("type")
    shared = any(thing.pod.get(f"host{each}") for each in ("Network", "PID", "IPC"))
    is_linux = mapping(thing.pod.get("os")).get("name") != "windows"
    added = set(map(str, items(mapping(own.get("capabilities")).get("add")))) - {"NET_BIND_SERVICE"}
    held = any(mapping(each).get("hostPort") for each in items(container.get("ports")))
    wrong = [
        ("may run as root (runAsNonRoot)", both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0),
        ("has no seccompProfile", is_linux and seccomp not in ("RuntimeDefault", "Localhost")),
        ("may gain rights (allowPrivilegeEscalation)", is_linux and own.get("allowPrivilegeEscalation") is not False),
        ("keeps capabilities", is_linux and "ALL" not in items(mapping(own.get("capabilities")).get("drop"))),
        (f"adds capabilities ({', '.join(sorted(added))})", added),
        (
            "may write its root file system (readOnlyRootFilesystem)",
            is_linux and own.get("readOnlyRootFilesystem") is not True,
        ),
        ("is privileged", own.get("privileged") is True),
        ("shares the node's network or processes", shared),
        ("takes a port of the node (hostPort)", held),
        ("mounts the node's files", any("hostPath" in mapping(each) for each in items(thing.pod.get("volumes")))),
    ]  # fmt: skip
    found = [what for what, is_so in wrong if is_so]
    if found:
        place = thing.place(*path, "securityContext") if own else thing.origin(*path)
        yield scene.find(RIGHTS, place, f"Container {container.get('name')} of {thing} {', '.join(found)}.")


def _references(scene: Scene, sources: Sources, thing: Thing) -> Iterator[Finding]:
    missing: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for kind, name, key, path in _read(thing):
        if name in _GIVEN_BY_CLUSTER or sources.gives(scene, thing.namespace, kind, name, key):
            continue
        if key and scene.one(kind, name, thing.namespace):
            what = f"{thing} reads the key {key} of {kind} {name}, which does not have it."
            yield scene.find(CONFIG if kind == "ConfigMap" else SECRET, thing.place(*path), what)
        else:
            missing.setdefault((kind, name), []).append((key, thing.place(*path)))
    for (kind, name), reads in missing.items():
        keys = list(dict.fromkeys(key for key, _ in reads if key))
        said = f"the key{'s' if len(keys) > 1 else ''} {', '.join(keys)} of " if all(key for key, _ in reads) else ""
        what = f"{thing} reads {said}{kind} {name}, which nothing in the workspace makes."
        yield scene.find(CONFIG if kind == "ConfigMap" else SECRET, reads[0][1], what)


def _read(thing: Thing) -> Iterator[tuple[str, str, str, tuple[str | int, ...]]]:
    """What pods read, as kind, name, key and path; what is optional may be missing."""
    for path, container in thing.containers():
        for each in map(mapping, items(container.get("env"))):
            source = mapping(each.get("valueFrom"))
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = mapping(source.get(field))
                if reference and not reference.get("optional"):
                    step = (*path, "env", str(each.get("name")), "valueFrom", field, "key")
                    yield kind, str(reference.get("name")), str(reference.get("key")), step
        for index, each in enumerate(map(mapping, items(container.get("envFrom")))):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                reference = mapping(each.get(field))
                if reference and not reference.get("optional"):
                    yield kind, str(reference.get("name")), "", (*path, "envFrom", index)
    for each in map(mapping, items(thing.pod.get("volumes"))):
        step = (*thing.pod_path, "volumes", str(each.get("name")))
        yield from _mounted(each, "secretName", step)
        for index, one in enumerate(map(mapping, items(mapping(each.get("projected")).get("sources")))):
            yield from _mounted(one, "name", (*step, "projected", "sources", index))


def _mounted(
    source: dict[str, Any], secret: str, step: tuple[str | int, ...]
) -> Iterator[tuple[str, str, str, tuple[str | int, ...]]]:
    """What a volume reads: the whole, or the keys it names; `secret` is the field with a secret's name."""
    for field, name, kind in (("configMap", "name", "ConfigMap"), ("secret", secret, "Secret")):
        reference = mapping(source.get(field))
        if reference and not reference.get("optional"):
            keys = [str(mapping(each).get("key")) for each in items(reference.get("items"))]
            for index, key in enumerate(keys):
                yield kind, str(reference.get(name)), key, (*step, field, "items", index, "key")
            if not keys:
                yield kind, str(reference.get(name)), "", step

"""Rules for how many pods there are, what they are called and where they stand: the same way in every environment."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_pods import selected
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import items, mapping, number

DRIFT = Rule(
    "kubernetes/selector-differs",
    Severity.RISK,
    "A workload whose selector is not the same in all environments.",
    "Selectors can never change: labels added to them were fixed, reverted and fixed again, and prod was deleted.",
    "Keep labels out of selectors (`labels` without includeSelectors).",
)
SCALER = Rule(
    "kubernetes/autoscaler",
    Severity.ERROR,
    "An autoscaler that scales nothing, or below the replicas of its workload.",
    "It takes pods away as soon as it is applied; at the next promotion the workload puts them back.",
    "Let minReplicas be the environment's number and leave replicas out of the workload.",
)
BUDGET = Rule(
    "kubernetes/disruption-budget",
    Severity.ERROR,
    "A disruption budget that allows no disruption, or all of them.",
    "A node that cannot be drained stops the cluster's upgrade; a budget that gives the last pod away is none.",
    "Let maxUnavailable be 1, or minAvailable less than the replicas.",
)
HEADLESS = Rule(
    "kubernetes/headless-service",
    Severity.ERROR,
    "A StatefulSet without the headless Service that names its pods.",
    "Its pods have no names of their own, so peers do not find each other.",
    "Add a Service with clusterIP None and name it in serviceName.",
)
SPACE = Rule(
    "kubernetes/namespace",
    Severity.ERROR,
    "An object in the wrong namespace, in none, or in one it cannot have.",
    "A cluster issuer was stamped with a namespace and never found; what names none lands in `default`.",
    "Set the namespace in the overlay, and keep cluster-scoped objects out of it.",
)
RULES = (DRIFT, SCALER, BUDGET, HEADLESS, SPACE)

_CLUSTER_WIDE = frozenset((
    "Namespace", "Node", "PersistentVolume", "StorageClass", "CSIDriver", "PriorityClass", "RuntimeClass", "APIService",
    "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "IngressClass",
    "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "GatewayClass",
    "ClusterIssuer", "ClusterSecretStore", "ClusterExternalSecret", "FlowSchema", "PriorityLevelConfiguration",
    "CertificateSigningRequest", "ClusterTrustBundle", "CSINode", "VolumeAttachment", "VolumeAttributesClass",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "DeviceClass", "ResourceSlice", "ServiceCIDR",
    "IPAddress",
))  # fmt: skip
_NAMESPACED = frozenset((
    "Gateway", "HTTPRoute", "GRPCRoute", "Certificate", "Issuer", "ExternalSecret", "SecretStore", "ServiceMonitor",
    "SecretProviderClass",
))  # fmt: skip
# What the API server itself serves; whatever else has such a name is configuration of a program.
_SERVED = frozenset((
    "", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "storage.k8s.io", "resource.k8s.io",
))  # fmt: skip


def check(scene: Scene, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    """What is wrong with numbers, names and places in an environment."""
    yield from attempted((_drift, _spaces), scene, everywhere)
    if not scene.whole:
        return
    for thing in scene.of("HorizontalPodAutoscaler"):
        yield from attempted((_scaler,), scene, thing)
    for thing in scene.of("PodDisruptionBudget"):
        yield from attempted((_budget,), scene, thing)
    for thing in scene.of("StatefulSet"):
        yield from attempted((_headless,), scene, thing)


def _drift(scene: Scene, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    for thing in scene.workloads:
        others = [one for each in everywhere if (one := each.one(thing.kind, thing.name))]
        found = Counter(str(each.at("spec", "selector")) for each in others)
        usual = max(found.values(), default=0)
        own = found[str(thing.at("spec", "selector"))]
        if own < usual or (len(found) > 1 and own == usual and _stands_out(thing, others)):
            labels = ", ".join(
                f"{key}={value}" for key, value in thing.mapping("spec", "selector", "matchLabels").items()
            )
            what = f"{thing} selects {labels or 'nothing'} in {scene.environment or 'one place'}, not as elsewhere."
            yield scene.find(DRIFT, _labelled(thing), what)


def _stands_out(thing: Thing, others: Sequence[Thing]) -> bool:
    """Of as many on both sides: those whose kustomization changes the selector, else whatever is not as the first."""
    changing = [each for each in others if _labelled(each) != each.origin("spec", "selector")]
    if changing and len(changing) < len(others):
        return thing in changing
    return bool(thing.at("spec", "selector") != others[0].at("spec", "selector"))


def _labelled(thing: Thing) -> str:
    """Where a kustomization puts labels into selectors, else where the selector stands."""
    for part in thing.parts:
        for index, each in enumerate(map(mapping, items(part.value.get("labels")))):
            if each.get("includeSelectors"):
                return part.document.find(["labels", index])[1]
        if part.value.get("commonLabels"):
            return part.document.find(["commonLabels"])[1]
    said = [
        thing.place("spec", "selector", "matchLabels", key) for key in thing.mapping("spec", "selector", "matchLabels")
    ]
    return next((each for each in said if each.partition(":")[0] not in thing.sources), thing.place("spec", "selector"))


def _scaler(scene: Scene, thing: Thing) -> Iterator[Finding]:
    target = thing.mapping("spec", "scaleTargetRef")
    kind, name = str(target.get("kind")), str(target.get("name"))
    workload = scene.one(kind, name, thing.namespace)
    if workload is None:
        place = thing.place("spec", "scaleTargetRef", "name")
        yield scene.find(SCALER, place, f"{thing} scales {kind} {name}, which does not exist.")
        return
    low, high = number(thing.at("spec", "minReplicas"), 1), number(thing.at("spec", "maxReplicas"), 0)
    replicas = number(workload.at("spec", "replicas"), 0)
    if low < replicas:
        what = f"{thing} goes down to {low}, but {workload} has {replicas} replicas."
        yield scene.find(SCALER, thing.place("spec", "minReplicas"), what)
    if 0 < high < low:
        what = f"{thing} has at least {low} and at most {high} replicas."
        yield scene.find(SCALER, thing.place("spec", "maxReplicas"), what)


_COUNTED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout")


def _replicas(scene: Scene, workload: Thing) -> int:
    """The fewest pods a workload has on purpose."""
    for scaler in scene.of("HorizontalPodAutoscaler"):
        target = scaler.mapping("spec", "scaleTargetRef")
        named = (target.get("kind"), target.get("name"), scaler.namespace)
        if named == (workload.kind, workload.name, workload.namespace):
            return number(scaler.at("spec", "minReplicas"), 1)
    return number(workload.at("spec", "replicas"), 1)


def _budget(scene: Scene, thing: Thing) -> Iterator[Finding]:
    labels = thing.mapping("spec", "selector", "matchLabels")
    pods = [each for each in scene.workloads if each.namespace == thing.namespace and selected(scene, each, labels)]
    if any(each.kind not in _COUNTED for each in pods):
        return  # nobody knows how many there are: a pod on each node, or as many as a job needs
    replicas = sum(_replicas(scene, each) for each in pods)
    for field in ("maxUnavailable", "minAvailable"):
        allowed = thing.at("spec", field)
        if not replicas or allowed is None:
            continue
        count = _share(allowed, replicas)
        free = count if field == "maxUnavailable" else replicas - count
        place = thing.place("spec", field)
        if free <= 0:
            what = f"{thing} never lets a pod go: {field} is {allowed} of {replicas}, so no node can be drained."
            yield scene.find(BUDGET, place, what)
        elif free >= replicas > 1:
            what = f"{thing} lets all pods go at once: {field} is {allowed} of {replicas}."
            yield scene.find(BUDGET, place, what)


def _share(value: Any, whole: int) -> int:
    text = str(value)
    if text.endswith("%") and text[:-1].isdigit():
        return -(-whole * int(text[:-1]) // 100)
    return int(text) if text.isdigit() else 0


def _is_placed(thing: Thing, everywhere: Sequence[Scene]) -> bool:
    """True where Argo CD or Flux applies the folder of an object, and says into which namespace."""
    return any(
        file.startswith(f"{folder}/")
        for each in everywhere
        for one in each.of("Application", "ApplicationSet", "Kustomization")
        for folder in _placed_by(one)
        for file in thing.files
    )


def _placed_by(operator: Thing) -> Iterator[str]:
    """The folders that an object of an operator applies into a namespace which it names."""
    spec = operator.mapping("spec")
    spec = mapping(mapping(spec.get("template")).get("spec")) or spec
    if spec.get("targetNamespace") or mapping(spec.get("destination")).get("namespace"):
        sources = [spec, mapping(spec.get("source")), *map(mapping, items(spec.get("sources")))]
        folders = (str(each.get("path") or "") for each in sources)
        yield from (posixpath.normpath(each) for each in folders if each)


def _headless(scene: Scene, thing: Thing) -> Iterator[Finding]:
    name = thing.at("spec", "serviceName")
    service = scene.one("Service", name, thing.namespace)
    if service is None:
        what = f"{thing} stands on Service {name}, which does not exist." if name else f"{thing} names no Service."
        yield scene.find(HEADLESS, thing.place("spec", "serviceName"), what)
    # A single pod has no peers to find, and is found by the Service as any other is.
    elif service.at("spec", "clusterIP") != "None" and thing.at("spec", "replicas") not in (None, 1):
        what = f"{thing} stands on Service {name}, which is not headless (clusterIP None)."
        yield scene.find(HEADLESS, thing.place("spec", "serviceName"), what)


def _spaces(scene: Scene, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    wide = {str(each.at("spec", "names", "kind")) for each in scene.of("CustomResourceDefinition")
            if each.at("spec", "scope") == "Cluster"} | _CLUSTER_WIDE  # fmt: skip
    names = {each.environment for each in everywhere if each.environment}
    is_said = any(each.namespace for each in scene.things if each.kind not in wide)
    for thing in scene.things:
        api = str(thing.value.get("apiVersion", "")).rpartition("/")[0]
        is_known = bool(thing.name) and (api in _SERVED or thing.kind in _NAMESPACED)
        place = thing.place("metadata", "namespace")
        if thing.kind in wide and thing.namespace:
            what = f"{thing} belongs to the whole cluster and cannot be in namespace {thing.namespace}."
            yield scene.find(SPACE, place, what)
        elif thing.kind not in wide and not thing.namespace and is_said and is_known and thing.kind:
            placed = _is_placed(thing, everywhere)
            yield from () if placed else (scene.find(SPACE, place, f"{thing} is in no namespace."),)
        other = thing.namespace.rpartition("-")[2] or thing.namespace
        if other in names and scene.environment and other != scene.environment:
            what = f"{thing} is of {scene.environment}, but stands in namespace {thing.namespace}."
            yield scene.find(SPACE, _said(thing, place), what)


def _said(thing: Thing, place: str) -> str:
    """Where the overlay says the namespace, when it does."""
    for part in thing.parts:
        if mapping(part.value).get("namespace") == thing.namespace:
            return part.document.find(["namespace"])[1]
    return place

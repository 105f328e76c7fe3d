"""The quiet controllers: namespaces and what is in them, garbage, definitions, quotas, claims."""

from typing import Any

from workspace.rehearsal import cluster_world as world
from workspace.rehearsal.cluster_admission import amount, counted, usage
from workspace.rehearsal.cluster_control import Place, conditioned
from workspace.rehearsal.cluster_kinds import is_established
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_verbs import CONTROLLER

Body = dict[str, Any]

_ESTABLISHING = 0.15
_ROOT_CA = {"ca.crt": "rehearsal"}


def namespace(place: Place, _: str, name: str) -> float | None:
    """Give a namespace its service account and root certificate, or empty it and let it go."""
    body = place.server.find("Namespace", "", name)
    if body is None:
        return None
    if not body["metadata"].get("deletionTimestamp"):
        for made, inner, extra in (
            ("ServiceAccount", "default", {}),
            ("ConfigMap", "kube-root-ca.crt", {"data": _ROOT_CA}),
        ):
            if place.server.find(made, name, inner) is None:
                place.server.create(place.server.kind(made), name, {"metadata": {"name": inner}, **extra}, CONTROLLER)
        return None
    left = 0
    for kind in place.server.kinds.in_namespaces():
        for each in place.server.store.every(kind.resource, name):
            left += 1
            if not each["metadata"].get("deletionTimestamp"):
                place.server.delete(kind, name, each["metadata"]["name"], {})
    if left == 0:
        place.server.finish("Namespace", body)
    return place.pace * 0.2 if left else None


def garbage(place: Place, _: str, __: str) -> float | None:
    """End what belonged only to objects that are gone, and finish deletions that wait for dependents."""
    with place.server.store.lock:
        everything = list(place.server.store.all())
    present = {body["metadata"]["uid"] for _, body in everything}
    for resource, body in everything:
        references = body["metadata"].get("ownerReferences") or []
        if references and not any(each["uid"] in present for each in references):
            _delete(place, resource, body)
        elif any(each["uid"] not in present for each in references):
            place.server.change(body["kind"], body, lambda live: _without_absent_owners(live, present))
        if body["metadata"].get("deletionTimestamp"):
            _finalize(place, body, everything)
    return None


def _delete(place: Place, resource: str, body: Body) -> None:
    kind = next((each for each in place.server.kinds.all() if each.resource == resource), None)
    if kind and not body["metadata"].get("deletionTimestamp"):
        try:
            place.server.delete(kind, body["metadata"].get("namespace", ""), body["metadata"]["name"], {})
        except Rejected as rejected:
            if rejected.code != 404:
                raise


def _finalize(place: Place, body: Body, everything: list[tuple[str, Body]]) -> None:
    finalizers = body["metadata"].get("finalizers") or []
    uid = body["metadata"]["uid"]
    below = [(r, b) for r, b in everything if uid in _owners(b)]
    if "orphan" in finalizers:
        for _, each in below:
            place.server.change(each["kind"], each, lambda live: _disowned(live, uid))
        _let_go(place, body, "orphan")
    elif "foregroundDeletion" in finalizers:
        for inner, each in below:
            _delete(place, inner, each)
        if not below:
            _let_go(place, body, "foregroundDeletion")


def _owners(body: Body) -> set[str]:
    return {each["uid"] for each in body["metadata"].get("ownerReferences") or []}


def _disowned(live: Body, uid: str) -> Body:
    live["metadata"]["ownerReferences"] = [each for each in live["metadata"]["ownerReferences"] if each["uid"] != uid]
    return live


def _without_absent_owners(live: Body, present: set[str]) -> Body:
    references = live["metadata"].get("ownerReferences") or []
    live["metadata"]["ownerReferences"] = [each for each in references if each["uid"] in present]
    return live


def _let_go(place: Place, body: Body, finalizer: str) -> None:
    def new(live: Body) -> Body:
        live["metadata"]["finalizers"] = [each for each in live["metadata"]["finalizers"] if each != finalizer]
        return live

    place.server.change(body["kind"], body, new)


def definition(place: Place, _: str, name: str) -> float | None:
    """Accept a CustomResourceDefinition's names at once and establish it a moment later."""
    body = place.server.find("CustomResourceDefinition", "", name)
    if body is None or is_established(body):
        if body and name == f"gatewayclasses.{world.GATEWAY_GROUP}":
            world.add_gateway_class(place.server)
        return None
    status = dict(body.get("status") or {})
    first = not status.get("conditions")
    listed = conditioned(status.get("conditions", []), "NamesAccepted", "True", "NoConflicts", "no conflicts found")
    said = ("False", "Installing", "the initial names have been accepted")
    if not first:
        said = ("True", "InitialNamesAccepted", "the initial names have been accepted")
    status["conditions"] = conditioned(listed, "Established", *said)
    status["acceptedNames"] = body["spec"]["names"]
    status["storedVersions"] = [v["name"] for v in body["spec"]["versions"] if v.get("storage")]
    place.server.set_status("CustomResourceDefinition", body, status)
    return min(place.pace, 1.0) * _ESTABLISHING if first else None


def instances(place: Place, resource: str) -> None:
    """End every object of a custom resource whose definition is gone."""
    with place.server.store.lock:
        for body in place.server.store.every(resource):
            place.server.store.remove(resource, body)


def quota(place: Place, namespace: str, name: str) -> float | None:
    """Say what a quota limits and how much of it is used."""
    body = place.server.find("ResourceQuota", namespace, name)
    if body is None:
        return None
    hard = body["spec"].get("hard") or {}
    used = usage(counted(place.server, namespace))
    shown = {key: amount(used.get(key, 0)) for key in hard}
    place.server.set_status("ResourceQuota", body, {"hard": hard, "used": shown})
    return None


def claim(place: Place, namespace: str, name: str) -> float | None:
    """Say why a claim is not bound: no consumer yet, or a storage class that does not exist."""
    body = place.server.find("PersistentVolumeClaim", namespace, name)
    if body is None or body["status"].get("phase") == "Bound":
        return None
    storage = body["spec"].get("storageClassName", "")
    if place.server.find("StorageClass", "", storage) is None:
        said = f'storageclass.storage.k8s.io "{storage}" not found'
        place.server.event(body, "PersistentVolumeClaim", "ProvisioningFailed", said, "persistentvolume-controller")
    else:
        said = "waiting for first consumer to be created before binding"
        component = "persistentvolume-controller"
        place.server.event(body, "PersistentVolumeClaim", "WaitForFirstConsumer", said, component, warning=False)
    return None

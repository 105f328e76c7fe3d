"""The cluster API stand-in: Kubernetes API servers and their controllers for all managed clusters of a rehearsal.

`Clusters` serves every cluster below `/clusters/{group}/{name}` of one ASGI application. Objects are JSON files below
the directory it is given; a restart goes on where it stopped. Pods run nothing: they progress in the time given, when
their image can be pulled and their configuration is there.
"""

import base64
import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from workspace.rehearsal import cluster_admission as admission
from workspace.rehearsal import cluster_certificates as certificates
from workspace.rehearsal import cluster_housekeeping as housekeeping
from workspace.rehearsal import cluster_pods as pods
from workspace.rehearsal import cluster_rollouts as rollouts
from workspace.rehearsal import cluster_scaling as scaling
from workspace.rehearsal import cluster_sets as sets
from workspace.rehearsal import cluster_traffic as traffic
from workspace.rehearsal import cluster_world as world
from workspace.rehearsal.cluster_control import Controllers, FindsFaults, Key, Place, Reconciler
from workspace.rehearsal.cluster_http import Api, Endpoint
from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_status import Rejected
from workspace.rehearsal.cluster_store import Change, Store
from workspace.rehearsal.cluster_traffic import Reached
from workspace.rehearsal.cluster_verbs import Server, public

Body = dict[str, Any]

DEADLINE_SCALE = 0.005
_NODES_SECONDS = 1.0
INGRESS_CLASS = "webapprouting.kubernetes.azure.com"


def _nothing_hinders(_: list[str]) -> str:
    return ""


class Clusters:
    """The managed clusters of a rehearsal.

    `exists(group, name)` says whether Azure has the cluster; one that it has not answers 503. `pulls(reference)` says
    whether an image can be pulled: true, false, or a mapping with `digest` or `error`. `address(subject)` hands out a
    loopback address. `issue(names)` names what keeps a certificate from being issued. A pod takes `rollout_seconds`;
    deadlines of the objects (600 s) are multiplied by `deadline_scale`.
    """

    def __init__(
        self,
        directory: Path,
        faults: FindsFaults,
        *,
        pulls: Callable[[str], Any],
        exists: Callable[[str, str], bool],
        address: Callable[[str], str],
        rollout_seconds: float = 0.3,
        issue: Callable[[list[str]], str] = _nothing_hinders,
        deadline_scale: float = DEADLINE_SCALE,
        nodes: Callable[[str, str], Iterable[Mapping[str, Any]]] = lambda group, name: world.DEFAULT_NODES,
        cert_manager_must_run: bool = True,
        ingress_classes: Sequence[str] = (INGRESS_CLASS,),
        bookmark_seconds: float = 10.0,
    ) -> None:
        self._directory = directory
        self._exists, self._nodes = exists, nodes
        self._bookmark_seconds = bookmark_seconds
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], Place] = {}
        self._nodes_seen: dict[Place, float] = {}
        self._controllers = Controllers(_RECONCILERS, _related)
        self._outside: dict[str, Any] = {
            "pace": rollout_seconds,
            "deadline_scale": deadline_scale,
            "faults": faults,
            "pulls": pulls,
            "address": address,
            "issue": issue,
            "cert_manager_must_run": cert_manager_must_run,
            "ingress_classes": tuple(ingress_classes),
        }
        self.app = Api(self._endpoint, faults)
        for file in sorted(directory.glob("*/*/cluster.json")):
            known = json.loads(file.read_text())
            if exists(known["group"], known["name"]):
                self._place(known["group"], known["name"])
            else:
                self.drop(known["group"], known["name"])

    def kubeconfig(self, group: str, name: str, server_url: str, ca_pem: str) -> str:
        """The credentials file Azure would hand out: one cluster, one user with a token, one context."""
        user = f"clusterUser_{group}_{name}"
        authority = base64.b64encode(ca_pem.encode()).decode()
        server = f"{server_url.rstrip('/')}/clusters/{quote(group)}/{quote(name)}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": self._token(group, name)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
            "preferences": {},
        }
        return json.dumps(config, indent=2) + "\n"

    def objects(self, group: str, name: str) -> list[Body]:
        """Every object of a cluster; none for one that nobody has used yet."""
        with self._lock:
            place = self._open.get((group.lower(), name.lower()))
        return [json.loads(json.dumps(public(body))) for _, body in place.server.store.all()] if place else []

    def reach(self, address: str, host: str, path: str = "/", *, tls: bool = True) -> Reached | None:
        """Follow a request that comes in at an address to the pod that would answer; None for a foreign address."""
        with self._lock:
            places = list(self._open.values())
        answers = (traffic.reach(place.server, address, host, path, tls) for place in places)
        return next((answer for answer in answers if answer is not None), None)

    def drop(self, group: str, name: str) -> None:
        """Forget a cluster that was deleted, with all it held; asking for one Azure has no more does so too."""
        with self._lock:
            place = self._open.pop((group.lower(), name.lower()), None)
            if place is not None:
                self._controllers.detach(place)
                place.server.store.clear()
            shutil.rmtree(self._folder(group, name), ignore_errors=True)

    def compact(self, group: str, name: str) -> None:
        """Forget a cluster's history, so that watches from an older version expire."""
        self._place(group, name).server.store.compact()

    def close(self) -> None:
        """Stop the controllers; what is stored stays."""
        self._controllers.close()

    def _folder(self, group: str, name: str) -> Path:
        return self._directory / group.lower() / name.lower()

    def _token(self, group: str, name: str) -> str:
        with self._lock:
            file = self._folder(group, name) / "token"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch(mode=0o600)
                file.write_text(secrets.token_hex(32))
            return file.read_text()

    def _endpoint(self, group: str, name: str) -> Endpoint:
        if not self._exists(group, name):
            self.drop(group, name)
            said = (
                f"rehearsal: there is no managed cluster {name} in resource group {group}, so no API server answers "
                "here; the real host name would not resolve"
            )
            raise Rejected(503, "ServiceUnavailable", said)
        token = self._token(group, name)
        place = self._place(group, name)
        self._refresh_nodes(place)
        return Endpoint(place.server, token, self._bookmark_seconds)

    def _refresh_nodes(self, place: Place) -> None:
        """Follow the node pools Azure has, now and then."""
        moment = time.monotonic()
        if moment - self._nodes_seen.get(place, 0.0) > _NODES_SECONDS:
            self._nodes_seen[place] = moment
            world.keep_nodes(place.server, self._nodes(place.group, place.name))

    def _place(self, group: str, name: str) -> Place:
        key = (group.lower(), name.lower())
        with self._lock:
            if key not in self._open:
                self._open[key] = self._furnished(group, name)
                self._controllers.attach(self._open[key])
            return self._open[key]

    def _furnished(self, group: str, name: str) -> Place:
        folder = self._folder(group, name)
        store = Store(folder / "objects")
        (folder / "cluster.json").write_text(json.dumps({"group": group, "name": name}))
        server = Server(store, admission.ALL)
        world.furnish(server)
        for each in self._outside["ingress_classes"]:
            world.add_ingress_class(server, each)
        return Place(group=group, name=name, server=server, **self._outside)


def _ingress(place: Place, namespace: str, name: str) -> float | None:
    body = place.server.find("Ingress", namespace, name)
    if body is not None:
        certificates.shim(place, "Ingress", body)
    return traffic.ingress(place, namespace, name)


def _gateway(place: Place, namespace: str, name: str) -> float | None:
    body = place.server.find("Gateway", namespace, name)
    if body is not None:
        certificates.shim(place, "Gateway", body)
    return traffic.gateway(place, namespace, name)


_RECONCILERS: Mapping[str, Reconciler] = {
    "Garbage": housekeeping.garbage,
    "Namespace": housekeeping.namespace,
    "CustomResourceDefinition": housekeeping.definition,
    "ResourceQuota": housekeeping.quota,
    "PersistentVolumeClaim": housekeeping.claim,
    "Pod": pods.reconcile,
    "Deployment": rollouts.deployment,
    "ReplicaSet": rollouts.replica_set,
    "StatefulSet": sets.stateful_set,
    "DaemonSet": sets.daemon_set,
    "Job": sets.job,
    "HorizontalPodAutoscaler": scaling.autoscaler,
    "PodDisruptionBudget": scaling.budget,
    "Service": traffic.service,
    "Ingress": _ingress,
    "GatewayClass": traffic.gateway_class,
    "Gateway": _gateway,
    "HTTPRoute": traffic.http_route,
    "Issuer": certificates.issuer,
    "ClusterIssuer": certificates.cluster_issuer,
    "Certificate": certificates.certificate,
}
_MAKES_PODS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job")
# When an object of the first kind changes, objects of these kinds in the same namespace are looked at again.
_SAME_NAMESPACE: Mapping[str, tuple[str, ...]] = {
    "Pod": ("PodDisruptionBudget", "ResourceQuota"),
    "ConfigMap": ("Pod",),
    "Secret": ("Pod", "Certificate", "Issuer"),
    "ServiceAccount": _MAKES_PODS,
    "ResourceQuota": _MAKES_PODS,
    "PersistentVolumeClaim": ("Pod",),
    "Deployment": ("HorizontalPodAutoscaler",),
    "StatefulSet": ("HorizontalPodAutoscaler",),
    "Issuer": ("Certificate",),
}
# The same across the whole cluster.
_ANYWHERE: Mapping[str, tuple[str, ...]] = {
    "Service": ("HTTPRoute", "Gateway"),
    "Secret": ("Gateway", "ClusterIssuer"),
    "Gateway": ("HTTPRoute",),
    "HTTPRoute": ("Gateway",),
    "GatewayClass": ("Gateway", "HTTPRoute"),
    "ReferenceGrant": ("HTTPRoute",),
    "IngressClass": ("Ingress",),
    "ClusterIssuer": ("Certificate",),
    "StorageClass": ("PersistentVolumeClaim",),
    "Node": ("Pod",),
}
_OF_CONTROLLERS = ("ClusterIssuer", "Issuer", "Certificate", "Ingress", "Gateway")


def _related(place: Place, change: Change) -> Iterable[Key]:
    """What must be looked at again after a change."""
    body, server = change.object, place.server
    kind, metadata = body["kind"], body["metadata"]
    namespace = metadata.get("namespace", "")
    yield kind, namespace, metadata["name"]
    for reference in metadata.get("ownerReferences") or []:
        yield reference["kind"], namespace, reference["name"]
    for other in _SAME_NAMESPACE.get(kind, ()):
        yield from _keys(server, other, namespace)
    for other in _ANYWHERE.get(kind, ()):
        yield from _keys(server, other, "")
    if kind == "Pod":
        yield from _services_of(server, body)
    if kind == "Deployment" and _became_available(change):
        for other in _OF_CONTROLLERS:
            yield from _keys(server, other, "")
    if change.type == "DELETED":
        yield "Garbage", "", ""
        yield "Namespace", "", namespace
        if kind == "CustomResourceDefinition":
            housekeeping.instances(place, f"{body['spec']['names']['plural']}.{body['spec']['group']}")
    elif metadata.get("deletionTimestamp") and metadata.get("finalizers"):
        yield "Garbage", "", ""


def _keys(server: Server, kind: str, namespace: str) -> Iterable[Key]:
    for body in server.every(kind, namespace):
        yield kind, body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _services_of(server: Server, pod: Body) -> Iterable[Key]:
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
    for body in server.every("Service", namespace):
        selector = body["spec"].get("selector")
        if selector and matches({"matchLabels": selector}, labels):
            yield "Service", namespace, body["metadata"]["name"]


def _became_available(change: Change) -> bool:
    after, before = (bool(b and b.get("status", {}).get("availableReplicas")) for b in (change.object, change.before))
    return after != before

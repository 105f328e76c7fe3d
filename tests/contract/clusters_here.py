"""The clusters that the contract is asked of, each behind the same few calls, and the objects that the tests make.

* the rehearsal's stand-in, in this process,
* a real control plane built by `make control-plane`, with one node that runs nothing,
* whatever cluster KUBECONFIG names, when CONFORMANCE_CLUSTER=1 (or `only`) allows writing to it: in namespaces of our
  own, which go at the end. CONFORMANCE_IMAGE and CONFORMANCE_IMAGE_2 name two images it can pull that keep running.
"""

import base64
import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import control_plane_here
import pytest
from kubernetes import config
from kubernetes.client import ApiClient
from workspace.clients.cluster import Cluster
from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served, certificate

Body = dict[str, Any]

APPLY = "application/apply-patch+yaml"
JSON, MERGE, STRATEGIC = (f"application/{kind}+json" for kind in ("json-patch", "merge-patch", "strategic-merge-patch"))
FALSE = ["/bin/false"]
STAND_IN, REAL, NAMED = "stand-in", "control-plane", "kubeconfig"
# Only a kubelet pulls images; what a cluster of somebody else's can pull, its owner says.
A, B = (f"registry.invalid/web@sha256:{letter * 64}" for letter in "ab")
ABSENT = f"registry.invalid/absent@sha256:{'c' * 64}"
_FAULTS = [
    {"point": "rollout", "subject": "*-crashing", "how": "CrashLoopBackOff"},
    {"point": "rollout", "subject": "*-unready", "how": "ProbeFailing"},
]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Field and reason of each cause that a refusal names, sorted."""
        causes = (self.body.get("details") or {}).get("causes") or []
        return sorted((each.get("field", ""), each.get("reason", "")) for each in causes)


@dataclass
class Place:
    """One cluster, and requests to it as its administrator makes them; objects go into `namespace`."""

    name: str
    api: ApiClient
    namespace: str
    compact: Callable[[], None] = lambda: None
    patience: float = 20.0
    images: Mapping[str, str] = field(default_factory=lambda: {"a": A, "b": B})
    minor: int = 0
    _extra: list[str] = field(default_factory=list)
    _clients: list[Cluster] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, media: str = "application/json", **query: Any) -> Answer:
        """The answer to one request; `headers` in the query are headers."""
        extra = query.pop("headers", {})
        response = self._request(method, path, body, {"Content-Type": media, **extra}, query)
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.data.decode())

    def _request(self, method: str, path: str, body: Any, headers: Body, query: Body, **more: Any) -> Any:
        headers = {**headers, **authorization(self.api)}
        url = f"{self.api.configuration.host.rstrip('/')}{path}"
        url += f"?{urlencode(query)}" if query else ""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        pool = self.api.rest_client.pool_manager
        return pool.request(method, url, body=content, headers=headers, timeout=30, retries=False, **more)

    def get(self, path: str, **query: Any) -> Body:
        """The body of a GET that must succeed."""
        answer = self.ask("GET", path, **query)
        assert answer.status == 200, answer.text
        found: Body = answer.body
        return found

    def apply(self, body: Body, manager: str = "workspace", **query: Any) -> Answer:
        """The answer to a server-side apply of an object."""
        return self.ask("PATCH", path_of(body), body, APPLY, fieldManager=manager, **query)

    def put(self, body: Body, manager: str = "workspace", **query: Any) -> Body:
        """The object as it is after an apply that must be taken."""
        answer = self.apply(body, manager, **query)
        assert answer.status in (200, 201), answer.text
        made: Body = answer.body
        return made

    def wait(self, thing: Body | str, wanted: Callable[[Body], Any]) -> Body:
        """The object, or the answer at a path, once it is as wanted; `wanted` sees {} while it is not there."""
        path = thing if isinstance(thing, str) else path_of(thing)
        deadline = time.monotonic() + self.patience
        while True:
            answer = self.ask("GET", path)
            body = answer.body if answer.status == 200 else {}
            if wanted(body):
                return dict(body)
            assert time.monotonic() < deadline, json.dumps(body, indent=1)[:3000] or "it is not there"
            time.sleep(0.02)

    def watch(self, path: str, until: Callable[[list[Body]], Any], **query: Any) -> list[Body]:
        """The events of a watch until they are as wanted; the test fails when they never are."""
        seen: list[Body] = []
        query = {"watch": "true", "timeoutSeconds": 20, **query}
        response = self._request("GET", path, None, {}, query, preload_content=False)
        assert response.status == 200, response.data
        pending = b""
        try:
            while not until(seen):
                part = response.read1(65536)
                assert part, f"the watch ended after {[each['type'] for each in seen]}"
                *lines, pending = (pending + part).split(b"\n")
                seen += [json.loads(line) for line in lines if line.strip()]
        finally:
            response.close()
        return seen

    def made(self, kind: str, name: str, version: str = "v1", /, namespace: str = "", **fields: Any) -> Body:
        """An object of this place's namespace, or of another, or of the whole cluster where its kind is."""
        where = {} if kind in _CLUSTER else {"namespace": namespace or self.namespace}
        metadata = {"name": name, **where, **fields.pop("metadata", {})}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}

    def workload(self, name: str, kind: str = "Deployment", image: str = "a", replicas: int = 1, **more: Any) -> Body:
        """A Deployment, StatefulSet, … of one container `main`; `image` is one of this place's, or a reference."""
        container = {"name": "main", "image": self.images.get(image, image), **more.pop("container", {})}
        pod = {"containers": [container], "terminationGracePeriodSeconds": 1, **more.pop("pod", {})}
        spec: Body = {
            **({} if kind == "DaemonSet" else {"replicas": replicas}),
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            **({"serviceName": name} if kind == "StatefulSet" else {}),
            **more.pop("spec", {}),
        }
        return self.made(kind, name, "apps/v1", spec=spec, **more)

    def at(self, plural: str, version: str = "v1", namespace: str = "") -> str:
        """The path of all objects of a kind in this place's namespace, or in another."""
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{prefix}/namespaces/{namespace or self.namespace}/{plural}"

    def owned(self, plural: str, version: str, owner: Body) -> list[Body]:
        """The objects that belong to another one, oldest name first."""
        items = self.get(self.at(plural, version, owner["metadata"]["namespace"]))["items"]
        uid = owner["metadata"]["uid"]
        return [each for each in items if uid in (o["uid"] for o in each["metadata"].get("ownerReferences") or [])]

    def client(self) -> Cluster:
        """Our client of this cluster."""
        self._clients.append(Cluster(self_contained(self.api), timeout_seconds=20))
        return self._clients[-1]

    def open_namespace(self, name: str = "") -> str:
        """A namespace more, ready for pods; it goes at the end with all that is in it."""
        name = name or f"conformance-{secrets.token_hex(4)}"
        self._extra.append(name)
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        old = 0 < self.minor < 24
        # Up to 1.23 a pod is refused until its service account has a token, which a controller makes.
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        self.wait(account, lambda body: body and (body.get("secrets") or not old))
        return name

    def close(self) -> None:
        """Take everything back."""
        for each in self._extra:
            self.ask("DELETE", f"/api/v1/namespaces/{each}")
        for each in self._clients:
            each.close()
        self.api.close()


def authorization(api: ApiClient) -> dict[str, str]:
    """The header with which a client says who it is; none where its certificate says so."""
    found = api.configuration.auth_settings().get("BearerToken", {}).get("value")
    return {"Authorization": str(found)} if found else {}


def self_contained(api: ApiClient) -> str:
    """A kubeconfig that holds everything itself, as our client wants it."""
    made = api.configuration
    cluster: Body = {"server": made.host, "insecure-skip-tls-verify": not made.verify_ssl}
    user: Body = {}
    if made.verify_ssl and made.ssl_ca_cert:
        cluster["certificate-authority-data"] = _encoded(made.ssl_ca_cert)
    if made.cert_file and made.key_file:
        user |= {"client-certificate-data": _encoded(made.cert_file), "client-key-data": _encoded(made.key_file)}
    if bearer := authorization(api):
        user["token"] = bearer["Authorization"].removeprefix("Bearer ")
    names = {"cluster": "here", "user": "me"}
    return json.dumps(
        {
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "here", "context": names}],
            "current-context": "here",
        }
    )


def _encoded(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


@contextlib.contextmanager
def stand_in(directory: Path) -> Iterator[Place]:
    """The rehearsal's cluster, served as a rehearsal serves it."""
    (directory / "faults.json").write_text(json.dumps(_FAULTS))
    clusters = Clusters(
        directory / "clusters",
        Faults(directory),
        pulls=lambda reference: "/absent" not in reference,
        exists=lambda group, name: name == "aks",
        address=lambda subject: "127.77.0.1",
        rollout_seconds=0.05,
        deadline_scale=0.2,
        bookmark_seconds=0.2,
    )
    tls = certificate(directory)
    with Served(clusters.app, tls) as served:
        file = directory / "kubeconfig"
        file.write_text(clusters.kubeconfig("rg", "aks", served.url, tls.certificate.read_text()))
        with furnished(STAND_IN, file, compact=lambda: clusters.compact("rg", "aks")) as place:
            yield place
    clusters.close()


@contextlib.contextmanager
def real(directory: Path) -> Iterator[Place]:
    """The control plane that `make control-plane` builds."""
    with control_plane_here.running(directory) as found, furnished(REAL, found.kubeconfig, found.compact) as place:
        place.patience = 60.0
        yield place


@contextlib.contextmanager
def named(_: Path) -> Iterator[Place]:
    """The cluster KUBECONFIG names."""
    file = os.environ.get("KUBECONFIG", "")
    if not file:
        raise RuntimeError("CONFORMANCE_CLUSTER is set, but KUBECONFIG names no file")
    with furnished(NAMED, Path(file)) as place:
        place.patience = 180.0
        if image := os.environ.get("CONFORMANCE_IMAGE"):
            place.images = {"a": image, "b": os.environ.get("CONFORMANCE_IMAGE_2", "")}
        else:
            place.images = {}
        yield place


@contextlib.contextmanager
def furnished(name: str, kubeconfig: Path, compact: Callable[[], None] = lambda: None) -> Iterator[Place]:
    """A place with a namespace of its own, which goes at the end."""
    place = Place(name, config.new_client_from_config(str(kubeconfig)), "", compact)
    place.minor = int("".join(filter(str.isdigit, place.get("/version")["minor"])))
    try:
        place.namespace = place.open_namespace()
        yield place
    finally:
        place.close()


PLACES: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Place]]] = {
    STAND_IN: stand_in,
    REAL: real,
    NAMED: named,
}


def asked_for() -> list[Any]:
    """The places of this run: a cluster of KUBECONFIG only when it is allowed in so many words, `1` or `only`."""
    allowed = os.environ.get("CONFORMANCE_CLUSTER", "")
    if allowed not in ("", "0", "1", "only"):
        raise RuntimeError(f"CONFORMANCE_CLUSTER is {allowed!r}; say 1 (beside the built one) or only (instead of it)")
    real = [REAL] if allowed != "only" else []
    named = [NAMED] if allowed in ("1", "only") else []
    counted = {REAL: (pytest.mark.conformance, pytest.mark.evidence("control-plane"))}
    return [
        STAND_IN,
        *(pytest.param(each, marks=counted.get(each, (pytest.mark.conformance,))) for each in (*real, *named)),
    ]


_PLURALS = {"Ingress": "ingresses", "Endpoints": "endpoints", "NetworkPolicy": "networkpolicies"}
_CLUSTER = {"Namespace", "CustomResourceDefinition", "Node"}


def path_of(body: Body) -> str:
    """The URL path of an object."""
    return f"{all_of(body)}/{body['metadata']['name']}"


def all_of(body: Body) -> str:
    """The URL path of all objects of its kind and namespace."""
    version, kind = body["apiVersion"], body["kind"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = "" if kind in _CLUSTER else f"/namespaces/{body['metadata']['namespace']}"
    return f"{prefix}{scope}/{plural}"


def condition(body: Body, kind: str) -> Body:
    """A condition of an object, or an empty one."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})


def rolled_out(body: Body) -> bool:
    """Whether a workload is as its newest template says, and its controller says so of this generation."""
    status, wanted = body.get("status", {}), (body.get("spec") or {}).get("replicas")
    if status.get("observedGeneration") != (body.get("metadata") or {}).get("generation"):
        return False
    counts = ("updatedReplicas", "replicas", "readyReplicas")
    return body != {} and all(status.get(count, 0) == wanted for count in counts)

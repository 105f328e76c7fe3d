"""A cluster stand-in to test with, asked over HTTP without a socket, and the objects the tests put into it."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.faults import Faults

Body = dict[str, Any]

PATIENCE = 10.0
_LOOP = asyncio.new_event_loop()
A, B = (f"registry.test/web@sha256:{letter * 64}" for letter in "ab")
PLACE = ("mystira-dev-rg", "mystira-dev-aks")


@dataclass(frozen=True)
class Response:
    """What came back."""

    status_code: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


def call(app: Any, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Response:
    """One request to an ASGI application, without a socket."""
    sent: list[Body] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "root_path": "",
    }
    received = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Body:
        if received:
            return received.pop()
        await asyncio.sleep(PATIENCE)
        return {"type": "http.disconnect"}

    async def send(message: Body) -> None:
        sent.append(message)

    _LOOP.run_until_complete(app(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Response(sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent[1:]).decode())


class Bench:
    """One cluster, and requests to it as a client with the right token makes them."""

    def __init__(self, directory: Path, **given: Any) -> None:
        self.directory = directory
        self.images: dict[str, Any] = {A: True, B: True}
        self.obstacle = ""
        self.clusters = Clusters(
            directory / "clusters",
            Faults(directory),
            pulls=lambda reference: self.images.get(reference, False),
            address=_Addresses(),
            issue=lambda names: self.obstacle,
            **{"exists": lambda group, name: (group, name) == PLACE, "rollout_seconds": 0.03, **given},
            deadline_scale=0.0005,
        )
        config = json.loads(self.clusters.kubeconfig(*PLACE, "https://127.0.0.1", "PEM"))
        self.headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}

    def close(self) -> None:
        self.clusters.close()

    def ask(self, method: str, path: str, body: Any = None, media: str = "application/json", **query: Any) -> Response:
        """The response to one request."""
        return self.send(method, path, {**self.headers, "Content-Type": media}, body, **query)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Any = None, **query: Any) -> Response:
        """The response to one request with these headers only."""
        url = f"/clusters/{PLACE[0]}/{PLACE[1]}{path}"
        content = b"" if body is None else json.dumps(body).encode()
        return call(self.clusters.app, method, url, urlencode(query), headers, content)

    def get(self, path: str, **query: Any) -> Body:
        """The body of a GET."""
        found: Body = self.ask("GET", path, **query).json()
        return found

    def apply(self, body: Body, manager: str = "workspace", **query: Any) -> Response:
        """The response to a server-side apply of an object."""
        query = {"fieldManager": manager, **query}
        return self.ask("PATCH", path_of(body), body, "application/apply-patch+yaml", **query)

    def put_there(self, *bodies: Body) -> None:
        """Apply objects that must be taken."""
        for body in bodies:
            response = self.apply(body)
            assert response.status_code in (200, 201), response.text

    def wait(self, path: str, wanted: Callable[[Body], Any]) -> Body:
        """The object once it is as wanted; the test fails with what it was instead."""
        deadline = time.monotonic() + PATIENCE
        while True:
            response = self.ask("GET", path)
            body = response.json() if response.status_code == 200 else {}
            if body and wanted(body):
                return dict(body)
            assert time.monotonic() < deadline, json.dumps(body.get("status", body), indent=1)
            time.sleep(0.01)

    def fault(self, *entries: Mapping[str, Any]) -> None:
        """Tell the cluster to do something wrong; nothing when there are no entries."""
        partial = self.directory / "faults.partial"
        partial.write_text(json.dumps(list(entries)))
        partial.replace(self.directory / "faults.json")


class _Addresses:
    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def __call__(self, subject: str) -> str:
        return self._given.setdefault(subject, f"127.77.0.{len(self._given) + 1}")


_PLURALS = {
    "ClusterIssuer": "clusterissuers",
    "IngressClass": "ingressclasses",
    "GatewayClass": "gatewayclasses",
    "Ingress": "ingresses",
    "Endpoints": "endpoints",
}
_CLUSTER = {
    "Namespace",
    "ClusterIssuer",
    "IngressClass",
    "GatewayClass",
    "CustomResourceDefinition",
    "StorageClass",
} | {"ValidatingWebhookConfiguration"}


def path_of(body: Body) -> str:
    """The URL path of an object."""
    version, kind, metadata = body["apiVersion"], body["kind"], body["metadata"]
    plural = _PLURALS.get(kind, kind.lower() + "s")
    plural = plural.replace("policys", "policies").replace("classs", "classes")
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = "" if kind in _CLUSTER else f"/namespaces/{metadata.get('namespace', 'dev')}"
    return f"{prefix}{scope}/{plural}/{metadata['name']}"


def made(kind: str, name: str, version: str = "v1", /, namespace: str = "dev", **fields: Any) -> Body:
    """An object."""
    metadata: Body = {"name": name, **({} if kind in _CLUSTER else {"namespace": namespace})}
    return {"apiVersion": version, "kind": kind, "metadata": {**metadata, **fields.pop("metadata", {})}, **fields}


def workload(name: str, kind: str = "Deployment", image: str = A, replicas: int = 2, **more: Any) -> Body:
    """A Deployment or StatefulSet of one container that is probed."""
    probe = {"httpGet": {"path": "/health", "port": 8080}}
    container = {"name": "main", "image": image, "ports": [{"containerPort": 8080}], "readinessProbe": probe}
    container |= more.pop("container", {})
    pod = {"containers": [container], **more.pop("pod", {})}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        **({"serviceName": name} if kind == "StatefulSet" else {}),
        **more,
    }
    return made(kind, name, "apps/v1", spec=spec)


def condition(body: Body, kind: str) -> Body:
    """A condition of an object, or an empty one."""
    return next((each for each in body.get("status", {}).get("conditions", []) if each["type"] == kind), {})


def rolled_out(body: Body) -> bool:
    """Whether a workload is as its newest template says."""
    status, wanted = body.get("status", {}), body["spec"]["replicas"]
    seen = status.get("observedGeneration") == body["metadata"]["generation"]
    counts = ("updatedReplicas", "replicas", "availableReplicas", "readyReplicas")
    return seen and all(status.get(count, 0) == wanted for count in counts)

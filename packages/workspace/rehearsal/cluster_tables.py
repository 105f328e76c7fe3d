"""Objects as the table `kubectl get` asks for: a few columns per kind, name and age for the rest."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from workspace.rehearsal.cluster_kinds import Kind

Body = dict[str, Any]
Column = tuple[str, Callable[[Body], Any]]


def wanted(accept: str) -> bool:
    """Whether a request asks for a table."""
    return "as=Table" in accept and "g=meta.k8s.io" in accept


def table(kind: Kind, items: list[Body], revision: str, metadata: Body | None = None) -> Body:
    """The table of some objects."""
    columns = [("Name", _name), *_COLUMNS.get(kind.kind, ()), ("Age", _age)]
    definitions = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
        for name, _ in columns
    ]
    rows = [{"cells": [cell(body) for _, cell in columns], "object": _partial(body)} for body in items]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata or {"resourceVersion": revision},
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _partial(body: Body) -> Body:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _age(body: Body) -> str:
    made = datetime.datetime.fromisoformat(body["metadata"]["creationTimestamp"])
    seconds = int((datetime.datetime.now(datetime.UTC) - made).total_seconds())
    for length, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * length:
            return f"{seconds // length}{letter}"
    return f"{max(seconds, 0)}s"


def _status(name: str, default: Any = 0) -> Callable[[Body], Any]:
    return lambda body: body.get("status", {}).get(name, default)


def _of(ready: str, total: str) -> Callable[[Body], str]:
    def cell(body: Body) -> str:
        wanted_count = body["spec"].get(total, 0)
        return f"{body.get('status', {}).get(ready, 0)}/{wanted_count}"

    return cell


def _pod_ready(body: Body) -> str:
    statuses = body.get("status", {}).get("containerStatuses", [])
    return f"{sum(1 for each in statuses if each.get('ready'))}/{len(body['spec']['containers'])}"


def _pod_status(body: Body) -> str:
    for each in body.get("status", {}).get("containerStatuses", []):
        waiting = each.get("state", {}).get("waiting")
        if waiting:
            return str(waiting["reason"])
    return str(body.get("status", {}).get("phase", "Unknown"))


def _restarts(body: Body) -> int:
    return sum(each.get("restartCount", 0) for each in body.get("status", {}).get("containerStatuses", []))


def _condition(kind: str) -> Callable[[Body], str]:
    def cell(body: Body) -> str:
        found = [c["status"] for c in body.get("status", {}).get("conditions", []) if c["type"] == kind]
        return str(found[0]) if found else ""

    return cell


def _ports(body: Body) -> str:
    return ",".join(f"{each['port']}/{each['protocol']}" for each in body["spec"].get("ports", []))


def _external(body: Body) -> str:
    found = body.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return ",".join(each.get("ip", "") for each in found) or "<none>"


def _addresses(body: Body) -> str:
    return ",".join(each["value"] for each in body.get("status", {}).get("addresses", []))


def _spec(name: str) -> Callable[[Body], Any]:
    return lambda body: body.get("spec", {}).get(name, "<none>")


_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "Pod": (("Ready", _pod_ready), ("Status", _pod_status), ("Restarts", _restarts)),
    "Deployment": (
        ("Ready", _of("readyReplicas", "replicas")),
        ("Up-to-date", _status("updatedReplicas")),
        ("Available", _status("availableReplicas")),
    ),
    "ReplicaSet": (
        ("Desired", _spec("replicas")),
        ("Current", _status("replicas")),
        ("Ready", _status("readyReplicas")),
    ),
    "StatefulSet": (("Ready", _of("readyReplicas", "replicas")),),
    "Service": (
        ("Type", _spec("type")),
        ("Cluster-IP", _spec("clusterIP")),
        ("External-IP", _external),
        ("Port(s)", _ports),
    ),
    "Namespace": (("Status", _status("phase", "")),),
    "Gateway": (
        ("Class", _spec("gatewayClassName")),
        ("Address", _addresses),
        ("Programmed", _condition("Programmed")),
    ),
    "Certificate": (("Ready", _condition("Ready")), ("Secret", _spec("secretName"))),
    "Ingress": (("Class", _spec("ingressClassName")), ("Address", _external)),
}

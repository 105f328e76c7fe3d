"""What stands between a valid object and the store: service accounts, quotas, and webhooks that must answer."""

from collections.abc import Iterator
from typing import Any

from workspace.rehearsal import cluster_status as status
from workspace.rehearsal.cluster_kinds import Kind
from workspace.rehearsal.cluster_rules import quantity
from workspace.rehearsal.cluster_select import matches
from workspace.rehearsal.cluster_verbs import Server

Body = dict[str, Any]

_HOOK_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def service_account(server: Server, kind: Kind, body: Body, live: Body | None) -> None:
    """A pod runs as a service account, which must exist when the pod is made."""
    if kind.resource != "pods" or live is not None:
        return
    spec, metadata = body["spec"], body["metadata"]
    name = spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = name
    if server.find("ServiceAccount", metadata["namespace"], name) is None:
        place = f"{metadata['namespace']}/{name}"
        said = f'error looking up service account {place}: serviceaccount "{name}" not found'
        raise status.forbidden("", "pods", metadata["name"], said)


def quota(server: Server, kind: Kind, body: Body, live: Body | None) -> None:
    """A pod must fit into every ResourceQuota of its namespace."""
    if kind.resource != "pods" or live is not None:
        return
    asked = usage([body])
    for each in server.every("ResourceQuota", body["metadata"]["namespace"]):
        hard = each["spec"].get("hard") or {}
        _must_ask(each, hard, body, asked)
        used = usage(counted(server, body["metadata"]["namespace"]))
        over = [name for name in hard if name in asked and used.get(name, 0) + asked[name] > quantity(hard[name])]
        if over:
            raise status.forbidden("", "pods", body["metadata"]["name"], _exceeded(each, over, asked, used, hard))


def _must_ask(each: Body, hard: Body, body: Body, asked: dict[str, float]) -> None:
    for name in hard:
        if name.split(".")[0] in ("requests", "limits", "cpu", "memory") and name not in asked:
            container = body["spec"]["containers"][0]["name"]
            said = f"failed quota: {each['metadata']['name']}: must specify {name} for: {container}"
            raise status.forbidden("", "pods", body["metadata"]["name"], said)


def _exceeded(each: Body, over: list[str], asked: dict[str, float], used: dict[str, float], hard: Body) -> str:
    def listed(values: dict[str, Any]) -> str:
        return ",".join(f"{name}={amount(values.get(name, 0))}" for name in sorted(over))

    name = each["metadata"]["name"]
    return f"exceeded quota: {name}, requested: {listed(asked)}, used: {listed(used)}, limited: {listed(hard)}"


def amount(value: Any) -> str:
    """A number as a quantity."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else f"{round(value * 1000)}m"


def counted(server: Server, namespace: str) -> list[Body]:
    """The pods a quota counts: those that have not ended."""
    pods = server.every("Pod", namespace)
    return [pod for pod in pods if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")]


def usage(pods: list[Body]) -> dict[str, float]:
    """What pods use of the things a quota may limit; a resource nobody names is absent."""
    total: dict[str, float] = {"pods": float(len(pods)), "count/pods": float(len(pods))}
    for pod in pods:
        for name, value in _resources(pod):
            total[name] = total.get(name, 0.0) + value
    return total


def _resources(pod: Body) -> Iterator[tuple[str, float]]:
    for container in pod["spec"]["containers"]:
        for group in ("requests", "limits"):
            for name, value in (container.get("resources", {}).get(group) or {}).items():
                yield f"{group}.{name}", quantity(value)
                if group == "requests":
                    yield name, quantity(value)


def webhooks(server: Server, kind: Kind, body: Body, live: Body | None) -> None:
    """A write that a webhook must see fails while nobody stands behind the webhook's service."""
    operation = "UPDATE" if live else "CREATE"
    for hook_kind in _HOOK_KINDS:
        for configuration in server.every(hook_kind):
            for hook in configuration.get("webhooks") or []:
                if hook.get("failurePolicy") == "Fail" and _concerns(server, hook, kind, body, operation):
                    _must_answer(server, hook)


def _concerns(server: Server, hook: Body, kind: Kind, body: Body, operation: str) -> bool:
    namespace = server.find("Namespace", "", body["metadata"].get("namespace", "")) or {"metadata": {}}
    if not matches(hook.get("objectSelector", {}), body["metadata"].get("labels")):
        return False
    if kind.namespaced and not matches(hook.get("namespaceSelector", {}), namespace["metadata"].get("labels")):
        return False
    return any(_rule(rule, kind, operation) for rule in hook.get("rules") or [])


def _rule(rule: Body, kind: Kind, operation: str) -> bool:
    def has(name: str, value: str) -> bool:
        return bool({"*", value} & set(rule.get(name) or []))

    resources = set(rule.get("resources") or [])
    named = bool({"*", "*/*", kind.plural} & resources)
    return named and has("apiGroups", kind.group) and has("operations", operation)


def _must_answer(server: Server, hook: Body) -> None:
    service = (hook.get("clientConfig") or {}).get("service")
    if not service:
        return
    why = _unreachable(server, service)
    if why:
        port, path = service.get("port", 443), service.get("path", "")
        host = f"{service['name']}.{service['namespace']}.svc:{port}"
        url = f"https://{host}{path}?timeout={hook.get('timeoutSeconds', 10)}s"
        said = f'failed calling webhook "{hook["name"]}": failed to call webhook: Post "{url}": {why}'
        raise status.internal(said)


def _unreachable(server: Server, service: Body) -> str:
    if server.find("Service", service["namespace"], service["name"]) is None:
        return f'service "{service["name"]}" not found'
    endpoints = server.find("Endpoints", service["namespace"], service["name"]) or {}
    ready = any(subset.get("addresses") for subset in endpoints.get("subsets") or [])
    return "" if ready else f'no endpoints available for service "{service["name"]}"'


ALL = (service_account, quota, webhooks)

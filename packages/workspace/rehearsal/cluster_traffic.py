"""How traffic gets in: endpoints, load balancers, Ingress, Gateway and HTTPRoute, and what a request would reach."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workspace.rehearsal import cluster_world as world
from workspace.rehearsal.cluster_control import Place, condition, conditioned, holds, owner
from workspace.rehearsal.cluster_rollouts import is_active, is_ready
from workspace.rehearsal.cluster_verbs import CONTROLLER, Server, Writer

Body = dict[str, Any]

_ISTIO = Writer("istiod", inside=True)
_AZURE = Writer("cloud-controller-manager", inside=True)
_INGRESS = Writer("ingress-controller", inside=True)
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"


def service(place: Place, namespace: str, name: str) -> float | None:
    """Keep a Service's endpoints and, for a load balancer, its address."""
    body = place.server.find("Service", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    if body["spec"].get("selector"):
        _keep_endpoints(place, body)
    if body["spec"]["type"] == "LoadBalancer" and not _addresses(body):
        address = _load_balancer(place, body)
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        place.server.set_status("Service", body, {**body.get("status", {}), **status}, _AZURE)
    return None


def _load_balancer(place: Place, body: Body) -> str:
    metadata = body["metadata"]
    gateway = (metadata.get("labels") or {}).get(_GATEWAY_LABEL)
    what = f"gateway/{metadata['namespace']}/{gateway}" if gateway else f"{metadata['namespace']}/{metadata['name']}"
    return place.address(place.subject(what if gateway else f"service/{what}"))


def _addresses(body: Body) -> list[str]:
    listed = body.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [each["ip"] for each in listed if each.get("ip")]


def backends(server: Server, body: Body) -> list[Body]:
    """The pods a Service selects."""
    selector = body["spec"].get("selector") or {}
    pods = server.every("Pod", body["metadata"]["namespace"])
    return [pod for pod in pods if is_active(pod) and _labelled(pod, selector)]


def _labelled(pod: Body, selector: Body) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _keep_endpoints(place: Place, body: Body) -> None:
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    pods = [pod for pod in backends(place.server, body) if pod.get("status", {}).get("podIP")]
    groups = {"addresses": [p for p in pods if is_ready(p)], "notReadyAddresses": [p for p in pods if not is_ready(p)]}
    subset: Body = {key: [_endpoint(pod) for pod in found] for key, found in groups.items() if found}
    if subset:
        subset["ports"] = [_endpoint_port(port, pods[0]) for port in body["spec"].get("ports", [])]
    wanted = {"subsets": [subset]} if subset else {}
    kind, live = place.server.kind("Endpoints"), place.server.find("Endpoints", namespace, name)
    if live is None:
        place.server.create(kind, namespace, {"metadata": {"name": name}, **wanted}, CONTROLLER)
    elif live.get("subsets", []) != wanted.get("subsets", []):
        place.server.change("Endpoints", live, lambda each: {**each, "subsets": wanted.get("subsets", [])})


def _endpoint(pod: Body) -> Body:
    metadata = pod["metadata"]
    reference = {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": reference}


def _endpoint_port(port: Body, pod: Body) -> Body:
    found = {"port": target_port(port, pod) or port["port"], "protocol": port["protocol"]}
    return {"name": port["name"], **found} if port.get("name") else found


def target_port(port: Body, pod: Body) -> int | None:
    """The container port a Service port leads to; None for a name no container has."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    listed = (each for container in pod["spec"]["containers"] for each in container.get("ports") or [])
    return next((each["containerPort"] for each in listed if each.get("name") == target), None)


def ingress_class(body: Body) -> str:
    """The class an Ingress asks for."""
    annotations = body["metadata"].get("annotations") or {}
    return str(body["spec"].get("ingressClassName") or annotations.get(_CLASS_ANNOTATION) or "")


def _living(place: Place, name: str) -> bool:
    """Whether a controller stands behind an ingress class: Azure's own, or one deployed under the class's name."""
    found = place.server.find("IngressClass", "", name)
    if found is None:
        return False
    if name in place.ingress_classes:
        return True
    label = found["spec"].get("controller", "").rsplit("/", 1)[-1]
    return running(place.server, label)


def running(server: Server, name: str) -> bool:
    """Whether an available Deployment carries this `app.kubernetes.io/name`, or this name."""
    for body in server.every("Deployment"):
        labels = body["metadata"].get("labels") or {}
        named = name in (labels.get("app.kubernetes.io/name"), body["metadata"]["name"])
        if named and body.get("status", {}).get("availableReplicas", 0) > 0 and _is_controller(labels):
            return True
    return False


def _is_controller(labels: Body) -> bool:
    return bool(labels.get("app.kubernetes.io/component", "controller") == "controller")


def ingress(place: Place, namespace: str, name: str) -> float | None:
    """Give an Ingress the address of its class's controller."""
    body = place.server.find("Ingress", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    wanted = ingress_class(body)
    if not _living(place, wanted):
        return None
    address = place.address(place.subject(f"ingress/{wanted}"))
    if _addresses(body) != [address]:
        status = {"loadBalancer": {"ingress": [{"ip": address}]}}
        place.server.set_status("Ingress", body, status, _INGRESS)
    return None


def gateway_class(place: Place, _: str, name: str) -> float | None:
    """Accept a GatewayClass of the controller that runs here; others stay unknown for ever."""
    body = place.server.find("GatewayClass", "", name)
    if body is None or body["spec"]["controllerName"] not in world.GATEWAY_CONTROLLERS:
        return None
    generation = body["metadata"]["generation"]
    listed = body.get("status", {}).get("conditions", [])
    said = ("Accepted", "True", "Accepted", "Handled by Istio controller")
    conditions = conditioned(listed, *said, observedGeneration=generation)
    place.server.set_status("GatewayClass", body, {"conditions": conditions}, _ISTIO)
    return None


def gateway(place: Place, namespace: str, name: str) -> float | None:
    """Programme a Gateway: judge its listeners, bring its load balancer, report its address."""
    body = place.server.find("Gateway", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    found = place.server.find("GatewayClass", "", body["spec"]["gatewayClassName"])
    if found is None or not holds(found, "Accepted"):
        return None
    balancer = _gateway_service(place, body)
    addresses = _addresses(balancer)
    listeners = [_listener_status(place.server, body, each, bool(addresses)) for each in body["spec"]["listeners"]]
    status = {
        "addresses": [{"type": "IPAddress", "value": each} for each in addresses],
        "conditions": _gateway_conditions(body, listeners, balancer, addresses),
        "listeners": listeners,
    }
    place.server.set_status("Gateway", body, status, _ISTIO)
    return None


def _gateway_service(place: Place, body: Body) -> Body:
    metadata, spec = body["metadata"], body["spec"]
    name, namespace = f"{metadata['name']}-{spec['gatewayClassName']}", metadata["namespace"]
    ports = {each["port"]: {"name": f"p{each['port']}", "port": each["port"]} for each in spec["listeners"]}
    listed = [{"name": "status-port", "port": 15021}, *(ports[number] for number in sorted(ports))]
    wanted = [{**port, "protocol": "TCP", "targetPort": port["port"]} for port in listed]
    live = place.server.find("Service", namespace, name)
    if live is None:
        labels = {_GATEWAY_LABEL: metadata["name"], "gateway.istio.io/managed": "istio.io-gateway-controller"}
        made: Body = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner(body, "Gateway", block=False)]},
            "spec": {"type": "LoadBalancer", "ports": wanted},
        }
        made["metadata"]["annotations"] = (spec.get("infrastructure") or {}).get("annotations") or {}
        return place.server.create(place.server.kind("Service"), namespace, made, _ISTIO)
    if [each["port"] for each in live["spec"]["ports"]] != [each["port"] for each in wanted]:

        def new(each: Body) -> Body:
            each["spec"]["ports"] = wanted
            return each

        return place.server.change("Service", live, new, _ISTIO) or live
    return live


def _gateway_conditions(body: Body, listeners: list[Body], balancer: Body, addresses: list[str]) -> list[Body]:
    generation = {"observedGeneration": body["metadata"]["generation"]}
    listed = body.get("status", {}).get("conditions", [])
    broken = [
        each["name"] for each in listeners if condition({"status": each}, "Programmed").get("reason") == "Invalid"
    ]
    if broken and len(broken) == len(listeners):
        said = ("False", "ListenersNotValid", f"Invalid listeners: {', '.join(broken)}")
    elif broken:
        said = ("True", "ListenersNotValid", f"Invalid listeners: {', '.join(broken)}")
    else:
        said = ("True", "Accepted", "Resource accepted")
    listed = conditioned(listed, "Accepted", *said, **generation)
    place = f"{balancer['metadata']['name']}.{balancer['metadata']['namespace']}.svc.cluster.local"
    if addresses:
        words = f"Resource programmed, assigned to service(s) {place}:{balancer['spec']['ports'][-1]['port']}"
        return conditioned(listed, "Programmed", "True", "Programmed", words, **generation)
    words = f"Failed to assign to any requested addresses: address pending for hostname {json.dumps(place)}"
    return conditioned(listed, "Programmed", "False", "AddressNotAssigned", words, **generation)


def _listener_status(server: Server, body: Body, listener: Body, addressed: bool) -> Body:
    before: Body = next(
        (each for each in body.get("status", {}).get("listeners") or [] if each["name"] == listener["name"]), {}
    )
    generation = {"observedGeneration": body["metadata"]["generation"]}
    listed: list[Body] = before.get("conditions", [])
    why = _bad_certificate(server, body, listener)
    listed = conditioned(listed, "Accepted", "True", "Accepted", "No errors found", **generation)
    if why:
        listed = conditioned(listed, "ResolvedRefs", "False", "InvalidCertificateRef", why, **generation)
        listed = conditioned(listed, "Programmed", "False", "Invalid", why, **generation)
    else:
        listed = conditioned(listed, "ResolvedRefs", "True", "ResolvedRefs", "No errors found", **generation)
        said = ("True", "Programmed") if addressed else ("False", "Pending")
        listed = conditioned(listed, "Programmed", *said, "No errors found", **generation)
    return {
        "name": listener["name"],
        "attachedRoutes": sum(1 for _ in _attached(server, body, listener)),
        "supportedKinds": [{"group": world.GATEWAY_GROUP, "kind": "HTTPRoute"}],
        "conditions": listed,
    }


def _bad_certificate(server: Server, body: Body, listener: Body) -> str:
    if listener["protocol"] != "HTTPS":
        return ""
    references = (listener.get("tls") or {}).get("certificateRefs") or []
    if not references:
        return "invalid certificate reference: TLS terminate mode requires certificateRefs"
    for each in references:
        namespace = each.get("namespace") or body["metadata"]["namespace"]
        secret = server.find("Secret", namespace, each["name"])
        if secret is None:
            return f"invalid certificate reference {namespace}/{each['name']}, secret not found"
        if secret.get("type") != "kubernetes.io/tls":
            return f"invalid certificate reference {namespace}/{each['name']}, the secret holds no certificate"
    return ""


def _attached(server: Server, body: Body, listener: Body) -> Iterator[Body]:
    for route in server.every("HTTPRoute"):
        for reference in route["spec"].get("parentRefs") or []:
            if _is_parent(server, route, reference, body) and not _unattached(
                server, route, reference, body, [listener]
            ):
                yield route
                break


def _is_parent(server: Server, route: Body, reference: Body, body: Body) -> bool:
    found = _parent(server, route, reference)
    return found is not None and bool(found["metadata"]["uid"] == body["metadata"]["uid"])


def _parent(server: Server, route: Body, reference: Body) -> Body | None:
    namespace = reference.get("namespace") or route["metadata"]["namespace"]
    return server.find("Gateway", namespace, reference["name"])


def http_route(place: Place, namespace: str, name: str) -> float | None:
    """Report how each parent Gateway takes a route, and whether its backends are there."""
    body = place.server.find("HTTPRoute", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None
    parents = []
    for reference in body["spec"].get("parentRefs") or []:
        parent = _parent(place.server, body, reference)
        accepted = parent and place.server.find("GatewayClass", "", parent["spec"]["gatewayClassName"])
        if parent and accepted and holds(accepted, "Accepted"):
            parents.append(_parent_status(place.server, body, reference, parent, accepted))
    if parents != body.get("status", {}).get("parents", []):
        place.server.set_status("HTTPRoute", body, {"parents": parents}, _ISTIO)
    return None


def _parent_status(server: Server, body: Body, reference: Body, parent: Body, found: Body) -> Body:
    before: Body = next((e for e in body.get("status", {}).get("parents", []) if e["parentRef"] == reference), {})
    generation = {"observedGeneration": body["metadata"]["generation"]}
    listed: list[Body] = before.get("conditions", [])
    why = _unattached(server, body, reference, parent, parent["spec"]["listeners"])
    said = ("False", *why) if why else ("True", "Accepted", "Route was valid")
    listed = conditioned(listed, "Accepted", *said, **generation)
    broken = _broken_backend(server, body)
    said = ("False", *broken) if broken else ("True", "ResolvedRefs", "All references resolved")
    listed = conditioned(listed, "ResolvedRefs", *said, **generation)
    return {"parentRef": reference, "controllerName": found["spec"]["controllerName"], "conditions": listed}


def _unattached(
    server: Server, route: Body, reference: Body, parent: Body, listeners: list[Body]
) -> tuple[str, str] | None:
    """Why a route does not attach to any of these listeners."""
    section, port = reference.get("sectionName"), reference.get("port")
    named = [each for each in listeners if section in (None, each["name"]) and port in (None, each["port"])]
    if not named:
        return "NoMatchingParent", f'sectionName "{section}" not found' if section else f"port {port} not found"
    allowed = [each for each in named if _allows(server, each, route, parent)]
    if not allowed:
        words = "hostnames matched parent hostname, but namespace"
        said = f"{words} {json.dumps(route['metadata']['namespace'])} is not allowed by the parent"
        return "NotAllowedByListeners", said
    hosts = route["spec"].get("hostnames") or []
    if hosts and not any(_hosts_meet(each.get("hostname"), host) for each in allowed for host in hosts):
        theirs = ", ".join(sorted({each.get("hostname", "*") for each in allowed}))
        return "NoMatchingListenerHostname", f"no hostnames matched parent hostname {json.dumps(theirs)}"
    return None


def _allows(server: Server, listener: Body, route: Body, parent: Body) -> bool:
    rule = (listener.get("allowedRoutes") or {}).get("namespaces") or {"from": "Same"}
    if rule.get("from") == "All":
        return True
    namespace = route["metadata"]["namespace"]
    if rule.get("from") == "Selector":
        found = server.find("Namespace", "", namespace) or {"metadata": {}}
        return _labelled(found, (rule.get("selector") or {}).get("matchLabels") or {})
    return bool(namespace == parent["metadata"]["namespace"])


def _hosts_meet(listener: str | None, host: str) -> bool:
    if not listener or listener == host:
        return True
    for wide, narrow in ((listener, host), (host, listener)):
        if wide.startswith("*.") and narrow.endswith(wide[1:]) and narrow != wide[1:]:
            return True
    return False


def _broken_backend(server: Server, body: Body) -> tuple[str, str] | None:
    for rule in body["spec"].get("rules") or []:
        for each in rule.get("backendRefs") or []:
            namespace = each.get("namespace") or body["metadata"]["namespace"]
            if each.get("kind", "Service") != "Service":
                return (
                    "InvalidKind",
                    f"referencing unsupported backendRef: group {each.get('group')!r} kind {each['kind']!r}",
                )
            if namespace != body["metadata"]["namespace"] and not _granted(server, body, namespace, each["name"]):
                place = f"{each['name']}/{namespace}"
                return "RefNotPermitted", f"backendRef {place} not accessible to a HTTPRoute in another namespace"
            if each.get("port") is None:
                return "UnsupportedValue", "port is required in backendRef"
            if server.find("Service", namespace, each["name"]) is None:
                return "BackendNotFound", f"backend({each['name']}.{namespace}.svc.cluster.local) not found"
    return None


def _granted(server: Server, body: Body, namespace: str, name: str) -> bool:
    for grant in server.every("ReferenceGrant", namespace):
        sources = [(s["kind"], s["namespace"]) for s in grant["spec"]["from"]]
        targets = [t for t in grant["spec"]["to"] if t["kind"] == "Service" and t.get("name") in (None, name)]
        if ("HTTPRoute", body["metadata"]["namespace"]) in sources and targets:
            return True
    return False


@dataclass(frozen=True)
class Reached:
    """What a request that comes in at an address reaches: a ready pod, or the status and sentence instead of one.

    `certificate` is the TLS secret that serves the host, when the request came over TLS.
    """

    code: int
    why: str
    pod: Body | None = None
    port: int | None = None
    certificate: Body | None = None
    redirect: str = ""


def reach(server: Server, address: str, host: str, path: str = "/", tls: bool = True) -> Reached | None:
    """Follow a request from an address to a pod; None when nothing in this cluster has the address."""
    for body in server.every("Gateway"):
        if address in [each["value"] for each in body.get("status", {}).get("addresses") or []]:
            return _through_gateway(server, body, host, path, tls)
    found = [body for body in server.every("Ingress") if address in _addresses(body)]
    if found:
        return _through_ingress(server, found, host, path, tls)
    for body in server.every("Service"):
        if address in _addresses(body):
            return _to_service(server, body, None, None)
    return None


def _through_gateway(server: Server, body: Body, host: str, path: str, tls: bool) -> Reached:
    wanted = "HTTPS" if tls else "HTTP"
    listeners = [each for each in body["spec"]["listeners"] if each["protocol"] == wanted]
    listeners = [each for each in listeners if _hosts_meet(each.get("hostname"), host)]
    listeners = [each for each in listeners if not _bad_certificate(server, body, each)]
    if not listeners:
        return Reached(0, f"no listener of gateway {body['metadata']['name']} answers {host} over {wanted}")
    best = max(listeners, key=lambda each: len((each.get("hostname") or "").lstrip("*")))
    certificate = _certificate(server, body, best) if tls else None
    found = [(route, rule) for route in _attached(server, body, best) for rule in _rules(route, host, path)]
    if not found:
        return Reached(
            404, f"no route of gateway {body['metadata']['name']} takes {host}{path}", certificate=certificate
        )
    route, (_, rule) = max(found, key=lambda each: each[1][0])
    redirect = next((f["requestRedirect"] for f in rule.get("filters") or [] if f["type"] == "RequestRedirect"), None)
    if redirect:
        target = f"{redirect.get('scheme', 'https')}://{redirect.get('hostname', host)}{path}"
        return Reached(redirect.get("statusCode", 302), "redirected", certificate=certificate, redirect=target)
    return _to_backends(server, route["metadata"]["namespace"], rule.get("backendRefs") or [], certificate)


def _certificate(server: Server, body: Body, listener: Body) -> Body | None:
    reference = (listener.get("tls") or {}).get("certificateRefs", [{}])[0]
    namespace = reference.get("namespace") or body["metadata"]["namespace"]
    return server.find("Secret", namespace, reference.get("name", ""))


def _rules(route: Body, host: str, path: str) -> Iterator[tuple[int, Body]]:
    hosts = route["spec"].get("hostnames") or ["*"]
    if "*" not in hosts and not any(_hosts_meet(each, host) for each in hosts):
        return
    for rule in route["spec"].get("rules") or []:
        for match in rule.get("matches") or [{}]:
            wanted = match.get("path") or {"type": "PathPrefix", "value": "/"}
            if _path_fits(wanted["type"] == "Exact", wanted["value"], path):
                yield len(wanted["value"]), rule


def _path_fits(exact: bool, wanted: str, path: str) -> bool:
    base = wanted.rstrip("/")
    return path == wanted if exact else path == base or path.startswith(base + "/")


def _to_backends(server: Server, namespace: str, references: list[Body], certificate: Body | None) -> Reached:
    live = [each for each in references if each.get("weight", 1)]
    if not live:
        return Reached(500, "the route names no backend", certificate=certificate)
    each = live[0]
    found = server.find("Service", each.get("namespace") or namespace, each["name"])
    if found is None:
        return Reached(500, f"there is no service {each['name']}", certificate=certificate)
    return _to_service(server, found, each.get("port"), certificate)


def _to_service(server: Server, body: Body, port: Any, certificate: Body | None) -> Reached:
    name, ports = body["metadata"]["name"], body["spec"].get("ports") or []
    chosen = [each for each in ports if port in (None, each["port"], each.get("name"))]
    if not chosen:
        return Reached(503, f"service {name} has no port {port}", certificate=certificate)
    ready = [pod for pod in backends(server, body) if is_ready(pod)]
    if not ready:
        return Reached(503, f"service {name} has no ready pod", certificate=certificate)
    target = target_port(chosen[0], ready[0])
    if target is None:
        return Reached(
            503, f"no container has the port {chosen[0]['targetPort']} of service {name}", certificate=certificate
        )
    return Reached(200, "", pod=ready[0], port=target, certificate=certificate)


def _through_ingress(server: Server, found: list[Body], host: str, path: str, tls: bool) -> Reached:
    for body in found:
        for rule in body["spec"].get("rules") or []:
            if rule.get("host") and not _hosts_meet(rule["host"], host):
                continue
            places = rule.get("http", {}).get("paths", [])
            fits = [p for p in places if _path_fits(p["pathType"] == "Exact", p.get("path", "/"), path)]
            if fits:
                best = max(fits, key=lambda each: len(each.get("path", "/")))
                return _ingress_backend(server, body, best["backend"], host, tls)
    return Reached(404, f"no ingress takes {host}{path}")


def _ingress_backend(server: Server, body: Body, backend: Body, host: str, tls: bool) -> Reached:
    namespace = body["metadata"]["namespace"]
    certificate = None
    if tls:
        names = [e.get("secretName", "") for e in body["spec"].get("tls") or [] if host in (e.get("hosts") or [host])]
        certificate = next(filter(None, (server.find("Secret", namespace, name) for name in names)), None)
    wanted = backend.get("service") or {}
    found = server.find("Service", namespace, wanted.get("name", ""))
    if found is None:
        return Reached(503, f"there is no service {wanted.get('name')}", certificate=certificate)
    port = (wanted.get("port") or {}).get("number") or (wanted.get("port") or {}).get("name")
    return _to_service(server, found, port, certificate)

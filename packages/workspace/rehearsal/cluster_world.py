"""What a new AKS cluster holds before anybody deploys: namespaces, nodes, storage classes, and the Gateway API.

The application routing add-on brings the Gateway API's definitions and its class `approuting-istio`; the schemas here
are the part of the standard channel that a Gateway and an HTTPRoute of a web workload use.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workspace.rehearsal.cluster_verbs import Server, Writer

Body = dict[str, Any]

GATEWAY_GROUP = "gateway.networking.k8s.io"
GATEWAY_CLASS = "approuting-istio"
GATEWAY_CONTROLLER = "istio.aks.azure.com/gateway-controller"
GATEWAY_CONTROLLERS = (GATEWAY_CONTROLLER, "istio.io/gateway-controller")
KUBERNETES = "v1.35.2"

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", "app-routing-system")
_STORAGE_CLASSES: Mapping[str, tuple[str, str]] = {
    "default": ("disk.csi.azure.com", "StandardSSD_LRS"),
    "managed": ("disk.csi.azure.com", "StandardSSD_LRS"),
    "managed-csi": ("disk.csi.azure.com", "StandardSSD_LRS"),
    "managed-csi-premium": ("disk.csi.azure.com", "Premium_LRS"),
    "managed-premium": ("disk.csi.azure.com", "Premium_LRS"),
    "azurefile": ("file.csi.azure.com", "Standard_LRS"),
    "azurefile-csi": ("file.csi.azure.com", "Standard_LRS"),
}
_INSTALLER = Writer("aks-addon-manager", inside=True)
DEFAULT_NODES: Sequence[Body] = tuple({"name": f"aks-system-rehearsal-vmss00000{index}"} for index in range(3))


def furnish(server: Server) -> None:
    """Put into an empty cluster what Azure puts there; what is already there stays as it is."""
    for name in _NAMESPACES:
        _ensure(server, "Namespace", {"metadata": {"name": name}})
    for name, (provisioner, sku) in _STORAGE_CLASSES.items():
        _ensure(server, "StorageClass", _storage_class(name, provisioner, sku))
    for definition in (_gateway_class(), _gateway(), _http_route(), _reference_grant()):
        _ensure(server, "CustomResourceDefinition", definition)
    _ensure(server, "PriorityClass", {"metadata": {"name": "system-cluster-critical"}, "value": 2000000000})


def keep_nodes(server: Server, nodes: Iterable[Mapping[str, Any]]) -> None:
    """Have just these nodes: new ones join, those that are no more leave."""
    wanted = {str(node["name"]): _node(node) for node in nodes}
    for body in wanted.values():
        _ensure(server, "Node", body)
    for live in server.every("Node"):
        if live["metadata"]["name"] not in wanted:
            server.finish("Node", live)


def add_gateway_class(server: Server) -> None:
    """Put the add-on's GatewayClass there once its definition is served."""
    body = {"metadata": {"name": GATEWAY_CLASS}, "spec": {"controllerName": GATEWAY_CONTROLLER}}
    _ensure(server, "GatewayClass", body)


def add_ingress_class(server: Server, name: str) -> None:
    """Put an IngressClass there that belongs to a living controller."""
    _ensure(server, "IngressClass", {"metadata": {"name": name}, "spec": {"controller": f"{name}/controller"}})


def _ensure(server: Server, kind: str, body: Body) -> None:
    known = server.kind(kind)
    if server.find(kind, "", body["metadata"]["name"]) is None:
        server.create(known, "", {"apiVersion": known.api_version, "kind": kind, **body}, _INSTALLER)


def _node(given: Mapping[str, Any]) -> Body:
    name = str(given["name"])
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.azure.com/mode": "system",
        "agentpool": "system",
        **given.get("labels", {}),
    }
    resources = {"cpu": given.get("cpu", "4"), "memory": given.get("memory", "16Gi"), "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(given.get("taints", [])), "providerID": f"azure:///rehearsal/{name}"},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [{**ready, "message": "kubelet is posting ready status"}],
            "nodeInfo": {"kubeletVersion": KUBERNETES, "operatingSystem": "linux", "architecture": "amd64"},
        },
    }


def _storage_class(name: str, provisioner: str, sku: str) -> Body:
    metadata: Body = {"name": name}
    if name == "default":
        metadata["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": metadata,
        "provisioner": provisioner,
        "parameters": {"skuname": sku},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }


def _text(**limits: Any) -> Body:
    return {"type": "string", **limits}


def _number(**limits: Any) -> Body:
    return {"type": "integer", **limits}


def _fields(required: str = "", /, **properties: Body) -> Body:
    found: Body = {"type": "object", "properties": properties}
    return {**found, "required": required.split()} if required else found


def _many(item: Body, **limits: Any) -> Body:
    return {"type": "array", "items": item, **limits}


def _keyed(item: Body, *keys: str, **limits: Any) -> Body:
    extra = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    return {"type": "array", "items": item, **extra, **limits}


def _map() -> Body:
    return {"type": "object", "additionalProperties": _text()}


def _conditions(default: Sequence[Body] = ()) -> Body:
    item = _fields(
        "lastTransitionTime message reason status type",
        lastTransitionTime=_text(),
        message=_text(),
        observedGeneration=_number(),
        reason=_text(),
        status=_text(),
        type=_text(),
    )
    return _keyed(item, "type", **({"default": list(default)} if default else {}))


def _waiting(kind: str) -> Body:
    waits = {"type": kind, "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}
    return {**waits, "lastTransitionTime": "1970-01-01T00:00:00Z"}


def _definition(kind: str, plural: str, short: Sequence[str], scope: str, spec: Body, status: Body, word: str) -> Body:
    schema = _fields("spec", spec=spec, **({"status": status} if status else {}))
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    version = {
        "name": word,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}} if status else {},
    }
    annotations = {
        "gateway.networking.k8s.io/bundle-version": "v1.4.0",
        "gateway.networking.k8s.io/channel": "standard",
    }
    return {
        "metadata": {"name": f"{plural}.{GATEWAY_GROUP}", "annotations": annotations},
        "spec": {
            "group": GATEWAY_GROUP,
            "names": {**names, "shortNames": list(short), "categories": ["gateway-api"]},
            "scope": scope,
            "versions": [version],
        },
    }


def _gateway_class() -> Body:
    parameters = _fields("group kind name", group=_text(), kind=_text(), name=_text(), namespace=_text())
    spec = _fields("controllerName", controllerName=_text(minLength=1), description=_text(), parametersRef=parameters)
    waiting = [_waiting("Accepted")]
    status = {**_fields(conditions=_conditions(waiting)), "default": {"conditions": waiting}}
    return _definition("GatewayClass", "gatewayclasses", ["gc"], "Cluster", spec, status, "v1")


def _listener() -> Body:
    reference = _fields(
        "name", group={**_text(), "default": ""}, kind={**_text(), "default": "Secret"}, name=_text(), namespace=_text()
    )
    tls = _fields(
        mode={**_text(enum=["Terminate", "Passthrough"]), "default": "Terminate"},
        certificateRefs=_many(reference, maxItems=64),
        options=_map(),
    )
    source = {**_text(enum=["All", "Selector", "Same"]), "default": "Same"}
    selector = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    namespaces = {**_fields(**{"from": source, "selector": selector}), "default": {"from": "Same"}}
    kinds = _many(_fields("kind", group={**_text(), "default": GATEWAY_GROUP}, kind=_text()))
    allowed = {**_fields(namespaces=namespaces, kinds=kinds), "default": {"namespaces": {"from": "Same"}}}
    return _fields(
        "name port protocol",
        name=_text(minLength=1, maxLength=253),
        hostname=_text(minLength=1, maxLength=253),
        port=_number(minimum=1, maximum=65535),
        protocol=_text(minLength=1, maxLength=255),
        tls=tls,
        allowedRoutes=allowed,
    )


def _gateway() -> Body:
    address = _fields(type={**_text(), "default": "IPAddress"}, value=_text())
    infrastructure = _fields(
        annotations=_map(), labels=_map(), parametersRef=_fields(group=_text(), kind=_text(), name=_text())
    )
    spec = _fields(
        "gatewayClassName listeners",
        gatewayClassName=_text(minLength=1),
        listeners=_keyed(_listener(), "name", minItems=1, maxItems=64),
        addresses=_many(address, maxItems=16),
        infrastructure=infrastructure,
    )
    waiting = [_waiting("Accepted"), _waiting("Programmed")]
    supported = _many(_fields("kind", group=_text(), kind=_text()))
    listener = _fields(
        "name", name=_text(), attachedRoutes=_number(), supportedKinds=supported, conditions=_conditions()
    )
    status = _fields(
        addresses=_many(_fields(type=_text(), value=_text())),
        conditions=_conditions(waiting),
        listeners=_keyed(listener, "name"),
    )
    status = {**status, "default": {"conditions": waiting}}
    return _definition("Gateway", "gateways", ["gtw"], "Namespaced", spec, status, "v1")


def _parent() -> Body:
    return _fields(
        "name",
        group={**_text(), "default": GATEWAY_GROUP},
        kind={**_text(), "default": "Gateway"},
        name=_text(),
        namespace=_text(),
        sectionName=_text(),
        port=_number(),
    )


def _header_filter() -> Body:
    header = _fields("name value", name=_text(), value=_text())
    return _fields(set=_keyed(header, "name"), add=_keyed(header, "name"), remove=_many(_text()))


def _filter() -> Body:
    path = _fields(
        "type",
        type=_text(enum=["ReplaceFullPath", "ReplacePrefixMatch"]),
        replaceFullPath=_text(),
        replacePrefixMatch=_text(),
    )
    redirect = _fields(
        scheme=_text(enum=["http", "https"]),
        hostname=_text(),
        path=path,
        port=_number(),
        statusCode={**_number(enum=[301, 302, 303, 307, 308]), "default": 302},
    )
    names = [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
        "ExtensionRef",
    ]
    return _fields(
        "type",
        type=_text(enum=names),
        requestHeaderModifier=_header_filter(),
        responseHeaderModifier=_header_filter(),
        requestRedirect=redirect,
        urlRewrite=_fields(hostname=_text(), path=path),
        requestMirror={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        extensionRef=_fields("group kind name", group=_text(), kind=_text(), name=_text()),
    )


def _http_route() -> Body:
    kinds = ["Exact", "PathPrefix", "RegularExpression"]
    path = _fields(type={**_text(enum=kinds), "default": "PathPrefix"}, value={**_text(), "default": "/"})
    pair = _fields("name value", type={**_text(), "default": "Exact"}, name=_text(), value=_text())
    match = _fields(
        path={**path, "default": {"type": "PathPrefix", "value": "/"}},
        headers=_keyed(pair, "name"),
        queryParams=_keyed(pair, "name"),
        method=_text(),
    )
    backend = _fields(
        "name",
        group={**_text(), "default": ""},
        kind={**_text(), "default": "Service"},
        name=_text(),
        namespace=_text(),
        port=_number(minimum=1, maximum=65535),
        weight={**_number(minimum=0, maximum=1000000), "default": 1},
        filters=_many(_filter()),
    )
    rule = _fields(
        name=_text(),
        matches={**_many(match), "default": [{"path": {"type": "PathPrefix", "value": "/"}}]},
        filters=_many(_filter(), maxItems=16),
        backendRefs=_many(backend, maxItems=16),
        timeouts=_fields(request=_text(), backendRequest=_text()),
    )
    spec = _fields(
        hostnames=_many(_text(), maxItems=16),
        parentRefs=_many(_parent(), maxItems=32),
        rules={**_many(rule, maxItems=16), "default": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]},
    )
    parent = _fields("parentRef controllerName", parentRef=_parent(), controllerName=_text(), conditions=_conditions())
    status = _fields("parents", parents=_many(parent))
    return _definition("HTTPRoute", "httproutes", [], "Namespaced", spec, status, "v1")


def _reference_grant() -> Body:
    source = _fields("group kind namespace", group=_text(), kind=_text(), namespace=_text())
    target = _fields("group kind", group=_text(), kind=_text(), name=_text())
    spec = _fields("from to", **{"from": _many(source), "to": _many(target)})
    return _definition("ReferenceGrant", "referencegrants", ["refgrant"], "Namespaced", spec, {}, "v1beta1")

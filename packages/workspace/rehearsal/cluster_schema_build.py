"""Regenerates `generated/kubernetes.json`, the structure of the built-in Kubernetes kinds the cluster stand-in serves.

Run it with `python -m workspace.rehearsal.cluster_schema_build` where the PyPI package `kubernetes-validate` is
installed. It takes types, required fields and merge rules from that package's copy of the Kubernetes API description
(Apache-2.0) and leaves every description out.
"""

import json
from importlib import metadata, resources
from pathlib import Path
from typing import Any

VERSION = "v1.35.0"
TARGET = Path(__file__).parent / "generated" / "kubernetes.json"

_PREFIXES = {
    "io.k8s.api.core.v1.": "ConfigMap Endpoints Event Namespace Node PersistentVolumeClaim Pod ResourceQuota Secret "
    "Service ServiceAccount",
    "io.k8s.api.apps.v1.": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "io.k8s.api.admissionregistration.v1.": "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
    "io.k8s.api.autoscaling.v1.": "Scale",
    "io.k8s.api.autoscaling.v2.": "HorizontalPodAutoscaler",
    "io.k8s.api.batch.v1.": "Job",
    "io.k8s.api.coordination.v1.": "Lease",
    "io.k8s.api.networking.v1.": "Ingress IngressClass NetworkPolicy",
    "io.k8s.api.policy.v1.": "PodDisruptionBudget",
    "io.k8s.api.rbac.v1.": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "io.k8s.api.scheduling.v1.": "PriorityClass",
    "io.k8s.api.storage.v1.": "StorageClass",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.": "CustomResourceDefinition",
}
_SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "int-or-string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "quantity"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"type": "string"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"type": "any"},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"type": "any"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": {"type": "any"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": {"type": "any"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": {"type": "any"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": {"type": "any"},
    # The schema of a schema is recursive and nobody merges into it field by field.
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps": {"type": "any"},
}
_KEPT = {
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
}


def build() -> dict[str, Any]:
    """The definitions of the kinds we serve and of all they refer to, by short name."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"{VERSION}-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    roots = [prefix + kind for prefix, kinds in _PREFIXES.items() for kind in kinds.split()]
    kept: dict[str, Any] = {}
    origin: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if origin.setdefault(_short(name), name) != name:
            raise ValueError(f"{name} and {origin[_short(name)]} would share the short name {_short(name)}")
        if _short(name) in kept:
            continue
        shape = _SPECIAL.get(name) or _shape(definitions[name])
        kept[_short(name)] = shape
        waiting += [] if name in _SPECIAL else _references(definitions[name])
    return {name: kept[name] for name in sorted(kept)}


def _short(name: str) -> str:
    return ".".join(name.split(".")[-2:]) if ".api." in name else name.split(".")[-1]


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in _references(each)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"].rsplit("/", 1)[-1]] if isinstance(node.get("$ref"), str) else []
    return here + [found for value in node.values() for found in _references(value)]


def _shape(node: dict[str, Any]) -> Any:
    """One schema node without words; a scalar is the name of its type, a reference `@Name`."""
    if "$ref" in node:
        reference = "@" + _short(node["$ref"].rsplit("/", 1)[-1])
        extras = {key: node[key] for key in sorted(_KEPT & node.keys())}
        return {"$ref": reference, **extras} if extras else reference
    kept: dict[str, Any] = {key: node[key] for key in sorted(_KEPT & node.keys())}
    kept["type"] = next((each for each in _types(node) if each != "null"), "object")
    for key in ("required", "enum"):
        if node.get(key):
            kept[key] = [each for each in node[key] if each is not None]
    if "properties" in node:
        kept["properties"] = {name: _shape(each) for name, each in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            kept[key] = _shape(node[key])
    return kept["type"] if kept.keys() == {"type"} else kept


def _types(node: dict[str, Any]) -> list[str]:
    named = node.get("type", "object")
    return named if isinstance(named, list) else [named]


def main() -> None:
    """Write the file beside this module."""
    about = (
        f"Structure of Kubernetes {VERSION} kinds, generated by cluster_schema_build.py from the PyPI package "
        f"kubernetes-validate {metadata.version('kubernetes-validate')}; Apache-2.0, The Kubernetes Authors."
    )
    TARGET.parent.mkdir(exist_ok=True)
    lines = [f" {json.dumps(name)}:{json.dumps(shape, separators=(',', ':'))}" for name, shape in build().items()]
    TARGET.write_text('{"about":' + json.dumps(about) + ',"definitions":{\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()

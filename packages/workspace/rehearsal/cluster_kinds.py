"""The kinds a cluster serves: what is built in, and what CustomResourceDefinitions add."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workspace.rehearsal import cluster_schema as schema

Body = dict[str, Any]

_META: schema.Shape = "@ObjectMeta"


@dataclass(frozen=True)
class Kind:
    """One served resource: its names, whether it lives in namespaces, its schema and subresources."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    shape: schema.Shape
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    stored: bool = True

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """The kind in lower case."""
        return self.kind.lower()

    @property
    def has_status(self) -> bool:
        """Whether status is written through its own subresource only."""
        return "status" in self.subresources

    @property
    def verbs(self) -> list[str]:
        """What can be done with it."""
        return ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


# kind | plural | cluster or namespaced | short names | subresources | categories
_TABLE: Mapping[str, str] = {
    "/v1": """
        Namespace namespaces c ns status,finalize -
        Node nodes c no status -
        Pod pods n po status,log all
        Service services n svc status all
        Endpoints endpoints n ep - -
        ConfigMap configmaps n cm - -
        Secret secrets n - - -
        ServiceAccount serviceaccounts n sa - -
        PersistentVolumeClaim persistentvolumeclaims n pvc status -
        Event events n ev - -
        ResourceQuota resourcequotas n quota status -""",
    "apps/v1": """
        Deployment deployments n deploy status,scale all
        StatefulSet statefulsets n sts status,scale all
        ReplicaSet replicasets n rs status,scale all
        DaemonSet daemonsets n ds status all
        ControllerRevision controllerrevisions n - - -""",
    "autoscaling/v2": "HorizontalPodAutoscaler horizontalpodautoscalers n hpa status all",
    "batch/v1": "Job jobs n - status all",
    "policy/v1": "PodDisruptionBudget poddisruptionbudgets n pdb status -",
    "networking.k8s.io/v1": """
        Ingress ingresses n ing status -
        IngressClass ingressclasses c - - -
        NetworkPolicy networkpolicies n netpol - -""",
    "rbac.authorization.k8s.io/v1": """
        Role roles n - - -
        RoleBinding rolebindings n - - -
        ClusterRole clusterroles c - - -
        ClusterRoleBinding clusterrolebindings c - - -""",
    "coordination.k8s.io/v1": "Lease leases n - - -",
    "scheduling.k8s.io/v1": "PriorityClass priorityclasses c pc - -",
    "storage.k8s.io/v1": "StorageClass storageclasses c sc - -",
    "admissionregistration.k8s.io/v1": """
        MutatingWebhookConfiguration mutatingwebhookconfigurations c - - api-extensions
        ValidatingWebhookConfiguration validatingwebhookconfigurations c - - api-extensions""",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition customresourcedefinitions c crd,crds status api-extensions",
}
_OTHER_NAMES = {"CustomResourceDefinition": "@CustomResourceDefinition"}
_NO_GENERATION = {
    "Namespace",
    "Node",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "Event",
    "ResourceQuota",
    "ControllerRevision",
    "HorizontalPodAutoscaler",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Lease",
    "StorageClass",
}


def counts_generations(kind: Kind) -> bool:
    """Whether a changed spec raises `metadata.generation`."""
    return kind.custom or kind.kind not in _NO_GENERATION


def built_in() -> list[Kind]:
    """The kinds every cluster serves from the start."""
    return [_row(version, line) for version, rows in _TABLE.items() for line in rows.strip().splitlines()]


def _row(api_version: str, line: str) -> Kind:
    group, version = api_version.split("/")
    kind, plural, scope, short, subresources, categories = line.split()
    shape = _OTHER_NAMES.get(kind, f"@{version}.{kind}")
    return Kind(
        group, version, kind, plural, scope == "n", shape, _names(short), _names(subresources), _names(categories)
    )


def _names(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def defined_by(definition: Body) -> list[Kind]:
    """The kinds an established CustomResourceDefinition serves, one per served version."""
    spec = definition["spec"]
    return [_custom(spec, version) for version in spec["versions"] if version.get("served")]


def _custom(spec: Body, version: Body) -> Kind:
    names = spec["names"]
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec.get("scope") == "Namespaced",
        shape=_custom_shape(version.get("schema", {}).get("openAPIV3Schema") or {"type": "any"}),
        short=tuple(names.get("shortNames", ())),
        subresources=tuple(version.get("subresources", {})),
        categories=tuple(names.get("categories", ())),
        custom=True,
        stored=bool(version.get("storage")),
    )


def _custom_shape(given: Body) -> Body:
    """The schema with what every object has; a schema without properties keeps whatever it is given."""
    if not given.get("properties"):
        given = {**given, "x-kubernetes-preserve-unknown-fields": True}
    fields = {"apiVersion": "string", "kind": "string", "metadata": _META}
    return {**given, "type": "object", "properties": {**given.get("properties", {}), **fields}}


def is_established(definition: Body) -> bool:
    """Whether the API server already serves what the definition defines."""
    conditions = definition.get("status", {}).get("conditions", [])
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


class Kinds:
    """Look-up of served kinds; `definitions` gives the CustomResourceDefinitions at the moment of asking."""

    def __init__(self) -> None:
        self._built_in = built_in()
        self._custom: dict[str, list[Kind]] = {}

    def define(self, definition: Body) -> None:
        """Serve what an established definition defines, or stop serving what it no longer does."""
        name = definition["metadata"]["name"]
        if is_established(definition) and not definition["metadata"].get("deletionTimestamp"):
            self._custom[name] = defined_by(definition)
        else:
            self._custom.pop(name, None)

    def forget(self, name: str) -> None:
        """Stop serving what the definition of that name defined."""
        self._custom.pop(name, None)

    def all(self) -> list[Kind]:
        """Every served kind."""
        return [*self._built_in, *(kind for kinds in self._custom.values() for kind in kinds)]

    def groups(self) -> dict[str, list[str]]:
        """Served groups with their versions; the core group is the empty name."""
        found: dict[str, list[str]] = {}
        for kind in self.all():
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return found

    def of(self, group: str, version: str) -> list[Kind]:
        """The kinds of one group and version."""
        return [kind for kind in self.all() if (kind.group, kind.version) == (group, version)]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind behind a URL."""
        return next((kind for kind in self.of(group, version) if kind.plural == plural), None)

    def named(self, kind: str, group: str | None = None) -> Kind | None:
        """The kind of that name, in that group when one is given."""
        return next((k for k in self.all() if k.kind == kind and (group is None or k.group == group)), None)

    def in_namespaces(self) -> Iterable[Kind]:
        """The kinds whose objects live in namespaces."""
        return [kind for kind in self.all() if kind.namespaced]

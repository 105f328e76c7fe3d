"""What the cluster API says about itself: groups, versions, resources, and the little OpenAPI kubectl wants to see."""

from typing import Any

from workspace.rehearsal.cluster_kinds import Kind, Kinds

Body = dict[str, Any]

AGGREGATED = "apidiscovery.k8s.io"
_SUB_KINDS = {"scale": ("autoscaling", "v1", "Scale")}


def version(text: str) -> Body:
    """The answer of `/version`."""
    major, minor = text.lstrip("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": text,
        "gitCommit": "rehearsal",
        "gitTreeState": "clean",
        "buildDate": "2026-11-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def core_versions() -> Body:
    """The answer of `/api`."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(kinds: Kinds) -> Body:
    """The answer of `/apis`."""
    listed = [group(name, versions) for name, versions in sorted(kinds.groups().items()) if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(name: str, versions: list[str]) -> Body:
    """One group: the answer of `/apis/apps`."""
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": listed, "preferredVersion": listed[0]}


def resources(kinds: list[Kind], group_version: str) -> Body:
    """The answer of `/api/v1` and `/apis/apps/v1`."""
    listed = [each for kind in kinds for each in (_resource(kind), *_subresources(kind))]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _resource(kind: Kind) -> Body:
    found: Body = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    }
    for name, values in (("shortNames", kind.short), ("categories", kind.categories)):
        if values:
            found[name] = list(values)
    return found


def _subresources(kind: Kind) -> list[Body]:
    found = []
    for name in kind.subresources:
        entry: Body = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
        verbs = ["get"] if name == "log" else ["update"] if name == "finalize" else ["get", "patch", "update"]
        entry |= {"kind": kind.kind, "verbs": verbs}
        if name in _SUB_KINDS:
            sub_group, sub_version, entry["kind"] = _SUB_KINDS[name]
            entry |= {"group": sub_group, "version": sub_version}
        found.append(entry)
    return found


def aggregated(kinds: Kinds, core: bool) -> Body:
    """All groups with all their resources in one document, as `/api` and `/apis` give it to those who ask."""
    chosen = {name: versions for name, versions in kinds.groups().items() if core == (not name)}
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{AGGREGATED}/v2",
        "metadata": {},
        "items": [_aggregated_group(kinds, name, versions) for name, versions in sorted(chosen.items())],
    }


def _aggregated_group(kinds: Kinds, name: str, versions: list[str]) -> Body:
    listed = [
        {"version": each, "freshness": "Current", "resources": [_aggregated_resource(k) for k in kinds.of(name, each)]}
        for each in versions
    ]
    return {"metadata": {"name": name} if name else {}, "versions": listed}


def _aggregated_resource(kind: Kind) -> Body:
    found: Body = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    }
    if kind.short:
        found["shortNames"] = list(kind.short)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if kind.subresources:
        found["subresources"] = [_aggregated_subresource(kind, name) for name in kind.subresources]
    return found


def _aggregated_subresource(kind: Kind, name: str) -> Body:
    sub_group, sub_version, sub_kind = _SUB_KINDS.get(name, (kind.group, kind.version, kind.kind))
    return {
        "subresource": name,
        "responseKind": {"group": sub_group, "version": sub_version, "kind": sub_kind},
        "verbs": ["get", "patch", "update"],
    }


def openapi_index(kinds: Kinds) -> Body:
    """The answer of `/openapi/v3`: where the description of each group and version is."""
    places = [f"apis/{name}/{v}" if name else f"api/{v}" for name, versions in kinds.groups().items() for v in versions]
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=rehearsal"} for place in sorted(places)}}


def openapi(kinds: list[Kind]) -> Body:
    """Just enough of one group's description to say that the server checks fields itself."""
    paths: Body = {}
    for kind in kinds:
        prefix = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        place = f"{prefix}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{prefix}/{kind.plural}"
        operation = {
            "parameters": [_parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation", "force")],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        }
        paths[place + "/{name}"] = {"patch": {**operation, "x-kubernetes-action": "patch"}}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes (rehearsal)", "version": "unversioned"}, "paths": paths}


def _parameter(name: str) -> Body:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}

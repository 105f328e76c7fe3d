"""Rendered Kubernetes objects as values: images pinned, settings put in, objects compared and put in order. No I/O.

Nothing here changes what it is given. Whatever is asked for and finds nothing is Refused: a rule that matches nothing
is how a wrong image reaches production in silence.
"""

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from workspace.errors import Refused

Object = dict[str, Any]

_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")
_STEP = re.compile(r"(?<!\\)\.")
_SIGNS_IN = "azure.workload.identity/use"
_CLIENT_ID = "azure.workload.identity/client-id"
_FREE_MAPS = {"annotations", "labels", "data"}
_OWN_TO_SERVER = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")

# What must be there before what: the number is the wave in which an object is applied.
_WAVES: Mapping[str, int] = {
    "Namespace": 0,
    "CustomResourceDefinition": 1,
    "ServiceAccount": 2,
    "ClusterRole": 2,
    "Role": 2,
    "ClusterRoleBinding": 3,
    "RoleBinding": 3,
    "ResourceQuota": 4,
    "LimitRange": 4,
    "StorageClass": 4,
    "PriorityClass": 4,
    "ConfigMap": 4,
    "Secret": 4,
    "NetworkPolicy": 5,
    "PersistentVolumeClaim": 5,
    "Service": 6,
    "PodDisruptionBudget": 6,
    "Deployment": 7,
    "StatefulSet": 7,
    "DaemonSet": 7,
    "Job": 7,
    "CronJob": 7,
    "Pod": 7,
    "HorizontalPodAutoscaler": 8,
    "GatewayClass": 9,
    "Gateway": 10,
    "ClusterIssuer": 10,
    "Issuer": 10,
    "Certificate": 11,
    "HTTPRoute": 11,
    "GRPCRoute": 11,
    "Ingress": 11,
    "MutatingWebhookConfiguration": 12,
    "ValidatingWebhookConfiguration": 12,
}
_OTHERS = 9
# Fields the API server refuses to change once the object exists.
_IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "PersistentVolumeClaim": ("spec.storageClassName", "spec.accessModes", "spec.volumeMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
}
_COMPARED_WHOLE = {"spec.selector", "roleRef"}


def name_of(thing: Mapping[str, Any]) -> str:
    """How a person calls the object: `Deployment mystira-dev/mystira-publisher`."""
    metadata = thing.get("metadata") or {}
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{thing.get('kind', 'object')} {place}{metadata.get('name', '(no name)')}"


def ordered(objects: Iterable[Object]) -> list[Object]:
    """The objects in the order in which they are applied: what others stand on comes first, names decide the rest."""
    return sorted(objects, key=lambda thing: (wave(thing), name_of(thing)))


def wave(thing: Mapping[str, Any]) -> int:
    """The wave an object is applied in; objects of one wave do not need each other."""
    return _WAVES.get(str(thing.get("kind")), _OTHERS)


def digest_of(reference: str) -> str:
    """The `sha256:…` of an image reference, empty when it names a tag."""
    found = _DIGEST.search(reference)
    return found[1] if found else ""


def pinned(objects: Sequence[Object], images: Mapping[str, str], external: Sequence[str] = ()) -> list[Object]:
    """The objects with every image named in `images` replaced by its reference.

    Refused: a reference without digest, a name no container uses, a container left without digest unless its image
    starts with one of `external`, and such a beginning that no image has.
    """
    for name, reference in images.items():
        if not digest_of(reference):
            raise Refused(f"image {name} is given as {reference}, without a digest; only digests are deployed")
    made, used, loose = copy.deepcopy(list(objects)), set(), set()
    for thing in made:
        for container in _containers(thing):
            image = str(container.get("image", ""))
            name = _bare(image)
            outside = next((prefix for prefix in external if image.startswith(prefix)), "")
            if name in images:
                container["image"] = images[name]
                used.add(name)
            elif outside:
                used.add(outside)
            elif not digest_of(image):
                loose.add(f"{image} in {name_of(thing)}")
    _refuse("no container uses the image", set(images) | set(external), used)
    if loose:
        raise Refused(f"without a digest: {', '.join(sorted(loose))}; name each image in the settings of the workload")
    return made


def images(objects: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Every image reference in the objects, by the name of the object that uses it."""
    found: dict[str, set[str]] = {}
    for thing in objects:
        for container in _containers(thing):
            found.setdefault(name_of(thing), set()).add(str(container.get("image", "")))
    return found


def with_values(objects: Sequence[Object], rules: Sequence[Mapping[str, Any]]) -> list[Object]:
    """The objects with each rule's value put in: `{"kind", "name", "path", "value"}`.

    A path is dotted, `\\.` stands for a dot inside a key, and a list item is a number or `key=value`, as in
    `spec.template.spec.containers.name=web.env.name=URL.value`. Refused: a rule that matches no object, or no place in
    it (only annotations, labels and data may gain keys), and an empty value.
    """
    made = copy.deepcopy(list(objects))
    for rule in rules:
        about = f"{rule['path']} of {rule['kind']} {rule['name']}"
        if rule["value"] in (None, ""):
            raise Refused(f"there is no value for {about}")
        matching = [each for each in made if _is(each, str(rule["kind"]), str(rule["name"]))]
        if not matching:
            raise Refused(f"nothing to set: the overlay has no {rule['kind']} {rule['name']} (for {rule['path']})")
        for thing in matching:
            _put(thing, steps(rule["path"]), rule["value"], about)
    return made


def steps(path: str) -> list[str]:
    """The keys of a dotted path, with `\\.` read as a dot."""
    return [step.replace("\\.", ".") for step in _STEP.split(path)]


def dangling(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the objects count on in each other and do not find, as sentences.

    Keys that containers read from config maps of the same set, and the client id of a service account whose pods sign
    in to Azure with it: both are set at deploy time, and without them the pods would fail one by one.
    """
    things = list(objects)
    maps = {_place(each): set(each.get("data") or {}) for each in things if each.get("kind") == "ConfigMap"}
    missing = []
    for thing in things:
        for container in _containers(thing):
            for place, key in _config_keys(thing, container):
                if place in maps and key not in maps[place]:
                    missing.append(f"{name_of(thing)} reads the key {key}, which ConfigMap {place[1]} does not have")
    return sorted({*missing, *_without_identity(things)})


def content(objects: Iterable[Mapping[str, Any]]) -> str:
    """A digest of the objects that does not depend on their order, nor on the value of any secret."""
    texts = sorted(json.dumps(_without_secrets(each), sort_keys=True) for each in objects)
    return "sha256:" + hashlib.sha256("\n".join(texts).encode()).hexdigest()


def selectors(objects: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The pod selector of every workload, by name; they can never change, so all environments should agree."""
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    return {
        f"{each['kind']} {each['metadata']['name']}": (each.get("spec") or {}).get("selector")
        for each in objects
        if each.get("kind") in kinds
    }


def immutable_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The paths that differ between what exists and what is wanted and that the API server never lets change."""
    found = []
    for path in _IMMUTABLE.get(str(wanted.get("kind")), ()):
        before, after = _at(live, path), _at(wanted, path)
        same = before == after if path in _COMPARED_WHOLE else _covers(before, after)
        if after is not None and not same:
            found.append(path)
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The paths at which two states of one object differ, as `spec.template.spec.containers[web].image`.

    What the server keeps for itself is left out: managed fields, versions, status. Only paths are told, never values.
    """
    return list(_differing(_comparable(before), _comparable(after), ""))


def _comparable(thing: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in thing.items() if key not in ("status", "apiVersion", "kind")}
    kept["metadata"] = {key: value for key, value in (thing.get("metadata") or {}).items() if key not in _OWN_TO_SERVER}
    return kept


def _differing(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differing(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _differing_lists(before, after, path)
    elif before != after and not (_is_empty(before) and _is_empty(after)):
        yield path


def _differing_lists(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    old, new = _named(before), _named(after)
    if old is None or new is None:
        if before != after:
            yield path
        return
    for key in sorted({*old, *new}):
        yield from _differing(old.get(key), new.get(key), f"{path}[{key}]")


def _named(items: list[Any]) -> dict[str, Any] | None:
    """The items by their name (or port), when each has one of its own."""
    for key in ("name", "containerPort", "port", "type"):
        if items and all(isinstance(each, Mapping) and key in each for each in items):
            found = {str(each[key]): each for each in items}
            return found if len(found) == len(items) else None
    return None


def _at(thing: Mapping[str, Any], path: str) -> Any:
    value: Any = thing
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _is_empty(value: Any) -> bool:
    return value is None or value == {} or value == []


def _covers(before: Any, after: Any) -> bool:
    """True when everything wanted is already so; what the server added to it does not count."""
    if isinstance(after, Mapping):
        return isinstance(before, Mapping) and all(_covers(before.get(key), value) for key, value in after.items())
    if isinstance(after, list):
        return (
            isinstance(before, list)
            and len(before) == len(after)
            and all(_covers(old, new) for old, new in zip(before, after, strict=True))
        )
    return bool(before == after)


def _refuse(what: str, wanted: set[str], used: set[str]) -> None:
    unused = sorted(wanted - used)
    if unused:
        raise Refused(f"{what} {', '.join(unused)}; the rule would change nothing")


def _containers(thing: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for spec in _pod_specs(thing):
        for key in ("initContainers", "containers", "ephemeralContainers"):
            yield from spec.get(key) or ()


def _pod_specs(thing: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = thing.get("spec") or {}
    if thing.get("kind") == "Pod":
        yield spec
        return
    if thing.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    if isinstance(template, Mapping) and isinstance(template.get("spec"), Mapping):
        yield template["spec"]


def _bare(image: str) -> str:
    """An image name without tag and digest; the colon of a registry's port is not a tag."""
    name = image.partition("@")[0]
    start, _, tag = name.rpartition(":")
    return start if start and "/" not in tag else name


def _is(thing: Mapping[str, Any], kind: str, name: str) -> bool:
    return thing.get("kind") == kind and (thing.get("metadata") or {}).get("name") == name


def _put(thing: dict[str, Any], keys: Sequence[str], value: Any, about: str) -> None:
    *parents, last = keys
    is_text = bool(parents) and parents[-1] in _FREE_MAPS
    place: Any = thing
    for depth, key in enumerate(parents, 1):
        place = _child(place, key, about, make=is_text and depth == len(parents))
    if isinstance(place, list):
        place[_index(place, last, about)] = value
    elif isinstance(place, dict) and (is_text or last in place):
        place[last] = str(value) if is_text else value
    else:
        raise Refused(f"nothing to set: there is no {about}")


def _child(place: Any, key: str, about: str, *, make: bool) -> Any:
    if isinstance(place, list):
        return place[_index(place, key, about)]
    if isinstance(place, dict):
        if make and place.get(key) is None:
            place[key] = {}
        if key in place:
            return place[key]
    raise Refused(f"nothing to set: there is no {about} (at {key})")


def _index(items: list[Any], key: str, about: str) -> int:
    field, _, wanted = key.partition("=")
    for index, item in enumerate(items):
        if key == str(index) or (wanted and isinstance(item, Mapping) and str(item.get(field)) == wanted):
            return index
    raise Refused(f"nothing to set: there is no {about} (at {key})")


def _place(thing: Mapping[str, Any]) -> tuple[str, str]:
    metadata = thing.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _config_keys(thing: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    namespace = _place(thing)[0]
    for variable in container.get("env") or ():
        source = (variable.get("valueFrom") or {}).get("configMapKeyRef") or {}
        if source and not source.get("optional"):
            yield (namespace, str(source.get("name"))), str(source.get("key"))


def _without_identity(things: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    accounts = {_place(each): each for each in things if each.get("kind") == "ServiceAccount"}
    for thing in things:
        template = (thing.get("spec") or {}).get("template") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        name = str((template.get("spec") or {}).get("serviceAccountName", ""))
        account = accounts.get((_place(thing)[0], name))
        annotations = ((account or {}).get("metadata") or {}).get("annotations") or {}
        if labels.get(_SIGNS_IN) == "true" and account and not annotations.get(_CLIENT_ID):
            yield f"{name_of(thing)} signs in as {name}, which has no annotation {_CLIENT_ID}"


def _without_secrets(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    if thing.get("kind") != "Secret":
        return thing
    hidden = {key: sorted(thing[key] or {}) for key in ("data", "stringData") if key in thing}
    return {**thing, **hidden}

"""What manifests say about hosts, images, secrets and what programs call, in every environment."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from workspace.preflight.across_environments import canonical
from workspace.preflight.across_inventory import KUBERNETES, Binding, Image, Inventory, Mention, Record, Said, Secret
from workspace.preflight.across_kinds import VAULT, endpoints
from workspace.preflight.across_texts import calls
from workspace.preflight.kubernetes_hosts import claims
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import items, mapping, read_yaml

Step = tuple[str | int, ...]
_EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/hostname"
_WORDY = ("CustomResourceDefinition", "Role", "ClusterRole")
_IMAGE = re.compile(r"(?:([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|localhost(?::\d+)?)/)?([a-z0-9._/-]+)")


def read(scenes: Sequence[Scene], into: Inventory) -> None:
    """Put what the manifests of a checkout say into the inventory."""
    for scene in scenes:
        environment = canonical(scene.environment)
        into.more_environments.add(environment)
        for thing, path, host, _ in claims(scene):
            binding = Binding(host.lower(), "Kubernetes", said(scene, thing, path))
            if binding not in into.hosts:
                into.hosts.append(binding)
        for thing in scene.things:
            _names(scene, thing, into)
            _images(scene, thing, into)
            into.read += _secrets(scene, thing)


def said(scene: Scene, thing: Thing, path: Step) -> Said:
    """Who says what stands at a path."""
    return Said(canonical(scene.environment), KUBERNETES, owner(thing), thing.place(*path))


def owner(thing: Thing) -> str:
    """The folder that is applied with the object in it, or its file."""
    return thing.parts[0].folder if thing.parts else thing.files[0]


def _names(scene: Scene, thing: Thing, into: Inventory) -> None:
    if thing.kind in _WORDY:
        return
    for path, text in texts(thing.value, ()):
        if "://" in text or ".azure" in text or ".windows.net" in text:
            where = said(scene, thing, path)
            if thing.kind == "ConfigMap" or "env" in path:
                into.calls += calls(text, where, str(thing), thing.namespace)
            into.mentions += [Mention(kind, name, where) for kind, name in endpoints(text)]
        if path[-1] == "keyvaultName" and "$" not in text:
            into.mentions.append(Mention(VAULT, text.lower(), said(scene, thing, path)))
        if path == ("metadata", "annotations", _EXTERNAL_DNS):
            for host in filter(None, re.split(r"[\s,]+", text)):
                into.records.append(Record(host.lower().rstrip("."), "A", said(scene, thing, path)))


def _images(scene: Scene, thing: Thing, into: Inventory) -> None:
    for path, container in thing.containers():
        found = _IMAGE.match(str(container.get("image", "")))
        if found:
            where = said(scene, thing, (*path, "image"))
            into.images.append(Image(found[1] or "", found[2], where, f"{thing} {path[-1]}"))


def _secrets(scene: Scene, thing: Thing) -> Iterator[Secret]:
    """The secrets of vaults that are read: by the CSI driver and by External Secrets."""
    if thing.kind == "SecretProviderClass":
        path: Step = ("spec", "parameters", "objects")
        vault = str(thing.at("spec", "parameters", "keyvaultName") or "") or None
        documents, _ = read_yaml(str(thing.at(*path) or ""))
        for entry in (one for _, value in documents for one in items(mapping(value).get("array"))):
            inner, _ = read_yaml(entry) if isinstance(entry, str) else ((), None)
            given = mapping(inner[0][1]) if inner else mapping(entry)
            if given.get("objectType", "secret") == "secret" and isinstance(given.get("objectName"), str):
                where = _line(said(scene, thing, path), scene, thing, given["objectName"])
                yield Secret(given["objectName"], vault, where, str(thing))
    if thing.kind == "ExternalSecret" and _is_azure(scene, thing):
        for index, each in enumerate(map(mapping, thing.items("spec", "data"))):
            key = str(mapping(each.get("remoteRef")).get("key") or "")
            kind, slash, name = key.rpartition("/")
            if name and (not slash or kind == "secret"):
                where = said(scene, thing, ("spec", "data", index, "remoteRef", "key"))
                yield Secret(name, None, where, str(thing))


def _is_azure(scene: Scene, thing: Thing) -> bool:
    store = thing.mapping("spec", "secretStoreRef")
    found = scene.one(str(store.get("kind", "SecretStore")), store.get("name"))
    return found is not None and bool(found.mapping("spec", "provider", "azurekv"))


def _line(where: Said, scene: Scene, thing: Thing, word: str) -> Said:
    """The same with the line of a word below it: the driver's list is a text in a text."""
    file, _, line = where.place.partition(":")
    rows = thing.tree.checkout.found(file).splitlines()
    start = int(line or 1)
    said_in = re.compile(rf"\b{re.escape(word)}\s*[\"']?$")
    found = next((number for number, row in enumerate(rows[start - 1 :], start) if said_in.search(row)), start)
    return Said(where.environment, where.tool, where.owner, f"{file}:{found}")


def texts(value: Any, path: Step) -> Iterator[tuple[Step, str]]:
    """Every text in a value with its path; entries of a list that have a name are known by it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, (*path, str(key)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            step = each.get("name") if isinstance(each, dict) else None
            yield from texts(each, (*path, step if isinstance(step, str) else index))

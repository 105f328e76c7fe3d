"""Rules for what stands in manifests as text: placeholders, secrets, and names of what has been retired."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.preflight import shared
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import items, mapping

PLACEHOLDER = Rule(
    "kubernetes/placeholder",
    Severity.ERROR,
    "A placeholder that nobody replaces.",
    "Kustomize does not expand variables: identities and hosts reached the cluster as `${...}`.",
    "Put the value in, or let the deployment set it.",
)
CLEAR = Rule(
    "kubernetes/secret-in-clear",
    Severity.ERROR,
    "A secret that everybody who reads the repository knows.",
    "base64 is no lock, and history keeps what is removed.",
    "Keep it in a vault, read it by reference, and replace the one that was written down.",
)
RETIRED = Rule(
    "kubernetes/retired",
    Severity.RISK,
    "A controller, annotation or label whose time is over.",
    "It gets no more security fixes, or nobody reads it any more.",
    "Use what has taken its place.",
)
RULES = (PLACEHOLDER, CLEAR, RETIRED)

_OPEN = re.compile(r"\$\{[A-Za-z_][\w.]*\}|\{\{.*?\}\}|<[A-Z][A-Z0-9_ -]+>|#\{\w+\}#|__[A-Z][A-Z0-9_]+__")
_TO_DO = re.compile(r"CHANGE[-_]?ME|REPLACE[-_](ME|WITH|THIS)\w*|REPLACE_\w+|YOUR[-_][A-Z]\w+|\byour-[a-z-]+-here\b")
# What expands variables itself, or holds a script.
_EXPANDED = {"args", "command", "data", "binaryData", "script"}
_SECRET = re.compile(
    r"(PASSWORD|PASSWD|_PASS|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|ACCOUNT_?KEY|CONNECTION_?STRING)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"AccountKey=|SharedAccessKey=|BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{20}|://[^/\s:$]+:[^@\s$]+@|\bsk-[\w-]{20}"
)
_NO_SECRETS = {"kubernetes.io/service-account-token"}
_SCRIPTS = ("*.sh", "*.ps1", "*Makefile", "*Taskfile.y*ml", "scripts/*.py", "*/scripts/*.py", ".github/*.y*ml")
# Where, what it starts with, and what is to be said.
_OVER = (
    ("annotations", "kubernetes.io/ingress.class", "spec.ingressClassName has taken its place"),
    ("annotations", "nginx.ingress.kubernetes.io/", "ingress-nginx was retired in March 2026"),
    ("annotations", "seccomp.security.alpha.kubernetes.io/", "securityContext.seccompProfile has taken its place"),
    ("annotations", "scheduler.alpha.kubernetes.io/", "nobody reads it any more"),
    ("annotations", "certmanager.k8s.io/", "cert-manager.io/ has taken its place"),
    ("labels", "aadpodidbinding", "pod identity was retired in September 2025; use workload identity"),
)
_CLASSES = {
    "nginx": "ingress-nginx was retired in March 2026",
    "webapprouting.kubernetes.azure.com": "the add-on's NGINX is supported until November 2026",
}


def check(scene: Scene, checkout: Checkout) -> Iterator[Finding]:
    """What the texts of an environment's objects give away."""
    for thing in scene.things:
        if thing.kind != "CustomResourceDefinition":
            yield from attempted((_placeholders,), scene, thing, checkout)
            yield from attempted((_secrets, _over), scene, thing)


def _over(scene: Scene, thing: Thing) -> Iterator[Finding]:
    """What is retired of an object, each thing once: at the class of an ingress, else where it is named first."""
    found: dict[str, list[Finding]] = {}
    for each in _retired(scene, thing):
        found.setdefault(each.what.partition(": ")[2], []).append(each)
    yield from (each[-1] if " is of the class " in each[-1].what else each[0] for each in found.values())


def _scripts(checkout: Checkout) -> str:
    """The text of all scripts and workflows: what they name they may replace."""
    return "\n".join(map(checkout.found, checkout.matching(*_SCRIPTS)))


def _placeholders(scene: Scene, thing: Thing, checkout: Checkout) -> Iterator[Finding]:
    for path, text in _texts(thing.value, ()):
        found = _TO_DO.search(text) or (None if _EXPANDED & set(path) else _OPEN.search(text))
        found = found or (_OPEN.fullmatch(text.strip()) if "data" in path else None)
        # A script's own variables, as ${NAME}, replace nothing here.
        if found and (found[0][0] in "${" or found[0] not in shared.once(checkout, _scripts)):
            where = ".".join(map(str, path))
            yield scene.find(PLACEHOLDER, thing.place(*path), f"{thing} says {found[0]} at {where}.")


def _secrets(scene: Scene, thing: Thing) -> Iterator[Finding]:
    if thing.kind == "Secret" and thing.at("type") not in _NO_SECRETS:
        for field in ("data", "stringData"):
            for key, value in thing.mapping(field).items():
                if value:
                    yield scene.find(
                        CLEAR, thing.place(field, key), f"{thing} has the value of {key} in the repository."
                    )
        return
    for path, name, value in _settings(thing):
        if _SECRET_VALUE.search(value) or (_SECRET.search(name) and value and not _is_reference(value)):
            yield scene.find(CLEAR, thing.place(*path), f"{thing} has the value of {name} in the repository.")


def _is_reference(value: str) -> bool:
    """True for what names a secret instead of being one, and for switches."""
    return bool(re.search(r"^(\$[({]|/|@Microsoft\.KeyVault|https?://[^@]*$)|^(true|false|\d{1,3})$", value))


def _settings(thing: Thing) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if thing.kind == "ConfigMap":
        for key, value in thing.mapping("data").items():
            yield ("data", key), str(key), str(value)
    for path, container in thing.containers():
        for each in map(mapping, items(container.get("env"))):
            if isinstance(each.get("value"), str):
                yield (*path, "env", str(each.get("name")), "value"), str(each.get("name")), each["value"]


def _retired(scene: Scene, thing: Thing) -> Iterator[Finding]:
    for place in (("metadata",), (*thing.pod_path[:-1], "metadata")):
        for field, start, why in _OVER:
            for key in thing.mapping(*place, field):
                if str(key).startswith(start):
                    yield scene.find(RETIRED, thing.place(*place, field, key), f"{thing} has {key}: {why}.")
    if thing.kind == "Ingress":
        name = str(thing.at("spec", "ingressClassName"))
        if name in _CLASSES:
            what = f"{thing} is of the class {name}: {_CLASSES[name]}."
            yield scene.find(RETIRED, thing.place("spec", "ingressClassName"), what)


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*path, str(key)))
    else:
        for index, each in enumerate(items(value)):
            name = each.get("name") if isinstance(each, dict) else None
            yield from _texts(each, (*path, name if isinstance(name, str) else index))

"""Rules for what stands in manifests as text: placeholders, secrets, and names of what has been retired."""

import re
from collections.abc import Iterator
from typing import Any

from workspace.preflight import shared
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_files import Tree
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

_OPEN = re.compile(r"\$\{[A-Za-z_][\w.]*\}|\{\{[^{}]*\}\}|<[A-Z][A-Z0-9_ -]+>|#\{\w+\}#|__[A-Z][A-Z0-9_]+__")
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
_SCRIPTS = (
    "*.sh", "*.bash", "*.ps1", "*Makefile", "*justfile", "*Jenkinsfile", "*Taskfile.y*ml", "scripts/*.py",
    "*/scripts/*.py", ".github/*.y*ml", "*azure-pipelines*.y*ml", ".azure*/*.y*ml", ".gitlab-ci.yml",
)  # fmt: skip
# Programs that put in whatever stands in `${...}`, or only the variables they are given, and in `#{...}#`.
_ENVSUBST = re.compile(r"\benvsubst\b(?:\s+[\"']([^\"'\n]*)[\"'])?")
_REPLACETOKENS = re.compile(r"replacetokens", re.IGNORECASE)
# Encrypted by sops, or a reference that a plug-in of Argo CD puts the value in for.
_LOCKED = re.compile(r"ENC\[AES256_GCM,|<[^<>]+>$|vault:\S+#")
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
        found = _placeholder(thing, path, text)
        if found and not _is_filled_in(found, checkout):
            where = ".".join(map(str, path))
            yield scene.find(PLACEHOLDER, thing.place(*path), f"{thing} says {found} at {where}.")


def _placeholder(thing: Thing, path: tuple[str | int, ...], text: str) -> str:
    """What is left to be replaced in a text, or nothing."""
    found = _TO_DO.search(text) or (None if _EXPANDED & set(path) else _OPEN.search(text))
    # What a config holds may be a template; if it is nothing but a placeholder, it is one.
    found = found or (_OPEN.fullmatch(text.strip()) if path[:1] == ("data",) else None)
    # Operators have templates of their own: alerts, secrets, workflows.
    return found[0] if found and (found[0][:2] != "{{" or _is_builtin(thing)) else ""


def _is_filled_in(found: str, checkout: Checkout) -> bool:
    """True for what a program of the checkout puts in."""
    scripts = shared.once(checkout, _scripts)
    if found[0] == "$":
        given = [
            f" {each} ".replace("$", " ").replace("{", " ").replace("}", " ") for each in _ENVSUBST.findall(scripts)
        ]
        by_program = any(not each.strip() or f" {found[2:-1]} " in each for each in given)
        # A script's own variables replace nothing here, unless the dollar is one that it looks for.
        return by_program or f"\\{found}" in scripts or found in shared.once(checkout, _by_flux)
    if found[0] == "{":
        return bool(re.search(rf"(?<!\$){re.escape(found)}", scripts))
    return found in scripts or (found[0] == "#" and bool(_REPLACETOKENS.search(scripts)))


def _by_flux(checkout: Checkout) -> frozenset[str]:
    """The `${...}` that Flux puts in, before it applies what it has rendered."""
    tree = shared.once(checkout, Tree)
    found = (each for documents in tree.documents.values() for each in documents if each.kind == "Kustomization")
    given = [mapping(mapping(mapping(each.value).get("spec")).get("postBuild")).get("substitute") for each in found]
    return frozenset(f"${{{name}}}" for each in given for name in mapping(each))


def _is_builtin(thing: Thing) -> bool:
    """True for what every cluster knows, without anything that was installed in it."""
    group = str(thing.value.get("apiVersion", "")).rpartition("/")[0]
    return "." not in group or group.endswith((".k8s.io", "authorization.k8s.io"))


def _secrets(scene: Scene, thing: Thing) -> Iterator[Finding]:
    if thing.kind == "Secret" and thing.at("type") not in _NO_SECRETS:
        for field in ("data", "stringData"):
            for key, value in thing.mapping(field).items():
                if value and not _LOCKED.match(str(value)) and not _placeholder(thing, (field, key), str(value)):
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
        if name in _CLASSES and not _is_of_another(scene, thing, name):
            what = f"{thing} is of the class {name}: {_CLASSES[name]}."
            yield scene.find(RETIRED, thing.place("spec", "ingressClassName"), what)


def _is_of_another(scene: Scene, thing: Thing, name: str) -> bool:
    """True for the controller of the same class that F5 makes, and for whatever an IngressClass says it is."""
    known = scene.one("IngressClass", name)
    controller = str(known.at("spec", "controller")) if known else ""
    by_f5 = any(str(each).startswith(("nginx.org/", "nginx.com/")) for each in thing.mapping("metadata", "annotations"))
    return by_f5 or (bool(controller) and not controller.startswith(("k8s.io/ingress-nginx", "webapprouting")))


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

"""Where configuration, secrets and images come from: manifests, and whatever else in the checkout makes or names it."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from typing import Any

from workspace.preflight.kubernetes_files import Tree
from workspace.preflight.kubernetes_scene import Scene, Thing
from workspace.preflight.kubernetes_yaml import items, mapping

_CODE = re.compile(
    r"\.(py|tf|tfvars|hcl|sh|bash|ps1|cmd|bat|json|bicep|ts|js|cs|go|rb|ya?ml|toml|mk)$"
    r"|(^|/)(Makefile|justfile|Jenkinsfile)$"
)
_NOT_MAKING = re.compile(
    r"(^|/)(tests?|testdata|docs?|examples?|vendor|third_party)/|(^|/)test_|[._]test\.|package(-lock)?\.json$"
)
_DOCKERFILE = re.compile(r"(^|/)(Dockerfile|Containerfile)(\.[^/]*)?$|\.Dockerfile$")
_CERTIFICATE_KEYS = frozenset(("tls.crt", "tls.key", "ca.crt", ""))
_UNKNOWN: frozenset[str] = frozenset()

# A line that goes on, in a shell or in PowerShell; then what says where, and never what.
_GOES_ON = re.compile(r"[\\`]\n\s*")
_WHERE = re.compile(r"(?<!\S)(-n|--namespace|--context|--kubeconfig|--type)[ =]\S+")
_CREATED = re.compile(
    r"\bcreate\s+(?:secret\s+(generic|tls|docker-registry)|(configmap|cm)|(serviceaccount|sa))\s+([^\n|;&]*)"
)
_KEYS_OF = {"tls": frozenset(("tls.crt", "tls.key")), "docker-registry": frozenset((".dockerconfigjson",))}
_FROM = re.compile(r"--from-(literal|file|env-file)[ =]+(\S+)")
_BY_PIPELINE = re.compile(r"createSecret|k8s-create-secret", re.IGNORECASE)
_SECRET_NAME = re.compile(r"\bsecret-?name[ =:]+([\w.-]+)", re.IGNORECASE)
_BLOCK = re.compile(
    r'^resource "(kubernetes_secret|kubernetes_config_map|kubernetes_service_account|helm_release)(?:_v1)?"[^{\n]*\{'
    r"(.*?)^\}",
    re.MULTILINE | re.DOTALL,
)
_NAME = re.compile(r'\bname\s*=\s*"([^"$]+)"')
_KINDS = {
    "kubernetes_secret": "Secret",
    "kubernetes_config_map": "ConfigMap",
    "kubernetes_service_account": "ServiceAccount",
}
_RUNS = re.compile(
    r"create(?=[\s\S]{0,200}?(?:secret|configmap|\bcm|serviceaccount|\bsa)\b)|\bhelm\b|release-?name|createSecret",
    re.IGNORECASE,
)
_IN_WORD = re.compile(r"[\w-]")
_HELM = re.compile(r"\bhelm\s+(?:upgrade|install)\s+([^\n|;&]*)")
_RELEASE = re.compile(r"\brelease-?name[ =:]+([\w.-]+)", re.IGNORECASE)


class Sources:
    """What makes the things that manifests only read."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, bool] = {}

    def builds(self, image: str) -> bool:
        """True when the workspace has a Dockerfile of that name."""
        return image in self._built

    def gives(self, scene: Scene, namespace: str, kind: str, name: str, key: str) -> bool:
        """True when a manifest has the key, or another file of the workspace names it to make it; `""` is any key."""
        thing = scene.one(kind, name, namespace)
        known = (
            {each for field in ("data", "binaryData", "stringData") for each in thing.mapping(field)} if thing else ()
        )
        if key in known or (thing and not key):
            return True
        made = [*_made(scene, namespace, kind, name), *self._created(kind, name)]
        if any(not key or not each or key in each for each in made):
            return True
        return self.installs(name) or self.names(key or name)

    def creates(self, kind: str, name: str) -> bool:
        """True when a script, a workflow, Terraform or a Helm release makes such an object."""
        return bool(self._created(kind, name)) or self.installs(name)

    def installs(self, name: str) -> bool:
        """True for a name that a Helm release gives to what it brings: its own, or one that begins with it."""
        return any(name == each or name.startswith(f"{each}-") for each in self._releases)

    def names(self, word: str) -> bool:
        """True when a file that is no manifest says the word."""
        if word not in self._known:
            self._known[word] = any(_is_whole(self._text, each, word) for each in _places(self._text, word))
        return self._known[word]

    def _created(self, kind: str, name: str) -> list[frozenset[str]]:
        """The keys of each such object that something beside the manifests makes; none when nobody can know them."""
        return [keys for made, word, keys in self._makers if made == kind and fnmatchcase(name, word)]

    @cached_property
    def _makers(self) -> tuple[tuple[str, str, frozenset[str]], ...]:
        """What commands, pipelines and Terraform make: kind, name (`*` for what a variable holds) and keys."""
        # What people do by hand, once, is written down for them.
        by_hand = _in_lines("\n".join(map(self._tree.checkout.found, self._tree.checkout.matching("*.md"))))
        commands = (*_by_commands(self._line), *_by_commands(by_hand))
        return (*commands, *_by_pipelines(self._line), *_by_terraform(self._text))

    @cached_property
    def _releases(self) -> frozenset[str]:
        """What Helm installs, as far as it is named: by commands, pipelines, Terraform, objects and charts."""
        found = {each.name for each in self._tree.charts}
        for match in _HELM.finditer(self._line):
            words = [each for each in match[1].split() if not each.startswith("-")]
            found |= {name for name, chart in pairwise(words) if "/" in chart and "/" not in name}
        found |= set(_RELEASE.findall(self._line))
        found |= {name for kind, body in _BLOCK.findall(self._text) if kind == "helm_release" for name in _named(body)}
        for each in (one for documents in self._tree.documents.values() for one in documents):
            spec = mapping(each.value).get("spec") if each.kind in ("HelmRelease", "Application") else None
            if each.kind == "HelmRelease" or any(_of_helm(mapping(spec))):
                found |= {each.name, str(mapping(spec).get("releaseName") or each.name)}
        return frozenset(each for each in found if each and "$" not in each)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        checkout = self._tree.checkout
        files = [each for each in checkout.files if _CODE.search(each) and not _NOT_MAKING.search(each)]
        return tuple(checkout.found(each) for each in files if each not in self._tree.documents)

    @cached_property
    def _text(self) -> str:
        return "\n".join(self._texts)

    @cached_property
    def _line(self) -> str:
        # Much of a large checkout is programs, which run no such command.
        return "\n".join(_in_lines(each) for each in self._texts if _RUNS.search(each))

    @cached_property
    def _built(self) -> set[str]:
        found: set[str] = set()
        for file in self._tree.checkout.files:
            if _DOCKERFILE.search(file):
                found |= {re.sub(r"^Dockerfile\.|\.Dockerfile$", "", step) for step in file.split("/")}
        return found


def _places(text: str, word: str) -> Iterator[int]:
    """Where a text says something; a search for a pattern takes minutes in a large checkout."""
    place = text.find(word) if word else -1
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _is_whole(text: str, place: int, word: str) -> bool:
    """True when what stands there is no part of a longer word."""
    end = place + len(word)
    return not _IN_WORD.match(text[place - 1 : place]) and not _IN_WORD.match(text[end : end + 1])


def _in_lines(text: str) -> str:
    """The text with every command on one line, without quotes and without what says where it works."""
    return _WHERE.sub("", re.sub(r"[\"',\[\]]+", " ", _GOES_ON.sub(" ", text)))


def _of_helm(spec: dict[str, Any]) -> Iterator[bool]:
    """For each source of an application of Argo CD: whether it is a chart."""
    for each in map(mapping, (spec.get("source"), *items(spec.get("sources")))):
        yield bool(each.get("chart") or each.get("helm"))


def _by_commands(line: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    for match in _CREATED.finditer(line):
        kind = "Secret" if match[1] else "ConfigMap" if match[2] else "ServiceAccount"
        given = _FROM.findall(match[4])
        keys = frozenset(value.partition("=")[0].rpartition("/")[2] for _, value in given)
        is_known = given and not any(how == "env-file" or "$" in value.partition("=")[0] for how, value in given)
        # Without an equals sign it may be a folder, each of whose files is a key.
        is_known = is_known and all("=" in value or "." in value for how, value in given if how == "file")
        for word in _FROM.sub("", match[4]).split():
            name = re.sub(r"\$\{\{.*?\}\}|\$\{?\w+\}?|\$\(.*?\)", "*", word)
            if not word.startswith("-") and len(name.replace("*", "")) > 1:
                yield kind, name, _KEYS_OF.get(match[1], keys if is_known else _UNKNOWN)


def _by_pipelines(line: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    for match in _BY_PIPELINE.finditer(line):
        near = line[max(0, match.start() - 400) : match.end() + 400]
        yield from (("Secret", name, _UNKNOWN) for name in _SECRET_NAME.findall(near))


def _by_terraform(text: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    for kind, body in _BLOCK.findall(text):
        yield from ((_KINDS[kind], name, _UNKNOWN) for name in _named(body) if kind in _KINDS)


def _named(body: str) -> list[str]:
    return _NAME.findall(body)[:1]


def _made(scene: Scene, namespace: str, kind: str, name: str) -> list[frozenset[str]]:
    """The keys of what operators make of that name, none when only they know them."""
    makers = [
        (each, *made)
        for each in (*scene.things, *scene.shared)
        for made in _makes(each)
        if each.namespace == namespace or each.kind in ("ClusterExternalSecret", "Bundle")
    ]
    return [keys for _, what, word, keys in makers if (what, word) == (kind, name)]


def _makes(thing: Thing) -> Iterator[tuple[str, str, frozenset[str]]]:
    """What an operator makes of an object: kind, name and keys."""
    if thing.kind == "Certificate":
        more = thing.items("spec", "additionalOutputFormats") or thing.mapping("spec", "keystores")
        yield "Secret", str(thing.at("spec", "secretName")), _UNKNOWN if more else _CERTIFICATE_KEYS
    elif thing.kind == "SealedSecret":
        keys = {**thing.mapping("spec", "encryptedData"), **thing.mapping("spec", "template", "data")}
        yield "Secret", str(thing.at("spec", "template", "metadata", "name") or thing.name), frozenset(keys)
    elif thing.kind in ("ExternalSecret", "ClusterExternalSecret"):
        path = ("spec", "externalSecretSpec") if thing.kind == "ClusterExternalSecret" else ("spec",)
        name = thing.at(*path, "target", "name") or thing.at("spec", "externalSecretName") or thing.name
        yield "Secret", str(name), _of_external(thing, path)
    elif thing.kind == "SecretProviderClass":
        for each in map(mapping, thing.items("spec", "secretObjects")):
            keys = {str(mapping(item).get("key")): None for item in items(each.get("data"))}
            yield "Secret", str(each.get("secretName")), frozenset(keys)
    elif thing.kind in ("VaultStaticSecret", "VaultDynamicSecret", "VaultPKISecret"):
        yield "Secret", str(thing.at("spec", "destination", "name")), _UNKNOWN
    elif thing.kind == "AzureKeyVaultSecret":
        yield "Secret", str(thing.at("spec", "output", "secret", "name")), _UNKNOWN
    elif thing.kind == "OnePasswordItem":
        yield "Secret", thing.name, _UNKNOWN
    elif thing.kind == "Bundle":
        yield "ConfigMap", thing.name, _UNKNOWN


def _of_external(thing: Thing, path: tuple[str, ...]) -> frozenset[str]:
    """The keys that an external secret has in the end: those of its template, or those it names."""
    template = thing.mapping(*path, "target", "template")
    is_open = thing.items(*path, "dataFrom") or template.get("templateFrom")
    if template.get("data") and template.get("mergePolicy") != "Merge":
        return _UNKNOWN if template.get("templateFrom") else frozenset(map(str, mapping(template["data"])))
    named = {str(mapping(one).get("secretKey")) for one in thing.items(*path, "data")}
    return _UNKNOWN if is_open else frozenset(named | set(map(str, mapping(template.get("data")))))

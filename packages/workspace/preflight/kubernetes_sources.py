"""Where configuration, secrets and images come from: manifests, and whatever else in the checkout names them."""

import re
from functools import cached_property

from workspace.preflight.kubernetes_files import Tree
from workspace.preflight.kubernetes_scene import Scene
from workspace.preflight.kubernetes_yaml import items, mapping

_CODE = re.compile(r"\.(py|tf|tfvars|hcl|sh|ps1|json|bicep|ts|js|cs|go|ya?ml|toml)$|(^|/)(Makefile|justfile)$")
_NOT_MAKING = re.compile(r"(^|/)(tests?|docs?|examples?)/|(^|/)test_|[._]test\.|package(-lock)?\.json$")
_DOCKERFILE = re.compile(r"(^|/)(Dockerfile|Containerfile)(\.[^/]*)?$|\.Dockerfile$")
_CERTIFICATE_KEYS = {"tls.crt", "tls.key", "ca.crt", ""}


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
        if thing:
            keys = {key for field in ("data", "binaryData", "stringData") for key in thing.mapping(field)}
            return not key or key in keys or self.names(key)
        made = self._made(scene, namespace, name)
        return (made is not None and (key in made or not made or not key)) or self.names(key or name)

    def names(self, word: str) -> bool:
        """True when a file that is no manifest says the word."""
        if word not in self._known:
            pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
            self._known[word] = word in self._text and bool(pattern.search(self._text))
        return self._known[word]

    def _made(self, scene: Scene, namespace: str, name: str) -> set[str] | None:
        """The keys of a secret that an operator makes, empty when only it knows them; None when none makes it."""
        for each in scene.of("Certificate", "ExternalSecret", "SealedSecret", "SecretProviderClass"):
            if each.namespace != namespace:
                continue
            if each.kind == "Certificate" and each.at("spec", "secretName") == name:
                return _CERTIFICATE_KEYS
            if each.kind == "SealedSecret" and each.name == name:
                return set(each.mapping("spec", "encryptedData"))
            if each.kind == "ExternalSecret" and (each.at("spec", "target", "name") or each.name) == name:
                return {str(mapping(one).get("secretKey")) for one in each.items("spec", "data")}
            for one in map(mapping, each.items("spec", "secretObjects")):
                if one.get("secretName") == name:
                    return {str(mapping(item).get("key")) for item in items(one.get("data"))}
        return None

    @cached_property
    def _text(self) -> str:
        checkout = self._tree.checkout
        files = [each for each in checkout.files if _CODE.search(each) and not _NOT_MAKING.search(each)]
        return "\n".join(checkout.found(each) for each in files if each not in self._tree.documents)

    @cached_property
    def _built(self) -> set[str]:
        found: set[str] = set()
        for file in self._tree.checkout.files:
            if _DOCKERFILE.search(file):
                found |= {re.sub(r"^Dockerfile\.|\.Dockerfile$", "", step) for step in file.split("/")}
        return found

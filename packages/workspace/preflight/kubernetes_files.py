"""Kubernetes files as they are written: documents with their lines, kustomizations, and what each is made of.

Manifests are YAML or JSON, and a List is what it lists. The templates of Helm charts are no manifests before Helm has
filled them in: charts are known, and their templates are not read.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workspace.preflight.checkout import Checkout
from workspace.preflight.kubernetes_yaml import Document, items, mapping, read_yaml

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_API = re.compile(r"""^["']?apiVersion["']?\s*:""", re.MULTILINE)
_KIND = re.compile(r"""^["']?kind["']?\s*:""", re.MULTILINE)
# As in JSON, in brackets; versions of other APIs are dates. Two brackets begin a template's own line.
_BRACKET = re.compile(r"(?:\A\s*|^)\{(?![{%])", re.MULTILINE)
# JSON may hold one object after the other, as kubectl reads it.
_NEXT = re.compile(r"(^\}[ \r]*\n\s*)\{", re.MULTILINE)
_FILLED_IN = re.compile(r"""^[ \t]*(?:- +)?(?:[\w./"'-]+:[ \t]+)?\{[{%]-? *[\w.$"#/(].*?[}%]\}""", re.MULTILINE)
_API_INSIDE = re.compile(r"""\bapiVersion["']?\s*:\s*["']?(?:[a-z0-9.-]+/)?v\d""")
_KIND_INSIDE = re.compile(r"""\bkind["']?\s*:\s*["']?[A-Z]""")
_BEGINS = re.compile(r"""\s*\{\s*"(?:apiVersion|kind)"\s*:""")
_REMOTE = re.compile(r"://|^git@|[?&]ref=|^[\w.-]+\.(com|org|io)/")
_LISTS = ("resources", "bases", "components", "patches", "images")
_SUM = {"apiVersion", "kind", "metadata", "resources"}


@dataclass(frozen=True)
class Patch:
    """One entry of `patches`: what it aims at, and what it says, as documents or as operations."""

    place: str
    target: dict[str, Any]
    documents: tuple[Document, ...]
    operations: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Kustomization:
    """A folder that Kustomize builds."""

    folder: str
    document: Document

    @property
    def value(self) -> dict[str, Any]:
        """What the file says."""
        return mapping(self.document.value)

    @property
    def file(self) -> str:
        """The file that makes the folder a kustomization."""
        return self.document.file

    @property
    def is_component(self) -> bool:
        """True when it is only ever a part of others."""
        return self.value.get("kind") == "Component"

    @property
    def is_fetching(self) -> bool:
        """True when building it fetches something from elsewhere, or starts another program."""
        given = [each for key in ("resources", "bases", "components") for each in items(self.value.get(key))]
        programs = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers", "validators", "openapi")
        return any(self.value.get(key) for key in programs) or any(_REMOTE.search(str(each)) for each in given)

    def listed(self, *keys: str) -> Iterator[tuple[str, str]]:
        """The local paths under these keys, each with the place where it is written."""
        for key in keys:
            for index, each in enumerate(items(self.value.get(key))):
                path = each.get("path") if isinstance(each, dict) else each
                if isinstance(path, str) and "\n" not in path and not _REMOTE.search(path):
                    step = (key, index, "path") if isinstance(each, dict) else (key, index)
                    yield self.joined(path), self.document.find(step)[1]

    def joined(self, path: str) -> str:
        """A path of the file as a path of the checkout."""
        return posixpath.normpath(posixpath.join(self.folder, path))


@dataclass(frozen=True)
class Chart:
    """A Helm chart of its own, and how many templates it holds, those of the charts below it included."""

    file: str
    name: str
    templates: int


class Tree:
    """All that is Kubernetes in a checkout; what cannot be read stands in `broken`, as place and sentence."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.broken: list[tuple[str, str]] = []
        self.documents: dict[str, tuple[Document, ...]] = {}
        self.kustomizations: dict[str, Kustomization] = {}
        self._files = set(checkout.files)
        self._children: dict[str, list[str]] = {}
        self._families: dict[str, list[Kustomization]] = {}
        for file in checkout.files:
            self._read(file)
        named = {path for each in self.kustomizations.values() for path, _ in each.listed("resources", "patches")}
        for file in sorted(named & self._files - set(self.documents)):
            self._take(file)

    def exists(self, path: str) -> bool:
        """True when the path is a file or a kustomization's folder."""
        return path in self._files or path in self.kustomizations

    def broken_in(self, files: Sequence[str]) -> bool:
        """True when one of these files cannot be read."""
        return any(place.partition(":")[0] in files for place, _ in self.broken)

    @cached_property
    def parts(self) -> tuple[tuple[Kustomization, tuple[str, ...]], ...]:
        """What is rendered: each folder that nobody else builds on, or its parts when it is nothing but their sum.

        Each comes with the folders by which it is reached, the nearest first; the same part may be reached twice.
        """
        below = {folder for each in self.kustomizations.values() for folder in self.children(each)}
        tops = [each for each in self.kustomizations.values() if each.folder not in below and not each.is_component]
        return tuple(found for top in tops for found in self._split(top, ()))

    @cached_property
    def local(self) -> tuple[Kustomization, ...]:
        """The parts that can be rendered without fetching anything, each once."""
        found = {part.folder: part for part, _ in self.parts}
        return tuple(
            each
            for each in found.values()
            if not any(one.is_fetching or self._leads_out(one) for one in self.family(each))
        )

    def leaving(self, which: Kustomization) -> Iterator[tuple[str, str]]:
        """The paths of a kustomization that lead out of the checkout, each with the place where it is written."""
        for key in which.value:
            for path, place in which.listed(key):
                if path == ".." or path.startswith(("../", "/")):
                    yield path, place

    def _leads_out(self, which: Kustomization) -> bool:
        """True when building it would read outside the checkout."""
        if any(path.startswith(("../", "/")) for path in map(which.joined, _strings(which.value))):
            return True
        below = f"{which.folder}/" if which.folder != "." else ""
        return any(each.startswith(below) for each in self._links) or any(
            which.joined(each) in self._links for each in _strings(which.value)
        )

    @cached_property
    def _links(self) -> frozenset[str]:
        return frozenset(each for each in self.checkout.links if self.checkout.leads_out(each))

    def children(self, which: Kustomization) -> list[str]:
        """The kustomizations it is built on."""
        if which.folder not in self._children:
            paths = [path for path, _ in which.listed("resources", "bases", "components")]
            self._children[which.folder] = [path for path in paths if path in self.kustomizations]
        return self._children[which.folder]

    def family(self, which: Kustomization) -> list[Kustomization]:
        """The kustomization and all it is built on, the nearest first."""
        if which.folder not in self._families:
            found, left = {which.folder: which}, [which]
            while left:
                new = [each for each in self.children(left.pop(0)) if each not in found]
                found |= {each: self.kustomizations[each] for each in new}
                left += [self.kustomizations[each] for each in new]
            self._families[which.folder] = list(found.values())
        return self._families[which.folder]

    def circles(self) -> list[Kustomization]:
        """The kustomizations that are built on themselves."""
        below = {folder: self.family(each)[1:] for folder, each in self.kustomizations.items()}
        return [
            each
            for folder, each in self.kustomizations.items()
            if folder in self.children(each) or any(folder in self.children(one) for one in below[folder])
        ]

    def closure(self, which: Kustomization) -> list[str]:
        """The files it is made of, its own first."""
        found: dict[str, None] = {}
        left, seen = [which], {which.folder}
        while left:
            each = left.pop(0)
            found[each.file] = None
            for path in map(each.joined, _strings(each.value)):
                if path in self._files:
                    found[path] = None
                elif path in self.kustomizations and path not in seen:
                    seen.add(path)
                    left.append(self.kustomizations[path])
        return list(found)

    def patches(self, which: Kustomization) -> Iterator[Patch]:
        """Its patches, however they are written."""
        for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
            for index, entry in enumerate(items(which.value.get(key))):
                yield self._patch(which, key, index, entry)

    def _patch(self, which: Kustomization, key: str, index: int, entry: Any) -> Patch:
        given = entry if isinstance(entry, dict) else {"patch" if "\n" in str(entry) else "path": str(entry)}
        place = which.document.find([key, index])[1]
        if isinstance(given.get("path"), str):
            documents = self.documents.get(which.joined(given["path"]), ())
        else:
            _, at = which.document.find([key, index, "patch"])
            # A block scalar begins on the line after its key.
            read, _ = read_yaml(str(given.get("patch", "")))
            documents = tuple(Document(f"{at}+", node, value) for node, value in read)
        operations = [
            (_inside(document.find([number])[1]), each)
            for document in documents
            if isinstance(document.value, list)
            for number, each in enumerate(document.value)
            if isinstance(each, dict)
        ]
        whole = tuple(each for each in documents if isinstance(each.value, dict))
        return Patch(place, mapping(given.get("target")), whole, tuple(operations))

    @cached_property
    def charts(self) -> tuple[Chart, ...]:
        """The Helm charts that are no part of another chart."""
        files = [each for each in self._files if "templates" in each.split("/") and each.endswith((".yaml", ".yml"))]
        made = {folder: [each for each in files if self._chart_of(each) == folder] for folder in self._chart_folders}
        return tuple(
            Chart(posixpath.join(folder, "Chart.yaml"), name, len(made[folder]))
            for folder, name in sorted(self._chart_folders.items())
            if not self._chart_of(posixpath.join(folder, "Chart.yaml"))
        )

    @cached_property
    def loose(self) -> tuple[str, ...]:
        """Manifests that stand in no folder of a kustomization and that none names."""
        named = {file for each in self.kustomizations.values() for file in self.closure(each)}
        return tuple(
            file
            for file in self.documents
            if file not in named and not any(_is_below(file, folder) for folder in self.kustomizations)
        )

    def _split(self, top: Kustomization, above: tuple[str, ...]) -> Iterator[tuple[Kustomization, tuple[str, ...]]]:
        children = self.children(top)
        if set(top.value) <= _SUM and children and len(children) == len(items(top.value.get("resources"))):
            for child in children:
                if child not in above:
                    yield from self._split(self.kustomizations[child], (top.folder, *above))
        else:
            yield top, (top.folder, *above)

    def _read(self, file: str) -> None:
        folder, _, name = file.rpartition("/")
        if name in KUSTOMIZATIONS:
            self._take(file)
            document = next(iter(self.documents.get(file, ())), None)
            wrong = [
                each for each in _LISTS if not isinstance(mapping(document and document.value).get(each, []), list)
            ]
            wrong = [each for each in wrong if document and document.value[each] is not None]
            if document and wrong:
                self.broken.append((document.find(wrong[:1])[1], f"has no list under {wrong[0]}"))
            elif document and isinstance(document.value, dict):
                self.kustomizations[folder or "."] = Kustomization(folder or ".", document)
            elif not self.broken_in([file]):
                self.broken.append((f"{file}:1", "says nothing that Kustomize could build"))
            return
        if self._chart_of(file) is not None or ".github/" in file:
            return
        if name.endswith((".yaml", ".yml")):
            text = self._text(file)
            if ((_API.search(text) and _KIND.search(text)) or _is_bracketed(text)) and not _is_template(text):
                self._take(file)
        elif name.endswith(".json") and _is_manifest(self.checkout.found(file)):
            self._take(file)

    def _text(self, file: str) -> str:
        try:
            return self.checkout.text(file)
        except OSError as error:
            self.broken.append((f"{file}:1", f"cannot be read: {error.strerror}"))
            return ""

    @cached_property
    def _chart_folders(self) -> dict[str, str]:
        """The folders of all charts, those below others too, and what each is called."""
        found = {}
        for file in self._files:
            if file == "Chart.yaml" or file.endswith("/Chart.yaml"):
                says = mapping(next((value for _, value in read_yaml(self.checkout.found(file))[0]), None))
                if says.get("apiVersion") in ("v1", "v2") and says.get("name") and says.get("version"):
                    found[posixpath.dirname(file)] = str(says["name"])
        return found

    def _chart_of(self, file: str) -> str | None:
        """The folder of the outermost chart that the file is a template of, or a part of a chart of."""
        steps = file.split("/")
        for number, step in enumerate(steps[:-1]):
            folder = "/".join(steps[:number])
            if step in ("templates", "charts") and folder in self._chart_folders:
                return folder
        return None

    def _take(self, file: str) -> None:
        text = self._text(file)
        # JSON may have tabs between its words, and nowhere else.
        read, problem = read_yaml(_NEXT.sub(r"\1--- {", text.replace("\t", " ")) if file.endswith(".json") else text)
        documents = (Document(file, node, value) for node, value in read)
        self.documents[file] = tuple(one for each in documents for one in each.listed())
        if problem:
            line, said = problem
            self.broken.append((f"{file}:{line}", said))


def _inside(place: str) -> str:
    """The place of a line in a text that itself stands in a file: `file:10+:2` is line 12."""
    start, inner, number = place.partition("+:")
    if not inner:
        return place
    file, _, line = start.rpartition(":")
    return f"{file}:{int(line) + int(number)}"


def _is_template(text: str) -> bool:
    """True for a text that a program fills in before it is YAML: values, keys or lines in two brackets, unquoted."""
    return bool(_FILLED_IN.search(text)) and read_yaml(text)[1] is not None


def _is_bracketed(text: str) -> bool:
    """True for a text that writes an object in brackets, as JSON does."""
    return bool(_BRACKET.search(text) and _API_INSIDE.search(text) and _KIND_INSIDE.search(text))


def _is_manifest(text: str) -> bool:
    """True for JSON that is an object of Kubernetes, or would be one if it could be read."""
    if not _is_bracketed(text):
        return False
    try:
        says = mapping(json.loads(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError):
        return bool(_BEGINS.match(text))
    return isinstance(says.get("apiVersion"), str) and isinstance(says.get("kind"), str)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value and "\n" not in value and len(value) < 500:
            yield value.partition("=")[2] or value
    else:
        for each in value.values() if isinstance(value, dict) else items(value):
            yield from _strings(each)


def _is_below(file: str, folder: str) -> bool:
    return folder == "." or file.startswith(folder + "/")

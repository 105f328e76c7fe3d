"""The Bicep files of a checkout, read once: the templates, and the parameter files that belong to them."""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from workspace.preflight.bicep_template import UNKNOWN, Template
from workspace.preflight.bicep_values import Values
from workspace.preflight.checkout import Checkout
from workspace.preflight.limits import FILE_SECONDS, TooLong, within
from workspace.rehearsal.bicep_parser import parse, parse_parameters
from workspace.rehearsal.bicep_syntax import Declaration, File
from workspace.rehearsal.bicep_tokens import BicepError, Source

_ERROR = re.compile(r"^.*?\((\d+),(\d+)\) : Error (\w+): (.*)$", re.DOTALL)
_BEYOND_READER = "BCP000"
_ENVIRONMENT = re.compile(
    r"(?<![a-z])(dev|development|test|qa|uat|stg|staging|prd|prod|production)(?![a-z])", re.IGNORECASE
)
_LONG = {"development": "dev", "stg": "staging", "prd": "prod", "production": "prod"}
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_DEPLOYS = re.compile(r"\baz (deployment|stack)\b|arm-deploy|bicep-deploy|New-Az\w*Deployment", re.IGNORECASE)
_PASSED = re.compile(r"(?<![\w.])(\w+)=|\s-(\w+)\s")
_SCRIPTS = ("*.yml", "*.yaml", "*.sh", "*.ps1", "*.azcli", "*.cmd", "*.bat", "*Makefile", "*.mk")
# What a pipeline or a tool puts in before Azure sees the file.
_FILLED_IN = re.compile(r"\$\{\w|\$\(|#\{|\{\{|__\w+__")


@dataclass(frozen=True)
class Unread:
    """Why a file could not be read, and where; `beyond` when it may be right and only our reader gives up."""

    line: int
    what: str
    beyond: bool = False


@dataclass(frozen=True)
class Parameters:
    """One parameter file: its values by name (None for what is not known here) and the template it is for.

    `written` are those of a `.bicepparam` as they stand there.
    """

    path: str
    template: Template
    values: Mapping[str, Any]
    text: str
    written: Mapping[str, Declaration]

    @property
    def environment(self) -> str:
        """The environment that the name of the file or of a folder around it says, or nothing."""
        found = self._said
        return _LONG.get(found.lower(), found.lower()) if found else ""

    @cached_property
    def _said(self) -> str:
        folder, file = posixpath.split(self.path)
        found = _ENVIRONMENT.search(file)
        if found:
            return found[1]
        return next((each for each in reversed(folder.split("/")) if _ENVIRONMENT.fullmatch(each)), "")

    @property
    def family(self) -> str:
        """The path with the environment left open: the same for the files of all environments."""
        folder, file = posixpath.split(self.path)
        if _ENVIRONMENT.search(file):
            return posixpath.join(folder, _ENVIRONMENT.sub("*", file))
        return "/".join("*" if each == self._said else each for each in self.path.split("/"))

    def at(self, name: str = "") -> str:
        """`file:line` of a parameter, or the file."""
        pattern = (
            rf"^\s*param\s+{re.escape(name)}\b" if self.path.endswith(".bicepparam") else rf'"{re.escape(name)}"\s*:'
        )
        found = re.search(pattern, self.text, re.MULTILINE) if name else None
        return f"{self.path}:{self.text.count(chr(10), 0, found.end()) + 1}" if found else self.path


class Files:
    """The templates, the parameter files and what could not be read."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.there = frozenset(checkout.files)
        self.paths = checkout.matching("*.bicep")
        self.templates: dict[str, Template] = {}
        self.givers: dict[str, Template] = {}
        self.unread: dict[str, Unread] = {}
        self.parameters: list[Parameters] = []
        for each in self.paths:
            self._read(each, _template, self.templates)
        for each in checkout.matching("*.bicepparam"):
            self._read(each, _giver, self.givers)
        self.used = {each.target(module) for each in self.templates.values() for module in each.of("module")}
        self.imported = {each.target(one) for each in self.texts for one in each.of("import")}
        self.bases = {each.target(one) for each in self.givers.values() for one in each.of("extends")}
        self._import_types()
        for giver in self.givers.values():
            self._read_giver(giver)
        for each in checkout.matching("*.json", "*.jsonc") if self.paths else ():
            self._read_parameters(each)

    @property
    def texts(self) -> tuple[Template, ...]:
        """All that could be read, files of parameters as well."""
        return (*self.templates.values(), *self.givers.values())

    @property
    def roots(self) -> tuple[Template, ...]:
        """The templates that no other uses as a module."""
        return tuple(each for path, each in self.templates.items() if path not in self.used)

    @cached_property
    def passed(self) -> frozenset[str]:
        """What scripts and workflows that deploy something pass by name, beside the parameter files."""
        texts = map(self.checkout.found, self.checkout.matching(*_SCRIPTS))
        found = (each for text in texts if _DEPLOYS.search(text) for each in _PASSED.findall(text))
        return frozenset(name for pair in found for name in pair if name)

    @property
    def deployed(self) -> tuple[Template, ...]:
        """The templates that are deployed by themselves: those that no other uses, and those with parameter files."""
        given = {each.template.path for each in self.parameters}
        return tuple(each for path, each in self.templates.items() if path not in self.used or path in given)

    def switches_off(self, template: Template, code: str) -> bool:
        """Whether the nearest bicepconfig.json above a file switches one of the compiler's own rules off."""
        folders = [posixpath.dirname(template.path), *_above(posixpath.dirname(template.path))]
        near = (posixpath.join(folder, "bicepconfig.json") for folder in folders)
        file = next((each for each in near if each in self.there), "")
        return bool(file) and self._level(file, code) == "off"

    def _level(self, file: str, code: str) -> Any:
        try:
            told = json.loads(_without_comments(self.checkout.text(file)))
        except (OSError, ValueError, RecursionError):
            return None
        for key in ("analyzers", "core", "rules", code, "level"):
            told = told.get(key) if isinstance(told, dict) else None
        return told.lower() if isinstance(told, str) else None

    def whole(self, root: Template) -> tuple[Template, ...]:
        """A template with all its modules and theirs."""
        found = {root.path: root}
        pending = [root]
        while pending:
            each = pending.pop()
            for path in map(each.target, each.of("module")):
                if path in self.templates and path not in found:
                    found[path] = self.templates[path]
                    pending.append(found[path])
        return tuple(found.values())

    def of(self, template: Template) -> tuple[Parameters, ...]:
        """The parameter files of a template."""
        return tuple(each for each in self.parameters if each.template is template)

    def _read(self, path: str, reader: Callable[[str, str], Template], into: dict[str, Template]) -> None:
        try:
            text = self.checkout.text(path).removeprefix("\ufeff")
            with within(FILE_SECONDS):
                into[path] = reader(path, text)
        except BicepError as error:
            self.unread[path] = _unread(error)
        except OSError as error:
            self.unread[path] = Unread(1, f"the file cannot be read: {error.strerror}")
        except TooLong as error:
            self.unread[path] = Unread(1, str(error))
        except (RecursionError, IndexError):
            self.unread[path] = Unread(1, "the file is nested too deeply or ends in the middle of something")

    def _import_types(self) -> None:
        """Let the templates that import types know them; a template is kept for others, so it is made anew."""
        for path, each in list(self.templates.items()):
            imported = dict(self._types_for(each))
            if imported:
                text = self.checkout.text(path).removeprefix("\ufeff")
                self.templates[path] = Template(path, _parsed(path, text), imported)

    def _types_for(self, template: Template) -> Iterator[tuple[str, Declaration]]:
        for one in template.of("import"):
            source = self.templates.get(template.target(one))
            if source is None:
                continue
            names = [one.value.plain or ""] if one.value else [each.name for each in source.of("type")]
            for name in names:
                if found := source.type_named(name):
                    yield (one.name if one.value else f"{one.name}.{name}"), found

    def _read_giver(self, giver: Template) -> None:
        using = next(iter(giver.of("using")), None)
        if using is None:
            self.unread[giver.path] = Unread(1, "the file names no template with `using`")
        elif using.reference and (template := self.templates.get(giver.target(using))):
            values = {name: None if each is UNKNOWN else each for name, each in self._given(giver, ()).items()}
            text = self.checkout.text(giver.path)
            written = {each.name: each for each in giver.of("given")}
            self.parameters.append(Parameters(giver.path, template, values, text, written))
        elif using.reference and (not giver.target(using) or giver.target(using) in self.there - {*self.paths}):
            line = int(giver.at(using.place).rpartition(":")[2])
            where = "is in a registry, which was not asked" if not giver.target(using) else "is no Bicep"
            self.unread[giver.path] = Unread(line, f"the template {using.reference.plain} {where}", beyond=True)

    def _given(self, giver: Template, above: tuple[Template, ...]) -> dict[str, Any]:
        """The values of a `.bicepparam` by name, those of the file that it extends among them."""
        found: dict[str, Any] = {}
        for each in giver.of("extends"):
            base = self.givers.get(giver.target(each))
            if base and base is not giver and base not in above:
                found.update(self._given(base, (*above, giver)))
        values = Values(giver, {})
        return {**found, **{each.name: values.of(each.value) for each in giver.of("given")}}

    def _read_parameters(self, path: str) -> None:
        try:
            text = self.checkout.text(path).removeprefix("\ufeff")
        except OSError:
            return
        if "deploymentParameters.json" not in text[:2000] or not (template := self._template(path)):
            return
        try:
            content = json.loads(_without_comments(text))
        except (ValueError, RecursionError) as error:
            self.unread[path] = Unread(
                getattr(error, "lineno", 1), f"the file is no JSON: {getattr(error, 'msg', error)}"
            )
            return
        given = content.get("parameters") if isinstance(content, dict) else None
        if not isinstance(given, dict) or not all(isinstance(each, dict) for each in given.values()):
            self.unread[path] = Unread(1, "the file has no object `parameters` of objects with `value` or `reference`")
            return
        values = {name: _known(each.get("value")) for name, each in given.items()}
        told = {name: None if each is UNKNOWN else each for name, each in values.items()}
        self.parameters.append(Parameters(path, template, told, text, {}))

    def _template(self, path: str) -> Template | None:
        """The template a parameter file is for: of the same name, else main, else the only one that is no module.

        None for the parameters of a template in JSON that stands beside them.
        """
        folder, file = posixpath.split(path)
        own = dict.fromkeys((file.split(".")[0], re.split(r"[.-]param", file)[0]))
        above = [folder, *_above(folder)]
        for name in own:
            for place in above:
                if found := self.templates.get(posixpath.join(place, f"{name}.bicep")):
                    return found
        if any(posixpath.join(folder, f"{name}.json") in self.there for name in own):
            return None
        for place in above[:2]:
            if found := self.templates.get(posixpath.join(place, "main.bicep")):
                return found
        roots = [each for each in self.roots if posixpath.dirname(each.path) == folder]
        return roots[0] if len(roots) == 1 else None


def _without_comments(text: str) -> str:
    """JSON without the comments that Azure's tools take in it; lines stay where they are."""
    return _COMMENT.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)


def _above(folder: str) -> Iterator[str]:
    """The folders that a folder is in, the nearest first."""
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def _known(value: Any) -> Any:
    """A value of a parameter file with UNKNOWN for each text that something else fills in before Azure sees it."""
    if isinstance(value, str):
        return UNKNOWN if _FILLED_IN.search(value) else value
    if isinstance(value, list):
        return [_known(each) for each in value]
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    return value


@lru_cache(maxsize=512)
def _parsed(path: str, text: str) -> File:
    return parse(Source(path, text))


@lru_cache(maxsize=512)
def _template(path: str, text: str) -> Template:
    return Template(path, _parsed(path, text))


@lru_cache(maxsize=512)
def _giver(path: str, text: str) -> Template:
    return Template(path, parse_parameters(Source(path, text)))


def _unread(error: BicepError) -> Unread:
    found = _ERROR.match(str(error))
    line, column, sentence = (int(found[1]), int(found[2]), found[4]) if found else (1, 1, str(error))
    if error.code == _BEYOND_READER:
        return Unread(line, sentence.replace("The rehearsal subset", "Our reader"), beyond=True)
    return Unread(line, f"{sentence} (column {column}, {error.code})")

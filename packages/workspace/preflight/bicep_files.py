"""The Bicep files of a checkout, read once: what each declares and uses, and the parameter files that belong to it."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, lru_cache
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from workspace.preflight.checkout import Checkout
from workspace.preflight.limits import FILE_SECONDS, TooLong, within
from workspace.rehearsal.bicep_syntax import Call, Constant, Declaration, File, Lambda, Loop, Name, Text, parse
from workspace.rehearsal.bicep_tokens import BicepError, Source

_ERROR = re.compile(r"^.*?\((\d+),(\d+)\) : Error (\w+): (.*)$", re.DOTALL)
_BEYOND_READER = "BCP000"
_ENVIRONMENT = re.compile(
    r"(?<![a-z])(dev|development|test|qa|uat|stg|staging|prd|prod|production)(?![a-z])", re.IGNORECASE
)
_LONG = {"development": "dev", "stg": "staging", "prd": "prod", "production": "prod"}


@dataclass(frozen=True)
class Unread:
    """Why a file could not be read, and where; `beyond` when it may be right and only our reader gives up."""

    line: int
    what: str
    beyond: bool = False


class Template:
    """One Bicep file that could be read."""

    def __init__(self, path: str, parsed: File) -> None:
        self.path = path
        self.declarations = tuple(parsed.declarations)
        self._text = parsed.source.text

    def at(self, place: int) -> str:
        """`file:line` of a place in the text."""
        return f"{self.path}:{self._text.count(chr(10), 0, place) + 1}"

    def of(self, sort: str) -> tuple[Declaration, ...]:
        """The declarations of a sort: param, var, resource, module, output."""
        return tuple(each for each in self.declarations if each.sort == sort)

    @cached_property
    def parameters(self) -> Mapping[str, Declaration]:
        """The parameters by name."""
        return {each.name: each for each in self.of("param")}

    @cached_property
    def resources(self) -> tuple[Declaration, ...]:
        """The resources, nested ones as well; those that exist already too."""
        return tuple(_with_nested(self.of("resource")))

    @cached_property
    def symbols(self) -> Mapping[str, Declaration]:
        """Everything that an expression may name."""
        named = [each for each in self.declarations if each.sort not in ("output", "metadata")]
        return {each.name: each for each in (*self.resources, *named)}

    @cached_property
    def uses(self) -> tuple[Name, ...]:
        """Every name that is used and is no local of a loop or a lambda."""
        return tuple(name for each in self.declarations for name in _free(each, frozenset()))

    @cached_property
    def nodes(self) -> tuple[tuple[Declaration, tuple[Any, ...]], ...]:
        """Each declaration with all nodes inside it, itself first."""
        return tuple((each, tuple(everything(each))) for each in self.declarations)

    def target(self, module: Declaration) -> str:
        """The path of a module's file in the checkout; nothing when it comes from a registry."""
        written = module.reference.plain if module.reference else None
        if not written or re.match(r"(br|ts)[/:]", written):
            return ""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), written))


@dataclass(frozen=True)
class Parameters:
    """One parameter file: its values by name (None for a reference to a vault) and the template it is for."""

    path: str
    template: Template
    values: Mapping[str, Any]
    text: str

    @property
    def environment(self) -> str:
        """The environment that the file's name says, or nothing."""
        found = _ENVIRONMENT.search(posixpath.basename(self.path))
        return _LONG.get(found[1].lower(), found[1].lower()) if found else ""

    @property
    def family(self) -> str:
        """The path with the environment left open: the same for the files of all environments."""
        folder, file = posixpath.split(self.path)
        return posixpath.join(folder, _ENVIRONMENT.sub("*", file))

    def at(self, name: str = "") -> str:
        """`file:line` of a parameter, or the file."""
        found = re.search(rf'"{re.escape(name)}"\s*:', self.text) if name else None
        return f"{self.path}:{self.text.count(chr(10), 0, found.start()) + 1}" if found else self.path


class Files:
    """The templates, the parameter files and what could not be read."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.paths = checkout.matching("*.bicep")
        self.templates: dict[str, Template] = {}
        self.unread: dict[str, Unread] = {}
        self.parameters: list[Parameters] = []
        for each in self.paths:
            self._read(each)
        for each in checkout.matching("*.bicepparam"):
            self.unread[each] = Unread(1, "Our reader knows parameters in JSON only", beyond=True)
        self.used = {each.target(module) for each in self.templates.values() for module in each.of("module")}
        for each in checkout.matching("*.json") if self.paths else ():
            self._read_parameters(each)

    @property
    def roots(self) -> tuple[Template, ...]:
        """The templates that no other uses as a module."""
        return tuple(each for path, each in self.templates.items() if path not in self.used)

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

    def _read(self, path: str) -> None:
        try:
            text = self.checkout.text(path).removeprefix("\ufeff")
            with within(FILE_SECONDS):
                self.templates[path] = _template(path, text)
        except BicepError as error:
            self.unread[path] = _unread(error, text)
        except OSError as error:
            self.unread[path] = Unread(1, f"the file cannot be read: {error.strerror}")
        except TooLong as error:
            self.unread[path] = Unread(1, str(error))
        except (RecursionError, IndexError):
            self.unread[path] = Unread(1, "the file is nested too deeply or ends in the middle of something")

    def _read_parameters(self, path: str) -> None:
        try:
            text = self.checkout.text(path).removeprefix("\ufeff")
        except OSError:
            return
        if "deploymentParameters.json" not in text[:2000] or not (template := self._template(path)):
            return
        try:
            content = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        except (ValueError, RecursionError) as error:
            self.unread[path] = Unread(
                getattr(error, "lineno", 1), f"the file is no JSON: {getattr(error, 'msg', error)}"
            )
            return
        given = content.get("parameters") if isinstance(content, dict) else None
        if not isinstance(given, dict) or not all(isinstance(each, dict) for each in given.values()):
            self.unread[path] = Unread(1, "the file has no object `parameters` of objects with `value` or `reference`")
            return
        values = {name: each.get("value") for name, each in given.items()}
        self.parameters.append(Parameters(path, template, values, text))

    def _template(self, path: str) -> Template | None:
        """The template a parameter file is for: of the same name, else main, else the only one that is no module."""
        folder, file = posixpath.split(path)
        for name in (file.split(".")[0], re.split(r"[.-]param", file)[0], "main"):
            for place in (folder, posixpath.dirname(folder)):
                if found := self.templates.get(posixpath.join(place, f"{name}.bicep")):
                    return found
        roots = [each for each in self.roots if posixpath.dirname(each.path) == folder]
        return roots[0] if len(roots) == 1 else None


@lru_cache(maxsize=512)
def _template(path: str, text: str) -> Template:
    return Template(path, parse(Source(path, text)))


def _unread(error: BicepError, text: str) -> Unread:
    found = _ERROR.match(str(error))
    line, column, sentence = (int(found[1]), int(found[2]), found[4]) if found else (1, 1, str(error))
    if error.code != _BEYOND_READER:
        return Unread(line, f"{sentence} (column {column}, {error.code})")
    broken = _broken(Parser(Language(tree_sitter_bicep.language())).parse(text.encode()).root_node)
    if broken:
        return Unread(broken.start_point[0] + 1, f"the text is not understood at column {broken.start_point[1] + 1}")
    return Unread(line, sentence.replace("The rehearsal subset", "Our reader"), beyond=True)


def _broken(node: Node) -> Node | None:
    pending = [node]
    while pending:
        each = pending.pop()
        if each.is_error or each.is_missing:
            return each
        pending.extend(reversed(each.children))
    return None


def _with_nested(declarations: tuple[Declaration, ...]) -> Iterator[Declaration]:
    for each in declarations:
        yield each
        yield from _with_nested(each.value.resources)


def inside(node: Any) -> Iterator[Any]:
    """The nodes directly inside another; a loop of a declaration stands for its condition and value."""
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, Declaration):
        rest = (node.loop,) if node.loop else (node.condition, node.value)
        yield from (*node.decorators, node.reference, *rest)
    elif is_dataclass(node):
        yield from (getattr(node, each.name) for each in fields(node))


def everything(node: Any) -> Iterator[Any]:
    """A node and all nodes inside it, in the order of the text."""
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, tuple):
            pending.extend(reversed(each))
        elif is_dataclass(each):
            yield each
            pending.extend(reversed(tuple(inside(each))))


def _free(node: Any, bound: frozenset[str]) -> Iterator[Name]:
    if isinstance(node, Name):
        if node.name not in bound:
            yield node
        return
    if isinstance(node, Loop):
        yield from _free(node.items, bound)
        within = bound | {node.item, node.index}
        yield from (*_free(node.condition, within), *_free(node.body, within))
        return
    within = bound | frozenset(node.names) if isinstance(node, Lambda) else bound
    for each in inside(node):
        if isinstance(each, tuple) or is_dataclass(each):
            yield from _free(each, within)


def decorator(declaration: Declaration, name: str) -> Call | None:
    """The decorator with this name, also written with `sys.`."""
    return next((each for each in declaration.decorators if each.name == name), None)


def is_secure(declaration: Declaration) -> bool:
    """True for what Azure never shows."""
    return decorator(declaration, "secure") is not None


def is_required(parameter: Declaration) -> bool:
    """True for a parameter that must be given."""
    return parameter.value is None and not (parameter.type and parameter.type.nullable)


def type_of(resource: Declaration) -> tuple[str, str]:
    """The type and version of a resource."""
    kind, _, version = ((resource.reference.plain if resource.reference else "") or "").partition("@")
    return kind, version


def literal(node: Any) -> Any:
    """The value of a plain text, number, true or false; None for all else."""
    if isinstance(node, Text):
        return node.plain
    return node.value if isinstance(node, Constant) else None

"""Terragrunt's units, read without running anything: what they include, apply, are given and wait for.

A value that only a run could tell is UNKNOWN, and whoever asks says nothing about it. Paths are those of the checkout.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from lark import Token, Tree

from workspace.preflight import shared
from workspace.preflight.checkout import Checkout
from workspace.preflight.terraform_read import Attribute, Block, Expression, Unreadable, read, trees
from workspace.preflight.terraform_tree import Folder
from workspace.preflight.terraform_tree import Tree as Terraform
from workspace.preflight.terraform_values import UNKNOWN, Scope, call_name, key, parts, value

UNIT = "terragrunt.hcl"
# Where absolute paths begin; no file is called so.
_TOP = "/:checkout:"
_MADE = ("variable", "output", "locals", "resource", "data", "module")
_FILES = ("required_var_files", "optional_var_files", "env_vars")


@dataclass(frozen=True, eq=False)
class Config:
    """A Terragrunt file, and what names mean in it for one unit."""

    file: str
    block: Block
    scope: Scope

    @property
    def folder(self) -> str:
        """Where it stands."""
        return posixpath.dirname(self.file)

    def at(self, line: int) -> str:
        """A line of it, as `file:line`."""
        return f"{self.file}:{line}"

    def all(self, kind: str) -> tuple[Block, ...]:
        """Its blocks of a kind, as `dependency`."""
        return self.block.inner(kind)

    def attributes(self) -> Iterator[Attribute]:
        """Every argument in it."""
        for block in self.block.walk():
            yield from block.attributes.values()

    @cached_property
    def locals(self) -> frozenset[str]:
        """The names of its locals."""
        return frozenset(name for block in self.all("locals") for name in block.attributes)


class Given(NamedTuple):
    """Inputs by name, with their lines; `is_whole` when no more can be given than these."""

    names: Mapping[str, int]
    is_whole: bool


@dataclass(frozen=True, eq=False)
class Dependency:
    """What a unit waits for: its name if it has one, the folder it names if that can be told, and where that is said.

    `exists` is false when the path certainly leads to no unit.
    """

    name: str
    folder: str | None
    config: Config
    line: int
    block: Block | None = None
    exists: bool = True

    @property
    def place(self) -> str:
        """Where the path stands."""
        return self.config.at(self.line)

    @property
    def is_asked(self) -> bool:
        """Whether its outputs are read from its state, as far as files tell."""
        switches = (
            [self.block.attributes.get(each) for each in ("skip_outputs", "enabled")] if self.block else [None] * 2
        )
        wanted = ("false", "true")
        return all(each is None or each.word == word for each, word in zip(switches, wanted, strict=True))


@dataclass(frozen=True, eq=False)
class Unit:
    """A unit: its own file, the files it includes, and whether all that it includes is known."""

    own: Config
    included: tuple[Config, ...] = ()
    merged: tuple[Config, ...] = ()
    is_whole: bool = True
    lost: tuple[tuple[int, str], ...] = ()
    dependencies: tuple[Dependency, ...] = field(default=())

    @property
    def folder(self) -> str:
        """Where it stands, which names it."""
        return self.own.folder

    @property
    def configs(self) -> tuple[Config, ...]:
        """Its own file and those that are merged into it."""
        return (self.own, *self.merged)


class Units:
    """The units of a checkout by folder."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.tree: Terraform = shared.once(checkout, Terraform)
        self._files = frozenset(checkout.files)
        self._folders = frozenset(above for file in checkout.files for above in _above(posixpath.dirname(file)))
        self._blocks: dict[str, Block | None] = {}
        self._told_of: dict[str, Any] = {}

    # ---- units

    @cached_property
    def all(self) -> Mapping[str, Unit]:
        """Every unit that can be read, by folder; a file that only others include is none."""
        files = self.checkout.matching(UNIT, f"*/{UNIT}")
        found = [self._unit(file) for file in files if self.block(file) is not None]
        parents = {config.file for each in found for config in each.included}
        return {each.folder: each for each in found if each.own.file not in parents}

    @cached_property
    def configs(self) -> tuple[Config, ...]:
        """Every file of a unit and every file that units include, once each."""
        every = [config for unit in self.all.values() for config in (unit.own, *unit.included)]
        return tuple({config.file: config for config in every}.values())

    def including(self, file: str) -> list[Unit]:
        """The units that include a file."""
        return [unit for unit in self.all.values() if any(each.file == file for each in unit.included)]

    def block(self, file: str) -> Block | None:
        """A file of Terragrunt; None where it cannot be read."""
        if file not in self._blocks:
            try:
                self._blocks[file] = read(self.checkout.found(file)) if file in self._files else None
            except Unreadable:
                self._blocks[file] = None
        return self._blocks[file]

    def _unit(self, file: str) -> Unit:
        folder = posixpath.dirname(file)
        block = self.block(file) or Block("file", (), 1, {}, ())
        included, merged, lost, is_whole = [], [], [], True
        exposed: dict[str, Any] = {}
        plain = self._scope(block, file, folder, None)
        for each in block.inner("include"):
            path = self._path(each.attributes.get("path"), plain, (folder,))
            inner = self.block(path.found) if path.found else None
            if path.found and inner:
                config = Config(path.found, inner, self._scope(inner, path.found, folder, path.found))
                included.append(config)
                merged += [config] if each.literal("merge_strategy") != "no_merge" else []
                exposed[each.name if each.labels else ""] = self._told(config)
                is_whole &= not inner.inner("include")
            else:
                is_whole = False
                lost += [(each.attributes["path"].line, path.said)] if path.is_lost else []
        parent = included[0].file if len(included) == 1 else None
        bound = exposed.get("", exposed)
        own = Config(file, block, self._scope(block, file, folder, parent).with_bound(include=bound))
        unit = Unit(own, tuple(included), tuple(merged), is_whole, tuple(lost))
        # A block of the unit's own replaces one of its name in a file that it includes, as a later file's does.
        files = (own, *reversed(merged))
        said = [each for config in files for each in self._dependencies(unit, config)]
        first = {each.name: each for each in reversed(said) if each.name}
        dependencies = tuple(each for each in said if not each.name or first[each.name] is each)
        return Unit(own, unit.included, unit.merged, is_whole, unit.lost, dependencies)

    # ---- what a unit waits for

    def _dependencies(self, unit: Unit, config: Config) -> Iterator[Dependency]:
        bases = tuple(dict.fromkeys((unit.folder, config.folder)))
        for block in config.all("dependency"):
            attribute = block.attributes.get("config_path")
            path = self._path(attribute, config.scope, bases, is_unit=True)
            line = attribute.line if attribute else block.line
            yield Dependency(block.name, path.found, config, line, block, not path.is_lost)
        for block in config.all("dependencies"):
            attribute = block.attributes.get("paths")
            for each in _elements(attribute) if attribute else ():
                path = self._resolved(value(each, config.scope), bases, is_unit=True)
                line = getattr(each.meta, "line", None) or (attribute.line if attribute else block.line)
                yield Dependency("", path.found, config, line, None, not path.is_lost)

    # ---- what a unit applies and is given

    def module(self, unit: Unit) -> Folder | None:
        """The folder of Terraform that a unit applies; None when it comes from elsewhere or cannot be told."""
        said = self.source(unit)
        if said is None:
            return None
        folder = self.tree.folders.get(said)
        return None if folder is None or self.tree.is_broken(said) else folder

    def source(self, unit: Unit) -> str | None:
        """The folder that a unit's source names, whether or not it is there; its own where there is no source."""
        sources = [(config, each) for config in unit.configs for each in _sources(config)]
        if not sources:
            return unit.folder if unit.is_whole else None
        config, attribute = sources[0]
        if config is not unit.own and len(sources) > 1:
            return None
        text = value(attribute.expression, config.scope)
        if not isinstance(text, str) or not text.startswith((".", _TOP)):
            return None
        bases = tuple(dict.fromkeys((unit.folder, config.folder)))
        places = [self._inside(re.sub(r"(?<=.)//+", "/", text.partition("?")[0]), base) for base in bases]
        there = [each for each in places if each in self.tree.folders]
        if config is unit.own:
            return places[0]
        return there[0] if len(set(there)) == 1 else None

    def makes(self, unit: Unit, kind: str) -> bool:
        """Whether a unit may write blocks of a kind, as `variable`, beside the module before it is applied."""
        return any(_may_hold(each, kind) for config in unit.configs for each in _generated(config))

    def declared(self, unit: Unit, kind: str) -> frozenset[str] | None:
        """The variables or outputs of what a unit applies; None when that cannot be told."""
        module = self.module(unit)
        beside = self.tree.folders.get(unit.folder)
        if module is None or self.makes(unit, kind) or (beside and self.tree.is_broken(unit.folder)):
            return None
        both = [module, *([beside] if beside else [])]
        return frozenset(item.block.name for folder in both for item in folder.all(kind))

    def given(self, config: Config) -> Given:
        """The inputs that a file gives."""
        attribute = config.block.attributes.get("inputs")
        return _given(attribute.expression, config.scope) if attribute else Given({}, True)

    def hands_over_more(self, unit: Unit) -> bool:
        """Whether a unit may give variables in another way than by its inputs."""
        return any(_hands_over(block) for config in unit.configs for block in config.block.walk())

    @cached_property
    def written_into(self) -> frozenset[str]:
        """Folders of Terraform in which units may write declarations before they apply them."""
        makers = [unit for unit in self.all.values() if any(self.makes(unit, kind) for kind in _MADE)]
        return frozenset(place for unit in makers if (place := self.source(unit)) is not None)

    def reads_beside(self, folder: str) -> frozenset[str] | None:
        """What is read, as `var.name`, in files that units write into a folder of Terraform; None if it may be all."""
        users = [unit for unit in self.all.values() if self.source(unit) == folder]
        contents = [each for unit in users for config in unit.configs for each in _generated(config)]
        if any(_is_computed(each) for each in contents):
            return None
        return frozenset(word for each in contents for word in re.findall(r"\b(?:var|local)\.\w+", _text(each)))

    @cached_property
    def kept(self) -> frozenset[str]:
        """Folders of Terraform whose state units keep, or may keep."""
        keepers = [
            unit for unit in self.all.values() if not unit.is_whole or _keeps(unit) or self.makes(unit, "backend")
        ]
        return frozenset(place for unit in keepers if (place := self.source(unit)) is not None)

    @cached_property
    def templates(self) -> frozenset[str]:
        """Folders of units that are copied before they run, so that their paths mean nothing where they stand."""
        asking = {
            unit.folder
            for unit in self.all.values()
            for attribute in unit.own.attributes()
            if any(each.path[0] == "values" for each in attribute.references)
        }
        return frozenset(asking | set(self._copied()))

    def _copied(self) -> Iterator[str]:
        for file in self._stacks:
            stack = self.block(file)
            folder = posixpath.dirname(file)
            for block in stack.inner("unit") if stack else ():
                scope = self._scope(stack, file, folder, None) if stack else None
                if scope:
                    yield self._path(block.attributes.get("source"), scope, (folder,)).found or ""

    # ---- paths

    def _path(
        self, attribute: Attribute | None, scope: Scope, bases: tuple[str, ...], *, is_unit: bool = False
    ) -> "_Path":
        return self._resolved(value(attribute.expression, scope) if attribute else UNKNOWN, bases, is_unit=is_unit)

    def _resolved(self, text: Any, bases: tuple[str, ...], *, is_unit: bool = False) -> "_Path":
        """What a path names, and whether that is certainly not there.

        A relative path in a file that is included may begin where the unit stands or where the file does.
        """
        if isinstance(text, _Lost):
            return _Path(None, text.name, is_lost=True)
        if not isinstance(text, str):
            return _Path(None, "", is_lost=False)
        places = [self._inside(text, base) for base in bases]
        for place in places:
            if place is not None and self._is_there(place, is_unit=is_unit):
                is_file = is_unit and place in self._files
                return _Path(posixpath.dirname(place) if is_file else place, place, is_lost=False)
        known = [place for place in places if place is not None]
        is_lost = len(known) == len(places) and not any(self._may_be_made(each) for each in known)
        return _Path(known[0] if known else None, known[0] if known else "", is_lost=is_lost)

    def _is_there(self, place: str, *, is_unit: bool) -> bool:
        if is_unit:
            return place in self._files or any(
                f"{place}/{UNIT}{ending}".lstrip("/") in self._files for ending in ("", ".json")
            )
        return place in self._files or place in self._folders

    def _may_be_made(self, place: str) -> bool:
        """Whether a path leads to what is fetched or made later."""
        made = any(step.startswith(".terragrunt-") for step in place.split("/"))
        stacks = {posixpath.dirname(each) for each in self._stacks}
        return made or self.tree.is_elsewhere(place) or any(place.startswith(f"{each}/".lstrip("/")) for each in stacks)

    @cached_property
    def _stacks(self) -> tuple[str, ...]:
        """Files that say which units are made of which others."""
        return self.checkout.matching("terragrunt.stack.hcl", "*/terragrunt.stack.hcl")

    def _inside(self, text: str, base: str) -> str | None:
        """A path of the checkout; None for one that leads out of it, or begins at a folder that is not in it."""
        if text.startswith(_TOP):
            path = posixpath.normpath(text)
            inner = path.removeprefix(_TOP).strip("/") if path.startswith(_TOP) else None
            return inner if inner is None or inner.partition("/")[0] in self._folders | self._files | {""} else None
        if text.startswith("/"):
            return None
        path = posixpath.normpath(posixpath.join(base, text))
        return None if path == ".." or path.startswith("../") else "" if path == "." else path

    # ---- values

    def _scope(self, block: Block, file: str, unit: str, parent: str | None) -> Scope:
        """What names and functions mean in a file, for the unit in a folder; `parent` is the file that is included."""
        attributes = {name: each for inner in block.inner("locals") for name, each in inner.attributes.items()}
        above = posixpath.dirname(parent) if parent is not None else None
        functions: dict[str, Callable[..., Any]] = {
            **_TEXTS,
            "find_in_parent_folders": partial(self._found_above, unit),
            "read_terragrunt_config": partial(self._config, unit),
            "get_terragrunt_dir": lambda: _absolute(unit),
            "get_original_terragrunt_dir": lambda: _absolute(unit),
            "get_repo_root": lambda: _TOP,
            "get_path_to_repo_root": lambda: _TOP,
            "get_path_from_repo_root": lambda: unit,
        }
        if above is not None:
            functions |= {
                "get_parent_terragrunt_dir": lambda *_: _absolute(above),
                "path_relative_to_include": lambda *_: posixpath.relpath(unit or ".", above or "."),
                "path_relative_from_include": lambda *_: posixpath.relpath(above or ".", unit or "."),
            }
        return Scope({}, attributes, lambda *_: UNKNOWN, functions=functions)

    def _found_above(self, unit: str, name: str = "", *other: Any) -> Any:
        """The nearest file or folder of a name above a unit, as an absolute path."""
        wanted = [name] if name else [UNIT, "root.hcl"]
        for above in list(_above(unit))[1:]:
            for each in wanted:
                place = posixpath.normpath(posixpath.join(above, each))
                if place in self._files or place in self._folders:
                    return _absolute(place)
        if other:
            return other[0]
        return _Lost(f"{wanted[0]} in a folder above") if (self.checkout.root / ".git").exists() else UNKNOWN

    def _config(self, unit: str, path: Any, *other: Any) -> Any:
        """What a file that is read says: its locals and inputs, with what names mean where it stands."""
        place = self._inside(path, unit) if isinstance(path, str) else None
        block = self.block(place) if place else None
        if block is None or place is None:
            return other[0] if other and place is not None and place not in self._files else UNKNOWN
        if place not in self._told_of:
            # Files that read each other in a circle tell nothing.
            self._told_of[place] = UNKNOWN
            scope = self._scope(block, place, posixpath.dirname(place), None)
            functions = {**scope.functions, "get_original_terragrunt_dir": lambda: UNKNOWN}
            self._told_of[place] = self._told(Config(place, block, replace(scope, functions=functions)))
        return self._told_of[place]

    def _told(self, config: Config) -> Mapping[str, Any]:
        inputs = config.block.attributes.get("inputs")
        return {
            "locals": {name: config.scope.local(name) for name in config.locals},
            "inputs": value(inputs.expression, config.scope) if inputs else {},
        }


@dataclass(frozen=True)
class _Lost:
    """A path that certainly leads nowhere."""

    name: str


class _Path(NamedTuple):
    found: str | None
    said: str
    is_lost: bool


def _above(folder: str) -> Iterator[str]:
    """A folder and all above it, up to the checkout's own, which is called nothing."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _absolute(path: str) -> str:
    return f"{_TOP}/{path}" if path else _TOP


def _formatted(text: str, *given: Any) -> Any:
    if text.count("%") != text.count("%s") or text.count("%s") != len(given):
        return UNKNOWN
    return text.replace("%s", "{}").format(*given) if "{" not in text else UNKNOWN


_TEXTS: Mapping[str, Callable[..., Any]] = {
    "dirname": posixpath.dirname,
    "basename": posixpath.basename,
    "split": lambda between, text: text.split(between),
    "element": lambda things, number: things[number % len(things)],
    "trimprefix": lambda text, start: text.removeprefix(start),
    "trimsuffix": lambda text, end: text.removesuffix(end),
    "format": _formatted,
}


def _elements(attribute: Attribute) -> list[Expression]:
    inner = attribute.expression
    while inner.data == "expr_term" and len(parts(inner)) == 1:
        (inner,) = parts(inner)
    return parts(inner) if inner.data == "tuple" else []


def _sources(config: Config) -> list[Attribute]:
    return [each.attributes["source"] for each in config.all("terraform") if "source" in each.attributes]


# ---- inputs


def _given(tree: Expression, scope: Scope) -> Given:
    """The names that an expression certainly gives."""
    while tree.data == "expr_term" and len(parts(tree)) == 1:
        (tree,) = parts(tree)
    if tree.data == "object":
        return _of_object(tree, scope)
    if tree.data == "function_call" and call_name(tree) == "merge":
        given = parts(parts(tree)[1]) if len(parts(tree)) > 1 else []
        every = [_given(each, scope) for each in given]
        names = {name: line for each in every for name, line in each.names.items()}
        return Given(names, all(each.is_whole for each in every))
    found = value(tree, scope)
    if isinstance(found, dict):
        return Given({str(name): getattr(tree.meta, "line", 0) for name in found}, True)
    return Given({}, False)


def _of_object(tree: Expression, scope: Scope) -> Given:
    names: dict[str, int] = {}
    is_whole = True
    for element in trees(tree):
        if element.data == "object_elem":
            name = key(parts(element)[0], scope)
            if isinstance(name, str):
                names[name] = element.meta.line
            else:
                is_whole = False
        elif element.data != "new_line_or_comment":
            is_whole = False
    return Given(names, is_whole)


def _hands_over(block: Block) -> bool:
    """Whether a block hands over files of data or variables of the environment."""
    if block.kind in ("extra_arguments", "before_hook") and set(_FILES) & set(block.attributes):
        return True
    said = [each for name, each in block.attributes.items() if name in ("arguments", "execute")]
    if block.kind == "extra_arguments":
        return any("-var" in _text(each.expression) or _is_computed(each.expression) for each in said)
    return block.kind == "before_hook" and any("tfvars" in _text(each.expression) for each in said)


# ---- what units write


def _generated(config: Config) -> Iterator[Expression]:
    """The contents that a file says are to be written."""
    for block in config.all("generate"):
        contents = block.attributes.get("contents")
        if contents:
            yield contents.expression
    if "generate" in config.block.attributes:
        yield config.block.attributes["generate"].expression


def _may_hold(contents: Expression, kind: str) -> bool:
    """Whether contents have a block of a kind, or cannot be told to have none."""
    text = _text(contents)
    return _is_computed(contents) or bool(re.search(rf"\b{kind}\b", text))


def _is_computed(tree: Expression) -> bool:
    """Whether what is written comes from elsewhere: all of it, or whole lines of a text."""
    while tree.data == "expr_term" and len(parts(tree)) == 1:
        (tree,) = parts(tree)
    if tree.data in ("heredoc_template", "heredoc_template_trim"):
        return bool(re.search(r"^\s*[$%]\{", _text(tree), re.MULTILINE))
    if tree.data in ("tuple", "object"):
        inner = [part for each in parts(tree) for part in (parts(each)[1:] if each.data == "object_elem" else [each])]
        return any(_is_computed(each) for each in inner)
    if tree.data == "string":
        return any(isinstance(part, Tree) for each in trees(tree)[:1] for part in each.children)
    return tree.data not in ("literal_value", "int_lit")


def _text(tree: Expression) -> str:
    return "".join(str(each) for each in tree.scan_values(lambda each: isinstance(each, Token)))


def _keeps(unit: Unit) -> bool:
    return any(config.all("remote_state") or "remote_state" in config.block.attributes for config in unit.configs)

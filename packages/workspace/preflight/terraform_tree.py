"""A checkout's Terraform: its folders, which of them are roots, who calls whom, and which data belong to which root.

Layouts are recognised by what files hold: a root is a folder that no other folder calls and that has a backend, a
provider or data files; an environment is a data file's name (`stacks/network/dev.tfvars`, `iac/vars/dev.tfvars`), or
the nearest folder of the file or the root that is called as environments are (`live/prod/network/terraform.tfvars`,
`envs/dev/network/main.tf`), or else the data file's folder (`environments/customer-a/network.tfvars.json`). A root
without data of its own whose maps are asked by `terraform.workspace` has the environments that the maps name.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from workspace.preflight import terraform_data
from workspace.preflight.checkout import Checkout
from workspace.preflight.terraform_data import Data, environment_of
from workspace.preflight.terraform_read import Attribute, Block, Unreadable, read
from workspace.preflight.terraform_values import NOWHERE, UNKNOWN, Scope, filled, looked_up, value

_DEEPEST = 8
_OVERRIDE = re.compile(r"(^|/)(override|[^/]*_override)\.tf$")
_UNITS = ("terragrunt.hcl", "terragrunt.stack.hcl", "root.hcl")
_LABELS = {"resource": 2, "data": 2, "variable": 1, "output": 1, "module": 1, "provider": 1}


@dataclass(frozen=True, eq=False)
class Item:
    """A block at the top of a file, and which file."""

    file: str
    block: Block

    @property
    def place(self) -> str:
        """Where it begins, as `file:line`."""
        return f"{self.file}:{self.block.line}"

    @property
    def address(self) -> str:
        """As Terraform calls it: `azurerm_subnet.this`."""
        return ".".join(self.block.labels)

    @property
    def is_override(self) -> bool:
        """Whether Terraform merges it into a block of another file: it stands in `override.tf` or `x_override.tf`."""
        return bool(_OVERRIDE.search(self.file))

    @property
    def thing(self) -> tuple[str, ...]:
        """What it declares: kind, labels, and the alias of a provider."""
        alias = self.block.literal("alias") if self.block.kind == "provider" else None
        return (self.block.kind, *self.block.labels, *([alias] if alias else []))

    def at(self, line: int) -> str:
        """Another line of the same file, as `file:line`."""
        return f"{self.file}:{line}"

    def with_override(self, other: "Item") -> "Item":
        """What the two come to: the arguments of the override, and its blocks instead of those of the same kind."""
        own = self.block.attributes
        said = {
            name: Attribute(name, own[name].line if name in own else self.block.line, each.expression)
            for name, each in other.block.attributes.items()
        }
        kinds = {each.kind for each in other.block.blocks}
        kept = tuple(each for each in self.block.blocks if each.kind not in kinds)
        block = replace(self.block, attributes={**self.block.attributes, **said}, blocks=(*kept, *other.block.blocks))
        return Item(self.file, block)


@dataclass(frozen=True, eq=False)
class Folder:
    """One folder of `.tf` files: a root or a module; `items` are its blocks as they are written."""

    path: str
    items: tuple[Item, ...]

    def all(self, kind: str) -> tuple[Item, ...]:
        """Its blocks of a kind, as `resource`, with what override files say of them."""
        return tuple(each for each in self._merged if each.block.kind == kind)

    @cached_property
    def _merged(self) -> tuple[Item, ...]:
        merged = {id(each): each for each in self.items if not each.is_override}
        for other in (each for each in self.items if each.is_override):
            of_it = [key for key, each in merged.items() if other.block.labels and each.thing == other.thing]
            if of_it:
                merged[of_it[0]] = merged[of_it[0]].with_override(other)
            else:
                merged[id(other)] = other
        return tuple(merged.values())

    @cached_property
    def variables(self) -> Mapping[str, Item]:
        """Its variables by name."""
        return {each.block.name: each for each in self.all("variable")}

    @cached_property
    def outputs(self) -> Mapping[str, Item]:
        """Its outputs by name."""
        return {each.block.name: each for each in self.all("output")}

    @cached_property
    def calls(self) -> Mapping[str, Item]:
        """Its module calls by name."""
        return {each.block.name: each for each in self.all("module")}

    @cached_property
    def locals(self) -> Mapping[str, tuple[Item, Attribute]]:
        """Its locals by name."""
        return {
            name: (each, attribute) for each in self.all("locals") for name, attribute in each.block.attributes.items()
        }

    @cached_property
    def resources(self) -> Mapping[str, Item]:
        """Its resources by address."""
        return {each.address: each for each in self.all("resource")}

    def settings(self, kind: str) -> Iterator[tuple[Item, Block]]:
        """The blocks of a kind inside its `terraform` blocks, as `backend`."""
        for item in self.all("terraform"):
            for block in item.block.inner(kind):
                yield item, block

    def called(self, call: Item) -> str | None:
        """The folder a module call names; None when the module comes from elsewhere."""
        source = call.block.literal("source") or ""
        return posixpath.normpath(posixpath.join(self.path, source)) if source.startswith(("./", "../")) else None


@dataclass(frozen=True, eq=False)
class Instance:
    """A resource as one environment's data make it; `get` tells what its arguments come to."""

    environment: str
    root: str
    folder: str
    item: Item
    scope: Scope
    data: Data | None = field(default=None)

    @property
    def type(self) -> str:
        """Its Terraform type."""
        return self.item.block.labels[0]

    def get(self, *path: str) -> Any:
        """What an argument comes to, `("network_profile", "service_cidr")` inside a block; UNKNOWN if no file says."""
        block, scope = self.item.block, self.scope
        for kind in path[:-1]:
            inner = inner_blocks(block, kind, scope)
            if not inner:
                return None
            block, scope = inner[0]
        return valued(block, path[-1], scope)

    def inner(self, kind: str) -> list[tuple[Block, Scope]]:
        """Its inner blocks of a kind, each with what names mean inside it."""
        return inner_blocks(self.item.block, kind, self.scope)


class Tree:
    """Everything the rules ask about: folders, roots, data, what could not be read, and instances."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.unreadable: list[tuple[str, int, str]] = []
        self.files = 0
        self.folders: Mapping[str, Folder] = self._folders()
        self.called = {path for folder in self.folders.values() for path in map(folder.called, folder.calls.values())}
        self.homeless: list[str] = []
        self.spoken: set[tuple[str, str]] = set()
        self.in_json = frozenset(self._json_folders())
        self.values: dict[str, Mapping[str, Any]] = {}
        self.said: tuple[Data, ...] = tuple(self._said())
        self.data: tuple[Data, ...] = tuple(
            terraform_data.together(each for each in self.said if not terraform_data.is_shown(each.file))
        )

    def _folders(self) -> Mapping[str, Folder]:
        found: dict[str, list[Item]] = {}
        for file in self.checkout.matching("*.tf", *self._hcl()):
            block = None if file.endswith(".lock.hcl") else self._read(file)
            if block and file.endswith(".tf"):
                folder = found.setdefault(posixpath.dirname(file), [])
                folder += [Item(file, each) for each in block.blocks if self._is_labelled(file, each)]
        return {path: Folder(path, tuple(items)) for path, items in found.items()}

    def _hcl(self) -> tuple[str, ...]:
        """Which `.hcl` files are read: Consul, Packer, Nomad and Buildx have files of that name, too."""
        units = self.checkout.matching(*(f"{above}{each}" for each in _UNITS for above in ("", "*/")))
        return ("*.hcl",) if units else ("*.tftest.hcl", "*.tfmock.hcl")

    def _is_labelled(self, file: str, block: Block) -> bool:
        wanted = _LABELS.get(block.kind, len(block.labels))
        if len(block.labels) == wanted:
            return True
        self.unreadable.append(
            (file, block.line, f"a {block.kind} has {wanted} labels, and this has {len(block.labels)}")
        )
        return False

    def text(self, file: str) -> str:
        """The text of a file; none where it cannot be opened, as behind a broken link."""
        try:
            return self.checkout.text(file)
        except OSError:
            return ""

    def _read(self, file: str) -> Block | None:
        self.files += 1
        try:
            return read(self.checkout.text(file))
        except OSError as error:
            self.unreadable.append((file, 0, error.strerror or "it cannot be opened"))
            return None
        except Unreadable as error:
            self.unreadable.append((file, error.line, str(error)))
            return None

    def is_broken(self, folder: str) -> bool:
        """Whether a file of the folder could not be read, so that what seems missing may stand there."""
        return folder in self.in_json or any(posixpath.dirname(file) == folder for file, _, _ in self.unreadable)

    def is_elsewhere(self, folder: str) -> bool:
        """Whether a folder is not of this checkout: it lies above it, or in a submodule that was not fetched."""
        within = [each for each in self._submodules if folder == each or folder.startswith(f"{each}/")]
        return folder.startswith("..") or any(not self.checkout.matching(f"{each}/*") for each in within)

    @cached_property
    def _submodules(self) -> tuple[str, ...]:
        text = self.text(".gitmodules") if ".gitmodules" in self.checkout.files else ""
        return tuple(re.findall(r"^\s*path\s*=\s*(.+?)/?\s*$", text, re.MULTILINE))

    @cached_property
    def roots(self) -> Mapping[str, Folder]:
        """Folders that are planned and applied, by path."""
        given = {each.root for each in self.data}
        return {path: each for path, each in self.folders.items() if path in given or self._is_root(each)}

    def _is_root(self, folder: Folder) -> bool:
        if folder.path in self.called:
            return False
        return bool(folder.all("provider") or any(folder.settings("backend")) or any(folder.settings("cloud")))

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The environments that data files speak of, in alphabetical order."""
        return tuple(sorted({each.environment for each in self.data if each.environment}))

    def data_of(self, root: str) -> tuple[Data, ...]:
        """What each environment says about a root, all its files together."""
        return tuple(each for each in self.data if each.root == root)

    # ---- data files

    def _said(self) -> Iterator[Data]:
        """What each data file says."""
        files = self.checkout.matching("*.tfvars", "*.tfvars.json")
        beside: dict[str, list[str]] = {}
        for file in files:
            beside.setdefault(posixpath.dirname(file), []).append(file)
        for file in sorted(files, key=lambda each: (".auto." in each, each)):
            values = self._values(file)
            self.values |= {file: values} if values is not None else {}
            if self._is_of_unit(file):
                continue
            root = self._home(file, values or {})
            if root is None:
                if not self._is_handed_over(file):
                    self.homeless.append(file)
                continue
            environment = terraform_data.spoken_of(file, root, beside[posixpath.dirname(file)])
            self.spoken.add((environment, root))
            if values is not None:
                yield Data(file, environment, root, values, terraform_data.is_common(file, root))

    def _is_of_unit(self, file: str) -> bool:
        """Whether a data file stands beside a Terragrunt unit, whose module reads it."""
        folder = posixpath.dirname(file)
        return folder not in self.folders and posixpath.join(folder, "terragrunt.hcl") in self.checkout.files

    def given_in(self, *folders: str) -> set[str]:
        """The variables that files give which Terraform reads by itself in one of some folders."""
        files = [file for file in self.values if posixpath.dirname(file) in folders]
        return {name for file in files if terraform_data.is_read_alone(file) for name in self.values[file]}

    def _is_handed_over(self, file: str) -> bool:
        """Whether a Terragrunt file names the data file, or there is no Terraform at all that it could be for."""
        name = posixpath.basename(file)
        return not self.folders or any(name in self.text(each) for each in self.checkout.matching("*.hcl"))

    def _json_folders(self) -> Iterator[str]:
        """Folders of which a part is written in JSON or for OpenTofu, so that what seems missing may stand there."""
        for file in self.checkout.matching("*.tf.json"):
            self._values(file)
            yield posixpath.dirname(file)
        # OpenTofu's own files are not read.
        for file in self.checkout.matching("*.tofu", "*.tofu.json"):
            yield posixpath.dirname(file)

    def _values(self, file: str) -> Mapping[str, Any] | None:
        if not file.endswith(".json"):
            block = self._read(file)
            return {k: value(v.expression, NOWHERE) for k, v in block.attributes.items()} if block else None
        self.files += 1
        try:
            values = json.loads(self.checkout.text(file).removeprefix("\ufeff"), object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            self.unreadable.append((file, error.lineno, error.msg))
        except (ValueError, RecursionError, OSError) as error:
            self.unreadable.append((file, 0, str(error)))
        else:
            if isinstance(values, dict):
                return {name: filled(each) for name, each in values.items()}
            self.unreadable.append((file, 1, "it is no object"))
        return None

    def _home(self, file: str, values: Mapping[str, Any]) -> str | None:
        """The root a data file is for: the one it stands in or below, the one of its name, or the one it fits."""
        folder = posixpath.dirname(file)
        above = folder
        while above and above not in self.folders:
            above = posixpath.dirname(above)
        if above in self.folders and above not in self.called:
            return above
        free = [path for path in self.folders if path not in self.called]
        wanted = [path for path in free if posixpath.basename(path) == terraform_data.stem(file)]
        near = sorted(wanted, key=lambda path: -len(posixpath.commonpath([path, folder])))
        if near:
            return near[0]
        roots = [path for path in free if self._is_root(self.folders[path])]
        fitting = [path for path in roots if values and set(values) <= set(self.folders[path].variables)]
        only = roots if len(roots) == 1 else fitting
        return only[0] if len(only) == 1 else None

    # ---- instances

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """Every resource of every root with every environment's data; resources that data switch off are left out."""
        return tuple(each for each in self._everything if each.item.block.kind == "resource")

    @cached_property
    def lookups(self) -> tuple[Instance, ...]:
        """The same for data sources."""
        return tuple(each for each in self._everything if each.item.block.kind == "data")

    @cached_property
    def _everything(self) -> tuple[Instance, ...]:
        return tuple(
            instance
            for path in sorted(self.roots)
            for data in (self.data_of(path) or (None,))
            for workspace in self._workspaces(path, data)
            for instance in self._instances_of(path, data, workspace)
        )

    def _workspaces(self, root: str, data: Data | None) -> tuple[str, ...]:
        """The workspaces of a root: the one of an environment's data, or those that maps of the root speak of."""
        if data and not data.is_common:
            return (data.environment,)
        folder = self.folders[root]
        scope = self._scope(folder, data.values if data else {}, "")
        attributes = [
            each for item in folder.items for block in item.block.walk() for each in block.attributes.values()
        ]
        maps = [value(each, scope) for attribute in attributes for each in looked_up(attribute.expression)]
        names = dict.fromkeys(name for each in maps if isinstance(each, dict) for name in each)
        return tuple(str(name) for name in names if name != "default") or ("",)

    def _instances_of(self, root: str, data: Data | None, workspace: str) -> Iterator[Instance]:
        environment = data.environment if data else environment_of(root)
        if workspace and (data is None or data.is_common):
            environment = workspace
        where = environment, root, data, workspace
        yield from self._expand(root, dict(data.values) if data else {}, where, ())

    def _expand(
        self, path: str, given: Mapping[str, Any], where: tuple[str, str, Data | None, str], above: tuple[str, ...]
    ) -> Iterator[Instance]:
        folder = self.folders.get(path)
        if folder is None or path in above or len(above) > _DEEPEST:
            return
        scope = self._scope(folder, given, where[3])
        for item in (*folder.resources.values(), *folder.all("data")):
            for each in _repeated(item.block, scope):
                yield Instance(where[0], where[1], path, item, each, where[2])
        for call in folder.calls.values():
            for each in _repeated(call.block, scope)[:1]:
                inner = {name: value(attribute.expression, each) for name, attribute in call.block.attributes.items()}
                yield from self._expand(folder.called(call) or "", inner, where, (*above, path))

    def _scope(self, folder: Folder, given: Mapping[str, Any], workspace: str) -> Scope:
        variables = {name: _default(item.block) for name, item in folder.variables.items()}
        variables |= {name: each for name, each in given.items() if name in variables}

        def resource(type_: str, name: str, attribute: str) -> Any:
            item = folder.resources.get(f"{type_}.{name}")
            found = item.block.attributes.get(attribute) if item else None
            if found is None or item is None or {"count", "for_each"} & set(item.block.attributes):
                return UNKNOWN
            return value(found.expression, scope)

        scope = Scope(variables, {name: each for name, (_, each) in folder.locals.items()}, resource)
        scope = replace(scope, workspace=workspace or UNKNOWN)
        return scope


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is given twice")
    return found


def _default(block: Block) -> Any:
    attribute = block.attributes.get("default")
    return value(attribute.expression, NOWHERE) if attribute else UNKNOWN


def _repeated(block: Block, scope: Scope) -> list[Scope]:
    """One scope for each time a block is made: by `count`, by `for_each`, or once."""
    count, each = block.attributes.get("count"), block.attributes.get("for_each")
    if count:
        number = value(count.expression, scope)
        known = isinstance(number, int)
        indexes = range(min(int(number), 20)) if known else [UNKNOWN]
        return [scope.with_bound(count={"index": index}) for index in indexes]
    if each:
        pairs = _pairs(value(each.expression, scope))
        return [scope.with_bound(each={"key": key, "value": content}) for key, content in pairs]
    return [scope]


def _pairs(things: Any) -> list[tuple[Any, Any]]:
    if isinstance(things, dict):
        return list(things.items())
    return [(each, each) for each in things] if isinstance(things, list) else [(UNKNOWN, UNKNOWN)]


def valued(block: Block, name: str, scope: Scope) -> Any:
    """What an argument of a block comes to; None when it is not set."""
    attribute = block.attributes.get(name)
    return value(attribute.expression, scope) if attribute else None


def inner_blocks(block: Block, kind: str, scope: Scope) -> list[tuple[Block, Scope]]:
    """The inner blocks of a kind, written or made by `dynamic`, each with what names mean inside it."""
    found = [(each, scope) for each in block.blocks if each.kind == kind]
    for dynamic in block.blocks:
        if dynamic.kind == "dynamic" and dynamic.name == kind:
            content = next(iter(dynamic.inner("content")), None)
            named = dynamic.attributes.get("iterator")
            iterator = named.word if named else kind
            for each in _repeated(dynamic, scope):
                if content:
                    found.append((content, each.with_bound(**{iterator: each.bound.get("each", UNKNOWN)})))
    return found

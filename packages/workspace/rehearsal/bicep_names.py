"""Where the resources and modules of a Bicep file are: which one an expression means, its scope, its id."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workspace.rehearsal.bicep_symbols import Scope, Symbol, children, local_names
from workspace.rehearsal.bicep_syntax import Access, Call, Child, File, Loop, Name, Text
from workspace.rehearsal.bicep_tokens import BicepError

SCHEMAS = {
    "resourceGroup": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "subscription": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
    "managementGroup": "https://schema.management.azure.com/schemas/2019-08-01/managementGroupDeploymentTemplate.json#",
    "tenant": "https://schema.management.azure.com/schemas/2019-08-01/tenantDeploymentTemplate.json#",
}

_GROUPS = "microsoft.resources/resourcegroups"


@dataclass(frozen=True, slots=True)
class Use:
    """A resource or module as an expression names it, with the index when it is one of a loop."""

    symbol: Symbol
    index: Any = None


@dataclass(frozen=True, slots=True)
class Place:
    """The scope of a deployment: what kind, and the texts that name it."""

    sort: str
    names: tuple[str, ...] = ()
    symbol: Symbol | None = None
    index: Any = None


class Names(ABC):
    """The resources and modules of one file. With `symbolic` they keep their names in the template."""

    def __init__(self, file: File, *, symbolic: bool) -> None:
        self._file = file
        self._source = file.source
        self._symbolic = symbolic
        self._symbols: dict[str, Symbol] = {}
        self._busy: list[str] = []

    @abstractmethod
    def _expression(self, node: Any, scope: Scope) -> str:
        """The text of an expression in the language of templates."""

    def _error(self, node: Any, code: str, message: str) -> BicepError:
        return self._source.error(node if isinstance(node, int) else node.place, code, message)

    def _beyond(self, node: Any, what: str) -> BicepError:
        return self._error(node, "BCP000", f"The rehearsal subset does not know {what}.")

    def _own_scope(self, symbol: Symbol) -> Scope:
        return self._scope_of(symbol, "copyIndex()")

    def _scope_of(self, symbol: Symbol, index: str) -> Scope:
        """The names inside a resource, for the turn of its loop that `index` says."""
        loop = symbol.declaration.loop
        if loop is None:
            return Scope(owner=symbol)
        items = self._expression(loop.items, Scope(owner=symbol.parent))
        return Scope(turn(loop, items, index), symbol)

    @staticmethod
    def _loop(symbol: Symbol) -> Loop:
        loop = symbol.declaration.loop
        if loop is None:
            raise TypeError(f"{symbol.name} is no loop")
        return loop

    def _name_of(self, symbol: Symbol) -> Any:
        name = symbol.body.get("name")
        if name is None:
            raise self._error(
                symbol.declaration,
                "BCP035",
                f'The specified "{symbol.sort}" declaration is missing the following required properties: "name".',
            )
        return name

    def _ancestry(self, symbol: Symbol, scope: Scope) -> list[tuple[Symbol, Scope]]:
        """The resource and its parents, the outermost first, each with the names inside it."""
        above = self._parent(symbol, scope)
        return [*(self._ancestry(*above) if above else ()), (symbol, scope)]

    def _parent(self, symbol: Symbol, scope: Scope) -> tuple[Symbol, Scope] | None:
        if symbol.parent:
            return symbol.parent, self._own_scope(symbol.parent)
        node = symbol.body.get("parent") if symbol.sort == "resource" else None
        if node is None:
            return None
        use = self._use(node, scope)
        if use is None or use.symbol.sort != "resource":
            raise self._error(node, "BCP036", 'The property "parent" expected a resource.')
        if not symbol.type.lower().startswith(use.symbol.type.lower() + "/"):
            raise self._error(
                node,
                "BCP036",
                f'The property "parent" expected a value of type '
                f'"{symbol.type.rpartition("/")[0]}" but the provided value is of type '
                f'"{use.symbol.type}".',
            )
        return use.symbol, self._scope_of_use(use, scope)

    def _scope_of_use(self, use: Use, scope: Scope) -> Scope:
        if use.symbol.declaration.loop is None:
            return self._own_scope(use.symbol)
        if use.index is None:
            raise self._error(
                use.symbol.declaration,
                "BCP144",
                "Directly referencing a resource or module collection is not currently supported here. "
                "Apply an array indexer to the expression.",
            )
        return self._scope_of(use.symbol, self._expression(use.index, scope))

    def _place(self, symbol: Symbol, scope: Scope) -> Place:
        """Where a resource or module is deployed to; for a child, where its outermost parent is."""
        root, inner = self._ancestry(symbol, scope)[0]
        node = root.body.get("scope")
        if node is None:
            return Place(self._file.scope)
        use = self._use(node, inner)
        if use is not None:
            if use.symbol.sort != "resource":
                raise self._error(node, "BCP036", 'The property "scope" expected a resource or a scope.')
            if use.symbol.type.lower() == _GROUPS:
                return self._place_of_group(use, inner)
            return Place("resource", symbol=use.symbol, index=use.index)
        if not isinstance(node, Call) or node.name not in SCHEMAS or node.base is not None:
            raise self._beyond(node, "this kind of scope")
        if len(node.arguments) > (2 if node.name == "resourceGroup" else 1):
            raise self._error(node, "BCP071", "Expected fewer arguments.")
        return Place(node.name, tuple(self._expression(each, inner) for each in node.arguments))

    def _place_of_group(self, use: Use, scope: Scope) -> Place:
        inner = self._scope_of_use(use, scope)
        name = self._expression(self._name_of(use.symbol), inner)
        return Place("resourceGroup", (*self._place(use.symbol, inner).names, name))

    def _id(self, symbol: Symbol, scope: Scope) -> str:
        """The text that gives the id of a resource or module."""
        place = self._place(symbol, scope)
        kind, names = f"'{symbol.type}'", self._segments(symbol, scope)
        if place.sort == "resource" and place.symbol:
            root_scope = self._ancestry(symbol, scope)[0][1]
            around = self._id_of_use(Use(place.symbol, place.index), root_scope)
            return f"extensionResourceId({', '.join([around, kind, *names])})"
        before = self._around(place)
        return f"{before[0]}({', '.join([*before[1:], kind, *names])})"

    def _around(self, place: Place) -> tuple[str, ...]:
        """The function that makes an id in a place, and its first arguments."""
        if place.sort == "resourceGroup":
            if not place.names:
                return ("resourceId",)
            subscription = place.names[0] if len(place.names) == 2 else "subscription().subscriptionId"
            group = f"format('/subscriptions/{{0}}/resourceGroups/{{1}}', {subscription}, {place.names[-1]})"
            return ("extensionResourceId", group)
        if place.sort == "subscription":
            return ("subscriptionResourceId", *place.names)
        if place.sort == "tenant":
            return ("tenantResourceId",)
        if not place.names:
            return ("extensionResourceId", "managementGroup().id")
        return ("extensionResourceId", f"tenantResourceId('Microsoft.Management/managementGroups', {place.names[0]})")

    def _segments(self, symbol: Symbol, scope: Scope) -> list[str]:
        if symbol.sort == "module":
            return [self._expression(self._name_of(symbol), scope)]
        above = self._parent(symbol, scope)
        own = self._expression(self._name_of(symbol), scope)
        if above:
            return [*self._segments(*above), own]
        count = symbol.type.count("/")
        return [own] if count == 1 else [f"split({own}, '/')[{number}]" for number in range(count)]

    def _id_of_use(self, use: Use, scope: Scope) -> str:
        return self._id(use.symbol, self._scope_of_use(use, scope))

    def _symbolic_name(self, use: Use, scope: Scope) -> str:
        if use.index is None:
            return f"'{use.symbol.path}'"
        return f"format('{use.symbol.path}[{{0}}]', {self._expression(use.index, scope)})"

    def _reference(self, use: Use, scope: Scope, *, whole: bool = False) -> str:
        version = f"'{use.symbol.version}'"
        if self._symbolic:
            name = self._symbolic_name(use, scope)
            return f"reference({name}, {version}, 'full')" if whole else f"reference({name})"
        full = ", 'full'" if whole else ""
        return f"reference({self._id_of_use(use, scope)}, {version}{full})"

    def _use(self, node: Any, scope: Scope) -> Use | None:
        """The resource or module that an expression is, if it is one."""
        if isinstance(node, Name) and node.name not in scope.locals:
            symbol = self._find(node, scope)
            return Use(symbol) if symbol.sort in ("resource", "module") else None
        if isinstance(node, Child):
            return self._nested(node, scope)
        if isinstance(node, Access) and not node.safe and not node.from_end and not is_property(node.key):
            base = self._use(node.base, scope)
            if base and base.index is None and base.symbol.declaration.loop is not None:
                return Use(base.symbol, node.key)
        return None

    def _nested(self, node: Child, scope: Scope) -> Use:
        base = self._use(node.base, scope)
        if base is None or node.name not in base.symbol.children:
            raise self._error(
                node, "BCP158", f'Cannot access nested resources of this, or it has none named "{node.name}".'
            )
        return Use(base.symbol.children[node.name], base.index)

    def _find(self, node: Name, scope: Scope) -> Symbol:
        owner = scope.owner
        while owner is not None:
            if node.name in owner.children:
                return owner.children[node.name]
            owner = owner.parent
        if node.name not in self._symbols:
            raise self._error(node, "BCP057", f'The name "{node.name}" does not exist in the current context.')
        return self._symbols[node.name]

    def _uses(self, node: Any, scope: Scope) -> Iterator[Use]:
        use = self._use(node, scope)
        if use is not None:
            yield use
            if use.index is not None:
                yield from self._uses(use.index, scope)
            return
        if isinstance(node, Name) and node.name not in scope.locals:
            symbol = self._find(node, scope)
            if symbol.sort == "var":
                with Once(self, symbol):
                    yield from list(self._uses(symbol.declaration.value, Scope()))
            return
        hidden = dict.fromkeys(local_names(node), "")
        inner = scope.bind(hidden) if hidden else scope
        for child in children(node):
            yield from self._uses(child, scope if isinstance(node, Loop) and child is node.items else inner)


class Once:
    """Refuses to enter a variable twice: it would need itself."""

    def __init__(self, names: Names, symbol: Symbol) -> None:
        self._busy, self._symbol, self._names = names._busy, symbol, names

    def __enter__(self) -> None:
        if self._symbol.name in self._busy:
            chain = " -> ".join([*self._busy, self._symbol.name])
            raise self._names._error(
                self._symbol.declaration, "BCP080", f'The expression is involved in a cycle ("{chain}").'
            )
        self._busy.append(self._symbol.name)

    def __exit__(self, *_: object) -> None:
        self._busy.pop()


def turn(loop: Loop, items: str, index: str) -> dict[str, str]:
    """What the names of a loop stand for in the turn that `index` says."""
    names = {loop.item: f"{items}[{index}]"}
    return {**names, loop.index: index} if loop.index else names


def is_property(key: Any) -> bool:
    """True for a key that is a plain text."""
    return isinstance(key, Text) and key.plain is not None


def quoted(text: str) -> str:
    """A text as the language of templates writes it."""
    return "'" + text.replace("'", "''") + "'"

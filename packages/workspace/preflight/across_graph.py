"""Rules for what needs what: no circles, nothing of another environment, nobody who calls into the void."""

import posixpath
import re
from collections.abc import Iterator

from lark import Token

from workspace.preflight import shared
from workspace.preflight.across_environments import of_file, of_path
from workspace.preflight.across_inventory import Call, Inventory
from workspace.preflight.across_kinds import GROUP
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_yaml import mapping
from workspace.preflight.terraform_read import Attribute
from workspace.preflight.terraform_tree import Folder, Tree
from workspace.preflight.terraform_units import Units

CYCLE = Rule(
    "graph/cycle",
    Severity.ERROR,
    "Stacks or modules that wait for each other in a circle.",
    "Databases waited for the identity of the service that waited for them; it was found again in staging and prod.",
    "Split one of them, or hand the value over the other way.",
)
OTHER = Rule(
    "graph/other-environment",
    Severity.RISK,
    "An environment that needs what only another environment declares.",
    "The registry stood in dev and the zone in prod: staging and prod needed dev, dev needed prod, a circle.",
    "Declare what is shared above the environments, or give this one its own.",
)
NOBODY = Rule(
    "graph/calls-nobody",
    Severity.ERROR,
    "A program that is told to call a host of the cluster that no Service of its environment has.",
    "The chain was called under a name ending in .internal that no DNS ever had.",
    "Name a Service of the same environment.",
)
PORT = Rule(
    "graph/calls-wrong-port",
    Severity.ERROR,
    "A program that is told to call a port which the Service does not offer.",
    "Every call is refused although both sides are ready.",
    "Name one of the Service's ports.",
)
MODULE = Rule(
    "graph/module-unused",
    Severity.RISK,
    "A Terraform module that nothing calls.",
    "Modules that nobody calls age unseen; orphans stayed in the state and needed a runbook.",
    "Call it or delete it.",
)
RULES = (CYCLE, OTHER, NOBODY, PORT, MODULE)

_SERVICE = re.compile(r"([a-z0-9-]+)(?:\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?)?\.?")
_OUTSIDE = {"localhost", "kubernetes", "host", "metadata", "0"}
_EXPORTED = re.compile(r"(^|/)(examples?|tests?|fixtures|samples?)(/|$)")
_WIRED = re.compile(r"^\|\s*([\w/-]+)\s*\|\s*[\w.-]+\s*\|\s*([\w/-]+)\s*\|\s*[\w.-]+\s*\|\s*$")
_WIRING = re.compile(r"^\|\s*stack\s*\|\s*variable\s*\|\s*from stack\s*\|\s*output\s*\|\s*$", re.MULTILINE)

Edges = dict[str, dict[str, str]]


def check(trees: Trees) -> Iterator[Finding]:
    """What is wrong with needs."""
    units: Units = shared.once(trees.checkout, Units)
    for name, edges in (("stacks", _stacks(trees, units)), *_wired(trees), *_modules(trees.terraform)):
        yield from _circles(name, edges)
    yield from _other_environments(trees.inventory)
    yield from _other_units(units)
    yield from _other_states(trees.terraform)
    yield from _calls(trees)
    yield from _unused(trees, units)


# ---- circles


def _pieces(attribute: Attribute) -> list[str]:
    """The texts of an expression without what is computed between them."""
    parts = (each.children[0] for each in attribute.expression.find_data("string_part"))
    return [str(each) for each in parts if isinstance(each, Token)]


def _stacks(trees: Trees, units: Units) -> Edges:
    """Which stack waits for which, by Terragrunt or by the state it reads."""
    edges: Edges = {}
    for folder, unit in units.all.items():
        for each in unit.dependencies:
            if each.folder is not None:
                edges.setdefault(folder, {})[each.folder] = each.place
    roots = trees.terraform.roots
    keys = {
        key: path
        for path, root in roots.items()
        for _, block in root.settings("backend")
        if (key := block.literal("key")) is not None
    }
    for path, root in roots.items():
        for key, place in _states(root):
            if key in keys:
                edges.setdefault(path, {})[keys[key]] = place
    return edges


def _wired(trees: Trees) -> Iterator[tuple[str, Edges]]:
    """The same by tables that say which stack takes its variables from which."""
    for file in trees.checkout.matching("*.md"):
        text, edges = trees.checkout.found(file), Edges()
        for number, line in enumerate(text.splitlines() if _WIRING.search(text) else (), 1):
            row = _WIRED.match(line)
            if row and row[1] != "stack" and row[1].strip("-"):
                edges.setdefault(row[1], {})[posixpath.basename(row[2])] = f"{file}:{number}"
        yield f"stacks of {file}", edges


def _states(root: Folder) -> Iterator[tuple[str, str]]:
    """The keys of other states that a root reads, as far as they are written out, each with its place."""
    for item in root.all("data"):
        config = item.block.attributes.get("config")
        if item.block.labels[0] == "terraform_remote_state" and config:
            for text in _pieces(config):
                if "/" in text or text.endswith(".tfstate"):
                    yield text, item.place


def _modules(tree: Tree) -> Iterator[tuple[str, Edges]]:
    """Which module of a folder waits for which as a whole: what depends_on says, and what such a module reads."""
    for path, folder in tree.folders.items():
        whole: Edges = {}
        for name, call in folder.calls.items():
            depends = call.block.attributes.get("depends_on")
            for reference in depends.references if depends else ():
                if reference.path[0] == "module":
                    whole.setdefault(name, {})[reference.path[1]] = call.at(depends.line if depends else 0)
        for name in {target for targets in whole.values() for target in targets} & set(folder.calls):
            call = folder.calls[name]
            for attribute in call.block.attributes.values():
                for reference in attribute.references:
                    if reference.path[0] == "module" and attribute.name != "depends_on":
                        whole.setdefault(name, {}).setdefault(reference.path[1], call.at(attribute.line))
        if whole:
            yield f"modules of {path}", whole


def _circles(name: str, edges: Edges) -> Iterator[Finding]:
    told: set[frozenset[str]] = set()
    for start in sorted(edges):
        way = _way_back(edges, start)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            circle = " needs ".join((*way, start))
            yield CYCLE.at(edges[start][way[1] if len(way) > 1 else start], f"Of the {name}, {circle}.")


def _way_back(edges: Edges, start: str) -> list[str]:
    """The shortest way from a stack to itself; nothing when there is none."""
    left, seen = [[start]], set()
    while left:
        way = left.pop(0)
        for target in edges.get(way[-1], {}):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                left.append([*way, target])
    return []


# ---- other environments


def _other_environments(inventory: Inventory) -> Iterator[Finding]:
    for each in inventory.mentions:
        own = each.said.environment
        where = {one.said.environment for one in inventory.named(each.kind, each.name)}
        if own in inventory.environments and where and not where & {own, ""} and each.kind is not GROUP:
            what = f"{own} needs the {each.kind.word} {each.name}, which only {' and '.join(sorted(where))} declares."
            yield OTHER.at(each.said.place, what, own)


def _other_units(units: Units) -> Iterator[Finding]:
    for folder, unit in units.all.items():
        own = of_path(folder)
        for each in unit.dependencies:
            other = of_path(each.folder or "")
            if own and other and other != own:
                yield OTHER.at(each.place, f"{own} needs {each.folder}, a stack of {other}.", own)


def _other_states(tree: Tree) -> Iterator[Finding]:
    for path, root in tree.roots.items():
        own = of_path(path)
        for key, place in _states(root):
            other = of_path(key) or of_file(key)
            if own and other and other != own:
                yield OTHER.at(place, f"{path} of {own} reads {key}, the state of {other}.", own)


# ---- calls inside the cluster


def _calls(trees: Trees) -> Iterator[Finding]:
    has_charts = any(scene.of("HelmRelease", "HelmChart", "Application") for scene in trees.scenes)
    has_charts |= any(each.is_fetching for each in trees.manifests.kustomizations.values())
    has_charts |= bool(trees.checkout.matching("*Chart.yaml", "*helmfile.yaml"))
    for each in trees.inventory.calls:
        yield from _call(trees, each, has_charts)


def _call(trees: Trees, each: Call, has_charts: bool) -> Iterator[Finding]:
    scene = trees.scene(each.said.environment)
    found = _SERVICE.fullmatch(each.host)
    if scene is None or not scene.of("Service"):
        return
    if not found or found[1] in _OUTSIDE:
        if each.host.endswith((".mesh", ".internal", ".intern")) and not _is_private(trees, each.host):
            what = f"{each.caller} calls {each.host}, and no private zone of the checkout has that name."
            yield scene.find(NOBODY, each.said.place, what)
        return
    name, namespace = found[1], found[2] or each.namespace
    spaces = {one.namespace for one in scene.things}
    if found[2] and (found[2] not in spaces or "." not in each.host):
        return
    service = scene.one("Service", name, namespace) if namespace else scene.one("Service", name)
    if service is None:
        if not has_charts:
            what = f"{each.caller} calls {each.host}, and {scene.environment} has no Service {name}."
            yield scene.find(NOBODY, each.said.place, what)
        return
    ports = {mapping(one).get("port") for one in service.items("spec", "ports")}
    if each.port is not None and ports and each.port not in ports:
        offered = ", ".join(sorted(map(str, ports)))
        yield scene.find(
            PORT, each.said.place, f"{each.caller} calls {each.host}:{each.port}; {service} offers {offered}."
        )


def _is_private(trees: Trees, host: str) -> bool:
    """True when a private zone of the checkout may hold the host, or a platform keeps such names."""
    if host in ("host.docker.internal", "metadata.google.internal", "host.minikube.internal"):
        return True
    names = [each.get("name") for each in trees.terraform.instances if "private_dns_zone" in each.type]
    return any(not isinstance(each, str) or host.endswith(f".{each}") for each in names)


# ---- modules


def _unused(trees: Trees, units: Units) -> Iterator[Finding]:
    tree = trees.terraform
    if not tree.roots:
        return
    for path, folder in tree.folders.items():
        if path in tree.called or path in tree.roots or _EXPORTED.search(path) or not folder.variables:
            continue
        if not folder.resources or _is_named(trees, units, path) or trees.sources.names(path):
            continue
        yield MODULE.at(folder.items[0].file, f"Nothing calls the module {path}.")


def _is_named(trees: Trees, units: Units, path: str) -> bool:
    """True when a unit stands in the module's folder, or a unit's or call's address ends in it."""
    if any(unit == path or unit.startswith(f"{path}/") for unit in units.all):
        return True
    ending = re.compile(rf"(^|/){re.escape(posixpath.basename(path))}(\?|$)")
    blocks = [call.block for folder in trees.terraform.folders.values() for call in folder.calls.values()]
    blocks += [block for config in units.configs for block in config.block.walk()]
    texts = (text for block in blocks if "source" in block.attributes for text in _pieces(block.attributes["source"]))
    return any(ending.search(text) for text in texts)

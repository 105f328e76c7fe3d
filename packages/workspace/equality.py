"""Whether what an environment has now is what its release says: part for part, definition for definition."""

import re
from collections.abc import Iterator, Mapping

from workspace import definitions, manifests
from workspace.execution import Execution
from workspace.inputs import fingerprint
from workspace.node import Kind, Node
from workspace.release import Release

_SAME_EVERYWHERE = (Kind.STACK, Kind.TEMPLATE, Kind.WORKLOAD)
_SHOWN = 5
_PROVIDERS = "/providers"
_PROVIDER = re.compile(r'^provider "([^"]+)" \{\n\s*version\s*=\s*"([^"]+)"', re.MULTILINE)


def defined(execution: Execution) -> dict[str, str]:
    """What defines each node whose definition travels, with what differs between environments left out.

    A stack has its files and modules, and beside them its lock (`NODE/lock`) and the providers that were chosen, by it
    or without one (`NODE/providers`); a workload the sources of its overlay, and beside them what they are rendered to
    (`NODE/rendered`); a template what it is compiled to; a record its type and time to live.
    """
    found = {name: digest for each in execution.plan.nodes.values() for name, digest in _of(execution, each)}
    found |= {f"{name}{_PROVIDERS}": providers(text) for name, text in execution.locks.items()}
    return {name: digest for name, digest in found.items() if digest}


def refuted(execution: Execution, release: Release) -> str:
    """A sentence on what is other than the release says; empty when nothing is."""
    found = list(_differences(execution, release))
    if not found:
        return ""
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"Release {release.id} is not proven in {execution.place}, because what is there now is not what it says: "
        f"{'; '.join(found[:_SHOWN])}{more}. Find out who changed it, then run promote/{execution.place} again."
    )


def _differences(execution: Execution, release: Release) -> Iterator[str]:
    yield from _compared("has", release.parts, execution.parts, release.parts.keys() | execution.parts.keys())
    yield from _running(execution, set(release.parts.values()))
    now = defined(execution)
    # A name of its own may need records that others do not; what defines those both have is the same.
    common = {name for name, node in execution.plan.nodes.items() if node.kind in _SAME_EVERYWHERE}
    names = {name for name in now if name in release.nodes or name.partition("/")[0] in common}
    # A release of a time when locks did not travel says nothing of them.
    names = {name for name in names if name in release.nodes or release.locks or not name.endswith(_PROVIDERS)}
    absent = {name for name in release.nodes if name.partition("/")[0] in common}
    yield from _compared("is defined by", release.nodes, now, names | absent)


def _compared(verb: str, wanted: Mapping[str, str], found: Mapping[str, str], names: set[str]) -> Iterator[str]:
    for name in sorted(names):
        one, other = wanted.get(name, "nothing"), found.get(name, "nothing")
        if one != other:
            yield f"{name} {verb} {_short(other)}, not {_short(one)}"


def _running(execution: Execution, parts: set[str]) -> Iterator[str]:
    """What apps, sites and workloads said that they run, where the release does not have it."""
    for name, result in sorted(execution.results.items()):
        kind = execution.plan.nodes[name].kind
        runs: set[str] = set()
        if kind in (Kind.APP, Kind.SITE):
            runs = {result.content}
        elif kind is Kind.WORKLOAD:
            runs = {manifests.digest_of(str(each)) for each in result.gives.get("images", {}).values()}
        for each in sorted(runs - parts):
            yield f"{name} runs {_short(each) or 'nothing that is known'}, which the release does not have"


def _of(execution: Execution, node: Node) -> Iterator[tuple[str, str]]:
    kept, settings, result = execution.definitions, node.settings, execution.results[node.id]
    if node.kind is Kind.RECORD:
        # Where no CNAME may stand an alias leads to the same place.
        leads_to_a_name = settings.get("type") == "CNAME" or "target" in settings
        kind = "CNAME" if leads_to_a_name else settings.get("type")
        yield node.id, fingerprint({"type": kind, "ttl": settings.get("ttl")})
    elif node.kind is Kind.TEMPLATE:
        yield node.id, result.content
    elif kept and node.kind is Kind.STACK:
        yield node.id, definitions.stack(kept.root, str(settings["root"]))
        yield f"{node.id}/lock", definitions.lock(kept.root, str(settings["root"]))
    elif kept and node.kind is Kind.WORKLOAD:
        yield node.id, definitions.workload(kept.root, str(settings["overlay"]))
        yield f"{node.id}/rendered", str(result.gives.get("rendered", ""))


def providers(lock: str) -> str:
    """The providers that a lock file names, with their versions, in words."""
    found = _PROVIDER.findall(lock)
    return ", ".join(f"{address.partition('/')[2]} {version}" for address, version in sorted(found))


def _short(content: str) -> str:
    """A digest cut to what tells two apart; other words as they are."""
    if content.startswith("sha256:"):
        return content[:19]
    return content if " " in content else content[:12]

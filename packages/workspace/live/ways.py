"""Whether what a run works with is there: registry, feeds, name servers, programs, cluster, states of Terraform."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workspace.errors import Broken, Refused, WorkspaceError
from workspace.live.needs import Needs
from workspace.node import Kind
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import (
    CLUSTER,
    CLUSTER_VERSION,
    DELEGATION,
    FEED,
    LOCKED,
    REGISTRY,
    STATE,
    TOOL,
    VERSION,
)

_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.MULTILINE | re.IGNORECASE)
_CONDITION = re.compile(r"\s*(~>|>=|<=|!=|>|<|=)?\s*v?(\d+(?:\.\d+)*)\s*")
_ZONE_VERSION = "2018-05-01"


def registry(outside: Any) -> Iterator[Finding]:
    """Whether the registry lets us in."""
    try:
        outside.registry.describe()
    except WorkspaceError as error:
        yield REGISTRY.at(str(outside.addresses.registry), f"The registry cannot be used: {error}")


def feeds(needs: Needs) -> Mapping[str, str]:
    """The registries of the base images that are built from here, each with the Dockerfile that names it."""
    found: dict[str, str] = {}
    for node in needs.of_kind(Kind.IMAGE):
        name = str(node.settings.get("dockerfile", ""))
        file = needs.sources / name
        if needs.place.builds and file.is_file():
            for each in _bases(file):
                found.setdefault(each, name)
    return found


def _bases(file: Path) -> Iterator[str]:
    stages = {"scratch"}
    for base, stage in _FROM.findall(file.read_text(encoding="utf-8", errors="replace")):
        if base.lower() not in stages and "$" not in base:
            first, slash, _ = base.partition("/")
            is_host = slash and ("." in first or ":" in first or first == "localhost")
            yield first if is_host else "registry-1.docker.io"
        stages.add(stage.lower())


def feed(host: str, file: str, outside: Any) -> Iterator[Finding]:
    """Whether a registry of base images answers."""
    try:
        outside.feeds.greet(host)
    except WorkspaceError as error:
        yield FEED.at(host, f"{file} builds from {host}, and {error}.")


def delegation(zone_id: str, zone: str, outside: Any) -> Iterator[Finding]:
    """Whether the public finds the zone, where there is one, at its own name servers."""
    found = outside.inspection.resource(zone_id, _ZONE_VERSION)
    if found is None:
        return
    wanted = _servers((found.get("properties") or {}).get("nameServers") or ())
    said = _servers(outside.resolver.answers(zone, "NS"))
    if said != wanted:
        told = f"The public finds {zone} at {', '.join(said) or 'no name server'}; its own are {', '.join(wanted)}."
        yield DELEGATION.at(zone_id, told)


def _servers(names: Any) -> list[str]:
    return sorted(str(each).rstrip(".").lower() for each in names)


def terraform(needs: Needs, outside: Any) -> Iterator[Finding]:
    """Whether Terraform is here, and in a version that each stack takes."""
    try:
        version = outside.terraform.version()
    except (Broken, Refused) as error:
        yield TOOL.at("terraform", f"Terraform does not run here: {error}")
        return
    refusing: dict[str, list[str]] = {}
    for root, condition in needs.versions():
        if not fits(version.number, condition):
            refusing.setdefault(condition, []).append(root)
    for condition, roots in sorted(refusing.items()):
        yield VERSION.at("terraform", f"{version} is here, and {', '.join(roots)} ask for {condition}.")


def fits(version: str, condition: str) -> bool:
    """Whether a version of Terraform fits a condition as `>= 1.5, < 2`; broken for a condition that is none."""
    mine = _parts(version)
    for each in condition.split(","):
        found = _CONDITION.fullmatch(each)
        if found is None:
            raise Broken(f"{condition} is no condition on a version of Terraform.")
        sign, wanted = found[1] or "=", _parts(found[2])
        width = len(wanted)
        padded = (*wanted, 0, 0, 0)[:3]
        holds = {
            "=": mine == padded,
            "!=": mine != padded,
            ">": mine > padded,
            "<": mine < padded,
            ">=": mine >= padded,
            "<=": mine <= padded,
            "~>": mine >= padded and mine[: max(1, width - 1)] == wanted[: max(1, width - 1)],
        }
        if not holds[sign]:
            return False
    return True


def _parts(version: str) -> tuple[int, ...]:
    numbers = tuple(int(each) for each in version.split("-")[0].split(".")[:3])
    return numbers if version.count(".") < 2 else (*numbers, 0, 0)[:3]


def bicep(outside: Any) -> Iterator[Finding]:
    """Whether a Bicep compiler is here."""
    try:
        outside.bicep.command()
    except WorkspaceError as error:
        yield TOOL.at("bicep", f"Bicep does not run here: {error}")


def engine(outside: Any) -> Iterator[Finding]:
    """Whether a Docker engine answers."""
    try:
        outside.engine.describe()
    except WorkspaceError as error:
        yield TOOL.at("docker", f"No Docker engine answers: {error}")


def cluster(needs: Needs, outside: Any) -> Iterator[Finding]:
    """Whether the cluster, where there is one, runs, answers us, and can have the version of the definitions."""
    wanted = needs.cluster()
    if wanted is None:
        return
    group, name, variables = wanted
    found = outside.managed_clusters.cluster(group, name)
    if found is None:
        return
    place = f"{group}/{name}"
    try:
        outside.managed_clusters.ready(group, name)
        outside.cluster(group, name).identity()
    except WorkspaceError as error:
        yield CLUSTER.at(place, f"{name} cannot be used: {error}")
    asked = str(variables["kubernetes_version"])
    runs, wants = _minor(found.version), _minor(asked)
    if runs and wants and not 0 <= wants[1] - runs[1] <= 1:
        way = "lower" if wants < runs else "more than one minor version above"
        yield CLUSTER_VERSION.at(
            place, f"{name} runs {found.version}, and the definitions say {asked}, which is {way}."
        )


def _minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None


def states(needs: Needs, outside: Any) -> Iterator[Finding]:
    """Whether the store of states is there, and which of them somebody has locked."""
    for node in needs.of_kind(Kind.STACK):
        key = f"{needs.place.name}/{node.settings['root']}.tfstate"
        try:
            holder = outside.states.holder(key)
        except Broken as error:
            yield STATE.at(key, f"The state {key} cannot be read: {error}")
            return
        if holder:
            yield LOCKED.at(key, f"The state {key} is locked by {holder}.")

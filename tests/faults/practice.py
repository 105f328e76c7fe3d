"""A promoted workspace to practise faults on: given something to do, run with a fault in force, run again."""

import contextlib
import hashlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workspace import ending, patience, promotion, scheduler
from workspace.addresses import Addresses
from workspace.ledger import Event, Ledger
from workspace.node import Node
from workspace.outside import Outside
from workspace.rehearsal.cloud import Resource, parse
from workspace.rehearsal.faults import MET
from workspace.rehearsal.server import Rehearsal
from workspace.scheduler import Patience
from workspace.work import Result

import deployments
from deployments import catalogue, faults

PAUSES = (0.05,) * len(patience.DELAYS)
"""As many tries as in a real run, with hardly a pause between them."""

TRIES = 1 + len(PAUSES)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_CLUSTER = "mystira-dev-rg", "mystira-dev-aks"
_LOOK_SECONDS = 0.01
_FLEETING = {
    "Pod", "ReplicaSet", "Event", "Endpoints", "EndpointSlice", "Lease", "ControllerRevision", "CertificateRequest",
    "Order", "Challenge", "Node",
}  # fmt: skip
_SHORTEST_SECRET = 16


@dataclass(frozen=True)
class Told:
    """What came of a run: results by node, every line of progress by node, the sentence at its end."""

    results: Mapping[str, Result]
    lines: Mapping[str, Sequence[str]]
    sentence: str

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each node."""
        return {name: str(result.outcome) for name, result in self.results.items()}


class Practice:
    """A copy of the promoted workspace in a folder, with its stand-ins at work until it is closed.

    After each practice everything is again what it should be, so the next one may begin there. `settings` and `sources`
    are what has changed since the promotion; `turn` makes each change another one.
    """

    def __init__(self, promoted: Path, folder: Path) -> None:
        shutil.copytree(promoted, folder, dirs_exist_ok=True)
        self.folder, self.stage = folder, folder / "rehearsal"
        self.settings: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, Any] = {}
        self.turn = 0
        self.rehearsal = Rehearsal(self.stage, folder / "runs", bare=True)
        self.inforce([])

    def close(self) -> None:
        """Stop the stand-ins."""
        self.rehearsal.close()

    def inforce(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Put these faults in force, or none; trouble of the machine is given a moment to begin or to end."""
        file = self.stage / "faults.json"
        (self.stage / MET).unlink(missing_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(list(entries)))
        partial.replace(file)
        self._deadlines = {each["node"]: each["deadline_seconds"] for each in entries if "deadline_seconds" in each}
        while not self.rehearsal.machine.is_settled:
            time.sleep(_LOOK_SECONDS)

    def run(self, environment: str, nodes: Sequence[str]) -> Told:
        """Run these nodes of an environment; what they need of others was settled before."""
        self.turn += 1
        run = f"practice-{self.turn}"
        addresses = Addresses.model_validate(self.rehearsal.addresses)
        told = {"sources": {**addresses.sources, **self.sources}, "deadlines": self._deadlines}
        place = deployments.find(environment)
        opening = promotion.opened(
            place,
            [self._with_settings(each) for each in deployments.nodes(place)],
            addresses.model_copy(update=told),
            run=run,
            sources=deployments.SOURCES,
            folders=deployments.DEFINITIONS,
            owner=run,
            following=deployments.following(place),
            narrow=lambda plan: plan.narrowed(nodes),
        )
        with opening as execution:
            execution.begin()
            scheduler.settle(execution, Patience(PAUSES))
            return Told(dict(execution.results), self._lines(run), ending.sentence(execution))

    def met(self) -> int:
        """How often a fault was met."""
        return sum(faults.met(self.stage).values())

    def secrets(self) -> set[str]:
        """Every value in every vault, every key a person brought, and the client's own secret."""
        kept = {str(each.get("_value", "")) for each in self.rehearsal.cloud.all()}
        brought = {file.read_text() for file in (self.stage / "secrets").iterdir()}
        own = {json.loads((self.stage / "identity.json").read_text())["client_secret"]}
        return {each for each in kept | brought | own if len(each) >= _SHORTEST_SECRET}

    def _with_settings(self, node: Node) -> Node:
        return replace(node, settings={**node.settings, **self.settings.get(node.id, {})})

    def _lines(self, run: str) -> dict[str, list[str]]:
        with contextlib.closing(Ledger(self.folder / "runs")) as ledger:
            found: dict[str, list[str]] = {}
            for entry in ledger.after(0, run=run):
                if entry.event is Event.PROGRESS:
                    found.setdefault(entry.node, []).append(str(entry.body["line"]))
            return found


def promoted(folder: Path, environments: Sequence[str] = ("world", "dev")) -> None:
    """Promote these environments from nothing into a folder; it holds the whole workspace, at rest."""
    (folder / "rehearsal").mkdir(parents=True)
    places = map(deployments.find, deployments.environments())
    (folder / "rehearsal" / "by-hand.json").write_text(json.dumps(catalogue.by_hand(places)))
    with Rehearsal(folder / "rehearsal", folder / "runs", bare=True) as rehearsal:
        for environment in environments:
            place = deployments.find(environment)
            told = promotion.promote(
                place,
                deployments.nodes(place),
                Addresses.model_validate(rehearsal.addresses),
                run=f"first-{environment}",
                sources=deployments.SOURCES,
                folders=deployments.DEFINITIONS,
                following=deployments.following(place),
            )
            assert told.success, told.sentence


# What there is, told so that two moments can be compared.


def things(practice: Practice) -> dict[str, str]:
    """Everything that lasts in Azure, the cluster and the registry, by a short name, as a digest of its content."""
    found: dict[str, str] = {}
    for each in practice.rehearsal.cloud.all():
        if not _is_log(each):
            found[_short(each)] = found.get(_short(each), "") + _digest(_lasting(each))
    for body in practice.rehearsal._clusters.objects(*_CLUSTER):
        if body["kind"] not in _FLEETING:
            metadata = body["metadata"]
            name = f"{body['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
            labels = {key: metadata.get(key) for key in ("labels", "annotations")}
            content = {key: value for key, value in body.items() if key not in ("status", "metadata")}
            found[name] = _digest({**content, "metadata": _without_revision(labels)})
    for tag in (practice.stage / "registry").rglob("_tags/*"):
        found[f"image {tag.parent.parent.name}:{tag.name}"] = tag.read_text()
    return found


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """What was made, changed or deleted between two moments."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _short(resource: Resource) -> str:
    place = parse(resource["id"])
    return _UUID.sub("*", f"{place.type.split('/', 1)[1]} {'/'.join(place.names)}")


def _is_log(resource: Resource) -> bool:
    return parse(resource["id"]).type.lower() == "microsoft.resources/deployments"


def _lasting(resource: Resource) -> dict[str, Any]:
    """The resource without what tells only of when it was written."""
    kept = {key: value for key, value in resource.items() if not key.startswith("_") or key in ("_value", "_sha256")}
    properties = {k: v for k, v in (kept.get("properties") or {}).items() if "time" not in k.lower()}
    return {**kept, "etag": "", "properties": properties}


def _without_revision(value: dict[str, Any]) -> dict[str, Any]:
    annotations = value.get("annotations") or {}
    return {**value, "annotations": {k: v for k, v in annotations.items() if "revision" not in k}}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


# What gives nodes something to do. Each is one change since the promotion.


@dataclass(frozen=True)
class Drift:
    """Somebody changed a tag of a resource by hand; the resource is told by its short name."""

    thing: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        found = resource(practice, self.thing)
        practice.rehearsal.cloud.put({**found, "tags": {"changed": f"by hand {practice.turn}"}})


@dataclass(frozen=True)
class Rotated:
    """Somebody gave a secret of a vault a new value."""

    thing: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        found = resource(practice, self.thing)
        practice.rehearsal.cloud.put({**found, "_value": f"{secrets.token_urlsafe(24)}"})


@dataclass(frozen=True)
class Gone:
    """Somebody deleted a resource by hand."""

    thing: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        practice.rehearsal.cloud.delete(resource(practice, self.thing)["id"])


@dataclass(frozen=True)
class Source:
    """Somebody changed what an image is built from."""

    service: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        name = f"infra/docker/{self.service}/Dockerfile"
        recipe = practice.rehearsal.addresses["sources"][name]
        folder = practice.folder / "changed" / self.service
        folder.mkdir(parents=True, exist_ok=True)
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text(f"{(deployments.SOURCES / recipe['dockerfile']).read_text()}LABEL turn={practice.turn}\n")
        practice.sources[name] = {**recipe, "dockerfile": str(dockerfile)}


@dataclass(frozen=True)
class Pages:
    """Somebody changed what a package is made of."""

    app: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        name = f"packages/app/{self.app}/publish"
        folder = practice.folder / "changed" / self.app
        shutil.copytree(practice.rehearsal.addresses["sources"][name], folder, dirs_exist_ok=True)
        (folder / "changed.txt").write_text(str(practice.turn))
        practice.sources[name] = str(folder)


@dataclass(frozen=True)
class Slot:
    """An app has a deployment slot, as in prod."""

    app: str
    site: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        practice.settings[self.app] = {"slot": "staging"}
        found = resource(practice, f"sites {self.site}")
        slot = f"{found['id']}/slots/staging"
        if practice.rehearsal.cloud.get(slot) is None:
            made = {**found, "id": slot, "name": "staging", "type": "Microsoft.Web/sites/slots"}
            properties = {k: v for k, v in made["properties"].items() if not k.lower().startswith("default")}
            practice.rehearsal.cloud.put({**made, "properties": properties})
            settings = resource(practice, f"sites/config {self.site}/appsettings")
            practice.rehearsal.cloud.put({**settings, "id": f"{slot}/config/appsettings"})


@dataclass(frozen=True)
class Absent:
    """Somebody deleted an object of dev's cluster by hand; it is told by its path in the API."""

    path: str

    def __call__(self, practice: Practice) -> None:
        """Make it so."""
        addresses = Addresses.model_validate(practice.rehearsal.addresses)
        with Outside(addresses) as outside:
            cluster = outside.cluster(*_CLUSTER)
            cluster._ask("delete", self.path, self.path)


Work = Drift | Rotated | Gone | Source | Pages | Slot | Absent


def resource(practice: Practice, thing: str) -> Resource:
    """The resource with this short name."""
    found = [each for each in practice.rehearsal.cloud.all() if _short(each).lower() == thing.lower()]
    assert len(found) == 1, f"{thing}: {len(found)}"
    return found[0]

"""A small outside for the kinds of names, apps and sites: dictionaries that behave like the clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from workspace.clients.app_service import Binding, State
from workspace.clients.static_site import Domain
from workspace.clients.web import Answer
from workspace.clients.zone import RecordSet, Zone
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.node import Kind, Node, Stage
from workspace.work import Work

OLD, NEW = "a" * 64, "b" * 64


def work(kind: Kind, folder: Path, **settings: Any) -> Work:
    """A node of this kind at work in dev."""
    node = Node(f"a-{kind}", kind, Stage.NAMES)
    return Work(node, Environment("dev"), settings, folder, folder)


@dataclass
class Zones:
    """Record sets by name and type, and how often they were written."""

    sets: dict[tuple[str, str], RecordSet] = field(default_factory=dict)
    writes: int = 0

    record = Zone.record
    refusal = Zone.refusal

    def read(self, _group: str, _zone: str, name: str, type: str) -> RecordSet | None:
        return self.sets.get((name, type))

    def ensure(self, group: str, zone: str, wanted: RecordSet, *, adopt: bool = False) -> bool:
        found = self.read(group, zone, wanted.name, wanted.type)
        if refusal := Zone.refusal(self, zone, wanted, found, adopt=adopt):  # type: ignore[arg-type]
            raise Refused(refusal)
        if found and wanted.says_the_same_as(found):
            return False
        self.sets[wanted.name, wanted.type] = wanted
        self.writes += 1
        return True

    def delete(self, _group: str, _zone: str, name: str, type: str, *, owner: str) -> bool:
        return self.sets.pop((name, type), None) is not None


@dataclass
class Resolving:
    """What names resolve to; a wait succeeds when they do."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def answers(self, name: str, type: str = "A") -> Sequence[str]:
        return self.names.get(name, ())

    def wait_for(
        self, name: str, type: str, values: Sequence[str], deadline: float, say: Callable[[str], None]
    ) -> None:
        if tuple(values) != self.names.get(name):
            raise Unsettled(f"{name} says {self.names.get(name)}")


@dataclass
class Asking:
    """Hosts and what they answer, by `host/path`."""

    pages: dict[str, tuple[int, str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, host: str, path: str) -> Answer:
        status, body = self.pages.get(host + path, (404, ""))
        return Answer(host, "127.77.0.1", status, body, self.headers)

    def greet(self, host: str, path: str = "/health") -> Answer:
        answer = self.ask(host, path)
        if answer.status != 200:
            raise Unsettled(f"{host}{path} answers {answer.status}")
        return answer


@dataclass
class Apps:
    """One site with a slot: what each holds, which hosts are bound, and what was done to them."""

    held: dict[str, str] = field(default_factory=lambda: {"": OLD, "staging": ""})
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    bindings: dict[str, Binding] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    is_well: bool = True
    ails: str = ""
    is_there: bool = True

    def state(self, _group: str, site: str, slot: str = "") -> State | None:
        if not self.is_there or slot not in self.held:
            return None
        host = f"{site}-{slot}" if slot else site
        return State(f"{host}.azurewebsites.net", True, "ABC", "plan", "san", (), True)

    def deployed(self, _group: str, _site: str, slot: str = "") -> str:
        return self.held[slot]

    def stale_settings(self, _group: str, _site: str, slot: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
        found = self.settings.get(slot, {})
        return tuple(sorted(name for name in wanted if found.get(name) != wanted[name]))

    def merge_settings(self, group: str, site: str, slot: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
        stale = self.stale_settings(group, site, slot, wanted)
        self.settings.setdefault(slot, {}).update(wanted)
        if stale:
            self.done.append(f"settings {slot or 'production'}")
        return stale

    def deploy(self, _g: str, _s: str, slot: str, package: Path, sha256: str, **_: Any) -> bool:
        if self.held[slot] == sha256:
            return False
        self.held[slot] = sha256
        self.done.append(f"deploy {slot or 'production'}")
        return True

    def warm_up(self, label: str, ask: Callable[[], object], **_: Any) -> None:
        self.done.append(f"warm up {label}")
        if not self.is_well:
            raise Unsettled(f"{label} is not well")
        if label == self.ails and self.held[""] == NEW:
            raise Broken(f"{label} did not become well in time.")

    def swap(self, _group: str, _site: str, slot: str, *, package: str) -> bool:
        assert self.held[slot] == package
        self.held[""], self.held[slot] = self.held[slot], self.held[""]
        self.settings[""], self.settings[slot] = self.settings.get(slot, {}), self.settings.get("", {})
        self.done.append("swap")
        return True

    def binding(self, _group: str, _site: str, host: str) -> Binding | None:
        return self.bindings.get(host)

    def bind(self, _group: str, _site: str, host: str) -> bool:
        self.done.append("bind")
        self.bindings[host] = self.bindings.get(host, Binding(host))
        return True

    def certificate(self, _group: str, host: str) -> str:
        return self.certificates.get(host, "")

    def issue_certificate(self, _group: str, _site: str, host: str, **_: Any) -> str:
        self.done.append("issue")
        return self.certificates.setdefault(host, "4F00")

    def secure(self, _group: str, _site: str, host: str, thumbprint: str) -> bool:
        self.done.append("secure")
        self.bindings[host] = Binding(host, thumbprint)
        return True


@dataclass
class Sites:
    """One static site: what it holds and its domains."""

    held: str = ""
    name: str = "pwa.azurestaticapps.net"
    domains: dict[str, Domain] = field(default_factory=dict)
    uploads: int = 0

    def host(self, _group: str, _name: str) -> str:
        return self.name

    def deployed(self, _group: str, _name: str) -> str:
        return self.held

    def deploy(self, _group: str, _name: str, url: str, sha256: str, **_: Any) -> bool:
        self.held = sha256
        self.uploads += 1
        return True

    def domain(self, _group: str, _name: str, host: str) -> Domain | None:
        return self.domains.get(host)

    def bind(self, _group: str, _name: str, host: str, **_: Any) -> bool:
        was = self.domains.get(host)
        self.domains[host] = Domain(host, "Ready")
        return was is None or not was.is_ready


class Store:
    """Packages that are all there."""

    def path(self, sha256: str) -> Path:
        return Path(f"/packages/{sha256}")

    def url(self, sha256: str) -> str:
        return f"file:///packages/{sha256}"


class Outside(SimpleNamespace):
    """Everything a kind of names, apps and sites may reach for."""

    def __init__(self) -> None:
        super().__init__(
            zone=Zones(),
            resolver=Resolving(),
            web=Asking(),
            app_service=Apps(),
            static_site=Sites(),
            packages=Store(),
        )

"""A small workspace in one process: real kinds and clients where content is kept, small stand-ins for the rest.

Two images and a package, a workload, a site, a record and a check. It knows by itself, from its stand-ins and never
from a ledger, what each environment has. Its definitions are made up, so nobody looks whether they are well.
"""

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import yaml
from images_made import Pusher, digest_of
from served_here import InProcess
from workspace import gate, promotion
from workspace.addresses import Addresses
from workspace.clients.packages import PackageFolder
from workspace.clients.registry import Registry
from workspace.ending import Ending
from workspace.environment import Environment
from workspace.errors import Broken
from workspace.node import Kind, Node, Output, Stage
from workspace.onward import Catalogue
from workspace.preflight.baseline import Sifted
from workspace.preflight.finding import Report
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn

DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")
IMAGES = ("web", "worker")
_HOST = "registry.test"
_DECLARED = {"differences": [{"object": "*", "paths": ["metadata.namespace"], "why": "its own"}]}


@dataclass(frozen=True)
class Change:
    """What a preview shows of one object."""

    name: str
    is_guess: bool = False

    def __str__(self) -> str:
        return f"apply {self.name}"


class Cluster:
    """Objects, and pods that run the bytes that the registry gave when they started."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self.objects, self.writes = registry, dict[str, Any](), 0
        self.pulled: dict[str, tuple[str, bytes]] = {}

    def differences(self, objects: list[dict[str, Any]]) -> list[Change]:
        return [Change(each["metadata"]["name"]) for each in self._other(objects)]

    def apply(self, objects: list[dict[str, Any]], say: Any) -> list[str]:
        done = self._other(objects)
        for each in done:
            self.writes += 1
            self.objects[each["metadata"]["name"]] = each
            for container in each.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
                self.pulled[container["name"]] = self._pull(container["image"])
        return [each["metadata"]["name"] for each in done]

    def revive(self, objects: Any, say: Any, announce: Any) -> list[str]:
        return []

    def wait_ready(self, objects: list[dict[str, Any]], deadline: float, say: Any) -> list[dict[str, Any]]:
        return [self.objects[each["metadata"]["name"]] for each in objects]

    def running_images(self, thing: Any) -> dict[str, frozenset[str]]:
        return {name: frozenset({digest}) for name, (digest, _) in self.pulled.items()}

    def identity(self) -> str:
        return f"uid-{id(self)}"

    def _other(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each for each in objects if self.objects.get(each["metadata"]["name"]) != each]

    def _pull(self, image: str) -> tuple[str, bytes]:
        repository, _, digest = image.removeprefix(f"{_HOST}/").partition("@")
        manifest = self._registry.manifest(repository, digest)
        return manifest.digest, b"".join(b"".join(self._registry.blob(repository, each)) for each in manifest.blobs)


class Sites:
    """Static sites: the bytes that were fetched for each, and what was said to be in them."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.writes, self.fails = 0, False

    def host(self, group: str, name: str) -> str:
        return f"{name}.sites.test"

    def deployed(self, group: str, name: str) -> str:
        return hashlib.sha256(self.bytes[name]).hexdigest() if name in self.bytes else ""

    def deploy(self, group: str, name: str, url: str, package: str, say: Any) -> None:
        if self.fails:
            raise Broken(f"{name} cannot be deployed now")
        self.writes += 1
        self.bytes[name] = Path(urlsplit(url).path).read_bytes()


@dataclass(frozen=True)
class Record:
    """A record set."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    owner: str = ""
    target: str = ""

    def says_the_same_as(self, other: "Record") -> bool:
        return self == other


class Zone:
    """Record sets by name."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.writes = 0

    record = Record

    def refusal(self, zone: str, wanted: Record, found: Record | None, *, adopt: bool) -> str:
        return ""

    def read(self, group: str, zone: str, name: str, type: str) -> Record | None:
        return self.records.get(name)

    def ensure(self, group: str, zone: str, wanted: Record, *, adopt: bool) -> bool:
        is_new = self.records.get(wanted.name) != wanted
        self.writes += is_new
        self.records[wanted.name] = wanted
        return is_new


class Engine:
    """Builds an image of what one file holds, and pushes it."""

    def __init__(self, push: Pusher) -> None:
        self._push, self._built = push, dict[str, str]()

    def describe(self) -> str:
        return "a small engine"

    def inputs(self, context: Path, dockerfile: Path, arguments: Any) -> Any:
        return SimpleNamespace(fingerprint=hashlib.sha256(dockerfile.read_bytes()).hexdigest())

    def build(self, *, dockerfile: Path, tag: str, **_: Any) -> None:
        self._built[tag] = dockerfile.read_text()

    def push(self, reference: str, say: Any, *, login: Any) -> str:
        repository, _, tag = reference.partition("/")[2].partition(":")
        return self._push.image(repository, self._built[reference], tag)


class Arm:
    """Says of everything that it is there, in the one subscription."""

    def subscription(self, name: str) -> tuple[str, str]:
        return name, "t"

    def resource(self, resource_id: str, version: str) -> dict[str, str]:
        return {"id": resource_id}

    def named(self, type: str, name: str) -> dict[str, str]:
        return {"id": f"/subscriptions/s/{type}/{name}"}


@dataclass
class Outside:
    """The clients of the small workspace."""

    addresses: Addresses
    registry: Registry
    packages: PackageFolder
    engine: Engine
    zone: Zone
    static_site: Sites
    clusters: dict[str, Cluster] = field(default_factory=dict)
    kustomize: Any = None
    resolver: Any = None
    web: Any = None
    arm: Arm = field(default_factory=Arm)
    managed_clusters: Any = field(default_factory=lambda: SimpleNamespace(cluster=lambda *names: names))

    def cluster(self, group: str, name: str) -> Cluster:
        return self.clusters.setdefault(name, Cluster(self.registry))


class World:
    """The small workspace in a folder; a checkout of it is a git repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sources, self.runs = folder, folder / "sources", 0
        self.transport = InProcess(RegistryStandIn(folder / "registry", Faults(folder)).app)
        registry = Registry(f"http://{_HOST}", transport=self.transport)
        self.push = Pusher(self.transport)
        self.store = folder / "packages"
        self.addresses = Addresses(subscription="s", state=folder / "state", poll_seconds=0.05)
        packages = PackageFolder(self.store)
        self.outside = Outside(self.addresses, registry, packages, Engine(self.push), Zone(), Sites())
        self.outside.kustomize = SimpleNamespace(render=_render)
        answer = SimpleNamespace(status=200, address="192.0.2.1", headers={})
        self.outside.web = SimpleNamespace(greet=lambda host, path="/": answer)
        self.outside.resolver = SimpleNamespace(
            wait_for=lambda *_: None, answers=lambda host, kind: [answer.address]
        )  # fmt: skip
        self.ttl = 300
        self.write("infra/differences.yaml", yaml.safe_dump(_DECLARED))
        for place in (DEV, STAGING):
            self.write_overlay(place.name, "one")
        for name in (*IMAGES, "app/index.html"):
            self.write(name, f"{name} one")
        self.git("init", "-q", "-b", "main")
        self.commit()

    def close(self) -> None:
        self.outside.registry.close()
        shutil.rmtree(self.folder)

    def write(self, name: str, text: str) -> None:
        file = self.sources / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def write_overlay(self, environment: str, flag: str) -> None:
        """What the workload is rendered to in one environment."""
        containers = [{"name": each, "image": each, "args": [flag]} for each in IMAGES]
        thing = {
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": containers}}},
        }
        self.write(f"infra/overlays/{environment}/web/objects.yaml", yaml.safe_dump(thing))

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(("git", "-C", str(self.sources), *who, *words), check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")

    def promote(self, place: Environment, release: str = "", look: gate.Look = lambda *_: Sifted(Report())) -> Ending:
        self.runs += 1
        return promotion.promote(
            place, self._nodes(place), self.addresses, run=f"run-{self.runs}", sources=self.sources,
            folders=("infra",), by="a test", release=release, reach=self._reach,
            following=[Catalogue(STAGING, tuple(self._nodes(STAGING)))] if place.builds else (),
            look=look,
        )  # fmt: skip

    @property
    def writes(self) -> int:
        """How often anything outside was written to."""
        outside = self.outside
        clusters = sum(each.writes for each in outside.clusters.values())
        return self.transport.writes + clusters + outside.zone.writes + outside.static_site.writes

    def content(self, environment: str) -> dict[str, Any]:
        """What an environment has, asked from the stand-ins: bytes that run and are served, objects, records."""
        cluster = self.outside.clusters.get(environment)
        record = self.outside.zone.records.get(environment)
        objects = [yaml.safe_dump(each["spec"]) for each in (cluster.objects.values() if cluster else ())]
        return {
            "images": {name: digest_of(it) for name, (_, it) in cluster.pulled.items()} if cluster else {},
            "site": digest_of(self.outside.static_site.bytes.get(f"app-{environment}", b"")),
            "objects": objects,
            "record": (record.type, record.ttl) if record else None,
        }

    @contextlib.contextmanager
    def _reach(self, _: Addresses) -> Iterator[Outside]:
        yield self.outside

    def _nodes(self, place: Environment) -> list[Node]:
        name = place.name
        images = [
            Node(f"{each}-image", Kind.IMAGE, Stage.IMAGES, settings={"repository": each, "dockerfile": each})
            for each in IMAGES
        ]
        rollout = {
            "cluster": {"group": "g", "name": name}, "namespace": "n", "overlay": f"infra/overlays/{name}/web",
            "images": {each: Output(f"{each}-image", "reference") for each in IMAGES},
        }  # fmt: skip
        site = {"group": "g", "name": f"app-{name}", "package": Output("app-package", "sha256")}
        record = {
            "zone": "z.test", "group": "g", "name": name, "type": "CNAME", "ttl": self.ttl, "values": [f"{name}.test"]
        }  # fmt: skip
        check = {"host": f"{name}.z.test", "version_path": ""}
        return [
            *images,
            Node("app-package", Kind.PACKAGE, Stage.IMAGES, settings={"name": "app", "source": "app"}),
            Node("rollout", Kind.WORKLOAD, Stage.CLUSTER_ROLLOUT, settings=rollout),
            Node("app", Kind.SITE, Stage.APP_SERVICES, frozenset({"rollout"}), settings=site),
            Node("record", Kind.RECORD, Stage.NAMES, frozenset({"app"}), settings=record),
            Node("check", Kind.CHECK, Stage.VERIFICATION, frozenset({"record"}), settings=check),
        ]


def _render(folder: Path, say: Any = None) -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]

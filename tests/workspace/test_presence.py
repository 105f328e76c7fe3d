"""All of a release is looked for before anything changes, and what is missing is named in one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from images_made import Pusher
from served_here import InProcess
from workspace import presence
from workspace.clients.packages import PackageFolder
from workspace.clients.registry import Registry
from workspace.environment import Environment
from workspace.errors import Refused, Unsettled
from workspace.node import Kind, Node, Stage
from workspace.plan import Plan, draw
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn
from workspace.release import Release
from workspace.work import say_nothing

STAGING = Environment("staging", follows="dev")


@dataclass
class Outside:
    registry: Registry
    packages: PackageFolder


@dataclass
class Scene:
    """A registry with one image, a store with one package, and a release of the two."""

    outside: Outside
    push: Pusher
    digest: str
    sha256: str
    transport: InProcess
    store: Path

    def plan(self, digest: str = "", **settings: str) -> Plan:
        nodes = [
            Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"repository": "web", **settings}),
            Node("app-package", Kind.PACKAGE, Stage.IMAGES, settings={"name": "app", "source": "app"}),
        ]
        parts = {"web-image": digest or self.digest, "app-package": self.sha256}
        return draw(STAGING, nodes, {}, Release(parts, "d" * 64, "dev"))

    def require(self, plan: Plan) -> None:
        before = self.transport.writes
        try:
            presence.require(plan, self.outside, (), say_nothing)
        finally:
            assert self.transport.writes == before


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    transport = InProcess(RegistryStandIn(tmp_path / "registry", Faults(tmp_path)).app)
    store = tmp_path / "packages"
    outside = Outside(Registry("http://registry.test", transport=transport), PackageFolder(store))
    (tmp_path / "app.zip").write_text("an app")
    push = Pusher(transport)
    yield Scene(outside, push, push.image("web", "one"), outside.packages.put(tmp_path / "app.zip"), transport, store)
    transport.close()


def test_a_release_that_is_whole_is_found(scene: Scene) -> None:
    scene.require(scene.plan())


def test_an_image_in_the_repository_it_is_carried_from_is_there(scene: Scene) -> None:
    scene.require(scene.plan(repository="copy", source_repository="web"))


def test_an_index_is_whole_with_one_image_for_the_platform(scene: Scene) -> None:
    index = scene.push.index("web", scene.push.image("web", "arm", platform="linux/arm64"), scene.digest)
    scene.require(scene.plan(index))


def test_a_layer_a_configuration_and_a_manifest_of_an_index_are_missed(scene: Scene) -> None:
    other = scene.push.image("web", "two")
    index = scene.push.index("web", scene.digest, other)
    configuration, layer = scene.push.config_and_layer("web", scene.digest)
    scene.push.remove("web", other)
    scene.push.remove("web", configuration, "blobs")
    scene.push.remove("web", layer, "blobs")
    with pytest.raises(Refused) as told:
        scene.require(scene.plan(index))
    for each in (other, configuration, layer):
        assert each in str(told.value)


@pytest.mark.parametrize("platform", ["linux/arm64", "windows/amd64"])
def test_an_image_for_another_platform_is_refused(scene: Scene, platform: str) -> None:
    digest = scene.push.image("web", "other", platform=platform)
    with pytest.raises(Refused, match=rf"web@{digest} for linux/amd64 \(it is for {platform}\) in registry\.test"):
        scene.require(scene.plan(digest))
    scene.require(scene.plan(digest, platform=platform))


def test_everything_that_is_missing_is_named_in_one_sentence_with_what_to_do(scene: Scene) -> None:
    plan = scene.plan()
    scene.push.remove("web", scene.digest)
    (scene.store / scene.sha256).unlink()
    with pytest.raises(Refused) as told:
        scene.require(plan)
    release = plan.release
    assert release is not None
    assert str(told.value) == (
        f"Release {release.id} cannot be carried to staging, and nothing was touched, because this is missing: "
        f"package app {scene.sha256} (the package store at {scene.store} holds no {scene.sha256}: build it where it is "
        f"built first); web@{scene.digest} in registry.test. Bring it back, or run promote/dev again to make a release "
        f"that is whole, or promote an earlier one by name."
    )


def test_a_package_whose_bytes_changed_is_missing(scene: Scene) -> None:
    (scene.store / scene.sha256).chmod(0o600)
    (scene.store / scene.sha256).write_text("another app")
    with pytest.raises(Refused, match=f"package app {scene.sha256} .* has changed"):
        scene.require(scene.plan())


def test_a_registry_that_cannot_answer_now_is_asked_again_and_then_not_taken_for_an_answer(scene: Scene) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503) if len(asked) < 3 else scene.transport.handle_request(request)

    scene.outside.registry = Registry("http://registry.test", transport=httpx.MockTransport(answer))
    said: list[str] = []
    presence.require(scene.plan(), scene.outside, (0.0, 0.0), said.append)
    assert len(said) == 2
    asked.clear()
    with pytest.raises(Unsettled):
        presence.require(scene.plan(), scene.outside, (0.0,), said.append)


def test_where_nothing_is_carried_nothing_is_looked_for(scene: Scene) -> None:
    node = Node("web-image", Kind.IMAGE, Stage.IMAGES, settings={"repository": "web"})
    scene.push.remove("web", scene.digest)
    scene.require(draw(Environment("dev"), [node], {}))

"""The image kind: built once, carried by digest, harmless the second time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.engine import Engine
from workspace.clients.registry import Registry
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import image
from workspace.node import Kind, Node, Stage
from workspace.rehearsal.engine import EngineStandIn
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.registry import RegistryStandIn
from workspace.rehearsal.serving import Served
from workspace.work import KindModule, Outcome, Preview, Result, Work

HOST = "mystiraacr.azurecr.io"
DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")


@dataclass(frozen=True)
class Outside:
    engine: Engine
    registry: Registry


class Behind:
    """One address for the whole module; each test puts a fresh stand-in behind it."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Behind, str, Behind, str]]:
    engine, registry = Behind(), Behind()
    with Served(engine) as one, Served(registry) as two:
        yield engine, one.url, registry, two.url


@pytest.fixture
def outside(served: tuple[Behind, str, Behind, str], tmp_path: Path) -> Outside:
    engine, engine_url, registry, registry_url = served
    faults = Faults(tmp_path)
    engine.app = EngineStandIn(tmp_path / "engine", faults).app
    registry.app = RegistryStandIn(tmp_path / "registry", faults).app
    return Outside(Engine(engine_url), Registry(registry_url, host=HOST))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    sources = tmp_path / "sources"
    (sources / "web").mkdir(parents=True)
    (sources / "web" / "index.html").write_text("hello")
    (sources / "Dockerfile").write_text("FROM scratch\nARG VERSION=0\nCOPY web /web/\nLABEL version=$VERSION\n")
    node = Node("chain-image", Kind.IMAGE, Stage.IMAGES)
    settings = {"repository": "chain", "context": ".", "dockerfile": "Dockerfile", "arguments": {"VERSION": 7}}
    return Work(node, DEV, settings, tmp_path / "work", sources)


def run(work: Work, outside: Outside) -> Result:
    result = image.apply(work, image.preview(work, outside), outside)
    return image.verify(work, result, outside)


def staged(work: Work, digest: str, **settings: str) -> Work:
    return replace(work, environment=STAGING, carried=digest, settings={**work.settings, **settings})


def fail(tmp_path: Path, **fault: object) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([fault]))


def test_the_module_is_a_kind() -> None:
    kind: KindModule = image
    assert kind


def test_an_image_is_built_pushed_and_named_by_digest(work: Work, outside: Outside) -> None:
    result = run(work, outside)
    digest = outside.registry.digest("chain", "dev")
    assert result.outcome is Outcome.CHANGED
    assert result.content == digest
    named = {"repository": "chain", "digest": digest, "reference": f"{HOST}/chain@{digest}"}
    assert result.gives == {**named, "inputs": image.preview(work, outside).plan}
    assert "rehearsal" in result.detail


def test_the_preview_says_what_will_be_built(work: Work, outside: Outside) -> None:
    build, tag = image.preview(work, outside).changes
    assert build.startswith("build chain:dev-")
    assert tag == "tag chain:dev"
    assert outside.registry.tags("chain") == ()


def test_an_image_of_the_same_inputs_is_not_built_again(work: Work, outside: Outside) -> None:
    first = run(work, outside)
    said: list[str] = []
    assert image.preview(work, outside).is_empty
    second = run(replace(work, say=said.append), outside)
    assert (second.outcome, second.content, said) == (Outcome.UNCHANGED, first.content, [])
    assert second.gives == first.gives


def test_what_was_built_before_is_known_by_its_digest_though_somebody_moved_its_tag(
    work: Work, outside: Outside
) -> None:
    built = run(work, outside)
    (mark,) = (tag for tag in outside.registry.tags("chain") if tag != "dev")
    page = work.sources / "web" / "index.html"
    page.write_text("somebody else's")
    other = run(work, outside)
    outside.registry.carry(other.content, "chain", "chain", tag=mark)
    page.write_text("hello")

    inputs = built.gives["inputs"]
    again = run(replace(work, built={inputs: built.content, other.gives["inputs"]: other.content}), outside)
    assert again.content == built.content != other.content
    assert outside.registry.digest("chain", "dev") == built.content
    gone = {inputs: f"sha256:{'0' * 64}"}
    assert run(replace(work, built=gone), outside).content != other.content, "it is built anew"
    outside.registry.carry(other.content, "chain", "chain", tag=mark)
    assert run(work, outside).content == other.content, "nothing better is known then"


def test_applying_the_same_preview_twice_is_harmless(work: Work, outside: Outside) -> None:
    preview = image.preview(work, outside)
    assert image.apply(work, preview, outside).outcome is Outcome.CHANGED
    assert image.apply(work, preview, outside).outcome is Outcome.UNCHANGED


def test_going_back_to_earlier_inputs_only_moves_the_tag(work: Work, outside: Outside) -> None:
    first = run(work, outside)
    page = work.sources / "web" / "index.html"
    page.write_text("other")
    run(work, outside)
    page.write_text("hello")
    assert image.preview(work, outside).changes == ("tag chain:dev",)
    assert run(work, outside).content == first.content
    assert outside.registry.digest("chain", "dev") == first.content


def test_sources_that_change_after_the_preview_are_refused(work: Work, outside: Outside) -> None:
    preview = image.preview(work, outside)
    (work.sources / "web" / "index.html").write_text("other")
    with pytest.raises(Refused, match="changed after the preview"):
        image.apply(work, preview, outside)


def test_a_digest_is_carried_without_an_engine(work: Work, outside: Outside) -> None:
    digest = run(work, outside).content
    no_engine = Outside(Engine("tcp://127.0.0.1:9"), outside.registry)
    result = run(staged(work, digest), no_engine)
    assert (result.outcome, result.content) == (Outcome.CHANGED, digest)
    assert outside.registry.digest("chain", "staging") == digest
    assert run(staged(work, digest), no_engine).outcome is Outcome.UNCHANGED


def test_a_digest_is_carried_from_another_repository(work: Work, outside: Outside) -> None:
    digest = run(work, outside).content
    carried = staged(work, digest, repository="prod/chain", source_repository="chain")
    assert image.preview(carried, outside).changes[0].startswith("carry chain@sha256:")
    result = run(carried, outside)
    assert result.gives["reference"] == f"{HOST}/prod/chain@{digest}"
    assert outside.registry.exists("prod/chain", digest)


def test_a_digest_the_registry_does_not_hold_is_refused_in_the_preview(work: Work, outside: Outside) -> None:
    with pytest.raises(Refused, match="run the promotion that builds it first"):
        image.preview(staged(work, "sha256:" + "1" * 64), outside)


def test_a_release_that_brings_no_digest_is_refused(work: Work, outside: Outside) -> None:
    with pytest.raises(Refused, match="is no digest"):
        image.preview(staged(work, "latest"), outside)


def test_another_digest_than_the_previewed_one_is_refused(work: Work, outside: Outside) -> None:
    digest = run(work, outside).content
    with pytest.raises(Refused, match="preview again"):
        image.apply(staged(work, digest), Preview(plan="sha256:" + "1" * 64), outside)


def test_an_engine_that_does_not_tell_the_digest_is_no_obstacle(work: Work, outside: Outside, tmp_path: Path) -> None:
    fail(tmp_path, point="engine", subject="chain", how="NoDigest")
    assert run(work, outside).content == outside.registry.digest("chain", "dev")


def test_a_build_that_fails_pushes_nothing(work: Work, outside: Outside, tmp_path: Path) -> None:
    preview = image.preview(work, outside)
    fail(tmp_path, point="engine", subject="chain", how="BuildFails")
    with pytest.raises(Broken, match=r"building .*/chain:dev-"):
        image.apply(work, preview, outside)
    assert outside.registry.tags("chain") == ()


REGISTRY_FAULTS = {"Unavailable": Unsettled, "TooManyRequests": Unsettled, "Denied": Broken}


@pytest.mark.parametrize("how", REGISTRY_FAULTS)
def test_a_registry_in_trouble_is_told_apart(work: Work, outside: Outside, tmp_path: Path, how: str) -> None:
    fail(tmp_path, point="registry", subject="chain", how=how)
    with pytest.raises(REGISTRY_FAULTS[how]):
        image.preview(work, outside)


def test_a_tag_that_somebody_else_moved_is_noticed(work: Work, outside: Outside) -> None:
    first = run(work, outside)
    (work.sources / "web" / "index.html").write_text("other")
    run(work, outside)
    with pytest.raises(Broken, match="who moved the tag"):
        image.verify(work, first, outside)


def test_a_fresh_build_is_made_though_the_inputs_are_known(work: Work, outside: Outside) -> None:
    first = run(work, outside)
    said: list[str] = []
    fresh = replace(work, settings={**work.settings, "fresh": True}, say=said.append)
    assert image.preview(fresh, outside).changes[0].startswith("build chain:dev-")
    second = run(fresh, outside)
    assert any(line.startswith("Step 1/") for line in said)
    assert (second.outcome, second.content) == (Outcome.UNCHANGED, first.content)


def test_the_reference_begins_with_the_registry_the_infrastructure_made(work: Work, outside: Outside) -> None:
    told = replace(work, settings={**work.settings, "login_server": "mystiraacr2.azurecr.io"})
    assert run(told, outside).gives["reference"].startswith("mystiraacr2.azurecr.io/chain@sha256:")


def test_another_registry_than_the_one_the_infrastructure_made_is_refused(work: Work, outside: Outside) -> None:
    azure = Outside(outside.engine, Registry("https://mystiraacr.azurecr.io"))
    told = replace(work, settings={**work.settings, "login_server": "mystiraacr2.azurecr.io"})
    with pytest.raises(Refused, match="correct the target's registry"):
        image.preview(told, azure)

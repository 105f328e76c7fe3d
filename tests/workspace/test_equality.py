"""A release is proven where it is carried only when what is there is what it says."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workspace import ending
from workspace.definitions import Kept
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.release import Release
from workspace.work import Outcome, Preview, Result, Work

DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SHA256 = "a" * 64
STACK = "infra/terraform/stacks/network"
CONTENTS = {"web-image": DIGEST, "app-package": SHA256, "app": SHA256, "base": "sha256:" + "b" * 64}


class Told:
    """A made-up kind that finds of each node what it is told to find."""

    def __init__(self, found: Mapping[str, Result]) -> None:
        self.found = found

    def preview(self, work: Work, outside: Any) -> Preview:
        return Preview()

    def apply(self, work: Work, preview: Preview, outside: Any) -> Result:
        return self.found.get(work.node.id, Result(Outcome.UNCHANGED, content=CONTENTS.get(work.node.id, "")))

    def verify(self, work: Work, result: Result, outside: Any) -> Result:
        return result


def rollout(image: str = DIGEST, rendered: str = "r" * 64) -> Result:
    gives = {"images": {"web": f"registry/web@{image}"}, "rendered": rendered}
    return Result(Outcome.UNCHANGED, gives=gives, content=image)


def nodes(place: Environment, ttl: int = 300) -> list[Node]:
    return [
        Node("network", Kind.STACK, Stage.SHARED_INFRASTRUCTURE, settings={"root": "network"}),
        Node("base", Kind.TEMPLATE, Stage.SHARED_INFRASTRUCTURE),
        Node("web-image", Kind.IMAGE, Stage.IMAGES),
        Node("app-package", Kind.PACKAGE, Stage.IMAGES),
        Node("web-rollout", Kind.WORKLOAD, Stage.CLUSTER_ROLLOUT, settings={"overlay": f"k8s/overlays/{place.name}/w"}),
        Node("app", Kind.APP, Stage.APP_SERVICES),
        Node("web-record", Kind.RECORD, Stage.NAMES, settings={"type": "A", "ttl": ttl, "values": [place.name]}),
        Node("web-check", Kind.CHECK, Stage.VERIFICATION),
    ]


class Both:
    """Dev proves a release, then staging carries it and finds what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger = folder, Ledger(folder / "state")
        self.root = folder / "kept"
        (self.root / STACK).mkdir(parents=True)
        (self.root / STACK / "main.tf").write_text("# a network")
        (self.root / STACK / ".terraform.lock.hcl").write_text("# providers")
        self.run(DEV, {"web-rollout": rollout()})
        proven = self.ledger.proven("dev")
        assert proven is not None
        self.release: Release = proven

    def run(self, place: Environment, found: Mapping[str, Result], ttl: int = 300) -> ending.Ending:
        release = None if place.builds else self.release
        kinds: Mapping[Kind, Any] = dict.fromkeys(Kind, Told(found))
        plan = draw(place, nodes(place, ttl), {}, release)
        execution = Execution(
            plan, run=place.name, outside=None, ledger=self.ledger, kinds=kinds, sources=self.folder,
            state=self.folder / "state", definitions=Kept(self.root, "d" * 64),
        )  # fmt: skip
        execution.begin()
        for name in plan.order:
            execution.apply(name)
        return ending.conclude(execution)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def test_a_release_says_what_defines_each_node_and_what_it_is_rendered_to(both: Both) -> None:
    assert both.release.nodes.keys() == {
        "network", "network/lock", "base", "web-rollout", "web-rollout/rendered", "web-record"
    }  # fmt: skip
    assert both.release.nodes["web-rollout/rendered"] == "r" * 64


def test_what_is_equal_is_proven(both: Both) -> None:
    told = both.run(STAGING, {"web-rollout": rollout()})
    assert told.success
    assert both.ledger.proven("staging") == both.release


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"web-rollout": rollout(image=OTHER)}, f"web-rollout runs {OTHER[:19]}, which the release does not have"),
        ({"web-rollout": rollout(rendered="s" * 64)}, "web-rollout/rendered is defined by ssssssssssss, not rrrrr"),
        ({"web-image": Result(Outcome.UNCHANGED, content=OTHER)}, f"web-image has {OTHER[:19]}, not {DIGEST[:19]}"),
        (
            {"app-package": Result(Outcome.UNCHANGED, content="b" * 64)},
            "app-package has bbbbbbbbbbbb, not aaaaaaaaaaaa",
        ),
        ({"app": Result(Outcome.UNCHANGED, content="b" * 64)}, "app runs bbbbbbbbbbbb, which the release"),
        ({"app": Result(Outcome.UNCHANGED)}, "app runs nothing that is known, which the release"),
        ({"base": Result(Outcome.UNCHANGED, content=OTHER)}, f"base is defined by {OTHER[:19]}, not sha256:bbbb"),
    ],
)
def test_what_runs_and_is_not_what_the_release_says_is_not_proven(
    both: Both, found: Mapping[str, Result], says: str
) -> None:
    told = both.run(STAGING, {"web-rollout": rollout(), **found})
    assert not told.success
    assert f"Release {both.release.id} is not proven in staging" in told.sentence
    assert says in told.sentence
    assert both.ledger.proven("staging") is None


def test_a_record_set_of_another_life_time_is_not_proven(both: Both) -> None:
    told = both.run(STAGING, {"web-rollout": rollout()}, ttl=60)
    assert (told.success, "web-record is defined by" in told.sentence) == (False, True)


@pytest.mark.parametrize(("file", "what"), [("main.tf", "network is"), (".terraform.lock.hcl", "network/lock is")])
def test_a_stack_of_other_files_or_another_lock_is_not_proven(both: Both, file: str, what: str) -> None:
    (both.root / STACK / file).write_text("# other")
    told = both.run(STAGING, {"web-rollout": rollout()})
    assert (told.success, what in told.sentence) == (False, True)


@pytest.mark.parametrize("says", ["", "s" * 64])
def test_a_workload_of_which_the_release_knows_less_or_more_is_not_proven(both: Both, says: str) -> None:
    nodes = {name: digest for name, digest in both.release.nodes.items() if says or name != "web-rollout/rendered"}
    both.release = replace(both.release, nodes={**nodes, **({"base/other": says} if says else {})})
    assert not both.run(STAGING, {"web-rollout": rollout()}).success

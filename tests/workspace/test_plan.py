"""Plans: what is refused before a run."""

import pytest
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.node import Kind, Node, Output, Stage
from workspace.plan import draw
from workspace.release import Release, from_json

DEV = Environment("dev")
STAGING = Environment("staging", follows="dev")
IMAGE = Node("web-image", Kind.IMAGE, Stage.IMAGES)
ROLLOUT = Node("web", Kind.WORKLOAD, Stage.CLUSTER_ROLLOUT, settings={"image": Output("web-image", "reference")})
RELEASE = Release({"web-image": "sha256:aa"}, definitions="d", built_in="dev")


def test_a_later_environment_carries_each_part_of_the_release() -> None:
    plan = draw(STAGING, [IMAGE, ROLLOUT], world={}, release=RELEASE)
    assert plan.carried == {"web-image": "sha256:aa"}
    assert plan.order == ("web-image", "web")


def test_an_environment_that_builds_carries_nothing() -> None:
    assert draw(DEV, [IMAGE, ROLLOUT], world={}, release=RELEASE).carried == {}


def test_nothing_proven_before_is_refused_with_the_command_that_helps() -> None:
    with pytest.raises(Refused, match="run promote/dev first"):
        draw(STAGING, [IMAGE], world={})


def test_a_release_that_lacks_a_part_is_refused() -> None:
    other = Node("new-image", Kind.IMAGE, Stage.IMAGES)
    with pytest.raises(Refused, match="new-image"):
        draw(STAGING, [IMAGE, other], world={}, release=RELEASE)


def test_a_part_that_no_node_is_for_is_refused() -> None:
    release = Release({"web-image": "sha256:1", "old-image": "sha256:2"}, "d", "dev")
    web = Node("web-image", Kind.IMAGE, Stage.IMAGES)
    with pytest.raises(Refused, match=rf"^Release {release.id} carries old-image, for which staging has no node"):
        draw(Environment("staging", follows="dev"), [web], {}, release)


def test_a_world_that_was_not_promoted_is_refused() -> None:
    record = Node("record", Kind.RECORD, Stage.NAMES, settings={"group": Output("world/zone", "group")})
    with pytest.raises(Refused, match="world/zone, not promoted yet; run promote/world first"):
        draw(DEV, [record], world={})
    assert draw(DEV, [record], world={"zone": {"group": "g"}}).world == {"world/zone": {"group": "g"}}


def test_an_illegal_name_is_refused_when_the_plan_is_drawn() -> None:
    vault = Node("vault", Kind.STACK, Stage.ZONE, owns=("Microsoft.KeyVault/vaults mys-staging-mystira-chain-kv-eus",))
    with pytest.raises(Refused, match=r"vault in dev.*32 characters where 3 to 24"):
        draw(DEV, [vault], world={})


def test_a_stage_alone_takes_what_is_outside_as_settled() -> None:
    alone = draw(STAGING, [IMAGE, ROLLOUT], world={}, release=RELEASE).only(Stage.CLUSTER_ROLLOUT)
    assert alone.needs == {"web": frozenset()}
    with pytest.raises(Refused, match="no node in the stage names"):
        alone.only(Stage.NAMES)


def test_a_release_has_the_same_id_for_the_same_content_and_notices_alteration() -> None:
    again = Release(dict(RELEASE.parts), definitions="d", built_in="dev")
    assert again.id == RELEASE.id == from_json(RELEASE.as_json()).id
    altered = RELEASE.as_json() | {"parts": {"web-image": "sha256:bb"}}
    with pytest.raises(Refused, match="was altered"):
        from_json(altered)


def test_a_plan_of_some_nodes_takes_the_rest_as_settled() -> None:
    plan = draw(STAGING, [IMAGE, ROLLOUT], world={}, release=RELEASE)
    narrowed = plan.narrowed({"web"})
    assert (dict(narrowed.nodes), narrowed.needs) == ({"web": ROLLOUT}, {"web": frozenset()})
    assert (narrowed.release, narrowed.carried) == (RELEASE, plan.carried)
    assert plan.only(Stage.CLUSTER_ROLLOUT) == narrowed

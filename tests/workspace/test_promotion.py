"""A promotion from its first line to its last: what the ledger says of its end, and which checkout it is made from."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from small_world import DEV, World
from workspace import history, promotion, scheduler
from workspace.addresses import Addresses
from workspace.ending import conclude
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Stage
from workspace.scheduler import Patience

NODE = Node("web", Kind.PAUSE, Stage.VERIFICATION, settings={"seconds": 0})


def test_a_run_that_said_how_it_ended_has_ended_so_whatever_fails_after_that(tmp_path: Path) -> None:
    opening = promotion.opened(
        Environment("dev"),
        [NODE],
        Addresses(subscription="s", state=tmp_path, engine="tcp://127.0.0.1:1"),
        run="r",
        sources=tmp_path,
        folders=(),
        owner="a test",
    )
    with pytest.raises(ConnectionError), opening as execution:
        execution.begin("somebody")
        scheduler.settle(execution, Patience(()))
        assert conclude(execution).success
        execution.end("the server is gone", success=False)
        raise ConnectionError("nobody takes the artifact")
    (run,) = history.runs(Ledger(tmp_path), "dev")
    assert (run.success, [each.event for each in Ledger(tmp_path).after(0, "dev")][-1]) == (True, Event.ENDED)


def test_a_checkout_that_moved_while_a_run_waited_in_line_is_no_release(tmp_path: Path) -> None:
    """Its nodes would be of one commit and its definitions of another."""
    world = World(tmp_path)
    before = ExitStack()
    before.enter_context(Ledger(world.addresses.state).hold("dev", "somebody else"))

    def waits(line: str) -> None:
        world.commit()
        before.close()

    opening = promotion.opened(
        DEV, [NODE], world.addresses, run="r", sources=world.sources, folders=("infra",), owner="a test", say=waits
    )
    moved = r"^dev: the checkout went from commit \w+ to \w+ since this run began, and nothing was touched"
    with pytest.raises(Refused, match=moved), opening:
        pytest.fail("the run went on")
    (run,) = history.runs(Ledger(world.addresses.state), "dev")
    assert (run.success, run.sentence.startswith("dev: the checkout went from commit")) == (False, True)

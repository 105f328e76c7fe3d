"""A promotion from its first line to its last: what the ledger says of its end, and which checkout it is made from."""

from pathlib import Path

import pytest
from workspace import history, promotion, scheduler
from workspace.addresses import Addresses
from workspace.ending import conclude
from workspace.environment import Environment
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

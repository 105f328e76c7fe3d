"""Two processes promote the whole of dev at the same moment, on one rehearsal."""

import datetime
import multiprocessing
from pathlib import Path

import pytest
from cases import Place, standing
from workspace.ledger import Event, Ledger

from deployments import local

pytestmark = [pytest.mark.thorough, pytest.mark.slow, pytest.mark.contract, pytest.mark.timeout(900)]


def promote(state: Path, run: str) -> None:
    """Promote dev in a process of its own."""
    Place(state).promote("dev", run)


def test_two_processes_that_promote_dev_at_once_do_so_one_after_the_other(tmp_path: Path) -> None:
    """The first makes everything; the second finds it so, and no resource is written after the end of the first."""
    spawned = multiprocessing.get_context("spawn")
    with standing(tmp_path) as place:
        place.promote("world", "world")
        processes = [spawned.Process(target=promote, args=(tmp_path, run)) for run in ("one", "two")]
        for each in processes:
            each.start()
        for each in processes:
            each.join(800)
        assert [each.exitcode for each in processes] == [0, 0]
        entries = Ledger(tmp_path / "runs").after(0, "dev")
        (first, ended), (second, _) = [
            (each.run, each.at) for each in entries if each.event is Event.ENDED and each.body["success"]
        ]
        runs = [each.run for each in entries if each.run]
        assert runs == sorted(runs, key=[first, second].index), "the entries of the two are not interleaved"
        outcomes = {
            each.node: each.body["outcome"] for each in entries if each.event is Event.OUTCOME and each.run == second
        }
        assert {name: outcome for name, outcome in outcomes.items() if outcome != "unchanged"} == {}
        cloud = local.addresses(tmp_path).parent / "cloud"
        moment = datetime.datetime.fromisoformat(ended).timestamp()
        written = {str(each.relative_to(cloud)) for each in cloud.rglob("*.json") if each.stat().st_mtime > moment}
        assert {name for name in written if "/deployments/" not in name.lower()} == set()

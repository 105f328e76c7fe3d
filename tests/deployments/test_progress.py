"""What a person sees of a run, from what the ledger tells."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from workspace.ledger import Entry, Event, Ledger
from workspace.work import Outcome, Result

from deployments import progress
from deployments.progress import Watched, _shortened, truth

DIGEST = "0123456789ab" + "c" * 52


def watched() -> Watched:
    """A run of three nodes: one done, one at work, one that waits."""
    seen = Watched("dev")
    nodes = {
        "network": {"kind": "stack", "stage": "shared-infrastructure"},
        "chain-image": {"kind": "image", "stage": "images"},
        "chain-rollout": {"kind": "workload", "stage": "cluster-rollout"},
    }
    tell(seen, Event.STARTED, nodes=nodes)
    tell(seen, Event.INTENT, "network", changes=["create subnet", "create vnet"])
    tell(seen, Event.OUTCOME, "network", outcome="changed", detail="applied 2 resources", seconds=1.234)
    tell(seen, Event.INTENT, "chain-image", changes=["build chain"])
    return seen


def tell(seen: Watched, event: Event, node: str = "", at: str = "2026-11-28T02:00:10+00:00", **body: Any) -> None:
    seen.hear(Entry(1, at, "run", "dev", node, event, body))


def shown(what: RenderableType) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_a_run_knows_that_the_catalogue_has_moved_on() -> None:
    seen = watched()
    assert seen.moved_on == ""
    tell(seen, Event.STARTED, nodes={}, moved_on="the checkout's catalogue has moved on")
    assert seen.moved_on == "the checkout's catalogue has moved on"


def test_a_run_that_waits_for_a_person_shows_the_phrase_until_it_is_given() -> None:
    seen = watched()
    tell(seen, Event.ASKED, plan="0a1b", phrase="DEPLOY TO PROD 0a1b")
    assert "waits for a person" in shown(seen.view())
    assert "DEPLOY TO PROD 0a1b" in shown(seen.view())
    tell(seen, Event.APPROVED, plan="0a1b", approver="somebody")
    assert "DEPLOY TO PROD" not in shown(seen.view())


def test_a_node_at_work_shows_what_it_means_to_do_and_then_what_it_says() -> None:
    seen = watched()
    assert seen.lines == {"chain-image": "build chain"}
    tell(seen, Event.PROGRESS, "chain-image", line="step 2 of 5")
    assert seen.lines == {"chain-image": "step 2 of 5"}
    assert "chain-image: step 2 of 5" in shown(seen.view())


def test_each_stage_with_nodes_is_one_line_with_a_mark_a_node() -> None:
    lines = shown(watched().view()).splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["shared-infrastructure", "●", "1", "changed"],
        ["images", "◐"],
        ["cluster-rollout", "○"],
    ]


def test_a_run_is_over_when_the_ledger_says_so() -> None:
    seen = watched()
    assert seen.ended is None
    tell(seen, Event.ENDED, success=False, sentence="chain failed")
    assert seen.ended == {"success": False, "sentence": "chain failed"}


def test_what_was_recorded_last_is_shown_though_somebody_else_told_of_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_CARE_SECONDS", 0.0)
    ledger, seen = Ledger(tmp_path), Watched("dev")
    ledger.write("run", "dev", Event.STARTED, nodes={})

    def care() -> None:
        ledger.outcome("run", "dev", "api-check", Result(Outcome.UNCHANGED, "answers 200"))
        ledger.write("run", "dev", Event.ENDED, success=False, sentence="as the ledger has it")
        seen.ended = {"success": False, "sentence": "as Prefect has it"}

    progress.follow(Ledger(tmp_path), "run", 0, seen, Console(), care)
    assert seen.outcomes["api-check"]["detail"] == "answers 200"
    assert seen.ended["sentence"] == "as the ledger has it"


def test_the_table_says_what_was_done_how_long_and_by_what() -> None:
    parts = {"stack": "real Terraform engine, stand-in for the azurerm plugin"}
    row = next(line for line in shown(watched().table(parts)).splitlines() if "network" in line)
    assert row.split() == ["network", "changed", "applied", "2", "resources", "1.2", "both"]


def test_a_failure_is_in_the_table_and_in_the_tally() -> None:
    seen = watched()
    tell(seen, Event.OUTCOME, "chain-image", outcome="failed", detail="no disk", seconds=0)
    tell(seen, Event.OUTCOME, "chain-rollout", outcome="blocked", detail="not started: chain-image did not succeed")
    assert "1 failed" in shown(seen.view())
    table = shown(seen.table({}))
    assert "no disk" in table
    assert "not started: chain-image did not succeed" in table


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ("real", "real"),
        ("", "real"),
        ("stand-in for cert-manager", "stand-in"),
        ("stand-ins for the Bicep compiler and Azure, real SDK", "both"),
        ("real Docker engine, stand-in registry", "both"),
    ],
)
def test_one_word_says_how_real_a_part_was(part: str, word: str) -> None:
    assert truth(part) == word


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (f"chain@sha256:{DIGEST} was built", "chain@sha256:0123456789ab was built"),
        ("serves 0123456789ab", "serves 0123456789ab"),
        ("no digest", "no digest"),
    ],
)
def test_digests_are_shortened_to_what_tells_two_apart(text: str, short: str) -> None:
    assert _shortened(text) == short


def test_a_stage_lasts_from_its_first_beginning_to_its_last_end() -> None:
    seen = watched()
    assert seen.stages() == {"shared-infrastructure": (1, pytest.approx(1.234, abs=0.001))}
    late = "2026-11-28T02:00:13+00:00"
    tell(seen, Event.OUTCOME, "chain-rollout", at=late, outcome="changed", detail="applied", seconds=0.5)
    tell(seen, Event.OUTCOME, "chain-image", at=late, outcome="changed", detail="built", seconds=4.0)
    assert seen.stages()["images"] == (1, pytest.approx(4.0))
    assert list(seen.stages()) == ["shared-infrastructure", "images", "cluster-rollout"]

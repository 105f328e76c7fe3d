"""`workspace …`: what the ledger answers to a person, without a server."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workspace.ledger import Event, Ledger
from workspace.release import Release
from workspace.work import Outcome, Result

from deployments import command

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
COMMIT = {"id": "c0ffee" + "0" * 34, "author": "Somebody", "at": "2026-11-27T09:00:00+02:00", "clean": True}


def release(chain: str) -> Release:
    parts = {"chain-image": chain, "api-package": "a" * 64}
    return Release(
        parts, "d" * 64, "dev", {"chain": "x" * 8, "network": "n"}, COMMIT, {"Terraform": "Terraform 1.11.4"}
    )


def promoted(
    ledger: Ledger, environment: str, run: str, what: Release, *, fails: bool = False, approver: str = ""
) -> None:
    """A run as a promotion writes it."""
    with ledger.hold(environment, run):
        ledger.write(run, environment, Event.STARTED, nodes={}, by="thandi@laptop", release=what.id)
        if approver:
            ledger.write(run, environment, Event.APPROVED, plan="p", approver=approver)
        image = Result(Outcome.CHANGED, "chain was carried, not rebuilt", content=what.parts["chain-image"])
        ledger.outcome(run, environment, "chain-image", image)
        if fails:
            ledger.outcome(run, environment, "chain-rollout", Result(Outcome.FAILED, "a pod crashes"))
            ledger.outcome(run, environment, "chain-check", Result(Outcome.BLOCKED, "not started"))
            ledger.write(run, environment, Event.ENDED, success=False, sentence="1 of 3 nodes failed.")
            return
        ledger.outcome(
            run,
            environment,
            "chain-rollout",
            Result(Outcome.CHANGED, "applied 9 of 9 objects", content=what.parts["chain-image"]),
        )
        ledger.outcome(run, environment, "chain-check", Result(Outcome.UNCHANGED, "answers 200", content="c"))
        ledger.prove(run, environment, what)
        ledger.write(run, environment, Event.ENDED, success=True, sentence="3 of 3 nodes changed.")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """dev went on to a new release; staging has the old one, and the new one failed there."""
    ledger = Ledger(tmp_path)
    promoted(ledger, "dev", "r1", release(OLD))
    promoted(ledger, "staging", "r2", release(OLD), approver="Lerato")
    promoted(ledger, "dev", "r3", release(NEW))
    promoted(ledger, "staging", "r4", release(NEW), fails=True)
    return tmp_path


def asked(state: Path, *words: str) -> Any:
    done = CliRunner().invoke(command.application, [*words, "--state", str(state), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def said(state: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command.application, [*words, "--state", str(state)])
    return done.exit_code, " ".join(done.output.split())


def test_releases_are_listed_with_where_they_were_proven(state: Path) -> None:
    found = asked(state, "releases")
    assert list(found) == [release(NEW).id, release(OLD).id]
    assert [each["environment"] for each in found[release(OLD).id]] == ["staging", "dev"]
    assert {each["by"] for each in found[release(OLD).id]} == {"thandi@laptop"}
    code, text = said(state, "releases")
    assert code == 0
    assert "c0ffee000000 (Somebody, 2026-11-27 09:00)" in text


@pytest.mark.parametrize("name", ["staging", release(OLD).id, release(OLD).id[:5]])
def test_a_release_is_shown_by_its_id_or_the_environment_that_proved_it(state: Path, name: str) -> None:
    found = asked(state, "show", name)
    assert found["parts"]["chain-image"] == OLD
    assert found["commit"]["id"] == COMMIT["id"]
    assert {each["environment"] for each in found["proven"]} == {"dev", "staging"}
    assert "chain-image sha256:111111111111" in said(state, "show", name)[1]


def test_two_environments_differ_in_what_differs_and_in_nothing_else(state: Path) -> None:
    found = asked(state, "diff", "dev", "staging")
    assert found["differences"] == [{"what": "part", "name": "chain-image", "first": NEW, "second": OLD}]
    assert (
        said(state, "diff", "dev", release(NEW).id)[1]
        == f"dev and {release(NEW).id} have the same release, {release(NEW).id}."
    )


def test_a_host_is_explained_by_content_commit_person_and_proof(state: Path) -> None:
    found = asked(state, "explain", "https://dev.chain.mystira.app/")
    assert (found["environment"], found["service"], found["serves"]) == ("dev", "chain", NEW)
    assert found["release"] == release(NEW).id
    assert found["commit"].startswith("c0ffee000000 (Somebody")
    assert "by thandi@laptop: applied 9 of 9 objects" in found["promoted"]
    assert found["verified"].endswith("answers 200")


def test_after_a_failure_a_host_is_explained_by_its_last_success_and_with_doubt(state: Path) -> None:
    found = asked(state, "explain", "staging.chain.mystira.app")
    assert (found["serves"], found["release"]) == (OLD, release(OLD).id)
    assert found["doubt"].endswith("failed, a pod crashes; what is served since is not certain")


def test_who_approved_is_told(state: Path) -> None:
    ledger = Ledger(state)
    promoted(ledger, "staging", "r5", release(NEW), approver="Lerato")
    assert asked(state, "explain", "staging.chain.mystira.app")["approved"] == "by Lerato"


def test_history_tells_of_failures_too_newest_first(state: Path) -> None:
    found = asked(state, "history", "staging")
    assert [(each["run"], each["success"], each["release"]) for each in found] == [
        ("r4", False, release(NEW).id),
        ("r2", True, release(OLD).id),
    ]
    assert found[0]["outcomes"] == {"blocked": 1, "changed": 1, "failed": 1}
    assert found[1]["approver"] == "Lerato"
    assert len(asked(state, "history", "staging", "--limit", "1")) == 1


def test_a_run_that_was_killed_has_not_ended_well(state: Path) -> None:
    ledger = Ledger(state)
    with ledger.hold("dev", "r6"):
        ledger.write("r6", "dev", Event.STARTED, nodes={}, by="night", release="")
    assert asked(state, "history", "dev")[0]["success"] is None
    assert "not ended: at work, or killed" in said(state, "history", "dev")[1]


def test_the_ledger_is_checked_and_what_was_altered_is_named(state: Path) -> None:
    assert set(asked(state, "audit")) == {"dev", "staging"}
    file = state / "dev.jsonl"
    file.write_bytes(file.read_bytes().replace(b"thandi", b"sipho!", 1))
    code, text = said(state, "audit")
    assert code == 1
    assert "Entry 2 of the ledger dev.jsonl" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "feed"), "There is no release or environment 'feed'; releases are"),
        (("show", "ab"), "There is no release or environment 'ab'"),
        (("diff", "dev", "prod"), "There is no release or environment 'prod'"),
        (("explain", "example.org"), "example.org is no host of this workspace; there are admin.dev.mystira.app,"),
        (("explain", "api.mystira.app"), "Nothing of api was ever promoted to prod; run promote/prod first."),
        (("history", "mars"), "There is no environment 'mars'; there are world, dev, staging, prod."),
    ],
)
def test_a_question_that_cannot_be_answered_ends_on_a_sentence(
    state: Path, words: tuple[str, ...], sentence: str
) -> None:
    code, text = said(state, *words)
    assert code == 1
    assert sentence in text


def test_an_empty_ledger_says_what_to_do(tmp_path: Path) -> None:
    assert said(tmp_path, "releases") == (0, "No release is proven yet; run promote/dev first.")
    assert said(tmp_path, "history", "dev") == (0, "Nothing ran in dev yet; run promote/dev.")
    code, text = said(tmp_path / "none", "releases")
    assert code == 1
    assert "There is no folder" in text

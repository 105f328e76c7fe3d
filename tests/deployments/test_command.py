"""`workspace …`: what the ledger answers to a person, without a server."""

import contextlib
import datetime
import json
import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blobs import Azurite, Token
from typer.testing import CliRunner
from workspace.addresses import Addresses
from workspace.clients import credentials
from workspace.clients.blobs import BlobStore
from workspace.errors import Broken
from workspace.lease import Someone
from workspace.ledger import Event, Ledger
from workspace.release import Release
from workspace.work import Outcome, Result

from deployments import command, local

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


@pytest.mark.parametrize(
    ("facts", "told", "counted"),
    [
        ({"way": "skipped", "relies_on": 4}, "skipped, as entry 4 left it", "(1 skipped)"),
        (
            {"way": "corrected", "drift": {"since": {}, "changes": ["scale chain"]}},
            "somebody else had changed it, and it was put right (scale chain)",
            "(1 corrected)",
        ),
        ({"way": "adopted", "half_done": {"entry": 3, "run": "r0"}}, "adopted; run r0 had begun it", "(1 adopted)"),
    ],
)
def test_how_a_node_was_found_is_told(state: Path, facts: dict[str, Any], told: str, counted: str) -> None:
    ledger = Ledger(state)
    with ledger.hold("dev", "r5"):
        ledger.write("r5", "dev", Event.STARTED, nodes={}, by="night", release="")
        ledger.outcome("r5", "dev", "chain-rollout", Result(Outcome.UNCHANGED, "as it was", content=NEW), **facts)
        ledger.write("r5", "dev", Event.ENDED, success=True, sentence="nothing changed in 1 nodes.")
    assert told in said(state, "explain", "dev.chain.mystira.app")[1]
    assert asked(state, "history", "dev")[0]["ways"] == {facts["way"]: 1}
    assert counted in said(state, "history", "dev")[1]


@pytest.mark.conformance
def test_a_team_s_ledger_is_asked_through_a_file_of_addresses(
    tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = azurite.made()
    ledger = Ledger(BlobStore(azurite.container(url)))
    promoted(ledger, "dev", "r1", release(OLD))
    addresses = Addresses(
        subscription="s", state=tmp_path / "mine", ledger=url, certificate=azurite.tls.certificate
    ).model_dump_json()
    (tmp_path / "team.json").write_text(addresses)
    monkeypatch.setattr(credentials, "credential", lambda **_: Token())

    def told(*words: str) -> str:
        done = CliRunner().invoke(command.application, [*words, "--addresses", str(tmp_path / "team.json")])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert release(OLD).id in told("releases")
    assert f"dev: {ledger.last_number('dev')} entries, each as it was written" in told("audit")
    assert "is held in dev" in told("hold", "dev", "dev", "--because", "a doubt")
    assert "a doubt" in told("show", release(OLD).id)
    assert told("prune") == "Nothing is to be removed."


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


def test_what_another_run_is_found_to_have_done_is_not_told_as_the_deed_of_the_run_before(state: Path) -> None:
    ledger = Ledger(state)
    with ledger.hold("staging", "r5"):
        ledger.write("r5", "staging", Event.STARTED, nodes={}, by="sipho@desk", release=release(NEW).id)
        ledger.write("r5", "staging", Event.INTENT, "chain-rollout", changes=["change chain"])
    found = Result(Outcome.UNCHANGED, "9 objects were as they should be", content=NEW)
    with ledger.hold("staging", "r6"):
        ledger.write("r6", "staging", Event.STARTED, nodes={}, by="thandi@laptop", release=release(NEW).id)
        ledger.outcome("r6", "staging", "chain-rollout", found, way="adopted", half_done={"entry": 1, "run": "r5"})
        ledger.outcome("r6", "staging", "chain-check", Result(Outcome.FAILED, "answers 503"))
    told = asked(state, "explain", "staging.chain.mystira.app")
    assert told["promoted"].endswith("by sipho@desk: 9 objects were as they should be")
    assert told["approved"] == ""
    assert told["verified"].startswith("not since it was promoted; ")
    assert "failed, answers 503; what was there before 20" in told["verified"]
    with ledger.hold("staging", "r7"):
        ledger.outcome("r7", "staging", "chain-check", Result(Outcome.UNCHANGED, "answers 200"))
        ledger.outcome("r7", "staging", "chain-check", Result(Outcome.UNKNOWN, "answers nothing"))
    later = asked(state, "explain", "staging.chain.mystira.app")["verified"]
    assert re.fullmatch(r"[\d :-]{16}: answers 200; [\d :-]{16}: unknown, answers nothing", later)


def test_releases_that_differ_in_what_one_environment_has_alone_are_not_told_as_equal(state: Path) -> None:
    other = replace(release(NEW), definitions="e" * 64)
    promoted(Ledger(state), "prod", "r5", other)
    assert asked(state, "diff", "dev", "prod")["differences"] == [
        {"what": "definitions", "name": "all of them", "first": "d" * 64, "second": "e" * 64}
    ]


def test_who_approved_is_told(state: Path) -> None:
    ledger = Ledger(state)
    promoted(ledger, "staging", "r5", release(NEW), approver="Lerato")
    assert asked(state, "explain", "staging.chain.mystira.app")["approved"] == "by Lerato"


def test_a_release_is_held_and_lifted_by_hand_and_shown_as_held(state: Path) -> None:
    code, text = said(state, "hold", release(NEW).id[:6], "staging", "--because", "a pod crashes")
    assert (code, text) == (0, f"Release {release(NEW).id} is held in staging.")
    (hold,) = asked(state, "show", release(NEW).id)["held"]
    assert (hold["environment"], hold["because"]) == ("staging", "a pod crashes")
    assert "held because a pod crashes in staging" in said(state, "show", release(NEW).id)[1]
    assert "held because" in said(state, "releases")[1]
    assert said(state, "lift", release(NEW).id, "staging", "--because", "mended")[0] == 0
    assert asked(state, "show", release(NEW).id)["held"] == []
    code, text = said(state, "lift", release(NEW).id, "staging", "--because", "again")
    assert (code, "is not held in staging; held there: none" in text) == (1, True)


def test_nothing_is_held_in_an_environment_that_is_none(state: Path) -> None:
    code, text = said(state, "hold", release(NEW).id, "nowhere", "--because", "a pod crashes")
    assert (code, "There is no environment 'nowhere'" in text) == (1, True)
    assert not [each for each in Ledger(state).environments() if each == "nowhere"]


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


def lost_run(state: Path, run: str = "r5") -> Ledger:
    """A run of another machine that recorded no end."""
    ledger = Ledger(state)
    process = {"host": "worker-7/0000aaaa", "process": 4, "began": "9", "user": "ann"}
    with ledger.hold("dev", run):
        ledger.write(run, "dev", Event.STARTED, nodes={}, by="thandi@laptop", process=process)
    return ledger


def test_a_lost_machine_is_given_up_with_who_and_why(state: Path) -> None:
    ledger = lost_run(state)
    code, text = said(state, "lost", "dev", "r5", "--because", "the node was deleted")
    assert (code, text) == (
        0, "worker-7 is given up: the next run of dev breaks the locks that run r5 left, and says so in the ledger.",
    )  # fmt: skip
    (entry,) = [each for each in ledger.after(0, "dev") if each.event is Event.LOST]
    assert entry.body == {"hosts": ["worker-7/0000aaaa"], "by": local.person(), "because": "the node was deleted"}
    run = asked(state, "history", "dev")[0]
    assert (run["success"], run["lost"]) == (
        None, f"worker-7 was given up {entry.at[:16].replace('T', ' ')} UTC by {local.person()}: the node was deleted",
    )  # fmt: skip
    assert f"not ended: {run['lost']}" in said(state, "history", "dev")[1]
    assert said(state, "audit")[0] == 0


def test_a_machine_is_not_given_up_while_somebody_is_at_work_in_the_environment(state: Path) -> None:
    ledger = lost_run(state)
    told: list[tuple[int, str]] = []

    def ask() -> None:
        told.append(said(state, "lost", "dev", "r5", "--because", "gone"))

    with ledger.hold("dev", "the next run"):
        thread = threading.Thread(target=ask)
        thread.start()
        deadline = time.monotonic() + 20
        while not ledger.standing("dev").line and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [each.owner for each in ledger.standing("dev").line] == [local.person()]
        assert not [each for each in ledger.after(0, "dev") if each.event is Event.LOST]
    thread.join(20)
    ((code, text),) = told
    assert code == 0
    assert "waiting for the next run" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dev", "r5", "--because", " "), "say it with --because."),
        (("dev", "r1", "--because", "gone"), "Run r1 recorded its end in dev: nothing of it is at work any more."),
        (("dev", "none", "--because", "gone"), "There is no run 'none' in dev that recorded no end"),
        (("nowhere", "r5", "--because", "gone"), "nowhere"),
    ],
)
def test_what_cannot_be_given_up_is_refused(state: Path, words: tuple[str, ...], says: str) -> None:
    lost_run(state)
    before = Ledger(state).after(0, "dev")
    code, text = said(state, "lost", *words)
    assert code == 1
    assert says in text
    after = Ledger(state).after(0, "dev")
    assert [each for each in after if each.event is not Event.HELD] == [
        each for each in before if each.event is not Event.HELD
    ]


def test_a_run_that_is_started_again_after_its_end_has_not_ended(state: Path) -> None:
    lost_run(state, run="r3")
    run = asked(state, "history", "dev")[0]
    assert (run["run"], run["ended"], run["success"]) == ("r3", "", None)


def test_each_start_of_a_run_is_told_by_itself_in_the_order_of_time(state: Path) -> None:
    ledger = Ledger(state)
    promoted(ledger, "staging", "r5", release(OLD))
    with ledger.hold("staging", "r4"):
        ledger.write("r4", "staging", Event.STARTED, nodes={}, by="sipho@desk", release=release(NEW).id)
        image = Result(Outcome.UNCHANGED, "was carried", content=NEW)
        ledger.outcome("r4", "staging", "chain-image", image)
    told = [(each["run"], each["success"], each["outcomes"]) for each in asked(state, "history", "staging")]
    assert told == [
        ("r4", None, {"unchanged": 1}),
        ("r5", True, {"changed": 2, "unchanged": 1}),
        ("r4", False, {"changed": 1, "failed": 1, "blocked": 1}),
        ("r2", True, {"changed": 2, "unchanged": 1}),
    ]


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


def test_kept_definitions_are_pruned_and_a_dry_run_only_says_so(state: Path) -> None:
    copy = state / "definitions" / ("e" * 64)
    copy.mkdir(parents=True)
    (copy / "main.tf").write_bytes(b"#" * 1_500_000)
    os.utime(copy, (0, 0))
    needed = state / "definitions" / ("d" * 64)
    needed.mkdir()
    os.utime(needed, (0, 0))
    told = (0, "eeeeeeeeeeee 1.5 MB Would remove 1 copy of definitions that no release needs, 1.5 MB.")
    assert said(state, "prune", "--dry-run") == told
    assert copy.is_dir()
    assert asked(state, "prune", "--keep", "3") == {
        "removed": True,
        "copies": [{"digest": "e" * 64, "size": 1_500_000}],
    }
    assert (copy.is_dir(), needed.is_dir()) == (False, True)
    assert said(state, "prune") == (0, "Nothing is to be removed.")


def test_who_holds_what_and_who_waits_is_told_in_order(state: Path) -> None:
    ledger = Ledger(state)
    lined_up = [threading.Event(), threading.Event()]
    halt = threading.Event()

    def wait(number: int) -> None:
        with contextlib.suppress(Broken), ledger.hold("dev", f"run {number}", lambda _: lined_up[number].set(), halt):
            pass

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(2)]
    with ledger.hold("dev", "the first"), ledger.share("zone", "staging (run 9)"):
        for thread, event in zip(threads, lined_up, strict=True):
            thread.start()
            assert event.wait(20)
        found = asked(state, "holders")
        code, text = said(state, "holders")
        halt.set()
        for thread in threads:
            thread.join(20)
    assert list(found) == ["world", "dev", "staging", "prod", "registry", "zone"]
    assert found["world"] == {"token": 0, "holder": None, "line": []}
    # two runs were here before, in the fixture
    assert (found["dev"]["token"], found["dev"]["holder"]["owner"]) == (3, "the first")
    assert (found["dev"]["holder"]["process"], found["dev"]["holder"]["gone"]) == (os.getpid(), False)
    assert found["dev"]["holder"]["age_seconds"] >= 0
    assert [each["owner"] for each in found["dev"]["line"]] == ["run 0", "run 1"]
    assert found["zone"]["holder"]["owner"] == "staging (run 9)"
    assert code == 0
    machine = found["dev"]["holder"]["host"].partition("/")[0]
    assert f"dev the first {machine} " in text
    assert re.search(r"dev the first \S+ \S+ \S+ \d+ min \d\d s 3 run 0 \(\d+ min \d\d s\)", text)
    assert "world nobody" in text


def test_a_holder_whose_process_is_gone_is_told_as_that(state: Path) -> None:
    ledger = Ledger(state)
    with ledger.hold("dev", "the first"):
        lease = state / "dev.lease"
        lease.write_text(re.sub(r'"began": "\d+"', '"began": "1"', lease.read_text()))
        assert asked(state, "holders")["dev"]["holder"]["gone"] is True
        assert "dev the first (its process is gone)" in said(state, "holders")[1]


def test_an_age_is_told_in_words() -> None:
    def since(seconds: float) -> str:
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        return command._age(Someone("a", "h", 1, at.strftime("%Y-%m-%d %H:%M:%SZ"), gone=False))

    assert since(3 * 3600 + 61).startswith("3 h 01 min")
    assert since(-60) == "0 min 00 s", "a clock that is ahead makes nobody younger than now"


def test_a_file_of_addresses_says_where_the_ledger_is(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps({"subscription": "s", "state": str(state)}))
    assert list(asked(file, "releases")) == [release(NEW).id, release(OLD).id]


def test_a_file_that_holds_no_addresses_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps({"subscription": "s", "state": "/x", "ledger": "https://example.com/c?sig=geheim"}))
    code, text = said(file, "releases")
    assert code == 1
    assert "holds no addresses of an environment" in text
    assert "geheim" not in text

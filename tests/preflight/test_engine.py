"""All families at once: the same findings however many at a time, and a family that dies is a finding and no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mangled import mangle
from workspace.errors import Refused
from workspace.preflight import engine, families
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Report, Rule, Severity
from workspace.preflight.guard import attempted
from workspace.preflight.limits import TooLong, within
from workspace.preflight.told import as_json

BAD = Rule("made-up/bad", Severity.ERROR, "A made-up thing is bad.", "Because.", "Make it good.")
OTHER = Rule("made-up/other", Severity.RISK, "Another.", "Because.", "Make it good.")


def breaks(place: str) -> Iterator[Finding]:
    yield BAD.at(place, "it is bad")
    raise KeyError("open-sesame")


def goes_on(place: str) -> Iterator[Finding]:
    yield OTHER.at(place, "it is other")


def test_a_rule_that_fails_is_told_with_its_name_and_file_and_the_others_go_on() -> None:
    found = list(attempted((breaks, goes_on), "a/b.tf:3"))
    assert [each.rule.id for each in found] == ["made-up/bad", "preflight/rule-failed", "made-up/other"]
    failed = found[1]
    assert failed.place == "a/b.tf:3"
    assert "made-up/bad" in failed.what
    assert "KeyError in test_engine.py:" in failed.what


def test_what_an_error_says_is_not_told_because_it_may_be_a_secret() -> None:
    assert not any("open-sesame" in str(each) for each in attempted((breaks,), "a"))


def test_what_computes_for_too_long_is_ended() -> None:
    with pytest.raises(TooLong), within(0.05):
        while True:
            pass


def test_an_inner_limit_leaves_the_outer_one_as_it_was() -> None:
    with pytest.raises(TooLong), within(0.1):
        with within(50):
            pass
        while True:
            pass


@pytest.fixture
def mangled(tmp_path: Path) -> Path:
    mangle(tmp_path, seed=7)
    return tmp_path


@pytest.mark.slow
def test_the_findings_are_the_same_however_many_families_look_at_once(mangled: Path) -> None:
    told = [as_json(engine.look(mangled, jobs=jobs)) for jobs in (1, 4)]
    assert told[0] == told[1]
    assert '"findings": [\n' in told[0]


@pytest.mark.slow
def test_a_family_in_its_own_process_finds_what_it_finds_in_this_one(mangled: Path) -> None:
    apart = engine.look(mangled, ["docker"])
    assert list(map(str, apart.findings)) == list(map(str, families.looked("docker", Checkout(mangled)).findings))
    assert apart.findings


@pytest.mark.slow
def test_a_family_that_takes_too_long_is_ended_and_told(tmp_path: Path) -> None:
    (finding,) = engine.look(tmp_path, ["docker"], seconds=0.001).findings
    assert finding.rule.id == "preflight/rule-failed"
    assert "docker was not finished after 0.001 s" in finding.what


@pytest.mark.slow
def test_a_family_whose_process_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.sys, "executable", "/bin/false")
    (finding,) = engine.look(tmp_path, ["docker"]).findings
    assert "docker was ended by exit code 1" in finding.what


def test_a_family_that_does_not_exist_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no family of rules helm; there are terraform, kubernetes"):
        engine.look(tmp_path, ["helm"])


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no folder"):
        engine.look(tmp_path / "nowhere")


def test_a_family_that_fails_as_a_whole_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Checkout) -> None:
        raise ValueError

    monkeypatch.setattr(families.family("docker"), "check", fails)
    (finding,) = families.looked("docker", Checkout(tmp_path)).findings
    assert finding.rule.id == "preflight/rule-failed"


def test_a_family_stands_beside_the_one_whose_reading_it_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BESIDE", {"bicep": "terraform"})
    assert engine._groups(["bicep", "docker", "terraform"]) == [["terraform", "bicep"], ["docker"]]
    assert engine._groups(["bicep", "docker"]) == [["docker"], ["bicep"]]


@pytest.mark.parametrize("facts", [None, {"dev": {"hosts": {}}}])
def test_facts_reach_the_families_that_compare_them_and_no_others(
    facts: dict[str, object] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def compares(_: Checkout, facts: object = "none") -> Report:
        told.append(facts)
        return Report()

    monkeypatch.setattr(families.family("docker"), "check", compares)
    families.looked("docker", Checkout(tmp_path), facts)
    families.looked("bicep", Checkout(tmp_path), facts)
    assert told == [facts or "none"]


def test_every_rule_stands_in_one_family_and_says_why_and_what_to_do() -> None:
    rules = [each for its in families.rules().values() for each in its]
    assert len({each.id for each in rules}) == len(rules)
    strangers = [
        each.id for family, its in families.rules().items() for each in its if families.owner(each.subject) != family
    ]
    assert strangers == []
    assert [each.id for each in rules if not (each.about and each.why and each.todo)] == []

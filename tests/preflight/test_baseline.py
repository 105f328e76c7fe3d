"""The baseline: what it accepts, for how long, and what it says when it no longer fits."""

from datetime import date
from pathlib import Path

import pytest
from workspace.errors import Refused
from workspace.preflight import baseline
from workspace.preflight.finding import Finding, Report, Rule, Severity, with_others

TODAY = date(2026, 11, 28)
BAD = Rule("docker/bad", Severity.ERROR, "A made-up thing is bad.", "Because.", "Make it good.")
HERE = BAD.at("a/b.tf:3", "the thing is bad, as in a/c.tf:7")
THERE = BAD.at("a/c.tf:7", "the thing is bad")
ENTRY = "  - {rule: docker/bad, place: a/b.tf, reason: known since spring, expires: 2027-01-31}\n"


def sifted(text: str, *findings: Finding, families: tuple[str, ...] = ("docker",), folder: Path) -> baseline.Sifted:
    file = folder / "preflight.yaml"
    file.write_text(text)
    return baseline.sift(Report(findings=findings), baseline.read(file), families, TODAY)


def test_what_is_accepted_stands_apart(tmp_path: Path) -> None:
    left = sifted(f"accepted:\n{ENTRY}", HERE, THERE, folder=tmp_path)
    assert left.report.findings == (THERE,)
    assert left.accepted == (HERE,)


@pytest.mark.parametrize("place", ["a/b.tf", "a/b.tf:3", "a/*", "*.tf"])
def test_a_place_is_a_file_a_line_or_a_pattern(place: str, tmp_path: Path) -> None:
    text = f"accepted:\n  - {{rule: docker/bad, place: '{place}', reason: known, expires: 2027-01-31}}\n"
    assert HERE in sifted(text, HERE, folder=tmp_path).accepted


@pytest.mark.parametrize("place", ["a", "b.tf", "a/b.tf:4", "c/*"])
def test_another_place_is_not_accepted(place: str, tmp_path: Path) -> None:
    text = f"accepted:\n  - {{rule: docker/bad, place: '{place}', reason: known, expires: 2027-01-31}}\n"
    assert sifted(text, HERE, folder=tmp_path).accepted == ()


def test_a_fingerprint_stays_when_lines_move_and_differs_between_findings() -> None:
    moved = BAD.at("a/b.tf:93", "the thing is bad, as in a/c.tf:11")
    assert baseline.fingerprints([HERE]) == baseline.fingerprints([moved])
    others = [HERE, THERE, BAD.at("a/b.tf:3", "another thing"), BAD.at("a/b.tf:5", HERE.what)]
    assert len(set(baseline.fingerprints(others))) == 4


def test_a_fingerprint_does_not_know_how_many_more_places_of_the_file_there_are() -> None:
    said = [BAD.at("a/b.yml:3", with_others("v4 is old", places)) for places in (1, 2, 12)]
    assert [each.what for each in said[1:]] == [f"v4 is old (and {number} more in this file)" for number in (1, 11)]
    assert len({baseline.fingerprints([each])[0] for each in said}) == 1
    assert baseline.fingerprints([BAD.at("a/b.yml:3", "v4 (and 1 more in this file) is old")]) != (
        baseline.fingerprints(said[:1])
    )


def test_what_was_accepted_stays_accepted_when_the_same_stands_at_another_place_of_the_file(tmp_path: Path) -> None:
    before = Report(findings=(BAD.at("a/b.yml:3", with_others("v4 is old", 2)),))
    text = baseline.drafted(before, TODAY).replace('reason: ""', "reason: known")
    now = BAD.at("a/b.yml:2", with_others("v4 is old", 5))
    assert sifted(text, now, folder=tmp_path).accepted == (now,)


def test_an_entry_that_has_expired_is_a_finding_and_accepts_nothing(tmp_path: Path) -> None:
    left = sifted(f"accepted:\n{ENTRY.replace('2027-01-31', '2026-11-27')}", HERE, folder=tmp_path)
    assert [each.rule.id for each in left.report.findings] == ["docker/bad", "preflight/baseline-expired"]
    assert left.report.findings[1].place == "preflight.yaml:2"
    assert left.accepted == ()


def test_an_entry_is_good_on_its_last_day(tmp_path: Path) -> None:
    text = f"accepted:\n{ENTRY.replace('2027-01-31', '2026-11-28')}"
    assert sifted(text, HERE, folder=tmp_path).report.findings == ()


def test_an_entry_that_fits_nothing_is_a_finding(tmp_path: Path) -> None:
    (finding,) = sifted(f"accepted:\n{ENTRY}", folder=tmp_path).report.findings
    assert (finding.rule.id, finding.place) == ("preflight/baseline-idle", "preflight.yaml:2")


def test_an_entry_about_a_family_that_was_not_asked_says_nothing(tmp_path: Path) -> None:
    assert sifted(f"accepted:\n{ENTRY}", families=("terraform",), folder=tmp_path).report.findings == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accepted:\n  - {rule: docker/bad, place: a, expires: 2027-01-31}\n", r"yaml:2 has no reason"),
        ("accepted:\n  - {rule: docker/bad, place: a, reason: '  ', expires: 2027-01-31}\n", r"yaml:2 has no reason"),
        ("accepted:\n  - {rule: docker/bad, place: a, reason: known}\n", r"yaml:2 has no expires"),
        ("accepted:\n  - {rule: docker/bad, place: a, reason: known, expires: never}\n", "'never', which is no day"),
        ("accepted:\n  - {place: a, reason: known, expires: 2027-01-31}\n", "has no rule"),
        ("accepted:\n  - {rule: docker/bad, reason: known, expires: 2027-01-31}\n", "either a fingerprint or a place"),
        ("accepted:\n  - {rule: docker/bad, file: a}\n", "has file, which no entry has"),
        ("accepted: known\n", "no list `accepted`"),
        ("accepted:\n  - {\n", r"yaml:3 is not YAML"),
    ],
)
def test_what_is_not_filled_in_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=said):
        sifted(text, folder=tmp_path)


def test_a_baseline_may_be_json(tmp_path: Path) -> None:
    text = '{"accepted": [{"rule": "docker/bad", "place": "a/b.tf", "reason": "known", "expires": "2027-01-31"}]}'
    assert sifted(text, HERE, folder=tmp_path).accepted == (HERE,)


def test_a_drafted_baseline_is_refused_until_its_reasons_are_written_and_then_accepts_all(tmp_path: Path) -> None:
    draft = baseline.drafted(Report(findings=(HERE, THERE)), TODAY)
    with pytest.raises(Refused, match="has no reason"):
        sifted(draft, HERE, THERE, folder=tmp_path)
    left = sifted(draft.replace('reason: ""', 'reason: "known"'), HERE, THERE, folder=tmp_path)
    assert left.report.findings == ()
    assert left.accepted == (HERE, THERE)


def test_a_draft_of_nothing_accepts_nothing(tmp_path: Path) -> None:
    assert sifted(baseline.drafted(Report(), TODAY), folder=tmp_path).report.findings == ()

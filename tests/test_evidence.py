"""The evidence table cannot be better than the cases: what failed, was skipped, left out or never ran shows."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evidence import SUITES, Counting, Evidence, Suite, Tally, files_of, index, pytest_configure

SHAPES = Suite("shapes", "squares are squares", "somebody's squares", ("shapes/*",), ("square", "round"))
FAR = Suite("far", "it works far away", "a far place", opt_in="travel there")


@pytest.fixture
def counted(tmp_path: Path) -> "Table":
    return Table(tmp_path)


class Table:
    """The table of a run in which tests counted what they are told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counting = Counting(folder, ["shapes/one", "shapes/two", "other/three"], (SHAPES, FAR))

    def ran(self, suite: str, tally: Tally) -> "Table":
        told = ("evidence", json.dumps({"suite": suite, **tally.plain()}))
        self._counting.pytest_runtest_logreport(SimpleNamespace(user_properties=[("other", 1), told]))  # type: ignore[arg-type]
        return self

    def ended(self) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """The exit code and both rows."""
        session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
        self._counting.pytest_sessionfinish(session)  # type: ignore[arg-type]
        shapes, far = json.loads((self.folder / "evidence.json").read_text())
        return int(session.exitstatus), shapes, far


def whole() -> Tally:
    tally = Tally()
    evidence = Evidence(tally)
    evidence.used("shapes/one", "shapes/two")
    evidence.each([1, 4, 9], lambda n: "square")
    return tally


def test_a_suite_whose_cases_all_passed_is_good_and_a_sort_without_cases_is_shown(counted: Table) -> None:
    code, shapes, far = counted.ran("shapes", whole()).ended()
    assert (code, shapes["count"], shapes["note"]) == (0, "3 / 3", "3 square, 0 round; 2 of 2 files")
    assert (far["count"], far["note"]) == ("-", "not run here: travel there")
    assert (
        "| shapes | squares are squares | somebody's squares | 3 / 3 |" in (counted.folder / "evidence.md").read_text()
    )


def test_what_several_tests_counted_is_added_up(counted: Table) -> None:
    one, other = Tally(), Tally()
    for tally, file in ((one, "shapes/one"), (other, "shapes/two")):
        evidence = Evidence(tally)
        evidence.each(["a"], lambda _: None)
        evidence.used(file)
        evidence.covers("corners", ["top", file])
        evidence.figure("edges seen", 1, 4)
    code, shapes, _ = counted.ran("shapes", one).ran("shapes", other).ended()
    assert (code, shapes["count"]) == (0, "2 / 2")
    assert "2 of 8 edges seen; 3 corners" in shapes["note"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"failed": ["two is no square"]}, "1 failed: two is no square"),
        ({"skipped": ["three: no ruler"]}, "1 skipped: three: no ruler"),
        ({"files": {"shapes/one"}}, "used by no case: shapes/two"),
    ],
)
def test_what_is_not_whole_ends_the_run_and_says_why(counted: Table, change: dict[str, Any], said: str) -> None:
    tally = whole()
    for name, value in change.items():
        setattr(tally, name, value)
    code, shapes, _ = counted.ran("shapes", tally).ended()
    assert code == pytest.ExitCode.TESTS_FAILED
    assert said in shapes["note"] and not shapes["good"]


def test_a_suite_that_did_not_run_ends_the_run(counted: Table) -> None:
    code, shapes, _ = counted.ended()
    assert (code, shapes["note"]) == (pytest.ExitCode.TESTS_FAILED, "missing: no case ran")


def test_an_opt_in_suite_that_was_skipped_says_what_the_test_said(counted: Table) -> None:
    code, _, far = counted.ran("shapes", whole()).ran("far", Tally(skipped=["test_far: no ship today"])).ended()
    assert (code, far["note"]) == (0, "not run here: no ship today")


def test_an_opt_in_suite_that_failed_ends_the_run(counted: Table) -> None:
    code, _, far = counted.ran("shapes", whole()).ran("far", Tally(passed=1, failed=["landing"])).ended()
    assert (code, far["count"]) == (pytest.ExitCode.TESTS_FAILED, "1 / 2")


def test_an_opt_in_suite_that_ran_before_is_shown_with_when_and_at_which_commit(counted: Table) -> None:
    alone = Counting(counted.folder, (), [FAR], keeps=True)
    told = ("evidence", json.dumps({"suite": "far", **Tally(passed=7).plain()}))
    alone.pytest_runtest_logreport(SimpleNamespace(user_properties=[told]))  # type: ignore[arg-type]
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    alone.pytest_sessionfinish(session)  # type: ignore[arg-type]
    assert session.exitstatus == pytest.ExitCode.OK
    code, _, far = counted.ran("shapes", whole()).ended()
    assert (code, far["count"]) == (0, "7 / 7")
    assert far["note"].startswith("as of ") and "commit" in far["note"]


def test_every_case_runs_whatever_the_one_before_did_and_all_that_failed_are_told() -> None:
    tally, seen = Tally(), []

    def check(number: int) -> None:
        seen.append(number)
        assert number % 2, f"{number} is even"

    with pytest.raises(AssertionError, match=r"2 of 5 cases failed\n2: 2 is even.*\n4: 4 is even"):
        Evidence(tally).each([1, 2, 3, 4, 5], check)
    assert seen == [1, 2, 3, 4, 5]
    assert (tally.passed, tally.failed) == (3, ["2", "4"])


def test_a_suite_without_cases_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="there was no case"):
        Evidence(Tally()).each([], str)


def test_without_samples_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config: Any = SimpleNamespace(getoption={"--evidence": tmp_path, "--opt-in": False}.get)
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("WIRE_SAMPLES", folder)
        with pytest.raises(pytest.UsageError, match=r"^WIRE_SAMPLES names no folder of recorded samples"):
            pytest_configure(config)


def test_every_sample_is_some_suites_and_no_ones_twice(samples: Path) -> None:
    owners = {path: [each.name for each in SUITES if path in files_of(each.name, samples)] for path in index(samples)}
    assert {path: names for path, names in owners.items() if len(names) != 1} == {}


def test_every_sample_is_in_the_list_of_samples(samples: Path) -> None:
    there = {str(each.relative_to(samples)) for each in samples.rglob("*") if each.is_file()}
    assert there - {"INDEX.json", "README.md"} == set(index(samples))

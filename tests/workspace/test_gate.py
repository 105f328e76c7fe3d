"""The first step of a promotion: the definitions are looked at, and what would fail refuses it before it begins."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workspace import gate
from workspace.definitions import Kept
from workspace.environment import Environment
from workspace.errors import Refused
from workspace.execution import Execution
from workspace.ledger import Event, Ledger
from workspace.plan import draw
from workspace.preflight import engine
from workspace.preflight.baseline import Sifted
from workspace.preflight.finding import Report, Rule, Severity

WRONG = Rule("terraform/made-up", Severity.ERROR, "A made-up thing is wrong.", "Because.", "Mend it.")
RISKY = Rule("terraform/risky", Severity.RISK, "A made-up thing is risky.", "Because.", "Mend it.")
ERRORS = tuple(WRONG.at(f"infra/a.tf:{number}", f"it is wrong {number} times") for number in range(1, 6))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were looked at; two findings are made up for each."""
    seen: list[Path] = []

    def look(root: Path, only: list[str], facts: Any) -> Report:
        assert not {"docker", "github"} & set(only)
        seen.append(root)
        return Report(findings=(ERRORS[0], RISKY.at("infra/b.tf", "it is risky")))

    monkeypatch.setattr(engine, "look", look)
    return seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "runs")) as found:
        yield found


@pytest.fixture
def execution(tmp_path: Path, ledger: Ledger) -> Execution:
    kept = Kept(tmp_path / "kept", "0123456789abcdef")
    return Execution(
        draw(Environment("dev"), (), world={}), run="r", outside=None, ledger=ledger, kinds={}, sources=tmp_path,
        state=tmp_path, definitions=kept,
    )  # fmt: skip


def looked(execution: Execution, folder: Path) -> Sifted:
    return gate.looked(execution, folder, cache=folder / "cache")


def test_the_same_definitions_are_looked_at_once(execution: Execution, looks: list[Path], tmp_path: Path) -> None:
    first, second = looked(execution, tmp_path), looked(execution, tmp_path)
    assert first == second
    assert looks == [tmp_path / "kept"]


@pytest.mark.parametrize(("follows", "told"), [("", {"dev": {"hosts": {}}}), ("world", None)])
def test_facts_are_compared_where_the_release_is_built_and_not_where_it_is_carried(
    follows: str, told: Any, execution: Execution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(*_: object, facts: Any) -> Report:
        seen.append(facts)
        return Report()

    monkeypatch.setattr(engine, "look", look)
    execution.plan = replace(execution.plan, environment=Environment("dev", follows=follows))
    gate.looked(execution, tmp_path, {"dev": {"hosts": {}}}, tmp_path / "cache")
    assert seen == [told]


def test_other_facts_are_looked_at_again(execution: Execution, looks: list[Path], tmp_path: Path) -> None:
    for host in ("a.test", "b.test", "b.test"):
        gate.looked(execution, tmp_path, {"dev": {"hosts": {"web": host}}}, tmp_path / "cache")
    assert len(looks) == 2


def test_what_failed_to_look_is_looked_at_again(
    execution: Execution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workspace.preflight.guard import FAILED

    seen = []

    def look(*_: object, **__: object) -> Report:
        seen.append(1)
        return Report(findings=(FAILED.at(".", "it was not finished"),))

    monkeypatch.setattr(engine, "look", look)
    for _ in range(2):
        looked(execution, tmp_path)
    assert len(seen) == 2


def test_a_cache_that_is_broken_is_not_believed(execution: Execution, looks: list[Path], tmp_path: Path) -> None:
    looked(execution, tmp_path)
    (file,) = (tmp_path / "cache").glob("*.json")
    file.write_text("{}")
    assert len(looked(execution, tmp_path).report.findings) == 2
    assert len(looks) == 2


@pytest.mark.usefixtures("looks")
def test_the_ledger_has_the_count(execution: Execution, ledger: Ledger, tmp_path: Path) -> None:
    looked(execution, tmp_path)
    (entry,) = [each for each in ledger.after(0, "dev") if each.event is Event.CHECKED]
    assert entry.body["found"] == {"error": 1, "risk": 1, "note": 0}
    assert entry.body["definitions"] == "0123456789abcdef"


@pytest.mark.usefixtures("looks")
def test_the_baseline_of_the_checkout_accepts(execution: Execution, tmp_path: Path) -> None:
    (tmp_path / "preflight.yaml").write_text(
        "accepted:\n  - {rule: terraform/made-up, place: infra/a.tf, reason: known, expires: 2999-01-31}\n"
    )
    sifted = looked(execution, tmp_path)
    assert len(sifted.accepted) == 1
    gate.refuse(sifted)


@pytest.mark.usefixtures("looks")
def test_a_baseline_that_is_not_filled_in_refuses_the_promotion(execution: Execution, tmp_path: Path) -> None:
    (tmp_path / "preflight.yaml").write_text("accepted:\n  - {rule: terraform/made-up, place: infra/a.tf}\n")
    with pytest.raises(Refused, match="has no reason"):
        looked(execution, tmp_path)


def test_errors_refuse_in_one_sentence_with_the_count_the_first_and_how_to_see_all() -> None:
    with pytest.raises(Refused) as told:
        gate.refuse(Sifted(Report(findings=ERRORS)))
    said = str(told.value)
    assert said.startswith("Preflight finds 5 errors in the definitions, and nothing was touched: infra/a.tf:1: it is")
    assert "infra/a.tf:3" in said
    assert "infra/a.tf:4" not in said
    assert "`workspace check`" in said


def test_risks_are_shown_and_refuse_nothing() -> None:
    sifted = Sifted(Report(findings=(RISKY.at("a", "it is risky"),)))
    gate.refuse(sifted)
    assert [gate.sentence(each) for each in gate.risks(sifted)] == ["a: it is risky"]


def test_without_kept_definitions_there_is_nothing_to_look_at(tmp_path: Path, ledger: Ledger) -> None:
    bare = Execution(
        draw(Environment("dev"), (), world={}), run="r", outside=None, ledger=ledger, kinds={}, sources=tmp_path,
        state=tmp_path,
    )  # fmt: skip
    assert looked(bare, tmp_path).report.findings == ()

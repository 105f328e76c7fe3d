"""The pages of the rules: each rule has one that says everything, and docs/rules is what the rules say today."""

from pathlib import Path

import pytest
from workspace.preflight.families import owner
from workspace.preflight.finding import Rule
from workspace.preflight.pages import all_rules, examples, markdown, written

FOLDER = Path(__file__).parents[2] / "docs" / "rules"
RULES = [each for its in all_rules().values() for each in its]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_wrong_and_a_right_example_and_its_page_shows_them(rule: Rule) -> None:
    example = examples().get(rule.id)
    assert example, f"write one in packages/workspace/preflight/examples/{owner(rule.subject)}.md"
    assert example.wrong.strip() != example.right.strip()
    page = markdown(rule, example)
    for text in (rule.about, rule.why, rule.todo, example.about, example.wrong, example.right):
        assert text in page


def test_no_example_is_of_a_rule_that_is_gone() -> None:
    assert set(examples()) - {each.id for each in RULES} == set()


def test_docs_rules_is_what_make_rules_would_write() -> None:
    there = {each.relative_to(FOLDER).as_posix(): each.read_text() for each in FOLDER.rglob("*.md")}
    pages = dict(written())
    different = sorted(each for each in {*there, *pages} if there.get(each) != pages.get(each))
    assert different == [], "run `make rules`"

"""What people read of a run: the sentence at its end, the plan before it, the result after it."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_steps import step
from workspace import ending
from workspace.release import Release
from workspace.work import Certainty, Outcome, Preview

from tasks import preview, record

DONE = {
    "network": (Outcome.CHANGED, "applied 3 resources"),
    "chain": (Outcome.UNCHANGED, "is so already"),
    "publisher": (Outcome.CHANGED, "rolled out"),
}
NEXT = "Mend the cause and run promote/dev again; what is done is not done again."


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        (DONE, "promote/dev: 2 of 3 nodes changed."),
        (
            dict.fromkeys(DONE, (Outcome.UNCHANGED, "is so already")),
            "promote/dev: nothing changed in 3 nodes.",
        ),
        (
            DONE | {"chain": (Outcome.FAILED, "the pod mystira-chain-0 crashes"), "publisher": (Outcome.BLOCKED, "x")},
            "promote/dev: 1 of 3 nodes failed. chain failed: the pod mystira-chain-0 crashes. "
            f"Not started because of that: publisher. {NEXT}",
        ),
        (
            DONE | {"publisher": (Outcome.UNKNOWN, "nobody answers at 10.0.0.1.")},
            f"promote/dev: 1 of 3 nodes failed. publisher failed: nobody answers at 10.0.0.1. {NEXT}",
        ),
        (
            DONE | {"chain": (Outcome.FAILED, "one"), "publisher": (Outcome.FAILED, "two")},
            f"promote/dev: 2 of 3 nodes failed. chain failed: one. publisher failed: two. {NEXT}",
        ),
    ],
)
def test_a_run_ends_on_a_sentence(tmp_path: Path, results: dict[str, tuple[Outcome, str]], sentence: str) -> None:
    assert ending.sentence(step(tmp_path, results).execution) == sentence


def test_many_failures_are_counted_and_five_of_them_told(tmp_path: Path) -> None:
    needs: dict[str, tuple[str, ...]] = {f"n{each}": () for each in range(8)}
    told = ending.sentence(step(tmp_path, dict.fromkeys(needs, (Outcome.FAILED, "no")), needs=needs).execution)
    assert told.startswith("promote/dev: 8 of 8 nodes failed. n0 failed: no. ")
    assert told.count("failed: no.") == 5
    assert "And 3 more failed." in told
    assert told.endswith(NEXT)


def test_the_sentence_is_one_line(tmp_path: Path) -> None:
    assert "\n" not in ending.sentence(step(tmp_path, DONE).execution)


# ---- the plan

PREVIEWS = {
    "network": Preview(("create vnet", "create subnet|a", "create nsg", "create route", "create nat")),
    "chain": Preview(("known after network",), Certainty.DEFERRED),
    "publisher": Preview(),
}


def row(table: str, name: str) -> str:
    return next(line for line in table.splitlines() if line.startswith(f"| {name} |"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("network", r"| network | images | exact | create vnet; create subnet\|a; create nsg and 2 more | - |"),
        ("chain", "| chain | images | deferred | known after network | network |"),
        ("publisher", "| publisher | images | exact | no change | chain, network |"),
    ],
)
def test_the_plan_says_what_is_expected_of_each_node(tmp_path: Path, name: str, said: str) -> None:
    assert row(preview.as_markdown(step(tmp_path, {}), PREVIEWS), name) == said


def test_the_plan_has_its_nodes_in_order_and_says_which_release(tmp_path: Path) -> None:
    table = preview.as_markdown(step(tmp_path, {}), PREVIEWS).splitlines()
    assert table[0] == "# Plan for dev, building a release"
    assert [line.split()[1] for line in table[4:]] == ["network", "chain", "publisher"]


def test_a_carried_release_is_named_in_the_plan(tmp_path: Path) -> None:
    release = Release({}, "d", "before")
    table = preview.as_markdown(step(tmp_path, {}, release=release), PREVIEWS)
    assert table.splitlines()[0] == f"# Plan for dev, carrying release {release.id}"


def test_a_plan_whose_catalogue_has_moved_on_says_so_in_one_line(tmp_path: Path) -> None:
    made = step(tmp_path, {}, release=Release({}, "d", "before"))
    told = "the checkout's catalogue of dev has moved on (added web), which takes effect with the next release"
    made.execution.plan = replace(made.execution.plan, moved_on=told)
    assert preview.as_markdown(made, PREVIEWS).splitlines()[2] == f"Note: {told}."


# ---- the result


def test_the_result_says_what_was_done_with_each_node_in_order(tmp_path: Path) -> None:
    results = DONE | {"chain": (Outcome.FAILED, "said a|b\nand more")}
    table = record.as_markdown(step(tmp_path, results), "The sentence.").splitlines()
    assert table == [
        "# Result for dev",
        "",
        "The sentence.",
        "",
        "| node | stage | outcome | what was done |",
        "| --- | --- | --- | --- |",
        "| network | images | changed | applied 3 resources |",
        r"| chain | images | failed | said a\|b and more |",
        "| publisher | images | changed | rolled out |",
    ]


def test_the_result_says_what_was_real(tmp_path: Path) -> None:
    told = record.as_markdown(step(tmp_path, DONE, parts={"stack": "real Terraform engine"}), "x")
    assert told.endswith("## Real and stand-in\n\n* stack: real Terraform engine")


def test_a_node_without_an_outcome_is_not_in_the_result(tmp_path: Path) -> None:
    told = record.as_markdown(step(tmp_path, {"network": DONE["network"]}), "x")
    assert "| network |" in told
    assert "| chain |" not in told

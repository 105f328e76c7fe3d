"""Mistakes put into Terraform on purpose: each is found by its rule, at its place, and nothing else is.

What is near to a mistake is left alone. The Terraform is ours and that of others, who lay it out in other ways.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import terraform_corpus
import terraform_foreign
from terraform_corpus import GONE, NEW, OURS, TERRAFORM, WHOLE, WIRING, Edit, Near, Seed
from terraform_layouts import LAYOUTS
from workspace.preflight import families, terraform
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (*terraform_corpus.SEEDS, *terraform_foreign.SEEDS)
NEAR = (*terraform_corpus.NEAR, *terraform_foreign.NEAR)
# Where Terraform could stand as well, and the folder of the wiring.
MOVED = "deploy/cloud/tf"
LOWER = "a/team/cloud"

Workspaces = Callable[[str], Path]


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    """A folder for each layout, with what the rules read in it."""
    folder = tmp_path_factory.mktemp("workspaces")
    shutil.copytree(ROOT / TERRAFORM, folder / OURS / TERRAFORM, ignore=shutil.ignore_patterns(".terraform*", "tests"))
    shutil.copy(ROOT / WIRING, folder / OURS / WIRING)
    for name, files in LAYOUTS.items():
        for file, text in files.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(text)
    return folder.joinpath


@contextmanager
def sown(workspace: Path, edits: tuple[Edit, ...]) -> Iterator[None]:
    """The workspace with texts replaced; as it was before, afterwards."""
    before: dict[Path, str | None] = {}
    made: list[Path] = []
    try:
        for name, old, new in edits:
            file = workspace / name
            made += [each for each in file.parents if not each.exists()]
            before.setdefault(file, file.read_text() if file.exists() else None)
            replaced(file, old, new)
        yield
    finally:
        for file, text in before.items():
            if text is None:
                file.unlink()
            else:
                file.write_text(text)
        for folder in sorted(made, key=lambda each: -len(each.parts)):
            folder.rmdir()


def replaced(file: Path, old: str, new: str) -> None:
    if old == NEW:
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(new)
    elif new == GONE:
        assert old == WHOLE
        file.unlink()
    else:
        assert old in file.read_text(), f"{file} has no {old!r}"
        file.write_text(file.read_text().replace(old, new, 1))


def edits_of(seed: Seed) -> tuple[Edit, ...]:
    return ((seed.file, seed.old, seed.new), *seed.more)


def looked(workspace: Path) -> tuple[Finding, ...]:
    return terraform.check(Checkout(workspace)).findings


def places(workspace: Path, seed: Seed) -> set[str]:
    """Where the finding may stand: a line with the text of `at`, or the file or folder alone when none is given."""
    place = seed.place or seed.file
    if not seed.at:
        return {place}
    lines = (workspace / place).read_text().splitlines() if (workspace / place).is_file() else []
    return {f"{place}:{number}" for number, line in enumerate(lines, 1) if seed.at in line}


# What each row has given, so that one test can count them all without looking twice: right, beside and missed.
SEEN: dict[Seed | Near, tuple[int, int, int]] = {}


def judged(row: Seed | Near, workspace: Path) -> tuple[tuple[int, int, int], list[str]]:
    """How many findings are right, how many are beside it and how many are missed, and what was told."""
    edits = edits_of(row) if isinstance(row, Seed) else row.edits
    with sown(workspace, edits):
        found = looked(workspace)
        where = places(workspace, row) if isinstance(row, Seed) else set()
    of_rule = [each for each in found if each.rule.id == f"terraform/{row.rule}"] if isinstance(row, Seed) else []
    right = [each for each in of_rule if each.place in where and all(word in each.what for word in row.words)]
    # One mistake may make a rule speak of each thing that it spoils.
    beside = len(found) - (len(of_rule) if right else 0)
    SEEN[row] = (len(right), beside, int(isinstance(row, Seed) and not right))
    return SEEN[row], [str(each) for each in found]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.what)
def test_a_seeded_mistake_is_found_at_its_place_and_nothing_else_is(seed: Seed, workspaces: Workspaces) -> None:
    (right, beside, _), told = judged(seed, workspaces(seed.layout))
    assert right and not beside, told


@pytest.mark.parametrize("near", NEAR, ids=lambda near: f"{near.rule}: {near.what}")
def test_what_is_near_to_a_mistake_is_left_alone(near: Near, workspaces: Workspaces) -> None:
    _, told = judged(near, workspaces(near.layout))
    assert told == []


@pytest.mark.parametrize("layout", [OURS, *LAYOUTS])
def test_a_layout_with_nothing_wrong_has_no_finding(layout: str, workspaces: Workspaces) -> None:
    assert [str(each) for each in looked(workspaces(layout))] == []


def test_precision_and_recall_on_the_corpus_are_both_one(
    workspaces: Workspaces, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in (*SEEDS, *NEAR):
        if each not in SEEN:
            judged(each, workspaces(each.layout))
    right, beside, missed = (sum(each[place] for each in SEEN.values()) for place in range(3))
    precision, recall = right / (right + beside), right / (right + missed)
    with capsys.disabled():
        sys.stdout.write(
            f"\nterraform: {len(terraform.RULES)} rules, {len(SEEDS)} mistakes, {len(NEAR)} near misses: "
            f"precision {precision:.2f}, recall {recall:.2f}\n"
        )
    assert (precision, recall) == (1.0, 1.0)


def test_every_rule_has_two_mistakes_and_a_near_miss() -> None:
    rules = [each.id.removeprefix("terraform/") for each in terraform.RULES]
    seeds, near = Counter(each.rule for each in SEEDS), Counter(each.rule for each in NEAR)
    assert [each for each in rules if seeds[each] < 2] == []
    assert [each for each in rules if not near[each]] == []
    assert {*seeds, *near} == set(rules)


def test_at_least_a_third_of_the_corpus_is_not_laid_out_as_ours_is() -> None:
    foreign = [each for each in (*SEEDS, *NEAR) if each.layout != OURS]
    assert {each.layout for each in foreign} == set(LAYOUTS)
    assert 3 * len(foreign) >= len(SEEDS) + len(NEAR)


def moved(path: str) -> str:
    """A path of our workspace where Terraform and its wiring stand in another folder."""
    return path.replace(TERRAFORM, MOVED) if path.startswith(TERRAFORM) else path.replace("infra/", "deploy/")


def test_the_same_is_found_where_our_terraform_stands_in_another_folder(tmp_path: Path, workspaces: Workspaces) -> None:
    shutil.copytree(workspaces(OURS) / TERRAFORM, tmp_path / MOVED)
    shutil.copy(workspaces(OURS) / WIRING, tmp_path / moved(WIRING))
    assert [str(each) for each in looked(tmp_path)] == []
    for seed in (each for each in SEEDS if each.layout == OURS):
        with sown(workspaces(OURS), edits_of(seed)):
            here = [(each.rule.id, moved(each.place)) for each in looked(workspaces(OURS))]
        with sown(tmp_path, tuple((moved(file), old, new) for file, old, new in edits_of(seed))):
            there = [(each.rule.id, each.place) for each in looked(tmp_path)]
        assert sorted(here) == sorted(there), seed.what


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_is_found_where_others_stand_in_another_folder(
    layout: str, tmp_path: Path, workspaces: Workspaces
) -> None:
    shutil.copytree(workspaces(layout), tmp_path / LOWER)
    for file in tmp_path.rglob("*.hcl"):
        file.write_text(lowered(file.read_text()))
    for seed in (each for each in SEEDS if each.layout == layout):
        edits = tuple((lower(file), lowered(old), lowered(new)) for file, old, new in edits_of(seed))
        with sown(tmp_path, edits):
            found = looked(tmp_path)
        assert {each.rule.id for each in found} == {f"terraform/{seed.rule}"}, seed.what
        assert {each.file.startswith(f"{LOWER}/") for each in found} == {True}


def lower(file: str) -> str:
    """A path where all stands lower in a repository, whose own folder stays where it is."""
    return file if file.startswith(".git/") else f"{LOWER}/{file}"


def lowered(text: str) -> str:
    """A text that names places from the top of the repository."""
    return text.replace("${get_repo_root()}/", f"${{get_repo_root()}}/{LOWER}/")


def test_our_own_definitions_have_no_finding() -> None:
    report = terraform.check(Checkout(ROOT / "infra"))
    assert list(map(str, report.findings)) == []
    assert all(checked.count for checked in report.checked)


def test_every_rule_says_why_and_what_to_do() -> None:
    assert all(
        rule.about.endswith(".") and rule.why.endswith(".") and rule.todo.endswith(".") for rule in terraform.RULES
    )
    assert len({rule.id for rule in terraform.RULES}) == len(terraform.RULES)


NETWORK = """resource "azurerm_virtual_network" "this" {
  name          = "net"
  address_space = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "this" {
  name                 = "nodes-${var.place}"
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.9.0.0/24"]
}

variable "place" {}
"""


def outside(folder: Path, **data: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """What is told of a subnet outside its network, with some data files beside it."""
    (folder / "infra").mkdir()
    for name, text in {"main.tf": f'provider "azurerm" {{\n  features {{}}\n}}\n{NETWORK}', **data}.items():
        (folder / "infra" / name).write_text(text)
    found = [each for each in looked(folder) if each.rule.id == "terraform/range-outside"]
    return [(each.place, each.what, each.environments) for each in found]


def test_one_mistake_of_a_module_is_told_once_for_all_environments(tmp_path: Path) -> None:
    data = {f"{name}.tfvars": f'place = "{name}"\n' for name in ("dev", "production", "staging")}
    ((place, what, environments),) = outside(tmp_path, **data)
    assert place == "infra/main.tf:12"
    assert what == "The subnet nodes-{env} 10.9.0.0/24 is not inside 10.0.0.0/16."
    assert environments == ("dev", "production", "staging")


def test_what_is_wrong_in_one_environment_alone_names_it(tmp_path: Path) -> None:
    ((_, what, environments),) = outside(tmp_path, **{"dev.tfvars": 'place = "dev"\n'})
    assert (what, environments) == ("The subnet nodes-dev 10.9.0.0/24 is not inside 10.0.0.0/16.", ("dev",))


@pytest.mark.parametrize(
    ("name", "environments"),
    [("main.tfvars.json", ()), ("main.tfvars", ("main",)), ("dev.tfvars.json", ("dev",))],
)
def test_the_data_file_that_azd_fills_in_belongs_to_no_environment(
    tmp_path: Path, name: str, environments: tuple[str, ...]
) -> None:
    text = '{"place": "${AZURE_ENV_NAME}"}' if name.endswith(".json") else 'place = "x"\n'
    assert [each for _, _, each in outside(tmp_path, **{name: text})] == [environments]


def test_a_unit_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "live/a").mkdir(parents=True)
    (tmp_path / "live/a/terragrunt.hcl").write_text("inputs = {\n  a =\n}\n")
    found = [each for name in families.FAMILIES for each in families.looked(name, Checkout(tmp_path)).findings]
    assert [(each.rule.id, each.file) for each in found] == [("terraform/unreadable", "live/a/terragrunt.hcl")]


@pytest.mark.parametrize(
    "text",
    [
        "resource {\n}\n",
        "x = " + "[" * 1000 + "]" * 1000,
        "\0\1\2",
        'locals {\n  a = [local.b, local.b]\n  b = [local.a, local.a]\n}\noutput "o" {\n  value = local.a\n}\n',
        'module "a" {\n  source = "./"\n}\nmodule "b" {\n  source = "./"\n}\nterraform {\n  backend "azurerm" {}\n}\n',
        'resource "azurerm_subnet" "a" {\n  name = azurerm_subnet.b.name\n}\n'
        'resource "azurerm_subnet" "b" {\n  name = azurerm_subnet.a.name\n}\n',
    ],
    ids=["no labels", "deep", "binary", "locals in a circle", "a module that calls itself", "resources in a circle"],
)
def test_what_no_engine_would_take_is_answered_and_not_crashed_on(text: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(text)
    (tmp_path / "dev.tfvars").write_text("x = 1\n")
    (tmp_path / "gone.tf").symlink_to(tmp_path / "nowhere")
    report = terraform.check(Checkout(tmp_path))
    assert "terraform/unreadable" in {finding.rule.id for finding in report.findings}

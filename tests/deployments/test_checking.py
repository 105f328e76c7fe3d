"""`workspace check` and `workspace rules` as a person and a pipeline see them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.command import application

BROKEN = "FROM python\nEXPOSE 80\n"
WELL = 'FROM python:3.13.1\nUSER 10001\nHEALTHCHECK CMD ["true"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Dockerfile").write_text(BROKEN)
    return tmp_path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(application, [str(each) for each in arguments])
    return result.exit_code, result.stdout, result.stderr


def check(folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    return run("check", folder, "--only", "docker", *arguments)


def test_text_says_where_what_why_and_what_to_do(folder: Path) -> None:
    code, told, _ = check(folder)
    assert code == 0
    assert "risk docker/runs-as-root\n  web/Dockerfile:1: the image web runs as root" in told
    assert "  why: Pods that ask for runAsNonRoot" in told
    assert "  do:  Set USER to a number other than 0" in told
    assert told.splitlines()[-1] == "3 risks."


def test_a_clean_folder_is_said_to_be_clean_with_what_was_looked_at(folder: Path) -> None:
    (folder / "web/Dockerfile").write_text(WELL)
    code, told, _ = check(folder)
    assert (code, told) == (0, "1 Dockerfiles\nNothing to mend.\n")


def test_a_folder_without_definitions_is_not_said_to_be_clean(tmp_path: Path) -> None:
    code, told, _ = run("check", tmp_path)
    assert (code, told) == (0, "No definitions were found in the folder, so there is nothing to say about it.\n")


@pytest.mark.parametrize(("level", "content", "code"), [
    ("error", BROKEN, 0), ("risk", BROKEN, 3), ("note", BROKEN, 3), ("error", "FROM a AS\n", 1), ("note", WELL, 0),
])  # fmt: skip
def test_the_exit_code_says_the_worst_severity(folder: Path, level: str, content: str, code: int) -> None:
    (folder / "web/Dockerfile").write_text(content)
    assert check(folder, "--fail-on", level)[0] == code


def test_json_and_sarif_say_the_same_and_the_same_twice(folder: Path) -> None:
    told = [check(folder, "--format", "json")[1] for _ in range(2)]
    assert told[0] == told[1]
    found = json.loads(told[0])
    assert found["summary"] == {"error": 0, "risk": 3, "note": 0, "accepted": 0}
    results = json.loads(check(folder, "--format", "sarif")[1])["runs"][0]["results"]
    assert [each["ruleId"] for each in results] == [each["rule"] for each in found["findings"]]


def test_quiet_is_one_line_for_each_finding(folder: Path) -> None:
    _, told, _ = check(folder, "--quiet")
    assert len(told.splitlines()) == 4
    assert "why:" not in told


def test_output_goes_to_a_file(folder: Path, tmp_path: Path) -> None:
    code, told, _ = check(folder, "--format", "json", "--output", tmp_path / "found.json")
    assert (code, told) == (0, "")
    assert json.loads((tmp_path / "found.json").read_text())["schema"] == 1


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(folder: Path) -> None:
    code, _, said = check(folder, "--output", folder / "nowhere/found.json")
    assert code == 2
    assert "cannot be written" in said


def test_a_written_baseline_is_refused_until_it_is_filled_in_and_then_found_by_itself(folder: Path) -> None:
    file = folder / "preflight.yaml"
    assert check(folder, "--write-baseline", file)[0] == 0
    code, _, said = check(folder)
    assert code == 2
    assert "preflight.yaml:3 has no reason" in said
    file.write_text(file.read_text().replace('reason: ""', "reason: known since spring"))
    code, told, _ = check(folder, "--fail-on", "note")
    assert code == 0
    assert told.splitlines()[-1] == "Nothing to mend; 3 accepted by the baseline."
    assert "the image web runs as root" in told


def test_only_what_concerns_an_environment_is_told(tmp_path: Path) -> None:
    for name, word in (("dev", "one"), ("prod", "two")):
        (tmp_path / f"{name}.tfvars").write_text(f'{word} = "x"\n')
    (tmp_path / "main.tf").write_text('terraform {\n  backend "azurerm" {}\n}\n')
    _, told, _ = run("check", tmp_path, "--only", "terraform", "--environment", "dev", "--quiet")
    assert "one is set" in told
    assert "two is set" not in told


def test_rules_are_listed_by_family_and_explained_one_by_one() -> None:
    code, told, _ = run("rules")
    assert code == 0
    assert told.splitlines()[0] == "terraform"
    assert "  docker/runs-as-root" in told
    for page in (run("rules", "docker/runs-as-root")[1], run("check", "--explain", "docker/runs-as-root")[1]):
        assert page.startswith("# docker/runs-as-root\n")
        assert "**Why.**" in page
        assert "Wrong." in page
        assert "Right:" in page


def test_a_rule_that_does_not_exist_is_refused_with_some_that_do() -> None:
    code, _, said = run("rules", "runs-as-root-user")
    assert (code, "There is no rule" in said) == (2, True)
    assert "docker/runs-as-root" in run("rules", "runs-as-root")[2]


@pytest.mark.parametrize("arguments", [["/nowhere"], [".", "--only", "helm"], [".", "--baseline", "/nowhere"]])
def test_a_request_that_is_wrong_ends_with_2_and_a_sentence(arguments: list[str]) -> None:
    code, told, said = run("check", *arguments)
    assert (code, told) == (2, "")
    assert said.strip().endswith(".")


def test_the_command_line_starts_without_what_reads_definitions() -> None:
    source = "import sys, deployments.command as c; print([m for m in ('hcl2', 'lark', 'prefect') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_rules_of_a_family_or_about_a_subject_are_listed_alone() -> None:
    for name, rule, other in (
        ("across", "ownership/two-tools", "github/"),
        ("dns", "dns/apex-cname", "ownership/"),
        ("github", "github/wait-cannot-fail", "terraform/"),
    ):
        code, told, _ = run("rules", name)
        assert (code, rule in told, other in told) == (0, True, False)


def test_rules_that_look_across_tools_are_told_by_family_subject_page_and_baseline(tmp_path: Path) -> None:
    vault = 'resource "azurerm_key_vault" "a" {\n  name = "shop-kv"\n}\n'
    files = {
        "terraform/main.tf": 'terraform {\n  backend "azurerm" {}\n}\n' + vault,
        "app/main.bicep": "resource kv 'Microsoft.KeyVault/vaults@2023-07-01' = {\n  name: 'shop-kv'\n}\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    for only in ("across", "ownership"):
        code, told, _ = run("check", tmp_path, "--only", only, "--quiet")
        assert (code, "[ownership/two-tools]" in told, "[terraform/" in told) == (1, True, False)
    assert "ownership" not in run("check", tmp_path, "--only", "dns", "--quiet")[1]
    results = json.loads(run("check", tmp_path, "--only", "across", "--format", "sarif")[1])["runs"][0]["results"]
    assert {each["ruleId"] for each in results} == {"ownership/two-tools"}
    accepted = "accepted:\n  - {rule: ownership/two-tools, place: '*', reason: moving, expires: 2099-01-31}\n"
    (tmp_path / "preflight.yaml").write_text(accepted)
    assert run("check", tmp_path, "--only", "across", "--fail-on", "note")[0] == 0
    assert "baseline-idle" not in run("check", tmp_path, "--only", "github", "--quiet")[1]
    assert run("check", "--explain", "ownership/two-tools")[1].startswith("# ownership/two-tools\n")

"""Files that nobody meant to write: each ends as a finding, and none ends, hangs or leads the check astray."""

import os
from pathlib import Path

import pytest
from mangled import WHOLE, mangle
from workspace.preflight.checkout import Checkout
from workspace.preflight.families import FAMILIES, looked
from workspace.preflight.finding import Report

SEEDS = int(os.environ.get("FUZZ_SEEDS", "8"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
DEEP = 100_000
FAILED = "preflight/rule-failed"


def look(root: Path) -> Report:
    return Report.of(looked(name, Checkout(root)) for name in FAMILIES)


def found(report: Report) -> set[str]:
    return {each.rule.id for each in report.findings}


def put(root: Path, path: str, content: bytes | str) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_mangled_definitions_are_findings_and_no_rule_fails(seed: int, tmp_path: Path) -> None:
    mangle(tmp_path, seed)
    assert [str(each) for each in look(tmp_path).findings if each.rule.id == FAILED] == []


def test_whole_definitions_can_all_be_read(tmp_path: Path) -> None:
    for path, text in WHOLE.items():
        put(tmp_path, path, text)
    unread = {"terraform/unreadable", "kubernetes/syntax", "docker/syntax", "bicep/syntax", "bicep/not-read"}
    assert unread & found(look(tmp_path)) == set()


MERGED = "<<<<<<< HEAD\n"


@pytest.mark.parametrize(
    ("path", "content", "rule", "line"),
    [
        ("a/main.tf", 'x = "1"\nresource "a" {\n}\n', "terraform/unreadable", 2),
        ("a/main.tf", f'x = "1"\n{MERGED}', "terraform/unreadable", 2),
        ("a/main.tf", 'x = "1"\nb "c" {\n', "terraform/unreadable", 3),
        ("a/dev.tfvars.json", '{\n"a": 1,\n}', "terraform/unreadable", 3),
        ("a/main.tf.json", '{\n"variable": }', "terraform/unreadable", 2),
        ("a/terragrunt.hcl", 'include "root" {\n  path =\n}\n', "terraform/unreadable", 2),
        ("a/web.yaml", "apiVersion: v1\nkind: ConfigMap\n a: {\n", "kubernetes/syntax", 3),
        ("a/kustomization.yaml", "resources:\n- a\n b: [\n", "kubernetes/syntax", 3),
        ("a/Dockerfile", "FROM python:3.11\nRIN x\n", "docker/syntax", 2),
        ("a/main.bicep", "param a string\nparam = \n", "bicep/syntax", 2),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    path: str, content: str, rule: str, line: int, tmp_path: Path
) -> None:
    put(tmp_path, path, content)
    assert f"{path}:{line}" in {each.place for each in look(tmp_path).findings if each.rule.id == rule}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a/main.tf", "x = " + "[" * DEEP),
        ("a/main.tf", "x = " + "[" * 2000 + "]" * 2000 + "\n"),
        ("a/main.tf", 'b "x" {\n' * 3000 + "}\n" * 3000),
        ("a/main.tf", "x = " + "!" * 20_000 + "true\n"),
        ("a/dev.tfvars.json", '{"a":' * DEEP),
        ("a/web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: " + "[" * DEEP),
        ("a/web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: " + "{a: " * DEEP),
        ("a/web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  " + "- " * DEEP),
        ("a/web.yaml", "apiVersion: v1\nkind: x\n" + "".join(" " * each + "a:\n" for each in range(1500))),
        ("a/kustomization.yaml", "resources: " + "[" * DEEP),
        ("a/main.bicep", "var a = " + "[" * 5000),
        ("a/main.bicep", "var a = " + "(" * 5000 + "1" + ")" * 5000 + "\n"),
    ],
    ids=lambda value: value[:24].replace("\n", " "),
)
def test_what_is_nested_without_end_is_a_finding(path: str, content: str, tmp_path: Path) -> None:
    put(tmp_path, path, content)
    report = look(tmp_path)
    assert report.findings
    assert FAILED not in found(report)


def test_what_may_stand_in_json_is_not_called_missing(tmp_path: Path) -> None:
    put(tmp_path, "a/main.tf", 'output "a" {\n  description = "What a is."\n  value = var.a\n}\n')
    assert "terraform/undeclared" in found(look(tmp_path))
    put(tmp_path, "a/variables.tf.json", '{"variable": {"a": {}}}')
    assert "terraform/undeclared" not in found(look(tmp_path))


def test_aliases_that_grow_without_end_are_a_finding(tmp_path: Path) -> None:
    lines = ["apiVersion: v1", "kind: Service", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 10)}]" for each in range(1, 12)]
    put(tmp_path, "a/web.yaml", "\n".join(lines))
    put(tmp_path, "a/Dockerfile", "FROM python:3.11\nEXPOSE 80\nUSER 1\nHEALTHCHECK CMD x\n")
    assert found(look(tmp_path)) == {"kubernetes/syntax"}


@pytest.mark.parametrize("path", ["a/main.tf", "a/kustomization.yaml", "a/web.yaml", "a/Dockerfile", "a/main.bicep"])
def test_a_file_that_is_too_large_is_a_finding_and_not_read(path: str, tmp_path: Path) -> None:
    with put(tmp_path, path, "").open("wb") as file:
        file.truncate(100_000_000)
    told = [each.what for each in look(tmp_path).findings if each.file == path]
    assert any("100 MB" in each for each in told)


def test_links_that_go_round_lead_nowhere(tmp_path: Path) -> None:
    put(tmp_path, "a/main.tf", 'variable "a" {}\n')
    (tmp_path / "a/again").symlink_to(tmp_path / "a")
    (tmp_path / "a/self.tf").symlink_to("self.tf")
    (tmp_path / "one.tf").symlink_to("two.tf")
    (tmp_path / "two.tf").symlink_to("one.tf")
    checkout = Checkout(tmp_path)
    assert checkout.files == ("a/main.tf", "a/self.tf", "one.tf", "two.tf")
    assert FAILED not in found(look(tmp_path))


SECRET = "the-word-that-nobody-outside-may-read"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a secret beside the one that is checked."""
    folder = tmp_path / "outside"
    put(folder, "main.tf", f'output "{SECRET}" {{\n  value = var.{SECRET}\n}}\n')
    put(folder, "kustomization.yaml", "resources: [secret.yaml]\n")
    put(folder, "secret.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {SECRET}}}\ndata: {{a: 1}}\n")
    put(folder, "site.bicep", f"param {SECRET.replace('-', '_')} string\n")
    return folder


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a/kustomization.yaml", "resources: [../../outside]\n"),
        ("a/kustomization.yaml", "resources: [../../outside/secret.yaml]\n"),
        ("a/kustomization.yaml", "configMapGenerator: [{name: x, files: [../../outside/secret.yaml]}]\n"),
        ("a/main.tf", 'module "a" {\n  source = "../../outside"\n}\n'),
        ("a/main.bicep", "module a '../../outside/site.bicep' = { name: 'a' }\n"),
        ("a/Dockerfile", "FROM python:3.11\nCOPY ../../outside/secret.yaml /x\n"),
    ],
)
@pytest.mark.usefixtures("outside")
def test_a_path_that_leads_out_of_the_folder_is_not_followed(path: str, content: str, tmp_path: Path) -> None:
    root = tmp_path / "checked"
    put(root, path, content)
    report = look(root)
    assert not any(SECRET in str(each) or SECRET.replace("-", "_") in str(each) for each in report.findings)
    assert "rendered overlays" not in {each.what for each in report.checked}


@pytest.mark.parametrize("name", ["main.tf", "web.yaml", "site.bicep"])
def test_a_link_that_leads_out_of_the_folder_is_not_followed(name: str, tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "checked"
    root.mkdir()
    source = "secret.yaml" if name == "web.yaml" else name
    (root / name).symlink_to(outside / source)
    (root / "all").symlink_to(outside)
    put(root, "kustomization.yaml", "resources: [all, web.yaml]\n")
    told = [str(each) for each in look(root).findings]
    assert not any(SECRET in each or SECRET.replace("-", "_") in each for each in told)
    assert any("leads out of the checkout" in each for each in told)


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "main.tf")
    assert Checkout(tmp_path).files == ()


def test_names_may_hold_anything_a_file_system_takes(tmp_path: Path) -> None:
    for name in ("a b", "new\nline", "co:12", "caf\udce9", "-x", "$(x)"):
        put(tmp_path, f"{name}/main.tf", 'resource "a" {}\n')
        put(tmp_path, f"{name}/web.yaml", "apiVersion: v1\nkind: ConfigMap\n a: {\n")
    report = look(tmp_path)
    assert len([each for each in report.findings if each.rule.id == "terraform/unreadable"]) == 6
    assert FAILED not in found(report)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\x00" * 100, b"\xff\xfe\x00\xd8"])
def test_empty_and_almost_empty_files_end_no_rule(content: bytes, tmp_path: Path) -> None:
    for path in WHOLE:
        put(tmp_path, path, content)
    assert FAILED not in found(look(tmp_path))


def test_a_folder_that_may_not_be_opened_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/closed/main.tf", "x = 1\n")
    put(tmp_path, "b/main.tf", "x = \n")
    scandir = os.scandir

    def guarded(place: Path) -> object:
        if place.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", guarded)
    told = {(each.rule.id, each.file) for each in look(tmp_path).findings}
    assert told == {("preflight/not-opened", "a/closed"), ("terraform/unreadable", "b/main.tf")}


@pytest.mark.parametrize("path", ["a/main.tf", "a/kustomization.yaml", "a/web.yaml", "a/Dockerfile", "a/main.bicep"])
def test_a_file_that_may_not_be_opened_is_a_finding(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, path, WHOLE["app/main.bicep"])

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert any("Permission denied" in each.what for each in look(tmp_path).findings if each.file == path)


def test_an_empty_folder_has_nothing_to_mend(tmp_path: Path) -> None:
    assert look(tmp_path).findings == ()


def test_line_ends_change_nothing(tmp_path: Path) -> None:
    for path, text in WHOLE.items():
        put(tmp_path / "other", path, text.replace("\n", "\r\n"))
        put(tmp_path / "usual", path, text)
    assert list(map(str, look(tmp_path / "other").findings)) == list(map(str, look(tmp_path / "usual").findings))


@pytest.mark.parametrize(
    ("path", "content", "line"),
    [
        ("a/main.tf", 'variable "a" {}\n# caf\xe9\n'.encode("latin-1"), 2),
        ("a/main.tf", 'variable "a" {}\n'.encode("utf-16"), 1),
        ("a/web.yaml", "apiVersion: v1\nkind: ConfigMap\n# \xe9\nmetadata: {name: a}\n".encode("latin-1"), 3),
    ],
)
def test_what_is_not_utf_8_is_told_with_its_line(path: str, content: bytes, line: int, tmp_path: Path) -> None:
    put(tmp_path, path, content)
    places = [each.place for each in look(tmp_path).findings if each.rule.id == "preflight/not-utf-8"]
    assert places == [f"{path}:{line}"]


@pytest.mark.thorough
def test_ten_thousand_files_are_read(tmp_path: Path) -> None:
    for number in range(10_000):
        put(tmp_path, f"d{number % 100}/f{number}.tf", f'variable "v{number}" {{}}\n')
    report = look(tmp_path)
    assert ("Terraform and data files", 10_000) in {(each.what, each.count) for each in report.checked}

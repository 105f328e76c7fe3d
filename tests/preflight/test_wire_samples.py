"""Definitions that others wrote: preflight reads each without failing, and says what it has read."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace.preflight.checkout import Checkout
from workspace.preflight.families import FAMILIES, looked
from workspace.preflight.finding import Report

FAILED = "preflight/rule-failed"
Files = dict[str, str]


def kustomize(samples: Path) -> Iterator[tuple[str, Files]]:
    """The folders of Kustomize's own tests."""
    for line in (samples / "kustomize/dev/krusty.jsonl").read_text().splitlines():
        case = json.loads(line)
        yield case["id"], {path.lstrip("/"): text for path, text in case["files"].items()}


def bicep(samples: Path) -> Iterator[tuple[str, Files]]:
    """Templates of the Bicep repository, with their parameters."""
    for file in sorted((samples / "bicep/dev").glob("*.json")):
        case = json.loads(file.read_text())
        files = case.get("bicep") or {name: text for name, text in case.items() if name.startswith("main.bicep")}
        if files:
            yield file.stem, files


def terraform(samples: Path) -> Iterator[tuple[str, Files]]:
    """The configuration behind the recordings of Terraform."""
    main, module = (
        (samples / f"terraform/dev/tf1114-workspace{each}.tf").read_text() for each in ("-main", "-svc-main")
    )
    yield "tf1114-workspace", {"main.tf": main, "modules/svc/main.tf": module}


def graphs(samples: Path) -> Iterator[tuple[str, Files]]:
    """Pipelines in YAML, which are no manifests."""
    yield "aro-hcp", {file.name: file.read_text() for file in sorted((samples / "graphs/dev").glob("*.yaml"))}


def objects(samples: Path) -> Iterator[tuple[str, Files]]:
    """Kubernetes objects as clusters hold them, each suite a folder."""
    for file in sorted((samples / "k8s/dev").glob("*.jsonl")):
        cases = [json.loads(line) for line in file.read_text().splitlines()]
        yield file.stem, {f"{number}.yaml": json.dumps(each["object"]) for number, each in enumerate(cases)}


SORTS = {each.__name__: each for each in (kustomize, bicep, terraform, graphs, objects)}


@pytest.mark.parametrize("sort", SORTS)
def test_definitions_of_others_are_read_without_a_rule_that_fails(
    sort: str, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, failed, count = Counter[str](), list[str](), 0
    for name, files in SORTS[sort](samples):
        folder = tmp_path / str(count)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        checkout = Checkout(folder)
        report = Report.of(looked(each, checkout) for each in FAMILIES)
        found.update(each.rule.id for each in report.findings)
        failed += [f"{name}: {each}" for each in report.findings if each.rule.id == FAILED]
        count += 1
    with capsys.disabled():
        print(f"\n{sort}: {count} folders, {dict(found.most_common())}")  # noqa: T201
    assert count
    assert failed == []
    assert not {"bicep/not-read", "bicep/syntax"} & found.keys()

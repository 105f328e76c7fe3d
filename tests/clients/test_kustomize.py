"""Kustomize through each engine at hand, against cases of Kustomize's own test-suite."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from evidence import Evidence
from workspace.clients.kustomize import ENGINES, Kustomize
from workspace.errors import Refused, WorkspaceError

pytestmark = pytest.mark.slow


def engine(name: str) -> Kustomize:
    kustomize = Kustomize(engines=[name])
    try:
        kustomize.provenance()
    except Refused:
        pytest.skip(f"{name} is not at hand")
    return kustomize


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    base, overlay = tmp_path / "base", tmp_path / "overlay"
    base.mkdir()
    overlay.mkdir()
    (base / "kustomization.yaml").write_text("resources: [map.yaml]\n")
    (base / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {since: '2020-01-01', on: 'yes', mode: '0644'}\n"
    )
    (overlay / "kustomization.yaml").write_text("resources: [../base]\nnamePrefix: dev-\n")
    return overlay


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def documents(text: str) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True, default=str) for each in yaml.safe_load_all(text) if each)


def cases(samples: Path, every: int = 1) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (samples / "kustomize/dev/krusty.jsonl").read_text().splitlines()][::every]


@pytest.mark.evidence("kustomize")
def test_the_wheel_agrees_with_every_case_of_kustomize(samples: Path, tmp_path: Path, evidence: Evidence) -> None:
    evidence.used("kustomize/dev/krusty.jsonl")
    compare(engine("pykustomize"), cases(samples), tmp_path, evidence)


@pytest.mark.parametrize("name", ["kubectl", "kustomize"])
def test_a_program_agrees_with_every_eighth_case_of_kustomize(
    name: str, samples: Path, tmp_path: Path, evidence: Evidence
) -> None:
    compare(engine(name), cases(samples, 8), tmp_path, evidence)


@pytest.mark.evidence("kustomize-programs")
@pytest.mark.parametrize("name", ["kubectl", "kustomize"])
def test_a_program_agrees_with_every_case_of_kustomize(
    name: str, samples: Path, tmp_path: Path, evidence: Evidence
) -> None:
    compare(engine(name), cases(samples), tmp_path, evidence)


def compare(kustomize: Kustomize, tried: list[dict[str, Any]], home: Path, evidence: Evidence) -> None:
    folders = {case["id"]: written(case, home) for case in tried}
    rendered = kustomize.render_all(list(folders.values()))

    def agrees(case: dict[str, Any]) -> str:
        found = rendered[folders[case["id"]]]
        if "expected_error" in case:
            wanted = " ".join((case["expected_error"] or "").split())[:60]
            assert isinstance(found, Refused) and wanted in str(found), found
            return "refused for the same reason"
        assert not isinstance(found, Refused), found
        assert sorted(json.dumps(each, sort_keys=True) for each in found) == documents(case["expected"])
        return "the same objects"

    evidence.each(tried, agrees, name=lambda case: str(case["id"]))


def written(case: dict[str, Any], root: Path) -> Path:
    home = root / case["id"].replace("/", "_")
    for path, text in case["files"].items():
        file = home / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return home / case["target"].lstrip("/")


@pytest.mark.parametrize("name", ENGINES)
def test_values_that_only_look_like_dates_and_switches_stay_texts(name: str, overlay: Path) -> None:
    (rendered,) = engine(name).render(overlay)
    assert rendered["metadata"]["name"] == "dev-web"
    assert rendered["data"] == {"since": "2020-01-01", "on": "yes", "mode": "0644"}


@pytest.mark.parametrize("name", ENGINES)
def test_an_overlay_that_does_not_render_is_refused_with_the_reason(name: str, overlay: Path) -> None:
    (overlay / "kustomization.yaml").write_text("resources: [../nowhere]\n")
    with pytest.raises(Refused, match="nowhere"):
        engine(name).render(overlay)


def test_a_folder_is_rendered_again_only_when_something_it_builds_on_changed(tmp_path: Path, overlay: Path) -> None:
    program(tmp_path / "bin", "kustomize", f'[ "$1" = version ] || echo x >> {tmp_path}/calls; echo "kind: Made"')
    kustomize = Kustomize(path=f"{tmp_path / 'bin'}:{os.defpath}", engines=["kustomize"])
    for _ in range(2):
        kustomize.render(overlay)
    assert (tmp_path / "calls").read_text() == "x\n"
    (tmp_path / "base" / "map.yaml").write_text("changed: yes\n")
    kustomize.render(overlay)
    assert (tmp_path / "calls").read_text() == "x\nx\n"


@pytest.mark.parametrize("name", ENGINES)
def test_a_warning_of_the_engine_is_said(name: str, overlay: Path) -> None:
    (overlay / "kustomization.yaml").write_text("bases: [../base]\n")
    said: list[str] = []
    engine(name).render(overlay, said.append)
    assert said and "'bases' is deprecated" in said[0]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no overlay folder"):
        Kustomize(engines=["pykustomize"]).render(tmp_path / "nothing")


def test_an_overlay_without_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(WorkspaceError, match=r"render|empty"):
        engine("pykustomize").render(tmp_path)


def test_the_wheel_renders_when_no_program_is_on_path(overlay: Path, tmp_path: Path) -> None:
    engine("pykustomize")
    kustomize = Kustomize(path=str(tmp_path / "empty"))
    assert kustomize.render(overlay)[0]["metadata"]["name"] == "dev-web"
    assert kustomize.provenance().startswith("pykustomize ")


def test_an_old_kubectl_is_passed_over_and_named(tmp_path: Path) -> None:
    program(tmp_path / "bin", "kubectl", """echo '{"clientVersion": {"gitVersion": "v1.20.2"}}'""")
    kustomize = Kustomize(path=str(tmp_path / "bin"), engines=["kubectl", "kustomize"])
    with pytest.raises(Refused, match=r"kubectl is v1\.20\.2, too old"):
        kustomize.provenance()


def test_kustomize_is_used_when_kubectl_is_too_old(tmp_path: Path, overlay: Path) -> None:
    program(tmp_path / "bin", "kubectl", """echo '{"clientVersion": {"gitVersion": "v1.20.2"}}'""")
    program(tmp_path / "bin", "kustomize", '[ "$1" = version ] && echo v5.6.0 || echo "{kind: Made, by: $1}"')
    kustomize = Kustomize(path=str(tmp_path / "bin"))
    assert kustomize.engine.name == "kustomize"
    assert kustomize.render(overlay) == [{"kind": "Made", "by": "build"}]


def test_a_panic_of_the_library_spoils_only_its_own_folder(overlay: Path, tmp_path: Path) -> None:
    kustomize = engine("pykustomize")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "kustomization.yaml").write_text("resources: [../base]\nimages: [{name: '[', newTag: x}]\n")
    (tmp_path / "base" / "map.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: b}]}\n"
    )
    rendered = kustomize.render_all([overlay, bad, overlay.parent / "base"])
    assert [isinstance(each, list) for each in rendered.values()][::2] == [True, True]


def test_no_program_at_all_is_refused_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"put kubectl 1\.21 or later or kustomize on PATH"):
        Kustomize(path=os.fspath(tmp_path), engines=["kubectl", "kustomize"]).provenance()

"""What an overlay renders to is the same in all environments, but for what the workspace says may differ."""

import copy
from pathlib import Path
from typing import Any

import pytest
from workspace import neutral
from workspace.clients.kustomize import Kustomize

import deployments

DECLARED = """
differences:
  - {object: "*", paths: [metadata.namespace], why: x}
  - {object: "Namespace web-{env}", paths: [metadata.name], why: x}
  - {object: Deployment web, paths: ["spec.containers[web].resources.*", spec.nodeSelector], why: x}
  - {object: Gateway, paths: ["spec.listeners[https-*"], why: x}
"""
OVERLAYS = "k8s/overlays"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "differences.yaml").write_text(DECLARED)
    return tmp_path


def objects(environment: str, memory: str, host: str) -> list[dict[str, Any]]:
    container = {"name": "web", "image": "web@sha256:1", "resources": {"limits": {"memory": memory}}}
    selector = {"nodeSelector": {"pool": "own"}} if environment == "prod" else {}
    return [
        {"kind": "Namespace", "metadata": {"name": f"web-{environment}"}},
        {"kind": "Deployment", "metadata": {"name": "web", "namespace": environment},
         "spec": {"containers": [container], **selector}},
        {"kind": "Gateway", "metadata": {"name": "way"}, "spec": {"listeners": [{"name": "https-web", "host": host}]}},
    ]  # fmt: skip


def test_what_is_declared_to_differ_does_not_count(root: Path) -> None:
    dev = neutral.content(objects("dev", "1Gi", "dev.web"), "dev", root, f"{OVERLAYS}/dev/web")
    prod = neutral.content(objects("prod", "8Gi", "web"), "prod", root, f"{OVERLAYS}/prod/web")
    assert dev == prod != ""


@pytest.mark.parametrize(
    ("number", "path", "value"),
    [
        (1, ("spec", "containers", 0, "image"), "web@sha256:2"),
        (1, ("spec", "strategy"), "Recreate"),
        (1, ("metadata", "name"), "web2"),
        (2, ("spec", "gatewayClassName"), "other"),
        (0, ("kind",), "Other"),
    ],
)
def test_anything_else_does(root: Path, number: int, path: tuple[Any, ...], value: str) -> None:
    one = objects("dev", "1Gi", "dev.web")
    other = copy.deepcopy(one)
    place: Any = other[number]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    overlay = f"{OVERLAYS}/dev/web"
    assert neutral.content(one, "dev", root, overlay) != neutral.content(other, "dev", root, overlay)


def test_where_nobody_said_what_may_differ_nothing_is_compared(tmp_path: Path) -> None:
    (tmp_path.parent / "differences.yaml").write_text(DECLARED)
    assert neutral.content(objects("dev", "1Gi", "h"), "dev", tmp_path, f"{OVERLAYS}/dev/web") == ""


@pytest.mark.slow
def test_every_overlay_of_the_workspace_renders_to_the_same_in_all_environments() -> None:
    kustomize, found = Kustomize(), dict[str, set[str]]()
    overlays = "infra/kubernetes/overlays"
    for environment in ("dev", "staging", "prod"):
        for folder in sorted((deployments.SOURCES / overlays / environment).iterdir()):
            if folder.is_dir():
                rendered = kustomize.render(folder)
                overlay = f"{overlays}/{environment}/{folder.name}"
                digest = neutral.content(rendered, environment, deployments.SOURCES, overlay)
                found.setdefault(folder.name, set()).add(digest)
    assert {name: len(digests) for name, digests in found.items()} == dict.fromkeys(found, 1)
    assert len(found) >= 6
    assert all("" not in digests for digests in found.values())

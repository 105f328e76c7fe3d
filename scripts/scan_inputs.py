"""What the outside scanners are given, for `scripts/scanners.py`: rendered overlays and the explained findings.

It runs in the project's own environment, because the scanners' has neither Kustomize nor our library.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from workspace import manifests
from workspace.clients.kustomize import Kustomize
from workspace.errors import Refused

ROOT = Path(__file__).resolve().parent.parent
OVERLAYS = ROOT / "infra" / "kubernetes" / "overlays"
REGISTRY = ROOT / "infra" / "terraform" / "environments" / "world" / "registry.tfvars.json"
ENGINES = ("pykustomize", "kubectl", "kustomize")
ANY_DIGEST = "sha256:" + "0" * 64
NEEDED = {"tool", "check", "place", "reason"}
ALLOWED = NEEDED | {"environments"}


def main() -> int:
    """Write the rendered overlays under the given folder, and what is accepted as JSON on stdout."""
    try:
        rendered(Path(sys.argv[1]))
        sys.stdout.write(json.dumps(accepted(ROOT / "infra" / "accepted.yaml")))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def rendered(out: Path) -> None:
    """Every overlay that is deployed by itself, with its images by digest, as a deployment would apply it."""
    # All in one folder: a scanner passes over folders called dev, which it takes for the system's devices.
    out.mkdir()
    folders = [found.parent for found in sorted(OVERLAYS.glob("*/*/**/kustomization.yaml"))]
    for folder, objects in Kustomize(engines=ENGINES).render_all(folders).items():
        if isinstance(objects, Refused):
            raise objects
        file = out / f"{'.'.join(folder.relative_to(OVERLAYS).parts)}.yaml"
        file.write_text(yaml.safe_dump_all(deployed(objects), sort_keys=False))


def deployed(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects with a digest where the definition names an image of ours: one without registry and without tag."""
    registry = json.loads(REGISTRY.read_text())["name"]
    used = {image for images in manifests.images(objects).values() for image in images}
    ours = {image: f"{registry}.azurecr.io/{image}@{ANY_DIGEST}" for image in used if "/" not in image}
    return manifests.pinned(objects, ours, sorted(used - ours.keys()))


def accepted(file: Path) -> list[dict[str, Any]]:
    """The explained findings, one for each tool, check, place and environment, with the line that explains it."""
    tree = yaml.compose(file.read_text())
    entries = yaml.safe_load(file.read_text()) or []
    lines = [node.start_mark.line + 1 for node in tree.value] if tree else []
    return [each for entry, line in zip(entries, lines, strict=True) for each in expanded(entry, f"{file.name}:{line}")]


def expanded(entry: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """An entry for each of its checks and places; refused when a part is missing, empty or unknown."""
    wrong = [f"{key} is missing" for key in sorted(NEEDED) if not entry.get(key)]
    wrong += [f"{key} is not known" for key in sorted(entry.keys() - ALLOWED)]
    if wrong:
        raise Refused(f"infra/{where}: {' and '.join(wrong)}; an entry has {', '.join(sorted(ALLOWED))}.")
    common = {"tool": entry["tool"], "reason": entry["reason"], "where": f"infra/{where}"}
    for check in listed(entry["check"]):
        for place in listed(entry["place"]):
            for environment in listed(entry.get("environments", "")):
                yield {**common, "check": check, "place": place, "environment": environment}


def listed(value: str | list[str]) -> list[str]:
    """One or several, as a list."""
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main())

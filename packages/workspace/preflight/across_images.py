"""Rules for images between those who build, those who keep and those who run them."""

import re
from collections.abc import Iterator

from workspace.preflight.across_environments import opened
from workspace.preflight.across_inventory import Image, Inventory, Mention, Said
from workspace.preflight.across_kinds import REGISTRY
from workspace.preflight.across_names import similar
from workspace.preflight.across_texts import lines
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity

UNDECLARED = Rule(
    "images/registry-undeclared",
    Severity.ERROR,
    "An image of our own in a registry that nobody declares, while another one is declared.",
    "Overlays pulled from one registry per environment, and there was only one for all.",
    "Pull from the registry that is declared.",
)
NOBODY = Rule(
    "images/nobody-builds",
    Severity.ERROR,
    "An image of our own registry that nothing in the workspace builds.",
    "No workflow built story-generator; its pods could only wait for the image.",
    "Add its Dockerfile or build, or correct the repository.",
)
DIFFERS = Rule(
    "images/repository-differs",
    Severity.RISK,
    "A container that runs another repository in one environment than in the others.",
    "What staging proves says nothing about prod when prod runs another image.",
    "Name one repository in the base; environments differ by digest only.",
)
TWICE = Rule(
    "images/built-twice",
    Severity.RISK,
    "One repository that is built from two Dockerfiles.",
    "Whichever build was last decides what the tag means.",
    "Build it once, or give each its own repository.",
)
RULES = (UNDECLARED, NOBODY, DIFFERS, TWICE)

_PUSHED = re.compile(
    r"(?:docker(?: buildx)? build\b.*?(?:\s-t|\s--tag)[ =]+|^\s*tags:\s*)"
    r"[\"']?(\S+?azurecr\.io|\$\{\{?[^}]+\}\}?)/([a-z0-9._/-]+)"
)
_FROM_FILE = re.compile(r"(?:(?:\s-f|\s--file)[ =]+|^\s*file:\s*)[\"']?([^\s\"']+)")


def check(trees: Trees) -> Iterator[Finding]:
    """What is wrong with images and registries."""
    for each in trees.inventory.images:
        yield from _registry(trees, each)
    yield from _repositories(trees.inventory)
    yield from _builds(trees)


def _find(rule: Rule, said: Said, what: str) -> Finding:
    return rule.at(said.place, what, *([said.environment] if said.environment else []))


def _registry(trees: Trees, image: Image) -> Iterator[Finding]:
    inventory = trees.inventory
    name, dot, suffix = image.registry.partition(".")
    if not dot or suffix != REGISTRY.endpoint or REGISTRY in inventory.unknown or not inventory.of(REGISTRY):
        return
    is_built = _is_built(trees, image.repository)
    if inventory.named(REGISTRY, name):
        if not is_built:
            what = f"{image.container} runs {image.registry}/{image.repository}, which nothing here builds."
            yield _find(NOBODY, image.said, what)
        return
    own = " and ".join(sorted({each.name for each in inventory.of(REGISTRY)}))
    if is_built and similar(inventory, Mention(REGISTRY, name, image.said)) is None:
        what = f"{image.container} pulls {image.repository} from {name}, which nobody declares; declared is {own}."
        yield _find(UNDECLARED, image.said, what)


def _is_built(trees: Trees, repository: str) -> bool:
    name = repository.rpartition("/")[2]
    return trees.sources.builds(name) or trees.sources.names(name)


def _repositories(inventory: Inventory) -> Iterator[Finding]:
    known: dict[str, dict[str, Image]] = {}
    for each in inventory.images:
        if each.said.environment:
            key = opened(each.container, each.said.environment)
            known.setdefault(key, {}).setdefault(each.said.environment, each)
    for images in known.values():
        used = [each.repository for each in images.values()]
        usual = max(used, key=used.count)
        for environment, each in images.items():
            if each.repository != usual and used.count(usual) > 1:
                what = f"{each.container} runs {each.repository} in {environment} and {usual} elsewhere."
                yield _find(DIFFERS, each.said, what)


def _builds(trees: Trees) -> Iterator[Finding]:
    seen: dict[str, tuple[str, str]] = {}
    for file in trees.checkout.matching(".github/workflows/*.yml", ".github/workflows/*.yaml", "*.sh"):
        for place, repository, dockerfile in _built(trees, file):
            first, where = seen.setdefault(repository, (dockerfile, place))
            if first != dockerfile:
                what = f"{repository} is built from {dockerfile} here and from {first} in {where}."
                yield TWICE.at(place, what)


def _built(trees: Trees, file: str) -> Iterator[tuple[str, str, str]]:
    """What a workflow or script builds: place, repository and Dockerfile, where all are written out."""
    rows = list(lines(trees.checkout.found(file)))
    for index, (number, line) in enumerate(rows):
        found = _PUSHED.search(line) if len(line) < 4000 else None
        if found is None or line.lstrip().startswith("#"):
            continue
        near = [line] if "docker" in line else _step(rows, index)
        files = [one[1] for each in near if (one := _FROM_FILE.search(each))]
        if len(files) == 1 and "$" not in files[0] and "$" not in found[2]:
            yield f"{file}:{number}", found[2].rstrip("./"), files[0].removeprefix("./")


def _step(rows: list[tuple[int, str]], index: int) -> list[str]:
    """The lines of the step around a line: as deep as it, or deeper."""
    depth = len(rows[index][1]) - len(rows[index][1].lstrip())
    start = end = index
    while start > 0 and _is_inside(rows[start - 1][1], depth):
        start -= 1
    while end + 1 < len(rows) and _is_inside(rows[end + 1][1], depth):
        end += 1
    return [line for _, line in rows[start : end + 1]]


def _is_inside(line: str, depth: int) -> bool:
    return bool(line.strip()) and len(line) - len(line.lstrip()) >= depth

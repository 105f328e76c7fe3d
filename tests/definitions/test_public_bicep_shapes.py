"""Shapes that the workspaces of others have: what is right is left alone, and what is wrong is found at its line."""

from pathlib import Path

import pytest
from workspace.preflight import bicep, docker
from workspace.preflight.checkout import Checkout

RUNS = "USER nobody\n"


def found(root: Path, files: dict[str, str]) -> list[tuple[str, str]]:
    """The rules and places of what the family for Dockerfiles finds."""
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return [(each.rule.id, each.place) for each in docker.check(Checkout(root)).findings]


def asking(base: str, layers: str = "", how: str = "CMD curl -f http://localhost/health || exit 1") -> dict[str, str]:
    """A Dockerfile with a health check."""
    return {"Dockerfile": f"FROM {base}\n{layers}{RUNS}HEALTHCHECK --interval=30s \\\n  {how}\n"}


@pytest.mark.parametrize(
    "files",
    [
        asking("mcr.microsoft.com/dotnet/aspnet:10.0"),
        asking("mcr.microsoft.com/dotnet/runtime:10.0-noble-chiseled"),
        asking("python:3.14-slim", how='CMD ["curl", "-f", "http://localhost/health"]'),
        asking("node:24-trixie-slim", how="CMD wget -qO- http://localhost/health"),
        asking("node:24-alpine"),
        asking("mcr.microsoft.com/dotnet/aspnet:10.0-alpine"),
        asking("debian:13"),
    ],
    ids=str,
)
def test_a_health_check_that_asks_with_a_program_which_is_not_there_is_found(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert found(tmp_path, files) == [("docker/no-health-check", "Dockerfile:3")]


@pytest.mark.parametrize(
    "files",
    [
        asking("node:24-alpine", how="CMD wget -qO- http://localhost/health || exit 1"),
        asking("node:24-alpine", how="CMD wget -q localhost || curl -f localhost"),
        asking("node:24"),
        asking("nginx:1.29-alpine"),
        asking("mcr.microsoft.com/dotnet/aspnet:10.0", "COPY --from=busybox:1.37 /bin/wget /usr/bin/curl\n"),
        asking("alpine:3.23", "RUN apk add --no-cache curl\n"),
        asking(
            "python:3.14-slim", how="CMD python -c 'import urllib.request; urllib.request.urlopen(\"http://a/curl\")'"
        ),
        asking("registry.example.org/base:1"),
    ],
    ids=str,
)
def test_a_health_check_whose_program_is_there_is_left_alone(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(tmp_path, files) == []


def test_a_file_tells_more_of_the_context_than_a_folder_with_a_common_name(tmp_path: Path) -> None:
    image = f"FROM python:3.14-slim\nCOPY requirements.txt .\nCOPY worker/ worker/\n{RUNS}HEALTHCHECK CMD python a.py\n"
    files = {"src/worker/Dockerfile": image, "src/worker/requirements.txt": "", "src/api/.keep": ""}
    assert found(tmp_path, files) == [("docker/source-missing", "src/worker/Dockerfile:3")]
    assert found(tmp_path, {"src/worker/worker/main.py": ""}) == []


NAMES = """\
param environment string
param project string = 'orders'
var base = 'acme-${environment}-${project}'
output vault string = '${base}-kv-weu'
output store string = toLower('ac${environment}${replace(project, '-', '')}st')
"""
KEEPS = """\
param name string
resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  properties: { enableRbacAuthorization: true }
}
output name string = vault.name
"""
SHARED = """\
param environment string
module names 'names.bicep' = {
  name: 'names'
  params: { environment: environment }
}
module vault 'vault.bicep' = {
  name: 'vault'
  params: { name: names.outputs.vault }
}
module copy 'vault.bicep' = {
  name: 'copy'
  params: { name: '${vault.outputs.name}2' }
}
"""


def named(root: Path, files: dict[str, str], *environments: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """The names that Azure would refuse, with their places and environments."""
    given = {
        f"main.{each}.parameters.json": '{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/'
        f'deploymentParameters.json#", "parameters": {{"environment": {{"value": "{each}"}}}}}}'
        for each in environments
    }
    for file, text in {**files, **given}.items():
        (root / file).write_text(text)
    findings = bicep.check(Checkout(root)).findings
    return [
        (each.place, each.what.split("'")[1], each.environments) for each in findings if each.rule.id == "bicep/name"
    ]


def test_a_name_that_a_module_makes_is_measured_in_each_environment(tmp_path: Path) -> None:
    files = {"main.bicep": SHARED, "names.bicep": NAMES, "vault.bicep": KEEPS}
    assert named(tmp_path, files, "dev", "staging") == [
        ("main.bicep:8", "acme-staging-orders-kv-weu", ("staging",)),
        ("main.bicep:12", "acme-staging-orders-kv-weu2", ("staging",)),
    ]


def test_names_that_nobody_can_work_out_are_left_alone(tmp_path: Path) -> None:
    circle = "module main 'main.bicep' = {\n  name: 'a'\n  params: { environment: 'x' }\n}\n"
    unknown = f"{circle}output vault string = main.outputs.vault\n"
    gives = f"{SHARED}output vault string = '${{names.outputs.vault}}-and-more-than-fits'\n"
    files = {"main.bicep": gives, "names.bicep": f"param environment string\n{unknown}", "vault.bicep": KEEPS}
    assert named(tmp_path, files, "dev", "staging") == []
    looped = SHARED.replace("'names.bicep' = {", "'names.bicep' = [for each in ['a']: {").replace(
        "environment }\n}", "environment }\n}]", 1
    )
    files = {"main.bicep": looped.replace("names.outputs", "names[0].outputs"), "names.bicep": NAMES}
    assert named(tmp_path, files, "staging") == []


KEYS = """\
resource store 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: 'orders'
}
output connectionString string = 'Key=${store.listKeys().keys[0].value}'
output place string = store.location
"""
HANDS = """\
module keys 'keys.bicep' = {
  name: 'keys'
}
output connectionString string = keys.outputs.connectionString
output place string = keys.outputs.place
"""
TOP = """\
module hands 'hands.bicep' = {
  name: 'hands'
}
output again string = 'x ${hands.outputs.connectionString}'
"""


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("", ""), ["infra/keys.bicep:4"]),
        (
            ("output connectionString string = 'Key", "@secure()\noutput connectionString string = 'Key"),
            ["infra/hands.bicep:4"],
        ),
        (("'Key=${store.listKeys().keys[0].value}'", "'none'"), ["infra/hands.bicep:4"]),
    ],
    ids=["told where it is read", "secure, and handed on in clear", "known by its name alone"],
)
def test_a_secret_that_modules_hand_on_is_told_once(tmp_path: Path, change: tuple[str, str], wanted: list[str]) -> None:
    (tmp_path / "infra").mkdir()
    for file, text in (("keys", KEYS.replace(*change) if change[0] else KEYS), ("hands", HANDS), ("main", TOP)):
        (tmp_path / f"infra/{file}.bicep").write_text(text)
    told = [(each.rule.id, each.place) for each in bicep.check(Checkout(tmp_path)).findings]
    assert told == [("bicep/secret-output", each) for each in wanted]


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        (".devcontainer/Dockerfile", []),
        ("tools/.devcontainer/api/Dockerfile", []),
        (".gitpod.Dockerfile", []),
        ("devcontainer/Dockerfile", ["docker/no-health-check", "docker/package-lists", "docker/runs-as-root"]),
    ],
)
def test_the_container_of_a_developer_is_no_image_that_runs(tmp_path: Path, file: str, wanted: list[str]) -> None:
    layer = "FROM debian:13\nRUN apt-get update && apt-get install -y jq\n"
    assert sorted(rule for rule, _ in found(tmp_path, {file: layer})) == wanted


def test_what_a_developers_container_fetches_may_still_not_fail_in_silence(tmp_path: Path) -> None:
    layer = "FROM debian:13\nRUN curl -fsSL https://example.org/install.sh | bash\n"
    assert found(tmp_path, {".devcontainer/Dockerfile": layer}) == [
        ("docker/failure-lost", ".devcontainer/Dockerfile:2")
    ]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("type high = -low", []), ("type high = !low", []), ("type high = -", ["bicep/syntax"])],
    ids=["the opposite of a number", "the opposite of a claim", "the opposite of nothing"],
)
def test_a_type_may_be_the_opposite_of_another(tmp_path: Path, line: str, wanted: list[str]) -> None:
    (tmp_path / "main.bicep").write_text(f"type low = -10\n{line}\nparam depth high\noutput deep high = depth\n")
    assert [each.rule.id for each in bicep.check(Checkout(tmp_path)).findings] == wanted

"""Our own definitions across tools, compared with what `deployments/` says of the environments."""

import shutil
from pathlib import Path

import pytest
from workspace.preflight import across
from workspace.preflight.checkout import Checkout

import deployments
from deployments import described

READ = ("infra", "packages/app/infrastructure", "deployments")
DATA = "infra/terraform/environments"
OVERLAYS = "infra/kubernetes/overlays"

# file · old text · new text · rule · a word of the line where it is found
Case = tuple[str, str, str, str, str]
CASES: list[Case] = [
    (
        f"{DATA}/staging/cluster.tfvars.json",
        "mystira-staging-aks",
        "mys-staging-aks",
        "catalogue/name",
        "mys-staging-aks",
    ),
    (f"{DATA}/dev/chain.tfvars.json", "mystira-chain-dev-kv", "mystira-chian-dev-kv", "catalogue/name", "chian"),
    (f"{DATA}/prod/network.tfvars.json", "eastus", "westus2", "catalogue/region", "westus2"),
    (
        "infra/kubernetes/base/publisher/config-map.yaml",
        "http://mystira-chain:8545",
        "http://mystira-chain.dev.mystira.internal:8545",
        "graph/calls-nobody",
        "mystira.internal",
    ),
    (
        "infra/kubernetes/base/publisher/config-map.yaml",
        "http://mystira-chain:8545",
        "http://mystira-chain:50051",
        "graph/calls-wrong-port",
        "50051",
    ),
    (
        "infra/kubernetes/base/issuers/issuers.yaml",
        "    email: admin@phoenixvc.org\n",
        "",
        "tls/no-contact",
        "acme:",
    ),
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    for each in READ:
        shutil.copytree(deployments.SOURCES / each, folder / each, ignore=shutil.ignore_patterns("__pycache__", "bin"))
    return folder


def test_our_own_definitions_fit_together_and_say_what_the_catalogue_says() -> None:
    report = described.check(Checkout(deployments.SOURCES))
    assert [str(each) for each in report.findings] == []
    assert all(each.count for each in report.checked)


def test_the_facts_of_our_environments_are_complete() -> None:
    facts = described.facts()
    assert set(facts) == {"world", "dev", "staging", "prod"}
    assert all(fact["hosts"] and len(fact["names"]) > 8 for name, fact in facts.items() if name != "world")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[3] + " " + case[4])
def test_what_contradicts_the_catalogue_or_leads_nowhere_is_found(case: Case, ours: Path) -> None:
    file, old, new, rule, word = case
    place = ours / file
    before = place.read_text()
    assert old in before
    place.write_text(before.replace(old, new, 1))
    try:
        found = across.check(Checkout(ours), described.facts()).findings
        lines = place.read_text().splitlines()
    finally:
        place.write_text(before)
    # A name unlike the catalogue's is unlike those of the other environments, too.
    assert {each.rule.id for each in found} - {"names/convention"} == {rule}, [str(each) for each in found]
    assert {each.place for each in found} & {f"{file}:{number}" for number, line in enumerate(lines, 1) if word in line}

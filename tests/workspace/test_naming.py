"""Names: the pattern, the kept names, the rules."""

import pytest
from workspace import naming
from workspace.errors import Refused
from workspace.naming import Names


def test_a_name_follows_the_pattern_with_the_region_of_its_stack() -> None:
    names = Names("mys", "dev", "mystira", kept={})
    assert names.resource("api", "southafricanorth", "Microsoft.Web/sites") == "mys-dev-mystira-api-san"
    assert names.resource("swa", "eus2", "Microsoft.Web/staticSites") == "mys-dev-mystira-swa-eus2"
    assert names.squeezed("st", "san", "Microsoft.Storage/storageAccounts") == "mysdevmystirastsan"
    assert (
        Names("mys", "staging", "mystira", {}).shortened("kv", "san", "Microsoft.KeyVault/vaults")
        == "mys-stg-mystira-kv-san"
    )


def test_a_kept_name_wins_over_the_pattern() -> None:
    names = Names("mys", "dev", "mystira", kept={"aks": "mystira-dev-aks"})
    assert names.resource("aks", "eastus", "Microsoft.ContainerService/managedClusters") == "mystira-dev-aks"


LEGAL = [
    ("Microsoft.KeyVault/vaults", "mystira-chain-staging-kv"),  # exactly 24
    ("Microsoft.KeyVault/vaults", "mys-staging-story-kv-san"),  # exactly 24
    ("Microsoft.Storage/storageAccounts", "mysprodmystirastgeuw"),
    ("Microsoft.ContainerRegistry/registries", "mystiraacr"),
    ("Microsoft.Insights/actionGroups/shortName", "mystira-dev"),
    ("Microsoft.Network/dnsZones", "mystira.app"),
]
ILLEGAL = [
    ("Microsoft.KeyVault/vaults", "mys-staging-mystira-chain-kv-eus", "32 characters"),
    ("Microsoft.KeyVault/vaults", "mys--kv", "single -"),
    ("Microsoft.KeyVault/vaults", "1mystira-kv", "a letter first"),
    ("Microsoft.Storage/storageAccounts", "mysstagingmystirachainstgeus", "28 characters"),
    ("Microsoft.Storage/storageAccounts", "mystira-st", "lower-case letters and digits"),
    ("Microsoft.ContainerRegistry/registries", "mystira-acr", "letters and digits"),
    ("Microsoft.Insights/actionGroups/shortName", "MystiraAlerts", "13 characters"),
    ("Microsoft.DocumentDB/databaseAccounts", "Mystira", "lower-case"),
    ("kubernetes/namespace", "mystira_dev", "lower-case"),
    ("Microsoft.Resources/resourceGroups", "ends.with.dot.", "no dot at the end"),
]


@pytest.mark.parametrize(("kind", "name"), LEGAL)
def test_a_legal_name_passes(kind: str, name: str) -> None:
    assert naming.legal(kind, name) == name


@pytest.mark.parametrize(("kind", "name", "words"), ILLEGAL)
def test_an_illegal_name_is_refused_with_the_rule(kind: str, name: str, words: str) -> None:
    with pytest.raises(Refused, match="choose another name") as refusal:
        naming.legal(kind, name, "dev")
    assert words in str(refusal.value)
    assert name in str(refusal.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Names("acme", "dev", "mystira", {}),
        lambda: Names("mys", "test", "mystira", {}),
        lambda: Names("mys", "dev", "mys-story", {}),
        lambda: naming.code("mars"),
        lambda: naming.legal("Microsoft.Unknown/things", "x"),
        lambda: naming.check_owned(("Microsoft.Unknown/things x",), "here"),
    ],
)
def test_what_the_closed_lists_do_not_know_is_refused(make: object) -> None:
    with pytest.raises(Refused):
        make()  # type: ignore[operator]

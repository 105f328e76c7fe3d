"""What Resource Manager says of a subscription, and of what is known by its name alone."""

from collections.abc import Iterator

import pytest
from workspace.addresses import Addresses
from workspace.errors import Broken
from workspace.outside import Outside
from workspace.rehearsal import behaviour
from workspace.rehearsal.server import Rehearsal

VAULTS, REGISTRIES = "Microsoft.KeyVault/vaults", "Microsoft.ContainerRegistry/registries"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("identities")
    with Rehearsal(folder / "rehearsal", folder / "runs", bare=True) as rehearsal:
        group = f"/subscriptions/{rehearsal.addresses['subscription']}/resourceGroups/g"
        for each in ("", f"/providers/{VAULTS}/v-1", f"/providers/{VAULTS}/v-12", f"/providers/{REGISTRIES}/acr"):
            rehearsal.cloud.put(behaviour.complete({"id": group + each, "location": "eastus"}))
        brought = f"{group}/providers/{VAULTS}/v-2"
        rehearsal.cloud.put({"id": brought, "name": "v-2", "location": "eastus", "properties": {}})
        with Outside(Addresses.model_validate(rehearsal.addresses)) as made:
            yield made


def test_a_subscription_tells_its_id_and_its_tenant(outside: Outside) -> None:
    ours = outside.addresses
    assert outside.arm.subscription(ours.subscription) == (ours.subscription, ours.tenant)


def test_a_subscription_that_is_not_there_is_no_empty_answer(outside: Outside) -> None:
    with pytest.raises(Broken, match="00000000-0000-0000-0000-00000000dead"):
        outside.arm.subscription("00000000-0000-0000-0000-00000000dead")


@pytest.mark.parametrize("name", ["v-1", "V-1"])
def test_what_has_a_name_of_its_own_is_found_wherever_it_is(outside: Outside, name: str) -> None:
    found = outside.arm.named(VAULTS, name)
    assert found is not None
    assert str(found["id"]).endswith(f"/resourceGroups/g/providers/{VAULTS}/v-1")


def test_what_was_there_before_is_listed_with_its_type_too(outside: Outside) -> None:
    found = outside.arm.named(VAULTS, "v-2")
    assert found is not None
    assert found["type"] == VAULTS


def test_what_is_of_another_type_or_not_there_is_not_found(outside: Outside) -> None:
    assert outside.arm.named(VAULTS, "acr") is None
    assert outside.arm.named(REGISTRIES, "none") is None

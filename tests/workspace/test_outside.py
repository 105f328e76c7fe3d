"""Outside: clients made once, by one thread at a time, from a target's addresses."""

import threading
from pathlib import Path

import pytest
from pydantic import ValidationError
from workspace.addresses import Addresses
from workspace.outside import Outside, describe


def addresses(folder: Path, **more: object) -> Addresses:
    return Addresses.model_validate({"subscription": "s", "state": str(folder), **more})


def test_a_client_is_made_once_whoever_asks_first(tmp_path: Path) -> None:
    outside = Outside(addresses(tmp_path, resolvers=["127.0.0.1:1"]))
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(outside.resolver)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in seen}) == 1


def test_closing_twice_or_unopened_is_harmless(tmp_path: Path) -> None:
    outside = Outside(addresses(tmp_path))
    outside.close()
    outside.close()


def test_an_unknown_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="resource_manger"):
        addresses(tmp_path, resource_manger="https://management.azure.com")


def test_the_defaults_are_azure_in_public_and_nothing_is_told_by_hosts(tmp_path: Path) -> None:
    usual = addresses(tmp_path)
    assert usual.resource_manager == "https://management.azure.com"
    assert (usual.public_scheme, usual.public_port, usual.version_path) == ("https", 443, "")


def test_what_cannot_be_found_is_left_out_of_the_description(tmp_path: Path) -> None:
    found = describe(Outside(addresses(tmp_path, engine="tcp://127.0.0.1:1", registry="http://127.0.0.1:1")))
    assert "Docker engine" not in found
    assert found["Terraform"].startswith("Terraform 1.")


def test_terraform_is_handed_the_declared_tenant_and_subscription_and_nothing_of_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "TF_WORKSPACE", "TF_DATA_DIR", "AZURE_CONFIG_DIR"):
        monkeypatch.setenv(name, "ambient")
    handed = Outside(addresses(tmp_path, tenant="t")).terraform.environment_for(tmp_path)
    assert (handed["ARM_SUBSCRIPTION_ID"], handed["ARM_TENANT_ID"]) == ("s", "t")
    assert "ambient" not in handed.values()


def test_addresses_may_hand_terraform_others(tmp_path: Path) -> None:
    told = addresses(tmp_path, tenant="t", terraform_environment={"ARM_TENANT_ID": "another"})
    assert Outside(told).terraform.environment_for(tmp_path)["ARM_TENANT_ID"] == "another"

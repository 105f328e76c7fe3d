"""The target block: addresses and names of credentials, never a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from workspace.addresses import Addresses

from blocks.target import Target


def test_a_target_keeps_its_addresses_through_prefect_s_form() -> None:
    addresses = Addresses(subscription="s", state=Path("/state"), vault="https://here/vault/{name}", parts={"a": "b"})
    target = Target(addresses=addresses)
    again = Target.model_validate(target.model_dump(mode="json", include={"addresses"}))
    assert again.addresses == addresses


def test_an_address_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="vualt"):
        Target.model_validate({"addresses": {"subscription": "s", "state": "/s", "vualt": "x"}})


def test_nothing_in_a_target_is_a_secret() -> None:
    assert [name for name, field in Addresses.model_fields.items() if field.annotation is SecretStr] == []
    assert Target._calculate_schema_checksum()
    assert Target.model_json_schema()["secret_fields"] == []


def test_its_slug_is_what_the_server_files_it_under() -> None:
    assert Target.get_block_type_slug() == "workspace-target"
    assert Target.get_description()

"""How Azure's clients sign: a token that is called expired before its time is renewed once."""

import json
from pathlib import Path

import pytest
from workspace import management
from workspace.addresses import Addresses
from workspace.errors import Broken
from workspace.outside import Outside
from workspace.rehearsal.server import Rehearsal

REVOKED = {"point": "identity", "subject": "sign-in", "how": "revoked"}


@pytest.mark.slow
@pytest.mark.parametrize(("times", "renewed"), [(1, True), (9, False)])
def test_a_revoked_token_is_renewed_once_and_not_for_ever(tmp_path: Path, times: int, renewed: bool) -> None:
    with Rehearsal(tmp_path / "stage", tmp_path / "runs", bare=True) as rehearsal:
        (tmp_path / "stage" / "faults.json").write_text(json.dumps([{**REVOKED, "after": 1, "times": times}]))
        with Outside(Addresses.model_validate(rehearsal.addresses)) as outside:
            assert outside.arm.group("absent") is None
            if renewed:
                assert outside.arm.group("absent") is None
            else:
                with pytest.raises(Broken, match="ExpiredAuthenticationToken"):
                    outside.arm.group("absent")


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1:8443", "http://localhost:1", "127.0.0.1:443", "https://[::1]:1"]
)
def test_what_is_on_this_machine_is_reached_past_its_proxy(address: str) -> None:
    assert management.way(address) == {"use_env_settings": False}


@pytest.mark.parametrize(
    "address", ["https://management.azure.com", "login.microsoftonline.com", "https://10.0.0.1", ""]
)
def test_what_is_outside_is_reached_as_the_machine_says(address: str) -> None:
    assert management.way(address) == {}

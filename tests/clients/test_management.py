"""How Azure's clients sign: a token that is called expired before its time is renewed once."""

import json
from pathlib import Path

import pytest
from workspace.addresses import Addresses
from workspace.errors import Broken
from workspace.outside import Outside
from workspace.rehearsal.server import Rehearsal

REVOKED = {"point": "identity", "subject": "sign-in", "how": "revoked"}


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

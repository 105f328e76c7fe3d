"""Addresses in a file: read, or refused in one sentence."""

import json
from pathlib import Path

import pytest
from workspace.errors import Refused

from deployments import register


def test_the_addresses_of_azure_need_two_facts(tmp_path: Path) -> None:
    file = tmp_path / "azure.json"
    file.write_text(json.dumps({"subscription": "s", "state": "/var/lib/mystira"}))
    addresses = register.read(file)
    assert (addresses.subscription, addresses.resource_manager) == ("s", "https://management.azure.com")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", r"The addresses in .*addresses\.json cannot be read: Expecting"),
        ("[]", r"addresses\.json: : Input should be|addresses\.json: Input should be"),
        ('{"state": "/s"}', r"addresses\.json: subscription: Field required\."),
        (
            '{"subscription": "s", "state": "/s", "vualt": "v"}',
            r"addresses\.json: vualt: Extra inputs",
        ),
        ('{"subscription": "s", "state": "/s", "poll_seconds": "soon"}', r"addresses\.json: poll_seconds: .*number"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(text)
    with pytest.raises(Refused, match=reason) as told:
        register.read(file)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.json cannot be read: .*No such file"):
        register.read(tmp_path / "none.json")


def test_a_secret_written_into_addresses_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps({"subscription": "s", "state": "/s", "client_secret": "hunter2"}))
    with pytest.raises(Refused) as told:
        register.read(file)
    assert "hunter2" not in str(told.value)

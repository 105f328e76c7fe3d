"""The check kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from names_outside import NEW, OLD, Outside, work
from workspace.errors import Refused, Unsettled
from workspace.kinds import check
from workspace.node import Kind
from workspace.work import Outcome, Preview, Result, Work

HOST = "api.dev.mystira.app"
DIGEST = f"sha256:{NEW}"


def a_check(folder: Path, **settings: Any) -> Work:
    return work(Kind.CHECK, folder, **settings)


@pytest.fixture
def outside() -> Outside:
    made = Outside()
    made.resolver.names[HOST] = ("127.77.0.1",)
    made.web.pages[f"{HOST}/health"] = (200, "")
    return made


def verified(node: Work, outside: Outside) -> Result:
    return check.verify(node, check.apply(node, check.preview(node, outside), outside), outside)


def test_a_host_that_answers_is_unchanged_and_told_with_its_address(tmp_path: Path, outside: Outside) -> None:
    node = a_check(tmp_path, host=HOST)

    assert check.preview(node, outside) == Preview()
    result = verified(node, outside)
    assert result.outcome is Outcome.UNCHANGED
    assert result.detail == f"{HOST} (127.77.0.1) answers 200"


@pytest.mark.parametrize("said", [DIGEST, NEW, f"mystiraacr.azurecr.io/chain@{DIGEST}"])
def test_the_expected_content_is_recognised_however_it_is_written(tmp_path: Path, outside: Outside, said: str) -> None:
    outside.web.pages[f"{HOST}/version"] = (200, json.dumps({"digest": said}))

    assert verified(a_check(tmp_path, host=HOST, expect={"digest": DIGEST}), outside).outcome is Outcome.UNCHANGED


def test_another_version_is_unsettled_and_both_are_told(tmp_path: Path, outside: Outside) -> None:
    outside.web.pages[f"{HOST}/version"] = (200, json.dumps({"sha256": OLD}))

    with pytest.raises(Unsettled, match=f"{OLD}, not {NEW}"):
        verified(a_check(tmp_path, host=HOST, expect={"sha256": NEW}), outside)


def test_where_hosts_tell_no_version_only_the_answer_counts(tmp_path: Path, outside: Outside) -> None:
    node = a_check(tmp_path, host=HOST, expect={"sha256": NEW}, version_path="")

    assert verified(node, outside).detail == f"{HOST} (127.77.0.1) answers 200"


def test_a_zone_is_delegated_once_the_public_finds_its_own_name_servers(tmp_path: Path, outside: Outside) -> None:
    outside.resolver.names["mystira.app"] = ("ns2.dns.", "NS1.dns.")
    node = a_check(tmp_path, zone="mystira.app", name_servers=["ns1.dns.", "ns2.dns"])

    assert verified(node, outside).gives == {"name_servers": ["ns1.dns", "ns2.dns"]}


def test_a_zone_found_elsewhere_is_unsettled_with_what_to_tell_the_registrar(tmp_path: Path, outside: Outside) -> None:
    outside.resolver.names["mystira.app"] = ("ns.parking.example.",)
    node = a_check(tmp_path, zone="mystira.app", name_servers=["ns1.dns."])

    with pytest.raises(Unsettled, match=r"at ns\.parking\.example; enter these at its registrar: ns1\.dns"):
        verified(node, outside)


@pytest.mark.parametrize("page", [(404, ""), (200, "<h1>"), (200, "{}")])
def test_a_version_that_cannot_be_known_is_no_success(tmp_path: Path, outside: Outside, page: tuple[int, str]) -> None:
    outside.web.pages[f"{HOST}/version"] = page

    result = verified(a_check(tmp_path, host=HOST, expect={"sha256": NEW}), outside)
    assert result.outcome is Outcome.UNKNOWN
    assert not result.outcome.is_success
    assert "unknown" in result.detail


def test_a_version_that_fails_to_be_told_is_unsettled(tmp_path: Path, outside: Outside) -> None:
    outside.web.pages[f"{HOST}/version"] = (503, "")

    with pytest.raises(Unsettled):
        verified(a_check(tmp_path, host=HOST, expect={"sha256": NEW}), outside)


def test_an_expected_header_is_compared(tmp_path: Path, outside: Outside) -> None:
    node = a_check(tmp_path, host=HOST, expect={"headers": {"Blazor-Environment": "Development"}})
    with pytest.raises(Unsettled, match="Blazor-Environment"):
        verified(node, outside)

    outside.web.headers["blazor-environment"] = "Development"
    assert verified(node, outside).outcome is Outcome.UNCHANGED


def test_every_host_is_asked_with_its_own_expectation(tmp_path: Path, outside: Outside) -> None:
    outside.resolver.names["dev.mystira.app"] = ("127.77.0.2",)
    outside.web.pages["dev.mystira.app/"] = (200, "")
    node = a_check(tmp_path, hosts=[HOST, {"host": "dev.mystira.app", "path": "/"}])

    assert set(verified(node, outside).gives["hosts"]) == {HOST, "dev.mystira.app"}


@pytest.mark.parametrize("missing", ["name", "answer"])
def test_a_host_that_does_not_resolve_or_answer_is_unsettled(tmp_path: Path, outside: Outside, missing: str) -> None:
    (outside.resolver.names if missing == "name" else outside.web.pages).clear()

    with pytest.raises(Unsettled, match=HOST):
        verified(a_check(tmp_path, host=HOST), outside)


def test_a_check_of_nothing_and_an_expectation_nobody_knows_are_refused(tmp_path: Path, outside: Outside) -> None:
    with pytest.raises(Refused, match="always succeed"):
        check.preview(a_check(tmp_path, hosts=[]), outside)
    with pytest.raises(Refused, match="colour"):
        check.preview(a_check(tmp_path, host=HOST, expect={"colour": "blue"}), outside)

"""The catalogue: every fault can be practised by name, is told in words, and has its expectations written down."""

import json

import pytest
from rows import ELSEWHERE, ROWS
from workspace.rehearsal.faults import Faults

import deployments
from deployments import faults

KNOWN = faults.known()


def test_every_fault_has_expectations_and_every_expectation_a_fault() -> None:
    named = [row.fault for row in ROWS] + list(ELSEWHERE)
    assert sorted(named) == sorted(KNOWN)


def test_the_catalogue_names_the_node_that_meets_the_fault() -> None:
    told = {row.fault: {entry["node"] for entry in KNOWN[row.fault]} for row in ROWS}
    assert told == {row.fault: {row.runs.split()[0]} for row in ROWS}


def test_what_is_practised_elsewhere_is_named_there() -> None:
    for fault, file in ELSEWHERE.items():
        assert fault in (deployments.SOURCES / file).read_text(), f"{file} does not speak of {fault}"


def test_each_kind_of_thing_is_practised_in_every_run() -> None:
    always = {KNOWN[row.fault][0]["point"] for row in ROWS if row.always}
    assert always >= {entries[0]["point"] for name, entries in KNOWN.items() if name not in ELSEWHERE}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_fault_says_where_it_bites_and_what_is_practised(name: str) -> None:
    for entry in KNOWN[name]:
        assert entry["point"] and entry["subject"]
        assert len(entry["about"].split()) >= 5


def test_a_fault_lets_some_pass_then_meets_some_then_is_over(
    faults: Faults, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = faults._file
    file.write_text(json.dumps([{"point": "arm", "subject": "PUT *", "how": "x", "after": 1, "times": 2}]))
    met = [faults.find("arm", "put Sites") is not None for _ in range(5)]
    assert met == [False, True, True, False, False]
    assert faults.find("arm", "GET sites") is None

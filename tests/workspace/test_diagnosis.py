"""Why Azure said no, against every error body that was recorded."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evidence import Evidence, index
from recorded_errors import ABOUT_AZD, BY_ID, EXPECTED, RULES, RULES_ABOUT_AZD
from workspace import diagnosis
from workspace.diagnosis import Diagnosis, Verdict, diagnose, explain
from workspace.errors import Broken, Refused, Unsettled

SECRETS = (
    "https://x.blob.core.windows.net/c?se=2026&sig=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA%3D%3D&sp=r",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=Zm9vYmFy+YmF6cXV4MTIz==;EndpointSuffix=core.windows.net",
    "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lb25lIn0.c2lnbmF0dXJl",
    "postgresql://admin?password=open-sesame",
    'the body was {"adminPassword": "open sesame", "size": 1}',
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    f"the key {'Zm9v' * 21}Zg== is old",
)
TOLD = ("Zm9v", "abcdefghij", "eyJh", "c2lnbmF0dXJl", "sesame", "MIIE")


def recorded(samples: Path, file: str) -> list[dict[str, Any]]:
    """The lines of a file of recorded cases."""
    return [json.loads(line) for line in (samples / file).read_text().splitlines()]


def identity(case: dict[str, Any]) -> str:
    return str(case["id"])


def named_codes(body: object) -> set[str]:
    """Every value of a `code` anywhere in a body, whatever its case, also in JSON and XML that stand in its texts."""
    if isinstance(body, dict):
        here = {str(value) for name, value in body.items() if name.lower() == "code" and value}
        return here.union(*map(named_codes, body.values()))
    if isinstance(body, list):
        return set().union(*map(named_codes, body))
    text = str(body)
    return set(re.findall(r'"code\W+([\w.]+)', text, re.IGNORECASE)) | set(re.findall("<Code>([^<]+)", text))


def sentence(found: Diagnosis) -> str:
    """What a person reads, checked to be one line that says something and gives nothing away."""
    said = str(found.error("app in dev"))
    assert said.startswith("app in dev: ") and len(said) > len("app in dev: ")
    assert "\n" not in said
    assert not [each for each in TOLD if each in said]
    return said


@pytest.mark.evidence("recorded-errors")
def test_every_recorded_error_has_its_code_its_verdict_and_a_sentence(samples: Path, evidence: Evidence) -> None:
    file = "azure/dev/errors.jsonl"
    evidence.used(file)

    def decode(case: dict[str, Any]) -> str:
        body, status = case["response"]["body"], case["response"]["status"]
        found = diagnose(body, status)
        assert (found.verdict, found.code) == BY_ID[case["id"]]
        assert found.code in named_codes(body) or not (found.code or named_codes(body))
        sentence(found)
        text = json.dumps(body).encode() if body is not None else b""
        assert diagnose(text, status) == found, "as bytes it says something else"
        return str(found.verdict)

    evidence.each(recorded(samples, file), decode, name=identity)
    assert len(BY_ID) == len(recorded(samples, file))


def test_every_expectation_has_its_reason() -> None:
    ids = [each for *_, ids in EXPECTED for each in ids.split()]
    assert all(why for _, _, why, _ in EXPECTED)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_an_error_repeats_is_hidden_in_every_dialect(samples: Path, secret: str) -> None:
    for case in recorded(samples, "azure/dev/errors.jsonl"):
        spoiled = with_words(case["response"]["body"], secret)
        said = sentence(diagnose(spoiled, case["response"]["status"]))
        assert ("(hidden)" in said) == (spoiled != case["response"]["body"]), case["id"]


def with_words(body: Any, more: str) -> Any:
    """The body with more words at the beginning of every message, at every level, also of those written as a text."""
    if isinstance(body, dict):
        return {name: with_words(value, f"{more} " if is_message(name) else more) for name, value in body.items()}
    if isinstance(body, list):
        return [with_words(each, more) for each in body]
    if isinstance(body, str) and '{"' in (tight := re.sub(r"{\s+", "{", body)):
        before, _, inner = tight.partition("{")
        value, end = json.JSONDecoder(strict=False).raw_decode("{" + inner)
        return before + json.dumps(with_words(value, more.rstrip())) + inner[end - 1 :]
    return f"{more}{body}" if isinstance(body, str) and more.endswith(" ") else body


def is_message(name: str) -> bool:
    return name.lower() in ("message", "value")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_words_of_a_library_is_hidden_too(secret: str) -> None:
    assert not [each for each in TOLD if each in str(diagnosis.explain("app in dev", ConnectionError(secret)))]


@pytest.mark.parametrize(
    "harmless",
    [
        "Secret anthropic-api-key was not found: put it into the vault",
        "The digest sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad differs",
        "Basic authentication is disabled. Token: expired at 12:00",
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v",
    ],
)
def test_what_is_no_secret_is_told(harmless: str) -> None:
    assert diagnosis.without_secrets(harmless) == harmless


@pytest.mark.evidence("told-errors")
def test_causes_hidden_in_strings_four_levels_deep_are_found(samples: Path, evidence: Evidence) -> None:
    def decode(file: str) -> str:
        evidence.used(file)
        story = json.loads((samples / file).read_text())
        lines = [line for line in story["expected_leaf_text"].splitlines() if not line.startswith("- ")]
        found = diagnose(story["input"])
        assert lines
        assert {f"{cause.code}: {cause.message}" for cause in found.causes} == set(lines)
        assert found.causes[0].wrapped_in[0] == "DeploymentFailed"
        sentence(found)
        return str(found.verdict)

    evidence.each([file for file in index(samples) if "nested-deployment-error" in file], decode)


def nested(codes: list[str], message: str) -> object:
    """An error body with these codes, outermost first; the innermost two as JSON inside strings."""
    body: dict[str, Any] = {"code": codes[-1], "message": message}
    for code in reversed(codes[:-1]):
        body = {"code": code, "message": "See the details.", "details": [{"code": code, "message": json.dumps(body)}]}
    return {"error": body}


@pytest.mark.evidence("told-errors")
def test_what_azd_tells_its_users_apart_is_told_apart_here(samples: Path, evidence: Evidence) -> None:
    file = "azure/dev/azd-error-rules.json"
    evidence.used(file)

    def decode(rule: dict[str, Any]) -> str:
        code, key = azd_code(rule), azd_key(rule)
        if key in RULES_ABOUT_AZD:
            return about_azd(rule, RULES_ABOUT_AZD[key])
        verdict, advice, example = RULES[key]
        text = example or (azd_words(rule) or [rule.get("message") or "it failed"])[0]
        assert_matches(rule, text)
        found = diagnose(nested(["DeploymentFailed", code], text), 409) if code else diagnose(text, 0)
        assert (found.verdict, found.code) == (verdict, code)
        assert text.rstrip(".") in (said := sentence(found)) and advice in said
        return str(found.verdict)

    rules = json.loads((samples / file).read_text())
    evidence.each(rules, decode, name=azd_key)
    assert {azd_key(rule) for rule in rules} == {*RULES, *RULES_ABOUT_AZD}
    evidence.detail(f"{len(RULES_ABOUT_AZD)} of azd's rules are about {ABOUT_AZD}; its words come out whole")


def about_azd(rule: dict[str, Any], example: str) -> str:
    text = example or (azd_words(rule) or [rule["message"]])[0]
    assert_matches(rule, text)
    found = diagnose(text)
    assert text.rstrip(".") in sentence(found)
    return str(found.verdict)


def azd_code(rule: dict[str, Any]) -> str:
    properties = rule.get("properties") or {}
    named = [each for each in azd_words(rule) if re.fullmatch("([A-Z][a-z]+){2,}", each)]
    return str(properties.get("Code") or properties.get("ErrorCode") or "".join(named[:1]))


def azd_words(rule: dict[str, Any]) -> list[str]:
    return list(rule.get("patterns") or [])


def azd_key(rule: dict[str, Any]) -> str:
    """What a rule is called in the table of what we expect."""
    operation = (rule.get("properties") or {}).get("Operation")
    code, words = azd_code(rule) or (f"Operation {operation}" if operation else ""), azd_words(rule)
    return " ".join(dict.fromkeys(filter(None, [code, *words[:1]]))) or str(rule["errorType"])


def assert_matches(rule: dict[str, Any], text: str) -> None:
    """An example must be one: one of the rule's own words is in it."""
    patterns = azd_words(rule)
    found = [each for each in patterns if (re.search(each, text) if rule.get("regex") else each in text)]
    assert found or not patterns, f"{text} is no example"


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
# Those of Terraform and Kubernetes are told by their own clients: tests/clients/test_reported_errors.py.


@pytest.mark.evidence("told-errors")
def test_every_reported_azure_error_gets_the_verdict_people_came_to(samples: Path, evidence: Evidence) -> None:
    def decode(case: dict[str, Any]) -> str:
        message = " ".join(case["message_contains"])
        body = nested(case["code_path"], message) if case["code_path"] else message
        found = diagnose(body, case["http_status"])
        assert found.verdict == REPORTED_VERDICTS[case["id"]]
        assert found.code == (case["code_path"][-1] if case["code_path"] else "")
        sentence(found)
        return str(found.verdict)

    file = "reported/dev/reported-errors.jsonl"
    evidence.used(file)
    evidence.each([each for each in recorded(samples, file) if is_azures(each)], decode, name=identity)


def is_azures(case: dict[str, Any]) -> bool:
    return not case["service"].startswith(("azurerm", "kubernetes"))


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

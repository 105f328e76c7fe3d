"""Why Azure said no: the innermost cause inside an error body, and what it means for us.

Azure writes errors in a handful of dialects (`error`, `Error`, a bare `code`, App Service's `Code`, OData, XML, plain
text, nothing at all) and hides the true cause of a failed deployment as JSON inside strings, several levels deep. Here
the body, as text or as parsed JSON, goes in; codes, sentences and a verdict come out. No Azure library is needed.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import unescape

from workspace.errors import Broken, Refused, Unsettled, WorkspaceError

_MOST_LEVELS = 60
_MOST_CHARACTERS = 600
_LONGEST_WAIT_SECONDS = 300.0
_WRAPPERS = ("error", "odata.error", "statusmessage")
_FOLDERS = ("properties",)
_ENTITY = "errorentity"
_XML = re.compile(r"<Code>(?P<code>[^<]+)</Code>\s*<Message>(?P<message>[^<]*)</Message>", re.IGNORECASE)
_ACTION = re.compile(r"action(?:\(s\))? '(?P<action>[^']+)'")
_SCOPE = re.compile(r"scope(?:\(s\))? '(?P<scope>[^']+)'")
_POOL = re.compile(r"host='(?P<host>[^']+)', port=(?P<port>\d+)")
_ERRNO = re.compile(r"\[Errno -?\d+\] ([\w .,-]+)")
_PASSES = re.compile(r"HTTP Error: (408|429|5\d\d)|temporarily_unavailable|AADSTS90033", re.IGNORECASE)
_POLICY = re.compile(r'"policyAssignment":\s*\{\s*"name":\s*"(?P<name>[^"]+)"')
_HIDDEN = "(hidden)"
_SECRETS = (
    # the signature of an address, and what stands in connection strings and forms
    re.compile(
        r"(?P<kept>\b(?:sig|signature|AccountKey|SharedAccess(?:Key|Signature)|password|pwd|client_secret|secret|"
        r"(?:client_)?assertion|(?:access_|refresh_|id_)?token|code_verifier)=)(?P<hidden>[^&\s'\";,<>]+)",
        re.IGNORECASE,
    ),
    # the same as JSON that is no error, and so stays text
    re.compile(
        r"(?P<kept>\"[\w.-]*(?:password|secret|accountkey|connectionstring|token|privatekey)\"\s*:\s*\")"
        r"(?P<hidden>[^\"]+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<kept>\b(?:Bearer|Basic|PoP) )(?P<hidden>[\w.~+/=-]{16,})"),
    re.compile(r"(?P<kept>)(?P<hidden>\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(
        r"(?P<kept>)(?P<hidden>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))", re.DOTALL
    ),
    # the keys of storage accounts and of Service Bus
    re.compile(r"(?P<kept>)(?P<hidden>(?<![\w+/])(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)(?![\w+/=]))"),
)


class Verdict(StrEnum):
    """What to do about an error; the words of `workspace.errors`."""

    REFUSED = "refused"
    UNSETTLED = "unsettled"
    BROKEN = "broken"


@dataclass(frozen=True)
class Cause:
    """One innermost error: its code, what was said, and the codes it was wrapped in, outermost first."""

    code: str
    message: str
    wrapped_in: tuple[str, ...] = ()
    target: str = ""

    def __str__(self) -> str:
        said = " ".join(self.message.split())
        if len(said) > _MOST_CHARACTERS:
            said = said[: _MOST_CHARACTERS - 1] + "…"
        return f"{self.code}: {said}" if self.code and said else self.code or said


@dataclass(frozen=True)
class Diagnosis:
    """The causes inside one error body and the verdict over all of them."""

    causes: tuple[Cause, ...]
    verdict: Verdict
    status: int = 0

    @property
    def code(self) -> str:
        """The code of the first innermost cause; empty when none was given."""
        return self.causes[0].code if self.causes else ""

    @property
    def codes(self) -> frozenset[str]:
        """Every code met, at every level, in lower case."""
        return frozenset(code.lower() for cause in self.causes for code in (cause.code, *cause.wrapped_in) if code)

    @property
    def advice(self) -> str:
        """What a person can do about it, where that is known; else empty."""
        return next((text for cause in self.causes if (text := _advice(cause))), "")

    def __str__(self) -> str:
        texts = list(dict.fromkeys(str(cause) for cause in self.causes if str(cause)))
        said = "; ".join(texts[:3]) + (f"; and {len(texts) - 3} more causes" if len(texts) > 3 else "")
        said = said or (f"HTTP {self.status} without an explanation" if self.status else "no explanation")
        return f"{said.rstrip('.')}. {self.advice}".rstrip(". ") if self.advice else said.rstrip(". ")

    def error(self, what: str) -> WorkspaceError:
        """The exception that says this verdict; `what` opens the sentence: `deployment app-base in mys-dev-rg`."""
        return _ERRORS[self.verdict](f"{what}: {self}")


_ERRORS: dict[Verdict, type[WorkspaceError]] = {
    Verdict.REFUSED: Refused,
    Verdict.UNSETTLED: Unsettled,
    Verdict.BROKEN: Broken,
}


def diagnose(body: object, status: int = 0) -> Diagnosis:
    """What an error body says; `body` is text, bytes, parsed JSON or None, `status` the HTTP status where known."""
    told = (replace(cause, message=without_secrets(cause.message)) for cause in _causes(_parsed(body), (), 0))
    found = tuple(dict.fromkeys(told))
    causes = tuple(cause for cause in found if cause.message) or found
    return Diagnosis(causes, _verdict(causes, status), status)


def combine(diagnoses: Iterable[Diagnosis]) -> Diagnosis:
    """One diagnosis of several failures: the gravest verdict, every cause once."""
    several = list(diagnoses)
    causes = tuple(dict.fromkeys(cause for each in several for cause in each.causes))
    verdicts = {each.verdict for each in several}
    gravest = next((v for v in (Verdict.BROKEN, Verdict.REFUSED, Verdict.UNSETTLED) if v in verdicts), Verdict.BROKEN)
    return Diagnosis(causes, gravest, several[0].status if several else 0)


def without_secrets(text: str) -> str:
    """The text with everything hidden that looks like a key, a token, a password or the signature of an address."""
    for each in _SECRETS:
        text = each.sub(lambda found: found["kept"] + _HIDDEN, text)
    return text


def permission(message: str) -> tuple[str, str]:
    """The action and the scope that a refusal for want of permission names; empty strings where it names none."""
    # a linked refusal first tells what is allowed, and only then what is not
    refused = message.rpartition("however")[2]
    action, scope = _ACTION.search(refused), _SCOPE.search(refused)
    return action["action"] if action else "", scope["scope"] if scope else ""


def _parsed(body: object) -> object:
    """JSON where the body is JSON, the text itself where it is not."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", errors="replace")
    if not isinstance(body, str):
        return body
    text = body.strip().lstrip("\ufeff")
    if text[:1] in ("{", "[", '"'):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _causes(value: object, wrapped_in: tuple[str, ...], level: int) -> Iterator[Cause]:
    if level > _MOST_LEVELS or value is None:
        return
    if isinstance(value, str):
        yield from _causes_in_text(value, wrapped_in, level)
    elif isinstance(value, Mapping):
        yield from _causes_in_object(value, wrapped_in, level)
    elif isinstance(value, list):
        for item in value:
            yield from _causes(item, wrapped_in, level + 1)


def _causes_in_text(text: str, wrapped_in: tuple[str, ...], level: int) -> Iterator[Cause]:
    inner = _inner(text)
    if inner is not None:
        yield from _causes(inner, wrapped_in, level + 1)
    elif found := _XML.search(text):
        yield Cause(unescape(found["code"]).strip(), unescape(found["message"]).strip(), wrapped_in)
    elif text.strip():
        yield Cause("", text.strip(), wrapped_in)


def _causes_in_object(value: Mapping[str, Any], wrapped_in: tuple[str, ...], level: int) -> Iterator[Cause]:
    lowered = {str(name).lower(): item for name, item in value.items()}
    if isinstance(lowered.get("error"), str) and "error_description" in lowered:
        yield Cause(lowered["error"], _text(lowered["error_description"]), wrapped_in)
        return
    for wrapper in (*_WRAPPERS, _ENTITY):
        if lowered.get(wrapper):
            yield from _causes(_parsed(lowered[wrapper]), wrapped_in, level + 1)
            return
    code, message = _word(lowered.get("code")), _text(lowered.get("message"))
    if not code and not message:
        yield from _causes_in_folders(lowered, wrapped_in, level)
        return
    outer = (*wrapped_in, code) if code else wrapped_in
    inner = _inner(message)
    if inner is not None:
        yield from _causes(inner, outer, level + 1)
        return
    deeper = [detail for detail in _details(lowered) if _adds_something(detail, code, message)]
    if deeper:
        yield from _causes(deeper, outer, level + 1)
        return
    yield Cause(code, _with_policies(message, lowered), wrapped_in, _word(lowered.get("target")))


def _causes_in_folders(lowered: Mapping[str, Any], wrapped_in: tuple[str, ...], level: int) -> Iterator[Cause]:
    for folder in (*_FOLDERS, "errors", "details"):
        if lowered.get(folder):
            yield from _causes(lowered[folder], wrapped_in, level + 1)


def _details(lowered: Mapping[str, Any]) -> list[Any]:
    details = lowered.get("details")
    return details if isinstance(details, list) else []


def _adds_something(detail: object, code: str, message: str) -> bool:
    """A detail counts when it names a code and a message; App Service splits one error over three that do not.

    The last of the three repeats the error as an entity, or lists the entities that were behind it.
    """
    if not isinstance(detail, Mapping):
        return False
    lowered = {str(name).lower(): item for name, item in detail.items()}
    if entities := lowered.get(_ENTITY):
        listed = entities if isinstance(entities, list) else [entities]
        return any(_adds_something(each, code, message) for each in listed)
    if any(lowered.get(wrapper) for wrapper in _WRAPPERS):
        return True
    its_code, its_message = _word(lowered.get("code")), _text(lowered.get("message"))
    if _inner(its_message) is not None:
        return True
    return bool(its_code and its_message) and (its_code, its_message) != (code, message)


def _inner(text: str) -> object | None:
    """The error that stands as JSON in a string, alone or after some words; None when there is none."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text[start:])
    except ValueError:
        return None
    return value if _is_error(value) else None


def _is_error(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    names = {str(name).lower() for name in value}
    return "message" in names or bool(names & {"error", "odata.error"})


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _text(value: object) -> str:
    """A message; OData wraps it in a language."""
    if isinstance(value, Mapping):
        return _word(value.get("value"))
    return _word(value)


def _with_policies(message: str, lowered: Mapping[str, Any]) -> str:
    """The message and the names of the policy assignments that its additional information tells."""
    names = _POLICY.findall(message)
    for info in lowered.get("additionalinfo") or []:
        told = info.get("info") if isinstance(info, Mapping) else None
        if isinstance(told, Mapping) and told.get("policyAssignmentName"):
            names.append(str(told.get("policyAssignmentDisplayName") or told["policyAssignmentName"]))
    unsaid = [name for name in dict.fromkeys(names) if name not in message]
    return f"{message} (policy assignment {', '.join(unsaid)})" if unsaid else message


_UNSETTLED_CODES = {
    "anotheroperationinprogress",
    "conflictingserveroperation",
    "deploymentactive",
    "deploymentnotfound",
    "exceededretrybudget",
    "gatewaytimeout",
    "internalservererror",
    "operationinprogress",
    "operationpreempted",
    "preconditionfailed",
    "principalnotfound",
    "referencedresourcenotprovisioned",
    "resourcegroupbeingdeleted",
    "resourcenotyetsynced",
    "retryableerror",
    "retryableerrorduetoanotheroperation",
    "serverbusy",
    "servertimeout",
    "serviceunavailable",
    "subscriptionrequeststhrottled",
    "toomanyrequests",
}
_UNSETTLED_PHRASES = (
    "another operation is in progress",
    "currently in progress",
    "is in deprovisioning state",
    "retry the request later",
    "the call can be retried",
    "please try again after",
    "please try again when",
    "does not exist in the directory",
)
_BROKEN_CODES = {
    "authorization_requestdenied",
    "authorizationfailed",
    "conflicterror",
    "flagmustbesetforrestore",
    "forbidden",
    "insufficientquota",
    "linkedauthorizationfailed",
    "missingsubscriptionregistration",
    "quotaexceeded",
    "requestdisallowedbypolicy",
    "skunotavailable",
    "subscriptionisoverquotaforsku",
    "unauthorized",
}
_BROKEN_STATUSES = {401, 403, 404, 409, 410}
_UNSETTLED_STATUSES = {408, 412, 423, 425, 429}
_REFUSED_STATUSES = {400, 405, 406, 413, 415, 422}


def _verdict(causes: tuple[Cause, ...], status: int) -> Verdict:
    """The gravest verdict over all causes; one that is settled for good outweighs any that may pass."""
    verdicts = {_verdict_on(cause, status) for cause in causes} or {_verdict_by_status(status)}
    return next(v for v in (Verdict.BROKEN, Verdict.REFUSED, Verdict.UNSETTLED) if v in verdicts)


def _verdict_on(cause: Cause, status: int) -> Verdict:
    code, said = cause.code.lower(), cause.message.lower()
    if code in _BROKEN_CODES or "exists already" in said:
        return Verdict.BROKEN
    if code in _UNSETTLED_CODES or any(phrase in said for phrase in _UNSETTLED_PHRASES):
        return Verdict.UNSETTLED
    return _verdict_by_status(status)


def _verdict_by_status(status: int) -> Verdict:
    if status in _UNSETTLED_STATUSES or status >= 500:
        return Verdict.UNSETTLED
    return Verdict.REFUSED if status in _REFUSED_STATUSES else Verdict.BROKEN


_REGISTER = "Register the resource provider in the subscription and run again"
_SIGN_IN = "Sign in again"
_ADVICE_BY_CODE = {
    "missingsubscriptionregistration": _REGISTER,
    "noregisteredproviderfound": _REGISTER,
    "quotaexceeded": "Ask for more quota, or choose another size or region",
    "insufficientquota": "Ask for more quota, or choose another size or region",
    "subscriptionisoverquotaforsku": "Ask for more quota, or choose another size or region",
    "skunotavailable": "Choose a size or a region that offers it",
    "storageaccountalreadytaken": "The name is unique in the world and somebody has it: choose another",
    "requestdisallowedbypolicy": "Change the definition to satisfy the policy, or ask its owner for an exemption",
    "principalnotfound": "A new identity needs some minutes to be known everywhere",
    "deploymentactive": "Wait until the running deployment has ended",
    "resourcegroupbeingdeleted": "Wait until the group is gone",
    "resourcegroupdeletionblocked": "Delete what blocks it first",
    "expiredauthenticationtoken": _SIGN_IN,
    "invalidauthenticationtoken": _SIGN_IN,
    "tokenexpired": _SIGN_IN,
    "locationnotavailableforresourcetype": "Choose a region that offers it",
    "regiondoesnotallowprovisioning": "Choose another region",
    "invalidresourcegrouplocation": "A group cannot move: correct the region or choose another name",
}
_SOFT_DELETED = re.compile(r"soft.?delete|deleted state|deleted vault|recover or purge", re.IGNORECASE)


def _advice(cause: Cause) -> str:
    code = cause.code.lower()
    if code in ("authorizationfailed", "linkedauthorizationfailed"):
        action, scope = permission(cause.message)
        return f"Give the deploying identity a role with {action} on {scope}" if action and scope else ""
    if code == "flagmustbesetforrestore" or _SOFT_DELETED.search(cause.message):
        return "Something deleted but not purged holds the name: recover or purge it"
    known = (_ADVICE_BY_CODE.get(each.lower(), "") for each in (code, *reversed(cause.wrapped_in)))
    return next((text for text in known if text), "")


def explain(what: str, error: Exception) -> WorkspaceError:
    """An exception of an Azure library in our words; recognised by its shape, so that no library is imported here.

    An error with a response is decided by its body, one without came from the way there and may pass; a credential
    that cannot be had is for a person.
    """
    response = getattr(error, "response", None)
    if response is not None:
        return _explain_answer(what, error, response)
    said = without_secrets(" ".join(str(getattr(error, "message", "") or error).split()))[:_MOST_CHARACTERS]
    if type(error).__name__ in ("ClientAuthenticationError", "CredentialUnavailableError"):
        if _PASSES.search(said):
            return Unsettled(f"{what}: whoever hands out tokens cannot answer now: {said.rstrip('.')}")
        return Broken(
            f"{what}: no credential that is accepted: {said.rstrip('.')}. Sign in, or check the identity file"
        )
    return Unsettled(f"{what}: no answer{_from_whom(said)}: {_way(said)}")


def _from_whom(said: str) -> str:
    pool = _POOL.search(said)
    return f" from {pool['host']}:{pool['port']}" if pool else ""


def _way(said: str) -> str:
    """What went wrong on the way, out of the many words in which connection errors are wrapped."""
    reasons = _ERRNO.findall(said)
    return str(reasons[-1]).strip() if reasons else said[:200].rstrip(". ")


def of(error: Exception) -> Diagnosis:
    """The diagnosis of an exception that carries a response; without a response it has no causes."""
    response = getattr(error, "response", None)
    return diagnose(_body(response), int(getattr(response, "status_code", 0) or 0))


def _explain_answer(what: str, error: Exception, response: object) -> WorkspaceError:
    found = of(error)
    if found.status < 400 and not any(cause.code for cause in found.causes):
        said = without_secrets(" ".join(str(getattr(error, "message", "") or error).split()))
        return Broken(f"{what}: the answer makes no sense (HTTP {found.status}): {said[:200].rstrip('.')}")
    told = found.error(what)
    if isinstance(told, Unsettled):
        told.after = asked_to_wait(getattr(response, "headers", None) or {})
    return told


def asked_to_wait(headers: Mapping[str, str]) -> float:
    """The seconds in `Retry-After`, at most five minutes; 0 where it names none. Azure writes seconds, never a date."""
    said = next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(float(said), _LONGEST_WAIT_SECONDS) if said.replace(".", "", 1).isdigit() else 0.0


def _body(response: Any) -> str:
    try:
        return str(response.text())
    except Exception:  # a body that cannot be read says nothing, and its status still counts
        return ""

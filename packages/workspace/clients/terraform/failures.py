"""What Terraform's errors mean for us: ask again, change the request, or call a person."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from workspace.clients.terraform.events import Diagnostic
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError

_LOCK = re.compile(r"^\s*(?P<name>ID|Path|Operation|Who|Version|Created|Info):[ \t]*(?P<value>.*)$", re.MULTILINE)
# The http backend tells the id of the lock that is held, and then everything else of the lock it did not get.
_LOCKED_ID_ALONE = re.compile(r"HTTP remote state already locked: ID=(?P<id>\S+)")
_LOCKED = re.compile(r"acquiring the state lock|state (blob )?is already locked", re.IGNORECASE)
_STALE = re.compile(
    r"saved plan is stale|plan (file )?(was|is) (created|not) .*(version|valid)|"
    r"failed to (read|load) (the )?plan|inconsistent plan file|saved plan does not match",
    re.IGNORECASE,
)
_NOT_READY = re.compile(
    r"\b429\b|\b50[234]\b|TooManyRequests|timed? ?out|timeout|deadline exceeded|connection (refused|reset)|"
    r"no such host|could not connect|temporary failure|i/o timeout|error reaching|plugin did not respond|"
    r"TLS handshake|code = Unavailable",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"\b429\b|TooManyRequests|\b50[234]\b|ServiceUnavailable|AnotherOperationInProgress|OperationPreempted",
    re.IGNORECASE,
)
_ANSWERED = re.compile(
    r"unexpected status|status code|already exists|AuthorizationFailed|\b40[0-9]\b|error: rpc error|Plugin error|"
    r"\b(reading|retrieving|listing|loading|checking for)\b",
    re.IGNORECASE,
)
_UNSAVED = re.compile(r"Failed to (save|persist) state|error saving state", re.IGNORECASE)
_EXISTS = re.compile(r'A resource with the ID "(?P<id>[^"]+)" already exists|RoleAssignmentExists')
_CHECK = "Check block assertion failed"
_UNDECLARED = re.compile(r"^Values? for undeclared variables?$")
_UNDECLARED_NAME = re.compile(r'variable (?:named )?"(?P<name>[^"]+)"')
_UNPREPARED = re.compile(
    r"Backend initialization required|Module not installed|Inconsistent dependency lock file|Required plugins are not "
    r"installed|Missing required provider|Could not load plugin|module is not yet installed",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class StateLock:
    """Who holds the lock of a state, since when, and what for."""

    id: str = ""
    path: str = ""
    operation: str = ""
    who: str = ""
    created: str = ""

    def __str__(self) -> str:
        since = f" since {self.created}" if self.created else ""
        return f"{self.who or 'somebody'}{since} ({self.operation or 'unknown operation'}, lock {self.id or 'unknown'})"


class Locked(Unsettled):
    """The state is locked by somebody else: `held` says by whom, the whole sentence also what a person can do."""

    def __init__(self, held: str, lock: StateLock) -> None:
        super().__init__(
            f"{held}: wait until that run is over, or release the lock with terraform force-unlock when it is not "
            f"running any more."
        )
        self.held = held
        self.lock = lock


class Exists(Broken):
    """Something that was to be made is there already and in no state: `found` has its id by its address.

    The id of an assignment of a role is empty: Azure only says that there is the same one.
    """

    def __init__(self, sentence: str, found: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.found = dict(found)


def state_lock(detail: str) -> StateLock:
    """The lock that the text of an error describes."""
    if alone := _LOCKED_ID_ALONE.search(detail):
        return StateLock(id=alone["id"])
    told = {found["name"].lower(): found["value"].strip() for found in _LOCK.finditer(detail)}
    return StateLock(**{name: told.get(name, "") for name in ("id", "path", "operation", "who", "created")})


def is_unprepared(errors: Iterable[Diagnostic]) -> bool:
    """Whether `terraform init` would help."""
    return any(_UNPREPARED.search(f"{each.summary} {each.detail}") for each in errors)


def failed_checks(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """What the stack's own check blocks complain about; Terraform calls them warnings."""
    return tuple(str(each) for each in diagnostics if each.summary == _CHECK)


def undeclared(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """The variables that were handed in and that the stack does not have; Terraform only warns."""
    told = [each for each in diagnostics if _UNDECLARED.match(each.summary)]
    names = [found["name"] for each in told if (found := _UNDECLARED_NAME.search(each.detail))]
    return names or [each.summary for each in told]


def translate(stack: str, doing: str, errors: Sequence[Diagnostic], code: int, complaint: str) -> WorkspaceError:
    """The error to raise for a command that failed: `doing` is init, plan, apply or another word of Terraform's."""
    if not errors:
        said = " ".join(complaint.split())[-300:] or "nothing"
        return Broken(f"terraform {doing} of stack {stack} ended with exit code {code} and said: {said}")
    everything = "\n".join(f"{each.summary}\n{each.detail}" for each in errors)
    if _LOCKED.search(everything):
        lock = state_lock(everything)
        where = f" at {lock.path}" if lock.path else ""
        return Locked(f"The state of stack {stack}{where} is locked by {lock}", lock)
    if _STALE.search(everything):
        return Unsettled(f"The saved plan of stack {stack} is stale, its state changed meanwhile: plan it again.")
    told = _told(stack, doing, errors)
    if doing == "apply" and _UNSAVED.search(everything):
        return Broken(
            f"{told}; its state could not be written, so what was done is not in it: make room where the state is, "
            "then run again, and adopt what Terraform then says exists already"
        )
    if doing == "apply":
        # What was done stands in the state, so the next plan holds only the rest.
        if found := _existing(errors):
            return Exists(f"{told}; what was done before that stands in the state", found)
        is_busy = all(_BUSY.search(f"{each.summary} {each.detail}") for each in errors)
        return (Unsettled if is_busy else Broken)(f"{told}; what was done before that stands in the state")
    if _NOT_READY.search(everything):
        return Unsettled(told)
    if doing == "plan" and any(_ANSWERED.search(each.summary) for each in errors):
        return Broken(told)
    return Refused(told)


def _existing(errors: Iterable[Diagnostic]) -> dict[str, str]:
    """The ids of what is there already, by the address that was to make it, as the provider tells them."""
    told = [(each.address, _EXISTS.search(f"{each.summary}\n{each.detail}")) for each in errors]
    return {address: found["id"] or "" for address, found in told if address and found}


def _told(stack: str, doing: str, errors: Sequence[Diagnostic]) -> str:
    first = next((each for each in errors if each.place), errors[0])
    others = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"terraform {doing} of stack {stack} failed: {first}{others}"

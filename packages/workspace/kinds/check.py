"""A check: hosts asked as the public asks them, with a real lookup and a real request. It changes nothing.

Settings: `host` (or `hosts`, each a name or a mapping of its own), `path`, and what to `expect`: `digest` or `sha256`
as the host's `version_path` says it, `service`, or `headers` of the answer. What cannot be known is no success. An
empty `version_path` says that hosts tell no version here: then what runs was compared where it runs, by the nodes that
put it there. With `zone` and `name_servers` the check is whether the public is sent to those name servers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workspace.errors import Refused, Unsettled
from workspace.work import Outcome, Preview, Result, Work

_VERSION_PATH = "/version"
_CONTENT = ("digest", "sha256")
_KNOWN = (*_CONTENT, "service", "headers")


@dataclass(frozen=True)
class _Question:
    """One host, where to ask it, and what it is expected to say."""

    host: str
    path: str
    version_path: str
    expect: Mapping[str, Any] = field(default_factory=dict)


def preview(work: Work, outside: Any) -> Preview:
    """Never a change: a check only reads."""
    if not _is_delegation(work):
        list(_questions(work))
    return Preview()


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Nothing to do: the asking is the verification."""
    if _is_delegation(work):
        return Result(Outcome.UNCHANGED, f"{work.settings['zone']} to be looked up")
    hosts = ", ".join(each.host for each in _questions(work))
    return Result(Outcome.UNCHANGED, f"{hosts} to be asked")


def verify(work: Work, result: Result, outside: Any) -> Result:
    """What every host answered. Unsettled while one does not answer or serves another version; unknown where a version
    is expected and the host does not tell.
    """
    if _is_delegation(work):
        return _delegated(work, outside)
    found = [_ask(each, work, outside) for each in _questions(work)]
    unknown = [detail for _, detail, is_known in found if not is_known]
    detail = "; ".join(unknown or [detail for _, detail, _ in found])
    outcome = Outcome.UNKNOWN if unknown else Outcome.UNCHANGED
    return Result(outcome, detail, {"hosts": {host: told for host, told, _ in found}}, result.content)


def _is_delegation(work: Work) -> bool:
    return "name_servers" in work.settings


def _delegated(work: Work, outside: Any) -> Result:
    """Unsettled, with what the registrar must be told, until the public finds the zone at its own name servers."""
    zone = str(work.settings["zone"])
    wanted = sorted(str(each).rstrip(".").lower() for each in work.settings["name_servers"])
    found = sorted(each.rstrip(".").lower() for each in outside.resolver.answers(zone, "NS"))
    if found != wanted:
        raise Unsettled(
            f"The public finds {zone} at {', '.join(found) or 'no name server'}; "
            f"enter these at its registrar: {', '.join(wanted)}."
        )
    return Result(Outcome.UNCHANGED, f"{zone} is delegated to its {len(wanted)} name servers", {"name_servers": wanted})


def _ask(question: _Question, work: Work, outside: Any) -> tuple[str, str, bool]:
    """The host, what it said in one line, and whether everything expected is known."""
    addresses = outside.resolver.answers(question.host, "A")
    if not addresses:
        raise Unsettled(f"{question.host} does not resolve to an address yet.")
    answer = outside.web.greet(question.host, question.path)
    _compare_headers(question, answer.headers)
    told = f"{question.host} ({answer.address}) answers {answer.status}"
    wanted = {key: str(question.expect[key]) for key in (*_CONTENT, "service") if question.expect.get(key)}
    if not wanted or not question.version_path:
        work.say(told)
        return question.host, told, True
    version, is_known = _version(question, wanted, outside)
    work.say(f"{told}, {version}")
    return question.host, f"{told}, {version}", is_known


def _version(question: _Question, wanted: Mapping[str, str], outside: Any) -> tuple[str, bool]:
    """What the host serves; Unsettled when it is something else than wanted."""
    answer = outside.web.ask(question.host, question.version_path)
    if answer.status >= 500:
        raise Unsettled(f"{question.host}{question.version_path} answers {answer.status}.")
    facts = answer.facts if answer.status == 200 else {}
    for key, value in wanted.items():
        said = str(facts.get(key) or "")
        if not said:
            return f"but {question.version_path} does not tell its {key}, so what it serves is unknown", False
        if _content(said) != _content(value):
            raise Unsettled(f"{question.host} serves {key} {said}, not {value}.")
    return f"serves {' '.join(wanted.values())}", True


def _compare_headers(question: _Question, headers: Mapping[str, str]) -> None:
    lowered = {name.lower(): value for name, value in headers.items()}
    for name, value in (question.expect.get("headers") or {}).items():
        said = lowered.get(str(name).lower())
        if said != str(value):
            raise Unsettled(f"{question.host} sends {name}: {said or 'nothing'}, not {value}.")


def _content(text: str) -> str:
    """A content address alone: without repository and algorithm."""
    return text.rpartition("@")[2].rpartition(":")[2].lower()


def _questions(work: Work) -> Iterator[_Question]:
    settings = work.settings
    hosts: Sequence[Any] = settings["hosts"] if "hosts" in settings else [settings["host"]]
    if not hosts:
        raise Refused(f"{work.node.id}: a check without a host would always succeed.")
    for each in hosts:
        own: Mapping[str, Any] = each if isinstance(each, Mapping) else {"host": each}
        expect = own.get("expect", settings.get("expect")) or {}
        if strange := sorted(set(expect) - set(_KNOWN)):
            raise Refused(f"{work.node.id}: nobody can expect {', '.join(strange)}; known are {', '.join(_KNOWN)}.")
        path = str(own.get("path", settings.get("path", "/health")))
        version_path = str(own.get("version_path", settings.get("version_path", _VERSION_PATH)))
        yield _Question(str(own["host"]), path, version_path, expect)

"""Questions to a target, put side by side: each ends in findings, in none, or in a finding that it was not answered."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from workspace.errors import WorkspaceError
from workspace.preflight.finding import Finding
from workspace.preflight.live_rules import NOT_ASKED


@dataclass(frozen=True)
class Question:
    """One question: about what (`resource providers`), where, and how it is asked.

    The same question for several environments is put once. `asks` returns what is wrong, and raises an error of the
    workspace's where it cannot know.
    """

    about: str
    place: str
    asks: Callable[[], Iterable[Finding]]
    environments: tuple[str, ...] = ()


def merged(questions: Iterable[Question]) -> tuple[Question, ...]:
    """Each question once, with all environments it is put for."""
    found: dict[tuple[str, str], Question] = {}
    for each in questions:
        before = found.get((each.about, each.place))
        known = before.environments if before else ()
        more = tuple(name for name in each.environments if name not in known)
        found[each.about, each.place] = replace(before or each, environments=known + more)
    return tuple(found.values())


def ask(questions: Sequence[Question], seconds: float) -> list[Finding]:
    """What all of them find, in the order of the questions; one without an answer after so many seconds says so."""
    answers: dict[int, Sequence[Finding]] = {}

    def put(number: int, question: Question) -> None:
        answers[number] = _answered(question)

    # Daemons: a question that hangs is left behind and holds up neither the answer nor the end of the process.
    threads = [threading.Thread(target=put, args=each, daemon=True) for each in enumerate(questions)]
    for each in threads:
        each.start()
    ends = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, ends - time.monotonic()))
    late: Mapping[int, Sequence[Finding]] = {
        number: [NOT_ASKED.at(each.place, f"{each.about}: no answer within {seconds:g} s")]
        for number, each in enumerate(questions)
    }
    return [
        replace(finding, environments=finding.environments or question.environments)
        for number, question in enumerate(questions)
        for finding in answers.get(number, late[number])
    ]


def _answered(question: Question) -> Sequence[Finding]:
    try:
        return tuple(question.asks())
    except WorkspaceError as error:
        return [NOT_ASKED.at(question.place, f"{question.about}: {error}")]
    except Exception as error:  # whatever a library raises is no silence
        return [NOT_ASKED.at(question.place, f"{question.about}: {type(error).__name__}: {error}")]

"""Whether what happened under a fault is what its row says: outcomes, tries, what is left, the sentence, a rerun."""

import fnmatch
import json
import re
from collections.abc import Collection

from practice import Practice, Told, things, touched
from rows import Row

from deployments import faults

_LONGEST_SENTENCE = 900


def practise(practice: Practice, row: Row) -> None:
    """Put the fault in force, run the row's nodes, hold what came of it against the row, lift the fault, run again."""
    nodes = row.runs.split()
    practice.inforce(faults.known()[row.fault])
    for each in row.work:
        each(practice)
    before = things(practice)
    told = practice.run(row.environment, nodes)
    met, left = practice.met(), touched(before, things(practice))
    practice.inforce([])
    ends_as_told(told, row)
    says_as_told(told, row)
    assert met == row.met if row.met else met > 0, f"the fault was met {met} times"
    leaves_as_told(left, row)
    keeps_secrets(told, practice.secrets())
    if not _succeeds(row.ends) or row.again:
        goes_on(told, practice.run(row.environment, nodes), row)


def ends_as_told(told: Told, row: Row) -> None:
    """Each node has the outcome it should have; whatever does not need the first one goes on."""
    first, blocked = row.runs.split()[0], set(row.blocked.split())
    assert told.outcomes[first] == row.ends, told.results[first].detail
    assert {name for name, outcome in told.outcomes.items() if outcome == "blocked"} == blocked
    others = {name: told.results[name].detail for name in told.outcomes.keys() - blocked - {first}}
    assert {name: said for name, said in others.items() if not _succeeds(told.outcomes[name])} == {}


def says_as_told(told: Told, row: Row) -> None:
    """People read exactly this, as often as it was tried and no more; a refusal is tried once."""
    first = row.runs.split()[0]
    said = list(told.lines.get(first, ()))
    if not _succeeds(row.ends):
        detail = told.results[first].detail
        assert is_sentence(row.says, detail), detail
        assert "\n" not in detail and len(detail) < _LONGEST_SENTENCE
        assert detail.rstrip(".") in told.sentence and "run promote/" in told.sentence
    if row.says:
        assert sum(is_sentence(row.says, line) for line in said) == row.tries, said


def leaves_as_told(left: Collection[str], row: Row) -> None:
    """What is other than before is what the row names, all of it and nothing else."""
    strange = [each for each in left if not any(fnmatch.fnmatch(each, pattern) for pattern in row.touched)]
    absent = [pattern for pattern in row.touched if not fnmatch.filter(left, pattern)]
    assert (strange, absent) == ([], [])


def keeps_secrets(told: Told, secrets: Collection[str]) -> None:
    """No secret and no trace in anything that people read."""
    details = {name: result.detail for name, result in told.results.items()}
    everything = json.dumps([told.lines, details, told.sentence])
    assert len(secrets) > 10
    assert [secret[:4] for secret in secrets if secret in everything] == []
    assert "Traceback" not in everything and "trace.txt" not in everything


def goes_on(before: Told, again: Told, row: Row) -> None:
    """Once the fault is lifted the same run succeeds, and does nothing that was done."""
    first = row.runs.split()[0]
    failed = {name: result.detail for name, result in again.results.items() if not result.outcome.is_success}
    assert failed == {}
    assert row.again == "*" or again.outcomes[first] == (row.again or "changed")
    done = {name for name, outcome in before.outcomes.items() if _succeeds(outcome) and name != first}
    assert {name: again.outcomes[name] for name in done} == dict.fromkeys(done, "unchanged")


def is_sentence(pattern: str, said: str) -> bool:
    """Whether this was said, where `…` stands for anything."""
    return re.fullmatch(".*?".join(map(re.escape, pattern.split("…"))), said) is not None


def _succeeds(outcome: str) -> bool:
    return outcome in ("changed", "unchanged")

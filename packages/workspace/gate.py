"""The first step of a promotion: the definitions it will read, looked at before anything is touched.

What was found is kept by the content of the definitions and of the rules, in the user's cache, so a promotion that
changes nothing does not look again.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path

from workspace.definitions import Kept
from workspace.errors import Refused
from workspace.execution import Execution
from workspace.ledger import Event
from workspace.preflight import baseline, engine
from workspace.preflight.families import FAMILIES, Facts
from workspace.preflight.finding import Finding, Report, Severity
from workspace.preflight.guard import FAILED
from workspace.preflight.packing import packed, unpacked
from workspace.preflight.told import counted, counts, printable

# These read more than the definitions, which are all that a release keeps: what images are built from, workflows.
ELSEWHERE = ("docker", "github")
_SHOWN = 3

Look = Callable[[Execution, Path], baseline.Sifted]
"""How the definitions of a run are looked at before it begins; the checkout holds the baseline."""


def looked(
    execution: Execution, sources: Path, facts: Facts | None = None, cache: Path | None = None
) -> baseline.Sifted:
    """What is wrong with the definitions of a run, without what the baseline of the checkout accepts; the ledger has
    how many of each severity. Refused when the baseline cannot be read or is not filled in.

    `facts` are what the checkout says of the environments. Definitions that are carried here were compared with the
    facts of their own time where they were built, and are not compared with those of today.
    """
    kept = execution.definitions
    if kept is None:
        return baseline.Sifted(Report())
    known = facts if execution.plan.environment.builds else None
    report = _report(kept, known, cache or user_cache_path("mystira-workspace") / "preflight")
    file = sources / baseline.USUAL
    entries = baseline.read(file) if file.is_file() else ()
    sifted = baseline.sift(report, entries, _families(), datetime.now(UTC).date())
    execution.ledger.write(
        execution.run, execution.place, Event.CHECKED,
        found=counts(sifted.report.findings), accepted=len(sifted.accepted), definitions=kept.digest,
    )  # fmt: skip
    return sifted


def refuse(sifted: baseline.Sifted) -> None:
    """Refused when anything would fail: how many, the first of them, and how to see all."""
    errors = [each for each in sifted.report.findings if each.rule.severity is Severity.ERROR]
    if errors:
        more = "; …" if len(errors) > _SHOWN else ""
        raise Refused(
            f"Preflight finds {counted(errors)} in the definitions, and nothing was touched: "
            f"{'; '.join(map(sentence, errors[:_SHOWN]))}{more} Run `workspace check` to see all and what to do; "
            f"what is known and right may be accepted in {baseline.USUAL}."
        )


def risks(sifted: baseline.Sifted) -> Sequence[Finding]:
    """What may fail and does not stop a promotion."""
    return [each for each in sifted.report.findings if each.rule.severity is Severity.RISK]


def sentence(finding: Finding) -> str:
    """A finding on one line: where and what."""
    return printable(f"{finding.place}: {finding.what}")


def _families() -> list[str]:
    return [each for each in FAMILIES if each not in ELSEWHERE]


def _report(kept: Kept, facts: Facts | None, cache: Path) -> Report:
    seen = f"{kept.digest} {_rules()} {json.dumps(facts, sort_keys=True)}"
    file = cache / f"{hashlib.sha256(seen.encode()).hexdigest()}.json"
    try:
        return unpacked(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        report = engine.look(kept.root, _families(), facts=facts)
    if not any(each.rule == FAILED for each in report.findings):
        _store(file, packed(report))
    return report


def _store(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as written:
            written.write(text)
        partial.replace(file)
    except OSError:
        # Without a cache the next run looks again.
        return


@lru_cache(maxsize=1)
def _rules() -> str:
    """A digest of the rules themselves: other rules find other things."""
    total = hashlib.sha256()
    folder = Path(engine.__file__).parent
    for file in sorted(each for each in folder.rglob("*") if each.suffix in (".py", ".json")):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()

"""The evidence table: suites on data that nobody on the team wrote, each with the cases that really ran.

A suite is one entry of SUITES. Its tests carry `@pytest.mark.evidence("name")` and state their cases through the
fixture `evidence`; a test that states none counts as one case itself. Nothing is typed in: totals, sorts and the
samples that were used come from the cases. `make evidence` runs exactly these tests, prints one table and ends with 1
when a case failed, a suite is missing, a case was skipped or a sample of a suite was used by no case.

A suite that wants more than this machine may have is `opt_in`, and its tests carry a marker of their own by which
`make evidence` leaves them out (`docker`, `conformance`). Whoever runs them adds `--evidence=.evidence --opt-in`, which
keeps their rows; the table shows them with time and commit, or says why they were not run.
"""

import fnmatch
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from rich.table import Table

Case = TypeVar("Case")
_KEY = "evidence"
_DECLARED = "declared differences"
_APART = ("docker", "conformance")
_FOLDER, _OPT_IN = "--evidence", "--opt-in"
_SHOWN_FAILURES = 8
_WIDTH = 170
_WRONG = (Exception, pytest.fail.Exception)


@dataclass(frozen=True)
class Suite:
    """One row: what it proves, where its cases come from, which files of the samples its cases must all have used.

    `sorts` are the words by which passed cases are told apart, shown even when there is none of a sort. `opt_in` is how
    it is run where `make evidence` alone does not; empty for a suite that must run.
    """

    name: str
    proves: str
    source: str
    files: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ()
    opt_in: str = ""

    def among(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of these files that its cases must use."""
        return tuple(path for path in paths if any(fnmatch.fnmatch(path, glob) for glob in self.files))


SUITES = (
    Suite(
        "azure-stories",
        "our clients take every recorded conversation to its true end, with no write more than was recorded",
        "recorded Azure traffic (azd, Java, .NET and Ruby SDKs, Cloud Custodian)",
        (
            *("azure/dev/acr-*", "azure/dev/aks-*", "azure/dev/arm-*", "azure/dev/authz-*", "azure/dev/dns-*"),
            *("azure/dev/keyvault-*", "azure/dev/list-*", "azure/dev/lro-*", "azure/dev/rbac-*", "azure/dev/rg-*"),
            *("azure/dev/rp-*", "azure/dev/webapp-*"),
        ),
    ),
    Suite(
        "recorded-errors",
        "innermost code, verdict and a sentence without secrets come out of every dialect",
        "recorded error responses of Azure",
        ("azure/dev/errors.jsonl",),
        ("refused", "unsettled", "broken"),
    ),
    Suite(
        "told-errors",
        "what others say an error means is what we make of it, also four levels deep",
        "failed deployments and error rules of azd, errors reported in public threads",
        ("azure/dev/nested-*", "azure/dev/azd-error-rules.json", "reported/dev/*"),
        ("refused", "unsettled", "broken"),
    ),
    Suite(
        "arm-contract",
        "every exchange that the stand-in for Resource Manager served in the contract tests is one of Azure's",
        "the list of Azure's operations in hashicorp/pandora",
        ("contract/dev/*",),
    ),
    Suite(
        "stand-ins",
        "a stand-in answers what was recorded: the status, the headers and the shape, the words of refusals",
        "recorded Azure traffic and templates, asked of the stand-ins",
    ),
    Suite(
        "kubernetes-readiness",
        "ready, waiting or failed, as four projects judge it; where they disagree, decision 0013",
        "kstatus, gitops-engine, Argo CD, kubectl",
        ("k8s/dev/*",),
        (
            *("as the suite says", "by our policy"),
            *("of kinds we do not deploy alike", "of kinds we do not deploy otherwise"),
        ),
    ),
    Suite(
        "kustomize",
        "what we render is what Kustomize renders, with the library in the wheel",
        "Kustomize's own tests",
        ("kustomize/dev/*",),
    ),
    Suite(
        "kustomize-programs",
        "kubectl and kustomize, where they are used instead, render the same",
        "Kustomize's own tests",
        opt_in="put kubectl 1.21 or later or kustomize on PATH",
    ),
    Suite(
        "bicep",
        "the rehearsal's compiler gives the real compiler's template, or refuses and says where",
        "Azure/bicep",
        ("bicep/dev/*",),
        ("identical", "refused", "wrong"),
    ),
    Suite(
        "terraform",
        "streams, plans, outputs and failures are read as they were meant, and nothing sensitive is passed on",
        "Terraform 1.11.4, OpenTofu's equivalence tests, real plans",
        ("terraform/dev/*",),
    ),
    Suite("graphs", "real deployment graphs come in the same waves", "Azure/ARO-HCP", ("graphs/dev/*",)),
    Suite(
        "faults",
        "under each fault: what is tried again, what stops, what is left as it was, the sentence, and the next run",
        "the catalogue of faults in deployments/faults.json, after the field's own accidents",
    ),
    Suite(
        "long-operations",
        "our following of long operations ends each of them as it must",
        "Azure's own test server for SDKs (81 operations)",
        opt_in="make conformance-azure",
    ),
    Suite(
        "az",
        "the real az does its work against the rehearsal's Azure",
        "azure-cli from its package",
        opt_in="make conformance-azure",
    ),
    Suite(
        "control-plane",
        "the real control plane answers the questions that the rehearsal's cluster answers",
        "Kubernetes 1.20.2 built from Debian's source package",
        opt_in="make conformance",
    ),
    Suite(
        "docker",
        "a real engine and registry build, push, carry and refuse as the stand-ins do",
        "Docker Engine and distribution/registry of Debian",
        opt_in="make conformance",
    ),
)


@dataclass
class Tally:
    """What one test, or one suite, has counted."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    sorts: Counter[str] = field(default_factory=Counter)
    files: set[str] = field(default_factory=set)
    covers: dict[str, set[str]] = field(default_factory=dict)
    figures: dict[str, list[int]] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Cases that were to run."""
        return self.passed + len(self.failed) + len(self.skipped)

    def add(self, other: "Tally") -> None:
        """Take in what another counted."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.sorts.update(other.sorts)
        self.files |= other.files
        self.details += [each for each in other.details if each not in self.details]
        for what, names in other.covers.items():
            self.covers.setdefault(what, set()).update(names)
        for what, (part, whole) in other.figures.items():
            known = self.figures.get(what, [0, 0])
            self.figures[what] = [known[0] + part, known[1] + whole]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        covers = {what: sorted(names) for what, names in sorted(self.covers.items())}
        lists = {name: sorted(getattr(self, name)) for name in ("failed", "skipped", "files")}
        told = {"covers": covers, "figures": self.figures, "details": self.details}
        return {"passed": self.passed, **lists, "sorts": dict(self.sorts), **told}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Tally":
        """From JSON."""
        told = {name: plain[name] for name in ("passed", "failed", "skipped", "figures", "details")}
        covers = {what: set(names) for what, names in plain["covers"].items()}
        return cls(**told, sorts=Counter(plain["sorts"]), files=set(plain["files"]), covers=covers)


class Evidence:
    """What a test states about its cases."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def each(
        self,
        cases: Iterable[Case],
        check: Callable[[Case], str | None],
        *,
        name: Callable[[Case], str] = str,
    ) -> None:
        """Run `check` on all cases; it returns the case's sort, if any, or raises. In the end all that failed are told.

        There must be cases: a suite without any proves nothing.
        """
        failures, before = [], self._tally.total
        for case in cases:
            try:
                self.passed(check(case) or "")
            except _WRONG as error:  # every case runs, whatever the one before did
                self._tally.failed.append(name(case))
                failures.append(f"{name(case)}: {_said(error)}")
        tried = self._tally.total - before
        if not tried:
            raise AssertionError("there was no case")
        if failures:
            raise AssertionError("\n".join([f"{len(failures)} of {tried} cases failed", *failures]))

    def passed(self, sort: str = "", count: int = 1) -> None:
        """So many cases passed."""
        self._tally.passed += count
        if sort:
            self._tally.sorts[sort] += count

    def failed(self, names: Iterable[str]) -> None:
        """These cases did not; the test fails by its own words."""
        self._tally.failed += list(names)

    def used(self, *files: str) -> None:
        """These files of the samples, by their path in it, gave cases."""
        self._tally.files.update(files)

    def covers(self, what: str, names: Iterable[str]) -> None:
        """These things were met, each counted once over all tests of the suite."""
        self._tally.covers.setdefault(what, set()).update(names)

    def figure(self, what: str, part: int, whole: int) -> None:
        """So many of so many, added up over all tests of the suite."""
        known = self._tally.figures.get(what, [0, 0])
        self._tally.figures[what] = [known[0] + part, known[1] + whole]

    def detail(self, text: str) -> None:
        """A line under the table."""
        self._tally.details.append(text)


def _said(error: BaseException) -> str:
    """What an error said, short enough for a list."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 400 else f"{text[:400]}…"


def index(samples: Path) -> tuple[str, ...]:
    """Every file of the samples, by its path there."""
    return tuple(str(each["path"]) for each in json.loads((samples / "INDEX.json").read_text()))


def files_of(name: str, samples: Path) -> tuple[str, ...]:
    """The files that the cases of a suite must use."""
    return next(each for each in SUITES if each.name == name).among(index(samples))


# --- while tests run


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Where a test states its cases; the marker says for which suite."""
    return Evidence(_tally(request.node))


_TALLY = pytest.StashKey[Tally]()


def _tally(item: pytest.Item) -> Tally:
    return item.stash.setdefault(_TALLY, Tally())


def _of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("evidence")
    return str(marker.args[0]) if marker else ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of a suite nobody declared is a mistake; what others have to opt in for is not run for the table."""
    for item in items:
        if (name := _of(item)) and name not in {each.name for each in SUITES}:
            raise pytest.UsageError(f"{item.nodeid} is of no known suite: add {name} to SUITES in tests/evidence.py")
    if config.getoption(_FOLDER) and not config.getoption(_OPT_IN):
        left = [item for item in items if any(item.get_closest_marker(each) for each in _APART)]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Write beside the outcome of a test what it counted; this also crosses from a worker to the one who reports."""
    report: pytest.TestReport = yield  # type: ignore[misc,assignment]
    name = _of(item)
    decides = report.when == "teardown"
    if name and (report.failed or report.skipped):
        _count_what_went_wrong(item, report)
    if name and decides:
        tally = _tally(item)
        if tally == Tally():
            tally.passed = 1
        report.user_properties.append((_KEY, json.dumps({"suite": name, **tally.plain()})))
    return report  # type: ignore[return-value]


def _count_what_went_wrong(item: pytest.Item, report: pytest.TestReport) -> None:
    tally = _tally(item)
    if hasattr(report, "wasxfail"):
        # strict: a difference that is declared and is there
        tally.passed += 1
        tally.sorts[_DECLARED] += 1
        tally.details.append(f"{item.name}: {report.wasxfail}")
    elif report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        tally.skipped.append(f"{item.name}: {why.removeprefix('Skipped: ')}")
    elif not tally.failed:
        tally.failed.append(item.name)


# --- the table


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the table is written; without it nothing is shown."""
    parser.addoption(_FOLDER, type=Path, default=None, help="count the suites and write the table into this folder")
    parser.addoption(
        _OPT_IN, action="store_true", help="count the opt-in suites alone and keep their rows for the table"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count, where it is asked for, in the process that reports."""
    folder = config.getoption(_FOLDER)
    if folder is None or hasattr(config, "workerinput"):
        return
    if config.getoption(_OPT_IN):
        config.pluginmanager.register(Counting(folder, (), [each for each in SUITES if each.opt_in], keeps=True))
        return
    samples = os.environ.get("WIRE_SAMPLES", "")
    if not (Path(samples) / "INDEX.json").is_file() or not samples:
        raise pytest.UsageError("WIRE_SAMPLES names no folder of recorded samples, so there is nothing to show.")
    for old in ("evidence.json", "evidence.md"):
        (folder / old).unlink(missing_ok=True)
    config.pluginmanager.register(Counting(folder, index(Path(samples)), SUITES))


class Counting:
    """Gathers what tests counted and ends the run with the table; where it `keeps`, with the rows of these suites."""

    def __init__(self, folder: Path, files: Sequence[str], suites: Sequence[Suite], *, keeps: bool = False) -> None:
        self._folder = folder
        self._files = files
        self._suites = suites
        self._keeps = keeps
        self._tallies: dict[str, Tally] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One test is over."""
        for key, text in report.user_properties:
            if key == _KEY:
                plain = json.loads(str(text))
                self._tallies.setdefault(plain["suite"], Tally()).add(Tally.of(plain))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write, print, and turn what is missing into a failure."""
        rows = [self._row(suite) for suite in self._suites]
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._keeps:
            (self._folder / "evidence.json").write_text(json.dumps(rows, indent=1) + "\n")
            (self._folder / "evidence.md").write_text(_markdown(rows))
        self._rows = rows
        if not all(row["good"] for row in rows) and session.exitstatus in (pytest.ExitCode.OK, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self) -> None:
        """The table, below everything else."""
        from rich.console import Console

        console = Console(width=None if os.isatty(1) else _WIDTH)
        console.print()
        console.print(_table(self._rows))
        for row in self._rows:
            for line in row["details"]:
                console.print(f"{row['suite']}: {line}", markup=False, highlight=False)

    def _row(self, suite: Suite) -> dict[str, Any]:
        tally = self._tallies.get(suite.name)
        ran = tally is not None and tally.total > len(tally.skipped)
        if suite.opt_in and not ran:
            return self._kept(suite, tally)
        row = _counted(suite, tally or Tally(), self._unused(suite, tally or Tally()))
        if suite.opt_in:
            # what it would want besides is said in the note
            row["total"] -= len(row["skipped"])
            row["count"] = _count(row["passed"], row["total"])
            file = self._folder / "opt-in" / f"{suite.name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({**row, "commit": _commit(), "when": time.strftime("%Y-%m-%d %H:%M")}))
        return row

    def _kept(self, suite: Suite, tally: Tally | None) -> dict[str, Any]:
        """The row of a suite that did not run: why, and what it gave when it last ran here."""
        why = tally.skipped[0].partition(": ")[2] if tally and tally.skipped else suite.opt_in
        file = self._folder / "opt-in" / f"{suite.name}.json"
        if not file.is_file():
            return {**_counted(suite, Tally(), ()), "good": True, "count": "-", "note": f"not run here: {why}"}
        kept: dict[str, Any] = json.loads(file.read_text())
        at = f"as of {kept['when']}, commit {kept['commit']}"
        stale = "" if kept["commit"] == _commit() else ", which is not this one"
        return {**kept, "note": "; ".join(filter(None, [kept["note"], at + stale]))}

    def _unused(self, suite: Suite, tally: Tally) -> tuple[str, ...]:
        return tuple(file for file in suite.among(self._files) if file not in tally.files)


def _counted(suite: Suite, tally: Tally, unused: tuple[str, ...]) -> dict[str, Any]:
    """One row of the table as JSON; `note` says all that the counts do not."""
    sorts = {sort: tally.sorts[sort] for sort in dict.fromkeys((*suite.sorts, *tally.sorts))}
    trouble = [
        "missing: no case ran" if not tally.total else "",
        f"{len(tally.failed)} failed: {_some(tally.failed)}" if tally.failed else "",
        f"{len(tally.skipped)} {'not run here' if suite.opt_in else 'skipped'}: {_some(tally.skipped)}"
        if tally.skipped
        else "",
        f"used by no case: {_some(unused)}" if unused and tally.total else "",
    ]
    told = [
        ", ".join(f"{count} {sort}" for sort, count in sorts.items()) if tally.total else "",
        *(_share(what, part, whole) for what, (part, whole) in sorted(tally.figures.items())),
        *(f"{len(names):,} {what}" for what, names in sorted(tally.covers.items())),
        f"{len(tally.files)} of {len(tally.files) + len(unused)} files" if suite.files and tally.total else "",
    ]
    good = not any(trouble) or (bool(suite.opt_in) and not tally.failed and not unused)
    return {
        "suite": suite.name,
        "proves": suite.proves,
        "source": suite.source,
        "passed": tally.passed,
        "total": tally.total,
        "count": _count(tally.passed, tally.total),
        "good": good,
        "sorts": sorts,
        "covers": {what: sorted(names) for what, names in tally.covers.items()},
        "failed": tally.failed,
        "skipped": tally.skipped,
        "unused": list(unused),
        "details": tally.details,
        "note": "; ".join(filter(None, [*trouble, *told])),
    }


def _count(passed: int, total: int) -> str:
    return f"{passed:,} / {total:,}"


def _share(what: str, part: int, whole: int) -> str:
    return f"{part:,} {what}" if part == whole else f"{part:,} of {whole:,} {what}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN_FAILURES} more" if len(listed) > _SHOWN_FAILURES else ""
    return ", ".join(listed[:_SHOWN_FAILURES]) + more


def _commit() -> str:
    """The commit this is run on, with a plus where files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    return told.stdout.strip() or "unknown"


def _table(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(title="Evidence", show_lines=True)
    for name in ("suite", "it proves that", "source"):
        table.add_column(name, overflow="fold")
    table.add_column("passed / total", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for row in rows:
        colour = "green" if row["good"] and row["count"] != "-" else "yellow" if row["good"] else "red"
        count = f"[{colour}]{row['count']}[/]"
        table.add_row(row["suite"], row["proves"], row["source"], count, row["note"].replace("[", r"\["))
    return table


def _markdown(rows: list[dict[str, Any]]) -> str:
    lines = ["| suite | it proves that | source | passed / total | note |", "|---|---|---|--:|---|"]
    for row in rows:
        cells = (row["suite"], row["proves"], row["source"], row["count"], row["note"])
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    details = [f"* `{row['suite']}`: {line}" for row in rows for line in row["details"]]
    return "\n".join([*lines, *([""] if details else []), *details]) + "\n"

"""`workspace check` and `workspace rules`: read the definitions of a folder and tell what would fail, and why."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text
from workspace.errors import Refused, WorkspaceError

import deployments

if TYPE_CHECKING:
    from workspace.preflight.baseline import Sifted
    from workspace.preflight.families import Facts
    from workspace.preflight.finding import Finding, Report

HERE = deployments.SOURCES
# What a command line ends with, by the worst thing found; 2 is for a request that is wrong.
EXITS = {"error": 1, "risk": 3, "note": 4}
_COLOURS = {"error": "bold red", "risk": "yellow", "note": "cyan"}


class Format(StrEnum):
    """How findings are told."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class Level(StrEnum):
    """From which severity on the command fails."""

    ERROR = "error"
    RISK = "risk"
    NOTE = "note"


def check(
    path: Annotated[Path, typer.Argument(help="A folder with definitions; this workspace when none is named.")] = HERE,
    only: Annotated[
        list[str] | None, typer.Option(help="One family of rules, or what rules are about, as dns; may be repeated.")
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option(help="Tell only what concerns this environment, or all; may be repeated.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to tell it.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the screen.")] = None,
    fail_on: Annotated[Level, typer.Option(help="From which severity on the command fails.")] = Level.ERROR,
    baseline: Annotated[
        Path | None, typer.Option(help="Accepted findings; preflight.yaml of the folder when there is one.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write a baseline of all that is found, to be filled in.")
    ] = None,
    addresses: Annotated[
        Path | None,
        typer.Option(help="Look, too, at the target of this file of addresses, read-only: rights, quota, names."),
    ] = None,
    explain: Annotated[str, typer.Option(metavar="RULE", help="Explain a rule and check nothing.")] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Families at once; 0 is one for each processor.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="One line for each finding, no progress.")] = False,
) -> None:
    """Read all definitions below a folder and tell what would fail, before anything is touched.

    Ends with 0 when nothing is as bad as --fail-on says, else by the worst finding: 1 for an error, 3 for a risk, 4
    for a note. 2 is for a request that is wrong. Nothing is changed; without --addresses nothing is asked or fetched.
    """
    with _refusals():
        if explain:
            sys.stdout.write(_explained(explain))
            return
        _refuse_strange_places(output, write_baseline)
        from workspace.preflight.baseline import drafted  # what is read here takes a while to import

        target = _target(addresses, path, environment or ()) if addresses else None
        sifted = _looked(path, only or (), baseline, jobs, target, quiet=quiet, whole=bool(write_baseline))
        if write_baseline:
            write_baseline.write_text(drafted(sifted.report, datetime.now(UTC).date()), encoding="utf-8")
            sys.stdout.write(f"{write_baseline} has {len(sifted.report.findings)} entries; write a reason for each.\n")
            return
        sifted = _about(sifted, environment or ())
        told = _told(sifted, format, quiet=quiet, is_screen=output is None and sys.stdout.isatty())
        if output:
            output.write_text(told, encoding="utf-8")
        else:
            sys.stdout.write(told)
    raise typer.Exit(_exit(sifted.report.findings, fail_on))


def rules(
    name: Annotated[
        str, typer.Argument(help="A rule's id, as terraform/range, a family or a subject, as dns; all when none is.")
    ] = "",
) -> None:
    """List the rules by family, or explain one: what it finds, why, a wrong and a right example, what to do."""
    with _refusals():
        from workspace.preflight.pages import all_rules

        known = all_rules()
        if name:
            known = {
                family: chosen
                for family, its in known.items()
                if (chosen := tuple(each for each in its if name in (family, each.subject)))
            }
        if not known:
            sys.stdout.write(_explained(name))
            return
        console = Console(highlight=False, soft_wrap=True)
        for family, its in known.items():
            console.print(Text(family, style="bold"))
            width = max(len(each.id) for each in its)
            for each in its:
                severity = Text(f"{each.severity.value:5}", style=_COLOURS[each.severity])
                console.print(Text(f"  {each.id:{width}}  ") + severity + Text(f"  {each.about}"))
        console.print(f"{sum(map(len, known.values()))} rules; `workspace rules ID` explains one.")


def _explained(name: str) -> str:
    from workspace.preflight.pages import all_rules, examples, markdown

    family = name.partition("/")[0]
    by_id = {each.id: each for its in all_rules().values() for each in its}
    if name not in by_id:
        near = [each for each in by_id if each.endswith(f"/{name}") or each.startswith(f"{family}/")]
        raise Refused(f"There is no rule {name}; `workspace rules` lists them{_such_as(near)}.")
    return markdown(by_id[name], examples().get(name))


def _such_as(names: Sequence[str]) -> str:
    return f", as {', '.join(names[:5])}" if names else ""


def _refuse_strange_places(*files: Path | None) -> None:
    for file in files:
        if file and (file.is_dir() or not file.parent.is_dir()):
            raise Refused(f"{file} cannot be written; name a file in a folder that exists.")


def _target(file: Path, path: Path, environments: Sequence[str]) -> "Report":
    """What is wrong at the target of a file of addresses, for some environments of this workspace or all."""
    from workspace.environment import WORLD
    from workspace.live.look import look
    from workspace.live.needs import Needs
    from workspace.outside import Outside

    from deployments import local

    if path.resolve() != HERE:
        raise Refused(f"A target is compared with this workspace, not with {path}; name one of the two.")
    world = deployments.nodes(deployments.find(WORLD))
    places = [deployments.find(each) for each in environments or deployments.environments()]
    needs = [Needs.of(place, deployments.nodes(place), world, deployments.SOURCES) for place in places]
    with Outside(local.target(file)) as outside:
        return look(needs, outside)


def _looked(
    path: Path,
    only: Sequence[str],
    baseline: Path | None,
    jobs: int,
    target: "Report | None" = None,
    *,
    quiet: bool,
    whole: bool,
) -> "Sifted":
    from workspace.preflight import baseline as accepted
    from workspace.preflight.engine import look
    from workspace.preflight.families import FAMILIES, OWN, owner
    from workspace.preflight.finding import Report
    from workspace.preflight.live_rules import LIVE

    usual = path / accepted.USUAL
    file = baseline or (usual if usual.is_file() else None)
    entries = accepted.read(file, _called(file, path)) if file and not whole else ()
    if LIVE in only and target is None:
        raise Refused(f"Rules of {LIVE} look at a target; name its addresses with --addresses.")
    asked = [owner(each) for each in only if each != LIVE]
    families = [each for each in FAMILIES if each in asked or not only]
    report = Report()
    if asked or not only:
        with _progress(list(families), quiet=quiet) as done:
            report = look(path, asked, jobs=jobs, done=done, facts=_facts(path))
    if target is not None:
        report = Report.of([report, target])
    sifted = accepted.sift(report, entries, families, datetime.now(UTC).date())
    wanted = {*only, OWN}

    def fits(each: "Finding") -> bool:
        subject = each.rule.subject
        return not only or subject in wanted or (subject != LIVE and owner(subject) in wanted)

    return _chosen(sifted, fits)


def _facts(path: Path) -> "Facts | None":
    """What this workspace says about its environments, where it is the folder that is looked at."""
    if path.resolve() != HERE:
        return None
    from deployments import described

    return described.facts()


def _called(file: Path, root: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return file.name


def _about(sifted: "Sifted", environments: Sequence[str]) -> "Sifted":
    """Only what concerns some environments; what names none concerns all."""
    wanted = set(environments)
    return _chosen(sifted, lambda each: not (wanted and each.environments) or bool(wanted & set(each.environments)))


def _chosen(sifted: "Sifted", fits: "Callable[[Finding], bool]") -> "Sifted":
    from workspace.preflight.baseline import Sifted
    from workspace.preflight.finding import Report

    left = tuple(filter(fits, sifted.report.findings))
    return Sifted(Report(sifted.report.checked, left), tuple(filter(fits, sifted.accepted)))


@contextlib.contextmanager
def _progress(left: list[str], *, quiet: bool) -> "Iterator[Progress]":
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status(f"reading: {', '.join(left)}") as status:

        def done(name: str) -> None:
            left.remove(name)
            status.update(f"reading: {', '.join(left)}")

        yield done


if TYPE_CHECKING:
    from workspace.preflight.engine import Told as Progress


def _told(sifted: "Sifted", how: Format, *, quiet: bool, is_screen: bool) -> str:
    from workspace.preflight.told import as_json

    if how is Format.JSON:
        return as_json(sifted.report, sifted.accepted)
    if how is Format.SARIF:
        from importlib.metadata import version

        from workspace.preflight.pages import examples
        from workspace.preflight.sarif import as_sarif

        return as_sarif(sifted.report, sifted.accepted, version("mystira-workspace"), examples())
    into = StringIO()
    console = Console(
        file=into,
        highlight=False,
        soft_wrap=True,
        width=Console().width if is_screen else 160,
        force_terminal=is_screen,
        color_system="auto" if is_screen else None,
    )
    if quiet:
        for finding in sifted.report.findings:
            console.print(Text(f"{finding.rule.severity.value}: {_line(finding)} [{finding.rule.id}]"))
    else:
        _show(console, sifted)
    console.print(_summary(sifted))
    return into.getvalue()


def _show(console: Console, sifted: "Sifted") -> None:
    """The findings by rule, worst first: what and where, then once why and what to do; and what was looked at."""
    from workspace.preflight.finding import Severity

    order = list(Severity)
    ranked = sorted(sifted.report.findings, key=lambda each: (order.index(each.rule.severity), each.rule.id))
    for rule, found in groupby(ranked, key=lambda each: each.rule):
        console.print(Text(f"{rule.severity.value} ", style=_COLOURS[rule.severity]) + Text(rule.id, style="bold"))
        for finding in found:
            console.print(Text(f"  {_line(finding)}"))
        console.print(Text(f"  why: {rule.why}", style="dim"))
        console.print(Text(f"  do:  {rule.todo}", style="dim"))
        console.print()
    if sifted.accepted:
        console.print(Text("accepted by the baseline", style="bold"))
        for finding in sifted.accepted:
            console.print(Text(f"  {_line(finding)} [{finding.rule.id}]", style="dim"))
        console.print()
    checked = [each for each in sifted.report.checked if each.count]
    width = max((len(str(each.count)) for each in checked), default=0)
    for each in checked:
        by = "" if each.by == "preflight" else f" ({each.by})"
        console.print(Text(f"{each.count:>{width}} {each.what}{by}", style="dim"))


def _line(finding: "Finding") -> str:
    from workspace.preflight.told import printable

    where = f" ({', '.join(finding.environments)})" if finding.environments else ""
    return f"{printable(finding.place)}: {printable(finding.what)}{where}"


def _summary(sifted: "Sifted") -> Text:
    from workspace.preflight.told import counted

    found = sifted.report.findings
    accepted = f"; {len(sifted.accepted)} accepted by the baseline" if sifted.accepted else ""
    if not found and not any(each.count for each in sifted.report.checked):
        return Text("No definitions were found in the folder, so there is nothing to say about it.", style="yellow")
    if not found:
        return Text(f"Nothing to mend{accepted}.", style="green")
    return Text(f"{counted(found)}{accepted}.", style=_COLOURS[found[0].rule.severity])


def _exit(findings: "Sequence[Finding]", fail_on: Level) -> int:
    levels = list(Level)
    worst = min((levels.index(Level(each.rule.severity.value)) for each in findings), default=len(levels))
    return EXITS[levels[worst]] if worst <= levels.index(fail_on) else 0


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except WorkspaceError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="bold red"))
        raise typer.Exit(2) from error

"""Questions to the ledger of this workspace: what runs where, since when, from which commit, and who brought it there.

Needs no Prefect server. The ledger is that of `--state`, else of MYSTIRA_STATE, else of this checkout on this machine.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from workspace import held, history, orphans, pruning
from workspace import pins as pinned
from workspace.contents import Contents
from workspace.errors import Refused, WorkspaceError
from workspace.history import Fact, Proof
from workspace.lease import Someone, Standing
from workspace.ledger import Ledger
from workspace.store import Store
from workspace.work import Outcome, Way

import deployments
from deployments import catalogue, checking, local

if TYPE_CHECKING:
    from workspace.outside import Outside

application = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)

# Ways that tell more than the outcome does.
_TELLING = (Way.SKIPPED, Way.ADOPTED, Way.COMPLETED, Way.CORRECTED)
application.command()(checking.check)
application.command()(checking.rules)

_APPS = {each.name for each in catalogue.APPS}

Its = Annotated[str, typer.Argument(help="A release's id or the beginning of it, or the environment that proved it.")]
In = Annotated[str, typer.Argument(help="The environment.")]
Because = Annotated[str, typer.Option("--because", help="Why, for those who read it later.")]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        "--addresses",
        help="The ledger's folder, or a file of addresses that may name a team's ledger.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@application.command()
def releases(state: State = None, as_json: AsJson = False) -> None:
    """Every release and where it was proven, newest first."""
    with _asked(state) as ledger:
        by_release: dict[str, list[Proof]] = {}
        for proof in history.proofs(ledger):
            by_release.setdefault(proof.release.id, []).append(proof)
        if as_json:
            _print_json({its: [_proof(each) for each in proofs] for its, proofs in by_release.items()})
            return
        holds = held.everywhere(ledger)
        table = _table("release", "commit", "built in", "proven in", "held")
        for its, proofs in by_release.items():
            places = ", ".join(f"{each.environment} {_when(each.at)}" for each in _first_proofs(proofs))
            told = Text("; ".join(map(str, holds.get(its, ()))), style="red")
            table.add_row(its, _commit(proofs[0].release.commit), proofs[0].release.built_in, places, told)
        _print(table, "No release is proven yet; run promote/dev first.")


@application.command()
def show(release: Annotated[str, typer.Argument(help="A release's id or the beginning of it, or an environment.")],
         state: State = None, as_json: AsJson = False) -> None:  # fmt: skip
    """Everything a release carries, where it comes from, and where it was proven."""
    with _asked(state) as ledger:
        found = history.named(ledger, release)
        proofs = [each for each in history.proofs(ledger) if each.release.id == found.id]
        holds = held.everywhere(ledger).get(found.id, [])
        if as_json:
            _print_json({**found.as_json(), "proven": [_proof(each) for each in proofs], "held": holds})
            return
        console.print(f"Release {found.id}, built in {found.built_in} from {_commit(found.commit)}", style="bold")
        for each in _first_proofs(proofs):
            console.print(f"  proven in {each.environment} {_when(each.at)}{_by(each.by)}")
        for hold in holds:
            console.print(f"  held: {hold}", style="red")
        table = _table("what", "name", "content")
        for what, contents in (("part", found.parts), ("definition", found.nodes), ("tool", found.tools)):
            for name, content in sorted(contents.items()):
                table.add_row(what, name, _short(content))
        table.add_row("definitions", "all of them", _short(found.definitions))
        console.print(table)


@application.command()
def diff(
    first: Annotated[str, typer.Argument(help="An environment, or a release's id.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """In what two environments' proven releases, or two releases, differ."""
    with _asked(state) as ledger:
        one, other = history.named(ledger, first), history.named(ledger, second)
        found = history.differences(one, other)
        if as_json:
            _print_json({"first": one.id, "second": other.id, "differences": found})
            return
        if one.id == other.id:
            console.print(f"{first} and {second} have the same release, {one.id}.", style="green")
            return
        table = _table("what", "name", f"{first} ({one.id})", f"{second} ({other.id})")
        for each in found:
            table.add_row(each.what, each.name, _short(each.first) or "-", _short(each.second) or "-")
        console.print(table)


@application.command()
def explain(
    host: Annotated[str, typer.Argument(help="A public name, as api.staging.mystira.app.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What a host serves: which content and commit, promoted when and by whom, verified how."""
    with _asked(state) as ledger:
        environment, service = _owner_of(host)
        told = _explained(ledger, host, environment, service)
        if as_json:
            _print_json(told)
            return
        grid = Table.grid(padding=(0, 2))
        for name, value in told.items():
            if value:
                grid.add_row(Text(name.replace("_", " "), style="dim"), str(value))
        console.print(grid)


@application.command(name="history")
def past(
    environment: Annotated[str, typer.Argument(help="world, dev, staging or prod.")],
    limit: Annotated[int, typer.Option(min=1, help="Show so many runs at most.")] = 20,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """The runs in an environment, newest first: when, by whom, with which release, and how they ended."""
    with _asked(state) as ledger:
        deployments.find(environment)
        found = history.runs(ledger, environment)[:limit]
        if as_json:
            _print_json(found)
            return
        table = _table("began", "by", "release", "nodes", "how it ended")
        for each in found:
            nodes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(each.outcomes.items()))
            ways = ", ".join(f"{each.ways[way]} {way}" for way in _TELLING if each.ways.get(way))
            nodes += f" ({ways})" if ways else ""
            colour = {True: "green", False: "red", None: "yellow"}[each.success]
            unended = f"not ended: {each.lost}" if each.lost else "not ended: at work, or killed"
            ended = each.sentence or unended
            approved = f" Approved by {each.approver}." if each.approver else ""
            table.add_row(_when(each.began), each.by, each.release, nodes, Text(ended + approved, style=colour))
        _print(table, f"Nothing ran in {environment} yet; run promote/{environment}.")


@application.command(name="hold")
def hold_back(release: Its, environment: In, because: Because, state: State = None) -> None:
    """Hold a release: neither this environment nor those that follow carry it until it is lifted."""
    with _asked(state) as ledger, _alone(ledger, environment):
        hold = held.hold(ledger, environment, release, by=local.person(), because=because)
        console.print(f"Release {hold.release} is held in {environment}.", style="green")


@application.command()
def lift(release: Its, environment: In, because: Because, state: State = None) -> None:
    """Let a held release be carried again."""
    with _asked(state) as ledger, _alone(ledger, environment):
        hold = held.lift(ledger, environment, release, by=local.person(), because=because)
        console.print(f"Release {hold.release} is no longer held; it was {hold}.", style="green")


@application.command()
def lost(
    environment: In,
    run: Annotated[str, typer.Argument(help="The run's id, as the refusal of a locked state tells it.")],
    because: Because,
    state: State = None,
) -> None:
    """Say that the machine of a run is gone for good: the next run breaks the locks it left without waiting.

    Be certain of it. A Terraform that is still at work there would go on writing beside the next run.
    """
    with _asked(state) as ledger, _alone(ledger, environment):
        gone = orphans.give_up(ledger, environment, run, by=local.person(), because=because)
        console.print(
            f"{gone.machine} is given up: the next run of {environment} breaks the locks that run {run} left, and says "
            f"so in the ledger.",
            style="green",
        )


@application.command()
def audit(state: State = None, as_json: AsJson = False) -> None:
    """Read the whole ledger and check every byte of it."""
    with _asked(state) as ledger:
        counts = {environment: ledger.check(environment) for environment in ledger.environments()}
        if as_json:
            _print_json(counts)
            return
        for environment, count in counts.items():
            console.print(f"{environment}: {count} entries, each as it was written", style="green")
        if not counts:
            console.print("The ledger is empty.", style="yellow")


@application.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="So many releases of each environment stay.")] = pruning.KEEP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Remove the kept definitions that no release needs; what is proven now, at work or young stays."""
    with _asked(state) as ledger:
        folder, shared = _definitions(state)
        gone = pruning.prune(folder, ledger, shared=shared, keep=keep, dry=dry_run)
        if as_json:
            _print_json({"removed": not dry_run, "copies": gone})
            return
        for each in gone:
            console.print(f"{each.digest[:12]}  {each.size / 1e6:.1f} MB", style="dim")
        told = pruning.told(gone)
        console.print(f"{'Would remove' if dry_run else 'Removed'} {told}." if told else "Nothing is to be removed.")


@application.command()
def holders(state: State = None, as_json: AsJson = False) -> None:
    """Who is at work in each environment and each shared thing, since when, and who waits, in which order."""
    with _asked(state) as ledger:
        found: dict[str, Standing] = {name: ledger.standing(name) for name in deployments.environments()}
        found |= {name: ledger.standing(shared=name) for name in deployments.shared()}
        if as_json:
            _print_json({name: _standing(each) for name, each in found.items()})
            return
        table = _table("what", "held by", "on", "since", "age", "number", "who waits, in order")
        for name, each in found.items():
            line = "\n".join(f"{who.owner} ({_age(who)})" for who in each.line)
            if each.holder:
                who, machine = each.holder, each.holder.host.partition("/")[0]
                gone = " (its process is gone)" if who.gone else ""
                table.add_row(name, who.owner + gone, machine, who.since, _age(who), str(each.token), line)
            else:
                table.add_row(name, "nobody", "", "", "", str(each.token or ""), line)
        console.print(table)


def _standing(its: Standing) -> Mapping[str, Any]:
    """A lease as plain values; ages in seconds."""

    def told(who: Someone) -> Mapping[str, Any]:
        return {**asdict(who), "age_seconds": round(who.age.total_seconds())}

    holder = told(its.holder) if its.holder else None
    return {"token": its.token, "holder": holder, "line": [told(each) for each in its.line]}


def _age(who: Someone) -> str:
    seconds = round(who.age.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds % 60:02} s"


@application.command()
def pins(
    environment: Annotated[str, typer.Argument(help="world, dev, staging or prod.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Who answered when an environment was promoted: a run that meets another target is refused."""
    with _asked(state) as ledger:
        deployments.find(environment)
        book = pinned.book(ledger, environment)
        if as_json:
            _print_json({"pins": book.pins(), "refused": book.strays()})
            return
        table = _table("pin", "who answers", "since", "why", "nodes")
        for each in book.pins():
            table.add_row(each.name, each.value, _when(each.at), f"{each.why}{_by(each.by)}", str(len(each.nodes)))
        _print(table, f"Nothing is pinned in {environment} yet; run promote/{environment}.")
        for each in book.strays():
            answers = each.value or "nothing"
            console.print(f"refused {_when(each.at)}: {each.name} at {each.place}, {answers} answered", style="red")


@application.command()
def repin(
    environment: Annotated[str, typer.Argument(help="world, dev, staging or prod.")],
    pin: Annotated[str, typer.Argument(help="A pin that a run was refused for, or all of a sort: cluster, state …")],
    because: Annotated[str, typer.Option(help="Why another one answers now; the ledger keeps it.")],
    state: State = None,
) -> None:
    """Take what answered when a run was refused as right from now on."""
    with _asked(state) as ledger:
        deployments.find(environment)
        for each in pinned.repin(ledger, environment, pin, because=because, by=local.person()):
            answers = each.value or "nothing, until the next run finds it"
            console.print(f"{each.name} in {environment} is from now on {answers}", style="green")


def _explained(ledger: Ledger, host: str, environment: str, service: str) -> Mapping[str, Any]:
    """What is known of a host, in the order a person asks; empty where nothing is."""
    runner = service if service in _APPS else f"{service}-rollout"
    facts = history.facts(ledger, environment, (runner, f"{service}-check", f"{service}-record"))
    # what was blocked was not touched
    brought = [fact for fact in facts.get(runner, []) if fact.outcome != Outcome.BLOCKED]
    done, serving = history.brought(brought), history.succeeded(brought)
    if serving is None:
        raise Refused(f"Nothing of {service} was ever promoted to {environment}; run promote/{environment} first.")
    proven = [each for each in history.proofs(ledger) if serving.content in each.release.parts.values()]
    here = [each for each in proven if each.environment == environment]
    release = (here or proven)[0].release if proven else None
    runs = history.runs(ledger, environment)
    run = history.of(runs, done) if done else None
    record = history.attempted(facts.get(f"{service}-record", []))
    return {
        "host": host,
        "environment": environment,
        "service": service,
        "serves": serving.content,
        "doubt": _doubt(brought[-1], runs) if brought[-1] is not serving else "",
        "commit": _commit(release.commit) if release else "unknown: a release with it was not proven",
        "release": release.id if release else "",
        "proven": "; ".join(f"{each.environment} {_when(each.at)}" for each in _first_proofs(proven)),
        "promoted": f"{_when(done.at)}{_by(run.by if run else '')}: {done.detail}" if done else "",
        "seen": _seen(brought[-1]),
        "approved": f"by {run.approver}" if run and run.approver else "",
        "verified": _verified(facts.get(f"{service}-check", []), done.number if done else 0),
        "record": record.detail if record else "",
    }


def _seen(last: Fact) -> str:
    """How the last run found it, where that says more than what it did."""
    when = _when(last.at)
    if last.way == Way.SKIPPED:
        return f"{when}: skipped, as entry {last.relies_on} left it"
    if last.way == Way.CORRECTED:
        return f"{when}: somebody else had changed it, and it was put right ({'; '.join(last.drift[:3])})"
    if last.way in (Way.ADOPTED, Way.COMPLETED):
        return f"{when}: {last.way}; run {last.half_done} had begun it"
    return ""


def _verified(checks: Sequence[Fact], since: int) -> str:
    """When and how it was verified last, and whether that was before what it serves now, or failed meanwhile."""
    check = history.succeeded(checks)
    tried = [each for each in checks if each.outcome != Outcome.BLOCKED]
    failed = f"{_when(tried[-1].at)}: {tried[-1].outcome}, {tried[-1].detail}" if tried and tried[-1] != check else ""
    if check is None:
        return "; ".join(filter(None, ("never", failed)))
    then = f"{_when(check.at)}: {check.detail}"
    if check.number < since:
        return "; ".join(filter(None, ("not since it was promoted", failed, f"what was there before {then}")))
    return "; ".join(filter(None, (then, failed)))


def _doubt(last: Fact, runs: Sequence[history.Run]) -> str:
    """What came after the last success: since then it is not certain what is served."""
    run = history.of(runs, last)
    tried = f"{_when(last.at)}{_by(run.by if run else '')}: {last.outcome}, {last.detail}"
    return f"{tried}; what is served since is not certain"


def _owner_of(host: str) -> tuple[str, str]:
    """The environment and the service behind a public name; refused with the names there are."""
    known = {name: (e, s) for e in deployments.environments() for s, name in deployments.find(e).hosts.items()}
    wanted = host.lower().removeprefix("https://").rstrip("/.")
    if wanted not in known:
        raise Refused(f"{host} is no host of this workspace; there are {', '.join(sorted(known))}.")
    return known[wanted]


def _first_proofs(proofs: Sequence[Proof]) -> list[Proof]:
    """The earliest proof in each environment, in the order of time."""
    first = {each.environment: each for each in proofs}
    return sorted(first.values(), key=lambda each: each.at)


@contextlib.contextmanager
def _asked(state: Path | None) -> Iterator[Ledger]:
    """The ledger that is asked; a failure ends the command with one sentence and a non-zero exit."""
    try:
        with contextlib.closing(Ledger(_where(state))) as ledger:
            yield ledger
    except WorkspaceError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), style="bold red")
        raise typer.Exit(1) from error


@contextlib.contextmanager
def _alone(ledger: Ledger, environment: str) -> Iterator[None]:
    """The environment's ledger to write to, after whoever is at work there."""
    deployments.find(environment)
    with ledger.hold(environment, local.person(), console.print):
        yield


def _where(state: Path | None) -> Path | Store:
    """Where the ledger is: what an addresses file says, or a folder."""
    outside = _outside(state)
    return _folder(state) if outside is None else outside.ledger


def _definitions(state: Path | None) -> tuple[Path, Contents | None]:
    """Where kept definitions are: on this machine, and with the team where the addresses name its ledger."""
    outside = _outside(state)
    if outside is None:
        return _folder(state) / "definitions", None
    return outside.addresses.state / "definitions", outside.definitions


def _outside(state: Path | None) -> "Outside | None":
    """What a file of addresses leads to; None where no file is named."""
    if state is None or not state.is_file():
        return None
    # Imported here: a ledger in a folder is asked without the clients of Azure.
    from workspace.outside import Outside

    return Outside(local.target(state))


def _folder(state: Path | None) -> Path:
    """The folder of the ledger; that of the last `make rehearse` where nothing else ran in this checkout."""
    usual = (local.state() / "runs", local.state() / "rehearse" / "runs")
    if state is not None and not state.is_dir():
        raise Refused(f"There is no folder {state}; give the `state` of an environment's addresses.")
    found = state or next((each for each in usual if each.is_dir()), None)
    if found is None:
        raise Refused("Nothing ran in this checkout on this machine yet; give the folder of a ledger with --state.")
    return found


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _print(table: Table, nothing: str) -> None:
    console.print(table if table.row_count else nothing)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def _proof(proof: Proof) -> dict[str, str]:
    return {"environment": proof.environment, "at": proof.at, "run": proof.run, "by": proof.by}


def _commit(commit: Mapping[str, Any]) -> str:
    if not commit.get("id"):
        return "no commit"
    changed = "" if commit.get("clean") else ", with changes of its own"
    return f"{str(commit['id'])[:12]}{changed} ({commit.get('author', '')}, {_when(str(commit.get('at', '')))})"


def _when(at: str) -> str:
    return at[:16].replace("T", " ")


def _by(by: str) -> str:
    return f" by {by}" if by else ""


def _short(content: str) -> str:
    """A digest cut to what tells two apart; other words as they are."""
    digest = re.fullmatch(r"(sha256:)?([0-9a-f]{12})[0-9a-f]{20,}", content)
    return f"{digest[1] or ''}{digest[2]}" if digest else content


def main() -> None:
    """Run the command; the entry point of `workspace`."""
    application()


if __name__ == "__main__":
    main()

"""What a person sees while a promotion runs, and at its end; read from the ledger, which knows first."""

import contextlib
import datetime
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import typer
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from workspace.errors import WorkspaceError
from workspace.ledger import Entry, Event, Ledger
from workspace.node import Stage

_LOOK_SECONDS = 0.2
_CARE_SECONDS = 2
_COLOURS = {"changed": "green", "unchanged": "cyan", "failed": "red", "unknown": "magenta", "blocked": "yellow"}


@dataclass
class Watched:
    """One run as the ledger tells it: its nodes, their outcomes, what they say, and how it ended."""

    environment: str
    nodes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    outcomes: dict[str, Mapping[str, object]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    ended: Mapping[str, object] | None = None
    asked: str = ""
    moved_on: str = ""
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    def hear(self, entry: Entry) -> None:
        """Take in one entry of the ledger."""
        if entry.event is Event.STARTED:
            self.nodes = dict(entry.body["nodes"])
            self.moved_on = str(entry.body.get("moved_on", ""))
        elif entry.event is Event.ASKED:
            self.asked = str(entry.body["phrase"])
        elif entry.event is Event.APPROVED:
            self.asked = ""
        elif entry.event in (Event.INTENT, Event.PROGRESS):
            self.lines[entry.node] = str(entry.body.get("line") or "; ".join(entry.body.get("changes", [])))
        elif entry.event is Event.OUTCOME:
            self.outcomes[entry.node] = entry.body
            end = datetime.datetime.fromisoformat(entry.at).timestamp()
            self.spans[entry.node] = (end - float(entry.body.get("seconds", 0.0)), end)
            self.lines.pop(entry.node, None)
        elif entry.event is Event.ENDED:
            self.ended = entry.body

    def view(self) -> RenderableType:
        """One line a stage, and what the nodes at work say."""
        grid = Table.grid(padding=(0, 2))
        for stage in Stage:
            if names := self._of(stage):
                grid.add_row(f"  {stage}", self._bar(names), self.tally(stage))
        if self.asked:
            waits = Text(f"  waits for a person: answer the run in Prefect's UI with the phrase {self.asked}", "yellow")
            return Group(Spinner("dots", text=f"promote/{self.environment}"), grid, waits)
        working = [Text(f"    {name}: {line}"[:118], style="dim") for name, line in list(self.lines.items())[-4:]]
        return Group(Spinner("dots", text=f"promote/{self.environment}"), grid, *working)

    def _bar(self, names: list[str]) -> Text:
        bar = Text()
        for name in names:
            outcome = str(self.outcomes.get(name, {}).get("outcome", ""))
            mark = "●" if outcome else ("◐" if name in self.lines else "○")
            bar.append(mark, style=_COLOURS.get(outcome, "white" if name in self.lines else "dim"))
        return bar

    def _of(self, stage: str) -> list[str]:
        return [name for name, node in self.nodes.items() if node["stage"] == stage]

    def tally(self, stage: str) -> str:
        """How many nodes of a stage have which outcome, in words."""
        settled = [self.outcomes[name] for name in self._of(stage) if name in self.outcomes]
        tally = Counter(str(body["outcome"]) for body in settled)
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.items()))

    def stages(self) -> dict[str, tuple[int, float]]:
        """By stage, how many of its nodes have an outcome, and the seconds from its first beginning to its last end.

        Stages overlap, so the seconds of all of them are more than those of the run.
        """
        found = {}
        for stage in Stage:
            spans = [self.spans[name] for name in self._of(stage) if name in self.spans]
            if spans:
                found[str(stage)] = (len(spans), max(end for _, end in spans) - min(begin for begin, _ in spans))
        return found

    def table(self, parts: Mapping[str, str]) -> RenderableType:
        """Node, outcome, what was done, how long, and whether it was real, a stand-in, or some of both."""
        table = Table(box=box.SIMPLE_HEAD, title=f"promote/{self.environment}", title_justify="left", pad_edge=False)
        table.add_column("node", no_wrap=True)
        table.add_column("outcome", no_wrap=True)
        table.add_column("what was done", overflow="fold")
        table.add_column("seconds", justify="right", no_wrap=True)
        table.add_column("by", no_wrap=True)
        for name, body in self.outcomes.items():
            outcome = str(body["outcome"])
            table.add_row(
                name,
                Text(outcome, style=_COLOURS.get(outcome, "")),
                Text(_shortened(str(body["detail"]))),
                f"{float(str(body.get('seconds', 0))):.1f}",
                truth(parts.get(self.nodes.get(name, {}).get("kind", ""), "real")),
            )
        return table


def follow(
    ledger: Ledger, run: str, seen: int, watched: Watched, console: Console, care: Callable[[], None] = lambda: None
) -> None:
    """Show a run live, from the ledger's entries after number `seen`, until it has ended.

    `care` is called every other second as long as nothing ended; what it raises ends the watching.
    """
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        cared = 0.0
        while watched.ended is None:
            seen = _hear(ledger, run, seen, watched)
            live.update(watched.view())
            time.sleep(_LOOK_SECONDS)
            if time.monotonic() - cared > _CARE_SECONDS and watched.ended is None:
                cared = time.monotonic()
                care()
    # Whoever cares may have learned of the end before the last entries were read here.
    _hear(ledger, run, seen, watched)


def _hear(ledger: Ledger, run: str, seen: int, watched: Watched) -> int:
    """Take in the run's entries after a number; the number of the newest."""
    for entry in ledger.after(seen, watched.environment, run):
        watched.hear(entry)
        seen = entry.number
    return seen


def truth(part: str) -> str:
    """One word for how real a part was: real, stand-in, or both."""
    real, stand_in = "real" in part, "stand-in" in part
    return "both" if real and stand_in else ("stand-in" if stand_in else "real")


def _shortened(text: str) -> str:
    """The text with digests cut to twelve digits, enough to tell two apart."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1", text)


@contextlib.contextmanager
def sentences(console: Console, interrupted: str) -> Iterator[None]:
    """End a command on one sentence and a non-zero exit, never on a trace."""
    try:
        yield
    except WorkspaceError as error:
        console.print(str(error), style="bold red")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        console.print(interrupted, style="yellow")
        raise typer.Exit(130) from error

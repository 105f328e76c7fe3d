"""What a person sees while a promotion runs, and at its end; read from the ledger, which knows first."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from workspace.ledger import Entry, Event
from workspace.node import Stage

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

    def hear(self, entry: Entry) -> None:
        """Take in one entry of the ledger."""
        if entry.event is Event.STARTED:
            self.nodes = dict(entry.body["nodes"])
        elif entry.event is Event.ASKED:
            self.asked = str(entry.body["phrase"])
        elif entry.event is Event.APPROVED:
            self.asked = ""
        elif entry.event in (Event.INTENT, Event.PROGRESS):
            self.lines[entry.node] = str(entry.body.get("line") or "; ".join(entry.body.get("changes", [])))
        elif entry.event is Event.OUTCOME:
            self.outcomes[entry.node] = entry.body
            self.lines.pop(entry.node, None)
        elif entry.event is Event.ENDED:
            self.ended = entry.body

    def view(self) -> RenderableType:
        """One line a stage, and what the nodes at work say."""
        grid = Table.grid(padding=(0, 2))
        for stage in Stage:
            names = [name for name, node in self.nodes.items() if node["stage"] == stage]
            if names:
                grid.add_row(f"  {stage}", self._bar(names), self._tally(names))
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

    def _tally(self, names: list[str]) -> str:
        tally = Counter(str(self.outcomes[name]["outcome"]) for name in names if name in self.outcomes)
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.items()))

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


def truth(part: str) -> str:
    """One word for how real a part was: real, stand-in, or both."""
    real, stand_in = "real" in part, "stand-in" in part
    return "both" if real and stand_in else ("stand-in" if stand_in else "real")


def _shortened(text: str) -> str:
    """The text with digests cut to twelve digits, enough to tell two apart."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1", text)

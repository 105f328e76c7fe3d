"""One run of a plan, node by node, without saying when: what is expected, what was done, what each node gave.

The caller decides the order and the patience; every step is recorded in the ledger before and after it is taken.
"""

import contextlib
import functools
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import inputs
from workspace.definitions import Kept
from workspace.errors import Broken, Unsettled, WorkspaceError
from workspace.ledger import Event, Ledger
from workspace.node import TARGET, Kind, Node
from workspace.pins import Pins
from workspace.plan import Plan
from workspace.sharing import Sharing
from workspace.work import Certainty, KindModule, Outcome, Preview, Result, Work, say_nothing


@dataclass(frozen=True)
class Expected:
    """A preview and the inputs it was made from; it holds only while they are the same."""

    preview: Preview
    inputs: str


class Execution:
    """A plan being carried out. Every method may be called from any thread.

    Once `halt` is set no node waits for what other environments share any more.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        run: str,
        outside: Any,
        ledger: Ledger,
        kinds: Mapping[Kind, KindModule],
        sources: Path,
        state: Path,
        definitions: Kept | None = None,
        replaced: Mapping[str, str | Mapping[str, Any]] | None = None,
        target: Mapping[str, Any] | None = None,
        halt: threading.Event | None = None,
        pins: Pins | None = None,
        sayings: Sequence[tuple[Event, Mapping[str, Any]]] = (),
    ) -> None:
        self.plan = plan
        self.run = run
        self.results: dict[str, Result] = {}
        self.expected: dict[str, Expected] = {}
        self.ledger = ledger
        self._kinds = kinds
        self.definitions = definitions
        self.outside = outside
        self._sources = sources
        self._state = state
        self._pins = pins
        self._replaced = replaced or {}
        self._below: inputs.Gives = {**plan.world, TARGET: target or {}}
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self.halt = halt or threading.Event()
        self._sharing = Sharing(ledger, f"{plan.environment.name} (run {run})", self.halt)
        self._before = ledger.gives(plan.environment.name)
        self._by, self._sayings = "", tuple(sayings)

    @property
    def place(self) -> str:
        """The environment's name."""
        return self.plan.environment.name

    def begin(self, by: str = "") -> None:
        """Record that the run starts, who started it, with what is planned and the release that is carried.

        Refused, before anything else is done, where a node of the plan would go to another target than before.
        """
        nodes = {name: {"kind": node.kind, "stage": node.stage} for name, node in self.plan.nodes.items()}
        release = self.plan.release.id if self.plan.release else ""
        more = {"moved_on": self.plan.moved_on} if self.plan.moved_on else {}
        if self.definitions:
            more["definitions"] = self.definitions.digest
        self._by = by
        self.ledger.write(
            self.run, self.place, Event.STARTED,
            nodes=nodes, by=by, release=release, follows=self.plan.environment.follows, **more,
        )  # fmt: skip
        if self._pins is not None:
            self._pins.compare(self._known(), by)

    def say_of_releases(self) -> None:
        """Record, once, which release this run holds and which it lifts; before its first change, or when proven."""
        with self._lock:
            for event, body in self._sayings:
                self.ledger.write(self.run, self.place, event, by=self._by, **body)
            self._sayings = ()

    def end(self, sentence: str, *, success: bool) -> None:
        """Record how the run ended."""
        self.ledger.write(self.run, self.place, Event.ENDED, success=success, sentence=sentence)

    def expect(self, name: str, say: Callable[[str], None] = say_nothing) -> Preview:
        """What applying a node would do, as far as it can be known now; writes nothing but the ledger.

        Deferred where a need never gave anything yet. Based on what the needs gave last; when the node's turn comes and
        that has changed, it is previewed again.
        """
        node = self.plan.nodes[name]
        unknown = inputs.missing(node, {**self._below, **self._before})
        if unknown:
            preview = Preview(("known after " + ", ".join(unknown),), Certainty.DEFERRED)
        else:
            preview = self._preview(self._work(node, self._before, say))
        self.ledger.write(
            self.run, self.place, Event.EXPECTED, name,
            changes=preview.changes, certainty=preview.certainty, deletes=preview.deletes,
        )  # fmt: skip
        return preview

    def apply(self, name: str, say: Callable[[str], None] = say_nothing) -> Result:
        """Preview the node unless that still holds, apply exactly the preview, ask reality, record the outcome.

        Raises Unsettled when it should be tried again, Refused or Broken when not; neither is recorded as an outcome
        here, because the caller may still be patient: see `fail`.
        """
        node = self.plan.nodes[name]
        module = self._kinds[node.kind]
        self._began.setdefault(name, time.monotonic())
        try:
            work = self._work(node, self._given(), say)
            preview = self._still_expected(node, work) or self._preview(work)
            holds_itself = preview.is_empty or getattr(module, "HOLDS_ITSELF", False)
            shared = () if holds_itself else node.shares
            with self._sharing.holding(shared, say), self._pinned(work, preview):
                if not preview.is_empty:
                    self.say_of_releases()
                    self.ledger.write(self.run, self.place, Event.INTENT, name, changes=preview.changes)
                applied = module.apply(work, preview, self.outside)
            result = module.verify(work, applied, self.outside)
        except WorkspaceError:
            self._forget(name)
            raise
        except Exception as error:
            raise self._surprise(node, error) from error
        return self._settle(name, result)

    def fail(self, name: str, error: WorkspaceError) -> Result:
        """Record that a node failed for good."""
        outcome = Outcome.UNKNOWN if isinstance(error, Unsettled) else Outcome.FAILED
        return self._settle(name, Result(outcome, str(error)))

    def block(self, name: str) -> Result:
        """Record that a node did not start, with the needs that did not succeed."""
        culprits = sorted(need for need in self.plan.needs[name] if not self.results[need].outcome.is_success)
        return self._settle(name, Result(Outcome.BLOCKED, f"not started: {', '.join(culprits)} did not succeed"))

    @property
    def parts(self) -> dict[str, str]:
        """The content address of each image and package, as this run found or built them."""
        return {
            name: self.results[name].content
            for name, node in self.plan.nodes.items()
            if node.kind in (Kind.IMAGE, Kind.PACKAGE)
        }

    def _pinned(self, work: Work, preview: Preview) -> contextlib.AbstractContextManager[None]:
        """Nothing is written while another target answers than the one that is pinned."""
        return contextlib.nullcontext() if self._pins is None else self._pins.around(work, preview)

    def _known(self) -> list[Work]:
        """The nodes whose settings are known from what their needs gave last."""
        found = []
        for node in self.plan.nodes.values():
            with contextlib.suppress(Broken):
                found.append(self._work(node, self._before, say_nothing))
        return found

    def _work(self, node: Node, given: inputs.Gives, say: Callable[[str], None]) -> Work:
        directory = self._state / "work" / self.place / node.id
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = relocated(inputs.fill(node, {**self._below, **given}), self._replaced)
        if (deadline := self._deadline(node)) is not None:
            settings.setdefault("deadline_seconds", deadline)
        carried = self.plan.carried.get(node.id, "")
        kept = self.definitions.root if self.definitions else None
        alone = functools.partial(self._alone, node, say)
        return Work(node, self.plan.environment, settings, directory, self._sources, carried, say, kept, alone)

    @contextlib.contextmanager
    def _alone(self, node: Node, say: Callable[[str], None]) -> Iterator[None]:
        """Hold what a node shares; the entry in the ledger is refused to who lost the environment since the intent."""
        with self._sharing.holding(node.shares, say):
            if node.shares:
                line = f"writes to {', '.join(node.shares)}"
                self.ledger.write(self.run, self.place, Event.PROGRESS, node.id, line=line)
            yield

    def _deadline(self, node: Node) -> float | None:
        """How long the target lets a node wait that does not say so itself."""
        target = self._below[TARGET]
        told: float | None = (target.get("deadlines") or {}).get(node.id, target.get("deadline_seconds"))
        return told

    def _given(self) -> inputs.Gives:
        with self._lock:
            now = {name: result.gives for name, result in self.results.items() if result.outcome.is_success}
        return {**self._before, **now}

    def _preview(self, work: Work) -> Preview:
        try:
            preview = self._kinds[work.node.kind].preview(work, self.outside)
        except WorkspaceError:
            raise
        except Exception as error:
            raise self._surprise(work.node, error) from error
        with self._lock:
            self.expected[work.node.id] = Expected(preview, _inputs_of(work))
        return preview

    def _still_expected(self, node: Node, work: Work) -> Preview | None:
        expected = self.expected.get(node.id)
        moved = any(
            self.results[need].outcome is Outcome.CHANGED for need in self.plan.needs[node.id] if need in self.results
        )
        if expected is None or moved or expected.inputs != _inputs_of(work):
            return None
        return expected.preview

    def _forget(self, name: str) -> None:
        with self._lock:
            self.expected.pop(name, None)

    def _settle(self, name: str, result: Result) -> Result:
        with self._lock:
            self.results[name] = result
        seconds = round(time.monotonic() - self._began[name], 3) if name in self._began else 0.0
        self.ledger.outcome(self.run, self.place, name, result, seconds=seconds)
        return result

    def _surprise(self, node: Node, error: Exception) -> Broken:
        """A failure nobody translated: its trace goes to a private file, because it may hold a secret."""
        file = self._state / "work" / self.place / node.id / "trace.txt"
        file.touch(mode=0o600)
        file.write_text("".join(traceback.format_exception(error)))
        self._forget(node.id)
        return Broken(f"{node.id} met an unexpected {type(error).__name__}; the trace is in {file}.")


def relocated(settings: Mapping[str, Any], replaced: Mapping[str, str | Mapping[str, Any]]) -> dict[str, Any]:
    """The settings with sources replaced, as a rehearsal does for what is not here; a mapping replaces several."""
    found = dict(settings)
    for key, value in settings.items():
        instead = replaced.get(value) if isinstance(value, str) else None
        found |= {key: instead} if isinstance(instead, str) else (instead or {})
    return found


def _inputs_of(work: Work) -> str:
    return inputs.fingerprint({"settings": work.settings, "carried": work.carried})

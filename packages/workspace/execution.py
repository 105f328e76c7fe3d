"""One run of a plan, node by node, without saying when: what is expected, what was done, what each node gave.

The caller decides the order and the patience; every step is recorded in the ledger before and after it is taken.
"""

import contextlib
import functools
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workspace import commit, inputs, lease, orphans, past
from workspace.definitions import Kept
from workspace.errors import Broken, Overdue, Refused, Unsettled, WorkspaceError
from workspace.ledger import Event, Ledger
from workspace.node import TARGET, Kind, Node
from workspace.past import Past
from workspace.pins import Pins
from workspace.plan import CARRIED, Plan
from workspace.sharing import Sharing
from workspace.work import (
    Certainty,
    HeldLock,
    KindModule,
    Locks,
    LockVerdict,
    Outcome,
    Preview,
    ReadsMore,
    Result,
    Way,
    Work,
    say_nothing,
)

# How long a node waits is no part of what it is made from.
_NO_INPUTS = ("deadline_seconds",)
_SHORT = 12


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
        self._past = past.of(ledger, plan.environment.name)
        self._ways: dict[str, Way] = {}
        self._meant: set[str] = set()
        self._doubted: set[str] = set()
        self._unrecorded: dict[str, Result] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._ended = False

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
            nodes=nodes, by=by, release=release, follows=self.plan.environment.follows, process=lease.here(), **more,
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
        """Record how the run ended, once: what goes wrong after that changes nothing of it."""
        with self._lock:
            if not self._ended:
                self.ledger.write(self.run, self.place, Event.ENDED, success=success, sentence=sentence)
                self._ended = True

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

    def look_again(self) -> None:
        """Forget every preview that found nothing to do: after a long wait it does not say how it is now.

        What is to be changed stays as it was shown.
        """
        with self._lock:
            self.expected = {
                name: its for name, its in self.expected.items() if its.preview.changes and not its.preview.only_doubts
            }

    def apply(self, name: str, say: Callable[[str], None] = say_nothing) -> Result:
        """Preview the node unless that still holds, apply exactly the preview, ask reality, record the outcome.

        Where nothing differs and the inputs are those of the last success, reality is asked and nothing is applied.
        Raises Unsettled when it should be tried again, Refused or Broken when not; neither is recorded as an outcome
        here, because the caller may still be patient: see `fail`. Once only its record failed, that alone is tried.
        """
        node = self.plan.nodes[name]
        self._began.setdefault(name, time.monotonic())
        if name in self._unrecorded:
            return self._settle(name, self._unrecorded[name])
        try:
            work = self._work(node, self._given(), say)
            preview = self._still_expected(node, work) or self._preview(work)
            result = self._skipped(work, preview) or self._applied(work, self._confirmed(work, preview))
        except WorkspaceError:
            self._forget(name)
            raise
        except Exception as error:
            raise self._surprise(node, error) from error
        self._unrecorded[name] = result
        return self._settle(name, result)

    def _skipped(self, work: Work, preview: Preview) -> Result | None:
        """What the last success gave, once reality says that it still holds; None where there is something to do."""
        name = work.node.id
        if self._way(work, preview) is not Way.SKIPPED:
            return None
        its = self._past[name]
        try:
            return self._kinds[work.node.kind].verify(work, its.remembered(preview), self.outside)
        except Overdue:
            raise
        except WorkspaceError as error:
            work.say(f"is not as entry {its.relies_on} left it: {error}")
            self._doubted.add(name)
            self._way(work, preview)
            return None

    def _confirmed(self, work: Work, preview: Preview) -> Preview:
        """The preview, made again where it found nothing to do: it may be old, and what somebody changed since is
        announced before it is written, and written alone, like everything else.
        """
        if not preview.is_empty:
            return preview
        again = self._preview(work)
        if work.node.kind in CARRIED and again.plan != preview.plan:
            # The sources changed, which the kind refuses by what was previewed first.
            return preview
        self._way(work, again)
        return again

    def _applied(self, work: Work, preview: Preview) -> Result:
        """Make it so, and ask reality what came of it."""
        name, module = work.node.id, self._kinds[work.node.kind]
        holds_itself = preview.is_empty or getattr(module, "HOLDS_ITSELF", False)
        shared = () if holds_itself else work.node.shares
        with self._sharing.holding(shared, work.say), self._pinned(work, preview):
            if not preview.is_empty:
                self.say_of_releases()
                self.ledger.write(self.run, self.place, Event.INTENT, name, changes=preview.changes)
                self._meant.add(name)
                self._sharing.check(shared)
            applied = module.apply(work, preview, self.outside)
        result = module.verify(work, applied, self.outside)
        if name in self._meant or self._ways[name] is Way.ADOPTED:
            is_found = name not in self._meant or (preview.only_doubts and result.outcome is Outcome.UNCHANGED)
            by = "found done" if is_found else "this run"
            self.ledger.write(
                self.run, self.place, Event.EFFECT, name, content=result.content, detail=result.detail, by=by
            )
        return result

    def _way(self, work: Work, preview: Preview) -> Way:
        """How this step goes; once this run meant something it stays with that, and what was doubted is not skipped."""
        name = work.node.id
        its, reads = self._past.get(name, Past()), self._reads(work, preview)
        made_of = inputs.fingerprint(reads)
        touched = self._is_touched(name, its.success.number if its.success else 0)
        chosen = past.way(its, made_of, preview, need_touched=touched)
        if name in self._meant:
            chosen = self._ways[name]
        elif chosen is Way.SKIPPED and name in self._doubted:
            chosen = Way.MATCHED
        if self._ways.get(name) is not chosen and (line := past.told(its, chosen, preview)):
            work.say(line)
        parts = {key: inputs.fingerprint(value)[:_SHORT] for key, value in reads.items()}
        with self._lock:
            self._ways[name] = chosen
            self._facts[name] = {"inputs": made_of, "reads": parts, **past.facts(its, chosen, preview)}
        return chosen

    def _is_touched(self, name: str, since: int) -> bool:
        """Whether something the node needs was changed, or may have been, after that entry."""
        needs = self.plan.needs[name]
        return any(need in self._meant or self._past.get(need, Past()).touched > since for need in needs)

    def _reads(self, work: Work, preview: Preview) -> dict[str, Any]:
        """What the node is made from: its settings, what the release brings, its definition, the tools that matter."""
        settings = {name: value for name, value in work.settings.items() if name not in _NO_INPUTS}
        module = self._kinds[work.node.kind]
        more = module.reads(work, preview, self.outside) if isinstance(module, ReadsMore) else {}
        return {"settings": settings, "carried": work.carried, **more}

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

    @property
    def locks(self) -> dict[str, str]:
        """What the tools of each node that succeeded chose, where they choose."""
        found = {}
        for name, node in self.plan.nodes.items():
            module = self._kinds[node.kind]
            if isinstance(module, Locks) and name in self.results and self.results[name].outcome.is_success:
                found[name] = module.lock(self._work(node, self._given(), say_nothing), self.outside)
        return {name: text for name, text in found.items() if text}

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
        judge = functools.partial(self._judged, node.id)
        its = self._past.get(node.id, Past())
        return Work(
            node,
            self.plan.environment,
            settings,
            directory,
            self._sources,
            carried=carried,
            lock=self.plan.release.locks.get(node.id, "") if self.plan.release else "",
            say=say,
            kept=kept,
            alone=alone,
            judge_lock=judge,
            said=its.said,
            left=its.left,
            before=self._before.get(node.id, {}),
            built=its.built,
            announce=functools.partial(self._announced, node.id),
        )

    @contextlib.contextmanager
    def _alone(self, node: Node, say: Callable[[str], None]) -> Iterator[None]:
        """Hold what a node shares; the entry in the ledger is refused to who lost the environment since the intent."""
        with self._sharing.holding(node.shares, say):
            if node.shares:
                # Not as other progress lines, which may be written later: it is what a stale writer is refused at.
                told = (Event.PROGRESS, node.id, {"line": f"writes to {', '.join(node.shares)}"})
                self.ledger.write_all(self.run, self.place, [told])
                self._sharing.check(node.shares)
            yield

    def _announced(self, name: str, change: str) -> None:
        """Record an intent that the preview did not tell of, unless this step has one."""
        if name not in self._meant:
            self.ledger.write(self.run, self.place, Event.INTENT, name, changes=[change])
            self._meant.add(name)

    def _judged(self, name: str, lock: HeldLock) -> LockVerdict:
        """Whether a lock may be broken; when it may, the reason is in the ledger before that is done."""
        directory = self._state / "work" / self.place / name
        verdict = orphans.verdict(self.ledger, self.place, self.run, name, lock, directory)
        if verdict.may_break:
            body = {"lock": asdict(lock), "reason": verdict.reason, "age_seconds": verdict.age_seconds}
            self.ledger.write(self.run, self.place, Event.UNLOCKED, name, left_by=verdict.run, **body)
        return verdict

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
            self._refuse_another_commit(work)
        except WorkspaceError:
            raise
        except Exception as error:
            raise self._surprise(work.node, error) from error
        with self._lock:
            self.expected[work.node.id] = Expected(preview, _inputs_of(work))
        return preview

    def _refuse_another_commit(self, work: Work) -> None:
        """What is built from the checkout is previewed at the commit that the release will name; what changes after
        the preview its kind refuses.
        """
        began = self.definitions.commit.id if self.definitions else ""
        if began and work.node.kind in CARRIED and not work.carried and (now := commit.name(self._sources)) != began:
            raise Refused(
                f"{commit.moved(began, now)}, and {work.node.id} would not be what its release says; run "
                f"promote/{self.place} again"
            )

    def _still_expected(self, node: Node, work: Work) -> Preview | None:
        expected = self.expected.get(node.id)
        moved = any(
            need in self._meant or self.results[need].outcome is Outcome.CHANGED
            for need in self.plan.needs[node.id]
            if need in self.results
        )
        if expected is None or moved or expected.inputs != _inputs_of(work):
            return None
        return expected.preview

    def _forget(self, name: str) -> None:
        with self._lock:
            self.expected.pop(name, None)

    def _settle(self, name: str, result: Result) -> Result:
        """Record an outcome, and only then have it count: what needs the node does not start before."""
        seconds = round(time.monotonic() - self._began[name], 3) if name in self._began else 0.0
        facts = dict(self._facts.get(name, {}))
        if not result.outcome.is_success:
            facts = {key: value for key, value in facts.items() if key not in ("way", "relies_on")}
        self.ledger.outcome(self.run, self.place, name, result, seconds=seconds, **facts)
        with self._lock:
            self._unrecorded.pop(name, None)
            self.results[name] = result
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

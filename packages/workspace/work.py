"""One node at work: what a kind is handed, and what it hands back."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from workspace.environment import Environment
from workspace.node import Node


class Outcome(StrEnum):
    """What became of a node. Only `changed` and `unchanged` count as success."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"

    @property
    def is_success(self) -> bool:
        """True when dependants may start."""
        return self in (Outcome.CHANGED, Outcome.UNCHANGED)


class Way(StrEnum):
    """How a node came to its outcome.

    `skipped`: same inputs as at its last success, and reality matches; nothing was applied. `matched`: other inputs, or
    nothing to rely on, and reality matched. `applied`: what differed was made so. `corrected`: applied again with the
    same inputs, because somebody else had changed it. `adopted`: an earlier run had begun it, and it was found done.
    `completed`: an earlier run had begun it, and the rest was done now.
    """

    SKIPPED = "skipped"
    MATCHED = "matched"
    APPLIED = "applied"
    CORRECTED = "corrected"
    ADOPTED = "adopted"
    COMPLETED = "completed"


class Certainty(StrEnum):
    """How far a preview can be believed."""

    EXACT = "exact"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Preview:
    """What applying would do. `changes` are short lines such as `create azurerm_subnet.aks`; none means no change.

    `plan` is whatever the kind wants back when it applies exactly this preview (a path or a digest, never a secret).
    `deletes` counts what would be destroyed or replaced. `always` marks what is done each time, whatever is there;
    `only_doubts` changes that are all mere doubts: what could not be compared, where nothing is known to differ.
    """

    changes: tuple[str, ...] = ()
    certainty: Certainty = Certainty.EXACT
    deletes: int = 0
    plan: str = ""
    always: bool = False
    only_doubts: bool = False

    @property
    def is_empty(self) -> bool:
        """True when it is certain that nothing would change."""
        return self.certainty is Certainty.EXACT and not self.changes


@dataclass(frozen=True)
class Result:
    """What applying did. `gives` is read by the nodes that need this one and is kept in the ledger: nothing secret.

    `detail` is one line in the past tense. `real` says which parts were real and which stood in, as the client knows.
    `content` is the content address of what now runs or exists, where the kind has one.
    """

    outcome: Outcome
    detail: str = ""
    gives: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""


@dataclass(frozen=True)
class HeldLock:
    """A lock that somebody holds on what a node is to change: who (`user@host`), since when and for what, as told."""

    id: str
    who: str
    created: str
    operation: str


@dataclass(frozen=True)
class LockVerdict:
    """Whether a lock is the orphan of a dead run and may be broken, and why, or why not; nothing else may be broken."""

    may_break: bool = False
    reason: str = ""
    run: str = ""
    age_seconds: int = 0


def leave_locks(_: HeldLock) -> LockVerdict:
    """The verdict of who knows nothing of other runs."""
    return LockVerdict()


def say_nothing(_: str) -> None:
    """A listener for work whose progress nobody watches."""


@dataclass(frozen=True)
class Work:
    """Everything a kind is handed about one node.

    `settings` are the node's own with every `Output` replaced by its value. `carried` is the content address that the
    release brings for this node, empty where it is built here; `lock` the lock file of its providers that it brings.
    `directory` is private to this node and environment
    (mode 0700) and outlives the run. `sources` is the checkout, where images and packages are built from; `definitions`
    is the root of the kept copy of its definitions. `say` takes one line of progress; it may be called from any thread.
    `alone` is for a kind with `HOLDS_ITSELF`: in its block, and there only, this run alone writes to what the node
    shares; entering it is refused to a run that has lost its environment meanwhile. `announce` records an intent that
    no preview told of, before it is done; like any entry it is refused to who lost the environment.

    What the ledger knows of the node, on whichever machine it was: `said` are the lines of earlier runs since its last
    success, `left` the changes that they meant and did not live to tell of, `before` is what it gave when it succeeded
    (empty when it never did), `built` has the contents that it ever built, by the digest of their inputs.
    """

    node: Node
    environment: Environment
    settings: Mapping[str, Any]
    directory: Path
    sources: Path
    carried: str = ""
    lock: str = ""
    say: Callable[[str], None] = say_nothing
    kept: Path | None = None
    alone: Callable[[], AbstractContextManager[None]] = nullcontext
    judge_lock: Callable[[HeldLock], LockVerdict] = leave_locks
    said: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    before: Mapping[str, Any] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)
    announce: Callable[[str], None] = say_nothing

    @property
    def definitions(self) -> Path:
        """Where definitions are read: the kept copy, or the checkout where there is none."""
        return self.kept or self.sources


class KindModule(Protocol):
    """What every module in `workspace.kinds` offers; mypy accepts the modules themselves.

    What a node shares is held around `apply`, unless the kind says `HOLDS_ITSELF = True`: then only within
    `work.alone()`, which it opens where it writes there.
    """

    def preview(self, work: Work, outside: Any, /) -> Preview:
        """Read only: what would change."""

    def apply(self, work: Work, preview: Preview, outside: Any, /) -> Result:
        """Make it so, exactly as previewed; harmless when it is so already."""

    def verify(self, work: Work, result: Result, outside: Any, /) -> Result:
        """Ask reality; return the result completed with what only now is known, or raise.

        Also asked alone, with what the last success gave, where nothing is to be applied.
        """


@runtime_checkable
class Locks(Protocol):
    """A kind whose tools choose what they need, and write down what they chose."""

    def lock(self, work: Work, outside: Any, /) -> str:
        """What was chosen, as text that makes them choose the same again; empty for nothing."""


@runtime_checkable
class ReadsMore(Protocol):
    """A kind that is made from more than its settings: what defines it by content, and the tools that matter."""

    def reads(self, work: Work, preview: Preview, outside: Any, /) -> Mapping[str, str]:
        """Digests and versions by name; equal ones make the same thing of the same settings."""

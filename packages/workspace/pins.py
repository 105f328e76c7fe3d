"""Pins: what each node touched is recorded, and nothing is written where something else answers.

The first time a run meets a cluster, a zone, a state … the ledger keeps who answered there (`pinned`); from then on
every step that may write asks again first, and refuses where another one answers (`strayed`). What our own step made
anew is pinned anew with that reason; everything else waits for a person (`repin`).
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from workspace import identities
from workspace.environment import WORLD
from workspace.errors import Refused, WorkspaceError
from workspace.identities import Identity, What
from workspace.ledger import Entry, Event, Ledger
from workspace.node import Kind, Node
from workspace.work import Outcome, Preview, Work

_AT_ONCE = 8
_SHOWN = 4


@dataclass(frozen=True)
class Pin:
    """Who answered where, for which nodes: since when, in which run, by whom and why it was taken as right.

    `instead` is the place that was pinned before, where what answered was met at another one.
    """

    name: str
    what: str
    place: str
    value: str
    nodes: tuple[str, ...]
    why: str = ""
    at: str = ""
    run: str = ""
    by: str = ""
    number: int = 0
    instead: str = ""


class Book:
    """The pins of one environment as its ledger has them."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by_node: dict[tuple[str, str], dict[str, Pin]] = {}
        self._by_place: dict[tuple[str, str], Pin] = {}
        self._strays: dict[tuple[str, str, str], Pin] = {}
        for entry in entries:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Take in one entry; what is not about pins changes nothing."""
        if entry.event not in (Event.PINNED, Event.STRAYED):
            return
        body = {name: entry.body.get(name, "") for name in ("name", "what", "place", "value", "why", "by", "instead")}
        nodes = tuple(entry.body["nodes"])
        pin = Pin(**body, nodes=nodes, at=entry.at, run=entry.run, number=entry.number)
        if entry.event is Event.STRAYED:
            self._strays |= {(pin.what, node, pin.place): pin for node in nodes}
            return
        self._by_place[pin.what, pin.place] = pin
        for node in nodes:
            its = self._by_node.setdefault((pin.what, node), {})
            its.pop(pin.instead, None)
            its[pin.place] = pin
            self._strays.pop((pin.what, node, pin.place), None)

    def of(self, identity: Identity, node: str, touched: Iterable[Identity]) -> Pin | None:
        """What was pinned for this node, or by another node at this place; None where nothing is.

        A node may touch several things of a sort, two vaults say. What is new among those that are `touched` now has
        come in the place of one that no longer is, if there is such a one.
        """
        its, now = self._by_node.get((identity.what, node), {}), {each.place for each in touched}
        left = [pin for place, pin in its.items() if place not in now]
        found = its.get(identity.place) or max(left, key=lambda pin: pin.number, default=None) or self.at(identity)
        return found if found and found.value else None

    def at(self, identity: Identity) -> Pin | None:
        """What was pinned at this place, whoever asked; None where nothing is."""
        found = self._by_place.get((identity.what, identity.place))
        return found if found and found.value else None

    def knows(self, identity: Identity, node: str, value: str) -> bool:
        """Whether exactly this is recorded for the node already."""
        found = self._by_node.get((identity.what, node), {}).get(identity.place)
        return found is not None and found.value == value

    def pins(self) -> tuple[Pin, ...]:
        """Every pin that holds, with all the nodes it holds for, in order of their kinds and names."""
        every = ((node, pin) for (_, node), its in self._by_node.items() for pin in its.values())
        return _gathered((node, pin) for node, pin in every if pin.value)

    def strays(self) -> tuple[Pin, ...]:
        """What answered instead when a run was refused, as long as nobody has said what to think of it."""
        return _gathered((node, pin) for (_, node, _), pin in self._strays.items())


def book(ledger: Ledger, environment: str) -> Book:
    """The pins of an environment."""
    return Book(ledger.after(0, environment))


def repin(ledger: Ledger, environment: str, name: str, *, because: str, by: str) -> tuple[Pin, ...]:
    """Take what answered when a run was refused as right from now on, and return what that was.

    `name` is a pin (`cluster:mystira-dev-aks`) or all of one sort (`cluster`). Refused where no run met anything else
    there: only what a refusal showed to somebody can be meant.
    """
    if not because.strip():
        raise Refused("Say with --because why it is another one now; the ledger keeps it.")
    with ledger.hold(environment, f"repin by {by}"):
        found = book(ledger, environment)
        meant = [each for each in found.strays() if name in (each.name, each.what)]
        if not meant:
            names = ", ".join(each.name for each in found.strays()) or "none"
            raise Refused(
                f"No run in {environment} was refused because of {name}, so there is nothing to pin anew; "
                f"refused are {names}."
            )
        for each in meant:
            ledger.write(
                "", environment, Event.PINNED, name=each.name, what=each.what, place=each.place, value=each.value,
                nodes=each.nodes, why=because.strip(), by=by, instead=each.instead,
            )  # fmt: skip
        return tuple(meant)


# What is to be written down: its event, the identity, what answered, the nodes concerned, why, and instead of which
# other place.
_Told = tuple[Event, Identity, str, Iterable[str], str, str]


class Pins:
    """The pins during one run. Every method may be called from any thread; all of them only read outside."""

    def __init__(self, ledger: Ledger, environment: str, run: str, outside: Any, nodes: Mapping[str, Node]) -> None:
        self._ledger, self._place, self._run, self._outside = ledger, environment, run, outside
        self._nodes = nodes
        self._by = ""
        self._book = book(ledger, environment)
        self._world = Book() if environment == WORLD else book(ledger, WORLD)
        self._lock = threading.Lock()
        self._asked: dict[tuple[Identity, str], _Answer] = {}
        self._met: set[Identity] = set()

    def compare(self, works: Sequence[Work], by: str = "") -> None:
        """Ask for everything these nodes touch, once, and refuse the run where another one answers.

        What is met for the first time is pinned. What cannot be asked now is left to the step that needs it.
        """
        self._by = by
        touched = {work.node.id: (work, self._touched(work)) for work in works}
        asked: dict[Identity, Work] = {each: work for work, found in touched.values() for each in found}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pins") as pool:
            answers = dict(zip(asked, pool.map(self._tried, asked, asked.values()), strict=True))
        met = [(work, each, answers[each]) for work, found in touched.values() for each in found]
        self._judge([(work, each, answer) for work, each, answer in met if isinstance(answer, str)])
        told: set[Identity] = set()
        for work, each, answer in met:
            if isinstance(answer, WorkspaceError) and each not in told:
                told.add(each)
                self._say(work, f"{each.what} {each.place} could not be compared yet: {answer}")

    @contextlib.contextmanager
    def around(self, work: Work, preview: Preview) -> Iterator[None]:
        """Hold a step: refused before it, where another one answers; pinned after it, what it made.

        A stack without changes writes nothing and is not held up.
        """
        if preview.is_empty and work.node.kind is Kind.STACK:
            yield
            return
        found = self._touched(work)
        if found:
            with ThreadPoolExecutor(len(found), thread_name_prefix="pins") as pool:
                answers = list(pool.map(lambda each: self._ask(each, work), found))
            self._judge([(work, each, answer) for each, answer in zip(found, answers, strict=True)])
        try:
            yield
        finally:
            if not preview.is_empty:
                self._after(work, preview, found)

    def _after(self, work: Work, preview: Preview, touched: Iterable[Identity]) -> None:
        """Pin what this step made, also when it failed half-way; what cannot be asked is said and waits."""
        with self._lock:
            own = {each for each in self._met if identities.is_made_by(each, work.node)}
        new: list[_Told] = []
        for each in (*touched, *sorted(own, key=str)):
            made = each in own and identities.announces(preview.changes, each)
            pin = self._book.of(each, work.node.id, self._touched(work))
            if pin is not None and not made:
                continue
            with contextlib.suppress(WorkspaceError):
                if made:
                    identities.renew(each, self._outside)
                answer = self._ask(each, work)
                if answer and (pin is None or answer != pin.value):
                    is_ours = made or each.what is What.STATE
                    why = f"made by {work.node.id}" if is_ours else "first seen"
                    new.append((Event.PINNED, each, answer, self._roles(each, pin, work), why, ""))
        with self._lock, contextlib.suppress(WorkspaceError):
            self._write(new)

    def _roles(self, identity: Identity, pin: Pin | None, work: Work) -> set[str]:
        """The nodes for which what was made anew takes the place of what was there."""
        others = {node for each in self._book.pins() if pin and each.value == pin.value for node in each.nodes}
        return others | ({work.node.id} if identity in self._touched(work) else set())

    def _touched(self, work: Work) -> tuple[Identity, ...]:
        return identities.touched(work, self._outside.addresses)

    # Comparing.

    def _judge(self, met: Sequence[tuple[Work, Identity, str]]) -> None:
        """Pin what is new, say what is gone, and refuse, with all of it in the ledger, what is another one."""
        wrong: dict[Identity, str] = {}
        strays: dict[tuple[Identity, str, str], tuple[str, set[str]]] = {}
        new: dict[tuple[Identity, str, str], set[str]] = {}
        absent: dict[Identity, tuple[Work, Pin]] = {}
        with self._lock:
            self._met |= {each for _, each, _ in met}
            for work, each, answer in met:
                pin = self._book.of(each, work.node.id, self._touched(work)) or self._world.at(each)
                if said := self._declared(each, answer):
                    wrong[each] = said
                elif pin is None or pin.value == answer:
                    if answer and not self._book.knows(each, work.node.id, answer):
                        new.setdefault((each, answer, "first seen"), set()).add(work.node.id)
                elif not answer and pin.place == each.place and each.what is not What.STATE:
                    absent[each] = (work, pin)
                elif why := self._excuse(each, pin, answer):
                    new.setdefault((each, answer, why), set()).add(work.node.id)
                else:
                    before = pin.place if pin.place != each.place else ""
                    strays.setdefault((each, answer, before), (_was(each, pin, answer), set()))[1].add(work.node.id)
            told = [(Event.STRAYED, each, answer, its, "", left) for (each, answer, left), (_, its) in strays.items()]
            if not strays and not wrong:
                told = [(Event.PINNED, each, answer, nodes, why, "") for (each, answer, why), nodes in new.items()]
            self._write(told)
        if strays or wrong:
            raise Refused(self._sentence(wrong, {each: said for (each, *_), (said, _) in strays.items()}))
        for identity, (work, pin) in absent.items():
            self._say(work, f"{identity.what} {identity.place}, pinned since {_when(pin.at)}, is not there now")

    def _declared(self, identity: Identity, answer: str) -> str:
        """What is wrong with an answer by the addresses' own word, from the very first run on; empty when nothing."""
        tenant = str(self._outside.addresses.tenant).lower()
        if identity.what is What.TENANT and tenant and answer != tenant:
            return f"the addresses name the tenant {tenant}, and subscription {identity.place} belongs to {answer}"
        if identity.what is What.SUBSCRIPTION and answer != identity.place.lower():
            return f"the addresses name the subscription {identity.place}, and {answer} answers for it"
        return ""

    def _excuse(self, identity: Identity, pin: Pin, answer: str) -> str:
        """Why another one is right all the same: our own step was cut short as it made it, or the world says so."""
        world = self._world.at(identity)
        if world and answer == world.value and world.at > pin.at:
            return f"made anew in {WORLD}"
        for node in self._nodes.values():
            if identities.is_made_by(identity, node) and self._was_making(identity, node, pin):
                return f"made by {node.id}, which was cut short"
        return ""

    def _was_making(self, identity: Identity, node: Node, pin: Pin) -> bool:
        """Whether a step that announced to make such a thing began since it was pinned and never ended well."""
        is_open = False
        for entry in self._ledger.after(pin.number, self._place):
            if entry.node == node.id and entry.event is Event.INTENT:
                is_open = is_open or identities.announces(entry.body["changes"], identity)
            elif entry.node == node.id and entry.event is Event.OUTCOME and Outcome(entry.body["outcome"]).is_success:
                is_open = False
        return is_open

    def _sentence(self, wrong: Mapping[Identity, str], strays: Mapping[Identity, str]) -> str:
        """The most basic difference first: where the subscription is another one, everything in it is."""
        first, *others = sorted({*strays, *wrong}, key=lambda each: (list(What).index(each.what), each.names))
        meant = f', or, if that was meant, run `workspace repin {self._place} {_name(first)} --because "…"`'
        shown = ", ".join(_name(each) for each in others[:_SHOWN]) + (" …" if len(others) > _SHOWN else "")
        return (
            f"{self._place}: {wrong.get(first) or strays[first]}; nothing is written there. Correct the address"
            f"{'' if first in wrong else meant}.{f' Others, too: {shown}.' if others else ''}"
        )

    # Asking and writing down.

    def _tried(self, identity: Identity, work: Work) -> str | WorkspaceError:
        """The answer, or why there is none; what the addresses declare can be compared with its pin all the same."""
        try:
            return self._ask(identity, work)
        except WorkspaceError as error:
            pin = self._book.of(identity, work.node.id, self._touched(work))
            declared = {
                What.TENANT: str(self._outside.addresses.tenant).lower(),
                What.SUBSCRIPTION: identity.place.lower(),
            }.get(identity.what, "")
            return declared if pin and declared and declared != pin.value else error

    def _ask(self, identity: Identity, work: Work) -> str:
        """An answer that was asked for after this call began; those who ask at once share it."""
        began = time.monotonic()
        own = work.node.id if identity.what is What.STATE else ""
        with self._lock:
            answer = self._asked.setdefault((identity, own), _Answer())
        return answer.since(began, lambda: identities.read(identity, work, self._outside))

    def _write(self, told: Sequence[_Told]) -> None:
        """Put pins and strays into the ledger, all in one, and into the book."""
        entries = self._ledger.write_all(self._run, self._place, [(each[0], "", self._body(*each)) for each in told])
        for entry in entries:
            self._book.take(entry)

    def _body(
        self, _: Event, identity: Identity, answer: str, nodes: Iterable[str], why: str, instead: str
    ) -> Mapping[str, Any]:
        return {
            "name": _name(identity), "what": str(identity.what), "place": identity.place, "value": answer,
            "nodes": sorted(nodes), "why": why, "by": self._by, "instead": instead,
        }  # fmt: skip

    def _say(self, work: Work, line: str) -> None:
        self._ledger.write(self._run, self._place, Event.PROGRESS, work.node.id, line=line)


class _Answer:
    """The last answer of one identity, and when it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._value = -1.0, ""

    def since(self, moment: float, ask: Callable[[], str]) -> str:
        """The answer if it was asked for after that moment, else a new one."""
        with self._lock:
            if self._at < moment:
                at = time.monotonic()
                self._value = ask()
                self._at = at
            return self._value


def _name(identity: Identity) -> str:
    return str(identity.what) if identity.is_declared else f"{identity.what}:{identity.names[-1]}"


def _was(identity: Identity, pin: Pin, answer: str) -> str:
    """What was there and since when, and what answers now."""
    since = f"since {_when(pin.at)}{f' (run {pin.run})' if pin.run else ''}"
    if identity.what is What.STATE and not answer:
        return (
            f"the state of the stack {identity.place}, {pin.value} {since}, is lost: Terraform would make everything a "
            f"second time, so bring it back from a copy"
        )
    now = f"{answer} answers now" if answer else "nothing answers now"
    if pin.place != identity.place and not identity.is_declared:
        return f"the {identity.what} was {pin.place} ({pin.value}) {since} and is {identity.place} now, where {now}"
    if identity.is_declared:
        return f"the {identity.what} is another one: it was {pin.value} {since}, and {now}"
    return f"the {identity.what} {identity.place} is another one: it was {pin.value} {since}, and {now}"


def _gathered(found: Iterable[tuple[str, Pin]]) -> tuple[Pin, ...]:
    """Each pin once, with the nodes of all entries that say the same."""
    together: dict[tuple[str, str, str], list[tuple[str, Pin]]] = {}
    for node, pin in found:
        together.setdefault((pin.what, pin.place, pin.value), []).append((node, pin))
    made = []
    for same in together.values():
        first = min((pin for _, pin in same), key=lambda pin: pin.number)
        nodes = tuple(sorted({node for node, _ in same}))
        made.append(replace(first, nodes=nodes))
    order = [str(each) for each in What]
    return tuple(sorted(made, key=lambda pin: (order.index(pin.what), pin.place)))


def _when(at: str) -> str:
    return at[:16].replace("T", " ")

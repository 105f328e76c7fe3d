"""The look at a target: every question that an environment gives rise to, asked side by side."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from workspace.live import parts, roles, room, signing_in, stores, ways
from workspace.live.needs import Needs
from workspace.live.question import Question, ask, merged
from workspace.node import Kind
from workspace.preflight.finding import Checked, Report
from workspace.preflight.live_rules import NOT_ASKED

SECONDS = 30.0
"""How long an answer is waited for."""

_UNASKED = (
    "Without a credential that Azure takes nothing else is asked of it: roles, providers, quota, names, delegation and "
    "the cluster are not known."
)


def look(needs: Sequence[Needs], outside: Any, *, seconds: float = SECONDS) -> Report:
    """What is wrong in a target for some environments; nothing is changed there.

    Where Azure does not take our credential, what needs one is not asked, and that is said once.
    """
    inspected = _signing_in(needs, outside)
    found = ask([inspected], seconds)
    if found:
        found.append(NOT_ASKED.at(inspected.place, _UNASKED, *inspected.environments))
    questions = merged(_questions(needs, outside, azure=not found))
    found += ask(questions, seconds)
    return Report.of([Report((Checked("questions to the target", len(questions) + 1),), tuple(found))])


def _signing_in(needs: Sequence[Needs], outside: Any) -> Question:
    addresses = outside.addresses
    asks = partial(signing_in.check, addresses, outside)
    names = tuple(each.place.name for each in needs)
    return Question("who we are", f"/subscriptions/{addresses.subscription}", asks, environments=names)


def _questions(needs: Sequence[Needs], outside: Any, *, azure: bool) -> Iterator[Question]:
    for each in needs:
        of_azure = _of_azure(each, outside) if azure else ()
        for question in (*of_azure, *_of_the_rest(each, outside)):
            yield replace(question, environments=(each.place.name,))


def _of_azure(needs: Needs, outside: Any) -> Iterator[Question]:
    inspection, place = outside.inspection, f"/subscriptions/{outside.addresses.subscription}"
    yield Question(f"providers for {needs.place.name}", place, partial(room.providers, needs, inspection))
    for scope, wanted in roles.wanted(needs, inspection).items():
        asks = partial(roles.check, inspection, scope, wanted)
        yield Question(f"permissions for {needs.place.name}", scope, asks)
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, name in dict.fromkeys((*needs.owned(), *needs.templated())):
        if inspection.is_shared(kind) or inspection.is_kept(kind):
            by_kind[kind].append(name)
    for kind, names in by_kind.items():
        about = f"names of {kind} for {needs.place.name}"
        yield Question(about, place, partial(room.names, inspection, kind, names))
    for url in stores.addresses(outside.addresses):
        yield Question(f"the container {url} for {needs.place.name}", url, partial(stores.check, needs, outside, url))
    if needs.cluster():
        yield Question(f"quota for {needs.place.name}", place, partial(room.quota, needs, inspection))
        yield Question(f"the cluster of {needs.place.name}", place, partial(ways.cluster, needs, outside))
    for node, zone in roles.owners(needs, roles.ZONES):
        zone_id = f"{inspection.group_id(needs.group(node))}/providers/{roles.ZONES}/{zone}"
        yield Question("delegation", zone_id, partial(ways.delegation, zone_id, zone, outside))


def _of_the_rest(needs: Needs, outside: Any) -> Iterator[Question]:
    name = needs.place.name
    if needs.of_kind(Kind.STACK):
        yield Question(f"Terraform for {name}", "terraform", partial(ways.terraform, needs, outside))
        yield Question(f"Terraform's states of {name}", name, partial(ways.states, needs, outside))
    if needs.of_kind(Kind.TEMPLATE):
        yield Question("Bicep", "bicep", partial(ways.bicep, outside))
    if needs.of_kind(Kind.IMAGE):
        yield Question("the registry", str(outside.addresses.registry), partial(ways.registry, outside))
        if needs.place.builds:
            yield Question("the Docker engine", "docker", partial(ways.engine, outside))
            yield from _feeds(needs, outside)
    if needs.place.follows:
        yield Question(f"the release for {name}", name, partial(parts.check, needs, outside))


def _feeds(needs: Needs, outside: Any) -> Iterator[Question]:
    for host, file in ways.feeds(needs).items():
        if file not in outside.addresses.sources:
            yield Question(f"the feed {host}", host, partial(ways.feed, host, file, outside))

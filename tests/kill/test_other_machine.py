"""A run that was killed on one machine is continued on another, which has nothing but the team's container.

Both machines are processes of this one: the first gives itself another name, so that the second cannot know that its
process is dead, and waits until no beat of its lease came. The container is Azurite's.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import victim
from blobs import Azurite
from cases import Place, standing
from workspace import promotion
from workspace.addresses import Addresses
from workspace.ledger import Entry, Event, Ledger
from workspace.outside import Outside
from workspace.rehearsal import serving, written
from workspace.work import Outcome, Way

import deployments
from deployments import local

pytestmark = [pytest.mark.conformance, pytest.mark.slow, pytest.mark.contract, pytest.mark.timeout(900)]

NODE = "api"
LEASE_SECONDS = 4.0


@contextlib.contextmanager
def team(folder: Path) -> Iterator[tuple[Place, Addresses]]:
    """A rehearsal, and the addresses of who reaches it with a ledger in a container, without a folder of their own."""
    with standing(folder / "rehearsed") as place:
        trusted = place.addresses.certificate
        assert trusted is not None
        tls = serving.Certificate(trusted, trusted.with_name("key.pem"))
        azurite = Azurite(folder / "azurite", tls)
        try:
            yield place, place.addresses.model_copy(update={"ledger": azurite.made()})
        finally:
            azurite.close()


def machine(addresses: Addresses, folder: Path) -> Addresses:
    """The addresses as one machine has them: with an empty folder of its own."""
    return addresses.model_copy(update={"state": folder})


def entries(addresses: Addresses, environment: str, run: str = "") -> list[Entry]:
    """What the container's ledger has of an environment, or of one run there."""
    outside = Outside(addresses)
    with contextlib.closing(outside):
        return Ledger(outside.ledger).after(0, environment, run)


def outcomes(of: list[Entry]) -> dict[str, Entry]:
    """The last outcome of each node."""
    return {each.node: each for each in of if each.event is Event.OUTCOME}


def test_a_run_killed_on_one_machine_is_continued_on_another(tmp_path: Path) -> None:
    with team(tmp_path) as (place, addresses):
        one, two = machine(addresses, tmp_path / "one"), machine(addresses, tmp_path / "two")
        victim.promote(one, "world", "world")
        dev = deployments.find("dev")
        outside = Outside(one)
        with contextlib.closing(outside):
            drawn, _ = promotion.drawn(
                dev, deployments.nodes(dev), Ledger(outside.ledger), deployments.DEFINITIONS, one.state / "definitions"
            )
        before = drawn.order[: drawn.order.index(NODE)]

        words = ("machine-one", one, before, NODE, 0.1, LEASE_SECONDS)
        process = multiprocessing.get_context("spawn").Process(target=victim.die_on, args=words)
        process.start()
        process.join(600)
        assert process.exitcode == -signal.SIGKILL
        finished = {name for name, each in outcomes(entries(one, "dev")).items() if each.body["outcome"] != "failed"}
        begun = {each.node for each in entries(one, "dev", "killed") if each.event is Event.INTENT}
        assert (finished, begun) == (set(before), {NODE})

        victim.promote(two, "dev", "continued", lease_seconds=LEASE_SECONDS)
        after = entries(two, "dev")
        taken = [each.body for each in after if each.event is Event.HELD][-1]
        assert taken["before"] == {"owner": "killed", "ended": "expired"}
        its = [each for each in after if each.run == "continued"]
        assert [each.node for each in its if each.event is Event.INTENT and each.node in finished] == []
        done = outcomes(its)
        assert {name: done[name].body["outcome"] for name in finished} == dict.fromkeys(finished, Outcome.UNCHANGED)
        assert done[NODE].body["way"] in (Way.ADOPTED, Way.COMPLETED)
        assert [each.event for each in after][-2:] == [Event.PROVEN, Event.ENDED]

        victim.promote(two, "staging", "carried", lease_seconds=LEASE_SECONDS)
        assert [each.event for each in entries(two, "staging")][-2:] == [Event.PROVEN, Event.ENDED]
        folder = local.addresses(place.state).parent
        so_far = len(written.writes(folder))
        victim.promote(one, "staging", "once more", lease_seconds=LEASE_SECONDS)
        again = outcomes(entries(one, "staging", "once more"))
        assert {each.body["outcome"] for each in again.values()} == {Outcome.UNCHANGED}
        assert not written.writes(folder, so_far)
        assert [each.event for each in entries(one, "staging")][-2:] == [Event.PROVEN, Event.ENDED]

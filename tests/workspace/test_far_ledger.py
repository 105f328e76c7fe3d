"""How often a ledger in a container is asked: each journey is waited for, so none is made for nothing."""

import json

import pytest
from blobs import Memory, Trouble, always, in_memory, is_append
from workspace import lease
from workspace.clients.blobs import BlobStore
from workspace.errors import Refused, Unsettled
from workspace.ledger import Event, Ledger
from workspace.work import Outcome, Result

APPENDED = "PUT dev.jsonl appendblock"


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def ledger(memory: Memory) -> Ledger:
    return Ledger(BlobStore(in_memory(memory)))


def journeys(memory: Memory) -> list[str]:
    """What was asked since, without the heads, which nobody waits for."""
    asked = [each for each in memory.asked if ".head" not in each]
    memory.asked.clear()
    return asked


def test_who_holds_an_environment_knows_its_entries_without_asking(ledger: Ledger, memory: Memory) -> None:
    with ledger.hold("dev", "us"):
        ledger.write("1", "dev", Event.STARTED)
        journeys(memory)
        assert [entry.event for entry in ledger.after(0, "dev")] == [Event.HELD, Event.STARTED]
        assert ledger.last_number("dev") == 2
        assert journeys(memory) == []
    assert ledger.last_number("dev") == 2
    assert journeys(memory)[-1] == "GET  list"


def test_somebody_who_only_reads_sees_each_entry_of_who_holds_it(ledger: Ledger, memory: Memory) -> None:
    reader = Ledger(BlobStore(in_memory(memory)))
    with ledger.hold("dev", "us"):
        for number in range(1, 4):
            ledger.write("1", "dev", Event.ASKED, number=number)
            assert reader.after(0, "dev")[-1].body == {"number": number}


def test_an_effect_travels_with_the_outcome_after_it(ledger: Ledger, memory: Memory) -> None:
    with ledger.hold("dev", "us"):
        journeys(memory)
        ledger.write("1", "dev", Event.INTENT, "db", changes=["make it"])
        ledger.write("1", "dev", Event.PROGRESS, "db", line="half of it")
        ledger.write("1", "dev", Event.EFFECT, "db", content="x")
        ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED))
        assert journeys(memory) == [APPENDED, APPENDED]
    told = [(entry.event, entry.number) for entry in Ledger(BlobStore(in_memory(memory))).after(1, "dev")]
    assert told == [(Event.INTENT, 2), (Event.PROGRESS, 3), (Event.EFFECT, 4), (Event.OUTCOME, 5)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_effect_is_not_lost_with_an_outcome_that_could_not_be_written(memory: Memory, is_lost: bool) -> None:
    """Nobody waits for the effect, so nobody would miss it; and where only the answer was lost it is there once."""
    trouble = Trouble()
    ledger = Ledger(BlobStore(in_memory(memory, trouble)))
    with ledger.hold("dev", "us"):
        ledger.write("1", "dev", Event.INTENT, "db", changes=["make it"])
        if is_lost:
            trouble.lose_answers(is_append)
        trouble.refuse(always, 503, "ServerBusy", times=99)
        ledger.write("1", "dev", Event.EFFECT, "db", content="x")
        with pytest.raises(Unsettled):
            ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED))
        trouble.stop()
        ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED))
    told = [entry.event for entry in Ledger(BlobStore(in_memory(memory))).after(1, "dev")]
    assert told == [Event.INTENT, Event.EFFECT, *[Event.OUTCOME] * (1 + is_lost)]


def test_several_entries_are_one_journey_and_come_back_with_their_numbers(ledger: Ledger, memory: Memory) -> None:
    with ledger.hold("dev", "us"):
        journeys(memory)
        written = ledger.write_all("1", "dev", [(Event.PINNED, "", {"name": each}) for each in "abc"])
        assert journeys(memory) == [APPENDED]
        assert [(entry.number, entry.body["name"]) for entry in written] == [(2, "a"), (3, "b"), (4, "c")]
        assert ledger.write_all("1", "dev", []) == ()
        assert journeys(memory) == []


def test_of_several_entries_of_a_writer_who_was_put_out_none_is_written(ledger: Ledger, memory: Memory) -> None:
    with ledger.hold("dev", "the sleeper"):
        store = BlobStore(in_memory(memory))
        document, version = store.document("dev.lease")
        expired = json.loads(document) | {"holder": None, "ended": "expired"}
        store.replace("dev.lease", json.dumps(expired).encode(), version)
        refused = pytest.raises(Refused, match="the sleeper no longer holds dev")
        with Ledger(store).hold("dev", "the next"), refused:
            ledger.write_all("1", "dev", [(Event.PINNED, "", {"name": each}) for each in "abc"])
    assert [entry.event for entry in Ledger(store).after(0, "dev")] == [Event.HELD, Event.HELD]


def test_a_lease_is_asked_for_once_and_written_twice(memory: Memory) -> None:
    with lease.held(BlobStore(in_memory(memory)), "zone", "us"):
        pass
    assert journeys(memory) == ["GET zone", "PUT zone", "PUT zone"]


def test_a_lease_for_which_somebody_came_to_stand_in_line_is_read_again_and_the_line_is_kept(memory: Memory) -> None:
    store = BlobStore(in_memory(memory))
    with lease.held(store, "zone", "us"):
        document, version = store.document("zone")
        them = {**json.loads(document)["holder"], "id": "other", "owner": "them"}
        store.replace("zone", json.dumps({**json.loads(document), "line": [them]}).encode(), version)
        journeys(memory)
    assert journeys(memory) == ["PUT zone", "GET zone", "PUT zone"]
    stands = lease.standing(store, "zone")
    assert (stands.holder, [each.owner for each in stands.line]) == (None, ["them"])

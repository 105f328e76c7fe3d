"""What a ledger asks of any store; the same questions to each."""

import threading
from collections.abc import Callable

import pytest
from workspace.store import Conflict, Store


@pytest.fixture
def store(again: Callable[[], Store]) -> Store:
    return again()


def test_a_record_grows_only_at_the_length_that_was_seen(store: Store) -> None:
    store.append("dev.jsonl", b"one\n", 0)
    with pytest.raises(Conflict):
        store.append("dev.jsonl", b"late\n", 0)
    with pytest.raises(Conflict):
        store.append("dev.jsonl", b"early\n", 9)
    store.append("dev.jsonl", b"two\n", 4)
    assert (store.read("dev.jsonl"), store.read("dev.jsonl", 4), store.read("dev.jsonl", 8)) == (
        b"one\ntwo\n",
        b"two\n",
        b"",
    )


def test_what_is_not_there_is_empty(store: Store) -> None:
    assert (store.read("none.jsonl"), store.document("none"), store.records()) == (b"", (b"", ""), ())


def test_a_document_is_replaced_only_at_the_version_that_was_seen(store: Store) -> None:
    first = store.replace("zone.lease", b"1", "")
    assert store.document("zone.lease") == (b"1", first)
    with pytest.raises(Conflict):
        store.replace("zone.lease", b"2", "")
    second = store.replace("zone.lease", b"2", first)
    with pytest.raises(Conflict):
        store.replace("zone.lease", b"3", first)
    assert store.document("zone.lease") == (b"2", second)


def test_a_note_is_written_whatever_was_there(store: Store) -> None:
    store.note("dev.head", b"long long")
    store.note("dev.head", b"short")
    assert store.document("dev.head")[0] == b"short"


def test_records_are_listed_and_nothing_else(store: Store) -> None:
    store.append("staging.jsonl", b"x\n", 0)
    store.append("dev.jsonl", b"x\n", 0)
    store.replace("dev.lease", b"{}", "")
    store.note("dev.head", b"1")
    assert store.records() == ("dev.jsonl", "staging.jsonl")


def test_of_many_who_append_at_the_same_place_one_succeeds(store: Store) -> None:
    won: list[int] = []

    def append(number: int) -> None:
        try:
            store.append("dev.jsonl", b"x\n", 0)
        except Conflict:
            return
        won.append(number)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("dev.jsonl") == b"x\n"


def test_two_openings_of_one_store_see_each_other(again: Callable[[], Store]) -> None:
    one, other = again(), again()
    one.append("dev.jsonl", b"1\n", 0)
    other.append("dev.jsonl", b"2\n", 2)
    assert one.read("dev.jsonl") == b"1\n2\n"

"""The store in a container: lost answers, roll-over, what others do to its blobs, and failures told in our words.

Each runs against a container in memory under Azure's real SDK and, in `make conformance-blobs`, against Azurite.
"""

import datetime
import email.utils
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from blobs import Azurite, Memory, Token, Trouble, always, in_memory, is_append, is_write, transport
from requests.adapters import HTTPAdapter
from starlette.applications import Starlette
from workspace import lease
from workspace.clients.blobs import BlobContents, BlobStore, Container
from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.ledger import Event, Ledger
from workspace.rehearsal import serving
from workspace.store import Conflict

Opened = Callable[..., Container]


# ---- lost answers


def test_an_append_whose_answer_was_lost_is_written_once(opened: Opened) -> None:
    trouble = Trouble()
    store = BlobStore(opened(trouble))
    store.append("dev.jsonl", b"one\n", 0)
    trouble.lose_answers(is_append, times=2)
    store.append("dev.jsonl", b"two\n", 4)
    store.append("dev.jsonl", b"three\n", 8)
    assert BlobStore(opened()).read("dev.jsonl") == b"one\ntwo\nthree\n"


def test_a_first_append_whose_answer_was_lost_is_written_once(opened: Opened) -> None:
    trouble = Trouble()
    trouble.lose_answers(always, times=2)
    BlobStore(opened(trouble)).append("dev.jsonl", b"one\n", 0)
    assert BlobStore(opened()).read("dev.jsonl") == b"one\n"


def test_an_append_that_was_refused_in_passing_and_lost_to_another_is_a_conflict(opened: Opened) -> None:
    trouble, other = Trouble(), BlobStore(opened())
    store = BlobStore(opened(trouble))
    store.append("dev.jsonl", b"one\n", 0)
    trouble.refuse(is_append, 503, "ServerBusy")
    trouble.before(is_append, lambda: other.append("dev.jsonl", b"his\n", 4))
    with pytest.raises(Conflict):
        store.append("dev.jsonl", b"own\n", 4)
    assert other.read("dev.jsonl") == b"one\nhis\n"


def test_a_document_whose_answer_was_lost_is_replaced_once(opened: Opened) -> None:
    trouble = Trouble()
    store = BlobStore(opened(trouble))
    trouble.lose_answers(is_write)
    first = store.replace("zone.lease", b"1", "")
    trouble.lose_answers(is_write)
    second = store.replace("zone.lease", b"2", first)
    assert BlobStore(opened()).document("zone.lease") == (b"2", second)


def test_a_document_that_somebody_replaced_after_a_lost_answer_is_a_conflict(opened: Opened) -> None:
    trouble, other = Trouble(), BlobStore(opened())
    store = BlobStore(opened(trouble))
    trouble.lose_answers(is_write)
    trouble.before(is_write, lambda: other.replace("zone.lease", b"his", other.document("zone.lease")[1]))
    with pytest.raises(Conflict):
        store.replace("zone.lease", b"own", "")
    assert other.document("zone.lease")[0] == b"his"


def test_who_took_a_lease_and_lost_the_answer_holds_it_and_waits_for_nobody(opened: Opened) -> None:
    trouble, other = Trouble(), BlobStore(opened())
    store = BlobStore(opened(trouble))

    def stand_in_line() -> None:
        data, version = other.document("zone.lease")
        other.replace("zone.lease", data.replace(b'"line": []', b'"line": [ ]'), version)

    trouble.lose_answers(is_write)
    trouble.before(is_write, stand_in_line)
    with lease.held(store, "zone.lease", "a run", seconds=3600) as held:
        assert (held.token, held.before) == (1, lease.Ended())
    assert lease.holder(other, "zone.lease") == ""


class Forgetful(BlobStore):
    """A store that wrote and says that somebody else did, as one without our care for lost answers would."""

    def append(self, record: str, data: bytes, at: int) -> None:
        super().append(record, data, at)
        raise Conflict(record)


def test_the_ledger_knows_its_own_entry_again_after_a_conflict(opened: Opened) -> None:
    ledger = Ledger(Forgetful(opened()))
    ledger.write("1", "dev", Event.STARTED)
    ledger.write("1", "dev", Event.INTENT, "db", changes=["make it"])
    found = [(entry.number, entry.event) for entry in Ledger(BlobStore(opened())).after(0, "dev")]
    assert found == [(1, Event.STARTED), (2, Event.INTENT)]
    assert [entry.number for entry in ledger.after(0, "dev")] == [1, 2]


def test_a_ledger_over_an_unreliable_way_holds_each_entry_once(opened: Opened) -> None:
    trouble = Trouble()
    ledger = Ledger(BlobStore(opened(trouble)))
    with ledger.hold("dev", "a run"):
        for number in range(12):
            if number % 3 == 0:
                trouble.lose_answers(is_append)
            if number % 4 == 1:
                trouble.refuse(is_append, 429, "TooManyRequests", times=2)
            ledger.write("1", "dev", Event.PROGRESS, "db", line=str(number))
    entries = Ledger(BlobStore(opened())).after(0, "dev", "1")
    assert [entry.body["line"] for entry in entries] == [str(number) for number in range(12)]


# ---- several blobs, one record


@pytest.mark.slow
def test_a_record_goes_on_in_a_further_blob_before_the_first_is_full(opened: Opened) -> None:
    container = opened()
    store = BlobStore(container, blocks=3)
    whole = b""
    for number in range(10):
        line = b"%d\n" % number * (number + 1)
        store.append("dev.jsonl", line, len(whole))
        with pytest.raises(Conflict):
            store.append("dev.jsonl", b"late\n", len(whole))
        whole += line
    names = [each.name for each in container.listed("dev.jsonl")]
    assert len(names) == 4
    again = BlobStore(opened(), blocks=3)
    assert again.read("dev.jsonl") == whole
    assert [again.read("dev.jsonl", start) for start in range(len(whole))] == [
        whole[start:] for start in range(len(whole))
    ]
    assert again.records() == ("dev.jsonl",)
    again.append("dev.jsonl", b"on\n", len(whole))
    assert store.read("dev.jsonl", len(whole)) == b"on\n"


def test_of_two_who_begin_the_further_blob_at_once_one_succeeds(opened: Opened) -> None:
    trouble = Trouble()
    one, other = BlobStore(opened(trouble), blocks=1), BlobStore(opened(), blocks=1)
    one.append("dev.jsonl", b"1\n", 0)
    trouble.before(is_write, lambda: other.append("dev.jsonl", b"his\n", 2))
    with pytest.raises(Conflict):
        one.append("dev.jsonl", b"own\n", 2)
    assert one.read("dev.jsonl") == b"1\nhis\n"


def test_a_process_that_died_after_beginning_a_further_blob_leaves_nothing_wrong(opened: Opened) -> None:
    container = opened()
    BlobStore(container, blocks=1).append("dev.jsonl", b"1\n", 0)
    container.create_record(f"dev.jsonl.{2:018d}")
    store = BlobStore(opened(), blocks=1)
    store.append("dev.jsonl", b"2\n", 2)
    assert store.read("dev.jsonl") == b"1\n2\n"


# ---- one writer


def write_in_a_process(url: str, folder: str, name: str) -> None:
    store = BlobStore(opened_elsewhere(url, folder))
    ledger = Ledger(store, lease_seconds=5)
    for number in range(5):
        with ledger.hold("dev", name):
            ledger.write(name, "dev", Event.PROGRESS, line=str(number))


def opened_elsewhere(url: str, certificate: str) -> Container:
    return Container(url, credential=Token(), verify=certificate)


@pytest.mark.conformance
def test_two_processes_hold_in_turn_and_lose_nothing(azurite: Azurite) -> None:
    url, context = azurite.made(), multiprocessing.get_context("spawn")
    told = (url, str(azurite.tls.certificate))
    writers = [context.Process(target=write_in_a_process, args=(*told, name)) for name in ("one", "other")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    entries = Ledger(BlobStore(azurite.container(url))).after(0, "dev")
    for name in ("one", "other"):
        assert [entry.body["line"] for entry in entries if entry.run == name] == ["0", "1", "2", "3", "4"]
    tokens = [entry.body["token"] for entry in entries if entry.event is Event.HELD]
    assert tokens == list(range(1, 11))


def test_a_writer_that_slept_through_its_lease_is_refused_and_writes_nothing(opened: Opened) -> None:
    asleep = Trouble()
    sleeper = Ledger(BlobStore(opened(asleep)), lease_seconds=0.6)
    next_one = Ledger(BlobStore(opened()), lease_seconds=0.6)
    with sleeper.hold("dev", "the sleeper"):
        sleeper.write("1", "dev", Event.STARTED)
        # No beat of it comes through until the other one holds the lease.
        asleep.refuse(is_write, 503, "ServerBusy", times=10**6)
        with next_one.hold("dev", "the next"):
            with pytest.raises(Refused, match=r"the sleeper no longer holds dev\.lease"):
                sleeper.write("1", "dev", Event.INTENT, "db", changes=["make it"])
            next_one.write("2", "dev", Event.STARTED)
            asleep.stop()
    events = [(entry.run, entry.event) for entry in Ledger(BlobStore(opened())).after(0, "dev")]
    assert events == [("", Event.HELD), ("1", Event.STARTED), ("", Event.HELD), ("2", Event.STARTED)]


# ---- what need not be durable at once


def appends(trouble: Trouble) -> int:
    return sum("comp=appendblock" in each for each in trouble.asked)


def test_progress_is_written_in_its_order_with_the_next_entry_in_one_request(opened: Opened) -> None:
    trouble = Trouble()
    ledger = Ledger(BlobStore(opened(trouble)))
    with ledger.hold("dev", "a run"):
        before = appends(trouble)
        for number in range(5):
            ledger.write("1", "dev", Event.PROGRESS, "db", line=str(number))
        ledger.write("1", "dev", Event.INTENT, "db", changes=[])
        assert appends(trouble) == before + 1
        seen = Ledger(BlobStore(opened())).after(1, "dev")
        assert [each.body.get("line") for each in seen] == ["0", "1", "2", "3", "4", None]
        ledger.write("1", "dev", Event.PROGRESS, "db", line="last")
        assert ledger.after(7, "dev")[0].body == {"line": "last"}
        ledger.write("1", "dev", Event.PROGRESS, "db", line="the very last")
    assert Ledger(BlobStore(opened())).check("dev") == 9


def test_progress_that_nothing_follows_is_written_by_itself(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspace.ledger._GATHERED_SECONDS", 0.1)
    ledger, reader = Ledger(BlobStore(opened())), Ledger(BlobStore(opened()))
    with ledger.hold("dev", "a run"):
        ledger.write("1", "dev", Event.PROGRESS, "db", line="at work")
        while not reader.after(1, "dev"):
            time.sleep(0.02)


def _die_talking(container: Container) -> None:
    with Ledger(BlobStore(container)).hold("dev", "one before"):
        pass
    ledger = Ledger(BlobStore(container))
    with ledger.hold("dev", "a run"):
        ledger.write("1", "dev", Event.PROGRESS, "db", line="said before")
        ledger.write("1", "dev", Event.INTENT, "db", changes=[])
        ledger.write("1", "dev", Event.PROGRESS, "db", line="said in vain")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.conformance
def test_a_crash_loses_progress_alone_and_nobody_misses_it(azurite: Azurite) -> None:
    """What was not written yet is as if it had not been said; what was awaited is there, and the chain is whole."""
    url = azurite.made()
    process = multiprocessing.get_context("fork").Process(target=_die_talking, args=(azurite.container(url),))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    ledger = Ledger(BlobStore(azurite.container(url)))
    told = [(each.event, each.body.get("line")) for each in ledger.after(2, "dev")]
    assert told == [(Event.PROGRESS, "said before"), (Event.INTENT, None)]
    with ledger.hold("dev", "the next"):
        ledger.write("2", "dev", Event.ENDED, success=True)
    assert ledger.check("dev") == 6


def test_what_threads_write_at_once_is_written_at_once_and_each_knows_that_it_was(opened: Opened) -> None:
    trouble = Trouble()
    trouble.seconds = 0.05
    ledger = Ledger(BlobStore(opened(trouble)))
    together = threading.Barrier(16)

    def write(number: int) -> None:
        together.wait()
        ledger.write("1", "dev", Event.INTENT, str(number))

    with ledger.hold("dev", "a run"):
        before = appends(trouble)
        threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(int(each.node) for each in Ledger(BlobStore(opened())).after(1, "dev")) == list(range(16))
        assert appends(trouble) - before < 16


def test_a_writer_that_lost_its_lease_writes_neither_what_waits_nor_what_it_means(opened: Opened) -> None:
    ledger, next_one = Ledger(BlobStore(opened())), Ledger(BlobStore(opened()))
    store = BlobStore(opened())
    with ledger.hold("dev", "the sleeper"):
        ledger.write("1", "dev", Event.PROGRESS, "db", line="never seen")
        said, version = store.document("dev.lease")
        store.replace("dev.lease", json.dumps({**json.loads(said), "holder": None}).encode(), version)
        with next_one.hold("dev", "the next"):
            next_one.write("2", "dev", Event.STARTED)
        with pytest.raises(Refused):
            ledger.write("1", "dev", Event.INTENT, "db")
    assert [each.run for each in Ledger(BlobStore(opened())).after(0, "dev") if each.run] == ["2"]


# ---- what others do to it


def kept(opened: Opened) -> bytes:
    """A ledger of five entries; its record."""
    store = BlobStore(opened())
    ledger = Ledger(store)
    for number in range(5):
        ledger.write("1", "dev", Event.PROGRESS, "db", line=str(number))
    # The head is written by itself, a little later; whoever asks that store for it waits.
    assert store.document("dev.head")[0].startswith(b"5 ")
    return store.read("dev.jsonl")


def overwrite(container: Container, data: bytes) -> None:
    """As somebody would with a tool: the blob replaced by another of the same type."""
    container.blob("dev.jsonl").delete_blob()
    container.create_record("dev.jsonl")
    container.append("dev.jsonl", data, 0)


def test_an_overwritten_record_is_named_with_its_first_altered_entry(opened: Opened) -> None:
    record = kept(opened)
    overwrite(opened(), record.replace(b'"line":"2"', b'"line":"9"'))
    with pytest.raises(Broken, match=r"Entry 3 of the ledger dev\.jsonl in https://.* was altered"):
        Ledger(BlobStore(opened())).check("dev")
    assert b"9" in BlobStore(opened()).read("dev.jsonl")


def test_a_record_cut_at_the_end_of_an_entry_is_known_by_its_head(opened: Opened) -> None:
    record = kept(opened)
    overwrite(opened(), b"".join(record.splitlines(keepends=True)[:3]))
    with pytest.raises(Broken, match=r"ends with entry 3, and its head dev\.head knows of another end"):
        Ledger(BlobStore(opened())).check("dev")


def test_a_record_cut_within_an_entry_is_taken_over_by_nobody(opened: Opened) -> None:
    record = kept(opened)
    opened().client.delete_blob("dev.head")
    overwrite(opened(), record[:-7])
    with (
        pytest.raises(Broken, match="ends in the middle of an entry"),
        Ledger(BlobStore(opened())).hold("dev", "a run"),
    ):
        pass


def test_a_record_that_became_shorter_while_it_was_read_is_named(opened: Opened) -> None:
    record = kept(opened)
    ledger = Ledger(BlobStore(opened()))
    ledger.after(0, "dev")
    overwrite(opened(), record[:10])
    with pytest.raises(Broken, match=r"is 10 bytes long and was \d+ before"):
        ledger.write("1", "dev", Event.ENDED)


def test_a_record_replaced_by_another_type_of_blob_is_named(opened: Opened) -> None:
    record = kept(opened)
    opened().blob("dev.jsonl").delete_blob()
    opened().write("dev.jsonl", record)
    with pytest.raises(Broken, match="is not an append blob"):
        Ledger(BlobStore(opened())).write("1", "dev", Event.ENDED)


def test_a_further_blob_that_does_not_fit_is_named(opened: Opened) -> None:
    store = BlobStore(opened(), blocks=1)
    for number in range(3):
        store.append("dev.jsonl", b"1\n", 2 * number)
    opened().blob(f"dev.jsonl.{2:018d}").delete_blob()
    with pytest.raises(Broken, match=r"should go on with dev\.jsonl\.0+4 after 4 bytes, and what is before has 2"):
        store.read("dev.jsonl")


@pytest.mark.parametrize("name", ["../dev.jsonl", "a/b", "", ".hidden", "dev jsonl", "x" * 300, "dev?comp=list"])
def test_a_name_that_is_no_name_is_refused(opened: Opened, name: str) -> None:
    store = BlobStore(opened())
    for ask in (
        lambda: store.read(name),
        lambda: store.append(name, b"x", 0),
        lambda: store.document(name),
        lambda: store.replace(name, b"x", ""),
        lambda: store.note(name, b"x"),
    ):
        with pytest.raises(Refused, match="is no name of a record"):
            ask()


# ---- failures, in our words


def test_a_container_that_is_gone_is_told_with_what_to_do() -> None:
    memory = Memory()
    store = BlobStore(in_memory(memory))
    store.append("dev.jsonl", b"1\n", 0)
    memory.exists = False
    for ask in (lambda: store.read("dev.jsonl"), lambda: store.append("dev.jsonl", b"2\n", 2), store.records,
                lambda: store.document("dev.lease")):  # fmt: skip
        with pytest.raises(Broken, match=r"There is no container ledger of https://mystira.* create it"):
            ask()


@pytest.mark.conformance
def test_azurite_says_the_same_of_a_container_that_is_gone(azurite: Azurite) -> None:
    url = azurite.made()
    store = BlobStore(azurite.container(url))
    store.append("dev.jsonl", b"1\n", 0)
    azurite.container(url).client.delete_container()
    for ask in (lambda: store.read("dev.jsonl"), lambda: store.append("dev.jsonl", b"2\n", 2)):
        with pytest.raises(Broken, match=r"There is no container .* create it"):
            ask()


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (403, "AuthorizationPermissionMismatch", Broken, 'the role "Storage Blob Data Contributor" on the container'),
        (403, "AuthorizationFailure", Broken, "firewall of the storage account"),
        (401, "InvalidAuthenticationInfo", Broken, "could not sign in"),
        (404, "ContainerNotFound", Broken, "create it, or restore it"),
        (409, "ContainerBeingDeleted", Broken, "create it, or restore it"),
        (412, "LeaseIdMissing", Broken, "a person must look"),
        (409, "BlobImmutableDueToPolicy", Broken, "a person must look"),
        (503, "ServerBusy", Unsettled, "did not answer well in 4 tries"),
        (500, "InternalError", Unsettled, "did not answer well in 4 tries"),
        (429, "TooManyRequests", Unsettled, "did not answer well in 4 tries"),
        (408, "OperationTimedOut", Unsettled, "did not answer well in 4 tries"),
    ],
)
def test_what_azure_says_is_told_in_our_words(status: int, code: str, error: type[WorkspaceError], says: str) -> None:
    trouble = Trouble()
    store = BlobStore(in_memory(Memory(), trouble))
    store.append("dev.jsonl", b"1\n", 0)
    trouble.refuse(always, status, code, times=10**6)
    for ask in (
        lambda: store.append("dev.jsonl", b"2\n", 2),
        lambda: store.read("dev.jsonl"),
        lambda: store.replace("dev.lease", b"2", ""),
    ):
        with pytest.raises(error, match=says):
            ask()


def test_throttling_that_passes_is_waited_for_and_one_that_stays_says_how_long(opened: Opened) -> None:
    trouble = Trouble()
    store = BlobStore(opened(trouble))
    trouble.refuse(always, 503, "ServerBusy", times=2)
    store.append("dev.jsonl", b"1\n", 0)
    assert store.read("dev.jsonl") == b"1\n"


def test_a_clock_that_is_wrong_is_told_where_azure_does_not_take_the_token() -> None:
    trouble = Trouble()
    store = BlobStore(in_memory(Memory(), trouble))
    other = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=20)
    trouble.refuse(always, 401, "InvalidAuthenticationInfo", times=10, Date=email.utils.format_datetime(other))
    with pytest.raises(Broken, match=r"clock differs from Azure's by 1[12]\d\d s: set the clock"):
        store.read("dev.jsonl")


class Nobody:
    def get_token(self, *_: str, **__: object) -> object:
        raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token.")


def test_who_cannot_sign_in_is_told_how() -> None:
    way = transport(Trouble(), Memory())
    store = BlobStore(Container("https://mystira.blob.core.windows.net/ledger", credential=Nobody(), transport=way))
    with pytest.raises(Broken, match=r"could not sign in \(DefaultAzureCredential failed .*az login"):
        store.read("dev.jsonl")


def test_an_account_that_cannot_be_reached_is_unsettled() -> None:
    container = Container(
        "https://127.0.0.1:9/devstoreaccount1/ledger", credential=Token(), pauses=(0.0,), verify=False
    )
    with pytest.raises(Unsettled, match="did not answer well in 2 tries"):
        BlobStore(container).read("dev.jsonl")


@pytest.mark.conformance
def test_a_certificate_that_is_not_trusted_is_told_at_once(azurite: Azurite) -> None:
    seen = Trouble()
    way = transport(seen, HTTPAdapter())
    container = Container(azurite.made(), credential=Token(), transport=way, pauses=(0.0,) * 4)
    with pytest.raises(Broken, match=r"not trusted here \(self-signed certificate\).*`certificate`"):
        BlobStore(container).read("dev.jsonl")
    assert len(seen.seen) == 1


def test_a_stand_in_with_a_certificate_of_its_own_is_not_trusted(tmp_path: Path) -> None:
    nobody = Starlette()
    with serving.Served(nobody, serving.certificate(tmp_path)) as server:
        url = f"https://127.0.0.1:{server.port}/devstoreaccount1/ledger"
        container = Container(url, credential=Token(), pauses=(0.0,) * 4)
        with pytest.raises(Broken, match="shows a certificate that is not trusted here"):
            BlobStore(container).read("dev.jsonl")


# ---- addresses that others fetch from


@pytest.mark.conformance
def test_a_signed_address_is_read_by_whoever_has_it_and_by_nobody_without(azurite: Azurite, tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"a package")
    contents = BlobContents(azurite.container(azurite.made()), "packages")
    contents.put("abc", tmp_path / "content")
    url, verify = contents.url("abc"), str(azurite.tls.certificate)
    assert requests.get(url, verify=verify, timeout=10).content == b"a package"
    assert requests.get(url.partition("?")[0], verify=verify, timeout=10).status_code == 403
    assert (
        requests.put(url, data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, verify=verify, timeout=10).status_code
        == 403
    )


def test_who_may_not_sign_addresses_is_told_which_role_on_the_account() -> None:
    trouble = Trouble()
    contents = BlobContents(in_memory(Memory(), trouble), "packages")
    trouble.refuse(always, 403, "AuthorizationPermissionMismatch", times=10)
    with pytest.raises(Broken, match=r'the role "Storage Blob Delegator" on the storage account https://mystira'):
        contents.url("abc")


def test_notes_of_many_threads_end_with_the_newest(opened: Opened) -> None:
    store = BlobStore(opened())
    threads = [threading.Thread(target=lambda: store.note("dev.head", b"old")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.note("dev.head", b"new")
    assert store.document("dev.head")[0] == b"new"

"""The ledger: what is written stays, no byte of it changes unseen, one writer holds an environment."""

import json
import multiprocessing
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace.errors import Broken, Refused, Unsettled
from workspace.ledger import Entry, Event, Ledger
from workspace.release import Release
from workspace.store import Folder, Store
from workspace.work import Outcome, Result


@pytest.fixture
def ledger(again: Callable[[], Store]) -> Ledger:
    return Ledger(again())


def test_a_node_gives_what_it_gave_when_it_last_succeeded(ledger: Ledger) -> None:
    ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED, gives={"host": "a"}))
    ledger.outcome("2", "dev", "db", Result(Outcome.UNCHANGED, gives={"host": "b"}))
    ledger.outcome("3", "dev", "db", Result(Outcome.FAILED))
    ledger.outcome("3", "staging", "db", Result(Outcome.CHANGED, gives={"host": "s"}))
    assert ledger.gives("dev") == {"db": {"host": "b"}}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN])
def test_what_did_not_succeed_gives_nothing(ledger: Ledger, outcome: Outcome) -> None:
    ledger.outcome("1", "dev", "db", Result(outcome, gives={"host": "a"}))
    assert ledger.gives("dev") == {}


def test_entries_survive_a_new_process_and_come_in_order(again: Callable[[], Store]) -> None:
    first = Ledger(again())
    first.write("1", "dev", Event.STARTED, nodes={})
    first.write("1", "dev", Event.PROGRESS, "db", line="going on")
    first.close()
    entries = Ledger(again()).after(0, run="1")
    assert [(entry.event, entry.node) for entry in entries] == [(Event.STARTED, ""), (Event.PROGRESS, "db")]
    assert entries[1].body == {"line": "going on"}


def test_an_entry_reads_the_same_where_it_was_written_and_anywhere_else(
    again: Callable[[], Store], tmp_path: Path
) -> None:
    here = Ledger(again())
    here.write("r", "dev", Event.PROGRESS, "db", line="zwölf\n\x1b[31m\u2028", where=tmp_path, some=(1, 2))
    assert here.after(0) == Ledger(again()).after(0)
    assert here.after(0)[0].body["some"] == [1, 2]


def test_numbers_count_within_an_environment_and_a_reader_goes_on_where_it_was(
    ledger: Ledger, again: Callable[[], Store]
) -> None:
    reader = Ledger(again())
    ledger.write("1", "dev", Event.STARTED)
    ledger.write("2", "staging", Event.STARTED)
    seen = reader.last_number("dev")
    ledger.write("1", "dev", Event.ENDED, success=True)
    assert seen == 1
    assert [(entry.number, entry.event) for entry in reader.after(seen, "dev")] == [(2, Event.ENDED)]
    assert reader.environments() == ("dev", "staging")
    assert [entry.run for entry in reader.after(0)] == ["1", "2", "1"]


def test_the_release_proven_last_is_the_one_that_counts(ledger: Ledger) -> None:
    assert ledger.proven("dev") is None
    old, new = Release({"i": "1"}, "d", "dev"), Release({"i": "2"}, "d", "dev")
    ledger.prove("1", "dev", old)
    ledger.prove("2", "dev", new)
    assert ledger.proven("dev") == new


# ---- nothing changes unseen


def written(folder: Path) -> list[Entry]:
    """A short ledger of one run, and what it says."""
    ledger = Ledger(folder)
    with ledger.hold("dev", "flow run blue-fox"):
        ledger.write("1", "dev", Event.STARTED, nodes={"db": {"kind": "stack"}})
        ledger.outcome("1", "dev", "db", Result(Outcome.CHANGED, "made", {"host": "a"}))
        ledger.write("1", "dev", Event.ENDED, success=True)
    return ledger.after(0)


@pytest.mark.slow
def test_every_change_of_a_single_byte_is_seen(tmp_path: Path) -> None:
    entries = written(tmp_path)
    for name in ("dev.jsonl", "dev.head"):
        file, whole = tmp_path / name, (tmp_path / name).read_bytes()
        for place in range(len(whole)):
            for flip in (0x01, 0x20, 0x80):
                file.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
                with pytest.raises(Broken, match=r"ledger dev\.jsonl"):
                    Ledger(tmp_path).after(0)
        file.write_bytes(whole)
    assert Ledger(tmp_path).after(0) == entries
    assert Ledger(tmp_path).check("dev") == len(entries) == 4


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_altered_entry_is_named_by_its_number(tmp_path: Path, number: int) -> None:
    written(tmp_path)
    file = tmp_path / "dev.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(b'"dev"', b'"DEV"')
    file.write_bytes(b"".join(lines))
    before = f"; the {number - 1} entries before it are as they were written" if number > 1 else ""
    with pytest.raises(Broken, match=rf"^Entry {number} of the ledger dev\.jsonl in .* was altered.*{before}"):
        Ledger(tmp_path).check("dev")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_removed_entry_is_missed(tmp_path: Path, number: int) -> None:
    written(tmp_path)
    file = tmp_path / "dev.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    del lines[number - 1]
    file.write_bytes(b"".join(lines))
    with pytest.raises(Broken, match=f"Entry {number} of the ledger" if number < 4 else "ends with entry 3"):
        Ledger(tmp_path).gives("dev")


def test_a_record_under_the_name_of_another_environment_is_not_believed(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "dev.jsonl").rename(tmp_path / "prod.jsonl")
    with pytest.raises(Broken, match=r"Entry 1 of the ledger prod\.jsonl"):
        Ledger(tmp_path).gives("prod")


@pytest.mark.parametrize("kept", [1, 40, 64, 65, 100])
def test_a_line_that_a_crash_tore_is_no_entry_and_is_set_aside_by_the_next_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("workspace.ledger._LINE_SECONDS", 0.001)
    entries = written(tmp_path)
    file = tmp_path / "dev.jsonl"
    torn = file.read_bytes().splitlines()[-1][:kept]
    with file.open("ab") as opened:
        opened.write(torn)
    ledger, said = Ledger(tmp_path), list[str]()
    assert ledger.after(0) == entries
    with pytest.raises(Broken, match=r"^The ledger dev\.jsonl in .* ends in the middle of a line after entry 4: "):
        ledger.check("dev")
    with ledger.hold("dev", "the next", said.append):
        assert [f"was torn by a crash, and is kept in {tmp_path}" in each for each in said] == [True]
        aside = Path(ledger.after(4, "dev")[0].body["set_aside"])
        ledger.write("2", "dev", Event.STARTED)
    assert aside.read_bytes() == torn
    assert aside.stat().st_mode & 0o077 == 0
    assert [entry.event for entry in Ledger(tmp_path).after(4, "dev")] == [Event.HELD, Event.STARTED]


class Away(Folder):
    """A store that takes no entry while it is away."""

    is_away = False

    def append(self, record: str, data: bytes, at: int) -> None:
        if self.is_away:
            raise Unsettled("the store is away")
        super().append(record, data, at)


def test_who_could_not_record_that_it_holds_an_environment_does_not_hold_it(tmp_path: Path) -> None:
    with Ledger(tmp_path).hold("dev", "the one before"):
        pass
    store = Away(tmp_path)
    ledger, store.is_away = Ledger(store), True
    with pytest.raises(Unsettled), ledger.hold("dev", "we"):
        raise AssertionError("it began")
    store.is_away = False
    assert not ledger.holds("dev")
    with pytest.raises(Refused, match="who does not hold it"):
        ledger.write("2", "dev", Event.STARTED)


def test_a_crash_between_an_entry_and_the_head_loses_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("1", "dev", Event.STARTED)
    head = (tmp_path / "dev.head").read_bytes()
    ledger.write("1", "dev", Event.ENDED, success=True)
    (tmp_path / "dev.head").write_bytes(head)
    assert Ledger(tmp_path).last_number("dev") == 2


def _fill_the_disk(folder: str) -> None:
    ledger = Ledger(Path(folder))
    ledger.write("1", "dev", Event.STARTED)
    size = (Path(folder) / "dev.jsonl").stat().st_size
    # A write beyond the limit is what a full disk is to a writer: part of it goes through, the rest does not.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))
    try:
        ledger.write("1", "dev", Event.INTENT, "db", changes=["make it"])
    except Broken as error:
        os._exit(0 if "dev.jsonl cannot be used" in str(error) and "Make room" in str(error) else 2)
    os._exit(3)


def test_a_full_disk_stops_before_what_was_meant_and_leaves_no_half_entry(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_fill_the_disk, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (tmp_path / "dev.jsonl").read_bytes().count(b"\n") == 1
    assert [entry.event for entry in Ledger(tmp_path).after(0)] == [Event.STARTED]


def test_a_ledger_that_cannot_be_written_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "dev.jsonl").mkdir()
    with pytest.raises(Broken, match=r"dev\.jsonl cannot be used: Is a directory; nothing further is done"):
        Ledger(tmp_path).write("1", "dev", Event.STARTED)


def test_the_ledger_of_an_earlier_version_is_not_forgotten_silently(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(Refused, match=r"holds a ledger of an earlier version"):
        Ledger(tmp_path)


def test_the_ledger_is_private_and_only_grows(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.write("1", "dev", Event.STARTED)
    first = (tmp_path / "ledger/dev.jsonl").read_bytes()
    ledger.write("1", "dev", Event.ENDED, success=True)
    assert (tmp_path / "ledger/dev.jsonl").read_bytes().startswith(first)
    assert (tmp_path / "ledger").stat().st_mode & 0o077 == 0
    assert [file.name for file in (tmp_path / "ledger").iterdir() if file.stat().st_mode & 0o077] == []
    digest, _, text = first.decode().partition(" ")
    assert (len(digest), json.loads(text)[3]) == (64, "dev")


# ---- one writer


def test_threads_write_whole_entries_one_after_the_other(ledger: Ledger, again: Callable[[], Store]) -> None:
    threads = [
        threading.Thread(target=lambda: [ledger.write("1", "dev", Event.PROGRESS, line="x") for _ in range(20)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Ledger(again()).check("dev") == 160


def test_an_environment_is_held_by_one_and_the_next_is_told_who(ledger: Ledger, again: Callable[[], Store]) -> None:
    said: list[str] = []
    waiting = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with Ledger(again()).hold("dev", "the second", tell):
            said.append("got it")

    with ledger.hold("dev", "the first"), ledger.hold("staging", "somebody else"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        assert "got it" not in said
        assert ledger.holder("dev").startswith(f"the first (process {os.getpid()} on ")
    thread.join(5)
    assert said[0].startswith("waiting for the first (process ")
    assert said[0].endswith("who is at work in dev")
    assert said[-1] == "got it"
    assert ledger.holder("dev") == ""


def _die_holding(folder: str) -> None:
    holding = Ledger(Path(folder)).hold("dev", "the dead")
    holding.__enter__()
    os._exit(9)


def test_a_process_that_died_holds_nothing_and_the_next_says_so(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_holding, args=(str(tmp_path),))
    process.start()
    process.join()
    ledger = Ledger(tmp_path)
    with ledger.hold("dev", "the living"):
        assert ledger.after(0)[-1].body == {
            "token": 2,
            "owner": "the living",
            "before": {"owner": "the dead", "ended": "died"},
        }


def test_who_slept_through_the_end_of_its_lease_is_refused_at_its_next_entry(again: Callable[[], Store]) -> None:
    sleeper, next_one = Ledger(again()), Ledger(again())
    with sleeper.hold("dev", "the sleeper"):
        sleeper.write("1", "dev", Event.STARTED)
        # As after SIGSTOP, or a machine put to sleep: no beat comes, and nothing was told to the sleeper.
        said, version = again().document("dev.lease")
        lease = json.loads(said)
        lease["token"] += 1
        lease["holder"] = None
        again().replace("dev.lease", json.dumps(lease).encode(), version)
        with next_one.hold("dev", "the next"):
            with pytest.raises(Refused, match=r"^the sleeper no longer holds dev\.lease: .* Nothing was written\."):
                sleeper.write("1", "dev", Event.INTENT, "db", changes=["make it"])
            next_one.write("2", "dev", Event.STARTED)
    assert [(e.run, e.event) for e in Ledger(again()).after(0)] == [
        ("", Event.HELD),
        ("1", Event.STARTED),
        ("", Event.HELD),
        ("2", Event.STARTED),
    ]


def test_nobody_writes_who_holds_nothing_where_somebody_held(ledger: Ledger) -> None:
    with ledger.hold("dev", "a run"):
        ledger.write("1", "dev", Event.STARTED)
    with pytest.raises(Refused, match="Nobody writes into the ledger of dev who does not hold it"):
        ledger.write("1", "dev", Event.ENDED, success=True)

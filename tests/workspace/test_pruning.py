"""Kept definitions go when nobody needs them, and never while somebody does."""

import datetime
import os
import threading
import time
from pathlib import Path

import pytest
from blobs import Memory, in_memory
from programs_known import Known
from workspace import archive, definitions, promotion, pruning, scheduler
from workspace.addresses import Addresses
from workspace.clients.blobs import BlobContents
from workspace.ending import conclude
from workspace.environment import Environment
from workspace.ledger import Event, Ledger
from workspace.node import Kind, Node, Stage
from workspace.release import Release
from workspace.scheduler import Patience

FOLDERS = ("infra",)
OLD = time.time() - pruning.YOUNG.total_seconds() - 60


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def ledger(state: Path) -> Ledger:
    return Ledger(state)


def copy(state: Path, name: str, when: float = OLD) -> str:
    """A kept copy of some content, last used at that time."""
    checkout = state.parent / f"checkout-{name}"
    (checkout / "infra").mkdir(parents=True, exist_ok=True)
    (checkout / "infra/main.tf").write_text(f"# {name}\n")
    kept = definitions.keep(checkout, FOLDERS, state / "definitions")
    os.utime(kept.root, (when, when))
    return kept.digest


def proven(state: Path, ledger: Ledger, name: str, environment: str = "dev") -> str:
    digest = copy(state, name)
    ledger.prove(f"run-{name}", environment, Release({}, digest, "dev"))
    return digest


def left(state: Path) -> set[str]:
    return {each.name for each in (state / "definitions").iterdir() if each.is_dir()}


def test_those_of_the_last_releases_stay_and_the_rest_goes(state: Path, ledger: Ledger) -> None:
    digests = [proven(state, ledger, str(number)) for number in range(5)]
    gone = pruning.prune(state / "definitions", ledger, keep=2)
    assert {each.digest for each in gone} == set(digests[:3])
    assert left(state) == set(digests[3:])
    assert [each.size for each in gone] == [len("# 0\n")] * 3
    assert pruning.told(gone) == "3 copies of definitions that no release needs, 0.0 MB"


def test_what_an_environment_has_proven_now_stays_however_old(state: Path, ledger: Ledger) -> None:
    first = proven(state, ledger, "first", "prod")
    for number in range(3):
        proven(state, ledger, str(number))
    pruning.prune(state / "definitions", ledger, keep=1)
    assert first in left(state)
    assert len(left(state)) == 2


def test_what_an_environment_had_before_stays_however_many_releases_others_proved(state: Path, ledger: Ledger) -> None:
    """It may go back to it; and where the newest has not stood long enough it is what the next one gets."""
    before, now = (proven(state, ledger, name, "staging") for name in ("before", "now"))
    for number in range(5):
        proven(state, ledger, str(number))
    pruning.prune(state / "definitions", ledger, keep=2)
    assert {before, now} < left(state)
    assert len(left(state)) == 4


@pytest.mark.parametrize("hours", [1, -1])
def test_what_is_young_stays_and_what_is_a_little_older_does_not(state: Path, ledger: Ledger, hours: int) -> None:
    when = time.time() - (pruning.YOUNG - datetime.timedelta(hours=hours)).total_seconds()
    digest = copy(state, "nobody's", when)
    pruning.prune(state / "definitions", ledger)
    assert (digest in left(state)) is (hours > 0)


def test_the_archives_of_the_team_go_by_the_same_rule(state: Path, ledger: Ledger) -> None:
    memory = Memory()
    shared = BlobContents(in_memory(memory), "definitions")
    digests = {name: proven(state, ledger, name) for name in ("needless", "young", "used", "needed")}
    store = state / "definitions"
    for digest in digests.values():
        archive.share(definitions.Kept(store / digest, digest), shared)
    memory.blobs["definitions/notes.txt"] = {**memory.blobs[f"definitions/{digests['young']}.tar.gz"]}
    for name, blob in memory.blobs.items():
        blob["when"] = time.time() if digests["young"] in name else OLD
    archive.share(definitions.Kept(store / digests["used"], digests["used"]), shared)
    would = pruning.prune(state / "nowhere", ledger, shared=shared, keep=1, dry=True)
    gone = pruning.prune(state / "nowhere", ledger, shared=shared, keep=1)
    assert [each.digest for each in gone] == [each.digest for each in would] == [digests["needless"]]
    stay = {f"{digests[name]}.tar.gz" for name in ("young", "used", "needed")}
    assert {each.name for each in shared.files()} == stay | {"notes.txt"}


def test_an_archive_that_was_used_since_it_was_listed_stays(state: Path, ledger: Ledger) -> None:
    memory = Memory()
    shared = BlobContents(in_memory(memory), "definitions")
    digest = copy(state, "nobody's")
    archive.share(definitions.Kept(state / "definitions" / digest, digest), shared)
    (listed,) = shared.files()
    assert shared.use(listed.name)
    assert not shared.remove(listed)
    assert shared.remove(shared.files()[0])
    assert (shared.files(), shared.use(listed.name)) == ((), False)


def test_a_dry_run_removes_nothing_and_says_the_same(state: Path, ledger: Ledger) -> None:
    digest = copy(state, "nobody's")
    would = pruning.prune(state / "definitions", ledger, dry=True)
    assert left(state) == {digest}
    assert pruning.prune(state / "definitions", ledger) == would
    assert left(state) == set()


def test_what_a_killed_run_left_half_made_goes_untold(state: Path, ledger: Ledger) -> None:
    partial = state / "definitions" / ".abc.123"
    partial.mkdir(parents=True)
    os.utime(partial, (OLD, OLD))
    assert pruning.prune(state / "definitions", ledger) == ()
    assert left(state) == set()


def test_where_nothing_was_ever_kept_nothing_is_pruned(state: Path, ledger: Ledger) -> None:
    assert pruning.prune(state / "definitions", ledger) == ()


@pytest.mark.parametrize("use", ["keep", "kept"])
def test_whoever_uses_a_copy_makes_it_young(state: Path, ledger: Ledger, use: str) -> None:
    digest = copy(state, "web")
    if use == "keep":
        definitions.keep(state.parent / "checkout-web", FOLDERS, state / "definitions")
    else:
        definitions.kept(digest, FOLDERS, state / "definitions", "dev")
    pruning.prune(state / "definitions", ledger)
    assert left(state) == {digest}


def test_using_and_pruning_at_once_leave_each_copy_whole_or_gone(state: Path, ledger: Ledger) -> None:
    """Whoever was told that a copy is there finds it there, whatever is pruned at that moment."""
    wrong: list[str] = []
    for number in range(30):
        copy(state, f"{number}")
        start = threading.Barrier(2)

        def use(number: int = number, start: threading.Barrier = start) -> None:
            start.wait()
            kept = definitions.keep(state.parent / f"checkout-{number}", FOLDERS, state / "definitions")
            if not (kept.root / "infra/main.tf").is_file():
                wrong.append(str(number))

        thread = threading.Thread(target=use)
        thread.start()
        start.wait()
        pruning.prune(state / "definitions", ledger)
        thread.join()
    assert wrong == []


def test_a_running_promotion_keeps_its_copy_and_a_building_one_prunes_at_its_end(state: Path, ledger: Ledger) -> None:
    checkout = state.parent / "checkout-now"
    (checkout / "infra").mkdir(parents=True)
    nobodys = copy(state, "nobody's")
    said: list[str] = []
    opening = promotion.opened(
        Environment("dev"),
        [Node("web", Kind.PAUSE, Stage.VERIFICATION, settings={"seconds": 0})],
        Addresses(subscription="s", state=state, engine="tcp://127.0.0.1:1"),
        run="r",
        sources=checkout,
        folders=FOLDERS,
        owner="a test",
        reach=Known,
        say=said.append,
    )
    with opening as execution:
        assert execution.definitions is not None
        execution.begin("somebody")
        # a run that waited for its person for longer than anything is young
        os.utime(execution.definitions.root, (OLD, OLD))
        assert {each.digest for each in pruning.prune(state / "definitions", ledger, dry=True)} == {nobodys}
        scheduler.settle(execution, Patience(()))
        conclude(execution)
        assert nobodys in left(state)
    assert left(state) == {execution.definitions.digest}
    assert said == ["removed 1 copy of definitions that no release needs, 0.0 MB"]


def test_a_run_that_did_not_end_well_prunes_nothing(state: Path, ledger: Ledger) -> None:
    nobodys = copy(state, "nobody's")
    opening = promotion.opened(
        Environment("dev"),
        [Node("web", Kind.PAUSE, Stage.VERIFICATION, settings={})],
        Addresses(subscription="s", state=state, engine="tcp://127.0.0.1:1"),
        run="r",
        sources=state.parent,
        folders=FOLDERS,
        owner="a test",
        reach=Known,
    )
    with opening as execution:
        execution.begin("somebody")
    assert nobodys in left(state)
    assert Event.STARTED in [entry.event for entry in ledger.after(0, "dev")]


def test_a_run_that_ended_well_ended_well_though_nothing_could_be_pruned(state: Path, ledger: Ledger) -> None:
    nobodys = copy(state, "nobody's")
    (state / "prod.jsonl").write_text("altered\n")
    said: list[str] = []
    opening = promotion.opened(
        Environment("dev"),
        [Node("web", Kind.PAUSE, Stage.VERIFICATION, settings={"seconds": 0})],
        Addresses(subscription="s", state=state, engine="tcp://127.0.0.1:1"),
        run="r",
        sources=state.parent,
        folders=(),
        owner="a test",
        reach=Known,
        say=said.append,
    )
    with opening as execution:
        execution.begin("somebody")
        scheduler.settle(execution, Patience(()))
        conclude(execution)
    assert nobodys in left(state)
    assert [
        each.startswith(f"kept definitions in {state / 'definitions'} were not pruned: Entry 1") for each in said
    ] == [True]
    assert [each.body["success"] for each in ledger.after(0, "dev") if each.event is Event.ENDED] == [True]

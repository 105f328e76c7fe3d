"""A run that was killed while it held the lock of a state: the next one breaks that lock, and no other.

With the real engine and its `s3` backend, against a keeper whose locks outlive who took them.
"""

import contextlib
import datetime
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import locks
import pytest
from locks import Keeper, execution, until
from workspace import lease, orphans
from workspace.clients.terraform import launcher
from workspace.errors import Unsettled
from workspace.ledger import Event, Ledger
from workspace.work import Outcome, Result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLACE = "dev/network.tfstate"
STACK = """
resource "terraform_data" "network" {
  provisioner "local-exec" { command = "for each in $(seq 600); do test -e GO && exit 0; sleep 0.05; done" }
}
"""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with contextlib.closing(Keeper()) as made:
        yield made


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    return locks.written(tmp_path, STACK)


def killed(tmp_path: Path, definitions: Path, keeper: Keeper, *, alone: bool = False) -> int:
    """A run that dies while its Terraform applies, with it or alone; the group that its Terraform had."""

    def applies() -> bool:
        return keeper.lock(PLACE).get("Operation") == "OperationTypeApply"

    return locks.killed(tmp_path, definitions, keeper.url, applies, alone=alone)


def test_the_next_run_breaks_the_lock_of_a_run_that_was_killed_and_says_why(
    tmp_path: Path, definitions: Path, keeper: Keeper
) -> None:
    killed(tmp_path, definitions, keeper)
    lock = keeper.lock(PLACE)
    ledger, said = Ledger(tmp_path / "ledger"), list[str]()
    with ledger.hold("dev", "the next"):
        run = execution(tmp_path, definitions, keeper.url, "next", ledger)
        run.begin()
        result = run.apply("network", said.append)
    assert result.outcome is Outcome.CHANGED
    assert keeper.unlocked.count(lock["ID"]) == 1
    assert keeper.lock(PLACE) == {}
    (told,) = [each.body for each in ledger.after(0, "dev", "next") if each.event is Event.UNLOCKED]
    assert (told["lock"]["id"], told["lock"]["who"], told["left_by"]) == (lock["ID"], lock["Who"], "victim")
    assert told["reason"].endswith("of this machine) is gone and recorded no end")
    assert any(line.startswith(f"breaks the lock {lock['ID']} of {lock['Who']}: run victim") for line in said)
    outcome = [each.body for each in ledger.after(0, "dev", "next") if each.event is Event.OUTCOME][-1]
    assert (outcome["way"], outcome["half_done"]["run"]) == ("completed", "victim")


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on this is another machine, which knows nothing of the processes of the one before."""
    monkeypatch.setattr(lease, "_host", lambda: "the-other/0000bbbb")


def applied(tmp_path: Path, definitions: Path, keeper: Keeper, run: str, say: list[str] | None = None) -> Result:
    """What a run makes of the stack."""
    ledger = Ledger(tmp_path / "ledger")
    with ledger.hold("dev", run):
        made = execution(tmp_path, definitions, keeper.url, run, ledger)
        made.begin()
        try:
            return made.apply("network", (say if say is not None else []).append)
        except Unsettled as error:
            return made.fail("network", error)


def test_the_lock_of_a_lost_machine_is_left_until_somebody_gives_the_machine_up(
    tmp_path: Path, definitions: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, definitions, keeper)
    lock = keeper.lock(PLACE)
    elsewhere(monkeypatch)
    refused = applied(tmp_path, definitions, keeper, "too-early")
    assert refused.outcome is Outcome.UNKNOWN
    assert "Terraform may be at work there until" in refused.detail
    assert keeper.lock(PLACE) == lock
    ledger = Ledger(tmp_path / "ledger")
    with ledger.hold("dev", "thandi"):
        orphans.give_up(ledger, "dev", "victim", by="thandi", because="the node was deleted")
    said: list[str] = []
    assert applied(tmp_path, definitions, keeper, "next", said).outcome is Outcome.CHANGED
    assert (keeper.unlocked.count(lock["ID"]), keeper.lock(PLACE)) == (1, {})
    (told,) = [each.body for each in Ledger(tmp_path / "ledger").after(0, "dev") if each.event is Event.UNLOCKED]
    assert told["left_by"] == "victim"
    assert told["reason"].endswith("by thandi: the node was deleted")
    outcome = [each.body for each in Ledger(tmp_path / "ledger").after(0, "dev", "next") if each.node][-1]
    assert (outcome["way"], outcome["half_done"]["run"]) == ("completed", "victim"), "the refusal did not hide it"
    assert any("half-done since" in line for line in said)


def test_what_was_applied_and_not_recorded_is_adopted_on_another_machine(
    tmp_path: Path, definitions: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "go").touch()
    words = [str(Path(__file__).with_name("locks.py")), str(tmp_path), str(definitions), keeper.url, "unrecorded"]
    assert subprocess.run([sys.executable, *words], timeout=60, check=False).returncode == -signal.SIGKILL
    events = [each.event for each in Ledger(tmp_path / "ledger").after(0, "dev", "victim")]
    assert Event.INTENT in events and Event.OUTCOME not in events
    written = keeper.objects[PLACE]
    elsewhere(monkeypatch)
    assert applied(tmp_path, definitions, keeper, "next").outcome is Outcome.UNCHANGED
    assert keeper.objects[PLACE] == written, "nothing is applied again"
    outcome = [each.body for each in Ledger(tmp_path / "ledger").after(0, "dev", "next") if each.node][-1]
    assert (outcome["way"], outcome["half_done"]["run"]) == ("adopted", "victim")


def test_a_terraform_that_outlives_its_run_gives_its_lock_back_by_itself(
    tmp_path: Path, definitions: Path, keeper: Keeper
) -> None:
    group = killed(tmp_path, definitions, keeper, alone=True)
    until(lambda: not launcher.members(group), "it goes on")
    assert keeper.lock(PLACE) == {}
    assert b"terraform_data" in keeper.objects[PLACE], "what it had begun stands in the state"
    (tmp_path / "go").touch()
    assert applied(tmp_path, definitions, keeper, "next").outcome is Outcome.CHANGED
    entries = Ledger(tmp_path / "ledger").after(0)
    assert not [each for each in entries if each.event is Event.UNLOCKED]
    outcome = [each.body for each in entries if each.event is Event.OUTCOME][-1]
    assert (outcome["way"], outcome["half_done"]["run"]) == ("completed", "victim")


@pytest.mark.parametrize(
    ("who", "process", "says"),
    [
        ("ann@worker-7", None, "release the lock with terraform force-unlock when it is not running any more."),
        (
            "ann@worker-7",
            {"host": "worker-7/00", "process": 4, "began": "1", "user": "ann"},
            'say so: workspace lost dev victim --because "…".',
        ),
        ("", lease.here(), "is still at work on this machine: wait until that is over."),
    ],
    ids=["somebody else's", "young, of another machine", "of a living process"],
)
def test_every_other_lock_is_left_alone(
    tmp_path: Path, definitions: Path, keeper: Keeper, who: str, process: Any, says: str
) -> None:
    ledger, here = Ledger(tmp_path / "ledger"), lease.here()
    with ledger.hold("dev", "the next"):
        if process:
            ledger.write("victim", "dev", Event.STARTED, nodes={}, process=process)
            ledger.write("victim", "dev", Event.INTENT, "network", changes=["create a"])
        now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
        owner = who or f"{here['user']}@{here['host'].partition('/')[0]}"
        held = {"ID": "4a70", "Operation": "OperationTypeApply", "Who": owner, "Version": "1.11.4", "Created": now}
        keeper.hold(PLACE, {**held, "Info": "", "Path": ""})
        run = execution(tmp_path, definitions, keeper.url, "next", ledger)
        run.begin()
        with pytest.raises(Unsettled) as told:
            run.apply("network")
    assert str(told.value).endswith(says)
    assert f"is locked by {owner} since " in str(told.value)
    assert ("force-unlock" in str(told.value)) == (process is None), "nobody is told to break what will be broken"
    assert (keeper.unlocked, keeper.lock(PLACE)["ID"]) == ([], "4a70")
    assert not [each for each in ledger.after(0) if each.event is Event.UNLOCKED]

"""A run that was killed while it held the lock of a state: the next one breaks that lock, and no other.

With the real engine and its `s3` backend, against a keeper whose locks outlive who took them.
"""

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from locks import Keeper, execution
from workspace import lease
from workspace.errors import Unsettled
from workspace.ledger import Event, Ledger
from workspace.work import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLACE = "dev/network.tfstate"
STACK = """
resource "terraform_data" "network" {
  provisioner "local-exec" { command = "test -e GO || sleep 30" }
}
"""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with contextlib.closing(Keeper()) as made:
        yield made


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout/infra/terraform/stacks/network"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(STACK.replace("GO", str(tmp_path / "go")))
    return tmp_path / "checkout"


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def killed(tmp_path: Path, definitions: Path, keeper: Keeper) -> None:
    """A run that dies with its Terraform while that applies, as when a machine kills what takes too much memory."""
    command = [sys.executable, str(Path(__file__).with_name("locks.py")), str(tmp_path), str(definitions), keeper.url]
    victim = subprocess.Popen(command)
    try:
        until(lambda: keeper.lock(PLACE).get("Operation") == "OperationTypeApply", "nothing was applied")
        # The run must not see its Terraform die, or it would record that.
        victim.send_signal(signal.SIGSTOP)
        for child in children(victim.pid):
            os.killpg(child, signal.SIGKILL)
    finally:
        victim.kill()
        victim.wait()
    (tmp_path / "go").touch()


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for file in found for each in file.read_text().split()]


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


@pytest.mark.parametrize(
    ("who", "process", "says"),
    [
        ("ann@worker-7", None, "release the lock with terraform force-unlock when it is not running any more."),
        ("ann@worker-7", {"host": "worker-7/00", "process": 4, "began": "1", "user": "ann"}, "once it is 125 min old."),
        ("", lease.here(), "is still at work."),
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
    assert (keeper.unlocked, keeper.lock(PLACE)["ID"]) == ([], "4a70")
    assert not [each for each in ledger.after(0) if each.event is Event.UNLOCKED]

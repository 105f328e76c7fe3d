"""`promote` as a whole, with made-up nodes: its guard, its approval, and how it tells a refusal."""

import asyncio
import contextlib
import contextvars
import functools
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect_server import Server
from small_promotions import THREE, Scripted, instead_of_the_catalogue, node, register, unregister
from workspace import gate
from workspace.ledger import Event, Ledger
from workspace.node import Stage
from workspace.preflight.finding import Report, Rule, Severity

from flows.promote import promote
from flows.rebuild import rebuild

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("server")]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scripted:
    """Three made-up nodes in place of the catalogue, with a ledger of their own."""
    scripted = Scripted()
    instead_of_the_catalogue(THREE, scripted, monkeypatch.setattr)
    register(tmp_path, "dev", "staging", "prod")
    return scripted


def promoted(environment: str, **parameters: Any) -> State[Any]:
    flow: Any = promote
    state: State[Any] = asyncio.run(flow(environment, return_state=True, **parameters))
    return state


def endings(folder: Path) -> list[str]:
    return [each.body["sentence"] for each in Ledger(folder).after(0) if each.event is Event.ENDED]


def test_a_promotion_says_how_many_nodes_changed(kind: Scripted, tmp_path: Path) -> None:
    state = promoted("dev")
    assert (state.name, state.message) == ("Promoted", "promote/dev: 3 of 3 nodes changed.")
    assert endings(tmp_path) == [state.message]


def test_a_release_is_proven_only_by_a_run_that_verified(
    kind: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promoted("dev")
    assert Ledger(tmp_path).proven("dev") is None
    nodes = (*THREE, node("check", Stage.VERIFICATION, "later"))
    instead_of_the_catalogue(nodes, kind, monkeypatch.setattr)
    state = promoted("dev")
    release = Ledger(tmp_path).proven("dev")
    assert release is not None
    assert (state.message or "").endswith(f"Release {release.id} is proven in dev.")


def test_nothing_proven_before_is_a_refusal_in_a_sentence(kind: Scripted, tmp_path: Path) -> None:
    state = promoted("staging")
    told = "staging carries what dev proved, and nothing is proven there yet; run promote/dev first."
    assert (state.type.value, state.name, state.message) == ("FAILED", "Refused", told)
    assert endings(tmp_path) == [told]
    assert kind.applied == []


def test_definitions_that_would_fail_are_refused_with_an_artifact_before_anything_is_touched(
    kind: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server
) -> None:
    wrong = Rule("terraform/made-up", Severity.ERROR, "A made-up thing is wrong.", "Because.", "Mend it.")
    report = Report(findings=(wrong.at("infra/a|b.tf:3", "it is wrong", "dev"),))
    monkeypatch.setattr(gate.engine, "look", lambda *_, **__: report)
    monkeypatch.setattr(gate, "user_cache_path", lambda _: tmp_path / "cache")
    state = promoted("dev")
    assert state.name == "Refused"
    assert (state.message or "").startswith(
        "Preflight finds 1 error in the definitions, and nothing was touched: infra/a|b.tf:3: it is wrong"
    )
    assert endings(tmp_path) == [state.message]
    assert kind.applied == []
    found = server.post("artifacts/filter", {"artifacts": {"key": {"any_": ["preflight-dev"]}}}).json()
    assert any("| error | infra/a\\|b.tf:3 | it is wrong | dev |" in each["data"] for each in found)


def test_a_deployment_of_another_environment_is_refused(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__NAME", "staging")
    state = promoted("dev")
    assert (state.name, state.message) == (
        "Refused",
        "The deployment promote/staging was asked to work on dev, and nothing was touched; "
        "run the deployment of dev instead.",
    )
    assert kind.applied == []


def test_an_environment_nobody_knows_is_refused_before_the_flow_runs() -> None:
    flow: Any = promote
    with pytest.raises(Exception, match="'world', 'dev', 'staging' or 'prod'"):
        asyncio.run(flow("qa"))


def test_an_environment_without_addresses_is_refused_with_what_to_do() -> None:
    unregister("world")
    state = promoted("world")
    assert state.name == "Refused"
    assert "python -m deployments.register" in (state.message or "")


def test_one_run_at_a_time_is_at_work_in_an_environment(
    kind: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[State[Any]] = []
    promoting = functools.partial(contextvars.copy_context().run, lambda: ended.append(promoted("dev")))
    thread = threading.Thread(target=promoting)
    with Ledger(tmp_path).hold("dev", "another run"):
        thread.start()
        until(lambda: "waiting for another run" in caplog.text)
        assert kind.applied == []
    thread.join(timeout=60)
    assert [state.name for state in ended] == ["Promoted"]


def cancelled_once(true: Callable[[], object]) -> None:
    """Promote dev, and cancel that as soon as something is true."""
    flow: Any = promote

    async def promotion() -> None:
        run = asyncio.create_task(flow("dev", return_state=True))
        while not true():
            assert not run.done()
            await asyncio.sleep(0.05)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run

    asyncio.run(promotion())


def test_a_run_that_is_cancelled_while_it_waits_leaves_the_line_and_touches_nothing(
    kind: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(tmp_path).hold("dev", "another run"):
        entries = len(Ledger(tmp_path).after(0))
        cancelled_once(lambda: "waiting for another run" in caplog.text)
        assert json.loads((tmp_path / "dev.lease").read_text())["line"] == []
        assert len(Ledger(tmp_path).after(0)) == entries
    assert re.search(r"flow run \S+ stopped waiting for dev; nothing was touched\.", caplog.text)
    assert kind.applied == []


def test_a_run_that_is_cancelled_while_a_node_waits_for_the_zone_gives_the_environment_free(
    kind: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = replace(node("record", Stage.NAMES), shares=("zone",))
    instead_of_the_catalogue([record], kind, monkeypatch.setattr)
    with Ledger(tmp_path).share("zone", "staging"):
        cancelled_once(lambda: "waiting for staging" in caplog.text)
        assert json.loads((tmp_path / "zone.shared.lease").read_text())["line"] == []
        assert Ledger(tmp_path).holder("dev") == ""
    assert kind.applied == []
    assert "the run was stopped by CancelledError before its end" in endings(tmp_path)[-1]


def until(true: Callable[[], object]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it never came true")


def test_a_rebuild_asks_for_everything_afresh(kind: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, bool]] = []

    def nodes(place: Any, fresh: bool = False) -> tuple[Any, ...]:
        asked.append((place.name, fresh))
        return THREE

    monkeypatch.setattr("deployments.nodes", nodes)
    flow: Any = rebuild
    state = asyncio.run(flow("dev", return_state=True))
    # dev is built afresh; the others are only written down, for its release to take along
    assert (state.name, asked) == ("Promoted", [("dev", True), ("staging", False), ("prod", False)])


def test_a_rebuild_that_fails_says_why(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_the_catalogue((node("image", Stage.IMAGES, fails="no disk"),), kind, monkeypatch.setattr)
    flow: Any = rebuild
    state = asyncio.run(flow("dev", return_state=True))
    assert state.is_failed()
    assert "image failed: no disk." in (state.message or "")


def test_what_carries_a_release_is_never_rebuilt(kind: Scripted) -> None:
    flow: Any = rebuild
    state = asyncio.run(flow("staging", return_state=True))
    assert state.message == "staging carries what was proven before and is never rebuilt; run promote/staging."


# ---- approval


class Person:
    """Somebody who waits for a run to pause, reads what it asks for, and answers through the API."""

    def __init__(self, server: Server, change: str = "") -> None:
        self._server, self._change = server, change
        self.question = ""
        self.applied_before: list[str] | None = None
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def answers(self, kind: Scripted) -> State[Any]:
        self._kind = kind
        self._thread.start()
        state = promoted("prod")
        self._thread.join()
        return state

    def _answer(self) -> None:
        run = self._paused()
        self.applied_before = list(self._kind.applied)
        keys = run["state"]["state_details"]["run_input_keyset"]
        self.question = self._read(f"flow_runs/{run['id']}/input/{keys['description']}")
        phrase = re.findall(r"`(.+)`", self.question)[0] + self._change
        answer = {"run_input": {"phrase": phrase, "approver": "a person"}}
        self._server.post(f"flow_runs/{run['id']}/resume", answer).raise_for_status()

    def _read(self, path: str) -> str:
        """What the run asks for; it reaches the server a moment after the pause."""
        for _ in range(300):
            answer = self._server.get(path)
            if answer.is_success:
                return str(answer.json())
            time.sleep(0.1)
        raise AssertionError("the run never said what it asks for")

    def _paused(self) -> dict[str, Any]:
        wanted = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}, "name": {"any_": ["promote-prod"]}}}
        for _ in range(300):
            found = self._server.post("flow_runs/filter", wanted).json()
            if found:
                first: dict[str, Any] = found[0]
                return first
            time.sleep(0.1)
        raise AssertionError("the run never asked for approval")


@pytest.fixture
def guarded(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """As `kind`, in an environment that builds its own release and asks for approval."""
    instead_of_the_catalogue(THREE, kind, monkeypatch.setattr, needs_approval=True)
    return kind


def test_nothing_is_applied_before_the_right_phrase_and_then_all_of_it(
    server: Server, guarded: Scripted, tmp_path: Path
) -> None:
    person = Person(server)
    state = person.answers(guarded)
    assert person.applied_before == []
    assert re.search(r"Plan [0-9a-f]{12} is in the artifact plan-prod", person.question)
    assert re.search(r"`DEPLOY TO PROD [0-9a-f]{12}`", person.question)
    assert (state.name, sorted(guarded.applied)) == ("Promoted", ["first", "later", "long"])
    (approved,) = [entry.body for entry in Ledger(tmp_path).after(0) if entry.event is Event.APPROVED]
    assert approved["approver"] == "a person"


def test_another_phrase_refuses_and_nothing_is_applied(server: Server, guarded: Scripted, tmp_path: Path) -> None:
    state = Person(server, change="!").answers(guarded)
    assert state.name == "Refused"
    assert re.fullmatch(
        r"The plan [0-9a-f]{12} for prod was not approved: the phrase was not `DEPLOY TO PROD [0-9a-f]{12}`\.",
        state.message or "",
    )
    assert guarded.applied == []
    assert endings(tmp_path) == [state.message]

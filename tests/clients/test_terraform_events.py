"""Lines of Terraform's output become progress, diagnostics and outputs."""

import json
from typing import Any

import pytest
from workspace.clients.terraform import Diagnostic, Stream, events
from workspace.clients.terraform.events import text_diagnostics


def event(kind: str, **rest: Any) -> str:
    return json.dumps({"@level": "info", "@message": "", "type": kind, **rest})


def hook(action: str, seconds: int = 0) -> dict[str, Any]:
    return {"hook": {"resource": {"addr": "azurerm_subnet.aks"}, "action": action, "elapsed_seconds": seconds}}


def said_about(*lines: str, mask: Any = str) -> list[str]:
    said: list[str] = []
    stream = Stream(say=said.append, mask=mask)
    for line in lines:
        stream.line(line)
    return said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (event("apply_start", **hook("create")), "creating azurerm_subnet.aks"),
        (event("apply_progress", **hook("update", 30)), "still updating azurerm_subnet.aks after 30 s"),
        (event("apply_complete", **hook("delete", 12)), "deleted azurerm_subnet.aks in 12 s"),
        (event("apply_errored", **hook("create", 3)), "failed creating azurerm_subnet.aks after 3 s"),
        (
            event("planned_change", change={"action": "create", "resource": {"addr": "azurerm_subnet.aks"}}),
            "will create azurerm_subnet.aks",
        ),
        (
            event("change_summary", changes={"add": 3, "change": 0, "remove": 1, "operation": "plan"}),
            "3 to be added, 1 to be destroyed",
        ),
        (
            event("diagnostic", diagnostic={"severity": "warning", "summary": "Old", "detail": "very old"}),
            "warning: Old: very old",
        ),
    ],
)
def test_an_event_becomes_a_short_line(line: str, said: str) -> None:
    assert said_about(line) == [said]


@pytest.mark.parametrize(
    "line",
    [
        event("refresh_start", **hook("read")),
        event("apply_start", **hook("read")),
        event("something_new", surprise={"of": "a later version"}),
        event("apply_complete"),
        "",
        "{not json",
        '{"just": "json"}',
    ],
)
def test_what_nobody_needs_is_not_said(line: str) -> None:
    assert [each for each in said_about(line) if "azurerm" in each] == []


def test_secrets_are_masked_in_what_is_said() -> None:
    line = event("diagnostic", diagnostic={"severity": "error", "summary": "bad", "detail": "password is hunter22"})
    assert said_about(line, mask=lambda text: text.replace("hunter22", "(sensitive)")) == [
        "error: bad: password is (sensitive)"
    ]


def test_secrets_are_masked_in_what_is_kept() -> None:
    stream = Stream(say=lambda _: None, mask=lambda text: text.replace("hunter22", "(sensitive)"))
    stream.line(event("diagnostic", diagnostic={"severity": "error", "summary": "hunter22", "detail": "hunter22"}))
    stream.line("Error: hunter22")
    assert "hunter22" not in repr(stream.errors)


def test_a_diagnostic_knows_its_place() -> None:
    told = Diagnostic("error", "no", "", "azurerm_subnet.aks", "main.tf", 7)
    assert str(told) == "no (azurerm_subnet.aks, main.tf:7)"


def test_a_diagnostic_says_the_innermost_cause() -> None:
    summary = "creating Subnet (Name: x): performing CreateOrUpdate: unexpected status 404 with error: NotFound: gone"
    assert Diagnostic("error", summary).cause == "NotFound: gone"


def test_plain_text_errors_are_read_where_there_is_no_other() -> None:
    text = "\x1b[31m╷\n│ Error: Invalid version\n│ \n│   on main.tf line 3:\n│ It is too old.\n╵\x1b[0m\n"
    told = text_diagnostics(text, str)
    assert told[0].summary == "Invalid version"
    assert "It is too old." in told[0].detail


@pytest.mark.parametrize(
    ("lines", "addresses"),
    [
        (("creating a.b",), set()),
        (("creating a.b", "failed creating a.b after 2 s"), set()),
        (("creating a.b", "created a.b in 2 s"), {"a.b"}),
        (
            ('created module.net.azurerm_subnet.this["aks zone"] in 12 s',),
            {'module.net.azurerm_subnet.this["aks zone"]'},
        ),
        (("still creating a.b after 10 s", "still creating a.b after 20 s"), {"a.b"}),
        (("created a.b in 2 s", "deleted a.b in 1 s"), set()),
        (("deleted a.b in 1 s", "created a.b in 2 s"), {"a.b"}),
        (("updated a.b in 2 s", "error: created a.b in 2 s, or so"), set()),
    ],
)
def test_what_a_command_made_is_read_from_what_it_said(lines: tuple[str, ...], addresses: set[str]) -> None:
    assert events.made(lines) == addresses


@pytest.mark.parametrize(
    ("kind", "is_made"), [("apply_complete", True), ("apply_progress", True), ("apply_start", False)]
)
def test_what_was_made_is_read_from_the_very_lines_that_are_said(kind: str, is_made: bool) -> None:
    hook = {"action": "create", "resource": {"addr": "module.a.b.c"}, "elapsed_seconds": 12}
    line = events.progress_of({"type": kind, "hook": hook})
    assert events.made([line]) == ({"module.a.b.c"} if is_made else set())

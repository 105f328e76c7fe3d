"""A plan is summed up by addresses and names, never by values."""

import json
from typing import Any

import pytest
from workspace.clients.terraform import HIDDEN, Action, scrub, secrets, summary

CANARY = "canary-4711"


def entry(address: str, *actions: str, **change: Any) -> dict[str, Any]:
    return {"address": address, "change": {"actions": list(actions), **change}}


def test_changes_are_told_by_action() -> None:
    plan = {
        "resource_changes": [
            entry("a.new", "create"),
            entry("a.same", "no-op"),
            entry("a.tagged", "update", before={"tags": 1, "name": "x"}, after={"tags": 2, "name": "x"}),
            entry("a.gone", "delete"),
            {**entry("a.again", "delete", "create"), "action_reason": "replace_because_tainted"},
            {**entry("a.again2", "create", "delete"), "action_reason": "replace_because_cannot_update"},
            entry("data.a.read", "read"),
            entry("a.adopted", "no-op", importing={"id": "x"}),
            {**entry("a.there", "no-op"), "previous_address": "a.here"},
            entry("a.left", "forget"),
        ]
    }
    assert summary(plan).lines == (
        "create a.new",
        "update a.tagged (tags)",
        "delete a.gone",
        "replace a.again (because tainted)",
        "replace a.again2 (because cannot update)",
        "import a.adopted",
        "move a.there",
        "forget a.left",
    )


def test_an_output_that_changes_is_a_change() -> None:
    told = summary({"output_changes": {"host": {"actions": ["update"]}, "same": {"actions": ["no-op"]}}})
    assert not told.is_empty
    assert told.lines == ("update output.host",)


def test_a_plan_that_does_nothing_is_empty() -> None:
    assert summary({"resource_changes": [entry("a.same", "no-op"), entry("data.a.read", "read")]}).is_empty


def test_outputs_that_are_not_known_yet_are_named() -> None:
    told = summary({"output_changes": {"id": {"actions": ["create"], "after_unknown": {"deep": [True]}}}})
    assert told.unknown_outputs == ("id",)


def test_what_is_put_off_is_named() -> None:
    told = summary({"deferred_changes": [{"reason": "x", "resource_change": entry("a.later", "create")}]})
    assert told.deferred == ("a.later",)
    assert not told.is_empty


def test_drift_names_what_changed() -> None:
    told = summary({"resource_drift": [entry("a.b", "update", before={"tags": None}, after={"tags": {"by": "hand"}})]})
    assert told.drift[0].attributes == ("tags",)
    assert told.is_empty


def test_an_action_of_a_later_version_is_an_update() -> None:
    assert summary({"resource_changes": [entry("a.b", "transmogrify")]}).changes[0].action is Action.UPDATE


PLANS_WITH_A_CANARY = [
    {"variables": {"password": {"value": CANARY}}},
    {
        "variables": {"password": {"value": {"deep": [CANARY]}}},
        "configuration": {"root_module": {"variables": {"password": {"sensitive": True}}}},
    },
    {"resource_changes": [entry("a.b", "create", after={"x": CANARY}, after_sensitive={"x": True})]},
    {"resource_changes": [entry("a.b", "update", before={"x": [CANARY]}, before_sensitive={"x": [True]})]},
    {"resource_drift": [entry("a.b", "update", before={"x": [{"y": CANARY}]}, before_sensitive={"x": [{"y": True}]})]},
    {"output_changes": {"x": {"actions": ["create"], "after": CANARY, "after_sensitive": True}}},
    {"planned_values": {"outputs": {"x": {"sensitive": True, "value": f"Server={CANARY}"}}}},
    {
        "planned_values": {
            "root_module": {
                "child_modules": [{"resources": [{"values": {"x": CANARY}, "sensitive_values": {"x": True}}]}]
            }
        }
    },
    {
        "prior_state": {
            "values": {"root_module": {"resources": [{"values": {"x": CANARY}, "sensitive_values": {"x": True}}]}}
        }
    },
    {
        "resource_changes": [
            entry("a.b", "create", after={"x": CANARY, "copied": f"it is {CANARY}"}, after_sensitive={"x": True})
        ]
    },
]


@pytest.mark.parametrize("plan", PLANS_WITH_A_CANARY)
def test_a_canary_is_found_and_hidden_wherever_it_sits(plan: dict[str, Any]) -> None:
    assert any(CANARY in each for each in secrets(plan))
    assert CANARY not in json.dumps(scrub(plan))
    assert CANARY not in repr(summary(plan))
    assert HIDDEN in json.dumps(scrub(plan))


def test_what_is_not_sensitive_may_be_shown() -> None:
    plan = {"resource_changes": [entry("a.b", "create", after={"sku": "Standard"}, after_sensitive={"sku": False})]}
    assert scrub(plan) == plan

"""Everything Terraform and OpenTofu were recorded to say is understood, and nothing secret is passed on."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Stream, scrub, secrets, summary, translate
from workspace.errors import Broken, Refused, Unsettled

FOLDER = Path(os.environ.get("WIRE_SAMPLES", "")) / "terraform" / "dev" if os.environ.get("WIRE_SAMPLES") else None
RECORDED = sorted(each.name for each in FOLDER.iterdir()) if FOLDER and FOLDER.is_dir() else []
STREAMS = [name for name in RECORDED if name.endswith(".txt")] or ["none recorded"]
PLANS = [name for name in RECORDED if name.startswith(("plan-", "tofu-eq-")) or "show-plan" in name]
PLANS = PLANS or ["none recorded"]
FAILED = {
    "tf1114-10-plan-missing-var-json.txt": Refused,
    "tf1114-18-plan-state-locked-json.txt": Unsettled,
    "tf1114-20-apply-double-interrupt-json.txt": Broken,
    "tf1114-23-plan-syntax-error-json.txt": Refused,
    "tf1114-24-plan-provider-not-installed-json.txt": Refused,
    "tf1114-25-init-offline-provider-json.txt": Unsettled,
    "tofu-stream-apply-json-with-provisioner-error-apply.txt": Broken,
    "tofu-stream-plan-import-config-gen-validation-error-plan.txt": Refused,
    "tofu-stream-plan-json-error-plan.txt": Refused,
}


def taken_in(text: str) -> tuple[Stream, list[str]]:
    said: list[str] = []
    stream = Stream(say=said.append, mask=str)
    for line in text.splitlines():
        stream.line(line)
    return stream, said


def sample(samples: Path, name: str) -> str:
    return (samples / "terraform" / "dev" / name).read_text()


def plan_in(samples: Path, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(sample(samples, name))
    return told.get("plan.json", told)


def marked_texts(value: Any, marks: Any) -> Iterator[str]:
    """Texts beside a true mark, found independently of the code under test."""
    if marks is True:
        yield from (str(each) for each in flat(value))
    elif isinstance(marks, dict) and isinstance(value, dict):
        for name in marks:
            yield from marked_texts(value.get(name), marks[name])
    elif isinstance(marks, list) and isinstance(value, list):
        for one, mark in zip(value, marks, strict=False):
            yield from marked_texts(one, mark)


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from flat(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_is_understood(samples: Path, name: str) -> None:
    stream, said = taken_in(sample(samples, name))
    assert all(len(line) < 700 and "\n" not in line for line in said)
    assert all(each.summary for each in stream.diagnostics)


@pytest.mark.parametrize("name", [name for name in STREAMS if name.startswith("tf1114")] or ["none recorded"])
def test_the_verdict_agrees_with_the_recorded_exit_code(samples: Path, name: str) -> None:
    codes = json.loads(sample(samples, "tf1114-exit-codes.json"))
    code = codes[name.removeprefix("tf1114-").removesuffix(".txt")]
    stream, _ = taken_in(sample(samples, name))
    if "-text" in name:
        pytest.skip("the recording has no error, only the wait for the lock")
    assert bool(stream.errors) == (code not in (0, 2))
    if "plan" in name and "show" not in name and "detailed" in name:
        assert (stream.changed > 0) == (code == 2)


@pytest.mark.parametrize(("name", "verdict"), FAILED.items())
def test_every_recorded_failure_has_its_verdict(samples: Path, name: str, verdict: type[Exception]) -> None:
    stream, _ = taken_in(sample(samples, name))
    doing = next(word for word in ("init", "apply", "plan") if f"-{word}-" in name.replace(".txt", "-"))
    if name.endswith("-apply.txt"):
        doing = "apply"
    if name.endswith("-plan.txt"):
        doing = "plan"
    assert type(translate("network", doing, stream.errors, 1, "")) is verdict


def test_the_recorded_lock_names_who_holds_it(samples: Path) -> None:
    stream, _ = taken_in(sample(samples, "tf1114-18-plan-state-locked-json.txt"))
    said = str(translate("network", "plan", stream.errors, 1, ""))
    assert "user@host" in said and "OperationTypeApply" in said and "4a70a885-a90d-d648-c52d-c66b8c36e3d8" in said


@pytest.mark.parametrize("name", PLANS)
def test_every_recorded_plan_has_a_summary(samples: Path, name: str) -> None:
    plan = plan_in(samples, name)
    actions = [each["change"]["actions"] for each in plan.get("resource_changes", [])]
    told = summary(plan)
    assert len(told.creates) == actions.count(["create"])
    assert len(told.updates) == actions.count(["update"])
    assert len(told.deletes) == actions.count(["delete"])
    assert len(told.replaces) == sum(len(each) == 2 for each in actions)
    assert len(told.drift) == len(plan.get("resource_drift", []))


@pytest.mark.parametrize("name", PLANS)
def test_nothing_marked_sensitive_is_in_a_summary_or_a_plan_that_may_be_shown(samples: Path, name: str) -> None:
    plan = plan_in(samples, name)
    hidden: set[str] = set()
    for entry in plan.get("resource_changes", []):
        for side in ("before", "after"):
            hidden |= set(marked_texts(entry["change"].get(side), entry["change"].get(f"{side}_sensitive")))
    hidden |= {output["value"] for output in outputs_of(plan) if output.get("sensitive") and "value" in output}
    hidden = {each for each in hidden if isinstance(each, str) and len(each) > 3}
    shown = json.dumps(scrub(plan)) + "".join(summary(plan).lines)
    assert not [each for each in hidden if each in shown]
    assert hidden <= secrets(plan)


def outputs_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return list(plan.get("planned_values", {}).get("outputs", {}).values())


def test_the_secret_of_the_recorded_workspace_is_nowhere(samples: Path) -> None:
    plan = plan_in(samples, "tf1114-03-show-plan-json.txt")
    assert "s3cr3t" in json.dumps(plan)
    assert "s3cr3t" not in json.dumps(scrub(plan))
    assert "s3cr3t" not in repr(summary(plan))

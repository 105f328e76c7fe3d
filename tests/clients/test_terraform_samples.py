"""Everything Terraform and OpenTofu were recorded to say is understood, and nothing secret is passed on.

Each file of the samples is a case. What is expected is counted from the recording by other means than those under test.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence, files_of
from workspace.clients.terraform import Locked, Outputs, Stream, Terraform, folders, scrub, secrets, summary, translate
from workspace.errors import Broken, Refused, Unsettled

FOLDER = "terraform/dev"
FAILED: Mapping[str, type[Exception]] = {
    "tf1114-10-plan-missing-var-json.txt": Refused,
    "tf1114-18-plan-state-locked-json.txt": Locked,
    "tf1114-19-plan-state-locked-text.txt": Locked,
    "tf1114-20-apply-double-interrupt-json.txt": Broken,
    "tf1114-23-plan-syntax-error-json.txt": Refused,
    "tf1114-24-plan-provider-not-installed-json.txt": Refused,
    "tf1114-25-init-offline-provider-json.txt": Unsettled,
    "tofu-stream-apply-json-with-provisioner-error-apply.txt": Broken,
    "tofu-stream-plan-import-config-gen-validation-error-plan.txt": Refused,
    "tofu-stream-plan-json-error-plan.txt": Refused,
}
DONE = {"create": "created", "update": "updated", "delete": "deleted"}
Event = dict[str, Any]


@pytest.mark.slow
@pytest.mark.evidence("terraform")
def test_every_recording_is_understood(samples: Path, tmp_path: Path, evidence: Evidence) -> None:
    def understood(file: str) -> str:
        evidence.used(file)
        name = Path(file).name
        sort, check = next((sort, check) for pattern, sort, check in SORTS if re.search(pattern, name))
        check(samples, name, tmp_path)
        return sort

    evidence.each(files_of("terraform", samples), understood)


def test_every_failure_that_is_expected_is_recorded(samples: Path) -> None:
    assert set(FAILED) <= {Path(file).name for file in files_of("terraform", samples)}


# --- what a command says while it works


def stream(samples: Path, name: str, _: Path) -> None:
    """A stream of events, with text between them."""
    lines = sample(samples, name).splitlines()
    taken, said = taken_in(lines)
    assert taken.text == [line for line in lines if line.strip() and parsed(line) is None]
    events = [event for line in lines if (event := parsed(line)) is not None]
    taken.text.append(complaint(samples, name))
    assert_told(events, taken, said)
    assert_verdict(samples, name, taken)


def assert_told(events: list[Event], taken: Stream, said: list[str]) -> None:
    """Changes, diagnostics, drift and outputs are those of the events, and a person is told each of them once."""
    of = {kind: [each for each in events if each.get("type") == kind] for kind in KINDS}
    assert all(len(line) < 700 and "\n" not in line for line in said)

    told = [each["diagnostic"] for each in of["diagnostic"]]
    shown = [(each.severity, each.summary, each.detail, each.address, each.line) for each in taken.diagnostics]
    assert shown == [(d["severity"], d["summary"], d.get("detail", ""), d.get("address", ""), line_of(d)) for d in told]
    drifted = [(each["change"]["action"], each["change"]["resource"]["addr"]) for each in of["resource_drift"]]
    assert taken.drift == drifted
    assert taken.outputs == (of["outputs"][-1]["outputs"] if of["outputs"] else {})
    assert taken.changed == (total(of["change_summary"][-1]) if of["change_summary"] else 0)

    planned = [f"will {each['change']['action']} {each['change']['resource']['addr']}" for each in of["planned_change"]]
    assert [line for line in said if line.startswith("will ")] == planned
    ended = Counter(
        f"{DONE[each['hook']['action']]} {each['hook']['resource']['addr']}"
        for each in of["apply_complete"]
        if each["hook"]["action"] != "read"
    )
    assert Counter(re.sub(r" in \d+ s$", "", line) for line in said if line.startswith(tuple(DONE.values()))) == ended
    assert len([line for line in said if line.startswith("failed ")]) == len(of["apply_errored"])


KINDS = (
    *("diagnostic", "resource_drift", "outputs", "change_summary", "planned_change"),
    *("apply_complete", "apply_errored"),
)


def total(event: Event) -> int:
    return sum(int(event["changes"].get(word, 0)) for word in ("add", "change", "remove", "import"))


def line_of(diagnostic: Event) -> int:
    return int(diagnostic["range"]["start"]["line"]) if diagnostic.get("range") else 0


def assert_verdict(samples: Path, name: str, taken: Stream) -> None:
    """The error is the one expected, and there is none where the recorded exit code says that all went well."""
    code = exit_code(samples, name)
    if name not in FAILED:
        assert taken.errors == [] and code in (0, 2, None)
    else:
        assert taken.errors and code not in (0, 2)
        assert type(translate("network", doing(name), taken.errors, code or 1, "")) is FAILED[name]
    if "detailed" in name:
        assert (taken.changed > 0) == (code == 2)


def doing(name: str) -> str:
    """The command of a recording."""
    if name.startswith("tofu-stream"):
        return name.removesuffix(".txt").rpartition("-")[2]
    return next(word for word in ("init", "apply", "plan") if f"-{word}-" in name)


def exit_code(samples: Path, name: str) -> int | None:
    codes = json.loads(sample(samples, "tf1114-exit-codes.json"))
    found = codes.get(name.removeprefix("tf1114-").removesuffix(".txt"))
    assert (found is None) == (not name.startswith("tf1114-")), "every recording of ours has its code"
    return found


def complaint(samples: Path, name: str) -> str:
    """What was said on the other channel; the list of the samples quotes it."""
    title = next(each["title"] for each in json.loads((samples / "INDEX.json").read_text()) if name in each["path"])
    _, found, quoted = title.partition("stderr: ")
    return str(ast.literal_eval(quoted)) if found else ""


def test_the_recorded_lock_names_who_holds_it(samples: Path) -> None:
    taken, _ = taken_in(sample(samples, "tf1114-18-plan-state-locked-json.txt").splitlines())
    said = str(translate("network", "plan", taken.errors, 1, ""))
    assert "user@host" in said and "OperationTypeApply" in said and "4a70a885-a90d-d648-c52d-c66b8c36e3d8" in said


# --- plans


def plan(samples: Path, name: str, _: Path) -> None:
    """A plan alone."""
    assert_summary(plan_in(samples, name))


def equivalence(samples: Path, name: str, _: Path) -> None:
    """A plan, the events of applying it where it was applied, and the state after that, which agree."""
    recorded = json.loads(sample(samples, name))
    assert_summary(recorded["plan.json"])
    if "apply.json" not in recorded:
        assert set(recorded) == {"plan.json"}
        return
    events = recorded["apply.json"]
    taken, said = taken_in([json.dumps(event) for event in events])
    assert_told(events, taken, said)
    assert taken.errors == []
    told = summary(recorded["plan.json"])
    # a replacement is one thing added and one destroyed
    changes = len(told.creates) + len(told.updates) + len(told.deletes) + 2 * len(told.replaces) + len(told.imports)
    assert taken.changed == changes
    kept = outputs_of(recorded["state.json"].get("values", {}))
    assert {name: output["value"] for name, output in taken.outputs.items() if "value" in output} == {
        name: output["value"] for name, output in kept.items()
    }


def assert_summary(plan: Event) -> None:
    """Every change is counted by what happens to it, and nothing marked sensitive is told."""
    actions = [each["change"]["actions"] for each in plan.get("resource_changes", [])]
    told = summary(plan)
    assert len(told.creates) == actions.count(["create"])
    assert len(told.updates) == actions.count(["update"])
    assert len(told.deletes) == actions.count(["delete"])
    assert len(told.replaces) == sum(sorted(each) == ["create", "delete"] for each in actions)
    assert len(told.drift) == len(plan.get("resource_drift", []))
    outputs = [each["actions"] for each in (plan.get("output_changes") or {}).values()]
    assert len(told.outputs) == sum(each != ["no-op"] for each in outputs)
    assert len(told.lines) == len(told.changes) + len(told.outputs) + len(told.deferred)
    assert told.is_empty == (not told.lines)

    hidden = {each for each in marked(plan) if len(each) > 3}
    shown = json.dumps(scrub(plan)) + "".join(told.lines)
    assert not [each for each in hidden if each in shown]
    assert hidden <= secrets(plan)


def marked(plan: Event) -> Iterator[str]:
    """Texts beside a true mark, found independently of the code under test."""
    for entry in plan.get("resource_changes", []):
        for side in ("before", "after"):
            yield from marked_texts(entry["change"].get(side), entry["change"].get(f"{side}_sensitive"))
    for output in outputs_of(plan.get("planned_values", {})).values():
        if output.get("sensitive"):
            yield from flat(output.get("value"))


def marked_texts(value: Any, marks: Any) -> Iterator[str]:
    if marks is True:
        yield from flat(value)
    elif isinstance(marks, dict) and isinstance(value, dict):
        for name in marks:
            yield from marked_texts(value.get(name), marks[name])
    elif isinstance(marks, list) and isinstance(value, list):
        for one, mark in zip(value, marks, strict=False):
            yield from marked_texts(one, mark)


def flat(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from flat(each)
    elif isinstance(value, str):
        yield value


def test_the_secret_of_the_recorded_workspace_is_nowhere(samples: Path) -> None:
    recorded = plan_in(samples, "tf1114-03-show-plan-json.txt")
    assert "s3cr3t" in json.dumps(recorded)
    assert "s3cr3t" not in json.dumps(scrub(recorded))
    assert "s3cr3t" not in repr(summary(recorded))


# --- outputs, states, versions: through the command itself, played by a program that says what was recorded


def outputs(samples: Path, name: str, home: Path) -> None:
    """The outputs are those of the state that was shown after the same apply, and no value of a sensitive one is."""
    state = {"tf1114-05-output-json.txt": "tf1114-06-show-state-json.txt"}.get(name, "tf1114-29-show-json-no-state.txt")
    kept = outputs_of(json.loads(sample(samples, state)).get("values", {}))
    found = played(samples, home, output=name).stack(definitions=stack_in(home), root="a", work=home / "work").outputs()
    assert found == Outputs(
        {name: each["value"] for name, each in kept.items() if not each["sensitive"]},
        tuple(sorted(name for name, each in kept.items() if each["sensitive"])),
    )
    assert "s3cr3t" not in repr(found)


def state(samples: Path, name: str, home: Path) -> None:
    """A state that was shown is compared with the outputs that were printed beside it."""
    printed = {"tf1114-06-show-state-json.txt": "tf1114-05-output-json.txt"}.get(
        name, "tf1114-28-output-json-empty.txt"
    )
    outputs(samples, printed, home)


def version(samples: Path, name: str, home: Path) -> None:
    found = played(samples, home, version=name).version()
    assert found.number == json.loads(sample(samples, name))["terraform_version"]


def played(samples: Path, home: Path, **commands: str) -> Terraform:
    """Terraform, where the program prints the recordings and does nothing else."""
    commands = {"version": "tf1114-30-version-json.txt", **commands}
    cases = "\n".join(f"{word}) cat '{samples / FOLDER / name}';;" for word, name in commands.items())
    program = home / "bin" / "terraform"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}\nesac\n')
    program.chmod(0o755)
    return Terraform(backend={}, programs=program.parent)


def stack_in(home: Path) -> Path:
    (home / "definitions" / "a").mkdir(parents=True, exist_ok=True)
    (home / "definitions" / "a" / "main.tf").write_text("")
    return home / "definitions"


# --- what the recordings were made with


def codes(samples: Path, name: str, _: Path) -> None:
    """Each recording of ours that is here has its exit code."""
    known = json.loads(sample(samples, name))
    recorded = [Path(file).name for file in files_of("terraform", samples) if re.search(r"tf1114-\d", file)]
    assert recorded and {each.removeprefix("tf1114-").removesuffix(".txt") for each in recorded} <= set(known)


def definition(samples: Path, name: str, home: Path) -> None:
    """What the plan creates stands in the definitions, and the variables they call sensitive are found."""
    text = sample(samples, name)
    (home / "defined").mkdir(exist_ok=True)
    (home / "defined" / "main.tf").write_text(text)
    hidden = re.findall(r'variable "(\w+)" \{[^}]*sensitive\s*=\s*true', text)
    assert folders.sensitive_variables(home / "defined") == set(hidden)
    declared = {".".join(pair) for pair in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)}
    created = summary(plan_in(samples, "tf1114-03-show-plan-json.txt")).creates
    here = {
        re.sub(r"^module\.\w+\.|\[.*\]$", "", each)
        for each in created
        if each.startswith("module.") == ("svc-" in name)
    }
    assert declared and here == declared


SORTS: tuple[tuple[str, str, Callable[[Path, str, Path], None]], ...] = (
    (r"^tf1114-exit-codes", "exit codes", codes),
    (r"\.tf$", "definitions", definition),
    (r"output-json", "outputs", outputs),
    (r"show-state|show-json-no-state", "states", state),
    (r"version-json", "versions", version),
    (r"^tofu-eq-", "plans with events and state", equivalence),
    (r"show-plan|^plan-.*\.json$", "plans", plan),
    (r"^(tf1114-\d|tofu-stream).*\.txt$", "streams", stream),
)


# --- reading the samples


def sample(samples: Path, name: str) -> str:
    return (samples / FOLDER / name).read_text()


def plan_in(samples: Path, name: str) -> Event:
    told: Event = json.loads(sample(samples, name))
    return told


def outputs_of(values: Event) -> Event:
    return dict(values.get("outputs") or {})


def parsed(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def taken_in(lines: list[str]) -> tuple[Stream, list[str]]:
    said: list[str] = []
    taken = Stream(say=said.append, mask=str)
    for line in lines:
        taken.line(line)
    return taken, said

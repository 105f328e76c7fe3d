"""A stack is planned, applied exactly as planned, and gives its outputs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Terraform
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import stack
from workspace.node import Kind, Node, Stage
from workspace.work import KindModule, Outcome, Preview, Work

CANARY = "canary-of-the-stack"
DEFINITION = """
variable "zone" { type = string }
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "zone" {
  input            = var.zone
  triggers_replace = var.zone
}
resource "terraform_data" "account" { input = { name = "app", password = var.password } }
output "zone" { value = terraform_data.zone.output }
output "connection" {
  value     = "Password=${var.password}"
  sensitive = true
}
"""


@dataclass
class Outside:
    terraform: Terraform


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(Terraform(backend={"local": {"path": str(tmp_path / "states" / "{key}")}}))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folder = tmp_path / "checkout" / "infra" / "terraform" / "stacks" / "network"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(DEFINITION)
    node = Node("network", Kind.STACK, Stage.SHARED_INFRASTRUCTURE)
    variables = {"zone": "example.test", "password": CANARY}
    settings = {"root": "network", "group": "mystira-dev-rg", "variables": variables}
    return Work(node, Environment("dev"), settings, tmp_path / "work", tmp_path / "checkout")


def with_variables(work: Work, **variables: Any) -> Work:
    return replace(work, settings={**work.settings, "variables": {**work.settings["variables"], **variables}})


def applied(work: Work, outside: Outside) -> Preview:
    preview = stack.preview(work, outside)
    assert stack.apply(work, preview, outside).outcome is Outcome.CHANGED
    return preview


def test_the_module_is_a_kind() -> None:
    module: KindModule = stack
    assert module is stack


def test_a_stack_is_previewed_applied_verified_and_then_has_nothing_to_change(work: Work, outside: Outside) -> None:
    preview = stack.preview(work, outside)
    assert "create terraform_data.zone" in preview.changes
    assert "create output.zone" in preview.changes
    assert preview.deletes == 0 and preview.plan.startswith("sha256:")

    result = stack.apply(work, preview, outside)
    assert result.outcome is Outcome.CHANGED
    assert result.gives == {"zone": "example.test"}
    assert "2 resources of network" in result.detail and "Terraform" in result.detail
    assert stack.verify(work, result, outside) == result

    again = stack.apply(work, preview, outside)
    assert again.outcome is Outcome.UNCHANGED and again.gives == {"zone": "example.test"}

    second = stack.preview(work, outside)
    assert second.is_empty
    unchanged = stack.apply(work, second, outside)
    assert unchanged.outcome is Outcome.UNCHANGED and unchanged.gives == {"zone": "example.test"}
    assert stack.verify(work, unchanged, outside) == unchanged


def test_the_state_is_kept_per_environment_and_stack(work: Work, outside: Outside, tmp_path: Path) -> None:
    applied(work, outside)
    state = tmp_path / "states" / "dev" / "network.tfstate"
    assert state.exists() and state.stat().st_mode & 0o777 == 0o600


def test_what_would_be_destroyed_is_counted(work: Work, outside: Outside) -> None:
    applied(work, outside)
    preview = stack.preview(with_variables(work, zone="other.test"), outside)
    assert preview.deletes == 1
    assert any(each.startswith("replace terraform_data.zone") for each in preview.changes)


def test_an_output_alone_is_a_change(work: Work, outside: Outside) -> None:
    applied(work, outside)
    file = work.sources / "infra/terraform/stacks/network/main.tf"
    file.write_text(file.read_text() + 'output "more" { value = "than before" }\n')
    assert stack.preview(work, outside).changes == ("create output.more",)


def test_a_secret_is_in_nothing_that_is_said_or_given(work: Work, outside: Outside) -> None:
    said: list[str] = []
    listening = replace(work, say=said.append)
    preview = stack.preview(listening, outside)
    result = stack.apply(listening, preview, outside)
    assert said
    assert CANARY not in repr((said, preview, result))


def test_a_plan_that_was_not_previewed_is_refused(work: Work, outside: Outside) -> None:
    preview = stack.preview(work, outside)
    with pytest.raises(Refused, match="not the one that was previewed"):
        stack.apply(work, replace(preview, plan="sha256:" + "0" * 64), outside)
    with pytest.raises(Refused, match="was not previewed"):
        stack.apply(work, replace(preview, plan=""), outside)


def test_a_plan_made_before_somebody_else_applied_is_unsettled(work: Work, outside: Outside, tmp_path: Path) -> None:
    preview = stack.preview(work, outside)
    applied(replace(work, directory=tmp_path / "somebody else"), outside)
    with pytest.raises(Unsettled, match="plan it again"):
        stack.apply(work, preview, outside)


def test_a_missing_variable_is_refused_by_name(work: Work, outside: Outside) -> None:
    with pytest.raises(Refused, match='"password" is not set'):
        stack.preview(replace(work, settings={"root": "network", "variables": {"zone": "x"}}), outside)


def test_a_variable_the_stack_does_not_have_is_refused_by_name(work: Work, outside: Outside) -> None:
    with pytest.raises(Refused, match="has no variable colour"):
        stack.preview(with_variables(work, colour="blue"), outside)


def test_a_check_of_its_own_that_fails_is_no_success(work: Work, outside: Outside) -> None:
    file = work.sources / "infra/terraform/stacks/network/main.tf"
    check = 'check "answers" {\n  assert {\n    condition     = var.zone == "other.test"\n'
    file.write_text(f'{file.read_text()}{check}    error_message = "the zone does not answer"\n  }}\n}}\n')
    preview = stack.preview(work, outside)
    with pytest.raises(Broken, match="the zone does not answer"):
        stack.apply(work, preview, outside)
    with pytest.raises(Broken, match="the zone does not answer"):
        stack.preview(work, outside)

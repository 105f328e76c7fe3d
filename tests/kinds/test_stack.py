"""A stack is planned, applied exactly as planned, and gives its outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Action, Applied, Change, Exists, Outputs, PlanSummary, Terraform
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import stack
from workspace.node import Kind, Node, Stage
from workspace.work import Certainty, KindModule, Outcome, Preview, Result, Work

CANARY = "canary-of-the-stack"
DEFINITION = """
variable "zone" { type = string }
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "zone" { input = var.zone }
resource "terraform_data" "account" { input = { name = "app", password = var.password } }
output "zone" { value = terraform_data.zone.output }
output "connection" {
  value     = "Password=${var.password}"
  sensitive = true
}
"""


@dataclass
class Outside:
    terraform: Any
    arm: Any = None
    inspection: Any = None


@dataclass
class ToldStack:
    """A stack that answers what a test tells it."""

    summary: PlanSummary = field(default_factory=PlanSummary)
    applied: Applied = field(default_factory=lambda: Applied(Outputs({"zone": "example.test"}, ("password",)), 3))
    asked: list[Any] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    planned: dict[str, Any] = field(default_factory=dict)
    fails: Exception | None = None

    def found(self) -> dict[str, str]:
        return dict(self.kept)

    def note_found(self, ids: Mapping[str, str]) -> None:
        self.kept = dict(ids)

    def show(self) -> dict[str, Any]:
        return self.planned

    def stack(self, **settings: Any) -> "ToldStack":
        self.asked.append(settings)
        return self

    def plan(self) -> PlanSummary:
        return self.summary

    def apply(self, digest: str) -> Applied:
        self.asked.append(digest)
        if self.fails:
            raise self.fails
        return self.applied

    def outputs(self) -> Outputs:
        return self.applied.outputs

    def version(self) -> str:
        return "Terraform 1.11.4"


@pytest.fixture
def real(tmp_path: Path) -> Outside:
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


def previewed(work: Work, **summary: Any) -> Preview:
    return stack.preview(work, Outside(ToldStack(PlanSummary(**summary))))


SOMETHING = Preview(changes=("create a.b",), plan="sha256:1234")


def test_the_module_is_a_kind() -> None:
    module: KindModule = stack
    assert module is stack


def test_a_stack_is_found_by_its_root_and_its_state_by_environment_and_root(work: Work) -> None:
    told = ToldStack()
    stack.preview(work, Outside(told))
    asked = told.asked[0]
    assert asked["definitions"] == work.sources / "infra/terraform"
    assert (asked["root"], asked["key"]) == ("stacks/network", "dev/network.tfstate")
    assert (asked["work"], asked["variables"]) == (work.directory, work.settings["variables"])


def test_a_preview_names_its_plan_by_digest(work: Work) -> None:
    preview = previewed(work, changes=(Change(Action.CREATE, "a.b"),), digest="1234")
    assert (preview.changes, preview.plan, preview.certainty) == (("create a.b",), "sha256:1234", Certainty.EXACT)


def test_what_would_be_destroyed_is_counted(work: Work) -> None:
    changes = (Change(Action.DELETE, "a.b"), Change(Action.REPLACE, "a.c"), Change(Action.UPDATE, "a.d"))
    assert previewed(work, changes=changes).deletes == 2


def test_an_output_alone_is_a_change(work: Work) -> None:
    assert not previewed(work, outputs=(Change(Action.UPDATE, "output.host"),)).is_empty


def test_what_terraform_puts_off_makes_a_preview_less_certain(work: Work) -> None:
    assert previewed(work, deferred=("a.b",)).certainty is Certainty.DEFERRED


def test_no_change_is_an_empty_preview_even_with_drift_nobody_declared(work: Work) -> None:
    assert previewed(work, drift=(Change(Action.UPDATE, "a.b"),)) == Preview()


def test_what_somebody_else_changed_is_said_where_it_is_changed_back(work: Work) -> None:
    said: list[str] = []
    concerned = Change(Action.UPDATE, "a.b", ("tags",))
    previewed(replace(work, say=said.append), changes=(concerned,), drift=(concerned, Change(Action.UPDATE, "a.c")))
    assert said == ["changed outside of Terraform: update a.b (tags)"]


def test_the_previewed_plan_is_applied_and_its_outputs_are_given(work: Work) -> None:
    told = ToldStack()
    result = stack.apply(work, SOMETHING, Outside(told))
    assert told.asked[-1] == "1234"
    assert result.outcome is Outcome.CHANGED
    assert result.gives == {"zone": "example.test"}
    assert result.detail == "applied 3 resources of network with Terraform 1.11.4"


def test_a_plan_that_was_applied_before_changes_nothing(work: Work) -> None:
    told = ToldStack(applied=Applied(Outputs({"zone": "example.test"}), again=True))
    result = stack.apply(work, SOMETHING, Outside(told))
    assert (result.outcome, result.gives) == (Outcome.UNCHANGED, {"zone": "example.test"})


def test_with_nothing_to_change_nothing_is_applied_and_the_outputs_are_given_all_the_same(work: Work) -> None:
    told = ToldStack()
    outside = Outside(told)
    result = stack.verify(work, stack.apply(work, Preview(), outside), outside)
    assert (result.outcome, result.gives) == (Outcome.UNCHANGED, {"zone": "example.test"})
    assert all(isinstance(each, dict) for each in told.asked), "no plan was applied"


def test_a_stack_is_made_from_its_files_and_the_engine(work: Work) -> None:
    outside = Outside(ToldStack())
    before = stack.reads(work, Preview(), outside)
    assert before["terraform"] == "Terraform 1.11.4"
    assert stack.reads(work, SOMETHING, outside) == before, "which plan was saved says nothing of the inputs"
    file = work.sources / "infra/terraform/stacks/network/main.tf"
    file.write_text(file.read_text() + "# another\n")
    assert stack.reads(work, Preview(), outside)["definitions"] != before["definitions"]


def test_what_was_not_previewed_is_refused(work: Work) -> None:
    with pytest.raises(Refused, match="was not previewed"):
        stack.apply(work, replace(SOMETHING, plan=""), Outside(ToldStack()))


@pytest.mark.parametrize(
    "step",
    [
        lambda work, told: stack.apply(work, SOMETHING, Outside(told)),
        lambda work, told: stack.preview(work, Outside(told)),
    ],
)
def test_a_check_of_its_own_that_fails_is_no_success(work: Work, step: Callable[[Work, ToldStack], Any]) -> None:
    failed = ("the zone does not answer",)
    told = ToldStack(PlanSummary(failed_checks=failed), Applied(Outputs(), 1, failed))
    with pytest.raises(Broken, match="the zone does not answer"):
        step(work, told)


def test_a_check_that_may_pass_after_applying_stops_no_preview(work: Work) -> None:
    preview = previewed(work, changes=(Change(Action.CREATE, "a.b"),), failed_checks=("not yet",))
    assert preview.changes == ("create a.b",)


def test_verifying_reads_the_outputs_from_the_state(work: Work) -> None:
    result = Result(Outcome.CHANGED, gives={"zone": "as applied"})
    assert stack.verify(work, result, Outside(ToldStack())).gives == {"zone": "example.test"}


class Known:
    """Azure with a few things in it."""

    def __init__(self, *ids: str) -> None:
        self.ids, self.asked = ids, list[str]()

    def exists(self, resource_id: str) -> bool:
        self.asked.append(resource_id)
        return resource_id in self.ids


class Adopting(ToldStack):
    """A stack that would make two things, or take over what it is told exists."""

    def plan(self) -> PlanSummary:
        adopts = self.asked[-1]["adopts"]
        actions = {name: Action.UPDATE if name in adopts else Action.CREATE for name in ("a.there", "a.new")}
        return PlanSummary(changes=tuple(Change(action, name) for name, action in actions.items()), digest="1234")


def test_what_the_plan_would_make_and_azure_has_is_adopted(work: Work) -> None:
    ids = {f"a.{name}": f"/subscriptions/{{subscription}}/resourceGroups/{name}" for name in ("there", "new", "else")}
    settings = {**work.settings, "adopts": ids, "variables": {"subscription_id": "s"}}
    arm, told = Known("/subscriptions/s/resourceGroups/there"), Adopting()
    outside = Outside(told, arm)
    preview = stack.preview(replace(work, settings=settings), outside)
    assert preview.changes == ("adopt a.there", "update a.there", "create a.new")
    assert arm.asked == ["/subscriptions/s/resourceGroups/there", "/subscriptions/s/resourceGroups/new"]


NET, ROLE = "a.net", "azurerm_role_assignment.reads"
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/net"


@pytest.mark.parametrize("line", [f"created {NET} in 4 s", f"still creating {NET} after 10 s"])
def test_what_an_earlier_run_made_and_no_state_has_is_kept_for_the_next_plan(work: Work, line: str) -> None:
    told, said = ToldStack(fails=Exists("a.net is there", {NET: ID, "a.other": "x"})), list[str]()
    with pytest.raises(Unsettled, match=r"a\.net is there\. It is ours and is taken over\."):
        stack.apply(replace(work, said=("creating a.net", line), say=said.append), SOMETHING, Outside(told))
    assert told.kept == {NET: ID}
    assert said == ["an earlier run made these, and no state has them: a.net"]


def test_what_a_run_was_to_make_when_it_died_is_kept_for_the_next_plan(work: Work) -> None:
    told = ToldStack(fails=Exists("a.net is there", {NET: ID, "a.other": "x"}))
    with pytest.raises(Unsettled, match="is taken over"):
        stack.apply(replace(work, left=frozenset({"create a.net", "update a.other"})), SOMETHING, Outside(told))
    assert told.kept == {NET: ID}


class Replacing(ToldStack):
    """A stack that would make something, or replace it where it is told that it exists."""

    def plan(self) -> PlanSummary:
        action = Action.REPLACE if NET in self.asked[-1]["adopts"] else Action.CREATE
        return PlanSummary(changes=(Change(action, NET),), digest="1234")


def test_what_would_be_made_anew_is_not_taken_over_and_is_forgotten(work: Work) -> None:
    told = Replacing(kept={NET: ID})
    with pytest.raises(Broken, match=rf"^a\.net exists as {ID} and no state has it; .* Look at it, then import it or"):
        stack.preview(work, Outside(told, Known()))
    assert told.kept == {}
    assert stack.preview(work, Outside(told, Known())).changes == ("create a.net",)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((), {}),
        ((f"creating {NET}", f"failed creating {NET} after 0 s"), {}),
        ((f"created {NET}work in 4 s",), {}),
        ((f"created {NET} in 4 s", f"deleted {NET} in 1 s"), {}),
        ((f"created {NET} in 4 s",), {NET: ID}),
    ],
    ids=["nobody said so", "it was there before", "another one", "it was deleted", "taken over in vain"],
)
def test_what_is_there_and_is_not_ours_breaks(work: Work, said: tuple[str, ...], kept: dict[str, str]) -> None:
    told = ToldStack(fails=Exists("a.net is there", {NET: ID}), kept=dict(kept))
    with pytest.raises(Broken, match="is there"):
        stack.apply(replace(work, said=said), SOMETHING, Outside(told))
    assert told.kept == kept


def test_what_was_found_to_exist_is_taken_over_until_it_is_applied(work: Work) -> None:
    told = Adopting(kept={"a.there": ID, "a.gone": "x"})
    preview = stack.preview(work, Outside(told, Known()))
    assert preview.changes == ("adopt a.there", "update a.there", "create a.new")
    assert told.asked[-1]["adopts"] == {"a.there": ID}
    stack.apply(work, SOMETHING, Outside(told))
    assert told.kept == {}


class Authorization:
    """Azure as it tells of assignments of roles."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def role_assignment(self, scope: str, principal: str, role: str) -> str:
        self.asked.append((scope, principal, role))
        return f"{scope}/providers/Microsoft.Authorization/roleAssignments/1"


def test_an_assignment_of_a_role_that_azure_knows_by_another_name_is_asked_for(work: Work) -> None:
    after = {"scope": ID, "principal_id": "p", "role_definition_name": "AcrPull"}
    told = ToldStack(
        fails=Exists("the same is there", {ROLE: ""}),
        planned={"resource_changes": [{"address": NET, "change": {"after": None}},
                                      {"address": ROLE, "change": {"after": after}}]},
    )  # fmt: skip
    azure = Authorization()
    ours = replace(work, said=(f"created {ROLE} in 2 s",))
    with pytest.raises(Unsettled):
        stack.apply(ours, SOMETHING, Outside(told, inspection=azure))
    assert azure.asked == [(ID, "p", "AcrPull")]
    assert told.kept == {ROLE: f"{ID}/providers/Microsoft.Authorization/roleAssignments/1"}


def test_an_assignment_of_which_the_plan_knows_too_little_breaks(work: Work) -> None:
    told = ToldStack(fails=Exists("the same is there", {ROLE: ""}), planned={"resource_changes": []})
    with pytest.raises(Broken, match="the same is there"):
        stack.apply(replace(work, said=(f"created {ROLE} in 2 s",)), SOMETHING, Outside(told))


@pytest.mark.slow
def test_a_real_stack_is_previewed_applied_verified_and_then_has_nothing_to_change(work: Work, real: Outside) -> None:
    said: list[str] = []
    work = replace(work, say=said.append)
    preview = stack.preview(work, real)
    assert preview.changes[:2] == ("create terraform_data.account", "create terraform_data.zone")

    result = stack.apply(work, preview, real)
    assert result.outcome is Outcome.CHANGED
    assert result.gives == {"zone": "example.test"}
    assert stack.verify(work, result, real) == result
    assert stack.apply(work, preview, real).outcome is Outcome.UNCHANGED
    assert stack.preview(work, real).is_empty
    assert said and CANARY not in repr((said, preview, result))


@pytest.mark.slow
def test_a_plan_made_before_somebody_else_applied_is_unsettled(work: Work, real: Outside, tmp_path: Path) -> None:
    preview = stack.preview(work, real)
    elsewhere = replace(work, directory=tmp_path / "elsewhere")
    stack.apply(elsewhere, stack.preview(elsewhere, real), real)
    with pytest.raises(Unsettled, match="plan it again"):
        stack.apply(work, preview, real)
    with pytest.raises(Refused, match="not the one that was previewed"):
        stack.apply(work, replace(preview, plan="sha256:" + "0" * 64), real)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "said"),
    [({"zone": "x"}, '"password" is not set'), ({"zone": "x", "password": "y", "colour": "z"}, "no variable colour")],
)
def test_a_variable_too_few_or_too_many_is_refused_by_name(
    work: Work, real: Outside, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        stack.preview(replace(work, settings={"root": "network", "variables": variables}), real)

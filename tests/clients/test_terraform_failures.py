"""Each of Terraform's errors is refused, unsettled or broken, in a sentence that says where and what to do."""

import pytest
from workspace.clients.terraform import Diagnostic, Locked, failures, translate
from workspace.clients.terraform.failures import failed_checks, is_unprepared, state_lock, undeclared
from workspace.errors import Broken, Refused, Unsettled

LOCK = """Lock Info:
  ID:        4a70
  Path:      dev/network.tfstate
  Operation: OperationTypeApply
  Who:       ann@worker-7
  Version:   1.11.4
  Created:   2026-11-23 04:05:36 +0000 UTC
  Info:
"""


def error(summary: str, detail: str = "", address: str = "") -> Diagnostic:
    return Diagnostic("error", summary, detail, address)


@pytest.mark.parametrize(
    ("doing", "told", "verdict"),
    [
        ("plan", error("No value for required variable"), Refused),
        ("plan", error("Unclosed configuration block"), Refused),
        ("plan", error("Invalid value for variable", "location is no region of ADR-0008"), Refused),
        ("plan", error("Instance cannot be destroyed", "has lifecycle.prevent_destroy set"), Refused),
        ("plan", error("Inconsistent dependency lock file"), Refused),
        ("init", error("Unsupported Terraform Core version"), Refused),
        ("init", error("Failed to query available provider packages", "could not connect to the registry"), Unsettled),
        ("plan", error("Error acquiring the state lock", LOCK), Locked),
        ("apply", error("Error acquiring the state lock", LOCK), Locked),
        ("apply", error("Saved plan is stale"), Unsettled),
        ("plan", error("reading Key Vault", "unexpected status 429 (429 Too Many Requests)"), Unsettled),
        ("plan", error("retrieving Subnet: unexpected status 403 with error: AuthorizationFailed: no"), Broken),
        ("apply", error("A resource with the ID x already exists", address="azurerm_subnet.aks"), Broken),
        ("apply", error("creating Redis: unexpected status 429"), Unsettled),
        ("apply", error("creating Redis: 409 with error: AnotherOperationInProgress"), Unsettled),
        ("apply", error("creating Redis: context deadline exceeded"), Broken),
    ],
)
def test_an_error_gets_its_verdict(doing: str, told: Diagnostic, verdict: type[Exception]) -> None:
    assert type(translate("network", doing, [told], 1, "")) is verdict


def test_the_sentence_says_what_where_and_what_the_other_side_said() -> None:
    first = Diagnostic("error", "with error: SubnetInUse: taken", "", "azurerm_subnet.aks", "main.tf", 12)
    said = str(translate("network", "apply", [first, error("second")], 1, ""))
    assert "apply of stack network" in said
    assert "SubnetInUse: taken (azurerm_subnet.aks, main.tf:12), and 1 more" in said


def test_a_lock_is_told_by_who_holds_it_and_since_when() -> None:
    said = str(translate("network", "plan", [error("Error acquiring the state lock", LOCK)], 1, ""))
    assert "ann@worker-7 since 2026-11-23 04:05:36 +0000 UTC" in said
    assert "dev/network.tfstate" in said and "lock 4a70" in said and "force-unlock" in said


def test_the_http_backend_tells_no_more_of_a_lock_than_its_id() -> None:
    told = state_lock(f"Error message: HTTP remote state already locked: ID=77aa\n{LOCK}")
    assert (told.id, told.who, told.created) == ("77aa", "", "")


def test_a_lease_that_is_held_on_a_state_in_azure_tells_who_holds_it() -> None:
    lock = failed_lock("state blob is already locked")
    assert type(lock) is Locked
    assert (lock.lock.id, lock.lock.who, lock.lock.operation) == ("4a70", "ann@worker-7", "OperationTypeApply")


def failed_lock(said: str) -> Exception:
    told = error("Error acquiring the state lock", f"Error message: {said}\n{LOCK}")
    return translate("network", "plan", [told], 1, "")


def test_a_lock_without_details_is_still_a_lock() -> None:
    assert state_lock("state blob is already locked").who == ""


def test_a_command_that_says_nothing_is_broken_with_its_exit_code() -> None:
    said = translate("network", "plan", [], 11, "panic: runtime error")
    assert type(said) is Broken
    assert "exit code 11" in str(said) and "panic: runtime error" in str(said)


def test_a_variable_the_stack_does_not_have_is_named() -> None:
    detail = 'The root module does not declare a variable named "colour" but a value was found in file "x".'
    assert undeclared([Diagnostic("warning", "Value for undeclared variable", detail)]) == ["colour"]


def test_other_warnings_are_no_undeclared_variables() -> None:
    assert undeclared([Diagnostic("warning", "Deprecated attribute", 'The variable "x" is old')]) == []


def test_a_failed_check_block_is_not_just_a_warning() -> None:
    told = [Diagnostic("warning", "Check block assertion failed", "the host does not answer")]
    assert failed_checks(told) == ("Check block assertion failed: the host does not answer",)


def test_a_folder_that_needs_init_is_recognised() -> None:
    assert is_unprepared([error("Backend initialization required, please run init")])
    assert not is_unprepared([error("No value for required variable")])


def test_what_exists_already_is_told_with_its_id() -> None:
    there = 'A resource with the ID "/subscriptions/s/x" already exists - to be managed via Terraform'
    twin = (
        "performing Create: unexpected status 409 (409 Conflict) with error: RoleAssignmentExists: The role assignment"
    )
    told = failures.translate(
        "network",
        "apply",
        [error(there, address="a.b"), error(twin, address="c.d"), error("another", address="e.f"), error(there)],
        1,
        "",
    )
    assert isinstance(told, failures.Exists)
    assert told.found == {"a.b": "/subscriptions/s/x", "c.d": ""}
    planning = failures.translate("network", "plan", [error(there, address="a.b")], 1, "")
    assert isinstance(planning, Broken) and not isinstance(planning, failures.Exists)

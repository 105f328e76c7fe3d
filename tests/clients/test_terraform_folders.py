"""The private folder mirrors the definitions and keeps its secrets to itself."""

import os
import time
from pathlib import Path

import pytest
from workspace.clients.terraform import folders
from workspace.errors import Refused, Unsettled


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    root = tmp_path / "definitions"
    for name in ("stacks/network/main.tf", "stacks/other/main.tf", "modules/network/main.tf", "shared.json"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    (root / "stacks/network/.terraform").mkdir()
    (root / "stacks/network/.terraform/state").write_text("not ours")
    (root / "stacks/network/left.auto.tfvars.json").write_text("{}")
    return root


def files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_a_stack_is_mirrored_with_what_it_may_refer_to_and_nothing_else(definitions: Path, tmp_path: Path) -> None:
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    assert files(tmp_path / "copy") == {"stacks/network/main.tf", "modules/network/main.tf", "shared.json"}


def test_files_that_are_gone_disappear_from_the_mirror(definitions: Path, tmp_path: Path) -> None:
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    (definitions / "modules/network/main.tf").unlink()
    (definitions / "modules/network").rmdir()
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    assert files(tmp_path / "copy") == {"stacks/network/main.tf", "shared.json"}
    assert not (tmp_path / "copy/modules").exists()


def test_what_is_written_into_the_mirror_stays_there(definitions: Path, tmp_path: Path) -> None:
    copied = folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    folders.write_backend(copied, {"local": {"path": "x"}})
    folders.write_variables(copied, {"a": 1})
    (copied / folders.LOCK_FILE).write_text("chosen providers")
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    assert {"backend_override.tf.json", "workspace.auto.tfvars.json", folders.LOCK_FILE} <= files(copied)


def lock(definitions: Path, version: str, age: float) -> Path:
    file = definitions / "stacks/network" / folders.LOCK_FILE
    file.write_text(f'version = "{version}"')
    os.utime(file, (time.time() - age, time.time() - age))
    return definitions


def test_an_older_release_brings_its_own_providers_back(definitions: Path, tmp_path: Path) -> None:
    for version, age in (("4.1.0", 300), ("4.2.0", 200), ("4.1.0", 300)):
        copied = folders.mirror(lock(definitions, version, age), "stacks/network", tmp_path / "copy")
        assert (copied / folders.LOCK_FILE).read_text() == f'version = "{version}"'
        (copied / folders.LOCK_FILE).write_text(f'version = "{version}" # and what init adds')
        folders.mirror(definitions, "stacks/network", tmp_path / "copy")
        assert (copied / folders.LOCK_FILE).read_text().endswith("# and what init adds")
    (definitions / "stacks/network" / folders.LOCK_FILE).unlink()
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    assert not (copied / folders.LOCK_FILE).exists()


def test_a_file_of_another_content_is_copied_though_size_and_time_are_the_same(
    definitions: Path, tmp_path: Path
) -> None:
    for content in ("# 1\n", "# 2\n"):
        (definitions / "stacks/network/main.tf").write_text(content)
        os.utime(definitions / "stacks/network/main.tf", (1, 1))
        copied = folders.mirror(definitions, "stacks/network", tmp_path / "copy")
        assert (copied / "main.tf").read_text() == content


def test_a_changed_file_is_copied_again(definitions: Path, tmp_path: Path) -> None:
    copied = folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    (definitions / "stacks/network/main.tf").write_text("# something longer\n")
    folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    assert (copied / "main.tf").read_text() == "# something longer\n"


def test_nothing_is_written_to_the_definitions(definitions: Path, tmp_path: Path) -> None:
    before = files(definitions)
    copied = folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    folders.write_variables(copied, {"a": 1})
    assert files(definitions) == before


def test_a_stack_that_is_not_there_is_refused(definitions: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no stack stacks/nowhere"):
        folders.mirror(definitions, "stacks/nowhere", tmp_path / "copy")


def test_variables_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    folders.write_variables(tmp_path, {"password": "canary"})
    assert (tmp_path / "workspace.auto.tfvars.json").stat().st_mode & 0o777 == 0o600


def test_the_fingerprint_changes_with_the_definitions_and_with_nothing_else(definitions: Path, tmp_path: Path) -> None:
    copied = folders.mirror(definitions, "stacks/network", tmp_path / "copy")
    first = folders.fingerprint(tmp_path / "copy", "engine")
    folders.write_variables(copied, {"a": 2})
    assert folders.fingerprint(tmp_path / "copy", "engine") == first
    (copied / "main.tf").write_text("# other")
    assert folders.fingerprint(tmp_path / "copy", "engine") != first


def test_another_engine_is_another_fingerprint(tmp_path: Path) -> None:
    assert folders.fingerprint(tmp_path, "one") != folders.fingerprint(tmp_path, "two")


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    with folders.alone(tmp_path), pytest.raises(Unsettled, match="Another run"), folders.alone(tmp_path):
        pass


def test_sensitive_variables_are_found_in_the_definitions(tmp_path: Path) -> None:
    (tmp_path / "variables.tf").write_text(
        'variable "plain" { type = string }\n'
        'variable "short" { sensitive = true }\n'
        'variable "long" {\n  type      = string\n  sensitive = true\n}\n'
        'variable "talks" {\n  description = "not sensitive = true at all"\n}\n'
    )
    assert folders.sensitive_variables(tmp_path) == {"short", "long"}


def test_what_exists_already_becomes_an_import(tmp_path: Path) -> None:
    folders.write_adoptions(tmp_path, {"azurerm_dns_zone.this": "/subscriptions/s"})
    assert "azurerm_dns_zone.this" in (tmp_path / "adoptions.tf.json").read_text()
    folders.write_adoptions(tmp_path, {})
    assert not (tmp_path / "adoptions.tf.json").exists()


def test_a_folder_knows_whether_its_state_is_where_it_should_be(tmp_path: Path) -> None:
    assert not folders.has_backend(tmp_path, {"local": {"path": "/a"}})
    folders.write_backend(tmp_path, {"local": {"path": "/a"}})
    assert folders.has_backend(tmp_path, {"local": {"path": "/a"}})
    assert not folders.has_backend(tmp_path, {"local": {"path": "/b"}})

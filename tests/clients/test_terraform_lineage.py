"""Which line of states a stack is in, read where its backend is now."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from workspace.clients.terraform import Terraform, folders
from workspace.clients.terraform.client import Stack
from workspace.errors import Broken


def local(folder: Path) -> Stack:
    terraform = Terraform(backend={"local": {"path": str(folder / "states")}})
    return terraform.stack(definitions=folder, root="stacks/network", work=folder / "work", key="dev/network.tfstate")


def written(folder: Path, text: str) -> None:
    file = folder / "states" / "dev" / "network.tfstate"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_a_state_in_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    written(tmp_path, json.dumps({"version": 4, "serial": 7, "lineage": "line-1"}))
    assert local(tmp_path).lineage() == "line-1"


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_where_there_is_no_state_there_is_no_lineage(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        written(tmp_path, text)
    assert local(tmp_path).lineage() == ""


def test_a_state_that_cannot_be_read_is_broken_and_not_absent(tmp_path: Path) -> None:
    written(tmp_path, '{"lineage": "li')
    with pytest.raises(Broken, match="bring it back from a copy"):
        local(tmp_path).lineage()


class Remote(Stack):
    """A stack whose engine is told by the test."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.prepared, self.asked = 0, [["nothing"]]

    def prepare(self, *, with_state: bool = True, anew: bool = False) -> None:
        self.prepared += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        folders.write_backend(self._folder, self._terraform.backend_for(self._key))
        (self._work / "prepared").touch()

    def _json(self, arguments: Sequence[str]) -> dict[str, Any]:
        self.asked.append(list(arguments))
        return {"lineage": f"line-{self.prepared}"}


def remote(folder: Path, container: str) -> Remote:
    terraform = Terraform(backend={"azurerm": {"container_name": container}})
    return Remote(terraform, folder, "stacks/network", folder / "work", "dev/network.tfstate", {}, {}, lambda _: None)


def test_a_remote_state_is_pulled_and_the_folder_prepared_once(tmp_path: Path) -> None:
    stack = remote(tmp_path, "states")
    assert [stack.lineage(), stack.lineage()] == ["line-1", "line-1"]
    assert stack.asked[1:] == [["state", "pull"], ["state", "pull"]]


def test_a_folder_that_was_prepared_for_another_backend_is_prepared_again(tmp_path: Path) -> None:
    """Else the state of before would be told, while the plan reads the one of now."""
    remote(tmp_path, "states").lineage()
    stack = remote(tmp_path, "other-states")
    stack.lineage()
    assert stack.prepared == 1

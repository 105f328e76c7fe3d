"""The providers that Terraform chose where a release was built are those it is carried with.

With the real engine's `init` and a mirror of a provider that gets a new version meanwhile; and runs of a stack whose
Terraform is told what to choose.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from workspace import ending, equality, scheduler
from workspace.clients.terraform import Outputs, PlanSummary, Terraform
from workspace.environment import Environment
from workspace.execution import Execution
from workspace.kinds import stack
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.plan import draw
from workspace.release import Release, from_json
from workspace.scheduler import Patience

PROVIDER = "example.com/mystira/thing"
DEFINITION = f"""
terraform {{
  required_providers {{
    thing = {{
      source  = "{PROVIDER}"
      version = "~> 1.0"
    }}
  }}
}}
"""
LOCK_FILE = ".terraform.lock.hcl"


class Mirror:
    """Versions of one provider, as `terraform providers mirror` lays them out; `init` installs it and asks nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "definitions/stacks/network").mkdir(parents=True)
        (folder / "definitions/stacks/network/main.tf").write_text(DEFINITION)

    def add(self, version: str) -> None:
        place = self._folder / "mirror" / PROVIDER
        place.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place / f"terraform-provider-thing_{version}_linux_amd64.zip", "w") as packed:
            packed.writestr(zipfile.ZipInfo("terraform-provider-thing"), f"version {version}")

    def prepared(self, work: str, lock: str = "") -> str:
        """The lock file after `init` in a folder of this name."""
        mirrored = f'filesystem_mirror {{\n    path = "{self._folder / "mirror"}"\n  }}'
        terraform = Terraform(
            backend={"local": {"path": str(self._folder / "states")}},
            cli_configuration=f"provider_installation {{\n  {mirrored}\n}}\n",
        )
        made = terraform.stack(
            definitions=self._folder / "definitions", root="stacks/network", work=self._folder / work, lock=lock
        )
        made.prepare()
        return made.lock()


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    made = Mirror(tmp_path)
    made.add("1.0.0")
    return made


def versions(lock: str) -> str:
    return equality.providers(lock)


@pytest.mark.slow
def test_terraform_chooses_as_the_lock_file_says_that_the_release_brings(mirror: Mirror) -> None:
    older = mirror.prepared("dev")
    assert versions(older) == "mystira/thing 1.0.0"
    mirror.add("1.1.0")
    newer = mirror.prepared("elsewhere")
    assert versions(newer) == "mystira/thing 1.1.0", "without one it takes the newest"
    assert versions(mirror.prepared("staging", older)) == "mystira/thing 1.0.0"
    assert versions(mirror.prepared("dev")) == "mystira/thing 1.0.0", "what was chosen once stays chosen"
    for lock in (newer, older, newer):
        assert versions(mirror.prepared("staging", lock)) == versions(lock), "forward, and back again"


@pytest.mark.slow
def test_a_lock_file_of_the_definitions_goes_before_that_of_the_release(mirror: Mirror, tmp_path: Path) -> None:
    older = mirror.prepared("dev")
    mirror.add("1.1.0")
    newer = mirror.prepared("elsewhere")
    (tmp_path / "definitions/stacks/network" / LOCK_FILE).write_text(newer)
    assert versions(mirror.prepared("staging", older)) == "mystira/thing 1.1.0"


def lock_of(version: str) -> str:
    return (
        f'# written by init\n\nprovider "{PROVIDER}" {{\n  version     = "{version}"\n  constraints = "~> 1.0"\n'
        f'  hashes = [\n    "h1:x",\n  ]\n}}\n'
    )


@dataclass
class Chooser:
    """Terraform with one stack; it chooses the newest version unless it is told by a lock file."""

    newest: str
    told: str = field(default="", init=False)

    def version(self) -> str:
        return "Terraform 1.11.4"

    def stack(self, *, lock: str, **_: Any) -> "Chooser":
        self.told = lock
        return self

    def plan(self) -> PlanSummary:
        return PlanSummary()

    def found(self) -> dict[str, str]:
        return {}

    def outputs(self) -> Outputs:
        return Outputs()

    def lock(self) -> str:
        return self.told or (lock_of(self.newest) if self.newest else "")


@dataclass
class Outside:
    terraform: Chooser


def promoted(folder: Path, place: str, newest: str, release: Release | None = None) -> Execution:
    stacks = folder / "checkout/infra/terraform/stacks/network"
    stacks.mkdir(parents=True, exist_ok=True)
    node = Node("network", Kind.STACK, Stage.SHARED_INFRASTRUCTURE, settings={"root": "network", "group": "g"})
    made = Execution(
        draw(Environment(place), [node], {}, release),
        run=place,
        outside=Outside(Chooser(newest)),
        ledger=Ledger(folder / "ledger"),
        kinds={Kind.STACK: stack},
        sources=folder / "checkout",
        state=folder / "state",
    )
    made.begin()
    scheduler.settle(made, Patience([]))
    assert made.results["network"].outcome.is_success, made.results["network"].detail
    return made


def test_a_release_is_carried_with_the_providers_it_was_proven_with(tmp_path: Path) -> None:
    dev = promoted(tmp_path, "dev", "1.0.0")
    built = ending.release(dev)
    assert built.locks == {"network": lock_of("1.0.0")}
    assert equality.defined(dev)["network/providers"] == "mystira/thing 1.0.0"

    carried = from_json(built.as_json())
    assert (carried.id, carried.locks) == (built.id, built.locks)
    staging = promoted(tmp_path, "staging", "1.1.0", carried)
    assert equality.defined(staging)["network/providers"] == "mystira/thing 1.0.0"
    assert equality.refuted(staging, carried) == ""
    assert ending.release(promoted(tmp_path, "test", "1.1.0")).id != built.id, "other providers: another release"


def test_what_was_made_by_other_providers_is_not_what_the_release_says(tmp_path: Path) -> None:
    built = ending.release(promoted(tmp_path, "dev", "1.0.0"))
    floating = promoted(tmp_path, "staging", "1.1.0")
    said = "network/providers is defined by mystira/thing 1.1.0, not mystira/thing 1.0.0"
    assert said in equality.refuted(floating, built)


def test_a_release_of_before_locks_travelled_says_nothing_of_them(tmp_path: Path) -> None:
    old = ending.release(promoted(tmp_path, "dev", ""))
    assert old.locks == {}
    told = old.as_json()
    told.pop("locks")
    assert from_json(told).id == old.id
    assert equality.refuted(promoted(tmp_path, "staging", "1.1.0", old), old) == ""

"""Definitions kept by content: what was proven is what is read later, wherever the checkout is by then."""

import subprocess
from pathlib import Path

import pytest
from programs_known import Known
from workspace import commit, definitions, ending, promotion, scheduler
from workspace.addresses import Addresses
from workspace.environment import Environment
from workspace.errors import Broken, Refused
from workspace.execution import Execution
from workspace.ledger import Ledger
from workspace.node import Kind, Node, Stage
from workspace.onward import Catalogue
from workspace.scheduler import Patience
from workspace.work import Outcome

FOLDERS = ("infra",)
DEV, STAGING = Environment("dev"), Environment("staging", follows="dev")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    files = {
        "infra/terraform/stacks/web/main.tf": 'module "web" {\n  source = "../../modules/web"\n}\n',
        "infra/terraform/stacks/web/.terraform.lock.hcl": "# providers\n",
        "infra/terraform/modules/web/main.tf": 'module "log" {\n  source = "../log"\n}\n',
        "infra/terraform/modules/log/main.tf": "# logs\n",
        "infra/terraform/modules/other/main.tf": "# nobody's\n",
        "infra/terraform/environments/dev/web.tfvars.json": '{"size": 1}\n',
        "infra/kubernetes/base/web/kustomization.yaml": "resources: [deployment.yaml]\n",
        "infra/kubernetes/base/web/deployment.yaml": "kind: Deployment\n",
        "infra/kubernetes/components/route/kustomization.yaml": "kind: Component\n",
        "infra/kubernetes/overlays/dev/web/kustomization.yaml": (
            "resources: [../../../base/web]\ncomponents: [../../../components/route]\npatches: [{path: size.yaml}]\n"
        ),
        "infra/kubernetes/overlays/dev/web/size.yaml": "replicas: 1\n",
    }
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_the_same_content_has_the_same_digest_wherever_it_lies(checkout: Path, tmp_path: Path) -> None:
    kept = definitions.keep(checkout, FOLDERS, tmp_path / "kept")
    assert definitions.digest_of(kept.root, FOLDERS) == kept.digest == definitions.digest_of(checkout, FOLDERS)
    assert definitions.keep(checkout, FOLDERS, tmp_path / "kept") == kept


@pytest.mark.parametrize(
    "name",
    [
        "infra/terraform/stacks/web/main.tf",
        "infra/terraform/stacks/web/.terraform.lock.hcl",
        "infra/terraform/environments/dev/web.tfvars.json",
        "infra/kubernetes/overlays/dev/web/size.yaml",
    ],
)
def test_every_definition_counts(checkout: Path, name: str) -> None:
    before = definitions.digest_of(checkout, FOLDERS)
    (checkout / name).write_text("# another\n")
    assert definitions.digest_of(checkout, FOLDERS) != before


@pytest.mark.parametrize(
    "name",
    [
        "infra/__pycache__/x.pyc",
        "infra/terraform/stacks/web/.terraform/providers/azurerm",
        "infra/terraform/stacks/web/terraform.tfstate",
        "infra/.DS_Store",
    ],
)
def test_what_tools_leave_behind_does_not(checkout: Path, name: str) -> None:
    before = definitions.digest_of(checkout, FOLDERS)
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("left behind")
    assert definitions.digest_of(checkout, FOLDERS) == before


def test_an_altered_copy_is_not_believed(checkout: Path, tmp_path: Path) -> None:
    kept = definitions.keep(checkout, FOLDERS, tmp_path / "kept")
    file = kept.root / "infra/terraform/modules/log/main.tf"
    file.chmod(0o600)
    file.write_text("# other logs\n")
    with pytest.raises(Broken, match="the kept definitions were altered, and nothing was touched"):
        definitions.kept(kept.digest, FOLDERS, tmp_path / "kept", "dev")
    with pytest.raises(Broken, match="the kept definitions were altered, and nothing was touched"):
        definitions.keep(checkout, FOLDERS, tmp_path / "kept")


def test_a_copy_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"are not in .* nothing was touched; run promote/dev again"):
        definitions.kept("a" * 64, FOLDERS, tmp_path, "dev")


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("stacks/web/main.tf", True),
        ("stacks/web/.terraform.lock.hcl", True),
        ("modules/web/main.tf", True),
        ("modules/log/main.tf", True),
        ("modules/other/main.tf", False),
        ("environments/dev/web.tfvars.json", False),
    ],
)
def test_a_stack_is_defined_by_its_files_and_the_modules_it_uses(checkout: Path, name: str, moves: bool) -> None:
    before = definitions.stack(checkout, "web")
    file = checkout / "infra/terraform" / name
    file.write_text(file.read_text() + "# more\n")
    assert (definitions.stack(checkout, "web") != before) is moves


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("base/web/deployment.yaml", True),
        ("components/route/kustomization.yaml", True),
        ("overlays/dev/web/size.yaml", False),
    ],
)
def test_a_workload_is_defined_by_what_all_environments_share(checkout: Path, name: str, moves: bool) -> None:
    overlay = "infra/kubernetes/overlays/dev/web"
    before = definitions.workload(checkout, overlay)
    file = checkout / "infra/kubernetes" / name
    file.write_text(file.read_text() + "# more\n")
    assert (definitions.workload(checkout, overlay) != before) is moves


def promoted(place: Environment, checkout: Path, state: Path) -> Execution:
    addresses = Addresses(subscription="s", state=state, engine="tcp://127.0.0.1:1")
    nodes = (Node("web-check", Kind.PAUSE, Stage.VERIFICATION, settings={"seconds": 0}),)
    opening = promotion.opened(
        place,
        nodes,
        addresses,
        run=f"run-{place.name}",
        sources=checkout,
        folders=FOLDERS,
        owner="a test",
        following=[Catalogue(STAGING, nodes)],
        reach=Known,
    )
    with opening as execution:
        execution.begin("somebody")
        scheduler.settle(execution, Patience(()))
        assert execution.results["web-check"].outcome is Outcome.CHANGED
        ending.conclude(execution)
        return execution


def test_staging_reads_what_dev_proved_though_the_checkout_moved_on(checkout: Path, tmp_path: Path) -> None:
    dev = promoted(DEV, checkout, tmp_path / "state")
    size = "infra/kubernetes/overlays/dev/web/size.yaml"
    (checkout / size).write_text("replicas: 99\n")
    staging = promoted(STAGING, checkout, tmp_path / "state")
    assert staging.definitions is not None
    assert (staging.definitions.root / size).read_text() == "replicas: 1\n"
    ledger = Ledger(tmp_path / "state")
    assert ledger.proven("staging") == ledger.proven("dev")
    assert staging.definitions.digest == dev.definitions.digest  # type: ignore[union-attr]


def test_dev_reads_a_copy_so_that_nothing_changes_while_it_is_at_work(checkout: Path, tmp_path: Path) -> None:
    dev = promoted(DEV, checkout, tmp_path / "state")
    assert dev.definitions is not None
    assert checkout not in dev.definitions.root.parents
    assert {file.stat().st_mode & 0o777 for file in dev.definitions.root.rglob("*") if file.is_file()} == {0o400}


def test_staging_is_refused_where_the_copy_is_gone_before_anything_is_touched(checkout: Path, tmp_path: Path) -> None:
    dev = promoted(DEV, checkout, tmp_path / "state")
    assert dev.definitions is not None
    dev.definitions.root.rename(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="The definitions of the release"):
        promoted(STAGING, checkout, tmp_path / "state")


def git(checkout: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@mystira.example"]
    subprocess.run(["git", "-C", str(checkout), *identity, *arguments], check=True, capture_output=True)


def test_a_release_knows_its_commit_and_whether_the_checkout_was_clean(checkout: Path, tmp_path: Path) -> None:
    assert str(commit.of(checkout)) == "no commit"
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "first")
    clean = commit.of(checkout)
    assert (len(clean.id), clean.author, clean.clean) == (40, "Somebody", True)
    (checkout / "infra/new.tf").write_text("# new\n")
    assert not commit.of(checkout).clean
    assert str(commit.of(checkout)) == f"{clean.id[:12]}, with changes of its own"
    promoted(DEV, checkout, tmp_path / "state")
    release = Ledger(tmp_path / "state").proven("dev")
    assert release is not None
    assert (release.commit["id"], release.commit["clean"]) == (clean.id, False)
    assert {"Terraform", "Kustomize"} <= release.tools.keys()

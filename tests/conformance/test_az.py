"""The real `az`, which knows nothing of us, against the whole rehearsal: what Azure's own client takes for Azure."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opted_in
import pytest
from az_commands import COMMANDS, NOTHING, Holds, Step
from kubernetes import client as kubernetes
from kubernetes import config
from workspace.rehearsal.server import Rehearsal

pytestmark = [pytest.mark.conformance, pytest.mark.evidence("az")]

PACKAGE, VERSION = "azure-cli", "2.91.0"
GROUP = "mys-dev-rehearsed-rg-san"
APP = Path(__file__).parents[2] / "packages/app/infrastructure"

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
SMALL = """{
  // az sends this file as it is, comments and all
  "$schema": "%s", "contentVersion": "1.0.0.0",
  "parameters": {"plan": {"type": "string", "defaultValue": "small-plan"}, "secret": {"type": "securestring"}},
  "resources": [
    {"type": "Microsoft.Web/serverfarms", "apiVersion": "2023-12-01", "name": "[parameters('plan')]",
     "location": "[resourceGroup().location]", "sku": {"name": "S1"}, "properties": {}},
    {"type": "Microsoft.Web/sites", "apiVersion": "2023-12-01", "name": "small-site", "kind": "app,linux",
     "location": "[resourceGroup().location]",
     "dependsOn": ["[resourceId('Microsoft.Web/serverfarms', parameters('plan'))]"],
     "properties": {"serverFarmId": "[resourceId('Microsoft.Web/serverfarms', parameters('plan'))]"}},
    /* one deployment
       inside another */
    {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "properties": {
      "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
      "template": {"$schema": "%s", "contentVersion": "1.0.0.0", "resources": [
        {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "smallinnerstore",
         "location": "southafricanorth", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}]}}}
  ],
  "outputs": {"planName": {"type": "string", "value": "[parameters('plan')]"}}
}""" % (SCHEMA, SCHEMA)  # noqa: UP031 - the braces are JSON's
EMPTY = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": []}
WRONG = {**EMPTY, "resources": [{"type": "Microsoft.Web/sites", "apiVersion": "2023-12-01", "name": "[nonsense()]"}]}

# what the rehearsal is told to do wrong before some commands
FAULTS = {"endless": "never-ending", "hopeless": "failed"}


class Az:
    """The program with a home of its own: nothing of the user's is read or written, and nobody is told."""

    def __init__(self, folder: Path, program: Path, certificate: str, programs: str) -> None:
        self._program = program
        home = folder / "home"
        home.mkdir()
        self._environment = {
            "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "AZURE_CONFIG_DIR": str(folder / "azure"),
            "REQUESTS_CA_BUNDLE": certificate,
            "NO_PROXY": "127.0.0.1",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_SURVEY_MESSAGE": "false",
            "AZURE_CORE_NO_COLOR": "true",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "false",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "AZURE_BICEP_USE_BINARY_FROM_PATH": "true",
            "AZURE_BICEP_CHECK_VERSION": "false",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._program), *words, "--output", "json"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )


class World:
    """The rehearsal, the program, the files that commands name, and how long each command took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rehearsal = Rehearsal(folder / "rehearsal", folder / "state")
        addresses = self.rehearsal.addresses
        virtual = opted_in.from_pypi(PACKAGE, VERSION)
        self.az = Az(folder, virtual / "bin" / "az", addresses["certificate"], addresses["programs"])
        self.known = {
            "address": addresses["resource_manager"],
            "tenant": addresses["tenant"],
            "subscription": addresses["subscription"],
            "group": GROUP,
            "secret": self._file("secret", json.loads(Path(addresses["identity"]).read_text())["client_secret"]),
            "small": self._file("small.json", SMALL),
            "empty": self._file("empty.json", json.dumps(EMPTY)),
            "wrong": self._file("wrong.json", json.dumps(WRONG)),
            "bicep": str(APP / "main.bicep"),
            "parameters": str(APP / "params.dev.json"),
            "kubeconfig": str(folder / "kubeconfig"),
        }
        self.seconds: dict[str, float] = {}

    def _file(self, name: str, text: str) -> str:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return str(file)

    def do(self, step: Step) -> subprocess.CompletedProcess[str]:
        fault = {"point": "arm", "subject": f"PUT Microsoft.Resources/deployments {step.before}"}
        faults = [{**fault, "how": FAULTS[step.before]}] if step.before else []
        (self.folder / "rehearsal" / "faults.json").write_text(json.dumps(faults))
        started = time.monotonic()
        done = self.az.run(*step.words(self.known))
        self.seconds[str(step)] = time.monotonic() - started
        return done

    def filled(self, value: Any) -> Any:
        """What a command must print, with what is known filled in."""
        if isinstance(value, str):
            return value.format(**self.known)
        return type(value)(self.filled(each) for each in value) if isinstance(value, list) else value


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("az"))
    passed: list[str] = []
    request.node.passed = passed
    yield made
    made.rehearsal.close()
    took = sorted(made.seconds.items(), key=lambda each: -each[1])
    slowest = ", ".join(f"{name.split(' -')[0]} {seconds:.1f} s" for name, seconds in took[:3])
    line = f"{len(passed)} of {len(COMMANDS)} commands of {PACKAGE} {VERSION} did as they must"
    opted_in.tell(request, f"{line} ({sum(made.seconds.values()):.0f} s; slowest: {slowest})")


@pytest.mark.parametrize("step", COMMANDS, ids=str)
def test_a_command_does_against_the_rehearsal_what_it_does_against_azure(
    step: Step, world: World, request: pytest.FixtureRequest
) -> None:
    done = world.do(step)

    if step.refused:
        assert done.returncode != 0
        assert step.refused in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        _check(world.filled(step.prints), done.stdout)
    if step.line.startswith("aks get-credentials") and not step.refused:
        _use(step.option("-f", world.known))
    request.node.parent.passed.append(str(step))


def _check(wanted: Any, printed: str) -> None:
    if wanted is NOTHING:
        return
    found = json.loads(printed) if printed.strip() else None
    if isinstance(wanted, Holds):
        assert [each for each in wanted if each not in found] == [], printed
    else:
        assert found == wanted


def _use(kubeconfig: str) -> None:
    """The credentials that az wrote open the cluster."""
    with config.new_client_from_config(kubeconfig) as opened:
        names = [each.metadata.name for each in kubernetes.CoreV1Api(opened).list_namespace().items]
    assert "kube-system" in names

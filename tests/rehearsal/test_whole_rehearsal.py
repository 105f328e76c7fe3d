"""The whole rehearsal in one process: where it listens, what it calls itself, and the directory it keeps."""

import base64
import contextlib
import ipaddress
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import dns.message
import dns.query
import grpc
import pytest
import yaml
from tf.gen import tfplugin_pb2 as terraform
from tf.gen import tfplugin_pb2_grpc as terraform_rpc
from typer.testing import CliRunner
from workspace.rehearsal import behaviour, state
from workspace.rehearsal.__main__ import application
from workspace.rehearsal.server import Rehearsal

GROUP = "/subscriptions/{}/resourceGroups/g"
CLIENTS = ("azure", "httpx", "kubernetes", "prefect", "requests", "rich")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("whole")
    with Rehearsal(folder / "rehearsal", folder / "runs") as made:
        group = GROUP.format(made.addresses["subscription"])
        made.cloud.put(behaviour.complete({"id": group, "location": "eastus"}))
        for each in ("Microsoft.KeyVault/vaults/v-1", "Microsoft.Web/sites/app", "Microsoft.Network/dnszones/a.test"):
            made.cloud.put(behaviour.complete({"id": f"{group}/providers/{each}", "location": "eastus"}))
        made.cloud.put({"id": f"{group}/providers/Microsoft.KeyVault/vaults/v-1/secrets/s", "_value": "sesame"})
        cluster = f"{group}/providers/Microsoft.ContainerService/managedClusters/k"
        made.cloud.put(behaviour.complete({"id": cluster, "location": "eastus"}))
        yield made


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def listening(pid: int) -> Iterator[tuple[str, Address]]:
    """The addresses a process listens at, or takes datagrams at, as the kernel has them: protocol and address."""
    mine = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(handle.readlink())
            if target.startswith("socket:["):
                mine.add(target[8:-1])
    for protocol, waiting in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == waiting and fields[9] in mine:
                yield protocol, address(fields[1].partition(":")[0])


def address(kernels: str) -> Address:
    """An address as the kernel prints it: words of four bytes, each turned round."""
    raw = bytes.fromhex(kernels)
    found = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    return getattr(found, "ipv4_mapped", None) or found


def below(pid: int) -> Iterator[int]:
    """A process and everything it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from below(int(child))


def test_everything_listens_on_loopback_only(rehearsal: Rehearsal) -> None:
    found = [each for pid in below(os.getpid()) for each in listening(pid)]
    assert len([each for each in found if each[0].startswith("tcp")]) >= 7
    assert len([each for each in found if each[0].startswith("udp")]) >= 2
    assert [each for each in found if not each[1].is_loopback] == []


def test_every_address_a_target_is_given_is_on_this_machine(rehearsal: Rehearsal) -> None:
    told = rehearsal.addresses
    for name in ("resource_manager", "scope", "vault", "kudu", "registry", "engine"):
        assert urlsplit(told[name]).hostname in ("127.0.0.1", None), name
    for each in (told["authority"], *told["resolvers"], *told["name_servers"]):
        assert each.startswith("127.0.0.1:")


class Web:
    """Requests to the rehearsal, with its certificate and a token of its own."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        told = rehearsal.addresses
        trusted = ssl.create_default_context(cafile=told["certificate"])
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trusted))
        self.base = told["resource_manager"]
        client = json.loads(Path(told["identity"]).read_text())
        form = {**client, "grant_type": "client_credentials", "scope": told["scope"]}
        content = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        answer = self.ask(f"{self.base}/{told['tenant']}/oauth2/v2.0/token", content)
        self.token = json.loads(answer[2])["access_token"]

    def ask(self, url: str, content: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
        try:
            answer = self._opener.open(Request(url, content, headers), timeout=10)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()


@pytest.fixture(scope="module")
def web(rehearsal: Rehearsal) -> Web:
    return Web(rehearsal)


def test_resource_manager_kudu_and_vaults_say_that_they_are_a_rehearsals(rehearsal: Rehearsal, web: Web) -> None:
    subscription = rehearsal.addresses["subscription"]
    signed = {"Authorization": f"Bearer {web.token}"}
    for path in (
        f"/subscriptions/{subscription}?api-version=2022-12-01",
        f"{GROUP.format(subscription)}/providers/Microsoft.Network/dnszones/a.test?api-version=2018-05-01",
        f"{GROUP.format(subscription)}/providers/Microsoft.Web/sites/app?api-version=2025-05-01",
        "/scm/app/api/deployments",
        "/vault/v-1/secrets?api-version=7.4",
        "/nowhere",
    ):
        _, headers, _ = web.ask(web.base + path, **signed)
        assert headers["x-ms-routing-request-id"].startswith("REHEARSAL:"), path
    told = web.ask(f"{web.base}/subscriptions/{subscription}?api-version=2022-12-01", **signed)[2]
    assert json.loads(told)["displayName"] == "rehearsal"


def test_the_token_endpoint_says_so_in_what_it_publishes_and_in_its_tokens(rehearsal: Rehearsal, web: Web) -> None:
    payload = web.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["_by"] == "rehearsal"
    where = f"{web.base}/{rehearsal.addresses['tenant']}/v2.0/.well-known/openid-configuration"
    assert json.loads(web.ask(where)[2])["tenant_region_scope"] == "REHEARSAL"


def test_the_registry_and_the_engine_say_so_unless_they_are_real(rehearsal: Rehearsal, web: Web) -> None:
    parts = rehearsal.addresses["parts"]["image"]
    if "stand-in registry" in parts:
        assert "rehearsal" in json.dumps(web.ask(f"{rehearsal.addresses['registry']}/v2/")[1]).lower()
    if "stand-in Docker engine" in parts:
        url = rehearsal.addresses["engine"].replace("tcp://", "http://")
        assert "rehearsal" in web.ask(f"{url}/version")[2]


def test_the_cluster_says_so_in_its_version(rehearsal: Rehearsal, web: Web) -> None:
    kubeconfig: dict[str, Any] = yaml.safe_load(rehearsal._kubeconfig("g", "k"))
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    token = kubeconfig["users"][0]["user"].get("token", "")
    assert "rehearsal" in web.ask(f"{server}/version", Authorization=f"Bearer {token}")[2]


def test_the_name_servers_say_so(rehearsal: Rehearsal) -> None:
    for each in (*rehearsal.addresses["resolvers"], *rehearsal.addresses["name_servers"]):
        host, _, port = each.partition(":")
        query = dns.message.make_query("version.bind", "TXT", rdclass="CH")
        assert "rehearsal" in str(dns.query.udp(query, host, port=int(port), timeout=5).answer[0][0])


def test_the_public_hosts_say_so(rehearsal: Rehearsal, web: Web) -> None:
    at = rehearsal._public.address_of("app.azurewebsites.net")
    url = f"http://{at}:{rehearsal.addresses['public_port']}/"
    _, headers, _ = web.ask(url, Host="app.azurewebsites.net")
    assert headers["x-rehearsal"] == "true"


def test_the_bicep_program_says_so(rehearsal: Rehearsal) -> None:
    program = Path(rehearsal.addresses["programs"]) / "bicep"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert "rehearsal" in done.stdout


def test_the_plugin_says_so_in_what_it_tells_of_itself(rehearsal: Rehearsal) -> None:
    told = json.loads(rehearsal.addresses["terraform_environment"]["TF_REATTACH_PROVIDERS"])["hashicorp/azurerm"]
    with grpc.insecure_channel(told["Addr"]["String"]) as channel:
        stub = terraform_rpc.ProviderStub(channel)
        answer = stub.GetProviderSchema(terraform.GetProviderSchema.Request(), timeout=10)
    assert "rehearsal" in answer.provider.block.description


# the directory it keeps


def run(directory: Path, *arguments: str, typed: str = "") -> Any:
    return CliRunner().invoke(application, ["--directory", str(directory), *arguments], input=typed)


def test_its_directory_cannot_be_shared_or_emptied_while_it_runs(rehearsal: Rehearsal, tmp_path: Path) -> None:
    directory = rehearsal._directory
    with pytest.raises(state.InUse, match=rf"process {os.getpid()}"):
        Rehearsal(directory, tmp_path)
    refused = run(directory, "reset", "--yes")
    assert refused.exit_code == 1
    assert "is running on" in refused.output
    assert state.resources(directory)


def test_what_it_holds_is_shown_by_group_and_type_and_nothing_secret(rehearsal: Rehearsal) -> None:
    shown = run(rehearsal._directory, "show")
    rows = [line.split()[:3] for line in shown.output.splitlines()]
    assert ["g", "Microsoft.KeyVault/vaults", "v-1"] in rows
    assert ["g", "Microsoft.KeyVault/vaults/secrets", "v-1/s"] in rows
    assert "6 resources in" in shown.output
    full = run(rehearsal._directory, "show", "*secrets*", "--full").output
    assert [each["id"].rpartition("/")[2] for each in json.loads(full)] == ["s"]
    assert "sesame" not in shown.output + full


def test_a_reset_asks_and_leaves_what_a_person_wrote(tmp_path: Path) -> None:
    directory = tmp_path / "rehearsal"
    (directory / "cloud").mkdir(parents=True)
    (directory / "cloud" / "x.json").write_text("{}")
    for name in ("settings.json", "by-hand.json"):
        (directory / name).write_text("{}")
    assert run(directory, "reset", typed="n\n").exit_code == 1
    assert (directory / "cloud" / "x.json").exists()
    assert "cloud" in run(directory, "reset", typed="y\n").output
    assert sorted(each.name for each in directory.iterdir()) == ["by-hand.json", "running", "settings.json"]
    assert run(tmp_path / "none", "reset", "--yes").exit_code == 1


def test_it_starts_without_the_libraries_of_those_it_is_for() -> None:
    code = f"import sys, workspace.rehearsal.server; print([each for each in {CLIENTS!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

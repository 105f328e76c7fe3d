"""Our definitions, kinds and cluster client together against the rehearsal's cluster: a whole environment rolls out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workspace.clients import cluster as cluster_module
from workspace.clients.cluster import Cluster
from workspace.clients.kustomize import Kustomize
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import certificate, secret, workload
from workspace.node import Kind, Node, Stage
from workspace.rehearsal.cluster import Clusters
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.serving import Served
from workspace.rehearsal.serving import certificate as make_certificate
from workspace.work import Certainty, Outcome, Preview, Result, Work

SOURCES = Path(__file__).parents[2]
GOOD, NEWER, NEWEST, ABSENT = ("sha256:" + letter * 64 for letter in "abcd")
KUSTOMIZE = Kustomize(engines=["pykustomize", "kubectl", "kustomize"])
SERVICES = ("chain", "publisher", "story-generator")
SECRETS = {
    "chain": {"azure_client_id": {"value": "0000-client"}},
    "publisher": {key: {"vault": "mystira-pub-dev-kv"} for key in ("servicebus_connection", "appinsights_connection")},
    "story-generator": {
        key: {"vault": "mystira-sg-dev-kv"}
        for key in (
            "postgres_connection_string",
            "redis_connection_string",
            "anthropic_api_key",
            "openai_api_key",
            "appinsights_connection",
        )
    },
}


@dataclass
class Land:
    """A rehearsal with as many clusters as a test asks for, and the outside through which kinds see them."""

    clusters: Clusters
    url: str
    authority: str
    directory: Path
    hindrance: list[str]
    opened: list[Cluster] = field(default_factory=list)

    def cluster(self, name: str, **options: Any) -> Cluster:
        text = self.clusters.kubeconfig("rg", name, self.url, self.authority)
        self.opened.append(Cluster(text, timeout_seconds=10, **options))
        return self.opened[-1]

    def outside(self, name: str) -> Any:
        one = self.cluster(name)
        vault = SimpleNamespace(get=lambda vault, name: f"value of {name}")
        return SimpleNamespace(cluster=lambda group, name: one, kustomize=KUSTOMIZE, vault=vault)

    def fail(self, **fault: Any) -> None:
        (self.directory / "faults.json").write_text(json.dumps([fault] if fault else []))


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    directory = tmp_path_factory.mktemp("land")
    pair = make_certificate(directory / "tls")
    hindrance: list[str] = []
    clusters = Clusters(
        directory / "clusters",
        Faults(directory),
        pulls=lambda reference: ABSENT not in reference,
        exists=lambda group, name: name != "nowhere",
        address=lambda subject: "127.0.0.9",
        issue=lambda names: hindrance[0] if hindrance else "",
        rollout_seconds=0.04,
        deadline_scale=0.001,
    )
    with Served(clusters.app, pair) as served:
        here = Land(clusters, served.url, pair.certificate.read_text(), directory, hindrance)
        yield here
        for each in here.opened:
            each.close()
    clusters.close()


@pytest.fixture(autouse=True)
def nothing_wrong(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_FIRST_POLL", 0.03)
    monkeypatch.setattr(cluster_module, "_SLOWEST_POLL", 0.06)
    land.fail()
    land.hindrance.clear()


def work(node: str, digest: str = GOOD, **more: Any) -> Work:
    """A node of dev, as the catalogue will write it."""
    settings: dict[str, Any] = {
        "cluster": {"group": "rg", "name": "any"},
        "overlay": f"infra/kubernetes/overlays/dev/{node}",
        "namespace": "cert-manager" if node == "cert-manager" else "mystira-dev",
        "deadline_seconds": 20,
    }
    if node == "cert-manager":
        settings["external_images"] = ["quay.io/jetstack/"]
    if node in SERVICES:
        settings["images"] = {node: f"mystiraacr.azurecr.io/{node}@{digest}"}
        path = "metadata.annotations.azure\\.workload\\.identity/client-id"
        settings["set"] = [{"kind": "ServiceAccount", "name": f"mystira-{node}-sa", "path": path, "value": "0000"}]
    if node in ("publisher", "story-generator"):
        url = {
            "kind": "ConfigMap",
            "name": f"mystira-{node}-config",
            "path": "data.key_vault_url",
            "value": "https://v",
        }
        settings["set"].append(url)
    return made(node, Kind.WORKLOAD, {**settings, **more})


def secrets_of(service: str) -> Work:
    settings = {"cluster": {"group": "rg", "name": "any"}, "namespace": "mystira-dev"}
    named = {"name": f"mystira-{service}-secrets", "keys": SECRETS[service]}
    return made(f"{service}-secrets", Kind.SECRET, {**settings, **named})


def tls(service: str, deadline: float = 20) -> Work:
    settings = {"cluster": {"group": "rg", "name": "any"}, "namespace": "mystira-dev", "name": f"mystira-{service}-tls"}
    return made(f"{service}-certificate", Kind.CERTIFICATE, {**settings, "deadline_seconds": deadline})


def made(name: str, kind: Kind, settings: dict[str, Any]) -> Work:
    node = Node(name, kind, Stage.CLUSTER_ROLLOUT)
    return Work(node, Environment("dev"), settings, Path("/nowhere"), SOURCES)


def settle(kind: Any, given: Work, outside: Any) -> Result:
    preview = kind.preview(given, outside)
    done: Result = kind.apply(given, preview, outside)
    verified: Result = kind.verify(given, done, outside)
    return verified


ORDER = (
    *((workload, node) for node in ("namespace", "gateway", "cert-manager", "issuers")),
    *((secret, node) for node in SERVICES),
    *((workload, node) for node in SERVICES),
    *((certificate, node) for node in SERVICES),
)


def handed(kind: Any, node: str) -> Work:
    if kind is workload:
        return work(node)
    return secrets_of(node) if kind is secret else tls(node)


@pytest.fixture(scope="module")
def dev(land: Land) -> tuple[Any, dict[str, Result]]:
    """An environment that was rolled out whole, and what each node gave."""
    outside = land.outside("whole")
    return outside, {f"{kind.__name__}/{node}": settle(kind, handed(kind, node), outside) for kind, node in ORDER}


def test_a_whole_environment_rolls_out_in_the_order_of_its_needs(dev: tuple[Any, dict[str, Result]]) -> None:
    _, results = dev
    workloads = {name: each for name, each in results.items() if "certificate/" not in name}
    assert {each.outcome for each in workloads.values()} == {Outcome.CHANGED}
    assert all(each.outcome.is_success for each in results.values())
    assert results["workspace.kinds.workload/gateway"].gives["address"] == "127.0.0.9"
    assert results["workspace.kinds.workload/chain"].content == GOOD
    assert results["workspace.kinds.certificate/chain"].gives["hosts"] == ["dev.chain.mystira.app"]


def test_a_second_promotion_changes_nothing_and_writes_nothing(land: Land, dev: tuple[Any, dict[str, Result]]) -> None:
    outside, _ = dev
    before = versions(land, "whole")
    for kind, node in ORDER:
        preview = kind.preview(handed(kind, node), outside)
        assert preview.is_empty, (node, preview.changes)
        assert kind.apply(handed(kind, node), preview, outside).outcome is Outcome.UNCHANGED
    assert versions(land, "whole") == before


def versions(land: Land, name: str) -> dict[str, str]:
    ours = ("ConfigMap", "Service", "ServiceAccount", "Secret", "NetworkPolicy", "Certificate", "HTTPRoute", "Gateway")
    things = [each for each in land.clusters.objects("rg", name) if each["kind"] in ours]
    return {each["metadata"]["uid"]: each["metadata"].get("resourceVersion", "") for each in things}


def test_pods_run_the_pinned_digest_and_know_their_secrets(dev: tuple[Any, dict[str, Result]]) -> None:
    outside, _ = dev
    cluster = outside.cluster("rg", "any")
    live = cluster.get("apps/v1", "StatefulSet", "mystira-dev", "mystira-chain")
    assert cluster.running_images(live) == {"chain": frozenset({GOOD})}
    assert len(cluster.identity()) == 36


@pytest.fixture(scope="module")
def shop(land: Land) -> Any:
    """A cluster with what publisher and chain stand on; each test begins with what it needs."""
    outside = land.outside("shop")
    for kind, node in ((workload, "namespace"), (workload, "gateway"), (secret, "publisher"), (secret, "chain")):
        settle(kind, handed(kind, node), outside)
    return outside


def test_a_preview_for_an_empty_cluster_is_deferred_and_writes_nothing(land: Land) -> None:
    outside = land.outside("empty")
    found = workload.preview(work("publisher"), outside)
    assert found.certainty is Certainty.DEFERRED
    assert "create Deployment mystira-dev/mystira-publisher" in found.changes
    assert outside.cluster("rg", "any").get("v1", "Namespace", "", "mystira-dev") is None


def test_a_new_digest_rolls_and_an_undo_brings_the_old_one_back_once(shop: Any) -> None:
    settle(workload, work("publisher"), shop)
    changed = workload.preview(work("publisher", NEWER), shop)
    assert changed.changes == (
        "change Deployment mystira-dev/mystira-publisher: spec.template.spec.containers[publisher].image",
    )
    settle(workload, work("publisher", NEWER), shop)
    assert workload.undo(work("publisher", NEWER), shop).outcome is Outcome.CHANGED
    cluster = shop.cluster("rg", "any")
    live = cluster.get("apps/v1", "Deployment", "mystira-dev", "mystira-publisher")
    assert cluster.running_images(live) == {"publisher": frozenset({GOOD})}
    assert workload.undo(work("publisher", NEWER), shop).outcome is Outcome.UNCHANGED
    assert settle(workload, work("publisher", NEWER), shop).outcome is Outcome.CHANGED


def test_a_digest_that_is_not_in_the_registry_is_broken_with_the_words_of_the_pull(shop: Any) -> None:
    with pytest.raises(Broken, match=r"Deployment mystira-dev/mystira-publisher cannot become ready.*ImagePullBackOff"):
        settle(workload, work("publisher", ABSENT), shop)


def test_a_rollout_that_crashes_says_so_and_running_again_after_the_repair_finishes(land: Land, shop: Any) -> None:
    land.fail(point="rollout", subject="mystira-publisher", how="CrashLoopBackOff")
    with pytest.raises(Broken, match="is in CrashLoopBackOff"):
        settle(workload, work("publisher", NEWEST), shop)
    land.fail()
    assert settle(workload, work("publisher", NEWEST), shop).outcome.is_success


def test_a_bad_chain_is_followed_by_a_good_one_although_its_pod_is_stuck(shop: Any) -> None:
    with pytest.raises(Broken, match=r"StatefulSet mystira-dev/mystira-chain cannot become ready.*ImagePullBackOff"):
        settle(workload, work("chain", ABSENT), shop)
    assert settle(workload, work("chain"), shop).content == GOOD


def test_a_chain_goes_back_to_its_previous_revision(shop: Any) -> None:
    settle(workload, work("chain"), shop)
    settle(workload, work("chain", NEWER), shop)
    assert "is back at revision" in workload.undo(work("chain"), shop).detail
    cluster = shop.cluster("rg", "any")
    live = cluster.get("apps/v1", "StatefulSet", "mystira-dev", "mystira-chain")
    assert cluster.running_images(live) == {"chain": frozenset({GOOD})}


def config(**data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "mystira-dev"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_field_that_somebody_else_owns_is_named_and_kept(land: Land, shop: Any) -> None:
    ours, theirs = land.cluster("shop"), land.cluster("shop", field_manager="kubectl")
    theirs.apply([config(a="theirs")])
    with pytest.raises(Broken, match=r"ConfigMap mystira-dev/settings is not ours alone: kubectl owns \.data\.a"):
        ours.differences([config(a="ours")])
    found = ours.get("v1", "ConfigMap", "mystira-dev", "settings")
    assert found is not None and found["data"] == {"a": "theirs"}


def test_a_misspelt_field_is_refused_by_the_server_itself(land: Land, shop: Any) -> None:
    wrong = {**config(a="1"), "dta": {"b": "2"}}
    with pytest.raises(Refused, match="dta"):
        land.cluster("shop").differences([wrong])


def test_a_changed_selector_is_refused_before_anything_is_written(shop: Any) -> None:
    settle(workload, work("publisher"), shop)
    path = "spec.selector.matchLabels.app"
    rule = {"kind": "Deployment", "name": "mystira-publisher", "path": path, "value": "other"}
    with pytest.raises(Refused, match=r"exists with another spec\.selector"):
        workload.preview(work("publisher", set=[*work("publisher").settings["set"], rule]), shop)


def test_a_certificate_that_is_not_issued_in_time_says_why(land: Land, dev: tuple[Any, dict[str, Result]]) -> None:
    outside, _ = dev
    land.hindrance.append("dev.other.mystira.app does not resolve")
    (one,) = [each for each in certificates() if each["metadata"]["name"] == "mystira-chain-tls"]
    one["metadata"]["name"] = one["spec"]["secretName"] = "mystira-other-tls"
    one["spec"]["dnsNames"] = ["dev.other.mystira.app"]
    outside.cluster("rg", "any").apply([one])
    with pytest.raises(Broken, match=r"Certificate mystira-dev/mystira-other-tls.*does not resolve"):
        certificate.apply(tls("other", deadline=0.3), Preview(), outside)


def certificates() -> list[dict[str, Any]]:
    rendered = KUSTOMIZE.render(SOURCES / "infra/kubernetes/overlays/dev/issuers")
    return [each for each in rendered if each["kind"] == "Certificate"]


def test_a_cluster_that_azure_does_not_have_is_unsettled(land: Land) -> None:
    with pytest.raises(Unsettled, match="503"):
        land.cluster("nowhere").identity()

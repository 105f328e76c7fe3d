"""The kinds of names, apps and sites with their real clients against the stand-ins, as a promotion uses them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure_here import ADMIN, GROUP, OTHER_SITE, ZONE, ZONE_GROUP, AzureHere, package, shared
from workspace.environment import Environment
from workspace.errors import Broken, Refused, Unsettled
from workspace.kinds import app, binding, check, record, site
from workspace.node import Kind, Node, Stage
from workspace.work import Outcome, Result, Work

MODULES: dict[Kind, Any] = {
    Kind.APP: app,
    Kind.SITE: site,
    Kind.RECORD: record,
    Kind.BINDING: binding,
    Kind.CHECK: check,
}


class Promotion:
    """Nodes done one after the other, each as a flow does it."""

    def __init__(self, azure: AzureHere) -> None:
        self.azure = azure
        self.outside = SimpleNamespace(
            zone=azure.zone,
            resolver=azure.resolver,
            web=azure.web,
            app_service=azure.app_service,
            static_site=azure.static_site,
            packages=SimpleNamespace(path=self._path, url=lambda sha256: self._path(sha256).as_uri()),
        )

    def do(self, kind: Kind, **settings: Any) -> Result:
        node, module = self.work(kind, **settings), MODULES[kind]
        preview = module.preview(node, self.outside)
        result: Result = module.verify(node, module.apply(node, preview, self.outside), self.outside)
        if kind is not Kind.CHECK:
            assert preview.is_empty == (result.outcome is Outcome.UNCHANGED)
        return result

    def work(self, kind: Kind, **settings: Any) -> Work:
        folder = self.azure.folder
        usual = {"deadline_seconds": 5}
        return Work(Node(f"a-{kind}", kind, Stage.NAMES), Environment("dev"), {**usual, **settings}, folder, folder)

    def record(self, name: str, type: str, *values: str) -> Result:
        return self.do(Kind.RECORD, zone=ZONE, group=ZONE_GROUP, name=name, type=type, ttl=300, values=list(values))

    def app(self, text: str, slot: str = "staging") -> Result:
        sha256 = package(self.azure.folder, text)[1]
        return self.do(Kind.APP, group=GROUP, site=ADMIN, slot=slot, package=sha256, settings={"Flag": "on"})

    def _path(self, sha256: str) -> Path:
        return self.azure.folder / f"{sha256}.zip"


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


@pytest.fixture
def promotion(azure: AzureHere) -> Promotion:
    azure.fail()
    return Promotion(azure)


def test_an_app_becomes_public_under_its_own_name_and_a_second_promotion_changes_nothing(promotion: Promotion) -> None:
    def promote() -> list[Outcome]:
        deployed = promotion.app("api one")
        host, proof, sha256 = (deployed.gives[key] for key in ("host", "verification", "sha256"))
        steps = [
            deployed,
            promotion.record("admin.dev", "CNAME", host),
            promotion.record("asuid.admin.dev", "TXT", proof),
            promotion.do(Kind.BINDING, target="app", group=GROUP, name=ADMIN, host="admin.dev.mystira.app"),
            promotion.do(Kind.CHECK, host="admin.dev.mystira.app", expect={"sha256": sha256}),
        ]
        return [each.outcome for each in steps]

    assert promote() == [*[Outcome.CHANGED] * 4, Outcome.UNCHANGED]
    before = promotion.azure.writes
    assert promote() == [Outcome.UNCHANGED] * 5
    assert promotion.azure.writes == before


def test_a_static_site_becomes_public_under_its_own_name(promotion: Promotion) -> None:
    sha256 = package(promotion.azure.folder, "<h1>pwa</h1>")[1]

    deployed = promotion.do(Kind.SITE, group=GROUP, name=OTHER_SITE, package=sha256)
    promotion.record("other", "CNAME", deployed.gives["host"])
    promotion.do(Kind.BINDING, target="site", group=GROUP, name=OTHER_SITE, host="other.mystira.app")
    checked = promotion.do(Kind.CHECK, host="other.mystira.app", path="/", expect={"sha256": sha256})

    assert checked.outcome is Outcome.UNCHANGED
    assert sha256 in checked.detail


def test_a_service_in_a_cluster_is_found_through_its_record(promotion: Promotion) -> None:
    face = promotion.azure.face
    address = face.address_for("ingress mystira-dev-aks")
    face.serve(address)
    promotion.azure.clusters["dev.chain.mystira.app"] = {
        "service": "mystira-chain",
        "digest": "sha256:abc",
        "ready": True,
        "address": address,
    }

    promotion.record("dev.chain", "A", address)
    checked = promotion.do(Kind.CHECK, host="dev.chain.mystira.app", expect={"digest": "sha256:abc"})
    assert address in checked.detail
    with pytest.raises(Unsettled, match="sha256:def"):
        promotion.do(Kind.CHECK, host="dev.chain.mystira.app", expect={"digest": "sha256:def"})


def test_a_slot_that_does_not_become_well_leaves_the_public_as_it_was(promotion: Promotion) -> None:
    before = promotion.app("good one")
    promotion.azure.fail({"point": "rollout", "subject": f"{ADMIN}-staging", "how": "ProbeFailing"})
    sha256 = package(promotion.azure.folder, "bad one")[1]

    with pytest.raises(Broken, match="did not become well"):
        promotion.do(Kind.APP, group=GROUP, site=ADMIN, slot="staging", package=sha256, deadline_seconds=0.3)
    promotion.azure.fail()
    assert promotion.azure.app_service.deployed(GROUP, ADMIN) == before.content


def test_undo_brings_the_version_before_back(promotion: Promotion) -> None:
    first, second = promotion.app("first"), promotion.app("second")
    node = promotion.work(Kind.APP, group=GROUP, site=ADMIN, slot="staging", package=second.content)

    assert app.undo(node, promotion.outside).content == first.content
    assert promotion.azure.web.ask(f"{ADMIN}.azurewebsites.net", "/version").facts["sha256"] == first.content


def test_a_binding_before_its_records_is_unsettled(promotion: Promotion) -> None:
    with pytest.raises(Unsettled, match="DNS records"):
        promotion.do(Kind.BINDING, target="app", group=GROUP, name=ADMIN, host="early.admin.dev.mystira.app")


def test_a_record_is_not_believed_before_public_resolvers_say_it(promotion: Promotion) -> None:
    promotion.azure.dns.propagation_seconds = 3600
    work = promotion.work(
        Kind.RECORD, zone=ZONE, group=ZONE_GROUP, name="slow", type="A", ttl=300, values=["127.77.0.9"]
    )
    work = replace(work, settings={**work.settings, "deadline_seconds": 0.1})
    result = record.apply(work, record.preview(work, promotion.outside), promotion.outside)

    with pytest.raises(Unsettled, match="NXDOMAIN"):
        record.verify(work, result, promotion.outside)
    promotion.azure.dns.propagation_seconds = 0
    assert record.verify(work, result, promotion.outside).outcome is Outcome.CHANGED


def test_a_record_of_another_environment_is_refused(promotion: Promotion) -> None:
    promotion.record("shared", "A", "127.77.0.9")
    other = promotion.work(
        Kind.RECORD, zone=ZONE, group=ZONE_GROUP, name="shared", type="A", ttl=300, values=["127.77.0.8"]
    )

    with pytest.raises(Refused, match="mystira-workspace/dev"):
        record.preview(replace(other, environment=Environment("staging")), promotion.outside)

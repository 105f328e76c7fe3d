"""The public face: hosts answer what was deployed, at the address they have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from workspace.rehearsal import behaviour
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.public import APP_SERVICE, STATIC_WEB_APPS, AddressBook, PublicFace
from workspace.rehearsal.web_content import Package, record_deployment

WEB = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web"
APP, SITE = f"{WEB}/sites/api", f"{WEB}/staticSites/pwa"
INGRESS = "ingress"
CLUSTER: dict[str, dict[str, Any]] = {
    "chain.mystira.app": {"service": "mystira-chain", "digest": "sha256:abc", "ready": True},
    "starting.mystira.app": {"service": "mystira-publisher", "digest": "sha256:abc", "ready": False},
    "elsewhere.mystira.app": {"service": "x", "digest": "sha256:abc", "ready": True, "address": "127.77.0.250"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="module")
def cloud(folder: Path) -> Cloud:
    made = Cloud(folder / "cloud")
    for resource in (APP, f"{APP}/slots/staging", SITE):
        made.put(behaviour.complete({"id": resource}))
    record_deployment(made, APP, Package("a" * 64, ()), seconds=0)
    return made


@pytest.fixture(scope="module")
def face(cloud: Cloud, folder: Path) -> Iterator[PublicFace]:
    with PublicFace(
        cloud, Faults(folder), directory=folder, packages=folder, cluster_route=lambda host, _: CLUSTER.get(host)
    ) as made:
        made.serve(made.address_for(STATIC_WEB_APPS))
        made.serve(made.address_for(INGRESS))
        yield made


def get(face: PublicFace, subject: str, host: str, path: str) -> httpx.Response:
    url = f"http://{face.address_for(subject)}:{face.port}{path}"
    return httpx.get(url, headers={"Host": host}, trust_env=False, verify=False)


def test_an_app_is_well_and_tells_its_package(face: PublicFace) -> None:
    assert get(face, APP_SERVICE, "api.azurewebsites.net", "/health/ready").json()["status"] == "Healthy"
    assert get(face, APP_SERVICE, "api.azurewebsites.net", "/version").json()["sha256"] == "a" * 64


def test_a_slot_without_a_package_waits_for_content(face: PublicFace) -> None:
    assert get(face, APP_SERVICE, "api-staging.azurewebsites.net", "/").status_code == 200
    assert get(face, APP_SERVICE, "api-staging.azurewebsites.net", "/health").status_code == 404


def test_a_host_is_answered_only_when_it_is_bound(face: PublicFace, cloud: Cloud) -> None:
    assert get(face, APP_SERVICE, "api.dev.mystira.app", "/health").status_code == 404
    cloud.put({"id": f"{APP}/hostNameBindings/api.dev.mystira.app", "properties": {}})

    assert get(face, APP_SERVICE, "api.dev.mystira.app", "/health").status_code == 200


def test_an_app_told_to_fail_is_unhealthy(face: PublicFace, folder: Path) -> None:
    fault = {"point": "rollout", "subject": "api", "how": "ProbeFailing", "times": 1}
    (folder / "faults.json").write_text(json.dumps([fault]))

    assert get(face, APP_SERVICE, "api.azurewebsites.net", "/health").status_code == 503
    assert get(face, APP_SERVICE, "api.azurewebsites.net", "/health").status_code == 200


def test_a_service_in_a_cluster_tells_its_digest(face: PublicFace) -> None:
    assert get(face, INGRESS, "chain.mystira.app", "/version").json()["digest"] == "sha256:abc"
    assert get(face, INGRESS, "chain.mystira.app", "/health").status_code == 200


@pytest.mark.parametrize(
    ("subject", "host", "status"),
    [
        (INGRESS, "starting.mystira.app", 503),
        (INGRESS, "unknown.mystira.app", 404),
        (INGRESS, "elsewhere.mystira.app", 404),
        (INGRESS, "api.azurewebsites.net", 404),
        (APP_SERVICE, "chain.mystira.app", 404),
        (STATIC_WEB_APPS, "api.azurewebsites.net", 404),
    ],
)
def test_a_front_end_answers_only_for_what_is_behind_it(face: PublicFace, subject: str, host: str, status: int) -> None:
    assert get(face, subject, host, "/health").status_code == status


def test_only_names_of_sites_that_are_there_have_an_address(face: PublicFace, cloud: Cloud) -> None:
    site = behaviour.complete({"id": SITE})["properties"]["defaultHostname"]

    assert face.address_of("api.azurewebsites.net") == face.address_for(APP_SERVICE)
    assert face.address_of(site) == face.address_for(STATIC_WEB_APPS)
    assert face.address_of("none.azurewebsites.net") is None
    assert face.address_of("example.net") is None


def test_addresses_are_loopback_different_and_the_same_tomorrow(tmp_path: Path) -> None:
    today, tomorrow = AddressBook(tmp_path / "addresses.json"), AddressBook(tmp_path / "addresses.json")
    given = [today.address_for(subject) for subject in ("a", "b", "c")]

    assert len(set(given)) == 3
    assert all(address.startswith("127.77.") for address in given)
    assert [tomorrow.address_for(subject) for subject in ("c", "a", "b")] == [given[2], given[0], given[1]]

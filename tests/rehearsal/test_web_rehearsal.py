"""The App Service stand-in answers as Azure was recorded to answer."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from web_asked import Asked
from workspace.rehearsal import behaviour, web
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults
from workspace.rehearsal.web_answers import wrapped

GROUP = "/subscriptions/s/resourceGroups/g"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/api"
TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def azure(cloud: Cloud, faults: Faults, tmp_path: Path) -> Asked:
    cloud.put({"id": GROUP, "name": "g"})
    cloud.put(behaviour.complete({"id": SITE, "location": "san", "kind": "app,linux"}))
    cloud.put(behaviour.complete({"id": f"{SITE}/slots/staging", "location": "san"}))
    made = web.routes(cloud, faults, tmp_path / "deployed", kudu_seconds=0, azure_seconds=0)
    return Asked(made)


def recorded(samples: Path, name: str, index: int) -> dict[str, Any]:
    exchange: dict[str, Any] = json.loads((samples / "azure/dev" / f"{name}.json").read_text())["exchanges"][index]
    return exchange["response"]


def error(samples: Path, identifier: str) -> dict[str, Any]:
    lines = (samples / "azure/dev/errors.jsonl").read_text().splitlines()
    found: dict[str, Any] = next(each for each in map(json.loads, lines) if each["id"] == identifier)
    return found["response"]


def test_a_push_is_taken_with_the_headers_that_were_recorded(samples: Path, azure: Asked) -> None:
    expected = recorded(samples, "webapp-zipdeploy-async-and-slot-2026", 3)

    answer = azure.post("/scm/api/api/zipdeploy?isAsync=true", content=b"no zip", headers=TOKEN)

    assert answer.status_code == expected["status"]
    assert {"location", "scm-deployment-id"} <= set(answer.headers)
    assert answer.content == b""


def test_a_deployment_is_told_with_the_fields_that_were_recorded(samples: Path, azure: Asked) -> None:
    azure.post("/scm/api/api/zipdeploy", content=b"no zip", headers=TOKEN)
    expected = recorded(samples, "webapp-zipdeploy-async-and-slot-2026", 12)["body"]

    shown = azure.get("/scm/api/api/deployments/latest", headers=TOKEN).json()

    assert set(expected) - set(shown) == {"is_temp", "start_time", "last_success_end_time", "build_summary"}
    assert (shown["status"], shown["complete"]) == (3, True)


def test_arm_knows_of_a_deployment_only_after_a_404_in_the_recorded_words(samples: Path, azure: Asked) -> None:
    name = azure.post("/scm/api/api/zipdeploy", content=b"no zip", headers=TOKEN).headers["scm-deployment-id"]
    expected = error(samples, "3bf7bf8d03")

    first, second = (azure.get(f"{SITE}/deploymentStatus/{name}") for _ in range(2))

    assert first.status_code == 404
    assert first.json()["Code"] == expected["body"]["Code"]
    assert first.json()["Message"] == f"The operation {name} is not found."
    assert set(first.json()) == set(expected["body"])
    assert second.json()["properties"]["status"] == "BuildFailed"


def test_a_push_of_something_that_is_no_zip_fails_and_the_log_says_so(azure: Asked) -> None:
    azure.post("/scm/api/api/zipdeploy", content=b"no zip", headers=TOKEN)

    log = azure.get("/scm/api/api/deployments/latest/log", headers=TOKEN).json()
    assert any("End of Central Directory" in line["message"] for line in log)


def test_a_push_without_a_token_or_to_no_site_is_turned_away(azure: Asked) -> None:
    assert azure.post("/scm/api/api/zipdeploy").status_code == 401
    assert azure.post("/scm/none/api/zipdeploy", headers=TOKEN).status_code == 404


def test_a_swap_is_answered_with_the_statuses_that_were_recorded(
    samples: Path, cloud: Cloud, faults: Faults, tmp_path: Path, azure: Asked
) -> None:
    slow = Asked(web.routes(cloud, faults, tmp_path / "deployed", azure_seconds=3600))
    expected = recorded(samples, "webapp-slots-swap-net", 12)

    for client, status in ((slow, 202), (azure, 200)):
        taken = client.post(f"{SITE}/slots/staging/slotsswap?api-version=1", json={"targetSlot": "production"})
        assert (taken.status_code, taken.content) == (expected["status"], b"")
        progress = client.get(taken.headers["location"])
        assert progress.status_code == status
    done = recorded(samples, "webapp-slots-swap-net", 15)["body"]
    assert set(done["properties"]["slotSwapStatus"]) == set(progress.json()["properties"]["slotSwapStatus"])


def test_settings_are_listed_in_the_recorded_shape_and_never_with_the_site(samples: Path, azure: Asked) -> None:
    expected = recorded(samples, "webapp-slots-swap-net", 4)["body"]
    azure.put(f"{SITE}/config/appsettings", json={"properties": {"Jwt": "hidden"}})

    listed = azure.post(f"{SITE}/config/appsettings/list").json()

    assert set(expected) - set(listed) <= {"location", "tags"}
    assert listed["properties"] == {"Jwt": "hidden"}
    assert "hidden" not in azure.get(SITE).text


def test_a_site_that_is_not_there_is_a_404_in_the_recorded_words(samples: Path, azure: Asked) -> None:
    expected = error(samples, "0266dcae51")["body"]["error"]

    said = azure.get(f"{GROUP}/providers/Microsoft.Web/sites/none").json()["error"]

    assert said["code"] == expected["code"]
    assert said["message"].startswith("The Resource 'Microsoft.Web/sites/none' under resource group 'g' was not found.")


def test_a_host_is_refused_until_both_records_are_in_the_zone(azure: Asked, cloud: Cloud) -> None:
    binding = f"{SITE}/hostNameBindings/api.dev.mystira.app"
    zone = f"{GROUP}/providers/Microsoft.Network/dnszones/mystira.app"
    proof = azure.get(SITE).json()["properties"]["customDomainVerificationId"]

    assert "asuid.api.dev.mystira.app" in azure.put(binding, json={}).json()["Message"]
    cloud.put({"id": f"{zone}/TXT/asuid.api.dev", "properties": {"TXTRecords": [{"value": [proof]}]}})
    assert azure.put(binding, json={}).json()["Message"].startswith("A CNAME record pointing from api.dev.mystira.app")
    cloud.put({"id": f"{zone}/CNAME/api.dev", "properties": {"CNAMERecord": {"cname": "api.azurewebsites.net"}}})
    assert azure.put(binding, json={}).status_code == 200
    assert "api.dev.mystira.app" in azure.get(SITE).json()["properties"]["hostNames"]


def test_a_thumbprint_nobody_issued_cannot_be_bound(azure: Asked, cloud: Cloud) -> None:
    test_a_host_is_refused_until_both_records_are_in_the_zone(azure, cloud)

    answer = azure.put(f"{SITE}/hostNameBindings/api.dev.mystira.app", json={"properties": {"thumbprint": "4F"}})
    assert answer.status_code == 404


def test_a_site_name_that_is_taken_is_taken_in_every_group(azure: Asked, cloud: Cloud) -> None:
    cloud.put({"id": f"{GROUP}2", "name": "g2"})

    assert azure.put(f"{GROUP}2/providers/Microsoft.Web/sites/API", json={"location": "san"}).status_code == 409


def test_an_error_body_names_code_and_message() -> None:
    assert json.loads(bytes(wrapped(404, "Code", "words").body)) == {"error": {"code": "Code", "message": "words"}}


def test_a_site_needs_a_plan_that_is_there(azure: Asked) -> None:
    group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web"
    asked = {"location": "westus", "properties": {"serverFarmId": f"{group}/serverfarms/none"}}
    answer = azure.put(f"{group}/sites/another", json=asked)
    assert (answer.status_code, answer.json()["Message"]) == (404, "Cannot find ServerFarm with name none.")


def test_how_a_site_runs_is_what_was_written_with_it_and_on_top_of_it(azure: Asked) -> None:
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/another"
    azure.put(path, json={"location": "westus", "properties": {"siteConfig": {"alwaysOn": True}}})
    azure.put(f"{path}/config/web", json={"properties": {"javaVersion": "17"}})
    assert (
        azure.request("PATCH", f"{path}/config/web", json={"properties": {"ftpsState": "Disabled"}}).status_code == 200
    )
    told = azure.get(f"{path}/config/web").json()["properties"]
    assert {**told, "alwaysOn": True, "javaVersion": "17", "ftpsState": "Disabled"} == told


def test_how_a_site_is_run_is_told_with_what_was_written_with_it_and_apart(cloud: Cloud, azure: Asked) -> None:
    cloud.put({**(cloud.get(SITE) or {}), "properties": {"siteConfig": {"minTlsVersion": "1.3", "alwaysOn": True}}})
    cloud.put({"id": f"{SITE}/config/web", "name": "web", "properties": {"alwaysOn": False}})

    told = azure.get(f"{SITE}/config/web").json()

    assert told["type"] == "Microsoft.Web/sites/config"
    assert told["properties"]["minTlsVersion"] == "1.3"
    assert told["properties"]["alwaysOn"] is False
    assert told["properties"]["publishingUsername"] == "$api"


def test_the_recorded_configuration_of_a_site_has_every_field_that_is_told(samples: Path, azure: Asked) -> None:
    expected = recorded(samples, "webapp-slots-swap-net", 3)["body"]["properties"]

    told = azure.get(f"{SITE}/config/web").json()["properties"]

    assert told.keys() <= expected.keys()
    assert [name for name in told if not isinstance(told[name], type(expected[name]))] == []


def test_a_site_names_its_tier_and_its_own_host_among_its_bindings(samples: Path, azure: Asked) -> None:
    expected = recorded(samples, "webapp-slots-swap-net", 1)["body"]["properties"]

    assert azure.get(SITE).json()["properties"]["sku"] == expected["sku"] == "Standard"
    assert [each["name"] for each in azure.get(f"{SITE}/hostNameBindings").json()["value"]] == [
        "api/api.azurewebsites.net"
    ]


def test_the_publishing_profile_holds_the_credentials_of_the_slot(azure: Asked) -> None:
    own = azure.post(f"{SITE}/slots/staging/config/publishingcredentials/list").json()["properties"]

    answer = azure.post(f"{SITE}/slots/staging/publishxml")

    found = ElementTree.fromstring(answer.text).findall("publishProfile")
    assert {each.get("userName") for each in found} == {own["publishingUserName"]}
    assert {each.get("userPWD") for each in found} == {own["publishingPassword"]}

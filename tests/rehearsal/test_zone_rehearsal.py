"""The zone stand-in answers as Azure was recorded to answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from web_asked import Asked
from workspace.rehearsal import zone
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg246591"
HOME = f"{GROUP}/providers/Microsoft.Network/dnsZones/www.contoso246591.com"


@pytest.fixture
def azure(cloud: Cloud, faults: Faults) -> Asked:
    cloud.put({"id": GROUP, "name": "rg246591"})
    client = Asked(zone.routes(cloud, faults))
    client.put(HOME, json={"location": "global"})
    return client


def a_record(value: str = "192.0.2.1") -> dict[str, Any]:
    return {"properties": {"TTL": 300, "ARecords": [{"ipv4Address": value}]}}


def test_the_recorded_life_of_a_zone_is_repeated_with_the_same_statuses_and_shapes(samples: Path, azure: Asked) -> None:
    story = json.loads((samples / "azure/dev/dns-zone-records-crud.json").read_text())["exchanges"]
    azure.delete(HOME)
    for each in story:
        # Request bodies were not recorded: the answer to a PUT tells what was asked.
        request, expected = each["request"], each["response"]
        sent = {
            key: expected["body"][key] for key in ("properties", "location", "tags") if key in (expected["body"] or {})
        }
        answer = azure.request(request["method"], request["path"], json=sent if request["method"] == "PUT" else None)

        assert answer.status_code == expected["status"], request
        if expected["body"]:
            assert _shape(answer.json()) >= _shape(expected["body"]), request
            assert ("etag" in answer.headers) == ("etag" in expected["headers"])


def _shape(value: Any, path: str = "") -> set[str]:
    """The paths of a JSON value; the items of a list count as one."""
    if isinstance(value, dict):
        return {step for key, item in value.items() for step in _shape(item, f"{path}.{key}")}
    if isinstance(value, list):
        return {step for item in value for step in _shape(item, f"{path}[]")} or {path}
    return {path}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"If-None-Match": "*"}, "The Record set www exists already and hence cannot be created again."),
        ({"If-Match": "another"}, "The Record set www has been modified (etag mismatch)."),
    ],
)
def test_a_failed_guard_is_a_412_in_azures_words(azure: Asked, headers: dict[str, str], said: str) -> None:
    azure.put(f"{HOME}/A/www", json=a_record())

    answer = azure.put(f"{HOME}/A/www", json=a_record("192.0.2.2"), headers=headers)

    assert answer.status_code == 412
    assert answer.json() == {"code": "PreconditionFailed", "message": said}
    assert azure.get(f"{HOME}/A/www").json()["properties"]["ARecords"] == [{"ipv4Address": "192.0.2.1"}]


def test_paths_are_the_same_in_any_case(azure: Asked) -> None:
    azure.put(f"{HOME}/A/www", json=a_record())

    assert azure.get(f"{HOME}/a/WWW".replace("resourceGroups", "resourcegroups")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "name", "properties", "status"),
    [
        ("CNAME", "@", {"TTL": 300, "CNAMERecord": {"cname": "a.example.net"}}, 400),
        ("CNAME", "www", {"TTL": 300, "CNAMERecord": {"cname": "a.example.net"}}, 409),
        ("CNAME", "bad", {"TTL": 300, "CNAMERecord": {"cname": '"quoted"'}}, 400),
        ("A", "alias", {"TTL": 300, "ARecords": [{"ipv4Address": "192.0.2.2"}]}, 409),
        ("A", "bad", {"TTL": 300, "ARecords": [{"ipv4Address": "300.1.1.1"}]}, 400),
        ("A", "bad", {"ARecords": [{"ipv4Address": "192.0.2.2"}]}, 400),
        ("NOPE", "bad", {"TTL": 300}, 400),
    ],
)
def test_what_azure_would_refuse_is_refused(
    azure: Asked, kind: str, name: str, properties: dict[str, Any], status: int
) -> None:
    azure.put(f"{HOME}/A/www", json=a_record())
    azure.put(f"{HOME}/CNAME/alias", json={"properties": {"TTL": 300, "CNAMERecord": {"cname": "a.example.net"}}})

    assert azure.put(f"{HOME}/{kind}/{name}", json={"properties": properties}).status_code == status


def test_every_zone_has_its_ns_and_soa_sets_which_cannot_be_deleted(azure: Asked) -> None:
    names = {(each["type"].split("/")[-1], each["name"]) for each in azure.get(f"{HOME}/all").json()["value"]}

    assert names == {("NS", "@"), ("SOA", "@")}
    assert azure.get(HOME).json()["properties"]["numberOfRecordSets"] == 2
    assert azure.delete(f"{HOME}/NS/@").status_code == 400


def test_a_zone_or_group_that_is_not_there_is_a_404_in_azures_words(azure: Asked) -> None:
    no_zone = azure.get(f"{GROUP}/providers/Microsoft.Network/dnsZones/none.example/A/www").json()
    no_group = azure.put(HOME.replace("rg246591", "none"), json={}).json()

    assert no_zone["error"]["code"] == "ParentResourceNotFound"
    assert no_group["error"]["code"] == "ResourceGroupNotFound"


def test_a_record_set_another_tool_wrote_is_shown_complete(azure: Asked, cloud: Cloud) -> None:
    cloud.put(
        {"id": f"{HOME}/A/tool", "type": "Microsoft.Network/dnszones/A", "properties": {"TTL": 60, "ARecords": []}}
    )

    shown = azure.get(f"{HOME}/A/tool").json()
    assert shown["etag"]
    assert shown["properties"]["fqdn"] == "tool.www.contoso246591.com."


def test_a_zone_or_record_that_was_changed_meanwhile_is_not_deleted(azure: Asked) -> None:
    azure.put(f"{HOME}/A/www", json=a_record())
    for each in (f"{HOME}/A/www", HOME):
        answer = azure.delete(each, headers={"If-Match": "another"})
        assert (answer.status_code, answer.json()["code"]) == (412, "PreconditionFailed")
    seen = azure.get(HOME).headers["etag"]
    assert azure.delete(HOME, headers={"If-Match": seen}).status_code == 202
    assert azure.delete(HOME).status_code == 204


def test_record_sets_come_in_pages_and_by_the_end_of_their_names(azure: Asked) -> None:
    for number in range(55):
        azure.put(f"{HOME}/A/host{number}", json=a_record())
    first = azure.get(f"{HOME}/A").json()
    assert len(first["value"]) == 50
    assert len(azure.get(first["nextLink"]).json()["value"]) == 5
    assert len(azure.get(f"{HOME}/all?$top=3").json()["value"]) == 3
    chosen = azure.get(f"{HOME}/A?$recordsetnamesuffix=host54").json()["value"]
    assert [each["name"] for each in chosen] == ["host54"]

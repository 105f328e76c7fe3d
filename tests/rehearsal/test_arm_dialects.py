"""Errors in every dialect that was recorded, wherever the service that speaks it is rehearsed."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from workspace import diagnosis
from workspace.rehearsal import arm_answers, behaviour, serving, vault, web, zone
from workspace.rehearsal.arm import Arm
from workspace.rehearsal.cloud import Cloud
from workspace.rehearsal.faults import Faults

SUBSCRIPTION = "66666666-7777-4888-8999-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
WEB, NETWORK = f"{GROUP}/providers/Microsoft.Web", f"{GROUP}/providers/Microsoft.Network"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/k"
RECORDED = {"error{}": 71, "code": 16, "odata": 6, "Code": 4, "empty": 3, "other": 2, "Error{}": 2, "xml": 1, "text": 1}
"""How many of the recorded errors are in each dialect."""
OF_OTHERS = {
    "odata": "the old Graph is not rehearsed",
    "xml": "the data plane of storage is not rehearsed",
    "other": "Compute's image lists and Insights' ingestion are not rehearsed",
}
"""Dialects of services that are not rehearsed: they are spoken when a fault asks for them."""
QUOTA = {"subject": "PUT *managedClusters *", "how": "quota", "status": 409, "code": "QuotaExceeded"}
SPOKEN: list[tuple[str, str, str, dict[str, Any] | None, dict[str, Any] | None, int]] = [
    ("error{}", "GET", f"{WEB}/sites/none?api-version=2025-05-01", None, None, 404),
    ("error{}", "GET", f"{GROUP}none?api-version=2025-04-01", None, None, 404),
    ("error{}", "GET", f"{GROUP}?api-version=2025-04-01", None, {"subject": "*", "how": "throttle"}, 429),
    ("error{}", "GET", "/vault/v/secrets/none?api-version=7.4", None, None, 401),
    ("code", "PUT", f"{NETWORK}/dnsZones/of%20mine?api-version=2018-05-01", {}, None, 400),
    ("code", "PUT", f"{CLUSTER}?api-version=2025-10-01", {"location": "eastus"}, QUOTA, 409),
    ("Code", "GET", f"{WEB}/sites/app/hostNameBindings/a.test?api-version=2025-05-01", None, None, 404),
    ("Code", "GET", f"{WEB}/sites/app/deploymentStatus/d?api-version=2025-05-01", None, None, 404),
    ("Error{}", "DELETE", f"{GROUP}?api-version=2025-04-01", None, {"subject": "DELETE *", "how": "failed"}, 409),
    ("empty", "POST", "/scm/app/api/zipdeploy", {}, {"point": "kudu", "subject": "app", "how": "500"}, 500),
    ("empty", "HEAD", f"{GROUP}none?api-version=2025-04-01", None, None, 404),
    ("text", "POST", "/scm/app/api/zipdeploy", {}, {"point": "kudu", "subject": "app", "how": "conflict"}, 409),
]


def dialect(answer: serving.Answer) -> str:
    """Which dialect an error is in, told apart as the recordings are."""
    if not answer.content:
        return "empty"
    if "json" not in answer.headers.get("content-type", ""):
        return "xml" if answer.content.decode("utf-8-sig").lstrip().startswith("<") else "text"
    told = json.loads(answer.content)
    for name, each in (("error{}", "error"), ("Error{}", "Error"), ("odata", "odata.error")):
        if isinstance(told.get(each), dict):
            return name
    return next((each for each in ("code", "Code") if each in told), "other")


class Here:
    def __init__(self, folder: Path, fault: Mapping[str, Any] | None) -> None:
        cloud, faults = Cloud(folder / "cloud"), Faults(folder)
        for each in (GROUP, f"{WEB}/sites/app", f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"):
            cloud.put(behaviour.complete({"id": each, "location": "eastus"}))
        if fault:
            (folder / "faults.json").write_text(json.dumps([{"point": "arm", **fault}]))
        self.arm = Arm(
            cloud,
            faults,
            tenant=behaviour.TENANT,
            client_id="c",
            client_secret="s",
            subscription=SUBSCRIPTION,
            deployment_seconds=0.0,
            extra_routes=[
                *zone.routes(cloud, faults),
                *web.routes(cloud, faults, folder / "packages"),
                *vault.routes(cloud, faults),
            ],
        )

    def ask(self, method: str, target: str, body: Mapping[str, Any] | None) -> serving.Answer:
        """The answer, or the outcome at the address it names."""
        headers = {"authorization": f"Bearer {self.arm.identity.token()}"}
        content = json.dumps(body).encode() if body is not None else b""
        answer = asyncio.run(serving.ask(self.arm.app, method, target, headers, content))
        if answer.status == 202 and "location" in answer.headers:
            return self.ask("GET", "/" + answer.headers["location"].split("/", 3)[3], None)
        return answer


@pytest.mark.parametrize(("spoken", "method", "target", "body", "fault", "status"), SPOKEN)
def test_an_error_is_in_the_dialect_of_its_service(
    tmp_path: Path,
    spoken: str,
    method: str,
    target: str,
    body: dict[str, Any] | None,
    fault: dict[str, Any] | None,
    status: int,
) -> None:
    answer = Here(tmp_path, fault).ask(method, target, body)
    assert (answer.status, dialect(answer)) == (status, spoken)


@pytest.mark.parametrize("wanted", arm_answers.DIALECTS)
def test_a_fault_is_told_in_any_dialect_and_our_decoder_reads_it(tmp_path: Path, wanted: str) -> None:
    fault = {
        "subject": "*",
        "how": "refused",
        "status": 409,
        "code": "Held",
        "message": "It is <held>.",
        "dialect": wanted,
    }
    answer = Here(tmp_path, fault).ask("GET", f"{GROUP}?api-version=2025-04-01", None)
    assert (answer.status, dialect(answer)) == (409, wanted)
    told = diagnosis.diagnose(answer.content.decode(), answer.status)
    if wanted not in ("empty", "text", "other"):
        assert told.code == "Held"
    assert ("It is <held>" in str(told)) == (wanted != "empty")


def test_every_recorded_dialect_is_spoken(samples: Path) -> None:
    lines = (samples / "azure/dev/errors.jsonl").read_text().splitlines()
    counted = Counter(json.loads(line)["dialect"] for line in lines)
    assert counted == RECORDED
    assert counted.keys() == set(arm_answers.DIALECTS) == {each[0] for each in SPOKEN} | OF_OTHERS.keys()

"""Errors of Terraform and Kubernetes that people reported in public, told by the clients that would meet them.

Azure's are told by `diagnosis`: tests/workspace/test_diagnosis.py.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence
from test_cluster_client import Api, config_map, failure, kubeconfig
from workspace.clients.cluster import Cluster
from workspace.clients.terraform import Locked, Stream, translate
from workspace.errors import Broken, Unsettled, WorkspaceError
from workspace.rehearsal.serving import Served

Case = dict[str, Any]
ID = "/subscriptions/s/resourceGroups/g"
LOCK = "ID: 1-2\n  Path: dev.tfstate\n  Operation: OperationTypeApply\n  Who: ci@runner\n  Created: today"


def by_terraform(doing: str, detail: str) -> Callable[[Case], WorkspaceError]:
    def tell(case: Case) -> WorkspaceError:
        stream = Stream(say=lambda _: None, mask=str)
        told = {"severity": "error", "summary": case["message_contains"][0], "detail": detail}
        stream.line(json.dumps({"@level": "error", "type": "diagnostic", "diagnostic": told}))
        return translate("network", doing, stream.errors, 1, "")

    return tell


def by_a_cluster(case: Case) -> WorkspaceError:
    """What our client says when a cluster answers a server-side apply so."""
    api = Api()
    message = case["message_contains"][0] + 'kubectl-client-side-apply" using v1: .data.a'
    told = (case.get("event") or {}).get("object") or {"message": message, "reason": "Conflict"}
    refused = failure(case["http_status"], told["reason"], told["message"])
    api.otherwise = lambda request, _: refused if request.method == "PATCH" else None
    with Served(api.app) as served:
        cluster = Cluster(kubeconfig(served.url), timeout_seconds=5)
        try:
            with pytest.raises(WorkspaceError) as caught:
                cluster.apply([config_map(a="1")])
        finally:
            cluster.close()
    assert api.changed == []
    return caught.value


EXPECTED: Mapping[str, tuple[Callable[[Case], WorkspaceError], type[WorkspaceError], str]] = {
    "terraform-needs-import": (by_terraform("apply", f'the ID "{ID}"'), Broken, ID),
    "terraform-azurerm-lock": (
        by_terraform("plan", f"state blob is already locked\nLock Info:\n  {LOCK}"),
        Locked,
        "ci@runner",
    ),
    "k8s-watch-gone": (by_a_cluster, Unsettled, "too old resource version"),
    "k8s-ssa-conflict-one": (by_a_cluster, Broken, "kubectl-client-side-apply"),
}


@pytest.mark.evidence("told-errors")
def test_every_reported_error_that_is_not_azures_is_told_by_its_client(samples: Path, evidence: Evidence) -> None:
    lines = (samples / "reported/dev/reported-errors.jsonl").read_text().splitlines()
    cases = [case for case in map(json.loads, lines) if case["service"].startswith(("azurerm", "kubernetes"))]

    def told(case: Case) -> str:
        tell, kind, words = EXPECTED[case["id"]]
        said = tell(case)
        assert type(said) is kind and words in str(said) and "\n" not in str(said)
        return kind.__name__.lower()

    evidence.each(cases, told, name=lambda case: str(case["id"]))
    assert {case["id"] for case in cases} == set(EXPECTED)

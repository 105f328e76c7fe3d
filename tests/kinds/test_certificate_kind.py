"""The certificate kind: waited for until cert-manager says Ready."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from workspace.environment import Environment
from workspace.errors import Broken, Unsettled
from workspace.kinds import certificate
from workspace.node import Kind, Node, Stage
from workspace.work import Certainty, Outcome, Preview, Result, Work

READY = {"conditions": [{"type": "Ready", "status": "True"}], "notAfter": "2097-02-01T00:00:00Z"}
ISSUING = {"conditions": [{"type": "Issuing", "status": "True", "reason": "DoesNotExist"}]}


def made(status: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": "web-tls"}
    spec = {"secretName": "web-tls", "dnsNames": ["web.example"]}
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


class Cluster:
    def __init__(self, live: dict[str, Any] | None, becomes: dict[str, Any] | None = None) -> None:
        self.live, self._becomes = live, becomes

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        assert (api_version, kind, namespace, name) == ("cert-manager.io/v1", "Certificate", "shop", "web-tls")
        return self.live

    def wait_ready(self, objects: Any, deadline: float, say: Any) -> list[Any]:
        if self._becomes is None:
            raise Broken(f"not ready after {deadline:.0f} s")
        self.live = self._becomes
        return [self._becomes]

    def why_not_issued(self, live: Any) -> str:
        return "challenge for web.example: no such host"


def around(cluster: Cluster) -> Any:
    return SimpleNamespace(cluster=lambda group, name: cluster)


def work() -> Work:
    settings = {"cluster": {"group": "g", "name": "n"}, "namespace": "shop", "name": "web-tls", "deadline_seconds": 5}
    node = Node("web-certificate", Kind.CERTIFICATE, Stage.NAMES)
    return Work(node, Environment("dev"), settings, Path("/nowhere"), Path("/nowhere"))


def test_a_certificate_whose_time_is_over_is_not_believed_to_be_ready() -> None:
    outside = around(Cluster(made({**READY, "notAfter": "2020-02-01T00:00:00Z"})))
    assert certificate.preview(work(), outside).changes == ("wait for Certificate shop/web-tls",)
    with pytest.raises(Unsettled, match="ended at 2020-02-01T00:00:00Z and cert-manager did not renew it"):
        certificate.verify(work(), Result(Outcome.UNCHANGED), outside)


def test_a_ready_certificate_changes_nothing() -> None:
    outside = around(Cluster(made(READY)))
    assert certificate.preview(work(), outside).is_empty
    done = certificate.apply(work(), Preview(), outside)
    assert done.outcome is Outcome.UNCHANGED
    assert done.gives == {"secret": "web-tls", "hosts": ["web.example"], "not_after": "2097-02-01T00:00:00Z"}


def test_a_certificate_on_its_way_is_waited_for() -> None:
    outside = around(Cluster(made(ISSUING), made(READY)))
    assert certificate.preview(work(), outside).changes == ("wait for Certificate shop/web-tls",)
    done = certificate.apply(work(), Preview(), outside)
    assert done.outcome is Outcome.CHANGED
    assert certificate.verify(work(), done, outside).gives["secret"] == "web-tls"


def test_one_that_does_not_exist_yet_makes_a_deferred_preview() -> None:
    assert certificate.preview(work(), around(Cluster(None))).certainty is Certainty.DEFERRED


def test_one_that_is_not_issued_in_time_is_broken_with_the_words_of_the_challenge() -> None:
    with pytest.raises(Broken, match=r"not ready after 5 s; challenge for web\.example: no such host"):
        certificate.apply(work(), Preview(), around(Cluster(made(ISSUING))))


@pytest.mark.parametrize("live", [None, made(ISSUING)])
def test_one_that_is_not_ready_any_more_is_unsettled(live: Any) -> None:
    done = certificate.apply(work(), Preview(), around(Cluster(made(READY))))
    with pytest.raises(Unsettled):
        certificate.verify(work(), done, around(Cluster(live)))

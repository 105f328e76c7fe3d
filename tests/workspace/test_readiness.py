"""Readiness: every recorded case of four projects, and the policy where they disagree."""

import datetime
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence, files_of
from workspace.readiness import State, addresses, supported, verdict

WORDS = {
    "Current": State.READY,
    "InProgress": State.PROGRESSING,
    "Healthy": State.READY,
    "Progressing": State.PROGRESSING,
    "Failed": State.FAILED,
    "Degraded": State.FAILED,
    # What is stopped on purpose never becomes ready by waiting.
    "Suspended": State.FAILED,
}

SERVED = "a load balancer without an address serves nobody (Argo CD agrees, kstatus asks for the cluster address only)"
RUNNING = "a running Job is work in progress: what needs it must not start (Argo CD agrees, kstatus says Current)"
LAST_RUN = "how the last scheduled run ended says nothing about this rollout (kstatus agrees)"
NO_CONDITION = (
    "no condition says that it waits (kstatus: an object without conditions is Current); Argo CD knows the kind"
)
NO_STATUS = "nothing was reported (kstatus: Current); Argo CD knows that this kind reports"
SLOWER = "it says that it is not ready and not that it never will be: we wait to the deadline and tell what it said"

# By case: what we say instead of the suite, and why. docs/decisions/0013 is the policy behind it.
OTHERWISE: dict[str, tuple[State, str]] = {
    "kstatus/TestJobStatus/jobInProgress": (State.PROGRESSING, RUNNING),
    "kstatus/TestServiceStatus/serviceLBok": (State.PROGRESSING, SERVED),
    "argo-cd/batch/CronJob/degraded": (State.READY, LAST_RUN),
}

# Kinds this workspace does not deploy, so that they have no rule: they are judged by their conditions alone.
OTHER_KINDS = {
    "argoproj.io/Rollout",
    "bitnami.com/SealedSecret",
    "external-secrets.io/ClusterExternalSecret",
    "helm.toolkit.fluxcd.io/HelmRelease",
    "keda.sh/ScaledJob",
    "keda.sh/ScaledObject",
    "policy.open-cluster-management.io/CertificatePolicy",
    "policy.open-cluster-management.io/ConfigurationPolicy",
    "policy.open-cluster-management.io/OperatorPolicy",
    "policy.open-cluster-management.io/Policy",
    "postgresql.cnpg.io/Cluster",
    "snapshot.storage.k8s.io/VolumeSnapshot",
    "snapshot.storage.k8s.io/VolumeSnapshotContent",
}
OTHERWISE_OF_OTHER_KINDS: dict[str, tuple[State, str]] = {
    "argo-cd/argoproj.io/Rollout/progressing_addingMoreReplicas": (State.READY, NO_CONDITION),
    "argo-cd/argoproj.io/Rollout/progressing_killingOldReplicas": (State.READY, NO_CONDITION),
    "argo-cd/bitnami.com/SealedSecret/degraded": (State.PROGRESSING, SLOWER),
    "argo-cd/external-secrets.io/ClusterExternalSecret/progressing": (State.READY, NO_STATUS),
    "argo-cd/helm.toolkit.fluxcd.io/HelmRelease/degraded": (State.PROGRESSING, SLOWER),
    "argo-cd/keda.sh/ScaledJob/keda-progressing": (State.READY, NO_CONDITION),
    "argo-cd/keda.sh/ScaledObject/keda-progressing": (State.READY, NO_CONDITION),
    "argo-cd/keda.sh/ScaledObject/keda-fallback": (State.READY, NO_CONDITION),
    "argo-cd/policy.open-cluster-management.io/ConfigurationPolicy/degraded": (State.READY, NO_CONDITION),
    "argo-cd/policy.open-cluster-management.io/OperatorPolicy/progressing_no_compliance": (State.READY, NO_CONDITION),
    "argo-cd/policy.open-cluster-management.io/Policy/degraded_replicated": (State.READY, NO_CONDITION),
    "argo-cd/policy.open-cluster-management.io/Policy/progressing_no_status": (State.READY, NO_STATUS),
    "argo-cd/policy.open-cluster-management.io/Policy/progressing_nil_status": (State.READY, NO_STATUS),
    "argo-cd/postgresql.cnpg.io/Cluster/cluster_suspended": (State.READY, NO_CONDITION),
    "argo-cd/postgresql.cnpg.io/Cluster/cluster_degraded": (State.PROGRESSING, SLOWER),
    "argo-cd/postgresql.cnpg.io/Cluster/cluster_reconcile_suspended": (State.READY, NO_CONDITION),
    "argo-cd/snapshot.storage.k8s.io/VolumeSnapshot/initializing": (State.READY, NO_STATUS),
    "argo-cd/snapshot.storage.k8s.io/VolumeSnapshotContent/initializing": (State.READY, NO_STATUS),
}


def expected(case: dict[str, Any]) -> State:
    said = case["expected"]
    if "status" in said:
        return WORDS[said["status"]]
    if said["err"]:
        return State.FAILED
    return State.READY if said["done"] else State.PROGRESSING


def judged(case: dict[str, Any]) -> str:
    """The sort of a case whose verdict is that of its suite, or the one that is written down here."""
    thing = case["object"]
    found = verdict(thing)
    is_other = f"{thing['apiVersion'].rpartition('/')[0]}/{thing['kind']}" in OTHER_KINDS
    otherwise, _ = (OTHERWISE_OF_OTHER_KINDS if is_other else OTHERWISE).get(case["id"], (None, ""))
    assert found.state is (otherwise or expected(case)), found
    assert otherwise is not expected(case), "as the suite says: it needs no exception"
    assert found.is_ready or found.reason, "what is not ready has to say why"
    if is_other:
        return "of kinds we do not deploy otherwise" if otherwise else "of kinds we do not deploy alike"
    return "by our policy" if otherwise else "as the suite says"


@pytest.mark.evidence("kubernetes-readiness")
def test_every_recorded_case_has_the_verdict_of_its_suite_or_of_our_policy(samples: Path, evidence: Evidence) -> None:
    cases: list[dict[str, Any]] = []
    for file in files_of("kubernetes-readiness", samples):
        evidence.used(file)
        cases += map(json.loads, (samples / file).read_text().splitlines())
    evidence.each(cases, judged, name=lambda case: str(case["id"]))
    exceptions = {**OTHERWISE, **OTHERWISE_OF_OTHER_KINDS}
    assert set(exceptions) <= {case["id"] for case in cases}
    for reason, count in Counter(reason for _, reason in exceptions.values()).most_common():
        evidence.detail(f"otherwise, {count} times: {reason}")


def test_each_kind_we_deploy_has_a_rule_of_its_own() -> None:
    ours = {"Deployment.apps", "StatefulSet.apps", "Job.batch", "Pod", "Service", "Ingress.networking.k8s.io"}
    ours |= {"Namespace", "PersistentVolumeClaim", "HorizontalPodAutoscaler.autoscaling", "PodDisruptionBudget.policy"}
    ours |= {"Certificate.cert-manager.io", "ClusterIssuer.cert-manager.io", "Gateway.gateway.networking.k8s.io"}
    ours |= {"HTTPRoute.gateway.networking.k8s.io", "CustomResourceDefinition.apiextensions.k8s.io"}
    assert ours <= supported()


def made(kind: str, api: str = "v1", **parts: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", "generation": 1}, **parts}


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": reason}}, **more}]}


def test_a_crash_loop_tells_how_the_container_ended() -> None:
    last = {"terminated": {"exitCode": 3, "reason": "Error", "message": "no database"}}
    said = verdict(made("Pod", status={"phase": "Running", **waiting("CrashLoopBackOff", lastState=last)}))
    assert said.is_failed
    assert said.reason == "container web is in CrashLoopBackOff: ended with exit code 3 (Error): no database"


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"])
def test_a_container_that_cannot_start_has_failed(reason: str) -> None:
    assert verdict(made("Pod", status={"phase": "Pending", **waiting(reason)})).is_failed


def test_an_init_container_counts_too() -> None:
    status = {"phase": "Pending", "initContainerStatuses": waiting("ImagePullBackOff")["containerStatuses"]}
    assert verdict(made("Pod", status=status)).is_failed


def test_a_pod_without_a_node_waits_first_and_fails_with_patience_for_new_nodes() -> None:
    thing = made("Pod", status={"phase": "Pending", "conditions": [unschedulable()]})
    thing["metadata"]["creationTimestamp"] = "2026-11-01T12:00:00Z"
    start = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
    assert verdict(thing, start + datetime.timedelta(seconds=5)).state is State.PROGRESSING
    later = verdict(thing, start + datetime.timedelta(seconds=60))
    assert later.is_failed and later.grace > 60 and "0/3 nodes are available" in later.reason


def unschedulable() -> dict[str, str]:
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}


def test_a_generation_not_observed_yet_is_never_ready() -> None:
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    thing = made("Deployment", "apps/v1", spec={"replicas": 1}, status=status)
    assert verdict(thing).is_ready
    thing["metadata"]["generation"] = 2
    assert verdict(thing).state is State.PROGRESSING


def test_an_exceeded_quota_fails_a_deployment_with_the_message() -> None:
    said = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": 'pods "w" is forbidden: exceeded quota',
    }
    found = verdict(made("Deployment", "apps/v1", spec={"replicas": 1}, status={"conditions": [said]}))
    assert found.is_failed and "exceeded quota" in found.reason


def test_a_passed_progress_deadline_fails_a_deployment() -> None:
    said = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert verdict(made("Deployment", "apps/v1", status={"conditions": [said]})).is_failed


def test_a_gateway_is_ready_while_a_listener_still_waits_for_its_certificate() -> None:
    conditions = [{"type": kind, "status": "True"} for kind in ("Accepted", "Programmed")]
    listener = {"name": "https", "conditions": [{"type": "ResolvedRefs", "status": "False"}]}
    status = {"conditions": conditions, "listeners": [listener], "addresses": [{"value": "203.0.113.7"}]}
    thing = made("Gateway", "gateway.networking.k8s.io/v1", status=status)
    assert verdict(thing).is_ready
    assert addresses(thing) == ("203.0.113.7",)


def test_an_ingress_and_a_load_balancer_tell_their_addresses() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}, {"hostname": "edge.example"}]}}
    assert addresses(made("Ingress", "networking.k8s.io/v1", status=status)) == ("203.0.113.8", "edge.example")
    assert addresses(made("Service", status={"loadBalancer": {}})) == ()


def test_a_certificate_waits_while_it_is_issued_and_fails_when_it_is_not() -> None:
    issuing = {"type": "Issuing", "status": "True", "reason": "DoesNotExist", "message": "Secret does not exist"}
    refused = {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no certificate"}
    api = "cert-manager.io/v1"
    assert verdict(made("Certificate", api, status={"conditions": [refused, issuing]})).state is State.PROGRESSING
    assert verdict(made("Certificate", api, status={"conditions": [refused]})).grace > 0
    failed = {"type": "Issuing", "status": "False", "reason": "Failed", "message": "rate limited"}
    said = verdict(made("Certificate", api, status={"conditions": [refused, failed]}))
    assert (said.is_failed, said.reason, said.grace) == (True, "rate limited (Failed)", 0.0)


def test_a_certificate_that_is_being_renewed_is_still_ready() -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Issuing", "status": "True"}]
    assert verdict(made("Certificate", "cert-manager.io/v1", status={"conditions": conditions})).is_ready


def test_an_object_that_is_being_deleted_is_not_ready() -> None:
    thing = made("Service")
    thing["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    assert verdict(thing).state is State.PROGRESSING


@pytest.mark.parametrize("kind", ["ConfigMap", "ServiceAccount", "Something"])
def test_a_kind_without_status_is_ready_when_it_exists(kind: str) -> None:
    assert verdict(made(kind)).is_ready

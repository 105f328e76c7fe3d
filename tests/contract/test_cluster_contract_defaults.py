"""What a cluster fills in when an object leaves it out: what a preview compares with must be what the server makes."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from clusters_here import Place, all_of

Body = dict[str, Any]

IMAGE = "registry.invalid/web:1"
POD = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
CONTAINER = {
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
# The version of Kubernetes 1 with which a field began to be filled in, by its last two names.
BEGAN = {
    "spec.internalTrafficPolicy": 22,
    "spec.ipFamilies": 23,
    "spec.ipFamilyPolicy": 23,
    "spec.allocateLoadBalancerNodePorts": 24,
    "spec.persistentVolumeClaimRetentionPolicy": 27,
    "spec.completionMode": 22,
    "spec.suspend": 21,
    "spec.manualSelector": 32,
    "spec.podReplacementPolicy": 29,
    "rollingUpdate.maxSurge": 21,
}
# Filled in only in those versions, or anew for each object.
ASIDE = {
    "template.metadata.creationTimestamp",
    "metadata.creationTimestamp",
    "spec.clusterIP",
    "spec.clusterIPs",
    "ports[0].nodePort",
    "spec.healthCheckNodePort",
    "status.phase",
}


def prefixed(prefix: str, values: Mapping[str, Any]) -> Body:
    return {f"{prefix}.{name}": value for name, value in values.items()}


TEMPLATE = {**prefixed("spec.template.spec", POD), **prefixed("spec.template.spec.containers[0]", CONTAINER)}
SPEC = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": IMAGE}]}},
}
PORTS = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
PORT = {"spec.ports[0].protocol": "TCP", "spec.ports[0].targetPort": 80}
SERVICE = {
    **PORT,
    "spec.sessionAffinity": "None",
    "spec.internalTrafficPolicy": "Cluster",
    "spec.ipFamilies": ["IPv4"],
    "spec.ipFamilyPolicy": "SingleStack",
}
APPS = "apps/v1"
CASES: list[tuple[str, str, str, Body, Body]] = [
    (
        "Deployment",
        APPS,
        "a Deployment",
        SPEC,
        {
            **TEMPLATE,
            "spec.progressDeadlineSeconds": 600,
            "spec.replicas": 1,
            "spec.revisionHistoryLimit": 10,
            "spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
    ),
    (
        "Deployment",
        APPS,
        "one that is recreated",
        {**SPEC, "strategy": {"type": "Recreate"}},
        {**TEMPLATE, "spec.progressDeadlineSeconds": 600, "spec.replicas": 1, "spec.revisionHistoryLimit": 10},
    ),
    (
        "StatefulSet",
        APPS,
        "a StatefulSet",
        {**SPEC, "serviceName": "s"},
        {
            **TEMPLATE,
            "spec.podManagementPolicy": "OrderedReady",
            "spec.replicas": 1,
            "spec.revisionHistoryLimit": 10,
            "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        },
    ),
    (
        "DaemonSet",
        APPS,
        "a DaemonSet",
        {**SPEC, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}},
        {**TEMPLATE, "spec.revisionHistoryLimit": 10, "spec.updateStrategy.rollingUpdate.maxSurge": 0},
    ),
    ("ReplicaSet", APPS, "a ReplicaSet", SPEC, {**TEMPLATE, "spec.replicas": 1}),
    ("Service", "v1", "a Service", PORTS, {**SERVICE, "spec.type": "ClusterIP"}),
    ("Service", "v1", "one without an address", {**PORTS, "clusterIP": "None"}, {**SERVICE, "spec.type": "ClusterIP"}),
    (
        "Service",
        "v1",
        "one with a balancer",
        {**PORTS, "type": "LoadBalancer"},
        {**SERVICE, "spec.externalTrafficPolicy": "Cluster", "spec.allocateLoadBalancerNodePorts": True},
    ),
    (
        "Service",
        "v1",
        "one with a name outside",
        {"type": "ExternalName", "externalName": "a.test"},
        {"spec.sessionAffinity": "None"},
    ),
    (
        "NetworkPolicy",
        "networking.k8s.io/v1",
        "a policy of what comes in",
        {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]},
        {"spec.policyTypes": ["Ingress"], "spec.ingress[0].ports[0].protocol": "TCP"},
    ),
    (
        "NetworkPolicy",
        "networking.k8s.io/v1",
        "a policy of what goes out",
        {"podSelector": {}, "egress": [{"to": [{"podSelector": {}}]}]},
        {"spec.policyTypes": ["Ingress", "Egress"]},
    ),
    (
        "PersistentVolumeClaim",
        "v1",
        "a claim",
        {"accessModes": ["ReadWriteOnce"], "storageClassName": "x", "resources": {"requests": {"storage": "1Gi"}}},
        {"spec.volumeMode": "Filesystem"},
    ),
    (
        "Pod",
        "v1",
        "a pod",
        {"containers": [{"name": "m", "image": IMAGE}], "automountServiceAccountToken": False},
        {
            **prefixed("spec", POD),
            **prefixed("spec.containers[0]", CONTAINER),
            "spec.enableServiceLinks": True,
            "spec.preemptionPolicy": "PreemptLowerPriority",
            "spec.priority": 0,
            "spec.serviceAccount": "default",
            "spec.serviceAccountName": "default",
            "spec.tolerations": [
                {
                    "effect": "NoExecute",
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "tolerationSeconds": 300,
                }
                for key in ("not-ready", "unreachable")
            ],
        },
    ),
]
CONTAINERS: list[tuple[str, Body, Body]] = [
    ("a port", {"ports": [{"containerPort": 80}]}, {"ports[0].protocol": "TCP"}),
    (
        "a probe",
        {"readinessProbe": {"httpGet": {"port": 80}}},
        {
            **prefixed("readinessProbe", PROBE),
            "readinessProbe.httpGet.path": "/",
            "readinessProbe.httpGet.scheme": "HTTP",
        },
    ),
    ("a probe of a port", {"livenessProbe": {"tcpSocket": {"port": 80}}}, prefixed("livenessProbe", PROBE)),
    (
        "a field of the pod",
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"env[0].valueFrom.fieldRef.apiVersion": "v1"},
    ),
    ("limits only", {"resources": {"limits": {"cpu": "1"}}}, {}),
    ("a newest image", {"image": "registry.invalid/web"}, {"imagePullPolicy": "Always"}),
    ("an image called latest", {"image": "registry.invalid/web:latest"}, {"imagePullPolicy": "Always"}),
    ("a digest", {"image": f"registry.invalid/web@sha256:{'a' * 64}"}, {"imagePullPolicy": "IfNotPresent"}),
    ("a port of the registry", {"image": "registry.invalid:5000/web:2"}, {"imagePullPolicy": "IfNotPresent"}),
]
VOLUMES: list[tuple[str, Body, Body]] = [
    ("a ConfigMap", {"configMap": {"name": "c"}}, {"configMap.defaultMode": 420}),
    ("a Secret", {"secret": {"secretName": "s"}}, {"secret.defaultMode": 420}),
    ("nothing", {}, {"emptyDir": {}}),
    ("a directory", {"emptyDir": {}}, {}),
    (
        "several",
        {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
        {"projected.defaultMode": 420},
    ),
]


def added(said: Any, made: Any, path: str = "") -> Body:
    """Every path the server filled in, with its value; what was said must still be there as it was."""
    if isinstance(made, dict) and isinstance(said, dict):
        found: Body = {}
        for name, value in made.items():
            here = f"{path}.{name}" if path else name
            found |= added(said[name], value, here) if name in said else {here: value}
        assert said.keys() <= made.keys(), (path, said, made)
        return found
    if isinstance(made, list) and isinstance(said, list) and len(made) == len(said):
        return {
            k: v
            for i, (a, b) in enumerate(zip(said, made, strict=True))
            for k, v in added(a, b, f"{path}[{i}]").items()
        }
    assert said == made, path
    return {}


def expected(place: Place, values: Body) -> Body:
    return {path: value for path, value in values.items() if BEGAN.get(_ending(path), 0) <= place.minor}


def filled(said: Body, made: Body) -> Body:
    return {path: value for path, value in added(said, made).items() if not any(path.endswith(each) for each in ASIDE)}


def _ending(path: str) -> str:
    return ".".join(path.split(".")[-2:])


@pytest.mark.parametrize(
    ("kind", "version", "said", "values"), [pytest.param(k, v, s, e, id=i) for k, v, i, s, e in CASES]
)
def test_a_server_fills_in_just_this(place: Place, kind: str, version: str, said: Body, values: Body) -> None:
    body = place.made(kind, "defaulted", version, spec=copy.deepcopy(said))
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    assert answer.status == 201, answer.text
    assert filled({"spec": said}, {"spec": answer.body["spec"]}) == expected(place, values)


@pytest.mark.parametrize(("said", "values"), [pytest.param(s, e, id=i) for i, s, e in CONTAINERS])
def test_a_container_is_filled_in_just_so(place: Place, said: Body, values: Body) -> None:
    container = {"name": "main", "image": IMAGE, **copy.deepcopy(said)}
    body = place.workload("defaulted", container=said)
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    (made,) = answer.body["spec"]["template"]["spec"]["containers"]
    container["image"] = made["image"]
    resources = {"resources": {}} if "resources" not in said else {}
    whole = {**CONTAINER, **values, **resources}
    if "resources" in said:
        whole.pop("resources")
    assert added(container, made) == whole


@pytest.mark.parametrize(("said", "values"), [pytest.param(s, e, id=i) for i, s, e in VOLUMES])
def test_a_volume_is_filled_in_just_so(place: Place, said: Body, values: Body) -> None:
    volume = {"name": "v", **copy.deepcopy(said)}
    body = place.workload("defaulted", pod={"volumes": [volume]})
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    assert added(volume, answer.body["spec"]["template"]["spec"]["volumes"][0]) == values


def test_limits_are_requests_too_where_none_are_said(place: Place) -> None:
    container = {"name": "main", "image": IMAGE, "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}}}
    body = place.made("Pod", "defaulted", spec={"containers": [container]})
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    assert answer.body["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Mi"}


def test_a_binding_is_filled_in_with_its_group(place: Place) -> None:
    subjects = [{"kind": "ServiceAccount", "name": "a", "namespace": place.namespace}, {"kind": "User", "name": "u"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    body = place.made("RoleBinding", "defaulted", "rbac.authorization.k8s.io/v1", roleRef=role, subjects=subjects)
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    assert [each.get("apiGroup") for each in answer.body["subjects"]] == [None, "rbac.authorization.k8s.io"]


def test_a_new_workload_has_the_status_of_nothing_yet(place: Place) -> None:
    wanted = {"Deployment": {}, "StatefulSet": {"replicas": 0}, "ReplicaSet": {"replicas": 0}}
    for kind, status in wanted.items():
        body = place.workload("fresh", kind)
        made = place.ask("POST", all_of(body), body, dryRun="All").body["status"]
        made.pop("availableReplicas", None)  # said from 1.22 on, as 0
        assert made == status

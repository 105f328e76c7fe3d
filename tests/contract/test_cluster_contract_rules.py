"""Which objects and which changes a cluster refuses: status, reason, and the fields it names, the same everywhere."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from clusters_here import Place, all_of, condition, path_of

Body = dict[str, Any]
Make = Callable[[Place], Body]

REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"
DUPLICATE, NOT_FOUND, UNSUPPORTED = "FieldValueDuplicate", "FieldValueNotFound", "FieldValueNotSupported"
POD = "spec.template.spec"
MAIN = f"{POD}.containers[0]"


def service(name: str, **spec: Any) -> Make:
    ports = [{"port": 80, "protocol": "TCP"}]
    return lambda place: place.made("Service", name, spec={"selector": {"a": "b"}, "ports": ports, **spec})


def workload(name: str, kind: str = "Deployment", replicas: int = 0, **more: Any) -> Make:
    return lambda place: place.workload(name, kind, replicas=replicas, **copy.deepcopy(more))


def made(kind: str, name: str, version: str = "v1", /, **fields: Any) -> Make:
    return lambda place: copy.deepcopy(place.made(kind, name, version, **fields))


def port(number: int, **more: Any) -> Body:
    return {"port": number, "protocol": "TCP", **more}


def job(name: str, **pod: Any) -> Make:
    spec = {"containers": [{"name": "main", "image": "registry.invalid/x:1"}], "restartPolicy": "Never", **pod}
    return made("Job", name, "batch/v1", spec={"template": {"spec": spec}})


def autoscaler(name: str, **spec: Any) -> Make:
    target = {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}
    return made("HorizontalPodAutoscaler", name, "autoscaling/v2", spec={"scaleTargetRef": target, **spec})


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}
RECREATE = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}
CPU = {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}
NEW_HPA = pytest.mark.since(23, "autoscaling/v2 is not served")
NEW_PDB = pytest.mark.since(21, "policy/v1 is not served")

REFUSED: list[tuple[str, Make, list[tuple[str, str]]]] = [
    ("a name in capitals", made("ConfigMap", "Bad_Name"), [("metadata.name", INVALID)]),
    ("a service named by a digit", service("1st"), [("metadata.name", INVALID)]),
    (
        "a label with a blank",
        made("ConfigMap", "x", metadata={"labels": {"a": "b c"}}),
        [("metadata.labels", INVALID)],
    ),
    (
        "a label that is too long",
        made("ConfigMap", "x", metadata={"labels": {"a": "b" * 64}}),
        [("metadata.labels", None)],
    ),
    (
        "a label key with a blank",
        made("ConfigMap", "x", metadata={"labels": {"a b": "c"}}),
        [("metadata.labels", INVALID)],
    ),
    (
        "an annotation key with a blank",
        made("ConfigMap", "x", metadata={"annotations": {"a b": "c"}}),
        [("metadata.annotations", INVALID)],
    ),
    (
        "a finalizer without a domain",
        made("ConfigMap", "x", metadata={"finalizers": ["plain"]}),
        [("metadata.finalizers[0]", INVALID)],
    ),
    ("a key with a blank", made("ConfigMap", "x", data={"a b": "c"}), [("data[a b]", INVALID)]),
    (
        "a TLS secret without its parts",
        made("Secret", "x", type="kubernetes.io/tls", data={}),
        [("data[tls.crt]", REQUIRED), ("data[tls.key]", REQUIRED)],
    ),
    ("a secret's key with a blank", made("Secret", "x", data={"a b": "Yg=="}), [("data[a b]", INVALID)]),
    (
        "a selector that misses its own pods",
        workload("x", spec={"selector": {"matchLabels": {"app": "other"}}}),
        [("spec.template.metadata.labels", INVALID)],
    ),
    (
        "no selector",
        workload("x", spec={"selector": None}),
        [("spec.selector", REQUIRED), ("spec.template.metadata.labels", INVALID)],
    ),
    (
        "an empty selector",
        workload("x", spec={"selector": {}}),
        [("spec.selector", INVALID)],
    ),
    ("replicas below zero", workload("x", replicas=-1), [("spec.replicas", INVALID)]),
    ("no containers", workload("x", pod={"containers": []}), [(f"{POD}.containers", REQUIRED)]),
    ("no image", workload("x", container={"image": None}), [(f"{MAIN}.image", REQUIRED)]),
    ("a container in capitals", workload("x", container={"name": "Main"}), [(f"{MAIN}.name", INVALID)]),
    (
        "two containers of one name",
        workload("x", pod={"containers": [{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]}),
        None,
    ),
    (
        "a mount without a volume",
        workload("x", container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
        [(f"{MAIN}.volumeMounts[0].name", NOT_FOUND)],
    ),
    (
        "two mounts at one path",
        workload(
            "x",
            container={"volumeMounts": [{"name": n, "mountPath": "/v"} for n in "vw"]},
            pod={"volumes": [{"name": n, "emptyDir": {}} for n in "vw"]},
        ),
        None,
    ),
    (
        "a volume that is two",
        workload("x", pod={"volumes": [{"name": "v", "emptyDir": {}, "configMap": {"name": "c"}}]}),
        [(f"{POD}.volumes[0].configMap", FORBIDDEN)],
    ),
    (
        "a port that is none",
        workload("x", container={"ports": [{"containerPort": 70000, "protocol": "TCP"}]}),
        [(f"{MAIN}.ports[0].containerPort", INVALID)],
    ),
    (
        "a probe that does nothing",
        workload("x", container={"readinessProbe": {"periodSeconds": 3}}),
        [(f"{MAIN}.readinessProbe", REQUIRED)],
    ),
    (
        "a probe of two kinds",
        workload("x", container={"readinessProbe": {"tcpSocket": {"port": 1}, "httpGet": {"port": 1}}}),
        [(f"{MAIN}.readinessProbe.tcpSocket", FORBIDDEN)],
    ),
    (
        "a liveness probe that must hold twice",
        workload("x", container={"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}}),
        [(f"{MAIN}.livenessProbe.successThreshold", INVALID)],
    ),
    (
        "a variable with two sources",
        workload(
            "x",
            container={"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        ),
        [(f"{MAIN}.env[0].valueFrom", INVALID)],
    ),
    (
        "a variable from a key of nothing",
        workload("x", container={"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}),
        [(f"{MAIN}.env[0].valueFrom.secretKeyRef.key", REQUIRED)],
    ),
    (
        "a request above its limit",
        workload("x", container={"resources": CPU}),
        [(f"{MAIN}.resources.requests", INVALID)],
    ),
    (
        "a request below zero",
        workload("x", container={"resources": {"requests": {"cpu": "-1"}}}),
        [(f"{MAIN}.resources.requests[cpu]", INVALID)],
    ),
    (
        "pods that end in a Deployment",
        workload("x", pod={"restartPolicy": "Never"}),
        [(f"{POD}.restartPolicy", UNSUPPORTED)],
    ),
    (
        "a pull policy of our own",
        workload("x", container={"imagePullPolicy": "Sometimes"}),
        [(f"{MAIN}.imagePullPolicy", UNSUPPORTED)],
    ),
    (
        "a rollout that may not move",
        workload("x", spec={"strategy": ROLLING}),
        [("spec.strategy.rollingUpdate.maxUnavailable", INVALID)],
    ),
    (
        "a recreation that rolls",
        workload("x", spec={"strategy": RECREATE}),
        [("spec.strategy.rollingUpdate", FORBIDDEN)],
    ),
    (
        "a deadline that is shorter than being ready",
        workload("x", spec={"minReadySeconds": 30, "progressDeadlineSeconds": 10}),
        [("spec.progressDeadlineSeconds", INVALID)],
    ),
    ("pods that a job restarts for ever", job("x", restartPolicy="Always"), [(f"{POD}.restartPolicy", REQUIRED)]),
    ("a service without ports", service("x", ports=[]), [("spec.ports", REQUIRED)]),
    (
        "ports without names",
        service("x", ports=[port(80), port(81)]),
        [("spec.ports[0].name", REQUIRED), ("spec.ports[1].name", REQUIRED)],
    ),
    (
        "a service port that is none",
        service("x", ports=[port(0)]),
        [("spec.ports[0].port", INVALID), ("spec.ports[0].targetPort", INVALID)],
    ),
    (
        "two ports of one name",
        service("x", ports=[port(80, name="a"), port(81, name="a")]),
        [("spec.ports[1].name", DUPLICATE)],
    ),
    ("a service of an unknown type", service("x", type="Cloudy"), [("spec.type", UNSUPPORTED)]),
    (
        "an outside name that is none",
        service("x", type="ExternalName", externalName="a b", ports=None, selector=None),
        [("spec.externalName", INVALID)],
    ),
    ("an ingress of nothing", made("Ingress", "x", "networking.k8s.io/v1", spec={}), [("spec", INVALID)]),
    (
        "an ingress path without a slash",
        made(
            "Ingress",
            "x",
            "networking.k8s.io/v1",
            spec={
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": "a",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "s", "port": {"number": 80}}},
                                }
                            ]
                        }
                    }
                ]
            },
        ),
        [("spec.rules[0].http.paths[0].path", INVALID)],
    ),
    (
        "an ingress for a host that is none",
        made(
            "Ingress",
            "x",
            "networking.k8s.io/v1",
            spec={"rules": [{"host": "A_b"}], "defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
        ),
        [("spec.rules[0].host", INVALID)],
    ),
    (
        "a role without verbs",
        made(
            "Role", "x", "rbac.authorization.k8s.io/v1", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": []}]
        ),
        [("rules[0].verbs", REQUIRED)],
    ),
    (
        "a binding to a kind of its own",
        made(
            "RoleBinding",
            "x",
            "rbac.authorization.k8s.io/v1",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "r"},
            subjects=[],
        ),
        [("roleRef.kind", UNSUPPORTED)],
    ),
    (
        "a quota below zero",
        made("ResourceQuota", "x", spec={"hard": {"pods": "-1"}}),
        [("spec.hard[pods]", INVALID)],
    ),
    (
        "a policy of an unknown type",
        made("NetworkPolicy", "x", "networking.k8s.io/v1", spec={"podSelector": {}, "policyTypes": ["Sideways"]}),
        [("spec.policyTypes[0]", UNSUPPORTED)],
    ),
    (
        "a claim without a size",
        made("PersistentVolumeClaim", "x", spec={"accessModes": ["ReadWriteOnce"], "resources": {}}),
        [("spec.resources[storage]", REQUIRED)],
    ),
    (
        "a claim without a way in",
        made("PersistentVolumeClaim", "x", spec={"resources": {"requests": {"storage": "1Gi"}}}),
        [("spec.accessModes", REQUIRED)],
    ),
    ("a name that is too long", made("ConfigMap", "x" * 254), [("metadata.name", INVALID)]),
    (
        "too much in annotations",
        made("ConfigMap", "x", metadata={"annotations": {"a": "x" * 300_000}}),
        [("metadata.annotations", None)],
    ),
    ("too much data", made("ConfigMap", "x", data={"a": "x" * 1_100_000}), None),
    (
        "an owner without a uid",
        made("ConfigMap", "x", metadata={"ownerReferences": [OWNER]}),
        [("metadata.ownerReferences.uid", INVALID)],
    ),
    (
        "two controllers",
        made(
            "ConfigMap", "x", metadata={"ownerReferences": [{**OWNER, "uid": uid, "controller": True} for uid in "12"]}
        ),
        [("metadata.ownerReferences", INVALID)],
    ),
    (
        "an event about another namespace",
        made("Event", "x", involvedObject={"kind": "Pod", "name": "x", "namespace": "elsewhere"}),
        [("involvedObject.namespace", INVALID)],
    ),
    (
        "a target port in capitals",
        service("x", ports=[port(80, targetPort="Not_ok")]),
        [("spec.ports[0].targetPort", INVALID)],
    ),
    ("an affinity of our own", service("x", sessionAffinity="Maybe"), [("spec.sessionAffinity", UNSUPPORTED)]),
    (
        "an access mode of our own",
        made(
            "PersistentVolumeClaim",
            "x",
            spec={"accessModes": ["Sometimes"], "resources": {"requests": {"storage": "1Gi"}}},
        ),
        [("spec.accessModes", UNSUPPORTED)],
    ),
    ("a wait below zero", workload("x", spec={"minReadySeconds": -1}), [("spec.minReadySeconds", INVALID)]),
    (
        "a history below zero",
        workload("x", spec={"revisionHistoryLimit": -1}),
        [("spec.revisionHistoryLimit", INVALID)],
    ),
    ("a strategy of our own", workload("x", spec={"strategy": {"type": "Hope"}}), [("spec.strategy", UNSUPPORTED)]),
    (
        "a surge that is no number",
        workload("x", spec={"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "many"}}}),
        [("spec.strategy.rollingUpdate.maxSurge", INVALID)],
    ),
    (
        "more than all unavailable",
        workload("x", spec={"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "150%"}}}),
        [("spec.strategy.rollingUpdate.maxUnavailable", INVALID)],
    ),
    ("a DNS policy of our own", workload("x", pod={"dnsPolicy": "Guess"}), [(f"{POD}.dnsPolicy", UNSUPPORTED)]),
    (
        "a user below zero",
        workload("x", container={"securityContext": {"runAsUser": -1}}),
        [(f"{MAIN}.securityContext.runAsUser", INVALID)],
    ),
    (
        "an account in capitals",
        workload("x", pod={"serviceAccountName": "A_b"}),
        [(f"{POD}.serviceAccountName", INVALID)],
    ),
    (
        "a variable with a blank",
        workload("x", container={"env": [{"name": "a b", "value": "1"}]}),
        [(f"{MAIN}.env[0].name", INVALID)],
    ),
    ("variables from nothing", workload("x", container={"envFrom": [{}]}), [(f"{MAIN}.envFrom", INVALID)]),
    (
        "a mount without a path",
        workload(
            "x",
            container={"volumeMounts": [{"name": "v", "mountPath": ""}]},
            pod={"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
        [(f"{MAIN}.volumeMounts[0].mountPath", REQUIRED)],
    ),
    (
        "a spread of our own",
        workload(
            "x", pod={"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "Maybe"}]}
        ),
        [
            (f"{POD}.topologySpreadConstraints[0].maxSkew", INVALID),
            (f"{POD}.topologySpreadConstraints[0].whenUnsatisfiable", UNSUPPORTED),
        ],
    ),
    (
        "a toleration of a value that is anything",
        workload("x", pod={"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
        [(f"{POD}.tolerations[0].operator", INVALID)],
    ),
    ("a node by a bad label", workload("x", pod={"nodeSelector": {"a b": "c"}}), [(f"{POD}.nodeSelector", INVALID)]),
    (
        "a volume from a ConfigMap without a name",
        workload("x", pod={"volumes": [{"name": "v", "configMap": {}}]}),
        [(f"{POD}.volumes[0].configMap.name", REQUIRED)],
    ),
    (
        "a port with a long name",
        workload("x", container={"ports": [{"containerPort": 80, "protocol": "TCP", "name": "a-very-long-port-name"}]}),
        [(f"{MAIN}.ports[0].name", INVALID)],
    ),
    *(
        (name, made("NetworkPolicy", "x", "networking.k8s.io/v1", spec={"podSelector": {}, **spec}), causes)
        for name, spec, causes in (
            (
                "a policy for no port",
                {"ingress": [{"ports": [{"port": 0}]}]},
                [("spec.ingress[0].ports[0].port", INVALID)],
            ),
            (
                "a policy for no address",
                {"egress": [{"to": [{"ipBlock": {"cidr": "nope"}}]}]},
                [("spec.egress[0].to[0].ipBlock.cidr", INVALID)],
            ),
            ("a policy for nobody", {"egress": [{"to": [{}]}]}, [("spec.egress[0].to[0]", REQUIRED)]),
        )
    ),
    (
        "a binding of a robot",
        made(
            "RoleBinding",
            "x",
            "rbac.authorization.k8s.io/v1",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            subjects=[{"kind": "Robot", "name": "x"}],
        ),
        [("subjects[0].kind", UNSUPPORTED)],
    ),
]
REFUSED_SINCE = [
    (
        "an autoscaler upside down",
        autoscaler("x", minReplicas=3, maxReplicas=2),
        [("spec.maxReplicas", INVALID)],
        NEW_HPA,
    ),
    (
        "a budget of two kinds",
        made(
            "PodDisruptionBudget",
            "x",
            "policy/v1",
            spec={"minAvailable": 1, "maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}},
        ),
        [("spec", INVALID)],
        NEW_PDB,
    ),
]
CASES = [
    *(pytest.param(make, causes, id=name) for name, make, causes in REFUSED),
    *(pytest.param(make, causes, id=name, marks=mark) for name, make, causes, mark in REFUSED_SINCE),
]


@pytest.mark.parametrize(("make", "causes"), CASES)
def test_what_breaks_a_rule_is_refused_by_the_fields_that_break_it(
    place: Place, make: Make, causes: list[tuple[str, str]] | None
) -> None:
    body = make(place)
    answer = place.ask("POST", all_of(body), body, dryRun="All")
    assert (answer.status, answer.body.get("reason")) == (422, "Invalid"), answer.text
    details = answer.body["details"]
    assert (details["name"], details["kind"]) == (body["metadata"]["name"], body["kind"])
    group = body["apiVersion"].rpartition("/")[0]
    if place.minor < 22 and group == "networking.k8s.io":
        group = "extensions"  # the name under which these kinds were kept then
    named = f"{body['kind']}.{group}" if group else body["kind"]
    assert answer.body["message"].startswith(f'{named} "{body["metadata"]["name"]}" is invalid: ')
    if causes is not None:
        found = [(field, reason) for field, reason in answer.causes]
        assert found == [(field, reason or given) for (field, reason), (_, given) in zip(causes, found, strict=True)]


Change = Callable[[Body], None]


def _put(path: str, value: Any) -> Change:
    def change(body: Body) -> None:
        *parents, last = path.split(".")
        inner: Any = body
        for each in parents:
            inner = inner[int(each)] if each.isdigit() else inner[each]
        inner[last] = value

    return change


def _other_selector(body: Body) -> None:
    body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": "new"}


CLAIMS = [
    {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
]
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one"}
FIXED: list[tuple[str, Make, Change, list[tuple[str, str]]]] = [
    ("a Deployment's selector", workload("fixed"), _other_selector, [("spec.selector", INVALID)]),
    (
        "a DaemonSet's selector",
        workload("fixed", "DaemonSet", pod={"nodeSelector": {"none": "x"}}),
        _other_selector,
        [("spec.selector", INVALID)],
    ),
    ("a StatefulSet's selector", workload("fixed", "StatefulSet"), _other_selector, [("spec", FORBIDDEN)]),
    (
        "a StatefulSet's service",
        workload("fixed-1", "StatefulSet"),
        _put("spec.serviceName", "other"),
        [("spec", FORBIDDEN)],
    ),
    (
        "a StatefulSet's order",
        workload("fixed-2", "StatefulSet"),
        _put("spec.podManagementPolicy", "Parallel"),
        [("spec", FORBIDDEN)],
    ),
    (
        "a StatefulSet's claims",
        workload("fixed-3", "StatefulSet", spec={"volumeClaimTemplates": CLAIMS}),
        _put("spec.volumeClaimTemplates.0.spec.resources.requests.storage", "2Gi"),
        [("spec", FORBIDDEN)],
    ),
    (
        "a Job's template",
        job("fixed"),
        _put("spec.template.spec.containers.0.image", "other"),
        [("spec.template", INVALID)],
    ),
    (
        "a frozen ConfigMap",
        made("ConfigMap", "frozen", data={"a": "1"}, immutable=True),
        _put("data.a", "2"),
        [("data", FORBIDDEN)],
    ),
    (
        "a ConfigMap that is frozen for ever",
        made("ConfigMap", "frozen-1", data={"a": "1"}, immutable=True),
        _put("immutable", False),
        [("immutable", FORBIDDEN)],
    ),
    (
        "a frozen Secret",
        made("Secret", "frozen", data={"a": "MQ=="}, immutable=True),
        _put("data.a", "Mg=="),
        [("data", FORBIDDEN)],
    ),
    ("a Secret's type", made("Secret", "typed", type="mystira.app/x"), _put("type", "Opaque"), [("type", INVALID)]),
    (
        "what a binding binds",
        made("RoleBinding", "bound", "rbac.authorization.k8s.io/v1", roleRef=ROLE, subjects=[]),
        _put("roleRef.name", "other"),
        [("roleRef", INVALID)],
    ),
    (
        "a claim's storage class",
        made(
            "PersistentVolumeClaim",
            "claimed",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "a",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        ),
        _put("spec.storageClassName", "b"),
        [("spec", FORBIDDEN)],
    ),
    ("an object's uid", made("ConfigMap", "known"), _put("metadata.uid", "4711"), [("metadata.uid", INVALID)]),
]


@pytest.mark.parametrize(("make", "change", "causes"), [pytest.param(*case[1:], id=case[0]) for case in FIXED])
def test_what_never_changes_is_refused_by_its_field(
    place: Place, make: Make, change: Change, causes: list[tuple[str, str]]
) -> None:
    body = make(place)
    place.put(body)
    live = place.get(path_of(body))
    change(body)
    answer = place.apply(body)
    assert (answer.status, answer.body.get("reason")) == (422, "Invalid"), answer.text
    assert sorted(set(answer.causes)) == causes
    now = place.get(path_of(body))
    assert (now.get("spec"), now.get("data")) == (live.get("spec"), live.get("data"))


def test_a_service_address_outside_the_clusters_range_is_refused(place: Place) -> None:
    body = service("outside", clusterIP="192.0.2.1")(place)
    answer = place.apply(body)
    assert (answer.status, answer.causes) == (422, [("spec.clusterIPs", INVALID)])
    assert "is not in the valid range" in answer.body["message"]


def test_a_node_port_outside_the_range_is_refused(place: Place) -> None:
    body = service("far-out", type="NodePort", ports=[port(80, nodePort=80)])(place)
    answer = place.ask("POST", all_of(body), body)
    assert (answer.status, answer.causes) == (422, [("spec.ports[0].nodePort", INVALID)])
    assert "is not in the valid range" in answer.body["message"]


def test_a_services_address_never_changes(place: Place) -> None:
    body = service("address")(place)
    place.put(body)
    body["spec"]["clusterIP"] = "10.0.77.77"
    answer = place.apply(body, force="true")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid"), answer.text
    assert "may not change once set" in answer.body["message"]
    assert ("spec.clusterIPs[0]", INVALID) in answer.causes


@pytest.mark.pods
def test_a_pods_containers_keep_all_but_their_image(place: Place) -> None:
    body = place.made("Pod", "fixed", spec={"containers": [{"name": "main", "image": place.images["a"]}]})
    place.put(body)
    place.wait(body, lambda pod: condition(pod, "Ready").get("status") == "True")
    body["spec"]["containers"][0]["command"] = ["x"]
    answer = place.apply(body)
    assert (answer.status, answer.causes) == (422, [("spec", FORBIDDEN)])
    assert "pod updates may not change fields other than" in answer.body["message"]
    body["spec"]["containers"][0] = {"name": "main", "image": place.images["b"]}
    assert place.apply(body).status == 200


def test_a_quota_refuses_a_pod_in_words_that_name_it(place: Place) -> None:
    namespace = place.open_namespace()
    place.put(place.made("ResourceQuota", "tight", namespace=namespace, spec={"hard": {"pods": "0"}}))
    place.wait(
        place.made("ResourceQuota", "tight", namespace=namespace), lambda body: (body.get("status") or {}).get("hard")
    )
    body = place.made("Pod", "refused", namespace=namespace, spec={"containers": [{"name": "main", "image": "x"}]})
    answer = place.ask("POST", all_of(body), body)
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden"), answer.text
    assert answer.body["message"] == (
        'pods "refused" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=0, limited: pods=0'
    )
    assert answer.body["details"] == {"name": "refused", "kind": "pods"}


def test_a_quota_of_resources_wants_them_said(place: Place) -> None:
    namespace = place.open_namespace()
    quota = place.made("ResourceQuota", "said", namespace=namespace, spec={"hard": {"limits.memory": "1Gi"}})
    place.put(quota)
    place.wait(quota, lambda body: (body.get("status") or {}).get("hard"))
    body = place.made("Pod", "silent", namespace=namespace, spec={"containers": [{"name": "main", "image": "x"}]})
    answer = place.ask("POST", all_of(body), body)
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden"), answer.text
    assert 'pods "silent" is forbidden: failed quota: said: must specify limits.memory' in answer.body["message"]


def test_a_pod_of_an_unknown_service_account_is_forbidden(place: Place) -> None:
    spec = {"serviceAccountName": "nobody", "containers": [{"name": "main", "image": "x"}]}
    body = place.made("Pod", "nobodys", spec=spec)
    answer = place.ask("POST", all_of(body), body)
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden"), answer.text
    assert answer.body["message"] == (
        f'pods "nobodys" is forbidden: error looking up service account {place.namespace}/nobody: '
        'serviceaccount "nobody" not found'
    )

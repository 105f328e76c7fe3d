"""How traffic gets into the stand-in's cluster, and how certificates come to be."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_bench import PLACE, A, Bench, condition, made, path_of, rolled_out, workload
from cryptography import x509

GATEWAY = "gateway.networking.k8s.io/v1"
CERT = "cert-manager.io/v1"
HOST = "dev.chain.mystira.app"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(tmp_path_factory.mktemp("traffic"))
    found.put_there(made("Namespace", "dev"), made("Namespace", "cert-manager"), *_cert_manager())
    found.wait("/apis/gateway.networking.k8s.io/v1/gatewayclasses/approuting-istio", _accepted)
    found.wait("/apis/cert-manager.io/v1", lambda body: len(body.get("resources", [])) == 8)
    found.wait("/api/v1/namespaces/dev/serviceaccounts/default", bool)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_obstacles(bench: Bench) -> Iterator[None]:
    yield
    bench.obstacle = ""
    bench.fault()


def _accepted(body: dict[str, Any]) -> bool:
    return condition(body, "Accepted").get("status") == "True"


def _ready(body: dict[str, Any]) -> bool:
    return condition(body, "Ready").get("status") == "True"


def _cert_manager() -> list[dict[str, Any]]:
    kinds = [("Certificate", True), ("CertificateRequest", True), ("Issuer", True), ("ClusterIssuer", False)]
    controller = workload("cert-manager", replicas=1)
    controller["metadata"]["namespace"] = "cert-manager"
    defined = [_definition(kind, "cert-manager.io", namespaced) for kind, namespaced in kinds]
    acme = [_definition(kind, "acme.cert-manager.io", True) for kind in ("Order", "Challenge")]
    return [*defined, *acme, controller]


def _definition(kind: str, group: str, namespaced: bool) -> dict[str, Any]:
    plural = kind.lower() + "s"
    part = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": part, "status": part}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": group,
        "names": {"kind": kind, "plural": plural},
        "scope": "Namespaced" if namespaced else "Cluster",
        "versions": [{**version, "subresources": {"status": {}}}],
    }
    return made("CustomResourceDefinition", f"{plural}.{group}", "apiextensions.k8s.io/v1", spec=spec)


def gateway(name: str, host: str = HOST, **metadata: Any) -> dict[str, Any]:
    listeners = [
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {
            "name": "https",
            "port": 443,
            "protocol": "HTTPS",
            "hostname": host,
            "tls": {"certificateRefs": [{"name": f"{name}-tls"}]},
        },
    ]
    spec = {"gatewayClassName": "approuting-istio", "listeners": listeners}
    return made("Gateway", name, GATEWAY, spec=spec, metadata=metadata)


def route(name: str, parent: str, service: str = "web", host: str = HOST, **reference: Any) -> dict[str, Any]:
    rule = {"backendRefs": [{"name": service, "port": 80}]}
    spec = {"parentRefs": [{"name": parent, **reference}], "hostnames": [host], "rules": [rule]}
    return made("HTTPRoute", name, GATEWAY, spec=spec)


def service(name: str, app: str, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return made("Service", name, spec={"selector": {"app": app}, "ports": ports, **spec})


def issuer(name: str = "letsencrypt") -> dict[str, Any]:
    acme = {
        "server": "https://acme.test/directory",
        "email": "admin@phoenixvc.org",
        "privateKeySecretRef": {"name": name},
    }
    return made("ClusterIssuer", name, CERT, spec={"acme": acme})


def certificate(name: str, authority: str = "letsencrypt", host: str = HOST) -> dict[str, Any]:
    reference = {"name": authority, "kind": "ClusterIssuer"}
    return made("Certificate", name, CERT, spec={"secretName": name, "dnsNames": [host], "issuerRef": reference})


def parents(bench: Bench, name: str, count: int = 1) -> dict[str, dict[str, str]]:
    path = f"/apis/{GATEWAY}/namespaces/dev/httproutes/{name}"
    body = bench.wait(path, lambda body: len(body.get("status", {}).get("parents", [])) == count)
    return {each["type"]: each for each in body["status"]["parents"][0]["conditions"]}


def test_a_gateway_is_programmed_with_a_loopback_address(bench: Bench) -> None:
    bench.put_there(gateway("front"))
    programmed = lambda body: condition(body, "Programmed").get("status") == "True"  # noqa: E731
    body = bench.wait(path_of(gateway("front")), programmed)
    assert body["status"]["addresses"][0]["value"].startswith("127.77.")
    balancer = bench.get("/api/v1/namespaces/dev/services/front-approuting-istio")
    assert balancer["spec"]["type"] == "LoadBalancer"


def test_a_gateway_of_no_class_waits_for_ever(bench: Bench) -> None:
    body = gateway("lost")
    body["spec"]["gatewayClassName"] = "nginx"
    bench.put_there(body)
    assert condition(bench.get(path_of(body)), "Accepted")["message"] == "Waiting for controller"


def test_a_listener_without_its_certificate_says_which_secret_is_missing(bench: Bench) -> None:
    bench.put_there(gateway("bare"))
    body = bench.wait(path_of(gateway("bare")), lambda body: body["status"].get("listeners"))
    listener = next(each for each in body["status"]["listeners"] if each["name"] == "https")
    found = condition({"status": listener}, "ResolvedRefs")
    assert (found["status"], found["reason"]) == ("False", "InvalidCertificateRef")
    assert "dev/bare-tls, secret not found" in found["message"]
    assert condition(body, "Accepted")["reason"] == "ListenersNotValid"


def test_a_route_is_accepted_by_its_gateway(bench: Bench) -> None:
    bench.put_there(gateway("open"), service("web", "web"), route("good", "open"))
    found = parents(bench, "good")
    assert {name: each["status"] for name, each in found.items()} == {"Accepted": "True", "ResolvedRefs": "True"}


@pytest.mark.parametrize(
    ("name", "changed", "kind", "reason"),
    [
        ("nameless", {"service": "nothing"}, "ResolvedRefs", "BackendNotFound"),
        ("section", {"sectionName": "other"}, "Accepted", "NoMatchingParent"),
        ("foreign", {"host": "other.app", "sectionName": "https"}, "Accepted", "NoMatchingListenerHostname"),
    ],
)
def test_a_route_that_does_not_fit_says_why(bench: Bench, name: str, changed: Any, kind: str, reason: str) -> None:
    bench.put_there(gateway(f"of-{name}"), service("web", "web"), route(name, f"of-{name}", **changed))
    found = parents(bench, name)[kind]
    assert (found["status"], found["reason"]) == ("False", reason)


def test_a_route_without_a_gateway_is_heard_of_by_nobody(bench: Bench) -> None:
    bench.put_there(route("orphan", "nowhere"))
    assert "status" not in bench.get(path_of(route("orphan", "nowhere")))


def test_a_load_balancer_gets_an_address(bench: Bench) -> None:
    bench.put_there(service("p2p", "chain", type="LoadBalancer"))
    body = bench.wait("/api/v1/namespaces/dev/services/p2p", lambda body: body["status"]["loadBalancer"])
    assert body["status"]["loadBalancer"]["ingress"][0]["ip"].startswith("127.77.")


def test_endpoints_follow_ready_pods(bench: Bench) -> None:
    bench.put_there(service("behind", "behind"), workload("behind"))
    path = "/api/v1/namespaces/dev/endpoints/behind"
    body = bench.wait(path, lambda body: len((body.get("subsets") or [{}])[0].get("addresses", [])) == 2)
    assert body["subsets"][0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]


def test_only_an_ingress_of_a_living_class_gets_an_address(bench: Bench) -> None:
    dead, living = (ingress(name, kind) for name, kind in (("dead", "nginx"), ("living", _CLASS)))
    bench.put_there(dead, living)
    bench.wait(path_of(living), lambda body: body["status"].get("loadBalancer", {}).get("ingress"))
    assert not bench.get(path_of(dead))["status"].get("loadBalancer", {}).get("ingress")


_CLASS = "webapprouting.kubernetes.azure.com"


def ingress(name: str, class_name: str, **annotations: str) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    host = f"{name}.mystira.app"
    spec = {
        "ingressClassName": class_name,
        "tls": [{"hosts": [host], "secretName": f"{name}-tls"}],
        "rules": [{"host": host, "http": {"paths": paths}}],
    }
    return made("Ingress", name, "networking.k8s.io/v1", spec=spec, metadata={"annotations": annotations})


def test_a_certificate_becomes_ready_with_its_secret(bench: Bench) -> None:
    bench.put_there(issuer(), certificate("plain-tls"))
    body = bench.wait(path_of(certificate("plain-tls")), _ready)
    assert (body["status"]["revision"], "notAfter" in body["status"]) == (1, True)
    assert [each["type"] for each in body["status"]["conditions"]] == ["Ready"]
    secret = bench.get("/api/v1/namespaces/dev/secrets/plain-tls")
    assert secret["type"] == "kubernetes.io/tls"
    pem = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    names = pem.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert "rehearsal" in pem.issuer.rfc4514_string()


def test_a_certificate_waits_while_something_hinders_it_and_the_challenge_says_what(bench: Bench) -> None:
    bench.obstacle = f"no A record for {HOST} yet"
    bench.put_there(issuer(), certificate("waiting-tls"))
    path = "/apis/acme.cert-manager.io/v1/namespaces/dev/challenges"
    listed = bench.wait(path, lambda body: [each for each in body["items"] if each.get("status")])
    assert bench.obstacle in listed["items"][0]["status"]["reason"]
    body = bench.get(path_of(certificate("waiting-tls")))
    assert condition(body, "Ready")["message"] == "Issuing certificate as Secret does not exist"
    assert condition(body, "Issuing")["status"] == "True"
    bench.obstacle = ""
    bench.wait(path_of(certificate("waiting-tls")), _ready)


def test_a_certificate_without_its_issuer_waits_for_it(bench: Bench) -> None:
    bench.put_there(certificate("early-tls", "later"))
    request = f"/apis/{CERT}/namespaces/dev/certificaterequests/early-tls-1"
    body = bench.wait(request, lambda body: condition(body, "Ready"))
    assert 'clusterissuer.cert-manager.io "later" not found' in condition(body, "Ready")["message"]
    bench.put_there(issuer("later"))
    bench.wait(path_of(certificate("early-tls")), _ready)


@pytest.mark.parametrize("how", ["Failed", "RateLimited"])
def test_a_refused_order_is_a_failed_issuing(bench: Bench, how: str) -> None:
    name = f"refused-{how.lower()}"
    bench.fault({"point": "certificate", "subject": name, "how": how})
    bench.put_there(issuer(), certificate(name))
    failed = lambda body: condition(body, "Issuing").get("reason") == "Failed"  # noqa: E731
    body = bench.wait(path_of(certificate(name)), failed)
    assert body["status"]["failedIssuanceAttempts"] == 1
    assert "has failed to complete and will be retried" in condition(body, "Issuing")["message"]


def test_an_annotated_gateway_or_ingress_gets_its_certificates(bench: Bench) -> None:
    annotations = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    bench.put_there(issuer(), gateway("shimmed", annotations=annotations))
    bench.put_there(ingress("shim", _CLASS, **annotations))
    for name in ("shimmed-tls", "shim-tls"):
        bench.wait(path_of(certificate(name)), _ready)


def test_without_a_running_cert_manager_nothing_is_issued(bench: Bench) -> None:
    path = "/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager"
    scale = {"spec": {"replicas": 0}}
    bench.ask("PATCH", path, scale, "application/merge-patch+json")
    bench.wait(path, lambda body: not body["status"].get("availableReplicas"))
    bench.put_there(certificate("unseen-tls"))
    assert "status" not in bench.get(path_of(certificate("unseen-tls")))
    bench.ask("PATCH", path, {"spec": {"replicas": 1}}, "application/merge-patch+json")
    bench.wait(path_of(certificate("unseen-tls")), _ready)


def test_a_request_is_followed_from_the_address_to_the_pod(bench: Bench) -> None:
    host = "followed.mystira.app"
    bench.put_there(issuer(), gateway("way", host), certificate("way-tls", host=host), service("web", "web"))
    bench.put_there(workload("web"), route("way", "way", host=host))
    bench.wait(path_of(workload("web")), rolled_out)
    bench.wait(path_of(certificate("way-tls")), _ready)
    body = bench.wait(
        path_of(gateway("way")), lambda b: all(each["attachedRoutes"] for each in b["status"]["listeners"])
    )
    address = body["status"]["addresses"][0]["value"]
    reached = bench.clusters.reach(address, host, "/health")
    assert reached is not None
    assert (reached.code, reached.port) == (200, 8080)
    assert reached.pod is not None
    assert reached.pod["status"]["containerStatuses"][0]["imageID"] == A
    other = bench.clusters.reach(address, "other.app")
    assert other is not None
    assert other.code in (0, 404)
    assert bench.clusters.reach("127.99.0.1", host) is None


def test_the_cluster_is_the_one_azure_names(bench: Bench) -> None:
    assert PLACE == ("mystira-dev-rg", "mystira-dev-aks")

"""The Kubernetes definitions of this workspace: rendered, checked against the schema, the facts and each other."""

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from workspace import manifests, readiness
from workspace.clients.kustomize import Kustomize
from workspace.errors import Refused
from workspace.rehearsal import image

ROOT = Path(__file__).parents[2] / "infra" / "kubernetes"
ENVIRONMENTS = ("dev", "staging", "prod")
NODES = ("namespace", "gateway", "cert-manager", "issuers", "chain", "publisher", "story-generator")
SERVICES = ("chain", "publisher", "story-generator")
# The wheel first: it renders many folders in one go.
ENGINES = ("pykustomize", "kubectl", "kustomize")
VERSIONS = ("1.35", "1.36")
# Kinds that the cluster learns from custom definitions; their schemas are not Kubernetes' own.
CUSTOM = {"Gateway", "HTTPRoute", "Certificate", "ClusterIssuer"}
DIGEST = "sha256:" + "0" * 64
CLUSTER_SCOPED = {
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterIssuer",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}


@functools.cache
def rendered() -> Mapping[Path, list[dict[str, Any]]]:
    """Every overlay of every environment, and the sum of each environment, by folder."""
    folders = [ROOT / "overlays" / env / node for env in ENVIRONMENTS for node in NODES]
    folders += [ROOT / "overlays" / env for env in ENVIRONMENTS]
    found = Kustomize(engines=ENGINES).render_all(folders)
    failed = [str(each) for each in found.values() if isinstance(each, Refused)]
    assert failed == []
    return {folder: each for folder, each in found.items() if isinstance(each, list)}


def overlay(env: str, node: str) -> list[dict[str, Any]]:
    return rendered()[ROOT / "overlays" / env / node]


def whole(env: str) -> list[dict[str, Any]]:
    return rendered()[ROOT / "overlays" / env]


def one(env: str, node: str, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in overlay(env, node) if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def workload(env: str, service: str) -> dict[str, Any]:
    return one(env, service, "StatefulSet" if service == "chain" else "Deployment", f"mystira-{service}")


def container(thing: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = thing["spec"]["template"]["spec"]["containers"]
    return dict(found)


def rules(service: str) -> list[dict[str, str]]:
    """What the catalogue sets at deploy time."""
    path = "metadata.annotations.azure\\.workload\\.identity/client-id"
    found = [{"kind": "ServiceAccount", "name": f"mystira-{service}-sa", "path": path, "value": "0000-client"}]
    if service != "chain":
        config = f"mystira-{service}-config"
        url = "https://example.vault.azure.net/"
        found.append({"kind": "ConfigMap", "name": config, "path": "data.key_vault_url", "value": url})
    return found


def deployed(env: str, service: str) -> list[dict[str, Any]]:
    pinned = manifests.pinned(overlay(env, service), {service: f"mystiraacr.azurecr.io/{service}@{DIGEST}"})
    return manifests.with_values(pinned, rules(service))


def problems(version: str, thing: Mapping[str, Any]) -> list[str]:
    """What the strict schema of a version says against an object."""
    errors = validator(version, thing["apiVersion"], thing["kind"]).iter_errors(thing)
    return [f"{manifests.name_of(thing)} at {'.'.join(map(str, each.path))}: {each.message[:200]}" for each in errors]


@functools.cache
def validator(version: str, api_version: str, kind: str) -> Any:
    """The strict schema of a kind; references are looked up by name, because the library's own way is very slow."""
    from jsonschema import Draft202012Validator, validators

    folder, definitions = schemas(version)

    def follow(checker: Any, reference: str, instance: Any, _: Any) -> Iterator[Any]:
        yield from checker.descend(instance, definitions[reference.rpartition("/")[2]])

    api = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = json.loads((folder / f"{kind.lower()}-{api}.json").read_text())
    return validators.extend(Draft202012Validator, {"$ref": follow})(schema)


@functools.cache
def schemas(version: str) -> tuple[Path, dict[str, Any]]:
    import kubernetes_validate

    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return folder, json.loads((folder / "_definitions.json").read_text())["$defs"]


def test_every_overlay_renders_and_the_sum_is_the_sum_of_its_parts() -> None:
    for env in ENVIRONMENTS:
        parts = [manifests.name_of(each) for node in NODES for each in overlay(env, node)]
        assert sorted(parts) == sorted(manifests.name_of(each) for each in whole(env))
        assert len(set(parts)) == len(parts)


def test_every_kind_that_is_deployed_has_a_readiness_rule_or_nothing_to_wait_for() -> None:
    # a kind without a rule is judged by its conditions, and ready where it has none (decision 0013)
    things = [thing for objects in rendered().values() for thing in objects if readiness.has_progress(thing)]
    named = {(thing["kind"], thing["apiVersion"].rpartition("/")[0]) for thing in things}
    assert {".".join(filter(None, each)) for each in named} <= readiness.supported()
    assert len(named) > 8


def test_no_overlay_makes_kustomize_warn() -> None:
    said: list[str] = []
    Kustomize(engines=ENGINES).render(ROOT / "overlays/prod", said.append)
    assert said == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_the_strict_schema_of_a_supported_version(version: str) -> None:
    things = [json.loads(text) for text in {shape(each) for env in ENVIRONMENTS for each in whole(env)}]
    checked = [each for each in things if each["kind"] not in CUSTOM]
    assert [said for each in checked for said in problems(version, each)] == []
    assert len(checked) > 60


def shape(thing: dict[str, Any]) -> str:
    """The object without the texts in which environments differ, so that equal shapes are checked once."""
    text = json.dumps(thing, sort_keys=True)
    return re.sub(r'"(mystira-)?(dev|staging|prod)"', '"one"', text)


def test_the_strict_schema_would_notice_a_misspelt_field() -> None:
    thing = json.loads(json.dumps(workload("dev", "chain")))
    thing["spec"]["template"]["spec"]["containers"][0]["containrPort"] = 1
    assert "containrPort" in problems(VERSIONS[0], thing)[0]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_images_and_set_rules_match_and_leave_nothing_open(env: str) -> None:
    for service in SERVICES:
        assert manifests.dangling(deployed(env, service)) == []
        assert all(DIGEST in each for found in manifests.images(deployed(env, service)).values() for each in found)
    for node in ("namespace", "gateway", "issuers"):
        assert manifests.images(manifests.pinned(overlay(env, node), {})) == {}
    manifests.pinned(overlay(env, "cert-manager"), {}, ["quay.io/jetstack/"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_set_rule_left_out_is_noticed(service: str) -> None:
    assert len(manifests.dangling(overlay("prod", service))) == len(rules(service))


def patches() -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(ROOT.glob("**/kustomization.yaml")):
        for patch in yaml.safe_load(file.read_text()).get("patches") or ():
            yield file.parent, patch


def test_every_patch_has_a_target_that_exists() -> None:
    idle, seen = [], 0
    for folder, patch in patches():
        target = patch.get("target")
        if target:
            seen += 1
            names = {(each["kind"], each["metadata"]["name"]) for each in rendered_below(folder)}
            idle += [] if (target["kind"], target["name"]) in names else [f"{folder}: {target}"]
    assert idle == []
    assert seen >= 17


def rendered_below(folder: Path) -> list[dict[str, Any]]:
    _, env, *node = folder.relative_to(ROOT).parts
    return overlay(env, node[0]) if node else whole(env)


def test_every_patch_replaces_something_by_something_else() -> None:
    """A patch that puts what the base says already hides that the base has changed."""
    operations = [each for _, patch in patches() if "target" in patch for each in yaml.safe_load(patch["patch"])]
    values = {str(each["value"]) for each in operations if each["op"] == "replace"}
    bases = "".join(file.read_text() for file in (ROOT / "base").glob("**/*.yaml"))
    assert {each["op"] for each in operations} == {"test", "replace"}
    assert [each for each in values if re.search(rf"[\s\"]{re.escape(each)}[\s\"]", bases)] == ["letsencrypt-staging"]


def test_selectors_are_minimal_and_equal_in_all_environments() -> None:
    first, *others = [manifests.selectors(whole(env)) for env in ENVIRONMENTS]
    assert all(each == first for each in others)
    for name, selector in first.items():
        assert selector == {"matchLabels": {"app": name.split()[1]}}
    assert len(first) == 6


def test_selectors_of_services_and_budgets_find_pods() -> None:
    for env in ENVIRONMENTS:
        things = whole(env)
        pods = [each["spec"]["template"]["metadata"]["labels"] for each in things if "template" in each.get("spec", {})]
        for thing in things:
            selector = selector_of(thing)
            if selector:
                assert any(selector.items() <= labels.items() for labels in pods), manifests.name_of(thing)


def selector_of(thing: Mapping[str, Any]) -> dict[str, str]:
    if thing["kind"] == "Service":
        return dict(thing["spec"].get("selector") or {})
    if thing["kind"] == "PodDisruptionBudget":
        return dict(thing["spec"]["selector"]["matchLabels"])
    return {}


SIZES = {
    # service: environment: requests, limits, replicas (or the autoscaler's range)
    "chain": {
        "dev": ("500m", "1Gi", "2", "2Gi", (1, 1)),
        "staging": ("500m", "2Gi", "2", "4Gi", (2, 2)),
        "prod": ("1", "4Gi", "4", "8Gi", (3, 3)),
    },
    "publisher": {
        "dev": ("100m", "128Mi", "500m", "256Mi", (1, 10)),
        "staging": ("100m", "256Mi", "500m", "512Mi", (2, 10)),
        "prod": ("100m", "512Mi", "500m", "1Gi", (3, 20)),
    },
    "story-generator": {
        "dev": ("250m", "256Mi", "1", "512Mi", (1, 10)),
        "staging": ("250m", "512Mi", "1", "1Gi", (2, 10)),
        "prod": ("250m", "1Gi", "1", "2Gi", (3, 20)),
    },
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_sizes_are_those_of_the_facts(env: str, service: str) -> None:
    thing = workload(env, service)
    resources = container(thing)["resources"]
    found = (*resources["requests"].values(), *resources["limits"].values())
    assert (*map(str, found), scale(env, service, thing)) == SIZES[service][env]


def scale(env: str, service: str, thing: Mapping[str, Any]) -> tuple[int, int]:
    if service == "chain":
        return thing["spec"]["replicas"], thing["spec"]["replicas"]
    assert "replicas" not in thing["spec"]
    spec = one(env, service, "HorizontalPodAutoscaler", f"mystira-{service}")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"mystira-{service}"}
    targets = {each["resource"]["name"]: each["resource"]["target"]["averageUtilization"] for each in spec["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    return spec["minReplicas"], spec["maxReplicas"]


PROBES = {
    # service: liveness and readiness as path, port, delay, period
    "chain": (("/health", 8545, 60, 30), ("/ready", 8545, 30, 10)),
    "publisher": (("/health", 3001, 30, 10), ("/ready", 3001, 10, 5)),
    "story-generator": (("/health", 8081, 60, 10), ("/health", 8081, 30, 5)),
}


@pytest.mark.parametrize("service", SERVICES)
def test_probes_are_those_of_the_facts_behind_a_startup_probe(service: str) -> None:
    found = container(workload("dev", service))
    ports = {each["name"]: each["containerPort"] for each in found["ports"]}
    for kind, wanted in zip(("livenessProbe", "readinessProbe"), PROBES[service], strict=True):
        probe = found[kind]
        ask = probe["httpGet"]
        assert (ask["path"], ports[ask["port"]], probe["initialDelaySeconds"], probe["periodSeconds"]) == wanted
    patience = found["startupProbe"]["periodSeconds"] * found["startupProbe"]["failureThreshold"]
    assert patience >= 150


PORTS = {
    "mystira-chain": [("rpc", 8545, "TCP"), ("ws", 8546, "TCP")],
    "mystira-chain-p2p": [("p2p", 30303, "TCP")],
    "mystira-publisher": [("http", 3000, "TCP"), ("health", 3001, "TCP")],
    "mystira-story-generator": [("http", 8080, "TCP"), ("health", 8081, "TCP")],
}


def test_services_have_the_ports_of_the_facts_and_reach_a_port_of_their_pods() -> None:
    for env in ENVIRONMENTS:
        services = {each["metadata"]["name"]: each for each in whole(env) if each["kind"] == "Service"}
        for name, wanted in PORTS.items():
            ports = services[name]["spec"]["ports"]
            assert [(each["name"], each["port"], each["protocol"]) for each in ports] == wanted
        for service in SERVICES:
            named = {each["name"] for each in container(workload(env, service))["ports"]}
            mine = [each for each in services.values() if each["spec"]["selector"] == {"app": f"mystira-{service}"}]
            assert {port["targetPort"] for each in mine for port in each["spec"]["ports"]} == named


def test_the_stateful_set_stands_on_a_headless_service() -> None:
    for env in ENVIRONMENTS:
        name = workload(env, "chain")["spec"]["serviceName"]
        assert one(env, "chain", "Service", name)["spec"]["clusterIP"] == "None"


def test_no_service_of_ours_has_an_address_outside_the_cluster() -> None:
    services = [each for env in ENVIRONMENTS for each in whole(env) if each["kind"] == "Service"]
    assert {each["spec"].get("type", "ClusterIP") for each in services} == {"ClusterIP"}


@pytest.mark.parametrize("service", SERVICES)
def test_containers_name_the_ports_that_their_image_and_its_stand_in_serve(service: str) -> None:
    named = {each["containerPort"] for each in container(workload("prod", service))["ports"]}
    dockerfile = (ROOT.parent / "docker" / service / "Dockerfile").read_text()
    (exposed,) = re.findall(r"^EXPOSE (.+)$", dockerfile, re.MULTILINE)
    # The chain's own gRPC port stays behind serve.py.
    assert named == {int(each) for each in exposed.split()} - {50051}
    assert named == {int(each) for each in image.PORTS[service].split()}


@pytest.mark.parametrize(("env", "size"), [("dev", "100Gi"), ("staging", "100Gi"), ("prod", "500Gi")])
def test_the_chain_keeps_its_data_on_a_premium_disk(env: str, size: str) -> None:
    (claim,) = workload(env, "chain")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == size
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("managed-premium", ["ReadWriteOnce"])
    assert claim["metadata"]["name"] == "chain-data"


VARIABLES = {
    "chain": {
        "CHAIN_DATA_DIR": "/data",
        "CHAIN_NETWORK_ID": "mystira-chain-config:network_id",
        "AZURE_CLIENT_ID": "mystira-chain-secrets:azure_client_id",
    },
    "publisher": {
        "NODE_ENV": "production",
        "PORT": "3000",
        "HEALTH_PORT": "3001",
        "CHAIN_RPC_URL": "mystira-publisher-config:chain_rpc_url",
        "CHAIN_WS_URL": "mystira-publisher-config:chain_ws_url",
        "KEY_VAULT_URL": "mystira-publisher-config:key_vault_url",
        "AZURE_SERVICEBUS_CONNECTION": "mystira-publisher-secrets:servicebus_connection",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "mystira-publisher-secrets:appinsights_connection",
    },
    "story-generator": {
        "ASPNETCORE_ENVIRONMENT": "Production",
        "ASPNETCORE_HTTP_PORTS": "8080;8081",
        "ConnectionStrings__PostgreSQL": "mystira-story-generator-secrets:postgres_connection_string",
        "ConnectionStrings__Redis": "mystira-story-generator-secrets:redis_connection_string",
        "Ai__Anthropic__ApiKey": "mystira-story-generator-secrets:anthropic_api_key",
        "Ai__OpenAI__ApiKey": "mystira-story-generator-secrets:openai_api_key",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "mystira-story-generator-secrets:appinsights_connection",
        "KEY_VAULT_URL": "mystira-story-generator-config:key_vault_url",
    },
}


@pytest.mark.parametrize("service", SERVICES)
def test_pods_read_the_variables_config_and_secret_keys_of_the_facts(service: str) -> None:
    found = {each["name"]: source(each) for each in container(workload("prod", service))["env"]}
    assert found == VARIABLES[service]


def source(variable: Mapping[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"])
    (reference,) = variable["valueFrom"].values()
    return f"{reference['name']}:{reference['key']}"


def test_the_config_is_that_of_the_facts() -> None:
    chain = one("dev", "chain", "ConfigMap", "mystira-chain-config")["data"]
    assert chain == {"network_id": "1337", "chain_id": "1337", "rpc_enabled": "true", "ws_enabled": "true"}
    publisher = one("dev", "publisher", "ConfigMap", "mystira-publisher-config")["data"]
    assert publisher == {"chain_rpc_url": "http://mystira-chain:8545", "chain_ws_url": "ws://mystira-chain:8546"}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_each_environment_has_its_own_hosts_and_issuer(env: str) -> None:
    prefix = "" if env == "prod" else f"{env}."
    issuer = "letsencrypt-prod" if env == "prod" else "letsencrypt-staging"
    listeners = {each["name"]: each for each in one(env, "gateway", "Gateway", "mystira-gateway")["spec"]["listeners"]}
    for service in SERVICES:
        host = f"{prefix}{service}.mystira.app"
        listener = listeners[f"https-{service}"]
        route = one(env, service, "HTTPRoute", f"mystira-{service}")["spec"]
        certificate = one(env, "issuers", "Certificate", f"mystira-{service}-tls")["spec"]
        assert (listener["hostname"], route["hostnames"], certificate["dnsNames"]) == (host, [host], [host])
        assert certificate["issuerRef"]["name"] == issuer
        assert listener["tls"]["certificateRefs"][0]["name"] == certificate["secretName"] == f"mystira-{service}-tls"
        assert route["parentRefs"] == [{"name": "mystira-gateway", "sectionName": f"https-{service}"}]


def test_no_two_environments_claim_the_same_host() -> None:
    hosts = [
        host
        for env in ENVIRONMENTS
        for each in whole(env)
        if each["kind"] == "HTTPRoute"
        for host in each["spec"].get("hostnames", ())
    ]
    assert len(hosts) == len(set(hosts)) == 9


def test_plain_http_is_redirected_except_for_the_challenges_that_name_their_host() -> None:
    route = one("prod", "gateway", "HTTPRoute", "mystira-https-redirect")["spec"]
    (rule,) = route["rules"]
    assert "hostnames" not in route
    assert route["parentRefs"][0]["sectionName"] == "http"
    assert rule["filters"] == [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]
    for name in ("letsencrypt-prod", "letsencrypt-staging"):
        spec = one("prod", "issuers", "ClusterIssuer", name)["spec"]["acme"]
        (parent,) = spec["solvers"][0]["http01"]["gatewayHTTPRoute"]["parentRefs"]
        assert (parent["name"], parent["sectionName"]) == ("mystira-gateway", "http")
        assert spec["email"] == "admin@phoenixvc.org"


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_only_objects_of_the_whole_cluster_have_no_namespace(env: str) -> None:
    for node in NODES:
        wanted = "cert-manager" if node == "cert-manager" else f"mystira-{env}"
        for thing in overlay(env, node):
            own = thing["metadata"].get("namespace")
            assert own == (None if thing["kind"] in CLUSTER_SCOPED else wanted), manifests.name_of(thing)
    assert one(env, "namespace", "Namespace", f"mystira-{env}")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_pod_meets_the_restricted_standard_on_a_read_only_root(env: str) -> None:
    checked = 0
    for thing in whole(env):
        template = (thing.get("spec") or {}).get("template") or {}
        if "spec" not in template:
            continue
        checked += 1
        pod, own = template["spec"], container(thing)["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
        assert not pod.get("hostNetwork") and not any("hostPath" in each for each in pod.get("volumes", ()))
    assert checked == 6


@pytest.mark.parametrize("service", SERVICES)
def test_our_pods_run_as_user_1000_and_sign_in_with_their_identity(service: str) -> None:
    template = workload("prod", service)["spec"]["template"]
    assert template["spec"]["securityContext"]["runAsUser"] == 1000
    assert template["spec"]["serviceAccountName"] == f"mystira-{service}-sa"
    assert template["spec"]["automountServiceAccountToken"] is False
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert container(workload("prod", service))["imagePullPolicy"] == "IfNotPresent"


def test_only_prod_uses_node_pools_of_their_own() -> None:
    for env in ENVIRONMENTS:
        pods = {service: workload(env, service)["spec"]["template"]["spec"] for service in SERVICES}
        pools = {service: pod.get("nodeSelector", {}).get("workload") for service, pod in pods.items()}
        wanted = {"chain": "chain", "publisher": "publisher", "story-generator": None}
        assert pools == (wanted if env == "prod" else dict.fromkeys(SERVICES))
    (toleration,) = workload("prod", "chain")["spec"]["template"]["spec"]["tolerations"]
    assert toleration == {"key": "workload", "operator": "Equal", "value": "chain", "effect": "NoSchedule"}


def test_updates_never_take_the_last_pod_away() -> None:
    for service in SERVICES:
        budget = one("prod", service, "PodDisruptionBudget", f"mystira-{service}")
        assert budget["spec"]["maxUnavailable"] == 1
    for service in ("publisher", "story-generator"):
        rolling = workload("prod", service)["spec"]["strategy"]["rollingUpdate"]
        assert rolling == {"maxSurge": 1, "maxUnavailable": 0}


def test_nothing_is_allowed_in_the_network_unless_a_policy_says_so() -> None:
    deny = one("dev", "namespace", "NetworkPolicy", "mystira-nothing-by-default")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


CALLS = {
    # who may call whom, at which ports, in the cluster
    ("gateway", "chain"): {8545},
    ("gateway", "publisher"): {3000},
    ("gateway", "story-generator"): {8080},
    ("publisher", "chain"): {8545},
    ("chain", "chain"): {8545},
}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_calls_of_the_guide_are_allowed_on_both_sides_and_no_others(env: str) -> None:
    policies = {each["metadata"]["name"]: each for each in whole(env) if each["kind"] == "NetworkPolicy"}
    incoming, outgoing = {}, {}
    for name in (*SERVICES, "gateway"):
        spec = policies[f"mystira-{name}"]["spec"]
        for rule in spec.get("ingress", ()):
            incoming |= {(each, name): ports_of(rule) for each in pods_of(rule.get("from", ()))}
        for rule in spec.get("egress", ()):
            outgoing |= {(name, each): ports_of(rule) for each in pods_of(rule.get("to", ()))}
    assert incoming == CALLS
    assert {call: ports for call, ports in outgoing.items() if call[1] != "solver"} == CALLS


def pods_of(peers: Any) -> list[str]:
    labels = [each["podSelector"].get("matchLabels", {}) for each in peers if "podSelector" in each]
    return [who(each) for each in labels if each]


def who(labels: Mapping[str, str]) -> str:
    if "acme.cert-manager.io/http01-solver" in labels:
        return "solver"
    name = labels.get("gateway.networking.k8s.io/gateway-name") or labels["app"]
    return name.removeprefix("mystira-")


def ports_of(rule: Mapping[str, Any]) -> set[int]:
    return {each["port"] for each in rule["ports"]}


@pytest.mark.parametrize(("env", "network"), [("dev", "10.0"), ("staging", "10.1"), ("prod", "10.2")])
def test_databases_are_called_in_the_environments_own_subnets_only(env: str, network: str) -> None:
    spec = one(env, "story-generator", "NetworkPolicy", "mystira-story-generator")["spec"]
    found = {rule["to"][0]["ipBlock"]["cidr"]: ports_of(rule) for rule in spec["egress"][:2]}
    assert found == {f"{network}.3.0/24": {5432}, f"{network}.4.0/24": {10000, 6380}}


def test_cert_manager_is_pinned_once_and_speaks_gateway_api() -> None:
    things = overlay("prod", "cert-manager")
    images = {each for found in manifests.images(things).values() for each in found}
    versions = {each.partition(":")[2] for each in images}
    arguments = container(one("prod", "cert-manager", "Deployment", "cert-manager"))["args"]
    assert len(images) == 3 and len(versions) == 1
    assert "--enable-gateway-api" in arguments
    assert f"--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:{versions.pop()}" in arguments
    kinds = {each["spec"]["names"]["kind"] for each in things if each["kind"] == "CustomResourceDefinition"}
    assert kinds == {"Certificate", "CertificateRequest", "Issuer", "ClusterIssuer", "Order", "Challenge"}


def test_no_placeholder_is_left_anywhere() -> None:
    suspicious = re.compile(
        r"\$\{|\{\{|<[A-Z_ ]+>|CHANGE_?ME|PLACEHOLDER|REPLACE_|TODO|FIXME|xxxx|your-", re.IGNORECASE
    )
    for env in ENVIRONMENTS:
        for thing in whole(env):
            assert not suspicious.search(json.dumps(thing)), manifests.name_of(thing)


def test_no_definition_holds_a_secret() -> None:
    assert [each for env in ENVIRONMENTS for each in whole(env) if each["kind"] == "Secret"] == []


def test_an_ingress_can_take_the_place_of_a_route(tmp_path: Path) -> None:
    folders = {service: tmp_path / service for service in SERVICES}
    for service, folder in folders.items():
        folder.mkdir()
        base, component = (os.path.relpath(ROOT / place / service, folder) for place in ("base", "components/ingress"))
        (folder / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
    rendered = Kustomize(engines=ENGINES).render_all(list(folders.values()))
    for service, folder in folders.items():
        things = rendered[folder]
        assert isinstance(things, list)
        (ingress,) = [each for each in things if each["kind"] == "Ingress"]
        assert problems(VERSIONS[1], ingress) == []
        assert ingress["spec"]["tls"][0]["secretName"] == f"mystira-{service}-tls"
        assert "HTTPRoute" not in {each["kind"] for each in things}

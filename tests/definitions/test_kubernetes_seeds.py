"""Mistakes put into Kubernetes definitions on purpose: each is found by its rule, at its place, and no other.

Those here are put into our own definitions; those of `kubernetes_corpus` into small workspaces as others lay them out,
and so is what only looks like a mistake.
"""

import functools
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kubernetes_corpus import NEAR_MISSES, WHOLE
from kubernetes_corpus import SEEDS as FOREIGN
from kubernetes_layouts import LAYOUTS
from workspace.preflight import kubernetes
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Report
from workspace.preflight.kubernetes_files import Tree
from workspace.preflight.kubernetes_scene import render

ROOT = Path(__file__).resolve().parents[2]
K = "infra/kubernetes"
# What names the keys of secrets and builds the images that manifests only mention.
OTHERS = (
    "deployments/catalogue.py",
    *(f"infra/docker/{each}/Dockerfile" for each in ("chain", "publisher", "story-generator")),
)
PROD = f"{K}/overlays/prod"
DIFFERENCES = f"{K}/differences.yaml"
CHAIN = f"{K}/base/chain"
PUBLISHER = f"{K}/base/publisher"
STORIES = f"{K}/base/story-generator"
TWICE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: mystira-chain-again
spec:
  parentRefs:
    - name: mystira-gateway
      sectionName: https-chain
  hostnames:
    - chain.mystira.app  # once more
  rules:
    - backendRefs:
        - name: mystira-chain
          port: 8545
"""
SECRET = """---
apiVersion: v1
kind: Secret
metadata:
  name: mystira-chain-login
stringData:
  word: open-sesame
"""
READINESS = """          readinessProbe:
            httpGet: {path: /ready, port: rpc}
            initialDelaySeconds: 30
            periodSeconds: 10
            timeoutSeconds: 5
"""
STARTUP = """          startupProbe:
            httpGet: {path: /health, port: rpc}
            periodSeconds: 10
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /health, port: rpc}
            initialDelaySeconds: 60
"""
LIVENESS = """          livenessProbe:
            httpGet: {path: /health, port: rpc}
            initialDelaySeconds: 0
            failureThreshold: 2
"""

# what is wrong · file · old text · new text · rule · where it is found (line text; nothing: the file) · words
Seed = tuple[str, str, str, str, str, str, str]
SEEDS: list[Seed] = [
    (
        "a line stands too far left",
        f"{CHAIN}/services.yaml",
        "  clusterIP: None",
        " clusterIP: None",
        "syntax",
        " clusterIP: None",
        "not YAML",
    ),
    (
        "a key is said twice",
        f"{PROD}/chain/size.yaml",
        "  replicas: 3\n",
        "  replicas: 2\n  replicas: 3\n",
        "syntax",
        "  replicas: 3",
        "replicas twice",
    ),
    (
        "a kustomization has a misspelt field",
        f"{PROD}/chain/kustomization.yaml",
        "components:",
        "component:",
        "does-not-render",
        "",
        "overlays/prod/chain component",
    ),
    (
        "a base has another name",
        f"{PROD}/chain/kustomization.yaml",
        "../base/chain",
        "../base/chian",
        "path-missing",
        "chian",
        "base/chian",
    ),
    (
        "a base stands outside the repository",
        f"{PROD}/chain/kustomization.yaml",
        "../base/chain",
        "../../../../base/chain",
        "path-outside",
        "../../../../base/chain",
        "../base/chain outside",
    ),
    (
        "a patch file is not there",
        f"{PROD}/publisher/kustomization.yaml",
        "path: size.yaml",
        "path: sizes.yaml",
        "path-missing",
        "sizes.yaml",
        "publisher/sizes.yaml",
    ),
    (
        "a target has another name",
        f"{PROD}/story-generator/kustomization.yaml",
        "{kind: NetworkPolicy, name: mystira-story-generator}",
        "{kind: NetworkPolicy, name: story-generator}",
        "patch-idle",
        "name: story-generator}",
        "NetworkPolicy story-generator",
    ),
    (
        "a size is for nothing",
        f"{PROD}/publisher/size.yaml",
        "name: mystira-publisher\nspec:\n  minReplicas",
        "name: publisher\nspec:\n  minReplicas",
        "patch-idle",
        "-",
        "HorizontalPodAutoscaler publisher",
    ),
    (
        "a patch sets what is so anyway",
        f"{PROD}/chain/kustomization.yaml",
        "value: 500Gi",
        "value: 100Gi",
        "patch-idle",
        "value: 100Gi",
        "storage to 100Gi",
    ),
    (
        "sizes are those of the base",
        f"{K}/overlays/dev/story-generator/size.yaml",
        "minReplicas: 1",
        "minReplicas: 2",
        "patch-idle",
        "-",
        "anyway",
    ),
    (
        "an image rule has another name",
        f"{PROD}/publisher/kustomization.yaml",
        "patches:",
        "images:\n  - {name: mystira/publisher, newTag: v1}\npatches:",
        "image-rule-idle",
        "newTag: v1",
        "mystira/publisher publisher",
    ),
    (
        "an image follows the newest",
        f"{PUBLISHER}/deployment.yaml",
        "image: publisher\n",
        "image: example.azurecr.io/publisher:latest\n",
        "image-mutable",
        "image: example",
        "publisher:latest latest",
    ),
    (
        "an image is nobody's",
        f"{STORIES}/deployment.yaml",
        "image: story-generator\n",
        "image: storyteller\n",
        "image-mutable",
        "image: storyteller",
        "storyteller neither",
    ),
    (
        "a field is misspelt",
        f"{PUBLISHER}/deployment.yaml",
        "revisionHistoryLimit",
        "revisionHistoryLimits",
        "schema",
        "revisionHistoryLimits",
        "Deployment mystira-publisher revisionHistoryLimit",
    ),
    (
        "a number is a text",
        f"{PROD}/chain/size.yaml",
        "replicas: 3",
        'replicas: "three"',
        "schema",
        "three",
        "spec.replicas integer",
    ),
    (
        "a budget is of a removed version",
        f"{PUBLISHER}/disruption-budget.yaml",
        "policy/v1",
        "policy/v1beta1",
        "api-removed",
        "policy/v1beta1",
        "policy/v1beta1 1.35 policy/v1",
    ),
    (
        "a label joins the selectors of one environment",
        f"{K}/overlays/staging/publisher/kustomization.yaml",
        "includeTemplates: true",
        "includeSelectors: true",
        "selector-differs",
        "",
        "mystira-publisher environment=staging",
    ),
    (
        "a service selects nobody",
        f"{STORIES}/services.yaml",
        "    app: mystira-story-generator",
        "    app: story-generator",
        "selector-finds-nothing",
        "selector:",
        "Service mystira-story-generator app=story-generator",
    ),
    (
        "a policy lets nobody in",
        f"{CHAIN}/network-policy.yaml",
        "app: mystira-publisher",
        "app: publisher",
        "selector-finds-nothing",
        "app: publisher",
        "NetworkPolicy mystira-chain app=publisher",
    ),
    (
        "a budget is for nobody",
        f"{CHAIN}/disruption-budget.yaml",
        "app: mystira-chain",
        "app: chain",
        "selector-finds-nothing",
        "matchLabels",
        "PodDisruptionBudget mystira-chain",
    ),
    (
        "a service sends to a port that is not there",
        f"{STORIES}/services.yaml",
        "targetPort: health",
        "targetPort: healthz",
        "service-port",
        "healthz",
        "8081 healthz",
    ),
    (
        "nobody asks whether a pod is ready",
        f"{CHAIN}/stateful-set.yaml",
        READINESS,
        "",
        "probe-missing",
        "- name: chain",
        "readinessProbe",
    ),
    (
        "a slow start is killed",
        f"{CHAIN}/stateful-set.yaml",
        STARTUP,
        LIVENESS,
        "probe-missing",
        "livenessProbe",
        "startupProbe 60 s",
    ),
    (
        "a probe asks another port",
        f"{STORIES}/deployment.yaml",
        "readinessProbe:\n            httpGet: {path: /health, port: health}",
        "readinessProbe:\n            httpGet: {path: /health, port: 50051}",
        "probe-port",
        "50051",
        "readinessProbe 50051 8081",
    ),
    (
        "a container asks for no processor",
        f"{K}/base/cert-manager/webhook.yaml",
        "requests: {cpu: 10m, memory: 64Mi}",
        "requests: {memory: 64Mi}",
        "resources",
        "resources:",
        "webhook request of cpu",
    ),
    (
        "a container may use all memory",
        f"{K}/base/cert-manager/cainjector.yaml",
        "            limits: {memory: 512Mi}\n",
        "",
        "resources",
        "resources:",
        "cainjector limit of memory",
    ),
    (
        "a container may write everywhere",
        f"{CHAIN}/stateful-set.yaml",
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        "pod-security",
        "          securityContext:",
        "readOnlyRootFilesystem",
    ),
    (
        "a pod may be root",
        f"{PUBLISHER}/deployment.yaml",
        "runAsNonRoot: true",
        "runAsNonRoot: false",
        "pod-security",
        "          securityContext:",
        "runAsNonRoot",
    ),
    (
        "a key of the config is spelt otherwise",
        f"{CHAIN}/stateful-set.yaml",
        "key: network_id",
        "key: networkId",
        "config-key",
        "key: networkId",
        "networkId mystira-chain-config",
    ),
    (
        "a config has another name",
        f"{PUBLISHER}/deployment.yaml",
        "name: mystira-publisher-config, key: chain_rpc_url",
        "name: mystira-publisher-settings, key: chain_rpc_url",
        "config-key",
        "mystira-publisher-settings",
        "mystira-publisher-settings nothing",
    ),
    (
        "a key of a secret is spelt otherwise",
        f"{STORIES}/deployment.yaml",
        "key: postgres_connection_string",
        "key: postgresql-connection",
        "secret-key",
        "postgresql-connection",
        "postgresql-connection mystira-story-generator-secrets",
    ),
    (
        "replicas are above the floor of the autoscaler",
        f"{PROD}/publisher/size.yaml",
        "spec:\n  template",
        "spec:\n  replicas: 5\n  template",
        "autoscaler",
        "minReplicas",
        "3 5",
    ),
    (
        "an autoscaler scales nothing",
        f"{PUBLISHER}/autoscaler.yaml",
        "    name: mystira-publisher\n  minReplicas",
        "    name: publisher\n  minReplicas",
        "autoscaler",
        "    name: publisher",
        "Deployment publisher",
    ),
    (
        "a budget lets nobody go",
        f"{PUBLISHER}/disruption-budget.yaml",
        "maxUnavailable: 1",
        "maxUnavailable: 0",
        "disruption-budget",
        "maxUnavailable",
        "never",
    ),
    (
        "a budget lets all go",
        f"{CHAIN}/disruption-budget.yaml",
        "maxUnavailable: 1",
        "maxUnavailable: 3",
        "disruption-budget",
        "maxUnavailable",
        "all 3",
    ),
    (
        "pods have no names of their own",
        f"{CHAIN}/stateful-set.yaml",
        "serviceName: mystira-chain-headless",
        "serviceName: mystira-chain",
        "headless-service",
        "serviceName",
        "not headless",
    ),
    (
        "cluster issuers get a namespace",
        f"{PROD}/issuers/kustomization.yaml",
        "resources:",
        "namespace: mystira-prod\nresources:",
        "namespace",
        "-",
        "ClusterIssuer letsencrypt mystira-prod",
    ),
    (
        "a second route has the same host",
        f"{K}/components/route/chain/route.yaml",
        "          port: 8545\n",
        "          port: 8545\n" + TWICE,
        "host-claimed-twice",
        "once more",
        "mystira-chain-again chain.mystira.app/",
    ),
    (
        "a certificate fills another secret",
        f"{K}/base/certificates/certificates.yaml",
        "secretName: mystira-chain-tls",
        "secretName: mystira-chain-certificate",
        "tls-without-certificate",
        "-",
        "mystira-chain-tls",
    ),
    (
        "a certificate is for another host",
        f"{K}/base/certificates/certificates.yaml",
        "- publisher.mystira.app",
        "- publishers.mystira.app",
        "tls-without-certificate",
        "- publishers.",
        "publisher.mystira.app publishers.mystira.app",
    ),
    (
        "an issuer has another name",
        f"{K}/base/certificates/certificates.yaml",
        "name: letsencrypt-prod",
        "name: letsencrypt-live",
        "issuer",
        "letsencrypt-live",
        "letsencrypt-live letsencrypt-staging",
    ),
    (
        "production has a staging issuer",
        f"{K}/base/certificates/certificates.yaml",
        "name: letsencrypt-prod",
        "name: letsencrypt-staging",
        "issuer",
        "letsencrypt-staging",
        "staging issuer prod",
    ),
    (
        "a route leads to another port",
        f"{K}/components/route/publisher/route.yaml",
        "port: 3000",
        "port: 3333",
        "backend-missing",
        "port: 3333",
        "3333 3000",
    ),
    (
        "a route leads to another service",
        f"{K}/components/route/story-generator/route.yaml",
        "        - name: mystira-story-generator",
        "        - name: story-generator",
        "backend-missing",
        "- name: story-generator",
        "Service story-generator",
    ),
    (
        "a route attaches to no listener",
        f"{K}/components/route/story-generator/route.yaml",
        "sectionName: https-story-generator",
        "sectionName: https-stories",
        "backend-missing",
        "https-stories",
        "listener https-stories",
    ),
    (
        "a variable is not expanded",
        f"{PUBLISHER}/service-account.yaml",
        "  name: mystira-publisher-sa\n",
        "  name: mystira-publisher-sa\n  annotations:\n    azure.workload.identity/client-id: ${CLIENT_ID}\n",
        "placeholder",
        "${CLIENT_ID}",
        "${CLIENT_ID}",
    ),
    (
        "a value is left to be changed",
        f"{CHAIN}/config-map.yaml",
        '"1337"',
        "CHANGE_ME",
        "placeholder",
        "CHANGE_ME",
        "CHANGE_ME data.network_id",
    ),
    (
        "a key stands in a config",
        f"{CHAIN}/config-map.yaml",
        'rpc_enabled: "true"',
        "api_key: 0f3c5d7e9a1b",
        "secret-in-clear",
        "api_key",
        "api_key",
    ),
    (
        "a secret is committed",
        f"{CHAIN}/config-map.yaml",
        'ws_enabled: "true"\n',
        'ws_enabled: "true"\n' + SECRET,
        "secret-in-clear",
        "open-sesame",
        "Secret mystira-chain-login",
    ),
    (
        "a policy lets everything out",
        f"{K}/base/namespace/network-policies.yaml",
        "  egress:\n    - to:",
        "  egress:\n    - {}\n    - to:",
        "network-open",
        "-",
        "mystira-prod Egress",
    ),
    (
        "a pod runs as nobody that exists",
        f"{CHAIN}/service-account.yaml",
        "name: mystira-chain-sa",
        "name: mystira-chain-account",
        "service-account-missing",
        "-",
        "StatefulSet mystira-chain mystira-chain-sa",
    ),
    (
        "a variable is given twice",
        f"{K}/base/cert-manager/controller.yaml",
        "            - name: POD_NAMESPACE\n",
        "            - name: POD_NAMESPACE\n              value: here\n            - name: POD_NAMESPACE\n",
        "variable-twice",
        "            - name: POD_NAMESPACE",
        "Deployment cert-manager POD_NAMESPACE",
    ),
    (
        "one environment has another port",
        f"{K}/overlays/staging/publisher/kustomization.yaml",
        "patches:\n",
        "patches:\n  - target: {kind: ConfigMap, name: mystira-publisher-config}\n    patch: |-\n"
        "      - {op: replace, path: /data/chain_ws_url, value: 'ws://mystira-chain:8545'}\n",
        "undeclared-difference",
        "/data/chain_ws_url",
        "ConfigMap mystira-publisher-config dev data.chain_ws_url",
    ),
    (
        "one environment lacks an object",
        f"{K}/overlays/staging/publisher/kustomization.yaml",
        "patches:\n",
        "patches:\n  - patch: |-\n      $patch: delete\n      apiVersion: policy/v1\n      kind: PodDisruptionBudget\n"
        "      metadata: {name: mystira-publisher}\n",
        "undeclared-difference",
        "-",
        "PodDisruptionBudget mystira-publisher missing staging",
    ),
    (
        "a difference is declared that is none",
        DIFFERENCES,
        "paths: [spec.minReplicas, spec.maxReplicas]",
        "paths: [spec.minReplicas, spec.maxReplicas, spec.behavior]",
        "difference-idle",
        "spec.behavior",
        "HorizontalPodAutoscaler spec.behavior",
    ),
    (
        "an ingress of a retired class",
        f"{PROD}/chain/kustomization.yaml",
        "components/route/chain",
        "components/ingress/chain",
        "retired",
        "-",
        "nginx retired",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A workspace for each mistake; all are rendered in one go, which saves starting Kustomize for each."""
    folders: dict[str, Path] = {}
    for what, file, old, new, rule, *_ in SEEDS:
        folders[what] = tmp_path_factory.mktemp("seed")
        compares = "difference" in rule
        copy(folders[what], "*" if compares or ("/overlays/" in file and PROD not in file) else "prod")
        if compares:
            shutil.copyfile(ROOT / DIFFERENCES, folders[what] / DIFFERENCES)
        edit(folders[what] / file, old, new)
    render([Tree(Checkout(folder)) for folder in folders.values()])
    return folders


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A workspace for each row of the corpus, by its number; near misses follow the mistakes."""
    folders = {number: tmp_path_factory.mktemp("row") for number in range(len(FOREIGN) + len(NEAR_MISSES))}
    for number, row in enumerate([*((*each[:5], *each[6:]) for each in FOREIGN), *NEAR_MISSES]):
        write(folders[number], *row[1:])
    render([Tree(Checkout(folder)) for folder in folders.values()])
    return folders


def write(root: Path, layout: str, file: str, old: str, new: str, *more: tuple[str, str]) -> None:
    """A small workspace with one text changed, or one file, and more files."""
    texts = dict(LAYOUTS[layout])
    assert old == WHOLE or texts[file].count(old), f"{file} has no {old!r}"
    texts |= {file: new if old == WHOLE else texts[file].replace(old, new, 1), **dict(more)}
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())


@functools.cache
def found(folder: Path) -> tuple[Finding, ...]:
    return check(folder).findings


def is_there(folder: Path, file: str, line: str) -> bool:
    """True when something is found at the line; in the file when no line is given, anywhere for a dash."""
    if line == "-":
        return bool(found(folder))
    places = {each.place if line else each.file for each in found(folder)}
    return (Checkout(folder).line(file, line) if line else file) in places


def place_of(row: tuple[Any, ...]) -> tuple[str, str]:
    """The file and the text of the line where a mistake of the corpus must be found."""
    return row[5] if isinstance(row[5], tuple) else (row[2], row[5])


@pytest.mark.parametrize("seed", SEEDS, ids=[each[0].replace(" ", "-") for each in SEEDS])
def test_a_mistake_is_found_by_its_rule_at_its_place(seed: Seed, seeded: dict[str, Path]) -> None:
    what, file, _, _, rule, line, words = seed
    folder = seeded[what]
    findings = found(folder)
    assert {each.rule.id for each in findings} == {f"kubernetes/{rule}"}, [str(each) for each in findings]
    for word in words.split():
        assert any(word in each.what for each in findings), [str(each) for each in findings]
    assert is_there(folder, file, line), [str(each) for each in findings]


@pytest.mark.parametrize("number", range(len(FOREIGN)), ids=[f"{each[0]}-{each[1]}" for each in FOREIGN])
def test_a_mistake_in_a_workspace_of_others_is_found_by_its_rule_at_its_place(
    number: int, foreign: dict[int, Path]
) -> None:
    row, findings = FOREIGN[number], found(foreign[number])
    assert {each.rule.id for each in findings} == {f"kubernetes/{row[0]}"}, [str(each) for each in findings]
    file, line = place_of(row)
    assert not line or Checkout(foreign[number]).line(file, line) != file, f"{file} has no {line!r}"
    assert is_there(foreign[number], file, line), [str(each) for each in findings]


@pytest.mark.parametrize("number", range(len(NEAR_MISSES)), ids=[f"{each[0]}-{each[1]}" for each in NEAR_MISSES])
def test_what_only_looks_like_a_mistake_is_not_found(number: int, foreign: dict[int, Path]) -> None:
    assert [str(each) for each in found(foreign[len(FOREIGN) + number])] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_small_workspace_without_a_mistake_has_no_finding(layout: str, tmp_path: Path) -> None:
    write(tmp_path, layout, "notes.md", WHOLE, "")
    report = check(tmp_path)
    assert [str(each) for each in report.findings] == []
    assert report.checked[0].count >= 4


@pytest.mark.parametrize("file", ["deploy/all.json", "deploy/all.yaml", "deploy/all.yml"])
def test_json_is_read_whatever_its_file_is_called_and_a_list_is_what_it_lists(file: str, tmp_path: Path) -> None:
    listed = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}}'
    text = '{\n"kind": "List",\n"apiVersion": "v1",\n"items": [\n' + listed + ",\n" + listed + "\n]}\n"
    (tmp_path / "deploy").mkdir()
    (tmp_path / file).write_text(text)
    report = check(tmp_path)
    assert [(each.rule.id, each.place) for each in report.findings] == [("kubernetes/schema", f"{file}:5")]
    assert "ConfigMap a at dat: there is no field dat, but data" in report.findings[0].what
    assert [each.count for each in report.checked if each.what.startswith("objects")] == [2, 2]


@pytest.mark.parametrize("text", ['{"kind": "Deployment", "apiVersion": "2023-01-01"', '{"a": 1}', "[1, 2", "\x00", ""])
def test_json_that_is_no_manifest_is_nobodys_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "some.json").write_text(text)
    report = check(tmp_path)
    assert (report.findings, report.checked[0].count) == ((), 0)


def test_what_a_namespace_is_not_said_of_is_said_well(tmp_path: Path) -> None:
    write(tmp_path, "plain", "k8s/namespace.yaml", WHOLE, "")
    for file in (tmp_path / "k8s").iterdir():
        file.write_text(file.read_text().replace(", namespace: shop", "").replace("  namespace: shop\n", ""))
    (found,) = check(tmp_path).findings
    assert found.what == (
        "No policy of the namespace that is chosen when this is applied denies Ingress and Egress by default."
    )


def test_a_chart_is_told_once_with_all_its_templates_and_none_of_them_is_read(tmp_path: Path) -> None:
    chart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
    for path, text in {
        "Chart.yaml": f"# ours\n{chart}",
        "values.yaml": "image: {}\n",
        "templates/_helpers.tpl": "{{ define }}",
        "templates/web.yaml": "apiVersion: v1\nkind: {{ .Values.kind }}\n{{- range .Values.all }}\n",
        "charts/redis/Chart.yaml": chart,
        "charts/redis/templates/all.yaml": "apiVersion: v1\nkind: Service\n  {{- if .Values.a }}\n",
        "crds/one.yaml": "apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\n",
    }.items():
        (tmp_path / "deploy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "deploy" / path).write_text(text)
    told = {each.rule.id.partition("/")[2]: (each.place, each.what) for each in check(tmp_path).findings}
    assert set(told) == {"chart-not-rendered", "api-removed"}
    assert told["chart-not-rendered"] == (
        "deploy/Chart.yaml:1",
        "The chart shop is not rendered here: its 2 templates are not looked at.",
    )


def test_precision_and_recall_on_the_corpus_are_both_one(
    seeded: dict[str, Path], foreign: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(seeded[each[0]], each[4], each[1], each[5]) for each in SEEDS]
    rows += [(foreign[number], row[0], *place_of(row)) for number, row in enumerate(FOREIGN)]
    right = Counter(each.rule.id == f"kubernetes/{rule}" for folder, rule, *_ in rows for each in found(folder))
    alarms = sum(len(found(foreign[len(FOREIGN) + number])) for number in range(len(NEAR_MISSES)))
    met = sum(is_there(folder, file, line) for folder, _, file, line in rows)
    precision, recall = right[True] / (right.total() + alarms), met / len(rows)
    with capsys.disabled():
        sys.stdout.write(
            f"\nKubernetes: {len(kubernetes.RULES)} rules, {len(rows)} seeds, {len(NEAR_MISSES)} near misses: "
            f"precision {precision:.3f}, recall {recall:.3f}\n"
        )
    assert (precision, recall) == (1.0, 1.0)


def test_every_rule_has_two_mistakes_and_a_near_miss() -> None:
    rules = {each.id.removeprefix("kubernetes/") for each in kubernetes.RULES}
    mistakes = Counter([*(each[4] for each in SEEDS), *(each[0] for each in FOREIGN)])
    near = Counter(each[0] for each in NEAR_MISSES)
    assert {each: mistakes[each] for each in rules if mistakes[each] < 2} == {}
    assert rules - set(near) == set()
    assert {*mistakes, *near} == rules


def test_a_host_of_two_environments_is_found_at_the_later_one(tmp_path: Path) -> None:
    copy(tmp_path, "*")
    for folder in ("chain", "gateway", "issuers/certificates"):
        file = tmp_path / K / "overlays/staging" / folder / "kustomization.yaml"
        edit(file, "staging.chain.mystira.app", "dev.chain.mystira.app")
    (found,) = check(tmp_path).findings
    assert (found.rule.id, found.environments) == ("kubernetes/host-claimed-twice", ("dev", "staging"))
    file = f"{K}/overlays/staging/chain/kustomization.yaml"
    assert found.place == Checkout(tmp_path).line(file, "dev.chain.mystira.app")


def test_a_kustomization_that_is_built_on_itself_is_found(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(f"resources: [../{other}]\n")
    found = {(each.place, each.rule.id) for each in check(tmp_path).findings}
    assert found == {(f"{name}/kustomization.yaml", "kubernetes/does-not-render") for name in ("one", "two")}


@pytest.mark.parametrize(
    "text",
    [
        "- a\n",
        "",
        "\x00",
        "resources: &a [*a]\n",
        "resources: " + "[" * 3000 + "]" * 3000,
        "resources: 5\npatches: {a: 1}\nimages: [1]\n",
    ],
)
def test_a_kustomization_that_is_none_is_a_finding_and_never_a_crash(text: str, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(text)
    assert {each.place.partition(":")[0] for each in check(tmp_path).findings} == {"kustomization.yaml"}


def test_a_link_that_leads_nowhere_is_a_finding_and_never_a_crash(tmp_path: Path) -> None:
    copy(tmp_path, "dev")
    for name in ("gone.yaml", "gone.tf", "gone.py"):
        (tmp_path / "infra" / name).symlink_to(tmp_path / "nowhere")
    (found,) = check(tmp_path).findings
    assert (found.rule.id, found.place) == ("kubernetes/syntax", "infra/gone.yaml:1")


DEPLOYED = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: web, namespace: shop}
spec: {template: {spec: {containers: [{name: web, image: "__REGISTRY__/web:__TAG__"}]}}}
"""


@pytest.mark.parametrize(("script", "found"), [("", True), ("sed -i s/__REGISTRY__/$REGISTRY/ web.yaml", False)])
def test_a_placeholder_that_a_script_replaces_is_none_and_a_tag_that_is_filled_in_does_not_move(
    script: str, found: bool, tmp_path: Path
) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYED)
    (tmp_path / "deploy.sh").write_text(script)
    rules = {each.rule.id for each in check(tmp_path).findings}
    assert ("kubernetes/placeholder" in rules, "kubernetes/image-mutable" in rules) == (found, False)


def test_what_would_be_fetched_is_not_rendered_but_told(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: ['https://example.com/a//b?ref=v1']\n")
    report = check(tmp_path)
    assert report.findings == ()
    assert any("fetches from elsewhere" in each.what for each in report.checked)


def test_our_own_definitions_have_no_finding() -> None:
    report = kubernetes.check(Checkout(ROOT))
    assert [str(each) for each in report.findings] == []
    assert {each.what: each.count for each in report.checked}["rendered overlays"] >= 20


def copy(target: Path, environment: str) -> None:
    shutil.copytree(ROOT / K / "base", target / K / "base")
    shutil.copytree(ROOT / K / "components", target / K / "components")
    for folder in (ROOT / K / "overlays").glob(environment):
        shutil.copytree(folder, target / K / "overlays" / folder.name)
    for file in OTHERS:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, target / file)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} does not say {old!r}"
    file.write_text(text.replace(old, new, 1))


def check(folder: Path) -> Report:
    return kubernetes.check(Checkout(folder))

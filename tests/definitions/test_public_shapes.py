"""Workspaces as strangers lay them out: small checkouts of several shapes, each with exactly the findings it deserves.

A row is a sentence, the family that looks, the files by path, and what is found: the rule's last word, the place, and
the environments where the finding names some.
"""

# ruff: noqa: E501 - what a file says is easier to read on one line

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from workspace.preflight.checkout import Checkout
from workspace.preflight.families import looked
from workspace.preflight.finding import Finding, Report

Files = Mapping[str, str]
Found = tuple[str, str, tuple[str, ...]]


def kustomization(*lines: str) -> str:
    return "\n".join(("apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", *lines, ""))


def web(kind: str, version: str, name: str, spec: str, annotations: str = "") -> str:
    head = f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{annotations}spec:\n"
    return head + "".join(f"  {line}\n" for line in dedent(spec).strip().splitlines())


POD = """
selector: {matchLabels: {app: shop}}
template:
  metadata:
    labels: {app: shop}
  spec:
    securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: shop
        image: example.azurecr.io/shop:1.4.2
        ports: [{containerPort: 8080}]
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        resources:
          requests: {cpu: 50m, memory: 64Mi}
          limits: {memory: 64Mi}
        startupProbe: {httpGet: {path: /up, port: 8080}}
        readinessProbe: {httpGet: {path: /up, port: 8080}}
        livenessProbe: {httpGet: {path: /up, port: 8080}}
"""
DEPLOYMENT = web("Deployment", "apps/v1", "shop", POD)
QUEUE = web("StatefulSet", "apps/v1", "shop", f"serviceName: shop\nreplicas: TIMES{POD}")
SERVICE = web("Service", "v1", "shop", "selector: {app: shop}\nports: [{port: 80, targetPort: 8080}]")
DENY = web("NetworkPolicy", "networking.k8s.io/v1", "deny", "podSelector: {}\npolicyTypes: [Ingress, Egress]")
ROUTE = web(
    "HTTPRoute",
    "gateway.networking.k8s.io/v1",
    "shop",
    "parentRefs: [{name: front}]\nhostnames: [shop.example.org]\nrules: [{backendRefs: [{name: shop, port: 80}]}]",
)
SAME_RULES = "ingressClassName: nginx\nrules:\n  - host: shop.example.org\n    http:\n      paths:\n        - path: /\n          pathType: Prefix\n          backend: {service: {name: shop, port: {number: 80}}}"
NGINX = "  annotations:\n    nginx.ingress.kubernetes.io/rewrite-target: /\n    nginx.ingress.kubernetes.io/use-regex: 'true'\n"
INGRESS = web("Ingress", "networking.k8s.io/v1", "shop", SAME_RULES, NGINX)


ARGO = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop
  namespace: argocd
spec:
  project: default
  source: {repoURL: "https://github.com/example/shop.git", targetRevision: main, path: PATH}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
"""
FLUX = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: shop
  namespace: flux-system
spec:
  interval: 10m
  path: PATH
  prune: true
  targetNamespace: shop
  sourceRef: {kind: GitRepository, name: flux-system}
"""
RELEASE = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: stall
  namespace: SPACE
spec:
  interval: 1m
  chart:
    spec:
      chart: ./charts/stall
      sourceRef: {kind: GitRepository, name: flux-system}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: stall
  namespace: stall
spec:
  podSelector: {matchLabels: {app: stall}}
  policyTypes: [Ingress, Egress]
"""


def shop(*more: str) -> dict[str, str]:
    """A base with a shop, two slots of it in one environment, and what else the base brings."""
    names = ["deployment", "service", "policy", *more]
    kinds = {"deployment": DEPLOYMENT, "service": SERVICE, "policy": DENY, "route": ROUTE, "ingress": INGRESS}
    base = {f"deploy/base/{each}.yaml": kinds[each] for each in names}
    slots = {
        f"deploy/overlays/uat/{slot}/kustomization.yaml": kustomization(
            "namespace: shop",
            "resources: [../../../base]",
            f"labels: [{{pairs: {{slot: {slot}}}, includeTemplates: true}}]",
        )
        for slot in ("blue", "green")
    }
    files = f"resources: [{', '.join(f'{each}.yaml' for each in names)}]"
    return {**base, **slots, "deploy/base/kustomization.yaml": kustomization(files)}


SECRETS = POD.replace(
    "        ports:",
    "        env:\n"
    "          - {name: USER, valueFrom: {secretKeyRef: {name: login, key: user}}}\n"
    "          - {name: WORD, valueFrom: {secretKeyRef: {name: login, key: word}}}\n"
    "        ports:",
)


def workflow(*script: str, name: str = "", extra: str = "") -> str:
    body = "".join(f"          {line}\n" for line in script)
    return (
        f"on: push\npermissions:\n  contents: read\n{name}jobs:\n  roll:\n    runs-on: ubuntu-24.04\n"
        f"    environment: staging\n    concurrency: roll\n    timeout-minutes: 9\n    steps:\n{extra}      - run: |\n{body}"
    )


CLUSTER = """
variable "registry" {
  description = "Whose images it pulls"
  type        = string
  default     = null
}

variable "pulls" {
  description = "Whether it pulls"
  type        = bool
  default     = true
}

resource "azurerm_role_assignment" "pull" {
  count                = COUNT
  scope                = var.registry
  role_definition_name = "AcrPull"
  principal_id         = "00000000-0000-0000-0000-000000000000"

  skip_service_principal_aad_check = var.pulls
}
"""
IMAGES = """
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.1"
    }
  }
}

resource "azurerm_container_registry" "main" {
  name                = "shopimages"
  resource_group_name = "rg-shop"
  location            = "westeurope"
  sku                 = "Premium"
  lifecycle {
    prevent_destroy = true
  }
}

output "id" {
  description = "Where it is"
  value       = azurerm_container_registry.main.id
}
"""
LIVE = """
terraform {
  required_version = "~> 1.9"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.1"
    }
  }
  backend "azurerm" {
    storage_account_name = "shopstate"
    container_name       = "state"
    key                  = "STACK.tfstate"
  }
}
"""
PLATFORM = """
module "images" {
  source = "../../modules/images"
}

output "registry" {
  description = "Where images are"
  value       = module.images.id
}
"""
READS = """
data "terraform_remote_state" "platform" {
  backend = "azurerm"
  config = {
    storage_account_name = "shopstate"
    container_name       = "state"
    key                  = "KEY.tfstate"
  }
}

output "registry" {
  description = "Where images are"
  value       = READ
}
"""
BASED = """ARG NODE=24
ARG BASE=node:${NODE}-alpine
FROM ${BASE}
HEALTHCHECK CMD ["node", "--version"]
USER node
"""
ONE = """
module "one" {
  source = "../../modules/one"
}
"""
ONE_MODULE = """
resource "azurerm_virtual_network" "main" {
  name                = "shop"
  resource_group_name = "rg-shop"
  location            = "westeurope"
  shade               = "blue"
  address_space       = ["10.0.0.0/16"]
}
"""
EPHEMERAL = """
ephemeral "random_password" "word" {
  length = 20
}

resource "terraform_data" "word" {
  input = ephemeral.random_password.word.result
}
"""
NAMED = (
    LIVE.replace("STACK", "dev")
    + """
variable "name" {
  description = "Its name"
  type        = string
}

variable "range" {
  description = "Its range"
  type        = string
}

variable "password" {
  description = "Its password"
  type        = string
  sensitive   = true
}

resource "azurerm_virtual_network" "main" {
  name                = var.name
  resource_group_name = "rg-${var.password}"
  location            = "westeurope"
  address_space       = [var.range]
}
"""
)
NETWORK = """
resource "azurerm_virtual_network" "main" {
  name                = "shop"
  resource_group_name = "rg-shop"
  location = "westeurope"
  address_space = ["10.0.0.0/33"]
}
"""


def stacks(count: str = "1", given: str = "module.images.id", switch: str = "") -> dict[str, str]:
    """A root that makes a registry and a cluster that pulls from it."""
    cluster = f'module "cluster" {{\n  source   = "../../modules/cluster"\n  registry = {given}\n{switch}}}\n'
    return {
        "modules/images/main.tf": IMAGES,
        "modules/cluster/main.tf": CLUSTER.replace("COUNT", count),
        "live/dev/main.tf": LIVE.replace("STACK", "dev") + PLATFORM + cluster,
    }


def readers(read: str, key: str = "platform") -> dict[str, str]:
    """A root that reads another one's state."""
    return {
        "modules/images/main.tf": IMAGES,
        "live/platform/main.tf": LIVE.replace("STACK", "platform") + PLATFORM,
        "live/dev/main.tf": LIVE.replace("STACK", "dev") + READS.replace("READ", read).replace("KEY", key),
    }


STATE_READ = ("other-state", "live/dev/main.tf:17", ())
ROLL = ".github/workflows/roll.yml"
STATE = "state=$(kubectl get app shop -o jsonpath={.status.health} 2>/dev/null || true)"
SHAPES: list[tuple[str, str, Files, list[Found]]] = [
    ("two slots of one environment bring one route, and it is one claim", "kubernetes", shop("route"), []),
    (
        "another route of the same host is a second claim",
        "kubernetes",
        {**shop("route"), "deploy/base/service.yaml": f"{SERVICE}---\n{ROUTE.replace('name: shop', 'name: stall', 1)}"},
        [("host-claimed-twice", "deploy/base/service.yaml:15", ("uat",))],
    ),
    (
        "an ingress of a retired controller is one finding, whatever it says to that controller",
        "kubernetes",
        shop("ingress"),
        [("retired", "deploy/base/ingress.yaml:9", ("uat",))],
    ),
    (
        "a secret that nothing makes is one finding, however many of its keys are read",
        "kubernetes",
        {**shop(), "deploy/base/deployment.yaml": web("Deployment", "apps/v1", "shop", SECRETS)},
        [("secret-key", "deploy/base/deployment.yaml:16", ("uat",))],
    ),
    (
        "a count that asks for an id waits for what is not made yet",
        "terraform",
        stacks("var.registry != null ? 1 : 0"),
        [("unknown-count", "modules/cluster/main.tf:15", ())],
    ),
    (
        "the same behind a switch that is on",
        "terraform",
        stacks('var.pulls && var.registry != "" ? 1 : 0'),
        [("unknown-count", "modules/cluster/main.tf:15", ())],
    ),
    (
        "a switch that is off decides without the id",
        "terraform",
        stacks("var.pulls && var.registry != null ? 1 : 0", switch="  pulls    = false\n"),
        [],
    ),
    ("a switch alone decides without the id", "terraform", stacks("var.pulls ? 1 : 0"), []),
    ("a name that is written out is known", "terraform", stacks("var.registry != null ? 1 : 0", '"/subscriptions/0"'), []),
    (
        "an output that the root behind a state does not have",
        "terraform",
        readers("data.terraform_remote_state.platform.outputs.images"),
        [("unknown-output", "live/dev/main.tf:28", ()), STATE_READ],
    ),
    (
        "an output that it has, whatever is taken of it",
        "terraform",
        readers("data.terraform_remote_state.platform.outputs.registry"),
        [STATE_READ],
    ),
    (
        "an output that may be missing",
        "terraform",
        readers("try(data.terraform_remote_state.platform.outputs.images, null)"),
        [STATE_READ],
    ),
    (
        "an output of a state that nobody here writes",
        "terraform",
        readers("data.terraform_remote_state.platform.outputs.images", "network"),
        [STATE_READ],
    ),
    (
        "a module that all its roots keep from the next major of a plugin",
        "terraform",
        stacks(given="null"),
        [],
    ),
    (
        "a module whose root takes any version of the plugin",
        "terraform",
        {each: text.replace("~> 4.1", ">= 4.1") for each, text in stacks(given="null").items()},
        [("unpinned", "live/dev/main.tf:5", ()), ("unpinned", "modules/images/main.tf:4", ())],
    ),
    (
        "a module that names no version takes its root's",
        "terraform",
        {"live/dev/main.tf": LIVE.replace("STACK", "dev").replace("~> 4.1", "~> 5.1") + ONE, "modules/one/main.tf": ONE_MODULE},
        [("unknown-argument", "modules/one/main.tf:6", ())],
    ),
    (
        "a module whose root takes an older version",
        "terraform",
        {"live/dev/main.tf": LIVE.replace("STACK", "dev") + ONE, "modules/one/main.tf": ONE_MODULE},
        [],
    ),
    (
        "names of plugins, and what is made for one run only",
        "terraform",
        {"modules/images/main.tf": IMAGES.replace('version = ">= 4.1"', 'version = "~> 4.1"\n      configuration_aliases = [azurerm.hub]') + EPHEMERAL},
        [],
    ),
    (
        "something made for one run only that nobody declares",
        "terraform",
        {"modules/images/main.tf": IMAGES.replace(">= 4.1", "~> 4.1") + EPHEMERAL.replace('"word" {', '"name" {')},
        [("undeclared", "modules/images/main.tf:31", ())],
    ),
    (
        "a base that arguments before it make up",
        "docker",
        {"shop/Dockerfile": BASED},
        [],
    ),
    (
        "a base of which an argument has no default",
        "docker",
        {"shop/Dockerfile": BASED.replace("NODE=24", "NODE")},
        [("base-not-pinned", "shop/Dockerfile:3", ())],
    ),
    (
        "data that azd fills in are not known yet",
        "terraform",
        {"live/dev/main.tf": NAMED, "live/dev/main.tfvars.json": '{"name": "${NAME}", "range": "${RANGE=10.0.0.0/8}", "password": "${WORD}"}'},
        [],
    ),
    (
        "data that a pipeline fills in are not known yet",
        "terraform",
        {"live/dev/main.tf": NAMED, "live/dev/dev.tfvars": 'name = "#{name}#"\nrange = "__RANGE__"\npassword = "#{word}#"\n'},
        [],
    ),
    (
        "data that are known are judged, whatever signs they have",
        "terraform",
        {"live/dev/main.tf": NAMED, "live/dev/dev.tfvars": 'name = "#shop"\nrange = "10.0.0.0/33"\npassword = "#{word"\n'},
        [("illegal-name", "live/dev/dev.tfvars:1", ("dev",)), ("range", "live/dev/dev.tfvars:2", ("dev",)), ("secret-in-clear", "live/dev/dev.tfvars:3", ("dev",))],
    ),
    *(
        (
            f"an environment is called {each}",
            "terraform",
            {f"live/{each}/network/main.tf": LIVE.replace("STACK", each) + NETWORK},
            [("range", f"live/{each}/network/main.tf:21", (each,))],
        )
        for each in ("dev", "test", "qa", "uat", "stg", "stage", "staging", "sandbox", "preprod", "prd", "prod", "production")
    ),
    *(
        (
            f"manifests of an environment are called {each}",
            "kubernetes",
            {f"k8s/{each}/shop.yaml": DEPLOYMENT.replace(":1.4.2", ":latest")},
            [("image-mutable", f"k8s/{each}/shop.yaml:14", (each,))],
        )
        for each in ("dev", "test", "qa", "uat", "stg", "stage", "staging", "sandbox", "preprod", "prd", "prod", "production")
    ),
    (
        "a single pod needs no name among peers",
        "kubernetes",
        {"k8s/uat/queue.yaml": QUEUE.replace("TIMES", "1"), "k8s/uat/service.yaml": SERVICE, "k8s/uat/deny.yaml": DENY},
        [],
    ),
    (
        "several pods find each other by name",
        "kubernetes",
        {"k8s/uat/queue.yaml": QUEUE.replace("TIMES", "3"), "k8s/uat/service.yaml": SERVICE, "k8s/uat/deny.yaml": DENY},
        [("headless-service", "k8s/uat/queue.yaml:6", ("uat",))],
    ),
    (
        "a folder that Argo CD applies into a namespace",
        "kubernetes",
        {"gitops/apps/shop.yaml": ARGO.replace("PATH", "gitops/shop"), "gitops/shop/service.yaml": SERVICE},
        [],
    ),
    (
        "a folder that Flux applies into a namespace",
        "kubernetes",
        {"gitops/apps/shop.yaml": FLUX.replace("PATH", "./gitops/shop"), "gitops/shop/service.yaml": SERVICE},
        [],
    ),
    (
        "a folder that nobody applies into a namespace",
        "kubernetes",
        {"gitops/apps/shop.yaml": ARGO.replace("PATH", "gitops/stall"), "gitops/shop/service.yaml": SERVICE},
        [("namespace", "gitops/shop/service.yaml:3", ())],
    ),
    (
        "a password that is called pass",
        "kubernetes",
        {**shop(), "deploy/base/deployment.yaml": DEPLOYMENT.replace("        ports:", "        env: [{name: QUEUE_DEFAULT_PASS, value: rabbit}, {name: COMPASS, value: north}]\n          ports:", 1)},
        [("secret-in-clear", "deploy/base/deployment.yaml:15", ("uat",))],
    ),
    (
        "a container that is never asked is one finding",
        "kubernetes",
        {**shop(), "deploy/base/deployment.yaml": "".join(line for line in DEPLOYMENT.splitlines(keepends=True) if "Probe:" not in line)},
        [("probe-missing", "deploy/base/deployment.yaml:13", ("uat",))],
    ),
    (
        "a policy for the pods that a chart brings",
        "kubernetes",
        {"clusters/dev/stall.yaml": RELEASE.replace("SPACE", "stall"), "clusters/dev/policy.yaml": POLICY},
        [],
    ),
    (
        "a policy for pods where no chart is installed",
        "kubernetes",
        {"clusters/dev/stall.yaml": RELEASE.replace("SPACE", "other"), "clusters/dev/policy.yaml": POLICY},
        [("selector-finds-nothing", "clusters/dev/policy.yaml:8", ("dev",))],
    ),
    (
        "a canary is left alone for a while, and then asked",
        "github",
        {ROLL: workflow("kubectl apply -k deploy", "sleep 300", "count=$(kubectl logs -l app=shop --since=5m | grep -c ERROR || true)", 'if [ "$count" -gt 10 ]; then exit 1; fi'), "deploy/kustomization.yaml": kustomization()},
        [],
    ),
    (
        "a canary is left alone for a while, and nothing is asked",
        "github",
        {ROLL: workflow("kubectl apply -k deploy", "sleep 300", "kubectl logs -l app=shop --since=5m"), "deploy/kustomization.yaml": kustomization()},
        [("sleep-as-wait", f"{ROLL}:13", ())],
    ),
    (
        "a wait that asks again hides no error, because it fails in the end",
        "github",
        {ROLL: workflow("for i in $(seq 9); do", f"  {STATE}", '  [ "$state" = Healthy ] && exit 0', "  sleep 5", "done", "exit 1")},
        [],
    ),
    (
        "a wait for nothing takes an error for what it waits for",
        "github",
        {ROLL: workflow("for i in $(seq 9); do", f"  {STATE}", '  if [ -z "$state" ]; then exit 0; fi', "  sleep 5", "done", "exit 1")},
        [("error-hidden", f"{ROLL}:13", ())],
    ),
    (
        "a wait that only fails on a bad answer goes on when its time is over",
        "github",
        {
            ROLL: workflow(
                "for i in $(seq 9); do",
                "  state=$(gh pr view --json state --jq .state)",
                '  if [ "$state" = MERGED ]; then exit 0; elif [ "$state" = CLOSED ]; then exit 1; fi',
                "  sleep 5",
                "done",
                "echo 'not merged; going on'",
            )
        },
        [("loop-without-failure", f"{ROLL}:12", ())],
    ),
    (
        "a wait that fails at its last try does not",
        "github",
        {
            ROLL: workflow(
                "for i in $(seq 9); do",
                "  if curl --fail https://shop.example.org/up; then break; fi",
                '  if [ "$i" -eq 9 ]; then exit 1; fi',
                "  sleep 5",
                "done",
            )
        },
        [],
    ),
    (
        "the word false that a wait says is no failure of it",
        "github",
        {
            ROLL: workflow(
                "for i in $(seq 9); do",
                '  there=$(test -f ready && echo "true" || echo "false")',
                '  if [ "$there" = "true" ]; then break; fi',
                "  sleep 5",
                "done",
            )
        },
        [("loop-without-failure", f"{ROLL}:12", ())],
    ),
    (
        "Argo's rollouts are waited for, too",
        "github",
        {ROLL: workflow("kubectl-argo-rollouts status shop --timeout 5m || true", "kubectl argo rollouts status stall || true")},
        [("wait-cannot-fail", f"{ROLL}:12", ()), ("wait-cannot-fail", f"{ROLL}:13", ())],
    ),
    (
        "Argo's rollouts are looked at without a word",
        "github",
        {ROLL: workflow("kubectl-argo-rollouts get rollout shop || echo none", "kubectl argo rollouts status shop")},
        [],
    ),
    (
        "a foreign action may read the secrets that a workflow gives to all of its jobs",
        "github",
        {ROLL: workflow("make", name="env:\n  PASSWORD: ${{ secrets.PASSWORD }}\n", extra="      - uses: example/scan@v12\n")},
        [("action-tag-moves", f"{ROLL}:13", ())],
    ),
    (
        "pages about Dockerfiles, templates of them and what stands in a folder of their name are none",
        "docker",
        {
            "docs/Dockerfile.5.md": "# How to write one\n\nBegin with FROM.\n",
            "editor/Dockerfile.tmLanguage": '<?xml version="1.0"?>\n<plist></plist>\n',
            "shop/Dockerfile.j2": "FROM {{ base }}\n{% if stall %}\nRUN make stall\n{% endif %}\n",
            "trials/Dockerfile.d/begin.sh": "set -e\nexec shop\n",
        },
        [],
    ),
    (
        "a Dockerfile with something after its name is one",
        "docker",
        {"shop/Dockerfile.stall": "FROM alpine:3.23\nUSER 1000\nHEALTHCHECK CMD wget -qO- http://localhost || exit 1\nSTALL\n"},
        [("syntax", "shop/Dockerfile.stall:4", ())],
    ),
    (
        "the bar between the patterns of a case is no pipe",
        "docker",
        {
            "Dockerfile": "FROM alpine:3.23\nRUN set -e; case \"$(uname -m)\" in ppc64*|s390x) make slow ;; "
            "arm*|aarch64) make small ;; *) make | tee log ;; esac\nUSER 1000\nHEALTHCHECK CMD wget -qO- http://localhost || exit 1\n"
        },
        [("failure-lost", "Dockerfile:2", ())],
    ),
    (
        "configurations of other programs that end in .hcl are not Terragrunt's",
        "terraform",
        {"agents/shop.hcl": 'services {\n  name = "shop" port = 80\n}\n', "bake.hcl": "group shop\n"},
        [],
    ),
    (
        "beside Terragrunt's units each .hcl is read",
        "terraform",
        {"live/terragrunt.hcl": "inputs = {}\n", "live/region.hcl": "locals {\n  region = = 1\n}\n"},
        [("unreadable", "live/region.hcl:2", ())],
    ),
    (
        "a manifest that another program fills in is none yet",
        "kubernetes",
        {
            "deploy/shop.template.yaml": web(
                "ConfigMap", "v1", "shop", "{{- range .Pairs }}\n{{ .Key }}: {{ .Value }}\n{{- end }}"
            ),
            "deploy/stall.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ stall_name }}\n  namespace: stall\n",
        },
        [],
    ),
    (
        "a manifest whose YAML is wrong is told, whatever its texts say in brackets",
        "kubernetes",
        {
            "deploy/stall.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: stall\n  namespace: stall\n"
            "data:\n  page: 'Hello {{ user }}'\n  more: [a\n"
        },
        [("syntax", "deploy/stall.yaml:9", ())],
    ),
    (
        "a Secret that only programs of others name, or a longer word, is made by nobody",
        "kubernetes",
        {
            **shop(),
            "deploy/base/deployment.yaml": web("Deployment", "apps/v1", "shop", SECRETS),
            "vendor/login/make.go": 'var made = "kubectl create secret generic login --from-literal=user=a --from-literal=word=b"\n',
            "shop/words.py": "user-word = 1\nwordy = 'users'\n",
        },
        [("secret-key", "deploy/base/deployment.yaml:16", ("uat",))],
    ),
    (
        "a Secret whose command goes on over lines is made",
        "kubernetes",
        {
            **shop(),
            "deploy/base/deployment.yaml": web("Deployment", "apps/v1", "shop", SECRETS),
            "deploy/make.sh": "kubectl create \\\n  --namespace shop \\\n  secret generic login \\\n  --from-literal=user=a --from-literal=word=b\n",
        },
        [],
    ),
    (
        "JSON that holds one object after the other is read to its end",
        "kubernetes",
        {
            "deploy/two.json": '{"apiVersion": "v1", "kind": "ConfigMap",\n"metadata": {"name": "a", "namespace": "shop"}\n}\n'
            '{"apiVersion": "v1", "kind": "ConfigMap",\n"metadata": {"name": "b"}\n}\n'
        },
        [("namespace", "deploy/two.json:5", ())],
    ),
    (
        "what is added from an address that a variable holds is not of the context",
        "docker",
        {
            "Dockerfile": "FROM alpine:3.23\nARG FROM_WHERE=https://example.org/shop\nADD $FROM_WHERE/a.conf /etc/\n"
            "ARG FOLDER=stalls\nADD $FOLDER/a.conf /etc/\nUSER 1000\nHEALTHCHECK CMD wget -qO- http://localhost || exit 1\n"
        },
        [("source-missing", "Dockerfile:5", ())],
    ),
]  # fmt: skip


def report(root: Path, family: str, files: Files) -> Report:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return looked(family, Checkout(root))


def said(each: Finding) -> Found:
    return each.rule.id.partition("/")[2], each.place, each.environments


@pytest.mark.parametrize(("family", "files", "wanted"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_a_shape_has_the_findings_it_deserves(tmp_path: Path, family: str, files: Files, wanted: list[Found]) -> None:
    found = report(tmp_path, family, files).findings
    assert [said(each) for each in found] == wanted, [str(each) for each in found]


def test_a_probe_that_is_not_there_asks_no_port(tmp_path: Path) -> None:
    image = "FROM nginx:1.29-alpine\nHEALTHCHECK CMD curl -f http://localhost:8080\nUSER nginx\nEXPOSE 8080\n"
    pods = DEPLOYMENT.replace("8080", "80").replace("startupProbe: {httpGet: {path: /up, port: 80}}", "stdin: false")
    findings = report(tmp_path, "docker", {"shop/Dockerfile": image, "deploy/shop.yaml": pods}).findings
    (found,) = (each.what for each in findings if each.rule.id == "docker/port")
    assert "startupProbe" not in found
    assert "livenessProbe and the readinessProbe" in found

# ruff: noqa: E501 - a mistake stays on one line, so that the table can be read
"""Mistakes in the small workspaces of `kubernetes_layouts`, and what is near to each rule and must not be found.

Every row changes one file: a text of it, or the whole file where the old text is WHOLE.
"""

from typing import Any

from kubernetes_layouts import DENY, ENVIRONMENTS, OVERLAYS, PLAIN, RIGHTS, SIZE

WHOLE = ""
WEB, QUEUE, INGRESS, SCRIPT = "k8s/web.yaml", "k8s/queue.yaml", "k8s/ingress.yaml", "scripts/deploy.sh"
API, BASE, STAGING = (
    "kustomize/base/api.yaml",
    "kustomize/base/kustomization.yaml",
    "kustomize/overlays/staging/kustomization.yaml",
)
PRODUCTION = "kustomize/overlays/production/kustomization.yaml"
STOCK, STORE, ROUTE = "apps/stock/stock.json", "apps/stock/store.yaml", "components/route/route.yaml"
DEV, PROD, DIFFERENCES = (
    "environments/dev/kustomization.yaml",
    "environments/prod/kustomization.yaml",
    "differences.yaml",
)
IMAGE = "image: registry.example.org/shop/web:1.4.2"
PORTS = "- {name: http, containerPort: 8080}"
LOGIN = "secretKeyRef: {name: web-login, key: db-password}"
CREATED = 'kubectl create secret generic web-login --namespace shop --from-literal=db-password="$LOGIN"\n'
POLICY = "policyTypes: [Ingress, Egress]"
READS = "            - {name: LOG_LEVEL, valueFrom: {configMapKeyRef: {name: web-config, key: log_level}}}\n"
MOUNTED = "      containers:\n        - name: web\n"
RIGHT = "            runAsNonRoot: true\n"
FIRST = "# What customers see.\n"
VAULT = "external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: api-database\n"
CERTIFICATE = PLAIN[INGRESS][PLAIN[INGRESS].index("apiVersion: cert-manager.io/v1\nkind: Certificate") :]
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: more, namespace: shop}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: shop}\ndata:\n"
# A workload that rolls out by steps, which an operator knows.
ROLLOUT = (
    PLAIN[WEB]
    .partition("---\napiVersion: apps/v1\n")[2]
    .partition("---")[0]
    .replace("kind: Deployment", "kind: Rollout")
)
CHART = "apiVersion: v2\nname: panel\nversion: 0.1.0\n"
TEMPLATE = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n  {{- with .Values.labels }}\n  labels: {{ toYaml . | nindent 4 }}\n  {{- end }}\n"
MANY = "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}"
SECOND = """apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: second}}
spec:
  parentRefs: [{{name: edge, sectionName: {section}}}]
  hostnames: [stock.example.net]
  rules:
    - matches: [{match}]
      backendRefs: [{{name: stock, port: 443}}]
---
"""


# What claims a host, at the end of its document.
CLAIMS = "            backend: {service: {name: web, port: {number: 80}}}\n"
GRPC = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata:\n  name: stock\n"
SCALER = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: scaler, namespace: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: {kind}, name: {name}}}
  minReplicas: {low}
  maxReplicas: 4
"""
LABELLED = "labels: {app.kubernetes.io/name: api}"
SELECTING = """  - target: {kind: Deployment}
    patch: |-
      - {op: add, path: /spec/selector/matchLabels/tier, value: gold}
      - {op: add, path: /spec/template/metadata/labels/tier, value: gold}
"""
AGENT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: trace}\ndata: {rate: '5'}\n"
TRACE = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [agent.yaml]\n"


def another(*, path: str, host: str = "shop.example.org", more: str = "") -> str:
    """A second ingress."""
    return f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: again, namespace: shop{more}}}
spec:
  ingressClassName: traefik
  rules:
    - host: {host} # again
      http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: web, port: {{name: http}}}}}}}}]}}
"""


def job(reads: str, more: str = "") -> str:
    """A job every night, which reads something."""
    container = PLAIN[WEB].partition("          resources")[2].partition("---")[0]
    return f"""apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly, namespace: shop}}
spec:
  schedule: 0 3 * * *
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          {more or "automountServiceAccountToken: false"}
          containers:
            - name: nightly
              image: registry.example.org/shop/nightly:1.0
              {reads or "args: [once]"}
{"".join(f"    {line}{chr(10)}" for line in f"          resources{container}".splitlines())}"""


def secret(name: str, key: str) -> str:
    """An environment of one variable, from a secret."""
    return f"env: [{{name: WORD, valueFrom: {{secretKeyRef: {{name: {name}, key: {key}}}}}}}]"


# A deployment that nobody calls.
WORKER = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: worker, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: worker}}}}
  template:
    metadata:
      labels: {{app: worker}}
    spec:
      containers:
        - name: worker
          image: registry.example.org/shop/worker:1.0
          args: [once]
{SIZE}{RIGHTS}"""
# The same in a namespace of its own, and a Service that leads to it.
EDGE = WORKER.replace("namespace: shop", "namespace: edge").replace(
    "          args: [once]\n",
    "          ports: [{name: http, containerPort: 8080}]\n"
    "          readinessProbe: {httpGet: {path: /, port: http}}\n"
    "          livenessProbe: {httpGet: {path: /, port: http}}\n"
    "          startupProbe: {httpGet: {path: /, port: http}, failureThreshold: 30}\n",
)
EXPOSED = """---
apiVersion: v1
kind: Service
metadata: {name: worker, namespace: edge}
spec:
  type: LoadBalancer
  selector: {app: worker}
  ports: [{port: 80, targetPort: http}]
"""
SCRIPTED = PLAIN[SCRIPT]
API_WITH_JOB = f"""{OVERLAYS[API]}---
apiVersion: batch/v1
kind: Job
metadata: {{name: fill}}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
        - name: migrate
          image: registry.example.org:443/tools/migrate:1.0.0
{SIZE}{RIGHTS}      containers:
        - name: fill
          image: registry.example.org/shop/api
{SIZE}{RIGHTS}"""
API_WITH_SALT = OVERLAYS[API].replace(
    "          env:\n",
    "          env:\n            - {name: SALT, valueFrom: {secretKeyRef: {name: api-words, key: salt}}}\n",
)


def kept(text: str) -> tuple[str, str]:
    """An edit of the first lines of the web's manifests: what is put before them."""
    return FIRST, f"{FIRST}{text}---\n"


EXTERNAL = """---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: nightly, namespace: shop}
spec:
  target: {name: night-words, template: {data: {url: '{{ .one }}'}}}
  data: [{secretKey: one, remoteRef: {key: one}}]
"""
LARGE = (
    ENVIRONMENTS[DEV].replace("components/route\n", "components/route\n  - ../../components/large\n")
    + """  - target: {kind: Deployment, name: stock}
    patch: |-
      - {op: replace, path: /spec/replicas, value: 2}
"""
)
REFERRED = (
    ENVIRONMENTS[ROUTE]
    .replace("  annotations: {cert-manager.io/issuer: own}\n", "")
    .replace("[{name: edge-tls}]", "[{name: edge-tls, namespace: certificates}]")
)

# rule · layout · file · old text · new text · text of the line where it is found
SEEDS: list[tuple[Any, ...]] = [
    ("syntax", "plain", WEB, "  log_level: info\n", "\tlog_level: info\n", "\tlog_level"),
    ("syntax", "environments", STOCK, '"kind": "List",', '"kind": "List"', '"items": ['),
    ("syntax", "plain", "deploy/cache.json", WHOLE, '{\n  "apiVersion": "v1",\n  "kind": "Service",\n  "metadata": {"name": "cache" "namespace": "shop"}\n}\n', '"metadata"'),
    ("syntax", "plain", WEB, "  log_level: info\n", "  log_level: info\n  log_level: debug\n", "log_level: debug"),
    ("path-missing", "environments", PROD, "../../components/route", "../../components/routes", "components/routes"),
    ("path-missing", "overlays", BASE, "  - policy.yaml\n", "  - policy.yaml\n  - ../overlays\n", "../overlays"),
    ("path-missing", "environments", "apps/stock/kustomization.yml", "stock.json", "stocks.json", "stocks.json"),
    ("path-outside", "overlays", STAGING, "../../base", "../../../../platform/base", "platform/base"),
    ("path-outside", "environments", DEV, "  - ../../components/route\n", "  - ../../components/route\n  - ../../../shared/labels\n", "shared/labels"),
    ("patch-idle", "overlays", PRODUCTION, "{kind: HorizontalPodAutoscaler, name: api}", "{kind: HorizontalPodAutoscaler, name: apis}", "name: apis"),
    ("patch-idle", "environments", PROD, "value: 5", "value: 2", "value: 2"),
    ("patch-idle", "environments", PROD, "{kind: Deployment, name: stock}", "{kind: StatefulSet, name: stock}", "StatefulSet"),
    ("image-rule-idle", "overlays", PRODUCTION, "images:\n", "images:\n  - name: shop/api\n    newTag: 2.0.4\n", "name: shop/api"),
    ("image-rule-idle", "environments", PROD, "namespace: prod", "namespace: prod\nimages:\n  - {name: 'registry.example.org/shop/stock:3.0.1', newTag: 3.0.2}", "newTag"),
    ("does-not-render", "overlays", STAGING, "  - ../../base\n", "  - ../../base\n  - ../../base/api.yaml\n", ""),
    ("does-not-render", "environments", DEV, "namespace: dev", "namespace: dev\nnameSpaces: [dev]", ""),
    ("schema", "plain", WEB, "replicas: 2", "replicas: 2\n  strategie: {type: Recreate}", "strategie"),
    ("schema", "environments", STOCK, '"containerPort": 50051', '"containerPort": "50051"', "containerPort"),
    ("schema", "plain", "deploy/cache.yaml", WHOLE, '{\n  "apiVersion": "v1",\n  "kind": "Service",\n  "metadata": {"name": "cache", "namespace": "shop"},\n  "spec": {"ports": [{"prot": 6379}]}\n}\n', '"prot"'),
    ("schema", "plain", "k8s/scaler.yaml", WHOLE, SCALER.format(kind="Deployment", name="web", low=2).replace("  maxReplicas: 4\n", ""), "spec:"),
    ("schema", "plain", WEB, "replicas: 2", "replicas: true", "replicas"),
    ("api-removed", "plain", "k8s/nightly.yaml", WHOLE, "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: nightly, namespace: shop}\n", "batch/v1beta1"),
    ("api-removed", "overlays", API, "autoscaling/v2\n", "autoscaling/v2beta2\n", "autoscaling/v2beta2"),
    ("image-mutable", "plain", QUEUE, "rabbitmq:4.1.0", "rabbitmq", "image:"),
    ("image-mutable", "plain", WEB, IMAGE, "image: localhost:5000/web", "image:"),
    ("image-mutable", "overlays", PRODUCTION, "newTag: 2.0.3", "newTag: stable", (API, "image:")),
    ("image-mutable", "plain", WEB, IMAGE, "image: registry.example.org/shop/web", "image:", ("src/web/Dockerfile", "FROM scratch\n")),
    ("probe-missing", "plain", WEB, "          readinessProbe: {httpGet: {path: /ready, port: http}}\n", "", "        - name: web"),
    ("probe-missing", "environments", STOCK, '                "startupProbe": {"grpc": {"port": 50051}, "failureThreshold": 30},\n', "", "livenessProbe"),
    ("probe-missing", "overlays", API, "          livenessProbe: {httpGet: {path: /health, port: 5000}, failureThreshold: 3}\n", "", "        - name: api"),
    ("probe-port", "plain", WEB, "/ready, port: http", "/ready, port: https", "port: https"),
    ("probe-port", "environments", STOCK, '"readinessProbe": {"grpc": {"port": 50051}}', '"readinessProbe": {"grpc": {"port": 50052}}', "50052"),
    ("resources", "plain", QUEUE, "requests: {cpu: 100m, memory: 128Mi}, ", "", "resources:"),
    ("resources", "environments", STOCK, '"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}', '"requests": {"cpu": "1", "memory": "1Gi"}', "resources"),
    ("resources", "plain", WEB, MOUNTED, f"      initContainers:\n        - name: migrate\n          {IMAGE}\n{PLAIN[WEB][PLAIN[WEB].index('          securityContext') : PLAIN[WEB].index('---' + chr(10) + 'apiVersion: v1' + chr(10) + 'kind: Service' + chr(10))]}{MOUNTED}", "name: migrate"),
    ("pod-security", "plain", WEB, "{drop: [ALL]}", "{drop: [ALL], add: [SYS_ADMIN]}", "securityContext"),
    ("pod-security", "environments", STOCK, '"seccompProfile": {"type": "RuntimeDefault"}', '"seccompProfile": {"type": "Unconfined"}', "securityContext"),
    ("pod-security", "plain", WEB, PORTS, "- {name: http, containerPort: 8080, hostPort: 8080}", "securityContext"),
    ("pod-security", "overlays", API, "    spec:\n      containers", "    spec:\n      hostPID: true\n      containers", "securityContext"),
    ("pod-security", "plain", WEB, RIGHT, f"{RIGHT}            runAsUser: 0\n", "securityContext"),
    ("config-key", "plain", WEB, "  log_level: info", "  logLevel: info", "configMapKeyRef"),
    ("config-key", "overlays", BASE, "name: api-settings", "name: api-setting", ("kustomize/base/api.yaml", "configMapRef")),
    ("config-key", "plain", WEB, MOUNTED, f"      volumes:\n        - {{name: set, configMap: {{name: web-config, items: [{{key: nginx.conf, path: n}}]}}}}\n{MOUNTED}", "nginx.conf"),
    ("config-key", "plain", WEB, MOUNTED, f"      volumes:\n        - {{name: all, projected: {{sources: [{{configMap: {{name: web-extra}}}}]}}}}\n{MOUNTED}", "web-extra"),
    ("secret-key", "plain", SCRIPT, "db-password=", "db_password=", (WEB, "secretKeyRef")),
    ("secret-key", "plain", WEB, LOGIN, "secretKeyRef: {name: web-logins, key: db-user}", "db-user"),
    ("secret-key", "overlays", API, "secretKey: connection", "secretKey: connection-string", "secretKeyRef"),
    ("secret-key", "environments", STORE, "secretName: stock-keys", "secretName: stock-key", (STOCK, "secretKeyRef")),
    ("secret-key", "plain", SCRIPT, CREATED, "", (WEB, "secretKeyRef"), ("tests/fixtures.py", 'KEYS = {"web-login": "db-password"}\n')),
    ("secret-key", "plain", SCRIPT, "db-password=", "db-password-old=", (WEB, "secretKeyRef")),
    ("secret-key", "plain", SCRIPT, "secret generic web-login --namespace shop --from-literal=db-password=", "configmap web-login --namespace shop --from-literal=login=", (WEB, "secretKeyRef")),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("night-words", "one")) + EXTERNAL.replace("data: {url", "data: {link"), "secretKeyRef"),
    ("secret-key", "plain", WEB, MOUNTED, f"      volumes:\n        - {{name: key, secret: {{secretName: web-signing}}}}\n{MOUNTED}", "web-signing"),
    ("secret-key", "plain", SCRIPT, CREATED, "", (WEB, "secretKeyRef"), ("argo/web.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec: {project: shop, source: {repoURL: https://git.example.org/shop, path: k8s}, destination: {name: shop}}\n")),
    ("service-account-missing", "plain", WEB, "serviceAccountName: web", "serviceAccountName: web-front", "serviceAccountName"),
    ("service-account-missing", "environments", STOCK, '            "containers": [', '            "serviceAccountName": "stock",\n            "containers": [', "serviceAccountName"),
    ("variable-twice", "plain", WEB, READS, f"{READS}            - {{name: LOG_LEVEL, value: debug}}\n", "configMapKeyRef"),
    ("variable-twice", "environments", STOCK, '                "env": [\n', '                "env": [\n                  {"name": "KEY", "value": "x"},\n', '"value": "x"'),
    ("selector-finds-nothing", "plain", QUEUE, "selector: {app: queue}", "selector: {app: queues}", "app: queues"),
    ("selector-finds-nothing", "environments", STOCK, '"selector": {"app": "stock"}', '"selector": {"app": "stock", "tier": "back"}', "tier"),
    ("selector-finds-nothing", "overlays", API, "  selector: {app.kubernetes.io/name: api}", "  selector: {app.kubernetes.io/name: apis}", "name: apis"),
    ("selector-finds-nothing", "plain", WEB, "    - ports: [{port: 8080}]", "    - from: [{podSelector: {matchLabels: {app: gateway}}}]", "app: gateway"),
    ("selector-finds-nothing", "plain", WEB, "labels: {app: web, tier: front}", "labels: {app: webs, tier: front}", "  selector: {matchLabels: {app: web}}"),
    ("service-port", "plain", WEB, "port: 80, targetPort: http", "port: 80, targetPort: 8081", "targetPort: 8081"),
    ("service-port", "environments", STOCK, '"port": 443, "targetPort": "grpc"', '"port": 443', '"port": 443'),
    ("backend-missing", "plain", INGRESS, "{number: 80}", "{number: 8080}", "number: 8080"),
    ("backend-missing", "plain", INGRESS, "  ingressClassName: traefik\n", "  ingressClassName: traefik\n  defaultBackend: {service: {name: sorry, port: {number: 80}}}\n", "name: sorry"),
    ("backend-missing", "environments", ROUTE, "port: 443, protocol: HTTPS", "port: 443, hostname: '*.example.com', protocol: HTTPS", "- stock.example.net"),
    ("backend-missing", "environments", ROUTE, "{name: edge, sectionName: tls}", "{name: edges, sectionName: tls}", "name: edges"),
    ("backend-missing", "environments", ROUTE, "{name: stock, port: 443}", "{name: stocks, port: 443}", "name: stocks"),
    ("network-open", "plain", "k8s/namespace.yaml", "podSelector: {}", "podSelector: {matchLabels: {app: web}}", "policyTypes"),
    ("network-open", "environments", STOCK, '"podSelector": {}, "policyTypes": ["Ingress", "Egress"]', '"podSelector": {}, "egress": [{}], "policyTypes": ["Ingress", "Egress"]', "policyTypes"),
    ("network-open", "plain", WEB, *kept(DENY.replace("default-deny", "all-out").replace(POLICY, "policyTypes: [Egress]\n  egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]")), ("k8s/namespace.yaml", "policyTypes")),
    ("network-open", "plain", "k8s/edge.yaml", WHOLE, EDGE + EXPOSED, "type: LoadBalancer"),
    ("network-open", "plain", "k8s/edge.yaml", WHOLE, EDGE + EXPOSED.replace("LoadBalancer", "NodePort"), "type: NodePort"),
    ("network-open", "overlays", "kustomize/base/policy.yaml", POLICY, f"{POLICY}\n  ingress: [{{from: [{{namespaceSelector: {{}}}}]}}]", "policyTypes"),
    ("host-claimed-twice", "environments", PROD, "patches:\n", "patches:\n  - target: {kind: GRPCRoute}\n    patch: |-\n      - {op: replace, path: /spec/hostnames/0, value: stock.dev.example.net}\n", "stock.dev"),
    ("host-claimed-twice", "plain", INGRESS, CLAIMS, f"{CLAIMS}---\n{another(path='/')}", "- host: shop.example.org # again"),
    ("host-claimed-twice", "environments", ROUTE, GRPC, f"{SECOND.format(section='tls', match='{}')}{GRPC}", "- stock.example.net"),
    ("tls-without-certificate", "plain", INGRESS, "dnsNames: [shop.example.org]", "dnsNames: ['*.shop.example.org', example.org]", "dnsNames"),
    ("tls-without-certificate", "plain", INGRESS, "{hosts: [shop.example.org], secretName: shop-tls}", "{hosts: [shop.example.org], secretName: web-tls}", "secretName: web-tls"),
    ("tls-without-certificate", "plain", INGRESS, CERTIFICATE, CERTIFICATE.replace("namespace: shop", "namespace: mail"), "secretName: shop-tls}"),
    ("issuer", "plain", INGRESS, "issuerRef: {kind: ClusterIssuer, name: letsencrypt}", "issuerRef: {name: letsencrypt}", "issuerRef"),
    ("issuer", "environments", ROUTE, "{cert-manager.io/issuer: own}", "{cert-manager.io/cluster-issuer: own}", "cluster-issuer"),
    ("issuer", "environments", ROUTE, "ca: {secretName: authority}", "acme: {server: 'https://acme-staging-v02.api.letsencrypt.org/directory'}", "cert-manager.io/issuer"),
    ("selector-differs", "environments", PROD, "namespace: prod", "namespace: prod\ncommonLabels: {tier: gold}", "commonLabels"),
    ("selector-differs", "overlays", PRODUCTION, "patches:\n", "patches:\n" + SELECTING, "/spec/selector"),
    ("autoscaler", "overlays", PRODUCTION, "maxReplicas, value: 12", "maxReplicas, value: 1", "value: 1"),
    ("autoscaler", "plain", "k8s/scaler.yaml", WHOLE, SCALER.format(kind="Deployment", name="web", low=1), "minReplicas"),
    ("autoscaler", "plain", "k8s/scaler.yaml", WHOLE, SCALER.format(kind="Deployment", name="front", low=2), "name: front"),
    ("disruption-budget", "plain", WEB, "maxUnavailable: 1", "minAvailable: 100%", "minAvailable"),
    ("disruption-budget", "plain", WEB, "maxUnavailable: 1", "minAvailable: 2", "minAvailable"),
    ("headless-service", "plain", QUEUE, "  clusterIP: None\n", "", "serviceName"),
    ("headless-service", "plain", QUEUE, "serviceName: queue", "serviceName: queue-peers", "serviceName"),
    ("namespace", "plain", WEB, "kind: ServiceAccount\nmetadata: {name: web, namespace: shop}", "kind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: spare}", "{name: spare}"),
    ("namespace", "plain", INGRESS, "metadata: {name: letsencrypt}", "metadata: {name: letsencrypt, namespace: shop}", "namespace: shop}"),
    ("namespace", "environments", PROD, "namespace: prod", "namespace: dev", "namespace: dev"),
    ("namespace", "overlays", PRODUCTION, "namespace: shop-production", "namespace: shop-staging", "namespace: shop-staging"),
    ("namespace", "plain", "k8s/more.yaml", WHOLE, CERTIFICATE.replace("name: shop, namespace: shop", "name: more").replace("shop-tls", "more-tls"), "metadata"),
    ("undeclared-difference", "compared", PRODUCTION, "value: 12", "value: 12}\n      - {op: replace, path: /spec/minReplicas, value: 3", "value: 3"),
    ("undeclared-difference", "compared", STAGING, "images:\n", "components:\n  - ../../trace\nimages:\n", ("kustomize/trace/agent.yaml", "apiVersion"), ("kustomize/trace/kustomization.yaml", TRACE), ("kustomize/trace/agent.yaml", AGENT)),
    ("difference-idle", "compared", DIFFERENCES, "paths: [spec.maxReplicas]", "paths: [spec.maxReplicas, spec.minReplicas]", "spec.minReplicas"),
    ("difference-idle", "compared", DIFFERENCES, "differences:\n", "differences:\n  - object: CronJob api\n    paths: [spec.schedule]\n    why: nights differ\n", "[spec.schedule]"),
    ("placeholder", "plain", WEB, IMAGE, "image: ${REGISTRY}/web:1.4.2", "image:"),
    ("placeholder", "plain", WEB, IMAGE, "image: ${REGISTRY}/web:${TAG}", "image:", (SCRIPT, SCRIPTED + "envsubst '$TAG' < k8s/web.yaml | kubectl apply -f -\n")),
    ("placeholder", "plain", INGRESS, "host: shop.example.org", "host: '{{ inputs.host }}'", "inputs.host", (".github/workflows/deploy.yml", "on: push\njobs:\n  a:\n    steps:\n      - run: make deploy HOST=${{ inputs.host }}\n")),
    ("placeholder", "overlays", PRODUCTION, "namespace: shop-production", "namespace: shop-production\ncommonAnnotations: {owner: CHANGE_ME}", ""),
    ("placeholder", "plain", INGRESS, "metadata: {name: letsencrypt}\nspec:\n  acme: {", "metadata: {name: letsencrypt}\nspec:\n  acme: {email: '${EMAIL}', ", "EMAIL"),
    ("placeholder", "plain", WEB, *kept(f"{SECRET}stringData: {{word: '${{WORD}}'}}\n"), "WORD"),
    ("placeholder", "plain", INGRESS, "host: shop.example.org", "host: '{{ SHOP_HOST }}'", "SHOP_HOST"),
    ("placeholder", "plain", WEB, *kept(CONFIG + "  host: ${HOST}\n"), "${HOST}"),
    ("secret-in-clear", "plain", WEB, *kept(f"{SECRET}stringData: {{word: open-sesame}}\n"), "open-sesame"),
    ("secret-in-clear", "plain", WEB, READS, f"{READS}            - {{name: QUEUE, value: 'amqp://web:sesame@queue:5672'}}\n", "sesame"),
    ("secret-in-clear", "plain", QUEUE, "          resources", "          env: [{name: RABBITMQ_DEFAULT_PASS, value: guest}]\n          resources", "RABBITMQ_DEFAULT_PASS"),
    ("secret-in-clear", "plain", WEB, *kept(CONFIG + "  api_key: 0f3c5d7e9a1b\n"), "api_key"),
    ("secret-in-clear", "environments", STOCK, '                "env": [\n', '                "env": [\n                  {"name": "STRIPE_API_KEY", "value": "live-0f3c5d7e"},\n', "STRIPE_API_KEY"),
    ("retired", "plain", INGRESS, "ingressClassName: traefik", "ingressClassName: nginx", "ingressClassName"),
    ("retired", "plain", INGRESS, "ingressClassName: traefik", "ingressClassName: nginx", "ingressClassName", ("k8s/class.yaml", "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: k8s.io/ingress-nginx}\n")),
    ("retired", "plain", INGRESS, "  name: web\n", "  name: web\n  annotations: {kubernetes.io/ingress.class: traefik}\n", "annotations"),
    ("retired", "plain", WEB, "labels: {app: web, tier: front}", "labels: {app: web, aadpodidbinding: web}", "aadpodidbinding"),
    ("chart-not-rendered", "plain", "charts/panel/Chart.yaml", WHOLE, CHART, "apiVersion", ("charts/panel/templates/secret.yaml", TEMPLATE)),
    ("chart-not-rendered", "overlays", "helm/Chart.yaml", WHOLE, f"{CHART}dependencies:\n  - {{name: redis, version: 22.0.1, repository: file://charts/redis}}\n", "apiVersion", ("helm/charts/redis/Chart.yaml", CHART), ("helm/charts/redis/templates/a.yaml", TEMPLATE)),
    ("chart-not-rendered", "plain", "Chart.yaml", WHOLE, CHART, "apiVersion", ("templates/secret.yaml", TEMPLATE)),
]  # fmt: skip

# rule it is near to · layout · file · old text · new text, with more files behind
NEAR_MISSES: list[tuple[Any, ...]] = [
    ("syntax", "plain", WEB, "  log_level: info\n", "  <<: &both {colour: red}\n  log_level: info\n  colour: red\n"),
    ("syntax", "plain", "k8s/tail.yaml", WHOLE, f"\ufeff---\r\n# nothing yet\r\n---\r\n{job('')}---\r\n"),
    ("syntax", "plain", "k8s/cache.json", WHOLE, '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap",\n\t"metadata": {"name": "cache", "namespace": "shop"},\n\t"data": {"path": "a\\/b\\tc"}\n}\n'),
    ("syntax", "plain", "arm/template.json", WHOLE, '{"resources": [{"apiVersion": "2023-01-01", "kind": "StorageV2",}], // not ours\n}\n'),
    ("path-missing", "overlays", PRODUCTION, "  - ../../base\n", "  - ./../../base/\n"),
    ("path-missing", "environments", DEV, "../../components/route", "../../components/route/"),
    ("path-missing", "overlays", "extra/kustomization.yaml", WHOLE, "resources:\n  - https://github.com/example/gateway//config/crd?ref=v1.4.0\n  - github.com/example/tools//base?ref=v2\n"),
    ("path-outside", "overlays", STAGING, "../../base", "../../../kustomize/base"),
    ("path-outside", "overlays", PRODUCTION, "path: size.yaml", "path: ../production/size.yaml"),
    ("patch-idle", "overlays", PRODUCTION, "{kind: HorizontalPodAutoscaler, name: api}", "{kind: HorizontalPodAutoscaler, name: 'api|web.*'}"),
    ("patch-idle", "overlays", PRODUCTION, "patches:\n", "patches:\n  - target: {kind: ConfigMap, name: api-settings}\n    patch: |-\n      - {op: add, path: /data/more, value: 'yes'}\n"),
    ("patch-idle", "environments", PROD, "- {op: replace, path: /spec/replicas, value: 5}", "- {op: test, path: /spec/replicas, value: 2}\n      - {op: replace, path: /spec/replicas, value: 5}"),
    ("patch-idle", "environments", DEV, "  - ../../components/route\n", "  - ../../components/route\n  - ../../components/large\n", (DEV, LARGE), ("components/large/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n  - target: {kind: Deployment, name: stock}\n    patch: |-\n      - {op: replace, path: /spec/replicas, value: 9}\n")),
    ("patch-idle", "plain", "remote/kustomization.yaml", WHOLE, "resources: ['https://example.org/charts//base?ref=v1.0', rest.yaml]\npatches:\n  - target: {kind: Deployment, name: there}\n    patch: |-\n      - {op: replace, path: /spec/replicas, value: 2}\n", ("remote/rest.yaml", CONFIG.replace("more", "rest") + "  on: 'no'\n")),
    ("patch-idle", "plain", "flags/kustomization.yaml", WHOLE, "resources: [flags.yaml]\nnamePrefix: blue-\npatches: [{target: {name: flags}, path: more.yaml}]\n", ("flags/flags.yaml", CONFIG.replace("more", "flags") + "  on: 'no'\n"), ("flags/more.yaml", "- {op: add, path: /data/more, value: 'yes'}\n")),
    ("image-rule-idle", "overlays", PRODUCTION, "    newTag: 2.0.3", "    newName: registry.example.net:5000/shop/api\n    newTag: 2.0.3"),
    ("image-rule-idle", "overlays", STAGING, "images:\n", "images:\n  - {name: 'registry.example.org:443/tools/migrate', newTag: 1.0.1}\n", ("kustomize/base/api.yaml", API_WITH_JOB)),
    ("does-not-render", "overlays", STAGING, "resources:\n  - ../../base\n", "bases:\n  - ../../base\n"),
    ("does-not-render", "environments", DEV, "namespace: dev", "namespace: dev\nbuildMetadata: [originAnnotations]"),
    ("schema", "plain", INGRESS, "spec:\n  secretName: shop-tls\n", "spec:\n  keySizes: 4096\n  secretName: shop-tls\n"),
    ("schema", "plain", WEB, "maxUnavailable: 1", "maxUnavailable: 50%\n  unhealthyPodEvictionPolicy: AlwaysAllow"),
    ("schema", "plain", WEB, "cpu: 100m", "cpu: 1"),
    ("api-removed", "environments", ROUTE, "gateway.networking.k8s.io/v1\nkind: Gateway", "gateway.networking.k8s.io/v1beta1\nkind: Gateway"),
    ("api-removed", "plain", "k8s/kept.yaml", WHOLE, "apiVersion: snapshot.storage.k8s.io/v1beta1\nkind: VolumeSnapshot\nmetadata: {name: kept, namespace: shop}\nspec: {source: {persistentVolumeClaimName: queue}}\n"),
    ("image-mutable", "plain", WEB, IMAGE, f"image: registry.example.org/shop/web:latest@sha256:{'a' * 64}"),
    ("image-mutable", "plain", WEB, IMAGE, "image: registry.example.org:5000/shop/web:2024-05-spring"),
    ("image-mutable", "plain", WEB, IMAGE, "image: registry.example.org/shop/web:${TAG}", (SCRIPT, SCRIPTED + "envsubst < k8s/web.yaml | kubectl apply -f -\n")),
    ("image-mutable", "plain", WEB, IMAGE, "image: web", ("src/web/Dockerfile", "FROM scratch\n")),
    ("image-mutable", "plain", WEB, IMAGE, "image: registry.example.org/shop/web:IMAGE_TAG"),
    ("probe-missing", "plain", "k8s/worker.yaml", WHOLE, WORKER),
    ("probe-missing", "plain", "k8s/worker.yaml", WHOLE, f"{WORKER}---\n{MANY.format(name='worker', spec='  selector: {app: worker}' + chr(10) + '  ports: [{name: http-metrics, port: 9000}]' + chr(10))}".replace("args: [once]", "ports: [{name: metrics, containerPort: 9000}]")),
    ("probe-missing", "plain", "k8s/worker.yaml", WHOLE, f"{WORKER}---\n{MANY.format(name='worker', spec='  ports: [{name: http, port: 9000}]' + chr(10))}".replace("args: [once]", "ports: [{name: http, containerPort: 9000}]")),
    ("probe-missing", "plain", QUEUE, "          startupProbe: {tcpSocket: {port: amqp}, failureThreshold: 30}\n          readinessProbe: {exec: {command: [rabbitmq-diagnostics, check_running]}}\n          livenessProbe: {tcpSocket: {port: 5672}}\n", "          readinessProbe: {exec: {command: [rabbitmq-diagnostics, check_running]}}\n          livenessProbe: {tcpSocket: {port: 5672}, initialDelaySeconds: 120}\n"),
    ("probe-port", "plain", WEB, "{path: /ready, port: http}", "{path: /ready, host: 127.0.0.1, port: 15021}"),
    ("probe-port", "plain", WEB, "{path: /ready, port: http}", "{path: /ready, port: 8080, scheme: HTTPS}"),
    ("probe-port", "plain", "k8s/worker.yaml", WHOLE, WORKER.replace("args: [once]", "readinessProbe: {tcpSocket: {port: 9000}}")),
    ("probe-port", "plain", "k8s/worker.yaml", WHOLE, WORKER.replace("args: [once]", "ports: [{containerPort: 80}, {containerPort: 443}]\n          readinessProbe: {httpGet: {path: /ok, port: 10254}}\n          livenessProbe: {httpGet: {path: /ok, port: 10254}, initialDelaySeconds: 120}")),
    ("resources", "plain", WEB, "requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}", "limits: {cpu: 200m, memory: 256Mi}"),
    ("resources", "plain", "k8s/limits.yaml", WHOLE, "apiVersion: v1\nkind: LimitRange\nmetadata: {name: usual, namespace: shop}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 50m, memory: 64Mi}, default: {memory: 128Mi}}]}\n---\n" + WORKER.replace("resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}", "stdin: false")),
    ("resources", "plain", "k8s/worker.yaml", WHOLE, WORKER.replace("          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}\n", "").replace("      containers:", "      resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}\n      containers:")),
    ("pod-security", "plain", WEB, "    spec:\n      serviceAccountName: web\n", "    spec:\n      serviceAccountName: web\n      securityContext: {runAsNonRoot: true, seccompProfile: {type: Localhost, localhostProfile: a.json}}\n"),
    ("pod-security", "plain", WEB, "{drop: [ALL]}", "{drop: [ALL], add: [NET_BIND_SERVICE]}"),
    ("pod-security", "plain", "k8s/worker.yaml", WHOLE, WORKER.replace("      containers:", "      os: {name: windows}\n      containers:").replace(WORKER[WORKER.index("            allowPrivilege") :], "")),
    ("config-key", "plain", "k8s/nightly.yaml", WHOLE, job("env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: a, optional: true}}}]")),
    ("config-key", "plain", "k8s/nightly.yaml", WHOLE, job("envFrom: [{configMapRef: {name: nightly-env}}]"), (SCRIPT, SCRIPTED + "kubectl -n shop create cm nightly-env \\\n  --from-env-file nightly.env\n")),
    ("config-key", "plain", "k8s/nightly.yaml", WHOLE, job("", "volumes: [{name: ca, configMap: {name: trusted, items: [{key: bundle.pem, path: ca}]}}]") + "---\napiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: trusted}\nspec: {sources: [{useDefaultCAs: true}], target: {configMap: {key: bundle.pem}}}\n"),
    ("config-key", "plain", "k8s/nightly.yaml", WHOLE, job("", "volumes: [{name: set, configMap: {name: none, optional: true}}, {name: ca, configMap: {name: kube-root-ca.crt}}]")),
    ("config-key", "overlays", BASE, "    literals: [mode=fast]\n", "    envs: [api.env]\n", ("kustomize/base/api.env", "mode=fast\n")),
    ("secret-key", "plain", SCRIPT, CREATED, 'kubectl create secret generic web-login -n shop --from-env-file="$FILE" --dry-run=client -o yaml | kubectl apply -f -\n'),
    ("secret-key", "plain", SCRIPT, CREATED, "", (".github/workflows/deploy.yml", "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          kubectl create secret generic web-login \\\n            --from-literal=db-password=${{ secrets.LOGIN }}\n")),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("azure-pipelines.yml", "steps:\n  - task: KubernetesManifest@1\n    inputs: {action: createSecret, secretType: generic, secretName: web-login, secretArguments: --from-literal=db-password=$(login)}\n")),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("infra/login.tf", 'resource "kubernetes_secret_v1" "login" {\n  metadata {\n    name      = "web-login"\n    namespace = "shop"\n  }\n  data = local.logins\n}\n')),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("README.md", "Once, by hand:\n\n    kubectl create secret generic web-login --from-file=db-password=login.txt\n")),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("flux/web.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec: {interval: 5m, chart: {spec: {chart: web, sourceRef: {kind: HelmRepository, name: shop}}}}\n")),
    ("secret-key", "plain", "k8s/nightly.json", WHOLE, '{"kind": "SealedSecret", "apiVersion": "bitnami.com/v1alpha1", "metadata": {"name": "nightly", "namespace": "shop"}, "spec": {"template": {"metadata": {"name": "nightly"}}, "encryptedData": {"word": "AgBy3i4OJSWK"}}}\n', ("k8s/nightly.yaml", job(secret("nightly", "word")))),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("night-words", "any")) + "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: nightly, namespace: shop}\nspec: {target: {name: night-words}, data: [{secretKey: one, remoteRef: {key: one}}], dataFrom: [{find: {name: {regexp: ^night-}}}]}\n"),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("night-words", "url")) + "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: nightly, namespace: shop}\nspec:\n  target: {name: night-words, template: {data: {url: '{{ .one }}'}}}\n  data: [{secretKey: one, remoteRef: {key: one}}]\n"),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("night-words", "url")) + "---\napiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: nightly}\nspec:\n  namespaces: [shop]\n  externalSecretName: night-words\n  externalSecretSpec: {data: [{secretKey: url, remoteRef: {key: one}}]}\n"),
    ("secret-key", "overlays", BASE, "configMapGenerator:\n", "secretGenerator:\n  - name: api-words\n    literals: [salt=]\nconfigMapGenerator:\n", (API, API_WITH_SALT)),
    ("secret-key", "environments", STORE, "        - {key: api-key, objectName: stock-api-key}\n", "        - {key: api-key, objectName: stock-api-key}\n    - secretName: stock-more\n      type: Opaque\n      data: [{key: other, objectName: other}]\n"),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job("env: [{name: A, valueFrom: {secretKeyRef: {name: none, key: a, optional: true}}}]", "volumes: [{name: word, secret: {secretName: none, optional: true}}]")),
    ("secret-key", "plain", SCRIPT, CREATED, "kubectl create secret generic web-login --from-env-file=login.env\n"),
    ("secret-key", "plain", SCRIPT, CREATED, 'kubectl create secret generic web-login --from-literal="$KEY=$LOGIN"\n'),
    ("secret-key", "plain", SCRIPT, CREATED, "kubectl create secret generic web-login --from-file=logins\n"),
    ("secret-key", "plain", SCRIPT, CREATED, 'kubectl create secret generic "${APP}-login" --from-literal=db-password=x\n'),
    ("secret-key", "plain", SCRIPT, CREATED, 'kubectl create secret generic web-login "$@"\n'),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("argo/web.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec: {project: shop, source: {repoURL: https://charts.example.org, chart: web, targetRevision: 1.0.0}, destination: {name: shop}}\n")),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("words", "word")) + "---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: sealed, namespace: shop}\nspec: {template: {metadata: {name: words}}, encryptedData: {word: AgBy3i4OJSWK}}\n"),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("night-words", "one")) + EXTERNAL.replace("template: {", "template: {mergePolicy: Merge, ")),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("vault-words", "word")) + "---\napiVersion: spv.no/v2beta1\nkind: AzureKeyVaultSecret\nmetadata: {name: nightly, namespace: shop}\nspec: {vault: {name: shop, object: {name: word, type: secret}}, output: {secret: {name: vault-words, dataKey: word}}}\n"),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job("", "volumes: [{name: key, secret: {secretName: store-tls, items: [{key: keystore.p12, path: k}]}}]") + "---\n" + CERTIFICATE.replace("name: shop,", "name: store,").replace("shop-tls", "store-tls").replace("spec:\n", "spec:\n  keystores: {pkcs12: {create: true}}\n")),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("nightly", "user"), "volumes: [{name: tls, secret: {secretName: shop-tls, items: [{key: tls.crt, path: crt}]}}]") + "---\napiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultStaticSecret\nmetadata: {name: words, namespace: shop}\nspec: {mount: kv, path: nightly, type: kv-v2, destination: {name: nightly, create: true}}\n"),
    ("secret-key", "plain", SCRIPT, CREATED, "", ("flux/shop.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: shop, namespace: shop}\nspec: {interval: 5m, releaseName: web, chart: {spec: {chart: web, sourceRef: {kind: HelmRepository, name: shop}}}}\n")),
    ("secret-key", "plain", "k8s/nightly.yaml", WHOLE, job(secret("one-words", "word")) + "---\napiVersion: onepassword.com/v1\nkind: OnePasswordItem\nmetadata: {name: one-words, namespace: shop}\nspec: {itemPath: vaults/shop/items/words}\n"),
    ("service-account-missing", "plain", WEB, "serviceAccountName: web", "serviceAccountName: default"),
    ("service-account-missing", "plain", "k8s/nightly.yaml", WHOLE, job("", "serviceAccountName: nightly"), (SCRIPT, SCRIPTED + "kubectl create serviceaccount nightly -n shop\n")),
    ("service-account-missing", "plain", "k8s/nightly.yaml", WHOLE, job("", "serviceAccountName: nightly"), ("infra/main.tf", 'resource "kubernetes_service_account_v1" "n" {\n  metadata {\n    name = "nightly"\n  }\n}\n')),
    ("service-account-missing", "plain", "k8s/nightly.yaml", WHOLE, job("", "serviceAccountName: panel-reader"), (SCRIPT, SCRIPTED + "helm install panel oci://charts.example.org/panel -n shop\n")),
    ("variable-twice", "plain", WEB, MOUNTED, f"      initContainers:\n        - name: before\n          {IMAGE}\n          env: [{{name: LOG_LEVEL, value: debug}}]\n{SIZE}{RIGHTS}{MOUNTED}"),
    ("variable-twice", "plain", WEB, READS, f"{READS}            - {{name: log_level, value: debug}}\n"),
    ("selector-finds-nothing", "plain", "k8s/outside.yaml", WHOLE, MANY.format(name="outside", spec="  ports: [{port: 443}]\n") + "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: outside, namespace: shop, labels: {kubernetes.io/service-name: outside}}\naddressType: IPv4\nendpoints: [{addresses: [10.0.0.9]}]\n"),
    ("selector-finds-nothing", "plain", "k8s/database.yaml", WHOLE, MANY.format(name="database", spec="  selector: {cnpg.io/cluster: database, role: primary}\n  ports: [{port: 5432}]\n")),
    ("selector-finds-nothing", "plain", "k8s/database.yaml", WHOLE, DENY.replace("default-deny", "database").replace("podSelector: {}", "podSelector: {matchLabels: {cnpg.io/cluster: database}}")),
    ("selector-finds-nothing", "plain", WEB, "selector: {matchLabels: {app: web}}\n---\napiVersion: networking", "selector: {matchExpressions: [{key: app, operator: In, values: [web, shop]}]}\n---\napiVersion: networking"),
    ("selector-finds-nothing", "plain", "k8s/step.yaml", WHOLE, "apiVersion: argoproj.io/v1alpha1\n" + ROLLOUT.replace("web", "step").replace("step-config", "web-config").replace("step-login", "web-login").replace("serviceAccountName: step", "serviceAccountName: web") + "---\n" + MANY.format(name="step", spec="  selector: {app: step}\n  ports: [{port: 80, targetPort: http}]\n")),
    ("service-port", "plain", WEB, "targetPort: http", "targetPort: 8080"),
    ("service-port", "plain", "k8s/worker.yaml", WHOLE, WORKER + "---\n" + MANY.format(name="worker", spec="  selector: {app: worker}\n  ports: [{port: 9000}]\n")),
    ("service-port", "plain", WEB, MOUNTED, f"      initContainers:\n        - name: proxy\n          {IMAGE}\n          restartPolicy: Always\n          ports: [{{name: http-proxy, containerPort: 3128}}]\n{SIZE}{RIGHTS}{MOUNTED}", ("k8s/proxy.yaml", MANY.format(name="proxy", spec="  selector: {tier: front}\n  ports: [{port: 80, targetPort: http-proxy}]\n"))),
    ("backend-missing", "plain", INGRESS, "port: {number: 80}", "port: {name: http}"),
    ("backend-missing", "plain", "k8s/bucket.yaml", WHOLE, another(path="/files").replace("backend: {service: {name: web, port: {name: http}}}", "backend: {resource: {apiGroup: k8s.example.com, kind: StorageBucket, name: files}}")),
    ("backend-missing", "plain", "k8s/outside.yaml", WHOLE, another(path="/old").replace("name: web, port: {name: http}", "name: old, port: {number: 443}") + "---\n" + MANY.format(name="old", spec="  type: ExternalName\n  externalName: old.example.org\n  ports: [{port: 443}]\n")),
    ("backend-missing", "environments", ROUTE, "    - {name: edge, sectionName: tls}\n", "    - {name: edge, sectionName: tls}\n    - {kind: Service, group: '', name: stock}\n"),
    ("backend-missing", "environments", ROUTE, "port: 443, protocol: HTTPS", "port: 443, hostname: '*.example.net', protocol: HTTPS"),
    ("backend-missing", "environments", ROUTE, "{name: stock, port: 443}", "{name: elsewhere, namespace: other, port: 443}"),
    ("backend-missing", "plain", "k8s/panel.yaml", WHOLE, another(path="/panel").replace("name: web, port: {name: http}", "name: panel-grafana, port: {number: 80}"), (SCRIPT, SCRIPTED + "helm upgrade --install panel grafana/grafana --namespace shop\n")),
    ("network-open", "plain", "k8s/namespace.yaml", POLICY, f"{POLICY}\n  egress: [{{to: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{k8s-app: kube-dns}}}}}}], ports: [{{port: 53, protocol: UDP}}]}}]"),
    ("network-open", "plain", "k8s/namespace.yaml", f"  {POLICY}\n", "  ingress: []\n---\n" + DENY.replace("default-deny", "deny-egress").replace("[Ingress, Egress]", "[Egress]")),
    ("network-open", "plain", "k8s/namespace.yaml", f"  {POLICY}\n", "  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]\n"),
    ("network-open", "plain", "k8s/namespace.yaml", DENY, "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: closed}\nspec: {endpointSelector: {}, ingress: [{}], egress: [{}]}\n"),
    ("network-open", "plain", "k8s/namespace.yaml", POLICY, f"{POLICY}\n  egress: [{{ports: [{{port: 53, protocol: UDP}}]}}]"),
    ("network-open", "plain", "k8s/edge.yaml", WHOLE, EDGE + EXPOSED.replace("LoadBalancer", "ClusterIP")),
    ("network-open", "plain", "k8s/edge.yaml", WHOLE, f"{DENY.replace('namespace: shop', 'namespace: edge')}---\n{EDGE}{EXPOSED}"),
    ("network-open", "plain", "k8s/edge.yaml", WHOLE, DENY.replace("namespace: shop", "namespace: edge").replace(POLICY, "policyTypes: [Ingress]")),
    ("host-claimed-twice", "plain", INGRESS, CLAIMS, f"{CLAIMS}---\n{another(path='/admin')}"),
    ("host-claimed-twice", "environments", ROUTE, GRPC, f"{SECOND.format(section='web', match='{}')}{GRPC}"),
    ("host-claimed-twice", "environments", ROUTE, GRPC, f"{SECOND.format(section='tls', match='{method: {service: stock.Counts}}')}{GRPC}"),
    ("host-claimed-twice", "environments", ROUTE, GRPC, (SECOND.format(section="tls", match="{}") + GRPC).replace("sectionName: tls}]", "port: 80}]")),
    ("tls-without-certificate", "plain", INGRESS, "dnsNames: [shop.example.org]", "dnsNames: [example.org, '*.example.org']"),
    ("tls-without-certificate", "plain", INGRESS, "secretName: shop-tls}", "secretName: bought-tls}", (SCRIPT, SCRIPTED + "kubectl create secret tls bought-tls -n shop --cert=shop.crt --key=shop.key\n")),
    ("tls-without-certificate", "plain", INGRESS, "    - {hosts: [shop.example.org], secretName: shop-tls}", "    - {hosts: [shop.example.org]}"),
    ("tls-without-certificate", "environments", ROUTE, "metadata:\n  name: edge\n  annotations: {cert-manager.io/issuer: own}", "metadata:\n  name: edge", (ROUTE, REFERRED)),
    ("issuer", "plain", INGRESS, "issuerRef: {kind: ClusterIssuer, name: letsencrypt}", "issuerRef: {group: awspca.cert-manager.io, kind: AWSPCAClusterIssuer, name: authority}"),
    ("issuer", "environments", ROUTE, "cert-manager.io/issuer: own", "cert-manager.io/issuer: own, cert-manager.io/issuer-kind: Issuer"),
    ("issuer", "environments", ROUTE, WHOLE, ENVIRONMENTS[ROUTE].replace("own", "not-staging").replace("ca: {secretName: authority}", "acme: {server: 'https://acme-v02.api.letsencrypt.org/directory'}")),
    ("issuer", "plain", INGRESS, "acme-v02.api", "acme-staging-v02.api"),
    ("issuer", "plain", INGRESS, WHOLE, PLAIN[INGRESS].partition("---\n")[0] + "---\n" + CERTIFICATE),
    ("selector-differs", "environments", PROD, "namespace: prod", "namespace: prod\nlabels: [{includeTemplates: true, pairs: {tier: gold}}]"),
    ("selector-differs", "environments", PROD, "namespace: prod", "namespace: prod\ncommonAnnotations: {tier: gold}"),
    ("autoscaler", "plain", "k8s/scaler.yaml", WHOLE, SCALER.format(kind="Deployment", name="web", low=2)),
    ("autoscaler", "plain", "k8s/scaler.yaml", WHOLE, "apiVersion: argoproj.io/v1alpha1\n" + ROLLOUT.replace("name: web,", "name: step,").replace("app: web", "app: step") + "---\n" + SCALER.format(kind="Rollout", name="step", low=3).replace("apps/v1", "argoproj.io/v1alpha1")),
    ("disruption-budget", "plain", WEB, "maxUnavailable: 1", "minAvailable: 50%"),
    ("disruption-budget", "plain", WEB, "replicas: 2", "replicas: 0"),
    ("disruption-budget", "plain", WEB, WHOLE, PLAIN[WEB].replace("  replicas: 2\n", "").replace("maxUnavailable: 1", "minAvailable: 2"), ("k8s/scaler.yaml", SCALER.format(kind="Deployment", name="web", low=3))),
    ("disruption-budget", "plain", "k8s/agent.yaml", WHOLE, WORKER.replace("kind: Deployment", "kind: DaemonSet").replace("worker", "agent") + "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: agent, namespace: shop}\nspec: {minAvailable: 1, selector: {matchLabels: {app: agent}}}\n"),
    ("headless-service", "plain", QUEUE, "clusterIP: None", "clusterIP: 'None'\n  publishNotReadyAddresses: true"),
    ("headless-service", "plain", QUEUE, "  clusterIP: None\n", "  clusterIPs: [None]\n  clusterIP: None\n"),
    ("namespace", "plain", "k8s/classes.yaml", WHOLE, "apiVersion: snapshot.storage.k8s.io/v1\nkind: VolumeSnapshotClass\nmetadata: {name: daily}\ndriver: disk.csi.azure.com\ndeletionPolicy: Retain\n"),
    ("namespace", "plain", "cluster/kind.yaml", WHOLE, "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 50\n---\napiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Config\nclusters: []\n"),
    ("namespace", "plain", "k8s/roles.yaml", WHOLE, "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: metrics, namespace: kube-system}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: metrics-reader}\nsubjects: [{kind: ServiceAccount, name: web, namespace: shop}]\n"),
    ("namespace", "plain", "k8s/fleet.yaml", WHOLE, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: fleets.example.org}\nspec:\n  group: example.org\n  scope: Cluster\n  names: {kind: Fleet, plural: fleets}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n---\napiVersion: example.org/v1\nkind: Fleet\nmetadata: {name: all}\n"),
    ("undeclared-difference", "compared", PRODUCTION, "value: 12", "value: 20"),
    ("undeclared-difference", "compared", BASE, "literals: [mode=fast]", "literals: [mode=slow]"),
    ("difference-idle", "compared", DIFFERENCES, "[metadata.namespace]", "['metadata.name*']"),
    ("difference-idle", "compared", DIFFERENCES, "object: HorizontalPodAutoscaler\n", "object: HorizontalPodAutoscaler api\n"),
    ("placeholder", "plain", WEB, *kept(CONFIG + "  run.sh: |\n    echo ${HOME}\n  mail.tmpl: '{{ .Title }} of {{ .Day }}'\n")),
    ("placeholder", "plain", WEB, READS, READS + "            - {name: ADDRESS, value: 'http://$(HOST):80/'}\n"),
    ("placeholder", "plain", "k8s/rules.yaml", WHOLE, "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: web, namespace: shop}\nspec: {groups: [{name: web, rules: [{alert: Down, expr: up == 0, annotations: {summary: '{{ $labels.pod }} is down'}}]}]}\n"),
    ("placeholder", "plain", WEB, IMAGE, "image: ${REGISTRY}/web:1.4.2", (SCRIPT, SCRIPTED + "envsubst < k8s/web.yaml | kubectl apply -f -\n")),
    ("placeholder", "plain", WEB, IMAGE, "image: registry.example.org/web:1.__MINOR_NUMBER__", (SCRIPT, SCRIPTED + "sed -i s/__MINOR_NUMBER__/4/ k8s/web.yaml\n")),
    ("placeholder", "plain", INGRESS, "host: shop.example.org", "host: '{{SHOP_HOST}}'", (SCRIPT, SCRIPTED + 'sed -i "s|{{SHOP_HOST}}|$HOST|" k8s/ingress.yaml\n')),
    ("placeholder", "plain", WEB, IMAGE, "image: ${REGISTRY}/web:1.4.2", (SCRIPT, SCRIPTED + 'sed -e "s|\\${REGISTRY}|$REGISTRY|" k8s/web.yaml | kubectl apply -f -\n')),
    ("placeholder", "plain", WEB, IMAGE, "image: registry.example.org/web:1.#{minor}#", ("azure-pipelines.yml", "steps:\n  - task: replacetokens@6\n    inputs: {sources: k8s/*.yaml}\n")),
    ("placeholder", "plain", WEB, IMAGE, "image: registry.example.org/web:1.${minor}", ("flux/shop.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: shop, namespace: flux-system}\nspec: {interval: 10m, prune: true, path: ./k8s, sourceRef: {kind: GitRepository, name: shop}, postBuild: {substitute: {minor: '4'}}}\n")),
    ("secret-in-clear", "plain", WEB, *kept(f"{SECRET}stringData: {{word: ''}}\n")),
    ("secret-in-clear", "plain", WEB, *kept(f"{SECRET}data: {{word: 'ENC[AES256_GCM,data:p673w==,iv:YY=,tag:UQ==,type:str]'}}\nsops: {{mac: 'ENC[AES256_GCM,data:x]', version: 3.9.0}}\n")),
    ("secret-in-clear", "plain", WEB, READS, READS + "            - {name: API_TOKEN_FILE, value: /run/token}\n            - {name: TOKEN, value: $(LOG_LEVEL)}\n            - {name: QUEUE, value: 'amqp://queue:5672/web'}\n"),
    ("secret-in-clear", "plain", WEB, *kept(f"{SECRET}type: kubernetes.io/service-account-token\ndata: {{extra: eA==}}\n")),
    ("secret-in-clear", "plain", WEB, READS, READS + "            - {name: DB_PASSWORD, value: ''}\n"),
    ("retired", "plain", INGRESS, "  ingressClassName: traefik\n", "  ingressClassName: nginx\n", ("k8s/class.yaml", "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: nginx.org/ingress-controller}\n")),
    ("retired", "plain", INGRESS, "  name: web\n", "  name: web\n  annotations: {nginx.org/proxy-connect-timeout: 30s}\n"),
    ("retired", "plain", INGRESS, "ingressClassName: traefik", "ingressClassName: nginx-plus"),
    ("retired", "plain", INGRESS, WHOLE, PLAIN[INGRESS].replace("traefik", "nginx").replace("  name: web\n", "  name: web\n  annotations: {nginx.org/proxy-connect-timeout: 30s}\n")),
    ("chart-not-rendered", "plain", "k8s/templates/nightly.yaml", WHOLE, job("")),
    ("chart-not-rendered", "plain", "docs/Chart.yaml", WHOLE, "title: a chart of sales\n", ("docs/templates/nightly.yaml", job(""))),
]  # fmt: skip

"""Small workspaces as others lay them out, without a mistake: plain manifests, overlays, environments, JSON.

Each is a mapping of files to texts, so that a test puts a mistake into one of them and looks again.
"""

PROBES = """          startupProbe: {{httpGet: {{path: /health, port: {port}}}, failureThreshold: 30}}
          readinessProbe: {{httpGet: {{path: /ready, port: {port}}}}}
          livenessProbe: {{httpGet: {{path: /health, port: {port}}}, failureThreshold: 3}}
"""
SIZE = "          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}\n"
RIGHTS = """          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
"""
DENY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
"""

# Plain manifests in one folder, several documents in a file, one namespace; a script makes the secrets.
PLAIN = {
    "k8s/namespace.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n{DENY}",
    "k8s/web.yaml": f"""# What customers see.
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web, namespace: shop}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web-config, namespace: shop}}
data:
  log_level: info
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web, tier: front}}
    spec:
      serviceAccountName: web
      containers:
        - name: web
          image: registry.example.org/shop/web:1.4.2
          ports:
            - {{name: http, containerPort: 8080}}
          env:
            - {{name: LOG_LEVEL, valueFrom: {{configMapKeyRef: {{name: web-config, key: log_level}}}}}}
            - {{name: DB_LOGIN, valueFrom: {{secretKeyRef: {{name: web-login, key: db-password}}}}}}
{PROBES.format(port="http")}{SIZE}{RIGHTS}---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{app: web}}
  ports:
    - {{name: http, port: 80, targetPort: http}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web, namespace: shop}}
spec:
  maxUnavailable: 1
  selector: {{matchLabels: {{app: web}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  policyTypes: [Ingress]
  ingress:
    - ports: [{{port: 8080}}]
""",
    "k8s/ingress.yaml": """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop
spec:
  ingressClassName: traefik
  tls:
    - {hosts: [shop.example.org], secretName: shop-tls}
  rules:
    - host: shop.example.org
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: web, port: {number: 80}}}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt}
spec:
  acme: {server: "https://acme-v02.api.letsencrypt.org/directory", privateKeySecretRef: {name: letsencrypt-account}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: shop, namespace: shop}
spec:
  secretName: shop-tls
  dnsNames: [shop.example.org]
  issuerRef: {kind: ClusterIssuer, name: letsencrypt}
""",
    "k8s/queue.yaml": f"""apiVersion: v1
kind: Service
metadata: {{name: queue, namespace: shop}}
spec:
  clusterIP: None
  selector: {{app: queue}}
  ports:
    - {{name: amqp, port: 5672}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: queue, namespace: shop}}
spec:
  replicas: 3
  serviceName: queue
  selector: {{matchLabels: {{app: queue}}}}
  template:
    metadata:
      labels: {{app: queue}}
    spec:
      containers:
        - name: queue
          image: docker.io/library/rabbitmq:4.1.0
          ports:
            - {{name: amqp, containerPort: 5672}}
          startupProbe: {{tcpSocket: {{port: amqp}}, failureThreshold: 30}}
          readinessProbe: {{exec: {{command: [rabbitmq-diagnostics, check_running]}}}}
          livenessProbe: {{tcpSocket: {{port: 5672}}}}
{SIZE}{RIGHTS}""",
    "scripts/deploy.sh": """#!/bin/sh
set -eu
kubectl create secret generic web-login --namespace shop --from-literal=db-password="$LOGIN"
kubectl apply -f k8s/
""",
}

# A base and an overlay for each environment; an external secret, an autoscaler.
OVERLAYS = {
    "kustomize/base/kustomization.yaml": """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - api.yaml
  - policy.yaml
configMapGenerator:
  - name: api-settings
    literals: [mode=fast]
""",
    "kustomize/base/policy.yaml": DENY.replace(", namespace: shop", ""),
    "kustomize/base/api.yaml": f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  selector:
    matchLabels: {{app.kubernetes.io/name: api}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: api}}
    spec:
      containers:
        - name: api
          image: registry.example.org/shop/api
          ports:
            - {{name: http, containerPort: 5000}}
          envFrom:
            - configMapRef: {{name: api-settings}}
          env:
            - name: DB
              valueFrom: {{secretKeyRef: {{name: api-database, key: connection}}}}
{PROBES.format(port=5000)}{SIZE}{RIGHTS}---
apiVersion: v1
kind: Service
metadata:
  name: api
spec:
  selector: {{app.kubernetes.io/name: api}}
  ports:
    - {{name: http, port: 80, targetPort: 5000}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: api
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: api}}
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - {{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: api-database
spec:
  secretStoreRef: {{kind: ClusterSecretStore, name: vault}}
  data:
    - secretKey: connection
      remoteRef: {{key: api-connection}}
""",
    "kustomize/overlays/staging/kustomization.yaml": """resources:
  - ../../base
namespace: shop-staging
images:
  - name: registry.example.org/shop/api
    newTag: 2.1.0
""",
    "kustomize/overlays/production/kustomization.yaml": """resources:
  - ../../base
namespace: shop-production
images:
  - name: registry.example.org/shop/api
    newTag: 2.0.3
patches:
  - path: size.yaml
  - target: {kind: HorizontalPodAutoscaler, name: api}
    patch: |-
      - {op: replace, path: /spec/maxReplicas, value: 12}
""",
    "kustomize/overlays/production/size.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  template:
    spec:
      containers:
        - name: api
          resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {memory: 1Gi}}
""",
}
# The same, and what may differ between the environments.
COMPARED = {
    **OVERLAYS,
    "differences.yaml": """differences:
  - object: "*"
    paths: [metadata.namespace]
    why: an environment is a namespace
  - object: Deployment api
    paths: [spec.template.spec.containers]
    why: sizes and versions
  - object: HorizontalPodAutoscaler
    paths: [spec.maxReplicas]
    why: production takes more
""",
}

# Environments as folders of their own, a List, a component, JSON, the Gateway API, a CSI secret store.
ENVIRONMENTS = {
    "apps/stock/kustomization.yml": "resources:\n  - stock.json\n  - store.yaml\n",
    "apps/stock/stock.json": """{
  "apiVersion": "v1",
  "kind": "List",
  "items": [
    {
      "apiVersion": "apps/v1",
      "kind": "Deployment",
      "metadata": {"name": "stock"},
      "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "stock"}},
        "template": {
          "metadata": {"labels": {"app": "stock"}},
          "spec": {
            "containers": [
              {
                "name": "stock",
                "image": "registry.example.org/shop/stock:3.0.1",
                "ports": [{"name": "grpc", "containerPort": 50051}],
                "env": [
                  {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "stock-keys", "key": "api-key"}}}
                ],
                "startupProbe": {"grpc": {"port": 50051}, "failureThreshold": 30},
                "readinessProbe": {"grpc": {"port": 50051}},
                "livenessProbe": {"grpc": {"port": 50051}},
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                "securityContext": {
                  "runAsNonRoot": true,
                  "allowPrivilegeEscalation": false,
                  "readOnlyRootFilesystem": true,
                  "capabilities": {"drop": ["ALL"]},
                  "seccompProfile": {"type": "RuntimeDefault"}
                }
              }
            ]
          }
        }
      }
    },
    {
      "apiVersion": "v1",
      "kind": "Service",
      "metadata": {"name": "stock"},
      "spec": {
        "selector": {"app": "stock"},
        "ports": [{"name": "grpc", "port": 443, "targetPort": "grpc"}]
      }
    },
    {
      "apiVersion": "networking.k8s.io/v1",
      "kind": "NetworkPolicy",
      "metadata": {"name": "closed"},
      "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
  ]
}
""",
    "apps/stock/store.yaml": """apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: stock
spec:
  provider: azure
  secretObjects:
    - secretName: stock-keys
      type: Opaque
      data:
        - {key: api-key, objectName: stock-api-key}
""",
    "components/route/kustomization.yaml": """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources:
  - route.yaml
""",
    "components/route/route.yaml": """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
  annotations: {cert-manager.io/issuer: own}
spec:
  gatewayClassName: envoy
  listeners:
    - {name: web, port: 80, protocol: HTTP}
    - {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: edge-tls}]}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: own
spec:
  ca: {secretName: authority}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: stock
spec:
  parentRefs:
    - {name: edge, sectionName: tls}
  hostnames:
    - stock.example.net
  rules:
    - backendRefs:
        - {name: stock, port: 443}
""",
    "environments/dev/kustomization.yaml": """resources:
  - ../../apps/stock
components:
  - ../../components/route
namespace: dev
patches:
  - target: {kind: GRPCRoute}
    patch: |-
      - {op: replace, path: /spec/hostnames/0, value: stock.dev.example.net}
""",
    "environments/prod/kustomization.yaml": """resources:
  - ../../apps/stock
components:
  - ../../components/route
namespace: prod
patches:
  - target: {kind: Deployment, name: stock}
    patch: |-
      - {op: replace, path: /spec/replicas, value: 5}
""",
}
LAYOUTS = {"plain": PLAIN, "overlays": OVERLAYS, "compared": COMPARED, "environments": ENVIRONMENTS}

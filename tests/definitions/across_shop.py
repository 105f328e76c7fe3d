"""A small workspace in which everything fits together: Terraform, Bicep, Kubernetes, workflows, three environments."""

import json
from pathlib import Path

ENVIRONMENTS = ("dev", "staging", "prod")
ROOT = """terraform {
  backend "azurerm" {}
}
"""
BASE = (
    ROOT
    + """
variable "group" {}
variable "vault" {}
variable "storage" {}
variable "cluster" {}
variable "location" {}

resource "azurerm_resource_group" "this" {
  name     = var.group
  location = var.location
}

resource "azurerm_key_vault" "this" {
  name                = var.vault
  location            = var.location
  resource_group_name = var.group
}

resource "azurerm_storage_account" "this" {
  name                = var.storage
  location            = var.location
  resource_group_name = var.group
}

resource "azurerm_kubernetes_cluster" "this" {
  name                = var.cluster
  location            = var.location
  resource_group_name = var.group
}

resource "random_password" "postgres" {
  length = 32
}

resource "azurerm_key_vault_secret" "postgres" {
  name         = "postgres-connection-string"
  key_vault_id = azurerm_key_vault.this.id
  value        = random_password.postgres.result
}

resource "azurerm_key_vault_secret" "chain" {
  name         = "chain-address"
  key_vault_id = azurerm_key_vault.this.id
  value        = "http://web:8080"
}

resource "kubernetes_config_map" "facts" {
  metadata {
    name = "facts"
  }
  data = {
    vault = azurerm_key_vault.this.vault_uri
  }
}

output "postgres_password" {
  value     = random_password.postgres.result
  sensitive = true
}
"""
)
NAMES = (
    ROOT
    + """
variable "web" {}
variable "api" {}
variable "docs" {}
variable "api_site" {}
variable "address" {}

resource "azurerm_dns_a_record" "web" {
  name      = var.web
  zone_name = "shop.io"
  ttl       = 300
  records   = [var.address]
}

resource "azurerm_dns_cname_record" "api" {
  name      = var.api
  zone_name = "shop.io"
  ttl       = 3600
  record    = "${var.api_site}.azurewebsites.net"
}

resource "azurerm_dns_txt_record" "api_proof" {
  name      = "asuid.${var.api}"
  zone_name = "shop.io"
  ttl       = 3600
}

resource "azurerm_dns_cname_record" "docs" {
  name      = var.docs
  zone_name = "shop.io"
  ttl       = 3600
  record    = "nice-rock-0123.azurestaticapps.net"
}

resource "azurerm_static_web_app_custom_domain" "docs" {
  domain_name = "${var.docs}.shop.io"
  depends_on  = [azurerm_dns_cname_record.docs]
}
"""
)
WORLD = (
    ROOT
    + """
resource "azurerm_resource_group" "shared" {
  name     = "shop-shared-rg"
  location = "eastus"
}

resource "azurerm_dns_zone" "this" {
  name                = "shop.io"
  resource_group_name = "shop-shared-rg"
}

resource "azurerm_container_registry" "this" {
  name                = "shopregistry"
  resource_group_name = "shop-shared-rg"
}
"""
)
MODULE = """variable "group" {}

resource "azurerm_log_analytics_workspace" "this" {
  name                = "shop-logs"
  resource_group_name = var.group
}
"""
LOGS = (
    ROOT
    + """
module "logs" {
  source = "../../modules/logs"
  group  = "shop-shared-rg"
}
"""
)
BICEP = """param siteName string
param apiHost string
param vaultName string
param webAddress string
param location string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource site 'Microsoft.Web/sites@2023-12-01' = {
  name: siteName
  location: location
  properties: {
    siteConfig: {
      appSettings: [
        {
          name: 'Web'
          value: webAddress
        }
        {
          name: 'Vault'
          value: 'https://${vaultName}.vault.azure.net/'
        }
      ]
    }
  }
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2023-12-01' = {
  parent: site
  name: apiHost
}

resource signing 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'Jwt--SigningKey'
  properties: {}
}
"""
KUBERNETES = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          image: shopregistry.azurecr.io/web:1.0
          env:
            - name: CHAIN_URL
              value: http://chain:8545
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
    - port: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: chain
spec:
  ports:
    - port: 8545
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  api: https://api.HOSTS
  vault: https://shop-ENV-kv.vault.azure.net/
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  hostnames:
    - web.HOSTS
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: web
spec:
  secretName: web-tls
  dnsNames: [web.HOSTS]
  issuerRef:
    kind: ClusterIssuer
    name: ISSUER
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: web
spec:
  provider: azure
  parameters:
    keyvaultName: shop-ENV-kv
    objects: |
      array:
        - |
          objectName: postgres-connection-string
          objectType: secret
        - |
          objectName: Jwt--SigningKey
          objectType: secret
"""
ISSUERS = """apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: trusted
spec:
  acme:
    server: https://acme-v02.api.letsencrypt.org/directory
    email: ops@shop.io
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: rehearsing
spec:
  acme:
    server: https://acme-staging-v02.api.letsencrypt.org/directory
    email: ops@shop.io
"""
BUILD = """name: build
on: push
jobs:
  web:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: .
          file: docker/web/Dockerfile
          push: true
          tags: shopregistry.azurecr.io/web:${{ github.sha }}
"""
DEPLOY = """name: deploy
on: workflow_dispatch
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: |
          az aks get-credentials --resource-group shop-ENV-rg \\
            --name shop-ENV-aks
          az acr login --name shopregistry
"""
WIRING = """| stack | variable | from stack | output |
|---|---|---|---|
| names | address | base | a |
"""
DIFFERENCES = """differences:
  - object: Deployment web
    paths: [spec.replicas]
    why: Sizes.
"""
# Layouts of which one environment's folder is applied by itself.
KUSTOMIZATION = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop-ENV
resources:
  - RESOURCE
"""


def files() -> dict[str, str]:
    """The workspace, as paths and texts."""
    made = {
        "infra/stacks/base/main.tf": BASE,
        "infra/stacks/names/main.tf": NAMES,
        "infra/stacks/world/main.tf": WORLD,
        "infra/stacks/logs/main.tf": LOGS,
        "infra/modules/logs/main.tf": MODULE,
        "infra/environments/world/world.tfvars.json": "{}\n",
        "infra/README.md": WIRING,
        "app/main.bicep": BICEP,
        "docker/web/Dockerfile": "FROM scratch\n",
        ".github/workflows/build.yml": BUILD,
        "differences.yaml": DIFFERENCES,
    }
    for each in ENVIRONMENTS:
        hosts = "shop.io" if each == "prod" else f"{each}.shop.io"
        dot = "" if each == "prod" else f".{each}"
        base = {
            "group": f"shop-{each}-rg",
            "vault": f"shop-{each}-kv",
            "storage": f"shop{each}sa",
            "cluster": f"shop-{each}-aks",
            "location": "eastus",
        }
        names = {
            "web": f"web{dot}",
            "api": f"api{dot}",
            "docs": f"docs{dot}",
            "api_site": f"shop-api-{each}",
            "address": "10.0.0.1",
        }
        given = {
            "siteName": f"shop-api-{each}",
            "apiHost": f"api.{hosts}",
            "vaultName": f"shop-{each}-kv",
            "webAddress": f"https://web.{hosts}",
            "location": "eastus",
        }
        parameters = {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
            "parameters": {name: {"value": value} for name, value in given.items()},
        }
        overlay = f"kubernetes/overlays/{each}"
        issuer = "trusted" if each == "prod" else "rehearsing"
        made |= {
            f"infra/environments/{each}/base.tfvars.json": json.dumps(base, indent=2),
            f"infra/environments/{each}/names.tfvars.json": json.dumps(names, indent=2),
            f"app/params.{each}.json": json.dumps(parameters, indent=2),
            f"{overlay}/web/kustomization.yaml": KUSTOMIZATION.replace("RESOURCE", "web.yaml").replace("ENV", each),
            f"{overlay}/web/web.yaml": KUBERNETES.replace("HOSTS", hosts)
            .replace("ENV", each)
            .replace("ISSUER", issuer),
            f"{overlay}/issuers/kustomization.yaml": KUSTOMIZATION.replace("RESOURCE", "issuers.yaml").replace(
                "ENV", each
            ),
            f"{overlay}/issuers/issuers.yaml": ISSUERS,
            f".github/workflows/deploy-{each}.yml": DEPLOY.replace("ENV", each),
        }
    return made


def _host(use: str, environment: str) -> str:
    return f"{use}.shop.io" if environment == "prod" else f"{use}.{environment}.shop.io"


FACTS = {
    "world": {"hosts": {}, "regions": ["eastus"], "names": {"Microsoft.Network/dnsZones": ["shop.io"]}},
    **{
        each: {
            "hosts": {use: _host(use, each) for use in ("web", "api", "docs", "till")},
            "names": {
                "Microsoft.ContainerService/managedClusters": [f"shop-{each}-aks"],
                "Microsoft.KeyVault/vaults": [f"shop-{each}-kv"],
            },
            "regions": ["eastus"],
            "ports": {"web": 8080, "chain": 8545},
        }
        for each in ENVIRONMENTS
    },
}


def write(folder: Path) -> None:
    """Put the workspace into a folder."""
    for file, text in files().items():
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

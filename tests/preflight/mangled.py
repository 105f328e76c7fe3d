"""Definitions broken on purpose, each from a seed: what a disk, an editor, a merge or an attacker may leave behind."""

import random
from collections.abc import Callable
from pathlib import Path

WHOLE = {
    "infra/terraform/roots/web/main.tf": """
terraform {
  backend "azurerm" {}
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = "~> 5.2" }
  }
}
variable "names" {
  type = map(object({ size = string }))
}
module "net" {
  source   = "../../modules/net"
  for_each = var.names
  name     = "${each.key}-${each.value.size}"
}
resource "azurerm_resource_group" "this" {
  name     = "rg-${join("-", [for n, s in var.names : "${n}/${s.size}" if s.size != ""])}"
  location = "westeurope"
  lifecycle { prevent_destroy = true }
}
""",
    "infra/terraform/modules/net/main.tf": """
variable "name" { type = string }
resource "azurerm_virtual_network" "this" {
  name          = var.name
  address_space = ["10.0.0.0/16"]
  dynamic "subnet" {
    for_each = { a = "10.0.1.0/24", b = "10.0.2.0/24" }
    content {
      name             = subnet.key
      address_prefixes = [subnet.value]
    }
  }
}
output "id" { value = azurerm_virtual_network.this.id }
""",
    "infra/terraform/roots/web/dev.tfvars": 'names = { web = { size = "small" } }\n',
    "infra/terraform/roots/web/prod.tfvars.json": '{"names": {"web": {"size": "large"}}}\n',
    "live/root.hcl": """
locals {
  place = read_terragrunt_config(find_in_parent_folders("place.hcl"))
}
remote_state {
  backend = "azurerm"
  config  = { key = "${path_relative_to_include()}/terraform.tfstate" }
}
generate "provider" {
  path      = "provider.tf"
  if_exists = "overwrite"
  contents  = <<-EOF
    provider "azurerm" {
      features {}
    }
  EOF
}
inputs = { name = "net-${local.place.locals.name}" }
""",
    "live/place.hcl": 'locals {\n  name = "dev"\n}\n',
    "live/net/terragrunt.hcl": """
include "root" {
  path = find_in_parent_folders("root.hcl")
}
terraform {
  source = "${get_terragrunt_dir()}/../../infra//terraform/modules/net"
}
""",
    "live/web/terragrunt.hcl": """
include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}
dependency "net" {
  config_path  = "../net"
  mock_outputs = { id = "mock" }
}
inputs = merge(include.root.inputs, { id = dependency.net.outputs.id })
""",
    "infra/kubernetes/base/web/kustomization.yaml": """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [web.yaml]
images:
  - name: web
    newTag: 1.2.3
""",
    "infra/kubernetes/base/web/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web-dev}
spec:
  selector: {matchLabels: &labels {app: web}}
  template:
    metadata: {labels: *labels}
    spec:
      containers:
        - name: web
          image: web
          ports: [{containerPort: 80, name: http}]
          env: [{name: KEY, valueFrom: {secretKeyRef: {name: web, key: key}}}]
          readinessProbe: {httpGet: {path: /, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: web-dev}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
""",
    "infra/kubernetes/overlays/dev/kustomization.yaml": """
resources: [../../base/web]
patches:
  - target: {kind: Deployment, name: web}
    patch: |-
      - op: replace
        path: /spec/replicas
        value: 2
""",
    "infra/docker/web/Dockerfile": """
# syntax=docker/dockerfile:1
ARG TAG=3.11-slim
FROM python:${TAG} AS build
RUN --mount=type=cache,target=/root apt-get update && apt-get install -y curl \\
    && rm -rf /var/lib/apt/lists/*
COPY <<EOF /etc/web.conf
port=80
EOF
FROM build
COPY --from=build /etc/web.conf /etc/
EXPOSE 80
USER 1000
HEALTHCHECK CMD ["curl", "http://localhost:80"]
CMD ["python", "-m", "http.server", "80"]
""",
    "app/main.bicep": """
@description('where')
param location string = resourceGroup().location
@secure()
param password string
var names = [for i in range(0, 3): 'web-${i}']
resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: names[0]
  location: location
  sku: { name: 'B1' }
}
module site 'site.bicep' = { name: 'site', params: { plan: plan.id, password: password } }
output host string = site.outputs.host
""",
    "app/site.bicep": """
param plan string
@secure()
param password string
output host string = '${plan}-${length(password)}'
""",
    "app/main.parameters.dev.json": """{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"location": {"value": "westeurope"}}
}
""",
}


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


def _binary(chance: random.Random, content: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 4000))


def _flipped(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _without(chance: random.Random, content: bytes) -> bytes:
    wanted = chance.choice([b"{", b"}", b"[", b"]", b'"', b"\n", b":", b"'", b"  "])
    places = [each for each in range(len(content)) if content.startswith(wanted, each)]
    if not places:
        return _cut(chance, content)
    place = chance.choice(places)
    return content[:place] + content[place + len(wanted) :]


def _merged(chance: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    return b"".join([*lines[:place], b"<<<<<<< HEAD\n", *lines[place:], b"=======\n>>>>>>> other\n"])


def _shuffled(chance: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _repeated(chance: random.Random, content: bytes) -> bytes:
    return content * chance.randrange(2, 6)


def _other_bytes(chance: random.Random, content: bytes) -> bytes:
    text = content.decode(errors="replace")
    name = chance.choice(["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
    return text.encode(name) if chance.random() < 0.7 else b"# caf\xe9\n" + content


def _line_ends(chance: random.Random, content: bytes) -> bytes:
    return content.replace(b"\n", chance.choice([b"\r\n", b"\r", b"\n\r", b"\x0b", b"\x00"]))


WAYS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _cut, _binary, _flipped, _without, _merged, _shuffled, _repeated, _other_bytes, _line_ends,
)  # fmt: skip


def mangle(folder: Path, seed: int) -> dict[str, bytes]:
    """Write all definitions below a folder, some of them mangled; what was written."""
    chance = random.Random(seed)
    written = {}
    for path, text in WHOLE.items():
        content = text.encode()
        for _ in range(chance.choice([0, 1, 1, 2])):
            content = chance.choice(WAYS)(chance, content) or b" "
        written[path] = content
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return written

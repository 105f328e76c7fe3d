"""A monorepo of about 4,000 files of this workspace's shape, from a seed: what `make bench` checks with preflight.

Every service has a Terraform root and a module, a kustomize base and three overlays, a Dockerfile, a Bicep template
with parameters, and sources; no two files are alike.
"""

import random
from pathlib import Path

ENVIRONMENTS = ("dev", "staging", "prod")
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "krill", "larch")


def make(folder: Path, files: int = 4000, seed: int = 1) -> int:
    """Write so many files, or a few more; how many there are."""
    chance = random.Random(seed)
    count = 0
    number = 0
    while count < files:
        for path, text in _service(number, chance).items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            count += 1
        number += 1
    return count


def _service(number: int, chance: random.Random) -> dict[str, str]:
    name = f"{chance.choice(_WORDS)}-{number}"
    port = 1024 + number
    return {
        **_terraform(name, number, chance),
        **_kubernetes(name, port),
        **_bicep(name),
        f"infra/docker/{name}/Dockerfile": _DOCKERFILE.replace("PORT", str(port)).replace("NAME", name),
        f"infra/docker/{name}/Dockerfile.dockerignore": ".git\n",
        **{
            f"services/{name}/src/{each}.py": f'"""{each} of {name}."""\n\nPORT = {port}\n' * 20
            for each in ("app", "config", "models", "routes", "store")
        },
        f"services/{name}/README.md": f"# {name}\n\nServes port {port}.\n" * 5,
        f"services/{name}/package.json": f'{{"name": "{name}", "version": "1.0.{number}"}}\n',
    }


def _terraform(name: str, number: int, chance: random.Random) -> dict[str, str]:
    module, root = f"infra/terraform/modules/{name}", f"infra/terraform/roots/{name}"
    names = [f"{chance.choice(_WORDS)}_{each}" for each in range(6)]
    variables = "".join(
        f'variable "{each}" {{\n  description = "What {each} of {name} is."\n  type        = string\n}}\n\n'
        for each in names
    )
    resources = "".join(_RESOURCE.replace("NAME", each).replace("SERVICE", name) for each in names)
    outputs = "".join(
        f'output "{each}" {{\n  description = "The id."\n  value       = azurerm_resource_group.{each}.id\n}}\n\n'
        for each in names
    )
    given = "".join(f"  {each} = var.{each}\n" for each in names)
    call = f'module "this" {{\n  source = "../../modules/{name}"\n\n{given}}}\n'
    return {
        f"{module}/main.tf": resources,
        f"{module}/variables.tf": variables,
        f"{module}/outputs.tf": outputs,
        f"{module}/versions.tf": _VERSIONS,
        f"{module}/README.md": f"# {name}\n",
        f"{root}/main.tf": call,
        f"{root}/variables.tf": variables,
        f"{root}/backend.tf": _BACKEND,
        f"{root}/versions.tf": _VERSIONS,
        f"{root}/README.md": f"# {name}\n",
        **{
            f"{root}/{each}.tfvars": "".join(
                f'{one} = "rg-{each}-{number}-{place}"\n' for place, one in enumerate(names)
            )
            for each in ENVIRONMENTS
        },
    }


def _kubernetes(name: str, port: int) -> dict[str, str]:
    base = f"infra/kubernetes/base/{name}"
    found = {
        f"{base}/kustomization.yaml": "resources:\n  - deployment.yaml\n  - service.yaml\n",
        f"{base}/deployment.yaml": _DEPLOYMENT.replace("NAME", name).replace("PORT", str(port)),
        f"{base}/service.yaml": _SERVICE.replace("NAME", name).replace("PORT", str(port)),
    }
    for each in ENVIRONMENTS:
        overlay = f"infra/kubernetes/overlays/{each}/{name}"
        found[f"{overlay}/kustomization.yaml"] = (
            f"namespace: {name}-{each}\nresources:\n  - ../../../base/{name}\npatches:\n  - path: size.yaml\n"
        )
        replicas = 2 + ENVIRONMENTS.index(each)
        found[f"{overlay}/size.yaml"] = (
            f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: {replicas}\n"
        )
    return found


def _bicep(name: str) -> dict[str, str]:
    folder = f"packages/{name}/infrastructure"
    parameters = {
        f"{folder}/main.parameters.{each}.json": _PARAMETERS.replace("NAME", f"{name}-{each}") for each in ENVIRONMENTS
    }
    return {f"{folder}/main.bicep": _BICEP, **parameters}


_VERSIONS = """terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
"""
_BACKEND = """terraform {
  backend "azurerm" {}
}

provider "azurerm" {
  features {}
}
"""
_RESOURCE = """resource "azurerm_resource_group" "NAME" {
  name     = var.NAME
  location = "westeurope"

  tags = {
    service = "SERVICE"
    sized   = join("-", [for each in ["a", "b"] : upper(each) if each != ""])
  }
}

"""
_DOCKERFILE = """FROM python:3.13.1-slim
COPY services/NAME/src /app
USER 10001
EXPOSE PORT
HEALTHCHECK CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', PORT))"]
CMD ["python", "/app/app.py"]
"""
_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {app: NAME}
spec:
  replicas: 1
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: NAME
          image: NAME
          ports:
            - {name: http, containerPort: PORT}
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {memory: 128Mi}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          startupProbe: &probe
            httpGet: {path: /health, port: http}
          readinessProbe: *probe
          livenessProbe: *probe
"""
_SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: NAME
spec:
  selector: {app: NAME}
  ports:
    - {name: http, port: 80, targetPort: http}
"""
_BICEP = """@description('What it is called')
param name string

@description('Where')
param location string = resourceGroup().location

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: name
  location: location
  sku: {
    name: 'B1'
  }
}

resource site 'Microsoft.Web/sites@2023-12-01' = {
  name: '${name}-site'
  location: location
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
  }
}

output host string = site.properties.defaultHostName
"""
_PARAMETERS = """{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "name": {
      "value": "NAME"
    }
  }
}
"""

# ruff: noqa: E501 - a mistake stays on one line, so that the table can be read
"""Mistakes in small workspaces with Dockerfiles as others lay them out, and what is near to each rule.

Every row changes one file: a text of it, or the whole file where the old text is WHOLE.
"""

from typing import Any

WHOLE = ""
ROOT, APP, CART = "Dockerfile", "src/App/Dockerfile", "services/cart/Dockerfile"

# At the root: several stages, an ARG before the first, a syntax line.
WEB = {
    ROOT: """# syntax=docker/dockerfile:1.7
ARG NODE_VERSION=22.12
FROM node:${NODE_VERSION}-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY src/ src/
RUN npm run build && test -s dist/index.html

FROM nginx:1.27.3-alpine AS web
COPY --from=build /app/dist /usr/share/nginx/html
COPY nginx.conf /etc/nginx/nginx.conf
RUN apk add --no-cache curl && nginx -t
EXPOSE 8080
USER 101
HEALTHCHECK CMD ["curl", "-f", "http://127.0.0.1:8080/health"]
""",
    "package.json": "{}\n",
    "package-lock.json": "{}\n",
    "src/index.js": "",
    "nginx.conf": "",
    ".dockerignore": ".git\nnode_modules\n",
}
# Below the sources, built at the root; manifests beside.
DOTNET = {
    APP: """FROM mcr.microsoft.com/dotnet/sdk:9.0 AS build
WORKDIR /source
COPY Shop.sln ./
COPY src/App/App.csproj src/App/
RUN dotnet restore src/App/App.csproj
COPY src/ src/
RUN dotnet publish src/App --output /out

FROM mcr.microsoft.com/dotnet/aspnet:9.0 AS final
WORKDIR /app
RUN apt-get update \\
    && apt-get install -y --no-install-recommends curl \\
    # what is not needed any more
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out ./
ENV ASPNETCORE_HTTP_PORTS=8080
EXPOSE 8080
USER $APP_UID
HEALTHCHECK CMD curl --fail http://localhost:8080/health
ENTRYPOINT ["dotnet", "App.dll"]
""",
    "Shop.sln": "",
    "src/App/App.csproj": "",
    "src/App/Program.cs": "",
    ".dockerignore": "**/bin\n**/obj\n",
    "k8s/app.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - name: app
          image: registry.example.org/shop/app:1.0.0
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /health, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: http}]
""",
}
# In a folder of its own with its own context: heredocs, a range of ports, a List of manifests in JSON.
PYTHON = {
    CART: """FROM python:3.13-slim-bookworm AS base

FROM base AS build
RUN python -m venv /venv
COPY requirements.txt .
RUN <<EOF
set -e
/venv/bin/pip install -r requirements.txt
/venv/bin/pip check
EOF

FROM base
COPY --from=build /venv /venv
COPY . /app
COPY <<EOF /app/settings.toml
mode = "fast"; level = 1 || 2
EOF
EXPOSE 8000-8001/tcp
USER 1000:0
HEALTHCHECK CMD ["/venv/bin/python", "-m", "cart.health"]
CMD ["/venv/bin/python", "-m", "cart"]
""",
    "services/cart/requirements.txt": "",
    "services/cart/cart/__init__.py": "",
    "services/cart/.dockerignore": ".venv\n",
    "deploy/cart.json": """{
  "kind": "List",
  "apiVersion": "v1",
  "items": [
    {
      "kind": "StatefulSet",
      "apiVersion": "apps/v1",
      "metadata": {"name": "cart"},
      "spec": {
        "template": {
          "metadata": {"labels": {"app": "cart"}},
          "spec": {
            "containers": [
              {
                "name": "cart",
                "image": "registry.example.org:5000/shop/cart@sha256:0000",
                "livenessProbe": {"tcpSocket": {"port": 8001}}
              }
            ]
          }
        }
      }
    },
    {
      "kind": "Service",
      "apiVersion": "v1",
      "metadata": {"name": "cart"},
      "spec": {"selector": {"app": "cart"}, "ports": [{"port": 8000}]}
    }
  ]
}
""",
}
LAYOUTS = {"web": WEB, "dotnet": DOTNET, "python": PYTHON}
INSTALLED = """RUN apt-get update \\
    && apt-get install -y --no-install-recommends curl \\
    # what is not needed any more
    && rm -rf /var/lib/apt/lists/*
"""
BUILT = "RUN npm run build && test -s dist/index.html\n"
SCRIPT = "RUN <<EOF\nset -e\n/venv/bin/pip install -r requirements.txt\n/venv/bin/pip check\nEOF\n"
# The service's port is called by its name or number, and leads to one that the image does not have.
INGRESS = (
    DOTNET["k8s/app.yaml"]
    .replace("{", "{{")
    .replace("}", "}}")
    .replace("{{port: 80, targetPort: http}}", "{{name: web, port: 80, targetPort: 8443}}")
    + """---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: app}}
spec:
  rules:
    - host: app.example.org
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: app, port: {}}}}}}}]}}
"""
)
OTHER_PORT = "FROM nginx:1.27.3-alpine\nEXPOSE 9000\nUSER 101\nHEALTHCHECK CMD nginx -t\n"
APP_YAML, CART_JSON = "k8s/app.yaml", "deploy/cart.json"

# rule · layout · file · old text · new text · text of the line where it is found · more files
SEEDS: list[tuple[Any, ...]] = [
    ("syntax", "web", ROOT, "EXPOSE 8080", "EXPOSES 8080", "EXPOSES"),
    ("syntax", "python", CART, "-m\", \"cart\"]\n", "-m\", \"cart\"]\nRUN <<END\ntrue\nEND \n", "RUN <<END"),
    ("syntax", "dotnet", APP, "AS final", "final", "FROM mcr.microsoft.com/dotnet/aspnet"),
    ("syntax", "dotnet", APP, "AS final", "IS final", "IS final"),
    ("syntax", "web", ROOT, "EXPOSE 8080", "EXPOSE", "EXPOSE"),
    ("syntax", "python", CART, "COPY requirements.txt .", "COPY requirements.txt", "COPY requirements"),
    ("unknown-stage", "web", ROOT, "--from=build", "--from=builder", "--from=builder"),
    ("unknown-stage", "dotnet", APP, "--from=build", "--from=final", "--from=final"),
    ("unknown-stage", "web", ROOT, "COPY nginx.conf", "COPY --from=shared nginx.conf", "--from=shared", ("Makefile", "shared: all\n\tdocker build .\n")),
    ("unknown-stage", "python", CART, "COPY --from=build /venv /venv", "RUN --mount=type=bind,from=bild,source=/venv,target=/v cp -r /v /venv", "from=bild"),
    ("base-not-pinned", "web", ROOT, "ARG NODE_VERSION=22.12", "ARG NODE_VERSION", "FROM node"),
    ("base-not-pinned", "python", CART, "python:3.13-slim-bookworm", "localhost:5000/python", "FROM localhost"),
    ("base-not-pinned", "dotnet", APP, "WORKDIR /app\n", "WORKDIR /app\nCOPY --from=ghcr.io/example/probe:latest /probe /probe\n", "/probe"),
    ("base-not-pinned", "dotnet", APP, "WORKDIR /app\n", "WORKDIR /app\nCOPY --from=busybox /bin/wget /bin/wget\n", "busybox"),
    ("runs-as-root", "web", ROOT, "USER 101\n", "USER 101\nUSER 0:0\n", "USER 0:0"),
    ("runs-as-root", "dotnet", APP, "USER $APP_UID\n", "", "dotnet/aspnet"),
    ("runs-as-root", "dotnet", "windows/Dockerfile", WHOLE, "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nUSER ContainerAdministrator\nHEALTHCHECK CMD curl -f http://localhost/\n", "USER"),
    ("runs-as-root", "python", CART, "USER 1000:0\n", "ARG WHO=root\nUSER $WHO\n", "USER $WHO"),
    ("runs-as-root", "web", ROOT, WHOLE, "ARG WHO=0\nFROM nginx:1.27.3-alpine\nARG WHO\nUSER ${WHO}:101\nHEALTHCHECK CMD nginx -t\n", "USER"),
    ("runs-as-root", "dotnet", "tool/Dockerfile", WHOLE, 'FROM scratch\nCOPY --from=example/tool:1.0 /tool /tool\nHEALTHCHECK CMD ["/tool", "check"]\nENTRYPOINT ["/tool"]\n', "FROM scratch"),
    ("no-health-check", "python", CART, 'HEALTHCHECK CMD ["/venv/bin/python", "-m", "cart.health"]\n', "healthcheck none\n", "healthcheck"),
    ("no-health-check", "web", ROOT, 'USER 101\nHEALTHCHECK CMD ["curl", "-f", "http://127.0.0.1:8080/health"]\n', "USER 101\n", "FROM nginx"),
    ("no-health-check", "dotnet", "tool/Dockerfile", WHOLE, 'FROM scratch\nCOPY --from=example/tool:1.0 /tool /tool\nUSER 1\nCMD ["/tool"]\n', "FROM scratch"),
    ("compiler-shipped", "web", ROOT, "FROM nginx:1.27.3-alpine AS web", "FROM docker.io/library/golang:1.24-alpine AS web", "golang"),
    ("compiler-shipped", "dotnet", APP, "curl \\\n", "curl build-essential=12.9 \\\n", "RUN apt-get"),
    ("compiler-shipped", "python", CART, "EXPOSE", "RUN microdnf install -y gcc-c++ make\nEXPOSE", "microdnf"),
    ("failure-lost", "web", ROOT, BUILT, "RUN npm run build; test -s dist/index.html\n", "npm run build"),
    ("failure-lost", "python", CART, "set -e\n", "", "RUN <<EOF"),
    ("failure-lost", "dotnet", APP, "RUN dotnet publish src/App --output /out", "RUN dotnet publish src/App --output /out | tee /tmp/log", "dotnet publish"),
    ("failure-lost", "web", ROOT, BUILT, "RUN <<EOF bash\nnpm run build\ntest -s dist/index.html\nEOF\n", "RUN <<EOF"),
    ("source-missing", "web", ROOT, "COPY nginx.conf", "COPY ngnix.conf", "ngnix.conf"),
    ("source-missing", "dotnet", APP, "src/App/App.csproj src/App/", "src/App/Shop.csproj src/App/", "Shop.csproj"),
    ("source-missing", "python", "services/cart/.dockerignore", ".venv\n", "*.txt\n", ("services/cart/Dockerfile", "COPY requirements")),
    ("source-missing", "web", ROOT, "COPY src/ src/", "COPY lib*/ pages/*.tsx ./", "COPY lib"),
    ("source-missing", "web", ROOT, "package-lock.json", "yarn.lock", "yarn.lock"),
    ("source-missing", "web", ROOT, "COPY src/ src/", "ARG FOLDER=sources\nCOPY ${FOLDER}/ src/", "COPY ${FOLDER}"),
    ("source-missing", "web", ROOT, "COPY src/ src/", "COPY packages/ui/package.json ui/\nCOPY src/ src/", "packages/ui", (".gitmodules", '[submodule "ui"]\n\tpath = packages/ui\n\turl = https://example.org/ui\n'), ("packages/ui/index.js", "")),
    ("no-ignore-file", "python", "services/cart/.dockerignore", WHOLE, None, ("services/cart/Dockerfile", "COPY . /app")),
    ("no-ignore-file", "web", ROOT, "COPY src/ src/", "COPY ./ ./", "COPY ./", (".dockerignore", None)),
    ("secret", "web", ROOT, "WORKDIR /app\n", "WORKDIR /app\nARG NPM_AUTH_TOKEN\n", "NPM_AUTH_TOKEN"),
    ("secret", "dotnet", APP, "ENV ASPNETCORE_HTTP_PORTS=8080", "ENV ASPNETCORE_HTTP_PORTS=8080 ConnectionStrings__Shop_Password=sesame", "sesame"),
    ("secret", "python", CART, "USER 1000:0\n", "ENV SMTP_PASS sesame\nUSER 1000:0\n", "SMTP_PASS"),
    ("secret", "python", CART, "RUN python -m venv /venv", "RUN git clone https://build:sesame@git.example.org/shop.git /shop", "git clone"),
    ("port", "dotnet", APP_YAML, "port: http}}", "port: 8090}}", (APP, "EXPOSE")),
    ("port", "python", CART, "8000-8001/tcp", "8000/tcp", "EXPOSE"),
    ("port", "dotnet", APP_YAML, WHOLE, INGRESS.format("{name: web}"), (APP, "EXPOSE")),
    ("port", "dotnet", APP_YAML, WHOLE, INGRESS.format("{number: 80}"), (APP, "EXPOSE")),
    ("port", "dotnet", "build/app.Dockerfile", WHOLE, OTHER_PORT, "EXPOSE", (APP, None)),
    ("port", "dotnet", "Dockerfile.app", WHOLE, OTHER_PORT, "EXPOSE", (APP, None)),
    ("service-port", "python", CART_JSON, '"port": 8000}', '"port": 9000}', (CART, "EXPOSE")),
    ("service-port", "dotnet", APP_YAML, "targetPort: http}", "targetPort: 8443}", (APP, "EXPOSE")),
    ("service-port", "dotnet", APP_YAML, WHOLE, DOTNET[APP_YAML].replace("targetPort: http}", "targetPort: 8443}").replace("containerPort: 8080}]", "containerPort: 8080}, {containerPort: 8443}]").replace("      containers:\n", "      containers:\n        - {name: other, image: example/other:1.0}\n"), (APP, "EXPOSE")),
    ("add-without-checksum", "web", ROOT, "COPY src/ src/", 'COPY src/ src/\nADD ["https://example.org/fonts.zip", "fonts.zip"]', "fonts.zip"),
    ("add-without-checksum", "dotnet", APP, "COPY src/ src/", "COPY src/ src/\nADD https://github.com/example/tools.git#main tools", "tools.git"),
    ("package-lists", "dotnet", APP, " --no-install-recommends", "", "RUN apt-get"),
    ("package-lists", "dotnet", APP, "apt-get install -y", "apt-get install", "RUN apt-get"),
    ("package-lists", "web", ROOT, "RUN apk add --no-cache curl", "RUN apk add curl", "RUN apk"),
    ("package-lists", "python", CART, "RUN python -m venv /venv", "RUN apt-get install -y --no-install-recommends git && python -m venv /venv", "apt-get install"),
]  # fmt: skip

# rule it is near to · layout · file · old text · new text · more files
NEAR_MISSES: list[tuple[Any, ...]] = [
    ("syntax", "web", ROOT, "EXPOSE 8080\n", "expose\t8080\n"),
    ("syntax", "web", ROOT, BUILT, f'RUN [ "$TARGETARCH" = "amd64" ] || [ "$TARGETARCH" = "arm64" ]\n{BUILT}'),
    ("syntax", "web", ROOT, "COPY nginx.conf /etc/nginx/nginx.conf\n", 'COPY --link --chown=101:101 [ "nginx.conf", "/etc/nginx/nginx.conf" ]\n'),
    ("syntax", "dotnet", APP, "FROM mcr.microsoft.com/dotnet/sdk:9.0 AS build", "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 as Build"),
    ("syntax", "python", CART, "RUN <<EOF\n", 'RUN <<-"EOF"\n'),
    ("syntax", "dotnet", "windows/Dockerfile", WHOLE, "# escape=`\n# syntax=docker/dockerfile:1\nFROM mcr.microsoft.com/windows/nanoserver:ltsc2022\nRUN mkdir C:\\app &&`\n    mkdir C:\\logs\nWORKDIR C:\\app\\\nUSER ContainerUser\nHEALTHCHECK CMD app.exe check\n"),
    ("unknown-stage", "web", ROOT, "--from=build", "--from=0"),
    ("unknown-stage", "web", ROOT, "--from=build", "--from=BUILD"),
    ("unknown-stage", "web", ROOT, "COPY nginx.conf", "COPY --from=shared nginx.conf", ("compose.yaml", "services:\n  web:\n    build:\n      context: .\n      additional_contexts:\n        shared: ../shared\n")),
    ("unknown-stage", "web", ROOT, "COPY nginx.conf", "COPY --from=shared nginx.conf", ("Makefile", "image:\n\tdocker buildx build --build-context shared=../shared .\n")),
    ("unknown-stage", "web", ROOT, "--from=build /app/dist /usr/share/nginx/html", "--from=registry.example.org/shop/pages:4.2 / /usr/share/nginx/html"),
    ("base-not-pinned", "web", ROOT, "FROM nginx:1.27.3-alpine", f"FROM nginx@sha256:{'0' * 64}"),
    ("base-not-pinned", "web", ROOT, "FROM nginx:1.27.3-alpine", "FROM ${BASE:-nginx:1.27.3-alpine}"),
    ("base-not-pinned", "python", CART, "python:3.13-slim-bookworm", "debian:bookworm-slim"),
    ("base-not-pinned", "web", ROOT, "COPY nginx.conf", "COPY --from=registry.example.org:5000/conf:7 nginx.conf"),
    ("base-not-pinned", "web", ROOT, "COPY nginx.conf", "ARG TOOLS\nCOPY --from=$TOOLS nginx.conf"),
    ("runs-as-root", "web", ROOT, WHOLE, "", (ROOT, WEB[ROOT].replace("FROM nginx:1.27.3-alpine", "FROM nginxinc/nginx-unprivileged:1.27-alpine").replace("USER 101\n", ""))),
    ("runs-as-root", "python", CART, WHOLE, PYTHON[CART].replace("USER 1000:0\n", "").replace("AS base\n", "AS base\nUSER app\n")),
    ("runs-as-root", "web", ROOT, "USER 101\n", "USER root\nRUN nginx -V\nUSER nginx\n"),
    ("runs-as-root", "web", "pages/Dockerfile", WHOLE, "FROM scratch\nCOPY --from=example/pages:1.0 /out /\n"),
    ("no-health-check", "python", CART, WHOLE, PYTHON[CART].replace('HEALTHCHECK CMD ["/venv/bin/python", "-m", "cart.health"]\n', "").replace("AS base\n", "AS base\nHEALTHCHECK CMD python -V\n")),
    ("no-health-check", "web", "pages/Dockerfile", WHOLE, "FROM scratch AS pages\nCOPY --from=example/pages:1.0 /out /\nUSER 1\n"),
    ("compiler-shipped", "web", ROOT, "RUN apk add --no-cache curl && nginx -t", "RUN apk add --no-cache --virtual .build gcc make && apk add --no-cache curl && apk del .build && nginx -t"),
    ("compiler-shipped", "python", CART, "RUN python -m venv /venv", "RUN apt-get update && apt-get install -y gcc && python -m venv /venv"),
    ("compiler-shipped", "dotnet", APP, "curl \\\n", "curl libgcc-s1 gcc-14-base \\\n"),
    ("compiler-shipped", "web", ROOT, "RUN apk add --no-cache curl", "RUN apk info --description make && apk add --no-cache curl"),
    ("failure-lost", "web", ROOT, BUILT, 'RUN case "$TARGETARCH" in amd64) a=x64 ;; arm64) a=arm64 ;; *) exit 1 ;; esac && npm run build -- --arch "$a"\n'),
    ("failure-lost", "web", ROOT, BUILT, "RUN cat <<EOF > conf.sh && npm run build\na; b || true\nEOF\n"),
    ("failure-lost", "python", CART, SCRIPT, "RUN python3 <<EOF\nimport sys\nprint(1 | 2); sys.exit(0)\nEOF\n"),
    ("failure-lost", "python", CART, SCRIPT, "RUN <<EOF\n#!/usr/bin/env python3\nimport os\nprint(os.environ)\nEOF\n"),
    ("failure-lost", "web", ROOT, BUILT, "RUN <<EOF bash -euo pipefail\nnpm run build | tee log\ntest -s dist/index.html\nEOF\n"),
    ("failure-lost", "web", ROOT, BUILT, "RUN if [ -f .npmrc ]; then npm run build; else npm run build:open; fi\n"),
    ("failure-lost", "web", ROOT, BUILT, 'SHELL ["pwsh", "-Command"]\nRUN npm run build; Test-Path dist/index.html\n'),
    ("source-missing", "web", ROOT, "package-lock.json", "yarn.lock* pnpm-lock.yaml*"),
    ("source-missing", "web", ROOT, "COPY src/ src/", "COPY .git/ .git/\nCOPY src/ src/"),
    ("source-missing", "web", ROOT, "COPY nginx.conf", "COPY server nginx.conf", (".gitignore", "/server\n*.log\n")),
    ("source-missing", "web", ROOT, "COPY nginx.conf", "COPY server nginx.conf", ("Makefile", "server: main.go\n\tgo build -o server .\n")),
    ("source-missing", "dotnet", APP, "COPY src/ src/", "COPY src/**/*.cs src/"),
    ("source-missing", "web", ROOT, "COPY src/ src/", "ARG FOLDER=src\nCOPY ${FOLDER}/ src/"),
    ("source-missing", "web", ".dockerignore", WHOLE, "# all but what is built\n*\n!package*.json\n!src\n!nginx.conf\n"),
    ("source-missing", "web", ROOT, "COPY src/ src/", "COPY packages/ui/package.json ui/\nCOPY src/ src/", (".gitmodules", '[submodule "ui"]\n\tpath = packages/ui\n\turl = https://example.org/ui\n')),
    ("no-ignore-file", "python", "services/web/Dockerfile", WHOLE, PYTHON[CART].replace("COPY requirements.txt .\n", "").replace("-r requirements.txt", "flask"), ("services/web/.dockerignore", "*.pyc\n")),
    ("no-ignore-file", "web", ROOT, "COPY src/ src/", "COPY . .", (".dockerignore", None), ("Dockerfile.dockerignore", ".git\n")),
    ("no-ignore-file", "web", ROOT, "COPY --from=build /app/dist", "COPY --from=build . /app\nCOPY --from=build /app/dist", (".dockerignore", None)),
    ("secret", "web", ROOT, "npm ci\n", "npm ci\nENV API_TOKEN_FILE=/run/secrets/token TOKEN_URL=https://example.org/token PASSWORD=\n"),
    ("secret", "web", ROOT, "RUN --mount=type=cache,target=/root/.npm npm ci", "RUN --mount=type=secret,id=token,env=NPM_TOKEN --mount=type=cache,target=/root/.npm npm ci"),
    ("secret", "web", ROOT, "COPY nginx.conf", "COPY keys/nodesource.gpg.key /etc/\nCOPY .env.example /app/\nCOPY nginx.conf", ("keys/nodesource.gpg.key", ""), (".env.example", "")),
    ("secret", "python", CART, "RUN python -m venv /venv", "RUN git clone https://$USER:$WORD@git.example.org/shop.git /shop"),
    ("secret", "web", ROOT, "COPY nginx.conf", "COPY --from=build /app/.env /usr/share/nginx/html/.env\nCOPY nginx.conf"),
    ("port", "dotnet", APP, "EXPOSE 8080", "ARG PORT=8080\nEXPOSE ${PORT}/tcp"),
    ("port", "dotnet", APP, "EXPOSE 8080\n", ""),
    ("port", "dotnet", APP_YAML, "      containers:\n", "      containers:\n        - name: proxy\n          image: registry.example.org/envoy:1.32\n          readinessProbe: {httpGet: {path: /ready, port: 15021}}\n"),
    ("port", "dotnet", APP_YAML, "[{name: http, containerPort: 8080}]", "[{name: metrics, containerPort: 9100}, {name: http, containerPort: 8080}]"),
    ("service-port", "dotnet", APP_YAML, "selector: {app: app}\n  ports: [{port: 80, targetPort: http}]", "selector: {app: other}\n  ports: [{port: 80, targetPort: 9999}]"),
    ("service-port", "dotnet", APP_YAML, WHOLE, "", (APP_YAML, DOTNET[APP_YAML].replace("targetPort: http}", "targetPort: 8443}").replace("      containers:\n", "      containers:\n        - {name: tls, image: example/tls:1.0, ports: [{containerPort: 8443}]}\n"))),
    ("service-port", "python", CART_JSON, '"port": 8000}', '"port": 9000, "targetPort": 8000}'),
    ("service-port", "dotnet", APP_YAML, "selector: {app: app}\n  ports: [{port: 80, targetPort: http}]", "ports: [{port: 9999}]"),
    ("add-without-checksum", "web", ROOT, "COPY src/ src/", f"COPY src/ src/\nADD https://github.com/example/tools.git#{'0' * 40} tools\nADD vendor.tar.gz /opt/", ("vendor.tar.gz", "")),
    ("add-without-checksum", "web", ROOT, "COPY src/ src/", f"COPY src/ src/\nADD --checksum=sha256:{'0' * 64} --chmod=644 https://example.org/fonts.zip /opt/"),
    ("package-lists", "dotnet", APP, "apt-get install -y --no-install-recommends curl", "DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends curl"),
    ("package-lists", "dotnet", APP, INSTALLED, "RUN --mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install --yes --no-install-recommends curl\n"),
    ("package-lists", "dotnet", APP, "apt-get update \\\n", "apt-get update && apt-get upgrade -y \\\n"),
    ("package-lists", "python", CART, "RUN python -m venv /venv", "RUN apt-get update && apt-get dist-upgrade -y && python -m venv /venv"),
    ("package-lists", "dotnet", APP, INSTALLED, "COPY curl.deb /tmp/\nRUN apt-get install -y --no-install-recommends /tmp/curl.deb && rm -rf /var/lib/apt/lists\n", ("curl.deb", "")),
    ("package-lists", "web", ROOT, "RUN apk add --no-cache curl", "RUN apk --no-cache add curl"),
    ("package-lists", "web", ROOT, "RUN apk add --no-cache curl", "RUN apk update && apk add curl && rm -rf /var/cache/apk/*"),
    ("package-lists", "web", ROOT, "WORKDIR /app\n", "WORKDIR /app\nRUN apk add git\n"),
    ("package-lists", "dotnet", APP, INSTALLED, """RUN echo 'APT::Install-Recommends "0";' > /etc/apt/apt.conf.d/99no\n""" + INSTALLED.replace(" --no-install-recommends", "")),
]  # fmt: skip

# ruff: noqa: E501 - a seed stays on one line, so that the table can be read
"""Workflows and .gitmodules: seeded mistakes are found by their rule and at their line, and near misses are not."""

import random
from datetime import date
from pathlib import Path

import pytest
from github_workspace import DEPLOY, FILES, IMAGES, INFRA, MODULES, PRODUCTION, SETUP
from workspace.preflight import github
from workspace.preflight.ages import ages, ended
from workspace.preflight.checkout import Checkout
from workspace.preflight.github_expressions import condition
from workspace.preflight.github_triggers import matches
from workspace.preflight.github_workflow import holds

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 28)
# The text of a whole file.
WHOLE = "\x00"

ROLLOUT = "kubectl rollout status statefulset/mystira-chain -n mystira-dev --timeout=600s"
APPLIED = "kubectl apply -k infra/kubernetes/overlays/dev"
PLANNED = "terraform plan -input=false -out=tfplan -detailed-exitcode || code=$?"
APPLY = "terraform apply -input=false tfplan"
CURL = 'if curl --fail --silent --max-time 5 "$HOST/health"; then exit 0; fi'
HEALTH = f'{CURL}\n            sleep 10\n          done\n          echo "$HOST is not well"\n          exit 1'
SAID = 'echo "chain: ${{ needs.chain.result }}"'
BUILT = 'docker build -f infra/docker/publisher/Dockerfile -t "$TAG" .'
PUSHED = 'docker push "$TAG"'
DEPLOYED = "az webapp deploy --name mystira-api --src-path app.zip"
CHAIN_IF = "if: ${{ !failure() && !cancelled() }}"
URL = "https://github.com/example/chain.git"
CASES = """case "$code" in
            0) echo "changed=false" >> "$GITHUB_OUTPUT" ;;
            2) echo "changed=true" >> "$GITHUB_OUTPUT" ;;
            *) exit "$code" ;;
          esac"""
NIGHTLY = """\
name: Nightly
on:
  push:
    branches: [main]
permissions:
  contents: read
concurrency: nightly
jobs:
  rollout:
    runs-on: ubuntu-24.04
    environment: development
    steps:
      - uses: actions/checkout@v5
      - run: |
          kubectl apply -k infra/kubernetes/overlays/dev
"""
COMMENT = NIGHTLY.replace("push:\n    branches: [main]", "issue_comment:")
NIGHT = ".github/workflows/nightly.yml"
PULLED = """\
name: Pulled
on: pull_request_target
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: npm test
"""
CHOSEN = """\
name: By hand
on:
  workflow_dispatch:
    inputs:
      where:
        type: choice
        options: [dev, prod]
      remark:
        required: false
permissions:
  contents: read
concurrency: by-hand
env:
  RUNTIME: '10.0'
  PLACE: ${{ github.event.inputs.where || 'dev' }}
jobs:
  rollout:
    runs-on: ubuntu-24.04
    environment: ${{ inputs.where }}
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-dotnet@v5
        with:
          dotnet-version: ${{ env.RUNTIME }}
      - run: |
          kubectl apply -k infra/kubernetes/overlays/${{ inputs.where }}
          echo "done=true" >> $GITHUB_OUTPUT
"""
GUARDED = "    environment: ${{ inputs.where }}\n"
OVERLAY = "kubectl apply -k infra/kubernetes/overlays/${{ inputs.where }}"
CLOSED = """\
on:
  pull_request:
    types: [closed]
jobs:
  close:
    runs-on: ubuntu-24.04
    steps:
      - uses: azure/static-web-apps-deploy@v1
        with:
          azure_static_web_apps_api_token: ${{ secrets.SITE_TOKEN }}
          action: close
"""
JOB = NIGHTLY.partition("  rollout:\n")[2]
AFTERWARDS = (
    NIGHTLY.replace("push:\n    branches: [main]", "workflow_run:\n    workflows: [Infrastructure]")
    .replace("concurrency: nightly\n", "")
    .replace("  rollout:\n", "  rollout:\n    concurrency: one\n")
    + f"  again:\n    concurrency: two\n{JOB}"
).replace("overlays/dev", "overlays/prod")
BUILDING = """\
      - uses: docker/build-push-action@v6
        with:
          context: .
          file: infra/docker/publisher/Dockerfile
      - uses: azure/static-web-apps-deploy@v1
        with:
          app_location: /packages/publisher
          api_location: packages/publisher/api
      - run: |
"""
BUILT_HERE = CHOSEN.replace("      - run: |\n", BUILDING)
UPDATED = NIGHTLY.replace(APPLIED, 'az containerapp update --name api --image "$IMAGE"').replace(
    "    steps:", "    env:\n      IMAGE: registry.example.org/api:${{ github.ref_name }}\n    steps:"
)
PIPED = "kustomize build infra/kubernetes/overlays/dev | kubectl apply -f -"
TAGGED = NIGHTLY.replace(
    "push:\n    branches: [main]",
    "push:\n    tags: ['v*']\n  pull_request:\n  workflow_dispatch:\n    inputs: {go: {}}",
)

# What changes nothing.
QUIET = NIGHTLY.replace(APPLIED, "kubectl get pods --all-namespaces")
SCANNED = QUIET.replace(
    "      - run: |\n",
    "      - uses: github/codeql-action/upload-sarif@v4\n        with:\n          sarif_file: a.sarif\n      - run: |\n",
)
EVENTS = "  contents: read\n  security-events: write\n"
OPENED = NIGHTLY.replace("push:\n    branches: [main]", "pull_request_target:").replace(
    "    environment: development\n", ""
)
INSTALLED = QUIET.replace(
    "      - run: |\n",
    "      - uses: hashicorp/setup-terraform@v4\n        with:\n          terraform_version: 1.8.5\n"
    "      - run: terraform -chdir=infra/terraform/environments/dev validate\n      - run: |\n",
)
VALIDATED = "terraform -chdir=infra/terraform/environments/dev validate"
ROOT_FILE = "infra/terraform/environments/dev/main.tf"

# rule · file · old text · new text · text on the line where it is found; None for a file without line
SEEDS = [
    ("unreadable", INFRA, "jobs:\n", "jobs:\n<<<<<<< HEAD\n", "<<<<<<< HEAD"),
    ("unreadable", IMAGES, "permissions:", "on: push\npermissions:", "on: push\npermissions"),
    ("unreadable", SETUP, WHOLE, "name: a\nruns: b: c\n", "runs: b"),
    ("shape", IMAGES, "    runs-on: ubuntu-24.04\n    env:\n", "    env:\n", "image:\n"),
    ("shape", DEPLOY, "    runs-on: ubuntu-24.04\n    environment", "    environment", "deploy:\n    environment"),
    (
        "shape",
        IMAGES,
        '      - name: Smoke\n        run: ./scripts/smoke.sh "$TAG"',
        "      - name: Smoke",
        "name: Smoke",
    ),
    ("shape", SETUP, "      shell: bash\n", "", "- id: kubectl"),
    ("expression", INFRA, "needs.chain.result }}", "needs.chain.result }", SAID.replace(" }}", " }")),
    ("expression", IMAGES, "github.event_name == 'push'", 'github.event_name == "push"', 'event_name == "push"'),
    ("expression", IMAGES, "github.event_name == 'push'", "starts_with(github.ref, 'refs/tags')", "starts_with"),
    ("context-not-there", IMAGES, "github.event_name == 'push'", "env.TAG != ''", "env.TAG"),
    (
        "context-not-there",
        INFRA,
        "- name: Roll out\n",
        "- name: Roll out\n        if: secrets.CHAIN_TOKEN != ''\n",
        "if: secrets",
    ),
    ("context-not-there", IMAGES, "  test:\n", "  test:\n    if: matrix.node == '24'\n", "if: matrix.node"),
    (
        "condition-always-holds",
        INFRA,
        CHAIN_IF,
        "if: ${{ !failure() }} && ${{ !cancelled() }}",
        "if: ${{ !failure() }} &&",
    ),
    ("condition-always-holds", IMAGES, "if: github", "if: ${{ true }} || github", "if: ${{ true }}"),
    ("unknown-job", INFRA, "needs: [plan, apply]\n", "needs: [plan, aply]\n", "aply"),
    (
        "unknown-job",
        INFRA,
        "    needs: plan\n    if: needs.plan.outputs.changed == 'true'",
        "    if: needs.plan.outputs.changed == 'true'",
        "if: needs.plan",
    ),
    ("unknown-job", IMAGES, "  test:\n", "  test:\n    needs: image\n", ["needs: image", "needs: test"]),
    ("unknown-output", INFRA, "if: needs.plan.outputs.changed", "if: needs.plan.outputs.change", "if: needs.plan"),
    ("unknown-output", DEPLOY, "steps.deploy.outputs.url", "steps.deploy.outputs.appServiceUrl", "appServiceUrl"),
    ("unknown-output", PRODUCTION, "needs.app.outputs.url", "needs.app.outputs.host", "outputs.host"),
    ("unknown-output", DEPLOY, "steps.deploy.outputs.url", "steps.deployed.outputs.url", "steps.deployed"),
    (
        "unknown-input",
        PRODUCTION,
        "      environment: production\n      commit",
        "      enviroment: production\n      commit",
        ["uses: ./.github/workflows/_deploy", "enviroment"],
    ),
    (
        "unknown-input",
        PRODUCTION,
        "      token: ${{",
        "      tokens: ${{",
        ["uses: ./.github/workflows/_deploy", "tokens:"],
    ),
    ("unknown-input", PRODUCTION, "ref: ${{ inputs.commit }}", "ref: ${{ inputs.comit }}", "inputs.comit"),
    (
        "unknown-input",
        INFRA,
        "          version: v1.36.0\n",
        "          versions: v1.36.0\n",
        ["- uses: ./.github/actions/setup", "versions:"],
    ),
    ("unknown-key", IMAGES, "coverage-${{ matrix.node }}", "coverage-${{ matrix.nodes }}", "matrix.nodes"),
    ("unknown-key", IMAGES, 'smoke.sh "$TAG"', 'smoke.sh "${{ env.TAGS }}"', "env.TAGS"),
    ("missing-file", IMAGES, "./scripts/smoke.sh", "./script/smoke.sh", "./script/smoke.sh"),
    (
        "missing-file",
        INFRA,
        "apply -k infra/kubernetes/overlays/dev",
        "apply -k infra/kubernetes/overlay/dev",
        "overlay/dev",
    ),
    ("missing-file", INFRA, "uses: ./.github/actions/setup", "uses: ./.github/actions/set-up", "actions/set-up"),
    ("missing-file", PRODUCTION, "workflows/_deploy.yml", "workflows/deploy.yml", "workflows/deploy.yml"),
    (
        "missing-file",
        IMAGES,
        "working-directory: packages/publisher",
        "working-directory: packages/publishers",
        "publishers",
    ),
    (
        "artifact",
        INFRA,
        "          name: tfplan\n          path: infra/terraform/environments/dev\n",
        "          name: plan\n          path: infra/terraform/environments/dev\n",
        "- uses: actions/download-artifact",
    ),
    ("artifact", IMAGES, "coverage-${{ matrix.node }}", "coverage", "- uses: actions/upload-artifact"),
    ("trigger", INFRA, "on:\n  push:", "on:\n  pushed: {}\n  push:", "pushed"),
    ("trigger", IMAGES, "0 6 * * 1-5", "0 25 * * 1-5", "cron"),
    (
        "trigger",
        IMAGES,
        "  pull_request:\n",
        "  pull_request:\n    paths: [packages/**]\n    paths-ignore: [docs/**]\n",
        "pull_request:",
    ),
    ("trigger", IMAGES, "  pull_request:\n", "  workflow_run:\n    workflows: [Infra]\n", "[Infra]"),
    (
        "path-filter-never-fires",
        IMAGES,
        "    branches: [main]\n",
        "    branches: [main]\n    paths: [packages/chain/src/**]\n",
        "paths:",
    ),
    (
        "path-filter-never-fires",
        IMAGES,
        "  pull_request:\n",
        "  pull_request:\n    paths:\n      - pakages/**\n",
        "paths:",
    ),
    (
        "path-filter-stale",
        INFRA,
        "      - infra/kubernetes/**\n",
        "      - infra/kubernetes/**\n      - infra/helm/**\n",
        "infra/helm",
    ),
    (
        "path-filter-stale",
        IMAGES,
        "    branches: [main]\n",
        "    branches: [main]\n    paths: ['packages/**', Makefile]\n",
        "Makefile",
    ),
    ("path-filter-misses", INFRA, "      - infra/kubernetes/**\n", "", APPLIED),
    ("path-filter-misses", INFRA, "      - infra/terraform/**\n", "", APPLY),
    ("unknown-branch", INFRA, "branches: [main]", "branches: [master]", "[master]"),
    ("unknown-branch", IMAGES, "branches: [main]", "branches: [trunk, stable]", "trunk"),
    ("branches-disagree", NIGHT, WHOLE, NIGHTLY.replace("[main]", "[staging]"), "[staging]"),
    (
        "branches-disagree",
        NIGHT,
        WHOLE,
        NIGHTLY.replace("[main]", "\n      - develop").replace("development", "Development"),
        "branches:",
    ),
    (
        "input-not-there",
        INFRA,
        CHAIN_IF,
        "if: contains(inputs.component, 'chain') && inputs.component != ''",
        "if: contains",
    ),
    ("input-not-there", INFRA, CHAIN_IF, "if: github.event.inputs.component == 'chain'", "if: github.event.inputs"),
    (
        "input-not-there",
        INFRA,
        "apply -k infra/kubernetes/overlays/dev",
        "apply -k infra/kubernetes/${{ inputs.component }}",
        "inputs.component",
    ),
    (
        "no-concurrency",
        INFRA,
        "concurrency:\n  group: infra-dev\n  cancel-in-progress: false\n",
        "",
        "apply:\n",
    ),
    ("no-concurrency", PRODUCTION, "concurrency:\n  group: production\n", "", "publisher:\n"),
    ("deploy-cancelled", INFRA, "cancel-in-progress: false", "cancel-in-progress: true", "cancel-in-progress"),
    (
        "deploy-cancelled",
        PRODUCTION,
        "  group: production\n",
        "  group: production\n  cancel-in-progress: true\n",
        "cancel-in-progress",
    ),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY, "kubectl apply"),
    (
        "deployed-twice",
        NIGHT,
        WHOLE,
        NIGHTLY.replace(
            "kubectl apply -k infra/kubernetes/overlays/dev",
            "cd infra/kubernetes/overlays\n          kubectl apply -k dev",
        ),
        "kubectl apply",
    ),
    ("production-without-gate", PRODUCTION, "    environment: production\n    steps", "    steps", "publisher:\n"),
    (
        "production-without-gate",
        NIGHT,
        WHOLE,
        NIGHTLY.replace("    environment: development\n", "").replace("overlays/dev", "overlays/prod"),
        "rollout:",
    ),
    ("deploy-by-anyone", NIGHT, WHOLE, COMMENT.replace("    environment: development\n", ""), "rollout:"),
    (
        "deploy-by-anyone",
        NIGHT,
        WHOLE,
        COMMENT.replace("issue_comment", "issues").replace(
            "    environment: development\n", "    if: contains(github.event.issue.labels.*.name, 'go')\n"
        ),
        "rollout:",
    ),
    ("deploy-on-pull-request", NIGHT, WHOLE, OPENED, "rollout:"),
    (
        "deploy-on-pull-request",
        NIGHT,
        WHOLE,
        OPENED.replace("pull_request_target:", "pull_request_target:\n    branches: [main]"),
        "rollout:",
    ),
    ("no-security-events", NIGHT, WHOLE, SCANNED, "- uses: github/codeql-action"),
    (
        "no-security-events",
        NIGHT,
        WHOLE,
        SCANNED.replace("permissions:\n  contents: read\n", "permissions: read-all\n"),
        "- uses: github/codeql-action",
    ),
    ("terraform-version", NIGHT, WHOLE, INSTALLED, "terraform_version:"),
    (
        "terraform-version",
        NIGHT,
        WHOLE,
        INSTALLED.replace("1.8.5", "1.8.x").replace(
            VALIDATED, "cd infra/terraform/environments/dev && terraform validate"
        ),
        "terraform_version:",
    ),
    (
        "terraform-version",
        NIGHT,
        WHOLE,
        INSTALLED.replace("1.8.5", "${{ env.VERSION }}").replace("jobs:\n", "env:\n  VERSION: 2.0.1\njobs:\n"),
        "terraform_version:",
    ),
    ("retired", NIGHT, WHOLE, QUIET.replace("actions/checkout@v5", "actions/deploy-pages@v2"), "- uses:"),
    (
        "action-aging",
        NIGHT,
        WHOLE,
        SCANNED.replace("upload-sarif@v4", "upload-sarif@v3").replace("  contents: read\n", EVENTS),
        "- uses: github/codeql-action",
    ),
    (
        "action-aging",
        NIGHT,
        WHOLE,
        QUIET.replace(
            "      - run: |\n",
            "      - uses: actions/cache/restore@v4\n        with:\n          path: a\n          key: b\n      - run: |\n",
        ),
        "- uses: actions/cache",
    ),
    ("foreign-code-with-secrets", NIGHT, WHOLE, PULLED, "ref:"),
    (
        "foreign-code-with-secrets",
        NIGHT,
        WHOLE,
        PULLED.replace("github.event.pull_request.head.sha", "github.head_ref"),
        "ref:",
    ),
    ("runs-after-failure", INFRA, CHAIN_IF, "if: always()", "if: always()\n    runs-on: ubuntu-24.04\n    environment"),
    ("runs-after-failure", INFRA, CHAIN_IF, "if: ${{ !cancelled() }}", "if: ${{ !cancelled() }}"),
    ("claims-success", INFRA, SAID, 'echo "Promotion completed successfully"', "Promotion"),
    ("claims-success", INFRA, SAID, "echo '✅ Deployed to dev' >> \"$GITHUB_STEP_SUMMARY\"", "Deployed"),
    ("production-from-branch", PRODUCTION, "ref: ${{ inputs.commit }}", "ref: main", "ref: main"),
    ("production-from-branch", PRODUCTION, "ref: ${{ inputs.commit }}", "ref: refs/heads/staging", "ref: refs"),
    ("never-run", "packages/publisher/.github/workflows/ci.yml", WHOLE, "on: push\njobs: {}\n", None),
    ("never-run", "services/.github/workflows/ci.yaml", WHOLE, NIGHTLY, None),
    ("wait-cannot-fail", INFRA, ROLLOUT, f"{ROLLOUT} || true", "|| true"),
    ("wait-cannot-fail", INFRA, ROLLOUT, f"{ROLLOUT} || {{ echo late; }}", "echo late"),
    ("wait-cannot-fail", INFRA, APPLIED, f"{APPLIED} || echo 'not applied'", "not applied"),
    (
        "continues-on-error",
        INFRA,
        "- name: Roll out\n",
        "- name: Roll out\n        continue-on-error: true\n",
        "continue-on-error",
    ),
    (
        "continues-on-error",
        PRODUCTION,
        "    environment: production\n    steps",
        "    environment: production\n    continue-on-error: true\n    steps",
        "continue-on-error",
    ),
    ("loop-without-failure", INFRA, HEALTH, HEALTH.replace("\n          exit 1", ""), "for attempt"),
    (
        "loop-without-failure",
        INFRA,
        HEALTH,
        'curl --fail "$HOST" && break\n            sleep 10\n          done\n          echo "gone on"',
        "for attempt",
    ),
    ("wait-without-deadline", INFRA, " --timeout=600s", "", "kubectl rollout"),
    ("wait-without-deadline", INFRA, "for attempt in 1 2 3 4 5 6; do", "until getent hosts chain; do", "until getent"),
    ("sleep-as-wait", INFRA, ROLLOUT, f"{ROLLOUT}\n          sleep 60", "sleep 60"),
    ("sleep-as-wait", PRODUCTION, "kubectl rollout status deployment/publisher --timeout=5m", "sleep 2m", "sleep 2m"),
    ("curl-without-fail", INFRA, "curl --fail --silent", "curl --silent", "curl --silent"),
    (
        "curl-without-fail",
        PRODUCTION,
        'run: curl --fail --silent "$URL/health"',
        'run: curl -s "$URL/readyz" > /dev/null',
        "curl -s",
    ),
    (
        "exit-lost-in-pipe",
        PRODUCTION,
        "kubectl apply -k infra/kubernetes/overlays/prod",
        "kubectl apply -k infra/kubernetes/overlays/prod | tee log",
        "tee log",
    ),
    ("exit-lost-in-pipe", IMAGES, "npm test\n", "npm test 2>&1 | tail -n 50\n", "npm test"),
    ("failure-ignored", INFRA, APPLIED, f"set +e\n          {APPLIED}", "set +e"),
    ("failure-ignored", INFRA, ROLLOUT, f"{ROLLOUT} &", "rollout status"),
    ("failure-ignored", IMAGES, "npm ci\n", "npm ci && npm run build\n", "npm ci &&"),
    (
        "failure-ignored",
        IMAGES,
        "working-directory: packages/publisher\n",
        "working-directory: packages/publisher\n        shell: bash {0}\n",
        "npm ci",
    ),
    ("exit-lost-in-word", DEPLOY, 'url="$(az', 'export url="$(az', "export url"),
    (
        "exit-lost-in-word",
        DEPLOY,
        'echo "url=https://$url"',
        'echo "url=$(az webapp show --name mystira-api --output tsv)"',
        'echo "url=$(az',
    ),
    (
        "error-as-no-change",
        INFRA,
        f"{PLANNED}\n          {CASES}",
        'set +e\n          terraform plan -out=tfplan -detailed-exitcode\n          if [ $? -eq 2 ]; then echo "changed=true" >> "$GITHUB_OUTPUT"; fi',
        "terraform plan",
    ),
    (
        "error-as-no-change",
        INFRA,
        f"{PLANNED}\n          {CASES}",
        'if ! terraform plan -out=tfplan | grep -q "No changes"; then\n            echo "changed=true" >> "$GITHUB_OUTPUT"\n          fi',
        "terraform plan",
    ),
    (
        "error-as-no-change",
        INFRA,
        f"{PLANNED}\n          {CASES}",
        'set +e\n          set -o pipefail\n          terraform plan -out=tfplan -detailed-exitcode 2>&1 | tee plan.txt\n          code=$?\n          set -e\n          if [[ $code -eq 2 ]]; then\n            echo "changed=true" >> "$GITHUB_OUTPUT"\n          else\n            echo "changed=false" >> "$GITHUB_OUTPUT"\n          fi',
        "terraform plan",
    ),
    (
        "claims-success",
        INFRA,
        SAID,
        f'{SAID}\n          echo "⚠️ Deployment completed. Monitor services closely." >> "$GITHUB_STEP_SUMMARY"',
        "Monitor services",
    ),
    (
        "error-hidden",
        DEPLOY,
        'url="$(az webapp show --name mystira-api --query defaultHostName --output tsv)"',
        'url="$(az webapp show --name mystira-api 2>/dev/null || echo none)"',
        'url="$(az',
    ),
    (
        "error-hidden",
        INFRA,
        APPLIED,
        f'ip="$(kubectl get ingress -o name 2> /dev/null || true)"\n          {APPLIED} --field-manager "$ip"',
        'ip="$(',
    ),
    ("plan-not-applied", INFRA, APPLY, "terraform apply -auto-approve -input=false", "terraform apply"),
    (
        "plan-not-applied",
        PRODUCTION,
        "kubectl apply -k infra/kubernetes/overlays/prod",
        "terraform apply -auto-approve",
        "terraform apply",
    ),
    (
        "plan-not-carried",
        INFRA,
        "      - uses: actions/download-artifact@v7\n        with:\n          name: tfplan\n          path: infra/terraform/environments/dev\n",
        "",
        APPLY,
    ),
    (
        "plan-not-carried",
        INFRA,
        "uses: actions/download-artifact@v7\n        with:\n          name: tfplan\n          path",
        "uses: actions/setup-node@v5\n        with:\n          name",
        APPLY,
    ),
    ("secret-in-clear", INFRA, "TF_IN_AUTOMATION: 1", "ARM_CLIENT_SECRET: 4xV8Q~abc", "ARM_CLIENT_SECRET"),
    (
        "secret-in-clear",
        IMAGES,
        'smoke.sh "$TAG"',
        'smoke.sh "DefaultEndpointsProtocol=https;AccountKey=bm90IGEgcmVhbCBrZXkgYXQgYWxs"',
        "AccountKey",
    ),
    ("secret-shown", INFRA, APPLIED, f'echo "$TOKEN"\n          {APPLIED}', 'echo "$TOKEN"'),
    (
        "secret-shown",
        DEPLOY,
        'echo "url=https://$url"',
        'echo "token=$TOKEN" >> "$GITHUB_OUTPUT"\n          echo "url=https://$url"',
        "token=$TOKEN",
    ),
    (
        "secret-shown",
        INFRA,
        "      changed: ${{ steps.plan.outputs.changed }}\n",
        "      changed: ${{ steps.plan.outputs.changed }}\n      key: ${{ secrets.KEY }}\n",
        "key: ${{",
    ),
    (
        "secret-on-command-line",
        IMAGES,
        PUSHED,
        f"docker login --password ${{{{ secrets.REGISTRY }}}} registry.example.org\n          {PUSHED}",
        "docker login",
    ),
    (
        "secret-on-command-line",
        INFRA,
        APPLY,
        'terraform apply -input=false -var "key=${{ secrets.KEY }}" tfplan',
        "terraform apply",
    ),
    ("script-injection", IMAGES, "npm test\n", 'npm test -- "${{ github.event.pull_request.title }}"\n', "npm test --"),
    (
        "script-injection",
        IMAGES,
        "npm test\n",
        "git checkout ${{ github.head_ref }}\n          npm test\n",
        "git checkout",
    ),
    ("permissions-open", PRODUCTION, "permissions:\n  contents: read\n  id-token: write\n", "", "publisher:\n"),
    ("permissions-open", IMAGES, "permissions:\n  contents: read\n", "permissions: write-all\n", "write-all"),
    ("no-id-token", INFRA, "  contents: read\n  id-token: write\n", "  contents: read\n", "- name: Log in"),
    (
        "no-id-token",
        INFRA,
        "    timeout-minutes: 30\n",
        "    timeout-minutes: 30\n    permissions:\n      contents: read\n",
        "- name: Log in",
    ),
    (
        "long-lived-login",
        INFRA,
        "client-id: ${{ vars.AZURE_CLIENT_ID }}\n",
        "creds: ${{ secrets.AZURE_CREDENTIALS }}\n",
        "creds:",
    ),
    (
        "long-lived-login",
        INFRA,
        "client-id: ${{ vars.AZURE_CLIENT_ID }}\n",
        "client-id: ${{ vars.AZURE_CLIENT_ID }}\n          client-secret: ${{ secrets.AZURE }}\n",
        "client-secret:",
    ),
    ("action-follows-branch", IMAGES, "actions/setup-node@v5", "actions/setup-node@main", "setup-node@main"),
    ("action-follows-branch", IMAGES, "actions/setup-node@v5", "actions/setup-node", "setup-node"),
    (
        "action-tag-moves",
        INFRA,
        "- name: Roll out\n",
        "- uses: example/notify@v2\n      - name: Roll out\n",
        "example/notify",
    ),
    (
        "action-tag-moves",
        PRODUCTION,
        "- name: Roll out\n",
        "- uses: example/notify@1.2.3\n      - name: Roll out\n",
        "example/notify",
    ),
    (
        "image-floating",
        PRODUCTION,
        'publisher="$IMAGE"',
        "publisher=registry.example.org/publisher:latest",
        "publisher:latest",
    ),
    (
        "image-floating",
        PRODUCTION,
        'kubectl set image deployment/publisher publisher="$IMAGE"',
        "helm upgrade publisher chart --set image.tag=prod",
        "image.tag=prod",
    ),
    (
        "image-built-again",
        PRODUCTION,
        "kubectl apply -k",
        f'{BUILT.replace("$TAG", "$IMAGE")}\n          docker push "$IMAGE"\n          kubectl apply -k',
        "- name: Roll out",
    ),
    (
        "image-built-again",
        PRODUCTION,
        "kubectl apply -k",
        "az acr build --registry example --file infra/docker/publisher/Dockerfile .\n          kubectl apply -k",
        "- name: Roll out",
    ),
    ("retired", DEPLOY, "ubuntu-24.04", "ubuntu-20.04", "ubuntu-20.04"),
    ("retired", IMAGES, "upload-artifact@v6", "upload-artifact@v3", "upload-artifact@v3"),
    ("out-of-support", IMAGES, "node-version: ${{ matrix.node }}", "node-version: 18.x", "18.x"),
    (
        "out-of-support",
        IMAGES,
        "uses: actions/setup-node@v5\n        with:\n          node-version: ${{ matrix.node }}",
        "uses: actions/setup-dotnet@v5\n        with:\n          dotnet-version: |\n            10.0.x\n            8.0.x",
        "8.0.x",
    ),
    ("action-aging", DEPLOY, "actions/checkout@v5", "actions/checkout@v4", "checkout@v4"),
    ("action-aging", IMAGES, "actions/setup-node@v5", "actions/setup-node@v4.1.0", "setup-node@v4"),
    ("submodule-incomplete", MODULES, f"\turl = {URL}\n", "", '[submodule "packages/chain"]'),
    ("submodule-incomplete", MODULES, f"url = {URL}", f"url = {URL}\n\tupdate = !make", "update"),
    (
        "submodule-incomplete",
        MODULES,
        '[submodule "packages/story"]',
        '=======\n[submodule "packages/story"]',
        "=======",
    ),
    ("submodule-address", MODULES, URL, "git://github.com/example/chain.git", "git://"),
    ("submodule-address", MODULES, URL, "https://me:ghp_1234@github.com/example/chain.git", "ghp_1234"),
    ("submodule-address", MODULES, URL, "/home/me/chain", "/home/me"),
    ("submodule-needs-key", MODULES, URL, "git@github.com:example/chain.git", "git@"),
    ("submodule-needs-key", MODULES, URL, "../chain.git", "../chain"),
    ("submodule-path", MODULES, "path = packages/chain", "path = packages/chian", "chian"),
    ("submodule-path", MODULES, "path = packages/story", "path = packages/chain/", "path = packages/chain/"),
    ("submodule-path", MODULES, "path = packages/story", "path = ../story", "../story"),
    ("submodule-follows-branch", MODULES, f"url = {URL}", f"url = {URL}\n\tbranch = main", "branch"),
    ("submodule-follows-branch", MODULES, f"url = {URL}", f"url = {URL}\n\tbranch = .", "branch"),
    (
        "submodule-moved-by-workflow",
        INFRA,
        APPLIED,
        f"git submodule update --init --remote\n          {APPLIED}",
        "--remote",
    ),
    (
        "submodule-moved-by-workflow",
        IMAGES,
        "npm ci\n",
        "git submodule update --remote packages/chain\n          npm ci\n",
        "--remote",
    ),
    (
        "submodules-left-out",
        IMAGES,
        "working-directory: packages/publisher",
        "working-directory: packages/chain",
        "packages/chain",
    ),
    (
        "submodules-left-out",
        IMAGES,
        "docker build -f",
        "docker build --build-context story=packages/story/src -f",
        "docker build",
    ),
    ("shape", NIGHT, WHOLE, NIGHTLY.replace("on:\n  push:\n    branches: [main]\n", "on:\n"), "on:"),
    ("missing-file", NIGHT, WHOLE, CHOSEN.replace("[dev, prod]", "[dev, staging, prod]"), "kubectl apply"),
    (
        "missing-file",
        NIGHT,
        WHOLE,
        CHOSEN.replace(OVERLAY, "kubectl apply -k clusters/${{ env.PLACE }}"),
        "kubectl apply",
    ),
    (
        "missing-file",
        NIGHT,
        WHOLE,
        CHOSEN.replace(
            "      - run: |\n", "      - working-directory: ${{ matrix.folder }}\n        run: make\n      - run: |\n"
        ).replace("    steps:", "    strategy:\n      matrix: {folder: [scripts, staging/scripts]}\n    steps:"),
        "working-directory",
    ),
    (
        "missing-file",
        INFRA,
        APPLIED,
        f"az deployment sub what-if -l westeurope -f app.bicep --parameters size=2 @settings/dev.json\n          {APPLIED}",
        "az deployment",
    ),
    (
        "missing-file",
        INFRA,
        "      - name: Roll out\n",
        "      - uses: azure/cli@v2\n        with:\n          inlineScript: ./scripts/names.sh\n      - name: Roll out\n",
        "names.sh",
    ),
    (
        "missing-file",
        NIGHT,
        WHOLE,
        CHOSEN.replace(
            "checkout@v5\n", "checkout@v5\n        with:\n          repository: ${{ github.repository }}\n"
        ).replace(OVERLAY, "./scripts/roll.sh"),
        "roll.sh",
    ),
    ("missing-file", INFRA, APPLIED, "kubectl kustomize clusters/eu | kubectl apply -f -", "clusters/eu"),
    ("missing-file", NIGHT, WHOLE, BUILT_HERE.replace("publisher/Dockerfile", "api/Dockerfile"), "api/Dockerfile"),
    ("missing-file", NIGHT, WHOLE, BUILT_HERE.replace("/packages/publisher\n", "sites/main\n"), "sites/main"),
    (
        "missing-file",
        NIGHT,
        WHOLE,
        CHOSEN.replace("    steps:", "    defaults: {run: {working-directory: infra/gone}}\n    steps:")
        + "      - run: make\n      - run: make test\n",
        "infra/gone",
    ),
    ("image-floating", NIGHT, WHOLE, UPDATED, "az containerapp"),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY.replace(APPLIED, PIPED), "kustomize build"),
    (
        "deployed-twice",
        NIGHT,
        WHOLE,
        AFTERWARDS.replace("overlays/prod\n  again", "overlays/prod # one\n  again"),
        "overlays/prod\n",
    ),
    ("production-without-gate", NIGHT, WHOLE, CHOSEN.replace(GUARDED, ""), "rollout:"),
    ("out-of-support", NIGHT, WHOLE, CHOSEN.replace("'10.0'", "3.1.402"), "dotnet-version"),
    ("out-of-support", NIGHT, WHOLE, CHOSEN.replace("'10.0'", "7.x"), "dotnet-version"),
    (
        "wait-cannot-fail",
        DEPLOY,
        DEPLOYED,
        "az webapp deployment source config-zip --name mystira-api --src app.zip || true",
        "config-zip",
    ),
    ("wait-cannot-fail", DEPLOY, DEPLOYED, "func azure functionapp publish mystira-jobs || echo late", "func azure"),
    (
        "exit-lost-in-pipe",
        PRODUCTION,
        "kubectl apply -k",
        "npx @azure/static-web-apps-cli@2 deploy dist 2>&1 | tee log\n          code=$?\n"
        '          test "$code" = 0\n          kubectl apply -k',
        "tee log",
    ),
]

# rule that must not fire · file · old text · new text
NEAR_MISSES = [
    ("production-without-gate", NIGHT, WHOLE, CHOSEN),
    ("production-without-gate", NIGHT, WHOLE, CHOSEN.replace(GUARDED, "    if: github.event.inputs.where != 'prod'\n")),
    ("missing-file", NIGHT, WHOLE, CHOSEN.replace("[dev, prod]", "[dev, prod, all]")),
    ("missing-file", NIGHT, WHOLE, CHOSEN.replace("[dev, prod]", "[dev, test, prod]").replace("      - run: |", "      - if: inputs.where != 'test'\n        run: |")),
    ("missing-file", NIGHT, WHOLE, CHOSEN.replace(OVERLAY, "mkdir -p infra/${{ inputs.where }}/made\n          kubectl apply -k infra/${{ inputs.where }}/made")),
    ("missing-file", NIGHT, WHOLE, CHOSEN.replace("[dev, prod]", "[dev, test, prod]").replace(OVERLAY, 'if [ -d "infra/kubernetes/overlays/${{ inputs.where }}" ]; then\n            kubectl apply -k infra/kubernetes/overlays/${{ inputs.where }}\n          fi')),
    ("missing-file", INFRA, APPLIED, f"az deployment sub what-if -l westeurope -f app.bicep --parameters kind=a/b.json @package.json https://example.org/a/b.json\n          {APPLIED}"),
    ("input-not-there", NIGHT, WHOLE, TAGGED.replace("    environment: development\n", "    environment: development\n    if: inputs.go == 'yes' || startsWith(github.ref, 'refs/tags/')\n")),
    ("input-not-there", NIGHT, WHOLE, TAGGED.replace("      - run: |\n", '      - run: |\n          if [ -n "${{ inputs.go }}" ]; then echo ${{ inputs.go }}; fi\n')),
    ("out-of-support", NIGHT, WHOLE, CHOSEN.replace("    steps:", "    strategy:\n      matrix: {runtime: ['8.0', '10.0']}\n    steps:").replace("env.RUNTIME", "matrix.runtime")),
    ("permissions-open", NIGHT, WHOLE, CLOSED),
    ("missing-file", NIGHT, WHOLE, BUILT_HERE),
    ("missing-file", NIGHT, WHOLE, CHOSEN + "      - if: hashFiles('tools/lint/go.mod') != ''\n        working-directory: tools/lint\n        run: make\n"),
    ("missing-file", NIGHT, WHOLE, f"{CHOSEN}      - id: lint\n        run: test ! -d tools/lint || echo there=yes >> $GITHUB_OUTPUT\n      - if: steps.lint.outputs.there\n        working-directory: tools/lint\n        run: make\n"),
    ("submodules-left-out", NIGHT, WHOLE, CHOSEN.replace("    steps:", "    defaults: {run: {working-directory: packages/chain}}\n    steps:").partition("      - run:")[0]),
    ("missing-file", NIGHT, WHOLE, BUILT_HERE.replace("context: .", 'context: "{{defaultContext}}:src"').replace("/packages/publisher\n", "site\n          skip_app_build: true\n")),
    ("image-floating", NIGHT, WHOLE, UPDATED.replace("branches: [main]", "tags: ['v*']")),
    ("image-floating", NIGHT, WHOLE, UPDATED.replace("ref_name", "sha")),
    ("deployed-twice", NIGHT, WHOLE, AFTERWARDS.replace("concurrency: two", "concurrency: one")),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY.replace(APPLIED, PIPED.replace("dev", "prod"))),
    ("missing-file", INFRA, APPLIED, f"kustomize build https://example.org/a/b | kubectl apply -f -\n          {APPLIED}"),
    ("wait-cannot-fail", DEPLOY, DEPLOYED, f'{DEPLOYED} || echo "late=true" >> "$GITHUB_OUTPUT"'),
    ("wait-cannot-fail", DEPLOY, DEPLOYED, f"npx swa --version || true\n          func azure functionapp list-functions mystira-jobs || true\n          {DEPLOYED}"),
    ("secret-on-command-line", INFRA, APPLIED, f"az aks get-credentials --name aks --resource-group ${{{{ secrets.AKS_RESOURCE_GROUP }}}}\n          {APPLIED}"),
    ("secret-shown", INFRA, APPLIED, f"echo searching ${{{{ secrets.SEARCH_ENDPOINT }}}}\n          {APPLIED}"),
    ("sleep-as-wait", INFRA, APPLIED, f"{APPLIED}\n          sleep 60"),
    ("curl-without-fail", IMAGES, "npm ci\n", "curl -sL https://aka.ms/InstallAzureCLIDeb | sudo bash\n          npm ci\n"),
    ("trigger", IMAGES, "  pull_request:\n", "  pull_request:\n  something_new_next_year:\n"),
    ("production-without-gate", NIGHT, WHOLE, NIGHTLY.replace("    environment: development\n", "").replace("kubectl apply -k infra/kubernetes/overlays/dev", "az webapp deployment slot swap --name api --slot staging --target-slot production")),
    ("claims-success", INFRA, "      - name: Say\n        run: |\n", "      - name: Say\n        run: |\n          test \"${{ needs.chain.result }}\" = success || exit 1\n          echo Deployed\n"),
    ("unreadable", INFRA, "\n", "\r\n"),
    ("unreadable", INFRA, "name: Infrastructure", "\ufeffname: Infrastructure"),
    ("shape", NIGHT, WHOLE, "on: [push]\njobs:\n  a:\n    runs-on: [self-hosted, linux]\n    steps:\n      - run: make\n"),
    ("expression", INFRA, SAID, "echo '$${HOME} }} {{ x }}'"),
    ("expression", IMAGES, "github.event_name == 'push'", "github.event_name == 'push' && !contains(fromJSON('[\"a''b\"]'), github['ref'])"),
    ("context-not-there", INFRA, "- name: Roll out\n", "- name: Roll out\n        if: env.HOST != '' && runner.os == 'Linux' && success()\n"),
    ("context-not-there", DEPLOY, "environment: ${{ inputs.environment }}\n", "environment:\n      name: ${{ inputs.environment }}\n      url: ${{ steps.deploy.outputs.url }}\n"),
    ("condition-always-holds", INFRA, CHAIN_IF, "if: |\n      !failure() &&\n      !cancelled()"),
    ("unknown-job", INFRA, SAID, 'echo "chain: ${{ toJSON(needs) }}" "${{ needs.*.result }}"'),
    ("unknown-output", DEPLOY, "steps.deploy.outputs.url", "steps.deploy.outcome"),
    ("unknown-output", DEPLOY, 'echo "url=https://$url" >> "$GITHUB_OUTPUT"', 'printf "%s=%s\\n" url "$url" >> "$GITHUB_OUTPUT"'),
    ("unknown-output", DEPLOY, 'echo "url=https://$url" >> "$GITHUB_OUTPUT"', './publish.sh "$url"'),
    ("unknown-input", PRODUCTION, "    secrets:\n      token: ${{ secrets.DEPLOY_TOKEN }}\n", "    secrets: inherit\n"),
    ("unknown-input", PRODUCTION, "      environment: production\n      commit", "      Environment: production\n      commit"),
    ("unknown-key", IMAGES, "        node: ['22', '24']\n", "        include:\n          - node: '24'\n"),
    ("unknown-key", IMAGES, "matrix:\n        node: ['22', '24']\n", "matrix: ${{ fromJSON(vars.MATRIX) }}\n"),
    ("unknown-key", IMAGES, 'smoke.sh "$TAG"', 'smoke.sh "${{ env.SET_BY_AN_ACTION }}"'),
    ("missing-file", IMAGES, "./scripts/smoke.sh", "curl -fsSLO https://example.org/check.sh\n          ./check.sh"),
    ("missing-file", IMAGES, "working-directory: packages/publisher", "working-directory: packages/publisher/dist"),
    ("missing-file", IMAGES, "npm ci\n", "npm ci\n          cd \"$HOME\"\n          ./tool\n"),
    ("missing-file", INFRA, "apply -k infra/kubernetes/overlays/dev", "apply -k https://github.com/example/x//overlays/dev"),
    ("missing-file", INFRA, "- name: Roll out\n", "- name: Roll out\n        working-directory: packages/story/deploy\n"),
    ("artifact", INFRA, "          name: tfplan\n          path: infra/terraform/environments/dev\n", "          name: plan\n          run-id: 7\n          path: infra/terraform/environments/dev\n"),
    ("artifact", IMAGES, "          node-version:", "          token: ${{ matrix.node }}\n          node-version:"),
    ("trigger", IMAGES, "0 6 * * 1-5", "*/15 0-6,22 1,15 JAN-JUN mon"),
    ("trigger", IMAGES, "  pull_request:\n", "  workflow_run:\n    workflows: [Infrastructure]\n"),
    ("path-filter-never-fires", IMAGES, "    branches: [main]\n", "    branches: [main]\n    paths: [packages/chain, '**.sh']\n"),
    ("path-filter-stale", IMAGES, "    branches: [main]\n", "    branches: [main]\n    paths: ['packages/**', '**/*.tfvars', '!docs/**']\n"),
    ("path-filter-misses", INFRA, "      - infra/terraform/**\n      - infra/kubernetes/**\n", "      - '**'\n      - '!docs/**'\n"),
    ("unknown-branch", INFRA, "branches: [main]", "branches: [main, master]"),
    ("unknown-branch", INFRA, "branches: [main]", "branches: ['releases/**']"),
    ("branches-disagree", NIGHT, WHOLE, NIGHTLY.replace("[main]", "[staging]").replace("environment: development", "environment: staging").replace("overlays/dev", "overlays/prod")),
    ("input-not-there", INFRA, CHAIN_IF, "if: github.event_name == 'push' || inputs.component == 'chain'"),
    ("input-not-there", INFRA, "apply -k infra/kubernetes/overlays/dev", "apply -k infra/kubernetes/${{ inputs.component || 'overlays/dev' }}"),
    ("no-concurrency", INFRA, "concurrency:\n  group: infra-dev\n  cancel-in-progress: false\n", "concurrency: infra-dev\n"),
    ("no-concurrency", INFRA, APPLIED, f"{APPLIED} --dry-run=server"),
    ("deploy-cancelled", IMAGES, "permissions:", "concurrency:\n  group: ci\n  cancel-in-progress: true\npermissions:"),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY.replace("overlays/dev", "overlays/prod")),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY.replace("concurrency: nightly", "concurrency: infra-dev")),
    ("deployed-twice", NIGHT, WHOLE, NIGHTLY.replace("push:\n    branches: [main]", "workflow_dispatch:")),
    ("production-without-gate", NIGHT, WHOLE, NIGHTLY.replace("    environment: development\n", "    needs: approve\n    if: github.ref_name == 'x'\n").replace("jobs:\n", "jobs:\n  approve:\n    runs-on: ubuntu-24.04\n    environment: production\n    steps:\n      - run: 'true'\n").replace("overlays/dev", "overlays/prod")),
    ("production-without-gate", INFRA, APPLIED, f"NODE_ENV=production {APPLIED}"),
    ("deploy-by-anyone", NIGHT, WHOLE, COMMENT.replace("    environment: development\n", "    if: github.event.comment.author_association == 'OWNER'\n")),
    ("deploy-on-pull-request", NIGHT, WHOLE, OPENED.replace("pull_request_target", "pull_request")),
    ("deploy-on-pull-request", NIGHT, WHOLE, OPENED.replace("  rollout:\n", "  rollout:\n    if: github.event.pull_request.merged\n")),
    ("deploy-on-pull-request", NIGHT, WHOLE, OPENED.replace("kubectl apply", "kubectl diff")),
    ("no-security-events", NIGHT, WHOLE, SCANNED.replace("  contents: read\n", EVENTS)),
    ("no-security-events", NIGHT, WHOLE, SCANNED.replace("sarif_file: a.sarif\n", "sarif_file: a.sarif\n          token: ${{ secrets.SCANNER }}\n")),
    ("no-security-events", NIGHT, WHOLE, SCANNED.replace("upload-sarif", "init")),
    ("terraform-version", NIGHT, WHOLE, INSTALLED.replace("1.8.5", "1.14.0")),
    ("terraform-version", NIGHT, WHOLE, INSTALLED.replace("1.8.5", "latest")),
    ("terraform-version", NIGHT, WHOLE, INSTALLED.replace("1.8.5", "~1.8")),
    ("terraform-version", NIGHT, WHOLE, INSTALLED.replace(VALIDATED, "terraform fmt -check -recursive")),
    ("action-aging", NIGHT, WHOLE, QUIET.replace("      - run: |\n", "      - uses: actions/cache/restore@v5\n        with:\n          path: a\n          key: b\n      - run: |\n")),
    ("foreign-code-with-secrets", NIGHT, WHOLE, PULLED.replace("pull_request_target", "pull_request")),
    ("foreign-code-with-secrets", NIGHT, WHOLE, PULLED.replace("  test:\n", "  test:\n    if: github.event.pull_request.head.repo.full_name == github.repository\n")),
    ("runs-after-failure", INFRA, CHAIN_IF, "if: always() && needs.apply.result == 'success'"),
    ("runs-after-failure", INFRA, SAID, "terraform destroy -auto-approve"),
    ("claims-success", INFRA, SAID, 'if [ "${{ needs.chain.result }}" = success ]; then echo "Promotion completed"; fi'),
    ("production-from-branch", PRODUCTION, "ref: ${{ inputs.commit }}", "ref: v1.2.3"),
    ("never-run", "templates/app/.github/workflows/ci.yml", WHOLE, NIGHTLY),
    ("never-run", "packages/chain/.github/workflows/ci.yml", WHOLE, "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n"),
    ("wait-cannot-fail", INFRA, ROLLOUT, f"{ROLLOUT} || {{ kubectl get pods; exit 1; }}"),
    ("wait-cannot-fail", INFRA, ROLLOUT, f"{ROLLOUT} || failed=1\n          test -z \"$failed\""),
    ("wait-cannot-fail", INFRA, ROLLOUT, f"kubectl delete job migrate || true\n          {ROLLOUT}"),
    ("continues-on-error", INFRA, ROLLOUT, f"{ROLLOUT}\n        id: rollout\n        continue-on-error: true\n      - if: steps.rollout.outcome == 'failure'\n        run: exit 1"),
    ("loop-without-failure", INFRA, HEALTH, 'curl --fail "$HOST" && healthy=1 && break\n            sleep 10\n          done\n          [ -n "$healthy" ]'),
    ("loop-without-failure", INFRA, HEALTH, 'curl --fail "$HOST" && break\n            sleep 10\n          done\n          kubectl wait pod --all --for condition=ready'),
    ("wait-without-deadline", INFRA, " --timeout=600s", "\n        timeout-minutes: 10"),
    ("wait-without-deadline", INFRA, "kubectl rollout status statefulset/mystira-chain -n mystira-dev --timeout=600s", "kubectl rollout status deployment/mystira-chain"),
    ("sleep-as-wait", INFRA, APPLIED, f"sleep 5\n          {APPLIED}"),
    ("sleep-as-wait", IMAGES, "npm test\n", "npm start &\n          sleep 30\n          npm test\n"),
    ("curl-without-fail", INFRA, CURL, 'code="$(curl --silent --output /dev/null --write-out "%{http_code}" "$HOST/health")"\n            if [ "$code" = 200 ]; then exit 0; fi'),
    ("curl-without-fail", INFRA, "curl --fail --silent", "curl -sSf"),
    ("exit-lost-in-pipe", PRODUCTION, "kubectl apply -k", "set -o pipefail\n          kubectl apply --wait -k infra/kubernetes/overlays/prod | tee log\n          kubectl apply -k"),
    ("exit-lost-in-pipe", PRODUCTION, "kubectl apply -k infra/kubernetes/overlays/prod", "kubectl kustomize infra/kubernetes/overlays/prod | kubectl apply -f -"),
    ("exit-lost-in-pipe", INFRA, "terraform init -input=false\n          code=0", "terraform init -input=false | tee log\n          code=0"),
    ("failure-ignored", INFRA, APPLIED, f"set +e\n          {APPLIED}\n          code=$?\n          set -e\n          test \"$code\" = 0"),
    ("failure-ignored", INFRA, APPLIED, f"{APPLIED} &\n          wait $!"),
    ("failure-ignored", IMAGES, "npm ci\n          npm test\n", "npm ci && npm test\n"),
    ("exit-lost-in-word", DEPLOY, 'echo "url=https://$url"', 'echo "sha=$(git rev-parse HEAD)" >> "$GITHUB_OUTPUT"\n          echo "url=https://$url"'),
    ("error-as-no-change", INFRA, PLANNED, "set +e\n          terraform plan -out=tfplan -detailed-exitcode\n          code=$?\n          set -e"),
    ("error-hidden", INFRA, APPLIED, f"if ! kubectl get namespace mystira-dev 2>/dev/null; then kubectl create namespace mystira-dev; fi\n          {APPLIED}"),
    ("plan-not-applied", INFRA, APPLY, "terraform apply -input=false -var-file dev.tfvars -lock-timeout=5m ./tfplan"),
    ("plan-not-applied", INFRA, APPLY, f"terraform apply -refresh-only -auto-approve\n          {APPLY}"),
    ("plan-not-carried", INFRA, "      - uses: actions/download-artifact@v7\n        with:\n          name: tfplan\n          path: infra/terraform/environments/dev\n", "      - run: az storage blob download --name tfplan --file infra/terraform/environments/dev/tfplan\n"),
    ("secret-in-clear", IMAGES, "    strategy:", "    services:\n      db:\n        image: postgres:18\n        env:\n          POSTGRES_PASSWORD: postgres\n    env:\n      DB: postgresql://me:secret-of-tests@localhost/db\n    strategy:"),
    ("secret-shown", IMAGES, PUSHED, f"echo ${{{{ secrets.GITHUB_TOKEN }}}} | docker login --password-stdin registry.example.org\n          {PUSHED}"),
    ("secret-shown", INFRA, APPLIED, f'echo "::add-mask::$TOKEN"\n          printf "%s" "$TOKEN" > token\n          {APPLIED}'),
    ("secret-on-command-line", INFRA, APPLIED, f'az account set --subscription ${{{{ secrets.AZURE_SUBSCRIPTION_ID }}}}\n          {APPLIED} --token "$TOKEN"'),
    ("script-injection", IMAGES, "npm test\n", "npm test -- ${{ github.event.pull_request.number }} ${{ github.ref_name }}\n"),
    ("permissions-open", PRODUCTION, "permissions:\n  contents: read\n  id-token: write\n", "permissions: read-all\n"),
    ("no-id-token", INFRA, "client-id: ${{ vars.AZURE_CLIENT_ID }}\n", "client-id: ${{ vars.AZURE_CLIENT_ID }}\n          auth-type: IDENTITY\n"),
    ("long-lived-login", INFRA, "client-id: ${{ vars.AZURE_CLIENT_ID }}\n", "client-id: ${{ secrets.AZURE_CLIENT_ID }}\n"),
    ("action-follows-branch", IMAGES, "actions/setup-node@v5", "actions/setup-node@0123456789012345678901234567890123456789"),
    ("action-tag-moves", INFRA, "- name: Roll out\n", f"- uses: example/notify@{'0' * 40} # v2\n      - name: Roll out\n"),
    ("action-tag-moves", IMAGES, "- name: Test\n", "- uses: example/lint@v2\n      - name: Test\n"),
    ("image-floating", PRODUCTION, 'publisher="$IMAGE"', "publisher=registry.example.org/publisher:1.4.2"),
    ("image-floating", IMAGES, PUSHED, f'{PUSHED}\n          docker tag "$TAG" publisher:latest\n          docker push registry.example.org/publisher:latest'),
    ("image-built-again", PRODUCTION, "kubectl apply -k", "docker build -f infra/docker/tools/Dockerfile -t tools .\n          kubectl apply -k"),
    ("retired", DEPLOY, "runs-on: ubuntu-24.04", "runs-on: [self-hosted, ubuntu-20.04]"),
    ("retired", DEPLOY, "ubuntu-24.04", "ubuntu-22.04"),
    ("out-of-support", IMAGES, "node-version: ${{ matrix.node }}", "node-version: lts/*"),
    ("action-aging", DEPLOY, "actions/checkout@v5", "actions/checkout@v40"),
    ("submodule-incomplete", MODULES, f"url = {URL}", f"URL = {URL} ; ours\n\t# a remark\n\tshallow = true\n\tupdate = rebase"),
    ("submodule-address", MODULES, URL, "https://token@github.com/example/chain.git"),
    ("submodule-needs-key", MODULES, URL, "https://gitlab.example.org/a/git@b.git"),
    ("submodule-path", MODULES, "path = packages/chain", "path = packages/chain/"),
    ("submodule-follows-branch", MODULES, f"url = {URL}", f"url = {URL}\n\tignore = dirty"),
    ("submodule-moved-by-workflow", INFRA, APPLIED, f"git submodule update --init --recursive\n          {APPLIED}"),
    ("submodules-left-out", IMAGES, "npm ci\n", "git submodule update --init packages/chain\n          cat ../chain/README.md\n          npm ci\n"),
]  # fmt: skip


def workspace(root: Path, *edits: tuple[str, str, str]) -> Path:
    """A workspace on disk, with texts replaced."""
    texts = dict(FILES)
    for file, old, new in edits:
        if old != WHOLE:
            assert old in texts[file], f"{file} has no {old!r}"
        texts[file] = new if old == WHOLE else texts[file].replace(old, new)
    for file, text in texts.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(text.encode())
    (root / ".git").mkdir()
    (root / ".git/packed-refs").write_text(
        "# pack-refs\n0 refs/remotes/origin/main\n0 refs/heads/develop\n0 refs/remotes/origin/staging\n"
    )
    return root


def found(root: Path) -> list[tuple[str, str]]:
    """The rules and places of all findings."""
    findings = github.check(Checkout(root), TODAY).findings
    return [(each.rule.id.removeprefix("github/"), each.place) for each in findings]


def line(root: Path, file: str, text: str) -> str:
    """`file:line` of a text."""
    content = (root / file).read_text()
    return f"{file}:{content.count(chr(10), 0, content.index(text)) + 1}"


def expected(root: Path, seed: tuple[str, str, str, str, str | list[str] | None]) -> set[str]:
    """The places a seed must be found at; the file alone where a rule names no line."""
    _, file, _, _, where = seed
    wanted = where if isinstance(where, list) else [where] if where else []
    return {line(root, file, each) for each in wanted} or {file}


def judged(root: Path, seed: tuple[str, str, str, str, str | list[str] | None]) -> tuple[int, int, int]:
    """How many findings a seed must give, how many of them it gives, and how many it gives beside them."""
    workspace(root, seed[1:4])
    wanted = set() if seed[4] == [] else expected(root, seed)
    given = found(root)
    right = [each for each in given if each[0] == seed[0] and each[1] in wanted]
    met = len(wanted & {place for _, place in right})
    return len(wanted), met, len(given) - len(right)


# What each row has given, so that one test can count them all without looking twice.
SEEN: dict[tuple, tuple[int, int, int]] = {}


def named(rows: list[tuple]) -> list[str]:
    return [f"{each[0]}-{place}" for place, each in enumerate(rows)]


@pytest.mark.parametrize("seed", SEEDS, ids=named(SEEDS))
def test_a_mistake_is_found_by_its_rule_and_nothing_else_is(tmp_path: Path, seed: tuple) -> None:
    wanted, met, beside = SEEN[seed[:4]] = judged(tmp_path, seed)
    assert (met, beside) == (wanted, 0), found(tmp_path)


@pytest.mark.parametrize("miss", NEAR_MISSES, ids=named(NEAR_MISSES))
def test_what_only_looks_like_a_mistake_is_not_found(tmp_path: Path, miss: tuple) -> None:
    given = found(workspace(tmp_path, miss[1:4]))
    SEEN[miss[:4]] = (0, 0, len(given))
    assert given == []


def test_precision_and_recall_on_the_corpus_are_both_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, each in enumerate([*SEEDS, *NEAR_MISSES]):
        if each[:4] not in SEEN:
            (tmp_path / str(place)).mkdir()
            SEEN[each[:4]] = judged(tmp_path / str(place), each if len(each) == 5 else (*each, []))
    wanted, met, beside = (sum(each[number] for each in SEEN.values()) for number in range(3))
    precision, recall = met / (met + beside), met / wanted
    with capsys.disabled():
        print(  # noqa: T201
            f"\nGitHub rules: {len(github.RULES)} rules, {len(SEEDS)} seeds, {len(NEAR_MISSES)} near misses: "
            f"precision {precision:.3f}, recall {recall:.3f}"
        )
    assert (precision, recall) == (1.0, 1.0)


def test_a_note_that_is_true_of_many_places_of_a_file_is_told_once(tmp_path: Path) -> None:
    old = CHOSEN.replace("checkout@v5\n", "checkout@v4\n      - uses: actions/checkout@v4\n")
    report = github.check(Checkout(workspace(tmp_path, (NIGHT, WHOLE, old))), TODAY)
    (note,) = report.findings
    assert (note.rule.id, note.place) == ("github/action-aging", f"{NIGHT}:21")
    assert note.what.endswith("take v5 or later (and 1 more in this file)")


def test_a_risk_that_is_true_of_many_places_of_a_file_is_told_once(tmp_path: Path) -> None:
    setup = CHOSEN.partition("      - uses: actions/setup-dotnet")[2].partition("      - run")[0]
    twice = CHOSEN.replace("      - run", f"      - uses: actions/setup-dotnet{setup}      - run").replace(
        "'10.0'", "7.x"
    )
    report = github.check(Checkout(workspace(tmp_path, (NIGHT, WHOLE, twice))), TODAY)
    assert [(each.rule.id, each.line) for each in report.findings] == [("github/out-of-support", 24)]
    assert report.findings[0].what.endswith("(and 1 more in this file)")


def test_jobs_that_one_line_of_the_workflow_would_mend_are_told_together(tmp_path: Path) -> None:
    jobs = f"  again:\n{NIGHTLY.partition('  rollout:')[2][1:]}"
    bare = f"{NIGHTLY}{jobs}".replace("concurrency: nightly\n", "").replace("permissions:\n  contents: read\n", "")
    report = github.check(Checkout(workspace(tmp_path, (NIGHT, WHOLE, bare.replace("push:", "merge_group:")))), TODAY)
    assert [(each.rule.id, each.what.partition("; ")[2]) for each in report.findings] == [
        ("github/no-concurrency", "nor has again"),
        ("github/permissions-open", "nor does again"),
    ]


def test_a_workflow_that_cannot_be_read_is_still_waited_for_by_its_name(tmp_path: Path) -> None:
    broken = (NIGHT, WHOLE, f"on: push\n{NIGHTLY}")
    waits = (IMAGES, "  pull_request:\n", '  workflow_run:\n    workflows: ["Nightly"]\n')
    assert found(workspace(tmp_path, broken, waits)) == [("unreadable", f"{NIGHT}:3")]


def test_an_export_without_gits_notes_has_no_folders_of_submodules(tmp_path: Path) -> None:
    (tmp_path / MODULES).write_text(f'[submodule "a"]\n\tpath = libs/a\n\turl = {URL}\n')
    assert found(tmp_path) == []
    (tmp_path / ".git").mkdir()
    assert found(tmp_path) == [("submodule-path", f"{MODULES}:2")]


def test_every_rule_has_two_seeds_and_a_near_miss() -> None:
    rules = sorted(each.id.removeprefix("github/") for each in github.RULES)
    assert [each for each in rules if sum(seed[0] == each for seed in SEEDS) < 2] == []
    assert [each for each in rules if not any(miss[0] == each for miss in NEAR_MISSES)] == []
    assert {seed[0] for seed in SEEDS} | {miss[0] for miss in NEAR_MISSES} == set(rules)


def test_a_workspace_with_nothing_wrong_has_no_finding(tmp_path: Path) -> None:
    report = github.check(Checkout(workspace(tmp_path)), TODAY)
    assert [str(each) for each in report.findings] == []
    assert [each.count for each in report.checked] == [5, 10, 11, 2]


def test_our_own_workspace_has_no_workflow_and_no_finding() -> None:
    report = github.check(Checkout(ROOT), TODAY)
    assert [str(each) for each in report.findings] == []
    assert {each.count for each in report.checked} == {0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00jobs",
        b"- a",
        b"a: &a [*a]",
        b"jobs: [",
        b"\x00" * 100,
        b"a: b\n---\nc: d\n",
        b"[" * 5000,
        b"on: push\njobs:\n  a: 1",
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / ".github/workflows/a.yml"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert {each for each, _ in found(tmp_path)} & {"unreadable", "shape"}


def test_a_link_to_nowhere_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / ".github/workflows/a.yml"
    file.parent.mkdir(parents=True)
    file.symlink_to(tmp_path / "gone")
    assert [each for each, _ in found(tmp_path)] == ["unreadable"]


@pytest.mark.parametrize("file", [INFRA, PRODUCTION, DEPLOY, IMAGES, SETUP, MODULES])
def test_damaged_files_end_in_findings_and_never_in_an_error(tmp_path: Path, file: str) -> None:
    chance = random.Random(file)
    workspace(tmp_path)
    text = FILES[file]
    for _ in range(12):
        start = chance.randrange(len(text))
        end = min(len(text), start + chance.randrange(1, 40))
        (tmp_path / file).write_text(
            text[:start] + chance.choice(["", "{", "'", "$(", "${{ ", "\t", "*a", "| "]) + text[end:]
        )
        for _, place in found(tmp_path):
            assert (tmp_path / place.partition(":")[0]).exists()


@pytest.mark.parametrize(
    ("text", "event", "expected"),
    [
        ("", "push", True),
        ("github.event_name == 'push'", "push", True),
        ("github.event_name == 'push'", "schedule", False),
        ("${{ inputs.x == 'all' }}", "push", False),
        ("${{ inputs.x == 'all' }}", "workflow_dispatch", None),
        ("inputs.x != 'all'", "push", True),
        ("github.ref == 'refs/heads/main'", "pull_request", False),
        ("github.ref == 'refs/heads/main'", "push", None),
        ("always() && github.event_name != 'push'", "push", False),
        ("failure() || github.event_name == 'push'", "push", True),
        ("!(github.event_name == 'push')", "push", False),
        ("startsWith(github.event_name, 'pull')", "pull_request_target", True),
        ("vars.x && github.event_name == 'push'", "push", None),
        ("a b", "push", None),
    ],
)
def test_a_condition_holds_for_an_event_or_not_or_nobody_can_tell(text: str, event: str, expected: bool | None) -> None:
    assert holds(text, event) is expected


@pytest.mark.parametrize(
    ("patterns", "name", "taken"),
    [
        (["**"], "a/b", True),
        (["*"], "a/b", False),
        (["*.js"], "a.js", True),
        (["**.js"], "a/b.js", True),
        (["docs/**"], "docs/a/b", True),
        (["**/docs/**"], "docs/a", True),
        (["docs/**", "!docs/*.md"], "docs/a.md", False),
        (["!docs/*.md", "docs/**"], "docs/a.md", True),
        (["release/v[0-9].x"], "release/v1.x", True),
        (["*.jsx?"], "a.js", True),
        (["a["], "a[", True),
    ],
)
def test_patterns_take_names_in_as_github_does(patterns: list[str], name: str, taken: bool) -> None:
    assert matches(patterns, name) is taken


@pytest.mark.parametrize(
    ("wanted", "asked", "taken"),
    [
        ("~> 1.9", "1.9.0", True),
        ("~> 1.9", "2.0.0", False),
        ("~> 1.9.2", "1.9.1", False),
        ("~> 1.9.2", "1.10.0", False),
        ("~> 1.9.2", "1.9", True),
        (">= 1.5, < 1.9", "1.8.9", True),
        (">= 1.5, < 1.9", "1.9.x", False),
        ("1.9.4", "1.9.5", False),
        ("= 1.9.4", "1.9", True),
        ("!= 1.9.4", "1.9.4", False),
        ("> 1.9, <= 1.10", "v1.10.0", True),
        ("~> 1", "2.0.0", True),
        (">= 1.9.0-beta1", "1.8.0", True),
        ("~> 1.9", "1", True),
        ("~> 1.9", "<1.6", True),
    ],
)
def test_a_root_takes_a_terraform_or_not_or_nobody_can_tell(
    tmp_path: Path, wanted: str, asked: str, taken: bool
) -> None:
    file = (NIGHT, WHOLE, INSTALLED.replace("1.8.5", asked))
    given = found(workspace(tmp_path, file, (ROOT_FILE, "~> 1.9", wanted)))
    assert [each for each, _ in given] == ([] if taken else ["terraform-version"])


@pytest.mark.parametrize("text", ["a ||", "(a", "a[", "'a", "a..b", "f(a,)", "", "&& a", "a b", "#"])
def test_an_expression_that_cannot_be_read_says_why(text: str) -> None:
    assert condition(text).tree is None and condition(text).mistake


def test_every_age_has_a_date_a_successor_and_a_source() -> None:
    rows = ages()
    assert rows and all(each.instead and each.source.startswith("https://") for each in rows)
    assert len({(each.product, each.version) for each in rows}) == len(rows)


def test_a_version_has_aged_from_its_day_on() -> None:
    assert ended("node", "18", date(2025, 4, 29)) is None
    assert ended("node", "18.20.1", date(2025, 4, 30))
    assert ended("node", "180", TODAY) is None
    assert ended("nothing", "1", TODAY) is None
    assert ended("github-runner", "macos-13-xlarge", TODAY)

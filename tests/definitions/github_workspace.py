"""A small workspace with workflows in which nothing is wrong; the seeds break one thing at a time."""

INFRA = ".github/workflows/infra-deploy.yml"
PRODUCTION = ".github/workflows/production.yml"
DEPLOY = ".github/workflows/_deploy.yml"
IMAGES = ".github/workflows/publisher-ci.yml"
SETUP = ".github/actions/setup/action.yml"
MODULES = ".gitmodules"

FILES = {
    INFRA: """\
name: Infrastructure
on:
  push:
    branches: [main]
    paths:
      - infra/terraform/**
      - infra/kubernetes/**
      - .github/workflows/infra-deploy.yml
  workflow_dispatch:
    inputs:
      component:
        description: What to deploy
        default: all
permissions:
  contents: read
  id-token: write
concurrency:
  group: infra-dev
  cancel-in-progress: false
env:
  TF_IN_AUTOMATION: 1
jobs:
  plan:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    outputs:
      changed: ${{ steps.plan.outputs.changed }}
    defaults:
      run:
        shell: bash
        working-directory: infra/terraform/environments/dev
    steps:
      - uses: actions/checkout@v5
        with:
          submodules: recursive
      - name: Log in
        uses: azure/login@v3
        with:
          client-id: ${{ vars.AZURE_CLIENT_ID }}
          tenant-id: ${{ vars.AZURE_TENANT_ID }}
          subscription-id: ${{ vars.AZURE_SUBSCRIPTION_ID }}
      - name: Plan
        id: plan
        run: |
          terraform init -input=false
          code=0
          terraform plan -input=false -out=tfplan -detailed-exitcode || code=$?
          case "$code" in
            0) echo "changed=false" >> "$GITHUB_OUTPUT" ;;
            2) echo "changed=true" >> "$GITHUB_OUTPUT" ;;
            *) exit "$code" ;;
          esac
      - uses: actions/upload-artifact@v6
        with:
          name: tfplan
          path: infra/terraform/environments/dev/tfplan
  apply:
    needs: plan
    if: needs.plan.outputs.changed == 'true'
    runs-on: ubuntu-24.04
    environment: development
    steps:
      - uses: actions/checkout@v5
        with:
          submodules: recursive
      - uses: actions/download-artifact@v7
        with:
          name: tfplan
          path: infra/terraform/environments/dev
      - name: Apply
        working-directory: infra/terraform/environments/dev
        run: |
          terraform init -input=false
          terraform apply -input=false tfplan
  chain:
    needs: [plan, apply]
    if: ${{ !failure() && !cancelled() }}
    runs-on: ubuntu-24.04
    environment: development
    env:
      HOST: https://dev.chain.example.org
      TOKEN: ${{ secrets.CHAIN_TOKEN }}
    steps:
      - uses: actions/checkout@v5
        with:
          submodules: recursive
      - uses: ./.github/actions/setup
        id: setup
        with:
          version: v1.36.0
      - name: Roll out
        run: |
          kubectl apply -k infra/kubernetes/overlays/dev
          kubectl rollout status statefulset/mystira-chain -n mystira-dev --timeout=600s
      - name: Health
        run: |
          for attempt in 1 2 3 4 5 6; do
            if curl --fail --silent --max-time 5 "$HOST/health"; then exit 0; fi
            sleep 10
          done
          echo "$HOST is not well"
          exit 1
  summary:
    needs: [plan, apply, chain]
    if: always()
    runs-on: ubuntu-24.04
    steps:
      - name: Say
        run: |
          echo "chain: ${{ needs.chain.result }}"
""",
    PRODUCTION: """\
name: Production
on:
  workflow_dispatch:
    inputs:
      commit:
        description: The commit that staging verified
        required: true
permissions:
  contents: read
  id-token: write
concurrency:
  group: production
jobs:
  publisher:
    runs-on: ubuntu-24.04
    environment: production
    steps:
      - uses: actions/checkout@v5
        with:
          ref: ${{ inputs.commit }}
      - name: Roll out
        env:
          IMAGE: ${{ vars.PUBLISHER_IMAGE }}
        run: |
          kubectl apply -k infra/kubernetes/overlays/prod
          kubectl set image deployment/publisher publisher="$IMAGE"
          kubectl rollout status deployment/publisher --timeout=5m
  app:
    needs: publisher
    uses: ./.github/workflows/_deploy.yml
    with:
      environment: production
      commit: ${{ inputs.commit }}
    secrets:
      token: ${{ secrets.DEPLOY_TOKEN }}
  done:
    needs: app
    runs-on: ubuntu-24.04
    steps:
      - env:
          URL: ${{ needs.app.outputs.url }}
        run: curl --fail --silent "$URL/health"
""",
    DEPLOY: """\
name: Deploy the app
on:
  workflow_call:
    inputs:
      environment:
        type: string
        required: true
      commit:
        type: string
        default: ''
    secrets:
      token:
        required: true
    outputs:
      url:
        value: ${{ jobs.deploy.outputs.url }}
jobs:
  deploy:
    runs-on: ubuntu-24.04
    environment: ${{ inputs.environment }}
    concurrency:
      group: app-${{ inputs.environment }}
    outputs:
      url: ${{ steps.deploy.outputs.url }}
    steps:
      - uses: actions/checkout@v5
        with:
          ref: ${{ inputs.commit }}
      - name: Deploy
        id: deploy
        env:
          TOKEN: ${{ secrets.token }}
        run: |
          az webapp deploy --name mystira-api --src-path app.zip
          url="$(az webapp show --name mystira-api --query defaultHostName --output tsv)"
          echo "url=https://$url" >> "$GITHUB_OUTPUT"
""",
    IMAGES: """\
name: Publisher CI
on:
  push:
    branches: [main]
  pull_request:
  schedule:
    - cron: '0 6 * * 1-5'
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-24.04
    strategy:
      matrix:
        node: ['22', '24']
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-node@v5
        with:
          node-version: ${{ matrix.node }}
      - name: Test
        working-directory: packages/publisher
        run: |
          npm ci
          npm test
      - uses: actions/upload-artifact@v6
        with:
          name: coverage-${{ matrix.node }}
          path: packages/publisher/coverage
  image:
    needs: test
    if: github.event_name == 'push'
    runs-on: ubuntu-24.04
    env:
      TAG: registry.example.org/publisher:${{ github.sha }}
    steps:
      - uses: actions/checkout@v5
      - name: Build
        run: |
          docker build -f infra/docker/publisher/Dockerfile -t "$TAG" .
          docker push "$TAG"
      - name: Smoke
        run: ./scripts/smoke.sh "$TAG"
""",
    SETUP: """\
name: Set up
inputs:
  version:
    description: Of kubectl
    required: true
outputs:
  folder:
    description: Where it is
    value: ${{ steps.kubectl.outputs.folder }}
runs:
  using: composite
  steps:
    - id: kubectl
      shell: bash
      env:
        VERSION: ${{ inputs.version }}
      run: |
        curl --fail --silent --location --output kubectl "https://dl.k8s.io/$VERSION/bin/linux/amd64/kubectl"
        echo "folder=$PWD" >> "$GITHUB_OUTPUT"
""",
    MODULES: """\
[submodule "packages/chain"]
	path = packages/chain
	url = https://github.com/example/chain.git
[submodule "packages/story"]
	path = packages/story
	url = https://github.com/example/story.git
""",
    "infra/terraform/environments/dev/main.tf": 'terraform {\n  required_version = "~> 1.9"\n}\n',
    "infra/kubernetes/overlays/dev/kustomization.yaml": "resources: []\n",
    "infra/kubernetes/overlays/prod/kustomization.yaml": "resources: []\n",
    "infra/docker/publisher/Dockerfile": "FROM scratch\n",
    "packages/publisher/package.json": "{}\n",
    "packages/chain/.keep": "",
    "packages/story/.keep": "",
    "scripts/smoke.sh": "",
}

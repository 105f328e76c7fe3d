# Each target does its own set-up. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python
READY := .venv/.ready

# The same programs start many times here; Python keeps what it compiled, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml scripts/setup.py
	@echo "setting up .venv from requirements.lock …"
	@python3 scripts/setup.py
	@touch $(READY)

.PHONY: promote
promote: $(READY) ## promote world, dev and staging in a rehearsal on this machine   [KEEP=1 leaves it running, FAULT=name]
	@$(PYTHON) -m deployments.machine promote $(if $(KEEP),--keep) $(if $(FAULT),--fault $(FAULT))

.PHONY: rehearse
rehearse: $(READY) ## the same without Prefect, Docker and network, in seconds   [FAULT=name, AGAIN=1, NODES=1]
	@$(PYTHON) -m deployments.rehearse promote $(if $(FAULT),--fault $(FAULT)) $(if $(AGAIN),--again) $(if $(NODES),--nodes)

.PHONY: faults
faults: $(READY) ## the faults that can be practised
	@$(PYTHON) -m deployments.rehearse faults

.PHONY: practice
practice: $(READY) ## every fault against what is expected under it; `make test` holds one of each kind
	@$(PYTHON) -m pytest tests/faults --numprocesses $(shell nproc) --dist loadfile

.PHONY: down
down: $(READY) ## stop what `make promote KEEP=1` left running
	@$(PYTHON) -m deployments.machine down

.PHONY: check
check: $(READY) ## ruff, mypy --strict, import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy packages/workspace flows tasks blocks deployments scripts
	@.venv/bin/lint-imports --cache-dir .import_linter_cache

.PHONY: check-definitions
check-definitions: $(READY) ## Terraform, Kubernetes, Docker and Bicep: what would fail, with file and line
	@$(PYTHON) -m deployments.check
	@$(PYTHON) scripts/scanners.py
	@$(PYTHON) -m pytest tests/definitions --numprocesses $(shell nproc) --dist loadfile

.PHONY: rules
rules: $(READY) ## write docs/rules, a page for each rule of preflight, from the rules themselves
	@$(PYTHON) scripts/rules.py

.PHONY: fuzz
fuzz: $(READY) ## preflight on many more mangled definitions, and on 10,000 files   [FUZZ_SEEDS=n, FUZZ_FIRST=n]
	@FUZZ_SEEDS=$(or $(FUZZ_SEEDS),500) FUZZ_FIRST=$(or $(FUZZ_FIRST),1000) $(PYTHON) -m pytest tests/preflight/test_strange_files.py --numprocesses $(shell nproc)

.PHONY: test
test: check check-definitions quick ## everything a change must pass; below it, its parts
	@$(PYTHON) -m pytest -m "not quick and not prefect and not docker and not conformance and not thorough" --ignore tests/definitions --numprocesses $(shell nproc) --dist loadfile
	@$(PYTHON) -m pytest -m "prefect and not docker" --numprocesses $(shell nproc) --dist loadfile

.PHONY: quick
quick: $(READY) ## the library's tests that start no program
	@$(PYTHON) -m pytest -m quick -p no:hypothesispytest --numprocesses $(shell nproc) --dist loadfile tests/workspace tests/kinds tests/clients tests/rehearsal

.PHONY: conformance
conformance: $(READY) $(if $(filter only,$(CONFORMANCE_CLUSTER)),,control-plane) ## the contract tests against real Docker, registry and Kubernetes   [CONFORMANCE_CLUSTER=1 or only: the cluster of KUBECONFIG too]
	@$(PYTHON) -m pytest -m "" --timeout 300 --evidence=.evidence --opt-in tests/contract/test_cluster_contract*.py
	@$(PYTHON) -m pytest -m docker -rs --evidence=.evidence --opt-in

.PHONY: kill-matrix
kill-matrix: $(READY) ## every mutating step of dev and staging, killed at four points, stacks with their machine, too, and promoted again   [SAMPLE=n, SEED=n]
	@PYTHONPATH=tests/kill $(PYTHON) tests/kill/cases.py --jobs $(shell nproc) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

.PHONY: one-writer
one-writer: $(READY) ## promotions at the same moment, and one that slept: what the stand-in saw, counted; then 100 schedules, and dev whole twice at once   [TIMES=n, SEED=n]
	@PYTHONPATH=tests/kill $(PYTHON) tests/kill/one_writer.py $(if $(TIMES),--times $(TIMES)) $(if $(SEED),--seed $(SEED))
	@$(PYTHON) -m pytest tests/workspace/test_sharing.py tests/kill/test_two_promotions.py --verbose -k "schedules or test_can_fail or two_processes"

.PHONY: randomised
randomised: $(READY) ## promotions with tags, packages and branches moved in between: staging has what was proven   [COUNT=n, RANDOMISED_SEED=n]
	@PYTHONPATH=tests/workspace $(PYTHON) tests/workspace/randomised.py $(or $(COUNT),1000)

.PHONY: control-plane
control-plane: $(READY) ## build a real Kubernetes control plane from Debian's source package, once: about ten minutes
	@$(PYTHON) scripts/control_plane.py

.PHONY: evidence
evidence: $(READY) ## every suite on data of others, counted in one table   [wants WIRE_SAMPLES; writes .evidence]
	@$(PYTHON) -m pytest tests -m evidence --evidence=.evidence --numprocesses $(shell nproc) --dist loadfile

.PHONY: conformance-azure
conformance-azure: $(READY) ## our polling against Azure's own test server, our Azure against the real az; installs both once
	@$(PYTHON) -m pytest -m conformance tests/conformance --timeout 900 --evidence=.evidence --opt-in

.PHONY: conformance-blobs
conformance-blobs: $(READY) ## a team's ledger against Azurite, Azure's storage emulator; installs it once
	@$(PYTHON) -m pytest -m "" --timeout 900 tests/clients/test_blobs.py tests/workspace/test_store.py tests/workspace/test_ledger.py tests/workspace/test_lease.py tests/workspace/test_archive.py tests/deployments/test_command.py tests/kill/test_other_machine.py

.PHONY: schema
schema: $(READY) ## prove the rehearsal's azurerm schema against the wheel it is made from (45 MB)
	@$(PYTHON) scripts/azurerm_schema.py --check

.PHONY: show
show: $(READY) ## what the rehearsal's cloud holds   [ONLY='*vaults*']
	@$(PYTHON) -m workspace.rehearsal --directory "$$($(PYTHON) -m deployments.machine where)/rehearsal" show $(if $(ONLY),'$(ONLY)')

.PHONY: reset
reset: $(READY) ## forget the rehearsal's cloud, clusters and Terraform states; asks, refuses while it runs   [YES=1]
	@$(PYTHON) -m workspace.rehearsal --directory "$$($(PYTHON) -m deployments.machine where)/rehearsal" reset $(if $(YES),--yes)

.PHONY: bench
bench: $(READY) ## our makespan beside the critical path, plain Prefect and GNU make; preflight on this workspace and on 4,000 files
	@$(PYTHON) tests/bench/race.py
	@$(PYTHON) tests/bench/preflight.py

.PHONY: bench-blobs
bench-blobs: $(READY) ## a promotion with its ledger in a folder and in a container, near and 20 ms away; installs Azurite once
	@$(PYTHON) tests/bench/containers.py

.PHONY: lock
lock: $(READY) ## resolve all dependencies again, in one go, with hashes; the scanners' apart
	@$(PYTHON) scripts/lock.py
	@$(PYTHON) scripts/lock.py scanners

.PHONY: clean
clean: ## remove what was made here: .venv, caches, the rehearsal's state
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deployments.machine clean || true; fi
	@rm -rf .venv .scanners .evidence .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

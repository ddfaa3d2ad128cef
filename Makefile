# `make` lists the targets. Each target sets up what it needs first.
PYTHON ?= python3
VENV ?= .venv
export VENV

BIN := $(VENV)/bin
LOWEST_VENV := $(VENV)-lowest
LOWEST_TESTS := tests/unit $(patsubst %,tests/integration/%.py, auth/test_login auth/test_tokens_end db/test_database_answers \
	presence/test_stream presence/test_stream_readers presence/test_stream_tickets server/test_bodies server/test_paths \
	server/test_prebuilt_response server/test_slow_clients server/test_sync_handlers softphone/test_jwt users/test_get)
DEV := $(PYTHON) local/bootstrap.py requirements-dev.lock
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command 'make lock' --upgrade
SIMULATION_VENV := $(VENV)-simulation
PROFILE ?= link
SIMULATION = newer=$$($(PYTHON) -m local.newer_python) && \
	VENV=$(SIMULATION_VENV) $$newer local/bootstrap.py requirements-simulation.lock
# The lowest version of each dependency of the service; the newest of the tools that test it.
LOWEST_RUNTIME := $(VENV)/requirements-lowest-runtime.lock

NIGHTLY := $(addprefix tests/integration/,ami/test_cycles.py ami/test_storm.py presence/test_storm.py presence/test_stream_crowd.py) tests/packaging/test_build.py \
	tests/compose/test_upgrade.py

.DEFAULT_GOAL := help
.PHONY: help run dev phone cli clean-run check test test-lowest test-simulation simulate nightly examples collection vendor lint format hooks bench release deb image lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# `exec`: the supervisor replaces the shell, so that it notices the end of make, however make ends.
run: ## Run PostgreSQL, Asterisk and the service with demo data in the foreground (HTTP_PORT=8080 DATA_DIR=data NATS=1)
	@$(PYTHON) local/bootstrap.py
	@exec $(BIN)/python -m local.run

dev: ## Run the same, and restart the service when a source file is saved (HTTP_PORT=8080 DATA_DIR=data)
	@$(DEV)
	@exec $(BIN)/python -m local.run --reload

phone: ## Register a SIP phone with the Asterisk of `make run` until Ctrl-C (EXT=12342)
	@$(PYTHON) local/bootstrap.py
	@exec $(BIN)/python -m local.phone $(EXT)

cli: ## Run a command against the service of `make run` (ARGS="user list")
	@$(PYTHON) local/bootstrap.py
	@exec $(BIN)/python -m local.cli $(ARGS)

clean-run: ## Remove the data folder of `make run` (DATA_DIR=data)
	@$(PYTHON) -m local.clean

check: ## Run the linters, type checks and unit tests: less than a minute
	@started=$$(date +%s) && $(MAKE) --no-print-directory lint && \
	$(BIN)/python -m pytest tests/unit --quiet --numprocesses auto && \
	echo "all checks passed in $$(($$(date +%s) - started)) s"

test: ## Run the unit, integration and end-to-end tests in several processes; a part in one (ARGS="tests/unit -k snapshot")
	@$(DEV)
	@$(BIN)/python -m pytest $(or $(ARGS),-n auto)

test-lowest: ## Run the tests that a library can break, with the lowest versions that pyproject.toml allows (ARGS="-k stream")
	@VENV=$(LOWEST_VENV) $(PYTHON) local/bootstrap.py requirements-lowest.lock
	@VENV=$(LOWEST_VENV) $(LOWEST_VENV)/bin/python -m pytest $(LOWEST_TESTS) $(ARGS)

test-simulation: ## Run the tests in a simulated world, and its mutants, with a Python of 3.12 or newer (ARGS="-k model")
	@$(SIMULATION)
	@PYTHONHASHSEED=0 $(SIMULATION_VENV)/bin/python -m pytest -c tests/simulation/pytest.ini --rootdir . \
	--confcutdir tests/simulation tests/simulation $(ARGS)

simulate: ## Run simulated universes by seeds; a stopped run goes on (PROFILE=link SEEDS=0-999 REPORT=1; ARGS="replay 17", ARGS=mutants)
	@$(SIMULATION)
	@PYTHONHASHSEED=0 $(SIMULATION_VENV)/bin/python -m tests.simulation $(or $(ARGS),run --seeds $(or $(SEEDS),0-199) \
	--progress .simulation/$(PROFILE)-$(or $(SEEDS),0-199).json $(if $(REPORT),--report)) --profile $(PROFILE)

nightly: ## Run the tests that `make test` shortens in full, and record the result in docs/reliability.md (ARGS="-k cycles")
	@$(DEV)
	@NIGHTLY=1 TEST_ASTERISKS=$${TEST_ASTERISKS:-all} $(BIN)/python -m pytest -p tests.support.nightly $(NIGHTLY) $(ARGS)

examples: ## Record the examples of the OpenAPI document from a real service
	@$(DEV)
	@WRITE_EXAMPLES=1 $(BIN)/python -m pytest tests/integration/openapi/test_examples.py

collection: ## Write all calls of the API as a collection for Bruno, a desktop client (COLLECTION=dist/bruno)
	@$(DEV)
	@$(BIN)/python -m tests.support.bruno_collection $(or $(COLLECTION),dist/bruno)

vendor: ## Bundle the pages' JavaScript library, JsSIP, from its lock file into service/web/pages/static
	@$(DEV)
	@$(BIN)/python -m local.vendor

lint: ## Run ruff, mypy --strict and import-linter
	@$(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy service local tests compose
	@$(BIN)/lint-imports --cache-dir .import_linter_cache --no-logo

format: ## Format the sources with ruff
	@$(DEV)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

hooks: ## Install git hooks: lint before a commit, check before a push
	@$(DEV)
	@$(BIN)/pre-commit install

bench: ## Run the benchmarks, each beside its baseline (ARGS="polls link"; all take 10 minutes or more)
	@$(DEV)
	@$(BIN)/python -m tests.bench $(ARGS)

release: ## Release the version in service/__init__.py: changelog, tag, dist/ (DRY_RUN=1 to rehearse)
	@$(DEV)
	@$(BIN)/python -m local.release $(if $(DRY_RUN),--dry-run)

deb: ## Build a package for this machine's Debian release in dist/ (REVISION=1)
	@$(DEV)
	@$(BIN)/python -m local.deb $(if $(REVISION),--revision $(REVISION))

image: ## Build the service's image with OCI labels (SOURCE_URL=https://...)
	@$(PYTHON) -m local.image

.PHONY: upgrade
upgrade: ## Replace the replicas of docker-compose.prod.yml without a failed request (TAG=0.2.0 for a release that is built already)
	@$(PYTHON) -m local.upgrade $(TAG)

lock: ## Upgrade the lock files to the newest and the lowest versions that pyproject.toml allows
	@$(DEV)
	@$(BIN)/python -m pip install --quiet uv
	@PATH="$(abspath $(BIN)):$$PATH"; \
	$(UV_COMPILE) pyproject.toml --extra uvloop --extra nats -o requirements.lock && \
	$(UV_COMPILE) pyproject.toml --extra uvloop --extra nats --group dev -c requirements.lock -o requirements-dev.lock && \
	$(UV_COMPILE) pyproject.toml --extra uvloop --extra nats --resolution lowest-direct -o $(LOWEST_RUNTIME) && \
	$(UV_COMPILE) pyproject.toml --extra uvloop --extra nats --group dev -c $(LOWEST_RUNTIME) -o requirements-lowest.lock && \
	rm $(LOWEST_RUNTIME) && \
	$(UV_COMPILE) --group postgres -o requirements-postgres.lock && \
	$(UV_COMPILE) --group nats-server -o requirements-nats.lock && \
	$(UV_COMPILE) --group node -o requirements-node.lock && \
	$(subst 3.11,3.12,$(UV_COMPILE)) pyproject.toml --group simulation -c requirements.lock -o requirements-simulation.lock
	for folder in tests/e2e/browser tests/clients local/chromium-npm local/pages-npm; do \
		(cd $$folder && npm update --package-lock-only --ignore-scripts) || exit 1; \
	done

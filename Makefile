# Needs make, a Python from 3.10 to 3.13 and the package index. All else is made on first use, in
# .venv-tools, .venv and .venvs.

# The first one that runs: a pyenv shim may be on the path and still fail. It only starts the
# scripts; dev/pythons.py finds the Pythons the environments are made with.
PYTHON ?= $(shell for name in python3 python3.12 python3.11 python3.13 python3.10; do \
	$$name -c '' 2>/dev/null && echo $$name && break; done)

# Airflow starts a process for each of its parts and for each task. They need not compile it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env format lint test test-unit test-matrix test-integration docs dist screenshots demo \
	demo-ui bench pin clean

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-18s %s\n' "$$name" "$$text"; done

env:  ## Make the development environment, .venv
	@$(PYTHON) -m dev.env dev

format: env  ## Lay out the code
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lint:  ## Check style and types
	@$(PYTHON) -m dev.check lint types

test:  ## Check everything
	@$(PYTHON) -m dev.check

test-unit: env  ## Run the unit tests in .venv
	.venv/bin/pytest --ignore=tests/integration

test-matrix:  ## Run the unit tests of the built wheel on every Airflow supported
	@$(PYTHON) -m dev.check matrix

test-integration:  ## Run the tests that boot a real Airflow
	@$(PYTHON) -m dev.check integration

docs:  ## Build the documentation into docs/_build
	@$(PYTHON) -m dev.check docs

dist:  ## Build and check wheel and source distribution
	@$(PYTHON) -m dev.check package

screenshots: env  ## Take the documentation's pictures anew; needs Chromium
	SCREENSHOTS=docs/images .venv/bin/pytest tests/integration/test_ui.py

demo:  ## Re-trigger a failed run in a real Airflow, on a local Flow Service
	@$(PYTHON) -m dev.env demo
	@.venvs/demo/bin/python -m dev.demo

demo-ui:  ## The same for a browser: stays up until Ctrl-C
	@$(PYTHON) -m dev.env demo
	@.venvs/demo/bin/python -m dev.demo_ui

bench:  ## Measure it beside its peers, in about a quarter of an hour
	@$(PYTHON) -m dev.env bench
	@.venvs/bench/bin/python -m benchmarks

pin:  ## Write the constraints files anew
	@$(PYTHON) -m dev.pin

clean:  ## Remove what the other targets made
	rm -rf .demo .hypothesis .venv .venv-tools .venvs .mypy_cache docs/sample_project/.mypy_cache .pytest_cache .ruff_cache dist docs/_build docs/api

# Needs make, a Python from 3.10 to 3.14 and the package index. All else is made on first use, in
# .venv-tools, .venv and .nox. What is run is in noxfile.py; here is what goes before what.

# The first one that runs and can make environments: a pyenv shim may be on the path and still fail,
# and Debian packages Python without its venv module. The sessions choose their own.
CAN_MAKE := import ensurepip, sys, venv; assert (3, 10) <= sys.version_info[:2] <= (3, 14)
PYENV_ROOT ?= $(HOME)/.pyenv
PYTHON ?= $(or $(shell for python in python3 python3.12 python3.11 python3.13 python3.10 python3.14 \
	$(wildcard $(PYENV_ROOT)/versions/3.1[0-4].*/bin/python); do \
	$$python -c '$(CAN_MAKE)' 2>/dev/null && echo $$python && break; done), \
	$(error Needs a Python from 3.10 to 3.14 with its venv module))

# Airflow starts a process for each of its parts and for each task. They need not compile it anew.
unexport PYTHONDONTWRITEBYTECODE

NOX := .venv-tools/bin/nox
REPORTS := .nox/reports
NICE := nice -n 10
CHECK = mkdir -p $(REPORTS) && $(NICE) $(NOX) --report $(REPORTS)/$@.json --session

ROWS := $(sort $(patsubst constraints/%.txt,%,$(wildcard constraints/airflow-*.txt)))
# The lowest, and the newest release, which .venv has, too.
SAMPLED := $(firstword $(ROWS)) airflow-$(shell sed -n 's/^apache-airflow==//p' constraints.txt)
PLATFORMS := $(patsubst constraints/%.txt,%,$(wildcard constraints/platform-*.txt))
QUICK := lint dist docs
# The longest first and the shortest last; test-sample waits for its rows, and then mostly for nothing.
SLOW := test-scenarios test-stress test-integration $(SAMPLED) test-sample test-once \
	$(lastword $(ROWS)) $(ROWS) test-aepp

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env format $(QUICK) test test-unit test-matrix test-platforms test-distributed \
	$(sort $(SLOW)) $(PLATFORMS) summary release screenshots demo demo-ui bench pin clean

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-18s %s\n' "$$name" "$$text"; done

$(NOX): constraints/tools.txt
	@$(PYTHON) -m venv --clear .venv-tools
	@.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< nox uv
	@touch $@

.venv/made: $(NOX) noxfile.py pyproject.toml constraints.txt airflow_provider_flowservice/__init__.py
	@$(NOX) --session dev && touch $@

env: .venv/made  ## Make the development environment, .venv

format: env  ## Lay out the code
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lint: env  ## Check style and types
	@$(CHECK) lint types

dist: $(NOX)  ## Build and check wheel and source distribution
	@$(CHECK) package

# TAG is checked if it is set. What is beside the packages lands in release/, since all of dist/ is uploaded.
release: dist  ## Build what is published, or say what a release lacks
	@rm -rf release
	@$(CHECK) release sbom

# Five at a time on the two cores of a small CI machine, since each of them waits for some of its time.
# The environment is made first, since what needs none would take the place of the longest.
test: env  ## Check everything
	@rm -rf $(REPORTS)/*
	@$(MAKE) --no-print-directory -j5 --output-sync $(QUICK) $(SLOW); result=$$?; \
		$(MAKE) --no-print-directory summary; exit $$result

summary:
	@.venv-tools/bin/python -m dev.summary $(REPORTS)

test-unit: env  ## Run the unit tests in .venv
	.venv/bin/pytest --ignore=tests/integration

test-matrix: $(ROWS)  ## Run the unit tests of the built wheel on every Airflow supported

test-platforms: $(PLATFORMS)  ## The same with what managed platforms install

$(ROWS): airflow-%: dist
	@$(CHECK) 'airflow($*)'

$(PLATFORMS): platform-%: dist
	@$(CHECK) 'platform($*)'

# It uses the environments of these rows.
test-sample: env $(SAMPLED)
	@$(CHECK) sample sample-types

test-aepp: $(NOX)  ## Let Adobe's own client, aepp, read the emulator
	@$(CHECK) aepp

test-once: env
	@$(CHECK) once

# All else gives way to them: their processes wait for each other.
test-integration test-scenarios test-stress: private NICE :=
test-integration: env  ## Run the tests in a real Airflow
	@$(CHECK) integration

test-scenarios: env  ## Run those that tell a longer story
	@$(CHECK) scenarios

test-stress: env  ## Run those in which parts of Airflow die or pause
	@$(CHECK) stress

test-distributed: env  ## Kill each part of an Airflow on Celery, in about twenty minutes
	@$(NOX) --session distributed

docs: env  ## Build the documentation into docs/_build
	@$(CHECK) docs

screenshots: env  ## Take the documentation's pictures anew; needs Chromium
	SCREENSHOTS=docs/images .venv/bin/pytest tests/integration/test_ui.py

demo: $(NOX)  ## Re-trigger a failed run in a real Airflow, on a local Flow Service
	@$(NOX) --session demo

demo-ui: $(NOX)  ## The same for a browser: stays up until Ctrl-C
	@$(NOX) --session demo -- dev.demo_ui

bench: $(NOX)  ## Measure it beside its peers, in about a quarter of an hour
	@$(NOX) --session bench

pin: $(NOX)  ## Write the constraints files anew
	@$(NOX) --session pin

clean:  ## Remove what the other targets made
	rm -rf .demo .hypothesis .nox .venv .venv-tools .mypy_cache docs/sample_project/.mypy_cache .import_linter_cache .pytest_cache .ruff_cache dist release docs/_build docs/reference/api

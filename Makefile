# Everything a person types. PYTHON names the interpreter to start from; E2E=0 leaves out what needs root, Docker or a
# browser; STATE gives `audit state` more options, such as --value repositoryName=OLD before a change of that name.
SHELL := /bin/sh
PYTHON ?= python3
PYTEST_ARGS ?=
STATE ?=
# `make` itself has a variable of this name, for an assembler.
ifeq ($(origin AS),default)
AS := pull-request
endif
export E2E ?= 1
python := .venv/bin/python
sandbox := $(python) -m sandbox
# A state is code: what the stack records is looked at before an engine reads it.
audited = eval "$$($(sandbox) env)" && \
	$(python) -m audit state --expect infra/state.yml --secrets-provider passphrase $(STATE)

.DEFAULT_GOAL := help
.PHONY: help up down pipeline preview status shell check test bench lock venv audit.pyz

help: ## this list
	@sed -n 's/^\([a-z.]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

up: venv ## from nothing to a finished `pulumi up` in the sandbox, and a summary; again: no change
	@$(sandbox) up
	@$(audited)
	@$(sandbox) pulumi up --yes --skip-preview
	@$(sandbox) summary

preview: venv ## what `pulumi up` would do, with differences, held against policies/
	@$(sandbox) up
	@$(audited)
	@$(sandbox) pulumi preview --diff --policy-pack policies

pipeline: venv ## the checkout's pipeline on this machine: AS=pull-request, main or nightly
	@$(sandbox) up
	@$(audited)
	@$(sandbox) pipeline run --as $(AS)

status: venv ## what of the sandbox runs
	@$(sandbox) status

shell: venv ## a shell in which plain `pulumi`, `docker` and AWS clients talk to the sandbox
	@$(sandbox) up
	@$(sandbox) shell

down: venv ## stop the sandbox and remove all that it made in this checkout
	@$(sandbox) down

check: venv ## lint and types: what pipelines/checks.py lists
	.venv/bin/python -m pipelines.checks --no-tests

test: check ## check, then every test: units, conformance, and end to end with the real engine
	@tests/prepare.sh
	.venv/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20 $(PYTEST_ARGS)

bench: venv ## long random searches and what is measured, written into docs/iam.md; not part of `make test`
	.venv/bin/python -m benchmarks.iam_report

lock: venv ## lock the dependencies anew after a change of requirements*.in
	@set -e; for name in requirements requirements-audit requirements-dev; do \
		.venv/bin/uv pip compile -q --generate-hashes --universal --python-version 3.11 $$name.in -o $$name.txt; done

audit.pyz: venv ## the audit as one file that runs on any project with Python 3.11 or newer
	@.venv/bin/python -m audit.build_pyz $@

venv:
	@sandbox/bootstrap.sh $(PYTHON)

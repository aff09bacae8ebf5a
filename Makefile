# Every target sets up what it needs. PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
EVENTS ?= 400000
# TRAILKEEP_SAMPLES: real log samples for the tests; they are not part of this repository.

.PHONY: help setup demo test check bench docs lock format clean
help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || ./bin/system-packages python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.ready  ## a virtual environment in .venv with everything pinned

demo: setup  ## sample logs of a small company in, alerts out
	$(BIN)/trailkeep demo

test: setup  ## all tests
	$(BIN)/pytest -n auto

check: setup  ## format, lint, types, import contracts, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python bin/long_files.py
	$(BIN)/mkdocs build --strict --quiet --site-dir site

bench: setup  ## the figures of docs/explanation/performance.md; EVENTS=4000000 for ten times the data
	$(BIN)/python -m bench --events $(EVENTS)

docs: setup  ## the site on http://127.0.0.1:8000
	$(BIN)/mkdocs serve

format: setup  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup  ## write the lock files anew from pyproject.toml
	$(BIN)/uv lock --quiet
	$(BIN)/uv export --quiet --no-emit-index-url --no-emit-project --no-header --no-dev -o requirements.lock
	$(BIN)/uv export --quiet --no-emit-index-url --no-emit-project --no-header -o requirements-dev.lock

clean:  ## remove what the targets made
	rm -rf $(VENV) site dist demo-lake bench/work

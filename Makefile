# Every target sets up what it needs and can be run again. PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
EVENTS ?= 400000
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
# TRAILKEEP_SAMPLES: real log samples for the tests; they are not part of this repository.

.PHONY: help setup develop demo test check bench docs format lock clean
help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found (python3 is $$(python3 --version 2>&1)):" \
		"install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || bin/system-packages \
		$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --only-binary :all: -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.develop: $(VENV)/.ready requirements-dev.lock
	$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.ready  ## a virtual environment in .venv with everything that running needs, pinned
develop: $(VENV)/.develop  ## the same, with the tools of tests, checks and docs

demo: setup  ## sample logs of a small company in, alerts out
	$(BIN)/trailkeep demo

test: develop  ## all tests
	$(BIN)/pytest -n auto --dist worksteal --durations=25

check: develop  ## format, lint, types, import contracts, long files, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python bin/long_files.py
	$(MKDOCS) build --strict --quiet --site-dir site

bench: develop  ## the figures of docs/explanation/performance.md; EVENTS=4000000 for ten times the data
	$(BIN)/python -m bench --events $(EVENTS)

docs: develop  ## the documentation on http://127.0.0.1:8000
	$(MKDOCS) serve

format: develop  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: develop  ## write the lock files anew from pyproject.toml
	$(BIN)/uv lock --quiet
	$(BIN)/uv export --quiet --no-emit-index-url --no-emit-project --no-header --no-dev --group build -o requirements.lock
	$(BIN)/uv export --quiet --no-emit-index-url --no-emit-project --no-header -o requirements-dev.lock

clean:  ## remove what the targets made
	rm -rf $(VENV) site dist demo-lake bench/work

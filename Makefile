# Everything happens in a virtual environment of its own, .venv; `make` lists what.

PYTHON ?= python3
PORT ?= 8000
SECONDS ?= 60
ARGS ?=
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test again quick check man soak fuzz bench cgi refork versus wheel clean tools

help:  ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.with-prefork  ## serve contrib/demo on http://127.0.0.1:8000 (PORT=8000)
	@echo 'The demo is at http://127.0.0.1:$(PORT)/ and ^C stops it.'
	@$(BIN)/prefork-wsgi -w 4 -b 127.0.0.1:$(PORT) --chdir contrib/demo \
		--access-logfile - app:wsgi

test: $(VENV)/.with-test tools  ## run all tests (ARGS='-k reload' for some, JOBS=4 at a time)
	$(BIN)/python -m pytest -rfEs --tb=short -n $(JOBS) --dist loadgroup $(ARGS)

again: $(VENV)/.with-test  ## run what has failed in the last run, one by one
	$(BIN)/python -m pytest -rfEs --tb=short --last-failed --last-failed-no-failures none

quick: $(VENV)/.with-test  ## run the tests that start no process
	$(BIN)/python -m pytest -q -m 'not process and not slow and not frontend' $(ARGS)

check: $(VENV)/.with-dev  ## lint, format and types: ruff, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

man: $(VENV)/.with-prefork  ## write the tables of the man pages anew
	$(BIN)/python -m prefork.cli.manual

soak: $(VENV)/.with-test  ## load and random faults (SECONDS=60)
	$(BIN)/python tests/soak.py --seconds $(SECONDS)

fuzz: $(VENV)/.with-test  ## spoilt requests for each protocol (SECONDS=60 each)
	$(BIN)/python tests/fuzz --seconds $(SECONDS)

bench: $(VENV)/.with-test  ## CPU time a request, beside gunicorn and uWSGI if installed
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/cgi_bench.py

cgi: $(VENV)/.with-test tools  ## CGI programs under prefork-cgi, fcgiwrap, Apache and lighttpd
	$(BIN)/python tests/cgi_matrix.py

refork: $(VENV)/.with-test  ## memory of eight workers of the Django admin, without and with a refork
	$(BIN)/python tests/refork_memory.py

versus: $(VENV)/.with-test  ## the same events for prefork, gunicorn, uWSGI, php-fpm, Apache
	@for each in gunicorn uwsgi; do $(BIN)/pip install --quiet $$each || \
		echo "To be left out, since pip could not install it: $$each"; done
	@.ci/tools versus
	$(BIN)/python tests/versus/run.py $(ARGS)

wheel: $(VENV)/.with-prefork  ## build dist/prefork-*.whl
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## remove what was made here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis

# The front ends that some tests talk to; without them these tests skip.
tools:
	@.ci/tools

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'prefork needs Python 3.11 or later: make PYTHON=python3.11 ...'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'To make $(VENV), first: apt-get install python3-venv'; exit 1; }

$(VENV)/.with-prefork: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.with-test $(VENV)/.with-dev: $(VENV)/.with-%: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable '.[$*]'
	@touch $@

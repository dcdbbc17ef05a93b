# `make report` and `make test` need Python 3.11+ and nothing else; uv is used when it is there.
PYTHON ?= python3
STUDY ?= cdnow
VENV ?= .venv
BIN := $(VENV)/bin
LAB := .venv-lab/bin
DOCS := .venv-docs/bin
UV := $(shell command -v uv 2>/dev/null)

# Two test processes with two threads each wait for one another. In the order of the folders the many short modules come
# last, so that both end together; by the number of tests, a long module of few tests would.
test library: export OMP_NUM_THREADS = 1

# Key figures of the notebooks on the small study are tested with its report (tests/report/test_pages.py).
ON_OTHERS = $(shell grep -L 'study = ."cdnow-sample' notebooks/*.ipynb)

.DEFAULT_GOAL := help
.PHONY: help report test test-spark library lab notebooks lint format house bench docs dist lock lessons clean

help:       ## list what there is
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

report: $(VENV)/.run  ## run the suite on a study (STUDY=cdnow) and print where its report is
	@$(BIN)/crm report $(STUDY)

test: $(VENV)/.test   ## run all tests: library, docstrings, notebooks, pages in a browser
	$(BIN)/pytest -q -n 2 --dist loadscope --no-loadscope-reorder
	$(BIN)/pytest -q -n 2 --dist loadscope --nbval-lax --nbval-current-env -p no:cacheprovider $(ON_OTHERS)

library: $(VENV)/.test  ## run the tests of the library and of the docstrings alone
	$(BIN)/pytest -q -n 2 --dist loadscope --no-loadscope-reorder --ignore=tests/notebooks --ignore=tests/report

test-spark: .venv-spark/.spark  ## hold Spark against DuckDB, in an environment of its own (Java 17, pyspark)
	.venv-spark/bin/pytest -q -p no:cacheprovider -o addopts=--strict-markers tests/spark/check_spark.py

lab: .venv-lab/.lab  ## open the notebooks in JupyterLab
	$(LAB)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

notebooks: $(VENV)/.test  ## run every notebook on the small study, keep its key figures, strip the rest
	$(BIN)/python -m tests.notebooks.refresh

lessons: .venv-class/.class  ## write the students' edition of the lessons anew, with nbgrader
	.venv-class/bin/crm lessons release --to notebooks/lessons/student

lint: $(VENV)/.test  ## check the code's style, format and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.test  ## format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

house: $(VENV)/.test  ## count files, lines, import circles, public names and names that nobody uses
	@$(BIN)/python -m tests.house

bench: $(VENV)/.test  ## measure against peers and floors; writes tests/benchmarks/README.md
	$(BIN)/python -m tests.benchmarks

docs: .venv-docs/.docs  ## build the site into docs/_build/html, and check its pages, links, pictures and search
	$(DOCS)/python docs/make.py
	$(DOCS)/python -m pytest -q -p no:cacheprovider docs/check_site.py

dist: .venv-docs/.docs  ## build the wheel and the source archive into dist/, and install and try them
	rm -rf dist
	$(DOCS)/python -m build
	$(DOCS)/twine check --strict dist/*
	$(DOCS)/python -m pytest -q -p no:cacheprovider --noconftest tests/release/check_wheel.py

lock:       ## compile the locks anew from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra test -c requirements.lock pyproject.toml -o requirements-test.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra lab -c requirements.lock pyproject.toml -o requirements-lab.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra docs -c requirements.lock pyproject.toml -o requirements-docs.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra class --extra test -c requirements-test.lock pyproject.toml -o requirements-class.lock

clean:      ## remove environments and caches; reports stay
	rm -rf .venv* .cache docs/_build docs/_made docs/reference docs/gallery.rst dist .pytest_cache .ruff_cache .mypy_cache .hypothesis

# $(1) environment, $(2) lock. uv leaves bytecode to the first import unless told, which would cost each kernel seconds.
ifdef UV
define install
	@test -x $(1)/bin/python || uv venv -q --python $(PYTHON) $(1)
	@uv pip install -q --python $(1)/bin/python --compile-bytecode --require-hashes -r $(2)
	@uv pip install -q --python $(1)/bin/python --no-deps -e .
endef
else
define install
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(2)
	@$(1)/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
endef
endif

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute with pip)"
	$(call install,$(VENV),requirements.lock)
	@touch $@

$(VENV)/.test: requirements-test.lock pyproject.toml
	@echo "Setting up $(VENV) with the tools for tests (once; about a minute with pip)"
	$(call install,$(VENV),requirements-test.lock)
	@touch $(VENV)/.run $@

.venv-docs/.docs: requirements-docs.lock pyproject.toml
	@echo "Setting up .venv-docs (once; about a minute with pip)"
	$(call install,.venv-docs,requirements-docs.lock)
	@touch $@

.venv-class/.class: requirements-class.lock pyproject.toml
	@echo "Setting up .venv-class (once; about a minute with pip)"
	$(call install,.venv-class,requirements-class.lock)
	@touch $@

.venv-spark/.spark: requirements-test.lock pyproject.toml
	@echo "Setting up .venv-spark (once; pyspark has 450 MB)"
	$(call install,.venv-spark,requirements-test.lock)
ifdef UV
	@uv pip install -q --python .venv-spark/bin/python "pyspark>=3.5,<4.1"
else
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check "pyspark>=3.5,<4.1"
endif
	@touch $@

.venv-lab/.lab: requirements-lab.lock pyproject.toml
	@echo "Setting up .venv-lab (once; about a minute with pip)"
	$(call install,.venv-lab,requirements-lab.lock)
	@touch $@

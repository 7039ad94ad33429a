# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else.
PYTHON ?= $(shell for v in 3.12 3.11 3.13 3; do p=python$$v; \
	$$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,14))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test test-slow quality bench gpu-check docs lint format clean

demo: $(STAMP)
	$(BIN)/kerasuite demo --output runs/demo

# Two processes; the groups of tests start in the order of tests/conftest.py.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations 30

test: $(STAMP)
	$(PYTEST)

test-slow: $(STAMP)
	$(PYTEST) -m slow

quality: $(STAMP)
	$(BIN)/python -m pytest -m quality -s --timeout 14400

bench: $(STAMP)
	$(BIN)/python -m tests.bench --output bench.json

gpu-check: $(STAMP)
	$(BIN)/python -m pytest -m gpu -s

# The site in build/site; links, pages and anchors that are wrong end it.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict -f docs/mkdocs.yml

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "kerasuite needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,docs]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info

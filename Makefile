# Every target only wraps commands that the README also writes out.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test lint types contracts check e2e long lock clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[flows,postgres,dask,dev]"
	@touch $@

demo: install
	$(BIN)/understudy demo $(if $(EXIT),--exit)

test: install
	$(BIN)/python -m pytest -n 3 --dist worksteal

e2e: install
	$(BIN)/python -m pytest -m e2e

long: install
	$(BIN)/python -m pytest -m long

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

contracts: install
	$(BIN)/lint-imports

check: lint types contracts test

lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --output-file constraints.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

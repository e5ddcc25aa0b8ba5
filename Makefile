# Set-up and every check. Needs python3.11 (or later), make and a C compiler.
#   make demo        install, run the demo, serve on port 8000
#   make test        install, run the tests
# TORCH_INDEX lets pip take PyTorch from an index of its own, for example
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --constraint constraints.txt

.PHONY: install demo demo-check test test-all check format bench clean

install: $(VENV)/installed

# PyTorch first and by its pinned version: otherwise another package's range could choose it.
$(VENV)/installed: Makefile pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),) torch
	$(PIP) --editable '.[train,lora,dev]'
	touch $@

demo: install
	$(BIN)/synglot demo

demo-check: install
	$(BIN)/synglot demo --check

test: install
	$(BIN)/python -m pytest

test-all: install
	$(BIN)/python -m pytest -m 'not benchmark'

bench: install
	$(BIN)/python -m pytest -m benchmark -s

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

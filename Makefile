# Two commands on a fresh machine: `make demo` and `make test`. Both use .venv in this checkout.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test install-demo install-test clean

demo: install-demo
	$(BIN)/graphrec run configs/demo.yaml

test: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -n 2

install-demo: .venv/.demo
install-test: .venv/.test

.venv/bin/python:
	$(PYTHON) -m venv .venv

# torch goes first and by its pinned version, so that no resolver picks a later build.
.venv/.demo: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[demo]'
	touch $@

.venv/.test: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[demo,text,test,lint]'
	touch $@

clean:
	rm -rf .venv runs build dist

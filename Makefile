# Each target sets up what it needs in .venv: with uv where it is present, else with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)
PYTEST := $(BIN)/python -m pytest

ifdef UV
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
VENV := $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
VENV := $(PYTHON) -m venv .venv
endif

.PHONY: demo test test-all lint security bench train judge evaluation clean
.DEFAULT_GOAL := demo

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: give a newer one, as in 'make PYTHON=python3.12 demo'"; exit 1; }
	@echo "setting up .venv (a minute or two the first time)"
	@$(VENV)
	@$(INSTALL) --constraint constraints.txt --editable '.[judge]'
	@touch $@

.venv/.developed: .venv/.installed
	@$(INSTALL) --constraint constraints.txt --editable '.[dev,judge,ray,s3]'
	@touch $@

demo: .venv/.installed  ## scan the bundled corpus and show what is in it
	@$(BIN)/narrascope demo

test: .venv/.developed  ## the tests, a few minutes
	$(PYTEST) -m 'not slow'

test-all: .venv/.developed  ## the slow tests too
	$(PYTEST)

lint: .venv/.developed  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

security: .venv/.developed  ## bandit on the sources, pip-audit on what is installed
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml .
	$(BIN)/pip-audit

bench: .venv/.developed  ## reprint the speed table
	$(BIN)/python benchmarks/scan.py

LABELS ?= ../shared/labels/train.jsonl
CORPUS ?= ../shared/corpus
LABELLED = $(LABELS) $(wildcard labels/examples/*.jsonl) --corpus $(CORPUS)

train: .venv/.developed  ## train the shipped models again, to the bit
	$(BIN)/narrascope train $(LABELLED) --out classifiers/models

judge: .venv/.developed  ## fine-tune the shipped judge again: an hour on two cores
	@$(INSTALL) --constraint constraints.txt --editable '.[teacher]'
	$(BIN)/narrascope teach $(LABELLED) --out classifiers/models/judge --workers 2

evaluation: .venv/.developed  ## measure the models again on what was held out
	$(BIN)/narrascope evaluate $(LABELLED) --workers 2 --format json > classifiers/models/evaluation.json

clean:
	rm -rf .venv build dist *.egg-info demo-tags

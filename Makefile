# dlcourse: `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help train test verify fuzz check-torchtext board lint format types bench clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

train: $(VENV)/.installed  ## Set up, then train ResNet18 on the embedded digits; ARGS="model=resnet18 data=cifar10" for more
	@$(BIN)/dlcourse train $(ARGS)
	@echo
	@echo "TensorBoard:  $(BIN)/dlcourse board"
	@echo "CIFAR-10:     $(BIN)/dlcourse train model=resnet18 data=cifar10"

test: $(VENV)/.installed-test  ## Set up, then run the offline test suite
	@$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

# Each part has a long form: `make fuzz`, `python scripts/kill.py`, `dlcourse verify resume all=true`.
verify: $(VENV)/.installed-test  ## The slow tests, then kills, signals, full disks, untrusted files and fuzzing in short
	@$(BIN)/python -m pytest -n auto -m slow $(ARGS)
	@$(BIN)/python -m pytest -n auto -m "not slow" tests/e2e/test_resume.py tests/e2e/test_signals.py tests/e2e/test_disk.py tests/e2e/test_untrusted.py
	@$(BIN)/dlcourse verify resume -m model.width=2 ema=0,0.95 optimizer=sgd,adamw
	@$(BIN)/python scripts/kill.py --kills 20 --result $(VENV)/kill.json
	@$(BIN)/python scripts/fuzz.py --examples 400 --result $(VENV)/fuzz.json

fuzz: $(VENV)/.installed-test  ## 100,000 damaged inputs for everything that reads a file; takes a quarter of an hour
	@$(BIN)/python scripts/fuzz.py $(ARGS)

check-torchtext: $(VENV)/.installed  ## Compare tokens and ids live with torchtext 0.18 (Python 3.11, 3 GB the first time)
	@$(BIN)/python scripts/check_torchtext.py --env $(VENV)/torchtext $(ARGS)

board: $(VENV)/.installed  ## TensorBoard on runs/
	@$(BIN)/dlcourse board $(ARGS)

lint: $(VENV)/.installed-lint  ## Ruff over everything
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.installed-lint  ## Let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.installed-lint  ## The strict type checker
	@$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.installed-bench  ## The measurements behind the README's speed table
	@$(BIN)/python scripts/bench.py $(ARGS)

clean:  ## Remove the environment and what builds left; runs/ and data/ stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

# The first Python that fits; 3.14 is too new for Hydra 1.3.8.
$(VENV)/.made:
	@python=; for name in python3.13 python3.12 python3.11 python3; do \
	    if $$name -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "dlcourse needs Python 3.11, 3.12 or 3.13 with its venv module; found: $$(python3 --version 2>&1)" >&2; \
	    echo "install one of them (on Debian or Ubuntu: apt install python3-venv) and call make again" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	@echo "installing dlcourse and PyTorch; the first time this takes a few minutes"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --group $*
	@touch $@

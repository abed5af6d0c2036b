# wattline: two commands do everything: `make bench` and `make test`. `make help` lists the rest.

PYTHON ?= python3
BOARD ?= FASY_0624_0004
BUILD := build
VENV := $(BUILD)/venv
BIN := $(VENV)/bin
# A MicroPython checkout of your own; empty means the pinned sources from Debian.
MICROPYTHON ?=
IMAGE_FLAGS := $(if $(MICROPYTHON),--micropython $(MICROPYTHON))
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help bench test check format format_check uf2 uf2_check benchmark soak clean
.DELETE_ON_ERROR:

help: ## List the targets
	@grep -hE '^[a-z_0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  BOARD=$(BOARD) (or FASY_0624_0003), MICROPYTHON=<checkout>, ARGS='...' for the wattline command"

# What Debian keeps apart from python3 and gcc: the venv module and the two sets of headers.
$(BUILD)/.host_ready:
	@mkdir -p $(BUILD)
	@if ! { $(PYTHON) -c 'import ensurepip, os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' && echo '#include <stdlib.h>' | cc -E - ; } >/dev/null 2>&1; then \
	  echo "Installing python3-venv, python3-dev and libc6-dev ..." >&2; \
	  if [ "$$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi; \
	  { $$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends python3-venv python3-dev libc6-dev; } >/dev/null 2>&1 \
	    || echo "They could not be installed; if something fails below, run as root: apt-get install python3-venv python3-dev libc6-dev" >&2; \
	fi
	@touch $@

$(VENV)/.ready: host/pyproject.toml | $(BUILD)/.host_ready
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "wattline needs Python 3.11 or newer; run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work; on Debian run: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the Python packages into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e 'host[build,test]' || { echo "The Python packages could not be installed: check the network or pip's index settings, then run the same command again." >&2; exit 1; }
	@touch $@

# Without it everything works, at a third of the speed; tried again by the next make.
$(VENV)/.compiled: $(VENV)/.ready
	@echo "Compiling the emulator's inner loop for this Python ..." >&2
	@if $(BIN)/wattline emulator compile >/dev/null; then touch $@; else echo "Going on with the slower one." >&2; fi

bench: $(VENV)/.compiled ## The main job: meter, module, line and collector, live (ARGS='--minutes 30 --noise off ...')
	@$(BIN)/wattline bench --board $(BOARD) $(IMAGE_FLAGS) $(ARGS)

uf2: $(VENV)/.ready ## Build the firmware image for BOARD
	@$(BIN)/wattline image build --board $(BOARD) $(IMAGE_FLAGS) $(ARGS)

uf2_check: $(VENV)/.ready ## Build the image twice and compare the bytes
	@$(BIN)/wattline image verify-reproducible --board $(BOARD) $(IMAGE_FLAGS)

test: check $(VENV)/.compiled ## All tests: static, both Pythons, emulated module (ARGS for pytest)
	@$(BIN)/wattline image build --board $(BOARD) $(IMAGE_FLAGS)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder hil_tests host/tests firmware/tests $(ARGS)

check: $(VENV)/.ready typings/.ready ## Static checks: style, types against the RP2 stubs, mpy-cross, import rule
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright --pythonpath /bin/true
	@$(BIN)/python -m pytest -q host/tests/test_house.py

typings/.ready: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-user --upgrade --target typings 'micropython-rp2-rpi_pico-stubs==1.25.0.*'
	@touch $@

format: $(VENV)/.ready ## Format the Python sources
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

format_check: $(VENV)/.ready ## Check the format without changing anything
	@$(BIN)/ruff format --check .

benchmark: $(VENV)/.compiled ## Measure: emulator speed, chip cycles, wire, engine, flash, heap, image size
	@$(BIN)/wattline benchmark --board $(BOARD) $(IMAGE_FLAGS) $(ARGS)

soak: $(VENV)/.compiled ## Long runs that are not part of make test (WATTLINE_SOAK_MINUTES=8 shortens the emulated one)
	@$(BIN)/python -m pytest -m soak --override-ini addopts= firmware/tests host/tests hil_tests $(ARGS)

clean: ## Remove everything that was built, downloads included
	rm -rf $(BUILD) typings

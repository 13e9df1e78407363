# Everything a reader needs: two commands, no step before them.
#   make reproduce [PROFILE=laptop] [ONLY="03 04"] [P="train_steps=100 max_steps=10"]
#   make test
PROFILE ?= laptop
PYTHON ?= python3
BIN := .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
REPRODUCE = $(BIN)/python -m agentrefine_lib.reproduce $(PROFILE) $(if $(ONLY),--only $(ONLY)) $(if $(P),-p $(P)) $(ARGS)

.PHONY: reproduce smoke test check gallery lab why clean help

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

reproduce: .venv/ready ## run the notebooks of a profile and write its figures
	$(REPRODUCE)
	@if [ "$(PROFILE)" = laptop ] && [ -e figures/tab1_main.csv ]; then $(BIN)/python -m agentrefine_lib.reproduce.readme; fi

smoke: ## the same, as small as it gets: does everything run?
	$(MAKE) reproduce PROFILE=smoke

why: .venv/ready ## say what is up to date, what is stale, and why
	$(REPRODUCE) --why

gallery: .venv/ready ## the executed notebooks as pages that open from disk
	$(BIN)/python -m agentrefine_lib.reproduce.gallery $(PROFILE)

lab: .venv/ready ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

test: check ## lint, types, and all tests
	$(BIN)/python -m pytest

check: .venv/ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean: ## remove the virtual environment (runs/ and figures/ stay)
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) --version); name another one: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt install python3-venv, then run make again."; rm -rf .venv; exit 1; }

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	@$(PIP) -e ".[engines]" || { echo; echo "AlfWorld and Jericho drop out: their engines are compiled at installation and that failed (above)."; \
	  echo "They need a C++ compiler and make (on Debian: apt install build-essential). Then: touch pyproject.toml; make again."; echo; }
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) -e ".[test]"
	@touch $@

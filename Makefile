# Everything a reader needs: two commands, no step before them.
#   make reproduce [PROFILE=laptop] [ONLY="03 04"] [P="recipe.train_steps=100 limits.steps=10"] [JOBS=2]
#   make test
PROFILE ?= laptop
PYTHON ?= python3
BIN := .venv/bin
# torch for processors, from PyTorch's own index, is a tenth of PyPI's, which brings CUDA; make TORCH=cuda … for that one
TORCH ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
# some packages call `python` while they are built; pip is silent where nobody watches
PIP = PIP_USE_PEP517=1 PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install $(if $(shell test -t 2 && echo seen),,--quiet --progress-bar off) \
  --disable-pip-version-check --log .venv/pip.log -c constraints.txt
SUPPLY := .supply-chain
TOOLS := .venv/tools/bin
# chapters at a time; one where they would share a GPU
JOBS ?= $(if $(shell command -v nvidia-smi),1,2)
REPRODUCE = $(BIN)/python -m agentrefine_lib.runner $(PROFILE) --jobs $(JOBS) $(if $(ONLY),--only $(ONLY)) $(if $(P),-p $(P)) $(ARGS)
# a value that a typing error would lose: make reproduce profile=smoke would run the default profile for an hour
KNOWN := PROFILE ONLY P ARGS JOBS A B PYTHON NODE_PYTHON TORCH BIN SHELL
UNKNOWN := $(filter-out $(KNOWN),$(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
$(if $(UNKNOWN),$(error found $(foreach name,$(UNKNOWN),$(name)=), expected some of $(KNOWN:%=%=), in capitals))
# every chapter of the default run is done, with its own values: only then are its findings told
OTHER := $(filter-out processes=%,$(P)) $(filter -p% -h --help --why --dry-run,$(ARGS))
WHOLE = $(BIN)/python -c 'import json; exit(None in json.load(open("figures/manifest.json"))["notebooks"].values())'

# what JupyterLab adds to a notebook that it saves
EXTRA := $(addprefix metadata.language_info.,codemirror_mode file_extension mimetype nbconvert_exporter pygments_lexer version)
NODE := .venv/gpu-node
NODE_PYTHON ?= 3.12

.PHONY: reproduce base smoke sets compare sweep doctor test check gpu gpunode book lab why locked lock audit licences sbom clean help

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

reproduce: .venv/ready .venv/base ## run the notebooks of a profile and write its figures
	$(REPRODUCE)
	@if [ "$(PROFILE)$(if $(strip $(OTHER)),-changed)" = laptop ] && [ -e runs/laptop/models/models.csv ] && $(WHOLE); then $(BIN)/python -m agentrefine_lib.results.readme && \
	  $(BIN)/python -m agentrefine_lib.runner.pack laptop && $(BIN)/python -m agentrefine_lib.results.book laptop; fi

base: .venv/base ## fetch the base model, SmolLM2-135M-Instruct (93 MB, once) and convert it

smoke: ## the same, as small as it gets: does everything run?
	$(MAKE) reproduce PROFILE=smoke

sets: ## all training sets of the paper's ablations, from the same seeds
	$(MAKE) reproduce PROFILE=sets

doctor: ## say what is missing on this machine, what you lose without it, and how to fix it (ARGS=--json for a bug report)
	@python=$(PYTHON); if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; \
	  "$$python" agentrefine_lib/runner/doctor.py $(ARGS)

why: .venv/ready ## say what is up to date, what is stale, and why
	$(REPRODUCE) --why

compare: .venv/ready ## two runs side by side (A=runs/x B=runs/y; without B the committed figures): what differs, tables, paired tests
	@$(BIN)/python -m agentrefine_lib.results.compare $(A) $(or $(B),figures)

sweep: .venv/ready .venv/base ## one value after the other, then side by side (P="recipe.train_steps=[10,20]")
	$(subst agentrefine_lib.runner,agentrefine_lib.results.sweep,$(REPRODUCE))

book: .venv/ready ## the executed chapters of a profile as a site that opens from disk
	@$(BIN)/python -m agentrefine_lib.results.book $(PROFILE)

lab: .venv/ready .venv/base ## open the notebooks in JupyterLab; git sees them without outputs
	@if [ -e .git ]; then git config filter.nbstripout.clean "'$(CURDIR)/$(BIN)/nbstripout' --keep-id --extra-keys '$(EXTRA)'"; fi
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_walkthrough.ipynb

test: check ## lint, types, and all tests, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

gpu: .venv/ready .venv/base ## measure this machine's NVIDIA GPU: a table, and benchmarks/gpu.json (at most 8 minutes)
	$(BIN)/python benchmarks/gpu.py $(ARGS)

gpunode: .venv/ready .venv/base ## pack gpu-node.tar, which needs no network and only torch there (NODE_PYTHON=3.12)
	rm -rf $(NODE) && mkdir -p $(NODE)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version $(NODE_PYTHON) \
	  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
	  -c constraints.txt -r $(SUPPLY)/gpu-node.txt --dest $(NODE)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(NODE) .
	cp -r benchmarks/gpu.py $$($(BIN)/python -c 'from agentrefine_lib.tuning import base_folder; print(base_folder("smollm2"))') $(NODE)
	tar -cf gpu-node.tar -C $(NODE) .

check: .venv/ready-test .venv/base
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

locked: .venv/bin/python ## set up with .supply-chain/lock.txt: every file is checked by its hash, for Linux x86-64 and Python 3.11
	PIP_USE_PEP517=1 PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r $(SUPPLY)/lock.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/ready .venv/ready-test

lock: .venv/tools/ready ## write that lock from constraints.txt
	$(TOOLS)/uv pip compile --quiet --no-config --no-header --no-annotate --generate-hashes --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --default-index https://pypi.org/simple --extra engines --extra textarena --extra test \
	  --constraints constraints.txt pyproject.toml --output-file $(SUPPLY)/lock.txt

audit: .venv/tools/ready ## look the locked versions up among known weaknesses (needs pypi.org's JSON pages)
	$(TOOLS)/pip-audit --strict --require-hashes --disable-pip --requirement $(SUPPLY)/lock.txt

licences: .venv/ready ## list the licences of what is installed (.supply-chain/licences.csv)
	$(BIN)/python -m agentrefine_lib.runner.licences >.venv/licences.csv
	@mv .venv/licences.csv $(SUPPLY)/licences.csv

sbom: .venv/ready .venv/tools/ready ## write the bill of materials of what is installed, as CycloneDX (.supply-chain/sbom.cdx.json)
	$(TOOLS)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --output-file $(SUPPLY)/sbom.cdx.json

clean: ## remove the virtual environment (runs/ and figures/ stay)
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) --version); name another one: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt install python3-venv, then run make again."; rm -rf .venv; exit 1; }

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv: 0.6 GB to download (3 GB with CUDA), minutes; what pip does is written to .venv/pip.log"
ifeq ($(TORCH),cpu)
	@$(PIP) --no-deps --retries 0 --timeout 20 --index-url https://download.pytorch.org/whl/cpu torch || \
	  echo "PyTorch's index cannot be reached: PyPI's torch instead, with CUDA, 2.7 GB more."
endif
	@$(PIP) -e . || { echo; echo "pip stopped: the end of .venv/pip.log says why, and \"make doctor\" what is missing."; exit 1; }
	@if ! command -v c++ >/dev/null; then \
	  echo "No C++ compiler: AlfWorld and Jericho drop out, everything else runs. \"make doctor\" says how to get one."; \
	elif echo "Compiling the engines of AlfWorld and Jericho: some minutes"; ! $(PIP) -e ".[engines]"; then \
	  echo; echo "AlfWorld and Jericho drop out, everything else runs: their engines are compiled at installation and that failed"; \
	  echo "(.venv/pip.log). Once that is fixed: rm .venv/ready, and run make again."; echo; fi
	@touch $@

.venv/base: .venv/ready $(SUPPLY)/base.txt $(SUPPLY)/base.py
	@$(BIN)/python $(SUPPLY)/base.py
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) -e ".[test]"
	@touch $@

.venv/tools/ready: .venv/bin/python $(SUPPLY)/tools.txt
	@$(BIN)/python -m venv .venv/tools
	@$(TOOLS)/python -m pip install --quiet --disable-pip-version-check -r $(SUPPLY)/tools.txt
	@touch $@

# Two commands do everything, installation included: `make book` and `make test`. `make help` lists
# the others.
PRESET ?= quick
DATA ?= phantom
# PARTIAL=yes uses the images of DATA that are there and can be decoded, and counts the others.
PARTIAL ?=
CORES ?= all
# PROFILE=slurm or workstation: on a cluster, or on the GPUs of one machine. It names a folder of
# workflow/profiles, which says how many cores and jobs there are.
PROFILE ?=
PYTHON ?= python3
# jax: everything in an environment without TensorFlow. KERAS_BACKEND=jax says the same.
BACKEND := $(or $(BACKEND),$(KERAS_BACKEND),tensorflow)

ifeq ($(BACKEND),jax)
VENV ?= .venv-jax
LOCK := requirements-jax.lock
else ifeq ($(BACKEND),tensorflow)
VENV ?= .venv
LOCK := requirements.lock
else
$(error BACKEND is $(BACKEND); allowed: tensorflow, jax)
endif
export KERAS_BACKEND := $(BACKEND)

BIN := $(VENV)/bin
PROFILES := $(notdir $(wildcard workflow/profiles/*))
ifneq ($(PROFILE),)
ifeq ($(filter $(PROFILE),$(PROFILES)),)
$(error PROFILE is $(PROFILE); allowed: $(PROFILES))
endif
WHERE := --profile workflow/profiles/$(PROFILE)
else
WHERE := --cores $(CORES) --quiet rules host reason --rerun-incomplete --nolock
endif
SNAKEMAKE = $(BIN)/snakemake --snakefile workflow/Snakefile $(WHERE) --config "preset=$(PRESET)" "data=$(DATA)" $(if $(PARTIAL),allow_partial=true)

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PYTHONUNBUFFERED = 1

.PHONY: help book test check edition verify plan lab install clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

book: $(VENV)/installed ## run PRESET on DATA and build the HTML book
	@$(SNAKEMAKE)
	@$(BIN)/python -m chestkd timings --preset "$(PRESET)" --data "$(DATA)"

test: $(VENV)/installed check ## run every check and test
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder

check: $(VENV)/installed ## lint, format, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

edition: book ## replace the published edition under book/ by PRESET's notebooks and records
	$(BIN)/python -m chestkd publish --preset "$(PRESET)" --data "$(DATA)"

verify: $(VENV)/installed ## compute the published tables again from the records of their runs
	@$(BIN)/python -m chestkd verify

plan: $(VENV)/installed ## print the runs of PRESET on DATA and their cost (MEASURE=yes measures speeds)
	@$(BIN)/python -m chestkd plan --preset "$(PRESET)" --data "$(DATA)" \
		$(if $(PARTIAL),--allow-partial) $(if $(MEASURE),--measure)

lab: $(VENV)/installed ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

install: $(VENV)/installed ## create .venv with the locked dependencies

# The marker comes last, so that an interrupted installation starts again from scratch.
$(VENV)/installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and \
		"Python 3.11, 3.12 or 3.13 is needed, this is %d.%d; try make PYTHON=python3.12 ..." \
		% sys.version_info[:2])'
	@echo "installing the locked dependencies into $(VENV) (2.5 GB; a minute or two)"
	@rm -f $@
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p build  # papermill refuses an output folder that is missing
	@touch $@

clean: ## remove everything generated, runs and prepared data included
	rm -rf build book/_build

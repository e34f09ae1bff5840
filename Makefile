# make run | test | lint | tensorboard       PIPELINE_CONFIG=… make run       make PYTHON=3.10 …
PYTHON ?= 3.10

export TF_CPP_MIN_LOG_LEVEL := 3
export BEAM_HOME := $(CURDIR)/output/.tfx/beam
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

environment := .venv/.ready-$(PYTHON)

.PHONY: run test lint format tensorboard clean
.DEFAULT_GOAL := run

run: $(environment) ## Run the pipeline of PIPELINE_CONFIG with TFX's Beam engine.
	@set -e; name=$$(python -m pipeline_def name); \
	[ -e $(BEAM_HOME)/$$name ] || \
		tfx pipeline create --engine beam --pipeline_path pipeline_def/beam_runner.py; \
	tfx run create --engine beam --pipeline_name $$name

test: $(environment) ## Run all tests.
	@pytest

lint: $(environment) ## Check style, types and the direction of imports.
	@ruff check . && ruff format --check . && mypy && lint-imports

format: $(environment) ## Format the sources.
	@ruff check --fix . && ruff format .

tensorboard: $(environment) ## Open the newest projection.
	@newest=$$(python -m pipeline_def projection) && tensorboard --logdir "$${newest%/*}"

clean: ## Remove the environment and all outputs.
	rm -rf .venv .tools output

$(environment): uv.lock pyproject.toml setup.py scripts/environment.sh
	@scripts/environment.sh $(PYTHON)
	@touch $@

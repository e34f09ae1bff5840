# make run | test | lint | tensorboard       PIPELINE_CONFIG=… make run       make PYTHON=3.10 …
PYTHON ?= 3.10
PIPELINE_CONFIG ?= pipeline_def/configs/sample.yaml
PIPELINE := $(or $(PIPELINE__NAME),$(shell sed -n 's/^name: *//p' $(PIPELINE_CONFIG)))

export PIPELINE_CONFIG
export TF_CPP_MIN_LOG_LEVEL := 3
export BEAM_HOME := $(CURDIR)/output/.tfx/beam
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

environment := .venv/.ready-$(PYTHON)
registered := $(BEAM_HOME)/$(PIPELINE)/pipeline_args.json

.PHONY: run test lint format tensorboard clean
.DEFAULT_GOAL := run

run: $(environment) $(registered) ## Run the pipeline of PIPELINE_CONFIG with TFX's Beam engine.
	@tfx run create --engine beam --pipeline_name $(PIPELINE)

test: $(environment) ## Run all tests.
	@pytest

lint: $(environment) ## Check style, types and the direction of imports.
	@ruff check . && ruff format --check . && mypy && lint-imports

format: $(environment) ## Format the sources.
	@ruff check --fix . && ruff format .

tensorboard: $(environment) ## Open the newest projection.
	@newest=$$(ls -td output/*/artifacts/ProjectorExporter/projection/* 2>/dev/null | head -n 1); \
	if [ -z "$$newest" ]; then echo "No projection yet: call make run first." >&2; exit 1; fi; \
	tensorboard --logdir "$$newest"

clean: ## Remove the environment and all outputs.
	rm -rf .venv .tools output

$(environment): uv.lock pyproject.toml setup.py scripts/environment.sh
	@scripts/environment.sh $(PYTHON)
	@touch $@

$(registered): | $(environment)
	@tfx pipeline create --engine beam --pipeline_path pipeline_def/beam_runner.py

# `make help` lists the targets.    PIPELINE_CONFIG=… make run    make PYTHON=3.10 …
ifndef PYTHON
PYTHON := $(shell scripts/environment.sh)
endif
TESTS ?=
FILES ?=
SAMPLE ?= 100
# New code needs a new tag, because Kubeflow's cache identifies code by its image.
IMAGE ?= tfx-embedding-projector:$(shell git describe --always --dirty)
BASE_IMAGE ?= python:3.13-slim-trixie

export TF_CPP_MIN_LOG_LEVEL := 3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

environment := .venv/.ready-$(PYTHON)

# What TensorFlow 2.21 prints at its import, before it reads TF_CPP_MIN_LOG_LEVEL.
SHELL := bash
notes := before absl::InitializeLog|oneDNN custom operations|Could not find cuda drivers
quietly := 2> >(trap '' INT; exec grep --line-buffered -avE '$(notes)' >&2)

# Two processes, each of which imports TensorFlow and TFX: 2 to 3 GB of memory each.
pytest := pytest -n 2 --no-loadscope-reorder
ordinary := not long and not benchmarks and not hosts and not cluster

.PHONY: help run test quick test-long test-bench hosts test-trixie breakages mutants fuzz cluster \
	lint format bench tensorboard image kubeflow-local clean
.DEFAULT_GOAL := run

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s%s\n", $$1, $$2 }' Makefile

run: $(environment) ## Run the pipeline of PIPELINE_CONFIG.
	@exec python -m pipeline_def run $(quietly)

test: $(environment) ## Run the tests, or those of TESTS="…".
	@$(pytest) -m "$(ordinary)" $(TESTS)

quick: $(environment) ## Run the tests without pipelines, browsers and hosts: a minute and a half.
	@$(pytest) -m "$(ordinary) and not slow and not browser and not docker" $(TESTS)

test-long: $(environment) ## Run the tests that fill a disk or the memory, or start processes that import TFX.
	@$(pytest) -m long

test-bench: $(environment) ## Run each benchmark on the sample.
	@pytest -m benchmarks

hosts: $(environment) ## Train on two hosts, this machine and a network namespace. Needs root.
	@pytest -m hosts

test-trixie: ## Run the tests on the current track, in a Debian 13 under output/. Needs root.
	@scripts/in_debian.sh output/trixie make test 'TESTS=$(TESTS)'

breakages: $(environment) ## Break the wiring in each known way, and see a test fail.
	@python -m tests.breakages

mutants: $(environment) ## See which of SAMPLE small faults a module the tests of FILES="…" let pass.
	@python -m tests.mutants $(FILES) --sample $(SAMPLE) $(quietly)

fuzz: $(environment) ## Break CASES projector directories, and judge verify by TensorBoard's own code.
	@python -m tests.components.projector_directory.judge $(or $(CASES),10000) $(or $(SEED),1)

cluster: $(environment) ## Run the sample on several hosts and on Flink. Needs root, Java and Maven.
	@pytest -m cluster $(TESTS)

lint: $(environment) ## Check style, types and the direction of imports.
	@ruff check . && ruff format --check . && mypy && lint-imports

format: $(environment) ## Format the sources.
	@ruff check --fix . && ruff format .

bench: $(environment) ## Measure this project and its peers on the IMDB reviews of TFDS_DATA_DIR.
	@python -W ignore -m benchmarks $(quietly)

tensorboard: $(environment) ## Open the newest projection.
	@newest=$$(python -m pipeline_def projection) && \
		tensorboard --logdir "$${newest%/*}" $(quietly)

image: ## Build the image of the steps on Kubeflow, IMAGE, from BASE_IMAGE.
	@scripts/with_docker.sh scripts/build_image.sh $(IMAGE) $(BASE_IMAGE)

kubeflow-local: $(environment) image ## Run what is compiled for Kubeflow, in containers here.
	@scripts/with_docker.sh scripts/kubeflow_local.sh $(IMAGE) $(quietly)

clean: ## Remove the environment and all outputs.
	rm -rf .venv .tools output

$(environment): uv.lock pyproject.toml setup.py scripts/environment.sh
	@scripts/environment.sh $(PYTHON)
	@touch $@

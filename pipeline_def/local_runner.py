"""Runs the pipeline with TFX's local engine: ``tfx … --engine local`` takes this file."""

from pipeline_def import run  # Before TensorFlow, which it quiets.

# isort: split
from tfx import v1 as tfx

if __name__ == "__main__":
    run.main(tfx.orchestration.LocalDagRunner())

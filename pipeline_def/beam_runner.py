"""Runs the pipeline with TFX's Beam engine: ``tfx … --engine beam`` takes this file."""

from pipeline_def import run  # Before TensorFlow, which it quiets.

# isort: split
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

if __name__ == "__main__":
    run.main(BeamDagRunner())

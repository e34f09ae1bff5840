"""Runs the pipeline with TFX's Beam engine: ``tfx … --engine beam`` takes this file."""

from pipeline_def.__main__ import run

if __name__ == "__main__":
    run("beam")

"""Runs the pipeline with TFX's local engine: ``tfx … --engine local`` takes this file."""

from pipeline_def.__main__ import run

if __name__ == "__main__":
    run("local")

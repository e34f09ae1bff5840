"""Compiles the pipeline for Kubeflow Pipelines; with ``--vertex`` for Vertex AI.

Prints the YAML: ``python pipeline_def/kubeflow_runner.py > pipeline.yaml``.
"""

import argparse
import sys

from pipeline_def.config import load  # Before TensorFlow, which pipeline_def quiets.

# isort: split
from pipeline_def.kubeflow.compiler import compile_pipeline


def main(arguments: list[str]) -> None:
    """Compiles the pipeline that the environment configures.

    Args:
        arguments: None, or ``--vertex``.

    Raises:
        SystemExit: With a message if the configuration cannot be used.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertex", action="store_true", help="compile for Vertex AI")
    vertex = parser.parse_args(arguments).vertex
    try:
        sys.stdout.write(compile_pipeline(load(), vertex))
    except ValueError as error:  # A ConfigError, or what a component refuses at construction.
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])

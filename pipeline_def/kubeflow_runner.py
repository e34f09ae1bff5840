"""Prints the pipeline compiled for Kubeflow Pipelines; with ``--vertex`` for Vertex AI.

The same as ``python -m pipeline_def.kubeflow compile --output -``.
"""

import sys

from pipeline_def.kubeflow.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["compile", "--output", "-", *sys.argv[1:]]))

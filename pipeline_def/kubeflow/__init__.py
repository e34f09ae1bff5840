"""Compiles the pipeline for Kubeflow Pipelines, submits it and runs its steps."""

"""The pipeline on Kubeflow Pipelines."""

# The output that the entrypoint makes itself, not a TFX executor.
VISUALIZATION = "visualization"

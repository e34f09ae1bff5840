"""Measures this project and its peers side by side on the same reviews: ``make bench``."""

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

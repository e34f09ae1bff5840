"""This project and its peers, measured side by side on the same reviews: ``make bench``."""

from pipeline_def import startup  # noqa: F401  (Before anything imports TensorFlow.)

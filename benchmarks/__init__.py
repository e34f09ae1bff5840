"""This project and its peers, measured side by side on the same reviews: ``make bench``."""

import pipeline_def  # noqa: F401  (Quiets TensorFlow, before anything imports it.)

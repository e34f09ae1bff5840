"""The pipeline made of the components, its configurations and its runners."""

import os

# TensorFlow's C++ log reads this at import: its notes about CPU features and missing GPUs are
# nothing a user can act on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

"""The pipeline made of the components, its configurations and its runners."""

import gc
import os

# TensorFlow's C++ log reads this at import: its notes about CPU features and missing GPUs are
# nothing a user can act on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# TFX and what it needs make some million objects as they are imported, and keep them. With its
# default, 700, the collector looks through them so often that it takes a fifth of that time.
gc.set_threshold(100_000, 50, 50)

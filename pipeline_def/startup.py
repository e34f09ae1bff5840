"""Makes, at its import, settings that only work before TensorFlow and TFX are imported."""

import gc
import os

# TensorFlow's C++ log reads this at import. A user can do nothing about its notes on CPU features
# and missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Importing TFX makes about a million objects that stay. With its default threshold of 700, the
# garbage collector scans them so often that it takes a fifth of the import's time.
gc.set_threshold(100_000, 50, 50)

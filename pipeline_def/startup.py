"""Settings that only work before TensorFlow and TFX are imported; importing this makes them."""

import gc
import os

# TensorFlow's C++ log reads this at import: its notes about CPU features and missing GPUs are
# nothing a user can act on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Importing TFX makes about a million objects that stay. With the default threshold of 700 the
# garbage collector walks through them so often that it takes a fifth of the import's time.
gc.set_threshold(100_000, 50, 50)

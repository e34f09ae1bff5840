"""What a token is, in training and in serving: features, tokenizers and the vocabulary.

Importing the package, its feature names or its options loads neither TensorFlow nor Beam.
"""

import importlib
from typing import TYPE_CHECKING, Any

from components.text.features import LABEL, TEXT

if TYPE_CHECKING:
    from components.text.preprocessing import preprocessing_fn

__all__ = ["LABEL", "TEXT", "preprocessing_fn"]


def __getattr__(name: str) -> Any:
    if name != "preprocessing_fn":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("components.text.preprocessing").preprocessing_fn

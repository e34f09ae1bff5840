"""The directory format of TensorBoard's Embedding Projector: written, read and verified.

Importing the package, `Bookmark` or the names of `metadata` loads no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from components.projector_directory.bookmarks import Bookmark
from components.projector_directory.metadata import escape, unescape

if TYPE_CHECKING:
    from components.projector_directory.tensors import Tensor
    from components.projector_directory.writer import write

__all__ = ["Bookmark", "Tensor", "escape", "unescape", "write"]

_MODULES = {
    "Tensor": "components.projector_directory.tensors",
    "write": "components.projector_directory.writer",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)

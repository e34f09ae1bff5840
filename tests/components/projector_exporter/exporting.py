"""Exports of little embeddings, without what takes long."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.projector_directory.tensors import VARIABLE
from components.projector_exporter.export import Embedding, Export, export_embedding
from components.projector_exporter.options import ExportOptions

EMBEDDING = VARIABLE.format("embedding")


def write_export(
    directory: pathlib.Path | str, tokens: Sequence[bytes], matrix: np.ndarray, **options: Any
) -> Export:
    """Exports the bare embedding with options."""
    bare: dict[str, Any] = {"layouts": (), "normalized": False, "columns": ("token", "id", "norm")}
    embedding = Embedding(tokens, matrix)
    return export_embedding(str(directory), embedding, ExportOptions(**{**bare, **options}))


# What is kept under written_by/, as each track of TensorFlow has written it:
# python -m tests.components.projector_exporter.exporting DIR
KEPT_TOKENS = [b"", b"a\tb", b"007", "日本語".encode(), *(f"word{i}".encode() for i in range(16))]
KEPT_MATRIX = np.arange(80, dtype=np.float32).reshape(20, 4) / 8 - 5

if __name__ == "__main__":
    write_export(sys.argv[1], KEPT_TOKENS, KEPT_MATRIX)

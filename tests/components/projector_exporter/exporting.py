"""Exports of little embeddings, without what takes long."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.projector_exporter.export import Embedding, Export, export_embedding
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.tensors import VARIABLE

EMBEDDING = VARIABLE.format("embedding")


def write_export(
    directory: pathlib.Path | str, tokens: Sequence[bytes], matrix: np.ndarray, **options: Any
) -> Export:
    """Exports the bare embedding with options."""
    bare: dict[str, Any] = {"layouts": (), "normalized": False, "columns": ("token", "id", "norm")}
    embedding = Embedding(tokens, matrix)
    return export_embedding(str(directory), embedding, ExportOptions(**{**bare, **options}))

"""Reads the embedding matrix from a SavedModel's checkpoint, without loading the graph."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

# What tf.train.load_checkpoint returns; TensorFlow has no public name for it.
CheckpointReader = Any

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


@dataclasses.dataclass(frozen=True)
class _Matrix:
    """A matrix of floats in a checkpoint.

    Attributes:
        key: Its key, such as 'variables/0/.ATTRIBUTES/VARIABLE_VALUE'.
        name: The variable's name in the model, such as 'embedding/embeddings'; may be empty.
        rows: Number of rows.
        columns: Number of columns.
    """

    key: str
    name: str
    rows: int
    columns: int

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name else ""
        return f"{self.key}{named} [{self.rows}, {self.columns}]"


def read_embedding(saved_model: str, embedding: str = "embedding") -> tuple[str, np.ndarray]:
    """Reads an embedding matrix.

    Slots of optimizers are never taken. A matrix is never chosen by its shape: another matrix of
    the same shape would give every word a wrong vector, and nobody would notice.

    Args:
        saved_model: The SavedModel's directory.
        embedding: A key of the checkpoint, or a component of a key's path or of a variable's name.

    Returns:
        The key of the matrix, and all its rows, float32 [rows, dimensions].

    Raises:
        FileNotFoundError: There is no checkpoint.
        ValueError: No matrix, or more than one, has that name.
    """
    prefix = os.path.join(saved_model, tf.saved_model.VARIABLES_DIRECTORY, "variables")
    if not tf.io.gfile.exists(f"{prefix}.index"):
        raise FileNotFoundError(f"{prefix}.index is missing; expected a SavedModel with variables.")
    reader = tf.train.load_checkpoint(prefix)
    matrices = _matrices(reader)
    named = [matrix for matrix in matrices if matrix.key == embedding] or _without_copies(
        reader,
        [
            matrix
            for matrix in matrices
            if embedding in matrix.key.split("/") or embedding in matrix.name.split("/")
        ],
    )
    if len(named) != 1:
        found = "\n  ".join(map(str, named or matrices)) or "no matrix of floats"
        raise ValueError(
            f"{saved_model}: {len(named)} matrices have the key or name {embedding!r}; expected "
            f"one. Pass as embedding the key, or a part of the name, of one of these:\n  {found}"
        )
    values = reader.get_tensor(named[0].key)
    return named[0].key, values.astype(np.float32, copy=False)


def _matrices(reader: CheckpointReader) -> list[_Matrix]:
    names = _variable_names(reader)
    types = reader.get_variable_to_dtype_map()
    return [
        _Matrix(key, names.get(key, ""), *shape)
        for key, shape in sorted(reader.get_variable_to_shape_map().items())
        if len(shape) == 2 and types[key] in _FLOATS and not _is_slot(key)
    ]


def _variable_names(reader: CheckpointReader) -> dict[str, str]:
    """Maps keys to the names of their variables.

    Keras 3's keys are numbers (`_operations/1/_embeddings`, `variables/0`); the object graph in the
    checkpoint has the layers' names.
    """
    if not reader.has_tensor(_OBJECT_GRAPH):
        return {}
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor(_OBJECT_GRAPH)
    )
    return {
        attribute.checkpoint_key: attribute.full_name
        for node in graph.nodes
        for attribute in node.attributes
    }


def _is_slot(key: str) -> bool:
    """Tells whether a key is that of an optimizer's slot.

    Keras keeps slots in `optimizer/_variables`. But Keras 3 writes the weights themselves of a
    compiled Sequential model as `optimizer/_trainable_variables`.
    """
    parts = key.split("/")
    return (
        ".OPTIMIZER_SLOT" in parts
        or "_variables" in parts
        or ("optimizer" in parts and "_trainable_variables" not in parts)
    )


def _without_copies(reader: CheckpointReader, matrices: Sequence[_Matrix]) -> list[_Matrix]:
    """Drops all but the first of equal matrices; Keras 3's `export` writes each variable twice."""
    if len(matrices) < 2:
        return list(matrices)
    kept: dict[tuple[str, bytes], _Matrix] = {}
    for matrix in matrices:
        # The digest is of the bytes, as NumPy cannot compare all of TensorFlow's types of floats.
        digest = hashlib.sha256(reader.get_tensor(matrix.key).view(np.uint8)).digest()
        kept.setdefault((matrix.name, digest), matrix)
    return list(kept.values())

"""Finds the embedding matrix in a SavedModel's checkpoint and reads it, without the graph."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

# What tf.train.load_checkpoint gives; TensorFlow has no public name for it.
CheckpointReader = Any

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
# The most rows after the words: out of vocabulary, padding of the shape.
_SPARE_ROWS = 16


@dataclasses.dataclass(frozen=True)
class _Matrix:
    """A matrix of floats in a checkpoint.

    Attributes:
        key: Its key there, such as 'variables/0/.ATTRIBUTES/VARIABLE_VALUE'.
        name: What the model calls it, such as 'embedding/embeddings'; may be empty.
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


def read_embedding(
    saved_model: str, vocabulary_size: int, embedding: str = "embedding", first_token_id: int = 1
) -> tuple[str, np.ndarray]:
    """Reads the rows of the vocabulary's tokens.

    The matrix is the one whose key is given. Otherwise it is the one so named, or else the only
    one, that has a row for each token and at most a few more: labels of another vocabulary would
    be wrong unnoticed. Slots of optimizers are never taken.

    Args:
        saved_model: The SavedModel's directory.
        vocabulary_size: Number of tokens.
        embedding: A key of the checkpoint, or a component of a key's path or of the name that
            the model gives the variable.
        first_token_id: The matrix row of the first token.

    Returns:
        The key of the matrix, and its rows for the tokens, float32
        [vocabulary_size, dimensions].

    Raises:
        FileNotFoundError: There is no checkpoint.
        ValueError: No matrix, or more than one, can be the embedding, or it has too few rows.
    """
    prefix = os.path.join(saved_model, tf.saved_model.VARIABLES_DIRECTORY, "variables")
    if not tf.io.gfile.exists(f"{prefix}.index"):
        raise FileNotFoundError(f"{prefix}.index is missing; expected a SavedModel with variables.")
    reader = tf.train.load_checkpoint(prefix)
    end = first_token_id + vocabulary_size
    matrix = _find(reader, embedding, end)
    if matrix.rows < end:
        raise ValueError(
            f"{matrix} has too few rows for {vocabulary_size} tokens from row {first_token_id} on. "
            "Was the model trained with another vocabulary, or is first_token_id wrong?"
        )
    values = reader.get_tensor(matrix.key)[first_token_id:end]
    return matrix.key, values.astype(np.float32, copy=False)


def _find(reader: CheckpointReader, embedding: str, end: int) -> _Matrix:
    matrices = _matrices(reader)
    for matrix in matrices:
        if matrix.key == embedding:
            return matrix
    named = [
        matrix
        for matrix in matrices
        if embedding in matrix.key.split("/") or embedding in matrix.name.split("/")
    ]
    fitting = [matrix for matrix in named or matrices if 0 <= matrix.rows - end <= _SPARE_ROWS]
    candidates = _without_copies(reader, fitting)
    if len(candidates) != 1:
        found = "\n  ".join(map(str, candidates or matrices)) or "no matrix of floats"
        raise ValueError(
            f"{len(candidates)} matrices can be the embedding {embedding!r} with a row for each "
            f"token, {end} to {end + _SPARE_ROWS} rows. Give the key of the right one as "
            f"'embedding'. Found:\n  {found}"
        )
    return candidates[0]


def _matrices(reader: CheckpointReader) -> list[_Matrix]:
    names = _variable_names(reader)
    types = reader.get_variable_to_dtype_map()
    return [
        _Matrix(key, names.get(key, ""), *shape)
        # The shortest key first: the one taken of several copies.
        for key, shape in sorted(
            reader.get_variable_to_shape_map().items(), key=lambda item: (len(item[0]), item[0])
        )
        if len(shape) == 2 and types[key] in _FLOATS and not _is_slot(key)
    ]


def _variable_names(reader: CheckpointReader) -> dict[str, str]:
    """Maps keys to the names of their variables.

    Keras 3's keys are numbers (`_operations/1/_embeddings`, `variables/0`); the object graph
    beside them keeps the layer's name.
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
    """Tells optimizer slots by their key.

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
        # As bytes without a copy, whatever the type of its floats.
        digest = hashlib.sha256(reader.get_tensor(matrix.key).view(np.uint8)).digest()
        kept.setdefault((matrix.name, digest), matrix)
    return list(kept.values())

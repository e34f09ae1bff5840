"""Writes projector directories that are right by TensorBoard's rules, whole or not at all."""

import dataclasses
import logging
import os
import uuid
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from components.projector_exporter import metadata
from components.projector_exporter.reader import MAX_ROWS
from components.projector_exporter.verify import run_name_problem, verify_contents

_LOGGER = logging.getLogger(__name__)

VARIABLE = "embedding/.ATTRIBUTES/VARIABLE_VALUE"
METADATA = "metadata.tsv"
_CHECKPOINT = "embedding.ckpt-1"


@dataclasses.dataclass(frozen=True)
class Export:
    """What became of an embedding.

    Attributes:
        rows: Number of words in the directory.
        dimensions: Columns of the embedding, as it was given.
        rows_left_out: Number of words, the last ones, that are not in the directory.
    """

    rows: int
    dimensions: int
    rows_left_out: int


def export_embedding(
    directory: str, tokens: Sequence[bytes], matrix: np.ndarray, first_token_id: int = 1
) -> Export:
    """Writes an embedding with the columns token, id and norm.

    TensorBoard shows 100,000 rows: of more tokens the first are written, which are the most
    frequent ones in a vocabulary of tf.Transform. An embedding with two columns gets a third one
    of zeros, because the 3-D view is blank without; distances and angles stay the same.

    Args:
        directory: Where to; missing or empty.
        tokens: The words, one a row.
        matrix: Their vectors, float32 [tokens, dimensions].
        first_token_id: The id of the first token.

    Returns:
        What was written.

    Raises:
        ValueError: The matrix or the tokens cannot be shown.
        FileExistsError: The directory is not empty.
    """
    if matrix.ndim != 2 or len(tokens) != len(matrix):
        raise ValueError(f"Expected {len(tokens)} rows for as many tokens, found {matrix.shape}.")
    rows_left_out = max(len(tokens) - MAX_ROWS, 0)
    if rows_left_out:
        _LOGGER.warning(
            "TensorBoard shows %d rows: the last %d of %d tokens are left out.",
            MAX_ROWS,
            rows_left_out,
            len(tokens),
        )
    tokens, matrix = tokens[:MAX_ROWS], matrix[:MAX_ROWS]
    _check_matrix(matrix, tokens)
    columns: dict[str, Sequence[bytes] | np.ndarray] = {
        "token": tokens,
        "id": np.arange(first_token_id, first_token_id + len(tokens)),
        "norm": np.linalg.norm(matrix.astype(np.float64), axis=1),
    }
    dimensions = matrix.shape[1]
    if dimensions == 2:
        _LOGGER.warning("The embedding has 2 columns: a third one of zeros is added to be drawn.")
        matrix = np.pad(matrix, ((0, 0), (0, 1)))
    write_projection(directory, matrix, columns)
    return Export(len(tokens), dimensions, rows_left_out)


def write_projection(
    directory: str, matrix: np.ndarray, columns: Mapping[str, Sequence[bytes] | np.ndarray]
) -> None:
    """Writes a projector directory under a temporary name beside it, checks it and moves it.

    The event file comes last: TensorBoard looks for new runs by it.

    Args:
        directory: Where to; missing or empty.
        matrix: The points, float32 [rows, columns].
        columns: The labels, see `metadata.encode_table`.

    Raises:
        ValueError: TensorBoard would show it wrongly, or the directory's name cannot be the name
            of a run.
        FileExistsError: The directory is not empty: exports are never changed in place, because
            a running TensorBoard would mix the old with the new.
    """
    directory = directory.rstrip("/")
    if problem := run_name_problem(directory):
        raise ValueError(f"{directory}: {problem}.")
    if tf.io.gfile.exists(directory) and tf.io.gfile.listdir(directory):
        raise FileExistsError(f"{directory} is not empty; exports are not changed in place.")
    parent, name = os.path.split(directory)
    unfinished = os.path.join(parent, f".{name}.unfinished-{uuid.uuid4().hex[:8]}")
    try:
        tf.io.gfile.makedirs(unfinished)
        _write_checkpoint(unfinished, matrix)
        with tf.io.gfile.GFile(os.path.join(unfinished, METADATA), "wb") as file:
            file.write(metadata.encode_table(columns))
        _write_config(unfinished)
        if violations := verify_contents(unfinished):
            listed = "\n  ".join(map(str, violations[:10]))
            raise ValueError(
                f"TensorBoard would show {directory} wrongly in {len(violations)} places, "
                f"the first of them:\n  {listed}"
            )
        tf.summary.create_file_writer(unfinished).close()
        # An empty directory of the final name is replaced.
        tf.io.gfile.rename(unfinished, directory, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(unfinished):
            tf.io.gfile.rmtree(unfinished)
        raise


def _check_matrix(matrix: np.ndarray, tokens: Sequence[bytes]) -> None:
    if min(matrix.shape) < 2:
        raise ValueError(
            f"The embedding has {matrix.shape[0]} words and {matrix.shape[1]} columns; "
            "a projection takes 2 or more of each."
        )
    broken = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(broken):
        row = int(broken[0])
        raise ValueError(
            f"The vectors of {len(broken)} of {len(tokens)} words hold NaN or infinity, the first "
            f"that of {metadata.escape(tokens[row])!r} (row {row}). Did the training diverge?"
        )


def _write_checkpoint(directory: str, matrix: np.ndarray) -> None:
    checkpoint = tf.train.Checkpoint(embedding=tf.Variable(matrix, dtype=tf.float32))
    checkpoint.write(os.path.join(directory, _CHECKPOINT))
    # What Checkpoint.save adds, without its counter: how TensorBoard finds the checkpoint.
    with tf.io.gfile.GFile(os.path.join(directory, "checkpoint"), "w") as file:
        file.write(f'model_checkpoint_path: "{_CHECKPOINT}"\n')


def _write_config(directory: str) -> None:
    config = projector.ProjectorConfig()
    config.embeddings.add(tensor_name=VARIABLE, metadata_path=METADATA)
    projector.visualize_embeddings(directory, config)

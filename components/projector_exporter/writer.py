"""Writes projector directories that are right by TensorBoard's rules, whole or not at all."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from components.projector_exporter import metadata
from components.projector_exporter.runs import new_run
from components.projector_exporter.verify import run_name_problem, verify_contents

VARIABLE = "{}/.ATTRIBUTES/VARIABLE_VALUE"
METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"
_CHECKPOINT = "embedding.ckpt-1"


def write_projection(
    directory: str,
    tensors: Mapping[str, np.ndarray],
    columns: Mapping[str, Sequence[bytes] | np.ndarray],
    bookmarks: bytes | None = None,
    extras: Mapping[str, bytes] | None = None,
) -> None:
    """Writes a projector directory and checks it, as a new run of TensorBoard.

    Args:
        directory: Where to; missing or empty.
        tensors: The points by the name of their tensor, float32 [rows, columns], of equal rows.
            TensorBoard opens the first name in alphabetical order.
        columns: The labels of all tensors, see `metadata.encode_table`.
        bookmarks: The bookmarks of the first of the tensors, see `bookmarks.encode_bookmarks`.
        extras: Further files by name, of no concern to TensorBoard.

    Raises:
        ValueError: TensorBoard would show it wrongly, or the directory's name cannot be the name
            of a run.
        FileExistsError: The directory is not empty, see `new_run`.
    """
    directory = directory.rstrip("/")
    if problem := run_name_problem(directory):
        raise ValueError(f"{directory}: {problem}.")
    with new_run(directory) as unfinished:
        _write_checkpoint(unfinished, tensors)
        files = {METADATA: metadata.encode_table(columns), **(extras or {})}
        if bookmarks:
            files[BOOKMARKS] = bookmarks
        for file_name, content in files.items():
            with tf.io.gfile.GFile(os.path.join(unfinished, file_name), "wb") as file:
                file.write(content)
        _write_config(unfinished, list(tensors), BOOKMARKS if bookmarks else "")
        if violations := verify_contents(unfinished):
            listed = "\n  ".join(map(str, violations[:10]))
            raise ValueError(
                f"TensorBoard would show {directory} wrongly in {len(violations)} places, "
                f"the first of them:\n  {listed}"
            )


def _write_checkpoint(directory: str, tensors: Mapping[str, np.ndarray]) -> None:
    variables = {name: tf.Variable(rows, dtype=tf.float32) for name, rows in tensors.items()}
    tf.train.Checkpoint(**variables).write(os.path.join(directory, _CHECKPOINT))
    # What Checkpoint.save adds, without its counter: how TensorBoard finds the checkpoint.
    with tf.io.gfile.GFile(os.path.join(directory, "checkpoint"), "w") as file:
        file.write(f'model_checkpoint_path: "{_CHECKPOINT}"\n')


def _write_config(directory: str, names: Sequence[str], bookmarks_path: str) -> None:
    config = projector.ProjectorConfig()
    for name in names:
        config.embeddings.add(tensor_name=VARIABLE.format(name), metadata_path=METADATA)
    config.embeddings[0].bookmarks_path = bookmarks_path
    projector.visualize_embeddings(directory, config)

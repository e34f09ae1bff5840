"""Writes projector directories that are right by TensorBoard's rules, whole or not at all."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from components.projector_directory import metadata
from components.projector_directory.runs import new_run
from components.projector_directory.tensors import VARIABLE, Tensors, write_checkpoint
from components.projector_directory.verify import run_name_problem, verify_contents

METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"


def write_projection(
    directory: str,
    tensors: Tensors,
    columns: Mapping[str, Sequence[bytes] | np.ndarray],
    bookmarks: bytes | None = None,
    extras: Mapping[str, Callable[[str], None]] | None = None,
) -> None:
    """Writes a projector directory and checks it, as a new run of TensorBoard.

    Args:
        directory: Where to; missing or empty.
        tensors: The points. TensorBoard opens the first name in alphabetical order.
        columns: The labels of all tensors, see `metadata.encode_table`.
        bookmarks: The bookmarks of the first of the tensors, see `bookmarks.encode_bookmarks`.
        extras: Further files, of no concern to TensorBoard: by name, what writes one to a path, in
            a thread beside the rest.

    Raises:
        ValueError: TensorBoard would show it wrongly, or the directory's name cannot be the name
            of a run.
        FileExistsError: The directory is not empty, see `new_run`.
    """
    directory = directory.rstrip("/")
    if problem := run_name_problem(directory):
        raise ValueError(f"{directory}: {problem}.")
    files = {METADATA: metadata.encode_table(columns)}
    bookmarks_path = ""
    if bookmarks:
        files[bookmarks_path := BOOKMARKS] = bookmarks
    # The pool's end waits for the extras whatever happens, before a failed run is removed.
    with new_run(directory) as unfinished, ThreadPoolExecutor(1) as beside:
        written = [
            beside.submit(write, os.path.join(unfinished, file_name))
            for file_name, write in (extras or {}).items()
        ]
        _write_files(unfinished, files)
        write_checkpoint(unfinished, tensors)
        config = _config(tensors, bookmarks_path)
        projector.visualize_embeddings(unfinished, config)
        _refuse_violations(unfinished)
        for extra in written:
            extra.result()


def _write_files(directory: str, files: Mapping[str, bytes]) -> None:
    tf.io.gfile.makedirs(directory)
    for name, content in files.items():
        with tf.io.gfile.GFile(os.path.join(directory, name), "wb") as file:
            file.write(content)


def _config(tensors: Tensors, bookmarks_path: str) -> projector.ProjectorConfig:
    config = projector.ProjectorConfig()
    for name in tensors.read:
        config.embeddings.add(tensor_name=VARIABLE.format(name), metadata_path=METADATA)
    config.embeddings[0].bookmarks_path = bookmarks_path
    return config


def _refuse_violations(directory: str) -> None:
    if violations := verify_contents(directory):
        listed = "\n  ".join(map(str, violations[:10]))
        raise ValueError(
            f"TensorBoard would show the export wrongly in {len(violations)} places, the first "
            f"of them:\n  {listed}"
        )

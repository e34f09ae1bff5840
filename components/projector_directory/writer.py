"""Writes projector directories, whole or not at all, and checks them by TensorBoard's rules."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf
from tensorboard.plugins import projector

from components.projector_directory.bookmarks import encode_bookmarks
from components.projector_directory.metadata import encode_table
from components.projector_directory.runs import new_run
from components.projector_directory.tensors import VARIABLE, Tensor, write_checkpoint
from components.projector_directory.verify import run_name_problem, verify_contents

METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"


def write(
    directory: str,
    tensors: Sequence[Tensor],
    extras: Mapping[str, Callable[[str], None]] | None = None,
) -> None:
    """Writes a projector directory, checks it and makes it a run of TensorBoard.

    ```
    directory/
        projector_config.pbtxt
        checkpoint
        embedding.ckpt-1.index, .data-…     all tensors
        metadata.tsv                        the labels of the first tensor
        bookmarks.json                      its bookmarks, if it has any
        NAME.metadata.tsv                   the labels of another tensor, unless it shares them
        NAME.bookmarks.json
        events.out.tfevents.…               empty; TensorBoard lists directories that have one
    ```

    Args:
        directory: Where to write; missing or empty. Its name becomes the name of the run.
        tensors: One or more, of different names.
        extras: Further files, which TensorBoard does not read: for each name a function that
            writes the file to a path. They run one after another in a thread of their own.

    Raises:
        ValueError: TensorBoard would show something wrongly, two tensors have one name, or the
            directory's name cannot be the name of a run.
        FileExistsError: The directory is not empty, see `new_run`.
    """
    directory = directory.rstrip("/")
    if problem := run_name_problem(directory):
        raise ValueError(f"{directory}: {problem}.")
    names = [tensor.name for tensor in tensors]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"tensors must have one or more, of different names. Received: {names}.")
    config, files = _plan(tensors)
    # On an error too, the pool waits for the extras before the failed run is removed.
    with new_run(directory) as unfinished, ThreadPoolExecutor(1) as beside:
        written = [
            beside.submit(write_extra, os.path.join(unfinished, file_name))
            for file_name, write_extra in (extras or {}).items()
        ]
        for name, content in files.items():
            with tf.io.gfile.GFile(os.path.join(unfinished, name), "wb") as file:
                file.write(content)
        write_checkpoint(unfinished, tensors)
        projector.visualize_embeddings(unfinished, config)
        _refuse_violations(unfinished)
        for extra in written:
            extra.result()


def _plan(tensors: Sequence[Tensor]) -> tuple[projector.ProjectorConfig, dict[str, bytes]]:
    """Makes the configuration, and the files of labels and bookmarks that it names."""
    config = projector.ProjectorConfig()
    files: dict[str, bytes] = {}
    tables: dict[int, str] = {}  # By the identity of the mapping.
    for tensor in tensors:
        prefix = f"{tensor.name}." if files else ""
        entry = config.embeddings.add(tensor_name=VARIABLE.format(tensor.name))
        if id(tensor.columns) not in tables:
            tables[id(tensor.columns)] = f"{prefix}{METADATA}"
            files[f"{prefix}{METADATA}"] = encode_table(tensor.columns)
        entry.metadata_path = tables[id(tensor.columns)]
        if tensor.bookmarks:
            entry.bookmarks_path = f"{prefix}{BOOKMARKS}"
            rows, columns = tensor.vectors.shape
            label_by = next(iter(tensor.columns))
            files[entry.bookmarks_path] = encode_bookmarks(
                tensor.bookmarks, (rows, columns), label_by
            )
    return config, files


def _refuse_violations(directory: str) -> None:
    if violations := verify_contents(directory):
        listed = "\n  ".join(map(str, violations[:10]))
        raise ValueError(
            f"TensorBoard would show {len(violations)} things wrongly, the first of them:\n"
            f"  {listed}"
        )

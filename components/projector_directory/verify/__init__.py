"""Checks a projector directory, whoever wrote it, by TensorBoard's own rules.

Each module holds the rules for one kind of file. A rule is a function that yields violations.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from components.projector_directory.verify.bookmarks import check_bookmarks, check_filters
from components.projector_directory.verify.config import (
    CONFIG,
    find_asset,
    name_entries,
    read_config,
)
from components.projector_directory.verify.metadata import check_metadata
from components.projector_directory.verify.runs import check_run, run_name_problem
from components.projector_directory.verify.sprites import check_sprite
from components.projector_directory.verify.tensors import MAX_ROWS, check_tensor, list_tensors
from components.projector_directory.verify.violation import Violation

__all__ = ["MAX_ROWS", "Violation", "run_name_problem", "verify", "verify_contents"]


def verify(directory: str) -> list[Violation]:
    """Checks a projector directory.

    Args:
        directory: The directory with the `projector_config.pbtxt`.

    Returns:
        Everything that TensorBoard would show wrongly or not at all, whether it opens the directory
        itself or one above; empty for a correct directory.

    Raises:
        NotADirectoryError: There is no such directory.
    """
    return [*verify_contents(directory), *check_run(directory)]


def verify_contents(directory: str) -> list[Violation]:
    """Checks what TensorBoard shows if it opens this directory itself; see `verify`."""
    if not tf.io.gfile.isdir(directory):
        raise NotADirectoryError(f"{directory} is not a directory; expected one with a {CONFIG}.")
    return list(_check_contents(directory))


def _check_contents(directory: str) -> Iterator[Violation]:
    config = yield from read_config(directory)
    if config is None:
        return
    entries = yield from name_entries(config)
    tensors = yield from list_tensors(directory, config, entries)
    columns: dict[tuple[str, int], Sequence[str]] = {}
    bookmarks: dict[tuple[str, str], Sequence[dict[str, Any]]] = {}
    for tensor in tensors:
        yield from check_tensor(tensor)
        if not tensor.info.metadata_path:
            yield Violation(
                CONFIG, None, f"tensor {tensor.name!r} is listed too, without any labels"
            )
        elif tensor.table not in columns:
            path = yield from find_asset(directory, tensor.info.metadata_path)
            columns[tensor.table] = (yield from check_metadata(path, *tensor.table)) if path else ()
        if file := tensor.info.sprite.image_path:
            path = yield from find_asset(directory, file)
            if path:
                yield from check_sprite(path, tensor.info, tensor.shape[0])
        if file := tensor.info.bookmarks_path:
            path = yield from find_asset(directory, file)
            if path:
                shown = columns.get(tensor.table, ())
                states = yield from check_bookmarks(path, file, tensor.shape, shown)
                bookmarks[tensor.name, file] = states
    yield from check_filters(bookmarks)

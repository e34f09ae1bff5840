"""Reads a projector directory, whoever wrote it, as TensorBoard opens it."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import tensorflow as tf

from components.projector_directory import reader
from components.projector_directory.bookmarks import NO_COLOR, Bookmark
from components.projector_directory.verify.bookmarks import shown_coordinates
from components.projector_directory.verify.config import find_asset, name_entries, read_config
from components.projector_directory.verify.tensors import list_tensors
from components.projector_directory.verify.violation import Finding, Violation

_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True)
class Contents:
    """A tensor of a projector directory, as TensorBoard shows it.

    Attributes:
        name: The tensor's name.
        vectors: Float32 [rows, columns].
        columns: The cells of each metadata column as they are written, [rows].
        bookmarks: The bookmarks of the tensor; may be empty.
    """

    name: str
    vectors: np.ndarray
    columns: Mapping[str, Sequence[str]]
    bookmarks: Sequence[Bookmark]


def read_contents(directory: str) -> Contents:
    """Reads a tensor of a directory, its labels and its bookmarks.

    Args:
        directory: The directory with the `projector_config.pbtxt`.

    Returns:
        The first tensor with labels, in alphabetical order.

    Raises:
        ValueError: The directory cannot be read, or labels and points do not belong together; see
            `verify`.
    """
    config = _require(directory, read_config(directory))
    entries = _require(directory, name_entries(config))
    tensors = _require(directory, list_tensors(directory, config, entries))
    labelled = [tensor for tensor in tensors if tensor.info.metadata_path]
    if not labelled:
        raise ValueError(f"{directory}: no tensor has labels; expected a metadata_path for one.")
    tensor = min(labelled, key=lambda tensor: tensor.name)
    rows = tensor.shape[0]
    columns = _read_columns(_require(directory, find_asset(directory, tensor.info.metadata_path)))
    if any(len(cells) != rows for cells in columns.values()):
        raise ValueError(
            f"{directory}: {tensor.info.metadata_path} has {len(next(iter(columns.values())))} "
            f"rows, the tensor {tensor.name!r} has {rows}; expected one for each."
        )
    bookmarks: list[Bookmark] = []
    if tensor.info.bookmarks_path:
        path = _require(directory, find_asset(directory, tensor.info.bookmarks_path))
        bookmarks = _read_bookmarks(path)
    vectors = tensor.read(slice(0, rows)).astype(np.float32)
    return Contents(tensor.name, vectors, columns, bookmarks)


def _require(directory: str, finding: Finding[_Result | None]) -> _Result:
    """Returns what a rule reads, or raises an error with the rule's violations."""
    violations: list[Violation] = []
    while True:
        try:
            violations.append(next(finding))
        except StopIteration as end:
            if not end.value:
                listed = "; ".join(map(str, violations)) or "nothing is found"
                raise ValueError(f"{directory} cannot be read: {listed}") from None
            result: _Result = end.value
            return result


def _read_columns(path: str) -> dict[str, list[str]]:
    with tf.io.gfile.GFile(path, "rb") as file:
        names, rows = reader.parse_table(reader.stream_lines(file.read()))
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(
                f"{os.path.basename(path)}, row {number}: has {len(row)} cells for {len(names)} "
                "columns."
            )
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def _read_bookmarks(path: str) -> list[Bookmark]:
    with tf.io.gfile.GFile(path, "rb") as file:
        states = json.loads(file.read().decode("utf-8-sig"))
    return [_bookmark(state) for state in states]


def _bookmark(state: Mapping[str, Any]) -> Bookmark:
    keys = shown_coordinates(state)
    if keys is None:
        raise ValueError(f"bookmark {state.get('label')!r}: TensorBoard cannot tell what it shows.")
    points = state["projections"]
    positions = np.array([[point[key] for key in keys] for point in points], np.float64)
    rows = np.array(state.get("filteredPoints") or range(len(points)), int)
    order = np.argsort(rows)
    tab: Literal["pca", "umap"] = "pca" if state["selectedProjection"] == "pca" else "umap"
    color_by = state.get("selectedColorOptionName") or NO_COLOR
    return Bookmark(state["label"], positions[order], tab, color_by, rows[order])

"""Exports small embeddings quickly, without layouts, and reads exports."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory import reader
from components.projector_directory.tensors import VARIABLE
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.words import word_points


def write_export(
    directory: pathlib.Path | str, tokens: Sequence[bytes], matrix: np.ndarray
) -> None:
    """Exports words with nothing but their vectors, without layouts."""
    export_points(str(directory), [word_points(tokens, matrix)], ExportOptions(layouts=()))


def read_table(path: pathlib.Path) -> dict[str, list[str]]:
    """Returns the cells of each column of a table, as TensorBoard's page reads them."""
    names, rows = reader.parse_table(reader.stream_lines(path.read_bytes()))
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def read_tensor(directory: pathlib.Path, name: str) -> np.ndarray:
    """Returns a tensor of an export."""
    prefix = tf.train.latest_checkpoint(str(directory))
    return tf.train.load_variable(prefix, VARIABLE.format(name))

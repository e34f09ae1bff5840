"""An embedding as a projector directory: what is shown, and what is shown of it."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory import Bookmark, Tensor, metadata, write
from components.projector_directory.bookmarks import NO_COLOR
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.picture import draw_picture
from components.projector_exporter.tables import Table, write_arrow, write_parquet
from components.projector_exporter.words import (
    log_odds,
    make_columns,
    row_lengths,
)
from components.vectors.layouts import Layout, compute_layouts
from components.vectors.neighbors import probe_neighbors
from components.vectors.rows import slices, unit_rows

_LOGGER = logging.getLogger(__name__)

NEIGHBORS = "neighbors.tsv"
PICTURE = "projection.png"
# The formats that hold the whole vocabulary, in files embedding.FORMAT.
_TABLES = {"arrow": write_arrow, "parquet": write_parquet}


@dataclasses.dataclass(frozen=True)
class Embedding:
    """An embedding and what is known of its tokens.

    Attributes:
        tokens: The vocabulary by falling frequency.
        matrix: Their vectors, float32 [tokens, dimensions].
        first_token_id: The id of the first token.
        counts: Occurrences of each token, int64 [tokens]; None if not known.
        class_names: Names of the classes that the model tells apart; empty if not known.
        classify: Gives the probabilities that the model sees in single tokens, float32
            [ids, classes], for their ids; None if the model cannot say.
    """

    tokens: Sequence[bytes]
    matrix: np.ndarray
    first_token_id: int = 1
    counts: np.ndarray | None = None
    class_names: Sequence[str] = ()
    classify: Callable[[np.ndarray], np.ndarray | None] = lambda ids: None


@dataclasses.dataclass(frozen=True)
class Export:
    """What became of an embedding.

    Attributes:
        rows: Number of words in TensorBoard's files.
        dimensions: Columns of the embedding, as it was given.
        rows_left_out: Number of words that are not.
    """

    rows: int
    dimensions: int
    rows_left_out: int


def export_embedding(
    directory: str, embedding: Embedding, options: ExportOptions | None = None
) -> Export:
    """Exports an embedding for TensorBoard's Embedding Projector.

    Holds no second copy of the embedding.

    An embedding with two columns gets a third one of zeros, because the 3-D view is blank without;
    distances and angles stay the same.

    Args:
        directory: Where to; missing or empty.
        embedding: What to export.
        options: What to show of it; None for the defaults.

    Returns:
        What was written.

    Raises:
        ValueError: The matrix or the tokens cannot be shown.
        FileExistsError: The directory is not empty.
    """
    options = options or ExportOptions()
    _check(embedding)
    rows = min(len(embedding.tokens), options.max_rows)
    if rows < len(embedding.tokens):
        _LOGGER.warning(
            "TensorBoard gets the %d most frequent of %d tokens; %d are left out.",
            rows,
            len(embedding.tokens),
            len(embedding.tokens) - rows,
        )
    probabilities, columns = _columns(embedding)
    points = embedding.matrix[:rows]
    layouts = _layouts(points, options)
    bookmarks = []
    extras: dict[str, Callable[[str], None]] = {}
    if layouts:
        color_by = "strength" if "strength" in columns else NO_COLOR
        bookmarks = [
            Bookmark(layout.name, layout.positions, "pca" if name == "pca" else "umap", color_by)
            for name, layout in layouts.items()
        ]
        picture = _picture(embedding, list(layouts.values())[-1], probabilities)
        extras[PICTURE] = functools.partial(_write, picture)
    if options.probe_words:
        extras[NEIGHBORS] = functools.partial(_write, _neighbors(embedding, options.probe_words))
    if formats := _TABLES.keys() & options.formats:
        positions = _positions(layouts, len(embedding.tokens))
        table = Table(columns, embedding.matrix, positions)
        for name in formats:
            extras[f"embedding.{name}"] = functools.partial(_TABLES[name], table=table)
    shown = {name: column[:rows] for name, column in columns.items()}
    if points.shape[1] == 2:
        _LOGGER.warning("The embedding has 2 columns: a third one of zeros is added to be drawn.")
        points = np.pad(points, ((0, 0), (0, 1)))
    tensors = [
        Tensor("embedding", points, shown, bookmarks),
        Tensor("normalized", _unit_rows(points), shown),
    ]
    write(directory, tensors, extras=extras)
    return Export(rows, embedding.matrix.shape[1], len(embedding.tokens) - rows)


def _check(embedding: Embedding) -> None:
    tokens, matrix = embedding.tokens, embedding.matrix
    if matrix.ndim != 2 or len(tokens) != len(matrix):
        raise ValueError(f"Expected {len(tokens)} rows for as many tokens, found {matrix.shape}.")
    if min(matrix.shape) < 2:
        raise ValueError(
            f"The embedding has {matrix.shape[0]} words and {matrix.shape[1]} columns; "
            "a projection takes 2 or more of each."
        )
    broken = np.concatenate(
        [~np.isfinite(matrix[part]).all(axis=1) for part in slices(*matrix.shape)]
    )
    if broken.any():
        row = int(broken.argmax())
        raise ValueError(
            f"The vectors of {broken.sum()} of {len(tokens)} words hold NaN or infinity, the first "
            f"that of {metadata.escape(tokens[row])!r} (row {row}). Did the training diverge?"
        )


def _columns(
    embedding: Embedding,
) -> tuple[np.ndarray | None, dict[str, Sequence[bytes] | np.ndarray]]:
    """Gives what the model says and the columns, both of the whole vocabulary."""
    ids = np.arange(len(embedding.tokens)) + embedding.first_token_id
    probabilities = embedding.classify(ids)
    return probabilities, make_columns(
        embedding.tokens,
        ids,
        embedding.matrix,
        counts=embedding.counts,
        probabilities=probabilities,
        class_names=embedding.class_names,
        first_token_id=embedding.first_token_id,
    )


def _unit_rows(points: np.ndarray) -> np.ndarray:
    return np.concatenate([unit_rows(points[part]) for part in slices(*points.shape)])


def _layouts(points: np.ndarray, options: ExportOptions) -> dict[str, Layout]:
    """Computes the layouts by their names among the options."""
    if not options.layouts:
        return {}
    names = list(dict.fromkeys(("pca", *options.layouts)))  # TensorBoard wants PCA with the others.
    layouts = compute_layouts(points, names, options.layout_rows)
    return dict(zip(names, layouts, strict=True))


def _positions(layouts: Mapping[str, Layout], count: int) -> dict[str, np.ndarray]:
    """Gives every word of the vocabulary its places, NaN where it has none."""
    columns = {}
    for name, layout in layouts.items():
        for axis, letter in enumerate("xy"):
            column = np.full(count, np.nan, np.float32)
            column[: len(layout.positions)] = layout.positions[:, axis]
            columns[f"{name}_{letter}"] = column
    return columns


def _neighbors(embedding: Embedding, probe_words: Sequence[str]) -> bytes:
    neighbors = probe_neighbors(embedding.tokens, embedding.matrix, probe_words)
    for word in neighbors.unknown:
        _LOGGER.warning("The probe word %r is not in the vocabulary.", word)
    for word in neighbors.zero:
        _LOGGER.warning("The vector of the probe word %r is zero: it has no neighbors.", word)
    return metadata.encode_table(neighbors.columns)


def _picture(embedding: Embedding, layout: Layout, probabilities: np.ndarray | None) -> bytes:
    rows = slice(len(layout.positions))
    labels = [metadata.escape(token) for token in embedding.tokens[rows]]
    names = embedding.class_names
    values: np.ndarray | list[str]
    limits = None
    if probabilities is None:
        values = row_lengths(embedding.matrix[rows])
        values_name = "norm"
    elif probabilities.shape[1] == 2:
        values = log_odds(probabilities[rows])
        values_name = f"log odds of {names[1] if names else 'class 1'}"
        extreme = float(np.quantile(np.abs(values), 0.99))
        limits = (-extreme, extreme)
    else:
        classes = probabilities[rows].argmax(axis=1)
        values = [names[index] if names else f"class {index}" for index in classes]
        values_name = "class"
    title = f"The embedding by {layout.name}"
    return draw_picture(layout.positions[:, :2], labels, values, title, values_name, limits)


def _write(content: bytes, path: str) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)

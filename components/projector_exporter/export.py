"""An embedding as a projector directory: what is shown, and what is shown of it."""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.preprocessing import normalize

from components.projector_exporter import metadata
from components.projector_exporter.bookmarks import NO_COLOR, encode_bookmarks
from components.projector_exporter.columns import log_odds, make_columns
from components.projector_exporter.layouts import Layout, compute_layouts
from components.projector_exporter.neighbors import probe_neighbors
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.picture import draw_picture
from components.projector_exporter.rows import select_rows
from components.projector_exporter.writer import write_projection

_LOGGER = logging.getLogger(__name__)

NEIGHBORS = "neighbors.tsv"
PICTURE = "projection.png"


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
        rows: Number of words in the directory.
        dimensions: Columns of the embedding, as it was given.
        rows_left_out: Number of words that are not in the directory.
    """

    rows: int
    dimensions: int
    rows_left_out: int


def export_embedding(
    directory: str, embedding: Embedding, options: ExportOptions | None = None
) -> Export:
    """Exports an embedding for TensorBoard's Embedding Projector.

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
    rows = select_rows(len(embedding.tokens), options.max_rows, options.row_policy)
    shown = _select(embedding, rows)
    rows_left_out = len(embedding.tokens) - len(rows)
    if rows_left_out:
        _LOGGER.warning(
            "%d of %d tokens are exported (%s); %d are left out.",
            len(rows),
            len(embedding.tokens),
            options.row_policy.replace("_", " "),
            rows_left_out,
        )
    ids = rows + embedding.first_token_id
    probabilities = embedding.classify(ids)
    columns = make_columns(
        shown.tokens,
        ids,
        shown.matrix,
        counts=shown.counts,
        probabilities=probabilities,
        class_names=embedding.class_names,
        columns=options.columns,
        first_token_id=embedding.first_token_id,
    )
    tensors = _tensors(shown.matrix, options.normalized)
    layouts = _layouts(shown.matrix, options)
    bookmarks, extras = None, {}
    if layouts:
        width = tensors["embedding"].shape[1]
        color_by = "strength" if "strength" in columns else NO_COLOR
        bookmarks = encode_bookmarks(layouts, (len(rows), width), color_by=color_by)
        extras[PICTURE] = _picture(shown, layouts[-1], probabilities)
    if options.probe_words:
        neighbors = probe_neighbors(embedding.tokens, embedding.matrix, options.probe_words)
        extras[NEIGHBORS] = metadata.encode_table(neighbors.columns)
        for word in neighbors.missing:
            _LOGGER.warning("The probe word %r is not in the vocabulary.", word)
    write_projection(directory, tensors, columns, bookmarks, extras)
    return Export(len(rows), shown.matrix.shape[1], rows_left_out)


def _check(embedding: Embedding) -> None:
    tokens, matrix = embedding.tokens, embedding.matrix
    if matrix.ndim != 2 or len(tokens) != len(matrix):
        raise ValueError(f"Expected {len(tokens)} rows for as many tokens, found {matrix.shape}.")
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


def _select(embedding: Embedding, rows: np.ndarray) -> Embedding:
    if len(rows) == len(embedding.tokens):
        return embedding
    return dataclasses.replace(
        embedding,
        tokens=[embedding.tokens[row] for row in rows],
        matrix=embedding.matrix[rows],
        counts=None if embedding.counts is None else embedding.counts[rows],
    )


def _tensors(matrix: np.ndarray, normalized: bool) -> dict[str, np.ndarray]:
    if matrix.shape[1] == 2:
        _LOGGER.warning("The embedding has 2 columns: a third one of zeros is added to be drawn.")
        matrix = np.pad(matrix, ((0, 0), (0, 1)))
    tensors = {"embedding": matrix}
    if normalized:
        tensors["normalized"] = normalize(matrix.astype(np.float64)).astype(np.float32)
    return tensors


def _layouts(matrix: np.ndarray, options: ExportOptions) -> list[Layout]:
    if not options.layouts:
        return []
    names = dict.fromkeys(("pca", *options.layouts))  # TensorBoard wants PCA with the others.
    return compute_layouts(matrix, list(names), options.seed, options.layout_rows)


def _picture(shown: Embedding, layout: Layout, probabilities: np.ndarray | None) -> bytes:
    count = len(layout.positions)
    labels = [metadata.escape(token) for token in shown.tokens[:count]]
    names = shown.class_names
    values: np.ndarray | list[str]
    limits = None
    if probabilities is None:
        values, values_name = np.linalg.norm(shown.matrix[:count], axis=1), "norm"
    elif probabilities.shape[1] == 2:
        values = log_odds(probabilities[:count])
        values_name = f"log odds of {names[1] if names else 'class 1'}"
        extreme = float(np.quantile(np.abs(values), 0.99))
        limits = (-extreme, extreme)
    else:
        classes = probabilities[:count].argmax(axis=1)
        values = [names[index] if names else f"class {index}" for index in classes]
        values_name = "class"
    title = f"The embedding by {layout.name}"
    return draw_picture(layout.positions[:, :2], labels, values, title, values_name, limits)

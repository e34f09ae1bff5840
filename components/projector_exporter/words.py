"""What TensorBoard can show, search and color by for each token, and what a model says of it."""

import contextlib
import importlib
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.projector_directory.metadata import escape

SIGNATURE = "serve_token_ids"

_MAX_PROBABILITY_COLUMNS = 10
# Of the tokens, the share that pushes less than +, ++ and +++.
_STRENGTH_QUANTILES = (0.5, 0.8, 0.95)


def token_probabilities(
    saved_model: str, ids: np.ndarray, batch_size: int = 4096
) -> np.ndarray | None:
    """Asks a model about texts of a single token.

    Args:
        saved_model: The SavedModel's directory.
        ids: Token ids, integers [rows].
        batch_size: Tokens a call.

    Returns:
        The probability of each class, float32 [rows, classes]; None if the model has no signature
        'serve_token_ids', as EmbeddingTrainer writes it. Such a model is not even loaded.

    Raises:
        FileNotFoundError: There is no SavedModel.
    """
    if not _has_signature(saved_model):
        return None
    # A graph with its ops loads only after this.
    with contextlib.suppress(ImportError, tf.errors.NotFoundError):
        importlib.import_module("tensorflow_text")
    model = tf.saved_model.load(saved_model)
    serve = model.signatures[SIGNATURE]
    column = np.asarray(ids, np.int64)[:, None]
    return np.concatenate(
        [
            serve(token_ids=tf.constant(column[start : start + batch_size]))["probabilities"]
            for start in range(0, len(column), batch_size)
        ]
    )


def make_columns(
    tokens: Sequence[bytes],
    ids: np.ndarray,
    matrix: np.ndarray,
    counts: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
    class_names: Sequence[str] = (),
    first_token_id: int = 1,
) -> dict[str, Sequence[bytes] | np.ndarray]:
    """Makes the columns of the metadata; the component's README says what each means.

    Args:
        tokens: The words, one a row.
        ids: Their ids, integers [rows].
        matrix: Their vectors, floats [rows, dimensions].
        counts: Their occurrences in the training examples, integers [rows]; None if unknown.
        probabilities: What `token_probabilities` gave, [rows, classes]; None if unknown.
        class_names: A name for each class; none for 'class 0', 'class 1' and so on.
        first_token_id: The id of the vocabulary's first token, which has the rank 1.

    Returns:
        What `metadata.encode_table` takes: bytes or numbers by the column's name, without those
        that `counts` or `probabilities` would be needed for, with a column of probabilities for
        each class.

    Raises:
        ValueError: The arguments do not fit together.
    """
    _check_rows(len(tokens), ids=ids, matrix=matrix, counts=counts, probabilities=probabilities)
    columns: dict[str, Sequence[bytes] | np.ndarray] = {
        "token": tokens,
        "id": ids,
        "rank": ids - first_token_id + 1,
    }
    if counts is not None:
        columns["count"] = counts
    columns["norm"] = row_lengths(matrix)
    if probabilities is not None:
        labels = _class_labels(class_names, probabilities)
        columns |= _probability_columns(labels, probabilities)
        columns["class"] = _texts(labels, probabilities.argmax(axis=1))
        columns["strength"] = _strength(labels, probabilities)
    return columns


def row_lengths(matrix: np.ndarray) -> np.ndarray:
    """Measures vectors, without a copy in float64.

    Args:
        matrix: Floats [rows, dimensions].

    Returns:
        The length (L2) of each row, float64 [rows].
    """
    return np.sqrt(np.einsum("rd,rd->r", matrix, matrix, dtype=np.float64))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Compares two classes.

    Args:
        probabilities: Float32 [rows, 2].

    Returns:
        The logarithm of the odds of the second class, finite float64 [rows].
    """
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny, dtype=np.float64))
    return logs[:, 1] - logs[:, 0]


def _has_signature(saved_model: str) -> bool:
    path = os.path.join(saved_model, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path} is missing; expected a SavedModel.")
    with tf.io.gfile.GFile(path, "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    return any(SIGNATURE in graph.signature_def for graph in model.meta_graphs)


def _check_rows(rows: int, **arrays: np.ndarray | None) -> None:
    for name, array in arrays.items():
        if array is not None and len(array) != rows:
            raise ValueError(f"{name} has {len(array)} rows; expected {rows}, one for each token.")


def _class_labels(class_names: Sequence[str], probabilities: np.ndarray) -> list[str]:
    """Names the classes, and refuses names and probabilities that do not fit together."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(
            f"probabilities has the shape {probabilities.shape}; expected [rows, classes] with "
            "two classes or more."
        )
    if not np.isfinite(probabilities).all():
        row = int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])
        raise ValueError(
            f"probabilities holds NaN or infinity, first in row {row}. Did the training diverge?"
        )
    classes = probabilities.shape[1]
    labels = list(class_names) or [f"class {number}" for number in range(classes)]
    if len(labels) != classes or len(set(labels)) != classes:
        raise ValueError(f"class_names is {labels}; expected {classes} different names.")
    return labels


def _probability_columns(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, np.ndarray]:
    classes = len(labels)
    if classes > _MAX_PROBABILITY_COLUMNS:
        return {}
    result: dict[str, np.ndarray] = {}
    for number in [1] if classes == 2 else range(classes):
        # No cell: the header's escapes would not be undone, so they are only made plain.
        header = escape(f"P({labels[number]})".encode(errors="replace")).replace("\\", "_")
        if header in result:
            header = f"{header} {number}"
        result[header] = probabilities[:, number]
    return result


def _strength(labels: Sequence[str], probabilities: np.ndarray) -> list[bytes]:
    """Bands tokens by how much they push, compared with the other tokens."""
    if len(labels) > 2:
        second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
        return _texts(["1 ±", "2 +", "3 ++", "4 +++"], _band(first - second))
    odds = log_odds(probabilities)
    push = odds - np.median(odds)
    negative, positive = labels
    bands = [f"{4 - plus} {negative} {'+' * plus}" for plus in (3, 2, 1)]
    bands += ["4 ±"]
    bands += [f"{4 + plus} {positive} {'+' * plus}" for plus in (1, 2, 3)]
    return _texts(bands, 3 + np.sign(push).astype(np.int64) * _band(np.abs(push)))


def _band(push: np.ndarray) -> np.ndarray:
    """Ranks values from 0 to 3 by their quantiles; a value that is no more than one is below."""
    return np.searchsorted(np.quantile(push, _STRENGTH_QUANTILES), push)


def _texts(texts: Sequence[str], choices: np.ndarray) -> list[bytes]:
    encoded = [text.encode(errors="replace") for text in texts]
    return [encoded[choice] for choice in choices.tolist()]

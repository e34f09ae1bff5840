"""Makes the points of an embedding's words: what TensorBoard shows, searches and colors by."""

from collections.abc import Sequence

import numpy as np

from components.projector_directory.metadata import MAX_COLORED_TEXTS, escape
from components.projector_exporter.points import Coloring, Column, Points
from components.text.features import FIRST_TOKEN_ID

_MAX_PROBABILITY_COLUMNS = 10
# The shares of the tokens that push less than +, ++ and +++.
_STRENGTH_QUANTILES = (0.5, 0.8, 0.95)


def word_points(
    tokens: Sequence[bytes],
    vectors: np.ndarray,
    *,
    first_token_id: int = FIRST_TOKEN_ID,
    counts: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
    class_names: Sequence[str] = (),
) -> Points:
    """Makes the points of words; the component's README says what each column means.

    Args:
        tokens: The vocabulary by falling frequency, [tokens].
        vectors: Their vectors, floats [tokens, dimensions].
        first_token_id: The id of the first token.
        counts: Occurrences of each token in the training examples, integers [tokens]; None if
            unknown.
        probabilities: The probability of each class for a text of the one token, float32
            [tokens, classes]; None if unknown.
        class_names: A name for each class; empty for 'class 0', 'class 1' and so on.

    Returns:
        Points called 'embedding', without the columns that `counts` or `probabilities` are
        needed for.

    Raises:
        ValueError: The arguments do not fit together, or a probability is not finite.
    """
    ids = np.arange(len(tokens)) + first_token_id
    columns: dict[str, Column] = {"token": tokens, "id": ids, "rank": ids - first_token_id + 1}
    if counts is not None:
        columns["count"] = counts
    columns["norm"] = norms = _norms(vectors)
    if probabilities is None:
        return Points("embedding", vectors, columns, Coloring("norm", norms))
    labels = _class_labels(class_names, probabilities)
    predicted = probabilities.argmax(axis=1)
    columns |= _probability_columns(labels, probabilities)
    columns["class"] = _texts(labels, predicted)
    columns["strength"] = _strength(labels, probabilities)
    if len(labels) == 2:
        log_odds = _log_odds(probabilities)
        coloring = Coloring(f"log odds of {labels[1]}", log_odds, diverging=True)
    else:
        coloring = Coloring("class", [labels[index] for index in predicted])
    # The strength of one of several classes does not say which one.
    color_by = "class" if 2 < len(labels) <= MAX_COLORED_TEXTS else "strength"
    return Points("embedding", vectors, columns, coloring, color_by)


def _norms(vectors: np.ndarray) -> np.ndarray:
    """Returns the length (L2) of each vector, float64, without a copy of all in float64."""
    return np.sqrt(np.einsum("rd,rd->r", vectors, vectors, dtype=np.float64))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the odds of the second of two classes, finite float64 [rows]."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny, dtype=np.float64))
    return logs[:, 1] - logs[:, 0]


def _class_labels(class_names: Sequence[str], probabilities: np.ndarray) -> list[str]:
    """Names the classes, and refuses names and probabilities that do not fit together."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(
            f"probabilities has the shape {probabilities.shape}; expected [tokens, classes] with "
            "two classes or more."
        )
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"probabilities holds NaN or infinity, first in row {finite.argmin()}. Did the "
            "training diverge?"
        )
    classes = probabilities.shape[1]
    # Lone surrogates become '?', which may make two names equal.
    names = [name.encode(errors="replace").decode() for name in class_names]
    labels = names or [f"class {number}" for number in range(classes)]
    if len(labels) != classes or len(set(labels)) != classes:
        raise ValueError(f"class_names is {labels}; expected {classes} different names.")
    return labels


def _probability_columns(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, np.ndarray]:
    classes = len(labels)
    if classes > _MAX_PROBABILITY_COLUMNS:
        return {}
    result: dict[str, np.ndarray] = {}
    for number in [1] if classes == 2 else range(classes):
        # TensorBoard takes headers as they are: nothing would undo an escape's backslash.
        header = escape(f"P({labels[number]})").replace("\\", "_")
        if header in result:
            header = f"{header} {number}"
        result[header] = probabilities[:, number]
    return result


def _strength(labels: Sequence[str], probabilities: np.ndarray) -> list[bytes]:
    """Bands tokens by how much they push towards a class, compared with the other tokens."""
    if len(labels) > 2:
        second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
        return _texts(["1 ±", "2 +", "3 ++", "4 +++"], _band(first - second))
    log_odds = _log_odds(probabilities)
    push = log_odds - np.median(log_odds)
    negative, positive = labels
    bands = [f"{4 - plus} {negative} {'+' * plus}" for plus in (3, 2, 1)]
    bands += ["4 ±"]
    bands += [f"{4 + plus} {positive} {'+' * plus}" for plus in (1, 2, 3)]
    return _texts(bands, 3 + np.sign(push).astype(np.int64) * _band(np.abs(push)))


def _band(push: np.ndarray) -> np.ndarray:
    """Returns 0 to 3, the number of quantiles that a value exceeds."""
    return np.searchsorted(np.quantile(push, _STRENGTH_QUANTILES), push)


def _texts(texts: Sequence[str], choices: np.ndarray) -> list[bytes]:
    encoded = [text.encode() for text in texts]
    return [encoded[choice] for choice in choices.tolist()]

"""Measures how good an embedding and its layouts are."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import scipy.stats
from scipy.spatial.distance import cdist

from components.vectors.layouts import Layout
from components.vectors.rows import covariance, slices, unit_rows

# Rows whose neighbors are compared, evenly spread: all 10,000 would take ten times as long.
_MAX_COMPARED = 1_000
# Rows whose variance is measured, evenly spread: that of a million of 256 columns takes 6 s.
_MAX_MEASURED = 100_000


@dataclasses.dataclass(frozen=True)
class Similarity:
    """How well cosines agree with people's judgments of pairs of words.

    Attributes:
        found: Number of pairs whose two words have a vector.
        rho: Spearman's rank correlation, -1 to 1; None if `found` is below 3, or all cosines or all
            judgments are the same.
        low: Lower end of the 95 % confidence interval of `rho`, by Fisher's transformation.
        high: Its upper end.
    """

    found: int
    rho: float | None = None
    low: float | None = None
    high: float | None = None


def first_component_share(matrix: np.ndarray) -> float | None:
    """Returns the share of the variance in the first principal component, 0 to 1.

    Near 1, the embedding says one thing of each word, such as how positive it is.

    Args:
        matrix: Finite floats [rows, columns].

    Returns:
        The share, of at most 100,000 rows evenly spread; None if these are the same.
    """
    step = -(-len(matrix) // _MAX_MEASURED)
    _, variances = covariance(matrix[::step])
    total = float(np.trace(variances))
    return float(np.linalg.eigvalsh(variances)[-1]) / total if total else None


def trustworthiness(matrix: np.ndarray, layout: Layout, k: int = 10) -> float | None:
    """Returns how far neighbors in a layout are neighbors in the matrix, by cosine.

    It is 1 if the k nearest rows in the layout are the k nearest in the matrix; each of them that
    is not lowers it by its rank in the matrix (Venna and Kaski, "Neighborhood Preservation in
    Nonlinear Projection Methods", 2001). `sklearn.manifold.trustworthiness` cannot sample rows.

    Args:
        matrix: Finite floats [rows, columns].
        layout: A layout of its rows, or of some.
        k: Neighbors of each row.

    Returns:
        The trustworthiness of at most 1,000 rows; None if 2 k rows or fewer are laid out.
    """
    units, positions = unit_rows(matrix[layout.rows]), layout.positions
    rows = len(units)
    if rows <= 2 * k:
        return None
    compared = np.linspace(0, rows - 1, min(rows, _MAX_COMPARED)).astype(int)
    penalty = 0
    for part in slices(len(compared), rows):
        own = (np.arange(part.stop - part.start), compared[part])
        cosines = units[compared[part]] @ units.T
        cosines[own] = -np.inf
        distances = cdist(positions[compared[part]], positions)
        distances[own] = np.inf
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        for neighbor in nearest.T:
            above = np.sum(cosines > cosines[own[0], neighbor][:, None], axis=1)
            penalty += np.maximum(above + 1 - k, 0).sum()
    return 1 - float(penalty) * 2 / (len(compared) * k * (2 * rows - 3 * k - 1))


def similarity(
    tokens: Sequence[bytes], matrix: np.ndarray, pairs: Collection[tuple[str, str, float]]
) -> Similarity:
    """Compares cosines with people's judgments of pairs of words.

    Args:
        tokens: The vocabulary, [rows].
        matrix: Its embedding, finite floats [rows, dimensions].
        pairs: Two words, in the vocabulary's spelling or with capitals, and how similar or related
            they are; any scale.

    Returns:
        The agreement.
    """
    row_of = {token: row for row, token in reversed(list(enumerate(tokens)))}

    def row(word: str) -> int | None:
        return row_of.get(word.encode(), row_of.get(word.lower().encode()))

    rows = [(row(first), row(second), score) for first, second, score in pairs]
    known = [found for found in rows if found[0] is not None and found[1] is not None]
    first, second, judgments = np.array(known, float).reshape(-1, 3).T
    units = [unit_rows(matrix[side.astype(int)]) for side in (first, second)]
    has_vector = units[0].any(axis=1) & units[1].any(axis=1)
    cosines = np.sum(units[0] * units[1], axis=1)[has_vector]
    judgments = judgments[has_vector]
    if len(cosines) < 3 or not np.ptp(cosines) or not np.ptp(judgments):
        return Similarity(len(cosines))
    # Pearson's correlation of the ranks is Spearman's; SciPy gives an interval for Pearson's alone.
    ranks = scipy.stats.rankdata(cosines), scipy.stats.rankdata(judgments)
    correlation = scipy.stats.pearsonr(*ranks)
    interval = correlation.confidence_interval()
    return Similarity(
        len(cosines), float(correlation.statistic), float(interval.low), float(interval.high)
    )

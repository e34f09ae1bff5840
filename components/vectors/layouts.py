"""Lays out the rows of a matrix in few dimensions; the same matrix always gives the same layout.

Seconds on one core (see `compute_layouts`) for the words of the IMDB reviews, 16 columns:

======  ==========  ===========
layout  2,000 rows  10,000 rows
======  ==========  ===========
PCA           0.01         0.01
t-SNE            5           26
======  ==========  ===========
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import threadpoolctl
from sklearn.manifold import TSNE

from components.vectors.rows import slices, unit_rows

# TensorBoard's PCA offers as many.
_PCA_COMPONENTS = 10
_PERPLEXITY = 30
# scikit-learn's defaults (0.5, a 48th of the rows, 1,000) take three times as long, and keep hardly
# more of the neighborhoods; benchmarks/NOTES.md has the figures.
_ANGLE = 0.8
_ROWS_PER_LEARNING_RATE = 10
_ITERATIONS = 500


@dataclasses.dataclass(frozen=True)
class Layout:
    """Positions of the first rows of a matrix.

    Attributes:
        name: Its name for people, such as 't-SNE'.
        positions: Finite floats [rows laid out, 2 to 10 coordinates].
    """

    name: str
    positions: np.ndarray


def compute_layouts(
    matrix: np.ndarray, names: Sequence[str], max_rows: int = 10_000
) -> dict[str, Layout]:
    """Computes layouts of a matrix.

    PCA places every row. t-SNE takes long, so it places the first `max_rows` only.

    Args:
        matrix: Finite floats [rows, columns], at least 2 of both, most important row first.
        names: Some of 'pca' and 'tsne'.
        max_rows: The most rows that t-SNE places, at least 2.

    Returns:
        The layouts by their names, in the same order.

    Raises:
        ValueError: A name is unknown, `max_rows` is below 2, or the matrix is too small.
    """
    if unknown := set(names) - set(_LAYOUTS):
        raise ValueError(f"Unknown layouts {sorted(unknown)}, expected some of {list(_LAYOUTS)}.")
    if max_rows < 2:
        raise ValueError(f"max_rows is {max_rows}; a layout takes at least 2 rows.")
    if min(matrix.shape) < 2:
        raise ValueError(
            f"The matrix is {matrix.shape}; a layout takes at least 2 rows and columns."
        )
    # With another number of threads sums are added in another order, and t-SNE ends elsewhere.
    with threadpoolctl.threadpool_limits(limits=1):
        return {name: _LAYOUTS[name](matrix, max_rows) for name in names}


def _pca(matrix: np.ndarray, _: int) -> Layout:
    return Layout("PCA", _principal_components(matrix, _PCA_COMPONENTS))


def _tsne(matrix: np.ndarray, max_rows: int) -> Layout:
    # On the unit sphere, distances follow cosines.
    rows = unit_rows(matrix[:max_rows].astype(np.float64))
    start = _principal_components(rows, 2)
    if start.any():
        tsne = TSNE(
            perplexity=min(_PERPLEXITY, (len(rows) - 1) / 3),
            angle=_ANGLE,
            learning_rate=max(len(rows) / _ROWS_PER_LEARNING_RATE, 50),
            max_iter=_ITERATIONS,
            init=start * (1e-4 / start[:, 0].std()),  # scikit-learn scales its own start so.
            random_state=0,
        )
        start = tsne.fit_transform(rows)
    return Layout("t-SNE", start)


def _principal_components(rows: np.ndarray, components: int) -> np.ndarray:
    """Projects rows on their principal components, whose largest coefficients are positive.

    scikit-learn's PCA copies the matrix several times; this works on its covariance, in slices.

    Args:
        rows: Floats [rows, columns], within the range of float32.
        components: The most components.

    Returns:
        Float64 [rows, components or fewer]; zeros if the rows are equal but for rounding.
    """
    components = min(components, *rows.shape)
    mean = rows.mean(axis=0, dtype=np.float64)
    parts = [rows[part] for part in slices(*rows.shape)]
    covariance = np.zeros((len(mean), len(mean)))
    spread = largest = 0.0
    for part in parts:
        centered = part - mean
        covariance += centered.T @ centered
        spread = max(spread, np.abs(centered).max())
        largest = max(largest, np.abs(part).max())
    if spread <= 1e-6 * largest:
        return np.zeros((len(rows), components))
    _, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1][:, :components]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(components)])
    return np.concatenate([(part - mean) @ axes for part in parts])


_LAYOUTS: Mapping[str, Callable[[np.ndarray, int], Layout]] = {
    "pca": _pca,
    "tsne": _tsne,
}

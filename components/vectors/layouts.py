"""Lays out the rows of a matrix in few dimensions; the same matrix always gives the same layout.

Seconds on one core (see `compute_layouts`) for the words of the IMDB reviews, 16 columns:

======  ==========  ===========
layout  2,000 rows  10,000 rows
======  ==========  ===========
PCA           0.01         0.01
t-SNE            2            7
======  ==========  ===========
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import threadpoolctl
from openTSNE import TSNE

from components.vectors.rows import covariance, slices, unit_rows

# As many as TensorBoard's PCA offers.
_PCA_COMPONENTS = 10
_PERPLEXITY = 30
# Iterations with exaggerated attraction, and those after; more (250 and 250) take three times as
# long and keep no more of the neighborhoods; benchmarks/NOTES.md has the figures.
_ITERATIONS = (60, 150)
# From so many rows on, interpolation of the forces is faster than the Barnes-Hut approximation.
_ROWS_TO_INTERPOLATE = 3_000


@dataclasses.dataclass(frozen=True)
class Layout:
    """Positions of rows of a matrix.

    Attributes:
        name: Its name for people, such as 't-SNE'.
        positions: Finite floats [rows laid out, 2 to 10 coordinates].
        rows: Which row of the matrix has each position, integers [rows laid out], ascending.
    """

    name: str
    positions: np.ndarray
    rows: np.ndarray


def compute_layouts(
    matrix: np.ndarray, names: Sequence[str], tsne_rows: np.ndarray | None = None
) -> dict[str, Layout]:
    """Computes layouts of a matrix.

    PCA places every row. t-SNE takes time in proportion to the rows, so it places some only.

    Args:
        matrix: Finite floats [rows, columns], at least 2 of both.
        names: Some of 'pca' and 'tsne'.
        tsne_rows: The rows that t-SNE places, integers, ascending, at least 2; None for all.

    Returns:
        The layouts by their names, in the same order.

    Raises:
        ValueError: A name is unknown, or there are too few rows or columns.
    """
    if unknown := set(names) - set(_LAYOUTS):
        raise ValueError(f"Unknown layouts {sorted(unknown)}, expected some of {list(_LAYOUTS)}.")
    rows = np.arange(len(matrix)) if tsne_rows is None else tsne_rows
    if min(len(rows), *matrix.shape) < 2:
        raise ValueError(
            f"The matrix is {matrix.shape}, with {len(rows)} rows for t-SNE; a layout takes at "
            "least 2 rows and columns."
        )
    # More threads would add numbers in another order, and t-SNE would end elsewhere.
    with threadpoolctl.threadpool_limits(limits=1):
        return {name: _LAYOUTS[name](matrix, rows) for name in names}


def _pca(matrix: np.ndarray, _: np.ndarray) -> Layout:
    positions = _principal_components(matrix, _PCA_COMPONENTS)
    # Positions are stored as float32; those of vectors near its largest number would overflow.
    positions /= max(1, np.abs(positions).max() / np.finfo(np.float32).max)
    return Layout("PCA", positions, np.arange(len(matrix)))


def _tsne(matrix: np.ndarray, rows: np.ndarray) -> Layout:
    # On the unit sphere, distances follow cosines.
    units = unit_rows(matrix[rows].astype(np.float64))
    positions = _principal_components(units, 2)
    if positions.any():
        exaggerated, normal = _ITERATIONS
        tsne = TSNE(
            perplexity=min(_PERPLEXITY, (len(rows) - 1) / 3),
            neighbors="exact",  # The approximate search of the default depends on the threads.
            negative_gradient_method="fft" if len(rows) >= _ROWS_TO_INTERPOLATE else "bh",
            initialization=positions * (1e-4 / positions[:, 0].std()),  # openTSNE's own scale.
            early_exaggeration_iter=exaggerated,
            n_iter=normal,
            n_jobs=1,
            random_state=0,
        )
        positions = np.asarray(tsne.fit(units))
    return Layout("t-SNE", positions, rows)


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
    mean, variances = covariance(rows)
    if np.trace(variances) <= 1e-12 * (mean @ mean):
        return np.zeros((len(rows), components))
    _, axes = np.linalg.eigh(variances)
    axes = axes[:, ::-1][:, :components]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(components)])
    return np.concatenate([(rows[part] - mean) @ axes for part in slices(*rows.shape)])


_LAYOUTS: Mapping[str, Callable[[np.ndarray, np.ndarray], Layout]] = {
    "pca": _pca,
    "tsne": _tsne,
}

"""Cuts and scales the rows of large matrices, and sums over them."""

from collections.abc import Iterator

import numpy as np

# Values in a slice: 32 MiB of float32.
_SLICE_CELLS = 2**23


def slices(rows: int, columns: int) -> Iterator[slice]:
    """Cuts a matrix along its rows, so that work on a slice takes little memory.

    Args:
        rows: Rows of the matrix.
        columns: Values in a row.

    Yields:
        Slices of about 8 million values each, which cover all rows in order.
    """
    size = max(1, _SLICE_CELLS // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def covariance(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean of the rows and their covariance, without copying the matrix.

    Args:
        matrix: Finite floats [rows, columns], within the range of float32.

    Returns:
        The mean, float64 [columns], and the covariance, float64 [columns, columns].
    """
    mean = matrix.mean(axis=0, dtype=np.float64)
    total = np.zeros((len(mean), len(mean)))
    for part in slices(*matrix.shape):
        centered = matrix[part] - mean
        total += centered.T @ centered
    return mean, total / len(matrix)


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Returns the rows scaled to length 1; rows of zeros stay zero.

    Args:
        matrix: Finite floats [rows, columns].

    Returns:
        Floats of the same type and shape.
    """
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    # First by the largest value: squares of very small or large ones would vanish or overflow.
    scaled = matrix / np.where(largest > 0, largest, 1)
    # A length is 1 or more now, or 0.
    return scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1)

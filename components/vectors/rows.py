"""Cuts and scales the rows of large matrices."""

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


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Returns the rows scaled to length 1; rows of zeros stay zero.

    Args:
        matrix: Finite floats [rows, columns].

    Returns:
        Floats of the same type and shape.
    """
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    # First by the largest value, as squares of very small or large ones vanish or overflow.
    scaled = matrix / np.where(largest > 0, largest, 1)
    # A length is 1 or more now, or 0.
    return scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1)

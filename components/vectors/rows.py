"""Slices and scales the rows of a large matrix."""

from collections.abc import Iterator

import numpy as np

# Values in a slice: 32 MiB of float32.
_SLICE_CELLS = 2**23


def slices(rows: int, columns: int) -> Iterator[slice]:
    """Cuts a matrix along its rows, so that what is made of it takes little memory at a time.

    Args:
        rows: Rows of the matrix.
        columns: Values in a row.

    Yields:
        Row numbers, the first to the last, of about 8 million values in all.
    """
    size = max(1, _SLICE_CELLS // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Scales rows to length 1; a row of zeros stays.

    Args:
        matrix: Finite floats [rows, columns].

    Returns:
        The same type and shape.
    """
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    # Squares of what is scaled so neither vanish nor overflow.
    scaled = matrix / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(lengths > 0, lengths, 1)

"""Which rows of a large embedding are exported, and how they pass through little memory."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

# Values in a slice: 32 MiB of float32.
_SLICE_CELLS = 2**23

_Values = TypeVar("_Values", np.ndarray, Sequence[bytes], Sequence[bytes] | np.ndarray)


def select_rows(count: int, max_rows: int, policy: str) -> np.ndarray:
    """Selects rows of a vocabulary that is ordered by frequency.

    Args:
        count: Rows of the vocabulary.
        max_rows: The most rows to select.
        policy: 'most_frequent' selects the first. 'stratified' divides the ranks by powers of ten
            (1-10, 11-100, …) and selects as many of each, evenly spread; what a small stratum
            leaves goes to the larger ones.

    Returns:
        Row numbers in ascending order, int64 [at most max_rows].
    """
    if count <= max_rows or policy == "most_frequent":
        return np.arange(min(count, max_rows))
    edges = [0, *(10**power for power in range(1, 20) if 10**power < count), count]
    strata = sorted(itertools.pairwise(edges), key=lambda edge: edge[1] - edge[0])
    chosen, left = [], max_rows
    for position, (start, stop) in enumerate(strata):  # From the smallest to the largest.
        share = min(stop - start, left // (len(strata) - position))
        chosen.append(np.linspace(start, stop - 1, share).astype(np.int64))
        left -= share
    return np.sort(np.concatenate(chosen))


def take_rows(values: _Values, rows: np.ndarray) -> _Values:
    """Takes rows, without a copy of an array if they are its first ones.

    Args:
        values: An array or texts, one a row.
        rows: Row numbers in ascending order, as `select_rows` gives them.

    Returns:
        The values of the rows.
    """
    if not len(rows) or rows[-1] == len(rows) - 1:
        return values[: len(rows)]
    if isinstance(values, np.ndarray):
        return values[rows]
    return [values[row] for row in rows]


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

"""Which rows of a large vocabulary are exported."""

import itertools

import numpy as np


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

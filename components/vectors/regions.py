"""Finds the regions of a layout, and the rows that are typical of each."""

import numpy as np
from sklearn.cluster import HDBSCAN

from components.vectors.rows import unit_rows

# A smaller region cannot be seen in a picture of all rows. For the 10,000 words of the IMDB reviews
# a least size of 40 gives 28 regions that can be named ("capital, europe, spain"), 200 only 5.
_MIN_ROWS = 20
_MOST_REGIONS = 250
# HDBSCAN's time and memory grow with the square of the rows: 100,000 took minutes and 4 GB.
_MOST_ROWS = 10_000


def find_regions(positions: np.ndarray, vectors: np.ndarray) -> list[np.ndarray]:
    """Finds dense regions of a layout by HDBSCAN.

    Args:
        positions: A layout, finite floats [rows, 2]. Of more than 10,000 rows the first are taken.
        vectors: What it lays out, finite floats [rows, dimensions].

    Returns:
        The rows of each region, integers, largest region first. A region's rows are ordered by
        falling cosine of their vectors with the mean of its vectors, scaled to length 1. Rows
        between the regions are in none.
    """
    positions = positions[:_MOST_ROWS]
    least = max(_MIN_ROWS, len(positions) // _MOST_REGIONS)
    if len(positions) < least:
        return []
    # Of nested clusters the innermost are those that can be named.
    clusters = HDBSCAN(min_cluster_size=least, cluster_selection_method="leaf").fit(positions)
    regions = []
    for number in range(clusters.labels_.max() + 1):
        rows = np.flatnonzero(clusters.labels_ == number)
        units = unit_rows(vectors[rows])
        cosines = units @ units.mean(axis=0)
        regions.append(rows[np.argsort(-cosines, kind="stable")])
    return sorted(regions, key=len, reverse=True)

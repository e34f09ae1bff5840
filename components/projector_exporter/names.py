"""Chooses the names that are written on a map: of its regions, and of points that stand out."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from components.projector_exporter.points import Coloring

# Words in the name of a region.
_REGION_WORDS = 3


def can_be_read(label: str) -> bool:
    """Returns whether a label has a visible character."""
    return bool(label.strip())


def region_name(
    rows: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    can_show: Callable[[str], bool] = can_be_read,
) -> str:
    """Names a region by its most typical words.

    Args:
        rows: The rows of the region, most typical one first, see `find_regions`.
        labels: The words of all rows.
        can_show: Tells whether a word can be written.

    Returns:
        Up to three words; empty if none can be written.
    """
    typical = (labels[row] for row in rows if can_show(labels[row]))
    return ", ".join(itertools.islice(typical, _REGION_WORDS))


def naming_order(coloring: Coloring, positions: np.ndarray) -> np.ndarray:
    """Orders points by how much they stand out, to name them in this order.

    Args:
        coloring: What colors the points.
        positions: Floats [points, 2].

    Returns:
        The points, integers. Of numbers the highest comes first, then the lowest, the second
        highest and so on; of categories the point farthest from the middle of all comes first.
    """
    if isinstance(coloring.values, np.ndarray):
        return coloring.ends_in_turns()
    distances = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    return np.argsort(-distances, kind="stable")

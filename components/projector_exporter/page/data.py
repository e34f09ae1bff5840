"""Encodes what a map shows: as JSON, arrays in it as base64."""

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from components.projector_directory.metadata import escape
from components.projector_exporter import colors
from components.projector_exporter.names import naming_order, region_name
from components.projector_exporter.points import Points
from components.vectors.layouts import Layout
from components.vectors.neighbors import nearest_neighbors

NEIGHBORS = 10
_ARRAYS = {
    np.dtype(np.int8): "Int8Array",
    np.dtype(np.uint8): "Uint8Array",
    np.dtype(np.uint16): "Uint16Array",
    np.dtype(np.uint32): "Uint32Array",
    np.dtype(np.float32): "Float32Array",
    np.dtype(np.float64): "Float64Array",
}
# Far finer than a pixel.
_POSITIONS = 2**16 - 1
# Points that are named before all others, which follow by their rank.
_NAMED_FIRST = 400


def map_data(
    points: Points,
    layouts: Sequence[Layout],
    regions: Sequence[np.ndarray],
    probe_words: Sequence[str],
    text_of: Callable[[bytes], str],
) -> dict[str, Any]:
    """Returns what map.js reads.

    Args:
        points: The points to show.
        layouts: Layouts of these points, or of some of them.
        regions: The points of each region, integers, most typical one first.
        probe_words: Words to label.
        text_of: Returns how the page writes a label, or a text of a column.

    Returns:
        Labels, columns, layouts with their regions, and neighbors, for JSON. Numbers have the six
        significant digits of `metadata.tsv`, cosines two decimals.
    """
    labels = [_without_mark(text_of(label)) for label in points.labels]
    probes = {word.encode() for word in probe_words}
    return {
        "noun": "words" if points.label_column == "token" else "points",
        "labels": labels,
        "columns": _columns(points, text_of),
        "layouts": [_layout(layout, points, labels, regions) for layout in layouts],
        "neighbors": _neighbors(points.vectors),
        "probes": [row for row, label in enumerate(points.labels) if label in probes],
        "colors": colors.PALETTES,
    }


def _without_mark(label: str) -> str:
    r"""Drops the mark `\&`, which keeps TensorBoard from reading a word such as 10 as a number."""
    return label.removeprefix(r"\&") or label


def _columns(points: Points, text_of: Callable[[bytes], str]) -> list[dict[str, Any]]:
    """Encodes all columns but the labels, after the coloring if that is not a column."""
    coloring = points.coloring
    own = [name for name in points.columns if name != points.label_column]
    columns = []
    for name in own:
        column = points.columns[name]
        values: np.ndarray | list[str]
        if isinstance(column, np.ndarray):
            values = column
        else:
            values = [_without_mark(text_of(text)) for text in column]
        columns.append({"name": name, **_values(values)})
    if coloring.name not in own:
        columns.insert(
            0, {"name": escape(coloring.name), **_values(coloring.values), "extra": True}
        )
    first = columns[own.index(coloring.name) if coloring.name in own else 0]
    first["first"] = True
    if coloring.diverging:
        first["limit"] = colors.diverging_limit(np.asarray(coloring.values))
    return columns


def _values(values: np.ndarray | Sequence[str]) -> dict[str, Any]:
    if isinstance(values, np.ndarray):
        return {"numbers": _pack(_narrowest(values))}
    texts, codes = np.unique(np.array(values, object), return_inverse=True)
    return {"texts": texts.tolist(), "codes": _pack(_narrowest(codes))}


def _layout(
    layout: Layout, points: Points, labels: Sequence[str], regions: Sequence[np.ndarray]
) -> dict[str, Any]:
    positions = layout.positions[:, :2]
    low, high = positions.min(axis=0), positions.max(axis=0)
    # One scale for both axes, so that distances can be compared.
    width = float((high - low).max()) or 1.0
    places = 0.5 + (positions - (low + high) / 2) / width
    order = naming_order(points.take(layout.rows).coloring, places)[:_NAMED_FIRST]
    return {
        "name": layout.name,
        "rows": _pack(_narrowest(layout.rows)),
        "positions": _pack(np.rint(places * _POSITIONS).astype(np.uint16)),
        "regions": list(_regions(layout.rows, places, labels, regions)),
        "order": layout.rows[order].tolist(),
    }


def _regions(
    rows: np.ndarray, places: np.ndarray, labels: Sequence[str], regions: Sequence[np.ndarray]
) -> Iterator[dict[str, Any]]:
    for region in regions:
        placed = region[np.isin(region, rows)]
        if name := region_name(placed, labels):
            x, y = np.median(places[np.searchsorted(rows, placed)], axis=0).tolist()
            yield {"name": name, "x": round(x, 4), "y": round(y, 4)}


def _neighbors(vectors: np.ndarray) -> dict[str, Any]:
    nearest, cosines = nearest_neighbors(vectors, NEIGHBORS)
    return {
        "count": nearest.shape[1],
        "rows": _pack(_narrowest(nearest)),
        "percent": _pack(np.rint(cosines * 100).astype(np.int8)),
        "none": np.flatnonzero(~vectors.any(axis=1)).tolist(),
    }


def _narrowest(numbers: np.ndarray) -> np.ndarray:
    """Returns numbers of a type that takes the fewest bytes and prints the same digits."""
    if np.issubdtype(numbers.dtype, np.integer):
        exact = (np.uint8, np.uint16, np.uint32)
        fitting = (t for t in exact if numbers.min() >= 0 and numbers.max() <= np.iinfo(t).max)
        return numbers.astype(next(fitting, np.float64))
    rounded = np.array([float(f"{number:.6g}") for number in numbers.tolist()])
    # Float32 keeps any six digits, but neither tiny nor huge numbers.
    size = np.abs(rounded[rounded != 0])
    narrow = not size.size or (size.min() > 1e-37 and size.max() < 1e38)
    return rounded.astype(np.float32) if narrow else rounded


def _pack(array: np.ndarray) -> dict[str, Any]:
    if np.issubdtype(array.dtype, np.integer) and array.ndim == 1 and (np.diff(array) == 1).all():
        return {"first": int(array[0]), "count": len(array)}
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"type": _ARRAYS[array.dtype], "base64": base64.b64encode(little.tobytes()).decode()}

"""Makes the map of a projector directory, whoever wrote it."""

import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory.contents import Contents, read_contents
from components.projector_directory.metadata import is_js_number, js_number
from components.projector_exporter.page.document import MAX_ROWS, make_page
from components.projector_exporter.page.quality import quality_line
from components.projector_exporter.points import Coloring, Column, Points
from components.vectors.layouts import Layout, compute_layouts
from components.vectors.regions import find_regions


def make_page_of(directory: str) -> bytes:
    """Makes the map of the first tensor with labels, in alphabetical order.

    Its layouts are those of the bookmarks. Where there are none, the vectors are laid out.

    Args:
        directory: The directory with the `projector_config.pbtxt`.

    Returns:
        An HTML file in UTF-8.

    Raises:
        ValueError: The directory cannot be read; see `read_contents`.
    """
    contents = read_contents(directory)
    columns = {name: _column(cells) for name, cells in contents.columns.items()}
    # TensorBoard labels the points by the first column that does not hold numbers alone.
    texts = (name for name, column in columns.items() if not isinstance(column, np.ndarray))
    label = next(texts, next(iter(columns)))
    labels = [cell.encode() for cell in contents.columns[label]]
    others = {name: column for name, column in columns.items() if name != label}
    coloring = _coloring(contents, others)
    points = Points(contents.name, contents.vectors, {label: labels, **others}, coloring)
    layouts = [Layout(b.label, b.positions, np.asarray(b.rows)) for b in contents.bookmarks]
    if not layouts:
        rows = points.most_important(MAX_ROWS)
        layouts = [*compute_layouts(points.vectors, ["pca", "tsne"], rows).values()]
    last = layouts[-1]
    regions = find_regions(last.positions[:, :2], points.vectors[last.rows])
    facts = {"Directory": directory, "Tensor": contents.name, **_quality_of(directory)}
    return make_page(points, layouts, regions, facts, text_of=bytes.decode)


def _quality_of(directory: str) -> dict[str, str]:
    path = os.path.join(directory, "quality.json")
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return {"Quality": quality_line(json.load(file))}


def _column(cells: Sequence[str]) -> Column:
    """Returns numbers if all cells are finite numbers, otherwise texts."""
    if not all(map(is_js_number, cells)):
        return [cell.encode() for cell in cells]
    numbers = np.array(list(map(js_number, cells)))
    if not np.isfinite(numbers).all():
        return [cell.encode() for cell in cells]
    return numbers.astype(int) if (numbers == np.rint(numbers)).all() else numbers


def _coloring(contents: Contents, columns: Mapping[str, Column]) -> Coloring:
    """Colors as the first bookmark does, and otherwise by the length of the vectors."""
    name = contents.bookmarks[0].color_by if contents.bookmarks else ""
    if name not in columns:
        return Coloring("norm", np.linalg.norm(contents.vectors.astype(np.float64), axis=1))
    column = columns[name]
    if isinstance(column, np.ndarray):
        return Coloring(name, column)
    return Coloring(name, [cell.decode() for cell in column])

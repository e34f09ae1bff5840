"""Exports points as a projector directory of TensorBoard."""

import functools
import json
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory import Bookmark, Tensor, metadata, write
from components.projector_directory.bookmarks import NO_COLOR
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.page import MAP, make_page
from components.projector_exporter.page.quality import quality_line
from components.projector_exporter.picture import draw_picture
from components.projector_exporter.points import Points
from components.projector_exporter.tables import write_arrow, write_parquet
from components.vectors.layouts import Layout, compute_layouts
from components.vectors.neighbors import probe_neighbors
from components.vectors.quality import first_component_share, similarity, trustworthiness
from components.vectors.regions import find_regions
from components.vectors.rows import slices, unit_rows

_LOGGER = logging.getLogger(__name__)

NEIGHBORS = "neighbors.tsv"
QUALITY = "quality.json"
PICTURE = "projection.png"
_TABLES = {"arrow": write_arrow, "parquet": write_parquet}

# Measures by name: finite numbers.
Quality = dict[str, float | int]
# By file name, what writes the file to a path.
_Files = dict[str, Callable[[str], None]]


def export_points(
    directory: str,
    points: Sequence[Points],
    options: ExportOptions | None = None,
    facts: Mapping[str, str] | None = None,
    measured: Mapping[str, float | int] | None = None,
) -> Quality:
    """Exports points for TensorBoard's Embedding Projector.

    Each `Points` becomes two tensors: its vectors, and the same scaled to length 1 under the name
    'normalized', which TensorBoard's own t-SNE and UMAP assume. From the second `Points` on, names
    of files and normalized tensors begin with its name and a dot. With several `Points`, a layout
    of some rows only gets no bookmark, because TensorBoard would keep showing these rows at a click
    on a bookmark of another tensor.

    Vectors of two dimensions get a third one of zeros, because TensorBoard draws nothing in two;
    distances and angles stay the same.

    Args:
        directory: Where to write; missing or empty.
        points: What to show. Neighbors of the probe words are looked for in the first, and the
            quality is that of the first.
        options: How to show it; None for the defaults.
        facts: What the map says of its origin, such as its dataset: names and texts.
        measured: Measures of the quality that are already known.

    Returns:
        These and the new measures, as in the file QUALITY; `EmbeddingProjection` lists the names.

    Raises:
        ValueError: There are fewer than 2 points or dimensions, or a vector is not finite.
        FileExistsError: The directory is not empty.
    """
    options = options or ExportOptions()
    tensors: list[Tensor] = []
    files: _Files = {}
    quality = dict(measured or {})
    for whole in points:
        _check(whole)
        prefix = f"{whole.name}." if tensors else ""
        shown = _shown(whole, options.max_rows)
        layouts = _layouts(shown, options)
        if not tensors:
            quality |= _quality(whole, layouts, options)
        bookmarked = {
            name: layout
            for name, layout in layouts.items()
            if len(points) == 1 or len(layout.rows) == len(shown.vectors)
        }
        tensors += _tensors(shown, bookmarked, f"{prefix}normalized")
        # Points without a bookmark have a map all the same.
        mapped = list((layouts or compute_layouts(shown.vectors, ["pca"])).values())
        last = mapped[-1]
        regions = find_regions(last.positions[:, :2], shown.vectors[last.rows])
        known = dict(facts or {})
        if whole is points[0] and (line := quality_line(quality)):
            known["Quality"] = line
        page = make_page(
            shown, mapped, regions, known, options.probe_words, total=len(whole.vectors)
        )
        files[f"{prefix}{MAP}"] = functools.partial(_write, page)
        if layouts:
            picture = draw_picture(shown, last, regions)
            files[f"{prefix}{PICTURE}"] = functools.partial(_write, picture)
        for table in options.formats:
            files[f"{whole.name}.{table}"] = functools.partial(
                _TABLES[table], points=whole, layouts=layouts
            )
    if options.probe_words:
        neighbors = _neighbors(points[0], options.probe_words)
        files[NEIGHBORS] = functools.partial(_write, neighbors)
    files[QUALITY] = functools.partial(_write, json.dumps(quality, indent=1).encode())
    write(directory, tensors, files)
    return quality


def _check(points: Points) -> None:
    """Refuses points that cannot be shown."""
    vectors = points.vectors
    if min(vectors.shape) < 2:
        raise ValueError(
            f"The {points.name} has {vectors.shape[0]} points of {vectors.shape[1]} dimensions; "
            "a projection takes 2 or more of each."
        )
    finite = np.concatenate(
        [np.isfinite(vectors[part]).all(axis=1) for part in slices(*vectors.shape)]
    )
    if not finite.all():
        row = int(finite.argmin())
        raise ValueError(
            f"The vectors of {np.sum(~finite)} of {len(vectors)} points hold NaN or infinity, the "
            f"first that of {metadata.escape(points.labels[row])!r} (row {row}). Did the training "
            "diverge?"
        )


def _shown(whole: Points, max_rows: int) -> Points:
    count = len(whole.vectors)
    if count > max_rows:
        _LOGGER.warning(
            "TensorBoard gets the first %d of %d points; %d are left out.",
            max_rows,
            count,
            count - max_rows,
        )
    return whole.take(slice(max_rows))


def _layouts(shown: Points, options: ExportOptions) -> dict[str, Layout]:
    if not options.layouts:
        return {}
    # TensorBoard needs the positions of PCA with those of any other layout.
    names = dict.fromkeys(("pca", *options.layouts))
    rows = shown.most_important(
        options.layout_rows, {word.encode() for word in options.probe_words}
    )
    return compute_layouts(shown.vectors, list(names), rows)


def _tensors(shown: Points, layouts: Mapping[str, Layout], normalized: str) -> list[Tensor]:
    color_by = shown.color_by or NO_COLOR
    bookmarks = [
        Bookmark(
            layout.name,
            layout.positions,
            "pca" if name == "pca" else "umap",
            color_by,
            layout.rows,
        )
        for name, layout in layouts.items()
    ]
    vectors = shown.vectors
    if vectors.shape[1] == 2:
        _LOGGER.warning("The %s has 2 dimensions; a third one of zeros is added.", shown.name)
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    return [
        Tensor(shown.name, vectors, shown.columns, bookmarks),
        Tensor(normalized, unit_rows(vectors), shown.columns),
    ]


def _quality(words: Points, layouts: Mapping[str, Layout], options: ExportOptions) -> Quality:
    """Measures what can be measured; the rest is left out."""
    measures: dict[str, float | int | None] = {
        "first_component_share": first_component_share(words.vectors)
    }
    if "tsne" in layouts:
        measures["tsne_trustworthiness"] = trustworthiness(words.vectors, layouts["tsne"])
    if options.similarity_pairs:
        found = similarity(words.labels, words.vectors, options.similarity_pairs)
        measures |= {
            "similarity_pairs": len(options.similarity_pairs),
            "similarity_pairs_found": found.found,
            "similarity_rho": found.rho,
            "similarity_rho_low": found.low,
            "similarity_rho_high": found.high,
        }
    return {name: value for name, value in measures.items() if value is not None}


def _neighbors(words: Points, probe_words: Sequence[str]) -> bytes:
    """Encodes the neighbors of the probe words among all words, shown or not."""
    neighbors = probe_neighbors(words.labels, words.vectors, probe_words)
    for word in neighbors.unknown:
        _LOGGER.warning("The probe word %r is not in the vocabulary.", word)
    for word in neighbors.zero:
        _LOGGER.warning("The vector of the probe word %r is zero: it has no neighbors.", word)
    return metadata.encode_table(neighbors.columns)


def _write(content: bytes, path: str) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)

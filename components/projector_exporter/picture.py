"""Draws a picture of points: colored, its regions and the extreme points named."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager, ft2font, patheffects
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from components.projector_directory.metadata import escape
from components.projector_exporter.points import Points
from components.vectors.layouts import Layout
from components.vectors.regions import find_regions

_INK = "#1f2933"
_FAINT = "#7b8794"
# Orange and blue, which the color-blind can tell apart.
_DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", ["#c2410c", "#f0a070", "#d9dde2", "#74aad8", "#1d4ed8"]
)
_CATEGORIES = [
    "#c2410c",
    "#1d4ed8",
    "#15803d",
    "#a21caf",
    "#ca8a04",
    "#0e7490",
    "#be123c",
    "#6d28d9",
    "#4d7c0f",
]
_OTHERS = "#b8bec6"
_INCHES = (9, 6.5)
_DPI = 160
# Radius of a named point.
_DOT_PIXELS = 7
# Offset of a label in typographic points, and its horizontal and vertical alignment.
_Place = tuple[int, int, str, str]
# Where the label of a point may stand, and where the name of a region.
_AROUND: list[_Place] = [
    (offset * x, offset * y, {1: "left", -1: "right", 0: "center"}[x], vertical)
    for offset in (6, 13)
    for x, y, vertical in (
        (1, 0, "center"),
        (-1, 0, "center"),
        (0, 1, "bottom"),
        (0, -1, "top"),
        (1, 1, "bottom"),
        (-1, 1, "bottom"),
        (1, -1, "top"),
        (-1, -1, "top"),
    )
]
_MIDDLE: list[_Place] = [(0, y, "center", "center") for y in (0, 12, -12, 24, -24)]
# Words in the name of a region.
_REGION_WORDS = 3


def draw_picture(points: Points, layout: Layout, named: int = 40) -> bytes:
    """Draws a layout of points, and names its regions and its extreme points.

    A region is named by the words whose vectors are nearest its centroid. Of points colored by
    numbers, those with the highest and the lowest are named in turns; of points colored by
    category, those farthest from the middle of the picture are, and all but the nine largest
    categories are gray.

    Args:
        points: The points.
        layout: The positions of some of them; two coordinates are drawn.
        named: The most points to name. There are fewer if no more fit without overlap; labels that
            the font cannot show are left out.

    Returns:
        A PNG of 1440 by 1040 pixels, the same bytes for the same points.
    """
    positions = layout.positions[:, :2]
    if len(positions) < len(points.labels):
        points = points.take(layout.rows)
    words = [escape(label) for label in points.labels]
    coloring = points.coloring
    figure = Figure(figsize=_INCHES, dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.86))
    axes.set_axis_off()
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = 0.06 * np.where(high > low, high - low, 1)
    (left, bottom), (right, top) = low - margin, high + margin
    axes.set(xlim=(left, right), ylim=(bottom, top))
    title = f"The {points.name} by {layout.name}"
    figure.text(0.03, 0.94, title, size=16, weight="bold", color=_INK, parse_math=False)
    note = f"{len(words):,} points by {coloring.name}"
    figure.text(0.03, 0.905, note, size=10, color=_FAINT, parse_math=False)
    if isinstance(coloring.values, np.ndarray):
        colors = _draw_numbers(axes, positions, coloring.values, coloring.diverging)
        order = coloring.ends_in_turns()
    else:
        colors = _draw_categories(axes, positions, coloring.values)
        order = np.argsort(-np.linalg.norm(positions - positions.mean(axis=0), axis=1))
    labels = _Labels(axes, canvas.get_renderer())
    _name_regions(labels, positions, points.vectors, words)
    _name_points(axes, labels, positions, words, colors, order, named)
    png = io.BytesIO()
    # The version of matplotlib in the file would make its bytes differ from release to release.
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _draw_numbers(
    axes: Axes,
    positions: np.ndarray,
    values: np.ndarray,
    diverging: bool,
) -> np.ndarray:
    """Colors points by numbers, with a color bar; returns the colors."""
    low, high = values.min(), values.max()
    if diverging:
        high = float(np.quantile(np.abs(values), 0.99))
        low = -high
    scale = Normalize(low, high, clip=True)
    scaled = np.asarray(scale(values.astype(float)))
    colors = _DIVERGING(scaled)
    shown = np.argsort(np.abs(scaled - 0.5), kind="stable")  # The extremes on top.
    _draw_points(axes, positions[shown], colors[shown])
    bar_axes = axes.figure.add_axes((0.72, 0.955, 0.25, 0.014))
    axes.figure.colorbar(ScalarMappable(scale, _DIVERGING), cax=bar_axes, orientation="horizontal")
    bar_axes.set_frame_on(False)
    bar_axes.tick_params(size=0, labelsize=8, labelcolor=_FAINT)
    return colors


def _draw_categories(axes: Axes, positions: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Colors points by category, with a legend; returns the colors."""
    names, category, counts = np.unique(values, return_inverse=True, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[: len(_CATEGORIES)]
    palette = dict(zip(sorted(largest), _CATEGORIES, strict=False))
    colors = np.array([palette.get(index, _OTHERS) for index in category])
    _draw_points(axes, positions, colors)
    for index, color in palette.items():
        name = names[index] if len(names[index]) <= 16 else f"{names[index][:15]}…"
        axes.scatter([], [], color=color, label=f"{name} ({counts[index]:,})")
    if len(names) > len(palette):
        axes.scatter([], [], color=_OTHERS, label=f"{len(names) - len(palette)} others")
    axes.set_position((0.02, 0.1, 0.96, 0.78))
    legend = axes.figure.legend(
        loc="lower left",
        bbox_to_anchor=(0.02, 0.02),
        ncols=5,
        frameon=False,
        fontsize=8,
        labelcolor=_INK,
        borderaxespad=0,
        handletextpad=0.1,
        columnspacing=1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return colors


def _draw_points(axes: Axes, positions: np.ndarray, colors: np.ndarray) -> PathCollection:
    area = np.clip(30_000 / len(positions), 5, 60)
    return axes.scatter(
        positions[:, 0], positions[:, 1], s=area, c=colors, alpha=0.75, linewidths=0
    )


class _Labels:
    """The labels of a picture, none of which covers another.

    Attributes:
        taken: The boxes of what is written, in pixels.
    """

    def __init__(self, axes: Axes, renderer: RendererBase) -> None:
        self.taken: list[Bbox] = []
        self._axes = axes
        self._renderer = renderer
        self._inside = axes.get_window_extent(renderer)
        font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
        self._glyphs = font.get_charmap().keys()

    def can_show(self, label: str) -> bool:
        """Tells whether the font has all characters of a label."""
        return bool(label.strip()) and self._glyphs >= {ord(letter) for letter in label}

    def is_free(self, box: Bbox) -> bool:
        """Tells whether nothing is written in a box."""
        return not any(box.overlaps(other) for other in self.taken)

    def write(
        self, label: str, position: np.ndarray, places: Sequence[_Place], **style: Any
    ) -> bool:
        """Writes a label at the first place that is free; returns whether there is one."""
        text = self._axes.annotate(
            label,
            tuple(position),
            xytext=(0, 0),
            textcoords="offset points",
            color=_INK,
            path_effects=[patheffects.withStroke(linewidth=3, foreground="white", alpha=0.9)],
            parse_math=False,
            **style,
        )
        for x, y, horizontal, vertical in places:
            text.set(position=(x, y), ha=horizontal, va=vertical)
            box = text.get_window_extent(self._renderer)
            inside = self._inside.contains(box.x0, box.y0) and self._inside.contains(box.x1, box.y1)
            if inside and self.is_free(box.padded(2)):
                self.taken.append(box.padded(2))
                return True
        text.remove()
        return False


def _name_regions(
    labels: _Labels, positions: np.ndarray, vectors: np.ndarray, words: Sequence[str]
) -> None:
    """Writes the most typical words of each region into its middle."""
    for rows in find_regions(positions, vectors):
        typical = [words[row] for row in rows if labels.can_show(words[row])]
        if typical:
            name = ", ".join(typical[:_REGION_WORDS])
            labels.write(name, np.median(positions[rows], axis=0), _MIDDLE, size=11, weight="bold")


def _name_points(
    axes: Axes,
    labels: _Labels,
    positions: np.ndarray,
    words: Sequence[str],
    colors: np.ndarray,
    order: np.ndarray,
    named: int,
) -> None:
    """Writes each word at the first free place around its point, if there is one."""
    # Ten candidates for each label, as many find no free place.
    for point in order[: 10 * named]:
        if not named:
            break
        x, y = positions[point]
        dot = Bbox([axes.transData.transform((x, y))] * 2).padded(_DOT_PIXELS)
        if not labels.can_show(words[point]) or not labels.is_free(dot):
            continue
        if labels.write(words[point], positions[point], _AROUND, size=9.5):
            labels.taken.append(dot)
            axes.scatter(x, y, s=26, color=colors[point], edgecolors=_INK, lw=0.7)
            named -= 1

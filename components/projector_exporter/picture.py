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
from components.projector_exporter import colors
from components.projector_exporter.colors import CATEGORIES, diverging_limit
from components.projector_exporter.names import naming_order, region_name
from components.projector_exporter.points import Points
from components.vectors.layouts import Layout

_INK = "#1f2933"
_FAINT = "#5b6672"
_PALETTE = colors.PALETTES["light"]
_RISING, _DIVERGING = (
    LinearSegmentedColormap.from_list(name, _PALETTE[name]) for name in ("rising", "diverging")
)
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
# Most words without a font that the picture lists.
_UNWRITTEN = 3


def draw_picture(
    points: Points, layout: Layout, regions: Sequence[np.ndarray], named: int = 40
) -> bytes:
    """Draws a layout of points as `map.html` does, and names its regions and extreme points.

    Args:
        points: The points.
        layout: The positions of some of them; two coordinates are drawn.
        regions: Which of these positions lie in each region, see `find_regions`.
        named: The most points to name, in the order of `naming_order`. There are fewer if no more
            fit without overlap. Labels that the font cannot show are left out, and the picture
            says so.

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
    title = f"The {points.name} by {layout.name}"
    figure.text(0.03, 0.94, title, size=16, weight="bold", color=_INK, parse_math=False)
    if isinstance(coloring.values, np.ndarray):
        point_colors = _draw_numbers(axes, positions, coloring.values, coloring.diverging)
    else:
        point_colors = _draw_categories(axes, positions, coloring.values)
    _fit(axes, positions)
    labels = _Labels(axes, canvas.get_renderer())
    for rows in regions:
        if name := region_name(rows, words, labels.can_show):
            labels.write(name, np.median(positions[rows], axis=0), _MIDDLE, size=11, weight="bold")
    order = naming_order(coloring, positions)
    _name_points(axes, labels, positions, words, point_colors, order, named)
    note = f"{len(words):,} points by {coloring.name}{_unwritten(labels.unwritten)}"
    figure.text(0.03, 0.905, note, size=10, color=_FAINT, parse_math=False)
    png = io.BytesIO()
    # The version of matplotlib in the file would make its bytes differ from release to release.
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _fit(axes: Axes, positions: np.ndarray) -> None:
    """Gives both axes one scale, at which the points fill the axes but for a margin."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    size = np.array(axes.get_window_extent().size)
    half = 0.56 * (((high - low) / size).max() or 1 / size.max()) * size
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _unwritten(words: Sequence[str]) -> str:
    """Says which words the picture should name and cannot, by their code points."""
    if not words:
        return ""
    some = ", ".join(
        word[:8].encode("ascii", "backslashreplace").decode() for word in words[:_UNWRITTEN]
    )
    more = f" and {len(words) - _UNWRITTEN} more" if len(words) > _UNWRITTEN else ""
    return f"; no font for {some}{more}"


def _draw_numbers(
    axes: Axes,
    positions: np.ndarray,
    values: np.ndarray,
    diverging: bool,
) -> np.ndarray:
    """Colors points by numbers, with a color bar; returns the colors."""
    high = diverging_limit(values) if diverging else float(values.max())
    scale = Normalize(-high if diverging else float(values.min()), high, clip=True)
    scaled = np.asarray(scale(values.astype(float)))
    ramp = _DIVERGING if diverging else _RISING
    point_colors = ramp(scaled)
    # The extremes on top.
    shown = np.argsort(np.abs(scaled - 0.5) if diverging else scaled, kind="stable")
    _draw_points(axes, positions[shown], point_colors[shown])
    bar_axes = axes.figure.add_axes((0.72, 0.955, 0.25, 0.014))
    axes.figure.colorbar(ScalarMappable(scale, ramp), cax=bar_axes, orientation="horizontal")
    bar_axes.set_frame_on(False)
    bar_axes.tick_params(size=0, labelsize=8, labelcolor=_FAINT)
    return point_colors


def _draw_categories(axes: Axes, positions: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Colors points by category, with a legend; returns the colors."""
    names, category, counts = np.unique(values, return_inverse=True, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:CATEGORIES]
    palette = dict(zip(sorted(largest), _PALETTE["categories"], strict=False))
    others = _PALETTE["others"]
    point_colors = np.array([palette.get(index, others) for index in category])
    _draw_points(axes, positions, point_colors)
    for index, color in palette.items():
        name = names[index] if len(names[index]) <= 16 else f"{names[index][:15]}…"
        axes.scatter([], [], color=color, label=f"{name} ({counts[index]:,})")
    if len(names) > len(palette):
        axes.scatter([], [], color=others, label=f"{len(names) - len(palette)} others")
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
    return point_colors


def _draw_points(axes: Axes, positions: np.ndarray, colors: np.ndarray) -> PathCollection:
    area = np.clip(30_000 / len(positions), 5, 60)
    return axes.scatter(
        positions[:, 0], positions[:, 1], s=area, c=colors, alpha=0.75, linewidths=0
    )


class _Labels:
    """The labels of a picture, none of which covers another.

    Attributes:
        taken: The boxes of what is written, in pixels.
        unwritten: Labels that the font could not show.
    """

    def __init__(self, axes: Axes, renderer: RendererBase) -> None:
        self.taken: list[Bbox] = []
        self.unwritten: list[str] = []
        self._axes = axes
        self._renderer = renderer
        self._inside = axes.get_window_extent(renderer)
        font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
        self._glyphs = font.get_charmap().keys()

    def can_show(self, label: str) -> bool:
        """Tells whether the font has all characters of a label."""
        is_shown = self._glyphs >= {ord(letter) for letter in label}
        if not is_shown and label not in self.unwritten:
            self.unwritten.append(label)
        return is_shown

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


def _name_points(
    axes: Axes,
    labels: _Labels,
    positions: np.ndarray,
    words: Sequence[str],
    point_colors: np.ndarray,
    order: np.ndarray,
    named: int,
) -> None:
    """Writes each word at the first free place around its point, if there is one."""
    written: list[int] = []
    # Ten candidates for each label, as many find no free place.
    for point in order[: 10 * named]:
        if len(written) == named:
            break
        dot = Bbox([axes.transData.transform(positions[point])] * 2).padded(_DOT_PIXELS)
        if not labels.can_show(words[point]) or not labels.is_free(dot):
            continue
        if labels.write(words[point], positions[point], _AROUND, size=9.5):
            labels.taken.append(dot)
            written.append(point)
    x, y = positions[written].T
    axes.scatter(x, y, s=26, c=point_colors[written], edgecolors=_INK, lw=0.7)

"""Draws a picture of points: colored, the extreme ones named."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager, ft2font, patheffects
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from components.projector_directory.metadata import escape
from components.projector_exporter.points import Points
from components.vectors.layouts import Layout

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
# Where a label may stand around its point: offset in typographic points, then its alignment.
_PLACES = [
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


def draw_picture(points: Points, layout: Layout, named: int = 40) -> bytes:
    """Draws a layout of points and names the extreme ones.

    Of points colored by numbers, those with the highest and the lowest are named in turns; of
    points colored by category, those farthest from the middle of the picture are, and all but the
    nine largest categories are gray.

    Args:
        points: The points, at least as many as the layout has positions.
        layout: The positions of the first points; two coordinates are drawn.
        named: The most labels. There are fewer if no more fit without overlap; labels that the
            font cannot show are left out.

    Returns:
        A PNG of 1440 by 1040 pixels, the same bytes for the same points.
    """
    positions = layout.positions[:, :2]
    labels = [escape(label) for label in points.labels[: len(positions)]]
    coloring = points.coloring
    values = coloring.values[: len(positions)]
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
    note = f"{len(labels):,} points by {coloring.name}"
    figure.text(0.03, 0.905, note, size=10, color=_FAINT, parse_math=False)
    if isinstance(values, np.ndarray):
        colors = _draw_numbers(axes, positions, values, coloring.diverging)
        order = _ends_in_turns(values)
    else:
        colors = _draw_categories(axes, positions, values)
        order = np.argsort(-np.linalg.norm(positions - positions.mean(axis=0), axis=1))
    _name_points(axes, canvas.get_renderer(), positions, labels, colors, order, named)
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


def _ends_in_turns(values: np.ndarray) -> np.ndarray:
    """Orders points: highest value, lowest, second highest, second lowest and so on."""
    order = np.argsort(-values, kind="stable")
    return np.column_stack([order, order[::-1]]).ravel()[: len(order)]


def _name_points(
    axes: Axes,
    renderer: RendererBase,
    positions: np.ndarray,
    labels: Sequence[str],
    colors: np.ndarray,
    order: np.ndarray,
    named: int,
) -> None:
    """Puts each label at the first free place around its point, if there is one."""
    inside = axes.get_window_extent(renderer)
    glyphs = ft2font.FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap().keys()
    halo = [patheffects.withStroke(linewidth=3, foreground="white", alpha=0.9)]
    taken: list[Bbox] = []
    # Ten candidates for each label, as many find no free place.
    for point in order[: 10 * named]:
        if len(taken) == 2 * named:
            break
        x, y = positions[point]
        dot = Bbox([axes.transData.transform((x, y))] * 2).padded(_DOT_PIXELS)
        can_be_shown = labels[point].strip() and glyphs >= {ord(letter) for letter in labels[point]}
        if not can_be_shown or not _is_free(dot, taken):
            continue
        text = axes.annotate(
            labels[point],
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            size=9.5,
            color=_INK,
            path_effects=halo,
            parse_math=False,
        )
        if box := _free_place(text, renderer, inside, taken):
            taken += [dot, box]
            axes.scatter(x, y, s=26, color=colors[point], edgecolors=_INK, lw=0.7)
        else:
            text.remove()


def _free_place(
    text: Text, renderer: RendererBase, inside: Bbox, taken: Sequence[Bbox]
) -> Bbox | None:
    """Moves a label to the first place that is free and returns its box, or None."""
    for x, y, horizontal, vertical in _PLACES:
        text.set(position=(x, y), ha=horizontal, va=vertical)
        box = text.get_window_extent(renderer)
        if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1):
            box = box.padded(2)
            if _is_free(box, taken):
                return box
    return None


def _is_free(box: Bbox, taken: Sequence[Bbox]) -> bool:
    return not any(box.overlaps(other) for other in taken)

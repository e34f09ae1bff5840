"""Bookmarks of TensorBoard's projector: positions that a click shows.

A bookmarks file is a JSON array of states. Their keys are the fields of `State` in TensorBoard's
`plugins/projector/vz_projector/data.ts`; `loadState` in `vz-projector.ts` and
`restoreUIFromBookmark` in `vz-projector-projections-panel.ts` read them. Four facts of that code
decide what is written here:

* A state of the t-SNE tab starts TensorBoard's own optimizer. Positions computed elsewhere belong
  in the UMAP tab, which shows them unchanged.
* The positions of a state replace all others, and TensorBoard does not compute PCA again. So every
  state has the PCA positions too, or the PCA tab would be empty afterwards.
* A layout of some rows only is a filter (`filteredPoints`): the others are hidden until 'Show All
  Data' or another bookmark brings them back. Its positions are those of the filtered points.
* Without the four texts of the custom projection a click does nothing.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

# TensorBoard's name for coloring by nothing.
NO_COLOR = "No color map"
# TensorBoard scales a layout to its plot; four digits of its width are finer than a pixel.
_DIGITS = 4


@dataclasses.dataclass(frozen=True)
class Bookmark:
    """Positions of rows of a tensor, shown by a click.

    Attributes:
        label: What the list of bookmarks calls it, such as 't-SNE'.
        positions: Finite floats [rows shown, 2 to 10 coordinates].
        tab: The tab that shows them: 'pca' for principal components, 'umap' for all else.
        color_by: The metadata column that colors the points: numbers, or at most 50 texts.
        rows: Which row of the tensor has each position, integers [rows shown]; the others are
            hidden. None for the first rows.
    """

    label: str
    positions: np.ndarray
    tab: Literal["pca", "umap"] = "umap"
    color_by: str = NO_COLOR
    rows: np.ndarray | None = None


def encode_bookmarks(bookmarks: Sequence[Bookmark], shape: tuple[int, int], label_by: str) -> bytes:
    """Encodes the bookmarks of a tensor.

    Args:
        bookmarks: One of them of the tab 'pca', with all rows of the tensor.
        shape: Rows and columns of the tensor.
        label_by: The metadata column that labels the points, and that is searched first.

    Returns:
        JSON for the file that `bookmarks_path` in the projector's configuration names.

    Raises:
        ValueError: There is no bookmark of PCA, a bookmark's rows are not rows of the tensor, or a
            position is not finite.
    """
    rows = shape[0]
    pca = next((bookmark for bookmark in bookmarks if bookmark.tab == "pca"), None)
    if pca is None or len(pca.positions) != rows:
        raise ValueError(
            f"bookmarks must hold one of the tab 'pca' with all {rows} rows of the tensor. "
            f"Received: {[(b.label, b.tab, len(b.positions)) for b in bookmarks]}."
        )
    for bookmark in bookmarks:
        _require_finite(bookmark)
    principal = _coordinates("pca", pca.positions)
    states = []
    for bookmark in bookmarks:
        shown = _rows_shown(bookmark, rows)
        state = _state(bookmark, shown, shape, pca.positions.shape[1], label_by)
        if bookmark is pca:
            state["projections"] = principal
        else:
            own = _coordinates("umap", bookmark.positions)
            state["projections"] = [
                principal[row] | place for row, place in zip(shown, own, strict=True)
            ]
        states.append(state)
    return json.dumps(states, allow_nan=False, separators=(",", ":")).encode()


def _require_finite(bookmark: Bookmark) -> None:
    is_finite = np.isfinite(bookmark.positions).all(axis=1)
    if not is_finite.all():
        first = int(is_finite.argmin())
        raise ValueError(
            f"Bookmark {bookmark.label!r}: expected finite positions, found "
            f"{bookmark.positions[first].tolist()} at index {first}."
        )


def _rows_shown(bookmark: Bookmark, rows: int) -> list[int]:
    count = len(bookmark.positions)
    shown = range(count) if bookmark.rows is None else bookmark.rows.tolist()
    if len(shown) != count or not set(shown) <= set(range(rows)):
        raise ValueError(
            f"Bookmark {bookmark.label!r} has {count} positions for {len(shown)} rows, the last of "
            f"them {shown[-1]}; expected a position for each, and rows of the tensor's {rows}."
        )
    return list(shown)


def _coordinates(prefix: str, positions: np.ndarray) -> list[dict[str, float]]:
    """Names the coordinates of each row as TensorBoard does, such as pca-0 and pca-1."""
    width = float(np.ptp(positions, axis=0).max())
    step = width / 10**_DIGITS or 1
    decimals = -int(np.floor(np.log10(step)))
    keys = [f"{prefix}-{axis}" for axis in range(positions.shape[1])]
    rows = positions.astype(np.float64).round(decimals).tolist()
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _state(
    bookmark: Bookmark,
    shown: list[int],
    shape: tuple[int, int],
    pca_components: int,
    label_by: str,
) -> dict[str, Any]:
    """Makes a state, but for its positions."""
    state: dict[str, Any] = {
        "label": bookmark.label,
        "isSelected": False,
        "selectedProjection": bookmark.tab,
        "dataSetDimensions": list(shape),
        "pcaComponentDimensions": list(range(min(3, pca_components))),
        "umapIs3d": bookmark.positions.shape[1] > 2,
        "selectedPoints": [],
        "cameraDef": None,
        "forceCategoricalColoring": False,
        # These are the values that TensorBoard's own controls start with.
        "tSNEIteration": 0,
        "tSNEPerplexity": 30,
        "tSNELearningRate": 1,
        "tSNEis3d": True,
        "umapNeighbors": 15,
        "umapMinDist": 0.1,
    }
    for side in ("XLeft", "XRight", "YUp", "YDown"):
        state |= {f"custom{side}Text": "", f"custom{side}Regex": False}
    if len(shown) < shape[0]:
        state |= {
            "label": f"{bookmark.label} ({len(shown):,} of {shape[0]:,} rows)",
            "filteredPoints": shown,
        }
    return state | {
        "selectedLabelOption": label_by,
        "selectedColorOptionName": bookmark.color_by,
        "customSelectedSearchByMetadataOption": label_by,
    }

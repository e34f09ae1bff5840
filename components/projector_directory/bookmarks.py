"""Bookmarks of TensorBoard's projector: positions that a click shows.

A bookmarks file is a JSON array of states. Their keys are the fields of `State` in TensorBoard's
`plugins/projector/vz_projector/data.ts`; `loadState` in `vz-projector.ts` and
`restoreUIFromBookmark` in `vz-projector-projections-panel.ts` read them. Four facts of that code
decide what is written here:

* A state of the t-SNE tab starts TensorBoard's own optimizer. Positions computed elsewhere belong
  in the UMAP tab, which shows them unchanged.
* The positions of a state replace all others, and TensorBoard does not compute PCA again. So every
  state has the PCA positions too, or the PCA tab would be empty afterwards.
* A layout of the first rows only is a filter (`filteredPoints`): the others are hidden until
  'Show All Data' or another bookmark brings them back.
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
    """Positions of the first rows of a tensor, shown by a click.

    Attributes:
        label: What the list of bookmarks calls it, such as 't-SNE'.
        positions: Finite floats [rows, 2 to 10 coordinates]; the rows beyond are hidden.
        tab: The tab that shows them: 'pca' for principal components, 'umap' for all else.
        color_by: The metadata column that colors the points: numbers, or at most 50 texts.
    """

    label: str
    positions: np.ndarray
    tab: Literal["pca", "umap"] = "umap"
    color_by: str = NO_COLOR


def encode_bookmarks(bookmarks: Sequence[Bookmark], shape: tuple[int, int], label_by: str) -> bytes:
    """Encodes the bookmarks of a tensor.

    Args:
        bookmarks: One of them of the tab 'pca', with all rows of the tensor.
        shape: Rows and columns of the tensor.
        label_by: The metadata column that labels the points, and that is searched first.

    Returns:
        JSON for the file that `bookmarks_path` in the projector's configuration names.

    Raises:
        ValueError: There is no bookmark of PCA, a bookmark has more rows than the tensor, or a
            position is not finite.
    """
    rows = shape[0]
    pca = next((bookmark for bookmark in bookmarks if bookmark.tab == "pca"), None)
    if pca is None or len(pca.positions) != rows:
        raise ValueError(
            f"bookmarks must hold one of the tab 'pca' with all {rows} rows of the tensor. "
            f"Received: {[(b.label, b.tab, len(b.positions)) for b in bookmarks]}."
        )
    principal = _coordinates("pca", pca.positions)
    states = []
    for bookmark in bookmarks:
        if len(bookmark.positions) > rows:
            raise ValueError(
                f"Bookmark {bookmark.label!r} has {len(bookmark.positions)} rows; the tensor has "
                f"only {rows}."
            )
        state = _state(bookmark, shape, pca.positions.shape[1], label_by)
        if bookmark is pca:
            state["projections"] = principal
        else:
            own = _coordinates("umap", bookmark.positions)
            state["projections"] = [a | b for a, b in zip(principal, own, strict=False)]
        states.append(state)
    return json.dumps(states, allow_nan=False, separators=(",", ":")).encode()


def _coordinates(prefix: str, positions: np.ndarray) -> list[dict[str, float]]:
    """Names the coordinates of each row as TensorBoard does, such as pca-0 and pca-1."""
    width = float(np.ptp(positions, axis=0).max())
    step = width / 10**_DIGITS or 1
    decimals = -int(np.floor(np.log10(step)))
    keys = [f"{prefix}-{axis}" for axis in range(positions.shape[1])]
    rows = positions.astype(np.float64).round(decimals).tolist()
    return [dict(zip(keys, row, strict=True)) for row in rows]


def _state(
    bookmark: Bookmark, shape: tuple[int, int], pca_components: int, label_by: str
) -> dict[str, Any]:
    """Makes a state, but for its positions."""
    rows = len(bookmark.positions)
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
    if rows < shape[0]:
        state |= {
            "label": f"{bookmark.label} (first {rows:,} rows)",
            "filteredPoints": list(range(rows)),
        }
    return state | {
        "selectedLabelOption": label_by,
        "selectedColorOptionName": bookmark.color_by,
        "customSelectedSearchByMetadataOption": label_by,
    }

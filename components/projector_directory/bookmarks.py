"""Layouts as bookmarks of TensorBoard's projector.

A bookmarks file is a JSON array of states. Their keys are the fields of `State` in TensorBoard's
`plugins/projector/vz_projector/data.ts`; `loadState` in `vz-projector.ts` and
`restoreUIFromBookmark` in `vz-projector-projections-panel.ts` read them. What decides:

* A state of the t-SNE tab starts TensorBoard's own optimizer, so t-SNE is put in the UMAP tab,
  which shows positions as they are.
* The positions of a state replace all others. PCA is given in every state, or the PCA tab, which
  TensorBoard does not compute again, would have none left.
* A layout of the first rows only is a filter (`filteredPoints`): the others are hidden, and
  'Show All Data' or another bookmark brings them back.
* Without the four texts of the custom projection a click does nothing.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

# What TensorBoard calls coloring by nothing.
NO_COLOR = "No color map"
# TensorBoard scales a layout to its plot; four digits of its width are finer than a pixel.
_DIGITS = 4


class Layout(Protocol):
    """Positions of the first rows of a tensor.

    Attributes:
        name: Label of the bookmark, such as 't-SNE'.
        positions: Floats [rows, 2 to 10 coordinates].
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def positions(self) -> np.ndarray: ...  # noqa: D102


def encode_bookmarks(
    layouts: Sequence[Layout],
    shape: tuple[int, int],
    label_by: str = "token",
    color_by: str = NO_COLOR,
) -> bytes:
    """Encodes a bookmark a layout.

    Args:
        layouts: With the one named 'PCA', of all rows, among them.
        shape: Rows and columns of the exported tensor.
        label_by: The metadata column that labels the points.
        color_by: The metadata column that colors the points: numbers, or at most 50 values.

    Returns:
        JSON for the file that `bookmarks_path` of the projector's config names.

    Raises:
        ValueError: PCA is missing, or a layout has other rows than the tensor.
    """
    pca = next((layout for layout in layouts if layout.name == "PCA"), None)
    if pca is None or len(pca.positions) != shape[0]:
        raise ValueError(
            f"Expected a layout 'PCA' of {shape[0]} rows, found "
            f"{[(layout.name, len(layout.positions)) for layout in layouts]}."
        )
    coordinates = _coordinates("pca", pca.positions)
    states = []
    for layout in layouts:
        rows = len(layout.positions)
        if rows > shape[0]:
            raise ValueError(f"{layout.name} has {rows} rows, the tensor only {shape[0]}.")
        state = _state(layout, shape, pca.positions.shape[1])
        state |= {
            "selectedLabelOption": label_by,
            "selectedColorOptionName": color_by,
            "customSelectedSearchByMetadataOption": label_by,
        }
        if layout is pca:
            state["projections"] = coordinates
        else:
            own = _coordinates("umap", layout.positions)
            state["projections"] = [a | b for a, b in zip(coordinates, own, strict=False)]
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


def _state(layout: Layout, shape: tuple[int, int], pca_components: int) -> dict[str, Any]:
    rows = len(layout.positions)
    state: dict[str, Any] = {
        "label": layout.name,
        "isSelected": False,
        "selectedProjection": "pca" if layout.name == "PCA" else "umap",
        "dataSetDimensions": list(shape),
        "pcaComponentDimensions": list(range(min(3, pca_components))),
        "umapIs3d": layout.positions.shape[1] > 2,
        "selectedPoints": [],
        "cameraDef": None,
        "forceCategoricalColoring": False,
        # The rest is what TensorBoard's own controls stand at.
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
            "label": f"{layout.name} (first {rows:,} rows)",
            "filteredPoints": list(range(rows)),
        }
    return state

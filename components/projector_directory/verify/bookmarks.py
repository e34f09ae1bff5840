"""Rules for a file of bookmarks: whether a click on each shows what it says."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from components.projector_directory.bookmarks import NO_COLOR
from components.projector_directory.verify.violation import Finding, Violation


def check_bookmarks(
    path: str, name: str, shape: Sequence[int], columns: Sequence[str]
) -> Finding[Sequence[dict[str, Any]]]:
    """Checks a file of bookmarks.

    Args:
        path: Where it is.
        name: What the configuration calls it.
        shape: Rows and columns of the tensor that it belongs to.
        columns: The metadata columns of that tensor; none if they cannot be read, which is
            reported elsewhere.

    Yields:
        What makes a click fail, or show something else.

    Returns:
        The states; none if TensorBoard cannot list them.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
        states = json.loads(text, parse_int=float, parse_constant=_refuse_constant)
    except ValueError as error:
        yield Violation(name, None, f"is not JSON, and no bookmark is listed: {error}")
        return ()
    if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
        yield Violation(name, None, "is not a JSON array of states: no bookmark can be listed")
        return ()
    yield from _check_selections(name, states)
    for number, state in enumerate(states):
        for problem in _state_problems(state, shape, columns):
            yield Violation(name, None, f"bookmark {number} {problem}")
        for row, problem in _projection_problems(state):
            yield Violation(name, row, f"bookmark {number} {problem}")
    return states


def check_filters(
    bookmarks: Mapping[tuple[str, str], Sequence[dict[str, Any]]],
) -> Iterator[Violation]:
    """Checks the bookmarks of all tensors together.

    Args:
        bookmarks: By the name of a tensor and of its file, its states.

    Yields:
        What a click on a bookmark does to those of another tensor.
    """
    for (tensor, file), states in bookmarks.items():
        other = next((key[0] for key in bookmarks if key[0] != tensor and bookmarks[key]), None)
        for number, state in enumerate(states):
            # The page keeps the points of before the filter when another tensor is chosen.
            if other is not None and state.get("filteredPoints") is not None:
                yield Violation(
                    file,
                    None,
                    f"bookmark {number} has filteredPoints, and a click on a bookmark of {other!r} "
                    f"after it shows the points of {tensor!r}",
                )


def _check_selections(name: str, states: Sequence[dict[str, Any]]) -> Iterator[Violation]:
    selected = [_length(state.get("selectedPoints")) for state in states]
    for number, state in enumerate(states):
        shown = _length(state.get("filteredPoints"))
        others = max((count for place, count in enumerate(selected) if place != number), default=0)
        if shown and shown < others:
            yield Violation(
                name,
                None,
                f"bookmark {number} shows {shown} points, and a click on it fails after one on a "
                f"bookmark that selects {others}",
            )


def _length(points: object) -> int:
    return len(points) if isinstance(points, list) else 0


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _state_problems(
    state: dict[str, Any], shape: Sequence[int], columns: Sequence[str]
) -> Iterator[str]:
    if not state.get("label") or not isinstance(state["label"], str):
        yield "has no label to be listed by"
    yield from _missing_texts(state)
    yield from _missing_numbers(state)
    if state.get("dataSetDimensions") != list(shape):
        yield f"has dataSetDimensions {state.get('dataSetDimensions')}; expected {list(shape)}"
    yield from _unknown_columns(state, columns)
    if shown_coordinates(state) is None:
        yield (
            f"has selectedProjection {state.get('selectedProjection')!r}; expected 'pca' with 2 or "
            "3 pcaComponentDimensions, 'umap', 'tsne' or 'custom': a click does nothing"
        )
    yield from _row_problems(state, shape[0])


def _missing_texts(state: dict[str, Any]) -> Iterator[str]:
    texts = [f"custom{side}Text" for side in ("XLeft", "XRight", "YUp", "YDown")]
    if missing := [key for key in texts if not isinstance(state.get(key), str)]:
        yield f"has no text {', '.join(missing)}: a click does nothing"


def _missing_numbers(state: dict[str, Any]) -> Iterator[str]:
    numbers = ("tSNEPerplexity", "tSNELearningRate", "tSNEIteration")
    if missing := [key for key in numbers if state.get(key) is None]:
        yield f"has no number {', '.join(missing)}: a click fails halfway"
    if not isinstance(state.get("pcaComponentDimensions"), list):
        yield "has no list of pcaComponentDimensions: a click fails halfway"


def _unknown_columns(state: dict[str, Any], columns: Sequence[str]) -> Iterator[str]:
    for key, more in (
        ("selectedLabelOption", ()),
        ("selectedColorOptionName", (None, NO_COLOR)),
        ("customSelectedSearchByMetadataOption", (None,)),
    ):
        if columns and state.get(key) not in (*more, *columns):
            yield f"has {key} {state.get(key)!r}, which is no column of the metadata"


def _row_problems(state: dict[str, Any], rows: int) -> Iterator[str]:
    points, filtered = state.get("projections"), state.get("filteredPoints")
    if not isinstance(points, list) or not isinstance(filtered, list | None):
        yield "needs a list of projections, and of filteredPoints if there are any"
        return
    if outside := [point for point in filtered or () if not _is_row(point, rows)]:
        yield f"has filteredPoints of which {outside[0]!r} is no row of the tensor"
    expected = len(filtered) if filtered else rows  # TensorBoard itself saves an empty list.
    if len(points) != expected:
        yield f"has {len(points)} projections for {expected} points"
    selected = state.get("selectedPoints")
    if not isinstance(selected, list):
        yield f"has selectedPoints {selected!r}; expected a list, or a click fails"
    elif outside := [point for point in selected if not _is_row(point, expected)]:
        yield f"has selectedPoints of which {outside[0]!r} is no point that is shown"


def _is_row(point: object, rows: int) -> bool:
    return isinstance(point, float) and point.is_integer() and 0 <= point < rows


def _projection_problems(state: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yields the points that have no place, by their row."""
    points = state.get("projections")
    needed = shown_coordinates(state) or []
    for row, point in enumerate(points if isinstance(points, list) else ()):
        values = point if isinstance(point, dict) else {}
        for key in {**dict.fromkeys(needed), **values}:
            value = values.get(key)
            if not isinstance(value, float) or not math.isfinite(value):
                yield row, f"has {key} {value!r} in its projections; expected a finite number"


def shown_coordinates(state: Mapping[str, Any]) -> list[str] | None:
    """Names the coordinates that a bookmark shows.

    Args:
        state: A state of a file of bookmarks.

    Returns:
        Keys of each of its projections; None if TensorBoard cannot tell.
    """
    kind = state.get("selectedProjection")
    if kind == "custom":
        return ["linear-x", "linear-y"]
    if kind == "pca":
        components = state.get("pcaComponentDimensions")
        if not isinstance(components, list) or len(components) not in (2, 3):
            return None
        return [f"pca-{c:g}" if isinstance(c, float) else f"pca-{c}" for c in components]
    if kind in ("umap", "tsne"):
        is_3d = state.get("umapIs3d" if kind == "umap" else "tSNEis3d")
        return [f"{kind}-{axis}" for axis in range(3 if is_3d else 2)]
    return None

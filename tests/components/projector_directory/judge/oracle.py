"""Compares what TensorBoard shows of a projector directory with the contents of its files.

Shares no rule with `verify`: it reads the files in the simplest possible way.
"""

import base64
import fractions
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

NO_COLOR = "No color map"


def differences(directory: pathlib.Path, seen: dict[str, Any]) -> list[str]:
    """Returns a description of everything that is shown wrongly or not at all.

    Args:
        directory: A projector directory with a configuration that can be parsed.
        seen: The result of `Page.show` for the directory.
    """
    if seen["errors"]:
        return list(seen["errors"])
    if seen["runs"] != ["."]:
        return [f"runs {seen['runs']}"]
    config = text_format.Parse(
        (directory / "projector_config.pbtxt").read_text(), ProjectorConfig()
    )
    return list(
        _differences(directory, config, {tensor["name"]: tensor for tensor in seen["tensors"]})
    )


def _differences(
    directory: pathlib.Path, config: ProjectorConfig, seen: dict[str, Any]
) -> Iterator[str]:
    written = _written_tensors(directory, config)
    entries = {_name(entry): entry for entry in config.embeddings}
    if len(entries) < len(config.embeddings):
        yield "two entries for one tensor"
    everywhere = entries.pop("", None)
    if missing := entries.keys() - seen.keys():
        yield f"not listed: {missing}"
    for name, tensor in seen.items():
        entry = entries.get(name, everywhere)
        if entry is None or not entry.metadata_path:
            yield f"{name} has no labels"
            continue
        if name not in written:
            yield f"{name} is nowhere"
            continue
        yield from tensor["errors"]
        yield from _wrong_values(written[name], tensor)
        lines = _lines(directory / entry.metadata_path)
        yield from _wrong_labels(lines, len(written[name]), tensor)
        if entry.sprite.image_path:
            png = (directory / entry.sprite.image_path).read_bytes()
            width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
            across, down = entry.sprite.single_image_dim
            if (width // across) * (height // down) < len(written[name]):
                yield "points without a thumbnail"
        if entry.bookmarks_path:
            states = json.loads((directory / entry.bookmarks_path).read_text("utf-8-sig"))
            yield from _wrong_bookmarks(states, written[name], tensor)
        elif tensor["bookmarks"]:
            yield "bookmarks from nowhere"


def _name(entry: Any) -> str:
    name = entry.tensor_name or os.path.basename(entry.tensor_path)
    return str(name.removesuffix(":0"))


def _written_tensors(directory: pathlib.Path, config: ProjectorConfig) -> dict[str, np.ndarray]:
    tensors = {}
    if prefix := tf.train.latest_checkpoint(str(directory)):
        reader = tf.train.load_checkpoint(prefix)
        tensors = {
            name: reader.get_tensor(name)
            for name, shape in reader.get_variable_to_shape_map().items()
            if len(shape) == 2
        }
    for entry in config.embeddings:
        if not entry.tensor_path:
            continue
        path = directory / entry.tensor_path
        try:
            lines = path.read_bytes().decode().replace("\r", "").split("\n")
            rows = [[float(cell) for cell in line.split("\t")] for line in lines if line]
            tensors[_name(entry)] = np.array(rows)
        except UnicodeDecodeError:
            values = np.fromfile(path, np.float32)
            tensors[_name(entry)] = values.reshape(entry.tensor_shape)
    return tensors


def _wrong_values(written: np.ndarray, tensor: dict[str, Any]) -> Iterator[str]:
    rows, columns = written.shape
    if rows < 2 or columns < 3:
        yield f"{written.shape} is not drawn"
        return
    if not np.isfinite(written).all():
        yield "not finite"
        return
    shown = [np.frombuffer(base64.b64decode(row), np.float32) for row in tensor["vectors"]]
    if {len(row) for row in shown} != {columns} or len(shown) != rows:
        yield f"{len(shown)} points of {set(map(len, shown))} for {written.shape}"
    elif not np.isfinite(shown).all() or not np.allclose(shown, written, rtol=1e-6, atol=1e-37):
        yield "other values"


def _lines(path: pathlib.Path) -> list[str]:
    lines = path.read_bytes().decode("utf-8-sig").split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def _wrong_labels(lines: Sequence[str], points: int, tensor: dict[str, Any]) -> Iterator[str]:
    columns = ["label"]
    if lines and "\t" in lines[0]:
        columns, lines = lines[0].split("\t"), lines[1:]
    rows = [line.split("\t") for line in lines]
    if any("\r" in line for line in lines):
        yield "a carriage return within a line"
    if len(rows) != points or len(tensor["cards"]) != points:
        yield f"{len(rows)} labels for {points} points"
        return
    if len(set(columns)) < len(columns) or any(len(row) != len(columns) for row in rows):
        yield "columns and cells do not fit"
        return
    if not all(column.strip() for column in columns):
        yield "a column without a name"
    if tensor["lines"] or {"__next__", "__seq_next__"} & set(columns):
        yield "lines between points"
    numeric = [all(_number(row[i]) is not None for row in rows) for i in range(len(columns))]
    for row, card in zip(rows, tensor["cards"], strict=True):
        shown = dict(card)
        if len(shown) != len(columns):
            yield f"{shown} for {row}"
            continue
        for column, is_number, cell in zip(columns, numeric, row, strict=True):
            if not _same(cell, shown.get(column), is_number):
                yield f"{shown.get(column)!r} for {cell!r}"
    label = columns.index(tensor["label"])
    # Only a bookmark can label by a numeric column beside text columns; the value is shown then.
    is_value = numeric[label] and not all(numeric)
    for row, shown_label in zip(rows, tensor["labels"], strict=True):
        if not _same(row[label], shown_label, is_value):
            yield f"the label {shown_label!r} for {row[label]!r}"
    yield from _wrong_colors(columns, rows, numeric, tensor)


def _number(cell: str) -> fractions.Fraction | None:
    """Returns the number that a person would read in a cell; None for a text."""
    try:
        if cell.strip().endswith("Infinity"):
            return fractions.Fraction(-(10**1000) if "-" in cell else 10**1000)
        if cell.startswith("0x"):
            return fractions.Fraction(int(cell, 16))
        return None if set(cell) & set("/_") else fractions.Fraction(cell.strip())
    except (ValueError, ZeroDivisionError):
        return None


def _same(cell: str, shown: str | None, is_number: bool) -> bool:
    if cell == shown:
        return is_number or cell != "0"  # Parts of the page show the text "0" as an empty string.
    if not is_number or shown is None:
        return False
    number, shown_number = _number(cell), _number(shown)
    if number is None or shown_number is None:
        return False
    if number.denominator == 1:
        return number == shown_number
    return abs(number - shown_number) <= abs(number) * fractions.Fraction(1, 2**52)


def _wrong_colors(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    tensor: dict[str, Any],
) -> Iterator[str]:
    for option in tensor["colors"] or ():
        place = columns.index(option["name"])
        cells = [row[place] for row in rows]
        if not option["items"]:
            if not numeric[place] or None in option["points"]:
                yield f"no colors by {option['name']!r}"
        elif not numeric[place]:
            if dict(option["items"]) != Counter(cells):
                yield f"the legend {option['items']} of {option['name']!r}"
                continue
            legend = dict(
                zip([label for label, _ in option["items"]], option["legend"], strict=True)
            )
            if [legend[cell] for cell in cells] != option["points"]:
                yield f"the colors by {option['name']!r}"


def _wrong_bookmarks(
    states: list[dict[str, Any]], written: np.ndarray, tensor: dict[str, Any]
) -> Iterator[str]:
    if not isinstance(states, list) or len(states) != len(tensor["bookmarks"]):
        yield f"{len(tensor['bookmarks'])} bookmarks for {len(states)}"
        return
    offered = {option["name"] for option in tensor["colors"]} | {NO_COLOR, None}
    for state, bookmark in zip(states, tensor["bookmarks"], strict=True):
        if bookmark["errors"]:
            yield from bookmark["errors"]
            continue
        if not isinstance(bookmark["title"], str) or not bookmark["title"]:
            yield f"a bookmark called {bookmark['title']!r}"
        if list(written.shape) != state.get("dataSetDimensions"):
            yield "a bookmark of another tensor"
        rows = state.get("filteredPoints") or list(range(len(written)))
        coordinates = [value for row in state["projections"] for value in row.values()]
        if {type(value) for value in coordinates} - {int, float} or not np.isfinite(
            coordinates
        ).all():
            yield "a bookmark has coordinates that are no numbers"
        if not isinstance(state.get("filteredPoints"), list | None):
            yield "a bookmark filters by what is no list"
        if not isinstance(state.get("selectedPoints"), list):
            yield "a bookmark selects by what is no list"
        places = np.array(bookmark["places"], float)
        if bookmark["rows"] != rows or len(state["projections"]) != len(rows):
            yield f"a bookmark shows the rows {bookmark['rows']} for {rows}"
        elif not np.isfinite(places).all() or places.shape[1] not in (2, 3):
            yield "a bookmark shows points nowhere"
        if bookmark["tab"] != state["selectedProjection"]:
            yield f"a bookmark opens {bookmark['tab']}"
        for option, key in (("color", "selectedColorOptionName"), ("label", "selectedLabelOption")):
            if state.get(key) is not None and bookmark[option] != state[key]:
                yield f"a bookmark has {bookmark[option]} for {key}"
        if state.get("selectedColorOptionName") not in offered:
            yield "a bookmark colors by nothing that is offered"
        if not isinstance(state.get("pcaComponentDimensions"), list):
            yield "a bookmark leaves PCA without components"
        searched = state.get("customSelectedSearchByMetadataOption")
        if searched is not None and searched not in tensor["searched"]:
            yield "a bookmark searches nothing"
        if state.get("selectedLabelOption") not in tensor["searched"]:
            yield "a bookmark labels by nothing"

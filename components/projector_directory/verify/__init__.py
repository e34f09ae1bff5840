"""Checks a projector directory, whoever wrote it, by TensorBoard's own rules."""

import dataclasses
import functools
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from components.projector_directory import reader
from components.projector_directory.bookmarks import NO_COLOR
from components.projector_directory.metadata import RESERVED_COLUMNS, is_js_number, shown_as_written
from components.projector_directory.tensors import row_slices, slice_spec

CONFIG = "projector_config.pbtxt"
# TensorBoard's page asks for no more rows of a tensor.
MAX_ROWS = 100_000
_RUN_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BREAKS_URLS = frozenset("+&#%")


@dataclasses.dataclass(frozen=True)
class Violation:
    """One thing that TensorBoard would show wrongly or not at all.

    Attributes:
        file: The file, relative to the directory; '.' for the directory itself.
        row: The row, counted from 0 as TensorBoard counts points (a header line is not one);
            None if the whole file is meant.
        problem: What was found and what comes of it.
    """

    file: str
    row: int | None
    problem: str

    def __str__(self) -> str:
        """Says it in one line."""
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.file}{row}: {self.problem}"


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor that TensorBoard lists.

    Attributes:
        file: The file it is in.
        name: Its name.
        metadata_path: The file of its labels, as configured.
        shape: Its shape.
        dtype: The type of its values.
        read: Gives some of its rows.
    """

    file: str
    name: str
    metadata_path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[slice], np.ndarray]

    @property
    def table(self) -> tuple[str, int]:
        """Tells tables apart: the file of the labels, and how many of them there must be."""
        return self.metadata_path, self.shape[0]


class _Findings(list[Violation]):
    def add(self, file: str, row: int | None, problem: str) -> None:
        self.append(Violation(file, row, problem))


def verify(directory: str) -> list[Violation]:
    """Checks a projector directory.

    Args:
        directory: The directory with the `projector_config.pbtxt`.

    Returns:
        Everything that TensorBoard would show wrongly, or would not show; nothing for a directory
        that is right, opened by itself or as a run in a directory above.

    Raises:
        NotADirectoryError: There is no such directory.
    """
    return verify_contents(directory) + _run_violations(directory)


def run_name_problem(directory: str) -> str | None:
    """Says what is wrong with a directory's name as the name of a run, if anything is."""
    name = os.path.basename(os.path.abspath(directory))
    if _RUN_NAME.fullmatch(name):
        return None
    return (
        f"the name {name!r} fails as the name of a run: TensorBoard does not encode it in its "
        "requests; take letters, digits, '.', '_' and '-'"
    )


def verify_contents(directory: str) -> list[Violation]:
    """Checks what a TensorBoard opened on this very directory shows; see `verify`."""
    if not tf.io.gfile.isdir(directory):
        raise NotADirectoryError(f"{directory} is not a directory; expected one with a {CONFIG}.")
    found = _Findings()
    config = _read_config(directory, found)
    if config is None:
        return found
    tensors = _file_tensors(directory, config, found)
    tensors += _checkpoint_tensors(directory, config, found)
    columns: dict[tuple[str, int], Sequence[str]] = {}
    for tensor in tensors:
        _check_tensor(tensor, found)
        if not tensor.metadata_path:
            found.add(CONFIG, None, f"tensor {tensor.name!r} is listed too, without any labels")
        elif tensor.table not in columns:
            path = _asset(directory, tensor.metadata_path, found)
            columns[tensor.table] = _check_metadata(path, *tensor.table, found) if path else ()
    by_name = {tensor.name: tensor for tensor in tensors}
    for embedding in config.embeddings:
        if embedding.sprite.image_path:
            _asset(directory, embedding.sprite.image_path, found)
        file = embedding.bookmarks_path
        path = _asset(directory, file, found) if file else None
        shown = by_name.get(embedding.tensor_name.removesuffix(":0"))
        if path and shown:
            _check_bookmarks(path, file, shown.shape, columns.get(shown.table, ()), found)
    return found


def _run_violations(directory: str) -> list[Violation]:
    found = _Findings()
    if problem := run_name_problem(directory):
        found.add(".", None, problem)
    if not tf.io.gfile.glob(os.path.join(directory, "*tfevents*")):
        found.add(
            ".",
            None,
            "there is no event file: TensorBoard lists this directory only when it is the --logdir "
            "itself; write an empty one after everything else",
        )
    for folder, _, files in tf.io.gfile.walk(directory):
        if folder.rstrip("/") != directory.rstrip("/") and any("tfevents" in f for f in files):
            found.add(
                os.path.relpath(folder, directory),
                None,
                "event files below the export make TensorBoard open this run first, without labels",
            )
    return found


def _read_config(directory: str, found: _Findings) -> ProjectorConfig | None:
    path = os.path.join(directory, CONFIG)
    if not tf.io.gfile.exists(path):
        found.add(CONFIG, None, "is missing: nothing ties labels to the tensors")
        return None
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return text_format.Parse(file.read(), ProjectorConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        found.add(CONFIG, None, f"cannot be parsed, and no run of this TensorBoard opens: {error}")
        return None


def _file_tensors(directory: str, config: ProjectorConfig, found: _Findings) -> list[_Tensor]:
    """Reads the tensors that the configuration has in files of their own."""
    tensors = []
    for embedding in config.embeddings:
        file = embedding.tensor_path
        path = _asset(directory, file, found) if file else None
        if path is None:
            continue
        name = embedding.tensor_name or os.path.basename(file)
        try:
            shape, read = reader.open_tensor_file(path, embedding.tensor_shape)
            labels = embedding.metadata_path
            tensors.append(_Tensor(file, name, labels, shape, np.dtype(np.float32), read))
        except ValueError as error:
            found.add(file, None, f"cannot be read, and no run of this TensorBoard opens: {error}")
    return tensors


def _checkpoint_tensors(directory: str, config: ProjectorConfig, found: _Findings) -> list[_Tensor]:
    """Reads the matrices of the checkpoint, which are listed whether configured or not."""
    prefix = _checkpoint(directory, config, found)
    if prefix is None:
        return []
    metadata_paths = {
        embedding.tensor_name.removesuffix(":0"): embedding.metadata_path
        for embedding in config.embeddings
        if not embedding.tensor_path
    }
    # An entry without a name is for every matrix that has none of its own.
    default = metadata_paths.pop("", "")
    file = os.path.relpath(prefix, directory)
    try:
        checkpoint = tf.train.load_checkpoint(prefix)
        types = checkpoint.get_variable_to_dtype_map()
        tensors = [
            _Tensor(
                file,
                key,
                metadata_paths.pop(key, default),
                tuple(shape),
                np.dtype(types[key].as_numpy_dtype),
                functools.partial(_read_rows, prefix, key, tuple(shape), types[key]),
            )
            for key, shape in sorted(checkpoint.get_variable_to_shape_map().items())
            if len(shape) == 2 and ".OPTIMIZER_SLOT" not in key
        ]
    except tf.errors.OpError as error:
        found.add(file, None, f"cannot be read: {error.message}")
        return []
    for name in metadata_paths:
        found.add(CONFIG, None, f"tensor {name!r} is no matrix of the checkpoint {file}")
    if not tensors:
        found.add(file, None, "holds no matrix: the run is not listed")
    return tensors


def _read_rows(
    prefix: str, key: str, shape: tuple[int, int], dtype: tf.DType, part: slice
) -> np.ndarray:
    (values,) = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=[key],
        shape_and_slices=[slice_spec(shape, part)],
        dtypes=[dtype],
    )
    return values.numpy()


def _checkpoint(directory: str, config: ProjectorConfig, found: _Findings) -> str | None:
    """Finds the checkpoint that the server would take."""
    if config.model_checkpoint_path:
        if not os.path.isabs(config.model_checkpoint_path):
            found.add(
                CONFIG,
                None,
                f"model_checkpoint_path {config.model_checkpoint_path!r} is looked for in the "
                "working directory of the server; leave it out",
            )
            return None
        prefix = config.model_checkpoint_path
    else:
        prefix = tf.train.latest_checkpoint(directory)
        if prefix is None and any(embedding.tensor_path for embedding in config.embeddings):
            return None
    if prefix is None or not tf.io.gfile.exists(f"{prefix}.index"):
        found.add(
            "checkpoint",
            None,
            "there is no checkpoint here: TensorBoard takes that of the directory above, or does "
            "not list the run",
        )
        return None
    return prefix


def _asset(directory: str, path: str, found: _Findings) -> str | None:
    """Returns where a configured file is if the server would read it."""
    full = os.path.join(directory, os.path.expanduser(path))
    root = os.path.realpath(directory)
    if os.path.commonpath([root, os.path.realpath(full)]) != root:
        found.add(CONFIG, None, f"{path!r} lies outside the directory: TensorBoard refuses it")
    elif not tf.io.gfile.exists(full) or tf.io.gfile.isdir(full):
        found.add(CONFIG, None, f"{path!r} is not a file")
    else:
        return full
    return None


def _check_tensor(tensor: _Tensor, found: _Findings) -> None:
    if _BREAKS_URLS & set(tensor.name):
        found.add(tensor.file, None, f"the tensor name {tensor.name!r} breaks TensorBoard's URLs")
    if len(tensor.shape) != 2 or not (
        np.issubdtype(tensor.dtype, np.number) or tensor.dtype == tf.bfloat16.as_numpy_dtype
    ):
        found.add(
            tensor.file, None, f"{tensor.name!r} is {tensor.dtype} {tensor.shape}, not a matrix"
        )
        return
    rows, columns = tensor.shape
    if rows < 2:
        found.add(tensor.file, None, f"{tensor.name!r} has {rows} rows; 2 points are the least")
    if rows > MAX_ROWS:
        found.add(
            tensor.file,
            None,
            f"{tensor.name!r} has {rows} rows; only the first {MAX_ROWS} are shown",
        )
    if columns < 3:
        found.add(
            tensor.file,
            None,
            f"{tensor.name!r} has {columns} columns; the 3-D view draws nothing with fewer than 3",
        )
    for part in row_slices(min(rows, MAX_ROWS), columns):
        for row in np.flatnonzero(~np.isfinite(tensor.read(part)).all(axis=1)):
            found.add(
                tensor.file,
                part.start + int(row),
                f"{tensor.name!r} holds NaN or infinity: nothing is drawn at all",
            )


def _check_metadata(path: str, name: str, points: int, found: _Findings) -> Sequence[str]:
    """Returns the names of the columns, none if TensorBoard cannot read them."""
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    header = b"\t" in content.partition(b"\n")[0]
    try:
        text = reader.served_text(content)
        seen = reader.stream_lines(text.encode())
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) - header
        found.add(
            name, row if row >= 0 else None, f"is not UTF-8, and is not served: {error.reason}"
        )
        return ()
    except reader.ParsingHangsError as error:
        found.add(name, None, f'TensorBoard hangs at "Parsing metadata…": {error}')
        return ()
    _check_lines(name, content.decode().split("\n")[header:], seen[header:], found)
    columns, rows = reader.parse_table(seen)
    _check_columns(name, columns, found)
    _check_row_count(name, columns, len(rows), points, found)
    _check_cells(name, columns, rows, found)
    return columns


def _check_lines(name: str, written: Sequence[str], seen: Sequence[str], found: _Findings) -> None:
    # What follows the last newline is nothing, or a line that the browser may have cut.
    seen = [*seen, ""][: len(written)]
    for row, (line, shown) in enumerate(zip(written, seen, strict=True)):
        line = line.removesuffix("\r")
        if row < len(written) - 1 and reader.is_blank(line):
            found.add(name, row, "is a blank line, which is skipped: the labels below move up")
        elif "\r" in line:
            found.add(name, row, "holds a carriage return, which is dropped")
        elif line != shown:
            found.add(name, row, f"is broken where two chunks of 1,000,000 bytes meet: {shown!r}")


def _check_columns(name: str, columns: Sequence[str], found: _Findings) -> None:
    for column, count in Counter(columns).items():
        if not column.strip():
            found.add(name, None, "a column has no name")
        if count > 1:
            found.add(name, None, f"{count} columns are called {column!r}: only the last is seen")
        if column in RESERVED_COLUMNS:
            found.add(name, None, f"a column must not be called {column!r}: TensorBoard uses it")


def _check_row_count(
    name: str, columns: Sequence[str], rows: int, points: int, found: _Findings
) -> None:
    if rows == points:
        return
    reason = "labels and points do not belong together"
    if len(columns) == 1 and rows == points + 1:
        reason = "a single column takes no header line"
    if len(columns) > 1 and rows == points - 1:
        reason = "a first line with tabs is taken for a header"
    found.add(name, None, f"has {rows} rows for {points} points: {reason}")


def _check_cells(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], found: _Findings
) -> None:
    texts = [
        any(len(row) > i and row[i] and not is_js_number(row[i]) for row in rows)
        for i in range(len(columns))
    ]
    # Numbers are shown as numbers where all are, but for the column that labels the points.
    texts[0] |= not any(texts)
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            found.add(name, number, f"has {len(row)} cells for {len(columns)} columns")
        for column, is_text, cell in zip(columns, texts, row, strict=False):
            if not cell:
                found.add(name, number, f"column {column!r} is empty: searching it fails")
            elif reader.is_blank(cell):
                found.add(name, number, f"column {column!r} is {cell!r}, which becomes 0")
            elif is_text and not shown_as_written(cell):
                found.add(
                    name,
                    number,
                    f"column {column!r} is {cell!r}, which becomes a number and is shown otherwise",
                )


def _check_bookmarks(
    path: str, name: str, shape: Sequence[int], columns: Sequence[str], found: _Findings
) -> None:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
        states = json.loads(text, parse_int=float, parse_constant=_refuse_constant)
    except ValueError as error:
        found.add(name, None, f"is not JSON, and no bookmark is listed: {error}")
        return
    if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
        found.add(name, None, "is not a JSON array of states: no bookmark can be listed")
        return
    for number, state in enumerate(states):
        for problem in _state_problems(state, shape, columns):
            found.add(name, None, f"bookmark {number} {problem}")
        for row, problem in _projection_problems(state):
            found.add(name, row, f"bookmark {number} {problem}")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _state_problems(
    state: dict[str, Any], shape: Sequence[int], columns: Sequence[str]
) -> Iterator[str]:
    """Tells what is wrong with a bookmark, but for its points."""
    texts = [f"custom{side}Text" for side in ("XLeft", "XRight", "YUp", "YDown")]
    if missing := [key for key in texts if not isinstance(state.get(key), str)]:
        yield f"has no text {', '.join(missing)}: a click does nothing"
    if state.get("dataSetDimensions") != list(shape):
        yield f"has dataSetDimensions {state.get('dataSetDimensions')}; expected {list(shape)}"
    for key, more in (
        ("selectedLabelOption", ()),
        ("selectedColorOptionName", (NO_COLOR,)),
        ("customSelectedSearchByMetadataOption", ()),
    ):
        # Columns that cannot be read are a finding of their own.
        if columns and state.get(key) not in (None, *more, *columns):
            yield f"has {key} {state[key]!r}, which is no column of the metadata"
    if _coordinates(state) is None:
        yield (
            f"has selectedProjection {state.get('selectedProjection')!r}; expected 'pca' with 2 or "
            "3 pcaComponentDimensions, 'umap', 'tsne' or 'custom': a click does nothing"
        )
    points, filtered = state.get("projections"), state.get("filteredPoints")
    if not isinstance(points, list) or not isinstance(filtered, list | None):
        yield "needs a list of projections, and of filteredPoints if there are any"
        return
    if outside := [point for point in filtered or () if not _is_row(point, shape[0])]:
        yield f"has filteredPoints of which {outside[0]!r} is no row of the tensor"
    expected = shape[0] if filtered is None else len(filtered)
    if len(points) != expected:
        yield f"has {len(points)} projections for {expected} points"


def _is_row(point: object, rows: int) -> bool:
    return isinstance(point, float) and point.is_integer() and 0 <= point < rows


def _projection_problems(state: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Tells which points of a bookmark have no place."""
    points = state.get("projections")
    needed = _coordinates(state) or []
    for row, point in enumerate(points if isinstance(points, list) else ()):
        values = point if isinstance(point, dict) else {}
        for key in {**dict.fromkeys(needed), **values}:
            value = values.get(key)
            if not isinstance(value, float) or not math.isfinite(value):
                yield row, f"has {key} {value!r} in its projections; expected a finite number"


def _coordinates(state: dict[str, Any]) -> list[str] | None:
    """Names the coordinates that a bookmark shows; None if TensorBoard cannot tell."""
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

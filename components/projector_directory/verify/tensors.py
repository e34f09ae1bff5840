"""Rules for the tensors: which ones TensorBoard lists, and whether it can draw them."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins.projector import EmbeddingInfo, ProjectorConfig

from components.projector_directory import reader
from components.projector_directory.tensors import row_slices, slice_spec
from components.projector_directory.verify.config import CONFIG, Entry, find_asset
from components.projector_directory.verify.violation import Finding, Violation

# TensorBoard's page asks for no more rows of a tensor.
MAX_ROWS = 100_000
_BREAKS_URLS = frozenset("+&#%")


@dataclasses.dataclass(frozen=True)
class ListedTensor:
    """A tensor that TensorBoard lists.

    Attributes:
        file: The file it is in, or the prefix of the checkpoint's files.
        name: Its name.
        info: What is configured for it; empty for a tensor of the checkpoint without an entry.
        shape: Its shape.
        dtype: The type of its values.
        read: Returns some of its rows.
    """

    file: str
    name: str
    info: EmbeddingInfo
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[slice], np.ndarray]

    @property
    def table(self) -> tuple[str, int]:
        """The file of the labels, and how many of them there must be."""
        return self.info.metadata_path, self.shape[0]


def list_tensors(
    directory: str, config: ProjectorConfig, entries: Sequence[Entry]
) -> Finding[list[ListedTensor]]:
    """Finds the tensors that the server lists."""
    in_files = yield from _tensors_in_files(directory, entries)
    in_checkpoint = yield from _tensors_in_checkpoint(directory, config, entries)
    if in_checkpoint is None:
        return in_files
    tensors = in_files + in_checkpoint
    found = {tensor.name for tensor in tensors}
    for entry in entries:
        if entry.name and entry.name not in found and not entry.info.tensor_path:
            yield Violation(CONFIG, None, f"tensor {entry.name!r} is no matrix of the checkpoint")
    return tensors


def check_tensor(tensor: ListedTensor) -> Iterator[Violation]:
    """Checks whether TensorBoard can draw a tensor."""
    if _BREAKS_URLS & set(tensor.name):
        yield Violation(
            tensor.file, None, f"the tensor name {tensor.name!r} breaks TensorBoard's URLs"
        )
    if not _is_matrix(tensor):
        yield Violation(
            tensor.file, None, f"{tensor.name!r} is {tensor.dtype} {tensor.shape}, not a matrix"
        )
        return
    configured = tuple(tensor.info.tensor_shape)
    if configured and configured != tensor.shape:
        yield Violation(
            CONFIG,
            None,
            f"tensor_shape of {tensor.name!r} is {list(configured)}; the tensor has "
            f"{list(tensor.shape)}, and TensorBoard cuts it up wrongly",
        )
    yield from _check_shape(tensor)
    try:
        yield from _check_values(tensor)
    except tf.errors.OpError as error:
        yield Violation(tensor.file, None, f"{tensor.name!r} cannot be read: {error.message}")


def _is_matrix(tensor: ListedTensor) -> bool:
    numeric = np.issubdtype(tensor.dtype, np.number) or tensor.dtype == tf.bfloat16.as_numpy_dtype
    return len(tensor.shape) == 2 and numeric


def _check_shape(tensor: ListedTensor) -> Iterator[Violation]:
    rows, columns = tensor.shape
    if rows < 2:
        yield Violation(
            tensor.file, None, f"{tensor.name!r} has {rows} rows; 2 points are the least"
        )
    if rows > MAX_ROWS:
        yield Violation(
            tensor.file,
            None,
            f"{tensor.name!r} has {rows} rows; only the first {MAX_ROWS} are shown",
        )
    if columns < 3:
        yield Violation(
            tensor.file,
            None,
            f"{tensor.name!r} has {columns} columns; the 3-D view draws nothing with fewer than 3",
        )


def _check_values(tensor: ListedTensor) -> Iterator[Violation]:
    rows, columns = tensor.shape
    for part in row_slices(min(rows, MAX_ROWS), columns):
        with np.errstate(over="ignore"):
            served = tensor.read(part).astype(np.float32, copy=False)
        for row in np.flatnonzero(~np.isfinite(served).all(axis=1)):
            yield Violation(
                tensor.file,
                part.start + int(row),
                f"{tensor.name!r} holds NaN, infinity or more than float32 can: nothing is drawn",
            )


def _tensors_in_files(directory: str, entries: Sequence[Entry]) -> Finding[list[ListedTensor]]:
    """Reads the tensors that the configuration has in files of their own."""
    tensors = []
    for entry in entries:
        file = entry.info.tensor_path
        path = (yield from find_asset(directory, file)) if file else None
        if path is None:
            continue
        try:
            shape, read = reader.open_tensor_file(path, entry.info.tensor_shape)
        except ValueError as error:
            yield Violation(
                file, None, f"cannot be read, and no run of this TensorBoard opens: {error}"
            )
            continue
        float32 = np.dtype(np.float32)
        tensors.append(ListedTensor(file, entry.name, entry.info, shape, float32, read))
    return tensors


def _tensors_in_checkpoint(
    directory: str, config: ProjectorConfig, entries: Sequence[Entry]
) -> Finding[list[ListedTensor] | None]:
    """Reads the matrices of the checkpoint, which are listed whether configured or not.

    Returns:
        None if the checkpoint is reported to be unreadable.
    """
    prefix = yield from _find_checkpoint(directory, config)
    if not prefix:
        return None if prefix is None else []
    infos = {entry.name: entry.info for entry in entries}
    # An entry without a name is for every matrix that has none of its own.
    everywhere = infos.get("", EmbeddingInfo())
    default = EmbeddingInfo(
        metadata_path=everywhere.metadata_path, bookmarks_path=everywhere.bookmarks_path
    )
    in_files = {entry.name for entry in entries if entry.info.tensor_path}
    file = os.path.relpath(prefix, directory)
    try:
        matrices = _matrices(prefix)
    except tf.errors.OpError as error:
        yield Violation(file, None, f"cannot be read: {error.message}")
        return None
    if not matrices:
        yield Violation(file, None, "holds no matrix: the run is not listed")
    return [
        ListedTensor(
            file,
            name,
            infos.get(name, default),
            shape,
            np.dtype(dtype.as_numpy_dtype),
            functools.partial(_read_rows, prefix, name, shape, dtype),
        )
        for name, (shape, dtype) in sorted(matrices.items())
        if name not in in_files
    ]


def _matrices(prefix: str) -> dict[str, tuple[tuple[int, ...], tf.DType]]:
    """Returns shape and type of each matrix of a checkpoint that the server lists."""
    checkpoint = tf.train.load_checkpoint(prefix)
    types = checkpoint.get_variable_to_dtype_map()
    return {
        name: (tuple(shape), types[name])
        for name, shape in checkpoint.get_variable_to_shape_map().items()
        if len(shape) == 2 and ".OPTIMIZER_SLOT" not in name
    }


def _read_rows(
    prefix: str, name: str, shape: tuple[int, ...], dtype: tf.DType, part: slice
) -> np.ndarray:
    (values,) = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=[name],
        shape_and_slices=[slice_spec(shape, part)],
        dtypes=[dtype],
    )
    return values.numpy()


def _find_checkpoint(directory: str, config: ProjectorConfig) -> Finding[str | None]:
    """Returns the prefix of the checkpoint that the server would take.

    Returns:
        An empty string if there is none but a tensor has a file of its own; None if a checkpoint
        is reported to be missing or unreadable.
    """
    if config.model_checkpoint_path:
        if not os.path.isabs(config.model_checkpoint_path):
            yield Violation(
                CONFIG,
                None,
                f"model_checkpoint_path {config.model_checkpoint_path!r} is looked for in the "
                "working directory of the server; leave it out",
            )
            return None
        prefix = config.model_checkpoint_path
    else:
        try:
            prefix = tf.train.latest_checkpoint(directory)
        except ValueError as error:  # A UnicodeDecodeError too.
            yield Violation(
                "checkpoint", None, f"cannot be read, and no run of this TensorBoard opens: {error}"
            )
            return None
        if prefix is None and any(entry.tensor_path for entry in config.embeddings):
            return ""
    if prefix is None or not tf.io.gfile.exists(f"{prefix}.index"):
        yield Violation(
            "checkpoint",
            None,
            "there is no checkpoint here: TensorBoard takes that of the directory above, or does "
            "not list the run",
        )
        return None
    return prefix

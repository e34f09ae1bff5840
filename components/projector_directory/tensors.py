"""The tensors of a projector directory, and the checkpoint that holds them."""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory.bookmarks import Bookmark
from components.projector_directory.metadata import Column

VARIABLE = "{}/.ATTRIBUTES/VARIABLE_VALUE"
_CHECKPOINT = "embedding.ckpt-1"
# 32 MiB of float32. TensorFlow copies what it writes, slice by slice.
_SLICE_VALUES = 2**23
# Names become parts of file names, and of URLs that TensorBoard does not encode.
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """Points, their labels and their bookmarks.

    Attributes:
        name: Letters, digits, '.', '_' and '-'. TensorBoard opens the first of a directory's
            tensors in alphabetical order.
        vectors: Finite float32 [rows, columns]. TensorBoard shows at most 100,000 rows, and draws
            nothing of fewer than 3 columns.
        columns: The labels, see `metadata.encode_table`. Tensors that are given the same mapping
            share one file of labels.
        bookmarks: See `bookmarks.encode_bookmarks`.

    Raises:
        ValueError: The name has another character, or the vectors are no float32 matrix. `write`
            checks the values and the labels.
    """

    name: str
    vectors: np.ndarray
    columns: Mapping[str, Column]
    bookmarks: Sequence[Bookmark] = ()

    def __post_init__(self) -> None:
        """Checks the name and the type of the vectors."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "A tensor's name must consist of letters, digits, '.', '_' and '-'. "
                f"Received: {self.name!r}."
            )
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise ValueError(
                f"Tensor {self.name!r}: vectors must be float32 [rows, columns]. "
                f"Received: {self.vectors.dtype} {list(self.vectors.shape)}."
            )


def write_checkpoint(directory: str, tensors: Sequence[Tensor]) -> None:
    """Writes a checkpoint of the tensors, each under VARIABLE, and the file that names it.

    `tf.train.Checkpoint` takes variables, which would be copies of the whole tensors. This writes
    the tensors in slices, as distributed training does.

    Args:
        directory: Where to write.
        tensors: What to write, under different names.
    """
    parts: list[str] = []
    for slices in itertools.zip_longest(*(row_slices(*t.vectors.shape) for t in tensors)):
        parts.append(os.path.join(directory, f"part-{len(parts)}"))
        present = [(t, part) for t, part in zip(tensors, slices, strict=True) if part is not None]
        tf.raw_ops.SaveV2(
            prefix=parts[-1],
            tensor_names=[VARIABLE.format(tensor.name) for tensor, _ in present],
            shape_and_slices=[slice_spec(tensor.vectors.shape, part) for tensor, part in present],
            tensors=[tensor.vectors[part] for tensor, part in present],
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts,
        destination_prefix=os.path.join(directory, _CHECKPOINT),
        delete_old_dirs=False,
    )
    # TensorBoard finds the checkpoint by this file, which tf.train.Checkpoint.save writes too.
    with tf.io.gfile.GFile(os.path.join(directory, "checkpoint"), "w") as file:
        file.write(f'model_checkpoint_path: "{_CHECKPOINT}"\n')


def row_slices(rows: int, columns: int) -> Iterator[slice]:
    """Cuts a matrix along its rows, into slices of about 8 million values.

    Args:
        rows: Rows of the matrix.
        columns: Values in a row.

    Yields:
        Slices that cover all rows in order.
    """
    size = max(1, _SLICE_VALUES // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))


def slice_spec(shape: Sequence[int], part: slice) -> str:
    """Returns the specification of some rows of a matrix for `SaveV2` and `RestoreV2`.

    Args:
        shape: Rows and columns of the matrix.
        part: The rows, see `row_slices`.
    """
    rows, columns = shape
    return f"{rows} {columns} {part.start},{part.stop - part.start}:-"

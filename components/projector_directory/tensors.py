"""Tensors that are made and written slice by slice, so that none is held a second time."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

VARIABLE = "{}/.ATTRIBUTES/VARIABLE_VALUE"
_CHECKPOINT = "embedding.ckpt-1"
# Values of a slice: 32 MiB of float32.
_SLICE_VALUES = 2**23


@dataclasses.dataclass(frozen=True)
class Tensors:
    """Tensors of one shape.

    Attributes:
        shape: Rows and columns.
        read: By the name of the tensor, what gives some of its rows: finite float32 [rows of the
            slice, columns].
    """

    shape: tuple[int, int]
    read: Mapping[str, Callable[[slice], np.ndarray]]


def write_checkpoint(directory: str, tensors: Tensors) -> None:
    """Writes a checkpoint of the tensors alone, each under VARIABLE, and the file that names it.

    `tf.train.Checkpoint` takes variables, which would be copies of the tensors. A slice is a part
    of a checkpoint, as a device's part is in distributed training.

    Args:
        directory: Where to.
        tensors: What to write.
    """
    rows, columns = tensors.shape
    parts: list[str] = []
    for part in row_slices(rows, columns):
        parts.append(os.path.join(directory, f"part-{len(parts)}"))
        place = f"{rows} {columns} {part.start},{part.stop - part.start}:-"
        tf.raw_ops.SaveV2(
            prefix=parts[-1],
            tensor_names=[VARIABLE.format(name) for name in tensors.read],
            shape_and_slices=[place] * len(tensors.read),
            tensors=[read(part) for read in tensors.read.values()],
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts,
        destination_prefix=os.path.join(directory, _CHECKPOINT),
        delete_old_dirs=False,
    )
    # What tf.train.Checkpoint.save adds: how TensorBoard finds the checkpoint.
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

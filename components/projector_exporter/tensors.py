"""Tensors that are made and written slice by slice, so that none is held a second time."""

import codecs
import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from components.projector_exporter.rows import slices

VARIABLE = "{}/.ATTRIBUTES/VARIABLE_VALUE"
_CHECKPOINT = "embedding.ckpt-1"


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
    for part in slices(rows, columns):
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


def checkpoint_files(rows: int, columns: int) -> list[str]:
    """Names the files that `write_checkpoint` writes of tensors of a shape."""
    parts = sum(1 for _ in slices(rows, columns))
    data = [f"{_CHECKPOINT}.data-{part:05d}-of-{parts:05d}" for part in range(parts)]
    return ["checkpoint", f"{_CHECKPOINT}.index", *data]


def write_bytes(directory: str, tensors: Tensors) -> None:
    """Writes each tensor to a file NAME.bytes: its float32 values, little-endian, row by row.

    TensorBoard takes a file for text up to the first byte that is not UTF-8, and fails at text that
    is no number. Where the first line could be text (as of zeros, or of small powers of 2), the
    first value is changed: zero to -0.0, another one by at most 2**-16 of itself.

    Args:
        directory: Where to.
        tensors: What to write.
    """
    for name in tensors.read:
        with tf.io.gfile.GFile(os.path.join(directory, f"{name}.bytes"), "wb") as file:
            for content in _contents(tensors, name):
                file.write(content)


def _contents(tensors: Tensors, name: str) -> Iterator[bytes]:
    for part in slices(*tensors.shape):
        content = tensors.read[name](part).astype("<f4", copy=False).tobytes()
        yield _never_text(content) if part.start == 0 else content


def _never_text(content: bytes) -> bytes:
    # Either byte ends a line for a TensorBoard without TensorFlow.
    first_line = re.split(rb"[\n\r]", content, maxsplit=1)[0]
    try:
        codecs.utf_8_decode(first_line, "strict", False)  # A cut character at the end may go on.
    except UnicodeDecodeError:
        return content
    # No character of UTF-8 starts with the byte 0x80, the sign of a zero or the last of 23 bits.
    is_zero = content[:4] == bytes(4)
    return (b"\0\0\0\x80" if is_zero else b"\x80" + content[1:4]) + content[4:]

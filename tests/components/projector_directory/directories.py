"""Small projector directories for the tests."""

import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from components.projector_directory import Bookmark, Tensor, write
from components.projector_directory.metadata import Column
from components.projector_directory.tensors import VARIABLE

EMBEDDING = VARIABLE.format("embedding")


def make_tensor(
    tokens: Sequence[bytes],
    vectors: np.ndarray,
    bookmarks: Sequence[Bookmark] = (),
    name: str = "embedding",
) -> Tensor:
    """Returns a tensor with the columns token and id; the ids start at 1."""
    columns: dict[str, Column] = {"token": tokens, "id": np.arange(1, len(tokens) + 1)}
    return Tensor(name, vectors, columns, bookmarks)


def write_directory(
    directory: pathlib.Path, tokens: Sequence[bytes], vectors: np.ndarray, *bookmarks: Bookmark
) -> None:
    """Writes a projector directory with one tensor, called 'embedding'."""
    write(str(directory), [make_tensor(tokens, vectors, bookmarks)])


# The contents of the directories under written_by/, one for each supported TensorFlow release.
# Written by: python -m tests.components.projector_directory.directories DIR
KEPT_TOKENS = [b"", b"a\tb", b"007", "日本語".encode(), *(f"word{i}".encode() for i in range(16))]
KEPT_VECTORS = np.arange(80, dtype=np.float32).reshape(20, 4) / 8 - 5

if __name__ == "__main__":
    write_directory(pathlib.Path(sys.argv[1]), KEPT_TOKENS, KEPT_VECTORS)

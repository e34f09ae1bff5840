"""Random contents of projector directories."""

import random
import struct

import numpy as np

from components.projector_directory import Bookmark, Tensor
from components.projector_directory.metadata import Column
from tests.components.projector_directory.judge.mutations import CELLS


def random_tensor(name: str, chance: random.Random, alone: bool) -> Tensor:
    """Returns a valid tensor with random labels, numbers and positions.

    Args:
        name: The tensor's name.
        chance: The source of randomness.
        alone: Whether the tensor is the only one of its directory; only then may a bookmark
            place a part of the rows.
    """
    rows = chance.randint(2, 7)
    tokens = [_token(chance) for _ in range(rows)]
    columns: dict[str, Column] = {"token": tokens, "id": np.arange(rows)}
    if chance.randrange(2):
        columns["count"] = np.array([chance.randrange(10 ** chance.randrange(15)) for _ in tokens])
    if chance.randrange(2):
        columns["norm"] = np.array([_number(chance, "d") for _ in tokens])
    if chance.randrange(2):
        classes = [_token(chance), _token(chance)]
        columns["class"] = [chance.choice(classes) for _ in tokens]
    vectors = np.array([[_number(chance, "f") for _ in range(4)] for _ in tokens], np.float32)
    bookmarks = []
    if chance.randrange(2):
        scale = 10.0 ** chance.randint(-30, 30)
        places = scale * np.random.default_rng(rows).normal(size=(rows, 3))
        color = chance.choice(list(columns)[1:])
        bookmarks = [
            Bookmark("PCA", places, "pca", color),
            Bookmark("t-SNE", places[: chance.randint(2, rows) if alone else rows, :2]),
        ]
    return Tensor(name, vectors, columns, bookmarks)


def _token(chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(CELLS).encode()
    if kind == 1:
        return chance.randbytes(chance.randrange(6))
    if kind == 2:
        return "".join(chance.choices("0123456789.+-eExX InfityNa", k=chance.randrange(6))).encode()
    return "".join(chr(chance.randrange(0xD800)) for _ in range(chance.randrange(4))).encode()


def _number(chance: random.Random, code: str) -> float:
    """Returns a random finite number of any magnitude."""
    while True:
        (number,) = struct.unpack(code, chance.randbytes(struct.calcsize(code)))
        if np.isfinite(number):
            return float(number)

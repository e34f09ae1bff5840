import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory import tensors
from components.projector_directory.tensors import VARIABLE, Tensor, write_checkpoint

MATRIX = np.random.default_rng(1).normal(size=(1000, 7)).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "rows", "files"), [(1, 10, 10), (7 * 300, 1000, 4), (7 * 1000, 1000, 1)]
)
def test_slices_make_a_whole_checkpoint(
    values: int, rows: int, files: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensors, "_SLICE_VALUES", values)
    matrices = {"embedding": MATRIX[:rows], "short": MATRIX[: rows // 2, :5], "z": -MATRIX[:rows]}
    write_checkpoint(str(tmp_path), [Tensor(name, made, {}) for name, made in matrices.items()])

    prefix = tf.train.latest_checkpoint(str(tmp_path))
    expected = {VARIABLE.format(name): list(made.shape) for name, made in matrices.items()}
    assert dict(tf.train.list_variables(prefix)) == expected
    for name, made in matrices.items():
        np.testing.assert_array_equal(tf.train.load_variable(prefix, VARIABLE.format(name)), made)
    data = [f"embedding.ckpt-1.data-{n:05}-of-{files:05}" for n in range(files)]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint", "embedding.ckpt-1.index", *data}


def test_nothing_is_written_outside_of_the_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    write_checkpoint(str(tmp_path / "1"), [Tensor("embedding", MATRIX, {})])
    assert tf.train.latest_checkpoint(str(tmp_path / "1"))


@pytest.mark.parametrize(
    ("rows", "columns", "stops"),
    [
        (5, 2**22, [2, 4, 5]),
        (2, 2**24, [1, 2]),  # A row is never split.
        (2**23 + 1, 1, [2**23, 2**23 + 1]),
        (1000, 7, [1000]),
        (0, 5, []),
    ],
)
def test_a_slice_takes_32_mib(rows: int, columns: int, stops: list[int]) -> None:
    slices = list(tensors.row_slices(rows, columns))
    assert slices == [slice(*part) for part in zip([0, *stops], stops, strict=False)]


@pytest.mark.parametrize(
    ("name", "vectors", "message"),
    [
        ("a/b", MATRIX, "name must consist of .* Received: 'a/b'"),
        ("", MATRIX, "Received: ''"),
        ("a", MATRIX.astype(np.float64), r"'a'.* Received: float64 \[1000, 7\]"),
        ("a", MATRIX[0], r"Received: float32 \[7\]"),
    ],
)
def test_what_is_no_tensor_is_refused(name: str, vectors: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tensor(name, vectors, {})

import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from components.projector_directory import reader
from components.projector_directory.tensors import (
    VARIABLE,
    Tensors,
    checkpoint_files,
    write_bytes,
    write_checkpoint,
)
from components.vectors import rows

MATRIX = np.random.default_rng(1).normal(size=(1000, 7)).astype(np.float32)


# Bytes that start as text.
TEXT = st.text(st.characters(max_codepoint=0xD7FF), min_size=16).map(lambda t: t.encode()[:16])


def tensors(**matrices: np.ndarray) -> Tensors:
    ((rows, columns),) = {matrix.shape for matrix in matrices.values()}
    return Tensors((rows, columns), {name: matrix.__getitem__ for name, matrix in matrices.items()})


@pytest.mark.parametrize("cells", [1, 7 * 300, 7 * 1000])
def test_slices_make_a_whole_checkpoint(
    cells: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = MATRIX[:10] if cells == 1 else MATRIX
    monkeypatch.setattr(rows, "_SLICE_CELLS", cells)
    write_checkpoint(str(tmp_path), tensors(embedding=few, normalized=-few))

    prefix = tf.train.latest_checkpoint(str(tmp_path))
    names = VARIABLE.format("embedding"), VARIABLE.format("normalized")
    assert tf.train.list_variables(prefix) == [(name, list(few.shape)) for name in names]
    np.testing.assert_array_equal(tf.train.load_variable(prefix, names[0]), few)
    np.testing.assert_array_equal(tf.train.load_variable(prefix, names[1]), -few)
    assert {path.name for path in tmp_path.iterdir()} == set(checkpoint_files(*few.shape))


def test_bytes_are_little_endian_rows(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", 7 * 300)
    write_bytes(str(tmp_path), tensors(embedding=MATRIX))
    assert (tmp_path / "embedding.bytes").read_bytes() == MATRIX.astype("<f4").tobytes()


def values_of(content: bytes) -> np.ndarray:
    return np.nan_to_num(np.frombuffer(content, "<f4").reshape(-1, 2))


@given(st.one_of(st.binary(min_size=16, max_size=16), TEXT))
@example(bytes(16))
@example(b"1\n2\n3\n4\n5\n6\n7\n8\n")
@example(np.full(4, 0.5, "<f4").tobytes())
@example(np.full(4, 2, "<f4").tobytes())
@example(b"\n" + b"\xff" * 7 + b"\xfe" * 8)
@example(b"\r" + b"\xf0" * 15)
@example("日".encode() * 5 + "é".encode()[:1])
def test_any_values_are_read_as_values(content: bytes) -> None:
    matrix = values_of(content)
    with tempfile.TemporaryDirectory() as directory:
        write_bytes(directory, tensors(embedding=matrix))
        shape, read = reader.open_tensor_file(f"{directory}/embedding.bytes", matrix.shape)
        found = read(slice(0, 2))
        # As without TensorFlow, where text is decoded before it is split, at either end of line.
        with pytest.raises(UnicodeDecodeError), open(f"{directory}/embedding.bytes") as file:
            float(file.readline())
    assert shape == matrix.shape
    np.testing.assert_array_equal(found.ravel()[1:], matrix.ravel()[1:])
    np.testing.assert_allclose(found, matrix, rtol=2**-16, atol=2e-43)

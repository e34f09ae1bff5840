import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory.verify import verify
from tests.components.projector_directory.verify.damage import (
    NAME,
    configured,
    save,
    without_checkpoint,
)


def _with_nan(export: pathlib.Path) -> None:
    values = np.ones((4, 4), np.float32)
    values[2, 1] = np.nan
    save(export, embedding=values)


def _with_one_row(export: pathlib.Path) -> None:
    save(export, embedding=np.ones((1, 4), np.float32))
    (export / "metadata.tsv").write_text("word\tn\na\t1\n")


def _with_texts(export: pathlib.Path) -> None:
    save(export, embedding=np.full((4, 4), b"a"))


def _with_two_columns(export: pathlib.Path) -> None:
    save(export, embedding=np.ones((4, 2), np.float32))


def _with_another_matrix(export: pathlib.Path) -> None:
    save(export, embedding=np.ones((4, 4), np.float32), kernel=np.ones((4, 3), np.float32))


def _with_broken_checkpoint(export: pathlib.Path) -> None:
    (export / "embedding.ckpt-1.index").write_bytes(b"broken")


def _with_float64_beyond_float32(export: pathlib.Path) -> None:
    values = np.ones((4, 4))
    values[3, 0] = 1e39
    save(export, embedding=values)


def _without_values(export: pathlib.Path) -> None:
    next(export.glob("*.data-*")).unlink()


def _with_half_of_the_values(export: pathlib.Path) -> None:
    path = next(export.glob("*.data-*"))
    path.write_bytes(path.read_bytes()[:30])


def _with_an_empty_checkpoint(export: pathlib.Path) -> None:
    (export / "checkpoint").write_bytes(b"")


def _with_an_undecodable_checkpoint(export: pathlib.Path) -> None:
    (export / "checkpoint").write_bytes(b"\xff")


def _with_another_shape(export: pathlib.Path) -> None:
    configured(f'embeddings {{ {NAME} metadata_path: "metadata.tsv" tensor_shape: [8, 2] }}')(
        export
    )


@pytest.mark.parametrize(
    ("damage", "file", "row", "problem"),
    [
        (_with_nan, "embedding.ckpt-1", 2, "NaN"),
        (_with_one_row, "embedding.ckpt-1", None, "1 rows"),
        (_with_texts, "embedding.ckpt-1", None, "not a matrix"),
        (_with_two_columns, "embedding.ckpt-1", None, "2 columns"),
        (_with_another_matrix, "projector_config.pbtxt", None, "'kernel/.ATTRIBUTES"),
        (_with_broken_checkpoint, "embedding.ckpt-1", None, "cannot be read"),
        (without_checkpoint, "checkpoint", None, "no checkpoint here"),
        (_with_float64_beyond_float32, "embedding.ckpt-1", 3, "more than float32 can"),
        (_without_values, "embedding.ckpt-1", None, "cannot be read"),
        (_with_half_of_the_values, "embedding.ckpt-1", None, "cannot be read"),
        (_with_an_empty_checkpoint, "checkpoint", None, "no run of this TensorBoard opens"),
        (_with_an_undecodable_checkpoint, "checkpoint", None, "no run of this TensorBoard opens"),
        (_with_another_shape, "projector_config.pbtxt", None, "is [8, 2]; the tensor has [4, 4]"),
    ],
)
def test_damage_is_named(
    export: pathlib.Path,
    damage: Callable[[pathlib.Path], None],
    file: str,
    row: int | None,
    problem: str,
) -> None:
    damage(export)
    violations = verify(str(export))
    assert len(violations) == 1
    assert (violations[0].file, violations[0].row) == (file, row)
    assert problem in violations[0].problem


@pytest.mark.parametrize(
    ("damage", "file", "problem"),
    [
        (_with_nan, "embedding.ckpt-1", "NaN"),
        (without_checkpoint, "projector_config.pbtxt", "is no matrix of the checkpoint"),
    ],
)
def test_tensors_of_the_checkpoint_are_checked_beside_those_in_files(
    export: pathlib.Path, damage: Callable[[pathlib.Path], None], file: str, problem: str
) -> None:
    (export / "tensor.tsv").write_text("1\t2\t3\n" * 4)
    configured(
        f'embeddings {{ {NAME} metadata_path: "metadata.tsv" }} '
        'embeddings { tensor_name: "other" tensor_path: "tensor.tsv" '
        'metadata_path: "metadata.tsv" }'
    )(export)
    assert verify(str(export)) == []
    damage(export)
    (violation,) = verify(str(export))
    assert violation.file == file
    assert problem in violation.problem


def test_the_slots_of_an_optimizer_are_not_listed(export: pathlib.Path) -> None:
    names = ["embedding", "embedding/.OPTIMIZER_SLOT/optimizer/m"]
    tf.raw_ops.SaveV2(
        prefix=str(export / "embedding.ckpt-1"),
        tensor_names=[f"{name}/.ATTRIBUTES/VARIABLE_VALUE" for name in names],
        shape_and_slices=["", ""],
        tensors=[np.ones((4, 4), np.float32)] * 2,
    )
    assert verify(str(export)) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (np.arange(12, dtype=np.float32).tobytes(), "cannot reshape"),
        (np.zeros(16, np.float32).tobytes(), "could not convert"),
        (b"1\t2\t3\n4\t5\n", "inhomogeneous"),
    ],
)
def test_tensor_files_that_close_the_tab(
    export: pathlib.Path, content: bytes, problem: str
) -> None:
    without_checkpoint(export)
    (export / "tensor.bytes").write_bytes(content)
    configured(
        'embeddings { tensor_path: "tensor.bytes" metadata_path: "metadata.tsv" '
        "tensor_shape: [4, 4] }"
    )(export)
    (violation,) = verify(str(export))
    assert (violation.file, violation.row) == ("tensor.bytes", None)
    assert "no run of this TensorBoard opens" in violation.problem
    assert problem in violation.problem


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        ((np.arange(16, dtype=np.float32) - 8).tobytes(), "[4, 4]"),
        (b"1\t2\t3\n" * 4, "[4, 3]"),
        (b"1\t2\t3\n" * 4, "[]"),
    ],
)
def test_tensor_files_that_are_right(export: pathlib.Path, content: bytes, shape: str) -> None:
    without_checkpoint(export)
    (export / "tensor.bytes").write_bytes(content)
    configured(
        'embeddings { tensor_path: "tensor.bytes" metadata_path: "metadata.tsv" '
        f"tensor_shape: {shape} }}"
    )(export)
    assert verify(str(export)) == []

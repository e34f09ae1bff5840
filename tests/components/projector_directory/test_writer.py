import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from components.projector_directory import metadata, reader
from components.projector_directory.tensors import Tensors
from components.projector_directory.verify import verify
from components.projector_directory.writer import write_projection
from components.projector_exporter.export import Export
from tests.components.projector_exporter.exporting import EMBEDDING, write_export

TOKENS = [b"good", b"007", b"a\tb", "日本語".encode()]
MATRIX = np.arange(16, dtype=np.float32).reshape(4, 4)
WITH_NAN = MATRIX + np.array([[0], [np.nan], [np.inf], [0]], np.float32)


def _points(directory: pathlib.Path) -> np.ndarray:
    prefix = tf.train.latest_checkpoint(str(directory))
    return tf.train.load_variable(prefix, EMBEDDING)


def _table(directory: pathlib.Path) -> tuple[list[str], list[tuple[str, ...]]]:
    content = (directory / "metadata.tsv").read_bytes()
    return reader.parse_table(reader.stream_lines(reader.served_text(content).encode()))


def test_the_whole_directory(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "1"
    directory.mkdir()  # As TFX does.
    made = write_export(str(directory), TOKENS, MATRIX)

    assert made == Export(rows=4, dimensions=4, rows_left_out=0)
    np.testing.assert_array_equal(_points(directory), MATRIX)
    columns, rows = _table(directory)
    assert columns == ["token", "id", "norm"]
    assert [row[:2] for row in rows] == [
        ("good", "1"),
        (r"\&007", "2"),
        (r"a\tb", "3"),
        ("日本語", "4"),
    ]
    norms = [float(row[2]) for row in rows]
    np.testing.assert_allclose(norms, np.linalg.norm(MATRIX, axis=1), rtol=1e-5)
    files = sorted(path.name for path in directory.iterdir())
    assert files[:-2] == [
        "checkpoint",
        "embedding.ckpt-1.data-00000-of-00001",
        "embedding.ckpt-1.index",
        next(name for name in files if name.startswith("events.out.tfevents.")),
    ]
    assert files[-2:] == ["metadata.tsv", "projector_config.pbtxt"]
    assert verify(str(directory)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_the_embedding_is_the_only_variable(tmp_path: pathlib.Path) -> None:
    write_export(str(tmp_path / "1"), TOKENS, MATRIX)
    variables = dict(tf.train.list_variables(tf.train.latest_checkpoint(str(tmp_path / "1"))))
    assert variables == {"embedding/.ATTRIBUTES/VARIABLE_VALUE": [4, 4]}


def test_the_directory_may_be_moved(tmp_path: pathlib.Path) -> None:
    write_export(str(tmp_path / "1"), TOKENS, MATRIX)
    (tmp_path / "1").rename(tmp_path / "moved")
    assert verify(str(tmp_path / "moved")) == []


@given(data=st.data(), rows=st.integers(2, 12), columns=st.integers(2, 6))
@settings(deadline=None, max_examples=40)
def test_row_i_shows_what_was_exported_as_row_i(
    data: st.DataObject, rows: int, columns: int
) -> None:
    tokens = data.draw(
        st.lists(
            st.one_of(st.binary(max_size=8), st.text(max_size=8).map(str.encode)),
            min_size=rows,
            max_size=rows,
        )
    )
    matrix = data.draw(
        hnp.arrays(
            np.float32, (rows, columns), elements=st.floats(width=32, allow_nan=False).filter(abs)
        )
    )
    matrix = np.nan_to_num(matrix, posinf=1e38, neginf=-1e38)
    with tempfile.TemporaryDirectory() as parent:
        directory = pathlib.Path(parent, "1")
        write_export(str(directory), tokens, matrix)
        assert verify(str(directory)) == []
        np.testing.assert_array_equal(_points(directory)[:, :columns], matrix)
        _, table = _table(directory)
        assert [metadata.unescape(row[0]) for row in table] == tokens


def test_two_columns_get_a_third_of_zeros(tmp_path: pathlib.Path) -> None:
    made = write_export(str(tmp_path / "1"), TOKENS, MATRIX[:, :2])
    assert made.dimensions == 2
    np.testing.assert_array_equal(_points(tmp_path / "1"), np.pad(MATRIX[:, :2], [(0, 0), (0, 1)]))


def test_rows_that_tensorboard_has_no_room_for_are_left_out_and_counted(
    tmp_path: pathlib.Path,
) -> None:
    tokens = [f"word{i}".encode() for i in range(100_007)]
    matrix = np.random.default_rng(1).normal(size=(100_007, 3)).astype(np.float32)
    made = write_export(str(tmp_path / "1"), tokens, matrix)
    assert made == Export(rows=100_000, dimensions=3, rows_left_out=7)
    np.testing.assert_array_equal(_points(tmp_path / "1"), matrix[:100_000])
    assert verify(str(tmp_path / "1")) == []


@pytest.mark.parametrize(
    ("tokens", "matrix", "message"),
    [
        (TOKENS, MATRIX[:3], "Expected 4 rows"),
        (TOKENS[:1], MATRIX[:1], "1 words and 4 columns"),
        (TOKENS, MATRIX[:, :1], "4 words and 1 columns"),
        (TOKENS, WITH_NAN, r"2 of 4 words.*'\\\\&007' \(row 1\)"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_leaves_nothing(
    tokens: list[bytes], matrix: np.ndarray, message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=message):
        write_export(str(tmp_path / "1"), tokens, matrix)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(ValueError, match="Row 3 takes"):
        write_export(str(tmp_path / "1"), [*TOKENS[:3], b"x" * 600_000], MATRIX)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert list((tmp_path / "1").iterdir()) == []


def test_a_further_file_that_fails_leaves_nothing(tmp_path: pathlib.Path) -> None:
    def fail(path: str) -> None:
        pathlib.Path(path).write_text("half of")
        raise OSError("No space left on device")

    tensors = Tensors((4, 4), {"embedding": MATRIX.__getitem__})
    columns: dict[str, Sequence[bytes] | np.ndarray] = {"token": TOKENS, "id": np.arange(4)}
    with pytest.raises(OSError, match="No space left"):
        write_projection(str(tmp_path / "1"), tensors, columns, extras={"table": fail})
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_not_changed_in_place(tmp_path: pathlib.Path) -> None:
    write_export(str(tmp_path / "1"), TOKENS, MATRIX)
    with pytest.raises(FileExistsError, match="not empty"):
        write_export(str(tmp_path / "1"), TOKENS, -MATRIX)
    np.testing.assert_array_equal(_points(tmp_path / "1"), MATRIX)


def test_a_name_that_fails_as_a_run_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"'a\+b' fails as the name of a run"):
        write_export(str(tmp_path / "a+b"), TOKENS, MATRIX)

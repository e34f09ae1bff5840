import json
import pathlib
import tempfile
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorboard.plugins.projector import ProjectorConfig

from components.projector_directory import Bookmark, Tensor, metadata, reader, write
from components.projector_directory.tensors import VARIABLE
from components.projector_directory.verify import verify
from tests.components.projector_directory.directories import make_tensor, write_directory

TOKENS = [b"good", b"007", b"a\tb", "日本語".encode()]
MATRIX = np.arange(16, dtype=np.float32).reshape(4, 4)
WITH_NAN = np.where(np.arange(4)[:, None] == 1, np.float32(np.nan), MATRIX)
PCA = Bookmark("PCA", MATRIX[:, :2], tab="pca")


def _points(directory: pathlib.Path, name: str = "embedding") -> np.ndarray:
    prefix = tf.train.latest_checkpoint(str(directory))
    return tf.train.load_variable(prefix, VARIABLE.format(name))


def _table(
    directory: pathlib.Path, name: str = "metadata.tsv"
) -> tuple[list[str], list[tuple[str, ...]]]:
    content = (directory / name).read_bytes()
    return reader.parse_table(reader.stream_lines(reader.served_text(content).encode()))


def _configured(directory: pathlib.Path) -> dict[str, tuple[str, str]]:
    text = (directory / "projector_config.pbtxt").read_text()
    config = text_format.Parse(text, ProjectorConfig())
    return {
        embedding.tensor_name.partition("/")[0]: (embedding.metadata_path, embedding.bookmarks_path)
        for embedding in config.embeddings
    }


def _names(directory: pathlib.Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_whole_directory(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "1"
    directory.mkdir()  # TFX makes the output directory before the executor runs.
    write_directory(directory, TOKENS, MATRIX, PCA)

    np.testing.assert_array_equal(_points(directory), MATRIX)
    assert _table(directory) == (
        ["token", "id"],
        [("good", "1"), (r"\&007", "2"), (r"a\tb", "3"), ("日本語", "4")],
    )
    (state,) = json.loads((directory / "bookmarks.json").read_text())
    assert state["selectedLabelOption"] == "token"
    names = _names(directory)
    assert names.pop(4).startswith("events.out.tfevents.")
    assert names == [
        *("bookmarks.json", "checkpoint"),
        *("embedding.ckpt-1.data-00000-of-00001", "embedding.ckpt-1.index"),
        *("metadata.tsv", "projector_config.pbtxt"),
    ]
    assert verify(str(directory)) == []
    assert _names(tmp_path) == ["1"]


def test_the_directory_may_be_moved(tmp_path: pathlib.Path) -> None:
    write_directory(tmp_path / "1", TOKENS, MATRIX)
    (tmp_path / "1").rename(tmp_path / "moved")
    assert verify(str(tmp_path / "moved")) == []


def test_a_slash_at_the_end_changes_nothing(tmp_path: pathlib.Path) -> None:
    write(f"{tmp_path}/1/", [make_tensor(TOKENS, MATRIX)])
    assert verify(str(tmp_path / "1")) == []


def test_tensors_of_two_lengths_have_their_own_labels_and_bookmarks(tmp_path: pathlib.Path) -> None:
    texts = [b"a good film", b"a bad film"]
    vectors = np.eye(2, 5, dtype=np.float32)
    places = Bookmark("PCA of texts", vectors[:, :2], tab="pca")
    tensors = [
        make_tensor(TOKENS, MATRIX, [PCA]),
        make_tensor(texts, vectors, [places], name="texts"),
    ]

    write(str(tmp_path / "1"), tensors)

    assert verify(str(tmp_path / "1")) == []
    assert _configured(tmp_path / "1") == {
        "embedding": ("metadata.tsv", "bookmarks.json"),
        "texts": ("texts.metadata.tsv", "texts.bookmarks.json"),
    }
    np.testing.assert_array_equal(_points(tmp_path / "1"), MATRIX)
    np.testing.assert_array_equal(_points(tmp_path / "1", "texts"), vectors)
    _, rows = _table(tmp_path / "1", "texts.metadata.tsv")
    assert [row[0] for row in rows] == ["a good film", "a bad film"]
    for file, label in [("bookmarks.json", "PCA"), ("texts.bookmarks.json", "PCA of texts")]:
        (state,) = json.loads((tmp_path / "1" / file).read_text())
        assert state["label"] == label


def test_tensors_of_the_same_columns_share_a_file_of_labels(tmp_path: pathlib.Path) -> None:
    first = make_tensor(TOKENS, MATRIX)
    write(str(tmp_path / "1"), [first, Tensor("other", -MATRIX, first.columns, [PCA])])

    assert verify(str(tmp_path / "1")) == []
    assert _configured(tmp_path / "1") == {
        "embedding": ("metadata.tsv", ""),
        "other": ("metadata.tsv", "other.bookmarks.json"),
    }
    assert "other.metadata.tsv" not in _names(tmp_path / "1")


@given(data=st.data(), rows=st.integers(2, 12), columns=st.integers(3, 6))
@settings(max_examples=40)
def test_row_i_shows_what_was_written_as_row_i(
    data: st.DataObject, rows: int, columns: int
) -> None:
    token = st.one_of(st.binary(max_size=8), st.text(max_size=8).map(str.encode))
    tokens = data.draw(st.lists(token, min_size=rows, max_size=rows))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    matrix = data.draw(hnp.arrays(np.float32, (rows, columns), elements=finite))
    with tempfile.TemporaryDirectory() as parent:
        directory = pathlib.Path(parent, "1")
        write_directory(directory, tokens, matrix)
        assert verify(str(directory)) == []
        np.testing.assert_array_equal(_points(directory), matrix)
        _, table = _table(directory)
        assert [metadata.unescape(row[0]) for row in table] == tokens


@pytest.mark.parametrize(
    ("tokens", "matrix", "message"),
    [
        (TOKENS, MATRIX[:3], "4 rows for 3 points"),
        (TOKENS[:1], MATRIX[:1], "has 1 rows"),
        (TOKENS, MATRIX[:, :2], "has 2 columns"),
        (TOKENS, WITH_NAN, "row 1: .* NaN, infinity"),
        ([*TOKENS[:3], b"x" * 600_000], MATRIX, "Row 3 takes"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_leaves_nothing(
    tokens: list[bytes], matrix: np.ndarray, message: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(ValueError, match=message):
        write_directory(tmp_path / "1", tokens, matrix)
    assert _names(tmp_path) == ["1"]
    assert _names(tmp_path / "1") == []


@pytest.mark.parametrize("tensors", [[], [make_tensor(TOKENS, MATRIX)] * 2])
def test_tensors_need_different_names(tensors: list[Any], tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"different names\. Received: "):
        write(str(tmp_path / "1"), tensors)


def test_further_files_are_written(tmp_path: pathlib.Path) -> None:
    def write_notes(path: str) -> None:
        pathlib.Path(path).write_text("of words")

    write(str(tmp_path / "1"), [make_tensor(TOKENS, MATRIX)], extras={"notes.txt": write_notes})
    assert (tmp_path / "1" / "notes.txt").read_text() == "of words"


def test_a_further_file_that_fails_leaves_nothing(tmp_path: pathlib.Path) -> None:
    def fail(path: str) -> None:
        pathlib.Path(path).write_text("half of")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(str(tmp_path / "1"), [make_tensor(TOKENS, MATRIX)], extras={"table": fail})
    assert _names(tmp_path) == []


def test_a_directory_is_not_changed_in_place(tmp_path: pathlib.Path) -> None:
    write_directory(tmp_path / "1", TOKENS, MATRIX)
    with pytest.raises(FileExistsError, match="not empty"):
        write_directory(tmp_path / "1", TOKENS, -MATRIX)
    np.testing.assert_array_equal(_points(tmp_path / "1"), MATRIX)


def test_a_name_that_fails_as_a_run_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"'a\+b' fails as the name of a run"):
        write_directory(tmp_path / "a+b", TOKENS, MATRIX)

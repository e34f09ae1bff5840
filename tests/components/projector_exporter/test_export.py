import dataclasses
import json
import logging
import multiprocessing
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory import reader
from components.projector_directory.tensors import VARIABLE
from components.projector_directory.verify import verify
from components.projector_exporter.export import Embedding, export_embedding
from components.projector_exporter.options import ExportOptions, from_properties, to_properties

ROWS = 60
TOKENS = [f"word{number}".encode() for number in range(ROWS)]
MATRIX = np.random.default_rng(1).normal(size=(ROWS, 5)).astype(np.float32)


def classify(ids: np.ndarray) -> np.ndarray:
    """Word number n, with the id n + 1, is positive by n / 100."""
    positive = (ids - 1) / 100
    return np.stack([1 - positive, positive], axis=1).astype(np.float32)


EMBEDDING = Embedding(
    TOKENS, MATRIX, counts=np.arange(ROWS, 0, -1), class_names=["neg", "pos"], classify=classify
)


def table(directory: pathlib.Path, name: str = "metadata.tsv") -> dict[str, list[str]]:
    content = (directory / name).read_bytes()
    columns, rows = reader.parse_table(reader.stream_lines(content))
    return dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))


def tensor(directory: pathlib.Path, name: str) -> np.ndarray:
    prefix = tf.train.latest_checkpoint(str(directory))
    return tf.train.load_variable(prefix, VARIABLE.format(name))


def test_all_there_is_to_see(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "1"
    made = export_embedding(str(directory), EMBEDDING, ExportOptions(probe_words=("word7",)))

    assert (made.rows, made.rows_left_out) == (ROWS, 0)
    assert verify(str(directory)) == []
    shown = table(directory)
    assert list(shown) == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert shown["count"][:2] == ["60", "59"]
    assert [float(cell) for cell in shown["P(pos)"][:3]] == pytest.approx([0, 0.01, 0.02])
    np.testing.assert_array_equal(tensor(directory, "embedding"), MATRIX)
    lengths = np.linalg.norm(tensor(directory, "normalized"), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    bookmarks = json.loads((directory / "bookmarks.json").read_text())
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE"]
    assert {state["selectedColorOptionName"] for state in bookmarks} == {"strength"}
    assert (directory / "projection.png").read_bytes().startswith(b"\x89PNG")
    neighbors = table(directory, "neighbors.tsv")
    cosines = MATRIX @ MATRIX[7] / np.linalg.norm(MATRIX, axis=1) / np.linalg.norm(MATRIX[7])
    assert neighbors["neighbor"][0] == f"word{np.argsort(cosines)[-2]}"


def test_a_model_that_says_nothing_of_words(tmp_path: pathlib.Path) -> None:
    export_embedding(str(tmp_path / "1"), Embedding(TOKENS, MATRIX))
    assert list(table(tmp_path / "1")) == ["token", "id", "rank", "norm"]
    assert verify(str(tmp_path / "1")) == []


def test_three_classes_are_pictured_too(tmp_path: pathlib.Path) -> None:
    def classify_three(ids: np.ndarray) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[ids % 3]

    embedding = Embedding(TOKENS, MATRIX, class_names=["a", "b", "c"], classify=classify_three)
    export_embedding(str(tmp_path / "1"), embedding, ExportOptions(layouts=("pca",)))
    assert table(tmp_path / "1")["class"][:3] == ["b", "c", "a"]
    assert verify(str(tmp_path / "1")) == []


def test_some_rows_keep_what_belongs_to_them(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ExportOptions(max_rows=20, row_policy="stratified", probe_words=("word59",))
    with caplog.at_level(logging.WARNING):
        made = export_embedding(str(tmp_path / "1"), EMBEDDING, options)

    assert (made.rows, made.rows_left_out) == (20, 40)
    assert "TensorBoard gets 20 of 60 tokens (stratified); 40 are left out." in caplog.messages
    shown = table(tmp_path / "1")
    numbers = [int(token.removeprefix("word")) for token in shown["token"]]
    np.testing.assert_array_equal(tensor(tmp_path / "1", "embedding"), MATRIX[numbers])
    assert [int(cell) for cell in shown["id"]] == [number + 1 for number in numbers]
    assert [int(cell) for cell in shown["count"]] == [ROWS - number for number in numbers]
    # Neighbors are looked for among all words.
    assert len(table(tmp_path / "1", "neighbors.tsv")["neighbor"]) == 10


def test_probe_words_without_neighbors_are_named(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ExportOptions(layouts=(), probe_words=("hitchcock", "word0", "word1"))
    embedding = dataclasses.replace(EMBEDDING, matrix=MATRIX * (np.arange(ROWS) > 0)[:, None])
    export_embedding(str(tmp_path / "1"), embedding, options)
    assert caplog.messages == [
        "The probe word 'hitchcock' is not in the vocabulary.",
        "The vector of the probe word 'word0' is zero: it has no neighbors.",
    ]
    assert set(table(tmp_path / "1", "neighbors.tsv")["probe"]) == {"word1"}


def test_a_model_is_not_asked_for_what_is_not_shown(tmp_path: pathlib.Path) -> None:
    def never(ids: np.ndarray) -> np.ndarray:
        raise AssertionError("A large model would be loaded.")

    options = ExportOptions(columns=("token", "norm"), layouts=("pca",))
    export_embedding(str(tmp_path / "1"), Embedding(TOKENS, MATRIX, classify=never), options)
    assert list(table(tmp_path / "1")) == ["token", "norm"]


@pytest.mark.slow
def test_large_embeddings_are_not_copied(tmp_path: pathlib.Path) -> None:
    size = 300_000 * 300 * 4
    options = ExportOptions(
        layouts=("pca",),
        columns=("token", "norm"),
        formats=("arrow", "bytes", "parquet"),
        probe_words=("0",),
    )
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak_of_export, (str(tmp_path / "1"), 300_000, 300, options))
    # Labels of 100,000 rows, and slices of the table that is written beside them.
    assert size < peak < 1.3 * size + 300 * 2**20


def _peak_of_export(directory: str, rows: int, dimensions: int, options: ExportOptions) -> int:
    imported = _peak_bytes()
    matrix = np.random.default_rng(1).random((rows, dimensions), np.float32)
    tokens = [str(row).encode() for row in range(rows)]
    export_embedding(directory, Embedding(tokens, matrix), options)
    return _peak_bytes() - imported


def _peak_bytes() -> int:
    # Not what getrusage says, which starts with the peak of the process that started this one.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    return int(peak) * 1024


def test_without_layouts_there_are_neither_bookmarks_nor_a_picture(tmp_path: pathlib.Path) -> None:
    export_embedding(str(tmp_path / "1"), EMBEDDING, ExportOptions(layouts=()))
    assert not (tmp_path / "1" / "bookmarks.json").exists()
    assert not (tmp_path / "1" / "projection.png").exists()
    assert verify(str(tmp_path / "1")) == []


def test_options_come_back_from_ml_metadata() -> None:
    options = ExportOptions(layouts=("pca",), normalized=False, formats=("bytes",), seed=3)
    assert from_properties(to_properties(options)) == options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"columns": ("token", "cuont")}, "'cuont'.*count"),
        ({"layouts": ("tnse",)}, "layouts: 'tnse' is none of.*Did you mean 'tsne'?"),
        ({"formats": ("parqet",)}, "formats: 'parqet' is none of.*Did you mean 'parquet'?"),
        ({"row_policy": "random"}, "row_policy: 'random' is none of"),
        ({"max_rows": 100_001}, "max_rows is 100001; expected at least 2 and at most 100000"),
        ({"layout_rows": 1}, "layout_rows is 1; expected at least 2"),
    ],
)
def test_options_are_checked(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ExportOptions(**options)  # type: ignore[arg-type]

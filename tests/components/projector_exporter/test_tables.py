import json
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.projector_directory.verify import verify
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.points import Points
from components.projector_exporter.tables import write_arrow, write_parquet
from components.projector_exporter.words import word_points
from components.vectors import rows
from tests.components.projector_exporter.exporting import read_table

NASTY = [
    *(b"", b" ", b"\t", b"a\nb", b"\r", b"\x00", b"007", b"1e3", b"NaN", b"null", b"\\", b"\\t"),
    *(text.encode() for text in ("naïve", "映画", "👩\u200d👩", "\u202eabc", "\ufeff", "𝄞")),
    *(b'"', b"'", b"a,b", b"twice", b"twice", b"x" * 20_000),
]
WORDS = [*NASTY, *(f"word{number}".encode() for number in range(100))]
MATRIX = np.random.default_rng(1).normal(size=(len(WORDS), 5)).astype(np.float32)


POSITIVE = (np.arange(1, len(WORDS) + 1) % 10 / 10).astype(np.float32)
POINTS = word_points(
    WORDS,
    MATRIX,
    counts=np.arange(len(WORDS), 0, -1),
    probabilities=np.stack([1 - POSITIVE, POSITIVE], axis=1),
    class_names=["né", "pos"],
)

FORMATS = ("arrow", "parquet")


def export(directory: pathlib.Path, points: Points = POINTS, **options: Any) -> str:
    chosen = {"layouts": (), "formats": FORMATS, **options}
    export_points(str(directory / "1"), [points], ExportOptions(**chosen))
    assert verify(str(directory / "1")) == []
    return str(directory / "1" / "embedding")


def read(path: str, file_format: str) -> pa.Table:
    if file_format == "parquet":
        return pq.read_table(f"{path}.parquet")
    return pa.ipc.open_file(pa.memory_map(f"{path}.arrow")).read_all()


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_word_with_all_that_is_known_of_it(
    tmp_path: pathlib.Path, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", 5 * 30)
    path = export(tmp_path, layouts=("pca", "tsne"), layout_rows=50, probe_words=("word99",))

    table = read(path, file_format)
    assert {field.name: str(field.type) for field in table.schema} == {
        "token": "string",
        "id": "int64",
        "rank": "int64",
        "count": "int64",
        "norm": "double",
        "P(pos)": "float",
        "class": "string",
        "strength": "string",
        "vector": "fixed_size_list<element: float not null>[5]",
        **{f"{layout}_{axis}": "float" for layout in ("pca", "tsne") for axis in "xy"},
    }
    assert [token.encode() for token in table["token"].to_pylist()] == WORDS
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), MATRIX)
    np.testing.assert_array_equal(table["id"], np.arange(1, len(WORDS) + 1))
    np.testing.assert_array_equal(table["P(pos)"], POSITIVE)
    assert set(table["class"].to_pylist()) == {"né", "pos"}
    assert table["pca_x"].null_count == 0
    (bookmark,) = json.loads((tmp_path / "1" / "bookmarks.json").read_text())[1:]
    laid_out = [row for row, y in enumerate(table["tsne_y"].to_pylist()) if y is not None]
    assert laid_out == bookmark["filteredPoints"] and len(laid_out) == 50
    last = bookmark["projections"][-1]
    assert table["token"][laid_out[-1]].as_py() == "word99"
    assert (table["tsne_x"][laid_out[-1]].as_py(), table["tsne_y"][laid_out[-1]].as_py()) == (
        pytest.approx((last["umap-0"], last["umap-1"]), abs=1e-2)
    )


def test_it_is_written_in_parts(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", 5 * 30)
    path = export(tmp_path)
    assert pq.ParquetFile(f"{path}.parquet").num_row_groups == 5
    assert pa.ipc.open_file(f"{path}.arrow").num_record_batches == 5


@pytest.mark.slow
def test_vectors_are_mapped_not_read(tmp_path: pathlib.Path) -> None:
    matrix = np.ones((10_000, 64), np.float32)
    path = export(tmp_path, word_points([b"word"] * 10_000, matrix))
    before = pa.total_allocated_bytes()
    vectors = read(path, "arrow")["vector"].chunk(0).flatten().to_numpy(zero_copy_only=True)
    assert pa.total_allocated_bytes() - before < vectors.nbytes / 100
    np.testing.assert_array_equal(vectors.reshape(10_000, 64), matrix)


@pytest.mark.parametrize("file_format", FORMATS)
def test_pandas_reads_it(tmp_path: pathlib.Path, file_format: str) -> None:
    path = export(tmp_path)
    frame = {
        "arrow": lambda: pd.read_feather(f"{path}.arrow"),
        "parquet": lambda: pd.read_parquet(f"{path}.parquet"),
    }[file_format]()
    assert [token.encode() for token in frame["token"]] == WORDS
    np.testing.assert_array_equal(np.stack(list(frame["vector"])), MATRIX)
    np.testing.assert_allclose(frame["norm"], np.linalg.norm(MATRIX, axis=1), rtol=1e-6)


@pytest.mark.parametrize("file_format", FORMATS)
def test_tokens_that_are_no_text_are_bytes(tmp_path: pathlib.Path, file_format: str) -> None:
    # The two bytes of one character, each of which alone is invalid UTF-8.
    words = [b"\xc3", b"\xa9", *WORDS[2:]]
    table = read(export(tmp_path, word_points(words, MATRIX)), file_format)
    assert table["token"].to_pylist() == words


@pytest.mark.parametrize("file_format", FORMATS)
def test_words_that_tensorboard_is_not_given_are_there(
    tmp_path: pathlib.Path, file_format: str
) -> None:
    table = read(export(tmp_path, max_rows=20, layouts=("pca",)), file_format)
    shown = read_table(tmp_path / "1" / "metadata.tsv")

    assert len(shown["id"]) == 20 and len(table) == len(WORDS)
    placed = [row for row in table.to_pylist() if row["pca_x"] is not None]
    assert [row["id"] for row in placed] == list(range(1, 21))
    # The columns of a word do not depend on which words are shown.
    assert [row["strength"] for row in placed] == shown["strength"]
    bookmark, *_ = json.loads((tmp_path / "1" / "bookmarks.json").read_text())
    for row, position in zip(placed, bookmark["projections"], strict=True):
        assert (row["pca_x"], row["pca_y"]) == pytest.approx(
            (position["pca-0"], position["pca-1"]), abs=1e-3
        )


@pytest.mark.parametrize("file_format", FORMATS)
def test_vectors_of_64_bits_are_stored_in_32(tmp_path: pathlib.Path, file_format: str) -> None:
    write = {"arrow": write_arrow, "parquet": write_parquet}[file_format]
    path = str(tmp_path / "embedding")
    write(f"{path}.{file_format}", word_points(WORDS, MATRIX.astype(np.float64)), {})
    vectors = np.stack(read(path, file_format).column("vector").to_pylist())
    np.testing.assert_array_equal(vectors.astype(np.float32), MATRIX)

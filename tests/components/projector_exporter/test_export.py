import dataclasses
import json
import logging
import multiprocessing
import pathlib
import re
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from components.projector_directory.verify import verify
from components.projector_exporter import export
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.points import Coloring, Points
from components.projector_exporter.words import word_points
from components.vectors.layouts import compute_layouts
from components.vectors.quality import trustworthiness
from tests.components.projector_exporter.exporting import read_table, read_tensor
from tests.components.projector_exporter.page.test_document import data_of

ROWS = 60
TOKENS = [f"word{number}".encode() for number in range(ROWS)]
MATRIX = np.random.default_rng(1).normal(size=(ROWS, 5)).astype(np.float32)
POSITIVE = (np.arange(ROWS) / 100).astype(np.float32)
WORDS = word_points(
    TOKENS,
    MATRIX,
    counts=np.arange(ROWS, 0, -1),
    probabilities=np.stack([1 - POSITIVE, POSITIVE], axis=1),
    class_names=["neg", "pos"],
)


def test_all_there_is_to_see(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "1"
    export_points(str(directory), [WORDS], ExportOptions(probe_words=("word7",)))

    assert verify(str(directory)) == []
    shown = read_table(directory / "metadata.tsv")
    assert list(shown) == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert [token.encode() for token in shown["token"]] == TOKENS
    assert shown["count"][:2] == ["60", "59"]
    assert [float(cell) for cell in shown["P(pos)"][:3]] == pytest.approx([0, 0.01, 0.02])
    np.testing.assert_array_equal(read_tensor(directory, "embedding"), MATRIX)
    normalized = read_tensor(directory, "normalized")
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        normalized * np.linalg.norm(MATRIX, axis=1)[:, None], MATRIX, rtol=1e-5
    )
    bookmarks = json.loads((directory / "bookmarks.json").read_text())
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE"]
    assert {state["selectedColorOptionName"] for state in bookmarks} == {"strength"}
    assert (directory / "projection.png").read_bytes().startswith(b"\x89PNG")


def test_the_map_holds_what_is_known_and_shows_the_last_layout_first(
    tmp_path: pathlib.Path,
) -> None:
    options = ExportOptions(probe_words=("word7",))
    export_points(str(tmp_path / "1"), [WORDS], options, {"Dataset": "reviews:1.0.0"})
    page = (tmp_path / "1" / "map.html").read_bytes()
    assert b"<dt>Shown</dt><dd>60 words</dd><dt>Dataset</dt><dd>reviews:1.0.0</dd>" in page
    data = data_of(page)
    assert [layout["name"] for layout in data["layouts"]] == ["PCA", "t-SNE"]
    assert data["probes"] == [7]


def test_of_more_words_than_are_shown_the_map_says_how_many_there_are(
    tmp_path: pathlib.Path,
) -> None:
    export_points(str(tmp_path / "1"), [WORDS], ExportOptions(max_rows=20, layouts=()))
    page = (tmp_path / "1" / "map.html").read_bytes()
    assert b"<dd>20 of 60 words; neighbors are those among them</dd>" in page
    data = data_of(page)
    assert [layout["name"] for layout in data["layouts"]] == ["PCA"]
    assert data["labels"] == [token.decode() for token in TOKENS[:20]]


def test_a_model_that_says_nothing_of_words(tmp_path: pathlib.Path) -> None:
    export_points(str(tmp_path / "1"), [word_points(TOKENS, MATRIX)])
    assert list(read_table(tmp_path / "1" / "metadata.tsv")) == ["token", "id", "rank", "norm"]
    assert verify(str(tmp_path / "1")) == []


def test_three_classes_are_pictured_too(tmp_path: pathlib.Path) -> None:
    probabilities = np.eye(3, dtype=np.float32)[np.arange(1, ROWS + 1) % 3]
    words = word_points(TOKENS, MATRIX, probabilities=probabilities, class_names=["a", "b", "c"])
    export_points(str(tmp_path / "1"), [words], ExportOptions(layouts=("pca",)))
    assert read_table(tmp_path / "1" / "metadata.tsv")["class"][:3] == ["b", "c", "a"]
    assert (tmp_path / "1" / "projection.png").exists()
    assert verify(str(tmp_path / "1")) == []


def test_of_several_points_none_has_a_bookmark_of_some_rows(tmp_path: pathlib.Path) -> None:
    few = word_points(TOKENS[:10], MATRIX[:10])
    options = ExportOptions(layout_rows=10)
    export_points(str(tmp_path / "1"), [WORDS, dataclasses.replace(few, name="few")], options)
    titles = [
        [state["label"] for state in json.loads((tmp_path / "1" / name).read_text())]
        for name in ("bookmarks.json", "few.bookmarks.json")
    ]
    assert titles == [["PCA"], ["PCA", "t-SNE"]]


def test_several_points_are_several_tensors(tmp_path: pathlib.Path) -> None:
    reviews = Points(
        "reviews",
        MATRIX[:20],
        {"review": [f"review {row}".encode() for row in range(20)], "stars": np.arange(20) % 5},
        Coloring("stars", (np.arange(20) % 5).astype(float)),
    )
    options = ExportOptions(layouts=("pca",), formats=("arrow",), probe_words=("word7",))
    quality = export_points(str(tmp_path / "1"), [WORDS, reviews], options)

    assert verify(str(tmp_path / "1")) == []
    # Neighbors and quality are those of the first points.
    assert set(read_table(tmp_path / "1" / "neighbors.tsv")["probe"]) == {"word7"}
    assert quality == export_points(str(tmp_path / "2"), [WORDS], options)
    np.testing.assert_array_equal(read_tensor(tmp_path / "1", "reviews"), MATRIX[:20])
    np.testing.assert_array_equal(read_tensor(tmp_path / "1", "embedding"), MATRIX)
    lengths = np.linalg.norm(read_tensor(tmp_path / "1", "reviews.normalized"), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert {path.name for path in (tmp_path / "1").iterdir()} >= {
        "projection.png",
        "reviews.projection.png",
        "map.html",
        "reviews.map.html",
        "embedding.arrow",
        "reviews.arrow",
    }


def test_the_first_words_are_shown_with_what_belongs_to_them(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        options = ExportOptions(max_rows=20, layouts=("pca",), formats=("arrow",))
        quality = export_points(str(tmp_path / "1"), [WORDS], options)

    assert "TensorBoard gets the first 20 of 60 points; 40 are left out." in caplog.messages
    shown = read_table(tmp_path / "1" / "metadata.tsv")
    assert [token.encode() for token in shown["token"]] == TOKENS[:20]
    np.testing.assert_array_equal(read_tensor(tmp_path / "1", "embedding"), MATRIX[:20])
    assert [int(cell) for cell in shown["id"]] == list(range(1, 21))
    assert [int(cell) for cell in shown["count"]] == list(range(60, 40, -1))
    assert verify(str(tmp_path / "1")) == []
    # The table has all words, and the quality is measured on all of them.
    assert pa.ipc.open_file(tmp_path / "1" / "embedding.arrow").read_all().num_rows == ROWS
    assert quality == export_points(str(tmp_path / "2"), [WORDS], ExportOptions(layouts=("pca",)))


def test_as_many_words_are_laid_out_as_configured_and_the_probe_words_are_among_them(
    tmp_path: pathlib.Path,
) -> None:
    options = ExportOptions(layout_rows=30, probe_words=("word42",))
    export_points(str(tmp_path / "1"), [WORDS], options)
    _, tsne = json.loads((tmp_path / "1" / "bookmarks.json").read_text())
    # The extremes are the last words, the most positive, and the first one, the most negative.
    assert tsne["filteredPoints"] == [*range(27), 42, 58, 59]


def test_the_regions_of_what_is_laid_out_are_named_on_the_map_and_in_the_picture(
    tmp_path: pathlib.Path,
) -> None:
    regions = [np.arange(3)]
    with (
        mock.patch.object(export, "find_regions", return_value=regions) as find_regions,
        mock.patch.object(export, "draw_picture", return_value=b"") as draw_picture,
    ):
        options = ExportOptions(layout_rows=30, probe_words=("word42",))
        export_points(str(tmp_path / "1"), [WORDS], options)
    np.testing.assert_array_equal(find_regions.call_args.args[1], MATRIX[[*range(27), 42, 58, 59]])
    for layout in data_of((tmp_path / "1" / "map.html").read_bytes())["layouts"]:
        assert [region["name"] for region in layout["regions"]] == ["word0, word1, word2"]
    assert draw_picture.call_args.args[2] is regions


def test_neighbors_come_nearest_first_from_all_words(tmp_path: pathlib.Path) -> None:
    angles = np.linspace(0, np.pi, ROWS)  # The angle to word0 grows with the rank.
    matrix = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1).astype(np.float32)
    options = ExportOptions(max_rows=5, layouts=(), probe_words=("word0",))
    export_points(str(tmp_path / "1"), [word_points(TOKENS, matrix)], options)

    neighbors = read_table(tmp_path / "1" / "neighbors.tsv")
    assert neighbors["neighbor"] == [f"word{number}" for number in range(1, 11)]
    assert neighbors["rank"] == [str(rank) for rank in range(1, 11)]
    np.testing.assert_allclose(
        [float(cell) for cell in neighbors["cosine"]], np.cos(angles[1:11]), atol=1e-5
    )


def test_probe_words_without_neighbors_are_named(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ExportOptions(layouts=(), probe_words=("hitchcock", "word0", "word1"))
    words = word_points(TOKENS, MATRIX * (np.arange(ROWS) > 0)[:, None])
    export_points(str(tmp_path / "1"), [words], options)
    assert caplog.messages == [
        "The probe word 'hitchcock' is not in the vocabulary.",
        "The vector of the probe word 'word0' is zero: it has no neighbors.",
    ]
    assert set(read_table(tmp_path / "1" / "neighbors.tsv")["probe"]) == {"word1"}


def test_the_quality_is_written_and_returned(tmp_path: pathlib.Path) -> None:
    pairs = [(f"word{row}", f"word{row + 1}", float(row)) for row in range(5)]
    options = ExportOptions(similarity_pairs=(*pairs, ("word1", "unheard", 7.0)))

    quality = export_points(
        str(tmp_path / "1"), [WORDS], options, measured={"neighbor_overlap": 0.9}
    )

    assert json.loads((tmp_path / "1" / "quality.json").read_text()) == quality
    assert quality.keys() == {
        "neighbor_overlap",
        "first_component_share",
        "tsne_trustworthiness",
        "similarity_pairs",
        "similarity_pairs_found",
        "similarity_rho",
        "similarity_rho_low",
        "similarity_rho_high",
    }
    assert (quality["similarity_pairs"], quality["similarity_pairs_found"]) == (6, 5)
    assert 0.2 < quality["first_component_share"] < 0.5
    layouts = compute_layouts(MATRIX, ["pca", "tsne"], np.arange(ROWS))
    assert quality["tsne_trustworthiness"] == trustworthiness(MATRIX, layouts["tsne"])
    assert quality["similarity_rho_low"] < quality["similarity_rho"]
    assert quality["similarity_rho"] < quality["similarity_rho_high"]
    assert verify(str(tmp_path / "1")) == []
    page = (tmp_path / "1" / "map.html").read_text()
    assert "<dt>Quality</dt><dd>of ten neighbors 9 are those of the baseline; " in page


def test_what_is_not_known_of_the_quality_is_missing(tmp_path: pathlib.Path) -> None:
    words = word_points(TOKENS, np.ones((ROWS, 3), np.float32))
    assert export_points(str(tmp_path / "1"), [words], ExportOptions(layouts=("pca",))) == {}
    assert json.loads((tmp_path / "1" / "quality.json").read_text()) == {}


def test_the_last_layout_is_pictured_and_all_are_bookmarks(tmp_path: pathlib.Path) -> None:
    cases: list[Any] = [("pca",), ("tsne",), ("tsne", "pca")]
    for number, layouts in enumerate(cases):
        directory = tmp_path / str(number)
        export_points(str(directory), [WORDS], ExportOptions(layouts=layouts))
    pca, tsne, both = (tmp_path / number / "projection.png" for number in "012")
    assert pca.read_bytes() != tsne.read_bytes()
    # PCA is computed along with any other layout, and is always the first bookmark.
    assert both.read_bytes() == tsne.read_bytes()
    states = json.loads((tmp_path / "1" / "bookmarks.json").read_text())
    assert [state["label"] for state in states] == ["PCA", "t-SNE"]


def test_without_layouts_there_are_neither_bookmarks_nor_a_picture(tmp_path: pathlib.Path) -> None:
    export_points(str(tmp_path / "1"), [WORDS], ExportOptions(layouts=()))
    assert not (tmp_path / "1" / "bookmarks.json").exists()
    assert not (tmp_path / "1" / "projection.png").exists()
    assert not (tmp_path / "1" / "neighbors.tsv").exists()
    assert verify(str(tmp_path / "1")) == []


def test_two_dimensions_get_a_third_one_of_zeros(tmp_path: pathlib.Path) -> None:
    export_points(str(tmp_path / "1"), [word_points(TOKENS, MATRIX[:, :2])])
    assert verify(str(tmp_path / "1")) == []
    np.testing.assert_array_equal(read_tensor(tmp_path / "1", "embedding")[:, :2], MATRIX[:, :2])
    for name in ("embedding", "normalized"):
        vectors = read_tensor(tmp_path / "1", name)
        assert vectors.shape == (ROWS, 3) and not vectors[:, 2].any()


@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (ROWS, 1)])
def test_too_little_to_show_is_refused(rows: int, columns: int, tmp_path: pathlib.Path) -> None:
    words = word_points(TOKENS[:rows], MATRIX[:rows, :columns])
    with pytest.raises(ValueError, match=f"{rows} points of {columns} dimensions"):
        export_points(str(tmp_path / "1"), [words])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(value: float, tmp_path: pathlib.Path) -> None:
    matrix = MATRIX.copy()
    matrix[[7, 50], 3] = value
    with pytest.raises(ValueError, match=r"2 of 60 points .* that of 'word7' \(row 7\)"):
        export_points(str(tmp_path / "1"), [word_points(TOKENS, matrix)], ExportOptions(max_rows=9))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_large_embeddings_are_not_copied(tmp_path: pathlib.Path) -> None:
    rows, dimensions = 150_000, 300
    size = rows * dimensions * 4
    options = ExportOptions(layouts=("pca",), formats=("arrow", "parquet"), probe_words=("0",))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak_of_export, (str(tmp_path / "1"), rows, dimensions, options))
    # Beyond the vectors: a third of them scaled to length 1, the columns, slices of the tables.
    assert size < peak < 1.6 * size + 375 * 2**20


def _peak_of_export(directory: str, rows: int, dimensions: int, options: ExportOptions) -> int:
    imported = _peak_bytes()
    matrix = np.random.default_rng(1).random((rows, dimensions), np.float32)
    tokens = [str(row).encode() for row in range(rows)]
    export_points(directory, [word_points(tokens, matrix)], options)
    return _peak_bytes() - imported


def _peak_bytes() -> int:
    # getrusage would include the peak of the parent process.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    return int(peak) * 1024


def test_weights_at_the_end_of_float32_are_laid_out(tmp_path: pathlib.Path) -> None:
    largest = np.finfo(np.float32).max
    matrix = np.where(MATRIX > 0, largest, -largest).astype(np.float32)
    options = ExportOptions(layouts=("pca", "tsne"), formats=("arrow",))
    export_points(str(tmp_path / "1"), [word_points(TOKENS, matrix)], options)
    assert verify(str(tmp_path / "1")) == []
    for state in json.loads((tmp_path / "1" / "bookmarks.json").read_text()):
        places = [value for row in state["projections"] for value in row.values()]
        assert np.isfinite(np.array(places, np.float32)).all()
    assert (tmp_path / "1" / "projection.png").exists()

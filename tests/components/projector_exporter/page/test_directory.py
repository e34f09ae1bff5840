import pathlib
from unittest import mock

import numpy as np

from components.projector_directory import Bookmark
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.page import directory
from components.projector_exporter.page.directory import make_page_of
from components.projector_exporter.words import word_points
from tests.components.projector_directory.directories import write_directory
from tests.components.projector_exporter.exporting import write_export
from tests.components.projector_exporter.page.test_data import unpack
from tests.components.projector_exporter.page.test_document import data_of

ROWS = 40
TOKENS = [b"10", b"", b"a\tb", b"\\", *(b"w%d" % row for row in range(ROWS - 4))]
MATRIX = np.random.default_rng(1).normal(size=(ROWS, 5)).astype(np.float32)
ODDS = np.linspace(0, 1, ROWS, dtype=np.float32)


def test_the_map_of_an_export_is_that_in_it_but_for_what_colors_it(tmp_path: pathlib.Path) -> None:
    probabilities = np.stack([1 - ODDS, ODDS], axis=1)
    words = word_points(TOKENS, MATRIX, probabilities=probabilities, class_names=["n", "p"])
    export_points(str(tmp_path / "1"), [words], ExportOptions())
    exported = data_of((tmp_path / "1" / "map.html").read_bytes())
    made = data_of(make_page_of(str(tmp_path / "1")))
    assert made["labels"] == exported["labels"]
    assert made["neighbors"] == exported["neighbors"]
    own = [column for column in exported["columns"] if not column.get("extra")]
    for a, b in zip(made["columns"], own, strict=True):
        b.pop("first", None)
        assert a.pop("first", False) == (a["name"] == "strength")
        assert a == b
    for a, b in zip(made["layouts"], exported["layouts"], strict=True):
        assert a["name"] == b["name"]
        np.testing.assert_allclose(
            unpack(a["positions"]).astype(float), unpack(b["positions"]), atol=10
        )


def test_what_has_no_bookmark_is_laid_out(tmp_path: pathlib.Path) -> None:
    write_export(tmp_path / "1", TOKENS, MATRIX)
    data = data_of(make_page_of(str(tmp_path / "1")))
    assert [layout["name"] for layout in data["layouts"]] == ["PCA", "t-SNE"]
    assert len(unpack(data["layouts"][1]["positions"])) == 2 * ROWS


def test_regions_are_those_of_the_plane_that_is_shown(tmp_path: pathlib.Path) -> None:
    half = np.arange(ROWS // 2)
    # Two groups, apart in the second coordinate, but neither in the first nor in all three.
    positions = np.stack(
        [np.tile(half / 20, 2), np.repeat([0, 10], ROWS // 2), 10 * np.r_[2 * half, 2 * half + 1]],
        axis=1,
    )
    write_directory(tmp_path / "1", TOKENS, MATRIX, Bookmark("PCA", positions, "pca"))
    (layout,) = data_of(make_page_of(str(tmp_path / "1")))["layouts"]
    assert len(layout["regions"]) == 2


def test_regions_are_those_of_the_words_that_are_laid_out(tmp_path: pathlib.Path) -> None:
    rows = np.arange(1, ROWS, 2)
    bookmarks = [Bookmark("PCA", MATRIX, "pca"), Bookmark("t-SNE", MATRIX[rows], rows=rows)]
    write_directory(tmp_path / "1", TOKENS, MATRIX, *bookmarks)
    with mock.patch.object(directory, "find_regions", return_value=[]) as find_regions:
        make_page_of(str(tmp_path / "1"))
    np.testing.assert_array_equal(find_regions.call_args.args[1], MATRIX[rows])


def test_the_column_of_the_first_bookmark_colors_the_points(tmp_path: pathlib.Path) -> None:
    write_directory(tmp_path / "1", TOKENS, MATRIX, Bookmark("PCA", MATRIX[:, :3], "pca", "id"))
    columns = data_of(make_page_of(str(tmp_path / "1")))["columns"]
    assert [column["name"] for column in columns if column.get("first")] == ["id"]
    assert not any(column.get("extra") for column in columns)


def test_the_quality_beside_the_files_is_told(tmp_path: pathlib.Path) -> None:
    write_export(tmp_path / "1", TOKENS, MATRIX)
    (tmp_path / "1" / "quality.json").write_text('{"tsne_trustworthiness": 0.93}')
    page = make_page_of(str(tmp_path / "1")).decode()
    assert "<dt>Quality</dt><dd>trustworthiness of t-SNE 0.93</dd>" in page


def test_labels_and_cells_are_those_of_the_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tensors.tsv").write_text("1\t2\t3\n4\t5\t7\n0\t0\t1\n")
    (tmp_path / "metadata.tsv").write_text("n\tword\tkind\n1.5\ta\\b\tx\n2\t\u202eb\ty\n3\tc\tx\n")
    (tmp_path / "projector_config.pbtxt").write_text(
        'embeddings { tensor_name: "mine" tensor_path: "tensors.tsv" '
        'metadata_path: "metadata.tsv" }'
    )
    data = data_of(make_page_of(str(tmp_path)))
    assert data["labels"] == ["a\\b", "\u202eb", "c"]
    assert [column["name"] for column in data["columns"]] == ["norm", "n", "kind"]
    assert unpack(data["columns"][1]["numbers"]).tolist() == [1.5, 2, 3]
    assert data["columns"][2]["texts"] == ["x", "y"]


def test_labels_that_are_all_numbers_are_kept(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tensors.tsv").write_text("1\t2\t3\n4\t5\t7\n")
    (tmp_path / "metadata.tsv").write_text("010\n1e3\n")
    (tmp_path / "projector_config.pbtxt").write_text(
        'embeddings { tensor_path: "tensors.tsv" metadata_path: "metadata.tsv" }'
    )
    assert data_of(make_page_of(str(tmp_path)))["labels"] == ["010", "1e3"]

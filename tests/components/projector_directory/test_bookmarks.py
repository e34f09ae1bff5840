import dataclasses
import json
import re

import numpy as np
import pytest

from components.projector_directory.bookmarks import Bookmark, encode_bookmarks


def pca_of(rows: int, columns: int, scale: float = 1) -> Bookmark:
    return Bookmark("PCA", random_positions(rows, columns, scale), "pca", "topic")


def tsne_of(rows: int, scale: float = 1) -> Bookmark:
    return Bookmark("t-SNE", random_positions(rows, 2, scale), color_by="topic")


def random_positions(rows: int, columns: int, scale: float) -> np.ndarray:
    return scale * np.random.default_rng(rows + columns).normal(size=(rows, columns))


def test_each_bookmark_is_a_state() -> None:
    states = json.loads(encode_bookmarks([pca_of(30, 10), tsne_of(30)], (30, 16), "token"))

    assert [state["label"] for state in states] == ["PCA", "t-SNE"]
    assert [state["selectedProjection"] for state in states] == ["pca", "umap"]
    for state in states:
        assert state["dataSetDimensions"] == [30, 16]
        assert state["selectedLabelOption"] == "token"
        assert state["selectedColorOptionName"] == "topic"
        assert state["pcaComponentDimensions"] == [0, 1, 2]
        for side in ("XLeft", "XRight", "YUp", "YDown"):
            assert state[f"custom{side}Text"] == ""
            assert state[f"custom{side}Regex"] is False
        assert state["tSNEis3d"]  # TensorBoard's default; False would flatten its own t-SNE tab.
        assert "shuffledDataIndices" not in state and "filteredPoints" not in state
    assert not states[1]["umapIs3d"]


def test_a_bookmark_without_a_color_has_none() -> None:
    bookmark = Bookmark("PCA", random_positions(5, 3, 1), "pca")
    (state,) = json.loads(encode_bookmarks([bookmark], (5, 3), "token"))
    assert state["selectedColorOptionName"] == "No color map"


def test_three_coordinates_are_shown_in_space() -> None:
    space = Bookmark("UMAP", random_positions(5, 3, 1))
    _, state = json.loads(encode_bookmarks([pca_of(5, 3), space], (5, 3), "token"))
    assert state["umapIs3d"]
    assert {"umap-0", "umap-1", "umap-2"} < set(state["projections"][0])


@pytest.mark.parametrize("scale", [1e-30, 0.02, 1, 3_000, 1e30])
def test_rows_have_the_positions_of_all_layouts(scale: float) -> None:
    pca, tsne = pca_of(30, 3, scale), tsne_of(30, scale)

    _, state = json.loads(encode_bookmarks([pca, tsne], (30, 3), "token"))

    keys = ["pca-0", "pca-1", "pca-2", "umap-0", "umap-1"]
    found = np.array([[row[key] for key in keys] for row in state["projections"]])
    expected = np.hstack([pca.positions, tsne.positions])
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected))


def test_a_layout_of_some_rows_hides_the_others() -> None:
    rows = np.arange(500, 2_500)
    layout = tsne_of(2_000)
    bookmarks = [pca_of(2_500, 4), dataclasses.replace(layout, rows=rows)]

    pca, tsne = json.loads(encode_bookmarks(bookmarks, (2_500, 4), "token"))

    assert tsne["label"] == "t-SNE (2,000 of 2,500 rows)"
    assert tsne["filteredPoints"] == rows.tolist()
    assert len(tsne["projections"]) == 2_000
    last, place = tsne["projections"][-1], layout.positions[-1]
    assert (last["umap-0"], last["umap-1"]) == pytest.approx(place, abs=1e-2)
    assert pca["projections"][-1].items() < last.items()
    assert len(pca["projections"]) == 2_500
    assert tsne.keys() == pca.keys() | {"filteredPoints"}


def test_two_columns_are_shown_in_the_plane() -> None:
    (state,) = json.loads(encode_bookmarks([pca_of(5, 2)], (5, 2), "token"))
    assert state["pcaComponentDimensions"] == [0, 1]


def test_rows_that_are_all_the_same_can_be_bookmarked() -> None:
    bookmark = Bookmark("PCA", np.zeros((4, 2)), "pca")
    (state,) = json.loads(encode_bookmarks([bookmark], (4, 2), "token"))
    assert state["projections"] == [{"pca-0": 0, "pca-1": 0}] * 4


def test_the_file_is_small() -> None:
    bookmarks = [pca_of(10_000, 10), tsne_of(10_000, 40)]
    assert len(encode_bookmarks(bookmarks, (10_000, 16), "token")) < 4_000_000


@pytest.mark.parametrize(
    "bookmarks",
    [
        [],
        [tsne_of(5)],
        [pca_of(4, 2)],
        [pca_of(6, 2)],
        [pca_of(5, 2), tsne_of(6)],
        [pca_of(5, 2), dataclasses.replace(tsne_of(2), rows=np.array([3, 5]))],
        [pca_of(5, 2), dataclasses.replace(tsne_of(2), rows=np.array([3]))],
    ],
)
def test_bookmarks_that_do_not_fit_are_refused(bookmarks: list[Bookmark]) -> None:
    with pytest.raises(ValueError, match="rows"):
        encode_bookmarks(bookmarks, (5, 2), "token")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("faulty", [0, 1], ids=["PCA", "t-SNE"])
def test_positions_that_are_not_finite_are_refused(faulty: int, value: float) -> None:
    bookmarks = [pca_of(3, 2), tsne_of(3)]
    bookmarks[faulty].positions[1] = [value, 2]
    fault = f"Bookmark {bookmarks[faulty].label!r}: expected finite positions, found [{value}, 2.0]"
    with pytest.raises(ValueError, match=re.escape(f"{fault} at index 1.")):
        encode_bookmarks(bookmarks, (3, 2), "token")

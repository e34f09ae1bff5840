import json

import numpy as np
import pytest

from components.projector_directory.bookmarks import encode_bookmarks
from components.vectors.layouts import Layout


def layout(name: str, rows: int, columns: int, scale: float = 1) -> Layout:
    positions = scale * np.random.default_rng(rows + columns).normal(size=(rows, columns))
    return Layout(name, positions)


def test_each_layout_is_a_bookmark() -> None:
    pca, tsne = layout("PCA", 30, 10), layout("t-SNE", 30, 2)

    states = json.loads(encode_bookmarks([pca, tsne], (30, 16), "token", "topic"))

    assert [state["label"] for state in states] == ["PCA", "t-SNE"]
    assert [state["selectedProjection"] for state in states] == ["pca", "umap"]
    for state in states:
        assert state["dataSetDimensions"] == [30, 16]
        assert state["selectedLabelOption"] == "token"
        assert state["selectedColorOptionName"] == "topic"
        assert state["pcaComponentDimensions"] == [0, 1, 2]
        for side in ("XLeft", "XRight", "YUp", "YDown"):
            assert state[f"custom{side}Text"] == ""
        assert "shuffledDataIndices" not in state and "filteredPoints" not in state
    assert not states[1]["umapIs3d"]


@pytest.mark.parametrize("scale", [1e-30, 0.02, 1, 3_000, 1e30])
def test_rows_have_the_positions_of_all_layouts(scale: float) -> None:
    pca, tsne = layout("PCA", 30, 3, scale), layout("t-SNE", 30, 2, scale)

    _, state = json.loads(encode_bookmarks([pca, tsne], (30, 3)))

    keys = ["pca-0", "pca-1", "pca-2", "umap-0", "umap-1"]
    found = np.array([[row[key] for key in keys] for row in state["projections"]])
    expected = np.hstack([pca.positions, tsne.positions])
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected))


def test_a_layout_of_the_first_rows_hides_the_others() -> None:
    layouts = [layout("PCA", 2_500, 4), layout("t-SNE", 2_000, 2)]

    pca, tsne = json.loads(encode_bookmarks(layouts, (2_500, 4)))

    assert tsne["label"] == "t-SNE (first 2,000 rows)"
    assert tsne["filteredPoints"] == list(range(2_000))
    assert len(tsne["projections"]) == 2_000
    assert len(pca["projections"]) == 2_500


def test_two_columns_are_shown_in_the_plane() -> None:
    (state,) = json.loads(encode_bookmarks([layout("PCA", 5, 2)], (5, 2)))
    assert state["pcaComponentDimensions"] == [0, 1]


def test_rows_that_are_all_the_same_can_be_bookmarked() -> None:
    (state,) = json.loads(encode_bookmarks([Layout("PCA", np.zeros((4, 2)))], (4, 2)))
    assert state["projections"] == [{"pca-0": 0, "pca-1": 0}] * 4


def test_the_file_is_small() -> None:
    layouts = [layout("PCA", 10_000, 10), layout("t-SNE", 10_000, 2, 40)]
    assert len(encode_bookmarks(layouts, (10_000, 16))) < 4_000_000


@pytest.mark.parametrize(
    "layouts",
    [[], [layout("t-SNE", 5, 2)], [layout("PCA", 4, 2)], [layout("PCA", 5, 2), layout("X", 6, 2)]],
)
def test_layouts_that_do_not_fit_are_refused(layouts: list[Layout]) -> None:
    with pytest.raises(ValueError, match="rows"):
        encode_bookmarks(layouts, (5, 2))


def test_what_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError):
        encode_bookmarks([Layout("PCA", np.array([[0, 1], [np.nan, 2]]))], (2, 2))

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from components.projector_directory import Bookmark, Tensor, write
from components.projector_directory.verify import verify
from tests.components.projector_directory.verify.damage import NAME, configured, violations_with

PLACES = [{"pca-0": float(row), "pca-1": 1, "umap-0": 2, "umap-1": -0.5} for row in range(4)]
ROWS = np.arange(4)
STATE: dict[str, Any] = {
    "label": "PCA",
    "selectedProjection": "pca",
    "dataSetDimensions": [4, 4],
    "pcaComponentDimensions": [0, 1],
    "projections": PLACES,
    "selectedLabelOption": "token",
    "selectedColorOptionName": "No color map",
    "tSNEPerplexity": 30,
    "tSNELearningRate": 1,
    "tSNEIteration": 0,
    "selectedPoints": [],
    "customSelectedSearchByMetadataOption": "id",
    **{f"custom{side}Text": "" for side in ("XLeft", "XRight", "YUp", "YDown")},
}


def _bookmark_violations(export: pathlib.Path, content: str) -> list[tuple[int | None, str]]:
    configured(
        f'embeddings {{ {NAME} metadata_path: "metadata.tsv" bookmarks_path: "bookmarks.json" }}'
    )(export)
    return violations_with(export, "bookmarks.json", content.encode())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"selectedColorOptionName": "id"},
        {"selectedProjection": "umap"},
        {"selectedProjection": "custom", "projections": [{"linear-x": 1, "linear-y": 2}] * 4},
        {"projections": PLACES[:2], "filteredPoints": [3, 0]},
        {"projections": PLACES[:2], "filteredPoints": [3, 0], "selectedPoints": [1]},
        {"filteredPoints": [], "selectedPoints": [3]},
    ],
)
def test_bookmarks_that_load(export: pathlib.Path, change: dict[str, Any]) -> None:
    states = [STATE, STATE | change]
    assert _bookmark_violations(export, json.dumps(states)) == []


@pytest.mark.parametrize(
    ("change", "row", "problem"),
    [
        ({"customYUpText": None}, None, "no text customYUpText"),
        ({"dataSetDimensions": [4, 5]}, None, "expected [4, 4]"),
        ({"projections": PLACES[:3]}, None, "3 projections for 4 points"),
        ({"projections": PLACES[:3], "filteredPoints": [0, 1]}, None, "3 projections for 2"),
        ({"projections": PLACES[:2], "filteredPoints": [0, 4]}, None, "4.0 is no row"),
        ({"projections": None}, None, "needs a list of projections"),
        ({"selectedProjection": "PCA"}, None, "selectedProjection 'PCA'"),
        ({"pcaComponentDimensions": [0]}, None, "2 or 3 pcaComponentDimensions"),
        ({"pcaComponentDimensions": [0, 7], "projections": PLACES[:0]}, None, "0 projections"),
        ({"projections": [*PLACES[:3], {"pca-0": 1}]}, 3, "pca-1 None"),
        ({"projections": [*PLACES[:3], PLACES[0] | {"umap-1": "1"}]}, 3, "umap-1 '1'"),
        ({"projections": [PLACES[0], PLACES[1] | {"pca-0": 10**400}, *PLACES[2:]]}, 1, "pca-0 inf"),
        ({"label": None}, None, "has no label"),
        ({"label": 7}, None, "has no label"),
        ({"tSNEPerplexity": None}, None, "no number tSNEPerplexity"),
        ({"tSNELearningRate": None}, None, "no number tSNELearningRate"),
        ({"tSNEIteration": None}, None, "no number tSNEIteration"),
        ({"projections": PLACES[:2], "filteredPoints": [0, "1"]}, None, "'1' is no row"),
        ({"selectedPoints": None}, None, "selectedPoints None"),
        ({"selectedPoints": [4]}, None, "selectedPoints of which 4.0"),
        (
            {"projections": PLACES[:2], "filteredPoints": [3, 0], "selectedPoints": [3]},
            *(None, "selectedPoints of which 3.0"),
        ),
        ({"selectedLabelOption": None}, None, "None, which is no column"),
        ({"selectedLabelOption": "word"}, None, "'word', which is no column"),
        ({"selectedColorOptionName": "class"}, None, "'class', which is no column"),
        ({"customSelectedSearchByMetadataOption": "x"}, None, "'x', which is no column"),
    ],
)
def test_bookmarks_that_do_not_load(
    export: pathlib.Path, change: dict[str, Any], row: int | None, problem: str
) -> None:
    ((found_row, found),) = _bookmark_violations(export, json.dumps([STATE, STATE | change]))
    assert found_row == row
    assert found.startswith("bookmark 1 ")
    assert problem in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ('[{"label": NaN}]', "NaN is no JSON"),
        ("{}", "not a JSON array"),
        ("[1]", "not a JSON array"),
        ("[{}, 1]", "not a JSON array"),
    ],
)
def test_files_that_are_no_bookmarks(export: pathlib.Path, content: str, problem: str) -> None:
    ((row, found),) = _bookmark_violations(export, content)
    assert row is None
    assert problem in found


def test_more_points_selected_than_another_bookmark_shows(export: pathlib.Path) -> None:
    few = STATE | {"projections": PLACES[:2], "filteredPoints": [0, 1]}
    states = [few, STATE | {"selectedPoints": [0, 1, 2]}]
    ((row, found),) = _bookmark_violations(export, json.dumps(states))
    assert row is None
    assert found.startswith("bookmark 0 shows 2 points")
    assert found.endswith("that selects 3")
    states[1]["selectedPoints"] = [2, 3]
    assert _bookmark_violations(export, json.dumps(states)) == []


@pytest.mark.parametrize("points", [[3, 0], []])
def test_points_that_a_filter_leaves_for_the_next_tensor(
    points: list[int], tmp_path: pathlib.Path
) -> None:
    vectors = np.arange(16, dtype=np.float32).reshape(4, 4)
    pca = Bookmark("PCA", vectors[:, :2], "pca")
    tensors = [Tensor(name, vectors, {"token": list("abcd"), "id": ROWS}, [pca]) for name in "xy"]
    write(str(tmp_path / "run"), tensors)
    assert verify(str(tmp_path / "run")) == []

    file = tmp_path / "run" / "y.bookmarks.json"
    (state,) = json.loads(file.read_text())
    state |= {"filteredPoints": points, "projections": state["projections"][: len(points) or 4]}
    file.write_text(json.dumps([state]))
    (violation,) = verify(str(tmp_path / "run"))
    assert violation.file == "y.bookmarks.json"
    assert violation.problem.startswith(
        "bookmark 0 has filteredPoints, and a click on a bookmark of"
    )
    assert "'x/" in violation.problem
    (tmp_path / "run" / "bookmarks.json").write_text("[]")
    assert verify(str(tmp_path / "run")) == []

"""Opens bookmarks in a real TensorBoard, in Chromium."""

import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from playwright.sync_api import Browser

from components.projector_directory import Bookmark, Tensor, write
from components.projector_directory.metadata import Column
from components.projector_directory.tensors import write_checkpoint
from components.vectors.layouts import Layout, compute_layouts
from tests.browser.projector_page import MARKS, ProjectorPage
from tests.tensorboard import TensorBoard

pytestmark = MARKS

ROWS, COLUMNS, LAID_OUT = 600, 16, 200
# The rows of the partial layout: every third one.
SOME = np.arange(0, ROWS, ROWS // LAID_OUT)
TOPICS = ("actors", "music", "places")
KINDS = np.random.default_rng(7).integers(0, len(TOPICS), ROWS)
RANDOM = np.random.default_rng(8)
MATRIX = (
    3 * RANDOM.normal(size=(len(TOPICS), COLUMNS))[KINDS] + RANDOM.normal(size=(ROWS, COLUMNS))
).astype(np.float32)
LABELS = ["PCA", "t-SNE", f"t-SNE ({LAID_OUT} of {ROWS} rows)"]


@pytest.fixture(scope="module")
def layouts() -> list[Layout]:
    whole = compute_layouts(MATRIX, ["pca", "tsne"])
    part = compute_layouts(MATRIX, ["tsne"], SOME)
    return [*whole.values(), *part.values()]


@pytest.fixture(scope="module")
def tensorboard(
    layouts: list[Layout], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TensorBoard]:
    logdir = tmp_path_factory.mktemp("logdir")
    write_export(logdir / "flat", MATRIX, [])
    flat = Tensor("embedding", MATRIX[:, :2], {})
    write_checkpoint(str(logdir / "flat"), [flat])  # `write` refuses two columns.
    write_export(logdir / "words", MATRIX, layouts)
    with TensorBoard(logdir) as server:
        yield server


@pytest.fixture(scope="module")
def page(tensorboard: TensorBoard, browser: Browser) -> Iterator[ProjectorPage]:
    with ProjectorPage(browser) as page:
        page.open(tensorboard.url, "words")
        yield page


def write_export(directory: pathlib.Path, matrix: np.ndarray, layouts: Sequence[Layout]) -> None:
    bookmarks = [
        Bookmark(layout.name, layout.positions, "umap" if number else "pca", "topic", layout.rows)
        for number, layout in enumerate(layouts)
    ]
    columns: dict[str, Column] = {
        "token": [f"word{row}" for row in range(ROWS)],
        "id": np.arange(1, ROWS + 1),
        "topic": [TOPICS[kind] for kind in KINDS],
    }
    write(str(directory), [Tensor("embedding", matrix, columns, bookmarks)])


def test_the_projection_is_drawn(page: ProjectorPage) -> None:
    assert page.points_drawn() == ROWS
    assert page.label_options() == page.search_options() == ["token", "id", "topic"]
    assert page.color_options() == ["id", "topic"]
    assert [page.label_of(row) for row in (0, 41, ROWS - 1)] == ["word0", "word41", "word599"]
    assert page.search("word59", "token") == "11 matches."
    assert page.errors() == []


# Goes from all rows to fewer and back, and opens each layout twice.
@pytest.mark.parametrize("number", [1, 0, 2, 1, 2, 0])
def test_a_click_shows_the_layout(
    page: ProjectorPage, layouts: list[Layout], number: int, tmp_path: pathlib.Path
) -> None:
    expected = layouts[number].positions[:, :3]
    assert page.bookmarks() == LABELS

    page.click_bookmark(LABELS[number])

    assert page.points_drawn() == len(expected)
    np.testing.assert_allclose(page.positions(), expected, atol=1e-3 * np.ptp(expected))
    tab = "umap" if number else "pca"
    assert page.selected() == {"color": "topic", "label": "token", "tab": tab}
    assert page.label_of(LAID_OUT - 1) == f"word{layouts[number].rows[LAID_OUT - 1]}"
    assert page.errors() == []
    page.screenshot(pathlib.Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"{number}.png")


@pytest.mark.parametrize(("label", "rows"), [(LABELS[1], ROWS), (LABELS[2], LAID_OUT)])
def test_pca_can_be_seen_after_another_layout(page: ProjectorPage, label: str, rows: int) -> None:
    page.click_bookmark(label)

    page.open_tab("pca")

    assert page.points_drawn() == rows
    assert page.errors() == []


# Must be the last test of the module, since it leaves the page on another run.
def test_a_tensor_of_two_columns_is_not_drawn(
    page: ProjectorPage, tensorboard: TensorBoard
) -> None:
    page.open(tensorboard.url, "flat")
    assert page.points_drawn() == 0
    assert page.errors() == []

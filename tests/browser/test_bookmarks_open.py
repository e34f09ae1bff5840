"""Bookmarks in a real TensorBoard in a real browser."""

import os
import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from components.projector_exporter.bookmarks import encode_bookmarks
from components.projector_exporter.layouts import Layout, compute_layouts
from tests.browser.projector_page import CHROMIUM, ProjectorPage
from tests.tensorboard import TensorBoard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"There is no {CHROMIUM}."),
]

ROWS, COLUMNS, LAID_OUT = 600, 16, 200
KINDS = np.random.default_rng(7).integers(0, 3, ROWS)
TOPICS = ("actors", "music", "places")


@pytest.fixture(scope="module")
def layouts() -> list[Layout]:
    random = np.random.default_rng(8)
    matrix = 3 * random.normal(size=(3, COLUMNS))[KINDS] + random.normal(size=(ROWS, COLUMNS))
    pca, tsne = compute_layouts(matrix.astype(np.float32), ["pca", "tsne"])
    (part,) = compute_layouts(matrix.astype(np.float32), ["tsne"], max_rows=LAID_OUT)
    return [pca, tsne, part]


@pytest.fixture(scope="module")
def page(
    layouts: list[Layout], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProjectorPage]:
    logdir = tmp_path_factory.mktemp("logdir")
    # Two runs, so that the one to look at has to be chosen.
    for run in ("a-3-columns", "words"):
        write_export(logdir / run, layouts)
    with TensorBoard(logdir) as tensorboard, ProjectorPage() as page:
        page.open(tensorboard.url, "words")
        yield page


def write_export(directory: pathlib.Path, layouts: list[Layout]) -> None:
    """Writes what TensorBoard takes, the PCA coordinates for a tensor."""
    tensor = layouts[0].positions.astype(np.float32)
    columns = tensor.shape[1] if directory.name == "words" else 3
    directory.mkdir()
    (directory / "tensor.bytes").write_bytes(tensor[:, :columns].tobytes())
    lines = [f"word{row}\t{row + 1}\t{TOPICS[kind]}\n" for row, kind in enumerate(KINDS)]
    (directory / "metadata.tsv").write_text("token\tid\ttopic\n" + "".join(lines))
    (directory / "bookmarks.json").write_bytes(
        encode_bookmarks(layouts, (ROWS, columns), color_by="topic")
    )
    (directory / "projector_config.pbtxt").write_text(
        f"""embeddings {{
          tensor_name: "embedding" tensor_path: "tensor.bytes"
          tensor_shape: {ROWS} tensor_shape: {columns}
          metadata_path: "metadata.tsv" bookmarks_path: "bookmarks.json"
        }}"""
    )
    # Last: it makes TensorBoard list the directory as a run.
    tf.summary.create_file_writer(str(directory)).close()


def test_the_projection_is_drawn(page: ProjectorPage) -> None:
    assert page.points_drawn() == ROWS
    assert page.label_options() == page.search_options() == ["token", "id", "topic"]
    assert page.color_options() == ["id", "topic"]
    assert [page.label_of(row) for row in (0, 41, ROWS - 1)] == ["word0", "word41", "word599"]
    assert page.search("word59", "token") == "11 matches."
    assert page.errors() == []


# From all rows to fewer and back, and the same one again after another.
@pytest.mark.parametrize("number", [1, 0, 2, 1, 2, 0])
def test_a_click_shows_the_layout(
    page: ProjectorPage, layouts: list[Layout], number: int, tmp_path: pathlib.Path
) -> None:
    labels = ["PCA", "t-SNE", f"t-SNE (first {LAID_OUT} rows)"]
    expected = layouts[number].positions[:, :3]
    assert page.bookmarks() == labels

    page.click_bookmark(labels[number])

    assert page.points_drawn() == len(expected)
    np.testing.assert_allclose(page.positions(), expected, atol=1e-3 * np.ptp(expected))
    tab = "umap" if number else "pca"
    assert page.selected() == {"color": "topic", "label": "token", "tab": tab}
    assert page.label_of(LAID_OUT - 1) == f"word{LAID_OUT - 1}"
    assert page.errors() == []
    screenshots = pathlib.Path(os.environ.get("SCREENSHOTS", tmp_path))
    page.screenshot(screenshots / f"bookmark-{number}.png")


@pytest.mark.parametrize("number", [1, 2])
def test_pca_can_be_seen_after_another_layout(page: ProjectorPage, number: int) -> None:
    page.click_bookmark(page.bookmarks()[number])

    page.open_tab("pca")

    assert page.points_drawn() == (ROWS, LAID_OUT)[number - 1]
    assert page.errors() == []

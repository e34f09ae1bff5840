"""Opens exports made with the default options in a real TensorBoard, in Chromium.

The exported embeddings are made up here; one is what the sample pipeline trains.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow_transform as tft
from playwright.sync_api import Browser

from components.projector_directory.metadata import escape, unescape
from components.projector_directory.tensors import VARIABLE
from components.projector_exporter.export import export_points
from components.projector_exporter.points import Points
from components.projector_exporter.words import word_points
from components.text.features import FIRST_TOKEN_ID
from components.text.vocabulary import read_vocabulary
from components.vectors.saved_embedding import read_embedding
from tests.browser.projector_page import MARKS, ProjectorPage
from tests.conftest import SAMPLE
from tests.tensorboard import TensorBoard

if TYPE_CHECKING:
    from tests.pipelines import Run

pytestmark = MARKS

COLUMNS = ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
ORDINARY = [f"word{row}".encode() for row in range(300)]
NASTY = [
    *(b"\t", b"\n", b"\r\n", b"a\tb", b"a\nb", b"a\rb", b"\na", b"a\t", b"a\x00b", b"\x1b[31m"),
    *(b"", b" ", b"   ", b" a", b"a ", b"a  b", "\u00a0".encode(), "\u2028".encode()),
    *(b"007", b"1e3", b"0x1F", b"Infinity", b"-Infinity", b"NaN", b"0", b"-0", b"+1", b"1.50"),
    *(b"10", b"3.14", b"0b1", b".5", b"12345678901234567890", b" 7", b"null", b"undefined"),
    *(b"twice", b"twice", b"Twice", b"__next__", b"__seq_next__", b"__proto__", b"constructor"),
    *(b"token", b"id", b"label", b"\\", b"\\t", b"\\&", b"\\s", b"'", b'"a"', b'"', b"a,b", b"#"),
    *(b"<b>bold</b>", b"&amp;", b"<script>throw 1</script>", b"{{token}}", b"[[token]]", b"%41"),
    *(text.encode() for text in ("naïve", "nai\u0308ve", "映画", "фильм", "\u0301", "Z̷̛a̸lgo̵")),
    *(
        text.encode()
        for text in ("فيلم", "סרט", "\u202eabc", "👍🏽", "👩\u200d👩\u200d👧", "🇩🇪", "\ufeff")
    ),
    *(b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"x" * 20_000),
]
# Together these are longer than the piece of metadata that TensorBoard decodes at once.
LONG = ["é".encode() * 200_000, "映".encode() * 130_000, "é".encode() * 200_001]


def model(tokens: Sequence[bytes], dimensions: int) -> Points:
    """Returns words whose class probability is a function of their vectors' first column."""
    matrix = np.random.default_rng(3).normal(size=(len(tokens), dimensions)).astype(np.float32)
    return word_points(
        tokens,
        matrix,
        counts=np.arange(len(tokens), 0, -1) ** 2,
        class_names=("neg", "pos"),
        probabilities=np.stack([1 - odds(matrix), odds(matrix)], axis=1),
    )


def odds(matrix: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-3 * matrix[:, 0]))


def with_equal_rows(words: Points) -> Points:
    """Returns the words with zero vectors for the first two and equal ones for the next two."""
    matrix = words.vectors.copy()
    matrix[:2] = 0
    matrix[2] = matrix[3]
    return dataclasses.replace(words, vectors=matrix)


EMBEDDINGS = {
    "ordinary": model(ORDINARY, 16),
    "nasty": with_equal_rows(model(NASTY + LONG, 8)),
    "flat": model(NASTY, 2),
}


# TFX writes each run into a directory named after the execution's id.
EXECUTION = "9"


@dataclasses.dataclass(frozen=True)
class Exported:
    """A run, the tokens and vectors that it must show, and the TensorBoard that shows it."""

    url: str
    logdir: pathlib.Path
    run: str
    tokens: Sequence[bytes]
    matrix: np.ndarray


@dataclasses.dataclass(frozen=True)
class Opened(Exported):
    """A run, the cells of its metadata.tsv, and the page that shows it."""

    cells: Sequence[Sequence[str]]
    page: ProjectorPage

    @property
    def name(self) -> str:
        return self.run.partition("/")[2]


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    logdir = tmp_path_factory.mktemp("logdir")
    for run, words in EMBEDDINGS.items():
        export_points(str(logdir / EXECUTION / run), [words])
    return logdir


@pytest.fixture(scope="module")
def tensorboard(logdir: pathlib.Path) -> Iterator[TensorBoard]:
    """Starts a TensorBoard of all exports but that of the sample pipeline."""
    with TensorBoard(logdir) as server:
        yield server


@pytest.fixture(scope="module")
def trained(first_run: "Run") -> Iterator[Exported]:
    """Yields the sample pipeline's export, with tokens and vectors read from its model."""
    made = first_run.artifacts
    words = read_vocabulary(tft.TFTransformOutput(made["TransformGraph"].uri))
    _, matrix = read_embedding(f"{made['Model'].uri}/Format-Serving")
    matrix = matrix[FIRST_TOKEN_ID:][: len(words)]
    run = pathlib.Path(first_run.line("Projection"))
    logdir = run.parents[1]
    tokens = [word.encode() for word in words]
    with TensorBoard(logdir) as server:
        yield Exported(server.url, logdir, str(run.relative_to(logdir)), tokens, matrix)


@pytest.fixture(scope="module", params=[*EMBEDDINGS, pytest.param(SAMPLE, marks=pytest.mark.slow)])
def exported(request: pytest.FixtureRequest) -> Exported:
    if request.param == SAMPLE:
        made: Exported = request.getfixturevalue("trained")
        return made
    words = EMBEDDINGS[request.param]
    url = request.getfixturevalue("tensorboard").url
    logdir = request.getfixturevalue("logdir")
    return Exported(url, logdir, f"{EXECUTION}/{request.param}", words.labels, words.vectors)


@pytest.fixture(scope="module")
def opened(exported: Exported, browser: Browser) -> Iterator[Opened]:
    lines = (exported.logdir / exported.run / "metadata.tsv").read_bytes().decode().split("\n")
    cells = [line.split("\t") for line in lines[1:-1]]
    with ProjectorPage(browser) as page:
        page.open(exported.url, exported.run)
        yield Opened(**vars(exported), cells=cells, page=page)


@pytest.fixture(autouse=True)
def nothing_goes_wrong(opened: Opened) -> Iterator[None]:
    yield
    assert opened.page.errors() == []


@pytest.fixture
def screenshots(tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(os.environ.get("SCREENSHOTS", tmp_path))


def samples(opened: Opened, about: int) -> list[int]:
    """Returns about `about` evenly spaced rows, always with the first and the last."""
    last = len(opened.tokens) - 1
    return [*range(0, last, max(1, last // about)), last]


def test_every_row_is_drawn_with_its_label(opened: Opened, screenshots: pathlib.Path) -> None:
    # Checks every row of the small exports, which have the unusual tokens.
    rows = samples(opened, 20 if len(opened.tokens) > 100 else 100)
    assert opened.page.points_drawn() == len(opened.tokens)

    labels = [opened.page.label_of(row) for row in rows]

    assert labels == [escape(opened.tokens[row]) for row in rows]
    assert [unescape(label) for label in labels] == [opened.tokens[row] for row in rows]
    opened.page.screenshot(screenshots / f"{opened.name}.png")


def test_every_column_is_offered(opened: Opened) -> None:
    assert opened.page.label_options() == opened.page.search_options() == COLUMNS
    # The token is not offered: TensorBoard colors by at most 50 different texts.
    assert opened.page.color_options() == COLUMNS[1:]


@pytest.mark.parametrize("column", COLUMNS)
def test_search_finds_the_row(opened: Opened, column: str) -> None:
    for row in samples(opened, 2):
        # The browser's text box takes seconds for a longer text.
        text = opened.cells[row][COLUMNS.index(column)].strip(" ")[:1000]

        said = opened.page.search(text, column)

        found = opened.page.selected_rows()
        assert row in found
        assert said == f"{len(found)} matches."


def test_search_finds_no_other_token(opened: Opened) -> None:
    labels = [escape(token) for token in opened.tokens]
    for row in samples(opened, 8):
        text = labels[row][:40].lower()

        opened.page.search(text, "token")

        found = opened.page.selected_rows()
        assert found == [row for row, label in enumerate(labels) if text in label.lower()], text


@pytest.mark.parametrize("label", ["PCA", "t-SNE"])
def test_bookmarks_load(opened: Opened, label: str, screenshots: pathlib.Path) -> None:
    assert opened.page.bookmarks() == ["PCA", "t-SNE"]
    assert opened.page.search("", "token") == ""

    opened.page.click_bookmark(label)

    tab = "pca" if label == "PCA" else "umap"
    assert opened.page.selected() == {"color": "strength", "label": "token", "tab": tab}
    assert opened.page.points_drawn() == len(opened.tokens)
    for row in samples(opened, 5):
        assert opened.page.label_of(row) == escape(opened.tokens[row])
    opened.page.screenshot(screenshots / f"{opened.name}-{label}.png")


# Must be the last test of the module, since it leaves the page on another tensor.
def test_the_normalized_tensor_opens(opened: Opened, screenshots: pathlib.Path) -> None:
    opened.page.open_tensor(VARIABLE.format("normalized"))

    lengths = np.linalg.norm(opened.page.vectors(), axis=1)
    np.testing.assert_allclose(lengths, opened.matrix.any(axis=1), atol=1e-6)
    assert opened.page.points_drawn() == len(opened.tokens)
    for row in samples(opened, 5):
        assert opened.page.label_of(row) == escape(opened.tokens[row])
    assert opened.page.bookmarks() == []
    opened.page.screenshot(screenshots / f"{opened.name}-normalized.png")

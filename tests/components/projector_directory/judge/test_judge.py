"""Checks `write` and `verify` against TensorBoard's own code; `make fuzz` tries more cases."""

import pathlib
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright")

from tests.components.projector_directory.judge.__main__ import disagreements, wrong_exports
from tests.components.projector_directory.judge.mutations import write_templates
from tests.components.projector_directory.judge.oracle import differences
from tests.components.projector_directory.judge.page import Page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page() as page:
        yield page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # By TensorBoard's plugin.
def test_verify_finds_what_the_page_shows_wrongly_and_nothing_else(
    page: Page, tmp_path: pathlib.Path
) -> None:
    assert list(disagreements(page, 150, 1, tmp_path)) == []


def test_what_is_written_is_shown_as_it_was_meant(page: Page, tmp_path: pathlib.Path) -> None:
    assert list(wrong_exports(page, 50, 1, tmp_path)) == []


def test_the_page_shows_labels_and_bookmarks_of_what_is_right(
    page: Page, tmp_path: pathlib.Path
) -> None:
    several, alone, *_ = write_templates(tmp_path)
    seen = page.show(several)
    assert differences(several, seen) == []
    tensors = {tensor["name"].partition("/")[0]: tensor for tensor in seen["tensors"]}
    assert tensors["texts"]["labels"] == ["one", "two", "three"]
    assert [bookmark["title"] for bookmark in tensors["texts"]["bookmarks"]] == ["PCA"]
    bookmarks = page.show(alone)["tensors"][0]["bookmarks"]
    assert [bookmark["title"] for bookmark in bookmarks] == ["PCA", "t-SNE (4 of 6 rows)"]
    assert bookmarks[1]["rows"] == [0, 1, 2, 3]

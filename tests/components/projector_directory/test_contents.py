import json
import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from components.projector_directory import Bookmark, write
from components.projector_directory.contents import read_contents
from tests.components.projector_directory.directories import EMBEDDING, make_tensor, write_directory

VECTORS = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
TOKENS = [b"007", b"a\tb", b"c", b"", b"e"]
PCA = Bookmark("PCA", VECTORS, "pca")


def test_what_was_written_is_read(tmp_path: pathlib.Path) -> None:
    part = Bookmark("t-SNE", VECTORS[:3, :2], "umap", "id", np.array([0, 2, 4]))
    write_directory(tmp_path / "1", TOKENS, VECTORS, PCA, part)
    contents = read_contents(str(tmp_path / "1"))
    assert contents.name == EMBEDDING
    np.testing.assert_array_equal(contents.vectors, VECTORS)
    assert contents.columns == {
        "token": [r"\&007", r"a\tb", "c", r"\&", "e"],
        "id": ["1", "2", "3", "4", "5"],
    }
    first, second = contents.bookmarks
    assert (first.label, first.tab, second.tab) == ("PCA", "pca", "umap")
    assert second.label.startswith("t-SNE") and second.color_by == "id"
    assert first.rows is not None and second.rows is not None
    assert (first.rows.tolist(), second.rows.tolist()) == ([0, 1, 2, 3, 4], [0, 2, 4])
    np.testing.assert_allclose(second.positions, VECTORS[:3, :2], atol=1e-3)


def test_rows_of_a_bookmark_come_in_ascending_order(tmp_path: pathlib.Path) -> None:
    part = Bookmark("t-SNE", VECTORS[:3, :2], "umap", rows=np.array([4, 0, 2]))
    write_directory(tmp_path / "1", TOKENS, VECTORS, PCA, part)
    _, bookmark = read_contents(str(tmp_path / "1")).bookmarks
    assert bookmark.rows is not None and bookmark.rows.tolist() == [0, 2, 4]
    np.testing.assert_allclose(bookmark.positions, VECTORS[[1, 2, 0], :2], atol=1e-3)


def test_bookmarks_may_begin_with_a_byte_order_mark(tmp_path: pathlib.Path) -> None:
    write_directory(tmp_path / "1", TOKENS, VECTORS, PCA)
    (path,) = (tmp_path / "1").glob("bookmarks*.json")
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert [state.label for state in read_contents(str(tmp_path / "1")).bookmarks] == ["PCA"]


def test_the_first_tensor_with_labels_is_read(tmp_path: pathlib.Path) -> None:
    tensors = [
        make_tensor(TOKENS, VECTORS, name="b"),
        make_tensor(TOKENS[:3], VECTORS[:3], name="a"),
    ]
    write(str(tmp_path / "1"), tensors)
    assert read_contents(str(tmp_path / "1")).name.startswith("a/")


def test_tensors_in_files_are_read(tmp_path: pathlib.Path) -> None:
    """PyTorch's SummaryWriter and projector.tensorflow.org store tensors in such files."""
    (tmp_path / "tensors.tsv").write_text("1\t2\t3\n4\t5\t6\n")
    (tmp_path / "metadata.tsv").write_text("one\ntwo\n")
    (tmp_path / "projector_config.pbtxt").write_text(
        'embeddings { tensor_name: "mine" tensor_path: "tensors.tsv" '
        'metadata_path: "metadata.tsv" }'
    )
    contents = read_contents(str(tmp_path))
    assert contents.vectors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert contents.columns == {"label": ["one", "two"]}
    assert contents.bookmarks == []


def _no_config(directory: pathlib.Path) -> None:
    (directory / "projector_config.pbtxt").unlink()


def _no_checkpoint(directory: pathlib.Path) -> None:
    (directory / "checkpoint").unlink()


def _no_labels(directory: pathlib.Path) -> None:
    (directory / "metadata.tsv").unlink()


def _no_metadata_path(directory: pathlib.Path) -> None:
    (directory / "projector_config.pbtxt").write_text(
        f'embeddings {{ tensor_name: "{EMBEDDING}" }}'
    )


def _one_label_less(directory: pathlib.Path) -> None:
    lines = (directory / "metadata.tsv").read_text().splitlines(keepends=True)
    (directory / "metadata.tsv").write_text("".join(lines[:-1]))


def _one_cell_less(directory: pathlib.Path) -> None:
    content = (directory / "metadata.tsv").read_text()
    (directory / "metadata.tsv").write_text(content.replace("c\t3", "c"))


def _unknown_bookmark(directory: pathlib.Path) -> None:
    states = json.loads((directory / "bookmarks.json").read_text())
    states[0]["selectedProjection"] = "other"
    (directory / "bookmarks.json").write_text(json.dumps(states))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_config, "projector_config.pbtxt: is missing"),
        (_no_checkpoint, "there is no checkpoint here"),
        (_no_labels, "'metadata.tsv' is not a file"),
        (_no_metadata_path, "no tensor has labels"),
        (_one_label_less, "has 4 rows, the tensor .* has 5"),
        (_one_cell_less, "metadata.tsv, row 2: has 1 cells for 2 columns"),
        (_unknown_bookmark, "bookmark 'PCA': TensorBoard cannot tell what it shows"),
    ],
)
def test_what_cannot_be_read_is_refused(
    damage: Callable[[pathlib.Path], None], message: str, tmp_path: pathlib.Path
) -> None:
    write_directory(tmp_path / "1", TOKENS, VECTORS, PCA)
    damage(tmp_path / "1")
    with pytest.raises(ValueError, match=message):
        read_contents(str(tmp_path / "1"))


def test_tensors_without_bookmarks_have_none(tmp_path: pathlib.Path) -> None:
    write(str(tmp_path / "1"), [make_tensor(TOKENS, VECTORS)])
    assert read_contents(str(tmp_path / "1")).bookmarks == []

import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory import Tensor, write
from components.projector_directory.__main__ import main
from components.projector_directory.verify import Violation, verify
from tests.components.projector_directory.directories import make_tensor, write_directory

TOKENS = [b"good", b"bad", b"film", b"plot"]


@pytest.fixture
def export(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory with nothing wrong."""
    matrix = np.arange(16, dtype=np.float32).reshape(4, 4)
    write_directory(tmp_path / "export", TOKENS, matrix)
    return tmp_path / "export"


def _metadata_violations(export: pathlib.Path, content: bytes) -> list[tuple[int | None, str]]:
    return _violations_with(export, "metadata.tsv", content)


def _violations_with(
    export: pathlib.Path, file: str, content: bytes
) -> list[tuple[int | None, str]]:
    (export / file).write_bytes(content)
    violations = verify(str(export))
    assert {violation.file for violation in violations} <= {file}
    return [(violation.row, violation.problem) for violation in violations]


@pytest.mark.parametrize(
    "content",
    [
        b"good\nbad\nfilm\nplot\n",
        b"good\nbad\nfilm\nplot",
        b"1\n2\n3\n4\n",
        b"word\tcount\ngood\t007\nbad\t0\nfilm\t 5\nplot\t1e3\n",
        b"word\tcount\r\ngood\t1\r\nbad\t2\r\nfilm\t3\r\nplot\t4\r\n",
    ],
)
def test_tables_that_are_right(export: pathlib.Path, content: bytes) -> None:
    assert _metadata_violations(export, content) == []


@pytest.mark.parametrize(
    ("content", "row", "problem"),
    [
        (b"word\ngood\nbad\nfilm\nplot\n", None, "5 rows for 4 points: a single column takes no"),
        (b"a\t1\nb\t2\nc\t3\nd\t4\n", None, "3 rows for 4 points: a first line with tabs"),
        (b"a\nb\nc\n", None, "3 rows for 4 points"),
        (b"w\tn\na\t1\nb\t2\n \nc\t3\nd\t4\n", 2, "blank line"),
        (b"w\tn\na\t1\nb\tb\t2\nc\t3\nd\t4\n", 1, "3 cells for 2 columns"),
        (b"w\tn\na\t1\nb\nc\t3\nd\t4\n", 1, "1 cells for 2 columns"),
        (b"w\tn\na\t1\nb\t2\n\t3\nd\t4\n", 2, "column 'w' is empty"),
        (b"w\tn\na\t1\nb\t2\nc\t \nd\t4\n", 2, "column 'n' is ' ', which becomes 0"),
        (b"w\tn\na\t1\n007\t2\nc\t3\nd\t4\n", 1, "column 'w' is '007'"),
        (b"a\nb\n1e3\nd\n", 2, "column 'label' is '1e3'"),
        (b"0x1F\n1\n2\n3\n", 0, "column 'label' is '0x1F'"),
        (b"a\nb\rb\nc\nd\n", 1, "carriage return"),
        (b"a\nb\nc\xff\nd\n", 2, "not UTF-8"),
        (b"a", None, "hangs"),
        (b"", None, "hangs"),
        (b"w\t__next__\na\t1\nb\t2\nc\t3\nd\t0\n", None, "__next__"),
        (b"w\tw\na\t1\nb\t2\nc\t3\nd\t0\n", None, "2 columns are called 'w'"),
        (b"w\t\na\t1\nb\t2\nc\t3\nd\t0\n", None, "no name"),
        (b"a\nb\n" + b"c" * 999_995 + "é\nd\n".encode(), 2, "two chunks of 1,000,000 bytes meet"),
        (b"a\nb\n" + b"c" * 999_994 + b"\nde", 3, "two chunks of 1,000,000 bytes meet"),
        (b"a\nb\nc\n" + b"d" * 1_100_000, None, "hangs"),
    ],
)
def test_tables_that_are_shown_wrongly(
    export: pathlib.Path, content: bytes, row: int | None, problem: str
) -> None:
    violations = _metadata_violations(export, content)
    assert len(violations) == 1
    assert violations[0][0] == row
    assert problem in violations[0][1]


def _save(export: pathlib.Path, **values: np.ndarray) -> None:
    variables = {name: tf.Variable(value) for name, value in values.items()}
    tf.train.Checkpoint(**variables).write(str(export / "embedding.ckpt-1"))


def _with_nan(export: pathlib.Path) -> None:
    values = np.ones((4, 4), np.float32)
    values[2, 1] = np.nan
    _save(export, embedding=values)


def _with_one_row(export: pathlib.Path) -> None:
    _save(export, embedding=np.ones((1, 4), np.float32))
    (export / "metadata.tsv").write_text("word\tn\na\t1\n")


def _with_two_columns(export: pathlib.Path) -> None:
    _save(export, embedding=np.ones((4, 2), np.float32))


def _with_another_matrix(export: pathlib.Path) -> None:
    _save(export, embedding=np.ones((4, 4), np.float32), kernel=np.ones((4, 3), np.float32))


def _with_broken_checkpoint(export: pathlib.Path) -> None:
    (export / "embedding.ckpt-1.index").write_bytes(b"broken")


def _without_checkpoint(export: pathlib.Path) -> None:
    (export / "checkpoint").unlink()


def _without_event_file(export: pathlib.Path) -> None:
    next(export.glob("events*")).unlink()


def _with_runs_below(export: pathlib.Path) -> None:
    tf.summary.create_file_writer(str(export / "train")).close()


def _configured(text: str) -> Callable[[pathlib.Path], None]:
    def configure(export: pathlib.Path) -> None:
        (export / "projector_config.pbtxt").write_text(text)

    return configure


NAME = 'tensor_name: "embedding/.ATTRIBUTES/VARIABLE_VALUE"'


@pytest.mark.parametrize(
    ("damage", "file", "row", "problem"),
    [
        (_with_nan, "embedding.ckpt-1", 2, "NaN"),
        (_with_one_row, "embedding.ckpt-1", None, "1 rows"),
        (_with_two_columns, "embedding.ckpt-1", None, "2 columns"),
        (_with_another_matrix, "projector_config.pbtxt", None, "'kernel/.ATTRIBUTES"),
        (_with_broken_checkpoint, "embedding.ckpt-1", None, "cannot be read"),
        (_without_checkpoint, "checkpoint", None, "no checkpoint here"),
        (_without_event_file, ".", None, "no event file"),
        (_with_runs_below, "train", None, "event files below"),
        (_configured("embeddings {"), "projector_config.pbtxt", None, "cannot be parsed"),
        (
            _configured(f'embeddings {{ {NAME} metadata_path: "../metadata.tsv" }}'),
            *("projector_config.pbtxt", None, "outside the directory"),
        ),
        (
            _configured(f'embeddings {{ {NAME} metadata_path: "labels.tsv" }}'),
            *("projector_config.pbtxt", None, "'labels.tsv' is not a file"),
        ),
        (
            _configured(f'model_checkpoint_path: "logs/x.ckpt" embeddings {{ {NAME} }}'),
            *("projector_config.pbtxt", None, "working directory of the server"),
        ),
    ],
)
def test_damage_is_named(
    export: pathlib.Path,
    damage: Callable[[pathlib.Path], None],
    file: str,
    row: int | None,
    problem: str,
) -> None:
    damage(export)
    violations = verify(str(export))
    assert len(violations) == 1
    assert (violations[0].file, violations[0].row) == (file, row)
    assert problem in violations[0].problem


def test_a_wrong_tensor_name_leaves_the_tensor_unlabelled(export: pathlib.Path) -> None:
    _configured('embeddings { tensor_name: "embedding" metadata_path: "metadata.tsv" }')(export)
    problems = [violation.problem for violation in verify(str(export))]
    assert len(problems) == 2
    assert "'embedding' is no matrix" in problems[0]
    assert "listed too, without any labels" in problems[1]


def test_an_entry_without_a_name_labels_every_matrix(export: pathlib.Path) -> None:
    _configured('embeddings { metadata_path: "metadata.tsv" }')(export)
    assert verify(str(export)) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (np.arange(12, dtype=np.float32).tobytes(), "cannot reshape"),
        (np.zeros(16, np.float32).tobytes(), "could not convert"),
        (b"1\t2\t3\n4\t5\n", "inhomogeneous"),
    ],
)
def test_tensor_files_that_close_the_tab(
    export: pathlib.Path, content: bytes, problem: str
) -> None:
    _without_checkpoint(export)
    (export / "tensor.bytes").write_bytes(content)
    _configured(
        'embeddings { tensor_path: "tensor.bytes" metadata_path: "metadata.tsv" '
        "tensor_shape: [4, 4] }"
    )(export)
    (violation,) = verify(str(export))
    assert (violation.file, violation.row) == ("tensor.bytes", None)
    assert "no run of this TensorBoard opens" in violation.problem
    assert problem in violation.problem


@pytest.mark.parametrize(
    "content",
    [
        (np.arange(16, dtype=np.float32) - 8).tobytes(),
        b"1\t2\t3\n" * 4,
    ],
)
def test_tensor_files_that_are_right(export: pathlib.Path, content: bytes) -> None:
    _without_checkpoint(export)
    (export / "tensor.bytes").write_bytes(content)
    _configured(
        'embeddings { tensor_path: "tensor.bytes" metadata_path: "metadata.tsv" '
        "tensor_shape: [4, 4] }"
    )(export)
    assert verify(str(export)) == []


def test_the_name_of_a_run(export: pathlib.Path) -> None:
    named = export.rename(export.parent / "50%")
    (violation,) = verify(str(named))
    assert violation.file == "."
    assert "'50%'" in violation.problem


def test_violations_name_file_and_row() -> None:
    assert str(Violation("metadata.tsv", 7, "is wrong")) == "metadata.tsv, row 7: is wrong"
    assert str(Violation("metadata.tsv", None, "is wrong")) == "metadata.tsv: is wrong"


def test_command_line(export: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(export)]) == 0
    assert capsys.readouterr().out.count("\n") == 1

    (export / "metadata.tsv").write_text("good\nbad\n1e3\nplot\n")
    assert main(["verify", str(export)]) == 1
    assert "metadata.tsv, row 2: column 'label' is '1e3'" in capsys.readouterr().out

    assert main(["verify", str(export / "missing")]) == 1
    assert "not a directory" in capsys.readouterr().err


PLACES = [{"pca-0": float(row), "pca-1": 1, "umap-0": 2, "umap-1": -0.5} for row in range(4)]
STATE: dict[str, Any] = {
    "label": "PCA",
    "selectedProjection": "pca",
    "dataSetDimensions": [4, 4],
    "pcaComponentDimensions": [0, 1],
    "projections": PLACES,
    "selectedLabelOption": "token",
    "selectedColorOptionName": "No color map",
    "customSelectedSearchByMetadataOption": "id",
    **{f"custom{side}Text": "" for side in ("XLeft", "XRight", "YUp", "YDown")},
}


def _bookmark_violations(export: pathlib.Path, content: str) -> list[tuple[int | None, str]]:
    _configured(
        f'embeddings {{ {NAME} metadata_path: "metadata.tsv" bookmarks_path: "bookmarks.json" }}'
    )(export)
    return _violations_with(export, "bookmarks.json", content.encode())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"selectedColorOptionName": "id"},
        {"selectedProjection": "umap"},
        {"projections": PLACES[:2], "filteredPoints": [3, 0]},
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
    ],
)
def test_files_that_are_no_bookmarks(export: pathlib.Path, content: str, problem: str) -> None:
    ((row, found),) = _bookmark_violations(export, content)
    assert row is None
    assert problem in found


def test_labels_of_two_tensors_are_reported_once(tmp_path: pathlib.Path) -> None:
    first = make_tensor(TOKENS, np.eye(4, dtype=np.float32))
    write(str(tmp_path / "export"), [first, Tensor("other", first.vectors, first.columns)])
    table = "token\tid\ngood\t1\n\t2\nfilm\t3\nplot\t4\n"
    assert [row for row, _ in _metadata_violations(tmp_path / "export", table.encode())] == [1]

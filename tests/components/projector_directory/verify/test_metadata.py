import pathlib

import numpy as np
import pytest

from components.projector_directory import Tensor, write
from tests.components.projector_directory.directories import make_tensor
from tests.components.projector_directory.verify.conftest import TOKENS
from tests.components.projector_directory.verify.damage import violations_with


def _metadata_violations(export: pathlib.Path, content: bytes) -> list[tuple[int | None, str]]:
    return violations_with(export, "metadata.tsv", content)


@pytest.mark.parametrize(
    "content",
    [
        b"good\nbad\nfilm\nplot\n",
        b"good\nbad\nfilm\nplot",
        b"1\n2\n3\n4\n",
        b"word\tcount\ngood\t007\nbad\t0\nfilm\t 5\nplot\t1e3\n",
        b"word\tcount\r\ngood\t1\r\nbad\t2\r\nfilm\t3\r\nplot\t4\r\n",
        b"word\tcount\ngood\t0.1234567\nbad\t9007199254740992\nfilm\t1e-7\nplot\tx\n",
        b"word\tcount\ngood\t0.1\nbad\t0x1F\nfilm\t1e308\nplot\t0.12345678901234567891\n",
        "\ufeffgood\nbad\nfilm\nplot\n".encode(),
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
        (b"a\nb\xff\nc\nd\n", 1, "not UTF-8"),
        (b"a", None, "hangs"),
        (b"", None, "hangs"),
        (b"w\t__next__\na\t1\nb\t2\nc\t3\nd\t0\n", None, "__next__"),
        (b"w\tw\na\t1\nb\t2\nc\t3\nd\t0\n", None, "2 columns are called 'w'"),
        (b"w\t\na\t1\nb\t2\nc\t3\nd\t0\n", None, "no name"),
        (b"a\nb\n" + b"c" * 999_995 + "é\nd\n".encode(), 2, "two chunks of 1,000,000 bytes meet"),
        (b"a\nb\n" + b"c" * 999_994 + b"\nde", 3, "two chunks of 1,000,000 bytes meet"),
        (b"a\nb\nc\n" + b"d" * 1_100_000, None, "hangs"),
        (
            b"w\tn\na\t9007199254740993\nb\t2\nc\t3\nd\t4\n",
            0,
            "which JavaScript makes 9007199254740992",
        ),
        (b"w\tn\na\t1\nb\t1e400\nc\t3\nd\t4\n", 1, "which JavaScript makes Infinity"),
        (b"w\tn\na\t1\nb\t1e-400\nc\t3\nd\t4\n", 1, "which JavaScript makes 0"),
        (b"w\tn\na\t1\nb\t0x20000000000001\nc\t3\nd\t4\n", 1, "JavaScript makes 9007199254740992"),
        (b"w\thasOwnProperty\na\t1\nb\t2\nc\t3\nd\t0\n", None, "hasOwnProperty"),
        (b"w\tn\na\t1\nconstructor\t2\nc\t3\nd\t4\n", None, "colors by ['constructor']"),
        (b"a\rb\tn\na\t1\nb\t2\nc\t3\nd\t4\n", None, "carriage return"),
        (b"w" * 999_999 + "é\tn\na\t1\nb\t2\nc\t3\nd\t4\n".encode(), None, "two chunks"),
        (b"a\nb\nc\n" + b"d" * 999_992 + b"\n\n", 4, "blank line"),
    ],
)
def test_tables_that_are_shown_wrongly(
    export: pathlib.Path, content: bytes, row: int | None, problem: str
) -> None:
    violations = _metadata_violations(export, content)
    assert len(violations) == 1
    assert violations[0][0] == row
    assert problem in violations[0][1]


def test_labels_of_two_tensors_are_reported_once(tmp_path: pathlib.Path) -> None:
    first = make_tensor(TOKENS, np.eye(4, dtype=np.float32))
    write(str(tmp_path / "export"), [first, Tensor("other", first.vectors, first.columns)])
    table = "token\tid\ngood\t1\n\t2\nfilm\t3\nplot\t4\n"
    assert [row for row, _ in _metadata_violations(tmp_path / "export", table.encode())] == [1]

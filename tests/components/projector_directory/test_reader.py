import pathlib

import numpy as np
import pytest

from components.projector_directory import reader
from components.projector_directory.metadata import CHUNK_BYTES


def test_the_server_drops_carriage_returns() -> None:
    assert reader.served_text("é\tb\r\nc\rd".encode()) == "é\tb\ncd"


def test_the_server_refuses_what_is_not_utf8() -> None:
    with pytest.raises(UnicodeDecodeError):
        reader.served_text(b"\xff")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"\n\na\n", ["", "", "a"]),
        ("\ufeffa\n\ufeffb\n".encode(), ["a", "\ufeffb"]),
    ],
)
def test_lines(content: bytes, lines: list[str]) -> None:
    assert reader.stream_lines(content) == lines


@pytest.mark.parametrize(
    ("missing", "end", "last"),
    [
        (1, b"bc\nd\n", ["bc", "d"]),
        (1, "é\nd\n".encode(), ["��", "d"]),
        (0, "\ufeffb\n".encode(), ["b"]),
        (0, b"bc\n", ["bc"]),
        (0, b"b", []),  # A single byte after a full chunk is not read.
        (0, b"b\n", ["b"]),
    ],
)
def test_lines_around_the_end_of_a_chunk(missing: int, end: bytes, last: list[str]) -> None:
    first = b"a" * (CHUNK_BYTES - missing - 1)
    lines = reader.stream_lines(first + b"\n" + end)
    assert lines == [first.decode(), *last]


def test_a_line_may_span_chunks() -> None:
    long = b"a" * (2 * CHUNK_BYTES + 5)
    assert reader.stream_lines(b"b\n" + long + b"\nc\n") == ["b", long.decode(), "c"]


@pytest.mark.parametrize("content", [b"", b"a", b"a\n" + b"b" * (2 * CHUNK_BYTES)])
def test_a_last_chunk_without_a_newline_hangs(content: bytes) -> None:
    with pytest.raises(reader.ParsingHangsError):
        reader.stream_lines(content)


def test_a_first_line_with_a_tab_is_a_header() -> None:
    assert reader.parse_table(["a\tb", " ", "1\t2", "3"]) == (["a", "b"], [("1", "2"), ("3",)])


@pytest.mark.parametrize(("line", "blank"), [("\ufeff\u00a0", True), ("\x1c", False)])
def test_a_blank_line_is_white_space_of_javascript(line: str, blank: bool) -> None:
    assert reader.is_blank(line) is blank


def test_a_single_column_is_called_label() -> None:
    assert reader.parse_table(["", "a", "b"]) == (["label"], [("a",), ("b",)])


def test_a_table_may_be_empty() -> None:
    assert reader.parse_table([" "]) == (["label"], [])


def test_a_file_of_text_has_the_shape_of_its_lines(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tensor"
    path.write_text("1\t2\n\n3\t4\n5\t6")
    shape, read = reader.open_tensor_file(str(path), (9, 9))
    assert shape == (3, 2)
    np.testing.assert_array_equal(
        read(slice(1, 3)), np.array([[3, 4], [5, 6]], np.float32), strict=True
    )


def test_a_file_of_values_has_the_configured_shape(tmp_path: pathlib.Path) -> None:
    matrix = -np.arange(12, dtype="<f4").reshape(4, 3)
    path = tmp_path / "tensor"
    path.write_bytes(matrix.tobytes())
    shape, read = reader.open_tensor_file(str(path), (4, 3))
    assert shape == (4, 3)
    np.testing.assert_array_equal(read(slice(1, 3)), matrix[1:3])
    with pytest.raises(ValueError, match=r"reshape 12 float32 values to \[4, 4\]"):
        reader.open_tensor_file(str(path), (4, 4))
    with pytest.raises(ValueError, match=r"\[12\], not rows and columns"):
        reader.open_tensor_file(str(path), (12,))

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.projector_directory import metadata, reader

TOKENS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=12).map(str.encode),
    # Texts like numbers; then escapes, white space and characters of 1 to 4 bytes in UTF-8.
    st.text("0123456789.+-eExXoObBInfinity", max_size=9).map(str.encode),
    st.text("\\&xuUsntr0af \t\n\r\x00\x7f\x85\u00a0\u2028\ufeffé語𝄞", max_size=9).map(str.encode),
)


@pytest.mark.parametrize(
    ("token", "written"),
    [
        (b"film", "film"),
        ("naïve 日本語".encode(), "naïve 日本語"),
        (b"don't", "don't"),
        (b"New York", "New York"),
        (b"10", "10"),
        (b"-2.5", "-2.5"),
        (b"a\tb\nc\rd", r"a\tb\nc\rd"),
        (b"\x00\x1b", r"\x00\x1b"),
        (b"C:\\temp", r"C:\\temp"),
        (b"", r"\&"),
        (b" ", r"\s"),
        (b" a  b ", r"\sa \sb\s"),
        (b"007", r"\&007"),
        (b"0", r"\&0"),
        (b"1e3", r"\&1e3"),
        (b"0x1F", r"\&0x1F"),
        (b"Infinity", "Infinity"),
        (b"7.50", r"\&7.50"),
        (b"0.1234567", "0.1234567"),
        (b"9007199254740993", r"\&9007199254740993"),
        (b"1e400", r"\&1e400"),
        (b"\xff\xe9", r"\xff\xe9"),
        ("a\u00a0b\u200bc\ufeff".encode(), r"a\u00a0b\u200bc\ufeff"),
        ("\U000e0001".encode(), r"\U000e0001"),
        ("می‌خواهم".encode(), "می‌خواهم"),
    ],
)
def test_escapes_are_visible_and_few(token: bytes, written: str) -> None:
    assert metadata.escape(token) == written
    assert metadata.unescape(written) == token


def test_texts_are_escaped_like_their_bytes() -> None:
    for text in ("naïve", "a\tb", "007", ""):
        assert metadata.escape(text) == metadata.escape(text.encode())


@given(token=TOKENS)
@settings(max_examples=500)
def test_every_token_is_written_in_one_cell_and_read_back(token: bytes) -> None:
    written = metadata.escape(token)
    assert metadata.unescape(written) == token
    assert not set("\t\n\r\ufeff") & set(written)
    assert written.strip(metadata.JS_SPACE) == written != ""
    assert metadata.shown_as_written(written)


@pytest.mark.parametrize("label", ["\\", r"\q", r"\x4", r"\u12", r"\UFFFFFFFF"])
def test_text_that_was_not_escaped_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="escape"):
        metadata.unescape(label)


@pytest.mark.parametrize("cell", ["1", "-.5", "+5.", "0b11", "0o17", "1E-5", "\u00a07\n", "  "])
def test_cells_that_javascript_takes_for_numbers(cell: str) -> None:
    assert metadata.is_js_number(cell)


@pytest.mark.parametrize(
    "cell", ["nan", "infinity", "1_000", "1e", "0x", "-0x1", "\u0661", "1n", "."]
)
def test_cells_that_javascript_takes_for_text(cell: str) -> None:
    assert not metadata.is_js_number(cell)


def test_table() -> None:
    table = metadata.encode_table(
        {"token": [b"good", b"\t"], "id": np.array([1, 2]), "norm": np.array([0.25, 1 / 3])}
    )
    assert table.decode() == "token\tid\tnorm\ngood\t1\t0.25\n\\t\t2\t0.333333\n"


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        *((0.0, "0"), (1.0, "1"), (1 / 3, "0.333333"), (123456.7, "123457")),
        *((2.942361e-5, "0.0000294236"), (1e-6, "0.000001"), (-1.5e-5, "-0.000015")),
        *((1e-7, "1e-7"), (1.917054e-7, "1.91705e-7"), (2.5e-45, "2.5e-45")),
        *((1234567.0, "1234570"), (1e20, "100000000000000000000"), (1.5e21, "1.5e+21")),
    ],
)
def test_numbers_are_written_as_javascript_prints_them(number: float, printed: str) -> None:
    table = metadata.encode_table({"token": [b"a"], "norm": np.array([number])})
    assert table.decode().split("\n")[1] == f"a\t{printed}"


@given(
    tokens=st.lists(TOKENS, min_size=2, max_size=8),
    gap=st.integers(0, 60),
)
@example(tokens=["日本語𝄞".encode() * 3] * 4, gap=9)
@settings(max_examples=150)
def test_labels_around_a_chunk_boundary_are_read_as_written(tokens: list[bytes], gap: int) -> None:
    sizes = [450_000, 450_000, 100_000 - gap]
    tokens = [*(b"a" * size for size in sizes), *tokens]
    ids = np.arange(len(tokens))

    table = metadata.encode_table({"token": tokens, "id": ids})

    columns, rows = reader.parse_table(reader.stream_lines(table))
    assert columns == ["token", "id"]
    assert [metadata.unescape(row[0]) for row in rows] == tokens
    assert [float(row[1]) for row in rows] == ids.tolist()


@pytest.mark.parametrize("shift", range(6))
def test_every_chunk_begins_with_a_whole_character(shift: int) -> None:
    tokens = ["a" * shift, *["日" * 149_000] * 8]
    table = metadata.encode_table({"token": tokens, "id": np.arange(9)})
    begins = [table[start] for start in range(0, len(table), metadata.CHUNK_BYTES)]
    assert len(begins) == 4
    assert not any(byte & 0xC0 == 0x80 for byte in begins)


@pytest.mark.parametrize("shift", range(4))
def test_large_multibyte_tables_are_read_as_written(shift: int) -> None:
    tokens = [b"a" * shift, *(f"日本語𝄞{i}".encode() for i in range(99_999))]
    table = metadata.encode_table({"token": tokens, "id": np.arange(100_000)})
    assert len(table) > 2 * metadata.CHUNK_BYTES
    _, rows = reader.parse_table(reader.stream_lines(table))
    assert [metadata.unescape(row[0]) for row in rows] == tokens


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"token": [b"a"]}, "two or more columns"),
        ({"token": [b"a"], "id": np.array([1, 2])}, "one length"),
        ({"token": [b"a"], "class": [b"b"]}, "column of numbers"),
        ({"token": [b"a"], "__next__": np.array([0])}, "__next__"),
        ({"token": [b"a"], "a\tb": np.array([0])}, "plain word"),
        ({"token": [b"a"], "norm": np.array([np.nan])}, "row 0"),
        ({"token": [b"a", b"b"], "n": np.array([0, -(2**53) - 1])}, "-9007199254740993 in row 1"),
        ({"token": [b"a"], "hasOwnProperty": np.array([0])}, "hasOwnProperty"),
        ({"token": [b"a", b"x" * 600_000], "id": np.array([0, 1])}, "Row 1 takes 600003 bytes"),
    ],
)
def test_tables_that_cannot_be_shown_are_refused(columns: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metadata.encode_table(columns)


def test_texts_that_every_javascript_object_has_are_marked_where_they_are_colored() -> None:
    topics = [b"constructor", b"__proto__", b"film"]
    table = metadata.encode_table({"token": topics, "id": np.arange(3)})
    assert table.decode() == "token\tid\n\\&constructor\t0\n\\&__proto__\t1\nfilm\t2\n"

    many = [b"constructor", *(f"word{number}".encode() for number in range(50))]
    assert b"\nconstructor\t" in metadata.encode_table({"token": many, "id": np.arange(51)})


def test_tokens_that_are_all_numbers_still_label_the_points() -> None:
    table = metadata.encode_table(
        {"token": [b"10", b"42"], "id": np.arange(2), "class": ["neg", "pos"]}
    )
    assert table.decode() == "token\tid\tclass\n\\&10\t0\tneg\n\\&42\t1\tpos\n"


@pytest.mark.parametrize(
    ("cell", "number"), [("0x1F", 31), ("0b11", 3), ("0O17", 15), (" 5", 5), ("1e400", np.inf)]
)
def test_cells_as_javascript_reads_them(cell: str, number: float) -> None:
    assert metadata.js_number(cell) == number


def test_a_hexadecimal_number_may_be_too_large() -> None:
    assert metadata.js_number("0x" + "f" * 300) == np.inf


# The texts are those that Node prints.
@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((1e21, "1e+21"), (123456789012345680000.0, "123456789012345680000"), (0.1, "0.1")),
        *((1e-6, "0.000001"), (1e-7, "1e-7"), (1.5e-7, "1.5e-7"), (-0.0, "0"), (1e22, "1e+22")),
        *(
            (0.00012, "0.00012"),
            (5e-324, "5e-324"),
            (-np.inf, "-Infinity"),
            (1e16, "10000000000000000"),
        ),
    ],
)
def test_numbers_as_javascript_prints_them(number: float, text: str) -> None:
    assert metadata.js_text(number) == text

"""Rows of CSV, TSV, JSON lines and Parquet files."""

import gzip
import io
import json
import pathlib
from collections.abc import Callable

import numpy as np
import pyarrow
import pytest
from etils import epath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from components.tfds_example_gen import file_formats
from components.tfds_example_gen.file_formats import Columns, FileError

COLUMNS = Columns("text", "label")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.lists(st.tuples(ANY_TEXT, st.sampled_from(["0", "good", "très bon"])), min_size=1)
EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

Write = Callable[[str, str | bytes], epath.Path]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Returns a function that writes a file of this name and content."""

    def write(name: str, content: str | bytes) -> epath.Path:
        path = epath.Path(tmp_path / name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path: epath.Path, columns: Columns = COLUMNS) -> list[tuple[str, str]]:
    return list(file_formats.rows(path, columns))


def as_csv(rows: list[tuple[str, str]], delimiter: str = ",", quote: str = '"') -> str:
    quoted = [
        [quote + value.replace(quote, quote * 2) + quote for value in row]
        for row in [("text", "label"), *rows]
    ]
    return "".join(f"{delimiter.join(row)}\n" for row in quoted)


@EXAMPLES
@given(rows=ROWS)
def test_csv_round_trips_any_text(write: Write, rows: list[tuple[str, str]]) -> None:
    assert read(write("a.csv", as_csv(rows))) == rows
    assert read(write("a.csv.gz", gzip.compress(as_csv(rows).encode()))) == rows
    assert read(write("a.tsv", as_csv(rows, delimiter="\t"))) == rows
    other = Columns("text", "label", delimiter=";", quote_char="'")
    assert read(write("a.csv", as_csv(rows, delimiter=";", quote="'")), other) == rows


@EXAMPLES
@given(rows=ROWS, ascii_only=st.booleans())
def test_json_lines_round_trip_any_text(
    write: Write, rows: list[tuple[str, str]], ascii_only: bool
) -> None:
    lines = [
        json.dumps({"label": label, "text": text}, ensure_ascii=ascii_only) for text, label in rows
    ]
    assert read(write("a.jsonl", "\n".join(lines))) == rows
    assert read(write("a.JSONL.gz", gzip.compress("\n".join(lines).encode()))) == rows


@EXAMPLES
@given(rows=ROWS)
def test_parquet_round_trips_any_text(write: Write, rows: list[tuple[str, str]]) -> None:
    texts, labels = zip(*rows, strict=True)
    file = io.BytesIO()
    table = pyarrow.table(
        {"n": range(len(rows)), "label": labels, "text": pyarrow.array(texts, "large_string")}
    )
    parquet.write_table(table, file)
    assert read(write("a.parquet", file.getvalue())) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("label,text\n1,2020-01-01\n2,NA\n", [("2020-01-01", "1"), ("NA", "2")]),
        ("label,text\r\n1,\r\n\r\n2,b\r\n", [("", "1"), ("b", "2")]),
        ('label,text\n1,"a\r\nb"\n', [("a\r\nb", "1")]),
        ("\ufefflabel,text\n 1 ,a\n", [("a", "1")]),
        ("label,n,text\n1,not a number,a\n", [("a", "1")]),
    ],
)
def test_values_of_csv_arrive_as_they_are(
    write: Write, content: str, rows: list[tuple[str, str]]
) -> None:
    assert read(write("a.csv", content)) == rows


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1251", "utf-8-sig"])
def test_other_encodings(write: Write, encoding: str) -> None:
    text = "ж" if encoding == "cp1251" else "ä"
    columns = Columns("text", "label", encoding=encoding)
    assert read(write("a.csv", f"text,label\n{text},1\n".encode(encoding)), columns) == [
        (text, "1")
    ]
    line = json.dumps({"text": text, "label": 1}, ensure_ascii=False)
    assert read(write("a.jsonl", line.encode(encoding)), columns) == [(text, "1")]


def test_a_file_without_header(write: Write) -> None:
    columns = Columns("text", "label", column_names=["label", "text"])
    assert read(write("a.csv", "1,a\n2,b\n"), columns) == [("a", "1"), ("b", "2")]


def test_names_of_columns_are_given_to_csv_files_alone(write: Write) -> None:
    columns = Columns("text", "label", column_names=["label", "text"])
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a"], "label": ["1"]}), file)
    assert file_formats.column_names(write("a.tsv", ""), columns) == ["label", "text"]
    assert file_formats.column_names(write("a.parquet", file.getvalue()), columns) == [
        "text",
        "label",
    ]
    assert file_formats.column_names(write("a.jsonl", "{}"), columns) == []


@pytest.mark.parametrize(
    ("label", "name"), [(3, "3"), (True, "true"), (4.0, "4"), (4.5, "4.5"), (" good ", "good")]
)
def test_labels_become_names(write: Write, label: object, name: str) -> None:
    line = json.dumps({"text": "a", "label": label})
    assert read(write("a.jsonl", f"\n{line}\n")) == [("a", name)]


def nested(suffix: str) -> str | bytes:
    """Returns the content of a file with fields in objects; the second row lacks the object."""
    rows = [{"stars": 4, "review": {"text": "a", "by": {"text": "b"}}}, {"stars": 5}]
    if suffix == ".jsonl":
        return "\n".join(map(json.dumps, rows))
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("suffix", "fields", "missing"),
    [
        (".jsonl", "'stars', 'review/text', 'review/by/text'", "row 2: .* 'review/by/text'"),
        (".parquet", "'stars', 'review/by/text', 'review/text'", "row 2: 'review/by/text' is miss"),
    ],
)
def test_fields_in_objects_are_named_by_their_path(
    write: Write, suffix: str, fields: str, missing: str
) -> None:
    path = write(f"a{suffix}", nested(suffix))
    rows = file_formats.rows(path, Columns("review/by/text", "stars"))
    assert next(rows) == ("b", "4")
    with pytest.raises(FileError, match=missing):
        next(rows)
    for name in ("review/txt", "review"):
        with pytest.raises(FileError, match=rf"found {fields}\. Did you mean 'review/text'\?"):
            read(path, Columns(name, "stars"))


def test_integers_that_pandas_made_floats_keep_their_names(write: Write) -> None:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": np.array([1.0, 2.0])}), file)
    assert read(write("a.parquet", file.getvalue())) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "texts,label\na,1\n",
            "column 'text', found 'texts', 'label'. Did you mean 'texts'",
        ),
        ("a.csv", "text,label,text\na,1,b\n", "one column 'text', found 'text', 'label', 'text'"),
        ("a.csv", "text,label\na,1\nb\n", "Row #3: Expected 2 columns, got 1"),
        ("a.csv", "text,label\na,1\nb,2,3\n", "Row #3: Expected 2 columns, got 3"),
        ("a.csv", "text,label\na,1\nb,\n", "row 3: 'label' is missing; expected"),
        ("a.csv", "text,label\na,1\nb,' '\n", None),
        ("a.csv", "text,label\na,1\nb,  \n", "row 3: 'label' is '  '; expected"),
        ("a.csv", b"text,label\na,1\n\xff,2\n", "line 3: not in the encoding 'utf8'"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", 'text,label\n"a\nb\n', "Row #2: Expected 2 columns"),
        ("a.csv.gz", b"text,label\n", "Not a gzipped file"),
        (
            "a.csv.gz",
            gzip.compress(b"text,label\n" + b"a,b\n" * 99, mtime=0)[:-9],
            "Truncated compressed stream",
        ),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"}\n', "row 2: .*'label', found 'text'"),
        ("a.jsonl", '{"text": "a", "label": null}', "row 1: 'label' is missing"),
        ("a.jsonl", '{"text": "a", "label": NaN}', "row 1: 'label' is nan"),
        ("a.jsonl", '{"text": "a", "label": [1]}', r"row 1: 'label' is \[1\]"),
        ("a.jsonl", '{"text": "a", "label": "b\\nc"}', "row 1: 'label' is 'b"),
        ("a.jsonl", '{"text": null, "label": 1}', "row 1: 'text' is missing; expected a text"),
        ("a.jsonl", '{"text": 5, "label": 1}', "row 1: 'text' is 5; expected a text"),
        ("a.jsonl", '{"text": "\\ud800", "label": 1}', "row 1: .*surrogate"),
        ("a.jsonl", "{}\n{", "row 1: expected one column 'text'"),
        ("a.jsonl", '\n{"text"', "row 2: not JSON"),
        ("a.jsonl", "5", "row 1: expected a JSON object, found '5'"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n"\xff"', "line 2: not in the encoding 'utf8'"),
        ("a.parquet", b"PAR1", "Parquet file size is 4 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_row(
    write: Write, name: str, content: str | bytes, message: str | None
) -> None:
    path = write(name, content)
    if message is None:
        assert len(read(path)) == 2
        return
    with pytest.raises(FileError, match=rf"(?s){path}.*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"one\n\xff", ", line 2: not in the encoding 'utf8'"),
        ("a.txt.gz", b"one", ": Not a gzipped file"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_file(
    write: Write, name: str, content: bytes, message: str
) -> None:
    path = write(name, content)
    with pytest.raises(FileError, match=f"^{path}{message}"):
        file_formats.text(path, "utf8")


def test_a_value_that_another_encoding_lacks_is_refused_with_its_line(write: Write) -> None:
    path = write("a.csv", b"text,label\na,1\n\x81,2\n")
    with pytest.raises(FileError, match="line 3: not in the encoding 'cp1252'"):
        read(path, Columns("text", "label", encoding="cp1252"))
    with pytest.raises(FileError, match="unknown encoding: klingon"):
        read(path, Columns("text", "label", encoding="klingon"))


def test_rows_are_counted_from_the_first_where_there_is_no_header(write: Write) -> None:
    columns = Columns("text", "label", column_names=["text", "label"])
    with pytest.raises(FileError, match="row 2: 'label' is missing"):
        read(write("a.csv", "a,1\nb,\n"), columns)


def test_a_quote_that_is_not_closed_is_named_where_it_swallows_a_block(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_formats, "_BLOCK_BYTES", 1000)
    with pytest.raises(FileError, match="larger than 1,000 bytes; is a quoted value not closed"):
        read(write("a.csv", 'text,label\n"a,1\n' + "b,2\n" * 1000))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_label_of_parquet_is_refused_with_its_row(
    write: Write, missing: float | None
) -> None:
    file = io.BytesIO()
    labels = pyarrow.array([1.0, missing], "float64")
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": labels}), file)
    with pytest.raises(FileError, match=r"row 2: 'label' is (missing|nan)"):
        read(write("a.parquet", file.getvalue()))

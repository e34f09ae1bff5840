"""Reads the text and label columns of CSV, TSV, JSON lines and Parquet files.

Neither this module nor `files` imports TensorFlow, unless a path is in an object store.
"""

import codecs
import contextlib
import csv as stdlib_csv
import dataclasses
import difflib
import gzip
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, cast

import pyarrow
from etils import epath
from pyarrow import csv, parquet

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*_DELIMITERS, ".jsonl", ".parquet")
# A row of a CSV file must fit into a block. Arrow reads many blocks ahead: a file of 1.3 GB took
# 1,200 MB of memory with blocks of 32 MB, and 310 MB with these.
_BLOCK_BYTES = 2**23


class FileError(ValueError):
    """A file or a row of it cannot be used; the message says which and why."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """Says which columns to read, and how.

    Attributes:
        text: Name of the text's column; of a field in an object of JSON lines or in a struct of
            Parquet, 'review/text'.
        label: Name of the label's column.
        encoding: Encoding of all files but Parquet's.
        delimiter: Delimiter of CSV files; None for a comma, or a tab in .tsv files.
        quote_char: Character that quotes values of CSV files.
        column_names: Names of the columns of CSV files without a header.
    """

    text: str
    label: str
    encoding: str = "utf8"
    delimiter: str | None = None
    quote_char: str = '"'
    column_names: Sequence[str] = ()


def suffix(path: epath.Path) -> str:
    """Returns the suffix that names a file's format, such as '.csv' for 'reviews.CSV.gz'."""
    suffixes = [each.lower() for each in path.suffixes if each.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def column_names(path: epath.Path, columns: Columns) -> list[str]:
    """Returns the names of a file's columns; none for JSON lines, where each row has its own.

    Args:
        path: The file, perhaps compressed.
        columns: How to read it; `column_names` replaces a header.

    Raises:
        FileError: The file cannot be read.
    """
    if suffix(path) in _DELIMITERS and columns.column_names:
        return list(columns.column_names)
    with _opened(path, columns.encoding) as file:
        if suffix(path) == ".parquet":
            return [name for name, _ in _parquet_columns(parquet.ParquetFile(file))]
        if suffix(path) in _DELIMITERS:
            return _header(path, file, columns)
    return []


def _header(path: epath.Path, file: IO[bytes], columns: Columns) -> list[str]:
    # Not by Arrow, which would read a whole block.
    lines = io.TextIOWrapper(file, _without_mark(columns.encoding), newline="")
    reader = stdlib_csv.reader(
        lines, delimiter=_delimiter(path, columns), quotechar=columns.quote_char
    )
    header = next(filter(None, reader), None)
    if header is None:
        raise FileError(f"{path}: the file is empty; expected at least one row.")
    return header


def rows(path: epath.Path, columns: Columns) -> Iterator[tuple[str, str]]:
    """Yields the text and the label of each row of a file, the label as the name of its class.

    Args:
        path: The file, perhaps compressed.
        columns: Which columns to read, and how.

    Raises:
        FileError: The file lacks a column, or cannot be read, or a row has no text or no label.
    """
    readers = {".parquet": _parquet_rows, ".jsonl": _json_rows}
    read = readers.get(suffix(path), _csv_rows)
    with _opened(path, columns.encoding) as file:
        for row, text, label in read(path, file, columns):
            if not isinstance(text, str):
                raise _refusal(path, row, columns.text, text, "a text")
            name = _class_name(label)
            if not name or "\n" in name:
                raise _refusal(path, row, columns.label, label, "the name or number of a class")
            yield text, name


def text(path: epath.Path, encoding: str) -> str:
    """Returns the text of a file.

    Args:
        path: The file, perhaps compressed.
        encoding: Its encoding.

    Raises:
        FileError: The file cannot be read.
    """
    with _opened(path, encoding) as file:
        return file.read().decode(_without_mark(encoding))


def _without_mark(encoding: str) -> str:
    """Returns the encoding that skips UTF-8's byte order mark, as Arrow does for CSV."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


@contextlib.contextmanager
def uncompressed(path: epath.Path) -> Iterator[IO[bytes]]:
    """Opens a file, and decompresses it if its name ends in .gz."""
    with path.open("rb") as stored:
        if path.suffix.lower() == ".gz":
            yield cast(IO[bytes], gzip.GzipFile(fileobj=stored))
        else:
            yield stored


@contextlib.contextmanager
def _opened(path: epath.Path, encoding: str) -> Iterator[IO[bytes]]:
    """Opens a file, uncompressed, and turns errors of reading it into FileErrors."""
    try:
        with uncompressed(path) as file:
            yield file
    except FileError:
        raise
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}, line {_undecodable_line(path, encoding)}: not in the encoding {encoding!r} "
            f"({error.reason}). Set `encoding` to that of the file."
        ) from error
    # Arrow's errors are among these.
    except (ValueError, OSError, EOFError, LookupError, stdlib_csv.Error) as error:
        message = str(error)
        if "straddles two block boundaries" in message:
            message = f"a row is larger than {_BLOCK_BYTES:,} bytes; is a quoted value not closed?"
        elif "UTF8" in message:
            message += "; set `encoding` to that of the file."
        raise FileError(f"{path}: {message}") from error


def _csv_rows(
    path: epath.Path, file: IO[bytes], columns: Columns
) -> Iterator[tuple[int, str, str]]:
    _require(path, column_names(path, columns), columns)
    row = 1 if columns.column_names else 2  # As Arrow's errors count them: the header is row 1.
    for batch in _open_csv(path, file, columns):
        for text, label in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield row, text, label
            row += 1


def _open_csv(path: epath.Path, file: IO[bytes], columns: Columns) -> csv.CSVStreamingReader:
    wanted = [columns.text, columns.label]
    # Arrow opens local files itself: a process that ends, as after a refused row, aborts while
    # Arrow's thread reads ahead in a Python file.
    source = file if "://" in os.fspath(path) else os.fspath(path)
    compression = "gzip" if path.suffix.lower() == ".gz" and source is not file else None
    return csv.open_csv(
        pyarrow.input_stream(source, compression=compression),
        # Arrow numbers rows in its errors only when it does not use threads.
        read_options=csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK_BYTES,
            encoding=columns.encoding,
            column_names=list(columns.column_names) or None,
        ),
        parse_options=csv.ParseOptions(
            delimiter=_delimiter(path, columns),
            quote_char=columns.quote_char,
            newlines_in_values=True,
        ),
        convert_options=csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, "string")
        ),
    )


def _delimiter(path: epath.Path, columns: Columns) -> str:
    return columns.delimiter or _DELIMITERS[suffix(path)]


def _parquet_rows(
    path: epath.Path, file: IO[bytes], columns: Columns
) -> Iterator[tuple[int, Any, Any]]:
    table = parquet.ParquetFile(file)
    stored = _parquet_columns(table)
    _require(path, [name for name, _ in stored], columns)
    wanted = {column for name, column in stored if name in (columns.text, columns.label)}
    row = 1
    for batch in table.iter_batches(columns=sorted(wanted)):
        for values in map(dict, map(flat, batch.to_pylist())):
            # A struct that is null has no fields.
            yield row, values.get(columns.text), values.get(columns.label)
            row += 1


def _parquet_columns(file: parquet.ParquetFile) -> list[tuple[str, str]]:
    """Returns each field, named as by `flat` if it is in a struct, with its column."""

    def names(field: pyarrow.Field, parent: str = "") -> Iterator[str]:
        if not pyarrow.types.is_struct(field.type):
            yield parent + field.name
            return
        for inner in field.type:
            yield from names(inner, f"{parent}{field.name}/")

    return [(name, column.name) for column in file.schema_arrow for name in names(column)]


def _json_rows(
    path: epath.Path, file: IO[bytes], columns: Columns
) -> Iterator[tuple[int, Any, Any]]:
    lines = io.TextIOWrapper(file, _without_mark(columns.encoding), newline="\n")
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise FileError(f"{path}, row {row}: not JSON: {error}") from error
        if not isinstance(values, dict):
            raise FileError(
                f"{path}, row {row}: expected a JSON object, found {line.strip()!r:.60}."
            )
        values = dict(flat(values))
        _require(path, list(values), columns, row)
        text = values[columns.text]
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            raise FileError(f"{path}, row {row}: the text has half a surrogate pair.")
        yield row, text, values[columns.label]


def flat(values: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the fields of an object; those of nested objects have names such as 'review/text'."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{parent}{name}/")
        else:
            yield f"{parent}{name}", value


def _require(path: epath.Path, names: Sequence[str], columns: Columns, row: int = 0) -> None:
    """Refuses a file or row that lacks a column, or has two columns of its name."""
    for name in (columns.text, columns.label):
        if list(names).count(name) == 1:
            continue
        near = difflib.get_close_matches(name, names, n=1)
        place = f"{path}, row {row}" if row else f"{path}"
        raise FileError(
            f"{place}: expected one column {name!r}, found {', '.join(map(repr, names))}."
            f"{f' Did you mean {near[0]!r}?' if near and near[0] != name else ''}"
        )


def _class_name(label: Any) -> str | None:
    """Returns a label as the name of its class, such as '4' for 4 or 4.0; None if there is none."""
    match label:
        case str():
            return label.strip()  # TFDS strips names, too.
        case bool():
            return str(label).lower()
        case int():
            return str(label)
        case float() if math.isfinite(label):
            return str(int(label)) if label.is_integer() else str(label)
    return None


def _refusal(path: epath.Path, row: int, column: str, found: Any, expected: str) -> FileError:
    missing = found is None or found == ""
    return FileError(
        f"{path}, row {row}: {column!r} is {'missing' if missing else format(repr(found), '.60')}; "
        f"expected {expected}."
    )


def _undecodable_line(path: epath.Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)()
    number = 1
    with uncompressed(path) as file, contextlib.suppress(UnicodeDecodeError):
        for line in file:
            number += decoder.decode(line).count("\n")
    return number

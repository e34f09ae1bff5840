"""Rules for a file of labels: whether each point shows the cells of its own line."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

import tensorflow as tf

from components.projector_directory import reader
from components.projector_directory.metadata import (
    MAX_COLORED_TEXTS,
    OBJECT_PROPERTIES,
    RESERVED_COLUMNS,
    is_js_number,
    js_number,
    js_text,
    shown_as_written,
)
from components.projector_directory.verify.violation import Finding, Violation

# Numbers of so few digits keep their value in JavaScript; most are such.
_SHORT_NUMBER = re.compile(r"-?\d{1,15}|-?\d{1,9}\.\d{1,9}", re.ASCII)


def check_metadata(path: str, name: str, points: int) -> Finding[Sequence[str]]:
    """Checks a file of labels.

    Args:
        path: Where it is.
        name: What the configuration calls it.
        points: The rows of the tensor that it labels.

    Yields:
        What TensorBoard would show otherwise than it is written.

    Returns:
        The names of the columns; none if TensorBoard cannot read them.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    header = b"\t" in content.partition(b"\n")[0]
    try:
        text = reader.served_text(content)
        seen = reader.stream_lines(text.encode())
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) - header
        yield Violation(
            name, row if row >= 0 else None, f"is not UTF-8, and is not served: {error.reason}"
        )
        return ()
    except reader.ParsingHangsError as error:
        yield Violation(name, None, f'TensorBoard hangs at "Parsing metadata…": {error}')
        return ()
    yield from _check_lines(name, content.decode("utf-8-sig").split("\n"), seen, header)
    columns, rows = reader.parse_table(seen)
    yield from _check_column_names(name, columns)
    yield from _check_row_count(name, columns, len(rows), points)
    yield from _check_cells(name, columns, rows)
    return columns


def _check_lines(
    name: str, written: Sequence[str], seen: Sequence[str], header: bool
) -> Iterator[Violation]:
    last = len(written) - 1  # What follows the last newline: nothing, or a line that is cut.
    for number, (line, shown) in enumerate(itertools.zip_longest(written, seen, fillvalue="")):
        line = line.removesuffix("\r")
        row = number - header if number >= header else None
        if number < last and reader.is_blank(line):
            yield Violation(
                name, row, "is a blank line, which is skipped: the labels below move up"
            )
        elif "\r" in line:
            yield Violation(name, row, "holds a carriage return, which is dropped")
        elif line != shown:
            yield Violation(
                name, row, f"is broken where two chunks of 1,000,000 bytes meet: {shown!r}"
            )


def _check_column_names(name: str, columns: Sequence[str]) -> Iterator[Violation]:
    for column, count in Counter(columns).items():
        if not column.strip():
            yield Violation(name, None, "a column has no name")
        if count > 1:
            yield Violation(
                name, None, f"{count} columns are called {column!r}: only the last is seen"
            )
        if column in RESERVED_COLUMNS:
            yield Violation(
                name, None, f"a column must not be called {column!r}: TensorBoard uses it"
            )


def _check_row_count(
    name: str, columns: Sequence[str], rows: int, points: int
) -> Iterator[Violation]:
    if rows == points:
        return
    reason = "labels and points do not belong together"
    if len(columns) == 1 and rows == points + 1:
        reason = "a single column takes no header line"
    if len(columns) > 1 and rows == points - 1:
        reason = "a first line with tabs is taken for a header"
    yield Violation(name, None, f"has {rows} rows for {points} points: {reason}")


def _check_cells(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[Violation]:
    are_texts = _text_columns(len(columns), rows)
    yield from _check_legends(name, columns, rows)
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            yield Violation(name, number, f"has {len(row)} cells for {len(columns)} columns")
        for column, is_text, cell in zip(columns, are_texts, row, strict=False):
            if problem := _cell_problem(cell, is_text):
                yield Violation(name, number, f"column {column!r} is {problem}")


def _cell_problem(cell: str, is_text: bool) -> str | None:
    if not cell:
        return "empty: searching it fails"
    if reader.is_blank(cell):
        return f"{cell!r}, which becomes 0"
    if is_text and not shown_as_written(cell):
        return f"{cell!r}, which becomes a number and is shown otherwise"
    if not is_text and not _keeps_its_value(cell):
        return f"{cell!r}, which JavaScript makes {js_text(js_number(cell))}"
    return None


def _keeps_its_value(cell: str) -> bool:
    """Returns whether JavaScript keeps an integer exactly, and another number to float64's eps."""
    if _SHORT_NUMBER.fullmatch(cell):
        return True
    text = cell.strip()
    shown = js_text(js_number(cell))
    if shown == text:
        return True
    if "I" in shown:  # Infinity.
        return False
    written = Fraction(text) if text[1:2].lower() not in ("x", "o", "b") else Fraction(int(text, 0))
    if written.denominator == 1:
        return written == Fraction(shown)
    return abs(written - Fraction(shown)) <= abs(written) / 2**52


def _check_legends(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[Violation]:
    for place, column in enumerate(columns):
        cells = {row[place] for row in rows if len(row) > place}
        if len(cells) <= MAX_COLORED_TEXTS and (found := OBJECT_PROPERTIES & cells):
            yield Violation(
                name,
                None,
                f"column {column!r} colors by {sorted(found)}, which TensorBoard cannot count: "
                "every JavaScript object has such a property",
            )


def _text_columns(columns: int, rows: Sequence[Sequence[str]]) -> list[bool]:
    """Tells which columns show texts: those with a text in them, or else the first."""
    texts = [
        any(len(row) > i and row[i] and not is_js_number(row[i]) for row in rows)
        for i in range(columns)
    ]
    # TensorBoard labels the points by the first column if it finds no text in any.
    texts[0] |= not any(texts)
    return texts

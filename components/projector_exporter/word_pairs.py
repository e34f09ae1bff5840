"""Reads pairs of words that people have judged, such as WordSim-353."""

import csv
import math
import pathlib
from collections.abc import Iterator

# Two words and a score.
WordPair = tuple[str, str, float]


def read_word_pairs(path: str) -> tuple[WordPair, ...]:
    """Reads a file of word pairs.

    Args:
        path: A UTF-8 file with a pair in each row: two words and a number, which is higher the more
            similar or related they are, separated by tabs or commas. A header, further columns, and
            lines that are empty or begin with # are ignored.

    Returns:
        The pairs, in the file's order.

    Raises:
        ValueError: There is no such file, it holds no pair, or a row is not a pair.
    """
    try:
        text = pathlib.Path(path).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The word pairs {path} cannot be read: {error}") from error
    rows = list(_rows(text))
    if rows and _pair(rows[0][1]) is None:
        rows = rows[1:]  # A header.
    pairs = []
    for number, row in rows:
        pair = _pair(row)
        if pair is None:
            raise ValueError(
                f"The word pairs {path}, line {number}: expected two words and a number, separated "
                f"by tabs or commas. Received: {row}."
            )
        pairs.append(pair)
    if not pairs:
        raise ValueError(f"The word pairs {path}: there is no row of two words and a number.")
    return tuple(pairs)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    delimiter = "\t" if "\t" in text else ","
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            (row,) = csv.reader([line], delimiter=delimiter)
            yield number, row


def _pair(row: list[str]) -> WordPair | None:
    try:
        first, second, score = row[:3]
        number = float(score)
    except ValueError:
        return None
    return (first, second, number) if math.isfinite(number) else None

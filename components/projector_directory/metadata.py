r"""Metadata tables whose labels TensorBoard's projector shows unchanged.

TensorBoard splits a table at tabs and newlines, has no quoting, and turns every cell that
JavaScript reads as a number into that number. Tokens are therefore written with these escapes:

==============  ==================================================================
written         stands for
==============  ==================================================================
``\\``          a backslash
``\t \n \r``    tab, newline, carriage return
``\s``          a space that cannot be seen: first, last, or after another space
``\xHH``        another control character below 0x80, or a byte that is not UTF-8
``\uHHHH``      an invisible character (control, format, space) beyond ASCII
``\UHHHHHHHH``  the same above U+FFFF
``\&``          nothing. It makes an empty token visible, and keeps 007, 1e3 or 0,
                which would be shown as 7, 1000 and an empty label, from becoming numbers
==============  ==================================================================

Zero-width joiner and non-joiner are not escaped: words and emoji are spelled with them.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

# TensorBoard's page decodes a table in chunks of this many bytes, each on its own.
CHUNK_BYTES = 1_000_000
# Of two neighboring lines of at most this size only one can cross a chunk boundary, so that spaces
# in the line above can shift it.
_MAX_LINE_BYTES = CHUNK_BYTES // 2 - 8

# The first two draw lines between points. A JavaScript object cannot hold the third, and with the
# fourth TensorBoard's card of a point fails.
RESERVED_COLUMNS = frozenset({"__next__", "__seq_next__", "__proto__", "hasOwnProperty"})
# Properties of every JavaScript object. TensorBoard counts the values of a column in an object, and
# finds these there before it has counted one.
OBJECT_PROPERTIES = frozenset(
    (
        *("__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__"),
        *("__proto__", "constructor", "hasOwnProperty", "isPrototypeOf"),
        *("propertyIsEnumerable", "toLocaleString", "toString", "valueOf"),
    )
)
# TensorBoard colors by the texts of a column if there are no more different ones.
MAX_COLORED_TEXTS = 50
# JavaScript's numbers hold every integer exactly up to here.
MAX_INTEGER = 2**53

# What JavaScript's trim() removes.
JS_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
# The texts that JavaScript's Number() reads as a number, without white space around them.
_JS_NUMBER = re.compile(
    r"[+-]?(Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+",
    re.ASCII,
)
# Texts, as bytes or str, or a vector of finite numbers.
Column = Sequence[bytes] | Sequence[str] | np.ndarray

_SHORT_ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "s": " ", "&": ""}
_ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-f]{2})|u(?P<u>[0-9a-f]{4})|U(?P<U>[0-9a-f]{8})|(?P<short>.?))", re.DOTALL
)
_UNSEEN_SPACE = re.compile(r"\A |(?<= ) | \Z")


class _Escapes(dict[int, str]):
    """Maps code points to their escapes, for `str.translate`; filled on demand."""

    def __missing__(self, code: int) -> str:
        self[code] = _written(chr(code))
        return self[code]


def _written(character: str) -> str:
    code = ord(character)
    if character in "\\\t\n\r":
        return {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}[character]
    if 0xDC80 <= code <= 0xDCFF:  # A byte that is not UTF-8, by Python's surrogateescape.
        return f"\\x{code - 0xDC00:02x}"
    invisible = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs")
    if not invisible or character in " \u200c\u200d":
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_ESCAPES = _Escapes()


def _is_word(text: str) -> bool:
    """Returns whether a text is letters followed by letters and digits: most tokens, quickly."""
    return text.isidentifier() and text != "Infinity"


def escape(token: bytes | str) -> str:
    """Returns the cell that makes TensorBoard show a token whole.

    Args:
        token: Any text, or any bytes, normally UTF-8.

    Returns:
        Text with the escapes of the module's docstring. Ordinary words are unchanged, and
        different tokens get different texts.
    """
    text = token if isinstance(token, str) else token.decode("utf-8", "surrogateescape")
    if _is_word(text):
        return text
    text = text.translate(_ESCAPES)
    text = _UNSEEN_SPACE.sub(r"\\s", text)
    return text if text and shown_as_written(text) else r"\&" + text


def unescape(label: str) -> bytes:
    """Returns the token that `escape` was given.

    Args:
        label: A cell of a table.

    Returns:
        The token.

    Raises:
        ValueError: A backslash is not followed by one of the escapes.
    """

    def read(match: re.Match[str]) -> str:
        if match["byte"]:
            return bytes.fromhex(match["byte"]).decode("utf-8", "surrogateescape")
        if code := match["u"] or match["U"]:
            return chr(int(code, 16))
        if match["short"] not in _SHORT_ESCAPES:
            raise ValueError(f"{label!r} has the unknown escape {match[0]!r}.")
        return _SHORT_ESCAPES[match["short"]]

    return _ESCAPE.sub(read, label).encode("utf-8", "surrogateescape")


def is_js_number(cell: str) -> bool:
    """Returns whether TensorBoard takes a cell for a number.

    Args:
        cell: A cell that is not empty. White space alone is the number 0.

    Returns:
        What JavaScript's `!isNaN(cell)` says.
    """
    if _is_word(cell):
        return False
    text = cell.strip(JS_SPACE)
    return not text or _JS_NUMBER.fullmatch(text) is not None


def shown_as_written(cell: str) -> bool:
    """Returns whether TensorBoard's label for a cell is the cell's own text.

    Args:
        cell: A cell that is not empty.

    Returns:
        False for numbers that are shown otherwise, such as 007 and 1e3, or not at all, such as 0.
    """
    return not is_js_number(cell) or (cell != "0" and js_text(js_number(cell)) == cell)


def js_number(cell: str) -> float:
    """Returns the number that JavaScript reads.

    Args:
        cell: A cell for which `is_js_number` holds.
    """
    text = cell.strip(JS_SPACE)
    if text[:2].lower() in ("0x", "0o", "0b"):
        try:
            return float(int(text, 0))
        except OverflowError:
            return math.inf
    return float(text or 0)


def js_text(number: float) -> str:
    """Returns how JavaScript prints a number: the shortest digits, an exponent from 1e21 on."""
    if not math.isfinite(number):
        return str(number).replace("inf", "Infinity")
    if number == 0:
        return "0"
    digits, _, exponent = repr(number).partition("e")
    if not exponent:
        return digits.removesuffix(".0")
    if 1e-6 <= abs(number) < 1e21:
        return np.format_float_positional(number, trim="-")
    return f"{digits}e{int(exponent):+d}"


def encode_table(columns: Mapping[str, Column]) -> bytes:
    """Encodes a table with a header line.

    TensorBoard decodes the file in chunks and breaks a character that lies across two. Up to three
    spaces before a number in the line above, which TensorBoard ignores, shift such a character into
    the next chunk.

    Args:
        columns: By name, in order: texts, or a vector of finite numbers. All have one length. There
            are two or more, as TensorBoard expects no header line of a single column; at least one
            has numbers, for the spaces.

    Returns:
        UTF-8 lines, each ended by a newline.

    Raises:
        ValueError: The columns differ in length, there are too few, TensorBoard reserves a name, a
            number is not finite, or a line is longer than half a chunk.
    """
    _check_columns(columns)
    numbers = [isinstance(column, np.ndarray) for column in columns.values()]
    spaced = len(numbers) - 1 - numbers[::-1].index(True)
    cells = [
        _format_numbers(name, column) if isinstance(column, np.ndarray) else _escape_all(column)
        for name, column in columns.items()
    ]
    if not numbers[0] and all(map(is_js_number, cells[0])):
        # TensorBoard labels the points by the first column that does not hold numbers alone.
        cells[0] = [rf"\&{cell}" for cell in cells[0]]
    previous = list(columns)
    lines = [_line(previous)]
    size = len(lines[0])
    for number, row in enumerate(zip(*cells, strict=True)):
        line = _line(row)
        if len(line) > _MAX_LINE_BYTES:
            raise ValueError(
                f"Row {number} takes {len(line)} bytes, at most {_MAX_LINE_BYTES} can be shown: "
                f"{line[:40]!r}… Is the vocabulary split into tokens?"
            )
        if spaces := _bytes_across_boundary(line, size):
            previous[spaced] = " " * spaces + previous[spaced]
            lines[-1] = _line(previous)
            size += spaces
        lines.append(line)
        size += len(line)
        previous = list(row)
    return b"".join(lines)


def _check_columns(columns: Mapping[str, Column]) -> None:
    for name in columns:
        if not name.strip() or name in RESERVED_COLUMNS or escape(name.encode()) != name:
            raise ValueError(
                f"{name!r} cannot be the name of a metadata column; take a plain word."
            )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(lengths) < 2 or len(set(lengths.values())) != 1:
        raise ValueError(f"Expected two or more columns of one length, found {lengths}.")
    if not any(isinstance(column, np.ndarray) for column in columns.values()):
        raise ValueError(f"Expected a column of numbers among {list(columns)}.")


def _escape_all(texts: Sequence[bytes] | Sequence[str]) -> list[str]:
    cells = list(map(escape, texts))
    if OBJECT_PROPERTIES.isdisjoint(cells) or len(set(cells)) > MAX_COLORED_TEXTS:
        return cells
    return [rf"\&{cell}" if cell in OBJECT_PROPERTIES else cell for cell in cells]


def _format_numbers(name: str, numbers: np.ndarray) -> list[str]:
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"Column {name!r} has {numbers[row]} in row {row}, not a finite number.")
    if not np.issubdtype(numbers.dtype, np.integer):
        # As JavaScript prints them, because TensorBoard searches what it prints.
        return [js_text(float(f"{number:.6g}")) for number in numbers.tolist()]
    for row, number in enumerate(numbers.tolist()):
        if abs(number) > MAX_INTEGER:
            raise ValueError(
                f"Column {name!r} has {number} in row {row}; JavaScript has no integers beyond "
                f"{MAX_INTEGER}. Make the column floats."
            )
    return [str(number) for number in numbers.tolist()]


def _line(cells: Sequence[str]) -> bytes:
    return ("\t".join(cells) + "\n").encode()


def _bytes_across_boundary(line: bytes, start: int) -> int:
    """Returns how many bytes of a character lie before a chunk boundary that cuts it, or 0."""
    boundary = -start % CHUNK_BYTES
    count = 0
    while boundary < len(line) and line[boundary - count] & 0xC0 == 0x80:
        count += 1
    return count

"""Reads files of a projector directory as TensorBoard's server and page do, flaws included.

It follows TensorBoard 2.16.2; the projector code of 2.21 differs only in a check of paths. `verify`
judges what is read.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from components.projector_directory.metadata import CHUNK_BYTES, JS_SPACE


class ParsingHangsError(ValueError):
    """TensorBoard would stay at "Parsing metadata…" forever."""


def served_text(content: bytes) -> str:
    """Returns the text that the server sends of a metadata file: without carriage returns.

    Args:
        content: The file.

    Raises:
        UnicodeDecodeError: The file is not UTF-8. The server answers 500.
    """
    return content.decode().replace("\r", "")


def stream_lines(content: bytes) -> list[str]:
    """Splits a served metadata file into lines as `streamParse` in `data-provider.ts` does.

    Args:
        content: The served bytes.

    Returns:
        The lines, blank ones included, as the page sees them: a character that lies across two
        chunks is broken, a byte order mark at the start of a chunk is removed, and a single byte
        after the last full chunk is ignored.

    Raises:
        ParsingHangsError: The last chunk holds no newline.
    """
    lines: list[str] = []
    rest = ""
    offset = 0
    while True:
        chunk = content[offset : offset + CHUNK_BYTES].decode("utf-8-sig", "replace")
        offset += CHUNK_BYTES
        first, *others = chunk.split("\n")
        rest += first
        if not others:
            if offset >= len(content):
                raise ParsingHangsError("its last chunk of 1,000,000 bytes holds no newline")
            continue
        lines += [rest, *others[:-1]]
        rest = others[-1]
        if offset >= len(content) - 1:
            return [*lines, rest] if rest else lines


def is_blank(line: str) -> bool:
    """Returns whether the page skips a line of a metadata file."""
    return not line.strip(JS_SPACE)


def parse_table(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Makes a table of lines as `parseMetadata` in `data-provider.ts` does.

    Args:
        lines: The result of `stream_lines`.

    Returns:
        The names of the columns, and the cells of each row as written. A first line with a tab
        is a header; without one the single column is called 'label'.
    """
    # Tuples, because the garbage collector would revisit as many lists again and again.
    rows = [tuple(line.split("\t")) for line in lines if not is_blank(line)]
    if rows and len(rows[0]) > 1:
        return list(rows[0]), rows[1:]
    return ["label"], rows


def open_tensor_file(
    path: str, shape: Sequence[int]
) -> tuple[tuple[int, ...], Callable[[slice], np.ndarray]]:
    """Opens a file that `tensor_path` names, and decides its format as the server does.

    Args:
        path: The file: tab-separated numbers or, if it is not UTF-8, raw float32 values.
        shape: The configured `tensor_shape`, for raw values.

    Returns:
        The shape, and a function that reads some of the rows as float32.

    Raises:
        ValueError: The file is neither. The server then answers 500 to every request for its runs.
    """
    try:
        values = _read_text(path)
    except UnicodeDecodeError:
        return _open_raw(path, shape)
    return values.shape, values.__getitem__


def _read_text(path: str) -> np.ndarray:
    rows = []
    with tf.io.gfile.GFile(path, "rb") as file:
        for line in file:
            text = line.decode().rstrip("\n")
            if text:
                rows.append([float(cell) for cell in text.split("\t")])
    return np.array(rows, np.float32)


def _open_raw(
    path: str, shape: Sequence[int]
) -> tuple[tuple[int, int], Callable[[slice], np.ndarray]]:
    if len(shape) != 2:
        raise ValueError(f"tensor_shape is {list(shape)}, not rows and columns")
    rows, columns = shape
    size = tf.io.gfile.stat(path).length
    if size // 4 != rows * columns:
        raise ValueError(f"cannot reshape {size // 4} float32 values to {list(shape)}")

    def read(part: slice) -> np.ndarray:
        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(part.start * columns * 4)
            content = file.read((part.stop - part.start) * columns * 4)
        return np.frombuffer(content, np.float32).reshape(-1, columns)

    return (rows, columns), read

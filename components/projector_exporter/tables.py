"""An embedding as a table of all words, for pandas, Embedding Atlas and others."""

import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components.vectors.rows import slices

VECTOR = "vector"
# Bytes that are copied at a time, few enough to stay in the processor's cache.
_PIECE = 2**18


@dataclasses.dataclass(frozen=True)
class Table:
    """A row a token.

    Attributes:
        columns: Texts or numbers by the column's name, [rows] each. Texts become strings, or
            binary if one of them is not UTF-8.
        matrix: The column VECTOR, float32 [rows, dimensions]: a list of fixed size.
        positions: Further columns, floats [rows] each. NaN becomes null.
    """

    columns: Mapping[str, Sequence[bytes] | np.ndarray]
    matrix: np.ndarray
    positions: Mapping[str, np.ndarray]


def write_parquet(path: str, table: Table) -> None:
    """Writes an Apache Parquet file, in row groups of 32 MiB of vectors."""
    schema = _schema(table)
    names = [*table.columns, *table.positions]
    with (
        _Sink(path) as sink,
        pq.ParquetWriter(
            sink,
            schema,
            # Neither makes vectors smaller or helps to find one.
            compression="none",
            use_dictionary=names,
            write_statistics=names,
        ) as writer,
    ):
        for batch in _batches(table, schema):
            writer.write_batch(batch, row_group_size=len(batch))


def write_arrow(path: str, table: Table) -> None:
    """Writes an Arrow IPC file (Feather, version 2), in record batches of 32 MiB of vectors.

    Its vectors are the bytes of the matrix, and can be mapped into memory.
    """
    schema = _schema(table)
    with _Sink(path) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in _batches(table, schema):
            writer.write_batch(batch)


def _schema(table: Table) -> pa.Schema:
    element = pa.field("element", pa.float32(), nullable=False)
    vector = pa.list_(element, table.matrix.shape[1])
    return pa.schema(
        [pa.field(name, _type(column), nullable=False) for name, column in table.columns.items()]
        + [pa.field(VECTOR, vector, nullable=False)]
        + [pa.field(name, pa.float32()) for name in table.positions]
    )


def _type(column: Sequence[bytes] | np.ndarray) -> pa.DataType:
    if isinstance(column, np.ndarray):
        return pa.from_numpy_dtype(column.dtype)
    try:
        # A newline keeps the end of a text from becoming a character with the start of the next.
        b"\n".join(column).decode()
    except UnicodeDecodeError:
        return pa.binary()
    return pa.string()


def _batches(table: Table, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    vector = schema.field(VECTOR).type
    for part in slices(*table.matrix.shape):
        arrays = [
            *(
                _array(column[part], schema.field(name).type)
                for name, column in table.columns.items()
            ),
            pa.FixedSizeListArray.from_arrays(pa.array(table.matrix[part].ravel()), type=vector),
            *(
                pa.array(column[part], pa.float32(), from_pandas=True)
                for column in table.positions.values()
            ),
        ]
        yield pa.record_batch(arrays, schema=schema)


def _array(values: Sequence[bytes] | np.ndarray, kind: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values)
    return pa.array(values, pa.binary()).cast(kind)


class _Sink(io.RawIOBase):
    """A file of any file system that TensorFlow writes to, with what Arrow asks of a file."""

    def __init__(self, path: str) -> None:
        self._file = tf.io.gfile.GFile(path, "wb")

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        view = memoryview(content)
        for start in range(0, len(view), _PIECE):
            self._file.write(bytes(view[start : start + _PIECE]))
        return len(view)

    def close(self) -> None:
        self._file.close()
        super().close()

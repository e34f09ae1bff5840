"""An embedding as an Apache Parquet table, for pandas, Embedding Atlas and others."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components.projector_exporter.rows import slices

VECTOR = "vector"


def write_parquet(
    path: str,
    columns: Mapping[str, Sequence[bytes] | np.ndarray],
    matrix: np.ndarray,
    positions: Mapping[str, np.ndarray],
) -> None:
    """Writes a table of a row a token, in row groups of 32 MiB of vectors.

    Args:
        path: Where to.
        columns: Texts or numbers by the column's name, [rows] each. Texts become strings, or
            binary if one of them is not UTF-8.
        matrix: The column VECTOR, float32 [rows, dimensions]: a list of fixed size.
        positions: Further columns, floats [rows] each. NaN becomes null.
    """
    vector = pa.list_(pa.field("element", pa.float32(), nullable=False), matrix.shape[1])
    schema = pa.schema(
        [pa.field(name, _type(column), nullable=False) for name, column in columns.items()]
        + [pa.field(VECTOR, vector, nullable=False)]
        + [pa.field(name, pa.float32()) for name in positions]
    )
    names = [*columns, *positions]
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
        for part in slices(*matrix.shape):
            arrays = [
                *(
                    _array(column[part], schema.field(name).type)
                    for name, column in columns.items()
                ),
                pa.FixedSizeListArray.from_arrays(pa.array(matrix[part].ravel()), type=vector),
                *(
                    pa.array(column[part], pa.float32(), from_pandas=True)
                    for column in positions.values()
                ),
            ]
            batch = pa.record_batch(arrays, schema=schema)
            writer.write_batch(batch, row_group_size=len(batch))


def _type(column: Sequence[bytes] | np.ndarray) -> pa.DataType:
    if isinstance(column, np.ndarray):
        return pa.from_numpy_dtype(column.dtype)
    try:
        # A newline keeps the end of a text from becoming a character with the start of the next.
        b"\n".join(column).decode()
    except UnicodeDecodeError:
        return pa.binary()
    return pa.string()


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
        self._file.write(bytes(content))
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()

"""Points as a table with their vectors, for pandas, Embedding Atlas and others."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components.projector_exporter.points import Column, Points
from components.vectors.layouts import Layout
from components.vectors.rows import slices

VECTOR = "vector"
# Bytes copied at a time, few enough to stay in the processor's cache.
_PIECE = 2**18


def write_parquet(path: str, points: Points, layouts: Mapping[str, Layout]) -> None:
    """Writes an Apache Parquet file, in row groups of 32 MiB of vectors.

    Args:
        path: The file.
        points: The rows. A column of texts becomes strings, or binary if one of its texts is not
            UTF-8; the vectors become the column VECTOR, lists of fixed size.
        layouts: By the prefix of their columns, such as 'tsne' for tsne_x and tsne_y. Rows without
            a position get nulls.
    """
    schema = _schema(points, layouts)
    names = [name for name in schema.names if name != VECTOR]
    with (
        _Sink(path) as sink,
        pq.ParquetWriter(
            sink,
            schema,
            # Compression and dictionaries do not make vectors smaller, and statistics of their
            # values help no query.
            compression="none",
            use_dictionary=names,
            write_statistics=names,
        ) as writer,
    ):
        for batch in _batches(points, layouts, schema):
            writer.write_batch(batch, row_group_size=len(batch))


def write_arrow(path: str, points: Points, layouts: Mapping[str, Layout]) -> None:
    """Writes an Arrow IPC file (Feather, version 2), in record batches of 32 MiB of vectors.

    The vectors are stored as they lie in memory, so that a reader can map the file.

    Args:
        path: The file.
        points: See `write_parquet`.
        layouts: See `write_parquet`.
    """
    schema = _schema(points, layouts)
    with _Sink(path) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in _batches(points, layouts, schema):
            writer.write_batch(batch)


def _schema(points: Points, layouts: Mapping[str, Layout]) -> pa.Schema:
    element = pa.field("element", pa.float32(), nullable=False)
    vector = pa.list_(element, points.vectors.shape[1])
    return pa.schema(
        [pa.field(name, _type(column), nullable=False) for name, column in points.columns.items()]
        + [pa.field(VECTOR, vector, nullable=False)]
        + [pa.field(f"{name}_{axis}", pa.float32()) for name in layouts for axis in "xy"]
    )


def _type(column: Column) -> pa.DataType:
    if isinstance(column, np.ndarray):
        return pa.from_numpy_dtype(column.dtype)
    try:
        # Joined by newlines, because the ends of two invalid texts could form a valid character.
        b"\n".join(column).decode()
    except UnicodeDecodeError:
        return pa.binary()
    return pa.string()


def _batches(
    points: Points, layouts: Mapping[str, Layout], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    vector = schema.field(VECTOR).type
    for part in slices(*points.vectors.shape):
        texts_and_numbers = [
            _array(column[part], schema.field(name).type) for name, column in points.columns.items()
        ]
        values = pa.array(points.vectors[part].ravel().astype(np.float32, copy=False))
        coordinates = [
            _coordinates(layout, axis, part) for layout in layouts.values() for axis in (0, 1)
        ]
        yield pa.record_batch(
            [
                *texts_and_numbers,
                pa.FixedSizeListArray.from_arrays(values, type=vector),
                *coordinates,
            ],
            schema=schema,
        )


def _array(values: Column, kind: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values)
    return pa.array(values, pa.binary()).cast(kind)


def _coordinates(layout: Layout, axis: int, part: slice) -> pa.Array:
    """Returns a coordinate of some rows, float32, null where a row is not laid out."""
    coordinates = np.full(part.stop - part.start, np.nan, np.float32)
    inside = (layout.rows >= part.start) & (layout.rows < part.stop)
    coordinates[layout.rows[inside] - part.start] = layout.positions[inside, axis]
    return pa.array(coordinates, from_pandas=True)  # NaN as null.


class _Sink(io.RawIOBase):
    """A writable file object for Arrow, on any file system of TensorFlow."""

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

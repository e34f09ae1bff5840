"""Measures time and peak memory of exporting a large embedding, and of writing its bytes alone.

``python -m benchmarks.export [--rows N] [--dimensions D]`` runs each measurement in a new process.
Peak memory includes the embedding, but not what the imports took.
"""

import argparse
import dataclasses
import functools
import json
import multiprocessing
import pathlib
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmarks import tutorial
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.points import Points
from components.projector_exporter.words import word_points

# Layouts take longer than writing, and no peer computes them.
_PLAIN = ExportOptions(layouts=())
_SMALL = (8_000, 16)


def write_bytes(directory: pathlib.Path, words: Points) -> None:
    """Writes the matrix without labels."""
    words.vectors.tofile(directory / "embedding.bytes")


def export_for_tensorboard(directory: pathlib.Path, words: Points) -> None:
    """Exports the rows that TensorBoard shows."""
    export_points(str(directory / "1"), [words], _PLAIN)


def export_with_table(
    directory: pathlib.Path, words: Points, table: Literal["arrow", "parquet"]
) -> None:
    """Exports the rows that TensorBoard shows, and all rows as 'arrow' or 'parquet'."""
    options = dataclasses.replace(_PLAIN, formats=(table,))
    export_points(str(directory / "1"), [words], options)


def export_like_the_tutorial(directory: pathlib.Path, words: Points) -> None:
    """Exports all rows as TensorFlow's tutorial does."""
    tokens = [token.decode() for token in words.labels[1:]]
    tutorial.export(directory / "1", tokens, words.vectors)


def export_everything(directory: pathlib.Path, words: Points) -> None:
    """Exports everything, with neighbors and a picture, but with PCA as the only layout."""
    options = ExportOptions(layouts=("pca",), probe_words=("word7", "word77"))
    export_points(str(directory / "1"), [words], options)


CASES: dict[str, Callable[[pathlib.Path, Points], None]] = {
    "bytes": write_bytes,
    "tensorboard": export_for_tensorboard,
    "arrow": functools.partial(export_with_table, table="arrow"),
    "parquet": functools.partial(export_with_table, table="parquet"),
    "tutorial": export_like_the_tutorial,
}


def make_words(rows: int, dimensions: int) -> Points:
    """Makes words of two classes without copying their vectors, which would add to the peak.

    Args:
        rows: Number of words.
        dimensions: Columns of the matrix.

    Returns:
        Normally distributed float32 vectors of the words 'word0', 'word1', …
    """
    generator = np.random.default_rng(0)
    matrix = np.empty((rows, dimensions), np.float32)
    for row in matrix:
        generator.standard_normal(out=row, dtype=np.float32)
    positive = (np.arange(1, rows + 1) % 97 / 97).astype(np.float32)
    return word_points(
        [f"word{number}".encode() for number in range(rows)],
        matrix,
        counts=np.arange(rows, 0, -1),
        probabilities=np.stack([1 - positive, positive], axis=1),
        class_names=("neg", "pos"),
    )


def measure(
    case: Callable[[pathlib.Path, Points], None], rows: int, dimensions: int
) -> tuple[float, float]:
    """Runs a case in this process, which must be new.

    Args:
        case: One of CASES, or `export_everything`.
        rows: Rows of the embedding.
        dimensions: Columns of the embedding.

    Returns:
        The seconds of the export, and the peak memory in bytes, which includes the embedding.
    """
    imported = _peak_bytes()
    words = make_words(rows, dimensions)
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        case(pathlib.Path(directory), words)
        return time.perf_counter() - start, _peak_bytes() - imported


def measure_all(rows: int, dimensions: int, repeats: int) -> dict[str, float]:
    """Measures all cases in turn, so that other load on the machine affects all of them.

    Args:
        rows: Rows of the large embedding.
        dimensions: Columns of the large embedding.
        repeats: Number of measurements of each case.

    Returns:
        For each case, the median of its seconds and of its peak memory over the embedding's size.
    """
    size = rows * dimensions * np.dtype(np.float32).itemsize
    seconds: dict[str, list[float]] = {name: [] for name in (*CASES, "everything")}
    peaks: dict[str, list[float]] = {name: [] for name in CASES}
    # A new process for each call.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for _ in range(repeats):
            for name, case in CASES.items():
                taken, peak = pool.apply(measure, (case, rows, dimensions))
                seconds[name].append(taken)
                peaks[name].append(peak / size)
            taken, _ = pool.apply(measure, (export_everything, *_SMALL))
            seconds["everything"].append(taken)
    return {
        **{f"{name}_seconds": statistics.median(values) for name, values in seconds.items()},
        **{f"{name}_peak_over_size": statistics.median(values) for name, values in peaks.items()},
    }


def main() -> None:
    """Measures and prints a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="use few rows, to test the benchmark")
    arguments = parser.parse_args()
    rows, repeats = (1000, 1) if arguments.quick else (arguments.rows, arguments.repeats)
    measured = measure_all(rows, arguments.dimensions, repeats)
    print(f"{rows:,} x {arguments.dimensions}      seconds  / bytes   peak / size")
    for name in CASES:
        taken, peak = measured[f"{name}_seconds"], measured[f"{name}_peak_over_size"]
        print(f"{name:16} {taken:8.2f} {taken / measured['bytes_seconds']:9.2f} {peak:13.2f}")
    print(f"{_SMALL[0]:,} x {_SMALL[1]} with everything but t-SNE: ", end="")
    print(f"{measured['everything_seconds']:.2f} s")
    print(json.dumps(measured))


def _peak_bytes() -> int:
    # Unlike getrusage, this does not start with the peak of the parent process.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    return int(peak) * 1024


if __name__ == "__main__":
    main()

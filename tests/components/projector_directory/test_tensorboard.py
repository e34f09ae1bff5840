"""Requests exports from a real TensorBoard and compares them with what was written."""

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest

from components.projector_directory import metadata, reader
from components.projector_directory.verify import MAX_ROWS, verify
from tests.components.projector_directory.directories import (
    EMBEDDING,
    KEPT_TOKENS,
    KEPT_VECTORS,
    write_directory,
)
from tests.tensorboard import TensorBoard

# Every kind of token, in a table that the page reads in more than one chunk.
TOKENS = [
    *(b"", b" ", b"\t", b"a\nb", b"\r", b"007", b"0", b"Infinity", b"\xff", b"\\", b"__next__"),
    *(f"日本語𝄞{i}".encode() for i in range(40_000)),
]
MATRIX = np.random.default_rng(1).normal(size=(len(TOKENS), 5)).astype(np.float32)
WRITTEN_BY = pathlib.Path(__file__).parent / "written_by"


@pytest.fixture(scope="module")
def tensorboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    logdir = tmp_path_factory.mktemp("projection")
    write_directory(logdir / "7", TOKENS, MATRIX)
    write_directory(logdir / "12", TOKENS[:100], -MATRIX[:100])
    with TensorBoard(logdir) as server:
        yield server


@pytest.mark.slow
def test_every_export_is_a_run(tensorboard: TensorBoard) -> None:
    assert sorted(tensorboard.json("runs")) == ["12", "7"]


@pytest.mark.slow
def test_the_embedding_is_the_only_tensor(tensorboard: TensorBoard) -> None:
    (embedding,) = tensorboard.json("info", run="7")["embeddings"]
    assert embedding == {
        "tensorName": EMBEDDING,
        "tensorShape": list(MATRIX.shape),
        "metadataPath": "metadata.tsv",
    }


@pytest.mark.slow
def test_rows_and_labels_are_those_exported(tensorboard: TensorBoard) -> None:
    what = {"name": EMBEDDING, "num_rows": str(MAX_ROWS)}
    for run, tokens, matrix in [("7", TOKENS, MATRIX), ("12", TOKENS[:100], -MATRIX[:100])]:
        points = np.frombuffer(tensorboard.get("tensor", run=run, **what), np.float32)
        served = tensorboard.get("metadata", run=run, **what)
        columns, rows = reader.parse_table(reader.stream_lines(served))
        np.testing.assert_array_equal(points.reshape(-1, matrix.shape[1]), matrix)
        assert columns == ["token", "id"]
        assert [metadata.unescape(row[0]) for row in rows] == tokens
        assert [int(row[1]) for row in rows] == list(range(1, len(tokens) + 1))


@pytest.mark.slow
def test_the_reader_sees_what_the_server_sends(tmp_path: pathlib.Path) -> None:
    write_directory(tmp_path / "1", TOKENS[:4], MATRIX[:4])
    content = "word\tn\r\na\rb\t1\r\n\n\ufeffc\u2028\t2\nd\x0b\x85\t3\n\x00\t4".encode()
    (tmp_path / "1" / "metadata.tsv").write_bytes(content)
    with TensorBoard(tmp_path) as server:
        served = server.get("metadata", run="1", name=EMBEDDING)
    assert served == reader.served_text(content).encode()


@pytest.mark.slow
def test_exports_of_either_tensorflow_open_in_this_one() -> None:
    with TensorBoard(WRITTEN_BY) as server:
        for run in ("tensorflow-2.16", "tensorflow-2.21"):
            assert verify(str(WRITTEN_BY / run)) == []
            points = np.frombuffer(server.get("tensor", run=run, name=EMBEDDING), np.float32)
            served = server.get("metadata", run=run, name=EMBEDDING)
            _, rows = reader.parse_table(reader.stream_lines(served))
            np.testing.assert_array_equal(points.reshape(KEPT_VECTORS.shape), KEPT_VECTORS)
            assert [metadata.unescape(row[0]) for row in rows] == KEPT_TOKENS

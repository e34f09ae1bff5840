import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from components import text
from pipeline_def.kubeflow.check import check
from tests.components.projector_exporter.exporting import write_export

TOKENS = [b"film", b"\t", b"good", b"bad"]
MATRIX = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
WORDS = MATRIX[text.FIRST_TOKEN_ID :][: len(TOKENS)]


def _save_model(directory: pathlib.Path) -> None:
    vocabulary = directory / text.VOCABULARY
    vocabulary.write_bytes(b"\n".join(TOKENS))
    model = tf.Module()
    model.embedding = tf.Variable(MATRIX)
    model.vocabulary = tf.saved_model.Asset(str(vocabulary))
    tf.saved_model.save(model, str(directory / "EmbeddingTrainer" / "model" / "Format-Serving"))


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run's directory without its projection."""
    _save_model(tmp_path)
    return tmp_path


def _project(run: pathlib.Path, tokens: Sequence[bytes], matrix: np.ndarray) -> pathlib.Path:
    projection = run / "ProjectorExporter" / "projection" / "sample-20261122-150322"
    write_export(projection, tokens, matrix)
    return projection


def test_a_projection_of_the_model(run: pathlib.Path) -> None:
    projection = _project(run, TOKENS, WORDS)
    assert check(run) == projection


@pytest.mark.parametrize(
    ("tokens", "matrix", "told"),
    [
        (TOKENS, np.where(WORDS[2, 1] == WORDS, 7, WORDS), "row 2: TensorBoard serves (b'good', 3"),
        ([*TOKENS[:3], b"worse"], WORDS, "row 3: TensorBoard serves (b'worse', 4"),
        (TOKENS[:3], WORDS[:3], "row 3: TensorBoard serves None"),
    ],
)
def test_another_row_than_the_models(
    tokens: list[bytes], matrix: np.ndarray, told: str, run: pathlib.Path
) -> None:
    _project(run, tokens, matrix)
    with pytest.raises(ValueError, match="TensorBoard serves") as refused:
        check(run)
    assert told in str(refused.value)


def test_what_tensorboard_would_not_show(run: pathlib.Path) -> None:
    (_project(run, TOKENS, WORDS) / "metadata.tsv").unlink()
    with pytest.raises(ValueError, match=r"metadata\.tsv"):
        check(run)


def test_a_run_without_projection(run: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="0 steps have an output 'projection"):
        check(run)

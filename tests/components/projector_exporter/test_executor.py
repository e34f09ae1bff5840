import json
import pathlib
import re
import shutil
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx import v1 as tfx
from tfx.types import channel_utils

from components.artifacts import EmbeddingProjection, projection_directory
from components.projector_directory import metadata
from components.projector_directory.tensors import VARIABLE
from components.projector_directory.verify import verify
from components.projector_exporter.component import ProjectorExporter
from components.projector_exporter.executor import Executor
from components.projector_exporter.options import ExportOptions
from tests.components.projector_exporter.exporting import read_table, read_tensor
from tests.tensorboard import TensorBoard

EMBEDDING = VARIABLE.format("embedding")
ARTIFACTS = tfx.types.standard_artifacts
TEXTS = ["a good film", "a bad film", "a film 007", "good \\ bad"]
WORDS = [b"film", b"a", b"good", b"bad", b"\\", b"007"]


def _preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    tokens = tf.strings.split(tf.reshape(inputs["text"], [-1])).to_sparse()
    ids = tft.compute_and_apply_vocabulary(tokens, vocab_filename="vocabulary")
    return {"ids": ids}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tfx.dsl.Artifact]]:
    """A transform graph and a model with a row for each of its words, the next one and padding."""
    directory = tmp_path_factory.mktemp("inputs")
    spec = {"text": tf.io.FixedLenFeature([], tf.string)}
    data = [{"text": text} for text in TEXTS]
    schema = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(temp_dir=str(directory / "temp")):
        graph = (data, schema) | tft_beam.AnalyzeDataset(_preprocess)
        graph | tft_beam.WriteTransformFn(str(directory / "graph"))

    ids = keras.Input((None,), dtype="int64")
    embedded = keras.layers.Embedding(len(WORDS) + 2, 4, name="embedding")(ids)
    model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(embedded))
    serving = tf.function(model, input_signature=[tf.TensorSpec([None, None], tf.int64)])
    path = directory / "model" / "Format-Serving"
    tf.saved_model.save(model, str(path), signatures={"serving_default": serving})
    np.save(directory / "weights.npy", model.get_layer("embedding").get_weights()[0])

    examples = ARTIFACTS.Examples()
    examples.set_string_custom_property("dataset", "reviews:1.0.0")
    examples.set_string_custom_property("dataset_fingerprint", "c0ffee")
    return {
        "model": [_artifact(ARTIFACTS.Model, directory / "model")],
        "transform_graph": [_artifact(ARTIFACTS.TransformGraph, directory / "graph")],
        "examples": [examples],
    }


def _artifact(kind: type[tfx.dsl.Artifact], path: pathlib.Path) -> tfx.dsl.Artifact:
    artifact = kind()
    artifact.uri = str(path)
    return artifact


def _weights(inputs: dict[str, list[tfx.dsl.Artifact]]) -> np.ndarray:
    return np.load(pathlib.Path(inputs["model"][0].uri).parent / "weights.npy")


def _run(
    inputs: dict[str, list[tfx.dsl.Artifact]], directory: pathlib.Path, **parameters: Any
) -> Any:
    """Runs the component's executor with the component's parameters, as TFX would."""
    for name, artifacts in inputs.items():
        parameters[name] = channel_utils.as_channel(artifacts)
    component = ProjectorExporter(**parameters)
    projection = _artifact(EmbeddingProjection, directory)
    directory.mkdir(parents=True)
    Executor().Do(inputs, {"projection": [projection]}, component.exec_properties)
    return projection


def _run_directory(projection: tfx.dsl.Artifact) -> pathlib.Path:
    return pathlib.Path(projection_directory(projection.mlmd_artifact))


def _points(projection: tfx.dsl.Artifact) -> np.ndarray:
    return read_tensor(_run_directory(projection), "embedding")


def test_every_word_has_its_own_row(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    projection = _run(inputs, tmp_path / "projection" / "3")

    directory = _run_directory(projection)
    assert verify(str(directory)) == []
    lines = (directory / "metadata.tsv").read_text().splitlines()
    labels = [line.split("\t")[0] for line in lines[1:]]
    points = _points(projection)
    words = tft.TFTransformOutput(inputs["transform_graph"][0].uri).vocabulary_by_name("vocabulary")
    weights = _weights(inputs)
    assert sorted(words) == sorted(WORDS)
    for i, word in enumerate(words):
        assert metadata.unescape(labels[i]) == word
        np.testing.assert_array_equal(points[i], weights[1 + i])
    assert len(labels) == len(points) == len(words)


def test_properties(inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path) -> None:
    projection = _run(inputs, tmp_path / "3")
    assert (projection.rows, projection.dimensions) == (6, 4)
    assert projection.source_variable == "_operations/1/_embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    assert projection.vocabulary == "vocabulary"
    assert projection.dataset_fingerprint == "c0ffee"
    assert projection.get_string_custom_property("dataset") == "reviews:1.0.0"
    assert projection.get_int_custom_property("rows_left_out") == 0


def test_models_of_other_trainers(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    older = tmp_path / "model"
    serving = pathlib.Path(inputs["model"][0].uri, "Format-Serving")
    shutil.copytree(serving, older / "serving_model_dir")
    others = {
        "model": [_artifact(ARTIFACTS.Model, older)],
        "transform_graph": inputs["transform_graph"],
    }
    projection = _run(others, tmp_path / "3", first_token_id=0)
    np.testing.assert_array_equal(_points(projection), _weights(inputs)[:6])
    assert projection.dataset_fingerprint == ""


def test_a_matrix_with_too_few_rows_is_refused_and_leaves_nothing(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match="8 rows, too few for 6 tokens from row 3 on"):
        _run(inputs, tmp_path / "3", first_token_id=3)
    assert [path.name for path in tmp_path.iterdir()] == ["3"]
    assert list((tmp_path / "3").iterdir()) == []


def test_every_option_reaches_the_export(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    options = ExportOptions(
        layouts=("tsne",),
        layout_rows=3,
        max_rows=4,
        probe_words=("film",),
        formats=("parquet",),
    )
    projection = _run(inputs, tmp_path / "3", options=options)

    directory = _run_directory(projection)
    assert projection.rows == len(_points(projection)) == 4
    assert projection.get_int_custom_property("rows_left_out") == 2
    bookmarks = json.loads((directory / "bookmarks.json").read_text())
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE (first 3 rows)"]
    assert set(read_table(directory / "neighbors.tsv")["probe"]) == {"film"}
    assert len(pq.read_table(directory / "embedding.parquet")) == 6

    bare = _run_directory(_run(inputs, tmp_path / "4", options=ExportOptions(layouts=())))
    names = {"bookmarks.json", "neighbors.tsv", "embedding.parquet", "projection.png"}
    assert not names & {path.name for path in bare.iterdir()}


def test_every_execution_is_a_run_with_a_readable_name(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    root, stable = tmp_path / "projection", tmp_path / "stable"
    stable.mkdir()
    with TensorBoard(root) as all_executions, TensorBoard(stable) as published:
        first = _run(inputs, root / "9", run_prefix="imdb", publish_dir=str(stable))
        assert all_executions.wait_for_runs(1) == [f"9/{first.run_name}"]
        assert published.wait_for_runs(1) == [first.run_name]
        assert re.fullmatch(r"imdb-\d{8}-\d{6}", first.run_name)

        second = _run(inputs, root / "10", run_prefix="imdb", publish_dir=str(stable))
        names = {f"9/{first.run_name}", f"10/{second.run_name}"}
        assert set(all_executions.wait_for_runs(2)) == names
        assert set(published.wait_for_runs(2)) == {
            pathlib.Path(made.get_string_custom_property("published")).name
            for made in (first, second)
        }

        for run in names:
            words = all_executions.get("metadata", run=run, name=EMBEDDING).decode()
            assert len(words.splitlines()) == 1 + len(WORDS)
            points = all_executions.get("tensor", run=run, name=EMBEDDING)
            assert points == _weights(inputs)[1:7].tobytes()


def test_a_projection_that_cannot_be_published_fails_the_step(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="could not be published"):
        _run(inputs, tmp_path / "3", publish_dir=str(tmp_path / "file"))

import json
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.types import channel_utils

from components.artifacts import EmbeddingProjection, projection_directory
from components.projector_directory import metadata
from components.projector_directory.tensors import VARIABLE
from components.projector_directory.verify import verify
from components.projector_exporter.component import ProjectorExporter
from components.projector_exporter.executor import Executor
from components.projector_exporter.options import ExportOptions
from components.vectors.neighbors import overlap_at_k
from tests.components.projector_exporter import models
from tests.components.projector_exporter.exporting import read_table, read_tensor
from tests.tensorboard import TensorBoard

EMBEDDING = VARIABLE.format("embedding")
ARTIFACTS = tfx.types.standard_artifacts


@pytest.fixture(scope="module")
def inputs(
    graph: tft.TFTransformOutput, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tfx.dsl.Artifact]]:
    """Writes artifacts like TFX's Transform and Trainer: a row per word, and one for all others."""
    directory = tmp_path_factory.mktemp("inputs")
    _, weights = models.make_model(directory / "model" / "Format-Serving", 7, graph)
    np.save(directory / "weights.npy", weights)
    graph_directory = pathlib.Path(graph.transform_savedmodel_dir).parent
    examples = ARTIFACTS.Examples()
    examples.set_string_custom_property("dataset", "reviews:1.0.0")
    examples.set_string_custom_property("dataset_fingerprint", "c0ffee")
    return {
        "model": [_artifact(ARTIFACTS.Model, directory / "model")],
        "transform_graph": [_artifact(ARTIFACTS.TransformGraph, graph_directory)],
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
    """Runs the executor with the component's parameters as TFX would; returns the projection."""
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
    assert [metadata.unescape(label) for label in labels] == models.WORDS
    np.testing.assert_array_equal(points, _weights(inputs)[:6])


def test_properties(inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path) -> None:
    projection = _run(inputs, tmp_path / "3")
    assert (projection.rows, projection.dimensions) == (6, 4)
    assert projection.source_variable.endswith("/.ATTRIBUTES/VARIABLE_VALUE")
    assert projection.vocabulary == "vocabulary"
    assert projection.dataset_fingerprint == "c0ffee"
    assert projection.get_string_custom_property("dataset") == "reviews:1.0.0"
    assert projection.get_int_custom_property("rows_left_out") == 0
    facts = {
        "Dataset": "reviews:1.0.0",
        "Fingerprint": "c0ffee",
        "Model": inputs["model"][0].uri,
        "Run": projection.run_name,
    }
    page = (_run_directory(projection) / "map.html").read_text()
    assert facts.items() <= dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page)).items()


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
    projection = _run(others, tmp_path / "3")
    np.testing.assert_array_equal(_points(projection), _weights(inputs)[:6])
    assert projection.dataset_fingerprint == ""


def test_a_row_that_cannot_be_is_refused_and_leaves_nothing(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match="first_token_id is 1, but the transform graph gives"):
        _run(inputs, tmp_path / "3", first_token_id=1)
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
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE (3 of 4 rows)"]
    assert set(read_table(directory / "neighbors.tsv")["probe"]) == {"film"}
    assert len(pq.read_table(directory / "embedding.parquet")) == 6

    bare = _run_directory(_run(inputs, tmp_path / "4", options=ExportOptions(layouts=())))
    names = {"bookmarks.json", "neighbors.tsv", "embedding.parquet", "projection.png"}
    assert not names & {path.name for path in bare.iterdir()}


@pytest.mark.slow
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
            assert len(words.splitlines()) == 1 + len(models.WORDS)
            points = all_executions.get("tensor", run=run, name=EMBEDDING)
            assert points == _weights(inputs)[:6].tobytes()


def test_a_projection_that_cannot_be_published_fails_the_step(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="could not be published"):
        _run(inputs, tmp_path / "3", publish_dir=str(tmp_path / "file"))


def test_how_many_neighbors_are_those_of_the_baseline(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    tokens = [b"w%d" % number for number in range(60)]
    matrices = np.random.default_rng(1).normal(size=(2, 62, 4)).astype(np.float32)
    trained = []
    for number, matrix in enumerate(matrices):
        directory = tmp_path / str(number)
        directory.mkdir()
        models.save_trained(directory / "Format-Serving", tokens, matrix, "words")
        trained.append(_artifact(ARTIFACTS.Model, directory))
    first, second = ((tokens, matrix[1:-1]) for matrix in matrices)
    expected = overlap_at_k(first, second).share
    assert expected is not None and 0 < expected < 0.5

    for number, share in enumerate([1.0, expected]):
        compared = {**inputs, "model": trained[:1], "baseline_model": trained[number : number + 1]}
        projection = _run(compared, tmp_path / "projections" / str(number), vocabulary="words")
        assert projection.get_float_custom_property("neighbor_overlap") == pytest.approx(share)
        assert projection.get_int_custom_property("neighbor_overlap_tokens") == 60


def test_the_quality_is_in_a_file_and_in_the_properties(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    model = _artifact(ARTIFACTS.Model, pathlib.Path(inputs["model"][0].uri))
    model.set_float_custom_property("bootstrap_overlap", 0.47)
    options = ExportOptions(layouts=(), similarity_pairs=(("film", "unheard", 1.0),))

    projection = _run({**inputs, "model": [model]}, tmp_path / "3", options=options)

    quality = json.loads((_run_directory(projection) / "quality.json").read_text())
    assert quality.pop("bootstrap_overlap") == 0.47
    assert projection.get_float_custom_property("bootstrap_overlap") == 0.47
    share = projection.get_float_custom_property("first_component_share")
    assert quality.pop("first_component_share") == share
    assert quality == {"similarity_pairs": 1, "similarity_pairs_found": 0}
    assert projection.get_int_custom_property("similarity_pairs") == 1


def _gone(path: pathlib.Path) -> None:
    shutil.rmtree(path)


def _no_variables(path: pathlib.Path) -> None:
    (path / "variables" / "variables.index").unlink()


def _damaged(path: pathlib.Path) -> None:
    (path / "saved_model.pb").write_bytes(b"\xff\xff")
    (path / "variables" / "variables.index").write_bytes(b"\xff\xff")


def _no_vocabulary(path: pathlib.Path) -> None:
    (path / "assets" / "vocabulary").unlink()


@pytest.mark.parametrize("damage", [_gone, _no_variables, _damaged, _no_vocabulary])
def test_a_comparison_that_fails_does_not_undo_the_export(
    inputs: dict[str, list[tfx.dsl.Artifact]],
    damage: Callable[[pathlib.Path], None],
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(inputs["model"][0].uri, tmp_path / "baseline")
    damage(tmp_path / "baseline" / "Format-Serving")
    baseline = [_artifact(ARTIFACTS.Model, tmp_path / "baseline")]
    projection = _run(
        inputs | {"baseline_model": baseline}, tmp_path / "3", publish_dir=str(tmp_path / "runs")
    )

    assert verify(str(_run_directory(projection))) == []
    assert not projection.has_custom_property("neighbor_overlap")
    assert verify(projection.get_string_custom_property("published")) == []
    (told,) = [message for message in caplog.messages if "not compared" in message]
    assert str(tmp_path / "baseline") in told


def test_every_parameter_reaches_the_reading(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    tokens = [b"%d w%d" % (count, count) for count in range(9, 0, -1)]
    first, second = np.random.default_rng(1).normal(size=(2, 20, 4)).astype(np.float32)
    model = tf.Module()
    model.first, model.second = tf.Variable(first), tf.Variable(second)
    (tmp_path / "words").write_bytes(b"\n".join(tokens))
    model.vocabulary = tf.saved_model.Asset(str(tmp_path / "words"))
    tf.saved_model.save(model, str(tmp_path / "model" / "Format-Serving"))

    read = [_artifact(ARTIFACTS.Model, tmp_path / "model")]
    others = {**inputs, "model": read, "baseline_model": read}
    projection = _run(
        others, tmp_path / "3", vocabulary="words", embedding="second", first_token_id=2
    )

    np.testing.assert_array_equal(_points(projection), second[2:11])
    shown = read_table(_run_directory(projection) / "metadata.tsv")
    assert shown["token"] == [f"w{count}" for count in range(9, 0, -1)]
    assert shown["count"] == [str(count) for count in range(9, 0, -1)]
    assert shown["id"] == [str(row) for row in range(2, 11)]
    assert projection.source_variable == "second/.ATTRIBUTES/VARIABLE_VALUE"
    assert projection.vocabulary == "words"
    assert projection.get_float_custom_property("neighbor_overlap") == 1


def test_class_names_are_the_models(
    inputs: dict[str, list[tfx.dsl.Artifact]], tmp_path: pathlib.Path
) -> None:
    model = _artifact(ARTIFACTS.Model, tmp_path / "model")
    (tmp_path / "model").mkdir()
    models.save_trained(
        tmp_path / "model" / "Format-Serving", models.WORDS, np.ones((8, 3), np.float32)
    )
    model.set_string_custom_property("class_names", json.dumps(["bad", "good"]))
    examples = ARTIFACTS.Examples()
    examples.set_string_custom_property("class_names", json.dumps(["0", "1", "2"]))
    trained = {**inputs, "model": [model], "examples": [examples]}
    shown = read_table(_run_directory(_run(trained, tmp_path / "3")) / "metadata.tsv")
    assert set(shown["class"]) == {"bad", "good"}
    # The model gives each word the probability of its own id.
    expected = np.arange(1, 7) / 6
    np.testing.assert_allclose([float(cell) for cell in shown["P(good)"]], expected, rtol=1e-5)

import json
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components import text
from components.artifacts import projection_directory
from tests.e2e.conftest import Project, prepare
from tests.tensorboard import TensorBoard

pytestmark = pytest.mark.slow

STEPS = {
    "TfdsExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "Transform",
    "EmbeddingTrainer",
    "Evaluator",
    "Pusher",
    "ProjectorExporter",
}
RESOLVER = "Resolver"  # Asks ML Metadata at each run; is never cached.


def test_a_pipeline_from_its_creation_to_its_deletion(
    project: Project, sample: dict[str, list[dict[str, object]]]
) -> None:
    runner = pathlib.Path(__file__).parents[2] / f"pipeline_def/{project.engine}_runner.py"
    compiled = project.tfx("pipeline", "compile", "--pipeline_path", str(runner))
    assert "compiled successfully" in compiled.stdout, compiled.stderr
    project.tfx("pipeline", "create", "--pipeline_path", str(runner))
    project.tfx("pipeline", "update", "--pipeline_path", str(runner))
    assert "own" in project.tfx("pipeline", "list").stdout.split()

    first = project.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert project.states() == dict.fromkeys(STEPS | {RESOLVER}, "COMPLETE")
    assert_report_is_for_people(first.stdout, project)
    assert_pushed_model_serves_text(project)
    assert_projection_shows_the_model(project)
    assert_lineage_tells_the_dataset(project)

    again = project.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert only(project.states(), STEPS) == dict.fromkeys(STEPS, "CACHED")
    assert len(project.artifacts("Model")) == 1
    assert len(project.artifacts("EmbeddingProjection")) == 1

    stricter = project.run(PIPELINE__EVALUATION__MIN_ACCURACY="1.0")
    assert stricter.returncode == 0, stricter.stdout + stricter.stderr
    assert "not blessed: accuracy" in stricter.stdout
    judged = {"Evaluator", "Pusher"}
    assert only(project.states(), STEPS) == {
        step: "COMPLETE" if step in judged else "CACHED" for step in STEPS
    }
    assert len(list((project.root / "serving").iterdir())) == 1

    assert_a_failing_step_ends_the_run_with_its_own_error(project)

    shutil.rmtree(project.directory / "tfds")
    prepare(project.directory / "tfds", sample)
    changed = project.run()
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert only(project.states(), STEPS) == {
        step: "CACHED" if step == "ImportSchemaGen" else "COMPLETE" for step in STEPS
    }
    assert len(project.artifacts("EmbeddingProjection")) == 2
    overlap = project.artifact("EmbeddingProjection").custom_properties["neighbor_overlap"]
    assert 0 < overlap.double_value <= 1
    assert len(list((project.root / "serving").iterdir())) == 2
    assert_every_projection_is_a_run(project)

    deleted = project.tfx("pipeline", "delete", "--pipeline_name", "own")
    assert "deleted successfully" in deleted.stdout, deleted.stderr


def only(states: dict[str, str], steps: set[str]) -> dict[str, str]:
    return {step: state for step, state in states.items() if step in steps}


def assert_report_is_for_people(printed: str, project: Project) -> None:
    lines = printed.splitlines()
    for step in STEPS:
        own = [line for line in lines if line.startswith(f"{step} ")]
        assert [line.split()[1] for line in own] == ["running", "done"], printed
    projection = project.artifact("EmbeddingProjection")
    published = projection.custom_properties["published"].string_value
    assert f"Projection:  {projection_directory(projection)}" in lines
    assert f"Published:   {published}" in lines
    assert f"See it:      tensorboard --logdir {projection.uri}" in lines
    assert any(line.startswith("Nearest to   wonderful: ") for line in lines)
    assert "blessed" in printed
    assert "Traceback" not in printed
    assert "Warning" not in printed


def assert_pushed_model_serves_text(project: Project) -> None:
    (version,) = (project.root / "serving").iterdir()
    model = tf.saved_model.load(str(version))
    reviews = ["a wonderful and delightful evening", "a terrible and boring waste of money"]
    served = model.signatures["serve_text"](text=tf.constant(reviews))["probabilities"].numpy()
    assert served.shape == (2, 2)
    np.testing.assert_allclose(served.sum(axis=1), 1, atol=1e-6)
    assert served[0, 1] > 0.5 > served[1, 1]


def assert_projection_shows_the_model(project: Project) -> None:
    """Every row that TensorBoard serves is the model's row of that word."""
    transform_output = tft.TFTransformOutput(project.artifact("TransformGraph").uri)
    words = text.read_vocabulary(transform_output)
    model = pathlib.Path(project.artifact("Model").uri) / "Format-Serving"
    projection = project.artifact("EmbeddingProjection")
    reader = tf.train.load_checkpoint(str(model / "variables" / "variables"))
    matrix = reader.get_tensor(projection.properties["source_variable"].string_value)

    with TensorBoard(pathlib.Path(projection.uri)) as tensorboard:
        (run,) = tensorboard.json("runs")
        assert re.fullmatch(r"own-\d{8}-\d{6}", run)
        info, normalized = tensorboard.json("info", run=run)["embeddings"]
        name = info["tensorName"]
        shown = np.frombuffer(tensorboard.get("tensor", run=run, name=name), np.float32)
        header, *rows = tensorboard.get("metadata", run=run, name=name).decode().splitlines()
        bookmarks = json.loads(tensorboard.get("bookmarks", run=run, name=name))
    assert info["tensorShape"] == normalized["tensorShape"] == [len(words), matrix.shape[1]]
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE"]
    columns = header.split("\t")
    assert columns == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert [row.split("\t")[0] for row in rows] == words
    np.testing.assert_array_equal(
        shown.reshape(info["tensorShape"]), matrix[text.FIRST_TOKEN_ID :][: len(words)]
    )


def assert_every_projection_is_a_run(project: Project) -> None:
    projections = project.artifacts("EmbeddingProjection")
    names = {made.properties["run_name"].string_value for made in projections}
    outputs = project.root / "artifacts" / "ProjectorExporter" / "projection"
    with TensorBoard(outputs) as tensorboard:
        assert {run.partition("/")[2] for run in tensorboard.json("runs")} == names
    with TensorBoard(project.directory / "published") as tensorboard:
        assert set(tensorboard.json("runs")) == names
    assert len(names) == 2


def assert_lineage_tells_the_dataset(project: Project) -> None:
    (examples,) = (
        found for found in project.artifacts("Examples") if "dataset" in found.custom_properties
    )
    recorded = {key: value.string_value for key, value in examples.custom_properties.items()}
    assert recorded["dataset"] == "own_reviews:1.0.0"
    assert json.loads(recorded["class_names"]) == ["neg", "pos"]
    fingerprint = project.artifact("EmbeddingProjection").properties["dataset_fingerprint"]
    assert fingerprint.string_value == recorded["dataset_fingerprint"] != ""


def assert_a_failing_step_ends_the_run_with_its_own_error(project: Project) -> None:
    failed = project.run(PIPELINE__DATASET__EVAL="tset")
    assert failed.returncode == 1
    (line,) = (line for line in failed.stdout.splitlines() if " failed " in line)
    assert line.startswith("TfdsExampleGen ")
    assert "tset" in line
    assert "test" in line
    assert "Traceback" not in failed.stdout + failed.stderr
    assert "See it" not in failed.stdout

"""Runs the sample as README.md does, and then again after one change at a time.

The tests depend on their order: each run starts from what the run before has left.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft

from components.artifacts import projection_directory
from components.text.features import FIRST_TOKEN_ID
from components.text.vocabulary import read_vocabulary
from pipeline_def import report, sample_reviews
from pipeline_def.sample_reviews import sample_reviews_dataset_builder
from tests.pipelines import PROJECT, RESOLVER, STEPS, Pipeline, Run
from tests.tensorboard import Projector, TensorBoard

pytestmark = pytest.mark.slow


# The first run, by `make run`.


def test_every_step_completes(sample_run: Run) -> None:
    assert sample_run.code == 0, sample_run.printed
    assert sample_run.states == dict.fromkeys(STEPS | {RESOLVER}, "COMPLETE")


def test_a_run_prints_what_a_person_wants_to_know(sample: Pipeline, sample_run: Run) -> None:
    for step in STEPS:
        own = [line for line in sample_run.printed.splitlines() if line.startswith(f"{step} ")]
        assert [line.split()[1] for line in own] == ["running", "done"], sample_run.printed
    projection = sample_run.artifacts["EmbeddingProjection"]
    published = projection.custom_properties["published"].string_value
    version = min((sample.root / "serving").iterdir())
    assert sample_run.line("Neighbors") == report.stability(projection)
    assert set(re.findall(r"(\w+) [01]\.", sample_run.line("Balanced"))) == {"neg", "pos"}
    assert sample_run.line("Model") == f"blessed, pushed to {version}"
    assert sample_run.line("Projection") == projection_directory(projection)
    assert sample_run.line("Published") == published
    assert sample_run.line("Look at it") == f"{projection_directory(projection)}/map.html"
    assert sample_run.line("TensorBoard") == f"tensorboard --logdir {projection.uri}"
    assert pathlib.Path(sample_run.line("Log")).read_text()
    assert "Traceback" not in sample_run.printed
    assert "Warning" not in sample_run.printed


def test_the_accuracy_is_that_of_the_eval_split(sample: Pipeline, sample_run: Run) -> None:
    builder = sample_reviews.SampleReviews(data_dir=sample.directory / "tfds")
    texts, labels = zip(*tfds.as_numpy(builder.as_dataset("test", as_supervised=True)), strict=True)
    predicted = serve(sample, list(texts)).argmax(axis=1)
    accuracy = float((predicted == np.array(labels)).mean())
    assert sample_run.line("Accuracy") == f"{accuracy:.4f} on 'test'"

    evaluated = tfma.load_eval_result(sample_run.artifacts["ModelEvaluation"].uri)
    assert evaluated.get_metrics_for_slice()["example_count"]["doubleValue"] == len(labels)


def test_the_pushed_model_serves_text(sample: Pipeline, sample_run: Run) -> None:
    served = serve(
        sample, [b"a wonderful and delightful evening", b"a terrible and boring waste of money"]
    )
    assert served.shape == (2, 2)
    np.testing.assert_allclose(served.sum(axis=1), 1, atol=1e-6)
    assert served[0, 1] > 0.5 > served[1, 1]


def serve(pipeline: Pipeline, texts: list[bytes]) -> np.ndarray:
    """Returns the probabilities that the oldest pushed model gives texts."""
    version = min((pipeline.root / "serving").iterdir())
    model = tf.saved_model.load(str(version))
    served = model.signatures["serve_text"](text=tf.constant(texts))
    return np.asarray(served["probabilities"])


def test_every_row_that_tensorboard_shows_is_the_models(sample: Pipeline, sample_run: Run) -> None:
    words, matrix = trained(sample_run)
    assert len(words) <= 2000

    process = sample.spawn(sample.make("tensorboard"), start_new_session=True)
    try:
        assert process.stdout
        said = (re.search(r"TensorBoard .* at (http://\S+)/", line) for line in process.stdout)
        address = next(filter(None, said), None)
        assert address, "make tensorboard ended"
        tensorboard = Projector(address[1])
        (run,) = tensorboard.json("runs")
        assert re.fullmatch(r"sample-\d{8}-\d{6}", run)
        info, normalized = tensorboard.json("info", run=run)["embeddings"]
        name = info["tensorName"]
        shown = np.frombuffer(tensorboard.get("tensor", run=run, name=name), np.float32)
        header, *rows = tensorboard.get("metadata", run=run, name=name).decode().splitlines()
        bookmarks = json.loads(tensorboard.get("bookmarks", run=run, name=name))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()

    assert info["tensorShape"] == normalized["tensorShape"] == list(matrix.shape)
    assert [state["label"] for state in bookmarks] == ["PCA", "t-SNE"]
    columns = header.split("\t")
    assert columns == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert [row.split("\t")[0] for row in rows] == words
    np.testing.assert_array_equal(shown.reshape(info["tensorShape"]), matrix)


def trained(run: Run) -> tuple[list[str], np.ndarray]:
    """Returns the words of the transform graph, and their vectors from the model's checkpoint."""
    words = read_vocabulary(tft.TFTransformOutput(run.artifacts["TransformGraph"].uri))
    model = pathlib.Path(run.artifacts["Model"].uri) / "Format-Serving"
    reader = tf.train.load_checkpoint(str(model / "variables" / "variables"))
    source = run.artifacts["EmbeddingProjection"].properties["source_variable"].string_value
    matrix = reader.get_tensor(source)
    return words, matrix[FIRST_TOKEN_ID:][: len(words)]


def test_the_neighbors_of_the_probe_words_are_the_nearest(sample_run: Run) -> None:
    words, matrix = trained(sample_run)
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    lines = sample_run.lines("Nearest to")
    assert [line.partition(": ")[0] for line in lines] == ["wonderful", "terrible"]
    for line in lines:
        probe, _, neighbors = line.partition(": ")
        cosines = unit @ unit[words.index(probe)]
        nearest = np.argsort(-cosines, kind="stable")[1:6]
        printed = [neighbor.split() for neighbor in neighbors.split(", ")]
        assert [word for word, _ in printed] == [words[row] for row in nearest]
        assert [cosine for _, cosine in printed] == [f"{cosines[row]:.2f}" for row in nearest]


def test_lineage_tells_the_dataset(sample: Pipeline, sample_run: Run) -> None:
    examples = sample.artifacts("Examples")[0]  # Those of Transform are newer.
    recorded = {key: value.string_value for key, value in examples.custom_properties.items()}
    assert recorded["dataset"] == "sample_reviews:1.0.0"
    assert json.loads(recorded["class_names"]) == ["neg", "pos"]
    fingerprint = sample_run.artifacts["EmbeddingProjection"].properties["dataset_fingerprint"]
    assert fingerprint.string_value == recorded["dataset_fingerprint"] != ""


# A second run at the same time, and an interrupted one.


def test_a_second_run_is_refused_and_sigterm_to_make_ends_the_first(
    sample: Pipeline, sample_run: Run
) -> None:
    served = list((sample.root / "serving").iterdir())
    endless = {"TRAINING__EPOCHS": "100000", "TRAINING__EARLY_STOPPING_PATIENCE": "0"}
    variables = {f"PIPELINE__{name}": value for name, value in endless.items()}
    process = dataclasses.replace(sample, variables=variables).spawn(sample.make("run"))
    assert process.stdout
    for line in process.stdout:
        if line.startswith("EmbeddingTrainer "):
            second = sample.run()
            process.terminate()  # Signals make alone, as a scheduler does.
            break
    rest = process.stdout.read()  # Ends when the last process of the group closes the pipe.
    process.wait()
    assert second.code == 1
    assert re.search(
        r"Another run of this pipeline, process \d+ since .*, writes to ", second.printed
    )
    assert process.returncode in (2, -signal.SIGTERM)
    assert "Interrupted. The next run takes the finished steps from the cache." in rest
    assert "Traceback" not in rest
    assert "Pusher" not in rest
    assert list((sample.root / "serving").iterdir()) == served


# Later runs of the same pipeline.


@pytest.fixture(scope="module")
def again(sample: Pipeline, sample_run: Run) -> Run:
    runner = str(PROJECT / "pipeline_def" / "beam_runner.py")
    sample.tfx_here("pipeline", "create", "--pipeline_path", runner)
    return sample.run_tfx("run", "create", "--pipeline_name", "sample")


def test_the_tfx_command_finds_everything_in_the_cache(sample_run: Run, again: Run) -> None:
    assert again.code == 0, again.printed
    assert again.states == {**dict.fromkeys(STEPS, "CACHED"), RESOLVER: "COMPLETE"}
    assert again.artifacts == sample_run.artifacts
    for label in ("Accuracy", "Model", "Projection", "Nearest to"):
        assert again.lines(label) == sample_run.lines(label)


def test_the_tfx_command_manages_the_pipeline(sample: Pipeline, again: Run) -> None:
    runner = str(PROJECT / "pipeline_def" / "beam_runner.py")
    logs = list((sample.root / "logs").iterdir())
    compiled = sample.tfx_here("pipeline", "compile", "--pipeline_path", runner)
    assert "compiled successfully" in compiled
    sample.tfx_here("pipeline", "update", "--pipeline_path", runner)
    assert "sample" in sample.tfx_here("pipeline", "list").split()
    assert "deleted successfully" in sample.tfx_here(
        "pipeline", "delete", "--pipeline_name", "sample"
    )
    assert list((sample.root / "logs").iterdir()) == logs  # None of this has run the pipeline.


@pytest.fixture(scope="module")
def stricter(sample: Pipeline, again: Run) -> Run:
    return sample.run(EVALUATION__MIN_ACCURACY="1.0")


def test_a_model_that_misses_a_bound_is_not_pushed(
    sample: Pipeline, sample_run: Run, stricter: Run
) -> None:
    assert stricter.code == 0, stricter.printed
    judged = {"Evaluator", "Pusher"}
    assert {step: stricter.states[step] for step in STEPS} == {
        step: "COMPLETE" if step in judged else "CACHED" for step in STEPS
    }
    accuracy = sample_run.line("Accuracy").split()[0]
    assert stricter.line("Model") == f"not blessed: accuracy {accuracy} is below 1.0"
    assert len(list((sample.root / "serving").iterdir())) == 1


@pytest.fixture(scope="module")
def failed(sample: Pipeline, stricter: Run) -> Run:
    return sample.run(DATASET__EVAL="tset")


def test_a_failing_step_ends_the_run_with_its_own_error(failed: Run) -> None:
    assert failed.code == 1
    (line,) = (line for line in failed.printed.splitlines() if " failed " in line)
    assert line.startswith("TfdsExampleGen ")
    assert "tset" in line
    assert "test" in line
    assert "Traceback" not in failed.printed
    assert "Look at it" not in failed.printed


@pytest.fixture(scope="module")
def changed(sample: Pipeline, failed: Run) -> Run:
    """Runs the pipeline after a change of the dataset's files and of nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sample_reviews_dataset_builder.EXAMPLES, "train", 3200)
        prepare_anew(sample)
    return sample.run()


def prepare_anew(pipeline: Pipeline) -> None:
    data_dir = pipeline.directory / "tfds"
    shutil.rmtree(data_dir / "sample_reviews")
    sample_reviews.SampleReviews(data_dir=data_dir).download_and_prepare()


def test_changed_data_is_not_taken_from_the_cache(
    sample: Pipeline, sample_run: Run, changed: Run
) -> None:
    assert changed.code == 0, changed.printed
    assert {step: changed.states[step] for step in STEPS} == {
        step: "CACHED" if step == "ImportSchemaGen" else "COMPLETE" for step in STEPS
    }
    assert "3,200 train, 1,000 eval" in changed.printed
    fingerprints = {
        run.artifacts["EmbeddingProjection"].properties["dataset_fingerprint"].string_value
        for run in (sample_run, changed)
    }
    assert len(fingerprints) == 2


def test_the_new_model_is_compared_with_the_blessed_one(
    sample: Pipeline, sample_run: Run, changed: Run
) -> None:
    old, new = (run.artifacts["Model"].id for run in (sample_run, changed))
    assert old != new
    evaluated = sample.inputs_of("Evaluator")
    assert (evaluated["model"], evaluated["baseline_model"]) == ([new], [old])
    exported = sample.inputs_of("ProjectorExporter")
    assert (exported["model"], exported["baseline_model"]) == ([new], [old])
    overlap = changed.artifacts["EmbeddingProjection"].custom_properties["neighbor_overlap"]
    assert 0 < overlap.double_value <= 1
    assert len(list((sample.root / "serving").iterdir())) == 2


@pytest.fixture(scope="module")
def reverted(sample: Pipeline, changed: Run) -> Run:
    """Runs the pipeline after the dataset's files are restored to their first state."""
    prepare_anew(sample)
    return sample.run()


def test_the_model_of_reverted_data_is_served_again(
    sample: Pipeline, sample_run: Run, changed: Run, reverted: Run
) -> None:
    assert {step: reverted.states[step] for step in STEPS} == {
        step: "COMPLETE" if step == "Pusher" else "CACHED" for step in STEPS
    }
    oldest, _, newest = sorted((sample.root / "serving").iterdir())
    assert reverted.line("Model") == f"blessed, pushed to {newest}"
    served = newest / "variables" / "variables.data-00000-of-00001"
    assert served.read_bytes() == (oldest / served.relative_to(newest)).read_bytes()

    again = sample.run()
    assert {again.states[step] for step in STEPS} == {"CACHED"}
    assert again.line("Model") == reverted.line("Model")


def test_every_projection_is_a_run_of_tensorboard(sample: Pipeline, changed: Run) -> None:
    projections = sample.artifacts("EmbeddingProjection")
    names = {made.properties["run_name"].string_value for made in projections}
    assert len(names) == len(projections) == 2
    with TensorBoard(sample.root / "artifacts" / "ProjectorExporter" / "projection") as tensorboard:
        assert {run.partition("/")[2] for run in tensorboard.json("runs")} == names
    with TensorBoard(sample.directory / "published") as tensorboard:
        assert set(tensorboard.json("runs")) == names

"""Runs the pipeline on a user's own dataset, with TFX's local engine."""

import json
import pathlib
import shlex

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import yaml

from pipeline_def import sample_reviews
from tests.pipelines import PROJECT, RESOLVER, STEPS, Pipeline, Run, prepare

pytestmark = pytest.mark.slow

FEATURES = tfds.features.FeaturesDict(
    {"review": tfds.features.Text(), "verdict": tfds.features.ClassLabel(names=["neg", "pos"])}
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Prepares the sample's reviews as a dataset with other feature names and no builder code.

    The directory's name has characters that are special in a shell, a URL or a format string.
    """
    directory = tmp_path_factory.mktemp("50% of my réviews #1; 'ours'")
    builder = sample_reviews.SampleReviews(data_dir=directory / "sample")
    builder.download_and_prepare()
    splits = {
        split: [
            {"review": example["text"], "verdict": example["label"]}
            for example in tfds.as_numpy(builder.as_dataset(split=split))
        ]
        for split in ("train", "test")
    }
    prepare(directory / "tfds", "own_reviews", FEATURES, splits)
    config = directory / "own.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": "own",
                "dataset": {
                    "name": "own_reviews",
                    "text_feature": "review",
                    "label_feature": "verdict",
                    "schema_file": str(PROJECT / "schemas" / "sample_reviews.pbtxt"),
                },
                "vocabulary": {"top_k": 1000, "skip_top": 10},
                "projection": {"layouts": ["pca"]},
                "evaluation": {"min_accuracy": 0.75},
            }
        )
    )
    return Pipeline("own", "local", directory, {"PIPELINE_CONFIG": str(config)})


@pytest.fixture(scope="module")
def first(own: Pipeline) -> Run:
    runner = str(PROJECT / "pipeline_def" / "local_runner.py")
    own.tfx_here("pipeline", "create", "--pipeline_path", runner)
    return own.run_tfx("run", "create", "--pipeline_name", "own")


def test_the_local_engine_runs_every_step(own: Pipeline, first: Run) -> None:
    assert first.code == 0, first.printed
    assert first.states == dict.fromkeys(STEPS | {RESOLVER}, "COMPLETE")
    (version,) = (own.root / "serving").iterdir()
    assert first.line("Model") == f"blessed, pushed to {version}"
    assert first.lines("Nearest to") == []  # No probe words are configured.


def test_the_printed_command_is_quoted_for_the_shell(first: Run) -> None:
    command = first.line("TensorBoard")
    uri = first.artifacts["EmbeddingProjection"].uri
    assert shlex.split(command) == ["tensorboard", "--logdir", uri] != command.split()


def test_the_pushed_model_was_trained_on_the_named_features(own: Pipeline, first: Run) -> None:
    (version,) = (own.root / "serving").iterdir()
    serve = tf.saved_model.load(str(version)).signatures["serve_text"]
    served = np.asarray(
        serve(text=tf.constant(["a wonderful and delightful evening"]))["probabilities"]
    )
    assert served[0, 1] > 0.5
    examples = own.artifacts("Examples")[0].custom_properties
    assert json.loads(examples["class_names"].string_value) == ["neg", "pos"]


def test_a_second_run_is_cached_to_the_end(own: Pipeline, first: Run) -> None:
    again = own.run()
    assert again.states == {**dict.fromkeys(STEPS, "CACHED"), RESOLVER: "COMPLETE"}
    assert again.artifacts == first.artifacts
    assert pathlib.Path(again.line("Projection")).is_dir()


# Must be the last test of the module, since it moves the pipeline's store away.
def test_artifacts_are_not_mixed_with_those_of_a_new_store(own: Pipeline, first: Run) -> None:
    (own.root / "metadata.sqlite").rename(own.directory / "kept.sqlite")
    before = sorted((own.root / "artifacts").rglob("*"))
    refused = own.run()
    assert refused.code == 1
    assert "holds artifacts, but the ML Metadata store has no run" in refused.printed
    assert sorted((own.root / "artifacts").rglob("*")) == before

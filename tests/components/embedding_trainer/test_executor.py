import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from tfx.proto.orchestration import pipeline_pb2

from components import execution_properties
from components.embedding_trainer import executor
from components.embedding_trainer.options import TrainingOptions
from components.text.features import LABEL, TOKEN_IDS

from . import harness

FAST: dict[str, Any] = {
    "strategy": "one_device",
    "batch_size": 16,
    "learning_rate": 0.02,
    "epochs": 4,
}

# Serves both models without this project: TensorFlow alone for words, and tensorflow_text as well
# for subwords.
SERVE = """
import json, sys
import tensorflow as tf
print(json.dumps([name for name in ("tensorflow_text", "components") if name in sys.modules]))
words, subwords, text = sys.argv[1:]
for directory in (words, subwords):
    serve = tf.saved_model.load(directory).signatures["serve_text"]
    print(json.dumps(serve(text=tf.constant([text]))["probabilities"].numpy().tolist()))
    import tensorflow_text
"""


@pytest.mark.slow
def test_models_of_words_and_of_subwords_are_learned_and_served_in_a_fresh_process(
    two_classes: str, subwords: str, tmp_path: pathlib.Path
) -> None:
    models = [
        harness.execute(two_classes, str(tmp_path / "words"), **FAST),
        harness.execute(subwords, str(tmp_path / "subwords"), text_feature="review", **FAST),
    ]

    # No text has the word "actors", but some have its subwords.
    text = "We saw GREAT, nice<br />actors"
    directories = [harness.serving_directory(model) for model in models]
    command = [sys.executable, "-c", SERVE, *directories, text]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert result.returncode == 0, result.stderr
    loaded, *served = map(json.loads, result.stdout.splitlines()[-3:])
    assert loaded == []
    for directory, probabilities in zip(directories, served, strict=True):
        np.testing.assert_allclose(probabilities, harness.serve(directory, [text]), rtol=1e-6)
        good, bad, empty = harness.serve(directory, ["a nice film", "Awful!", ""])
        assert good[1] > 0.8
        assert bad[0] > 0.8
        assert np.isfinite(empty).all()
    assert [os.listdir(model.uri) for model in models] == [["Format-Serving"]] * 2


def test_what_was_trained_is_recorded(three_classes: str, tmp_path: pathlib.Path) -> None:
    names = ["neg", "pos", "mixed", "none"]
    model = harness.execute(
        three_classes,
        str(tmp_path),
        class_names=names,
        embedding_dim=3,
        hidden_units=5,
        **{**FAST, "epochs": 8},
    )

    found = {
        name: model.get_custom_property(name) for name in model.mlmd_artifact.custom_properties
    }
    training, validation = found.pop("training_examples"), found.pop("validation_examples")
    best, last = found.pop("best_epoch"), found.pop("epochs_run")
    assert found.pop("validation_accuracy") > 0.9
    assert 0 <= found.pop("bootstrap_overlap") <= 1
    assert found.pop("learning_rate") == pytest.approx(0.02)
    assert found == {
        "strategy": "one_device",
        "devices": "1 CPU",
        "initial_embedding": "cooccurrence",
        "replicas": 1,
        "global_batch_size": 16,
        "embedding_dim": 3,
        "hidden_units": 5,
        "num_classes": 4,
        "class_names": json.dumps(names),
    }
    assert training + validation == 300
    assert 10 < validation < 60
    assert last == min(best + 1, 8)
    # The model serves a class that no example has, too.
    probabilities = harness.serve(
        harness.serving_directory(model), ["poor film", "nice plot", "average actor"]
    )
    assert probabilities.shape == (3, 4)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    serve = tf.saved_model.load(harness.serving_directory(model)).signatures["serve_text"]
    served = serve(text=tf.constant(["poor film"]))["class_names"].numpy()
    assert [name.decode() for name in served[0]] == names
    weights = harness.weights(model)
    assert weights["embedding"].shape[1] == 3
    assert weights["hidden_kernel"].shape == (3, 5)


def test_the_accuracy_of_the_validation_examples_is_recorded_and_logged(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    options = {**FAST, "epochs": 1, "initial_embedding": "random"}
    model = harness.execute(two_classes, str(tmp_path), **options)

    training, validation = (
        harness.logged(tmp_path / "model_run" / run, "epoch_accuracy")[1]
        for run in ("train", "validation")
    )
    recorded = model.get_float_custom_property("validation_accuracy")
    assert recorded == pytest.approx(validation) != training


def test_texts_are_cut_at_the_longest_sequence_in_training_and_in_serving(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    rows: list[dict[str, Any]] = [
        {TOKEN_IDS: [1 + index % 5, 2, 3], LABEL: index % 2} for index in range(40)
    ]
    longer = [
        {**row, TOKEN_IDS: [*row[TOKEN_IDS], 4 + index % 9]} for index, row in enumerate(rows)
    ]
    models = []
    for name, of_one in (("cut", rows), ("longer", longer)):
        os.makedirs(tmp_path / name)
        os.symlink(os.path.join(two_classes, "graph"), tmp_path / name / "graph")
        harness.write_examples(str(tmp_path / name), of_one)
        options = {**FAST, "max_sequence_length": 3, "validation_fraction": 0}
        output = str(tmp_path / name / "output")
        models.append(
            harness.execute(str(tmp_path / name), output, early_stopping_patience=0, **options)
        )

    cut, longer_weights = map(harness.weights, models)
    for name, values in cut.items():
        np.testing.assert_array_equal(values, longer_weights[name])
    words = harness.vocabulary(two_classes)  # The training examples have the first five words.
    long, full, short = harness.serve(
        harness.serving_directory(models[0]), [" ".join(words[:count]) for count in (4, 3, 2)]
    )
    np.testing.assert_array_equal(long, full)
    assert (full != short).any()


def test_only_the_named_splits_are_trained_on(two_classes: str, tmp_path: pathlib.Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(os.path.join(two_classes, "examples"), data / "examples")
    os.symlink(os.path.join(two_classes, "graph"), data / "graph")
    shutil.copytree(data / "examples" / "Split-train", data / "examples" / "Split-more")
    splits = ["train", "more"]
    options = {**FAST, "epochs": 1}

    one, both = (
        harness.execute(
            str(data),
            str(tmp_path / str(count)),
            splits=splits,
            train_splits=splits[:count],
            **options,
        )
        for count in (1, 2)
    )

    for name in ("training_examples", "validation_examples"):
        assert both.get_int_custom_property(name) == 2 * one.get_int_custom_property(name)
    with pytest.raises(ValueError, match=r"train_splits has \['trian'\].* the splits \['train'\]"):
        harness.execute(str(data), str(tmp_path), train_splits=["train", "trian"], **FAST)


def test_a_diverging_training_leaves_no_model(two_classes: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FloatingPointError, match="diverged in epoch 1"):
        harness.execute(two_classes, str(tmp_path), **{**FAST, "learning_rate": 1e38})

    assert not (tmp_path / "model").exists()


def test_no_files_and_no_examples_are_refused(two_classes: str, tmp_path: pathlib.Path) -> None:
    data = tmp_path / "data"
    os.makedirs(data / "examples" / "Split-train")
    os.symlink(os.path.join(two_classes, "graph"), data / "graph")

    with pytest.raises(ValueError, match=r"Split-train: no files; expected training examples"):
        harness.execute(str(data), str(tmp_path), **FAST)
    shutil.rmtree(data / "examples")
    harness.write_examples(str(data), [])
    with pytest.raises(ValueError, match="none is left to train on"):
        harness.execute(str(data), str(tmp_path), **FAST)


@pytest.mark.slow
def test_an_empty_vocabulary_is_refused(tmp_path: pathlib.Path) -> None:
    data = harness.write_transformed(str(tmp_path / "data"), ["...", "!"], [0, 1])

    with pytest.raises(ValueError, match="the vocabulary is empty"):
        harness.execute(data, str(tmp_path), **FAST)


def test_the_workers_are_found_though_the_driver_has_put_their_number_in_the_place_of_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = TrainingOptions(strategy="multi_worker_mirrored", workers=("host2:7077",))
    properties = execution_properties.to_properties(options)
    node = pipeline_pb2.PipelineNode()
    node.parameters.parameters["workers"].field_value.string_value = properties["workers"]
    train_on_hosts = mock.Mock(return_value={"replicas": 2})
    monkeypatch.setattr(executor, "train_on_hosts", train_on_hosts)
    examples = harness.artifact(harness.standard_artifacts.Examples, "examples")
    examples.split_names = '["train"]'
    graph = harness.artifact(harness.standard_artifacts.TransformGraph, "graph")
    model = harness.artifact(harness.standard_artifacts.Model, "model")
    logs = harness.artifact(harness.standard_artifacts.ModelRun, "model_run")

    executor.Executor(executor.Executor.Context(pipeline_node=node)).Do(
        {"examples": [examples], "transform_graph": [graph]},
        {"model": [model], "model_run": [logs]},
        {**properties, "workers": "1", "train_splits": '["train"]', "text_feature": "text"},
    )

    assert train_on_hosts.call_args.args[0].options == options
    assert model.get_int_custom_property("replicas") == 2

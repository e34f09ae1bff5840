import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from components.text.features import FIRST_TOKEN_ID, LABEL, TOKEN_IDS

from . import harness

FAST: dict[str, Any] = {
    "strategy": "one_device",
    "batch_size": 16,
    "learning_rate": 0.02,
    "epochs": 4,
}

# Nothing but TensorFlow: neither Keras nor tf.Transform nor this project.
SERVE = """
import json, sys
import tensorflow as tf
directory, *texts = sys.argv[1:]
signatures = tf.saved_model.load(directory).signatures
examples = []
for text in texts:
    example = tf.train.Example()
    example.features.feature['text'].bytes_list.value.append(text.encode())
    examples.append(example.SerializeToString())
print(json.dumps([
    signatures['serve_text'](text=tf.constant(texts))['probabilities'].numpy().tolist(),
    signatures['serving_default'](examples=tf.constant(examples))['probabilities'].numpy().tolist(),
]))
"""


def serve_in_a_fresh_process(model: object, texts: Sequence[str]) -> np.ndarray:
    """Returns the probabilities of both signatures, [2, texts, classes]."""
    directory = harness.serving_directory(model)
    command = [sys.executable, "-c", SERVE, directory, *texts]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    return np.array(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_two_classes_are_learned_and_served(two_classes: str, tmp_path: pathlib.Path) -> None:
    model = harness.execute(two_classes, str(tmp_path), **FAST)

    texts = ["We saw a GREAT, nice film", "The plot: awful<br />bad", "", "never heard of"]
    by_text, by_example = serve_in_a_fresh_process(model, texts)
    np.testing.assert_allclose(by_text, by_example, rtol=1e-6)
    np.testing.assert_allclose(by_text.sum(axis=1), 1, rtol=1e-6)
    assert by_text[0, 1] > 0.9
    assert by_text[1, 0] > 0.9
    assert np.isfinite(by_text).all()
    assert os.listdir(model.uri) == ["Format-Serving"]


@pytest.mark.slow
def test_single_tokens_are_served_by_id(two_classes: str, tmp_path: pathlib.Path) -> None:
    model = harness.execute(two_classes, str(tmp_path), max_sequence_length=3, **FAST)
    words = ["good", "awful", "scene"]
    vocabulary = _vocabulary(two_classes)
    ids = np.array([vocabulary.index(word) for word in words]) + FIRST_TOKEN_ID

    serve = tf.saved_model.load(harness.serving_directory(model)).signatures["serve_token_ids"]
    by_id = serve(token_ids=tf.constant(ids[:, None], tf.int64))["probabilities"].numpy()

    by_text, _ = serve_in_a_fresh_process(model, [*words, "good awful awful"])
    np.testing.assert_allclose(by_id, by_text[:3], rtol=1e-6)
    good, awful, _ = ids
    rows = tf.constant([[good, awful, awful, good, good], [good, 0, 0, 0, 0], [0] * 5], tf.int64)
    padded = serve(token_ids=rows)["probabilities"].numpy()
    np.testing.assert_allclose(padded[:2], [by_text[3], by_text[0]], rtol=1e-6)
    assert np.isfinite(padded).all()


@pytest.mark.slow
def test_a_class_that_no_training_example_has_is_served(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    names = ["neg", "pos", "mixed"]
    model = harness.execute(two_classes, str(tmp_path), class_names=names, **FAST)

    by_text, _ = serve_in_a_fresh_process(model, ["good film"])
    assert by_text.shape == (1, 3)
    assert by_text[0].argmax() == 1
    assert json.loads(model.get_string_custom_property("class_names")) == names


@pytest.mark.slow
def test_three_classes_are_learned_and_recorded(three_classes: str, tmp_path: pathlib.Path) -> None:
    model = harness.execute(three_classes, str(tmp_path), **{**FAST, "epochs": 8})

    by_text, _ = serve_in_a_fresh_process(model, ["poor film", "nice plot", "average actor"])
    assert by_text.argmax(axis=1).tolist() == [0, 1, 2]
    assert model.get_string_custom_property("strategy") == "one_device"
    assert model.get_int_custom_property("replicas") == 1
    assert model.get_int_custom_property("global_batch_size") == 16
    assert model.get_float_custom_property("learning_rate") == pytest.approx(0.02)
    assert model.get_int_custom_property("num_classes") == 3
    assert 1 <= model.get_int_custom_property("epochs_run") <= 8
    assert model.get_float_custom_property("validation_accuracy") > 0.9


def test_tensorboard_shows_every_epoch(two_classes: str, tmp_path: pathlib.Path) -> None:
    options = {**FAST, "epochs": 2, "early_stopping_patience": 0}

    harness.execute(two_classes, str(tmp_path), **options)

    for run in ("train", "validation"):
        events = event_accumulator.EventAccumulator(
            str(tmp_path / "model_run" / run), {event_accumulator.TENSORS: 0}
        ).Reload()
        assert [event.step for event in events.Tensors("epoch_loss")] == [1, 2]
        assert [event.step for event in events.Tensors("epoch_accuracy")] == [1, 2]


def test_the_same_seed_gives_the_same_weights(two_classes: str, tmp_path: pathlib.Path) -> None:
    options = {**FAST, "epochs": 1}

    first, again, other = (
        harness.weights(harness.execute(two_classes, str(tmp_path / name), seed=seed, **options))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )

    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(first["embedding"], other["embedding"])


def test_training_stops_with_the_weights_of_the_best_epoch(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    options = {**FAST, "learning_rate": 0.3, "seed": 1}
    stopped = harness.execute(two_classes, str(tmp_path / "stopped"), **{**options, "epochs": 50})
    best = stopped.get_int_custom_property("best_epoch")

    exact = harness.execute(two_classes, str(tmp_path / "exact"), **{**options, "epochs": best})

    assert best < stopped.get_int_custom_property("epochs_run") < 50
    expected = harness.weights(exact)
    for name, values in harness.weights(stopped).items():
        np.testing.assert_array_equal(values, expected[name])


def test_a_base_model_gives_its_words_to_another_vocabulary(
    two_classes: str, three_classes: str, tmp_path: pathlib.Path
) -> None:
    base = harness.execute(two_classes, str(tmp_path / "base"), **FAST)

    # A learning rate that changes nothing visible, and three classes instead of two.
    model = harness.execute(
        three_classes,
        str(tmp_path / "next"),
        base_model=base.uri,
        **{**FAST, "learning_rate": 1e-9, "epochs": 1},
    )

    before, after = harness.weights(base), harness.weights(model)
    base_words, words = (_vocabulary(data) for data in (two_classes, three_classes))
    assert len(words) == len(base_words) + 3 and words[: len(base_words)] != base_words
    for row, word in enumerate(words, FIRST_TOKEN_ID):
        if word in base_words:
            base_row = base_words.index(word) + FIRST_TOKEN_ID
            np.testing.assert_allclose(
                after["embedding"][row], before["embedding"][base_row], atol=1e-6
            )
    np.testing.assert_allclose(after["embedding"][-1], before["embedding"][-1], atol=1e-6)
    np.testing.assert_allclose(after["hidden_kernel"], before["hidden_kernel"], atol=1e-6)
    assert after["logits_kernel"].shape == (16, 3)


def test_a_base_model_that_does_not_fit_is_refused(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    base = harness.execute(two_classes, str(tmp_path / "base"), **{**FAST, "epochs": 1})
    other = tf.Module()
    tf.saved_model.save(other, str(tmp_path / "other" / "Format-Serving"))

    with pytest.raises(ValueError, match=r"16\); .*8 columns\. Set embedding_dim"):
        harness.execute(
            two_classes, str(tmp_path / "next"), base_model=base.uri, embedding_dim=8, **FAST
        )
    with pytest.raises(ValueError, match="expected a model that EmbeddingTrainer has written"):
        harness.execute(
            two_classes, str(tmp_path / "last"), base_model=str(tmp_path / "other"), **FAST
        )


def test_without_validation_every_epoch_is_run(two_classes: str, tmp_path: pathlib.Path) -> None:
    options = {**FAST, "validation_fraction": 0, "early_stopping_patience": 0, "epochs": 2}

    model = harness.execute(two_classes, str(tmp_path), **options)

    assert model.get_int_custom_property("epochs_run") == 2
    assert model.get_int_custom_property("training_examples") == 300
    assert not model.has_custom_property("validation_accuracy")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text_spec", [tf.io.VarLenFeature(tf.string), tf.io.FixedLenFeature([1], tf.string)]
)
def test_text_is_served_whatever_form_its_schema_gives_it(
    text_spec: Any, tmp_path: pathlib.Path
) -> None:
    data = harness.write_transformed(
        str(tmp_path / "data"), ["good film", "bad film"] * 20, [1, 0] * 20, text_spec=text_spec
    )

    options = {**FAST, "epochs": 1, "validation_fraction": 0.0, "early_stopping_patience": 0}
    model = harness.execute(data, str(tmp_path), **options)

    by_text, by_example = serve_in_a_fresh_process(model, ["good film", "", "a bad film"])
    assert by_text.shape == (3, 2)
    np.testing.assert_allclose(by_text, by_example, rtol=1e-6)


def test_an_infinite_loss_ends_the_training(two_classes: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FloatingPointError, match=r"diverged in epoch 1 .*Lower the learning_rate"):
        harness.execute(two_classes, str(tmp_path), **{**FAST, "learning_rate": 1e38})

    assert not (tmp_path / "model").exists()


def test_no_examples_and_unknown_splits_are_refused(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    data = str(tmp_path / "data")
    shutil.copytree(os.path.join(two_classes, "graph"), os.path.join(data, "graph"))
    harness.write_examples(data, [])

    with pytest.raises(ValueError, match="none is left to train on"):
        harness.execute(data, str(tmp_path), **FAST)
    with pytest.raises(ValueError, match=r"train_splits has \['trian'\].* the splits \['train'\]"):
        harness.execute(data, str(tmp_path), train_splits=["train", "trian"], **FAST)


def test_an_empty_vocabulary_is_refused(tmp_path: pathlib.Path) -> None:
    data = harness.write_transformed(str(tmp_path / "data"), ["...", "!"], [0, 1])
    shutil.rmtree(os.path.join(data, "examples"))
    harness.write_examples(data, [{TOKEN_IDS: [], LABEL: 0}])

    with pytest.raises(ValueError, match="the vocabulary is empty"):
        harness.execute(data, str(tmp_path), **FAST)


def _vocabulary(data: str) -> list[str]:
    path = os.path.join(data, "graph", "transform_fn", "assets", "vocabulary")
    return pathlib.Path(path).read_text().splitlines()

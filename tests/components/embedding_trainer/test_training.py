import dataclasses
import functools
import logging
import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.embedding_trainer.input_pipeline import Examples
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.training import Outcome, train
from components.text.features import LABEL, TOKEN_IDS

from . import harness

FAST: dict[str, Any] = {"batch_size": 16, "learning_rate": 0.02, "epochs": 4}


@pytest.fixture(scope="module")
def examples(two_classes: str) -> Examples:
    return harness.read(two_classes)


def _train(examples: Examples, log_dir: str | None = None, **options: Any) -> Outcome:
    build = functools.partial(build_model, 100, 16, 16, int(examples.labels.max()) + 1)
    strategy = tf.distribute.get_strategy()
    return train(build, examples, TrainingOptions(**{**FAST, **options}), strategy, log_dir)


def _assert_equal(weights: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for values, others in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(values, others)


def test_two_classes_are_learned(examples: Examples) -> None:
    outcome = _train(examples)

    assert outcome.validation is not None
    assert outcome.validation.accuracy > 0.95
    assert outcome.validation.examples == examples.validation_size
    assert outcome.training.examples == examples.training_size
    assert outcome.training.accuracy > 0.9
    assert 0 < outcome.validation.loss < outcome.training.loss < np.log(2)


def test_the_metrics_are_means_over_the_examples(examples: Examples) -> None:
    # At this rate the weights stay the same, so the batch size must not change the metrics.
    small, large = (_train(examples, epochs=1, learning_rate=1e-9, batch_size=b) for b in (7, 100))

    model = build_model(100, 16, 16, 2)
    model.set_weights(small.weights)
    for metrics, numbers in (
        (small.training, range(examples.validation_size, len(examples.labels))),
        (small.validation, range(examples.validation_size)),
    ):
        logits = [model(examples.token_ids(n)[None]).numpy().item() for n in numbers]
        signs = 2 * examples.labels[list(numbers)] - 1
        assert metrics is not None
        assert metrics.loss == pytest.approx(np.log1p(np.exp(-signs * logits)).mean(), rel=1e-4)
        assert metrics.accuracy == pytest.approx(np.mean(signs * logits > 0))
    assert dataclasses.astuple(large.training) == pytest.approx(
        dataclasses.astuple(small.training), rel=1e-4
    )


def test_data_and_seed_repeat_a_run_whatever_the_order_of_the_files(
    examples: Examples, two_classes: str, tmp_path: pathlib.Path
) -> None:
    rows = [
        {TOKEN_IDS: examples.token_ids(number), LABEL: label}
        for number, label in enumerate(examples.labels)
    ]
    (tmp_path / "graph").symlink_to(pathlib.Path(two_classes, "graph"))
    harness.write_examples(str(tmp_path), sorted(rows, key=lambda row: row[LABEL]))

    first = _train(examples, epochs=2, seed=3)
    again = _train(harness.read(str(tmp_path)), epochs=2, seed=3)
    other = _train(examples, epochs=2, seed=4)

    _assert_equal(first.weights, again.weights)
    assert first.training == again.training
    assert not np.array_equal(first.weights[0], other.weights[0])


def test_the_seed_orders_the_examples_of_an_epoch(examples: Examples) -> None:
    def build() -> keras.Model:
        keras.utils.set_random_seed(0)  # So that the model is the same for every seed.
        return build_model(100, 16, 16, 2)

    first, again, other = (
        train(build, examples, TrainingOptions(epochs=1, seed=seed), tf.distribute.get_strategy())
        for seed in (3, 3, 4)
    )

    _assert_equal(first.weights, again.weights)
    assert not np.array_equal(first.weights[0], other.weights[0])


def test_training_stops_with_the_weights_of_the_best_epoch(examples: Examples) -> None:
    options: dict[str, Any] = {"learning_rate": 0.3, "seed": 1, "early_stopping_patience": 2}

    stopped = _train(examples, epochs=50, **options)
    exact = _train(examples, epochs=stopped.epoch, **options)

    assert stopped.epochs_run == stopped.epoch + 2 < 50
    assert exact.epochs_run == exact.epoch == stopped.epoch
    assert stopped.validation == exact.validation
    _assert_equal(stopped.weights, exact.weights)


def test_a_training_that_ends_too_early_says_what_to_raise(
    examples: Examples, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert _train(examples, epochs=2).epoch == 2
        assert _train(examples, epochs=50, learning_rate=0.3).epoch < 50
        _train(examples, epochs=1, early_stopping_patience=0)

    (message,) = caplog.messages
    assert message.startswith("The validation loss still fell in the last of 2 epochs; raise epoc")


def test_without_patience_the_last_epoch_counts(examples: Examples) -> None:
    outcome = _train(examples, learning_rate=0.3, seed=1, epochs=6, early_stopping_patience=0)

    assert (outcome.epoch, outcome.epochs_run) == (6, 6)


def test_without_validation_every_epoch_is_run(two_classes: str) -> None:
    outcome = _train(
        harness.read(two_classes, 0), epochs=2, validation_fraction=0, early_stopping_patience=0
    )

    assert outcome.epochs_run == 2
    assert outcome.validation is None
    assert outcome.training.examples == 300


def test_tensorboard_and_the_log_show_every_epoch(
    examples: Examples, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        # Slow enough that the two accuracies still differ.
        outcome = _train(
            examples, str(tmp_path), epochs=2, early_stopping_patience=0, learning_rate=1e-4
        )

    epochs = [message for message in caplog.messages if message.startswith("Epoch ")]
    shown = [outcome.training, outcome.validation]
    assert len({metrics and metrics.accuracy for metrics in shown}) == 2
    for run, told, metrics in zip(("train", "validation"), ("", "val "), shown, strict=True):
        assert metrics is not None
        losses, accuracies = (
            harness.logged(tmp_path / run, f"epoch_{name}") for name in ("loss", "accuracy")
        )
        assert list(losses) == list(accuracies) == list(range(1, len(epochs) + 1)) == [1, 2]
        assert losses[2] == pytest.approx(metrics.loss)
        assert accuracies[2] == pytest.approx(metrics.accuracy)
        numbers = f" {told}loss {metrics.loss:.4f}, {told}accuracy {metrics.accuracy:.4f}"
        assert numbers in epochs[-1]


def test_a_diverging_training_is_refused(examples: Examples) -> None:
    with pytest.raises(FloatingPointError, match=r"diverged in epoch 1 .*Lower the learning_rate"):
        _train(examples, learning_rate=1e38)


def test_three_classes_are_learned(three_classes: str) -> None:
    outcome = _train(harness.read(three_classes), epochs=8)

    assert outcome.validation is not None
    assert outcome.validation.accuracy > 0.9

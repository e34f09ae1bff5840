"""The training loop, the same for every distribution strategy.

Keras' own `fit` fails under MultiWorkerMirroredStrategy.
"""

import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from components.embedding_trainer.input_pipeline import Batch, ExampleFiles, Summary, make_batches
from components.embedding_trainer.model import class_logits
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.strategy import scale_learning_rate

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Means over examples.

    Attributes:
        loss: Cross entropy, in nats.
        accuracy: Share of the examples whose most probable class is the right one.
        examples: Number of examples.
    """

    loss: float
    accuracy: float
    examples: int


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the training came to.

    Attributes:
        weights: Those to use, in the order of `keras.Model.get_weights`.
        epoch: The epoch after which they were taken, from 1 on.
        epochs_run: Number of epochs that were run.
        training: Measured during that epoch, while the weights changed.
        validation: Measured after that epoch; None without validation.
    """

    weights: list[np.ndarray]
    epoch: int
    epochs_run: int
    training: Metrics
    validation: Metrics | None


def train(
    build: Callable[[], keras.Model],
    files: ExampleFiles,
    summary: Summary,
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
    log_dir: str | None = None,
) -> Outcome:
    """Trains a model.

    Args:
        build: Builds the model with its initial weights.
        files: The examples.
        summary: Of the files.
        options: How to train.
        strategy: Where to train.
        log_dir: Where to write TensorBoard logs to; None for nowhere.

    Returns:
        The outcome, equal in every worker.

    Raises:
        FloatingPointError: The loss or a weight became NaN or infinite.
    """
    keras.utils.set_random_seed(options.seed)
    learning_rate = scale_learning_rate(options.learning_rate, strategy.num_replicas_in_sync)
    with strategy.scope():
        model = build()
        optimizer = keras.optimizers.Adam(learning_rate)
        optimizer.build(model.trainable_variables)
    run_training = _make_pass(model, optimizer, files, summary, options, strategy)
    run_validation = (
        _make_pass(model, None, files, summary, options, strategy)
        if summary.validation_examples
        else None
    )
    write_logs = _open_logs(log_dir) if log_dir else None
    best: Outcome | None = None
    for epoch in range(1, options.epochs + 1):
        start = time.monotonic()
        training = run_training()
        seconds = time.monotonic() - start
        validation = run_validation() if run_validation else None
        _report(epoch, options.epochs, seconds, training, validation)
        if write_logs:
            write_logs(epoch, training, validation)
        # The last step of an epoch can break the weights after its loss was taken.
        if not all(np.isfinite(numbers).all() for numbers in (training.loss, *model.get_weights())):
            raise FloatingPointError(
                f"The training diverged in epoch {epoch} with a loss of {training.loss}; expected "
                "the loss and all weights to be finite numbers. Lower "
                f"the learning_rate of {options.learning_rate} (times "
                f"{strategy.num_replicas_in_sync} replicas)."
            )
        if best is None or not options.early_stopping_patience or _is_lower(validation, best):
            best = Outcome(model.get_weights(), epoch, epoch, training, validation)
        elif epoch - best.epoch >= options.early_stopping_patience:
            break
    assert best is not None  # There is at least one epoch.
    return dataclasses.replace(best, epochs_run=epoch)


def _is_lower(validation: Metrics | None, best: Outcome) -> bool:
    return not validation or not best.validation or validation.loss < best.validation.loss


def _make_pass(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer | None,
    files: ExampleFiles,
    summary: Summary,
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
) -> Callable[[], Metrics]:
    """Returns a function that goes over the training examples, or those held out, once.

    Args:
        model: The model, made in the scope of the strategy.
        optimizer: Likewise, to train; None to validate.
        files: The examples.
        summary: Of the files.
        options: How to train.
        strategy: Where to train.
    """
    global_batch_size = options.batch_size * strategy.num_replicas_in_sync
    examples = summary.training_examples if optimizer else summary.validation_examples
    steps = math.ceil(examples / global_batch_size)
    dataset = strategy.distribute_datasets_from_function(
        lambda context: make_batches(
            files,
            context,
            steps=steps,
            batch_size=options.batch_size,
            max_tokens=options.max_sequence_length,
            static_length=isinstance(strategy, tf.distribute.TPUStrategy),
            validation=optimizer is None,
            seed=options.seed,
        )
    )
    batches = iter(dataset)

    def step_replica(batch: Batch) -> tf.Tensor:
        ids, labels, weights = batch
        with tf.GradientTape() as tape:
            logits = class_logits(model(ids))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits) * weights
            # The gradients of the replicas are summed up: together a mean over the global batch.
            loss = tf.reduce_sum(losses) / global_batch_size
        if optimizer:
            gradients = tape.gradient(loss, model.trainable_variables)
            # Dense, because replicas cannot sum up the embedding's slices.
            dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
            optimizer.apply(dense, model.trainable_variables)
        hits = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
        return tf.stack([tf.reduce_sum(x) for x in (losses, hits * weights, weights)])

    @tf.function(input_signature=[dataset.element_spec], autograph=False)  # Seconds, to no effect.
    def step(batch: Batch) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(step_replica, args=(batch,)), axis=None)

    def run() -> Metrics:
        totals = np.sum([step(next(batches)) for _ in range(steps)], axis=0, dtype=np.float64)
        loss, hits, examples = totals.tolist()
        return Metrics(loss / examples, hits / examples, round(examples))

    return run


def _report(
    epoch: int, epochs: int, seconds: float, training: Metrics, validation: Metrics | None
) -> None:
    _LOGGER.info(
        "Epoch %d/%d: loss %.4f, accuracy %.4f%s, %.1f s, %.0f examples/s",
        epoch,
        epochs,
        training.loss,
        training.accuracy,
        f", val loss {validation.loss:.4f}, val accuracy {validation.accuracy:.4f}"
        if validation
        else "",
        seconds,
        training.examples / seconds,
    )


def _open_logs(log_dir: str) -> Callable[[int, Metrics, Metrics | None], None]:
    """Returns a function that adds the metrics of an epoch to TensorBoard logs."""
    # The runs and tags that keras.callbacks.TensorBoard writes.
    writers = [
        tf.summary.create_file_writer(os.path.join(log_dir, run)) for run in ("train", "validation")
    ]

    def write(epoch: int, *of_runs: Metrics | None) -> None:
        for writer, metrics in zip(writers, of_runs, strict=True):
            if metrics:
                with writer.as_default(step=epoch):
                    tf.summary.scalar("epoch_loss", metrics.loss)
                    tf.summary.scalar("epoch_accuracy", metrics.accuracy)
                writer.flush()

    return write

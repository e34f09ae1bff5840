"""The training loop, the same for every distribution strategy.

Keras' own `fit` fails under MultiWorkerMirroredStrategy.
"""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from components.embedding_trainer.input_pipeline import Batch, Examples, make_batches, plan_epoch
from components.embedding_trainer.model import class_logits, named_variables
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.strategy import (
    local_replicas,
    scale_learning_rate,
    take_chiefs_weights,
)

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Means over examples.

    Attributes:
        loss: Cross entropy, in nats.
        accuracy: Share of the examples whose most probable class is their label.
        examples: Number of examples.
    """

    loss: float
    accuracy: float
    examples: int


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The weights of the best epoch, and how they were found.

    Attributes:
        weights: The weights, in the order of `keras.Model.get_weights`.
        epoch: The epoch after which they were taken, from 1 on.
        epochs_run: Number of epochs that were run.
        training: Metrics of that epoch on the training examples, while the weights changed.
        validation: Metrics after that epoch; None without validation.
    """

    weights: list[np.ndarray]
    epoch: int
    epochs_run: int
    training: Metrics
    validation: Metrics | None


def train(
    build: Callable[[], keras.Model],
    examples: Examples,
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
    log_dir: str | None = None,
) -> Outcome:
    """Trains a model.

    Args:
        build: Builds the model with its initial weights.
        examples: The examples.
        options: How to train.
        strategy: Where to train.
        log_dir: Where to write TensorBoard logs; None for no logs.

    Returns:
        The outcome, equal in every worker.

    Raises:
        FloatingPointError: The loss or a weight became NaN or infinite.
    """
    keras.utils.set_random_seed(options.seed)
    loop = _Loop(build, examples, options, strategy)
    write_logs = _open_logs(log_dir) if log_dir else None
    best: Outcome | None = None
    for epoch in range(1, options.epochs + 1):
        start = time.monotonic()
        training = loop.train_epoch()
        seconds = time.monotonic() - start
        validation = loop.evaluate() if examples.validation_size else None
        _log_epoch(epoch, options.epochs, seconds, training, validation)
        if write_logs:
            write_logs(epoch, training, validation)
        weights = loop.model.get_weights()
        _require_finite(epoch, training.loss, weights, options, strategy.num_replicas_in_sync)
        if best is None or not options.early_stopping_patience or _is_lower(validation, best):
            best = Outcome(weights, epoch, epoch, training, validation)
        elif epoch - best.epoch >= options.early_stopping_patience:
            break
    assert best is not None  # There is at least one epoch.
    if options.early_stopping_patience and best.epoch == options.epochs:
        _LOGGER.warning(
            "The validation loss still fell in the last of %d epochs; raise epochs to train to "
            "the end.",
            options.epochs,
        )
    return dataclasses.replace(best, epochs_run=epoch)


class _Loop:
    """A model, and passes over the examples on the replicas of a strategy."""

    def __init__(
        self,
        build: Callable[[], keras.Model],
        examples: Examples,
        options: TrainingOptions,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self._examples = examples
        self._batch_size = options.batch_size
        self._global_batch_size = options.batch_size * strategy.num_replicas_in_sync
        self._generator = np.random.default_rng(options.seed)
        self._replicas = local_replicas(strategy)
        on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        self._fixed_length = options.max_sequence_length if on_tpu else None
        with strategy.scope():
            self.model = build()
            take_chiefs_weights(self.model, strategy)
            embedding = named_variables(self.model)["embedding"]
            self._optimizer = keras.optimizers.Adam(
                scale_learning_rate(options.learning_rate, strategy.num_replicas_in_sync)
            )
            self._optimizer.build(self.model.trainable_variables)
        self._penalty = options.initial_embedding_penalty / strategy.num_replicas_in_sync
        if options.initial_embedding == "random":
            self._penalty = 0.0
        self._initial_embedding = tf.constant(embedding.numpy())
        self._train_step = self._on_all_replicas(self._train_replica, strategy)
        self._test_step = self._on_all_replicas(self._test_replica, strategy)

    def train_epoch(self) -> Metrics:
        """Trains on every example once, in a new order."""
        plan = plan_epoch(self._examples, self._global_batch_size, generator=self._generator)
        return self._run(self._train_step, plan)

    def evaluate(self) -> Metrics:
        """Evaluates the model on the examples for validation."""
        plan = plan_epoch(self._examples, self._global_batch_size, validation=True)
        return self._run(self._test_step, plan)

    def _run(self, step: Callable[[list[Batch]], tf.Tensor], plan: Iterable[np.ndarray]) -> Metrics:
        batches = make_batches(
            self._examples, plan, self._replicas, self._batch_size, self._fixed_length
        )
        totals = np.sum([step(batch) for batch in batches], axis=0, dtype=np.float64)
        loss, hits, examples = totals.tolist()
        return Metrics(loss / examples, hits / examples, round(examples))

    def _train_replica(self, batch: Batch) -> tf.Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            losses, sums = self._test_losses(batch)
            # The gradients of the replicas are summed up: together a mean over the global batch.
            loss = tf.reduce_sum(losses) / self._global_batch_size
            if self._penalty:
                # L2-SP of Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer
                # Learning with Convolutional Networks" (ICML 2018).
                embedding = self.model.get_layer("embedding").embeddings.value
                loss += self._penalty * tf.nn.l2_loss(embedding - self._initial_embedding)
        # Dense, because replicas cannot sum up the embedding's slices.
        gradients = [tf.convert_to_tensor(slices) for slices in tape.gradient(loss, variables)]
        self._optimizer.apply(gradients, variables)
        return sums

    def _test_replica(self, batch: Batch) -> tf.Tensor:
        return self._test_losses(batch)[1]

    def _test_losses(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss of each example, and the sums of losses, hits and weights."""
        ids, labels, weights = batch
        logits = class_logits(self.model(ids))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits) * weights
        hits = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
        sums = [tf.reduce_sum(values) for values in (losses, hits * weights, weights)]
        return losses, tf.stack(sums)

    def _on_all_replicas(
        self, replica_step: Callable[[Batch], tf.Tensor], strategy: tf.distribute.Strategy
    ) -> Callable[[list[Batch]], tf.Tensor]:
        """Compiles a step of one replica to a step of all, which returns the replicas' sum."""
        batch = (
            tf.TensorSpec([self._batch_size, self._fixed_length], tf.int32),
            tf.TensorSpec([self._batch_size], tf.int32),
            tf.TensorSpec([self._batch_size], tf.float32),
        )

        # AutoGraph would take seconds to convert Keras, to no effect.
        @tf.function(input_signature=[[batch] * len(self._replicas)], autograph=False)
        def step(batches: list[Batch]) -> tf.Tensor:
            values = strategy.experimental_distribute_values_from_function(
                lambda context: batches[context.replica_id_in_sync_group - self._replicas.start]
            )
            return strategy.reduce("SUM", strategy.run(replica_step, args=(values,)), axis=None)

        return step


def _is_lower(validation: Metrics | None, best: Outcome) -> bool:
    return not validation or not best.validation or validation.loss < best.validation.loss


def _require_finite(
    epoch: int, loss: float, weights: list[np.ndarray], options: TrainingOptions, replicas: int
) -> None:
    # The last step of an epoch can break the weights after its loss was taken.
    if np.isfinite(loss) and all(np.isfinite(numbers).all() for numbers in weights):
        return
    raise FloatingPointError(
        f"The training diverged in epoch {epoch} with a loss of {loss}; expected the loss and all "
        f"weights to be finite numbers. Lower the learning_rate of {options.learning_rate} (scaled "
        f"for {replicas} replicas)."
    )


def _log_epoch(
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

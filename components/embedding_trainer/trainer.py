"""Runs a job: reads the examples, trains, and writes the model and its logs."""

import functools
import json
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.embedding_trainer import saved_model
from components.embedding_trainer.initial_embedding import bootstrap_overlap, initial_embedding
from components.embedding_trainer.input_pipeline import Examples, count_classes, read_examples
from components.embedding_trainer.job import Job, Properties
from components.embedding_trainer.keras_settings import float32
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.strategy import (
    create_strategy,
    describe_devices,
    is_chief,
    scale_learning_rate,
)
from components.embedding_trainer.training import Outcome, train
from components.text.features import input_dim
from components.text.vocabulary import read_vocabulary


@float32()
def train_model(job: Job) -> Properties:
    """Trains a model and writes it; of several workers only the chief writes.

    Args:
        job: What to train.

    Returns:
        The custom properties of the Model artifact; `validation_accuracy` only with validation
        examples, `bootstrap_overlap` only from the chief and with a co-occurrence start.

    Raises:
        ValueError: The examples, the vocabulary or the strategy cannot be used.
        RuntimeError: Keras has another backend than TensorFlow.
        FloatingPointError: The loss or a weight became NaN or infinite.
    """
    options = job.options
    # First, because a process that has used TensorFlow cannot join a multi-worker cluster.
    strategy_name, strategy = create_strategy(options.strategy)
    transform_output = tft.TFTransformOutput(job.transform_graph)
    vocabulary = read_vocabulary(transform_output)
    examples = read_examples(
        _list_files(job.examples),
        transform_output.transformed_feature_spec(),
        max_sequence_length=options.max_sequence_length,
        validation_fraction=options.validation_fraction,
    )
    classes = count_classes(examples.labels, job.class_names)

    start = initial_embedding(examples, len(vocabulary), options)
    rows = input_dim(len(vocabulary))
    shape = (rows, options.embedding_dim, options.hidden_units, classes)
    build = functools.partial(build_model, *shape, start)

    properties: Properties = {
        "strategy": strategy_name,
        "class_names": json.dumps(job.class_names),
        "num_classes": classes,
    }
    chief = is_chief(strategy)
    outcome = train(build, examples, options, strategy, job.logs if chief else None)
    if chief:
        # Built again outside of the strategy, so that the SavedModel does not depend on it.
        model = build_model(*shape)
        model.set_weights(outcome.weights)
        saved_model.save(
            model,
            transform_output,
            options.max_sequence_length,
            job.model,
            job.text_feature,
            job.class_names,
        )
        if start is not None:
            properties |= _stability(start, examples, vocabulary)
    return properties | _describe_training(options, strategy, examples, outcome)


def _list_files(directories: Sequence[str]) -> list[str]:
    files = []
    for directory in directories:
        files += tf.io.gfile.glob(os.path.join(directory, "*"))
    if not files:
        raise ValueError(f"{', '.join(directories)}: no files; expected training examples.")
    return files


def _stability(start: np.ndarray, examples: Examples, vocabulary: Sequence[str]) -> Properties:
    overlap = bootstrap_overlap(start, examples, vocabulary)
    return {} if overlap is None else {"bootstrap_overlap": overlap}


def _describe_training(
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
    examples: Examples,
    outcome: Outcome,
) -> Properties:
    replicas = strategy.num_replicas_in_sync
    properties: Properties = {
        "embedding_dim": options.embedding_dim,
        "initial_embedding": options.initial_embedding,
        "hidden_units": options.hidden_units,
        "devices": describe_devices(strategy),
        "replicas": replicas,
        "global_batch_size": options.batch_size * replicas,
        "learning_rate": scale_learning_rate(options.learning_rate, replicas),
        "training_examples": examples.training_size,
        "validation_examples": examples.validation_size,
        "epochs_run": outcome.epochs_run,
        "best_epoch": outcome.epoch,
    }
    if outcome.validation:
        properties["validation_accuracy"] = outcome.validation.accuracy
    return properties

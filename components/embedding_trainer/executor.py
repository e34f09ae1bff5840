"""Reads the input artifacts, calls plain functions, and writes the output artifacts."""

import json
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import execution_properties
from components.artifacts import class_names
from components.embedding_trainer import saved_model
from components.embedding_trainer.initial_embedding import initialize_embedding
from components.embedding_trainer.input_pipeline import Examples, count_classes, read_examples
from components.embedding_trainer.keras_settings import float32
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.strategy import (
    create_strategy,
    describe_devices,
    is_chief,
    scale_learning_rate,
    wait_for_workers,
)
from components.embedding_trainer.training import Outcome, train
from components.text.features import input_dim
from components.text.vocabulary import read_vocabulary


class Executor(base_executor.BaseExecutor):
    """Trains and writes the model."""

    @float32()
    def Do(  # noqa: N802  (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains a model; of several workers the chief alone writes it.

        Args:
            input_dict: `examples`, `transform_graph`, and optionally `raw_examples` and
                `base_model`.
            output_dict: `model` and `model_run`.
            exec_properties: The parameters of EmbeddingTrainerSpec.

        Raises:
            ValueError: The examples, the vocabulary, the strategy or the base model cannot be used.
            RuntimeError: Keras has another backend, or the workers cannot be joined.
            FloatingPointError: The loss or a weight became NaN or infinite.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        options = execution_properties.from_properties(TrainingOptions, exec_properties)
        # Before anything else uses TensorFlow, or a multi-worker cluster could not be joined.
        strategy_name, strategy = create_strategy(options.strategy)
        transform_graph = artifact_utils.get_single_uri(input_dict["transform_graph"])
        transform_output = tft.TFTransformOutput(transform_graph)
        vocabulary = read_vocabulary(transform_output)
        examples = read_examples(
            _list_files(input_dict["examples"], json.loads(exec_properties["train_splits"])),
            transform_output.transformed_feature_spec(),
            max_sequence_length=options.max_sequence_length,
            validation_fraction=options.validation_fraction,
        )
        names = class_names(input_dict.get("raw_examples", []))
        classes = count_classes(examples.labels, names)

        def build() -> keras.Model:
            rows = input_dim(len(vocabulary))
            return build_model(rows, options.embedding_dim, options.hidden_units, classes)

        def build_initial() -> keras.Model:
            model = build()
            initialize_embedding(model, examples, len(vocabulary), options)
            if input_dict.get("base_model"):
                base_model = artifact_utils.get_single_uri(input_dict["base_model"])
                directory = path_utils.serving_model_path(base_model)
                saved_model.warm_start(model, vocabulary, directory)
            return model

        chief = is_chief(strategy)
        log_dir = artifact_utils.get_single_uri(output_dict["model_run"]) if chief else None
        outcome = train(build_initial, examples, options, strategy, log_dir)
        if chief:
            # Built again outside of the strategy, so that the SavedModel does not depend on it.
            model = build()
            model.set_weights(outcome.weights)
            artifact = artifact_utils.get_single_instance(output_dict["model"])
            saved_model.save(
                model,
                transform_output,
                options.max_sequence_length,
                path_utils.serving_model_dir(artifact.uri),
                exec_properties["text_feature"],
            )
            properties = _describe_training(options, strategy, examples, outcome)
            properties |= {"strategy": strategy_name, "class_names": json.dumps(names)}
            _set_custom_properties(artifact, {**properties, "num_classes": classes})
        wait_for_workers(strategy)


def _list_files(examples: list[types.Artifact], splits: list[str]) -> list[str]:
    files = []
    for artifact in examples:
        found = artifact_utils.decode_split_names(artifact.split_names)
        missing = [split for split in splits if split not in found]
        if missing:
            raise ValueError(
                f"{artifact.uri}: train_splits has {missing}, but the examples have the splits "
                f"{found}; choose among these."
            )
        for split in splits:
            uri = artifact_utils.get_split_uri([artifact], split)
            files += tf.io.gfile.glob(os.path.join(uri, "*"))
    if not files:
        uris = ", ".join(artifact.uri for artifact in examples)
        raise ValueError(f"{uris}: no files in the splits {splits}; expected training examples.")
    return files


def _describe_training(
    options: TrainingOptions,
    strategy: tf.distribute.Strategy,
    examples: Examples,
    outcome: Outcome,
) -> dict[str, int | float | str]:
    """Returns on what and how the model was trained, and the accuracy if it was measured."""
    replicas = strategy.num_replicas_in_sync
    properties: dict[str, int | float | str] = {
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


def _set_custom_properties(
    artifact: types.Artifact, properties: Mapping[str, int | float | str]
) -> None:
    setters = {
        int: artifact.set_int_custom_property,
        float: artifact.set_float_custom_property,
        str: artifact.set_string_custom_property,
    }
    for name, value in properties.items():
        setters[type(value)](name, value)

"""Artifacts in, artifacts out; the work is done by plain functions."""

import json
import os
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
from components.embedding_trainer.input_pipeline import ExampleFiles, Summary, summarize
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.strategy import (
    create_strategy,
    is_chief,
    scale_learning_rate,
    wait_for_workers,
)
from components.embedding_trainer.training import Outcome, train
from components.text.features import input_dim
from components.text.vocabulary import read_vocabulary


class Executor(base_executor.BaseExecutor):
    """Trains and writes the model."""

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
            ValueError: The examples, the vocabulary or the base model cannot be used.
            FloatingPointError: The loss or a weight became NaN or infinite.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        # First of all: it must come before any other use of TensorFlow.
        options = execution_properties.from_properties(TrainingOptions, exec_properties)
        strategy_name, strategy = create_strategy(options.strategy)
        transform_output = tft.TFTransformOutput(
            artifact_utils.get_single_uri(input_dict["transform_graph"])
        )
        files = ExampleFiles(
            _list_files(input_dict["examples"], json.loads(exec_properties["train_splits"])),
            transform_output.transformed_feature_spec(),
            options.validation_fraction,
        )
        vocabulary = read_vocabulary(transform_output)
        names = class_names(input_dict.get("raw_examples", []))
        summary = summarize(files, least_classes=len(names))

        def build() -> keras.Model:
            return build_model(
                input_dim(len(vocabulary)),
                options.embedding_dim,
                options.hidden_units,
                summary.classes,
            )

        def build_initial() -> keras.Model:
            model = build()
            if input_dict.get("base_model"):
                base_uri = artifact_utils.get_single_uri(input_dict["base_model"])
                base_directory = path_utils.serving_model_path(base_uri)
                saved_model.take_over(model, vocabulary, base_directory)
            return model

        chief = is_chief(strategy)
        log_dir = artifact_utils.get_single_uri(output_dict["model_run"]) if chief else None
        outcome = train(build_initial, files, summary, options, strategy, log_dir)
        if chief:
            # Outside of the strategy, so that the saved model knows nothing of it.
            model = build()
            model.set_weights(outcome.weights)
            artifact = artifact_utils.get_single_instance(output_dict["model"])
            directory = path_utils.serving_model_dir(artifact.uri)
            saved_model.save(model, transform_output, options.max_sequence_length, directory)
            replicas = strategy.num_replicas_in_sync
            _record(artifact, options, strategy_name, replicas, summary, outcome)
            artifact.set_string_custom_property("class_names", json.dumps(names))
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


def _record(
    artifact: types.Artifact,
    options: TrainingOptions,
    strategy_name: str,
    replicas: int,
    summary: Summary,
    outcome: Outcome,
) -> None:
    """Notes on the model artifact what was used and what came of it."""
    artifact.set_string_custom_property("strategy", strategy_name)
    artifact.set_int_custom_property("replicas", replicas)
    artifact.set_int_custom_property("global_batch_size", options.batch_size * replicas)
    artifact.set_float_custom_property(
        "learning_rate", scale_learning_rate(options.learning_rate, replicas)
    )
    artifact.set_int_custom_property("embedding_dim", options.embedding_dim)
    artifact.set_int_custom_property("hidden_units", options.hidden_units)
    artifact.set_int_custom_property("num_classes", summary.classes)
    artifact.set_int_custom_property("training_examples", summary.training_examples)
    artifact.set_int_custom_property("epochs_run", outcome.epochs_run)
    artifact.set_int_custom_property("best_epoch", outcome.epoch)
    if outcome.validation:
        artifact.set_float_custom_property("validation_accuracy", outcome.validation.accuracy)

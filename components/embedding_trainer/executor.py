"""Reads the input artifacts, trains, and describes the output artifacts."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import execution_properties
from components.artifacts import class_names
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.trainer import train_model


class Executor(base_executor.BaseExecutor):
    """Trains and writes the model."""

    def Do(  # noqa: N802  (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains a model, here or on several hosts.

        Args:
            input_dict: `examples`, `transform_graph`, and optionally `raw_examples`.
            output_dict: `model` and `model_run`.
            exec_properties: The parameters of EmbeddingTrainerSpec.

        Raises:
            ValueError: The examples lack one of the splits; or see `trainer.train_model`.
            RuntimeError: See `trainer.train_model` and `cluster.train_on_hosts`.
            FloatingPointError: See `trainer.train_model`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        splits = json.loads(exec_properties["train_splits"])
        properties = {**exec_properties, **self._addresses()}
        job = Job(
            examples=_split_directories(input_dict["examples"], splits),
            transform_graph=artifact_utils.get_single_uri(input_dict["transform_graph"]),
            class_names=class_names(input_dict.get("raw_examples", [])),
            text_feature=exec_properties["text_feature"],
            options=execution_properties.from_properties(TrainingOptions, properties),
            model=path_utils.serving_model_dir(model.uri),
            logs=artifact_utils.get_single_uri(output_dict["model_run"]),
        )
        setters = {
            int: model.set_int_custom_property,
            float: model.set_float_custom_property,
            str: model.set_string_custom_property,
        }
        train = train_on_hosts if job.options.workers else train_model
        for name, value in train(job).items():
            setters[type(value)](name, value)

    def _addresses(self) -> dict[str, str]:
        """Returns the property `workers` with the addresses, which the driver has replaced."""
        node = self._context and self._context.pipeline_node
        if not node:
            return {}
        return {"workers": node.parameters.parameters["workers"].field_value.string_value}


def _split_directories(examples: list[types.Artifact], splits: list[str]) -> list[str]:
    for artifact in examples:
        found = artifact_utils.decode_split_names(artifact.split_names)
        missing = [split for split in splits if split not in found]
        if missing:
            raise ValueError(
                f"{artifact.uri}: train_splits has {missing}, but the examples have the splits "
                f"{found}; choose among these."
            )
    return [uri for split in splits for uri in artifact_utils.get_split_uris(examples, split)]

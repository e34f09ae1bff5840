"""Executor of ProjectorExporter: reads the input artifacts and writes the projection."""

import logging
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import execution_properties
from components.artifacts import class_names, projection_directory
from components.projector_directory.runs import publish_run, run_name
from components.projector_exporter.export import Quality, export_points
from components.projector_exporter.model_words import (
    ModelWords,
    read_words,
    token_probabilities,
)
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.words import word_points
from components.vectors.neighbors import overlap_at_k

_LOGGER = logging.getLogger(__name__)

# Neighbors of each word that are compared with the baseline's.
_NEIGHBORS = 10


class Executor(BaseExecutor):
    """Exports the embedding; see `ProjectorExporter`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the projection, sets its properties and, last of all, publishes it.

        Args:
            input_dict: `model`, `transform_graph`, and optionally `examples` and `baseline_model`.
            output_dict: `projection`.
            exec_properties: The parameters of `ProjectorExporterSpec`.

        Raises:
            ValueError: The embedding is not found, or cannot be shown.
            FileNotFoundError: The model has no checkpoint.
            OSError: The projection cannot be published.
        """
        options = execution_properties.from_properties(ExportOptions, exec_properties)
        examples = input_dict.get("examples", [])
        saved_model = _saved_model(artifact_utils.get_single_uri(input_dict["model"]))
        words = read_words(
            saved_model,
            tft.TFTransformOutput(artifact_utils.get_single_uri(input_dict["transform_graph"])),
            vocabulary=exec_properties["vocabulary"],
            embedding=exec_properties["embedding"],
            first_token_id=exec_properties.get("first_token_id"),
        )
        count, dimensions = words.vectors.shape
        points = word_points(
            words.tokens,
            words.vectors,
            first_token_id=words.first_token_id,
            counts=words.counts,
            probabilities=token_probabilities(saved_model, words.first_token_id + np.arange(count)),
            class_names=class_names(input_dict["model"]) or class_names(examples),
        )
        projection = artifact_utils.get_single_instance(output_dict["projection"])
        projection.run_name = run_name(exec_properties["run_prefix"])
        directory = projection_directory(projection.mlmd_artifact)
        facts = {
            "Dataset": _recorded(examples, "dataset"),
            "Fingerprint": _recorded(examples, "dataset_fingerprint"),
            "Model": artifact_utils.get_single_uri(input_dict["model"]),
            "Run": projection.run_name,
        }
        known = {name: text for name, text in facts.items() if text}
        measured = _bootstrap_overlap(input_dict["model"])
        for baseline in input_dict.get("baseline_model", []):
            measured |= _compare(words, baseline.uri, exec_properties)
        quality = export_points(directory, [points], options, known, measured)
        for name, value in quality.items():
            if isinstance(value, int):
                projection.set_int_custom_property(name, value)
            else:
                projection.set_float_custom_property(name, value)
        projection.rows = min(count, options.max_rows)
        projection.dimensions = dimensions
        projection.source_variable = words.source_variable
        projection.vocabulary = exec_properties["vocabulary"]
        projection.dataset_fingerprint = _recorded(examples, "dataset_fingerprint")
        projection.set_string_custom_property("dataset", _recorded(examples, "dataset"))
        projection.set_int_custom_property("rows_left_out", count - projection.rows)
        if publish_dir := exec_properties.get("publish_dir"):
            projection.set_string_custom_property("published", publish_run(directory, publish_dir))


def _bootstrap_overlap(models: list[types.Artifact]) -> Quality:
    """Returns what EmbeddingTrainer measured, if it trained the model."""
    name = "bootstrap_overlap"
    (model,) = models
    known = model.has_custom_property(name)
    return {name: model.get_float_custom_property(name)} if known else {}


def _compare(words: ModelWords, baseline: str, exec_properties: dict[str, Any]) -> Quality:
    """Returns the share of a word's nearest neighbors that it also has in the baseline model.

    The export does not need it, so a fault of the baseline is only a warning.
    """
    try:
        known = read_words(
            _saved_model(baseline),
            None,
            vocabulary=exec_properties["vocabulary"],
            embedding=exec_properties["embedding"],
            first_token_id=words.first_token_id,
        )
        if not np.isfinite(known.vectors).all():
            raise ValueError("its vectors hold NaN or infinity.")
        overlap = overlap_at_k(
            (words.tokens, words.vectors), (known.tokens, known.vectors), _NEIGHBORS
        )
    except Exception as error:
        _LOGGER.warning("The words are not compared with the baseline %s: %s", baseline, error)
        return {}
    if overlap.share is None:
        return {}
    return {
        "neighbor_overlap": overlap.share,
        "neighbor_overlap_tokens": overlap.compared_tokens,
    }


def _saved_model(uri: str) -> str:
    """Returns the SavedModel of a Model artifact, in TFX's layout or in its older one."""
    path = path_utils.serving_model_path(uri)
    older = path_utils.serving_model_path(uri, is_old_artifact=True)
    return older if tf.io.gfile.exists(older) and not tf.io.gfile.exists(path) else path


def _recorded(examples: list[types.Artifact], name: str) -> str:
    found = {artifact.get_string_custom_property(name) for artifact in examples}
    return ",".join(sorted(found - {""}))

"""The executor of ProjectorExporter: artifacts in, artifact out."""

import dataclasses
import functools
import logging
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import execution_properties
from components.artifacts import class_names, projection_directory
from components.projector_directory.runs import publish_run, run_name
from components.projector_exporter.export import Embedding, export_embedding
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.words import token_probabilities
from components.text.features import VOCABULARY
from components.text.vocabulary import read_served_vocabulary, read_token_counts
from components.vectors.neighbors import overlap_at_k
from components.vectors.saved_embedding import read_embedding

_LOGGER = logging.getLogger(__name__)

# Compared with those of the last blessed model.
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
            input_dict: `model`, `transform_graph` and perhaps `examples` and `baseline_model`.
            output_dict: `projection`.
            exec_properties: The parameters of `ProjectorExporter`.

        Raises:
            ValueError: The embedding is not found, or cannot be shown.
            FileNotFoundError: The model has no checkpoint.
            OSError: The projection cannot be published.
        """
        vocabulary = exec_properties["vocabulary"]
        transform_output = tft.TFTransformOutput(
            artifact_utils.get_single_uri(input_dict["transform_graph"])
        )
        saved_model = _saved_model(artifact_utils.get_single_uri(input_dict["model"]))
        source_variable, embedding = _read(saved_model, transform_output, exec_properties)
        raw_examples = input_dict.get("examples", [])
        embedding = dataclasses.replace(embedding, class_names=class_names(raw_examples))
        projection = artifact_utils.get_single_instance(output_dict["projection"])
        projection.run_name = run_name(exec_properties["run_prefix"])
        directory = projection_directory(projection.mlmd_artifact)
        export = export_embedding(
            directory,
            embedding,
            execution_properties.from_properties(ExportOptions, exec_properties),
        )
        projection.rows = export.rows
        projection.dimensions = export.dimensions
        projection.source_variable = source_variable
        projection.vocabulary = vocabulary
        projection.dataset_fingerprint = _noted(raw_examples, "dataset_fingerprint")
        projection.set_string_custom_property("dataset", _noted(raw_examples, "dataset"))
        projection.set_int_custom_property("rows_left_out", export.rows_left_out)
        for baseline in input_dict.get("baseline_model", []):
            _compare(embedding, _saved_model(baseline.uri), exec_properties, projection)
        if publish_dir := exec_properties.get("publish_dir"):
            projection.set_string_custom_property("published", publish_run(directory, publish_dir))


def _read(
    saved_model: str, transform_output: tft.TFTransformOutput, exec_properties: Mapping[str, Any]
) -> tuple[str, Embedding]:
    vocabulary = exec_properties["vocabulary"]
    first_token_id = exec_properties["first_token_id"]
    tokens = transform_output.vocabulary_by_name(vocabulary)
    key, matrix = read_embedding(
        saved_model, len(tokens), exec_properties["embedding"], first_token_id
    )
    return key, Embedding(
        tokens=tokens,
        matrix=matrix,
        first_token_id=first_token_id,
        counts=read_token_counts(transform_output) if vocabulary == VOCABULARY else None,
        classify=functools.partial(token_probabilities, saved_model),
    )


def _compare(
    embedding: Embedding,
    baseline: str,
    exec_properties: Mapping[str, Any],
    projection: types.Artifact,
) -> None:
    """Notes on the projection how many of its nearest neighbors a word keeps."""
    vocabulary = exec_properties["vocabulary"]
    tokens = read_served_vocabulary(baseline, vocabulary)
    if tokens is None:
        _LOGGER.warning("%s carries no vocabulary %r: not compared.", baseline, vocabulary)
        return
    _, matrix = read_embedding(
        baseline, len(tokens), exec_properties["embedding"], embedding.first_token_id
    )
    overlap = overlap_at_k((embedding.tokens, embedding.matrix), (tokens, matrix), _NEIGHBORS)
    if overlap.share is None:
        return
    projection.set_float_custom_property("neighbor_overlap", overlap.share)
    projection.set_int_custom_property("neighbor_overlap_tokens", overlap.compared_tokens)


def _saved_model(uri: str) -> str:
    """Finds the SavedModel of a Model artifact, in today's layout or in the older one."""
    path = path_utils.serving_model_path(uri)
    older = path_utils.serving_model_path(uri, is_old_artifact=True)
    return older if tf.io.gfile.exists(older) and not tf.io.gfile.exists(path) else path


def _noted(examples: list[types.Artifact], name: str) -> str:
    found = {artifact.get_string_custom_property(name) for artifact in examples}
    return ",".join(sorted(found - {""}))

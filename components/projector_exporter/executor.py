"""The executor of ProjectorExporter: artifacts in, artifact out."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx import types
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.projector_exporter.embedding import read_embedding
from components.projector_exporter.writer import export_embedding


class Executor(BaseExecutor):
    """Exports the embedding; see `ProjectorExporter`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the projection and sets its properties.

        Args:
            input_dict: `model`, `transform_graph` and perhaps `examples`.
            output_dict: `projection`.
            exec_properties: The parameters of `ProjectorExporter`.

        Raises:
            ValueError: The embedding is not found, or cannot be shown.
            FileNotFoundError: The model has no checkpoint.
        """
        first_token_id = exec_properties["first_token_id"]
        vocabulary = exec_properties["vocabulary"]
        graph_uri = artifact_utils.get_single_uri(input_dict["transform_graph"])
        tokens = tft.TFTransformOutput(graph_uri).vocabulary_by_name(vocabulary)
        source_variable, matrix = read_embedding(
            _saved_model(artifact_utils.get_single_uri(input_dict["model"])),
            len(tokens),
            exec_properties["embedding"],
            first_token_id,
        )
        projection = artifact_utils.get_single_instance(output_dict["projection"])
        export = export_embedding(projection.uri, tokens, matrix, first_token_id)
        projection.rows = export.rows
        projection.dimensions = export.dimensions
        projection.source_variable = source_variable
        projection.vocabulary = vocabulary
        projection.dataset_fingerprint = _fingerprint(input_dict.get("examples", []))
        projection.set_int_custom_property("rows_left_out", export.rows_left_out)


def _saved_model(uri: str) -> str:
    """Finds the SavedModel of a Model artifact, in today's layout or in the older one."""
    path = path_utils.serving_model_path(uri)
    older = path_utils.serving_model_path(uri, is_old_artifact=True)
    return older if tf.io.gfile.exists(older) and not tf.io.gfile.exists(path) else path


def _fingerprint(examples: list[types.Artifact]) -> str:
    found = {artifact.get_string_custom_property("dataset_fingerprint") for artifact in examples}
    return ",".join(sorted(found - {""}))

"""Driver of ProjectorExporter: makes the lost published copies part of the cache key."""

import os
from typing import Any

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils

from components.artifacts import EmbeddingProjection, projection_directory
from components.projector_directory.runs import is_copy


class Driver(BaseDriver):
    """Lists the model's published copies that were deleted or cut short since.

    The list is an execution property, so it is part of the cache key: once a further copy is lost,
    the export is not served from the cache but runs, and is published again.
    """

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution properties with the names of lost copies.

        Args:
            execution_info: Input artifacts and execution properties of ProjectorExporter.
        """
        model = artifact_utils.get_single_instance(execution_info.input_dict["model"])
        publish_dir = execution_info.exec_properties["publish_dir"].rstrip("/")
        lost = []
        for projection in self._projections_of(model.id):
            copy = projection.custom_properties["published"].string_value
            kept = is_copy(copy, projection_directory(projection))
            if os.path.dirname(copy) == publish_dir and not kept:
                lost.append(os.path.basename(copy))
        output = driver_output_pb2.DriverOutput()
        output.exec_properties["lost_copies"].string_value = ",".join(sorted(lost))
        return output

    def _projections_of(self, model: int) -> list[Any]:
        """Returns all projections of a model, by its id, as artifacts of ML Metadata."""
        with self._metadata_handle as connected:
            store = connected.store
            uses = store.get_events_by_artifact_ids([model])
            events = store.get_events_by_execution_ids({use.execution_id for use in uses})
            outputs = store.get_artifacts_by_id(
                {event.artifact_id for event in events if event.type == event.OUTPUT}
            )
        return [made for made in outputs if made.type == EmbeddingProjection.TYPE_NAME]

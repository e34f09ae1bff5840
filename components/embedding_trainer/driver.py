"""Driver of EmbeddingTrainer on several hosts: keeps their addresses out of the cache key."""

import json

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2


class Driver(BaseDriver):
    """Replaces the workers' addresses by their number before TFX looks into its cache.

    The number of workers changes the training; their addresses do not.
    """

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution properties with the number of workers.

        Args:
            execution_info: Execution properties of EmbeddingTrainer.
        """
        workers = json.loads(execution_info.exec_properties["workers"])
        output = driver_output_pb2.DriverOutput()
        output.exec_properties["workers"].string_value = str(len(workers))
        return output

"""Driver of Pusher: makes what the destination holds part of the cache key."""

from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.pusher.executor import VERSION, Executor, base_directory
from components.pusher.versions import version_of


class Driver(BaseDriver):
    """Chooses the version of a blessed model before TFX looks into its cache.

    The version is an execution property, so it is part of the cache key. It stays the same while
    the destination serves what the last run pushed. If another model was pushed since, or the
    version was deleted or damaged, the version is a new one, and the model is pushed again.
    """

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the execution properties with the version, empty for a model not blessed.

        Args:
            execution_info: Input artifacts and execution properties of Pusher.
        """
        executor = Executor()
        version = ""
        if executor.CheckBlessing(execution_info.input_dict):
            saved_model = executor.GetModelPath(execution_info.input_dict)
            version = version_of(saved_model, base_directory(execution_info.exec_properties))
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[VERSION].string_value = version
        return output

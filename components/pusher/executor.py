"""Executor of Pusher: copies a blessed model to the destination as a version."""

from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from components.pusher.versions import push, version_of

# Set by the driver. Kubeflow runs no drivers.
VERSION = "version"


class Executor(executor.Executor):
    """Pushes a model like TFX's executor, but a version appears complete or not at all."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed, and records on the artifact where to.

        Args:
            input_dict: `model` and `model_blessing`.
            output_dict: `pushed_model`.
            exec_properties: `push_destination`, and perhaps the `version` that the driver chose.

        Raises:
            OSError: The model cannot be copied.
        """
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        saved_model = self.GetModelPath(input_dict)
        directory = base_directory(exec_properties)
        version = exec_properties.get(VERSION) or version_of(saved_model, directory)
        destination = push(saved_model, directory, version)
        io_utils.copy_dir(saved_model, pushed_model.uri)  # As TFX's executor, for the archive.
        self._MarkPushed(pushed_model, destination, version)


def base_directory(exec_properties: dict[str, Any]) -> str:
    """Returns the directory or URI that models are pushed to.

    Args:
        exec_properties: The execution properties of Pusher.
    """
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties["push_destination"], destination)
    return str(destination.filesystem.base_directory)

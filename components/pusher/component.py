"""The Pusher component."""

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.code_digest import source_digest
from components.pusher.driver import Driver
from components.pusher.executor import Executor


class Pusher(tfx.components.Pusher):
    """Copies a blessed model to a directory that TensorFlow Serving watches.

    Differs from TFX's Pusher in two ways. A version gets its name only when it is complete, so that
    TensorFlow Serving never loads part of a model. And the cache key depends on what is served: a
    run that takes all other steps from the cache pushes its model again if another one was pushed
    since, for example after a configuration was reverted.

    Example::

        pusher = Pusher(
            model=trainer.outputs['model'],
            model_blessing=evaluator.outputs['blessing'],
            serving_dir='/srv/models/reviews')
    """

    DRIVER_CLASS = Driver
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: tfx.types.BaseChannel,
        model_blessing: tfx.types.BaseChannel,
        serving_dir: str,
    ) -> None:
        """Creates the component.

        Args:
            model: `Model` artifact with a SavedModel.
            model_blessing: `ModelBlessing` artifact of Evaluator.
            serving_dir: Directory or URI of the versions, one subdirectory each.
        """
        filesystem = tfx.proto.PushDestination.Filesystem(base_directory=serving_dir)
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            push_destination=tfx.proto.PushDestination(filesystem=filesystem),
        )
        self.exec_properties["code_digest"] = source_digest("components.pusher.executor")

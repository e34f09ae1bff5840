"""The ProjectorExporter component."""

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import execution_properties
from components.artifacts import EmbeddingProjection
from components.code_digest import source_digest
from components.projector_directory.runs import check_prefix
from components.projector_exporter import notebook  # noqa: F401  Registers the map.
from components.projector_exporter.driver import Driver
from components.projector_exporter.executor import Executor
from components.projector_exporter.options import ExportOptions
from components.text.features import VOCABULARY


class ProjectorExporterSpec(ComponentSpec):
    """The inputs, outputs and parameters of ProjectorExporter."""

    PARAMETERS = {  # noqa: RUF012 (TFX wants plain class attributes.)
        "embedding": ExecutionParameter(type=str),
        "first_token_id": ExecutionParameter(type=int, optional=True),
        "vocabulary": ExecutionParameter(type=str),
        "run_prefix": ExecutionParameter(type=str),
        "publish_dir": ExecutionParameter(type=str, optional=True),
        **execution_properties.parameters(ExportOptions),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=tfx.types.standard_artifacts.Model),
        "transform_graph": ChannelParameter(type=tfx.types.standard_artifacts.TransformGraph),
        "examples": ChannelParameter(type=tfx.types.standard_artifacts.Examples, optional=True),
        "baseline_model": ChannelParameter(type=tfx.types.standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"projection": ChannelParameter(type=EmbeddingProjection)}  # noqa: RUF012


class ProjectorExporter(tfx.types.BaseComponent):
    """Exports a model's embedding for TensorBoard's Embedding Projector.

    Works on SavedModels of any trainer. The output `projection` is one `EmbeddingProjection`;
    `tensorboard --logdir <its uri>` opens it, and the directory above as `--logdir` opens those of
    all executions.

    Example::

        exporter = ProjectorExporter(
            model=trainer.outputs['model'],
            transform_graph=transform.outputs['transform_graph'],
            examples=example_gen.outputs['examples'])
    """

    SPEC_CLASS = ProjectorExporterSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: tfx.types.BaseChannel,
        transform_graph: tfx.types.BaseChannel,
        examples: tfx.types.BaseChannel | None = None,
        baseline_model: tfx.types.BaseChannel | None = None,
        options: ExportOptions | None = None,
        embedding: str = "embedding",
        first_token_id: int | None = None,
        vocabulary: str = VOCABULARY,
        run_prefix: str = "projection",
        publish_dir: str | None = None,
    ) -> None:
        """Creates the component.

        Args:
            model: `Model` artifact with a SavedModel.
            transform_graph: `TransformGraph` artifact that the model was trained behind. It gives
                the counts of the words, and the words if the model has no vocabulary asset.
            examples: `Examples` artifact of TfdsExampleGen that the model was trained on. Its
                fingerprint is recorded on the projection; its class names are used if the model
                records none.
            baseline_model: `Model` artifact to compare with. The share of a word's nearest
                neighbors that it also has there is recorded on the projection.
            options: What the projection shows; None for the defaults.
            embedding: The embedding matrix: a key of the model's checkpoint, or a component of a
                key's path or of a variable's name.
            first_token_id: The row of the vocabulary's first word, such as 1 after a padding row;
                None to find it out. The export fails if that is ambiguous.
            vocabulary: The vocabulary's name in the transform graph and among the model's assets.
            run_prefix: Beginning of the run's name in TensorBoard; the time follows.
            publish_dir: Directory that gets a copy of the run, such as the `--logdir` of a
                TensorBoard that is always on. The executor must be able to write to it.

        Raises:
            ValueError: A parameter is out of range.
        """
        if first_token_id is not None and first_token_id < 0:
            raise ValueError(f"first_token_id is {first_token_id}; expected a row, 0 or more.")
        if not embedding or not vocabulary:
            raise ValueError("embedding and vocabulary are names and cannot be empty.")
        check_prefix(run_prefix)
        super().__init__(
            ProjectorExporterSpec(
                model=model,
                transform_graph=transform_graph,
                examples=examples,
                baseline_model=baseline_model,
                **execution_properties.to_properties(options or ExportOptions()),
                projection=tfx.dsl.Channel(type=EmbeddingProjection),
                embedding=embedding,
                first_token_id=first_token_id,
                vocabulary=vocabulary,
                run_prefix=run_prefix,
                publish_dir=publish_dir,
                code_digest=source_digest("components.projector_exporter.executor"),
            )
        )
        if publish_dir:  # Kubeflow's cache serves no step with a driver.
            self.driver_class = Driver

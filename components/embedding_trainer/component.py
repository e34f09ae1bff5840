"""Defines the EmbeddingTrainer component."""

import json
from collections.abc import Sequence

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base import executor_spec
from tfx.types import system_executions
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import execution_properties
from components.code_digest import source_digest
from components.embedding_trainer.driver import Driver
from components.embedding_trainer.executor import Executor
from components.embedding_trainer.options import TrainingOptions
from components.text.features import TEXT


class EmbeddingTrainerSpec(ComponentSpec):
    """The inputs, outputs and execution properties of EmbeddingTrainer."""

    PARAMETERS = {  # noqa: RUF012  (TFX's own form)
        **execution_properties.parameters(TrainingOptions),
        # A JSON list.
        "train_splits": ExecutionParameter(type=str),
        "text_feature": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=tfx.types.standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=tfx.types.standard_artifacts.TransformGraph),
        "raw_examples": ChannelParameter(type=tfx.types.standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=tfx.types.standard_artifacts.Model),
        "model_run": ChannelParameter(type=tfx.types.standard_artifacts.ModelRun),
    }
    TYPE_ANNOTATION = system_executions.Train


class EmbeddingTrainer(tfx.types.BaseComponent):
    """Trains a text classifier of two or more classes with an embedding of the tokens.

    The model is an embedding, the mean over the tokens of a text, a dense layer and class logits.
    The stock Evaluator and Pusher take it::

        trainer = EmbeddingTrainer(
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            raw_examples=example_gen.outputs["examples"],
            options=TrainingOptions(embedding_dim=32),
        )

    Outputs:
        model: A SavedModel, see `saved_model.save`; custom properties tell how it was trained.
        model_run: TensorBoard logs.
    """

    SPEC_CLASS = EmbeddingTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        raw_examples: types.BaseChannel | None = None,
        *,
        options: TrainingOptions | None = None,
        train_splits: Sequence[str] = ("train",),
        text_feature: str = TEXT,
    ) -> None:
        """Creates the component.

        Args:
            examples: Examples as Transform writes them with `components.text.preprocessing_fn`.
            transform_graph: The TransformGraph of the same Transform.
            raw_examples: The Examples of TfdsExampleGen, which record the names of the classes;
                without them the labels must be 0, 1, 2 and so on without a gap.
            options: How to train; None for the defaults.
            train_splits: The splits to train on. No other split is read, so the Evaluator's split
                does not influence early stopping.
            text_feature: The raw feature with the text, which the model is served with; as in
                Transform's custom_config.

        Raises:
            ValueError: `train_splits` is not a list of names.
        """
        if isinstance(train_splits, str) or not train_splits:
            raise ValueError(f"train_splits is {train_splits!r}; expected a list like ['train'].")
        options = options or TrainingOptions()
        super().__init__(
            EmbeddingTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                raw_examples=raw_examples,
                model=types.Channel(type=tfx.types.standard_artifacts.Model),
                model_run=types.Channel(type=tfx.types.standard_artifacts.ModelRun),
                train_splits=json.dumps(list(train_splits)),
                text_feature=text_feature,
                code_digest=source_digest("components.embedding_trainer.executor"),
                **execution_properties.to_properties(options),
            )
        )
        if options.workers:  # Kubeflow Pipelines does not cache a step that has a driver.
            self.driver_class = Driver

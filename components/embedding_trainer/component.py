"""The component's interface."""

import dataclasses
import json
from collections.abc import Sequence

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base import executor_spec
from tfx.types import system_executions
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.code_digest import source_digest
from components.embedding_trainer.executor import Executor
from components.embedding_trainer.options import TrainingOptions

_DEFAULTS = TrainingOptions()


class EmbeddingTrainerSpec(ComponentSpec):
    """The types of what EmbeddingTrainer takes and gives."""

    PARAMETERS = {  # noqa: RUF012  (TFX's own form)
        **{
            field.name: ExecutionParameter(type=field.type)
            for field in dataclasses.fields(TrainingOptions)
        },
        # A JSON list.
        "train_splits": ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=tfx.types.standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=tfx.types.standard_artifacts.TransformGraph),
        "raw_examples": ChannelParameter(type=tfx.types.standard_artifacts.Examples, optional=True),
        "hyperparameters": ChannelParameter(
            type=tfx.types.standard_artifacts.HyperParameters, optional=True
        ),
        "base_model": ChannelParameter(type=tfx.types.standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=tfx.types.standard_artifacts.Model),
        "model_run": ChannelParameter(type=tfx.types.standard_artifacts.ModelRun),
    }
    TYPE_ANNOTATION = system_executions.Train


class EmbeddingTrainer(tfx.types.BaseComponent):
    """Trains a text classifier round an embedding of the tokens.

    The model is an embedding, the mean over the tokens of a text, a dense layer and class
    logits; binary or multi-class by the labels. Stock Evaluator and Pusher take it::

        trainer = EmbeddingTrainer(
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            raw_examples=example_gen.outputs["examples"],
            embedding_dim=32,
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
        hyperparameters: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
        *,
        embedding_dim: int = _DEFAULTS.embedding_dim,
        hidden_units: int = _DEFAULTS.hidden_units,
        epochs: int = _DEFAULTS.epochs,
        batch_size: int = _DEFAULTS.batch_size,
        learning_rate: float = _DEFAULTS.learning_rate,
        seed: int = _DEFAULTS.seed,
        strategy: str = _DEFAULTS.strategy,
        max_tokens_per_example: int = _DEFAULTS.max_tokens_per_example,
        validation_fraction: float = _DEFAULTS.validation_fraction,
        early_stopping_patience: int = _DEFAULTS.early_stopping_patience,
        train_splits: Sequence[str] = ("train",),
    ) -> None:
        """Checks the options and makes the component.

        Args:
            examples: Examples as Transform writes them with `components.text.preprocessing_fn`.
            transform_graph: The TransformGraph of the same Transform.
            raw_examples: The Examples of TfdsExampleGen, which know the classes by name; without
                them there are as many classes as the largest label among `examples` says.
            hyperparameters: HyperParameters of a Tuner, whose values take the place of
                `embedding_dim`, `hidden_units`, `epochs`, `batch_size` and `learning_rate`.
            base_model: A Model of another EmbeddingTrainer to start from.
            embedding_dim: See `TrainingOptions`, as for all that follow.
            hidden_units: See there.
            epochs: See there.
            batch_size: See there.
            learning_rate: See there.
            seed: See there.
            strategy: See there.
            max_tokens_per_example: See there.
            validation_fraction: See there.
            early_stopping_patience: See there.
            train_splits: The splits to train on. No other split is read, so that one kept for
                the Evaluator has no part in when training stops.

        Raises:
            TypeError: An option is of another type.
            ValueError: An option is out of range.
        """
        options = TrainingOptions(
            embedding_dim=embedding_dim,
            hidden_units=hidden_units,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            strategy=strategy,
            max_tokens_per_example=max_tokens_per_example,
            validation_fraction=validation_fraction,
            early_stopping_patience=early_stopping_patience,
        )
        if isinstance(train_splits, str) or not train_splits:
            raise ValueError(f"train_splits is {train_splits!r}; expected a list like ['train'].")
        super().__init__(
            EmbeddingTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                raw_examples=raw_examples,
                hyperparameters=hyperparameters,
                base_model=base_model,
                model=types.Channel(type=tfx.types.standard_artifacts.Model),
                model_run=types.Channel(type=tfx.types.standard_artifacts.ModelRun),
                train_splits=json.dumps(list(train_splits)),
                code_digest=source_digest(
                    "components.embedding_trainer", "components.artifacts", "components.text"
                ),
                **dataclasses.asdict(options),
            )
        )

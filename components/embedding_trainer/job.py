"""What to train, in plain types; importable without TensorFlow."""

import pydantic
from pydantic.dataclasses import dataclass

from components.embedding_trainer.options import TrainingOptions

Properties = dict[str, int | float | str]
"""On what and how a model was trained: the custom properties of the Model artifact."""


@dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class Job:
    """Describes a training completely, so that another process or host can run it.

    Attributes:
        examples: Directories of the transformed examples to train on.
        transform_graph: Directory of the transform graph.
        class_names: Names of the classes; empty if they are not known.
        text_feature: The raw feature with the text, which the model is served with.
        options: How to train.
        model: Directory to write the SavedModel to.
        logs: Directory to write TensorBoard logs to.
    """

    examples: list[str]
    transform_graph: str
    class_names: list[str]
    text_feature: str
    options: TrainingOptions
    model: str
    logs: str

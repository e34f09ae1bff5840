"""TFX components from a TFDS text dataset to the projection of a trained embedding."""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.artifacts import EmbeddingProjection
    from components.embedding_trainer.component import EmbeddingTrainer
    from components.embedding_trainer.options import TrainingOptions
    from components.projector_exporter.component import ProjectorExporter
    from components.projector_exporter.options import ExportOptions
    from components.pusher.component import Pusher
    from components.tfds_example_gen.component import TfdsExampleGen

# Importing TFX imports Keras, which then reads its backend; this fails if the user's KERAS_BACKEND
# or keras.json names another one than TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"

_MODULES = {
    "EmbeddingProjection": "components.artifacts",
    "EmbeddingTrainer": "components.embedding_trainer.component",
    "ExportOptions": "components.projector_exporter.options",
    "ProjectorExporter": "components.projector_exporter.component",
    "Pusher": "components.pusher.component",
    "TfdsExampleGen": "components.tfds_example_gen.component",
    "TrainingOptions": "components.embedding_trainer.options",
}

__all__ = [
    "EmbeddingProjection",
    "EmbeddingTrainer",
    "ExportOptions",
    "ProjectorExporter",
    "Pusher",
    "TfdsExampleGen",
    "TrainingOptions",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: a Beam worker that needs only components.text need not load TFX.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)

"""Measures this project's training, and its input pipeline alone.

The examples and the configuration are those of the pipeline, which runs first if it has no outputs
yet. The time covers what EmbeddingTrainer does before it saves the model: count the examples, build
the graph, and train until the validation loss no longer falls.
"""

import contextlib
import functools
import logging
import pathlib
import statistics
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from benchmarks import pipeline, setting
from components.embedding_trainer import saved_model
from components.embedding_trainer.initial_embedding import initial_embedding
from components.embedding_trainer.input_pipeline import (
    Examples,
    count_classes,
    make_batches,
    plan_epoch,
    read_examples,
)
from components.embedding_trainer.model import build_model
from components.embedding_trainer.training import train
from components.text.features import input_dim
from components.text.vocabulary import read_vocabulary

_BATCH = 1024


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    options = chosen.config.training
    paths, transform_output = transformed(chosen)
    start = time.monotonic()
    examples = read(paths, transform_output, options)
    vocabulary_size = len(read_vocabulary(transform_output))
    build = functools.partial(
        build_model,
        input_dim(vocabulary_size),
        options.embedding_dim,
        options.hidden_units,
        count_classes(examples.labels),
    )

    embedding = initial_embedding(examples, vocabulary_size, options)
    build_initial = functools.partial(build, embedding=embedding)
    with contextlib.closing(_EpochRates()) as rates:
        outcome = train(build_initial, examples, options, tf.distribute.get_strategy())
    seconds = time.monotonic() - start
    model = build()
    model.set_weights(outcome.weights)
    setting.report(
        {
            "fit_seconds": seconds,
            "epochs": outcome.epochs_run,
            # The first epoch also builds the graph.
            "examples_per_second": statistics.median(rates.found[1:] or rates.found),
            "input_examples_per_second": _input_rate(examples, options),
            "test_accuracy": _accuracy(chosen, model, transform_output),
        }
    )


def transformed(chosen: setting.Setting) -> tuple[list[str], tft.TFTransformOutput]:
    """Returns the newest outputs of the pipeline's Transform; runs the pipeline if there are none.

    Args:
        chosen: The configuration.

    Returns:
        The files of the training examples, and the transform graph.
    """
    outputs = chosen.config.root / "artifacts" / "Transform"
    if not outputs.exists():
        pipeline.run(chosen)
    transform_output = tft.TFTransformOutput(str(_newest(outputs / "transform_graph")))
    split = _newest(outputs / "transformed_examples") / "Split-train"
    return [str(path) for path in split.iterdir()], transform_output


def read(paths: list[str], transform_output: tft.TFTransformOutput, options: Any) -> Examples:
    """Reads transformed examples as EmbeddingTrainer does.

    Args:
        paths: Files of `transformed`.
        transform_output: The transformation.
        options: TrainingOptions.
    """
    return read_examples(
        paths,
        transform_output.transformed_feature_spec(),
        max_sequence_length=options.max_sequence_length,
        validation_fraction=options.validation_fraction,
    )


def _newest(directory: pathlib.Path) -> pathlib.Path:
    return max(directory.iterdir(), key=lambda path: int(path.name))


class _EpochRates(logging.Handler):
    """Collects the examples per second from the line that training logs for each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []
        self._logger = logging.getLogger("components.embedding_trainer.training")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage())
        if record.msg.startswith("Epoch") and isinstance(record.args, tuple):
            self.found.append(float(record.args[-1]))  # type: ignore[arg-type]


def _input_rate(examples: Examples, options: Any) -> float:
    """Returns the examples a second of an epoch of batches, without training on them."""
    plan = plan_epoch(examples, options.batch_size, generator=np.random.default_rng(options.seed))
    start = time.monotonic()
    for _ in make_batches(examples, plan, range(1), options.batch_size):
        pass
    return examples.training_size / (time.monotonic() - start)


def _accuracy(
    chosen: setting.Setting, model: keras.Model, transform_output: tft.TFTransformOutput
) -> float:
    """Returns the accuracy of the served model on the whole test split."""
    directory = str(chosen.fresh("training") / "model")
    saved_model.save(model, transform_output, chosen.config.training.max_sequence_length, directory)
    serve = tf.saved_model.load(directory).signatures["serve_text"]
    texts, labels = chosen.reviews("eval")
    hits = 0
    for start in range(0, len(texts), _BATCH):
        served = serve(text=tf.constant(texts[start : start + _BATCH]))["probabilities"]
        hits += int((served.numpy().argmax(axis=1) == labels[start : start + _BATCH]).sum())
    return hits / len(texts)


if __name__ == "__main__":
    main()

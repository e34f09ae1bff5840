"""Compares the starts of the embedding: what accuracy they reach, and whether neighbors stay.

The examples and the configuration are those of the pipeline, which runs first if it has no outputs
yet. Each start is trained with two seeds. Prints for each the accuracy on the validation share, the
share of their ten nearest neighbors that the 2,000 most frequent words have in both trainings, and
the share of the variance in the first principal component.
"""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import setting, training
from components.embedding_trainer.initial_embedding import initial_embedding
from components.embedding_trainer.input_pipeline import count_classes
from components.embedding_trainer.model import build_model
from components.embedding_trainer.training import train
from components.text.features import FIRST_TOKEN_ID, input_dim
from components.text.vocabulary import read_vocabulary
from components.vectors.neighbors import probe_neighbors
from components.vectors.quality import first_component_share

_STARTS: dict[str, dict[str, Any]] = {
    "random": {"initial_embedding": "random"},
    **{
        f"cooccurrence_{penalty:g}": {"initial_embedding_penalty": penalty}
        for penalty in (0.0, 1e-5, 3e-5, 1e-4)
    },
}
_FREQUENT = 2000
_NEIGHBORS = 10


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    paths, transform_output = training.transformed(chosen)
    vocabulary = read_vocabulary(transform_output)
    examples = training.read(paths, transform_output, chosen.config.training)
    classes = count_classes(examples.labels)
    metrics: dict[str, float | None] = {}
    for name, changes in _STARTS.items():
        accuracies, embeddings = [], []
        for seed in (0, 1):
            options = dataclasses.replace(chosen.config.training, seed=seed, **changes)
            build = functools.partial(
                build_model,
                input_dim(len(vocabulary)),
                options.embedding_dim,
                options.hidden_units,
                classes,
                initial_embedding(examples, len(vocabulary), options),
            )
            outcome = train(build, examples, options, tf.distribute.get_strategy())
            assert outcome.validation is not None
            accuracies.append(outcome.validation.accuracy)
            embeddings.append(outcome.weights[0][FIRST_TOKEN_ID:-1])
        metrics[f"{name}_accuracy"] = float(np.mean(accuracies))
        metrics[f"{name}_overlap"] = _overlap(vocabulary, *embeddings)
        metrics[f"{name}_first_component"] = first_component_share(embeddings[0])
    setting.report(metrics)


def _overlap(vocabulary: list[str], a: np.ndarray, b: np.ndarray) -> float:
    """Returns the share of their nearest neighbors that the frequent words have in both."""
    words = [word.encode() for word in vocabulary]
    frequent = vocabulary[:_FREQUENT]
    found = [
        np.reshape(probe_neighbors(words, vectors, frequent).columns["neighbor"], (-1, _NEIGHBORS))
        for vectors in (a, b)
    ]
    return float(np.mean([len({*x} & {*y}) for x, y in zip(*found, strict=True)])) / _NEIGHBORS


if __name__ == "__main__":
    main()

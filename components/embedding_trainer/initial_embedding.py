"""Computes the embedding that training starts from, out of the training examples themselves."""

from collections.abc import Iterator

import keras
import numpy as np

from components.embedding_trainer.input_pipeline import Examples
from components.embedding_trainer.model import named_variables
from components.embedding_trainer.options import TrainingOptions
from components.text.features import FIRST_TOKEN_ID, PADDING_ID, input_dim
from components.vectors.cooccurrence import Texts, cooccurrence_vectors, count_cooccurrences

_BATCH = 1024


def initialize_embedding(
    model: keras.Model, examples: Examples, vocabulary_size: int, options: TrainingOptions
) -> None:
    """Gives a new model the embedding that `options.initial_embedding` chooses.

    Args:
        model: What `build_model` returned, with a random embedding.
        examples: The examples.
        vocabulary_size: Number of tokens in the vocabulary.
        options: How to train.
    """
    if options.initial_embedding == "cooccurrence":
        start = cooccurrence_embedding(examples, vocabulary_size, options.embedding_dim)
        named_variables(model)["embedding"].assign(start)


def cooccurrence_embedding(
    examples: Examples, vocabulary_size: int, embedding_dim: int
) -> np.ndarray:
    """Computes an embedding in which words of similar contexts are near each other.

    Trained by labels from a random start, an embedding holds one direction, the class that a word
    speaks for, and noise: two trainings share hardly any of a word's nearest neighbors
    (`benchmarks/neighbors.py`).

    Args:
        examples: The examples, of which those for validation are left out.
        vocabulary_size: Number of tokens in the vocabulary.
        embedding_dim: Columns of the embedding.

    Returns:
        float32 [input_dim, embedding_dim], equal in every worker and for every order of the
        examples; zeros for padding and out-of-vocabulary tokens.
    """
    rows = input_dim(vocabulary_size)
    no_words = (PADDING_ID, FIRST_TOKEN_ID + vocabulary_size)
    counts = count_cooccurrences(_training_texts(examples), rows, ignored=no_words)
    return cooccurrence_vectors(counts, embedding_dim)


def _training_texts(examples: Examples) -> Iterator[Texts]:
    for start in range(examples.validation_size, len(examples.labels), _BATCH):
        numbers = range(start, min(start + _BATCH, len(examples.labels)))
        ids = [examples.token_ids(number) for number in numbers]
        yield np.concatenate(ids), examples.lengths[numbers.start : numbers.stop]

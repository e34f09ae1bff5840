"""Computes the embedding that training starts from, out of the training examples themselves."""

from collections.abc import Iterator

import numpy as np

from components.embedding_trainer.input_pipeline import Examples
from components.text.features import FIRST_TOKEN_ID, PADDING_ID, input_dim
from components.vectors.cooccurrence import Texts, cooccurrence_vectors, count_cooccurrences

_BATCH = 1024


def cooccurrence_embedding(
    examples: Examples, vocabulary_size: int, embedding_dim: int
) -> np.ndarray:
    """Computes an embedding in which words of similar contexts are near each other.

    Trained by labels from a random start, an embedding holds one direction, the class that a word
    speaks for, and noise: of the ten nearest neighbors of a word two trainings on the IMDB reviews
    share 0.03. From this start they share 0.88, at the same accuracy.

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

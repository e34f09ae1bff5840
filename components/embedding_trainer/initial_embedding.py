"""Computes the embedding that training starts from, from the training examples."""

from collections.abc import Iterator, Sequence

import numpy as np

from components.embedding_trainer.input_pipeline import Examples
from components.embedding_trainer.options import TrainingOptions
from components.text.features import FIRST_TOKEN_ID, PADDING_ID, input_dim
from components.vectors.cooccurrence import Texts, cooccurrence_vectors, count_cooccurrences
from components.vectors.neighbors import overlap_at_k

_BATCH = 1024


def initial_embedding(
    examples: Examples, vocabulary_size: int, options: TrainingOptions
) -> np.ndarray | None:
    """Computes the embedding that `options.initial_embedding` chooses.

    Args:
        examples: The examples.
        vocabulary_size: Number of tokens in the vocabulary.
        options: How to train.

    Returns:
        float32 [input_dim, embedding_dim]; None for a random one.
    """
    if options.initial_embedding == "random":
        return None
    return cooccurrence_embedding(examples, vocabulary_size, options.embedding_dim)


def cooccurrence_embedding(
    examples: Examples, vocabulary_size: int, embedding_dim: int, *, bootstrap: bool = False
) -> np.ndarray:
    """Computes an embedding in which words of similar contexts are near each other.

    From a random start, training on labels gives an embedding of one direction, the class that a
    word indicates, and noise: two trainings share hardly any of a word's nearest neighbors
    (`benchmarks/neighbors.py`).

    Args:
        examples: The examples; those for validation are not used.
        vocabulary_size: Number of tokens in the vocabulary.
        embedding_dim: Columns of the embedding.
        bootstrap: Whether to resample the examples with replacement.

    Returns:
        float32 [input_dim, embedding_dim]; zeros for padding, out-of-vocabulary tokens and tokens
        that never co-occur. The order of the examples does not matter, see `count_cooccurrences`.
    """
    rows = input_dim(vocabulary_size)
    no_words = (PADDING_ID, FIRST_TOKEN_ID + vocabulary_size)
    counts = count_cooccurrences(_training_texts(examples), rows, no_words, bootstrap=bootstrap)
    return cooccurrence_vectors(counts, embedding_dim)


def bootstrap_overlap(
    start: np.ndarray, examples: Examples, vocabulary: Sequence[str]
) -> float | None:
    """Returns the share of a word's ten nearest neighbors that stay in a bootstrap of the texts.

    In a small corpus, a word's neighbors may depend on a few texts (Antoniak and Mimno,
    "Evaluating the Stability of Embedding-based Word Similarities", TACL 2018).

    Args:
        start: What `cooccurrence_embedding` returned.
        examples: The examples.
        vocabulary: The vocabulary.

    Returns:
        The mean share, 0 to 1; None if there is nothing to compare.
    """
    again = cooccurrence_embedding(examples, len(vocabulary), start.shape[1], bootstrap=True)
    tokens = [token.encode() for token in vocabulary]
    words = slice(FIRST_TOKEN_ID, FIRST_TOKEN_ID + len(tokens))
    return overlap_at_k((tokens, start[words]), (tokens, again[words])).share


def _training_texts(examples: Examples) -> Iterator[Texts]:
    for start in range(examples.validation_size, len(examples.labels), _BATCH):
        numbers = range(start, min(start + _BATCH, len(examples.labels)))
        ids = [examples.token_ids(number) for number in numbers]
        yield np.concatenate(ids), examples.lengths[numbers.start : numbers.stop]

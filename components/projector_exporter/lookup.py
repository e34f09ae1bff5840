"""Finds out which ids a transform graph gives the tokens of a vocabulary."""

import contextlib
import dataclasses
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

# Tokens whose ids are compared: an offset that all of them share is no coincidence.
_PROBES = 8
# Words that no vocabulary has; enough to hit each of a few out-of-vocabulary buckets.
_UNKNOWN = [f"qzxj{number}vkwq" for number in range(32)]


@dataclasses.dataclass(frozen=True)
class Lookup:
    """The ids that a transform graph gives the tokens of a vocabulary.

    Attributes:
        first_id: The id of the first token; those of the others follow.
        ids: Number of ids, from 0 to the largest of any token or unknown word.
    """

    first_id: int
    ids: int


def find_lookup(transform_output: tft.TFTransformOutput, tokens: Sequence[bytes]) -> Lookup | None:
    """Transforms texts of one token each, and compares their ids with the tokens' positions.

    Args:
        transform_output: The output of a Transform that looks up tokens in the vocabulary.
        tokens: The vocabulary.

    Returns:
        The ids; None if no transformed feature holds ids in vocabulary order, or two disagree.
    """
    places = _places_of_words(tokens)
    if len(places) < 2:
        return None
    words = [tokens[place].decode() for place in places]
    found = set()
    for ids in _transform(transform_output, [*words, *_UNKNOWN]):
        of_words, of_unknown = ids[: len(words)], ids[len(words) :]
        offsets = set.intersection(
            *({i - place for i in of_word} for place, of_word in zip(places, of_words, strict=True))
        )
        for offset in offsets:
            largest = max({offset + len(tokens) - 1}.union(*of_unknown))
            found.add(Lookup(offset, largest + 1))
    return found.pop() if len(found) == 1 else None


def _places_of_words(tokens: Sequence[bytes]) -> list[int]:
    """Chooses tokens that a tokenizer leaves whole: of letters only, all over the vocabulary."""
    places = [
        place for place, token in enumerate(tokens) if token.decode(errors="replace").isalpha()
    ]
    chosen = np.linspace(0, len(places) - 1, min(_PROBES, len(places))).astype(int)
    return [places[number] for number in chosen]


def _transform(
    transform_output: tft.TFTransformOutput, texts: Sequence[str]
) -> Iterator[list[set[int]]]:
    """Yields the integers of each transformed feature, as a set for each text."""
    try:
        raw_spec = transform_output.raw_feature_spec()
    except OSError:  # The Transform component writes the schema of its input; others may not.
        return
    # This import registers the ops of a graph with a subword tokenizer.
    with contextlib.suppress(ImportError, tf.errors.NotFoundError):
        importlib.import_module("tensorflow_text")
    raw_features = {name: _raw_feature(spec, texts) for name, spec in raw_spec.items()}
    for feature in transform_output.transform_raw_features(raw_features).values():
        if feature.dtype.is_integer:
            yield [set(row) for row in _rows(feature, len(texts))]


def _raw_feature(spec: Any, texts: Sequence[str]) -> tf.Tensor | tf.SparseTensor:
    """Returns a batch with each text, or zeros, in the form that parsing an example gives."""
    values = tf.constant(texts) if spec.dtype == tf.string else tf.zeros([len(texts)], spec.dtype)
    if isinstance(spec, tf.io.FixedLenFeature):
        shape = [len(texts), *spec.shape]
        column = tf.reshape(values, [len(texts), *[1] * len(spec.shape)])
        return tf.broadcast_to(column, shape)
    places = [[row, 0] for row in range(len(texts))]
    return tf.SparseTensor(places, values, [len(texts), 1])


def _rows(feature: Any, count: int) -> list[list[int]]:
    if isinstance(feature, tf.SparseTensor):
        rows: list[list[int]] = [[] for _ in range(count)]
        for (row, *_), value in zip(feature.indices.numpy(), feature.values.numpy(), strict=True):
            rows[row].append(int(value))
        return rows
    if isinstance(feature, tf.RaggedTensor):
        return [
            np.ravel(row.flat_values if isinstance(row, tf.RaggedTensor) else row).tolist()
            for row in feature
        ]
    return feature.numpy().reshape(count, -1).tolist()

"""The tf.Transform `preprocessing_fn` of labelled text, for training and for serving."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.text.features import FIRST_TOKEN_ID, LABEL, TEXT, TOKEN_IDS
from components.text.options import VocabularyOptions
from components.text.tokenizers import split_subwords, split_words
from components.text.vocabulary import learn_vocabulary


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Turns texts into token ids; the same graph serves the model.

    The stock Transform component takes it by its path::

        Transform(
            ...,
            preprocessing_fn="components.text.preprocessing_fn",
            custom_config={"tokenizer": "words", "top_k": 10_000, "skip_top": 20},
        )

    Args:
        inputs: TEXT (string) and LABEL (integer) with one value in every example, as tensors of
            shape [batch] or [batch, 1] or as sparse tensors.
        custom_config: Fields of `VocabularyOptions`.

    Returns:
        TOKEN_IDS, an int64 SparseTensor [batch, tokens of the longest text], and LABEL, int64
        [batch]. `components.text.features` tells what the ids mean.

    Raises:
        ValueError: custom_config is refused, or a feature has several values in an example.
    """
    options = VocabularyOptions.from_custom_config(custom_config)
    tokens = split_words(_one_value(inputs[TEXT], TEXT))
    if options.tokenizer == "subwords":
        tokens = split_subwords(tokens, options.top_k)
    vocabulary = learn_vocabulary(tokens.flat_values, options)
    if options.skip_top:
        skipped_ranks = tft.apply_vocabulary(tokens, vocabulary.skipped_tokens, default_value=-1)
        tokens = tf.ragged.boolean_mask(tokens, skipped_ranks < 0)
    ranks = tft.apply_vocabulary(tokens, vocabulary.tokens, num_oov_buckets=1)
    return {
        TOKEN_IDS: (ranks + FIRST_TOKEN_ID).to_sparse(),
        LABEL: tf.cast(_one_value(inputs[LABEL], LABEL), tf.int64),
    }


def _one_value(feature: tf.Tensor | tf.SparseTensor, name: str) -> tf.Tensor:
    """Returns the values of a feature, [batch], whichever form the schema gives it."""
    if isinstance(feature, tf.SparseTensor):
        counts = tf.RaggedTensor.from_sparse(feature).row_lengths()
        message = f"{name} must have exactly one value in every example."
        check = tf.debugging.assert_equal(counts, tf.ones_like(counts), message)
        with tf.control_dependencies([check]):
            return tf.identity(feature.values)
    if not feature.shape.is_compatible_with([None, 1][: feature.shape.rank]):
        raise ValueError(
            f"{name!r} has the shape {feature.shape}; expected one value in every example, "
            "[batch] or [batch, 1]. Correct the feature's shape in the schema."
        )
    return tf.reshape(feature, [-1])

"""The tf.Transform `preprocessing_fn` of labelled text, for training and for serving."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.text.features import FIRST_TOKEN_ID, LABEL, TOKEN_IDS
from components.text.options import PreprocessingOptions
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
        inputs: The raw features as tensors of shape [batch] or [batch, 1] or as sparse tensors.
            Those of the text (string) and of the label (integer) are used, each with one value in
            every example.
        custom_config: Fields of `PreprocessingOptions`.

    Returns:
        TOKEN_IDS, an int64 SparseTensor [batch, tokens of the longest text], and LABEL, int64
        [batch]. `components.text.features` tells what the ids mean.

    Raises:
        ValueError: custom_config is refused, or a feature is missing, has another type or has
            several values in an example.
    """
    options = PreprocessingOptions.from_custom_config(custom_config)
    text = _choose(inputs, "text_feature", options.text_feature)
    label = _choose(inputs, "label_feature", options.label_feature)
    _require(text.dtype == tf.string, options.text_feature, text, "strings")
    _require(
        label.dtype.is_integer, options.label_feature, label, "integers from 0 on, the classes"
    )
    tokens = split_words(_one_value(text, options.text_feature))
    if options.tokenizer == "subwords":
        tokens = split_subwords(tokens, options.top_k)
    vocabulary = learn_vocabulary(tokens.flat_values, options)
    if options.skip_top:
        skipped_ranks = tft.apply_vocabulary(tokens, vocabulary.skipped_tokens, default_value=-1)
        tokens = tf.ragged.boolean_mask(tokens, skipped_ranks < 0)
    ranks = tft.apply_vocabulary(tokens, vocabulary.tokens, num_oov_buckets=1)
    return {
        TOKEN_IDS: (ranks + FIRST_TOKEN_ID).to_sparse(),
        LABEL: tf.cast(_one_value(label, options.label_feature), tf.int64),
    }


def _choose(inputs: Mapping[str, Any], option: str, name: str) -> tf.Tensor | tf.SparseTensor:
    if name not in inputs:
        raise ValueError(
            f"The examples have no feature {name!r}; expected one of {sorted(inputs)}. Name it as "
            f"{option!r} in Transform's custom_config."
        )
    return inputs[name]


def _require(is_fit: bool, name: str, feature: tf.Tensor | tf.SparseTensor, expected: str) -> None:
    if not is_fit:
        raise ValueError(
            f"The feature {name!r} holds {feature.dtype.name}; expected {expected}. Convert it "
            "before Transform, or name another feature in Transform's custom_config."
        )


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

"""What a token is: the tf.Transform preprocessing of labeled text, in training and in serving.

The stock Transform component takes it by its dotted path::

    Transform(..., preprocessing_fn='components.text.preprocessing_fn',
              custom_config={'tokenizer': 'words', 'vocabulary_size': 10_000, 'skip_top': 20})

Token ids:

=========  =======================================================================
id         meaning
=========  =======================================================================
0          padding, never written by the transform
1 .. V     line 1 .. V of the vocabulary file: the tokens by falling frequency,
           equally frequent ones in reverse order of their bytes
V + 1      any token that is not in the vocabulary
=========  =======================================================================
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

TEXT = "text"
LABEL = "label"
TOKEN_IDS = "token_ids"
VOCABULARY = "vocabulary"
TOKEN_COUNTS = "token_counts"
SKIPPED_TOKENS = "skipped_tokens"
PADDING_ID = 0
FIRST_TOKEN_ID = 1
TOKENIZERS = ("words", "subwords")

# This line, and nothing else, is in the file of a vocabulary without any token.
EMPTY_VOCABULARY = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"

# RE2 as TensorFlow has it: \p{L} letters, \p{M} marks that belong to them, \p{N} digits.
_MARKUP = r"<!--.*?-->|</?[\p{L}!][^<>]*>"
_APOSTROPHE = r"&(?:apos|rsquo|#0*39|#x0*27|#8217|#x2019);|[\x{2019}\x{FF07}]"
_ENTITY = r"&(?:\p{L}[\p{L}\p{N}]*|#[0-9]+|#x[0-9a-f]+);"
# Whatever is not part of a word, with the apostrophes around it: only those between two word
# characters stay.
_SEPARATOR = r"'*[^\p{L}\p{M}\p{N}'][^\p{L}\p{M}\p{N}]*|'{2,}|^'|'$"


@dataclasses.dataclass(frozen=True)
class Tokenization:
    """How text becomes token ids.

    Attributes:
        tokenizer: 'words', or 'subwords' for word pieces learned from the words.
        vocabulary_size: The largest number of tokens with an id of their own; for subwords also
            the number of pieces the learner aims at.
        skip_top: Number of the most frequent tokens that are dropped from every text, before the
            vocabulary is made.
        min_frequency: Occurrences in the analyzed examples that a token needs to get an id.
    """

    tokenizer: str = "words"
    vocabulary_size: int = 10_000
    skip_top: int = 0
    min_frequency: int = 1

    def __post_init__(self) -> None:
        """Refuses values that no vocabulary can be made with.

        Raises:
            ValueError: A value is of another type or out of range.
        """
        if self.tokenizer not in TOKENIZERS:
            raise ValueError(f"tokenizer is {self.tokenizer!r}; expected one of {TOKENIZERS}.")
        for name, least in (("vocabulary_size", 1), ("skip_top", 0), ("min_frequency", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} is {value!r}; expected a whole number from {least} on.")

    @classmethod
    def from_config(cls, custom_config: Mapping[str, Any]) -> "Tokenization":
        """Reads a Transform component's custom_config.

        Args:
            custom_config: The attributes of this class, each optional, and optionally
                'code_digest', which is there for the cache alone and has no effect.

        Returns:
            The validated tokenization.

        Raises:
            ValueError: A key is unknown or a value is refused.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(custom_config) - known - {"code_digest"})
        if unknown:
            raise ValueError(f"custom_config has unknown keys {unknown}; known: {sorted(known)}.")
        return cls(**{key: value for key, value in custom_config.items() if key in known})


def embedding_rows(vocabulary_size: int) -> int:
    """Returns how many ids there are: padding, the vocabulary, out of vocabulary."""
    return FIRST_TOKEN_ID + vocabulary_size + 1


def read_vocabulary(transform_output: tft.TFTransformOutput) -> list[str]:
    """Reads the tokens that have an id of their own.

    Args:
        transform_output: What a Transform with `preprocessing_fn` made.

    Returns:
        The tokens; the first has the id FIRST_TOKEN_ID.

    Raises:
        ValueError: The vocabulary is empty.
    """
    tokens = transform_output.vocabulary_by_name(VOCABULARY)
    if tokens == [EMPTY_VOCABULARY]:
        raise ValueError(
            f"{transform_output.vocabulary_file_by_name(VOCABULARY)}: the vocabulary is empty; "
            "expected at least one token. The texts have no words, or skip_top or min_frequency "
            "leaves none of them: lower these."
        )
    return [token.decode("utf-8") for token in tokens]


def read_served_vocabulary(saved_model: str, vocabulary: str = VOCABULARY) -> list[bytes] | None:
    """Reads the vocabulary that a SavedModel carries to be served with.

    Args:
        saved_model: The SavedModel's directory.
        vocabulary: The vocabulary's name.

    Returns:
        The tokens; None if the model has no such asset.
    """
    path = os.path.join(saved_model, tf.saved_model.ASSETS_DIRECTORY, vocabulary)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read().splitlines()


def read_token_counts(transform_output: tft.TFTransformOutput) -> np.ndarray | None:
    """Reads how often each token occurs in the analyzed examples.

    Args:
        transform_output: What a Transform made.

    Returns:
        Occurrences, int64 [tokens], in the order of the vocabulary; None if that Transform had
        another preprocessing_fn, which does not count.

    Raises:
        ValueError: The counts are those of other tokens than the vocabulary's.
    """
    path = transform_output.vocabulary_file_by_name(TOKEN_COUNTS)
    if path is None:
        return None
    lines = transform_output.vocabulary_by_name(TOKEN_COUNTS)
    counts, tokens = zip(*(line.split(b" ", 1) for line in lines), strict=True)
    vocabulary = transform_output.vocabulary_by_name(VOCABULARY)
    if list(tokens) != vocabulary:
        raise ValueError(
            f"{path} has {len(tokens)} tokens that are not the {len(vocabulary)} of the "
            f"vocabulary {VOCABULARY!r} line by line. Run the Transform again."
        )
    return np.array([int(count) for count in counts], np.int64)


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Turns text into token ids; the graph serves as well.

    Args:
        inputs: TEXT (string) and LABEL (integer), one value each an example, as tensors of the
            shape [batch] or [batch, 1] or as sparse tensors.
        custom_config: See `Tokenization.from_config`.

    Returns:
        TOKEN_IDS, an int64 SparseTensor [batch, tokens of the longest text], and LABEL, int64
        [batch].

    Raises:
        ValueError: custom_config is refused, or a feature has several values an example.
    """
    from components.vocabulary import learn_vocabulary  # Needs Beam, which reading does without.

    tokenization = Tokenization.from_config(custom_config)
    tokens = split_words(_one_value(inputs[TEXT], TEXT))
    if tokenization.tokenizer == "subwords":
        from components import wordpiece  # Needs tensorflow_text, which words do without.

        tokens = wordpiece.split_subwords(tokens, tokenization.vocabulary_size)
    skipped, vocabulary = learn_vocabulary(
        tokens.flat_values,
        (SKIPPED_TOKENS, VOCABULARY, TOKEN_COUNTS),
        tokenization.skip_top,
        tokenization.vocabulary_size,
        tokenization.min_frequency,
    )
    if tokenization.skip_top:
        skipped_ranks = tft.apply_vocabulary(tokens, skipped, default_value=-1)
        tokens = tf.ragged.boolean_mask(tokens, skipped_ranks < 0)
    ranks = tft.apply_vocabulary(tokens, vocabulary, num_oov_buckets=1)
    return {
        TOKEN_IDS: (ranks + FIRST_TOKEN_ID).to_sparse(),
        LABEL: tf.cast(_one_value(inputs[LABEL], LABEL), tf.int64),
    }


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into words, in lower case and without markup and punctuation.

    A word is a run of letters, marks and digits of any script; apostrophes inside it stay
    ("don't"), hyphens and points split it. Scripts without spaces are not segmented.

    Args:
        texts: UTF-8 strings, [batch].

    Returns:
        Strings, [batch, (words)].
    """
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, _MARKUP, " ")
    texts = tf.strings.regex_replace(texts, _APOSTROPHE, "'")
    texts = tf.strings.regex_replace(texts, _ENTITY, " ")
    return tf.strings.split(tf.strings.regex_replace(texts, _SEPARATOR, " "))


def _one_value(feature: tf.Tensor | tf.SparseTensor, name: str) -> tf.Tensor:
    """Returns the [batch] values of a feature, whichever form its schema gives it."""
    if isinstance(feature, tf.SparseTensor):
        counts = tf.RaggedTensor.from_sparse(feature).row_lengths()
        message = f"{name} must have exactly one value in every example."
        check = tf.debugging.assert_equal(counts, tf.ones_like(counts), message)
        with tf.control_dependencies([check]):
            return tf.identity(feature.values)
    if not feature.shape.is_compatible_with([None, 1][: feature.shape.rank]):
        raise ValueError(
            f"{name!r} has the shape {feature.shape}; expected one value an example, "
            "[batch] or [batch, 1]. Correct the feature's shape in the schema."
        )
    return tf.reshape(feature, [-1])

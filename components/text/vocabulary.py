"""Learns the vocabulary inside tf.Transform, and reads it back from its outputs."""

import collections
import dataclasses
import os
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components.text.features import SKIPPED_TOKENS, TOKEN_COUNTS, VOCABULARY
from components.text.options import VocabularyOptions

# The only line of a vocabulary without tokens: a lookup table cannot be made of an empty file.
# tf.Transform's own vocabularies use the same line.
EMPTY_VOCABULARY = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"

# Longer tokens, such as Base64 data, are out of vocabulary: TensorBoard cannot show one of 500 kB,
# and the time of WordPiece's learner grows with the square of the length.
MAX_TOKEN_BYTES = 1000

TokenCounts = list[tuple[bytes, int]]


@dataclasses.dataclass(frozen=True)
class VocabularyFiles:
    """Paths of vocabulary files, scalar string tensors as tft.vocabulary returns them.

    Attributes:
        skipped_tokens: The most frequent tokens, which are removed from every text.
        tokens: The tokens with an id of their own.
        counts: The same tokens, each after its number of occurrences and a space.
    """

    skipped_tokens: tf.Tensor
    tokens: tf.Tensor
    counts: tf.Tensor


def learn_vocabulary(tokens: tf.Tensor, options: VocabularyOptions) -> VocabularyFiles:
    """Learns the most frequent tokens of the analyzed examples, in one pass.

    Three calls of tft.vocabulary would write the same files, but each would count all tokens again
    and the first would add a pass over the examples: Transform of the 25,000 IMDB training reviews
    would take 34.5 s of CPU instead of 14.8 s.

    Args:
        tokens: Strings, [tokens]. Tokens with a line break, and those of more than MAX_TOKEN_BYTES,
            are left out.
        options: How many tokens to skip and to keep.

    Returns:
        The files: tokens by falling frequency, equally frequent ones in reverse order of their
        bytes.
    """
    names = (SKIPPED_TOKENS, VOCABULARY, TOKEN_COUNTS)
    paths = tft.experimental.ptransform_analyzer(
        # tf.Transform finds the tensor by its name, which must be the same at every tracing.
        inputs=[tf.identity(tokens, name="learn_vocabulary_tokens")],
        ptransform=_LearnVocabulary(options),
        output_dtypes=[tf.string] * len(names),
        output_shapes=[[]] * len(names),
        output_asset_default_values=[EMPTY_VOCABULARY] * len(names),
        name="learn_vocabulary",
    )
    return VocabularyFiles(*paths)


@beam.ptransform_fn
def MostFrequent(  # noqa: N802 (a Beam transform)
    batches: beam.PCollection, top_k: int
) -> beam.PCollection:
    """Counts tokens and keeps the most frequent ones.

    Args:
        batches: What tf.Transform gives an analyzer of one tensor: tuples of one bytes array.
        top_k: Number of tokens to keep.

    Returns:
        One list of tokens with their counts, by falling frequency, equally frequent ones in
        reverse order of their bytes.
    """
    return (
        batches
        # Most tokens occur several times in a batch, so counting here shrinks the shuffle.
        | "CountInBatch" >> beam.FlatMap(_count)
        | "Count" >> beam.CombinePerKey(sum)  # type: ignore[arg-type]  # As Beam's own guide has it.
        | "MostFrequent" >> beam.combiners.Top.Of(top_k, key=lambda pair: pair[::-1])
    )


def write_lines(lines: list[bytes], directory: str, name: str) -> np.ndarray:
    """Writes the file of an analyzer's asset.

    Args:
        lines: The lines, without line breaks.
        directory: An analyzer's `base_temp_dir`.
        name: The file's name.

    Returns:
        Its path, in the form that an analyzer returns.
    """
    tf.io.gfile.makedirs(directory)
    path = os.path.join(directory, name)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
    return np.array(path)


def read_vocabulary(transform_output: tft.TFTransformOutput) -> list[str]:
    """Reads the tokens that have an id of their own.

    Args:
        transform_output: The output of a Transform with `preprocessing_fn`.

    Returns:
        The tokens; the first has the id FIRST_TOKEN_ID.

    Raises:
        ValueError: The vocabulary is empty.
    """
    tokens = transform_output.vocabulary_by_name(VOCABULARY)
    if tokens == [EMPTY_VOCABULARY]:
        raise ValueError(
            f"{transform_output.vocabulary_file_by_name(VOCABULARY)}: the vocabulary is empty; "
            "expected at least one token. The texts have no words, or skip_top or "
            "frequency_threshold removes all of them: lower these."
        )
    return [token.decode("utf-8") for token in tokens]


def read_served_vocabulary(saved_model: str, vocabulary: str = VOCABULARY) -> list[bytes] | None:
    """Reads the vocabulary among the assets of a SavedModel.

    Args:
        saved_model: Directory of the SavedModel.
        vocabulary: Name of the vocabulary.

    Returns:
        The tokens; None if the model has no such asset.
    """
    path = os.path.join(saved_model, tf.saved_model.ASSETS_DIRECTORY, vocabulary)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read().splitlines()


def read_token_counts(transform_output: tft.TFTransformOutput) -> np.ndarray | None:
    """Reads the number of occurrences of each token in the training examples.

    Args:
        transform_output: The output of a Transform.

    Returns:
        Occurrences, int64 [tokens], in the order of the vocabulary; None if the Transform had
        another preprocessing_fn, which wrote no counts.

    Raises:
        ValueError: The counted tokens are not those of the vocabulary.
    """
    path = transform_output.vocabulary_file_by_name(TOKEN_COUNTS)
    if path is None:
        return None
    lines = transform_output.vocabulary_by_name(TOKEN_COUNTS)
    counts, tokens = zip(*(line.split(b" ", 1) for line in lines), strict=True)
    vocabulary = transform_output.vocabulary_by_name(VOCABULARY)
    if list(tokens) != vocabulary:
        raise ValueError(
            f"{path} counts {len(tokens)} tokens that differ from the {len(vocabulary)} tokens of "
            f"the vocabulary {VOCABULARY!r}. Run Transform again."
        )
    return np.array([int(count) for count in counts], np.int64)


class _LearnVocabulary(tft_beam.experimental.PTransformAnalyzer):
    """Maps batches of tokens to the paths of the three files of `VocabularyFiles`."""

    def __init__(self, options: VocabularyOptions) -> None:
        super().__init__()
        # Plain numbers: Beam pickles them by value, without a class to import in workers.
        self._skip_top = options.skip_top
        self._top_k = options.top_k
        self._frequency_threshold = options.frequency_threshold

    def expand(self, batches: beam.PCollection) -> tuple[beam.PCollection, ...]:
        most_frequent = batches | MostFrequent(self._skip_top + self._top_k)
        kept = most_frequent | "Keep" >> beam.Map(self._keep)
        skipped_tokens = most_frequent | "Skip" >> beam.Map(self._skip)
        tokens = kept | "Tokens" >> beam.Map(_tokens)
        counts = kept | "Counts" >> beam.Map(_counts)
        return (
            skipped_tokens | "WriteSkipped" >> self._write(SKIPPED_TOKENS),
            tokens | "WriteTokens" >> self._write(VOCABULARY),
            counts | "WriteCounts" >> self._write(TOKEN_COUNTS),
        )

    def _write(self, name: str) -> beam.PTransform:
        return beam.Map(write_lines, self.base_temp_dir, name)

    def _skip(self, most_frequent: TokenCounts) -> list[bytes]:
        return _tokens(most_frequent[: self._skip_top]) or [EMPTY_VOCABULARY]

    def _keep(self, most_frequent: TokenCounts) -> TokenCounts:
        candidates = most_frequent[self._skip_top :]
        kept = [pair for pair in candidates if pair[1] >= self._frequency_threshold]
        return kept or [(EMPTY_VOCABULARY, 0)]


def _tokens(token_counts: TokenCounts) -> list[bytes]:
    return [token for token, _ in token_counts]


def _counts(token_counts: TokenCounts) -> list[bytes]:
    return [b"%d %s" % (count, token) for token, count in token_counts]


def _count(batch: tuple[np.ndarray, ...]) -> Iterator[tuple[bytes, int]]:
    for token, count in collections.Counter(batch[0].tolist()).items():
        if len(token) <= MAX_TOKEN_BYTES and b"\n" not in token and b"\r" not in token:
            yield token, count

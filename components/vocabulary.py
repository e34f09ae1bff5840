"""The vocabulary and the counts of its tokens, learned in one pass inside tf.Transform.

Three times tft.vocabulary would do the same: for the tokens to skip, for those that have an id, and
once more for how often each occurs. Each counts all tokens again, and the first takes a pass over
the examples of its own.
"""

import collections
import os
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components.text import EMPTY_VOCABULARY

Counts = list[tuple[bytes, int]]


def learn_vocabulary(
    tokens: tf.Tensor, filenames: tuple[str, str, str], skip: int, size: int, min_frequency: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Learns which tokens are the most frequent of the analyzed examples.

    Args:
        tokens: Strings, [tokens]. Those with a line break are left out.
        filenames: Of the assets with the skipped tokens, with the vocabulary, and with the
            vocabulary's lines after the number of occurrences and a space.
        skip: How many of the most frequent tokens are skipped.
        size: How many of the others are kept.
        min_frequency: Occurrences that a kept token needs.

    Returns:
        The paths of the files with the skipped tokens and with the vocabulary, a token a line, by
        falling frequency, equally frequent ones in reverse order of their bytes. Each takes the
        place of what tft.vocabulary returns.
    """
    skipped, vocabulary, _ = tft.experimental.ptransform_analyzer(
        # tf.Transform finds it by its name, which must be the same whenever it traces.
        inputs=[tf.identity(tokens, name="learn_vocabulary_tokens")],
        ptransform=_Learn(filenames, skip, size, min_frequency),
        output_dtypes=[tf.string] * len(filenames),
        output_shapes=[[]] * len(filenames),
        output_asset_default_values=[EMPTY_VOCABULARY] * len(filenames),
        name="learn_vocabulary",
    )
    return skipped, vocabulary


@beam.ptransform_fn
def MostFrequent(  # noqa: N802 (a Beam transform)
    batches: beam.PCollection, most: int
) -> beam.PCollection:
    """Counts tokens and keeps the most frequent ones.

    Args:
        batches: What tf.Transform gives an analyzer of one tensor: tuples of an array of bytes.
        most: How many to keep.

    Returns:
        One list of tokens with their counts, by falling frequency, equally frequent ones in
        reverse order of their bytes.
    """
    return (
        batches
        # A batch at once: most of its tokens are in it many times.
        | "CountInBatch" >> beam.FlatMap(_count)
        | "Count" >> beam.CombinePerKey(sum)  # type: ignore[arg-type]  # As Beam's own guide has it.
        | "MostFrequent" >> beam.combiners.Top.Of(most, key=lambda pair: pair[::-1])
    )


class _Learn(tft_beam.experimental.PTransformAnalyzer):
    """Batches of tokens in, the path of each file out."""

    def __init__(
        self, filenames: tuple[str, str, str], skip: int, size: int, min_frequency: int
    ) -> None:
        super().__init__()
        self._filenames = filenames
        self._skip = skip
        self._size = size
        self._min_frequency = min_frequency

    def expand(self, batches: beam.PCollection) -> tuple[beam.PCollection, ...]:
        most_frequent = batches | MostFrequent(self._skip + self._size)
        contents = (self._skipped, self._vocabulary, self._counts)
        return tuple(
            most_frequent
            | f"Format[{filename}]" >> beam.Map(content)
            | f"Write[{filename}]" >> beam.Map(write_lines, self.base_temp_dir, filename)
            for filename, content in zip(self._filenames, contents, strict=True)
        )

    def _skipped(self, counts: Counts) -> list[bytes]:
        return [token for token, _ in counts[: self._skip]] or [EMPTY_VOCABULARY]

    def _kept(self, counts: Counts) -> Counts:
        kept = [pair for pair in counts[self._skip :] if pair[1] >= self._min_frequency]
        # A lookup table cannot be made of an empty file.
        return kept or [(EMPTY_VOCABULARY, 0)]

    def _vocabulary(self, counts: Counts) -> list[bytes]:
        return [token for token, _ in self._kept(counts)]

    def _counts(self, counts: Counts) -> list[bytes]:
        return [b"%d %s" % (count, token) for token, count in self._kept(counts)]


def write_lines(lines: list[bytes], directory: str, filename: str) -> np.ndarray:
    """Writes an asset.

    Args:
        lines: Its lines.
        directory: An analyzer's `base_temp_dir`.
        filename: Its name.

    Returns:
        Its path, as an analyzer returns it.
    """
    tf.io.gfile.makedirs(directory)
    path = os.path.join(directory, filename)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
    return np.array(path)


def _count(batch: tuple[np.ndarray, ...]) -> Iterator[tuple[bytes, int]]:
    for token, count in collections.Counter(batch[0].tolist()).items():
        if b"\n" not in token and b"\r" not in token:
            yield token, count

"""A subword vocabulary: WordPiece, learned inside tf.Transform from the words of the examples."""

import contextlib

import apache_beam as beam
import tensorflow as tf
import tensorflow_text as tf_text
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner
from tensorflow_transform import tf_utils

from components.vocabulary import MostFrequent, write_lines

# tf.Transform leaves tokens with line breaks out of vocabularies, so that words which cannot be
# split are out of vocabulary, too.
UNKNOWN = "\n"

# The learner is plain Python and goes over all its words again and again: 20 s for the 30,000 most
# frequent words of 25,000 movie reviews, 53 s for 50,000, with nearly the same pieces.
_MAX_WORDS = 30_000


def split_subwords(words: tf.RaggedTensor, vocabulary_size: int) -> tf.RaggedTensor:
    """Splits words into word pieces, learned from the most frequent words of the analyzed examples.

    Args:
        words: Strings, [batch, (words)].
        vocabulary_size: The number of pieces to aim at.

    Returns:
        Strings, [batch, (pieces)]: a piece that continues a word starts with '##'; a word with
        unknown characters is UNKNOWN.
    """
    (pieces_file,) = tft.experimental.ptransform_analyzer(
        inputs=[words.flat_values],
        ptransform=_LearnPieces(vocabulary_size),
        output_dtypes=[tf.string],
        output_shapes=[[]],
        output_asset_default_values=[b"a"],  # Any piece, for the graph before the analysis.
        name="learn_subwords",
    )
    # tft.apply_vocabulary would do the same, but takes functions to integers only.
    pieces, _ = tf_utils.lookup_table(_tokenize, pieces_file, words.flat_values)
    return words.with_flat_values(pieces).merge_dims(1, 2)


def learn_pieces(word_counts: list[tuple[bytes, int]], vocabulary_size: int) -> list[bytes]:
    """Learns word pieces.

    Args:
        word_counts: UTF-8 words and how often each occurs.
        vocabulary_size: The number of pieces to aim at.

    Returns:
        The pieces, UTF-8; one that continues a word starts with '##'.

    Raises:
        ValueError: There is no word.
    """
    if not word_counts:
        raise ValueError("There is no word to learn subwords from; expected texts with words.")
    counts = [(word.decode("utf-8"), count) for word, count in word_counts]
    # The learner looks for the smallest count a piece must have. The occurrences of all pieces
    # are no more than the characters of the text, so that the search need not start any higher.
    characters = sum(len(word) * count for word, count in counts)
    pieces = learner.learn(
        counts,
        vocab_size=vocabulary_size,
        reserved_tokens=[],
        lower_thresh=None,
        upper_thresh=max(1, 2 * characters // vocabulary_size),
    )
    return [piece.encode() for piece in pieces]


def _tokenize(words: tf.Tensor, pieces_file: tf.Tensor) -> tuple[tf.RaggedTensor, None]:
    # With the file at hand the table is made outside of the graph, and so filled once, not at every
    # call. Where tf.Transform only inspects the graph, there is but a placeholder in it.
    at_hand = hasattr(pieces_file, "numpy")
    with tf.init_scope() if at_hand else contextlib.nullcontext():
        tokenizer = tf_text.WordpieceTokenizer(
            pieces_file, token_out_type=tf.string, unknown_token=UNKNOWN
        )
    return tokenizer.tokenize(words), None  # The table's size, which is not needed.


class _LearnPieces(tft_beam.experimental.PTransformAnalyzer):
    """Batches of words in, the path of a file with one word piece a line out."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self._vocabulary_size = vocabulary_size

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return (
            batches
            | MostFrequent(_MAX_WORDS)
            | "Learn" >> beam.Map(learn_pieces, self._vocabulary_size)
            | "Write" >> beam.Map(write_lines, self.base_temp_dir, "subwords")
        )

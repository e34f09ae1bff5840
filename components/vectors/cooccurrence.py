"""Word vectors from co-occurrence: positive pointwise mutual information (PPMI) and truncated SVD.

The method and its settings are those of Levy, Goldberg and Dagan, "Improving Distributional
Similarity with Lessons Learned from Word Embeddings" (TACL 2015): a dynamic context window,
subsampled frequent words, and smoothed context counts. Counts are integers and subsampling takes
expected counts, so that the vectors depend neither on chance nor on the order of the texts.
"""

import dataclasses
import zlib
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import scipy.sparse
import scipy.stats
import threadpoolctl
from sklearn.utils.extmath import randomized_svd

# Token ids, integers [tokens], and the number of tokens of each text, integers [texts].
Texts = tuple[np.ndarray, np.ndarray]

WINDOW = 5
# A word of a larger share of all tokens is subsampled, as in word2vec.
_SUBSAMPLING_SHARE = 1e-4
# Exponent of the context counts, which keeps rare contexts from dominating.
_CONTEXT_SMOOTHING = 0.75
# With 5, a word of the IMDB reviews keeps 3.7 and not 3.9 of its ten neighbors in a bootstrap.
_SVD_ITERATIONS = 10
# Words of a larger share of all tokens have shorter vectors. With 1e-4 the correlation with
# WordSim-353 falls from 0.36 to 0.33, with 1e-3 the accuracy on 800 news articles by 0.01.
_WEIGHTING_SHARE = 3e-4
# Tokens that are counted at once, 25 million pairs at most.
_BLOCK_TOKENS = 1_000_000
# Pairs that are kept, 8 bytes each; the 25,000 IMDB training reviews have 4.3 million.
_MAX_PAIRS = 10_000_000


@dataclasses.dataclass(frozen=True)
class Cooccurrences:
    """How often tokens occur, and occur near each other.

    Attributes:
        tokens: Occurrences of each id, int64 [rows].
        pairs: Weighted occurrences of the pairs of ids (a, b), a <= b, int32 [rows, rows]: a pair
            at a distance of d tokens counts WINDOW + 1 - d.
    """

    tokens: np.ndarray
    pairs: scipy.sparse.csr_matrix


def count_cooccurrences(
    texts: Iterable[Texts],
    rows: int,
    ignored: Collection[int] = (),
    *,
    bootstrap: bool = False,
    max_pairs: int = _MAX_PAIRS,
) -> Cooccurrences:
    """Counts pairs of tokens up to WINDOW apart within a text.

    Memory does not grow with the number of texts: after each block of a million tokens the rarest
    pairs above `max_pairs` are dropped.

    Args:
        texts: Batches of texts.
        rows: Number of ids.
        ignored: Ids that are no words, such as padding.
        bootstrap: Whether to resample the texts with replacement: each counts as often as a
            Poisson variable of mean 1, drawn from a checksum of the text.
        max_pairs: Pairs to keep.

    Returns:
        The counts, the same for any order of the texts while no pair is dropped.
    """
    is_word = np.ones(rows, bool)
    is_word[list(ignored)] = False
    tokens = np.zeros(rows, np.int64)
    pairs = scipy.sparse.csr_matrix((rows, rows), dtype=np.int32)
    for ids, lengths in _blocks(texts):
        times = _draw(ids, lengths) if bootstrap else np.ones(len(lengths), np.int32)
        text = np.repeat(np.arange(len(lengths)), lengths)
        np.add.at(tokens, ids, times[text])
        pairs = _keep_most_frequent(pairs + _pairs(ids, text, times, is_word), max_pairs)
    tokens[~is_word] = 0
    return Cooccurrences(tokens, pairs)


def cooccurrence_vectors(counts: Cooccurrences, dimensions: int) -> np.ndarray:
    """Computes word vectors whose cosines follow the contexts that words share.

    Args:
        counts: What `count_cooccurrences` returned.
        dimensions: Columns of the vectors.

    Returns:
        float32 [rows, dimensions], shorter for frequent words, and scaled so that the root mean
        square of the values of all words with a vector is 1. Ids without any pair have a vector of
        zeros, and so have the last columns where there are fewer words than dimensions.
    """
    ppmi = _ppmi(counts)
    vectors = np.zeros((ppmi.shape[0], dimensions), np.float32)
    if not ppmi.nnz:
        return vectors
    # The number of threads changes the order of sums and so the last digits.
    with threadpoolctl.threadpool_limits(limits=1):
        left, values, _ = randomized_svd(
            ppmi, min(dimensions, ppmi.shape[0]), n_iter=_SVD_ITERATIONS, random_state=0
        )
    vectors[:, : len(values)] = left * np.sqrt(values)
    vectors[np.diff(ppmi.indptr) == 0] = 0
    # Smooth inverse frequency keeps function words from dominating the mean of a text: Arora, Liang
    # and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings" (ICLR 2017).
    vectors *= (_WEIGHTING_SHARE / (_WEIGHTING_SHARE + _shares(counts)))[:, None]
    square = np.mean(vectors[vectors.any(axis=1)] ** 2, dtype=np.float64)
    return vectors / np.float32(np.sqrt(square))


def _blocks(texts: Iterable[Texts]) -> Iterator[Texts]:
    """Joins batches to blocks of about _BLOCK_TOKENS tokens."""
    gathered: list[Texts] = []
    size = 0
    for ids, lengths in texts:
        gathered.append((ids, lengths))
        size += len(ids)
        if size >= _BLOCK_TOKENS:
            yield _join(gathered)
            gathered, size = [], 0
    if gathered:
        yield _join(gathered)


def _join(gathered: list[Texts]) -> Texts:
    ids, lengths = zip(*gathered, strict=True)
    return np.concatenate(ids), np.concatenate(lengths)


def _draw(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Draws how often each text counts, int32 [texts], from a checksum of its ids."""
    ends = np.cumsum(lengths)
    ids = np.ascontiguousarray(ids, "<i4")
    checksums = [
        zlib.crc32(ids[end - length : end].tobytes())
        for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    ]
    return scipy.stats.poisson.ppf((np.array(checksums) + 0.5) / 2**32, 1).astype(np.int32)


def _pairs(
    ids: np.ndarray, text: np.ndarray, times: np.ndarray, is_word: np.ndarray
) -> scipy.sparse.csr_matrix:
    """Counts the pairs of a block.

    Args:
        ids: Token ids, integers [tokens].
        text: The text of each token, integers [tokens].
        times: How often each text counts, int32 [texts].
        is_word: Whether an id is counted, bool [rows].

    Returns:
        See `Cooccurrences.pairs`.
    """
    first, second, weights = [], [], []
    counted = is_word[ids] & (times[text] > 0)
    for distance in range(1, WINDOW + 1):
        a, b = slice(None, -distance), slice(distance, None)
        near = np.flatnonzero(counted[a] & counted[b] & (text[a] == text[b]))
        first.append(np.minimum(ids[a][near], ids[b][near]))
        second.append(np.maximum(ids[a][near], ids[b][near]))
        weights.append((WINDOW + 1 - distance) * times[text[a][near]])
    place = np.concatenate(first), np.concatenate(second)
    rows = len(is_word)
    entries = scipy.sparse.coo_matrix((np.concatenate(weights), place), (rows, rows))
    return entries.tocsr()  # Sums the entries at the same place.


def _keep_most_frequent(pairs: scipy.sparse.csr_matrix, max_pairs: int) -> scipy.sparse.csr_matrix:
    if pairs.nnz > max_pairs:
        least = np.partition(pairs.data, pairs.nnz - max_pairs)[pairs.nnz - max_pairs]
        # Pairs tied with the rarest are dropped too, because their order is arbitrary.
        pairs.data[pairs.data <= least] = 0
        pairs.eliminate_zeros()
    return pairs


def _shares(counts: Cooccurrences) -> np.ndarray:
    """Returns the share of each id in all tokens, at least that of one token, float64 [rows]."""
    return np.maximum(counts.tokens, 1) / max(1, counts.tokens.sum())


def _ppmi(counts: Cooccurrences) -> scipy.sparse.csr_matrix:
    """Computes positive pointwise mutual information, float32 [rows, rows]."""
    ratio = _SUBSAMPLING_SHARE / _shares(counts)
    kept = np.minimum(1, np.sqrt(ratio) + ratio)
    pairs = (counts.pairs + counts.pairs.T).tocsr()
    row = np.repeat(np.arange(pairs.shape[0], dtype=np.int32), np.diff(pairs.indptr))
    expected = pairs.data * kept[row] * kept[pairs.indices]
    of_row = np.bincount(row, expected, pairs.shape[0])
    context = of_row**_CONTEXT_SMOOTHING
    context /= max(context.sum(), np.finfo(float).tiny)
    information = np.log(expected / (of_row[row] * context[pairs.indices]))
    ppmi = scipy.sparse.csr_matrix(
        (np.maximum(information, 0).astype(np.float32), pairs.indices, pairs.indptr), pairs.shape
    )
    ppmi.eliminate_zeros()
    return ppmi

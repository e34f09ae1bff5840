import collections
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.vectors import cooccurrence
from components.vectors.cooccurrence import (
    WINDOW,
    Cooccurrences,
    Texts,
    cooccurrence_vectors,
    count_cooccurrences,
)
from components.vectors.neighbors import probe_neighbors

ROWS = 7
PADDING, UNKNOWN = 0, ROWS - 1
Corpus = list[list[int]]

corpora = st.lists(st.lists(st.integers(1, UNKNOWN), max_size=12), max_size=6)


def batches(corpus: Corpus, size: int = 2) -> Iterator[Texts]:
    for start in range(0, len(corpus), size):
        some = corpus[start : start + size]
        yield np.array([*itertools.chain(*some)], np.int64), np.array([*map(len, some)], np.int64)


def count(corpus: Corpus, rows: int = ROWS, **options: Any) -> Cooccurrences:
    return count_cooccurrences(batches(corpus), rows, ignored=(PADDING, rows - 1), **options)


def topics(seed: int = 0, texts: int = 400) -> Corpus:
    """Returns texts of 10 words, each of one of two topics: words 1 to 20 or words 21 to 40."""
    rng = np.random.default_rng(seed)
    return [list(rng.integers(1, 21, 10) + 20 * (number % 2)) for number in range(texts)]


@given(corpora)
def test_counts_weighted_pairs_within_the_window_of_a_text(corpus: Corpus) -> None:
    counts = count(corpus)

    pairs: collections.Counter[tuple[int, int]] = collections.Counter()
    for text in corpus:
        for (i, a), (j, b) in itertools.combinations(enumerate(text), 2):
            if j - i <= WINDOW and UNKNOWN not in (a, b):
                pairs[min(a, b), max(a, b)] += WINDOW + 1 - (j - i)
    found = counts.pairs.tocoo()
    assert dict(zip(zip(found.row, found.col, strict=True), found.data, strict=True)) == pairs
    words = [word for text in corpus for word in text if word != UNKNOWN]
    assert counts.tokens.tolist() == np.bincount(words, minlength=ROWS).tolist()


@pytest.mark.parametrize("bootstrap", [False, True])
def test_neither_order_nor_batches_nor_blocks_matter(
    monkeypatch: pytest.MonkeyPatch, bootstrap: bool
) -> None:
    corpus = topics()
    vectors = cooccurrence_vectors(count(corpus, 42, bootstrap=bootstrap), 8)
    monkeypatch.setattr(cooccurrence, "_BLOCK_TOKENS", 300)

    again = cooccurrence_vectors(count(corpus[::-1], 42, bootstrap=bootstrap), 8)

    assert np.array_equal(vectors, again)


def test_a_bootstrap_draws_whole_texts_with_replacement() -> None:
    corpus = [[number, number + 1] for number in range(1, 2001)]

    drawn = count(corpus, 2003, bootstrap=True)

    times = drawn.pairs.data / WINDOW
    assert np.array_equal(times, times.round())
    assert np.isclose(times.sum() / len(corpus), 1, atol=0.1)
    # A Poisson variable of mean 1 is 0 in 37 % of all cases, and more than 1 in 26 %.
    assert np.isclose(1 - len(times) / len(corpus), 0.37, atol=0.04)
    assert np.isclose((times > 1).sum() / len(corpus), 0.26, atol=0.04)


def test_words_of_a_topic_are_neighbors() -> None:
    vectors = cooccurrence_vectors(count(topics(), 42), 8)
    words = [b"%d" % row for row in range(1, 41)]

    near = probe_neighbors(words, vectors[1:41], ["3", "33"], k=10).columns["neighbor"]

    assert all(int(word) <= 20 for word in near[:10])
    assert all(int(word) > 20 for word in near[10:])


def test_a_word_that_is_everywhere_joins_no_topic() -> None:
    corpus = [[41, *text, 41] for text in topics()]
    words = [b"%d" % row for row in range(1, 42)]

    vectors = cooccurrence_vectors(count(corpus, 43), 8)

    near = probe_neighbors(words, vectors[1:42], ["3"], k=10).columns["neighbor"]
    assert b"41" not in near


def test_subsampling_shows_topics_between_repetitions_of_a_frequent_word() -> None:
    corpus = [
        [first, 41, 41, 41, second]
        for topic in (range(1, 21), range(21, 41))
        for first, second in itertools.permutations(topic, 2)
    ]
    words = [b"%d" % row for row in range(1, 41)]

    vectors = cooccurrence_vectors(count(corpus, 43), 8)

    near = probe_neighbors(words, vectors[1:41], ["3", "33"], k=10).columns["neighbor"]
    assert all(int(word) <= 20 for word in near[:10])
    assert all(int(word) > 20 for word in near[10:])


def test_a_frequent_word_has_a_shorter_vector() -> None:
    chance = np.random.default_rng(1)
    corpus = [[41 if w == 1 and chance.random() < 0.1 else w for w in text] for text in topics()]

    lengths = np.linalg.norm(cooccurrence_vectors(count(corpus, 43), 8), axis=1)

    # Words 1 and 41 have the same contexts, and 41 is about nine times rarer.
    assert lengths[41] > 3 * lengths[1]


def test_vectors_are_scaled_and_only_words_have_one() -> None:
    vectors = cooccurrence_vectors(count(topics(), 42), 8)

    assert vectors.dtype == np.float32
    assert vectors.shape == (42, 8)
    assert not vectors[[PADDING, 41]].any()
    assert np.isclose((vectors[1:41] ** 2).mean(), 1)


def test_drops_the_rarest_pairs_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "_BLOCK_TOKENS", 100)
    corpus = [[1, 2, *text[:4]] for text in topics()]

    counts = count(corpus, 42, max_pairs=50)

    assert 0 < counts.pairs.nnz <= 50
    assert counts.pairs[1, 2] == count(corpus, 42).pairs[1, 2]


@pytest.mark.parametrize(
    "corpus",
    [[], [[]], [[1]], [[1, 1, 1]], [[1, 2]], [[1], [2]], [[UNKNOWN, UNKNOWN]]],
    ids=str,
)
def test_degenerate_corpora_give_finite_vectors(corpus: Corpus) -> None:
    vectors = cooccurrence_vectors(count(corpus), 16)

    assert vectors.shape == (ROWS, 16)
    assert np.isfinite(vectors).all()

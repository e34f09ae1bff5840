import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from components.vectors import quality, rows
from components.vectors.layouts import Layout
from components.vectors.quality import (
    Similarity,
    first_component_share,
    similarity,
    trustworthiness,
)

RANDOM = np.random.default_rng(5)
MATRIX = RANDOM.normal(size=(300, 6)).astype(np.float32) * [9, 3, 1, 1, 1, 1] + 2
TOKENS = [b"w%d" % row for row in range(300)]


def layout_of(positions: np.ndarray) -> Layout:
    return Layout("a layout", positions, np.arange(len(positions)))


def test_the_share_of_the_first_component(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", 6 * 70)
    expected = PCA(1).fit(MATRIX).explained_variance_ratio_[0]
    assert first_component_share(MATRIX) == pytest.approx(expected, rel=1e-4)
    assert first_component_share(np.outer(np.arange(4), [1, 2])) == pytest.approx(1)
    assert first_component_share(np.ones((5, 3), np.float32)) is None


def test_the_share_of_many_rows_is_that_of_some_evenly_spread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quality, "_MAX_MEASURED", 30)
    matrix = np.zeros((60, 2), np.float32)
    matrix[::2, 0] = np.arange(30)
    matrix[1::2, 1] = np.arange(30)
    assert first_component_share(matrix) == pytest.approx(1)
    assert first_component_share(matrix[:30]) == pytest.approx(29 / 37)


@pytest.mark.parametrize("slice_cells", [300 * 70, 2**23])
def test_trustworthiness_is_scikit_learns(
    slice_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", slice_cells)
    positions = MATRIX[:, :2] + RANDOM.normal(size=(300, 2))
    expected = sklearn_trustworthiness(MATRIX, positions, n_neighbors=10, metric="cosine")
    assert 0.5 < expected < 0.95
    assert trustworthiness(MATRIX, layout_of(positions)) == pytest.approx(expected, abs=1e-6)


def test_trustworthiness_of_a_sample_is_near_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of(MATRIX[:, :2])
    expected = trustworthiness(MATRIX, layout)
    monkeypatch.setattr(quality, "_MAX_COMPARED", 100)
    found = trustworthiness(MATRIX, layout)
    assert found != expected and found == pytest.approx(expected, abs=0.03)


def test_trustworthiness_is_that_of_the_rows_laid_out() -> None:
    some = np.arange(1, 300, 3)
    layout = Layout("t-SNE", MATRIX[some], some)
    expected = sklearn_trustworthiness(MATRIX[some], MATRIX[some], n_neighbors=4, metric="cosine")
    assert trustworthiness(MATRIX, layout, k=4) == pytest.approx(expected, abs=1e-6)
    assert trustworthiness(MATRIX, layout_of(MATRIX[:20])) is None  # Too few for ten neighbors.


def test_similarity_is_spearmans_rho_with_an_interval() -> None:
    pairs = [(f"w{row}", f"w{row + 1}", float(RANDOM.normal())) for row in range(60)]
    cosines = [
        MATRIX[row]
        @ MATRIX[row + 1]
        / np.linalg.norm(MATRIX[row])
        / np.linalg.norm(MATRIX[row + 1])
        for row in range(60)
    ]
    pairs = [
        (a, b, score / 3 + cosine) for (a, b, score), cosine in zip(pairs, cosines, strict=True)
    ]

    found = similarity(TOKENS, MATRIX, [*pairs, ("w1", "unheard", 1.0)])

    expected = scipy.stats.spearmanr(cosines, [score for *_, score in pairs]).statistic
    assert found.found == 60
    assert found.rho == pytest.approx(expected)
    # The interval of Fisher's transformation: z plus and minus 1.96 / sqrt(60 - 3).
    z = np.arctanh(expected)
    assert (found.low, found.high) == pytest.approx(
        (np.tanh(z - 1.95996 / 57**0.5), np.tanh(z + 1.95996 / 57**0.5)), rel=1e-4
    )


def test_words_are_found_in_lower_case() -> None:
    vectors = np.eye(4, dtype=np.float32) + 0.1
    tokens = [b"paris", b"US", b"us", b"berlin"]
    pairs = [("Paris", "Berlin", 1.0), ("US", "us", 2.0), ("paris", "BERLIN", 3.0)]
    assert similarity(tokens, vectors, pairs).found == 3


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        ([], 0),
        ([("w1", "w2", 1.0), ("w3", "w4", 2.0)], 2),
        ([("w1", "w2", 1.0), ("w3", "w4", 1.0), ("w5", "w6", 1.0)], 3),
        ([("w1", "w2", 1.0), ("w1", "w2", 2.0), ("w2", "w1", 3.0)], 3),
        ([("zero", "w2", 1.0), ("w3", "w4", 2.0), ("w5", "w6", 3.0)], 2),
    ],
)
def test_too_few_pairs_have_no_correlation(pairs: list[tuple[str, str, float]], count: int) -> None:
    vectors = np.vstack([MATRIX, np.zeros(6, np.float32)])
    assert similarity([*TOKENS, b"zero"], vectors, pairs) == Similarity(count)

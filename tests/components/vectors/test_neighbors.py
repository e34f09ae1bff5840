import numpy as np
import pytest

from components.projector_directory import metadata
from components.vectors import rows
from components.vectors.neighbors import Overlap, nearest_neighbors, overlap_at_k, probe_neighbors

TOKENS = [b"good", b"great", b"bad", b"awful", b"nothing"]
MATRIX = np.array([[1, 0.1], [5, 0], [-1, 0], [-2, 1], [0, 0]], np.float32)


def embedding(rows: int, seed: int, columns: int = 8) -> tuple[list[bytes], np.ndarray]:
    random = np.random.default_rng(seed)
    tokens = [b"w%d" % row for row in range(rows)]
    return tokens, random.normal(size=(rows, columns)).astype(np.float32)


def test_neighbors_come_by_falling_cosine() -> None:
    found = probe_neighbors(TOKENS, MATRIX, ["bad", "good"], k=2)

    assert found.columns["probe"] == [b"bad", b"bad", b"good", b"good"]
    assert found.columns["neighbor"] == [b"awful", b"nothing", b"great", b"nothing"]
    np.testing.assert_array_equal(found.columns["rank"], [1, 2, 1, 2])
    expected = [2 / 5**0.5, 0, 1 / 1.01**0.5, 0]
    np.testing.assert_allclose(np.asarray(found.columns["cosine"]), expected, atol=1e-6)
    assert found.unknown == found.zero == []


def test_probe_words_without_a_row_or_a_direction_are_reported() -> None:
    found = probe_neighbors(TOKENS, MATRIX, ["Good", "nothing", "bad", "bad"], k=1)

    assert found.columns["probe"] == [b"bad"]
    assert (found.unknown, found.zero) == (["Good"], ["nothing"])


def test_a_small_vocabulary_has_fewer_neighbors() -> None:
    found = probe_neighbors(TOKENS, MATRIX, ["good"], k=10)
    assert found.columns["neighbor"] == [b"great", b"nothing", b"awful", b"bad"]


@pytest.mark.parametrize("probe_words", [[], ["unheard"]])
def test_without_words_the_table_is_empty(probe_words: list[str]) -> None:
    found = probe_neighbors(TOKENS, MATRIX, probe_words)
    assert metadata.encode_table(found.columns) == b"probe\tneighbor\trank\tcosine\n"


def test_large_and_small_rows_have_the_same_neighbors() -> None:
    tokens, matrix = embedding(50, 1)
    scale = np.float32(10) ** np.linspace(-30, 30, 50, dtype=np.float32)[:, None]

    expected = probe_neighbors(tokens, matrix, ["w0", "w49"])
    found = probe_neighbors(tokens, matrix * scale, ["w0", "w49"])

    assert found.columns["neighbor"] == expected.columns["neighbor"]


def test_batches_give_the_neighbors_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, matrix = embedding(300, 2)
    words = [token.decode() for token in tokens]
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)

    monkeypatch.setattr(rows, "_SLICE_CELLS", 7 * 300)
    found = probe_neighbors(tokens, matrix, words).columns

    expected = np.sort(cosines, axis=1)[:, :-11:-1].ravel()
    np.testing.assert_allclose(np.asarray(found["cosine"]), expected, atol=1e-6)
    nearest = [int(token[1:]) for token in found["neighbor"]]
    np.testing.assert_allclose(cosines[np.repeat(range(300), 10), nearest], expected, atol=1e-6)


def test_an_embedding_overlaps_with_itself_turned_and_scaled() -> None:
    tokens, matrix = embedding(500, 3)
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(8, 8)))[0].astype(np.float32)

    overlap = overlap_at_k((tokens, matrix), (tokens, 3 * matrix @ turn))

    assert overlap.share == pytest.approx(1, abs=0.01)
    assert (overlap.common_tokens, overlap.compared_tokens) == (500, 500)


def test_unrelated_embeddings_overlap_by_chance() -> None:
    overlap = overlap_at_k(embedding(500, 5), embedding(500, 6, columns=12), k=10)
    assert overlap.share == pytest.approx(10 / 499, abs=0.01)


def test_overlap_counts_kept_neighbors() -> None:
    # Nearest in a: y to x, x to y, y to z. Nearest in b: z to x, x to y, x to z.
    a = [b"x", b"y", b"z"], np.array([[1, 0], [0.9, 0.1], [0, 1]])
    b = [b"z", b"x", b"y"], np.array([[1, -0.1], [1, 0], [0.5, 0.5]])
    assert overlap_at_k(a, b, k=1) == Overlap(1 / 3, 3, 3)


def test_only_the_common_vocabulary_counts() -> None:
    tokens, matrix = embedding(60, 7)
    more = [*tokens[::-1], b"new"], np.vstack([matrix[::-1], matrix[:1] * 1.01])
    assert overlap_at_k((tokens, matrix), more) == Overlap(1.0, 60, 60)


def test_large_vocabularies_are_sampled() -> None:
    a, b = embedding(900, 8), embedding(900, 8)
    b[1][::2] += np.random.default_rng(9).normal(size=(450, 8)) / 3

    whole, sample = overlap_at_k(a, b), overlap_at_k(a, b, max_compared=300)

    assert (whole.compared_tokens, sample.compared_tokens) == (900, 300)
    assert sample.share == pytest.approx(whole.share, abs=0.05)
    assert sample == overlap_at_k(a, b, max_compared=300)


def test_a_sample_is_spread_over_the_whole_vocabulary() -> None:
    tokens, matrix = embedding(900, 8)
    turned = matrix.copy()
    turned[-1] *= -1
    overlap = overlap_at_k((tokens, matrix), (tokens, turned), max_compared=2)
    # The first token keeps all its neighbors, the last one none.
    assert overlap.share == pytest.approx(0.5, abs=0.06)


def test_zero_rows_are_not_asked() -> None:
    tokens, matrix = embedding(40, 10)
    zeroed = matrix.copy()
    zeroed[:5] = 0
    assert overlap_at_k((tokens, matrix), (tokens, zeroed)).compared_tokens == 35


@pytest.mark.parametrize(
    "b", [([b"other"], np.ones((1, 2))), ([b"good"], np.ones((1, 2))), (TOKENS, 0 * MATRIX)]
)
def test_nothing_to_compare_has_no_share(b: tuple[list[bytes], np.ndarray]) -> None:
    assert overlap_at_k((TOKENS, MATRIX), b).share is None


def test_nearest_neighbors_are_those_of_a_full_sort() -> None:
    matrix = np.random.default_rng(3).normal(size=(200, 5)).astype(np.float32)
    matrix[20] = 3 * matrix[10]
    matrix[30] = 0
    units = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    similarity = units @ units.T
    np.fill_diagonal(similarity, -2)
    nearest, cosines = nearest_neighbors(matrix, 7)
    assert nearest.shape == cosines.shape == (200, 7)
    expected = np.sort(-similarity, axis=1)[:, :7]
    np.testing.assert_allclose(cosines, -expected, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(similarity, nearest, 1), cosines, atol=1e-5)
    assert (nearest != np.arange(200)[:, None]).all()
    assert nearest[10, 0] == 20 and nearest[20, 0] == 10


def test_equally_near_ones_come_in_the_order_of_their_rows() -> None:
    matrix = np.array([[1, 0], [2, 0], [0, 1], [3, 0]], np.float32)
    nearest, _ = nearest_neighbors(matrix, 9)
    assert nearest.tolist() == [[1, 3, 2], [0, 3, 2], [0, 1, 3], [0, 1, 2]]

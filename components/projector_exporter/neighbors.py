"""Which tokens an embedding holds for near, and how much of that another embedding keeps."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.preprocessing import normalize

# Cosines held at once: 32 MiB.
_BATCH_CELLS = 2**23


@dataclasses.dataclass(frozen=True)
class Neighbors:
    """Nearest neighbors of words, best first.

    Attributes:
        columns: Of one length, as `metadata.encode_table` takes them: probe, neighbor (tokens),
            rank (from 1), cosine.
        missing: Probe words that are not in the vocabulary, or whose row is zero.
    """

    columns: dict[str, Sequence[bytes] | np.ndarray]
    missing: list[str]


@dataclasses.dataclass(frozen=True)
class Overlap:
    """How much two embeddings agree on what is near.

    Attributes:
        share: Mean share of a token's k nearest neighbors in one embedding that are among the k
            nearest in the other, 0 to 1; None if there is nothing to compare.
        common_tokens: Size of the common vocabulary, where the neighbors are looked for.
        compared_tokens: How many of them were asked for their neighbors.
    """

    share: float | None
    common_tokens: int
    compared_tokens: int


def probe_neighbors(
    tokens: Sequence[bytes], matrix: np.ndarray, probe_words: Sequence[str], k: int = 10
) -> Neighbors:
    """Finds the nearest neighbors of words by cosine.

    Args:
        tokens: The vocabulary, [rows].
        matrix: Its embedding, finite floats [rows, dimensions].
        probe_words: Words, written as in the vocabulary; each is taken once.
        k: Neighbors a word; fewer if the vocabulary is smaller.

    Returns:
        The neighbors, without the word itself, in the order of the words.
    """
    rows = {token: row for row, token in reversed(list(enumerate(tokens)))}
    words = list(dict.fromkeys(probe_words))
    found = {word: rows[word.encode()] for word in words if word.encode() in rows}
    found = {word: row for word, row in found.items() if matrix[row].any()}
    k = min(k, len(tokens) - 1)
    nearest, cosines = _nearest(_unit_rows(matrix), np.array(list(found.values()), int), k)
    columns: dict[str, Sequence[bytes] | np.ndarray] = {
        "probe": [word.encode() for word in found for _ in range(k)],
        "neighbor": [tokens[row] for row in nearest.ravel()],
        "rank": np.tile(np.arange(1, k + 1), len(found)),
        "cosine": cosines.ravel(),
    }
    return Neighbors(columns, [word for word in words if word not in found])


def overlap_at_k(
    a: tuple[Sequence[bytes], np.ndarray],
    b: tuple[Sequence[bytes], np.ndarray],
    k: int = 10,
    max_compared: int = 2_000,
) -> Overlap:
    """Tells what share of its nearest neighbors a token keeps from one embedding to another.

    Neighbors are exact, by cosine, over all tokens that both vocabularies have. 1.0 means that
    nothing moved; two unrelated embeddings have about k / common tokens.

    Args:
        a: A vocabulary, [rows], and its embedding, finite floats [rows, dimensions].
        b: Another; its dimensions may differ.
        k: Neighbors a token; fewer if less is common.
        max_compared: The most tokens that are asked for their neighbors, evenly spread over the
            common vocabulary in the order of `a`.

    Returns:
        The share, and over what it was taken. Tokens whose row is zero in one of the two have no
        neighbors and are not asked.
    """
    rows_a, rows_b = _common_rows(a[0], b[0])
    k = min(k, len(rows_a) - 1)
    if k < 1:
        return Overlap(None, len(rows_a), 0)
    unit_a, unit_b = _unit_rows(a[1][rows_a]), _unit_rows(b[1][rows_b])
    queries = np.flatnonzero(unit_a.any(axis=1) & unit_b.any(axis=1))
    if not len(queries):
        return Overlap(None, len(rows_a), 0)
    if len(queries) > max_compared:
        queries = queries[np.linspace(0, len(queries) - 1, max_compared).astype(int)]
    nearest_a, nearest_b = (_nearest(unit, queries, k)[0] for unit in (unit_a, unit_b))
    kept = [np.isin(x, y).sum() for x, y in zip(nearest_a, nearest_b, strict=True)]
    return Overlap(float(np.mean(kept)) / k, len(rows_a), len(queries))


def _common_rows(a: Sequence[bytes], b: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs the rows of equal tokens, in the order of `a`."""
    row_in_b = {token: row for row, token in enumerate(b)}
    row_in_a = {token: row for row, token in enumerate(a) if token in row_in_b}
    return (
        np.array(list(row_in_a.values()), int),
        np.array([row_in_b[token] for token in row_in_a], int),
    )


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Scales rows to length 1; a zero row stays, and has cosine 0 to every other."""
    scale = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    scaled = matrix / np.where(scale > 0, scale, 1)  # Its squares neither vanish nor overflow.
    return normalize(scaled).astype(np.float32, copy=False)


def _nearest(unit: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds the rows with the highest cosines.

    Args:
        unit: float32 [rows, dimensions], rows of length 1 or 0.
        queries: Rows to find neighbors for, integers [queries].
        k: Neighbors a query, fewer than rows.

    Returns:
        Rows, integers, and their cosines, float32, both [queries, k]; best first, of equal ones
        the first row first. A query is not its own neighbor.
    """
    nearest = np.zeros((len(queries), k), int)
    cosines = np.zeros((len(queries), k), np.float32)
    for batch in _batches(len(queries), max(1, _BATCH_CELLS // len(unit))):
        similarity = unit[queries[batch]] @ unit.T
        similarity[np.arange(len(similarity)), queries[batch]] = -np.inf
        # Of the candidates in the order of their rows, a stable sort keeps equal ones in it.
        candidates = np.sort(np.argpartition(-similarity, k - 1, axis=1)[:, :k], axis=1)
        values = np.take_along_axis(similarity, candidates, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        nearest[batch] = np.take_along_axis(candidates, order, axis=1)
        cosines[batch] = np.take_along_axis(values, order, axis=1)
    return nearest, cosines


def _batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))

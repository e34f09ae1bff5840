import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from components.vectors.layouts import Layout, compute_layouts


def layout_of(matrix: np.ndarray, name: str, max_rows: int = 10_000) -> Layout:
    return compute_layouts(matrix, [name], max_rows)[name]


def matrix_of(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(rows, columns)).astype(np.float32)


def two_groups() -> np.ndarray:
    matrix = matrix_of(120, 8)
    matrix[::2, 0] += 20
    matrix[1::2, 1] += 20
    return matrix


def test_pca_keeps_distances() -> None:
    matrix = matrix_of(200, 6) + 5

    layout = layout_of(matrix, "pca")

    assert layout.name == "PCA"
    expected = pairwise_distances(matrix)
    np.testing.assert_allclose(pairwise_distances(layout.positions), expected, atol=1e-3)
    spread = layout.positions.std(axis=0)
    assert (np.diff(spread) < 0).all()


def test_pca_has_no_more_components_than_tensorboard_offers() -> None:
    layout = layout_of(matrix_of(300, 40), "pca")
    assert layout.positions.shape == (300, 10)


def test_near_rows_are_near() -> None:
    layout = layout_of(two_groups(), "tsne")

    assert layout.name == "t-SNE"
    distances = pairwise_distances(layout.positions)
    np.fill_diagonal(distances, np.inf)
    assert layout.positions.shape == (120, 2)
    assert (distances.argmin(axis=1) % 2 == np.arange(120) % 2).all()


@pytest.mark.parametrize("turn", [1, -1])
def test_tsne_starts_from_the_principal_components(turn: int) -> None:
    layouts = compute_layouts(turn * two_groups(), ["pca", "tsne"])
    across, _ = layouts["tsne"].positions.T
    assert np.corrcoef(across, layouts["pca"].positions[:, 0])[0, 1] > 0.5


def test_as_few_rows_as_two_are_laid_out() -> None:
    layouts = compute_layouts(matrix_of(5, 5), ["pca", "tsne"], max_rows=2)
    assert [len(layout.positions) for layout in layouts.values()] == [5, 2]


def test_only_directions_count_for_tsne() -> None:
    matrix = two_groups()
    layout = layout_of(matrix, "tsne")
    scaled = layout_of(matrix * 2.0 ** (np.arange(120)[:, None] % 7), "tsne")
    np.testing.assert_array_equal(layout.positions, scaled.positions)


def test_rows_beyond_the_cap_have_no_position() -> None:
    layouts = compute_layouts(matrix_of(50, 4), ["tsne", "pca"], max_rows=20)
    assert list(layouts) == ["tsne", "pca"]
    assert len(layouts["pca"].positions) == 50
    alone = layout_of(matrix_of(50, 4)[:20], "tsne")
    np.testing.assert_array_equal(layouts["tsne"].positions, alone.positions)
    assert len(layout_of(matrix_of(50, 4), "tsne", max_rows=2).positions) == 2


@pytest.mark.slow
def test_layouts_are_the_same_for_any_number_of_threads() -> None:
    # The number of threads is read when a process starts.
    program = textwrap.dedent("""
        import hashlib
        import numpy as np
        from components.vectors.layouts import compute_layouts
        matrix = np.random.default_rng(3).normal(size=(800, 16)).astype(np.float32)
        for layout in compute_layouts(matrix, ["pca", "tsne"]).values():
            print(layout.name, hashlib.sha256(layout.positions.tobytes()).hexdigest())
    """)
    one, two = (
        subprocess.run(
            ["env", f"OMP_NUM_THREADS={threads}", sys.executable, "-c", program],
            check=True,
            capture_output=True,
        ).stdout
        for threads in (1, 2)
    )
    assert one == two
    assert b"t-SNE" in one


ODD = {
    "two rows": matrix_of(2, 2),
    "three rows": matrix_of(3, 2),
    "fewer rows than the perplexity": matrix_of(7, 5),
    "more columns than rows": matrix_of(20, 90),
    "two columns": matrix_of(60, 2),
    "equal rows": np.full((40, 3), 0.1, np.float32),
    "rows on a line": np.outer(np.arange(1, 50), [1, 2, 3]).astype(np.float32),
    "opposite rows": np.array([[1, 0], [-1, 0]] * 20, np.float32),
    "zeros": np.zeros((30, 4), np.float32),
    "half zeros": np.vstack([np.zeros((30, 4)), matrix_of(30, 4)]).astype(np.float32),
    "tiny": matrix_of(40, 4) * np.float32(1e-35),
    "huge": matrix_of(40, 4) * np.float32(1e35),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ["pca", "tsne"])
@pytest.mark.parametrize("matrix", ODD.values(), ids=ODD)
def test_odd_matrices_have_finite_positions(name: str, matrix: np.ndarray) -> None:
    layout = layout_of(matrix, name)
    assert len(layout.positions) == len(matrix)
    assert np.isfinite(layout.positions).all()


@pytest.mark.parametrize("name", ["pca", "tsne"])
def test_equal_rows_stay_together(name: str) -> None:
    layout = layout_of(ODD["equal rows"], name)
    assert not layout.positions.any()


@pytest.mark.parametrize(
    ("shape", "names", "max_rows", "message"),
    [
        ((5, 5), ["pca", "isomap"], 10, r"\['isomap'\].*'tsne'"),
        ((1, 5), ["pca"], 10, r"\(1, 5\)"),
        ((5, 1), ["tsne"], 10, r"\(5, 1\)"),
        ((5, 5), ["tsne"], 1, "max_rows is 1"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    shape: tuple[int, int], names: list[str], max_rows: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compute_layouts(matrix_of(*shape), names, max_rows=max_rows)

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from components.vectors.layouts import Layout, compute_layouts


def layout_of(matrix: np.ndarray, name: str, rows: np.ndarray | None = None) -> Layout:
    return compute_layouts(matrix, [name], rows)[name]


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
    layouts = compute_layouts(matrix_of(5, 5), ["pca", "tsne"], np.array([1, 4]))
    assert [len(layout.positions) for layout in layouts.values()] == [5, 2]


def test_only_directions_count_for_tsne() -> None:
    matrix = two_groups()
    layout = layout_of(matrix, "tsne")
    scaled = layout_of(matrix * 2.0 ** (np.arange(120)[:, None] % 7), "tsne")
    np.testing.assert_array_equal(layout.positions, scaled.positions)


def test_tsne_places_the_chosen_rows() -> None:
    rows = np.arange(3, 50, 2)
    layouts = compute_layouts(matrix_of(50, 4), ["tsne", "pca"], rows)
    assert list(layouts) == ["tsne", "pca"]
    np.testing.assert_array_equal(layouts["pca"].rows, np.arange(50))
    np.testing.assert_array_equal(layouts["tsne"].rows, rows)
    alone = layout_of(matrix_of(50, 4)[rows], "tsne")
    np.testing.assert_array_equal(layouts["tsne"].positions, alone.positions)


@pytest.mark.slow
def test_many_rows_are_placed_by_interpolated_forces() -> None:
    groups = np.tile(two_groups(), (30, 1)) + matrix_of(3600, 8) / 10
    positions = layout_of(groups, "tsne").positions
    near = NearestNeighbors(n_neighbors=10).fit(positions).kneighbors(return_distance=False)
    assert (near % 2 == np.arange(3600)[:, None] % 2).all()


@pytest.mark.long
def test_layouts_are_the_same_for_any_number_of_threads() -> None:
    # OpenMP reads the number of threads when the process starts.
    program = textwrap.dedent("""
        import hashlib
        import numpy as np
        from components.vectors.layouts import compute_layouts
        matrix = np.random.default_rng(3).normal(size=(3200, 16)).astype(np.float32)
        for rows in (800, 3200):
            for layout in compute_layouts(matrix, ["pca", "tsne"], np.arange(rows)).values():
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
    ("shape", "names", "rows", "message"),
    [
        ((5, 5), ["pca", "isomap"], None, r"\['isomap'\].*'tsne'"),
        ((1, 5), ["pca"], None, r"\(1, 5\)"),
        ((5, 1), ["tsne"], None, r"\(5, 1\)"),
        ((5, 5), ["tsne"], np.array([3]), "with 1 rows"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    shape: tuple[int, int], names: list[str], rows: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compute_layouts(matrix_of(*shape), names, rows)

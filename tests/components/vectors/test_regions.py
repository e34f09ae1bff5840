import numpy as np
import pytest

from components.vectors.regions import find_regions

RANDOM = np.random.default_rng(1)
SIZES = (150, 100, 40)
CENTERS = np.array([[0.0, 0], [20, 0], [0, 20]])
GROUPS = np.repeat([2, 0, 1], [40, 150, 100])
POSITIONS = CENTERS[GROUPS] + RANDOM.normal(size=(290, 2))
VECTORS = np.eye(3)[GROUPS] + RANDOM.normal(size=(290, 3)) / 10


def test_each_group_is_a_region_the_largest_first() -> None:
    regions = find_regions(POSITIONS, VECTORS)
    assert [set(GROUPS[rows]) for rows in regions] == [{0}, {1}, {2}]
    for rows, size in zip(regions, SIZES, strict=True):
        assert 0.8 * size < len(rows) <= size
        assert len(set(rows.tolist())) == len(rows)


def test_the_most_typical_vectors_come_first() -> None:
    scale = 10.0 ** RANDOM.integers(-3, 3, size=(290, 1))  # Only directions count.
    regions = find_regions(POSITIONS, VECTORS * scale)
    for rows in regions:
        units = VECTORS[rows] / np.linalg.norm(VECTORS[rows], axis=1, keepdims=True)
        centroid = units.mean(axis=0)
        assert (np.diff(units @ centroid) <= 1e-12).all()


def groups_of(sizes: list[int]) -> np.ndarray:
    """Returns the positions of tight groups of these sizes, far from each other."""
    centers = np.repeat(np.arange(len(sizes)), sizes)[:, None] * [100.0, 0]
    return centers + np.random.default_rng(2).normal(size=(sum(sizes), 2))


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ([20, 20], {0, 1}),
        ([19, 19, 19, 19], set()),
        ([30, 20, 19], {0, 1}),
        # Of 6,000 rows a region needs one in 250, which is 24.
        ([24, 24, 2952, 3000], {0, 1}),
        ([23, 23, 2954, 3000], set()),
    ],
)
def test_no_region_is_too_small_to_be_seen(sizes: list[int], named: set[int]) -> None:
    positions = groups_of(sizes)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    found = {group for rows in find_regions(positions, positions) for group in groups[rows]}
    assert {group for group in found if sizes[group] <= 60} == named


def test_groups_beside_each_other_are_regions_of_their_own() -> None:
    groups = np.repeat([0, 1, 2], 100)
    centers = np.array([[0.0, 0], [4, 0], [40, 0]])
    positions = centers[groups] + np.random.default_rng(1).normal(size=(300, 2))
    regions = find_regions(positions, positions)
    assert sorted(np.bincount(groups[rows]).argmax() for rows in regions) == [0, 1, 2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [0, 1, 19, 20, 39, 290])
def test_equal_positions_are_no_region(rows: int) -> None:
    assert find_regions(np.zeros((rows, 2)), VECTORS[:rows]) == []


def test_of_many_rows_the_first_are_taken() -> None:
    positions = groups_of([5000, 5000, 400])
    regions = find_regions(positions, positions)
    assert len(regions) >= 2
    assert max(rows.max() for rows in regions) < 10_000

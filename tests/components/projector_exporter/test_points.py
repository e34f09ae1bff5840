from typing import Any

import numpy as np
import pytest

from components.projector_exporter.points import Coloring, Points

VECTORS = np.arange(8, dtype=np.float32).reshape(4, 2)


def points(**changed: Any) -> Points:
    arguments: dict[str, Any] = {
        "name": "reviews",
        "vectors": VECTORS,
        "columns": {"review": [b"a", b"b", b"c", b"d"], "stars": np.array([1, 2, 3, 4])},
        "coloring": Coloring("class", ["x", "y", "x", "y"]),
        "color_by": "stars",
    }
    return Points(**(arguments | changed))


def test_the_first_column_has_the_labels() -> None:
    assert points().label_column == "review"
    assert points().labels == [b"a", b"b", b"c", b"d"]


def test_some_points_keep_what_belongs_to_them() -> None:
    taken = points().take(slice(1, 3))

    np.testing.assert_array_equal(taken.vectors, VECTORS[1:3])
    assert taken.labels == [b"b", b"c"]
    np.testing.assert_array_equal(taken.columns["stars"], [2, 3])
    assert taken.coloring == Coloring("class", ["y", "x"])
    assert (taken.name, taken.color_by) == ("reviews", "stars")
    assert np.shares_memory(taken.vectors, VECTORS)


def test_any_points_can_be_taken() -> None:
    taken = points().take(np.array([3, 0]))
    np.testing.assert_array_equal(taken.vectors, VECTORS[[3, 0]])
    assert taken.labels == [b"d", b"a"]
    assert taken.coloring.values == ["y", "x"]


def test_labelled_and_extreme_points_are_chosen_before_the_first() -> None:
    values = np.zeros(100)
    values[[50, 60, 70]] = [3, -2, 2]
    many = Points(
        "words",
        np.zeros((100, 2), np.float32),
        {"token": [str(row).encode() for row in range(100)]},
        Coloring("norm", values),
    )
    assert many.most_important(20, {b"99"}).tolist() == [*range(17), 50, 60, 99]
    assert many.most_important(2, {b"99", b"0", b"98"}).tolist() == [0, 98]
    assert many.most_important(1000).tolist() == list(range(100))
    assert points().most_important(3).tolist() == [0, 1, 2]  # Categories have no extremes.


def test_points_need_no_color_and_numbers_no_opposites() -> None:
    bare = Points("embedding", VECTORS, {"token": [b"a"] * 4}, Coloring("norm", np.ones(4)))
    assert bare.color_by == ""
    assert not bare.coloring.diverging


@pytest.mark.parametrize(
    "changed",
    [
        {"vectors": VECTORS[:3]},
        {"vectors": VECTORS[:, 0]},
        {"columns": {"review": [b"a", b"b", b"c", b"d"], "stars": np.arange(3)}},
        {"coloring": Coloring("class", ["x"])},
    ],
)
def test_what_does_not_fit_together_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'reviews' have vectors of the shape"):
        points(**changed)


def test_the_column_of_another_length_is_named() -> None:
    with pytest.raises(ValueError, match="'review': 4, 'stars': 3, 'coloring': 4"):
        points(columns={"review": [b"a", b"b", b"c", b"d"], "stars": np.arange(3)})

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

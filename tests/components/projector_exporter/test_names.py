import numpy as np

from components.projector_exporter.names import naming_order, region_name
from components.projector_exporter.points import Coloring

LABELS = ["a", " ", "b", "c", "d"]


def test_a_region_is_named_by_its_first_three_words_that_can_be_shown() -> None:
    assert region_name([4, 1, 2, 0, 3], LABELS) == "d, b, a"
    assert region_name([4, 2, 0, 3], LABELS, lambda label: label != "d") == "b, a, c"
    assert region_name([1], LABELS) == ""


def test_the_highest_and_the_lowest_numbers_take_turns() -> None:
    coloring = Coloring("n", np.array([3.0, 9, -5, 0, 7]))
    assert naming_order(coloring, np.zeros((5, 2))).tolist() == [1, 2, 4, 3, 0]


def test_of_categories_the_farthest_point_comes_first() -> None:
    positions = np.array([[0, 0], [3, 0], [0, 9], [-5, 0.0]])
    coloring = Coloring("c", list("abcd"))
    assert naming_order(coloring, positions).tolist() == [2, 3, 1, 0]
    assert naming_order(coloring, positions + np.array([70, -30])).tolist() == [2, 3, 1, 0]

import numpy as np
import pytest

from components.vectors.rows import select_rows


@pytest.mark.parametrize("policy", ["most_frequent", "stratified"])
def test_a_small_vocabulary_is_taken_whole(policy: str) -> None:
    np.testing.assert_array_equal(select_rows(50, 50, policy), np.arange(50))


def test_the_most_frequent_are_the_first() -> None:
    np.testing.assert_array_equal(select_rows(50, 7, "most_frequent"), np.arange(7))


@pytest.mark.parametrize(("count", "most"), [(51, 50), (1000, 30), (123_456, 1000), (10**6, 10**5)])
def test_strata_fill_the_room_and_hold_no_row_twice(count: int, most: int) -> None:
    rows = select_rows(count, most, "stratified")
    assert len(rows) == most
    assert len(np.unique(rows)) == most
    assert rows[0] == 0
    assert rows[-1] == count - 1


def test_rare_words_have_as_large_a_share_as_frequent_ones() -> None:
    rows = select_rows(1_000_000, 400, "stratified")
    counts, _ = np.histogram(rows, [0, 10, 100, 1000, 10**4, 10**5, 10**6])
    np.testing.assert_array_equal(counts, [10, 78, 78, 78, 78, 78])

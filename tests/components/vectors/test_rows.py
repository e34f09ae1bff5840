import numpy as np
import pytest

from components.vectors import rows


@pytest.mark.parametrize(("count", "columns"), [(30, 1), (10, 3), (7, 100), (0, 5), (30, 0)])
def test_slices_cover_every_row_once(
    count: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_SLICE_CELLS", 12)
    parts = list(rows.slices(count, columns))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(count))
    assert {part.stop - part.start for part in parts[:-1]} <= {max(1, 12 // max(1, columns))}


def test_slices_are_as_large_as_memory_allows() -> None:
    assert [part.stop - part.start for part in rows.slices(20_000_000, 2)] == [
        *[2**22] * 4,
        20_000_000 - 4 * 2**22,
    ]


def test_rows_are_scaled_to_length_1() -> None:
    matrix = np.array([[3, 4], [0, -2], [0, 0], [1e-30, 1e-30], [3e30, 4e30]], np.float32)
    half = np.sqrt(0.5)
    expected = np.array([[0.6, 0.8], [0, -1], [0, 0], [half, half], [0.6, 0.8]])
    scaled = rows.unit_rows(matrix)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)
    np.testing.assert_array_equal(matrix[0], [3, 4])


@pytest.mark.filterwarnings("error")
def test_no_rows_are_no_rows() -> None:
    assert rows.unit_rows(np.zeros((0, 3))).shape == (0, 3)
    assert rows.unit_rows(np.zeros((2, 0))).shape == (2, 0)

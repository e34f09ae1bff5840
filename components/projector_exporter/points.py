"""What one tensor of a projection shows: labelled points in many dimensions."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

# Where there is no room for all points, one in so many is chosen as an extreme of the coloring.
_SHARE_OF_EXTREMES = 10
# Texts, or a vector of numbers.
Column = Sequence[bytes] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Coloring:
    """What colors the points of a picture.

    Attributes:
        name: What the values are, such as 'norm'.
        values: Numbers, or names of categories, [points].
        diverging: Whether numbers below and above zero are opposites: zero then gets the middle
            color, and the colors end at the 99 % quantile of the absolute values.
    """

    name: str
    values: np.ndarray | Sequence[str]
    diverging: bool = False

    def ends_in_turns(self) -> np.ndarray:
        """Orders points: highest number, lowest, second highest, second lowest and so on.

        Returns:
            Their rows, integers [points]; none of categories.
        """
        if not isinstance(self.values, np.ndarray):
            return np.empty(0, int)
        order = np.argsort(-self.values, kind="stable")
        return np.column_stack([order, order[::-1]]).ravel()[: len(order)]


@dataclasses.dataclass(frozen=True)
class Points:
    """Points of a projection.

    Attributes:
        name: Name of the tensor, such as 'embedding'.
        vectors: Floats [points, dimensions], most important point first: where there is no room for
            all, the first ones are shown.
        columns: The metadata by name, [points] each. The first column holds the labels.
        coloring: What colors the points in a picture.
        color_by: The column that TensorBoard's bookmarks color by; empty for none.

    Raises:
        ValueError: A column or the coloring has another length than the vectors.
    """

    name: str
    vectors: np.ndarray
    columns: Mapping[str, Column]
    coloring: Coloring
    color_by: str = ""

    def __post_init__(self) -> None:
        """Refuses columns that do not fit the vectors."""
        lengths = {name: len(column) for name, column in self.columns.items()}
        lengths["coloring"] = len(self.coloring.values)
        if self.vectors.ndim != 2 or set(lengths.values()) != {len(self.vectors)}:
            raise ValueError(
                f"The points {self.name!r} have vectors of the shape {self.vectors.shape} and "
                f"columns of the lengths {lengths}; expected [points, dimensions] and as many "
                "values in each column."
            )

    @property
    def label_column(self) -> str:
        """The name of the column with the labels."""
        return next(iter(self.columns))

    @property
    def labels(self) -> Sequence[bytes]:
        """The labels, [points]."""
        return self.columns[self.label_column]  # type: ignore[return-value]

    def take(self, rows: slice | np.ndarray) -> "Points":
        """Returns some of the points.

        Args:
            rows: Which points; vectors are not copied by a slice.

        Returns:
            These points, with what belongs to them.
        """
        return dataclasses.replace(
            self,
            vectors=self.vectors[rows],
            columns={name: _take(column, rows) for name, column in self.columns.items()},
            coloring=dataclasses.replace(self.coloring, values=_take(self.coloring.values, rows)),
        )

    def most_important(self, count: int, labels: Collection[bytes] = ()) -> np.ndarray:
        """Chooses points to show where there is no room for all.

        Args:
            count: The most points to choose.
            labels: Labels of points that come before all others.

        Returns:
            Their rows, integers, ascending: the points with these labels, then as many extremes of
            the coloring as a tenth has room for, then the first points.
        """
        labelled = [row for row, label in enumerate(self.labels) if label in labels]
        extremes = self.coloring.ends_in_turns()[: count // _SHARE_OF_EXTREMES].tolist()
        rows = dict.fromkeys([*labelled, *extremes, *range(len(self.labels))])
        return np.sort(list(rows)[:count])


def _take(column: Any, rows: slice | np.ndarray) -> Any:
    if isinstance(column, np.ndarray) or isinstance(rows, slice):
        return column[rows]
    return [column[row] for row in rows]

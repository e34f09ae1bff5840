"""What one tensor of a projection shows: labelled points in many dimensions."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

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


@dataclasses.dataclass(frozen=True)
class Points:
    """Points of a projection.

    Attributes:
        name: Name of the tensor, such as 'embedding'.
        vectors: Floats [points, dimensions], most important point first: where there is no room for
            all, the first ones are shown.
        columns: The metadata by name, [points] each. The first column holds the labels.
        coloring: What colors the points in a picture.
        color_by: The column that colors the points in TensorBoard; empty for none.
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

    def take(self, rows: slice) -> "Points":
        """Returns some of the points; vectors are not copied.

        Args:
            rows: Which points.

        Returns:
            These points, with what belongs to them.
        """
        return dataclasses.replace(
            self,
            vectors=self.vectors[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            coloring=dataclasses.replace(self.coloring, values=self.coloring.values[rows]),
        )

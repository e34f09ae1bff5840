"""What `verify` reports."""

import dataclasses
from collections.abc import Generator
from typing import TypeAlias, TypeVar

_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True)
class Violation:
    """One thing that TensorBoard would show wrongly or not at all.

    Attributes:
        file: The file, relative to the directory; '.' for the directory itself.
        row: The row, counted from 0 as TensorBoard counts points (a header line is not one);
            None if the whole file is meant.
        problem: What was found and what comes of it.
    """

    file: str
    row: int | None
    problem: str

    def __str__(self) -> str:
        """Returns file, row and problem in one line."""
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.file}{row}: {self.problem}"


# A rule that yields what it finds and returns what later rules need: `x = yield from rule(…)`.
Finding: TypeAlias = Generator[Violation, None, _Result]

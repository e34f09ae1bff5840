"""The knobs of an export, with their defaults and their ranges."""

import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = ("token", "id", "rank", "count", "norm", "probability", "class", "strength")
# Those that need nothing but the embedding, one of which makes a table.
_ALWAYS_THERE = ("id", "rank", "norm")
LAYOUTS = ("pca", "tsne", "umap")
ROW_POLICIES = ("most_frequent", "stratified")
FORMATS = ("arrow", "bytes", "parquet")
# TensorBoard's browser side asks for no more rows.
MAX_ROWS = 100_000


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What a projection shows.

    Attributes:
        columns: Metadata columns, some of COLUMNS, 'token' among them. Those that the model or the
            vocabulary knows nothing for are left out.
        layouts: Precomputed layouts, some of LAYOUTS: a bookmark in TensorBoard for each.
        layout_rows: The most rows that t-SNE and UMAP lay out, the first ones.
        normalized: Whether to add a second tensor, the same rows scaled to length 1: what
            TensorBoard's own t-SNE and UMAP assume.
        max_rows: The most rows that TensorBoard is given, up to MAX_ROWS.
        row_policy: Which rows are left of more: one of ROW_POLICIES. 'most_frequent' takes the
            first; 'stratified' as many of each power of ten of the rank, where there are as many.
        probe_words: Words whose nearest neighbors are listed.
        formats: Further formats, some of FORMATS. 'bytes' adds a directory of raw files for a
            TensorBoard without TensorFlow and for projector.tensorflow.org, of the same rows;
            'arrow' and 'parquet' a table of the whole vocabulary each.
        seed: Of the layouts.
    """

    # For pydantic, should a configuration hold these options.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    columns: tuple[str, ...] = COLUMNS
    layouts: tuple[str, ...] = ("pca", "tsne")
    layout_rows: int = 2000
    normalized: bool = True
    max_rows: int = MAX_ROWS
    row_policy: str = "most_frequent"
    probe_words: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what no export can be made with.

        Raises:
            ValueError: A value is unknown or out of range.
        """
        check_columns(self.columns)
        _check_names("layouts", self.layouts, LAYOUTS)
        _check_names("formats", self.formats, FORMATS)
        _check_names("row_policy", [self.row_policy], ROW_POLICIES)
        for name, least, most in (
            ("layout_rows", 2, None),
            ("max_rows", 2, MAX_ROWS),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                bounds = f"at least {least}" + (f" and at most {most}" if most else "")
                raise ValueError(f"{name} is {value}; expected {bounds}.")


def to_properties(options: ExportOptions) -> dict[str, int | str]:
    """Gives options the types that ML Metadata keeps: lists and truth values become JSON."""
    values = dataclasses.asdict(options)
    return {
        name: value if type(value) in (int, str) else json.dumps(value)
        for name, value in values.items()
    }


def from_properties(properties: Mapping[str, Any]) -> ExportOptions:
    """Reads back what `to_properties` gave."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(ExportOptions):
        value = properties[field.name]
        if type(field.default) not in (int, str):
            value = json.loads(value)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return ExportOptions(**values)


def check_columns(columns: Sequence[str]) -> None:
    """Refuses a choice of columns that makes no table.

    Args:
        columns: Names among COLUMNS, in any order.

    Raises:
        ValueError: A name is unknown, 'token' is missing, or all others may lack their data.
    """
    _check_names("columns", columns, COLUMNS)
    if "token" not in columns or not set(columns) & set(_ALWAYS_THERE):
        raise ValueError(
            f"columns is {list(columns)}; expected 'token' and at least one of "
            f"{', '.join(_ALWAYS_THERE)}: TensorBoard takes a single column to have no header, "
            "and the others are left out where their data is missing."
        )


def _check_names(field: str, found: Sequence[str], known: Sequence[str]) -> None:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{field}: {name!r} is none of {', '.join(known)}.{hint}")

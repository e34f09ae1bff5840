import pathlib
from typing import Any

import pydantic
import pytest

from components.projector_directory import verify
from components.projector_exporter.options import MAX_ROWS, ExportOptions


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"layouts": ("tnse",)}, "layouts"),
        ({"layouts": "pca"}, "layouts"),
        ({"formats": ("parqet",)}, "formats"),
        ({"probe_words": "hitchcock"}, "probe_words"),
        ({"probe_words": ("",)}, "probe_words"),
        ({"probe_words": ("caf\udce9",)}, "probe_words"),
        ({"max_rows": 100_001}, "max_rows"),
        ({"max_rows": 1}, "max_rows"),
        ({"layout_rows": 1}, "layout_rows"),
        ({"layout_rows": "2000"}, "layout_rows"),
        ({"umap": True}, "umap"),
    ],
)
def test_options_are_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refusal:
        ExportOptions(**options)
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]


def test_the_smallest_values_are_taken() -> None:
    options = ExportOptions(layouts=(), layout_rows=2, max_rows=2)
    assert (options.layouts, options.layout_rows, options.max_rows) == ((), 2, 2)


def test_word_pairs_are_given_as_they_are_or_by_the_name_of_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("film\tmovie\t9.5\n")
    pairs = (("film", "movie", 9.5),)
    assert ExportOptions(similarity_pairs=str(path)).similarity_pairs == pairs  # type: ignore[arg-type]
    assert ExportOptions(similarity_pairs=pairs).similarity_pairs == pairs


def test_no_more_rows_than_tensorboard_shows() -> None:
    assert verify.MAX_ROWS == MAX_ROWS

"""Checks that each row's `old` and `test` still exist; `make breakages` runs the tests."""

import pathlib

import pytest
import yaml

from tests.breakages.__main__ import TABLE, broken

PROJECT = pathlib.Path(__file__).parents[2]
ROWS = yaml.safe_load(TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["breaks"])
def test_a_row_breaks_one_place_and_names_a_test(row: dict[str, str]) -> None:
    sources = (PROJECT / row["file"]).read_text(encoding="utf-8")
    assert broken(sources, row) != sources
    file, _, test = row["test"].partition("::")
    assert f"def {test.partition('[')[0]}(" in (PROJECT / file).read_text(encoding="utf-8")

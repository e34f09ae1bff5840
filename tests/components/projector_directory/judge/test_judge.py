"""TensorBoard's own code as the judge of `verify`; `make fuzz` tries more cases."""

import pathlib

import pytest

pytest.importorskip("playwright")

from tests.components.projector_directory.judge.__main__ import disagreements
from tests.components.projector_directory.judge.mutations import write_templates
from tests.components.projector_directory.judge.oracle import differences
from tests.components.projector_directory.judge.page import Page


def test_verify_finds_what_the_page_shows_wrongly_and_nothing_else(tmp_path: pathlib.Path) -> None:
    assert list(disagreements(200, 1, tmp_path)) == []


def test_the_page_shows_what_is_right(tmp_path: pathlib.Path) -> None:
    with Page() as page:
        for directory in write_templates(tmp_path):
            seen = page.show(directory)
            assert differences(directory, seen) == []
            assert [tensor["bookmarks"] for tensor in seen["tensors"]].count([]) < len(
                seen["tensors"]
            )

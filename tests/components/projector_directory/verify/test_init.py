import pathlib

import pytest

from components.projector_directory.verify import verify


def test_a_directory_as_it_was_written_has_no_violations(export: pathlib.Path) -> None:
    assert verify(str(export)) == []


def test_the_directory_must_be_one(export: pathlib.Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"metadata\.tsv is not a directory"):
        verify(str(export / "metadata.tsv"))

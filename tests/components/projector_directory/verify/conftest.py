"""A valid projector directory for the tests of `verify`."""

import pathlib

import numpy as np
import pytest

from tests.components.projector_directory.directories import write_directory

TOKENS = [b"good", b"bad", b"film", b"plot"]


@pytest.fixture
def export(tmp_path: pathlib.Path) -> pathlib.Path:
    """Writes a valid projector directory."""
    matrix = np.arange(16, dtype=np.float32).reshape(4, 4)
    write_directory(tmp_path / "export", TOKENS, matrix)
    return tmp_path / "export"

import pathlib
from unittest import mock

import numpy as np
import pytest

from components.projector_exporter.__main__ import main
from tests.components.projector_exporter.exporting import write_export


def test_a_map_is_written(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_export(tmp_path / "1", [b"a", b"b"], np.eye(2, dtype=np.float32))
    output = tmp_path / "out.html"
    assert main(["page", str(tmp_path / "1"), "-o", str(output)]) == 0
    assert capsys.readouterr().out == f"Look at it: {output}\n"
    assert output.read_text().startswith("<!DOCTYPE html>")
    assert {path.name for path in tmp_path.iterdir()} == {"1", "out.html"}


def test_a_map_that_cannot_be_written_whole_leaves_the_older_one(tmp_path: pathlib.Path) -> None:
    write_export(tmp_path / "1", [b"a", b"b"], np.eye(2, dtype=np.float32))
    output = tmp_path / "out.html"
    output.write_text("older")
    broken = mock.patch.object(pathlib.Path, "write_bytes", _write_half)
    with broken, pytest.raises(OSError, match="full"):
        main(["page", str(tmp_path / "1"), "-o", str(output)])
    assert output.read_text() == "older"


def _write_half(path: pathlib.Path, content: bytes) -> None:
    path.write_text(content[: len(content) // 2].decode())
    raise OSError("The disk is full.")


def test_a_directory_that_cannot_be_read_leaves_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["page", str(tmp_path), "-o", str(tmp_path / "out.html")]) == 1
    assert "projector_config.pbtxt: is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

import pathlib

import numpy as np
import pytest

from components.projector_directory.__main__ import main
from tests.components.projector_directory.directories import write_directory


def test_exit_codes_and_what_is_printed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "1"
    write_directory(directory, [b"good", b"bad"], np.eye(2, 3, dtype=np.float32))
    assert main(["verify", str(directory)]) == 0
    assert capsys.readouterr().out == f"{directory}: TensorBoard shows it as it was written.\n"

    (directory / "metadata.tsv").write_text("good\n1e3\n")
    assert main(["verify", str(directory)]) == 1
    assert capsys.readouterr().out == (
        "metadata.tsv, row 1: column 'label' is '1e3', which becomes a number and is shown "
        "otherwise\n"
    )


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "required: command" in capsys.readouterr().err


def test_a_missing_directory_is_an_error(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "missing")]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{tmp_path}/missing is not a directory" in output.err

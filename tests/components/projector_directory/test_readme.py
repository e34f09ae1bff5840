import pathlib
import re

import pytest

import components.projector_directory
from components.projector_directory.verify import verify

README = pathlib.Path(components.projector_directory.__file__).with_name("README.md")


def test_the_snippets_run_and_write_what_is_right(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(snippet, {})
    assert verify(str(tmp_path / "projections" / "words")) == []
    assert capsys.readouterr().out == ""

import pathlib

import pytest

from components.code_digest import source_digest


@pytest.fixture
def package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    path = tmp_path / "digested"
    path.mkdir()
    (path / "__init__.py").write_text("")
    (path / "part.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return path


def test_an_edit_changes_the_digest_and_its_undoing_restores_it(package: pathlib.Path) -> None:
    before = source_digest("digested")
    (package / "part.py").write_text("VALUE = 2\n")
    assert source_digest("digested") != before
    (package / "part.py").write_text("VALUE = 1\n")
    assert source_digest("digested") == before


def test_a_module_stands_for_its_own_file(package: pathlib.Path) -> None:
    before = source_digest("digested.part")
    (package / "other.py").write_text("")
    assert source_digest("digested.part") == before


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(ModuleNotFoundError, match="digested_nowhere"):
        source_digest("digested_nowhere")

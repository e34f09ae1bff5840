import pathlib

import grimp
import pytest

from components.code_digest import source_digest

SOURCES = {
    "digested/__init__.py": "from digested import lazy\n",
    "digested/executor.py": "import json\nfrom digested import sub\nfrom digested.part import X\n",
    "digested/part.py": "import digested.deeper\nVALUE = 1\n",
    "digested/deeper.py": "def later():\n    from digested.inner import MADE_ON_DEMAND\n",
    "digested/sub.py": "from digested import executor\n",
    "digested/inner/__init__.py": "",
    "digested/inner/any.py": "",
    "digested/lazy.py": "",
    # Files that the modules of the same directory may read.
    "digested/inner/page.js": "",
    "digested/inner/page.css": "",
    "digested/inner/page.html": "",
    "digested/inner/notes.md": "",
    "digested/other/page.js": "",
}
IMPORTED = {"executor", "part", "deeper", "sub", "inner/__init__", "inner/any"} | {
    f"inner/page.{kind}" for kind in ("js", "css", "html")
}


@pytest.fixture
def sources(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_an_edit_of_what_is_imported_changes_the_digest(sources: pathlib.Path, name: str) -> None:
    before = source_digest("digested.executor")
    (sources / name).write_text(SOURCES[name] + "# Edited.\n")
    edited = source_digest("digested.executor")
    (sources / name).write_text(SOURCES[name])
    assert source_digest("digested.executor") == before
    is_imported = name.removeprefix("digested/").removesuffix(".py") in IMPORTED
    assert (edited != before) == is_imported


def test_a_digest_is_the_same_in_another_directory(
    sources: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source_digest("digested.executor")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (sources / "digested").rename(moved / "digested")
    monkeypatch.syspath_prepend(moved)
    assert source_digest("digested.executor") == before


@pytest.mark.parametrize("name", ["digested_nowhere", "digested.nowhere", "json.nowhere"])
def test_an_unknown_module_is_refused(sources: pathlib.Path, name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=name):
        source_digest(name)


# The imports as grimp, the library behind import-linter, finds them.
GRAPH = grimp.build_graph("components", cache_dir=None)
WORKING = [
    "components.tfds_example_gen.executor",
    "components.embedding_trainer.executor",
    "components.projector_exporter.executor",
    "components.text.preprocessing",
    "components.evaluation",
]
UNEDITED = {name: source_digest(name) for name in WORKING}


@pytest.mark.parametrize(
    ("working", "imported"),
    [
        (name, found)
        for name in WORKING
        for found in sorted({name} | GRAPH.find_upstream_modules(name))
    ],
)
def test_every_module_of_ours_that_does_the_work_is_digested(
    working: str, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pathlib.Path(*imported.split("."))
    edited = str(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    read = pathlib.Path.read_bytes
    monkeypatch.setattr(
        pathlib.Path,
        "read_bytes",
        lambda path: read(path) + (b"# Edited.\n" if str(path).endswith(edited) else b""),
    )
    assert source_digest(working) != UNEDITED[working]

import pathlib

import pytest

from components.projector_exporter.word_pairs import read_word_pairs


@pytest.mark.parametrize(
    "text",
    [
        "tiger\tcat\t7.35\nJerusalem\tPalestine\t10\n",
        "# Judged by people\n\ntiger,cat,7.35\nJerusalem,Palestine,10\n",
        "Word 1,Word 2,Human (mean)\r\ntiger,cat,7.35\r\nJerusalem,Palestine,10",
        '\ufefftiger,"cat",7.35,noun\nJerusalem,Palestine,10,name\n',
    ],
)
def test_pairs_are_read_from_tabs_or_commas(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pairs"
    path.write_bytes(text.encode())
    expected = (("tiger", "cat", 7.35), ("Jerusalem", "Palestine", 10.0))
    assert read_word_pairs(str(path)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "no row of two words"),
        (b"word,other,score\n", "no row of two words"),
        (b"a,b,1\nc,d\n", r"line 2: expected .* Received: \['c', 'd'\]"),
        (b"# a\nword,other,score\na,b,1\nc,d,high\n", "line 4: "),
        (b"a,b,1\nc,d,nan\n", "line 2: "),
    ],
)
def test_what_holds_no_pairs_is_refused(
    content: bytes | None, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "pairs.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        read_word_pairs(str(path))
    assert str(path) in str(refused.value)

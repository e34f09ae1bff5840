"""Splits, classes and digests of files with labelled text."""

import os
import pathlib
from collections.abc import Callable

import pytest

from components.tfds_example_gen import files
from components.tfds_example_gen.file_formats import Columns, FileError
from components.tfds_example_gen.files import TextFiles

COLUMNS = Columns("text", "label")

MakeTextFiles = Callable[..., TextFiles]


@pytest.fixture
def text_files(tmp_path: pathlib.Path) -> MakeTextFiles:
    """Returns a function that writes files and returns TextFiles of the given splits."""

    def made(contents: dict[str, str], columns: Columns = COLUMNS, **splits: str) -> TextFiles:
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return TextFiles({split: str(tmp_path / name) for split, name in splits.items()}, columns)

    return made


def rows_of(*labels: object) -> str:
    return "text,label\n" + "".join(f"{n},{label}\n" for n, label in enumerate(labels))


def test_a_pattern_names_all_files_that_match_in_order(text_files: MakeTextFiles) -> None:
    contents = {"b-2.csv": rows_of("y"), "b-1.csv": rows_of("x"), "c.csv": rows_of("z")}
    read = text_files(contents, train="b-*.csv")
    assert list(read.read("train")) == [("0", "x"), ("0", "y")]


def test_a_file_is_taken_by_its_name_before_it_is_a_pattern(text_files: MakeTextFiles) -> None:
    contents = {"a[1].csv": rows_of("x"), "a1.csv": rows_of("y")}
    assert list(text_files(contents, train="a[1].csv").read("train")) == [("0", "x")]


def test_a_directory_has_a_subdirectory_for_each_class(text_files: MakeTextFiles) -> None:
    contents = {
        "d/pos/2.txt": "two",
        "d/pos/1.txt": "one\n",
        "d/neg/3.csv": "three",
        "d/neg/.hidden": "",
        "d/.git/4.txt": "four",
        "d/README.txt": "five",
    }
    rows = list(text_files(contents, train="d").read("train"))
    assert rows == [("three", "neg"), ("one\n", "pos"), ("two", "pos")]


def test_texts_of_a_directory_have_the_encoding_of_the_files(
    text_files: MakeTextFiles, tmp_path: pathlib.Path
) -> None:
    read = text_files({"d/pos/1.txt": ""}, Columns("text", "label", "latin-1"), train="d")
    (tmp_path / "d" / "pos" / "1.txt").write_bytes("ä".encode("latin-1"))
    assert list(read.read("train")) == [("ä", "pos")]


def test_class_names_are_those_of_all_splits_in_sorted_order(text_files: MakeTextFiles) -> None:
    contents = {"a.csv": rows_of("z", "x", "y", "x"), "b.csv": rows_of("x")}
    assert text_files(contents, train="a.csv", eval="b.csv").class_names() == ["x", "y", "z"]
    assert text_files({"c.csv": rows_of("x", "y")}, train="c.csv").class_names() == ["x", "y"]


def test_files_of_a_class_are_read_in_the_order_of_their_names(text_files: MakeTextFiles) -> None:
    names = [f"{number:02}.txt" for number in (7, 2, 11, 0, 5, 9, 3, 10, 1, 8, 4, 6)]
    rows = text_files({f"d/x/{name}": name for name in names}, train="d").read("train")
    assert [text for text, _ in rows] == sorted(names)


@pytest.mark.parametrize(
    ("contents", "splits", "message"),
    [
        ({}, {"train": "a.csv"}, "a.csv: there is no such file"),
        ({}, {"train": "*.csv"}, r"\*.csv: there is no such file, and none that matches"),
        ({"a.txt": ""}, {"train": "a.txt"}, "a.txt: expected a name that ends in .csv, .tsv"),
        ({"d/a.txt": ""}, {"train": "d"}, "d: expected a subdirectory with text files for each"),
        ({"a.csv": rows_of()}, {"train": "a.csv"}, "a.csv: the file is empty"),
        ({"a.jsonl": "\n"}, {"train": "a.jsonl"}, "a.jsonl: the file is empty"),
        (
            {"a.csv": rows_of("x"), "b.csv": "text,label,n\na,x,1\n"},
            {"train": "*.csv"},
            r"b.csv: its columns are \['text', 'label', 'n'\].*a.csv are \['text', 'label'\]",
        ),
        (
            {"a.csv": rows_of("x", "x"), "b.csv": rows_of("y")},
            {"train": "a.csv", "eval": "b.csv"},
            "b.csv: the class 'y' is in 'eval' but not in 'train'",
        ),
        (
            {"a.csv": rows_of("x", "x")},
            {"train": "a.csv"},
            "a.csv: all 2 rows have the label 'x' in 'label'; expected two classes or more",
        ),
        ({"a.csv": rows_of(*range(3))}, {"train": "a.csv"}, "has 3 different values in 3 rows"),
    ],
)
def test_files_that_make_no_dataset_are_refused(
    text_files: MakeTextFiles, contents: dict[str, str], splits: dict[str, str], message: str
) -> None:
    with pytest.raises(FileError, match=message):
        text_files(contents, **splits).class_names()


def test_more_classes_than_the_bound_are_refused(
    text_files: MakeTextFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_CLASSES", 3)
    text_files({"a.csv": rows_of(*"xxyyzz")}, train="a.csv").class_names()
    with pytest.raises(FileError, match=r"has 4 different values in 8 rows.*at most 3 classes"):
        text_files({"a.csv": rows_of(*"wwxxyyzz")}, train="a.csv").class_names()


def test_columns_may_be_in_another_order_in_another_file(text_files: MakeTextFiles) -> None:
    contents = {"a.csv": rows_of("x"), "b.csv": "label,text\ny,1\n"}
    assert list(text_files(contents, train="*.csv").read("train")) == [("0", "x"), ("1", "y")]


@pytest.mark.parametrize("split", ["all", "a-b", "1", "", "ä"])
def test_names_that_tfds_does_not_allow_are_refused(split: str) -> None:
    with pytest.raises(ValueError, match="files has the split"):
        TextFiles({split: "a.csv"}, COLUMNS)


def test_no_files_are_refused() -> None:
    with pytest.raises(ValueError, match="files is empty"):
        TextFiles({}, COLUMNS)


def test_digest_stays_when_a_file_is_touched_or_moved(
    text_files: MakeTextFiles, tmp_path: pathlib.Path
) -> None:
    first = text_files({"a.csv": rows_of("x")}, train="a.csv")
    digest = first.digest()
    os.utime(tmp_path / "a.csv", (1, 1))
    assert first.digest() == digest
    assert text_files({"elsewhere/b.csv": rows_of("x")}, train="elsewhere/b.csv").digest() == digest
    assert len(digest) == 64


def test_digest_does_not_depend_on_the_order_of_the_splits(text_files: MakeTextFiles) -> None:
    contents = {"a.csv": rows_of("x"), "b.csv": rows_of("y")}
    one = text_files(contents, train="a.csv", eval="b.csv")
    other = text_files(contents, eval="b.csv", train="a.csv")
    assert one.digest() == other.digest()


def test_digest_changes_with_whatever_changes_the_rows(text_files: MakeTextFiles) -> None:
    contents = {
        "a.csv": rows_of("x"),
        "b.csv": rows_of("y"),
        "a.tsv": rows_of("x"),
        "d/x/1.txt": "a",
        "e/y/1.txt": "a",
    }
    digests = [
        text_files(contents, **splits, columns=columns).digest()
        for splits, columns in [
            ({"train": "a.csv"}, COLUMNS),
            ({"train": "b.csv"}, COLUMNS),
            ({"other": "a.csv"}, COLUMNS),
            ({"train": "?.csv"}, COLUMNS),
            ({"train": "a.tsv"}, COLUMNS),
            ({"train": "d"}, COLUMNS),
            ({"train": "e"}, COLUMNS),
            ({"train": "a.csv"}, Columns("label", "text")),
            ({"train": "a.csv"}, Columns("text", "label", encoding="latin-1")),
            ({"train": "a.csv"}, Columns("text", "label", delimiter=";")),
            ({"train": "a.csv"}, Columns("text", "label", quote_char="'")),
            ({"train": "a.csv"}, Columns("text", "label", column_names=["text", "label"])),
        ]
    ]
    assert len(set(digests)) == len(digests)


def test_each_file_has_a_digest(text_files: MakeTextFiles, tmp_path: pathlib.Path) -> None:
    contents = {"a.csv": rows_of("x"), "b.csv": rows_of("x"), "c.csv": rows_of("y")}
    digests = text_files(contents, train="[ab].csv", eval="c.csv").digests()
    assert list(digests) == [str(tmp_path / name) for name in contents]
    first, same, other = digests.values()
    assert first == same != other


def test_json_describes_files_completely(text_files: MakeTextFiles) -> None:
    columns = Columns("t", "l", "latin-1", ";", "'", ["l", "t"])
    described = text_files({}, columns, train="a.csv")
    assert TextFiles.from_json(described.to_json()) == described

"""Tests the configuration that `init` writes for a file."""

import gzip
import json
import pathlib

import pyarrow
import pytest
from pyarrow import parquet

from pipeline_def.__main__ import main
from pipeline_def.config import Dataset, load

ROWS = [(f"a review, number {number}", "good" if number % 3 else "bad") for number in range(30)]


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Changes to an empty directory, and returns it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configured(*files: str) -> Dataset:
    main(["init", *files])
    (written,) = pathlib.Path().glob("*.yaml")
    return load({"PIPELINE_CONFIG": str(written)}).dataset


def csv_of(
    header: str, rows: list[tuple[str, str]] = ROWS, delimiter: str = ",", quote: str = '"'
) -> str:
    lines = [f"{label}{delimiter}{quote}{text}{quote}" for text, label in rows]
    return "\n".join([*([header] if header else []), *lines, ""])


def test_a_csv_file_is_split_and_its_columns_are_found(
    directory: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("My Reviews.csv").write_text(csv_of("verdict,says"))
    dataset = configured("My Reviews.csv")
    assert dataset.files == {"data": str(directory / "My Reviews.csv")}
    assert (dataset.train, dataset.eval) == ("data[:90%]", "data[90%:]")
    assert (dataset.text_feature, dataset.label_feature) == ("says", "verdict")
    assert capsys.readouterr().out.splitlines() == [
        "Rows:    30",
        "Text:    says",
        "Label:   verdict: good 67%, bad 33%",
        "Splits:  train on data[:90%], evaluate on data[90%:]",
        "Wrote my-reviews.yaml. Look through it, then call: "
        "PIPELINE_CONFIG=my-reviews.yaml make run",
    ]
    content = pathlib.Path("my-reviews.yaml").read_text()
    assert "0.667" in content
    assert "min_accuracy: 0.75" in content


def test_guesses_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"a review, number {number}", "abcdefg"[number % 7]) for number in range(70)]
    pathlib.Path("日本.csv").write_text(csv_of("says;verdict", rows, ";", "'"))
    assert configured("日本.csv").label_feature == "says"
    _, _, label, read_as, _, wrote = capsys.readouterr().out.splitlines()
    assert label == "Label:   says: a 14%, b 14%, c 14%, d 14%, e 14% and 2 more"
    assert read_as == """Read as: delimiter ';', quote_char "'\""""
    assert wrote.startswith("Wrote reviews.yaml.")


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.tsv", csv_of("label\ttext", delimiter="\t").encode(), {}),
        ("a.csv", csv_of("n , text").replace("good", "good ").encode(), {}),
        ("a.csv", csv_of("label;text", delimiter=";").encode(), {"delimiter": ";"}),
        (
            "a.csv",
            csv_of("", delimiter=";", quote="'").encode(),
            {"delimiter": ";", "quote_char": "'", "column_names": ["column_1", "column_2"]},
        ),
        ("a.csv", csv_of("label,text").encode("utf16"), {"encoding": "utf16"}),
        (
            "a.csv",
            csv_of("label,text", [("é", "x"), *ROWS]).encode("cp1252"),
            {"encoding": "cp1252"},
        ),
        ("a.csv.gz", gzip.compress(csv_of("label,text").encode()), {}),
        (
            "a.jsonl",
            "\n".join(json.dumps({"label": label, "text": text}) for text, label in ROWS).encode(),
            {},
        ),
    ],
)
def test_the_form_of_a_file_is_found(name: str, content: bytes, options: dict[str, object]) -> None:
    pathlib.Path(name).write_bytes(content)
    dataset = configured(name)
    found = {key: getattr(dataset, key) for key in options}
    assert found == options
    assert dataset.text_feature in ("text", " text", "column_2")


def test_the_bound_is_above_the_share_of_the_most_frequent_class() -> None:
    rows = [(f"text {number}", "good" if number else "bad") for number in range(100)]
    pathlib.Path("a.csv").write_text(csv_of("label,text", rows))
    configured("a.csv")
    content = pathlib.Path("a.yaml").read_text()
    assert "reach 0.990" in content
    assert "min_accuracy: 0.9925" in content


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_fields_in_objects_are_found(name: str) -> None:
    records = [
        {"user": {"country": "df"[number % 2]}, "review": {"text": text, "label": label}}
        for number, (text, label) in enumerate(ROWS)
    ]
    if name == "a.jsonl":
        pathlib.Path(name).write_text("\n".join(map(json.dumps, records)))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(records), name)
    dataset = configured(name)
    assert (dataset.text_feature, dataset.label_feature) == ("review/text", "review/label")


def test_parquet_is_read(directory: pathlib.Path) -> None:
    texts, labels = zip(*ROWS, strict=True)
    parquet.write_table(pyarrow.table({"label": labels, "text": texts}), "a.parquet")
    assert configured("a.parquet").text_feature == "text"


def test_a_file_to_train_on_and_one_to_evaluate_on() -> None:
    for name in ("train.csv", "test.csv"):
        pathlib.Path(name).write_text(csv_of("label,text"))
    dataset = configured("train.csv", "test.csv")
    assert {split: pathlib.Path(path).name for split, path in (dataset.files or {}).items()} == {
        "train": "train.csv",
        "eval": "test.csv",
    }
    assert (dataset.train, dataset.eval) == ("train", "eval")


def test_directories_of_splits_and_classes() -> None:
    for split in ("train", "dev", "test"):
        for label in ("neg", "pos"):
            for number in range(2):
                path = pathlib.Path("aclImdb", split, label, f"{number}.txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{label} {number}")
    dataset = configured("aclImdb")
    used = {split: pathlib.Path(path).name for split, path in (dataset.files or {}).items()}
    assert used == {"train": "train", "eval": "test"}
    assert dataset.text_feature is None


def test_a_file_sorted_by_a_label_and_a_column_that_never_varies() -> None:
    rows = [f"web,{label},text of {number}" for label in "01" for number in range(100_000)]
    pathlib.Path("a.csv").write_text("\n".join(["source,label,review", *rows, ""]))
    assert configured("a.csv").label_feature == "label"


def test_a_column_that_never_varies_is_no_label() -> None:
    rows = [f"web,{'pro' if number % 2 else 'con'},text of {number}" for number in range(20)]
    pathlib.Path("a.csv").write_text("\n".join(["source,verdict,review", *rows, ""]))
    assert configured("a.csv").label_feature == "verdict"


def test_the_column_with_the_fewest_values_is_the_label() -> None:
    rows = [f"{'abcde'[n % 5]},{'xy'[n % 2]},text of {n}" for n in range(20)]
    pathlib.Path("a.csv").write_text("\n".join(["shop,kind,says", *rows, ""]))
    assert configured("a.csv").label_feature == "kind"


def test_nothing_is_overwritten() -> None:
    pathlib.Path("a.csv").write_text(csv_of("label,text"))
    pathlib.Path("a.yaml").write_text("mine")
    with pytest.raises(SystemExit, match=r"a\.yaml exists"):
        main(["init", "a.csv"])
    assert pathlib.Path("a.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"a\.csv: the file is empty"),
        ("label,text\n", r"a\.csv: the file has no rows"),
        ("text\nalone\nalone too\n", "expected a column that can be the label"),
        ("label,text\n" + "x,a text\n" * 9, "all 9 rows have the label 'x' in 'label'"),
        ("label,text\n" + "x,a text\ny,b text\n" * 9 + "z\n", r"a\.csv: .*Row #20"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_nothing_written(
    content: str, message: str
) -> None:
    pathlib.Path("a.csv").write_text(content)
    with pytest.raises(SystemExit, match=message):
        main(["init", "a.csv"])
    assert not list(pathlib.Path().glob("*.yaml"))


@pytest.mark.parametrize("files", [[], ["--help"], ["a", "b", "c"]])
def test_one_or_two_files_are_expected(files: list[str]) -> None:
    with pytest.raises(SystemExit, match="Usage"):
        main(["init", *files])


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SystemExit, match=r"no\.csv"):
        main(["init", "no.csv"])

"""Stores files as a TFDS dataset."""

import collections
import os
import pathlib
from typing import Any

import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core import shuffle

from components.tfds_example_gen import dataset, stored_files
from components.tfds_example_gen.file_formats import Columns, FileError
from components.tfds_example_gen.files import TextFiles


@pytest.fixture
def csv_file(tmp_path: pathlib.Path) -> pathlib.Path:
    """Returns a file of 30 rows and three classes, sorted by class."""
    path = tmp_path / "reviews.csv"
    rows = [f'{"abc"[n % 3]},"text, {n}\n""quoted"" 漢字"' for n in range(30)]
    path.write_text("\n".join(["stars,review", *sorted(rows), ""]))
    return path


def store(path: pathlib.Path, data_dir: pathlib.Path, label: str = "stars") -> str:
    return stored_files.store(
        TextFiles({"data": str(path)}, Columns("review", label)), str(data_dir)
    )


def test_tfds_shuffles_in_less_memory_than_by_itself_while_it_stores(
    csv_file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = tfds.dataset_builders.store_as_tfds_dataset
    bounds: list[int] = []

    def noted(**arguments: Any) -> tfds.core.DatasetBuilder:
        bounds.append(shuffle.MAX_MEM_BUFFER_SIZE)
        return write(**arguments)

    monkeypatch.setattr(tfds.dataset_builders, "store_as_tfds_dataset", noted)
    before = shuffle.MAX_MEM_BUFFER_SIZE
    store(csv_file, tmp_path / "tfds")
    assert bounds == [2**27]
    assert shuffle.MAX_MEM_BUFFER_SIZE == before > 2**27


def test_rows_are_examples_with_sorted_class_names_in_another_order(
    csv_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    name = store(csv_file, tmp_path / "tfds")
    resolved = dataset.resolve(name, {"x": "data"}, "text", "label", str(tmp_path / "tfds"))
    assert resolved.name == name
    assert resolved.class_names == ("a", "b", "c")
    rows = [
        (row["text"].decode(), int(row["label"]))
        for row in tfds.as_numpy(tfds.load(name, split="data", data_dir=tmp_path / "tfds"))
    ]
    assert collections.Counter(rows) == {(f'text, {n}\n"quoted" 漢字', n % 3): 1 for n in range(30)}
    labels = [label for _, label in rows]
    assert labels != sorted(labels)


def test_each_split_holds_the_rows_of_its_own_file(tmp_path: pathlib.Path) -> None:
    texts = {"train": {"one", "two"}, "eval": {"three", "four"}}
    for split, (first, second) in texts.items():
        (tmp_path / split).with_suffix(".csv").write_text(f"stars,review\na,{first}\nb,{second}\n")
    paths = {split: str(tmp_path / f"{split}.csv") for split in texts}
    name = stored_files.store(TextFiles(paths, Columns("review", "stars")), str(tmp_path / "tfds"))
    stored = tfds.as_numpy(tfds.load(name, data_dir=tmp_path / "tfds"))
    assert {split: {row["text"].decode() for row in stored[split]} for split in texts} == texts


def test_the_same_content_is_stored_once(csv_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def made() -> dict[pathlib.Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "tfds").rglob("*.tfrecord*")}

    name = store(csv_file, tmp_path / "tfds")
    before = made()
    os.utime(csv_file, (1, 1))
    assert store(csv_file.rename(tmp_path / "moved.csv"), tmp_path / "tfds") == name
    assert made() == before
    (tmp_path / "moved.csv").write_text("stars,review\na,x\nb,y\n")
    assert store(tmp_path / "moved.csv", tmp_path / "tfds") != name
    assert made().keys() > before.keys()


def test_the_dataset_names_its_files_and_their_digests(
    csv_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    name = store(csv_file, tmp_path / "tfds")
    description = tfds.builder(name, data_dir=tmp_path / "tfds").info.description
    assert f"{csv_file} sha256:" in description


def test_nothing_is_stored_of_files_that_are_refused(
    csv_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(FileError, match="expected one column 'star'"):
        store(csv_file, tmp_path / "tfds", label="star")
    with csv_file.open("a") as file:
        file.write("a\n")
    with pytest.raises(FileError, match="Row #32"):
        store(csv_file, tmp_path / "tfds")
    assert not list(pathlib.Path(tmp_path / "tfds").rglob("*"))

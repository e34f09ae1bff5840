"""Reading of ranges of records."""

import math

import pytest
import tensorflow as tf

from components.tfds_example_gen import dataset, records
from components.tfds_example_gen.records import RecordRange


@pytest.mark.parametrize("length", [1, 1999, 2000, 2001, 25000, 10**6])
def test_ranges_are_divided_without_gap_or_overlap(length):
    parts = records.divide([RecordRange("a", 3, 3 + length), RecordRange("b", 0, 5)])
    assert all(part.start < part.stop for part in parts)
    in_a = [index for part in parts[:-1] for index in range(part.start, part.stop)]
    assert in_a == list(range(3, 3 + length))
    assert parts[-1] == ("b", 0, 5)
    assert len(parts) - 1 == min(math.ceil(length / 2000), 16)


def test_records_that_fit_are_handed_on_byte_for_byte(prepare):
    resolved = dataset.resolve("tiny_plain", {"all": "train"}, data_dir=str(prepare("tiny_plain")))
    (part,) = resolved.ranges["all"]
    stored = [record.numpy() for record in tf.data.TFRecordDataset(part.file)]
    assert list(resolved.readers["all"].read(part)) == stored


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
@pytest.mark.parametrize("shards", [1, 3])
def test_slices_hold_the_records_that_tfds_means(prepare, file_format, shards):
    data_dir = str(prepare("tiny_plain", shards=shards, file_format=file_format))
    splits = {
        "all": "train",
        "head": "train[:7]",
        "tail": "train[7:]",
        "sum": "test+train[25%:50%]",
    }
    resolved = dataset.resolve("tiny_plain", splits, data_dir=data_dir, allow_overlap=True)

    def read(split):
        reader = resolved.readers[split]
        return [record for part in resolved.ranges[split] for record in reader.read(part)]

    assert read("head") + read("tail") == read("all")
    assert read("sum")[5:] == read("all")[3:6]
    assert {name: len(read(name)) for name in splits} == resolved.examples_per_split


def test_format_that_cannot_be_read_is_refused(prepare):
    data_dir = str(prepare("tiny_plain", file_format="parquet"))
    with pytest.raises(ValueError, match="files are parquet; expected tfrecord or array_record"):
        dataset.resolve("tiny_plain", {"train": "train"}, data_dir=data_dir)


def test_file_that_ends_too_early_is_refused(prepare):
    resolved = dataset.resolve("tiny_plain", {"all": "train"}, data_dir=str(prepare("tiny_plain")))
    (part,) = resolved.ranges["all"]
    with pytest.raises(ValueError, match="ends after 12 records"):
        list(resolved.readers["all"].read(part._replace(stop=20)))

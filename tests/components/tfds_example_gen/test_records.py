"""Reading, digesting and writing of records."""

import math
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from array_record.python import array_record_module

from components.tfds_example_gen import records
from components.tfds_example_gen.records import ExampleReader, RecordRange

TFRECORD, ARRAY_RECORD = records.READABLE_FORMATS

Store = Callable[..., tuple[ExampleReader, RecordRange]]


def example(text: Sequence[str] = ("good",), label: Sequence[int] = (1,), **others: float) -> bytes:
    """Returns a serialized tf.Example with the features 'says' and 'stars', and further floats."""
    features = {
        "says": tf.train.Feature(bytes_list=tf.train.BytesList(value=[t.encode() for t in text])),
        "stars": tf.train.Feature(int64_list=tf.train.Int64List(value=label)),
        **{
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            for name, value in others.items()
        },
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture
def stored(tmp_path: pathlib.Path) -> Store:
    """Returns a function that stores records, and returns a reader and their range."""

    def store(
        *serialized: bytes, file_format: tfds.core.FileFormat = TFRECORD, verbatim: bool = False
    ) -> tuple[ExampleReader, RecordRange]:
        path = str(tmp_path / "records")
        if file_format is TFRECORD:
            with tf.io.TFRecordWriter(path) as writer:
                for record in serialized:
                    writer.write(record)
        else:
            writer = array_record_module.ArrayRecordWriter(path, "group_size:1")
            for record in serialized:
                writer.write(record)
            writer.close()
        reader = ExampleReader("train[:9]", file_format, "says", "stars", verbatim)
        return reader, RecordRange(path, 0, len(serialized))

    return store


def parsed(serialized: bytes) -> dict[str, list[bytes | int]]:
    found = tf.train.Example.FromString(serialized)
    return {
        name: list(feature.bytes_list.value or feature.int64_list.value)
        for name, feature in found.features.feature.items()
    }


@pytest.mark.parametrize("length", [1, 1999, 2000, 2001, 25000, 10**6])
def test_ranges_are_divided_without_gap_or_overlap(length: int) -> None:
    parts = records.divide([RecordRange("a", 3, 3 + length), RecordRange("b", 0, 5)])
    assert all(part.start < part.stop for part in parts)
    in_a = [index for part in parts[:-1] for index in range(part.start, part.stop)]
    assert in_a == list(range(3, 3 + length))
    assert parts[-1] == ("b", 0, 5)
    assert len(parts) - 1 == min(math.ceil(length / 2000), 16)


@pytest.mark.parametrize("file_format", records.READABLE_FORMATS)
def test_examples_are_the_text_and_the_label_alone(
    stored: Store, file_format: tfds.core.FileFormat
) -> None:
    reader, part = stored(
        example(["ä"], [0], weight=2.0), example([""], [7]), file_format=file_format
    )
    assert [parsed(read) for read in reader.read(part)] == [
        {"text": ["ä".encode()], "label": [0]},
        {"text": [b""], "label": [7]},
    ]


def test_a_record_may_be_handed_on_as_it_is(stored: Store) -> None:
    serialized = [example(weight=1.0), example(["bad"], [0])]
    reader, part = stored(*serialized, verbatim=True)
    assert list(reader.read(part)) == serialized


@pytest.mark.parametrize("file_format", records.READABLE_FORMATS)
def test_a_range_is_a_part_of_a_file(stored: Store, file_format: tfds.core.FileFormat) -> None:
    serialized = [example([f"text {number}"], [number]) for number in range(9)]
    reader, part = stored(*serialized, file_format=file_format, verbatim=True)
    assert list(reader.read(part._replace(start=2, stop=7))) == serialized[2:7]


@pytest.mark.parametrize("file_format", records.READABLE_FORMATS)
def test_a_range_may_be_longer_than_a_batch(
    stored: Store, monkeypatch: pytest.MonkeyPatch, file_format: tfds.core.FileFormat
) -> None:
    serialized = [example([f"text {number}"], [number]) for number in range(9)]
    reader, part = stored(*serialized, file_format=file_format, verbatim=True)
    digest = reader.digest([part])
    monkeypatch.setattr(records, "_BATCH", 4)
    assert list(reader.read(part)) == serialized
    assert reader.digest([part]) == digest


def test_file_that_ends_too_early_is_refused(stored: Store) -> None:
    reader, part = stored(example(), example(), example())
    with pytest.raises(ValueError, match=r"records ends after 3 records.*promises at least 20"):
        list(reader.read(part._replace(start=1, stop=20)))
    with pytest.raises(ValueError, match="ends after 3 records"):
        reader.digest([part._replace(stop=20)])


@pytest.mark.parametrize("verbatim", [False, True])
@pytest.mark.parametrize(
    "damage",
    [lambda it: it[:30] + b"damage" + it[36:], lambda it: it[:-30]],
    ids=["overwritten", "truncated"],
)
def test_a_damaged_file_is_named(
    stored: Store, verbatim: bool, damage: Callable[[bytes], bytes]
) -> None:
    reader, part = stored(*[example()] * 100, verbatim=verbatim)
    path = pathlib.Path(part.file)
    path.write_bytes(damage(path.read_bytes()))
    for call in (lambda: list(reader.read(part)), lambda: reader.digest([part])):
        with pytest.raises(ValueError, match=rf"^{path} is damaged: \w+.*\. Prepare or copy"):
            call()


def test_a_record_that_is_no_example_is_named(stored: Store) -> None:
    reader, part = stored(example(), b"no example")
    with pytest.raises(
        ValueError, match=rf"^{part.file}, record 1, is damaged: it is no tf.Example"
    ):
        reader.digest([part])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"text": []}, "'says' has 0 values; expected one text"),
        ({"text": ["a", "b"]}, "'says' has 2 values; expected one text"),
        ({"label": []}, "the label 'stars' is missing; expected 0 or more"),
        ({"label": [1, 2]}, "the label 'stars' is 1; expected"),
        ({"label": [-1]}, "the label 'stars' is -1; expected 0 or more. TFDS writes -1"),
    ],
)
def test_a_record_without_one_text_and_label_is_refused_with_its_place(
    stored: Store, monkeypatch: pytest.MonkeyPatch, broken: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(records, "_BATCH", 1)
    reader, part = stored(example(), example(), example(**broken))
    part = part._replace(start=1)
    for call in (lambda: list(reader.read(part)), lambda: reader.digest([part])):
        with pytest.raises(ValueError, match=rf"Split 'train\[:9\]': {message}.*records, record 2"):
            call()


def test_digest_is_of_texts_and_labels_in_their_order(stored: Store) -> None:
    def digest(*serialized: bytes) -> str:
        reader, part = stored(*serialized)
        return reader.digest([part])

    plain = digest(example(["ab"], [1]), example(["c"], [2]))
    assert digest(example(["ab"], [1], weight=3.0), example(["c"], [2])) == plain
    others = [
        digest(example(["c"], [2]), example(["ab"], [1])),
        digest(example(["ab"], [1])),
        digest(example(["ab"], [2]), example(["c"], [1])),
        digest(example(["a"], [1]), example(["bc"], [2])),
        digest(example(["ab"], [1]), example(["d"], [2])),
        plain,
    ]
    assert len(set(others)) == len(others)


def test_digest_does_not_depend_on_where_ranges_begin(stored: Store) -> None:
    reader, part = stored(*(example([f"text {number}"], [number]) for number in range(9)))
    parts = [part._replace(stop=4), part._replace(start=4)]
    assert reader.digest(parts) == reader.digest([part])


def test_a_file_is_compressed_and_gets_its_name_when_it_is_complete(tmp_path: pathlib.Path) -> None:
    path, temporary = tmp_path / "done", tmp_path / "unfinished"
    path.write_text("an older file")

    def examples() -> Iterator[bytes]:
        for number in range(9):
            assert path.read_text() == "an older file"
            assert temporary.exists()
            yield b"%d" % number * 1000

    records.write(examples(), str(path), str(temporary))
    assert [path.name for path in tmp_path.iterdir()] == ["done"]
    assert zlib.decompress(path.read_bytes(), 31)
    assert path.stat().st_size < 1000
    written = [it.numpy() for it in tf.data.TFRecordDataset(str(path), compression_type="GZIP")]
    assert written == [b"%d" % number * 1000 for number in range(9)]


def test_a_file_that_cannot_be_completed_never_gets_its_name(tmp_path: pathlib.Path) -> None:
    def examples() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        records.write(examples(), str(tmp_path / "done"), str(tmp_path / "unfinished"))
    assert not (tmp_path / "done").exists()

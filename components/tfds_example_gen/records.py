"""Reads records of a prepared TFDS dataset as examples with a text and its label."""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds
from array_record.python import array_record_data_source
from google.protobuf import message

from components.text.features import LABEL, TEXT

READABLE_FORMATS = (tfds.core.FileFormat.TFRECORD, tfds.core.FileFormat.ARRAY_RECORD)

_RECORDS_PER_RANGE = 2000
# A TFRecord file has no index: the reader of a range reads all records before it, too.
_MAX_RANGES_PER_FILE = 16
# Records that are read and parsed at once, in TensorFlow's threads.
_BATCH = 2048
# zlib's level 1 takes a quarter of the time of level 6, its default; the files of IMDB's reviews
# become a sixth larger.
_COMPRESSION = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
# What tf.data and ArrayRecord raise, without the name of the file.
_DAMAGED = (tf.errors.DataLossError, RuntimeError)


class RecordRange(NamedTuple):
    """The records `start` (included) to `stop` (excluded) of a file."""

    file: str
    start: int
    stop: int


def divide(ranges: Iterable[RecordRange]) -> list[RecordRange]:
    """Divides ranges into work items, so that several workers read one large file.

    Args:
        ranges: Non-empty ranges of records.

    Returns:
        Non-empty ranges that cover the same records in the same order.
    """
    items = []
    for file, start, stop in ranges:
        count = min(math.ceil((stop - start) / _RECORDS_PER_RANGE), _MAX_RANGES_PER_FILE)
        size = math.ceil((stop - start) / count)
        items += [RecordRange(file, at, min(at + size, stop)) for at in range(start, stop, size)]
    return items


@dataclasses.dataclass(frozen=True)
class ExampleReader:
    """Reads the records of a split as serialized tf.Examples with a text and its label.

    TFDS stores every record as a serialized tf.Example, whatever the file format.

    Attributes:
        split: The TFDS split expression, for error messages.
        file_format: One of READABLE_FORMATS.
        text_feature: Name of the text in the records.
        label_feature: Name of the label in the records.
        verbatim: Whether the records hold nothing but these two features, under the names 'text'
            and 'label', and are passed on byte for byte.
    """

    split: str
    file_format: tfds.core.FileFormat
    text_feature: str
    label_feature: str
    verbatim: bool

    def read(self, records: RecordRange) -> Iterator[bytes]:
        """Reads a range of records, which `digest` has checked before.

        Args:
            records: The range.

        Yields:
            Serialized tf.Examples with TEXT (one bytes value) and LABEL (one int64 value).

        Raises:
            ValueError: A record has no text or no label, or the file ends too early.
        """
        if self.verbatim:
            for batch in self._batches(records):
                yield from batch.numpy().tolist()
            return
        for texts, labels in self._parsed(records):
            yield from map(_example, texts.numpy().tolist(), labels.numpy().tolist())

    def digest(self, ranges: Iterable[RecordRange]) -> str:
        """Digests the texts and labels of records.

        The stored bytes cannot be digested, because the features of a tf.Example serialize in any
        order. A text enters the digest as a hash of 63 bits that TensorFlow computes, and promises
        never to change, so that no record is handled in Python.

        Args:
            ranges: The records.

        Returns:
            64 hexadecimal digits.

        Raises:
            ValueError: A record has no text or no label, or a file ends too early.
        """
        digest = hashlib.sha256()
        for records in ranges:
            for texts, labels in self._parsed(records):
                hashes = tf.strings.to_hash_bucket_fast(texts, tf.int64.max)
                digest.update(tf.stack([labels, hashes], axis=1).numpy().astype("<i8").tobytes())
        return digest.hexdigest()

    def _parsed(self, records: RecordRange) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Yields the texts, string [batch], and the labels, int64 [batch], of the records."""
        features = {
            self.text_feature: tf.io.FixedLenFeature([], tf.string),
            self.label_feature: tf.io.FixedLenFeature([], tf.int64),
        }
        start = records.start
        for batch in self._batches(records):
            try:
                parsed = tf.io.parse_example(batch, features)
            except tf.errors.InvalidArgumentError:
                self._refuse(batch, records.file, start)
                raise
            labels = parsed[self.label_feature]
            if tf.reduce_any(labels < 0):
                self._refuse(batch, records.file, start)
            yield parsed[self.text_feature], labels
            start += len(batch)

    def _batches(self, records: RecordRange) -> Iterator[tf.Tensor]:
        """Yields the records of a range, string [batch]; refuses a file that ends too early."""
        stop = records.start
        try:
            for batch in self._stored(records):
                stop += len(batch)
                yield batch
        except _DAMAGED as error:
            found = str(error).rpartition("}} ")[2].partition(" [Op:")[0]
            raise ValueError(
                f"{records.file} is damaged: {found}. Prepare or copy the dataset again."
            ) from error
        if stop != records.stop:
            raise ValueError(
                f"{records.file} ends after {stop} records; dataset_info.json beside it promises "
                f"at least {records.stop}. Prepare or copy the dataset again."
            )

    def _stored(self, records: RecordRange) -> Iterator[tf.Tensor]:
        file, start, stop = records
        if self.file_format is tfds.core.FileFormat.ARRAY_RECORD:
            with array_record_data_source.ArrayRecordDataSource(
                f"{file}[{start}:{stop}]"
            ) as source:
                rest = iter(source)
                while batch := list(itertools.islice(rest, _BATCH)):
                    yield tf.constant(batch)
            return
        dataset = tf.data.TFRecordDataset(file).skip(start).take(stop - start)
        yield from dataset.batch(_BATCH).prefetch(2)

    def _refuse(self, batch: tf.Tensor, file: str, start: int) -> None:
        """Raises an error that names the first unfit record of a batch."""
        for index, record in enumerate(batch.numpy().tolist(), start):
            try:
                features = tf.train.Example.FromString(record).features.feature
            except message.DecodeError as error:
                raise ValueError(
                    f"{file}, record {index}, is damaged: it is no tf.Example. Prepare or copy the "
                    "dataset again."
                ) from error
            text = features[self.text_feature].bytes_list.value
            label = features[self.label_feature].int64_list.value
            if len(text) != 1 or len(label) != 1 or label[0] < 0:
                raise self._refusal(list(text), list(label), f"{file}, record {index}")

    def _refusal(self, text: list[bytes], label: list[int], place: str) -> ValueError:
        if len(text) != 1:
            return ValueError(
                f"Split {self.split!r}: {self.text_feature!r} has {len(text)} values; expected "
                f"one text. Prepare or copy the dataset again. ({place})"
            )
        return ValueError(
            f"Split {self.split!r}: the label {self.label_feature!r} is "
            f"{label[0] if label else 'missing'}; expected 0 or more. TFDS writes -1 for 'no "
            "label', as in the split 'unsupervised' of imdb_reviews: choose splits with labels. "
            f"({place})"
        )


def write(examples: Iterable[bytes], path: str, temporary: str) -> None:
    """Writes serialized examples as a gzip-compressed TFRecord file.

    Args:
        examples: The examples.
        path: The file. It appears, or replaces an existing one, when it is complete.
        temporary: Its path until then, on the same file system.
    """
    with tf.io.TFRecordWriter(temporary, _COMPRESSION) as writer:
        for example in examples:
            writer.write(example)
    tf.io.gfile.rename(temporary, path, overwrite=True)


def _example(text: bytes, label: int) -> bytes:
    example = tf.train.Example()
    example.features.feature[TEXT].bytes_list.value.append(text)
    # TFX's dict_to_example drops a 0, protobuf's default value; appending it keeps it.
    example.features.feature[LABEL].int64_list.value.append(label)
    return example.SerializeToString(deterministic=True)

"""Transformed examples in random access, and batches of them with little padding.

::

    *.gz files ── read_examples ──▶ Examples        in the order of a hash of their content
                                    │  first share  │  validation
                                    │  the rest     │  training
                                    ▼
                     plan_epoch     numbers of the examples of each global batch
                                    ▼
                     make_batches   for each replica of the worker
                                    ids      int32    [batch_size, tokens of the longest]
                                    labels   int32    [batch_size]
                                    weights  float32  [batch_size]
"""

import concurrent.futures
import dataclasses
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
import tensorflow as tf

from components.text.features import LABEL, PADDING_ID, TOKEN_IDS

_LOGGER = logging.getLogger(__name__)

_READ_BATCH = 1024
_PARALLEL_FILES = 4
# Examples of so many global batches are sorted by length and then cut into batches.
_BATCHES_TO_SORT = 16

# Token ids, int32 [batch_size, tokens]; labels, int32 [batch_size]; weights, float32 [batch_size],
# 0 for rows that only fill up a batch.
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Transformed examples in random access, in the order of a hash of their content.

    The order in which Beam wrote the examples differs from run to run; this order does not. The
    arrays take 20 bytes of memory per example. The token ids stay on disk, so that all examples can
    be shuffled, however many: a shuffle buffer smaller than the data would leave examples that are
    stored in label order nearly sorted.

    Attributes:
        tokens: File with the token ids of all examples, int32.
        starts: Position of the first token id of each example in the file, int64 [examples].
        lengths: Number of token ids of each example, int64 [examples].
        labels: int32 [examples].
        validation_size: The first so many examples are for validation, the others for training.
    """

    tokens: IO[bytes]
    starts: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    validation_size: int

    @property
    def training_size(self) -> int:
        """Number of examples to train on."""
        return len(self.labels) - self.validation_size

    def token_ids(self, number: int) -> np.ndarray:
        """Reads the token ids of an example, int32 [tokens]."""
        size = np.dtype(np.int32).itemsize
        offset, count = self.starts[number] * size, self.lengths[number] * size
        return np.frombuffer(os.pread(self.tokens.fileno(), count, offset), np.int32)


def read_examples(
    paths: Sequence[str],
    feature_spec: Mapping[str, Any],
    *,
    max_sequence_length: int,
    validation_fraction: float,
) -> Examples:
    """Reads transformed examples into a temporary file, which vanishes with the process.

    Whether an example is for validation depends on a hash of its token ids and label alone: equal
    examples are on the same side, and an example stays on its side when others are added.

    Args:
        paths: Gzip-compressed TFRecord files of tf.Example.
        feature_spec: Specification of LABEL, see `TFTransformOutput.transformed_feature_spec`.
        max_sequence_length: Number of token ids to keep of each example; the rest is cut off.
        validation_fraction: Expected share of the examples to validate on, in [0, 1). If it is
            above 0, at least one example is.

    Returns:
        The examples.

    Raises:
        ValueError: No example is left to train on.
    """
    records = tf.data.TFRecordDataset(
        sorted(paths), compression_type="GZIP", num_parallel_reads=_PARALLEL_FILES
    )
    batches = (
        records.batch(_READ_BATCH)
        .map(lambda batch: _parse(batch, feature_spec, max_sequence_length), tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    tokens = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the examples)
    digests, all_lengths, all_labels = [], [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for ids, lengths, labels in batches.as_numpy_iterator():
        tokens.write(ids.tobytes())
        digests.append(_hash_contents(ids, lengths, labels))
        all_lengths.append(lengths)
        all_labels.append(labels)
    tokens.flush()
    hashes = np.frombuffer(b"".join(digests), np.uint64)
    order = np.argsort(hashes, kind="stable")
    ordered_lengths = np.concatenate(all_lengths)
    starts = np.cumsum(ordered_lengths) - ordered_lengths
    limit = np.uint64(validation_fraction * 2.0**64)
    if validation_fraction and len(hashes):  # Of few examples all might lie above the limit.
        limit = max(limit, hashes.min() + np.uint64(1))
    validation_size = int(np.count_nonzero(hashes < limit))
    if validation_size == len(order):
        places = ", ".join(sorted({os.path.dirname(path) for path in paths}))
        raise ValueError(
            f"{places}: {len(order)} examples, {validation_size} of them for validation: none is "
            "left to train on. Check train_splits and validation_fraction, and what Transform was "
            "given."
        )
    _LOGGER.info(
        "%d of %d examples (%.1f %%) are for validation.",
        validation_size,
        len(order),
        100 * validation_size / len(order),
    )
    return Examples(
        tokens,
        starts[order],
        ordered_lengths[order],
        np.concatenate(all_labels)[order],
        validation_size,
    )


def count_classes(labels: np.ndarray, class_names: Sequence[str] = ()) -> int:
    """Returns the number of classes.

    Args:
        labels: Labels of the examples.
        class_names: Names of the classes, some of which may have no examples; empty if unknown:
            then the labels decide.

    Raises:
        ValueError: A label is not the number of a class, or all labels are the same.
    """
    found = np.unique(labels).tolist()
    count = len(class_names) or len(found)
    expected = (
        f"expected numbers from 0 to {count - 1} for the classes {', '.join(class_names)}"
        if class_names
        else "expected 0, 1, 2 and so on, without a gap"
    )
    if len(found) < 2 or found[0] < 0 or found[-1] >= count:
        listed = ", ".join(map(str, found[:10])) + (", …" if len(found) > 10 else "")
        raise ValueError(
            f"The {LABEL!r} of the examples takes the values {listed}; {expected}, and at least "
            "two different ones. Number the labels before Transform, leave out examples that have "
            "no class, and check that train_splits holds more than one class."
        )
    return count


def plan_epoch(
    examples: Examples,
    global_batch_size: int,
    *,
    validation: bool = False,
    generator: np.random.Generator | None = None,
) -> Iterator[np.ndarray]:
    """Chooses the examples of each batch of an epoch, of similar length to save padding.

    Args:
        examples: The examples.
        global_batch_size: Number of examples in a batch; one batch may be smaller.
        validation: Whether to take the examples to validate on rather than those to train on.
        generator: Shuffles the examples, and then the batches; None for a fixed order.

    Yields:
        Indices of examples, int64 [global_batch_size].
    """
    size = examples.validation_size
    order = np.arange(size) if validation else np.arange(size, len(examples.labels))
    if generator:
        generator.shuffle(order)
    for start in range(0, len(order), _BATCHES_TO_SORT * global_batch_size):
        some = order[start : start + _BATCHES_TO_SORT * global_batch_size]
        some = some[np.argsort(examples.lengths[some], kind="stable")]
        cuts = np.arange(0, len(some), global_batch_size)
        if generator:
            generator.shuffle(cuts)
        for cut in cuts:
            yield some[cut : cut + global_batch_size]


def make_batches(
    examples: Examples,
    plan: Iterable[np.ndarray],
    replicas: range,
    batch_size: int,
    fixed_length: int | None = None,
) -> Iterator[list[Batch]]:
    """Reads the batches of one worker, in a thread that is one step ahead.

    Every worker plans the same global batches and reads the rows of its own replicas.

    Args:
        examples: The examples, the same in all workers.
        plan: Indices of the examples of each global batch.
        replicas: Which of all replicas are the worker's.
        batch_size: Rows of one replica; rows of weight 0 fill up a smaller global batch.
        fixed_length: Length to pad every row to, as TPUs need it (not tried on a TPU); None for
            the longest of each batch.

    Yields:
        A `Batch` for each of the worker's replicas.
    """
    steps = (
        [
            _fill_batch(
                examples,
                numbers[replica * batch_size : (replica + 1) * batch_size],
                batch_size,
                fixed_length,
            )
            for replica in replicas
        ]
        for numbers in plan
    )
    # Not by tf.data: a process that ends while tf.data waits for a Python generator hangs.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        following = thread.submit(next, steps, None)
        while (step := following.result()) is not None:
            following = thread.submit(next, steps, None)
            yield step


def _parse(
    records: tf.Tensor, feature_spec: Mapping[str, Any], max_sequence_length: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns ids, int32 [tokens]; lengths, int64 [examples]; labels, int32 [examples]."""
    # Ragged right away: a sparse tensor would add two numbers to each id.
    spec = {TOKEN_IDS: tf.io.RaggedFeature(tf.int64), LABEL: feature_spec[LABEL]}
    features = tf.io.parse_example(records, spec)
    ids = features[TOKEN_IDS][:, :max_sequence_length]
    return tf.cast(ids.values, tf.int32), ids.row_lengths(), tf.cast(features[LABEL], tf.int32)


def _hash_contents(ids: np.ndarray, lengths: np.ndarray, labels: np.ndarray) -> bytes:
    """Returns a hash of the token ids and the label of each example, 8 bytes each."""
    content = memoryview(ids.tobytes())
    ends = np.cumsum(lengths) * ids.itemsize
    starts = ends - lengths * ids.itemsize
    return b"".join(
        hashlib.blake2b(content[start:end], digest_size=8, key=label).digest()
        for start, end, label in zip(
            starts.tolist(), ends.tolist(), map(np.int32.tobytes, labels), strict=True
        )
    )


def _fill_batch(
    examples: Examples, numbers: np.ndarray, batch_size: int, fixed_length: int | None
) -> Batch:
    # Never 0 columns: on a GPU `tf.where` must not be given a tensor without elements.
    length = fixed_length or max(examples.lengths[numbers], default=0) or 1
    ids = np.full((batch_size, length), PADDING_ID, np.int32)
    labels = np.zeros(batch_size, np.int32)
    weights = np.zeros(batch_size, np.float32)
    for row, number in enumerate(numbers):
        ids[row, : examples.lengths[number]] = examples.token_ids(number)
    labels[: len(numbers)] = examples.labels[numbers]
    weights[: len(numbers)] = 1
    return ids, labels, weights

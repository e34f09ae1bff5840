"""From transformed examples on disk to batches with little padding."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from components.text.features import LABEL, PADDING_ID, TOKEN_IDS

# Records, some hundred bytes each, among which the next one is chosen.
_SHUFFLE_RECORDS = 50_000
# Examples of so many batches are sorted by length before they are cut into batches.
_BATCHES_TO_SORT = 16
_PARALLEL_FILES = 4
_HASH_BUCKETS = 1_000_000
_BATCH_TO_HASH = 1024

# Token ids, int32 [batch, tokens]; labels, int32 [batch]; weights, float32 [batch], 0 for rows
# that only fill up the last batch.
Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ExampleFiles:
    """Transformed examples, a share of them held out for validation.

    An example is held out by a hash of its record: always the same ones of the same files, and
    examples that are equal to the last byte stay together.

    Attributes:
        paths: Gzip-compressed TFRecord files of tf.Example.
        feature_spec: The specification of TOKEN_IDS and LABEL, see
            `TFTransformOutput.transformed_feature_spec`.
        validation_fraction: The share to hold out, in [0, 1).
    """

    paths: Sequence[str]
    feature_spec: Mapping[str, Any]
    validation_fraction: float

    def records(self, shuffle_seed: int | None = None) -> Any:
        """Returns a tf.data.Dataset of all serialized examples.

        Args:
            shuffle_seed: Of a new order of the files at every pass; None for a fixed one.
        """
        paths = tf.data.Dataset.from_tensor_slices(sorted(self.paths))
        if shuffle_seed is not None:
            paths = paths.shuffle(len(self.paths), shuffle_seed)
        return tf.data.TFRecordDataset(
            paths, compression_type="GZIP", num_parallel_reads=_PARALLEL_FILES
        )

    def held_out(self, records: tf.Tensor) -> tf.Tensor:
        """Tells which serialized examples, strings of any shape, are for validation."""
        hashes = tf.strings.to_hash_bucket_fast(records, _HASH_BUCKETS)
        return hashes < round(self.validation_fraction * _HASH_BUCKETS)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What is in the example files.

    Attributes:
        training_examples: Number of examples to train on.
        validation_examples: Number of examples held out.
        classes: Number of classes, at least 2.
    """

    training_examples: int
    validation_examples: int
    classes: int


def summarize(files: ExampleFiles, least_classes: int = 0) -> Summary:
    """Counts the examples and the classes, in one pass that holds no example for long.

    Args:
        files: The examples.
        least_classes: How many classes there are, should some be missing from the examples.

    Returns:
        The summary.

    Raises:
        ValueError: A label is negative, or there is no example to train on or to validate on.
    """

    def reduce_batch(state: Any, records: tf.Tensor) -> Any:
        labels = tf.io.parse_example(records, {LABEL: files.feature_spec[LABEL]})[LABEL]
        held_out = tf.math.count_nonzero(files.held_out(records))
        return (
            state[0] + tf.size(labels, tf.int64),
            state[1] + held_out,
            tf.minimum(state[2], tf.reduce_min(labels)),
            tf.maximum(state[3], tf.reduce_max(labels)),
        )

    batches = files.records().batch(_BATCH_TO_HASH)
    zero = tf.constant(0, tf.int64)
    examples, held_out, smallest, largest = (
        int(number) for number in batches.reduce((zero,) * 4, reduce_batch)
    )
    places = ", ".join(sorted({os.path.dirname(path) for path in files.paths}))
    if examples == held_out:
        raise ValueError(
            f"{places}: {examples} examples, {held_out} of them held out for validation: none is "
            "left to train on. Check train_splits and validation_fraction, and what Transform was "
            "given."
        )
    if files.validation_fraction and not held_out:
        raise ValueError(
            f"{places}: none of {examples} examples falls to the validation_fraction of "
            f"{files.validation_fraction}. Raise it, or set it and early_stopping_patience to 0."
        )
    if smallest < 0:
        raise ValueError(
            f"{places}: a {LABEL!r} is {smallest}; expected 0 or more. Leave out examples that "
            "have no class."
        )
    return Summary(examples - held_out, held_out, max(largest + 1, least_classes, 2))


def make_batches(
    files: ExampleFiles,
    context: tf.distribute.InputContext,
    *,
    steps: int,
    batch_size: int,
    max_tokens: int,
    static_length: bool,
    validation: bool,
    seed: int,
) -> Any:
    """Makes the batches of one worker, pass after pass without an end.

    The batches of its replicas follow each other. All replicas of all workers get the same number
    of them a pass, because they step together.

    Args:
        files: The examples.
        context: Which worker of how many this is.
        steps: Of a pass: the examples divided by the rows of all replicas, rounded up.
        batch_size: Rows a replica; a last batch is filled up with rows of weight 0.
        max_tokens: Tokens after that many are cut off.
        static_length: Whether to pad every batch to `max_tokens`, as a TPU needs it, rather than
            to the longest of a batch of examples of about the same length.
        validation: Whether to give the held-out examples, in order, or the others, shuffled anew
            at every pass.
        seed: Of the order.

    Returns:
        A tf.data.Dataset of `Batch`.
    """
    replicas = context.num_replicas_in_sync // context.num_input_pipelines
    shape = (replicas, batch_size, max_tokens if static_length else None)
    records = files.records(None if validation else seed)
    # Many at once: a `filter` of single records takes longer than all the rest.
    records = records.batch(_BATCH_TO_HASH).map(
        lambda some: tf.boolean_mask(some, files.held_out(some) == validation),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    records = records.unbatch()
    # Before anything costly is done with the records of other workers.
    records = records.shard(context.num_input_pipelines, context.input_pipeline_id)
    if not validation:
        records = records.shuffle(_SHUFFLE_RECORDS, seed)
    batches = (
        records.batch(_BATCHES_TO_SORT * replicas * batch_size)
        .map(lambda batch: _parse(batch, files.feature_spec), num_parallel_calls=tf.data.AUTOTUNE)
        .flat_map(lambda ids, labels: _cut(ids, labels, shape, max_tokens))
    )
    if not validation:
        batches = batches.shuffle(_BATCHES_TO_SORT, seed)
    # A worker may have one example less than others, and for that reason one step less.
    batches = batches.concatenate(_empty_batch(shape)).take(steps)
    # Endless: TensorFlow then spares the workers asking each other at every step for more data.
    return batches.repeat().unbatch().prefetch(tf.data.AUTOTUNE)


def _parse(
    records: tf.Tensor, feature_spec: Mapping[str, Any]
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Returns ids, int32 [examples, (tokens)], and labels, int32 [examples], by length."""
    # Ragged right away: a sparse tensor would add two numbers to each id.
    ragged = tf.io.RaggedFeature(tf.int64)
    spec = {TOKEN_IDS: ragged, LABEL: feature_spec[LABEL]}
    features = tf.io.parse_example(records, spec)
    order = tf.argsort(features[TOKEN_IDS].row_lengths(), stable=True)
    ids, labels = (tf.gather(features[name], order) for name in (TOKEN_IDS, LABEL))
    return tf.cast(ids, tf.int32), tf.cast(labels, tf.int32)


def _cut(
    ids: tf.RaggedTensor,
    labels: tf.Tensor,
    shape: tuple[int, int, int | None],
    max_tokens: int,
) -> Any:
    """Returns a dataset of batches whose arrays begin with the axes [replicas, batch_size]."""
    replicas, batch_size, length = shape
    rows = replicas * batch_size

    def cut(start: tf.Tensor) -> Batch:
        some_ids = ids[start : start + rows]
        some_labels = labels[start : start + rows]
        count = tf.size(some_labels)
        longest = tf.cast(some_ids.bounding_shape(axis=1), tf.int32)
        # Never 0 columns: TensorFlow's `unbatch` crashes on a tensor without elements.
        columns = length or tf.clip_by_value(longest, 1, max_tokens)
        padded = some_ids.to_tensor(PADDING_ID, shape=tf.stack([rows, columns]))
        return (
            tf.reshape(padded, (replicas, batch_size, length or -1)),
            tf.reshape(tf.pad(some_labels, [[0, rows - count]]), (replicas, batch_size)),
            tf.reshape(tf.sequence_mask(count, rows, tf.float32), (replicas, batch_size)),
        )

    starts = tf.data.Dataset.range(0, tf.size(labels, tf.int64), rows)
    return starts.map(lambda start: cut(tf.cast(start, tf.int32)))


def _empty_batch(shape: tuple[int, int, int | None]) -> Any:
    """Returns a dataset of one batch without examples, of the form of `_cut`."""
    replicas, batch_size, length = shape
    batch = (
        tf.fill((replicas, batch_size, length or 1), PADDING_ID),
        tf.zeros((replicas, batch_size), tf.int32),
        tf.zeros((replicas, batch_size), tf.float32),
    )
    return tf.data.Dataset.from_tensors(batch)

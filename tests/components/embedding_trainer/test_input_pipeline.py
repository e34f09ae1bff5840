import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.embedding_trainer.input_pipeline import (
    Batch,
    Examples,
    count_classes,
    make_batches,
    plan_epoch,
    read_examples,
)
from components.text.features import LABEL, TOKEN_IDS

from . import harness

FEATURE_SPEC = {
    TOKEN_IDS: tf.io.VarLenFeature(tf.int64),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}


def _rows(count: int) -> list[dict[str, Any]]:
    """Returns rows of 0 to 6 tokens; the label is the number of the row."""
    return [{TOKEN_IDS: [index + 1] * (index % 7), LABEL: index} for index in range(count)]


def _read(
    directory: pathlib.Path,
    rows: list[dict[str, Any]],
    validation_fraction: float = 0.0,
    max_sequence_length: int = 100,
) -> Examples:
    harness.write_examples(str(directory), rows)
    split = directory / "examples" / "Split-train"
    return read_examples(
        [str(path) for path in split.iterdir()],
        FEATURE_SPEC,
        max_sequence_length=max_sequence_length,
        validation_fraction=validation_fraction,
    )


def _contents(examples: Examples) -> list[tuple[list[int], int]]:
    return [
        (examples.token_ids(number).tolist(), label)
        for number, label in enumerate(examples.labels.tolist())
    ]


def _labels(batches: list[Batch]) -> list[int]:
    return [label for _, labels, weights in batches for label in labels[weights > 0].tolist()]


def test_examples_are_read_whole(tmp_path: pathlib.Path) -> None:
    rows = _rows(2500)  # In two files, each longer than one batch of the reader.

    examples = _read(tmp_path, rows)

    assert sorted(_contents(examples)) == sorted((row[TOKEN_IDS], row[LABEL]) for row in rows)
    assert examples.training_size == 2500


def test_the_order_does_not_depend_on_the_order_in_the_files(tmp_path: pathlib.Path) -> None:
    rows = _rows(100)

    one, other = _read(tmp_path / "one", rows), _read(tmp_path / "other", rows[::-1])

    assert _contents(one) == _contents(other)
    assert one.labels.tolist() != sorted(one.labels.tolist())


def test_token_ids_after_the_longest_sequence_are_cut_off(tmp_path: pathlib.Path) -> None:
    rows = [{TOKEN_IDS: [5, 6, 7, 8], LABEL: 0}, {TOKEN_IDS: [9, 8], LABEL: 1}]

    examples = _read(tmp_path, rows, max_sequence_length=3)

    assert sorted(_contents(examples)) == [([5, 6, 7], 0), ([9, 8], 1)]


def test_an_example_is_on_the_same_side_whatever_else_there_is(tmp_path: pathlib.Path) -> None:
    few, many = (
        _read(tmp_path / "few", _rows(500), 0.25),
        _read(tmp_path / "many", _rows(900), 0.25),
    )

    chosen = set(many.labels[: many.validation_size].tolist())
    assert set(few.labels[: few.validation_size].tolist()) == {n for n in chosen if n < 500}
    assert 0.2 < few.validation_size / 500 < 0.3
    assert few.training_size + few.validation_size == 500


def test_equal_examples_are_on_one_side_in_whatever_order_their_features_are_stored(
    tmp_path: pathlib.Path,
) -> None:
    rows = [{TOKEN_IDS: [index + 1, 2], LABEL: index % 3} for index in range(200)]
    turned = [dict(reversed(row.items())) for row in rows]

    examples = _read(tmp_path, rows + turned + rows, 0.3)

    contents = [(*ids, label) for ids, label in _contents(examples)]
    validation, training = (
        contents[: examples.validation_size],
        contents[examples.validation_size :],
    )
    assert 0 < len(set(validation)) < 200
    assert not set(validation) & set(training)


def test_of_a_few_examples_one_is_to_validate_on(tmp_path: pathlib.Path) -> None:
    rows = [{TOKEN_IDS: [index], LABEL: 0} for index in range(5)]

    assert _read(tmp_path / "a", rows, 1e-6).validation_size == 1
    assert _read(tmp_path / "b", rows, 0.0).validation_size == 0


def test_the_same_tokens_with_another_label_are_another_example(tmp_path: pathlib.Path) -> None:
    rows = [{TOKEN_IDS: [7], LABEL: index} for index in range(200)]

    assert 30 < _read(tmp_path, rows, 0.25).validation_size < 70


@pytest.mark.parametrize(
    ("rows", "fraction", "message"),
    [
        ([], 0.0, "0 examples, 0 of them for validation: none is left to train on"),
        ([{TOKEN_IDS: [1], LABEL: 0}], 1e-6, "1 examples, 1 of them for validation: none is left"),
        (
            [{TOKEN_IDS: [1], LABEL: 0}] * 3,
            1 - 1e-9,
            "3 examples, 3 of them for validation: none is left to train on",
        ),
    ],
)
def test_too_few_examples_are_refused(
    rows: list[dict[str, Any]], fraction: float, message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, rows, fraction)


@pytest.mark.parametrize(
    ("labels", "class_names", "count"),
    [([0, 1, 1], (), 2), ([2, 0, 1], (), 3), ([0, 2], ("a", "b", "c"), 3), ([1, 2], "abcd", 4)],
)
def test_classes_are_counted_by_their_names_or_by_the_labels(
    labels: list[int], class_names: tuple[str, ...], count: int
) -> None:
    assert count_classes(np.array(labels), class_names) == count


@pytest.mark.parametrize(
    ("labels", "class_names", "message"),
    [
        ([1, 5, 5], (), "'label' of the examples takes the values 1, 5; expected 0, 1, 2"),
        ([-1, 0, 1], (), "the values -1, 0, 1; expected 0, 1, 2"),
        ([0, 1, 2], ("neg", "pos"), "0, 1, 2; expected numbers from 0 to 1 for .* neg, pos"),
        ([0, 0], (), "the values 0; .* at least two"),
        ([1], ("neg", "pos"), "the values 1; .* at least two"),
        (range(0, 40, 2), (), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, …; expected"),
    ],
)
def test_labels_that_do_not_number_the_classes_are_refused(
    labels: list[int], class_names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        count_classes(np.array(labels), class_names)


def test_every_example_comes_once_an_epoch_in_an_order_of_the_seed(tmp_path: pathlib.Path) -> None:
    examples = _read(tmp_path, _rows(500), 0.2)

    def labels(generator: np.random.Generator) -> list[int]:
        numbers = np.concatenate(list(plan_epoch(examples, 8, generator=generator)))
        return examples.labels[numbers].tolist()

    generator = np.random.default_rng(1)
    first, second = labels(generator), labels(generator)

    assert first == labels(np.random.default_rng(1))
    assert first != second
    assert first != labels(np.random.default_rng(2))
    expected = sorted(examples.labels[examples.validation_size :].tolist())
    assert sorted(first) == sorted(second) == expected


def test_the_validation_examples_come_once_in_a_fixed_order(tmp_path: pathlib.Path) -> None:
    examples = _read(tmp_path, _rows(200), 0.25)

    plans = [list(plan_epoch(examples, 8, validation=True)) for _ in range(2)]

    first, second = (np.concatenate(plan).tolist() for plan in plans)
    assert first == second
    assert sorted(first) == list(range(examples.validation_size))


def test_short_and_long_batches_take_turns(tmp_path: pathlib.Path) -> None:
    rows = [{TOKEN_IDS: [1] * (index % 64 + 1), LABEL: index} for index in range(512)]
    examples = _read(tmp_path, rows)

    plan = list(plan_epoch(examples, 8, generator=np.random.default_rng(0)))

    longest = [examples.lengths[numbers].max() for numbers in plan]
    padded = sum(8 * length for length in longest)
    assert examples.lengths.sum() > 0.75 * padded
    assert longest[:16] != sorted(longest[:16])


def test_the_replicas_of_all_workers_share_each_global_batch(tmp_path: pathlib.Path) -> None:
    examples = _read(tmp_path, _rows(33))
    plan = list(plan_epoch(examples, 16))

    # Two workers with two replicas each; the last global batch has one example.
    shares = [
        list(make_batches(examples, plan, replicas, 4)) for replicas in (range(2), range(2, 4))
    ]

    for step, numbers in enumerate(plan):
        batches = shares[0][step] + shares[1][step]
        assert len(batches) == 4
        assert _labels(batches) == examples.labels[numbers].tolist()
        for ids, labels, weights in batches:
            assert len(ids) == len(labels) == len(weights) == 4
            for row, label, weight in zip(ids, labels, weights, strict=True):
                tokens = [label + 1] * (label % 7) if weight else []
                assert row.tolist() == tokens + [0] * (len(row) - len(tokens))
    assert [len(share) for share in shares] == [3, 3]


def test_rows_are_padded_to_the_longest_of_the_batch_or_to_a_fixed_length(
    tmp_path: pathlib.Path,
) -> None:
    rows = [{TOKEN_IDS: [1] * length, LABEL: length} for length in (0, 0, 1, 3)]
    examples = _read(tmp_path, rows)
    plan = list(plan_epoch(examples, 2))

    (short,), (long,) = make_batches(examples, plan, range(1), 2)
    fixed = [batch for (batch,) in make_batches(examples, plan, range(1), 2, fixed_length=5)]

    np.testing.assert_array_equal(short[0], [[0], [0]])  # At least one column.
    np.testing.assert_array_equal(long[0], [[1, 0, 0], [1, 1, 1]])
    assert [ids.shape for ids, _, _ in fixed] == [(2, 5), (2, 5)]
    np.testing.assert_array_equal(fixed[1][0][:, :3], long[0])


def test_an_error_of_reading_is_raised_where_the_batch_is_used(tmp_path: pathlib.Path) -> None:
    examples = _read(tmp_path, _rows(20))
    examples.tokens.close()

    with pytest.raises(ValueError, match="closed file"):
        list(make_batches(examples, plan_epoch(examples, 4), range(1), 4))

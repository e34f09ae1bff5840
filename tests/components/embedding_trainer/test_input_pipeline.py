import os
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.embedding_trainer.input_pipeline import (
    ExampleFiles,
    Summary,
    make_batches,
    summarize,
)
from components.text.features import LABEL, TOKEN_IDS

from . import harness

FEATURE_SPEC = {
    TOKEN_IDS: tf.io.VarLenFeature(tf.int64),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}


def _files(directory: str, rows: list[dict[str, Any]], validation_fraction: float = 0.0) -> Any:
    harness.write_examples(directory, rows)
    split = os.path.join(directory, "examples", "Split-train")
    paths = [os.path.join(split, name) for name in os.listdir(split)]
    return ExampleFiles(paths, FEATURE_SPEC, validation_fraction)


def _rows(count: int) -> list[dict[str, Any]]:
    """Rows of 0 to 6 tokens; the label is the number of the row."""
    return [{TOKEN_IDS: [index + 1] * (index % 7), LABEL: index} for index in range(count)]


def _one_pass(files: ExampleFiles, *, steps: int, **arguments: Any) -> list[tuple[np.ndarray, ...]]:
    arguments = {
        "context": tf.distribute.InputContext(1, 0, 1),
        "batch_size": 8,
        "max_tokens": 100,
        "static_length": False,
        "validation": False,
        "seed": 0,
        **arguments,
    }
    replicas = arguments["context"].num_replicas_in_sync // arguments["context"].num_input_pipelines
    batches = make_batches(files, steps=steps, **arguments).take(steps * replicas)
    return list(batches.as_numpy_iterator())


def _labels(batches: list[tuple[np.ndarray, ...]]) -> list[int]:
    return [label for _, labels, weights in batches for label in labels[weights > 0].tolist()]


def test_every_example_comes_once_a_pass_in_an_order_of_the_seed(tmp_path: Any) -> None:
    files = _files(str(tmp_path), _rows(50))

    first, again, other = (_one_pass(files, steps=7, seed=seed) for seed in (1, 1, 2))

    assert _labels(first) == _labels(again)
    assert _labels(first) != _labels(other)
    assert sorted(_labels(first)) == sorted(_labels(other)) == list(range(50))
    for ids, labels, weights in first:
        assert ids.shape[0] == 8
        for row, label, weight in zip(ids, labels, weights, strict=True):
            assert np.count_nonzero(row) == (label % 7 if weight else 0)


def test_the_workers_and_replicas_share_the_examples_in_the_same_number_of_steps(
    tmp_path: Any,
) -> None:
    files = _files(str(tmp_path), _rows(33))

    # 17 and 16 examples for 2 x 4 rows a step: 3 steps and 2.
    shares = [
        _one_pass(files, steps=3, context=tf.distribute.InputContext(2, worker, 4), batch_size=4)
        for worker in (0, 1)
    ]

    assert [len(share) for share in shares] == [6, 6]
    assert sorted(_labels(shares[0]) + _labels(shares[1])) == list(range(33))


def test_batches_have_little_padding(tmp_path: Any) -> None:
    rows = [{TOKEN_IDS: [1] * (index % 64 + 1), LABEL: index} for index in range(512)]

    batches = _one_pass(_files(str(tmp_path), rows), steps=64)

    size = sum(ids.size for ids, _, _ in batches)
    assert sum(np.count_nonzero(ids) for ids, _, _ in batches) > 0.75 * size


def test_long_texts_are_cut_and_short_ones_padded_where_the_shape_must_be_static(
    tmp_path: Any,
) -> None:
    batches = _one_pass(_files(str(tmp_path), _rows(20)), steps=3, max_tokens=4, static_length=True)

    assert {ids.shape for ids, _, _ in batches} == {(8, 4)}
    assert max(np.count_nonzero(ids, axis=1).max() for ids, _, _ in batches) == 4


def test_texts_without_any_token_make_a_batch(tmp_path: Any) -> None:
    rows = [{TOKEN_IDS: [], LABEL: index} for index in range(8)]

    ((ids, _, _),) = _one_pass(_files(str(tmp_path), rows), steps=1)

    np.testing.assert_array_equal(ids, np.zeros((8, 1)))


def test_the_held_out_share_is_fixed_and_never_trained_on(tmp_path: Any) -> None:
    files = _files(str(tmp_path), _rows(200), validation_fraction=0.25)
    summary = summarize(files)

    training = _labels(_one_pass(files, steps=-(-summary.training_examples // 8)))
    steps = -(-summary.validation_examples // 8)
    held_out, again = (
        _labels(_one_pass(files, steps=steps, validation=True, seed=seed)) for seed in (0, 1)
    )

    assert held_out == again
    assert sorted(training + held_out) == list(range(200))
    assert summary == Summary(len(training), len(held_out), classes=200)
    assert 30 <= len(held_out) <= 70


@pytest.mark.parametrize(
    ("rows", "fraction", "message"),
    [
        ([], 0.0, "0 examples, 0 of them held out .*: none is left to train on"),
        ([{TOKEN_IDS: [1], LABEL: 0}], 1e-6, "none of 1 examples falls to the validation_fraction"),
        ([{TOKEN_IDS: [1], LABEL: -1}], 0.0, "a 'label' is -1; expected 0 or more"),
    ],
)
def test_examples_of_no_use_are_refused(
    rows: list[dict[str, Any]], fraction: float, message: str, tmp_path: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        summarize(_files(str(tmp_path), rows, fraction))


def test_one_label_still_makes_two_classes(tmp_path: Any) -> None:
    assert summarize(_files(str(tmp_path), [{TOKEN_IDS: [1], LABEL: 0}])).classes == 2

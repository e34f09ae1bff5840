import functools
import pathlib
from collections.abc import Callable

import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components.text.features import LABEL, TEXT, TOKEN_IDS
from components.text.preprocessing import preprocessing_fn
from tests.components.text.conftest import DENSE, Transform


def test_texts_become_ids_and_labels_pass(transform: Transform) -> None:
    # The vocabulary is a (three times), b (twice), d and c (once, in reverse order).
    ids, labels, _ = transform(["a b c", "", "A B. a d"], labels=[0, 1, 0])

    assert ids == [[1, 2, 4], [], [1, 2, 1, 3]]
    assert labels == [0, 1, 0]


def test_serving_gives_the_ids_of_training(transform: Transform) -> None:
    texts = ["It's <br /> GOOD", "naïve, not good", "", "don't &amp; can't", "好看", "good good"]

    transformed = transform(texts, skip_top=1, code_digest="ignored")

    assert transformed.serve(texts) == transformed.ids
    assert transformed.ids[-1] == []  # "good" is skipped.


def test_skipped_tokens_are_removed_before_the_vocabulary_is_cut(transform: Transform) -> None:
    texts = ["the the the of of a a b", "the"]

    transformed = transform(texts, skip_top=2, top_k=1)

    # `of` and `a` are equally frequent; the later in the alphabet comes first and is skipped.
    assert transformed.ids == [[1, 1, 2], []]
    assert transformed.serve(texts) == transformed.ids


@pytest.mark.parametrize(
    "feature",
    [lambda dtype: tf.io.FixedLenFeature([1], dtype), tf.io.VarLenFeature],
    ids=["batch-by-one", "sparse"],
)
def test_forms_of_inferred_schemas(
    transform: Transform, feature: Callable[[tf.DType], object]
) -> None:
    spec = {TEXT: feature(tf.string), LABEL: feature(tf.int64)}

    ids, labels, _ = transform([["b a"], ["a"]], labels=[[1], [0]], spec=spec)

    assert (ids, labels) == ([[2, 1], [1]], [1, 0])


@pytest.mark.slow
def test_other_features_are_named_in_the_custom_config(tmp_path: pathlib.Path) -> None:
    spec = {
        "review": tf.io.FixedLenFeature([], tf.string),
        "stars": tf.io.FixedLenFeature([], tf.int64),
        "text": tf.io.FixedLenFeature([], tf.string),
    }
    rows = [{"review": "b a b", "stars": 4, "text": "c"}]
    metadata = tft.DatasetMetadata.from_feature_spec(spec)
    custom_config = {"text_feature": "review", "label_feature": "stars"}
    with tft_beam.Context(temp_dir=str(tmp_path)):
        (transformed, _), _ = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            functools.partial(preprocessing_fn, custom_config=custom_config)
        )

    (row,) = transformed
    assert set(row) == {TOKEN_IDS, LABEL}
    assert (row[TOKEN_IDS].tolist(), row[LABEL]) == ([1, 2, 1], 4)


@pytest.mark.parametrize(
    ("features", "custom_config", "message"),
    [
        (
            {},
            {},
            r"no feature 'text'; expected one of \['label'\]. Name it as 'text_feature'",
        ),
        ({"text": tf.string}, {"label_feature": "y"}, "no feature 'y'.*Name it as 'label_feature'"),
        ({"text": tf.int64}, {}, "'text' holds int64; expected strings. Convert it before"),
        ({"text": tf.string, "label": tf.string}, {}, "'label' holds string; expected integers"),
        ({"text": tf.string, "label": tf.float32}, {}, "'label' holds float32; expected integers"),
    ],
)
def test_features_that_cannot_be_used_are_refused_when_the_graph_is_traced(
    features: dict[str, tf.DType], custom_config: dict[str, str], message: str
) -> None:
    types = {"label": tf.int64, **features}

    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        preprocessing_fn(
            {name: tf.compat.v1.placeholder(dtype, [None]) for name, dtype in types.items()},
            custom_config,
        )


@pytest.mark.parametrize("values", [[], [0, 1]])
def test_a_label_with_no_or_several_values_is_refused(
    transform: Transform, values: list[int]
) -> None:
    spec = {**DENSE, LABEL: tf.io.VarLenFeature(tf.int64)}

    with pytest.raises(Exception, match="label must have exactly one value in every example"):
        transform(["a", "b"], labels=[[1], values], spec=spec)


def test_a_text_of_several_values_is_refused(transform: Transform) -> None:
    spec = {**DENSE, TEXT: tf.io.FixedLenFeature([2], tf.string)}

    with pytest.raises(ValueError, match=r"'text' has the shape \(None, 2\); expected one value"):
        transform([["a", "b"]], spec=spec)

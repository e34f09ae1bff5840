import pytest
import tensorflow as tf

from components.text.features import LABEL, TEXT

from .conftest import DENSE


def test_texts_become_ids_and_labels_pass(transform):
    # a 3 times, b twice, then c and d once, in reverse order.
    ids, labels, _ = transform(["a b c", "", "A B. a d"], labels=[0, 1, 0])

    assert ids == [[1, 2, 4], [], [1, 2, 1, 3]]
    assert labels == [0, 1, 0]


def test_serving_gives_the_ids_of_training(transform):
    texts = ["It's <br /> GOOD", "naïve, not good", "", "don't &amp; can't", "good good"]

    transformed = transform(texts, skip_top=1, code_digest="ignored")

    assert transformed.serve(texts) == transformed.ids
    assert transformed.ids[-1] == []  # "good" is skipped.


def test_skipped_tokens_are_removed_before_the_vocabulary_is_cut(transform):
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
def test_forms_of_inferred_schemas(transform, feature):
    spec = {TEXT: feature(tf.string), LABEL: feature(tf.int64)}

    ids, labels, _ = transform([["b a"], ["a"]], labels=[[1], [0]], spec=spec)

    assert (ids, labels) == ([[2, 1], [1]], [1, 0])


@pytest.mark.parametrize("values", [[], [0, 1]])
def test_a_label_with_no_or_several_values_is_refused(transform, values):
    spec = {**DENSE, LABEL: tf.io.VarLenFeature(tf.int64)}

    with pytest.raises(Exception, match="label must have exactly one value in every example"):
        transform(["a", "b"], labels=[[1], values], spec=spec)


def test_a_text_of_several_values_is_refused(transform):
    spec = {**DENSE, TEXT: tf.io.FixedLenFeature([2], tf.string)}

    with pytest.raises(ValueError, match=r"'text' has the shape \(None, 2\); expected one value"):
        transform([["a", "b"]], spec=spec)

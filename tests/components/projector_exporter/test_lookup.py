import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.projector_exporter.lookup import Lookup, find_lookup
from tests.components.projector_exporter import models

Features = dict[str, Any]


def ids_of(tokens: tf.RaggedTensor | tf.SparseTensor, unknown: int = 6) -> Any:
    keys = tf.constant(models.WORDS)
    values = tf.range(len(models.WORDS), dtype=tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
    return tf.lookup.StaticHashTable(initializer, unknown).lookup(tokens)


class Eager(tft.TFTransformOutput):
    """A transform graph without files, which calls a `preprocessing_fn` eagerly."""

    def __init__(
        self, preprocess: Callable[[Features], Features], spec: Features = models.RAW_SPEC
    ) -> None:
        self._preprocess = preprocess
        self._spec = spec

    def raw_feature_spec(self) -> Features:
        return self._spec

    def transform_raw_features(
        self, raw_features: Any, drop_unused_features: bool = True
    ) -> Features:
        return self._preprocess(raw_features)


def find(preprocess: Callable[[Features], Features], **changed: Any) -> Lookup | None:
    return find_lookup(Eager(preprocess, **changed), models.WORDS)


def words_of(inputs: Features) -> tf.RaggedTensor:
    return tf.strings.split(tf.reshape(inputs["text"], [-1]))


def test_examples_tell_the_ids(
    graph: tft.TFTransformOutput, shifted_graph: tft.TFTransformOutput
) -> None:
    assert find_lookup(graph, models.WORDS) == Lookup(first_id=0, ids=7)
    assert find_lookup(shifted_graph, models.WORDS) == Lookup(first_id=1, ids=10)
    assert find_lookup(graph, models.WORDS[::-1]) is None


def test_unknown_words_without_an_id_need_none() -> None:
    found = find(lambda inputs: {"ids": ids_of(words_of(inputs), unknown=-1)})
    assert found == Lookup(first_id=0, ids=6)


@pytest.mark.parametrize("form", ["ragged", "sparse", "padded"])
def test_the_form_of_the_ids_does_not_matter(form: str) -> None:
    def preprocess(inputs: Features) -> Features:
        ids = ids_of(words_of(inputs)) + 2
        forms = {"ragged": ids, "sparse": ids.to_sparse(), "padded": ids.to_tensor(shape=[None, 5])}
        return {"ids": forms[form], "label": inputs["label"]}

    assert find(preprocess) == Lookup(first_id=2, ids=9)


def test_features_that_differ_tell_nothing() -> None:
    def preprocess(inputs: Features) -> Features:
        ids = ids_of(words_of(inputs))
        return {"ids": ids, "shifted": ids + 1}

    assert find(preprocess) is None


def test_features_that_agree_are_one() -> None:
    def preprocess(inputs: Features) -> Features:
        ids = ids_of(words_of(inputs))
        return {"ids": ids, "again": ids.to_tensor(), "vectors": tf.cast(ids + 1, tf.float32)}

    assert find(preprocess) == Lookup(first_id=0, ids=7)


def test_other_integers_tell_nothing() -> None:
    assert find(lambda inputs: {"length": tf.strings.length(inputs["text"])}) is None
    assert find(lambda inputs: {"label": inputs["label"]}) is None


def test_ids_of_all_features_of_text_are_seen() -> None:
    spec = {
        "title": tf.io.VarLenFeature(tf.string),
        "year": tf.io.VarLenFeature(tf.int64),
        "pair": tf.io.FixedLenFeature([2], tf.string),
    }
    assert find(lambda inputs: {"ids": ids_of(inputs["title"])}, spec=spec) == Lookup(0, 7)
    assert find(lambda inputs: {"ids": ids_of(inputs["pair"])}, spec=spec) == Lookup(0, 7)
    assert find(lambda inputs: {"year": inputs["year"]}, spec=spec) is None


def test_one_word_tells_nothing() -> None:
    eager = Eager(lambda inputs: {"ids": ids_of(words_of(inputs))})
    assert find_lookup(eager, [b"film", b"007", b"("]) is None
    assert find_lookup(eager, []) is None


def test_a_token_that_is_no_text_is_passed_over() -> None:
    eager = Eager(lambda inputs: {"ids": ids_of(words_of(inputs))})
    assert find_lookup(eager, [*models.WORDS, b"caf\xe9"]) == Lookup(first_id=0, ids=7)


def test_a_graph_without_a_schema_of_its_input_tells_nothing(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    models.copy_graph(graph, tmp_path / "graph")
    shutil.rmtree(tmp_path / "graph" / "metadata")
    assert find_lookup(tft.TFTransformOutput(str(tmp_path / "graph")), models.WORDS) is None

import functools
import pathlib
import shutil

import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.projector_exporter.lookup import Lookup, find_lookup
from tests.components.projector_exporter import models


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, Lookup(first_id=0, ids=6)),
        ({"num_oov_buckets": 1}, Lookup(first_id=0, ids=7)),
        ({"num_oov_buckets": 3, "shift": 1}, Lookup(first_id=1, ids=10)),
    ],
)
def test_an_example_tells_the_ids(
    arguments: dict[str, int], expected: Lookup, tmp_path: pathlib.Path
) -> None:
    graph = models.make_graph(tmp_path, functools.partial(models.ids, **arguments))
    assert find_lookup(graph, models.WORDS) == expected
    assert find_lookup(graph, models.WORDS[::-1]) is None


def test_padded_ids_and_ids_in_rows(tmp_path: pathlib.Path) -> None:
    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = models.ids(inputs, shift=2, num_oov_buckets=1)["ids"]
        padded = tf.sparse.to_dense(found)
        return {"padded": tf.reshape(tf.pad(padded, [[0, 0], [0, 5]])[:, :5], [-1, 5])}

    graph = models.make_graph(tmp_path, preprocess)
    assert find_lookup(graph, models.WORDS) == Lookup(first_id=2, ids=9)


def test_features_that_differ_tell_nothing(tmp_path: pathlib.Path) -> None:
    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = models.ids(inputs)["ids"]
        return {"ids": found, "shifted": tf.sparse.map_values(lambda values: values + 1, found)}

    assert find_lookup(models.make_graph(tmp_path, preprocess), models.WORDS) is None


def test_a_graph_without_ids_tells_nothing(tmp_path: pathlib.Path) -> None:
    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        tft.vocabulary(tf.strings.split(inputs["text"]), vocab_filename="vocabulary")
        return {
            "label": inputs["label"],
            "length": tf.cast(tf.strings.length(inputs["text"]), tf.int64),
        }

    assert find_lookup(models.make_graph(tmp_path, preprocess), models.WORDS) is None


def test_one_word_tells_nothing(tmp_path: pathlib.Path) -> None:
    graph = models.make_graph(tmp_path, texts=["film 007 film"])
    assert find_lookup(graph, [b"film", b"007"]) is None


def test_features_that_may_be_missing(tmp_path: pathlib.Path) -> None:
    spec = {
        "text": tf.io.VarLenFeature(tf.string),
        "label": tf.io.FixedLenFeature([2], tf.float32),
    }

    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = tft.compute_and_apply_vocabulary(inputs["text"], vocab_filename="vocabulary")
        return {"ids": found, "label": inputs["label"]}

    texts = ["b", "a", "b", "c", "b", "c"]
    graph = models.make_graph(tmp_path, preprocess, texts, spec)
    assert find_lookup(graph, [b"b", b"c", b"a"]) == Lookup(first_id=0, ids=3)


def test_a_graph_without_a_schema_of_its_input_tells_nothing(tmp_path: pathlib.Path) -> None:
    graph = models.make_graph(tmp_path)
    shutil.rmtree(tmp_path / "graph" / "metadata")
    assert find_lookup(graph, models.WORDS) is None

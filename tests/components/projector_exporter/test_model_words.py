import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.projector_exporter.model_words import (
    read_words,
    split_counts,
    token_probabilities,
)
from tests.components.projector_exporter import models


@pytest.mark.parametrize("batch_size", [4096, 3])
def test_a_model_is_asked_about_every_token(tmp_path: pathlib.Path, batch_size: int) -> None:
    model = models.TokenModel(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serve_token_ids": model.serve})

    ids = np.array([10, 1, 2, 5, 5, 7, 9, 4])
    found = token_probabilities(str(tmp_path), ids, batch_size)

    assert found is not None and found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack([1 - ids / 10, ids / 10], axis=1), rtol=1e-5)


def test_models_that_take_no_token_ids_say_nothing(tmp_path: pathlib.Path) -> None:
    model = models.TokenModel(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.serve})
    (tmp_path / "variables" / "variables.index").unlink()  # Loading the model would fail.

    assert token_probabilities(str(tmp_path), np.array([1])) is None


def test_a_directory_without_a_model_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb is missing"):
        token_probabilities(str(tmp_path), np.array([1]))


@pytest.mark.parametrize("serves", [True, False])
def test_a_stock_model_has_its_first_word_in_row_0(
    graph: tft.TFTransformOutput, serves: bool, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, 7, graph if serves else None)
    words = read_words(path, graph)
    assert (tmp_path / "assets" / "vocabulary").exists() == serves
    assert words.tokens == models.WORDS
    np.testing.assert_array_equal(words.vectors, weights[:6])
    assert words.first_token_id == 0
    assert words.counts is None


def test_a_model_behind_a_padding_row(
    shifted_graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, 10, shifted_graph)
    words = read_words(path, shifted_graph)
    np.testing.assert_array_equal(words.vectors, weights[1:7])
    assert words.first_token_id == 1


def test_a_model_with_a_row_for_each_word_alone(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, 6)
    words = read_words(path, graph)
    np.testing.assert_array_equal(words.vectors, weights)
    assert words.first_token_id == 0


# The graph has 7 ids, so 8 rows may mean that the model adds one to each.
def test_two_readings_are_refused_and_named(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, 8, graph)
    readings = "8 rows for 6 tokens.* first_token_id=0 or first_token_id=1 or first_token_id=2"
    with pytest.raises(ValueError, match=readings):
        read_words(path, graph)
    for row in (0, 1, 2):
        words = read_words(path, graph, first_token_id=row)
        np.testing.assert_array_equal(words.vectors, weights[row : row + 6])


def test_too_few_rows_are_refused(graph: tft.TFTransformOutput, tmp_path: pathlib.Path) -> None:
    path, _ = models.make_model(tmp_path / "small", 5, graph)
    with pytest.raises(ValueError, match="5 rows, too few for the 6 tokens from row 0"):
        read_words(path, graph)
    path, _ = models.make_model(tmp_path / "large", 8, graph)
    with pytest.raises(ValueError, match="8 rows, too few for the 6 tokens from row 3"):
        read_words(path, graph, first_token_id=3)


@pytest.mark.parametrize("rows", [6, 7])
def test_another_first_row_than_the_certain_one_is_refused(
    graph: tft.TFTransformOutput, rows: int, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, rows, graph)
    with pytest.raises(ValueError, match=r"first_token_id is 1, but .* Leave first_token_id out"):
        read_words(path, graph, first_token_id=1)
    vectors = read_words(path, graph, first_token_id=0).vectors
    np.testing.assert_array_equal(vectors, weights[:6])


@pytest.mark.parametrize("first_token_id", [None, 0])
def test_a_model_of_another_vocabulary_of_the_same_size_is_refused(
    graph: tft.TFTransformOutput,
    first_token_id: int | None,
    tmp_path: pathlib.Path,
) -> None:
    path, _ = models.make_model(tmp_path / "model", 7, graph)
    words = [b"great" if word == b"good" else word for word in models.WORDS]
    other_graph = models.copy_graph(graph, tmp_path / "graph", vocabulary=words)
    with pytest.raises(ValueError, match=r"differ first in line 3: \[b'good'\] and \[b'great'\]"):
        read_words(path, other_graph, first_token_id=first_token_id)


def test_without_a_graph_the_words_are_the_models(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, weights = models.make_model(tmp_path, 7, graph)
    words = read_words(path, None, first_token_id=0)
    assert words.tokens == models.WORDS
    np.testing.assert_array_equal(words.vectors, weights[:6])
    with pytest.raises(ValueError, match="first_token_id"):
        read_words(path, None)


def test_a_vocabulary_that_nobody_has_is_named(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, _ = models.make_model(tmp_path, 7, graph)
    with pytest.raises(ValueError, match=r"'wrods'.*vocab_filename"):
        read_words(path, graph, vocabulary="wrods")


@pytest.mark.slow
def test_counts_stored_in_the_vocabulary(tmp_path: pathlib.Path) -> None:
    preprocess = functools.partial(models.ids, num_oov_buckets=1, store_frequency=True)
    graph = models.make_graph(tmp_path, preprocess)
    path, weights = models.make_model(tmp_path / "model", 7, graph)
    assert graph.vocabulary_by_name("vocabulary")[0] == b"4 film"
    words = read_words(path, graph)
    assert words.tokens == models.WORDS
    assert words.counts is not None and words.counts.tolist() == models.COUNTS
    np.testing.assert_array_equal(words.vectors, weights[:6])


def test_counts_of_the_transform_graph(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    lines = [b"%d %s" % pair for pair in zip(models.COUNTS, models.WORDS, strict=True)]
    counted = models.copy_graph(graph, tmp_path / "graph", token_counts=lines)
    path, _ = models.make_model(tmp_path / "model", 6)
    counts = read_words(path, counted).counts
    assert counts is not None and counts.tolist() == models.COUNTS
    assert read_words(path, graph).counts is None


def test_a_vocabulary_that_is_a_prefix_of_the_other_is_refused(
    graph: tft.TFTransformOutput, tmp_path: pathlib.Path
) -> None:
    path, _ = models.make_model(tmp_path / "model", 7, graph)
    longer = models.copy_graph(graph, tmp_path / "graph", vocabulary=[*models.WORDS, b"great"])
    with pytest.raises(ValueError, match=r"differ first in line 7: \[\] and \[b'great'\]"):
        read_words(path, longer)


@pytest.mark.parametrize(
    ("lines", "tokens", "counts"),
    [
        ([b"15 the", b"3 of", b"3 2"], [b"the", b"of", b"2"], [15, 3, 3]),
        ([b"-1 <pad>", b"15 the", b"3 of"], [b"<pad>", b"the", b"of"], [0, 15, 3]),
        ([b"1.5 the", b"0.25 of"], [b"the", b"of"], None),
        ([b"2.5e-05 the", b"1e-06 of"], [b"the", b"of"], None),
        # Read as counts, the numbers would rise; so these are tokens.
        ([b"7 up", b"10 cc"], [b"7 up", b"10 cc"], None),
        ([b"the", b"15 of"], [b"the", b"15 of"], None),
        ([b"15", b"3"], [b"15", b"3"], None),
        ([b"15 of the", b"3 of"], [b"15 of the", b"3 of"], None),
        ([b"15 "], [b"15 "], None),
    ],
)
def test_counts_are_told_from_words(
    lines: list[bytes], tokens: list[bytes], counts: list[int] | None
) -> None:
    found, found_counts = split_counts(lines)
    assert list(found) == tokens
    assert counts == (None if found_counts is None else found_counts.tolist())


def test_the_words_of_an_embedding_trainer_start_in_row_1(tmp_path: pathlib.Path) -> None:
    matrix = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    path = models.save_trained(tmp_path / "1", models.WORDS, matrix)
    words = read_words(path, None)
    np.testing.assert_array_equal(words.vectors, matrix[1:7])
    assert words.first_token_id == 1 and words.tokens == models.WORDS
    with pytest.raises(ValueError, match="first_token_id is 0"):
        read_words(path, None, first_token_id=0)


def test_an_embedding_trainers_model_with_too_few_rows_is_refused(tmp_path: pathlib.Path) -> None:
    path = models.save_trained(tmp_path / "1", models.WORDS, np.ones((6, 3), np.float32))
    with pytest.raises(ValueError, match="too few"):
        read_words(path, None)

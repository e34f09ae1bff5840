import pathlib
from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.vectors.saved_embedding import read_embedding

WORDS = 50
DIMENSIONS = 4


def _functional(library: ModuleType) -> keras.Model:
    ids = library.Input((None,), dtype="int64")
    x = library.layers.Embedding(WORDS + 2, DIMENSIONS, name="embedding")(ids)
    x = library.layers.GlobalAveragePooling1D()(x)
    return library.Model(ids, library.layers.Dense(1, name="logits")(x))


def _sequential(library: ModuleType) -> keras.Model:
    return library.Sequential(
        [
            library.Input((None,), dtype="int64"),
            library.layers.Embedding(WORDS + 2, DIMENSIONS, name="embedding"),
            library.layers.GlobalAveragePooling1D(),
            library.layers.Dense(1),
        ]
    )


class _Wrapped(tf.Module):
    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model


def _save_wrapped(model: keras.Model, path: str) -> None:
    tf.saved_model.save(_Wrapped(model), path)


def _export(model: keras.Model, path: str) -> None:
    model.export(path)


@pytest.mark.parametrize("save", [tf.saved_model.save, _save_wrapped, _export])
@pytest.mark.parametrize("build", [_functional, _sequential])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_every_way_to_save_a_keras_model(
    library: str, build: Callable, save: Callable, tmp_path: pathlib.Path
) -> None:
    package = pytest.importorskip(library)
    model = build(package)
    model.compile("adam", "mse")
    # Slots of the embedding's own shape, as after training.
    model.optimizer.build(model.trainable_variables)
    save(model, str(tmp_path))

    key, matrix = read_embedding(str(tmp_path), WORDS)

    assert key in dict(tf.train.list_variables(str(tmp_path / "variables" / "variables")))
    assert matrix.dtype == np.float32
    weights = model.get_layer("embedding").get_weights()[0]
    np.testing.assert_array_equal(matrix, weights[1:-1])


def _save_variables(path: pathlib.Path, **values: np.ndarray) -> str:
    module = tf.Module()
    for name, value in values.items():
        setattr(module, name, tf.Variable(value))
    tf.saved_model.save(module, str(path))
    return str(path)


def _random(rows: int, columns: int = DIMENSIONS) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)


def test_words_that_start_at_row_0(tmp_path: pathlib.Path) -> None:
    values = _random(WORDS + 1)
    path = _save_variables(tmp_path, embedding=values)
    _, matrix = read_embedding(path, WORDS, first_token_id=0)
    np.testing.assert_array_equal(matrix, values[:-1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats_become_float32(dtype: str, tmp_path: pathlib.Path) -> None:
    values = tf.cast(_random(WORDS + 2), dtype)
    path = _save_variables(tmp_path, embedding=values)
    _, matrix = read_embedding(path, WORDS)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, tf.cast(values, tf.float32)[1:-1])


def test_the_only_matrix_that_fits_is_found_by_its_shape(tmp_path: pathlib.Path) -> None:
    values = _random(WORDS + 2)
    ids = np.zeros((WORDS + 2, DIMENSIONS), np.int64)
    path = _save_variables(tmp_path, table=values, kernel=_random(DIMENSIONS, 8), ids=ids)
    key, matrix = read_embedding(path, WORDS)
    assert key == "table/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(matrix, values[1:-1])


def test_of_several_named_matrices_the_one_that_fits_is_taken(tmp_path: pathlib.Path) -> None:
    model = tf.Module()
    model.embedding = tf.Module()
    model.embedding.table = tf.Variable(_random(WORDS + 2))
    model.embedding.kernel = tf.Variable(_random(8))
    tf.saved_model.save(model, str(tmp_path))
    key, _ = read_embedding(str(tmp_path), WORDS)
    assert key == "embedding/table/.ATTRIBUTES/VARIABLE_VALUE"


def test_two_that_fit_are_listed_and_chosen_by_key(tmp_path: pathlib.Path) -> None:
    values = _random(WORDS + 3)
    path = _save_variables(tmp_path, first=_random(WORDS + 2), second=values)
    with pytest.raises(ValueError, match=r"2 matrices(.|\n)*first.*\[52, 4\](.|\n)*second.*\[53"):
        read_embedding(path, WORDS)
    for name in ("second", "second/.ATTRIBUTES/VARIABLE_VALUE"):
        _, matrix = read_embedding(path, WORDS, name)
        np.testing.assert_array_equal(matrix, values[1:-2])


def test_nothing_that_fits_lists_what_there_is(tmp_path: pathlib.Path) -> None:
    path = _save_variables(tmp_path, kernel=_random(8), bias=np.zeros(8, np.float32))
    with pytest.raises(ValueError, match=r"51 to 67 rows(.|\n)*kernel.*\[8, 4\]"):
        read_embedding(path, WORDS)


@pytest.mark.parametrize("rows", [WORDS, WORDS + 100])
def test_the_embedding_of_another_vocabulary_is_refused(rows: int, tmp_path: pathlib.Path) -> None:
    path = _save_variables(tmp_path, embedding=_random(rows))
    with pytest.raises(ValueError, match=rf"51 to 67 rows(.|\n)*embedding.*\[{rows}, 4\]"):
        read_embedding(path, WORDS)


def test_a_matrix_of_any_size_is_taken_by_its_key(tmp_path: pathlib.Path) -> None:
    values = _random(WORDS + 100)
    path = _save_variables(tmp_path, embedding=values)
    _, matrix = read_embedding(path, WORDS, "embedding/.ATTRIBUTES/VARIABLE_VALUE")
    np.testing.assert_array_equal(matrix, values[1 : 1 + WORDS])


def test_a_matrix_with_too_few_rows_is_refused_by_its_key_too(tmp_path: pathlib.Path) -> None:
    path = _save_variables(tmp_path, embedding=_random(WORDS))
    with pytest.raises(ValueError, match="too few rows for 50 tokens from row 1"):
        read_embedding(path, WORDS, "embedding/.ATTRIBUTES/VARIABLE_VALUE")


def test_a_directory_without_a_model_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_embedding(str(tmp_path), WORDS)

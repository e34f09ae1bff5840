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
@pytest.mark.parametrize(
    "library",
    ["keras", pytest.param("tf_keras", marks=pytest.mark.slow)],  # tf_keras imports for seconds.
)
def test_every_way_to_save_a_keras_model(
    library: str, build: Callable, save: Callable, tmp_path: pathlib.Path
) -> None:
    package = pytest.importorskip(library)
    model = build(package)
    model.compile("adam", "mse")
    # Makes optimizer slots of the embedding's shape, as training does.
    model.optimizer.build(model.trainable_variables)
    save(model, str(tmp_path))

    key, matrix = read_embedding(str(tmp_path))

    assert key in dict(tf.train.list_variables(str(tmp_path / "variables" / "variables")))
    assert matrix.dtype == np.float32
    weights = model.get_layer("embedding").get_weights()[0]
    np.testing.assert_array_equal(matrix, weights)


def _save_variables(path: pathlib.Path, **values: np.ndarray) -> str:
    module = tf.Module()
    for name, value in values.items():
        setattr(module, name, tf.Variable(value))
    tf.saved_model.save(module, str(path))
    return str(path)


def _random(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, DIMENSIONS)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats_become_float32(dtype: str, tmp_path: pathlib.Path) -> None:
    values = tf.cast(_random(WORDS), dtype)
    path = _save_variables(tmp_path, embedding=values)
    _, matrix = read_embedding(path)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, tf.cast(values, tf.float32))


def test_a_matrix_is_never_chosen_by_its_shape(tmp_path: pathlib.Path) -> None:
    ids = np.zeros((WORDS, DIMENSIONS), np.int64)
    path = _save_variables(tmp_path, table=_random(WORDS), kernel=_random(8), embedding=ids)
    with pytest.raises(
        ValueError, match=r"0 matrices .*'embedding'(.|\n)*kernel.*\[8, 4\]"
    ) as error:
        read_embedding(path)
    assert "table/.ATTRIBUTES/VARIABLE_VALUE (Variable) [50, 4]" in str(error.value)
    assert "embedding/.ATTRIBUTES" not in str(error.value)  # It holds integers.


def test_a_model_without_matrices_says_so(tmp_path: pathlib.Path) -> None:
    path = _save_variables(tmp_path, bias=np.zeros(8, np.float32))
    with pytest.raises(ValueError, match="no matrix of floats"):
        read_embedding(path)


@pytest.mark.parametrize("embedding", ["second", "second/.ATTRIBUTES/VARIABLE_VALUE"])
def test_a_matrix_is_taken_by_its_name_or_key(embedding: str, tmp_path: pathlib.Path) -> None:
    values = _random(WORDS + 3)
    path = _save_variables(tmp_path, first=_random(WORDS), second=values)
    key, matrix = read_embedding(path, embedding)
    assert key == "second/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(matrix, values)


def test_two_of_a_name_are_listed_and_one_is_taken_by_its_key(tmp_path: pathlib.Path) -> None:
    model = tf.Module()
    model.embedding = tf.Module()
    table = _random(WORDS)
    model.embedding.table = tf.Variable(table)
    model.embedding.kernel = tf.Variable(_random(8))
    model.other = tf.Variable(_random(9))
    tf.saved_model.save(model, str(tmp_path))
    with pytest.raises(ValueError, match=r"2 matrices(.|\n)*table.*\[50, 4\]") as error:
        read_embedding(str(tmp_path))
    assert "kernel" in str(error.value) and "other" not in str(error.value)
    for embedding in ("table", "embedding/table/.ATTRIBUTES/VARIABLE_VALUE"):
        key, matrix = read_embedding(str(tmp_path), embedding)
        assert key == "embedding/table/.ATTRIBUTES/VARIABLE_VALUE"
        np.testing.assert_array_equal(matrix, table)


def test_a_checkpoint_without_an_object_graph_has_keys_alone(tmp_path: pathlib.Path) -> None:
    table = _random(WORDS)
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "variables" / "variables"),
        tensor_names=["table"],
        shape_and_slices=[""],
        tensors=[table],
    )
    with pytest.raises(ValueError, match=r"\n  table \[50, 4\]$"):
        read_embedding(str(tmp_path))
    _, matrix = read_embedding(str(tmp_path), "table")
    np.testing.assert_array_equal(matrix, table)


def test_a_directory_without_a_model_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_embedding(str(tmp_path))

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.embedding_trainer.model import (
    MeanEmbedding,
    build_model,
    class_logits,
    named_variables,
)


def _mean(embedded: list[list[float]], ids: list[list[int]], static: bool) -> Any:
    """Returns the mean embedding of each row of ids, and the gradient of their squared sum."""
    rows = tf.constant(embedded)
    layer = MeanEmbedding(*rows.shape)
    layer.build()
    layer.set_weights([rows])
    spec = tf.TensorSpec([None, len(ids[0]) if static else None], tf.int32)

    @tf.function(input_signature=[spec], autograph=False)
    def run(some_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            means = layer(some_ids)
            loss = tf.reduce_sum(means**2)
        return means, tf.convert_to_tensor(tape.gradient(loss, layer.trainable_variables)[0])

    return run(tf.reshape(tf.constant(ids, tf.int32), [len(ids), -1]))


@pytest.mark.parametrize("static", [True, False])
def test_the_mean_is_over_real_tokens_only(static: bool) -> None:
    embedded = [[100.0, 100.0], [3.0, 6.0], [1.0, 2.0]]

    means, gradient = _mean(embedded, [[2, 1, 0], [1, 0, 0]], static)

    np.testing.assert_allclose(means, [[2.0, 4.0], [3.0, 6.0]])
    np.testing.assert_allclose(gradient, [[0.0, 0.0], [8.0, 16.0], [2.0, 4.0]])


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("tokens", [0, 3])
def test_a_text_without_tokens_has_a_mean_of_zeros(tokens: int, static: bool) -> None:
    means, gradient = _mean([[1.0, 2.0], [3.0, 4.0]], [[0] * tokens], static)

    np.testing.assert_array_equal(means, [[0.0, 0.0]])
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))


def test_the_shape_of_the_means_is_known_before_they_are() -> None:
    ids = keras.Input((5,), batch_size=2, dtype="int32")
    assert MeanEmbedding(10, 4)(ids).shape == (2, 4)


def test_padding_does_not_change_the_logits() -> None:
    model = build_model(input_dim=10, embedding_dim=4, hidden_units=8, classes=3)

    short = model(np.array([[3, 9, 1]], np.int32))
    padded = model(np.array([[3, 9, 1, 0, 0, 0]], np.int32))

    assert short.shape == (1, 3)
    np.testing.assert_allclose(short, padded, rtol=1e-6)


def test_hidden_units_are_rectified() -> None:
    start = np.array([[0.0], [2.0], [-2.0]], np.float32)
    model = build_model(input_dim=3, embedding_dim=1, hidden_units=1, classes=2, embedding=start)
    weights = named_variables(model)
    for name in ("hidden_kernel", "logits_kernel"):
        weights[name].assign([[1.0]])
    np.testing.assert_array_equal(model(tf.constant([[1], [2]])), [[2], [0]])


def test_one_logit_is_the_sigmoid_of_two_classes() -> None:
    logits = np.array([[-2.0], [0.5]], np.float32)

    probabilities = keras.ops.softmax(class_logits(keras.ops.convert_to_tensor(logits)))

    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-logits[:, 0])), rtol=1e-6)


def test_the_embedding_is_the_first_layer_and_its_weights_have_names() -> None:
    model = build_model(input_dim=10, embedding_dim=4, hidden_units=8, classes=2)

    assert model.layers[1].name == "embedding"
    assert {name: tuple(v.shape) for name, v in named_variables(model).items()} == {
        "embedding": (10, 4),
        "hidden_kernel": (4, 8),
        "hidden_bias": (8,),
        "logits_kernel": (8, 1),
        "logits_bias": (1,),
    }

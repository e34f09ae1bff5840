import keras
import numpy as np
import pytest

from components.embedding_trainer.model import (
    TokenMean,
    build_model,
    class_logits,
    named_variables,
)


def test_the_mean_is_over_real_tokens_only() -> None:
    embedded = np.array([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]], np.float32)

    mean = TokenMean()(embedded, np.array([[7, 1, 0]]))

    np.testing.assert_allclose(mean, [[2.0, 4.0]])


@pytest.mark.parametrize("tokens", [0, 3])
def test_a_text_without_tokens_has_a_mean_of_zeros(tokens: int) -> None:
    mean = TokenMean()(np.ones((1, tokens, 2), np.float32), np.zeros((1, tokens), np.int32))

    np.testing.assert_array_equal(mean, [[0.0, 0.0]])


def test_padding_does_not_change_the_logits() -> None:
    model = build_model(rows=10, embedding_dim=4, hidden_units=8, classes=3)

    short = model(np.array([[3, 9, 1]], np.int32))
    padded = model(np.array([[3, 9, 1, 0, 0, 0]], np.int32))

    assert short.shape == (1, 3)
    np.testing.assert_allclose(short, padded, rtol=1e-6)


def test_one_logit_is_the_sigmoid_of_two_classes() -> None:
    logits = np.array([[-2.0], [0.5]], np.float32)

    probabilities = keras.ops.softmax(class_logits(keras.ops.convert_to_tensor(logits)))

    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-logits[:, 0])), rtol=1e-6)


def test_the_embedding_is_the_first_layer_and_its_weights_have_names() -> None:
    model = build_model(rows=10, embedding_dim=4, hidden_units=8, classes=2)

    assert model.layers[1].name == "embedding"
    assert {name: tuple(v.shape) for name, v in named_variables(model).items()} == {
        "embedding": (10, 4),
        "hidden_kernel": (4, 8),
        "hidden_bias": (8,),
        "logits_kernel": (8, 1),
        "logits_bias": (1,),
    }

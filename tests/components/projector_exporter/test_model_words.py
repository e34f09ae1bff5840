import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.projector_exporter.model_words import token_probabilities


class _Model(tf.Module):
    """Gives token n of V the probability n / V of the second class; as a mean of a text's."""

    def __init__(self, size: int) -> None:
        self.table = tf.Variable(np.arange(size + 2, dtype=np.float32) / size)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="token_ids")])
    def serve(self, token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        positive = tf.reduce_mean(tf.gather(self.table, token_ids), axis=1)
        return {"probabilities": tf.stack([1 - positive, positive], axis=1)}


@pytest.mark.parametrize("batch_size", [4096, 3])
def test_a_model_is_asked_about_every_token(tmp_path: pathlib.Path, batch_size: int) -> None:
    model = _Model(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serve_token_ids": model.serve})

    ids = np.array([10, 1, 2, 5, 5, 7, 9, 4])
    found = token_probabilities(str(tmp_path), ids, batch_size)

    assert found is not None and found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack([1 - ids / 10, ids / 10], axis=1), rtol=1e-5)


def test_models_that_take_no_token_ids_say_nothing(tmp_path: pathlib.Path) -> None:
    model = _Model(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.serve})
    (tmp_path / "variables" / "variables.index").unlink()  # It is not even loaded.

    assert token_probabilities(str(tmp_path), np.array([1])) is None


def test_a_directory_without_a_model_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb is missing"):
        token_probabilities(str(tmp_path), np.array([1]))

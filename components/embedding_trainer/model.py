"""The classifier: the mean of the embedded tokens, a dense layer, class logits."""

import keras
import numpy as np
import tensorflow as tf

from components.text.features import PADDING_ID


@keras.saving.register_keras_serializable(package="embedding_projector")
class MeanEmbedding(keras.layers.Embedding):
    """Embeds tokens and averages them, without padding; zeros for a text without tokens.

    `keras.layers.GlobalAveragePooling1D` divides by zero for such a text.
    """

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the means.

        Args:
            ids: Integers, [batch, tokens].

        Returns:
            Floats, [batch, output_dim].
        """
        return self._of_any_length(ids) if ids.shape[1] is None else self._of_fixed_length(ids)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Returns the shape of the means, (batch, output_dim), for the shape of the ids."""
        return (input_shape[0], self.output_dim)

    def _of_any_length(self, ids: tf.Tensor) -> tf.Tensor:
        # One operation, and one for its gradient: the embedded tokens are never stored, which would
        # take longer than all the rest of a step.
        texts = tf.shape(ids, tf.int64)[0]
        places = tf.where(ids != PADDING_ID)
        # One more text of one token, whose mean is dropped: without any token the operation of the
        # gradient returns uninitialized memory.
        tokens = tf.concat([tf.gather_nd(ids, places), [PADDING_ID]], axis=0)
        of_text = tf.concat([places[:, 0], [texts]], axis=0)
        embeddings = keras.ops.convert_to_tensor(self.embeddings)
        return tf.sparse.segment_mean(embeddings, tokens, of_text, num_segments=texts + 1)[:-1]

    def _of_fixed_length(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the means with static shapes throughout, as TPUs need it; not tried on a TPU."""
        weights = keras.ops.cast(ids != PADDING_ID, self.compute_dtype)
        total = keras.ops.einsum("bt,btf->bf", weights, super().call(ids))
        count = keras.ops.sum(weights, axis=1, keepdims=True)
        return total / keras.ops.maximum(count, 1)


def build_model(
    input_dim: int,
    embedding_dim: int,
    hidden_units: int,
    classes: int,
    embedding: np.ndarray | None = None,
) -> keras.Model:
    """Builds the classifier with random weights, except for a given embedding.

    Args:
        input_dim: Number of token ids, see `features.input_dim`.
        embedding_dim: Columns of the embedding.
        hidden_units: Units of the dense layer.
        classes: Number of classes, at least 2.
        embedding: Initial embedding, float32 [input_dim, embedding_dim]; None for a random one.

    Returns:
        A model from token ids, int32 [batch, tokens], to logits, float32: [batch, 1], that of the
        second class, for two classes, and [batch, classes] for more. See `class_logits`.
    """
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mean = MeanEmbedding(input_dim, embedding_dim, name="embedding")(ids)
    hidden = keras.layers.Dense(hidden_units, activation="relu", name="hidden")(mean)
    logits = keras.layers.Dense(1 if classes == 2 else classes, name="logits")(hidden)
    model = keras.Model(ids, logits, name="classifier")
    if embedding is not None:
        named_variables(model)["embedding"].assign(embedding)
    return model


def class_logits(logits: tf.Tensor) -> tf.Tensor:
    """Returns a logit for each class, so that softmax yields the probabilities of two classes too.

    The softmax of (0, z) is (1 - sigmoid(z), sigmoid(z)).

    Args:
        logits: Output of the model, [batch, 1] or [batch, classes].

    Returns:
        [batch, classes].
    """
    return tf.pad(logits, [[0, 0], [1, 0]]) if logits.shape[1] == 1 else logits


def named_variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Returns the weights by their names in a checkpoint.

    Args:
        model: Made by `build_model`.

    Returns:
        `embedding`, `hidden_kernel`, `hidden_bias`, `logits_kernel` and `logits_bias`.
    """
    variables = {"embedding": model.get_layer("embedding").embeddings.value}
    for layer in ("hidden", "logits"):
        for weight in model.get_layer(layer).weights:
            variables[f"{layer}_{weight.name}"] = weight.value
    return variables

"""The classifier: the mean of the embedded tokens, a dense layer, class logits."""

import keras
import tensorflow as tf

from components.text.features import PADDING_ID


@keras.saving.register_keras_serializable(package="embedding_projector")
class MeanEmbedding(keras.layers.Embedding):
    """The mean of the embedded tokens, padding left out; zeros for a text without tokens.

    `keras.layers.GlobalAveragePooling1D` divides by zero for such a text.
    """

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Averages.

        Args:
            ids: Integers, [batch, tokens].

        Returns:
            Floats, [batch, output_dim].
        """
        if ids.shape[1] is None:
            return self._of_tokens(ids)
        # With static shapes, as a TPU needs them, padding cannot be left out before the sum.
        weights = keras.ops.cast(ids != PADDING_ID, self.compute_dtype)
        total = keras.ops.einsum("bt,btf->bf", weights, super().call(ids))
        count = keras.ops.sum(weights, axis=1, keepdims=True)
        return total / keras.ops.maximum(count, 1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Returns the shape of the means of ids of a shape."""
        return (input_shape[0], self.output_dim)

    def _of_tokens(self, ids: tf.Tensor) -> tf.Tensor:
        # One operation, and one for the gradient: what was looked up is never stored, which takes
        # longer than all the rest of a step.
        texts = tf.shape(ids, tf.int64)[0]
        places = tf.where(ids != PADDING_ID)
        # One more text of one token, which is dropped: without any token the operation of the
        # gradient leaves memory as it was.
        tokens = tf.concat([tf.gather_nd(ids, places), [PADDING_ID]], axis=0)
        of_text = tf.concat([places[:, 0], [texts]], axis=0)
        embeddings = keras.ops.convert_to_tensor(self.embeddings)
        return tf.sparse.segment_mean(embeddings, tokens, of_text, num_segments=texts + 1)[:-1]


def build_model(rows: int, embedding_dim: int, hidden_units: int, classes: int) -> keras.Model:
    """Builds the classifier with initial weights.

    Args:
        rows: The number of token ids, padding included.
        embedding_dim: Columns of the embedding.
        hidden_units: Units of the dense layer.
        classes: The number of classes, at least 2.

    Returns:
        A model from token ids, int32 [batch, tokens], to logits, float32 [batch, 1] for two
        classes (of the second) and [batch, classes] for more. See `class_logits`.
    """
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mean = MeanEmbedding(rows, embedding_dim, name="embedding")(ids)
    hidden = keras.layers.Dense(hidden_units, activation="relu", name="hidden")(mean)
    logits = keras.layers.Dense(1 if classes == 2 else classes, name="logits")(hidden)
    return keras.Model(ids, logits, name="classifier")


def class_logits(logits: tf.Tensor) -> tf.Tensor:
    """Gives every class a logit, so that softmax yields the probabilities of two classes as well.

    The softmax over (0, z) is (1 - sigmoid(z), sigmoid(z)).

    Args:
        logits: What the model returns, [batch, 1] or [batch, classes].

    Returns:
        [batch, classes].
    """
    return tf.pad(logits, [[0, 0], [1, 0]]) if logits.shape[1] == 1 else logits


def named_variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Names the weights for a checkpoint.

    Args:
        model: What `build_model` returned.

    Returns:
        `embedding`, `hidden_kernel`, `hidden_bias`, `logits_kernel` and `logits_bias`.
    """
    variables = {"embedding": model.get_layer("embedding").embeddings.value}
    for layer in ("hidden", "logits"):
        for weight in model.get_layer(layer).weights:
            variables[f"{layer}_{weight.name}"] = weight.value
    return variables

"""Writes the trained model as a SavedModel."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.embedding_trainer.model import class_logits, named_variables
from components.text.features import PADDING_ID, TEXT, TOKEN_IDS


def save(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    max_sequence_length: int,
    directory: str,
    text_feature: str = TEXT,
    class_names: Sequence[str] = (),
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Each signature returns `probabilities`, float32 [batch, classes]. `serve_text` also returns
    `class_names`, string [batch, classes], and `unknown_words`, float32 [batch]: the share of the
    tokens that are not in the vocabulary, 1 for a text without tokens.

    =================  ===============================================================
    signature          takes
    =================  ===============================================================
    `serving_default`  `examples`, string [batch]: serialized raw tf.Examples, of which
                       only the text is read
    `serve_text`       `text`, string [batch]
    `serve_token_ids`  `token_ids`, int64 [batch, tokens], padded with PADDING_ID: for
                       single tokens, whatever the tokenizer would make of them
    =================  ===============================================================

    Args:
        model: Maps token ids to logits, see `model.build_model`.
        transform_output: The transform graph that made the training examples.
        max_sequence_length: Number of tokens to read of a text; the rest is cut off.
        directory: Where to write; it appears when it is complete.
        text_feature: Name of the raw feature with the text.
        class_names: Names of the classes; empty to number them.

    Raises:
        ValueError: The transform graph has no such feature.
    """
    raw_spec = transform_output.raw_feature_spec()
    if text_feature not in raw_spec:
        raise ValueError(
            f"The raw examples have no feature {text_feature!r}; expected one of "
            f"{sorted(raw_spec)}. Give EmbeddingTrainer the text_feature that Transform was given."
        )
    text_spec = raw_spec[text_feature]
    module = tf.Module()
    module.transform = transform_output.transform_features_layer()
    for name, variable in named_variables(model).items():
        setattr(module, name, variable)

    def classify_ids(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(class_logits(model(tf.cast(ids, tf.int32))))}

    def token_ids_of(raw_features: Mapping[str, Any]) -> tf.RaggedTensor:
        # With `__call__`, Keras would trace the layer once more when saving.
        ids = tf.RaggedTensor.from_sparse(module.transform.call(raw_features)[TOKEN_IDS])
        return ids[:, :max_sequence_length]

    @_signature(tf.TensorSpec([None], tf.string, name="examples"))
    def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = token_ids_of(tf.io.parse_example(examples, {text_feature: text_spec}))
        return classify_ids(ids.to_tensor(PADDING_ID))

    @_signature(tf.TensorSpec([None], tf.string, name="text"))
    def serve_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = token_ids_of({text_feature: _as_parsed(text, text_spec)})
        served = classify_ids(ids.to_tensor(PADDING_ID))
        # TF Serving's REST API answers row by row, so each text needs all names.
        shape = tf.shape(served["probabilities"])
        names = class_names or [str(number) for number in range(served["probabilities"].shape[1])]
        known = tf.cast(ids != module.embedding.shape[0] - 1, tf.float32)
        known_share = tf.math.divide_no_nan(
            tf.reduce_sum(known, axis=1), tf.cast(ids.row_lengths(), tf.float32)
        )
        return {
            **served,
            "class_names": tf.broadcast_to(tf.constant(names), shape),
            "unknown_words": 1 - known_share,
        }

    @_signature(tf.TensorSpec([None, None], tf.int64, name="token_ids"))
    def serve_token_ids(token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify_ids(token_ids[:, :max_sequence_length])

    temporary = f"{directory.rstrip('/')}.incomplete"
    if tf.io.gfile.exists(temporary):  # Left by a killed run; its assets would be kept.
        tf.io.gfile.rmtree(temporary)
    tf.saved_model.save(
        module,
        temporary,
        signatures={
            "serving_default": serve_examples,
            "serve_text": serve_text,
            "serve_token_ids": serve_token_ids,
        },
    )
    tf.io.gfile.rename(temporary, directory)


def _signature(spec: tf.TensorSpec) -> Any:
    # AutoGraph would take ten seconds to convert tf.Transform and Keras, to no effect.
    return tf.function(input_signature=[spec], autograph=False)


def _as_parsed(text: tf.Tensor, spec: Any) -> Any:
    """Returns strings, [batch], in the form in which tf.Examples are parsed by a specification."""
    if isinstance(spec, tf.io.VarLenFeature):
        return tf.RaggedTensor.from_tensor(text[:, None]).to_sparse()
    return tf.reshape(text, [-1, *spec.shape])

"""Writes the trained model as a SavedModel, and starts another model from one (warm start)."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.embedding_trainer.model import class_logits, named_variables
from components.text.features import FIRST_TOKEN_ID, PADDING_ID, TEXT, TOKEN_IDS, input_dim
from components.text.vocabulary import read_served_vocabulary

_LOGGER = logging.getLogger(__name__)

_CHECKPOINT_KEY = "{}/.ATTRIBUTES/VARIABLE_VALUE"


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
        # Not by Keras' __call__, with which Keras would trace the layer once more when saving.
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
        # TF Serving's REST API answers row by row, so that each text gets all names.
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
    if tf.io.gfile.exists(temporary):  # Of a run that was killed; its assets would stay.
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


def warm_start(model: keras.Model, vocabulary: Sequence[str], directory: str) -> None:
    """Starts a model from the weights of a saved one.

    Copied are the embedding's rows for padding, for unknown tokens and for each token that both
    vocabularies have, and those kernels and biases of the dense layers that have the same shape.

    Args:
        model: Made by `model.build_model`.
        vocabulary: The tokens of the model.
        directory: SavedModel that `save` wrote.

    Raises:
        ValueError: The directory holds something else, or an embedding of another dimension.
    """
    variables = named_variables(model)
    base = _read_weights(directory, variables)
    base_vocabulary = [token.decode("utf-8") for token in read_served_vocabulary(directory) or []]
    embedding = variables["embedding"].numpy()
    if base["embedding"].shape != (input_dim(len(base_vocabulary)), embedding.shape[1]):
        raise ValueError(
            f"{directory}: the base model's embedding has the shape {base['embedding'].shape}; "
            f"expected {input_dim(len(base_vocabulary))} rows for its {len(base_vocabulary)} "
            f"tokens and {embedding.shape[1]} columns. Set embedding_dim to that of the base "
            "model, or leave base_model out."
        )
    base_rows = {token: row for row, token in enumerate(base_vocabulary, FIRST_TOKEN_ID)}
    shared = [
        (row, base_rows[token])
        for row, token in enumerate(vocabulary, FIRST_TOKEN_ID)
        if token in base_rows
    ]
    rows, taken = np.array([(PADDING_ID, PADDING_ID), *shared, (-1, -1)]).T
    embedding[rows] = base["embedding"][taken]
    variables["embedding"].assign(embedding)
    for name, variable in variables.items():
        if name != "embedding" and variable.shape == base[name].shape:
            variable.assign(base[name])
    _LOGGER.info(
        "Warm start: %d of %d tokens have their vectors from %s.",
        len(shared),
        len(vocabulary),
        directory,
    )


def _signature(spec: tf.TensorSpec) -> Any:
    # AutoGraph would take ten seconds to convert tf.Transform and Keras, to no effect.
    return tf.function(input_signature=[spec], autograph=False)


def _read_weights(directory: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    path = tf.saved_model.VARIABLES_DIRECTORY + "/" + tf.saved_model.VARIABLES_FILENAME
    try:
        checkpoint = tf.train.load_checkpoint(os.path.join(directory, path))
        return {name: checkpoint.get_tensor(_CHECKPOINT_KEY.format(name)) for name in names}
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(
            f"{directory}: expected a base_model written by EmbeddingTrainer, with "
            f"the variables {', '.join(names)}: {error}"
        ) from error


def _as_parsed(text: tf.Tensor, spec: Any) -> Any:
    """Returns strings, [batch], in the form in which tf.Examples are parsed by a specification."""
    if isinstance(spec, tf.io.VarLenFeature):
        return tf.RaggedTensor.from_tensor(text[:, None]).to_sparse()
    return tf.reshape(text, [-1, *spec.shape])

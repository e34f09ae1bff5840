"""The trained model on disk: written to be served, read to go on from."""

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
    max_tokens: int,
    directory: str,
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Its signatures give `probabilities`, float32 [batch, classes]: `serving_default` of
    `examples`, serialized raw tf.Examples, string [batch], of which only the text is read;
    `serve_text` of `text`, string [batch]; `serve_token_ids` of `token_ids`, int64
    [batch, tokens] with PADDING_ID after the last one, which asks about single tokens too.

    Args:
        model: From token ids to logits, see `model.build_model`.
        transform_output: The transformation the model was trained behind.
        max_tokens: Tokens after that many are cut off.
        directory: Where to write; it appears when it is complete.
    """
    raw_spec = {TEXT: transform_output.raw_feature_spec()[TEXT]}
    module = tf.Module()
    module.transform = transform_output.transform_features_layer()
    for name, variable in named_variables(model).items():
        setattr(module, name, variable)

    def classify_ids(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(class_logits(model(tf.cast(ids, tf.int32))))}

    def classify(raw_features: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        # Not through Keras' __call__: Keras would trace the layer once more to save it.
        ids = tf.RaggedTensor.from_sparse(module.transform.call(raw_features)[TOKEN_IDS])
        return classify_ids(ids[:, :max_tokens].to_tensor(PADDING_ID))

    @_signature(tf.TensorSpec([None], tf.string, name="examples"))
    def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(tf.io.parse_example(examples, raw_spec))

    @_signature(tf.TensorSpec([None], tf.string, name="text"))
    def serve_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify({TEXT: _as_parsed(text, raw_spec[TEXT])})

    @_signature(tf.TensorSpec([None, None], tf.int64, name="token_ids"))
    def serve_token_ids(token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify_ids(token_ids[:, :max_tokens])

    temporary = f"{directory.rstrip('/')}.incomplete"
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
    """Gives a model the weights of a saved one.

    It takes the embedding's rows of padding, of unknown tokens and of every token that both
    vocabularies have, and the weights of the dense layers as far as these have the same shape.

    Args:
        model: What `model.build_model` returned.
        vocabulary: Its tokens.
        directory: What `save` wrote.

    Raises:
        ValueError: Something else is in the directory, or its embedding has another dimension.
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
        "Took over %d of %d tokens from the base model %s.",
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
            f"{directory}: expected a model that EmbeddingTrainer has written as base_model, with "
            f"the variables {', '.join(names)}: {error}"
        ) from error


def _as_parsed(text: tf.Tensor, spec: Any) -> Any:
    """Gives strings, [batch], the form that parsing by the feature specification gives them."""
    if isinstance(spec, tf.io.VarLenFeature):
        return tf.RaggedTensor.from_tensor(text[:, None]).to_sparse()
    return tf.reshape(text, [-1, *spec.shape])

"""Reads the words of a saved model: their tokens, their vectors and what the model says of them."""

import contextlib
import importlib
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2

from components.projector_exporter.points import Points
from components.projector_exporter.words import word_points
from components.text.features import VOCABULARY
from components.text.vocabulary import read_token_counts
from components.vectors.saved_embedding import read_embedding

# A signature of EmbeddingTrainer's models: token ids in, probabilities of the classes out.
SIGNATURE = "serve_token_ids"


def read_words(
    saved_model: str,
    transform_output: tft.TFTransformOutput,
    *,
    vocabulary: str,
    embedding: str,
    first_token_id: int,
    class_names: Sequence[str],
) -> tuple[str, Points]:
    """Reads the words of a model.

    Args:
        saved_model: The SavedModel's directory.
        transform_output: The transformation that the model was trained behind.
        vocabulary: Name of the vocabulary in the transform graph.
        embedding: See `read_embedding`.
        first_token_id: The matrix row of the first token.
        class_names: Names of the classes that the model tells apart; empty if unknown.

    Returns:
        The key of the matrix in the model's checkpoint, and the words.

    Raises:
        FileNotFoundError: There is no SavedModel with variables.
        ValueError: The embedding is not found or does not fit the vocabulary.
    """
    tokens = transform_output.vocabulary_by_name(vocabulary)
    key, matrix = read_embedding(saved_model, embedding)
    if len(matrix) < first_token_id + len(tokens):
        raise ValueError(
            f"{key} has {len(matrix)} rows, too few for {len(tokens)} tokens from row "
            f"{first_token_id} on. Was the model trained with another vocabulary, or is "
            "first_token_id wrong?"
        )
    return key, word_points(
        tokens,
        matrix[first_token_id : first_token_id + len(tokens)],
        first_token_id=first_token_id,
        counts=read_token_counts(transform_output) if vocabulary == VOCABULARY else None,
        probabilities=token_probabilities(saved_model, first_token_id + np.arange(len(tokens))),
        class_names=class_names,
    )


def token_probabilities(
    saved_model: str, ids: np.ndarray, batch_size: int = 4096
) -> np.ndarray | None:
    """Asks a model about texts of a single token.

    Args:
        saved_model: The SavedModel's directory.
        ids: Token ids, integers [tokens].
        batch_size: Tokens in a call.

    Returns:
        The probability of each class, float32 [tokens, classes]; None if the model has no signature
        'serve_token_ids'. Such a model is not loaded.

    Raises:
        FileNotFoundError: There is no SavedModel.
    """
    if not _has_signature(saved_model):
        return None
    # The graph of a model with subwords has ops that this import registers.
    with contextlib.suppress(ImportError, tf.errors.NotFoundError):
        importlib.import_module("tensorflow_text")
    model = tf.saved_model.load(saved_model)
    serve = model.signatures[SIGNATURE]
    column = np.asarray(ids, np.int64)[:, None]
    return np.concatenate(
        [
            serve(token_ids=tf.constant(column[start : start + batch_size]))["probabilities"]
            for start in range(0, len(column), batch_size)
        ]
    )


def _has_signature(saved_model: str) -> bool:
    path = os.path.join(saved_model, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path} is missing; expected a SavedModel.")
    with tf.io.gfile.GFile(path, "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    return any(SIGNATURE in graph.signature_def for graph in model.meta_graphs)

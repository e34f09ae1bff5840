"""Reads the words of a saved model: their tokens, their vectors and what the model says of them."""

import contextlib
import dataclasses
import importlib
import os
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2

from components.projector_exporter.lookup import find_lookup
from components.text.features import FIRST_TOKEN_ID, VOCABULARY
from components.text.vocabulary import read_served_vocabulary, read_token_counts
from components.vectors.saved_embedding import read_embedding

# A signature of EmbeddingTrainer's models: token ids in, probabilities of the classes out.
SIGNATURE = "serve_token_ids"

# Begins a line of a vocabulary that was stored with counts.
_NUMBER = re.compile(rb"-?\d+(\.\d+)?(e[+-]?\d+)?")


@dataclasses.dataclass(frozen=True)
class ModelWords:
    """The words of a model.

    Attributes:
        source_variable: Key of the embedding matrix in the model's checkpoint.
        tokens: The vocabulary by falling frequency.
        vectors: Their vectors, float32 [tokens, dimensions].
        first_token_id: The id of the first token, which is its row in the matrix.
        counts: Occurrences of each token in the training examples, int64 [tokens]; None if
            unknown.
    """

    source_variable: str
    tokens: Sequence[bytes]
    vectors: np.ndarray
    first_token_id: int
    counts: np.ndarray | None


def read_words(
    saved_model: str,
    transform_output: tft.TFTransformOutput | None,
    vocabulary: str = VOCABULARY,
    embedding: str = "embedding",
    first_token_id: int | None = None,
) -> ModelWords:
    """Reads the tokens and vectors of a model.

    The tokens are those of the vocabulary among the model's assets, or else those of the transform
    graph. The row of the first token is certain if EmbeddingTrainer made the model, or if the
    matrix has exactly one row for each token. Otherwise it is the id that the transform graph gives
    the first token, if the matrix has exactly one row for each id of the graph: then the model
    cannot have shifted the ids.

    Args:
        saved_model: The SavedModel's directory.
        transform_output: The transformation that the model was trained behind; None if unknown.
        vocabulary: Name of the vocabulary.
        embedding: See `read_embedding`.
        first_token_id: The matrix row of the first token; None to find it out.

    Returns:
        The words.

    Raises:
        FileNotFoundError: There is no SavedModel with variables.
        ValueError: There is no such vocabulary or matrix, the model's vocabulary is not that of
            the transform graph, or the row of the first token is impossible or unknown.
    """
    tokens, counts = split_counts(_read_vocabulary(saved_model, transform_output, vocabulary))
    key, matrix = read_embedding(saved_model, embedding)
    first_row = _first_row(saved_model, key, len(matrix), tokens, transform_output, first_token_id)
    if counts is None and vocabulary == VOCABULARY and transform_output:
        counts = read_token_counts(transform_output)
    return ModelWords(
        source_variable=key,
        tokens=tokens,
        vectors=matrix[first_row : first_row + len(tokens)],
        first_token_id=first_row,
        counts=counts,
    )


def split_counts(lines: Sequence[bytes]) -> tuple[Sequence[bytes], np.ndarray | None]:
    """Splits a vocabulary that `tft.vocabulary` stored with `store_frequency=True`.

    Such a line is a number, a space and a token without spaces, with the numbers in falling order.
    The numbers are counts if they are integers; otherwise they are weights or mutual information.

    Args:
        lines: The lines of a vocabulary.

    Returns:
        The tokens, and their counts, int64 [tokens]; None for the counts if there are none.
    """
    pairs = [line.split(b" ") for line in lines]
    if not all(len(pair) == 2 and _NUMBER.fullmatch(pair[0]) and pair[1] for pair in pairs):
        return lines, None
    numbers = np.array([float(number) for number, _ in pairs])
    # Reserved tokens come first and have the number -1.
    counted = numbers[numbers >= 0]
    if (np.diff(counted) > 0).any():
        return lines, None
    tokens = [token for _, token in pairs]
    if any(b"." in number or b"e" in number for number, _ in pairs):
        return tokens, None
    return tokens, np.maximum(numbers, 0).astype(np.int64)


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
    # This import registers the ops of a model with a subword tokenizer.
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


def _read_vocabulary(
    saved_model: str, transform_output: tft.TFTransformOutput | None, vocabulary: str
) -> list[bytes]:
    """Reads the vocabulary of the model, or else of the transform graph; refuses different ones."""
    served = read_served_vocabulary(saved_model, vocabulary)
    if transform_output is None or not transform_output.vocabulary_file_by_name(vocabulary):
        if served is None:
            raise ValueError(
                f"Neither {saved_model} nor the transform graph has a vocabulary {vocabulary!r}. "
                "Pass as vocabulary the vocab_filename of the preprocessing_fn."
            )
        return served
    transformed: list[bytes] = transform_output.vocabulary_by_name(vocabulary)
    if served is not None and served != transformed:
        differing = [a != b for a, b in zip(served, transformed, strict=False)]
        line = differing.index(True) if any(differing) else len(differing)
        raise ValueError(
            f"{saved_model} has {len(served)} tokens in its vocabulary {vocabulary!r}, and the "
            f"transform graph {len(transformed)}; they differ first in line {line + 1}: "
            f"{served[line : line + 1]} and {transformed[line : line + 1]}. Give the transform "
            "graph that the model was trained behind."
        )
    return transformed


def _first_row(
    saved_model: str,
    key: str,
    rows: int,
    tokens: Sequence[bytes],
    transform_output: tft.TFTransformOutput | None,
    given: int | None,
) -> int:
    """Returns the matrix row of the first token, and refuses to guess."""
    known, told = _known_first_row(saved_model, rows, tokens, transform_output)
    if known is not None and given not in (None, known):
        raise ValueError(f"first_token_id is {given}, but {told}. Leave first_token_id out.")
    first_row = known if given is None else given
    if rows < len(tokens) + (first_row or 0):
        raise ValueError(
            f"{saved_model}: {key} has {rows} rows, too few for the {len(tokens)} tokens from row "
            f"{first_row or 0} on. Was the model trained with another vocabulary?"
        )
    if first_row is None:
        spare = min(rows - len(tokens), 2)
        readings = " or ".join(f"first_token_id={row}" for row in range(spare + 1))
        raise ValueError(
            f"{saved_model}: {key} has {rows} rows for {len(tokens)} tokens: the first token may "
            "have row 0, with a row for unknown words after the last one, or row 1, with a row for "
            f"padding before it; {told}. Pass {readings}, as the model was trained."
        )
    return first_row


def _known_first_row(
    saved_model: str,
    rows: int,
    tokens: Sequence[bytes],
    transform_output: tft.TFTransformOutput | None,
) -> tuple[int | None, str]:
    """Returns the row of the first token if it is certain, and the reason."""
    if _has_signature(saved_model):
        return FIRST_TOKEN_ID, f"the ids of EmbeddingTrainer's tokens start at {FIRST_TOKEN_ID}"
    if rows <= len(tokens):
        return 0, "there is no more than a row for each token"
    lookup = find_lookup(transform_output, tokens) if transform_output else None
    if lookup is None:
        return None, "the transform graph does not tell"
    told = f"the transform graph gives the first token the id {lookup.first_id}"
    if lookup.ids != rows:
        return None, f"{told}, and needs {lookup.ids} rows"
    return lookup.first_id, told


def _has_signature(saved_model: str) -> bool:
    path = os.path.join(saved_model, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path} is missing; expected a SavedModel.")
    with tf.io.gfile.GFile(path, "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    return any(SIGNATURE in graph.signature_def for graph in model.meta_graphs)

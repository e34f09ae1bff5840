"""Transform graphs and models as TFX's stock components and EmbeddingTrainer write them."""

import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

# WORDS are the vocabulary of TEXTS, most frequent first, equally frequent ones in reverse order.
TEXTS = ["a good film", "a bad film", "a film 007", "good ( film"]
WORDS = [b"film", b"a", b"good", b"bad", b"007", b"("]
COUNTS = [4, 3, 2, 1, 1, 1]
DIMENSIONS = 4
RAW_SPEC = {
    "text": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


def ids(inputs: dict[str, tf.Tensor], shift: int = 0, **arguments: Any) -> dict[str, tf.Tensor]:
    """Returns the ids of the words and two unrelated features; a `preprocessing_fn`."""
    tokens = tf.strings.split(tf.reshape(inputs["text"], [-1])).to_sparse()
    found = tft.compute_and_apply_vocabulary(tokens, vocab_filename="vocabulary", **arguments)
    shifted = tf.SparseTensor(found.indices, found.values + shift, found.dense_shape)
    return {"ids": shifted, "label": inputs["label"], "words": _lengths(tokens)}


def _lengths(tokens: tf.SparseTensor) -> tf.Tensor:
    return tf.RaggedTensor.from_sparse(tokens).row_lengths()


def make_graph(directory: pathlib.Path, preprocess: Callable = ids) -> tft.TFTransformOutput:
    """Analyzes TEXTS as Transform does, and returns the transform graph."""
    data = [{"text": text, "label": 0} for text in TEXTS]
    schema = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(RAW_SPEC))
    with tft_beam.Context(temp_dir=str(directory / "temp")):
        graph = (data, schema) | tft_beam.AnalyzeDataset(preprocess)
        graph | tft_beam.WriteTransformFn(str(directory / "graph"))
    metadata_io.write_metadata(schema, str(directory / "graph" / "metadata"))
    return tft.TFTransformOutput(str(directory / "graph"))


def copy_graph(
    graph: tft.TFTransformOutput, directory: pathlib.Path, **vocabularies: Sequence[bytes]
) -> tft.TFTransformOutput:
    """Copies a transform graph, with vocabularies replaced or added, each given by its lines."""
    root = pathlib.Path(graph.transform_savedmodel_dir).parent
    shutil.copytree(root, directory)
    for name, lines in vocabularies.items():
        asset = directory / "transform_fn" / "assets" / name
        asset.write_bytes(b"".join(line + b"\n" for line in lines))
    return tft.TFTransformOutput(str(directory))


def make_model(
    directory: pathlib.Path, rows: int, graph: tft.TFTransformOutput | None = None
) -> tuple[str, np.ndarray]:
    """Saves a model with an embedding, and returns its path and the embedding.

    With a graph, the model is saved as in TFX's templates: its signature transforms serialized
    examples, so the vocabulary is among its assets.
    """
    tokens = keras.Input((None,), dtype="int64")
    embedded = keras.layers.Embedding(rows, DIMENSIONS, name="embedding")(tokens)
    model = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(embedded))
    module = tf.Module()
    module.model = model
    if graph is None:
        spec = tf.TensorSpec([None, None], tf.int64)
        serve = tf.function(lambda token_ids: {"outputs": model(token_ids)}, input_signature=[spec])
    else:
        module.transform = graph.transform_features_layer()

        def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            features = module.transform.call(tf.io.parse_example(examples, RAW_SPEC))
            return {"outputs": model(tf.sparse.to_dense(features["ids"]))}

        spec = tf.TensorSpec([None], tf.string)
        serve = tf.function(serve_examples, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(directory), signatures={"serving_default": serve})
    return str(directory), model.get_layer("embedding").get_weights()[0]


class TokenModel(tf.Module):
    """A model of two classes: the second has the mean of n / V over a text's tokens n of V."""

    def __init__(self, size: int) -> None:
        self.table = tf.Variable(np.arange(size + 2, dtype=np.float32) / size)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="token_ids")])
    def serve(self, token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        positive = tf.reduce_mean(tf.gather(self.table, token_ids), axis=1)
        return {"probabilities": tf.stack([1 - positive, positive], axis=1)}


def save_trained(
    directory: pathlib.Path,
    tokens: Sequence[bytes],
    matrix: np.ndarray,
    vocabulary: str = "vocabulary",
) -> str:
    """Saves a model like EmbeddingTrainer's: a vocabulary, an embedding, `serve_token_ids`."""
    asset = directory.parent / vocabulary
    asset.write_bytes(b"".join(token + b"\n" for token in tokens))
    model = TokenModel(len(tokens))
    model.embedding = tf.Variable(matrix)
    model.vocabulary = tf.saved_model.Asset(str(asset))
    tf.saved_model.save(model, str(directory), signatures={"serve_token_ids": model.serve})
    return str(directory)

"""The export of TensorFlow's Embedding Projector tutorial, as it describes it, and what it shows.

The tutorial trains on subwords of the IMDB reviews and writes a checkpoint of the embedding without
its first row, a ``metadata.tsv`` of the subwords and a ``projector_config.pbtxt``:
https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin

Run ``python -m benchmarks.tutorial DIR`` to export into DIR and verify what is there.
"""

import argparse
import collections
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorboard.plugins import projector

from components.projector_exporter.verify import verify

DIMENSIONS = 16
VOCABULARY_SIZE = 2**13
BATCH_SIZE = 10


def read_reviews(split: str) -> tuple[list[str], np.ndarray]:
    """Reads the IMDB reviews.

    Args:
        split: A TFDS split expression.

    Returns:
        Texts, and labels, int64 [reviews].
    """
    reviews = list(tfds.as_numpy(tfds.load("imdb_reviews/plain_text", split=split)))
    texts = [review["text"].decode() for review in reviews]
    return texts, np.array([review["label"] for review in reviews])


def train(encoder: tfds.deprecated.text.SubwordTextEncoder, split: str) -> np.ndarray:
    """Trains the tutorial's model for one epoch on padded batches of ten.

    Args:
        encoder: The subwords.
        split: What to train on.

    Returns:
        The embedding, float32 [ids, DIMENSIONS].
    """
    texts, labels = read_reviews(split)
    ids = tf.ragged.constant([encoder.encode(text) for text in texts])
    dataset = tf.data.Dataset.from_tensor_slices((ids, labels)).shuffle(len(texts), seed=0)
    batches = dataset.map(lambda row, label: (row, label)).padded_batch(BATCH_SIZE)
    model = keras.Sequential(
        [
            keras.layers.Embedding(encoder.vocab_size, DIMENSIONS),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model.fit(batches, epochs=1, verbose=2)
    return model.layers[0].get_weights()[0]


def export(directory: pathlib.Path, subwords: list[str], embedding: np.ndarray) -> None:
    """Writes the tutorial's projector directory.

    Args:
        directory: Where to; is made.
        subwords: The encoder's, in the order of their ids.
        embedding: Float32 [ids, dimensions]; row 0 is the padding.
    """
    directory.mkdir(parents=True)
    with (directory / "metadata.tsv").open("w") as file:
        for subword in subwords:
            file.write(f"{subword}\n")
        for unknown in range(1, len(embedding) - len(subwords)):
            file.write(f"unknown #{unknown}\n")
    weights = tf.Variable(embedding[1:])
    tf.train.Checkpoint(embedding=weights).save(str(directory / "embedding.ckpt"))
    config = projector.ProjectorConfig()
    config.embeddings.add(
        tensor_name="embedding/.ATTRIBUTES/VARIABLE_VALUE", metadata_path="metadata.tsv"
    )
    projector.visualize_embeddings(str(directory), config)


def main() -> None:
    """Exports and verifies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--split", default="train[:2500]")
    arguments = parser.parse_args()
    texts, _ = read_reviews(arguments.split)
    encoder = tfds.deprecated.text.SubwordTextEncoder.build_from_corpus(texts, VOCABULARY_SIZE)
    export(arguments.directory, encoder.subwords, train(encoder, arguments.split))
    found = verify(str(arguments.directory))
    print(f"{encoder.vocab_size - 1} rows, {len(found)} violations; the first of each kind:")
    kinds: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for violation in found:
        kinds[violation.file, violation.problem.partition(":")[0].split("'")[0]].append(
            str(violation)
        )
    for (_, _), examples in kinds.items():
        print(f"  {len(examples):5} x {examples[0]}")


if __name__ == "__main__":
    main()

"""Measures the notebook of TensorFlow's Embedding Projector tutorial.

It trains on subwords of the IMDB reviews, in padded batches of ten, for one epoch, and writes a
checkpoint of the embedding without its first row, a ``metadata.tsv`` of the subwords and a
``projector_config.pbtxt``: https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin

``python -m benchmarks.tutorial`` trains, exports to ``output/bench`` and verifies the export.

TFDS no longer offers the reviews as subwords, so the same encoder encodes them here, outside the
measured time. It learns from the first 3 million of the reviews' 33 million characters, which takes
half a minute instead of five, and its subwords are kept for the next run.
"""

import collections
import functools
import math
import multiprocessing
import os
import pathlib
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorboard.plugins import projector

from benchmarks import setting
from components.projector_directory.verify import verify

DIMENSIONS = 16
VOCABULARY_SIZE = 2**13
BATCH_SIZE = 10
# Batches of the test split that the notebook validates on.
VALIDATION_STEPS = 20
_CORPUS_CHARACTERS = 3_000_000
# Batches that are not measured, because the graph is built in them.
_WARM_UP = 100

Encoder = tfds.deprecated.text.SubwordTextEncoder


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    subwords = _subwords(chosen)
    train = _encoded(chosen, subwords, "train")
    test = _encoded(chosen, subwords, "eval")
    encoder = Encoder.load_from_file(subwords)
    model = build_model(encoder.vocab_size)
    clock = _Clock()
    start = time.monotonic()
    model.fit(
        _batches(*train).shuffle(1000, seed=0).padded_batch(BATCH_SIZE),
        epochs=1,
        validation_data=_batches(*test).padded_batch(BATCH_SIZE),
        validation_steps=VALIDATION_STEPS,
        callbacks=[clock],
        verbose=0,
    )
    seconds = time.monotonic() - start
    _, accuracy = model.evaluate(_batches(*test).padded_batch(BATCH_SIZE), verbose=0)
    directory = chosen.fresh("tutorial") / "projector"
    start = time.monotonic()
    export(directory, encoder.subwords, model.layers[0].get_weights()[0])
    export_seconds = time.monotonic() - start
    found = verify(str(directory))
    for line in _kinds(found):
        print(line)
    setting.report(
        {
            "fit_seconds": seconds,
            "examples_per_second": clock.examples_per_second,
            "tokens_per_example": float(np.mean([len(ids) for ids in train[0]])),
            "test_accuracy": accuracy,
            "export_seconds": export_seconds,
            "exported_rows": encoder.vocab_size - 1,
            "violations": len(found),
        }
    )


def build_model(rows: int) -> keras.Model:
    """Builds the notebook's model.

    Args:
        rows: Rows of the embedding.

    Returns:
        A compiled model from ids, int32 [batch, tokens], to a logit, float32 [batch, 1].
    """
    model = keras.Sequential(
        [
            keras.layers.Embedding(rows, DIMENSIONS),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


def export(directory: pathlib.Path, subwords: list[str], embedding: np.ndarray) -> None:
    """Writes the tutorial's projector directory.

    Args:
        directory: A new directory.
        subwords: The subwords in the order of their ids.
        embedding: Vectors, float32 [ids, dimensions]; row 0 is the padding's.
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


class _Clock(keras.callbacks.Callback):
    """Times the batches after the warm-up."""

    def on_train_begin(self, logs: Any = None) -> None:
        self._at = [time.monotonic()]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._at.append(time.monotonic())

    @property
    def examples_per_second(self) -> float:
        times = self._at[min(_WARM_UP, len(self._at) // 2) :]
        return BATCH_SIZE * (len(times) - 1) / (times[-1] - times[0])


def _subwords(chosen: setting.Setting) -> str:
    """Returns the path of the subwords' file without its suffix."""
    prefix = chosen.work / "subwords" / "vocabulary"
    if not prefix.with_suffix(".subwords").exists():
        prefix.parent.mkdir(parents=True, exist_ok=True)
        texts, _ = chosen.reviews("train")
        encoder = Encoder.build_from_corpus(
            texts, VOCABULARY_SIZE, max_corpus_chars=_CORPUS_CHARACTERS
        )
        encoder.save_to_file(str(prefix))
    return str(prefix)


def _encoded(
    chosen: setting.Setting, subwords: str, split: str
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the token ids of each review, and the labels."""
    path = pathlib.Path(subwords).with_name(f"{split}.npz")
    if not path.exists():
        texts, labels = chosen.reviews(split)
        parts = os.cpu_count() or 1
        size = math.ceil(len(texts) / parts)
        with multiprocessing.get_context("spawn").Pool(
            parts
        ) as pool:  # The encoder is pure Python and takes a minute.
            encode = functools.partial(_encode, subwords)
            encoded = pool.map(encode, [texts[i : i + size] for i in range(0, len(texts), size)])
        rows = [row for part in encoded for row in part]
        incomplete = path.with_name(f"incomplete-{path.name}")
        lengths = [len(row) for row in rows]
        np.savez(incomplete, ids=np.concatenate(rows), lengths=lengths, labels=labels)
        incomplete.rename(path)
    with np.load(path) as saved:
        ends = np.cumsum(saved["lengths"])[:-1]
        return np.split(saved["ids"], ends), saved["labels"]


def _encode(subwords: str, texts: list[str]) -> list[np.ndarray]:
    encoder = Encoder.load_from_file(subwords)
    return [np.array(encoder.encode(text), np.int32) for text in texts]


def _batches(rows: list[np.ndarray], labels: np.ndarray) -> tf.data.Dataset:
    """Returns a dataset of (token ids, int32 [tokens]; label)."""
    lengths = [len(row) for row in rows]
    ids = tf.RaggedTensor.from_row_lengths(np.concatenate(rows), lengths)
    dataset = tf.data.Dataset.from_tensor_slices((ids, labels))
    return dataset.map(lambda row, label: (row, label))  # Rows of a ragged tensor become dense.


def _kinds(violations: list[Any]) -> list[str]:
    kinds: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for violation in violations:
        kinds[violation.file, violation.problem.partition(":")[0].split("'")[0]].append(
            str(violation)
        )
    return [f"{len(examples):5} x {examples[0]}" for examples in kinds.values()]


if __name__ == "__main__":
    main()

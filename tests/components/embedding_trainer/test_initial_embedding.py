import pathlib
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.utils import path_utils

from components.embedding_trainer.initial_embedding import bootstrap_overlap, cooccurrence_embedding
from components.embedding_trainer.input_pipeline import Examples
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.training import train
from components.vectors.saved_embedding import read_embedding

from . import harness

WORDS = 4
PADDING, UNKNOWN = 0, WORDS + 1


def in_memory(texts: list[list[int]], validation_size: int = 0) -> Examples:
    lengths = np.array([len(text) for text in texts], np.int64)
    tokens = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the examples)
    tokens.write(np.concatenate(texts).astype(np.int32).tobytes())
    tokens.flush()
    labels = np.arange(len(texts), dtype=np.int32) % 2
    return Examples(tokens, np.cumsum(lengths) - lengths, lengths, labels, validation_size)


def test_only_words_of_the_training_examples_have_a_vector() -> None:
    examples = in_memory([[3, 4, 3, 4], [1, 2, UNKNOWN, 2, 1]], validation_size=1)

    embedding = cooccurrence_embedding(examples, WORDS, 16)

    assert embedding.shape == (WORDS + 2, 16)
    assert embedding.any(axis=1).tolist() == [False, True, True, False, False, False]


def test_words_of_different_texts_are_not_near_each_other() -> None:
    examples = in_memory([[1, 2, 1, 2, 1, 2], [3, 4, 3, 4, 3, 4]] * 1500)

    embedding = cooccurrence_embedding(examples, WORDS, 2)[1:5]

    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    assert np.abs(unit[:2] @ unit[2:].T).max() < 1e-3
    assert unit[0] @ unit[1] > 0.9
    assert unit[2] @ unit[3] > 0.9


def test_neighbors_that_follow_from_many_texts_stay_in_others() -> None:
    chance = np.random.default_rng(2)
    # Each text of `topics` draws from one of four topics; the few of `anything` from all words.
    topics = [(10 * chance.integers(4) + chance.integers(1, 11, 30)).tolist() for _ in range(400)]
    anything = [chance.integers(1, 41, 5).tolist() for _ in range(30)]
    vocabulary = [f"word{row}" for row in range(40)]

    stable, unstable = (
        bootstrap_overlap(cooccurrence_embedding(examples, 40, 4), examples, vocabulary)
        for examples in (in_memory(topics), in_memory(anything))
    )

    assert stable is not None and unstable is not None
    assert 0.7 < stable < 1
    assert unstable < stable - 0.1


def test_the_trainer_starts_from_it(two_classes: str, tmp_path: pathlib.Path) -> None:
    """Trains at a learning rate so small that the weights stay at their initial values."""
    trained = {}
    for start in ("cooccurrence", "random"):
        model = harness.execute(
            two_classes,
            str(tmp_path / start),
            epochs=1,
            learning_rate=1e-9,
            initial_embedding=start,
        )
        assert model.get_string_custom_property("initial_embedding") == start
        measured = start == "cooccurrence"
        assert model.has_custom_property("bootstrap_overlap") == measured
        _, trained[start] = read_embedding(path_utils.serving_model_path(model.uri))
    near, chance = trained["cooccurrence"], trained["random"]
    assert np.isclose((near**2).mean(), 1, atol=0.3)
    assert np.abs(chance).max() < 0.1  # Keras draws from -0.05 to 0.05.


def test_the_penalty_holds_the_embedding_at_its_start(two_classes: str) -> None:
    examples = harness.read(two_classes)

    def moved(**options: Any) -> float:
        model = build_model(100, 16, 16, 2)
        start = model.get_weights()[0]
        chosen = TrainingOptions(epochs=2, learning_rate=0.02, batch_size=16, **options)
        outcome = train(lambda: model, examples, chosen, tf.distribute.get_strategy())
        return float(np.square(outcome.weights[0] - start).sum())

    free = moved(initial_embedding_penalty=0.0)
    assert moved(initial_embedding_penalty=0.1) < free / 2
    assert moved(initial_embedding="random", initial_embedding_penalty=0.1) > free / 2

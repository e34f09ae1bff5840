"""Compares embeddings by their accuracy, and by the meaning and the stability of their neighbors.

The examples and the configuration are those of the pipeline, which runs first if it has no outputs
yet. Each start and penalty of this project, and gensim's Word2Vec (skip-gram), is trained with two
seeds. Bag-of-words classifiers show the accuracy that is possible without an embedding. Prints for
each:

* the accuracy on the validation examples; for gensim, of a logistic regression on a text's mean,
* the rank correlations with WordSim-353 and SimLex-999, which gensim ships,
* the share of a word's ten nearest neighbors that are the same in both trainings, for all words and
  for the 2,000 most frequent; the same for the co-occurrence start and that of a bootstrap,
* the share of the variance in the first principal component,
* the CPU seconds of a training.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import tensorflow as tf
from gensim.models import Word2Vec
from gensim.test.utils import datapath
from sklearn.linear_model import LogisticRegression

from benchmarks import setting, training
from components.embedding_trainer.initial_embedding import (
    cooccurrence_embedding,
    initial_embedding,
)
from components.embedding_trainer.input_pipeline import Examples, count_classes
from components.embedding_trainer.model import build_model
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.training import train
from components.projector_exporter.word_pairs import read_word_pairs
from components.text.features import FIRST_TOKEN_ID, input_dim
from components.text.vocabulary import read_vocabulary
from components.vectors.neighbors import nearest_neighbors
from components.vectors.quality import first_component_share, similarity

_STARTS: dict[str, dict[str, Any]] = {
    "random": {"initial_embedding": "random"},
    **{
        f"cooccurrence_{penalty:g}": {"initial_embedding_penalty": penalty}
        for penalty in (0.0, 1e-5, 1e-4)
    },
}
_FREQUENT = 2000
_NEIGHBORS = 10
# Added to each count of NBSVM; Wang and Manning, "Baselines and Bigrams" (ACL 2012).
_SMOOTHING = 1
_WORD_PAIRS = {"wordsim": "wordsim353.tsv", "simlex": "simlex999.txt"}


@dataclasses.dataclass(frozen=True)
class _Data:
    """The examples in memory; those for validation come first."""

    examples: Examples
    words: list[bytes]
    options: TrainingOptions

    @functools.cached_property
    def texts(self) -> list[np.ndarray]:
        return [self.examples.token_ids(number) for number in range(len(self.examples.labels))]

    @functools.cached_property
    def rows(self) -> int:
        return input_dim(len(self.words))

    def accuracy(self, features: Any) -> float:
        """Returns the accuracy of a logistic regression on features of the texts."""
        size, labels = self.examples.validation_size, self.examples.labels
        model = LogisticRegression(max_iter=1000).fit(features[size:], labels[size:])
        return float(model.score(features[:size], labels[:size]))


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    paths, transform_output = training.transformed(chosen)
    words = [word.encode() for word in read_vocabulary(transform_output)]
    examples = training.read(paths, transform_output, chosen.config.training)
    data = _Data(examples, words, chosen.config.training)
    metrics = _bootstrap(data)
    for name, changes in _STARTS.items():
        metrics |= _measure(name, data, functools.partial(_trained, data, changes))
    metrics |= _measure("word2vec", data, functools.partial(_word2vec, data))
    for name, features in {"bag_of_words": _bag_of_words, "nbsvm_bigrams": _nbsvm}.items():
        start = time.process_time()
        metrics[f"{name}_accuracy"] = data.accuracy(features(data))
        metrics[f"{name}_cpu_seconds"] = time.process_time() - start
    setting.report(metrics)


def _bootstrap(data: _Data) -> dict[str, float]:
    """Compares the co-occurrence start with that of a bootstrap of the examples."""
    start = time.process_time()
    embed = functools.partial(
        cooccurrence_embedding, data.examples, len(data.words), data.options.embedding_dim
    )
    vectors = embed()
    seconds = time.process_time() - start
    again = embed(bootstrap=True)
    measured = _overlaps(vectors[FIRST_TOKEN_ID:-1], again[FIRST_TOKEN_ID:-1])
    measured["cpu_seconds"] = seconds
    return {f"start_{key}": value for key, value in measured.items()}


def _measure(
    name: str, data: _Data, embed: Callable[[int], tuple[np.ndarray, float]]
) -> dict[str, float]:
    """Measures the vectors and the accuracy of trainings with two seeds."""
    start = time.process_time()
    (a, accuracy), (b, other) = (embed(seed) for seed in (0, 1))
    seconds = (time.process_time() - start) / 2
    measured: dict[str, float | None] = {
        **_overlaps(a, b),
        "accuracy": (accuracy + other) / 2,
        "first_component": first_component_share(a),
        "cpu_seconds": seconds,
    }
    for pairs, file in _WORD_PAIRS.items():
        measured[pairs] = similarity(data.words, a, read_word_pairs(datapath(file))).rho
    return {f"{name}_{key}": value for key, value in measured.items() if value is not None}


def _overlaps(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Returns the mean share of a word's nearest neighbors in `a` that it also has in `b`."""
    nearest = zip(*(nearest_neighbors(vectors, _NEIGHBORS)[0] for vectors in (a, b)), strict=True)
    shares = [float(np.isin(x, y).mean()) for x, y in nearest]
    return {
        "overlap": float(np.mean(shares)),
        "frequent_overlap": float(np.mean(shares[:_FREQUENT])),
    }


def _trained(data: _Data, changes: dict[str, Any], seed: int) -> tuple[np.ndarray, float]:
    options = dataclasses.replace(data.options, seed=seed, **changes)
    build = functools.partial(
        build_model,
        data.rows,
        options.embedding_dim,
        options.hidden_units,
        count_classes(data.examples.labels),
        initial_embedding(data.examples, len(data.words), options),
    )
    outcome = train(build, data.examples, options, tf.distribute.get_strategy())
    assert outcome.validation is not None
    return outcome.weights[0][FIRST_TOKEN_ID:-1], outcome.validation.accuracy


def _word2vec(data: _Data, seed: int) -> tuple[np.ndarray, float]:
    training_texts = data.texts[data.examples.validation_size :]
    model = Word2Vec(
        [text.astype(str).tolist() for text in training_texts],
        vector_size=data.options.embedding_dim,
        sg=1,
        min_count=1,
        workers=1,  # More would make the vectors depend on the timing of threads.
        seed=seed,
    )
    vectors = np.zeros((data.rows, data.options.embedding_dim), np.float32)
    for token in model.wv.index_to_key:
        vectors[int(token)] = model.wv[token]
    counts = _counts(data.texts, data.rows)
    means = scipy.sparse.diags(1 / np.maximum(counts.sum(axis=1).A1, 1)) @ counts @ vectors
    return vectors[FIRST_TOKEN_ID:-1], data.accuracy(means)


def _bag_of_words(data: _Data) -> scipy.sparse.csr_matrix:
    return _counts(data.texts, data.rows).sign()


def _nbsvm(data: _Data) -> scipy.sparse.csr_matrix:
    """Weights words and bigrams by the log ratio of their counts in two classes."""
    pairs = [text[:-1].astype(np.int64) * data.rows + text[1:] for text in data.texts]
    _, columns = np.unique(np.concatenate(pairs), return_inverse=True)
    ends = np.cumsum([len(pair) for pair in pairs])
    bigrams = _counts(np.split(columns, ends[:-1]), columns.max() + 1).sign()
    features = scipy.sparse.hstack([_bag_of_words(data), bigrams]).tocsr()
    size = data.examples.validation_size
    positive = data.examples.labels[size:] == 1
    known = features[size:]
    logs = [
        np.log(counts / counts.sum())
        for counts in (known[side].sum(axis=0).A1 + _SMOOTHING for side in (positive, ~positive))
    ]
    return (features @ scipy.sparse.diags(logs[0] - logs[1])).tocsr()


def _counts(texts: list[np.ndarray], columns: int) -> scipy.sparse.csr_matrix:
    ends = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    ids = np.concatenate(texts)
    counts = scipy.sparse.csr_matrix(
        (np.ones(len(ids), np.float32), ids, ends), (len(texts), columns)
    )
    counts.sum_duplicates()
    return counts


if __name__ == "__main__":
    main()

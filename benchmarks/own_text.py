"""Compares the pipeline with TF-IDF and logistic regression, on your own files.

``python -m benchmarks.own_text reviews.csv …`` takes files that ``python -m pipeline_def init``
understands, trains on 85 % of each, and prints a JSON line for each. The peer gets the same words
of the same examples, so that only the models differ.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks import process, setting
from components.text.tokenizers import split_words

_SPLITS = {"TRAIN": "data[:85%]", "EVAL": "data[85%:]"}
_STARTS = ("cooccurrence", "random")
_SEEDS = (0, 1)


def main() -> None:
    """Measures and prints a JSON line for each file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_text")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    for file in [file.absolute() for file in parser.parse_args().files]:
        work = pathlib.Path("output", "bench", "own_text", file.stem).absolute()
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        setting.report({"file": file.name, **_measure(file, work)})


def _measure(file: pathlib.Path, work: pathlib.Path) -> dict[str, Any]:
    # `init` writes the configuration to the working directory.
    subprocess.run([sys.executable, "-m", "pipeline_def", "init", file], cwd=work, check=True)
    (configuration,) = work.glob("*.yaml")
    measured: dict[str, Any] = {}
    for start in _STARTS:
        measured[start] = [_accuracy(configuration, work, start, seed) for seed in _SEEDS]
    return {**measured, "tfidf_logistic_regression": _peer(work)}


def _accuracy(configuration: pathlib.Path, work: pathlib.Path, start: str, seed: int) -> float:
    """Runs the pipeline, whose steps before the training are cached after the first run."""
    cost = process.run(
        ["-m", "pipeline_def", "run"],
        PIPELINE_CONFIG=str(configuration),
        PIPELINE__OUTPUT_DIR=str(work / "output"),
        PIPELINE__DATASET__DATA_DIR=str(work / "tfds"),
        PIPELINE__EVALUATION__MIN_ACCURACY="0",
        PIPELINE__TRAINING__INITIAL_EMBEDDING=start,
        PIPELINE__TRAINING__SEED=str(seed),
        **{f"PIPELINE__DATASET__{name}": split for name, split in _SPLITS.items()},
    )
    found = re.search(r"^Accuracy: +([\d.]+)", cost.output, re.MULTILINE)
    assert found, cost.output
    return float(found[1])


def _peer(work: pathlib.Path) -> float:
    """Returns the accuracy of a logistic regression on the TF-IDF of the same words."""
    (stored,) = (work / "tfds" / "text_files").glob("*/1.0.0")
    builder = tfds.builder_from_directory(stored)
    words, labels = {}, {}
    for name, split in _SPLITS.items():
        rows = list(tfds.as_numpy(builder.as_dataset(split=split)))
        words[name] = split_words(tf.constant([row["text"] for row in rows])).to_list()
        labels[name] = np.array([row["label"] for row in rows])
    weights = TfidfVectorizer(analyzer=list, sublinear_tf=True)
    model = LogisticRegression(max_iter=1000, C=10)
    model.fit(weights.fit_transform(words["TRAIN"]), labels["TRAIN"])
    return float(model.score(weights.transform(words["EVAL"]), labels["EVAL"]))


if __name__ == "__main__":
    main()

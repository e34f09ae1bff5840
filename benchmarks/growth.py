"""Measures how time and memory grow with the reviews, the vocabulary and the exported rows.

Each size runs in a new process. Larger sets of reviews are repetitions; each review begins with its
number, so that texts stay distinct and the number of distinct words grows, too. The exponent of a
growth is the slope between the two largest sizes on logarithmic scales; 1 means linear. The stock
pipeline runs on the two smallest numbers of reviews.
"""

import argparse
import dataclasses
import functools
import math
import multiprocessing
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from benchmarks import export, pipeline, process, setting, stock, training
from components.embedding_trainer.model import build_model
from components.embedding_trainer.training import train

# Repetitions of the reviews; rows of the trained embedding; words of the exported one.
_SIZES = {
    "reviews": (1, 4, 16),
    "stock": (1, 4),
    "vocabulary": (10_002, 100_000, 1_000_000),  # The examples have 10,002 ids.
    "rows": (10_000, 100_000, 1_000_000),
}
_QUICK_SIZES = {
    "reviews": (1, 2),
    "stock": (1, 2),
    "vocabulary": (2_000, 4_000),
    "rows": (1_000, 2_000),
}
_QUANTITIES = ("seconds", "cpu_seconds", "peak_mb")
_DIMENSIONS = 64
_DATASET = "repeated_reviews"


def main() -> None:
    """Measures and prints a JSON line; with the argument `ids`, only trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="use small sizes")
    parser.add_argument("ids", nargs="?", type=int, help="train an embedding with this many rows")
    arguments = parser.parse_args()
    chosen = setting.Setting(arguments.quick)
    if arguments.ids:
        _train(chosen, arguments.ids)
        return
    training.transformed(chosen)  # Runs the pipeline now if need be, outside the measured time.
    measured: dict[str, Any] = {}
    for kind, sizes in (_QUICK_SIZES if chosen.quick else _SIZES).items():
        costs = {size: _MEASURES[kind](chosen, size) for size in sizes}
        for quantity in costs[sizes[0]]:
            values = {size: cost[quantity] for size, cost in costs.items()}
            print(f"{kind} {quantity}: {values}", flush=True)
            measured[f"{kind}_{quantity}"] = values
            measured[f"{kind}_{quantity}_exponent"] = _exponent(values)
    setting.report(measured)


def _of_reviews(chosen: setting.Setting, factor: int) -> dict[str, float]:
    cost = pipeline.run(_Repeated(chosen.quick, factor=factor), fresh=True)
    return {**_of_process(cost), **{f"{name}_seconds": took for name, took in cost.steps.items()}}


def _of_stock(chosen: setting.Setting, factor: int) -> dict[str, float]:
    cost = stock.measure(_Repeated(chosen.quick, factor=factor))
    return {name: cost[name] for name in _QUANTITIES}


def _of_vocabulary(chosen: setting.Setting, ids: int) -> dict[str, float]:
    quick = ["--quick"] if chosen.quick else []
    return _of_process(process.run(["-m", "benchmarks.growth", str(ids), *quick]))


def _of_process(cost: process.Cost) -> dict[str, float]:
    return {name: getattr(cost, name) for name in _QUANTITIES}


def _of_rows(_: setting.Setting, rows: int) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, peak = pool.apply(export.measure, (export.CASES["arrow"], rows, _DIMENSIONS))
    return {"seconds": seconds, "peak_mb": peak / 2**20}


_MEASURES: dict[str, Callable[[setting.Setting, int], dict[str, float]]] = {
    "reviews": _of_reviews,
    "stock": _of_stock,
    "vocabulary": _of_vocabulary,
    "rows": _of_rows,
}


def _exponent(costs: dict[int, float]) -> float:
    (small, before), (large, after) = sorted(costs.items())[-2:]
    # Differences below a tenth of a second are noise.
    return math.log(max(after, 0.1) / max(before, 0.1)) / math.log(large / small)


@dataclasses.dataclass(frozen=True)
class _Repeated(setting.Setting):
    """Repeats the reviews.

    Attributes:
        factor: Number of repetitions.
    """

    factor: int = 1

    @property
    def work(self) -> pathlib.Path:
        return super().work / "growth" / str(self.factor)

    def reviews(self, split: str) -> tuple[list[str], np.ndarray]:
        texts, labels = setting.Setting(self.quick).reviews(split)
        repeated = [f"{number} {text}" for number, text in enumerate(texts * self.factor)]
        return repeated, np.tile(labels, self.factor)

    @property
    def variables(self) -> dict[str, str]:
        _prepare(self, self.work / "tfds")
        return {
            **super().variables,
            "PIPELINE__DATASET__NAME": _DATASET,
            "PIPELINE__DATASET__DATA_DIR": str(self.work / "tfds"),
            "PIPELINE__DATASET__BUILDER_MODULE": "",
            # Validation reviews are repetitions, too, so early stopping would never stop.
            "PIPELINE__TRAINING__EPOCHS": "2",
        }


def _prepare(chosen: _Repeated, data_dir: pathlib.Path) -> None:
    """Writes the repeated reviews as a prepared TFDS dataset, with a file for each repetition."""
    directory = data_dir / _DATASET / "1.0.0"
    if directory.exists():
        return
    incomplete = directory.with_name("incomplete")
    incomplete.mkdir(parents=True, exist_ok=True)
    infos = []
    template = tfds.core.ShardedFileTemplate(
        data_dir=incomplete, dataset_name=_DATASET, filetype_suffix="tfrecord"
    )
    for name, split in (("train", "train"), ("test", "eval")):
        texts, labels = chosen.reviews(split)
        size = len(texts) // chosen.factor
        paths = template.replace(split=name).sharded_filepaths(chosen.factor)
        for shard, path in enumerate(paths):
            rows = slice(shard * size, (shard + 1) * size)
            with tf.io.TFRecordWriter(str(path)) as writer:
                for text, label in zip(texts[rows], labels[rows], strict=True):
                    writer.write(_example(text, label))
        infos.append(
            tfds.core.SplitInfo(
                name=name,
                shard_lengths=[size] * chosen.factor,
                num_bytes=sum(pathlib.Path(path).stat().st_size for path in paths),
                filename_template=template.replace(split=name),
            )
        )
    label = tfds.features.ClassLabel(names=["neg", "pos"])
    features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "label": label})
    tfds.folder_dataset.write_metadata(
        data_dir=incomplete,
        features=features,
        split_infos=infos,
        filename_template=template,
        supervised_keys=("text", "label"),
    )
    incomplete.rename(directory)


def _example(text: str, label: int) -> bytes:
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(text.encode())
    example.features.feature["label"].int64_list.value.append(label)
    return example.SerializeToString()


def _train(chosen: setting.Setting, rows: int) -> None:
    paths, transform_output = training.transformed(chosen)
    options = dataclasses.replace(chosen.config.training, epochs=2, early_stopping_patience=0)
    build = functools.partial(build_model, rows, options.embedding_dim, options.hidden_units, 2)
    examples = training.read(paths, transform_output, options)
    train(build, examples, options, tf.distribute.get_strategy())


if __name__ == "__main__":
    main()

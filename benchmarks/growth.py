"""How time and memory grow with the reviews, with the vocabulary and with the exported rows.

Every size is a process of its own. The reviews are repeated, each with a number of its own in front
so that no two are alike and the distinct words grow with them. The exponent of a growth is the
slope between its two largest sizes, of logarithms: 1 is linear.
"""

import argparse
import dataclasses
import functools
import itertools
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from benchmarks import pipeline, process, setting, training
from components.embedding_trainer.input_pipeline import summarize
from components.embedding_trainer.model import build_model
from components.embedding_trainer.training import train
from components.projector_exporter.export import Embedding, export_embedding
from components.projector_exporter.options import ExportOptions

# Times the reviews; ids of the trained embedding; words of the exported one.
_SIZES = {
    "reviews": (1, 4, 16),
    "vocabulary": (10_002, 100_000, 1_000_000),  # No fewer than the examples have ids.
    "rows": (10_000, 100_000, 1_000_000),
}
_QUICK_SIZES = {"reviews": (1, 2), "vocabulary": (2_000, 4_000), "rows": (1_000, 2_000)}
_DATASET = "repeated_reviews"


def main() -> None:
    """Measures and prints a JSON line; with a kind and a size, only runs that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("kind", nargs="?", choices=["vocabulary", "rows"])
    parser.add_argument("size", nargs="?", type=int)
    arguments = parser.parse_args()
    chosen = setting.Setting(arguments.quick)
    if arguments.kind:
        {"vocabulary": _train, "rows": _export}[arguments.kind](chosen, arguments.size)
        return
    measured: dict[str, Any] = {}
    for kind, sizes in (_QUICK_SIZES if chosen.quick else _SIZES).items():
        costs = {size: _cost(chosen, kind, size) for size in sizes}
        for size, cost in costs.items():
            print(f"{kind} {size}: {cost.seconds:.0f} s, {cost.peak_mb:.0f} MB, {cost.steps}")
            measured[f"{kind}_{size}_steps"] = cost.steps
        for quantity in ("seconds", "cpu_seconds", "peak_mb"):
            values = {size: getattr(cost, quantity) for size, cost in costs.items()}
            measured[f"{kind}_{quantity}"] = values
            measured[f"{kind}_{quantity}_exponent"] = _exponent(values)
    setting.report(measured)


def _cost(chosen: setting.Setting, kind: str, size: int) -> process.Cost:
    if kind == "reviews":
        return pipeline.run(_Repeated(chosen.quick, factor=size), fresh=True)
    quick = ["--quick"] if chosen.quick else []
    return process.run(["-m", "benchmarks.growth", kind, str(size), *quick])


def _exponent(costs: dict[int, float]) -> float:
    (small, before), (large, after) = sorted(costs.items())[-2:]
    return math.log(after / before) / math.log(large / small)


@dataclasses.dataclass(frozen=True)
class _Repeated(setting.Setting):
    """The reviews, repeated.

    Attributes:
        factor: How often.
    """

    factor: int = 1

    @property
    def work(self) -> pathlib.Path:
        return super().work / "growth" / str(self.factor)

    @property
    def variables(self) -> dict[str, str]:
        _prepare(setting.Setting(self.quick), self.factor, self.work / "tfds")
        return {
            **super().variables,
            "PIPELINE__DATASET__NAME": _DATASET,
            "PIPELINE__DATASET__DATA_DIR": str(self.work / "tfds"),
            "PIPELINE__DATASET__BUILDER_MODULE": "",
        }


def _prepare(chosen: setting.Setting, factor: int, data_dir: pathlib.Path) -> None:
    """Writes the repeated reviews as a prepared TFDS dataset, one file a repetition."""
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
        numbers = itertools.count()
        paths = template.replace(split=name).sharded_filepaths(factor)
        for path in paths:
            with tf.io.TFRecordWriter(str(path)) as writer:
                for record in _numbered(texts, labels, numbers):
                    writer.write(record)
        infos.append(
            tfds.core.SplitInfo(
                name=name,
                shard_lengths=[len(texts)] * factor,
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


def _numbered(texts: list[str], labels: np.ndarray, numbers: Iterator[int]) -> Iterator[bytes]:
    for text, label, number in zip(texts, labels, numbers):  # noqa: B905 (numbers never end)
        example = tf.train.Example()
        example.features.feature["text"].bytes_list.value.append(f"{number} {text}".encode())
        example.features.feature["label"].int64_list.value.append(label)
        yield example.SerializeToString()


def _train(chosen: setting.Setting, rows: int) -> None:
    files, _ = training.transformed(chosen)
    options = dataclasses.replace(chosen.config.training, epochs=2, early_stopping_patience=0)
    build = functools.partial(build_model, rows, options.embedding_dim, options.hidden_units, 2)
    train(build, files, summarize(files), options, tf.distribute.get_strategy())


def _export(chosen: setting.Setting, words: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(words, 16)).astype(np.float32)
    tokens = [f"word{number}".encode() for number in range(words)]
    directory = chosen.fresh("growth-rows") / "projection"
    export_embedding(str(directory), Embedding(tokens, matrix), ExportOptions(layouts=()))


if __name__ == "__main__":
    main()

"""Defines the reviews that the benchmarks run on, and the directory of their outputs."""

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from components.tfds_example_gen import dataset
from pipeline_def import config

CONFIGS = pathlib.Path(config.__file__).parent / "configs"


@dataclasses.dataclass(frozen=True)
class Setting:
    """Chooses the configuration to measure.

    Attributes:
        quick: Whether to use the sample's 4,000 reviews, as a test of the benchmarks, instead of
            the 50,000 IMDB reviews.
    """

    quick: bool = False

    @property
    def work(self) -> pathlib.Path:
        """Absolute path of the directory of all outputs."""
        return pathlib.Path("output/bench", "quick" if self.quick else "full").absolute()

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that choose the configuration of a pipeline's process."""
        return {
            "PIPELINE_CONFIG": str(CONFIGS / ("sample.yaml" if self.quick else "imdb.yaml")),
            "PIPELINE__OUTPUT_DIR": str(self.work),
        }

    @functools.cached_property
    def config(self) -> config.PipelineConfig:
        """The configuration of the pipeline."""
        return config.load(self.variables)

    def reviews(self, split: str) -> tuple[list[str], np.ndarray]:
        """Reads the reviews of a split with TFDS alone, as the tutorial does.

        Args:
            split: 'train' or 'eval'.

        Returns:
            The texts and their labels, int64 [reviews].
        """
        chosen = self.config.dataset
        assert chosen.name, "The benchmarks' configurations name a TFDS dataset."
        resolved = dataset.resolve(
            chosen.name,
            {"all": "all"},
            data_dir=chosen.data_dir,
            builder_module=chosen.builder_module,
        )
        rows = tfds.as_numpy(
            tfds.load(resolved.name, split=getattr(chosen, split), data_dir=chosen.data_dir)
        )
        texts, labels = zip(*((row["text"].decode(), row["label"]) for row in rows), strict=True)
        return list(texts), np.array(labels)

    def fresh(self, name: str) -> pathlib.Path:
        """Makes an empty directory in the work directory, and returns its path."""
        directory = self.work / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory


def from_arguments(description: str | None) -> Setting:
    """Parses the arguments that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="use the sample's reviews")
    return Setting(parser.parse_args().quick)


def report(measured: dict[str, Any]) -> None:
    """Prints metrics as the JSON line that `python -m benchmarks` reads."""
    print(json.dumps(measured), flush=True)


def require_reviews(quick: bool) -> None:
    """Ends the process if the IMDB reviews are needed and missing.

    Raises:
        SystemExit: The environment variable TFDS_DATA_DIR does not name their directory.
    """
    directory = os.environ.get("TFDS_DATA_DIR", "")
    if not quick and not (pathlib.Path(directory) / "imdb_reviews" / "plain_text").is_dir():
        raise SystemExit(
            "make bench needs the prepared imdb_reviews, and TFDS_DATA_DIR is "
            f"{directory!r}; set it to the directory that has them."
        )

"""What every benchmark runs on: the reviews, and where their outputs go."""

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
    """The configuration that is measured.

    Attributes:
        quick: Whether to run on the sample's few hundred reviews, to see that all runs, rather
            than on the 50,000 IMDB reviews.
    """

    quick: bool = False

    @property
    def work(self) -> pathlib.Path:
        """Directory of all outputs, absolute."""
        return pathlib.Path("output/bench", "quick" if self.quick else "full").absolute()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that choose the configuration for the pipeline's process."""
        return {
            "PIPELINE_CONFIG": str(CONFIGS / ("sample.yaml" if self.quick else "imdb.yaml")),
            "PIPELINE__OUTPUT_DIR": str(self.work),
        }

    @functools.cached_property
    def config(self) -> config.PipelineConfig:
        """The pipeline's configuration."""
        return config.load(self.variables)

    def reviews(self, split: str) -> tuple[list[str], np.ndarray]:
        """Reads the reviews of a split as the tutorial does, with TFDS alone.

        Args:
            split: 'train' or 'eval'.

        Returns:
            Texts, and labels, int64 [reviews].
        """
        chosen = self.config.dataset
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
        """Returns an empty directory of a name in the work directory."""
        directory = self.work / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory


def from_arguments(description: str | None) -> Setting:
    """Reads the arguments that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="on the sample's few reviews")
    return Setting(parser.parse_args().quick)


def report(measured: dict[str, Any]) -> None:
    """Prints what a benchmark measured, as the JSON line that `python -m benchmarks` reads."""
    print(json.dumps(measured), flush=True)


def require_reviews(quick: bool) -> None:
    """Ends the process if the IMDB reviews are not at hand.

    Raises:
        SystemExit: The environment variable TFDS_DATA_DIR does not name their directory.
    """
    directory = os.environ.get("TFDS_DATA_DIR", "")
    if not quick and not (pathlib.Path(directory) / "imdb_reviews" / "plain_text").is_dir():
        raise SystemExit(
            "make bench needs TFDS_DATA_DIR, the directory with the prepared imdb_reviews, "
            f"and it is {directory!r}."
        )

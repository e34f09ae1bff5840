"""Small datasets, prepared by TFDS itself and without a network."""

import os
import pathlib
import shutil
import urllib.request
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import tensorflow_datasets as tfds

IMDB = "imdb_reviews/plain_text"


class _Dataset(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Base of the datasets; `examples` is the size of the split 'train'."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES: dict = {}  # noqa: RUF012
    KEYS: tuple | None = None
    examples = 12

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.FEATURES),
            supervised_keys=self.KEYS,
        )

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator]:
        return {"train": self._generate_examples(self.examples), "test": self._generate_examples(5)}

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict]]:
        for index in range(count):
            yield index, self.example(index)


class TinyPlain(_Dataset):
    """Has exactly the features that the component writes."""

    FEATURES = {  # noqa: RUF012
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(names=["neg", "pos"]),
    }
    KEYS = ("text", "label")

    @staticmethod
    def example(index: int) -> dict:
        return {"text": f"review {index} ä", "label": index % 2}


class TinyRated(TinyPlain):
    """Has the features of TinyPlain and one more."""

    FEATURES = {**TinyPlain.FEATURES, "stars": np.int64}  # noqa: RUF012

    @staticmethod
    def example(index: int) -> dict:
        return {**TinyPlain.example(index), "stars": index % 5}


class TinyTopics(_Dataset):
    """Has other names, three classes, further features and no supervised_keys."""

    FEATURES = {  # noqa: RUF012
        "body": tfds.features.Text(),
        "topic": tfds.features.ClassLabel(names=["art", "bread", "chess"]),
        "stars": np.int32,
        "score": np.float32,
        "words": tfds.features.Sequence(tfds.features.Text()),
        "picture": tfds.features.Image(shape=(None, None, 3)),
    }

    @staticmethod
    def example(index: int) -> dict:
        return {
            "body": f"article {index}",
            "topic": index % 3,
            "stars": index % 5,
            "score": index / 2,
            "words": ["article", str(index)],
            "picture": np.zeros((1, 1, 3), np.uint8),
        }


class TinyNested(_Dataset):
    """Has the text and the label in nested features."""

    FEATURES = {"n": np.int64, "review": {"label": np.int64, "told": TinyPlain.FEATURES}}  # noqa: RUF012

    @staticmethod
    def example(index: int) -> dict:
        return {"n": index, "review": {"label": index, "told": TinyPlain.example(index)}}


class TinyUnlabeled(TinyPlain):
    """Has a split without labels, as imdb_reviews; in 'mixed' only the last example has none."""

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator]:
        return {
            "train": self._labeled([0, 1, 0]),
            "unsupervised": self._labeled([-1, -1]),
            "mixed": self._labeled([0, 1, 0, 1, 0, 1, 0, 1, 0, -1]),
        }

    def _labeled(self, labels: list[int]) -> Iterator[tuple[int, dict]]:
        for index, label in enumerate(labels):
            yield index, {"text": f"review {index}", "label": label}


class TinyEmpty(TinyPlain):
    """Has one empty text."""

    @staticmethod
    def example(index: int) -> dict:
        return {"text": "" if index == 7 else f"review {index}", "label": 0}


class TinyConfigured(TinyPlain):
    """Has two configurations."""

    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="short"),
        tfds.core.BuilderConfig(name="long"),
    ]


Builders = dict[str, type[_Dataset]]

BUILDERS: Builders = {
    "tiny_plain": TinyPlain,
    "tiny_rated": TinyRated,
    "tiny_topics": TinyTopics,
    "tiny_nested": TinyNested,
    "tiny_unlabeled": TinyUnlabeled,
    "tiny_empty": TinyEmpty,
    "tiny_configured": TinyConfigured,
}

Prepare = Callable[..., pathlib.Path]


@pytest.fixture
def builders() -> Builders:
    """Returns the builder classes by name."""
    return BUILDERS


@pytest.fixture
def prepare(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Returns a function that prepares a dataset of this module in a new data_dir.

    A proxy at a closed port keeps the test from downloading anything.
    """
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # urlopen keeps the proxies of its first call, so later tests could not reach their servers.
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing here"))

    def prepared(
        name: str,
        examples: int = 12,
        shards: int = 1,
        file_format: str = "tfrecord",
        directory: str = "tfds",
        config: str | None = None,
    ) -> pathlib.Path:
        data_dir = tmp_path / directory
        shutil.rmtree(data_dir / name, ignore_errors=True)
        monkeypatch.setattr(BUILDERS[name], "examples", examples)
        builder = BUILDERS[name](data_dir=data_dir, config=config)
        builder.download_and_prepare(
            file_format=file_format,
            download_config=tfds.download.DownloadConfig(num_shards=shards),
        )
        return data_dir

    return prepared


@pytest.fixture(scope="session")
def imdb_dir() -> str:
    """Returns the directory with imdb_reviews; skips the test where there is none."""
    data_dir = os.environ.get("TFDS_DATA_DIR", "")
    if not (pathlib.Path(data_dir) / IMDB).is_dir():
        pytest.skip(f"TFDS_DATA_DIR has no {IMDB}")
    return data_dir

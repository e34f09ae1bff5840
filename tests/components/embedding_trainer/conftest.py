"""Makes small sets of transformed reviews, and starts a worker whose child acts."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from components.embedding_trainer import worker

from . import acting_child, acting_hosts, harness

NEUTRAL = ["the", "a", "film", "plot", "actor", "scene", "it", "was", "we", "saw"]
TELLING = (["bad", "awful", "poor"], ["good", "great", "nice"], ["mixed", "fair", "average"])


def _write(directory: str, classes: int, count: int = 300, **custom_config: Any) -> str:
    generator = random.Random(0)
    labels = [index % classes for index in range(count)]
    texts = [
        " ".join(generator.choices(NEUTRAL, k=index % 25) + generator.choices(TELLING[label], k=3))
        for index, label in enumerate(labels)
    ]
    return harness.write_transformed(directory, texts, labels, **custom_config)


@pytest.fixture
def acting_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the children of a training act instead of train."""
    monkeypatch.setattr(worker, "child", acting_child)


@pytest.fixture
def address(acting_children: None) -> Iterator[str]:
    """Starts a worker, with acting children, and yields its address."""
    with acting_hosts.serve() as address:
        yield address


@pytest.fixture(scope="session")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Writes transformed reviews of two classes that differ in a few words."""
    return _write(str(tmp_path_factory.mktemp("two_classes")), 2)


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Writes transformed reviews of three classes that differ in a few words."""
    return _write(str(tmp_path_factory.mktemp("three_classes")), 3)


@pytest.fixture(scope="session")
def subwords(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Writes the reviews of `two_classes` as subwords, from a feature called 'review'."""
    directory = str(tmp_path_factory.mktemp("subwords"))
    return _write(directory, 2, tokenizer="subwords", top_k=60, text_feature="review")

"""Small sets of reviews, transformed for real."""

import random
from typing import Any

import pytest

from . import harness

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


@pytest.fixture(scope="session")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Reviews of two classes that single words tell apart."""
    return _write(str(tmp_path_factory.mktemp("two_classes")), 2)


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Reviews of three classes that single words tell apart."""
    return _write(str(tmp_path_factory.mktemp("three_classes")), 3)


@pytest.fixture(scope="session")
def subwords(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reviews of `two_classes` in word pieces, from a feature of another name."""
    directory = str(tmp_path_factory.mktemp("subwords"))
    return _write(directory, 2, tokenizer="subwords", top_k=60, text_feature="review")

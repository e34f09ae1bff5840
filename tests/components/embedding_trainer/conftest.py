"""Small sets of reviews, transformed for real."""

import random

import pytest

from . import harness

NEUTRAL = ["the", "a", "film", "plot", "actor", "scene", "it", "was", "we", "saw"]
TELLING = (["bad", "awful", "poor"], ["good", "great", "nice"], ["mixed", "fair", "average"])


def _write(directory: str, classes: int, count: int = 300) -> str:
    generator = random.Random(0)
    labels = [index % classes for index in range(count)]
    texts = [
        " ".join(generator.choices(NEUTRAL, k=index % 25) + generator.choices(TELLING[label], k=3))
        for index, label in enumerate(labels)
    ]
    return harness.write_transformed(directory, texts, labels)


@pytest.fixture(scope="session")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Reviews of two classes that single words tell apart."""
    return _write(str(tmp_path_factory.mktemp("two_classes")), 2)


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Reviews of three classes that single words tell apart."""
    return _write(str(tmp_path_factory.mktemp("three_classes")), 3)

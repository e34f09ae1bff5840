import sys

import numpy as np
import pytest

from components import metrics

LABELS = [[0], [1], [1]]
PROBABILITIES = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]


@pytest.mark.parametrize(
    ("metric", "name", "expected"),
    [
        (metrics.SparseCategoricalAccuracy, "sparse_categorical_accuracy", 2 / 3),
        (
            metrics.SparseCategoricalCrossentropy,
            "sparse_categorical_crossentropy",
            -np.log([0.9, 0.8, 0.4]).mean(),
        ),
    ],
)
def test_metrics_are_those_of_keras_without_its_sources_converted(
    metric: type, name: str, expected: float
) -> None:
    measured = metric()
    before = converted()
    measured.update_state(LABELS, PROBABILITIES)
    assert converted() == before

    assert measured.name == name
    assert measured.result().numpy() == pytest.approx(expected)


def converted() -> set[str]:
    """What AutoGraph has made of sources: a module for each function."""
    return {module for module in sys.modules if module.startswith("__autograph_generated")}

import sys
from typing import Any

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components import evaluation
from components.evaluation import PreviousBlessedModelStrategy

LABELS = [[0], [1], [1]]
PROBABILITIES = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]


@pytest.mark.parametrize(
    ("metric", "name", "expected"),
    [
        (evaluation.SparseCategoricalAccuracy, "sparse_categorical_accuracy", 2 / 3),
        (
            evaluation.SparseCategoricalCrossentropy,
            "sparse_categorical_crossentropy",
            -np.log([0.9, 0.8, 0.4]).mean(),
        ),
    ],
)
def test_metrics_are_those_of_keras_without_its_sources_converted(
    metric: type, name: str, expected: float
) -> None:
    measured = metric()
    before = converted_by_autograph()
    measured.update_state(LABELS, PROBABILITIES)
    assert converted_by_autograph() == before

    assert measured.name == name
    assert measured.result().numpy() == pytest.approx(expected)


def converted_by_autograph() -> set[str]:
    """AutoGraph makes a module for each function that it converts."""
    return {module for module in sys.modules if module.startswith("__autograph_generated")}


def model(number: int) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.id = number
    return artifact


def blessing(of: int, blessed: bool = True) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = 100 + of
    artifact.set_int_custom_property("blessed", int(blessed))
    artifact.set_int_custom_property("current_model_id", of)
    return artifact


def resolve(candidate: int, models: list[int], blessings: list[Any]) -> list[int]:
    resolved = PreviousBlessedModelStrategy().resolve_artifacts(
        None,
        {
            "candidate": [model(candidate)],
            "model": [model(number) for number in models],
            "model_blessing": blessings,
        },
    )
    chosen = [found.id for found in resolved["model"]]
    assert [found.id - 100 for found in resolved["model_blessing"]] == chosen
    return chosen


def test_the_first_model_has_no_baseline() -> None:
    assert resolve(1, [1], []) == []


def test_the_latest_blessed_model_is_the_baseline() -> None:
    assert resolve(3, [1, 2, 3], [blessing(1), blessing(2)]) == [2]


def test_a_model_that_was_not_blessed_is_no_baseline() -> None:
    assert resolve(3, [1, 2, 3], [blessing(1), blessing(2, blessed=False)]) == [1]


def test_a_blessed_model_is_not_its_own_baseline() -> None:
    assert resolve(2, [1, 2], [blessing(1), blessing(2)]) == [1]


def test_an_old_model_taken_from_the_cache_is_compared_as_it_was_at_first() -> None:
    assert resolve(1, [1, 2], [blessing(1), blessing(2)]) == []

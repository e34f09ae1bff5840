import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tfx.types import standard_artifacts

from components import evaluation
from components.evaluation import PreviousBlessedModelStrategy, eval_config
from tests.evaluations import evaluate


@pytest.mark.slow
@pytest.mark.parametrize("baseline_right", [None, 7])
def test_the_metrics_of_all_examples_and_of_each_label(
    tmp_path: pathlib.Path, baseline_right: int | None
) -> None:
    evaluate(tmp_path, 5, 8, baseline_right)
    model = "" if baseline_right is None else "candidate"
    result = tfma.load_eval_result(str(tmp_path / "evaluation"), model_name=model)
    measured = {
        slice_key: {name: values[name]["doubleValue"] for name in METRICS}
        for slice_key, values in result.get_metrics_for_all_slices().items()
    }

    right, wrong, wrong_of_0 = -np.log([0.8, 0.3, 0.2])
    assert measured == {
        (): metrics(5 / 8, 5 / 7 / 2, (5 * right + 2 * wrong + wrong_of_0) / 8, 8),
        (("label", 0),): metrics(0, 0, wrong_of_0, 1),
        (("label", 1),): metrics(5 / 7, 5 / 7, (5 * right + 2 * wrong) / 7, 7),
    }


METRICS = (
    "sparse_categorical_accuracy",
    "balanced_accuracy",
    "sparse_categorical_crossentropy",
    "example_count",
)


def metrics(*values: float) -> Any:
    return pytest.approx(dict(zip(METRICS, values, strict=True)))


def test_a_label_that_is_thought_impossible_costs_no_more_than_keras_lets_it() -> None:
    config = eval_config(min_accuracy=0, max_accuracy_drop=1, min_balanced_accuracy=0)
    example = {
        "labels": np.array([1]),
        "predictions": {"probabilities": np.array([1.0, 0.0], np.float32)},
    }
    ((label, predicted, cross_entropy),) = evaluation._Outcomes(config, "", "").process(example)
    assert (label, predicted) == (1, 0)
    assert cross_entropy == pytest.approx(-np.log(1e-7))


def test_sums_of_bundles_are_added() -> None:
    totals = evaluation._Totals({name: tfma.metrics.MetricKey(name) for name in METRICS[:3]})
    bundles = [[(0, 0, 0.5), (1, 0, 1.0)], [(1, 1, 0.25)], []]
    parts = []
    for bundle in bundles:
        sums = totals.create_accumulator()
        for outcome in bundle:
            sums = totals.add_input(sums, outcome)
        parts.append(sums)
    values = totals.extract_output(totals.merge_accumulators(parts))
    assert list(values.values()) == pytest.approx([2 / 3, (1 + 1 / 2) / 2, 1.75 / 3])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "baseline_right", "bounds", "blessed"),
    [
        (5, None, {"min_accuracy": 0.626}, False),
        (5, 7, {"min_accuracy": 0.625, "max_accuracy_drop": 0.26}, True),
        (5, 7, {"max_accuracy_drop": 0.24}, False),
        (7, 5, {"max_accuracy_drop": 0.0}, True),
        # As good as naming class 1 every time.
        (7, None, {"min_accuracy": 0.875, "min_balanced_accuracy": 0.5}, True),
        (7, None, {"min_accuracy": 0.875, "min_balanced_accuracy": 0.51}, False),
        (8, 7, {"min_balanced_accuracy": 1.0}, True),
    ],
)
def test_a_model_is_blessed_by_all_bounds(
    tmp_path: pathlib.Path,
    right: int,
    baseline_right: int | None,
    bounds: dict[str, float],
    blessed: bool,
) -> None:
    verdict = evaluate(tmp_path, right, 8, baseline_right, **bounds)
    assert verdict.validation_ok == blessed


@pytest.fixture
def resolve(tmp_path: pathlib.Path) -> Callable[..., list[int]]:
    """Returns a function that resolves a candidate's baseline; the files of `gone` are deleted."""

    def model(number: int, gone: bool) -> standard_artifacts.Model:
        artifact = standard_artifacts.Model()
        artifact.id = number
        artifact.uri = str(tmp_path / str(number))
        (tmp_path / str(number) / "Format-Serving").mkdir(parents=True, exist_ok=True)
        if gone:
            shutil.rmtree(artifact.uri)
        return artifact

    def resolved(
        candidate: int, models: list[int], blessings: list[Any], gone: tuple[int, ...] = ()
    ) -> list[int]:
        found = PreviousBlessedModelStrategy().resolve_artifacts(
            None,
            {
                "candidate": [model(candidate, False)],
                "model": [model(number, number in gone) for number in models],
                "model_blessing": blessings,
            },
        )
        chosen = [artifact.id for artifact in found["model"]]
        assert [artifact.id - 100 for artifact in found["model_blessing"]] == chosen
        assert [artifact.id for artifact in found["candidate"]] == [candidate]
        return chosen

    return resolved


def blessing(of: int, blessed: bool = True) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = 100 + of
    artifact.set_int_custom_property("blessed", int(blessed))
    artifact.set_int_custom_property("current_model_id", of)
    return artifact


Resolve = Callable[..., list[int]]


def test_the_first_model_has_no_baseline(resolve: Resolve) -> None:
    assert resolve(1, [1], []) == []


def test_the_latest_blessed_model_is_the_baseline(resolve: Resolve) -> None:
    assert resolve(3, [2, 1, 3], [blessing(1), blessing(2)]) == [2]


def test_a_model_that_was_not_blessed_is_no_baseline(resolve: Resolve) -> None:
    assert resolve(3, [1, 2, 3], [blessing(1), blessing(2, blessed=False)]) == [1]


def test_a_blessed_model_is_not_its_own_baseline(resolve: Resolve) -> None:
    assert resolve(2, [1, 2], [blessing(1), blessing(2)]) == [1]


def test_an_old_model_taken_from_the_cache_is_compared_as_it_was_at_first(resolve: Resolve) -> None:
    assert resolve(1, [1, 2], [blessing(1), blessing(2)]) == []


def test_a_model_that_is_gone_is_passed_over_with_a_warning(
    resolve: Resolve, caplog: pytest.LogCaptureFixture
) -> None:
    blessings = [blessing(1), blessing(2), blessing(3)]
    assert resolve(4, [1, 2, 3], blessings, gone=(1, 3)) == [2]
    (warning,) = caplog.messages
    assert "/3/Format-Serving is gone" in warning
    assert resolve(4, [1, 2, 3], blessings, gone=(1, 2, 3)) == []

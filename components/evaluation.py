"""Configures the stock Evaluator: its thresholds, its metrics and its baseline model."""

import collections
import dataclasses
import functools
import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.metric_util import to_standard_metric_inputs
from tensorflow_model_analysis.proto.config_pb2 import (
    PerSliceMetricThreshold,
    PerSliceMetricThresholds,
)
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import artifact
from tfx.utils import path_utils

from components.text.features import LABEL

# Names of metrics among Evaluator's results.
ACCURACY = "sparse_categorical_accuracy"
BALANCED_ACCURACY = "balanced_accuracy"
CROSS_ENTROPY = "sparse_categorical_crossentropy"

# Keeps the cross-entropy finite, as Keras does.
_SMALLEST_PROBABILITY = 1e-7

_LOGGER = logging.getLogger(__name__)


def eval_config(
    *, min_accuracy: float, max_accuracy_drop: float, min_balanced_accuracy: float
) -> tfma.EvalConfig:
    """Returns an Evaluator's configuration that blesses a model by its accuracy.

    Args:
        min_accuracy: Accuracy that the model must reach, in [0, 1].
        max_accuracy_drop: Accuracy that it may lose against the baseline model, in [0, 1].
        min_balanced_accuracy: Mean of the classes' recalls that the model must reach, in [0, 1].

    Returns:
        A configuration for models of EmbeddingTrainer. The metrics are computed over all examples,
        and over those of each label, where the accuracy is the recall of the class.
    """
    accuracy_bound = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": min_accuracy}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
            absolute={"value": -max_accuracy_drop},
        ),
    )
    balanced_accuracy_bound = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": min_balanced_accuracy})
    )
    metrics_spec = tfma.MetricsSpec(
        metrics=[
            tfma.MetricConfig(class_name="ExampleCount"),
            tfma.MetricConfig(class_name="ClassificationMetrics", module=__name__),
        ],
        per_slice_thresholds={
            ACCURACY: _overall(accuracy_bound),
            BALANCED_ACCURACY: _overall(balanced_accuracy_bound),
        },
    )
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default", label_key=LABEL, prediction_key="probabilities"
            )
        ],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[LABEL])],
        metrics_specs=[metrics_spec],
    )


def _overall(bound: tfma.MetricThreshold) -> PerSliceMetricThresholds:
    """Returns a bound on the metric over all examples, not on that of each label."""
    return PerSliceMetricThresholds(
        thresholds=[PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=bound)]
    )


class ClassificationMetrics(tfma.metrics.Metric):
    """Computes the accuracy, the balanced accuracy and the mean cross-entropy of integer labels.

    The balanced accuracy is the mean of the recalls of all classes that have examples. A model that
    always names the most frequent of n classes reaches 1/n, however frequent that is.

    TensorFlow Model Analysis would extract label and prediction again for each metric and slice,
    which takes longer than to compute the metrics. Here they are extracted once per example.
    """

    def __init__(self, name: str = "classification") -> None:
        """Creates the metric.

        Args:
            name: Its name in the configuration; the results have the three names of this module.
        """
        super().__init__(
            tfma.metrics.merge_per_key_computations(_classification_metrics), name=name
        )


def _classification_metrics(
    name: str, eval_config: tfma.EvalConfig, model_name: str, output_name: str
) -> list[tfma.metrics.MetricComputation]:
    """Returns the computation of ClassificationMetrics for a model."""
    del name  # TensorFlow Model Analysis passes it.
    keys = {
        metric: tfma.metrics.MetricKey(metric, model_name, output_name, example_weighted=None)
        for metric in (ACCURACY, BALANCED_ACCURACY, CROSS_ENTROPY)
    }
    return [
        tfma.metrics.MetricComputation(
            keys=list(keys.values()),
            preprocessors=[_Outcomes(eval_config, model_name, output_name)],
            combiner=_Totals(keys),
        )
    ]


class _Outcomes(tfma.metrics.Preprocessor):
    """Extracts an example's label, its most probable class and its cross-entropy."""

    def __init__(self, eval_config: tfma.EvalConfig, model_name: str, output_name: str) -> None:
        super().__init__()
        self._lookup = functools.partial(
            tfma.metrics.to_label_prediction_example_weight,
            eval_config=eval_config,
            model_name=model_name,
            output_name=output_name,
            flatten=False,
        )

    def process(self, extracts: tfma.types.Extracts) -> Iterator[tuple[int, int, float]]:
        for (label,), probabilities, _ in self._lookup(to_standard_metric_inputs(extracts)):
            probability = max(float(probabilities[int(label)]), _SMALLEST_PROBABILITY)
            yield int(label), int(np.argmax(probabilities)), -math.log(probability)


@dataclasses.dataclass
class _Sums:
    """Sums over examples; the first two by label."""

    examples: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    right: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    cross_entropy: float = 0.0


class _Totals(beam.CombineFn):
    """Turns the outcomes of a slice's examples into its metrics."""

    def __init__(self, keys: Mapping[str, tfma.metrics.MetricKey]) -> None:
        self._keys = keys

    def create_accumulator(self) -> _Sums:
        return _Sums()

    def add_input(self, sums: _Sums, outcome: tuple[int, int, float]) -> _Sums:
        label, predicted, cross_entropy = outcome
        sums.examples[label] += 1
        sums.right[label] += predicted == label
        sums.cross_entropy += cross_entropy
        return sums

    def merge_accumulators(self, parts: Iterable[_Sums]) -> _Sums:
        merged = _Sums()
        for part in parts:
            merged.examples += part.examples
            merged.right += part.right
            merged.cross_entropy += part.cross_entropy
        return merged

    def extract_output(self, sums: _Sums) -> dict[tfma.metrics.MetricKey, float]:
        count = sums.examples.total()
        recalls = [sums.right[label] / examples for label, examples in sums.examples.items()]
        values = {
            ACCURACY: sums.right.total() / count,
            BALANCED_ACCURACY: sum(recalls) / len(recalls),
            CROSS_ENTROPY: sums.cross_entropy / count,
        }
        return {self._keys[metric]: value for metric, value in values.items()}


class PreviousBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves the latest blessed model that is older than the candidate and still on disk.

    Once the candidate is blessed, TFX's LatestBlessedModelStrategy resolves the candidate itself: a
    second run of an unchanged pipeline would compare a model with itself, and never take Evaluator
    from the cache. Example::

        Resolver(
            strategy_class=PreviousBlessedModelStrategy,
            candidate=trainer.outputs["model"],
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        )

    The outputs ``model`` and ``model_blessing`` hold one artifact each, or none.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[artifact.Artifact]]
    ) -> dict[str, list[artifact.Artifact]]:
        """Chooses the baseline.

        Args:
            store: ML Metadata; unused.
            input_dict: Artifacts under the keys ``candidate``, ``model`` and ``model_blessing``.

        Returns:
            The chosen artifacts under the same keys.
        """
        candidate = input_dict["candidate"]
        blessings = {
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): (
                blessing
            )
            for blessing in input_dict["model_blessing"]
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
        }
        older = [
            model
            for model in input_dict["model"]
            if model.id in blessings and model.id < min(new.id for new in candidate)
        ]
        newest_first = sorted(older, key=lambda model: -model.id)
        chosen = list(itertools.islice(filter(_exists, newest_first), 1))
        return {
            "candidate": candidate,
            "model": chosen,
            "model_blessing": [blessings[model.id] for model in chosen],
        }


def _exists(model: artifact.Artifact) -> bool:
    path = path_utils.serving_model_path(model.uri)
    if tf.io.gfile.exists(path):
        return True
    _LOGGER.warning("The blessed model %s is gone; an older one is compared with.", path)
    return False

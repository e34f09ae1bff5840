"""What the stock Evaluator is given: a configuration, metrics, and the model to compare with."""

import collections
import itertools
import logging
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
import tf_keras  # TensorFlow Model Analysis makes its Keras metrics with this package.
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics
from tensorflow_model_analysis.proto.config_pb2 import PerSliceMetricThreshold
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import artifact
from tfx.utils import path_utils

from components.text.features import LABEL

# Names of metrics among Evaluator's results.
ACCURACY = "sparse_categorical_accuracy"
BALANCED_ACCURACY = "balanced_accuracy"

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
        A configuration for models of EmbeddingTrainer. The metrics are computed of all examples,
        and of those of each label, where the accuracy is the recall of the class.
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
    metrics = [
        tfma.MetricConfig(class_name="ExampleCount"),
        tfma.MetricConfig(class_name="SparseCategoricalCrossentropy", module=__name__),
        tfma.MetricConfig(
            class_name="SparseCategoricalAccuracy",
            module=__name__,
            per_slice_thresholds=_overall(accuracy_bound),
        ),
        tfma.MetricConfig(
            class_name="MeanRecall",
            module=__name__,
            per_slice_thresholds=_overall(balanced_accuracy_bound),
        ),
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default", label_key=LABEL, prediction_key="probabilities"
            )
        ],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[LABEL])],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def _overall(bound: tfma.MetricThreshold) -> list[PerSliceMetricThreshold]:
    """Returns a bound that holds for all examples together, not for those of each label as well."""
    return [PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=bound)]


class SparseCategoricalAccuracy(tf_keras.metrics.SparseCategoricalAccuracy):
    """Computes the share of examples whose most probable class is their label.

    TensorFlow Model Analysis updates metrics eagerly. AutoGraph would only convert Keras' sources
    first, which took a quarter of Evaluator's time on the IMDB reviews.
    """

    @tf.autograph.experimental.do_not_convert
    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a batch of labels and probabilities."""
        return super().update_state(*args, **kwargs)


class SparseCategoricalCrossentropy(tf_keras.metrics.SparseCategoricalCrossentropy):
    """Computes the mean cross-entropy of the labels, without AutoGraph like the accuracy."""

    @tf.autograph.experimental.do_not_convert
    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a batch of labels and probabilities."""
        return super().update_state(*args, **kwargs)


class MeanRecall(tfma.metrics.Metric):
    """Computes the balanced accuracy: the mean of the recalls of all classes that have examples.

    A model that always names the most frequent of n classes reaches 1/n, however frequent that is.
    TensorFlow Model Analysis has a metric of that name for two classes alone.
    """

    def __init__(self, name: str = BALANCED_ACCURACY) -> None:
        """Creates the metric.

        Args:
            name: Its name among the results.
        """
        super().__init__(tfma.metrics.merge_per_key_computations(_mean_recall), name=name)


def _mean_recall(
    name: str,
    eval_config: tfma.EvalConfig,
    model_name: str,
    output_name: str,
    example_weighted: bool,
) -> list[Any]:
    """Returns the computations of MeanRecall for a model."""
    confusion = multi_class_confusion_matrix_metrics.multi_class_confusion_matrices(
        thresholds=[0.0],
        eval_config=eval_config,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    key = tfma.metrics.MetricKey(name, model_name, output_name, example_weighted=example_weighted)

    def result(metrics: Mapping[Any, Any]) -> dict[Any, float]:
        (counts,) = metrics[confusion[-1].keys[0]].values()
        examples: collections.Counter[int] = collections.Counter()
        for entry, count in counts.items():
            examples[entry.actual_class_id] += count
        recalls = [counts.get((label, label), 0) / examples[label] for label in examples]
        return {key: sum(recalls) / len(recalls)}

    return [*confusion, tfma.metrics.DerivedMetricComputation(keys=[key], result=result)]


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

"""Keras' metrics for Evaluator, without AutoGraph.

TensorFlow Model Analysis updates metrics eagerly, where AutoGraph changes nothing but would convert
the sources of Keras first, for a quarter of Evaluator's time.
"""

from typing import Any

import tensorflow as tf
import tf_keras  # Which TensorFlow Model Analysis makes its metrics with.


class SparseCategoricalAccuracy(tf_keras.metrics.SparseCategoricalAccuracy):
    """Share of examples whose most probable class is their label."""

    @tf.autograph.experimental.do_not_convert
    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Counts a batch of labels and probabilities."""
        return super().update_state(*args, **kwargs)


class SparseCategoricalCrossentropy(tf_keras.metrics.SparseCategoricalCrossentropy):
    """Mean negative logarithm of the probability of the label."""

    @tf.autograph.experimental.do_not_convert
    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Counts a batch of labels and probabilities."""
        return super().update_state(*args, **kwargs)

"""Evaluates given predictions as Evaluator does, without a pipeline."""

import pathlib

import tensorflow as tf
import tensorflow_model_analysis as tfma

from components.evaluation import eval_config
from components.text.features import LABEL


class _Model(tf.Module):
    """A model whose predictions are the example's feature with the model's name."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {self.name: tf.io.FixedLenFeature([2], tf.float32)}
        return {"probabilities": tf.io.parse_example(examples, features)[self.name]}


def evaluate(
    directory: pathlib.Path,
    right: int,
    of: int,
    baseline_right: int | None = None,
    min_accuracy: float = 0.0,
    max_accuracy_drop: float = 1.0,
    min_balanced_accuracy: float = 0.0,
) -> tfma.ValidationResult:
    """Evaluates a model that gets some of its examples right.

    The last example is of class 0, the others are of class 1.

    Args:
        directory: Where to write; the ModelEvaluation artifact is `directory`/evaluation.
        right: How many examples the model gets right, from the first on.
        of: How many examples there are.
        baseline_right: How many examples the baseline gets right; None for no baseline.
        min_accuracy: See `eval_config`.
        max_accuracy_drop: See `eval_config`.
        min_balanced_accuracy: See `eval_config`.

    Returns:
        Whether the bounds are met, as the artifact records it.
    """
    rights = {"candidate": right}
    if baseline_right is not None:
        rights["baseline"] = baseline_right
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config(
            min_accuracy=min_accuracy,
            max_accuracy_drop=max_accuracy_drop,
            min_balanced_accuracy=min_balanced_accuracy,
        ),
        has_baseline="baseline" in rights,
        rubber_stamp="baseline" not in rights,
    )
    models = []
    for name in rights:
        model = _Model(name=name)
        path = str(directory / name)
        tf.saved_model.save(model, path, signatures=model.serve)
        models.append(
            tfma.default_eval_shared_model(
                path,
                tags=[tf.saved_model.SERVING],
                model_name=name if len(rights) > 1 else "",
                eval_config=config,
            )
        )
    examples = str(directory / "examples")
    with tf.io.TFRecordWriter(examples) as writer:
        for row in range(of):
            example = tf.train.Example()
            label = int(row < of - 1)
            example.features.feature[LABEL].int64_list.value.append(label)
            for name, count in rights.items():
                predicted = label if row < count else 1 - label
                probabilities = [0.2, 0.8] if predicted else [0.7, 0.3]
                example.features.feature[name].float_list.value.extend(probabilities)
            writer.write(example.SerializeToString())
    output = str(directory / "evaluation")
    tfma.run_model_analysis(models, config, data_location=examples, output_path=output)
    return tfma.load_validation_result(output)

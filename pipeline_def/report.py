"""Describes what a run made, from ML Metadata and the artifacts themselves."""

import csv
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import artifact_utils

from components.artifacts import projection_directory
from components.evaluation import ACCURACY, BALANCED_ACCURACY
from components.projector_exporter.export import NEIGHBORS
from components.text.features import VOCABULARY
from components.text.vocabulary import read_token_counts


def outputs_of(store: MetadataStore, execution_id: int) -> list[Artifact]:
    """Returns the output artifacts of an execution, of all its output channels.

    Args:
        store: An open ML Metadata store.
        execution_id: Id of the execution.
    """
    events = store.get_events_by_execution_ids([execution_id])
    return store.get_artifacts_by_id([e.artifact_id for e in events if e.type == Event.OUTPUT])


def describe(artifacts: Iterable[Artifact]) -> str:
    """Describes the outputs of a component in a few words.

    Args:
        artifacts: Output artifacts of one execution.

    Returns:
        Such as '3,000 train, 1,000 eval'; empty for artifacts of other types.
    """
    by_type = {artifact.type: artifact for artifact in artifacts}
    described = (say(by_type[kind]) for kind, say in _DESCRIPTIONS.items() if kind in by_type)
    return ", ".join(filter(None, described))


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics of a model on the eval split, in [0, 1].

    Attributes:
        accuracy: Share of the examples that the model gets right.
        balanced_accuracy: Mean of the recalls.
        recalls: Share of the examples of each class that it gets right, by the class's number.
        majority: Number of the most frequent class.
        majority_share: Share of the examples of that class: the accuracy of always naming it.
    """

    accuracy: float
    balanced_accuracy: float
    recalls: dict[int, float]
    majority: int
    majority_share: float


def scores(evaluation: Artifact) -> Scores:
    """Reads the metrics of a model.

    Args:
        evaluation: A ModelEvaluation artifact.
    """
    slices = tfma.load_eval_result(evaluation.uri).get_metrics_for_all_slices()
    values = {
        key: {name: metric["doubleValue"] for name, metric in metrics.items()}
        for key, metrics in slices.items()
    }
    overall = values.pop(())
    of_class = {int(label): metrics for ((_, label),), metrics in sorted(values.items())}
    majority = max(of_class, key=lambda label: of_class[label]["example_count"])
    return Scores(
        overall[ACCURACY],
        overall[BALANCED_ACCURACY],
        {label: metrics[ACCURACY] for label, metrics in of_class.items()},
        majority,
        of_class[majority]["example_count"] / overall["example_count"],
    )


def class_names(model: Artifact) -> list[str]:
    """Returns the names of the classes in the order of their numbers; empty if they have none.

    Args:
        model: A Model artifact.
    """
    return list(json.loads(model.custom_properties["class_names"].string_value or "[]"))


def describe_scores(scores: Scores, names: Sequence[str], split: str, limit: int = 5) -> list[str]:
    """Returns lines with a model's metrics, and a warning if always naming one class is as good.

    Args:
        scores: What Evaluator measured.
        names: The names of the classes; empty to number them.
        split: The eval split, for the first line.
        limit: Largest number of recalls to list; the lowest come first.
    """
    names = names or [str(label) for label in range(max(scores.recalls) + 1)]
    majority = names[scores.majority]
    recalls = sorted(scores.recalls.items(), key=lambda pair: pair[1])
    more = f" and {len(recalls) - limit} more" if len(recalls) > limit else ""
    lowest = ", ".join(f"{names[label]} {recall:.3f}" for label, recall in recalls[:limit])
    lines = [
        f"Accuracy:    {scores.accuracy:.4f} on {split!r}",
        f"Majority:    {scores.majority_share:.4f}, by naming {majority!r} every time",
        f"Balanced:    {scores.balanced_accuracy:.4f}, the mean recall of {lowest}{more}",
    ]
    if scores.accuracy < scores.majority_share + 1e-6:  # Keras computes the accuracy in float32.
        lines.append(
            f"Warning:     the model is no better than naming {majority!r} every time. Set "
            "evaluation.min_balanced_accuracy to refuse such a model."
        )
    return lines


def is_blessed(blessing: Artifact) -> bool:
    """Returns whether a model met every bound.

    Args:
        blessing: A ModelBlessing artifact.
    """
    return blessing.custom_properties["blessed"].int_value == 1


def missed_bounds(evaluation: Artifact) -> list[str]:
    """Returns a clause for each bound that a model missed, such as 'accuracy 0.5 is below 0.8'.

    Args:
        evaluation: A ModelEvaluation artifact.
    """
    result = tfma.load_validation_result(evaluation.uri)
    failures = [
        failure for part in result.metric_validations_per_slice for failure in part.failures
    ]
    return [_missed_bound(failure) for failure in failures]


def nearest(projection: Artifact, limit: int = 5) -> list[str]:
    """Returns a line for each probe word, such as 'good: great 0.98, nice 0.95'.

    Args:
        projection: An EmbeddingProjection artifact.
        limit: Largest number of neighbors in a line; the nearest come first.
    """
    path = f"{projection_directory(projection)}/{NEIGHBORS}"
    if not tf.io.gfile.exists(path):  # No probe words were configured.
        return []
    with tf.io.gfile.GFile(path) as file:
        rows = list(csv.DictReader(file, dialect="excel-tab", quoting=csv.QUOTE_NONE))
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["probe"], []).append(f"{row['neighbor']} {float(row['cosine']):.2f}")
    return [f"{probe}: {', '.join(words[:limit])}" for probe, words in found.items()]


def stability(projection: Artifact) -> str:
    """Returns a clause on how stable neighbors are in a bootstrap; empty if it was not measured.

    Args:
        projection: An EmbeddingProjection artifact.
    """
    if "bootstrap_overlap" not in projection.custom_properties:
        return ""
    share = projection.custom_properties["bootstrap_overlap"].double_value
    return f"{round(10 * share)} of a word's ten neighbors stay when the texts are drawn anew"


def _missed_bound(failure: Any) -> str:
    found = failure.metric_value.double_value.value
    threshold = failure.metric_threshold
    if threshold.HasField("change_threshold"):
        allowed = threshold.change_threshold.absolute.value
        return (
            f"accuracy changed by {found:+.4f} against the latest blessed model "
            f"({allowed:+.4f} allowed)"
        )
    name = _METRIC_NAMES[failure.metric_key.name]
    return f"{name} {found:.4f} is below {threshold.value_threshold.lower_bound.value}"


def _examples(artifact: Artifact) -> str:
    counts = json.loads(artifact.custom_properties["examples_per_split"].string_value or "{}")
    return ", ".join(f"{count:,} {split}" for split, count in counts.items())


def _anomalies(artifact: Artifact) -> str:
    names: set[str] = set()
    for split in artifact_utils.decode_split_names(artifact.properties["split_names"].string_value):
        with tf.io.gfile.GFile(f"{artifact.uri}/Split-{split}/SchemaDiff.pb", "rb") as file:
            names |= set(anomalies_pb2.Anomalies.FromString(file.read()).anomaly_info)
    return f"anomalies in {', '.join(sorted(names))}" if names else "no anomalies"


def _transform_graph(artifact: Artifact) -> str:
    output = tft.TFTransformOutput(artifact.uri)
    tokens = output.vocabulary_size_by_name(VOCABULARY)
    counts = read_token_counts(output)
    once = 0 if counts is None else int((counts == 1).sum())
    if once <= tokens / 2:
        return f"{tokens:,} tokens"
    return (
        f"{tokens:,} tokens; {once:,} occur once, which is too rarely to learn from. The text is "
        "short, or its words are not separated as components/text/README.md expects"
    )


def _model(artifact: Artifact) -> str:
    properties = artifact.custom_properties
    described = (
        f"{properties['epochs_run'].int_value} epochs on {properties['devices'].string_value}"
    )
    if "validation_accuracy" not in properties:
        return described
    accuracy = properties["validation_accuracy"].double_value
    count = properties["validation_examples"].int_value
    share = count / (count + properties["training_examples"].int_value)
    return f"{described}, accuracy {accuracy:.3f} on {count:,} validation examples ({share:.1%})"


def _evaluation(artifact: Artifact) -> str:
    return f"accuracy {scores(artifact).accuracy:.3f}"


def _blessing(artifact: Artifact) -> str:
    return "blessed" if is_blessed(artifact) else "not blessed"


def _projection(artifact: Artifact) -> str:
    rows, dimensions = (artifact.properties[key].int_value for key in ("rows", "dimensions"))
    described = f"{rows:,} tokens x {dimensions} dimensions"
    if "neighbor_overlap" not in artifact.custom_properties:
        return described
    kept = artifact.custom_properties["neighbor_overlap"].double_value
    return f"{described}, {kept:.0%} of the neighbors kept"


def _pushed(artifact: Artifact) -> str:
    return artifact.custom_properties["pushed_destination"].string_value or "nothing pushed"


_METRIC_NAMES = {ACCURACY: "accuracy", BALANCED_ACCURACY: "balanced accuracy"}
_DESCRIPTIONS: dict[str, Callable[[Artifact], str]] = {
    "Examples": _examples,
    "ExampleAnomalies": _anomalies,
    "TransformGraph": _transform_graph,
    "Model": _model,
    "ModelEvaluation": _evaluation,
    "ModelBlessing": _blessing,
    "EmbeddingProjection": _projection,
    "PushedModel": _pushed,
}

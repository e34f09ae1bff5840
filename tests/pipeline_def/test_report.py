import pathlib
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import artifact_utils

from pipeline_def import report


def artifact(kind: str, uri: pathlib.Path | None = None, **properties: Any) -> mlmd.Artifact:
    """Returns an artifact; properties that its type does not declare become custom properties."""
    made = mlmd.Artifact(type=kind, uri=str(uri or ""))
    for name, value in properties.items():
        of_type = name in ("rows", "dimensions", "run_name", "split_names")
        stored = (made.properties if of_type else made.custom_properties)[name]
        field = {int: "int_value", float: "double_value", str: "string_value"}[type(value)]
        setattr(stored, field, value)
    return made


def test_the_outputs_of_an_execution_are_neither_its_inputs_nor_anothers() -> None:
    connection = mlmd.ConnectionConfig()
    connection.fake_database.SetInParent()
    store = MetadataStore(connection)
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Kept"))
    ran = store.put_execution_type(mlmd.ExecutionType(name="Ran"))
    artifacts = store.put_artifacts([mlmd.Artifact(type_id=kind, uri=uri) for uri in "abcd"])
    first, second = store.put_executions([mlmd.Execution(type_id=ran)] * 2)
    joined = [
        (first, artifacts[0], mlmd.Event.INPUT),
        (first, artifacts[1], mlmd.Event.OUTPUT),
        (first, artifacts[2], mlmd.Event.OUTPUT),
        (second, artifacts[3], mlmd.Event.OUTPUT),
    ]
    store.put_events([mlmd.Event(execution_id=e, artifact_id=a, type=how) for e, a, how in joined])
    assert [found.uri for found in report.outputs_of(store, first)] == ["b", "c"]


@pytest.mark.parametrize(
    ("artifacts", "described"),
    [
        (
            [artifact("Examples", examples_per_split='{"train": 3000, "eval": 1000}')],
            "3,000 train, 1,000 eval",
        ),
        ([artifact("Examples")], ""),
        ([artifact("Model", epochs_run=7, devices="1 CPU")], "7 epochs on 1 CPU"),
        (
            [
                artifact(
                    "Model",
                    epochs_run=7,
                    devices="2 GPU (Tesla T4)",
                    training_examples=8900,
                    validation_examples=1100,
                    validation_accuracy=0.87654,
                )
            ],
            "7 epochs on 2 GPU (Tesla T4), accuracy 0.877 on 1,100 validation examples (11.0%)",
        ),
        ([artifact("ModelRun"), artifact("Model", epochs_run=1, devices="x")], "1 epochs on x"),
        ([artifact("ModelBlessing", blessed=1)], "blessed"),
        ([artifact("ModelBlessing", blessed=0)], "not blessed"),
        ([artifact("ModelBlessing")], "not blessed"),
        (
            [artifact("EmbeddingProjection", rows=12345, dimensions=16)],
            "12,345 tokens x 16 dimensions",
        ),
        (
            [artifact("EmbeddingProjection", rows=9, dimensions=4, neighbor_overlap=0.517)],
            "9 tokens x 4 dimensions, 52% of the neighbors kept",
        ),
        ([artifact("PushedModel", pushed_destination="/serving/17")], "/serving/17"),
        ([artifact("PushedModel")], "nothing pushed"),
        ([artifact("ExampleStatistics"), artifact("Schema")], ""),
        ([], ""),
    ],
)
def test_a_component_is_described_by_what_it_made(
    artifacts: list[mlmd.Artifact], described: str
) -> None:
    assert report.describe(artifacts) == described


def test_the_stability_is_said_in_words() -> None:
    measured = artifact("EmbeddingProjection", bootstrap_overlap=0.4712)
    expected = "5 of a word's ten neighbors stay when the texts are drawn anew"
    assert report.stability(measured) == expected
    assert report.stability(artifact("EmbeddingProjection")) == ""


@pytest.mark.parametrize(
    ("counts", "described"),
    [
        (None, "1,234 tokens"),
        ([2] * 617 + [1] * 617, "1,234 tokens"),
        ([2] * 616 + [1] * 618, "1,234 tokens; 618 occur once, which is too rarely to learn from."),
    ],
)
def test_the_vocabulary_is_counted_and_rare_tokens_are_told(
    counts: list[int] | None, described: str, tmp_path: pathlib.Path
) -> None:
    assets = tmp_path / "transform_fn" / "assets"
    assets.mkdir(parents=True)
    words = [f"word{row}" for row in range(1234)]
    (assets / "vocabulary").write_text("".join(f"{word}\n" for word in words))
    if counts:
        lines = [f"{count} {word}\n" for count, word in zip(counts, words, strict=True)]
        (assets / "token_counts").write_text("".join(lines))
    metadata = tmp_path / "transformed_metadata"
    metadata.mkdir()
    (metadata / "schema.pbtxt").write_text("")
    said = report.describe([artifact("TransformGraph", tmp_path)])
    assert said.startswith(described)
    assert (said == "1,234 tokens") == (described == "1,234 tokens")


@pytest.mark.parametrize(
    ("found", "described"),
    [
        ({"train": [], "eval": []}, "no anomalies"),
        ({"train": ["text"], "eval": ["label", "text"]}, "anomalies in label, text"),
        ({"train": ["text"], "eval": []}, "anomalies in text"),
    ],
)
def test_the_anomalies_of_all_splits_are_named(
    found: dict[str, list[str]], described: str, tmp_path: pathlib.Path
) -> None:
    for split, features in found.items():
        anomalies = anomalies_pb2.Anomalies()
        for feature in features:
            anomalies.anomaly_info[feature].description = "of another type"
        path = tmp_path / f"Split-{split}" / "SchemaDiff.pb"
        path.parent.mkdir()
        path.write_bytes(anomalies.SerializeToString())
    names = artifact_utils.encode_split_names(list(found))
    assert report.describe([artifact("ExampleAnomalies", tmp_path, split_names=names)]) == described


# Evaluator's outputs for two models, which get the first 5 and the first 7 of 8 examples right.
# Only the last example is of class 0. The first model misses its bounds, the second meets them.
MISSED, MET = (pathlib.Path(__file__).parent / "evaluations" / name for name in ("missed", "met"))


def test_a_model_that_misses_all_bounds() -> None:
    evaluation = artifact("ModelEvaluation", MISSED)
    blessing = artifact("ModelBlessing", blessed=0)
    assert report.describe([blessing, evaluation]) == "accuracy 0.625, not blessed"
    assert sorted(report.missed_bounds(evaluation)) == [
        "accuracy 0.6250 is below 0.75",
        "accuracy changed by -0.2500 against the latest blessed model (-0.1250 allowed)",
        "balanced accuracy 0.3571 is below 0.5",
    ]


def test_a_model_that_meets_its_bounds() -> None:
    evaluation = artifact("ModelEvaluation", MET)
    assert report.missed_bounds(evaluation) == []
    assert report.describe([evaluation]) == "accuracy 0.875"


def test_the_scores_are_those_of_each_class_and_of_the_most_frequent_one() -> None:
    assert report.scores(artifact("ModelEvaluation", MET)) == report.Scores(
        accuracy=0.875,
        balanced_accuracy=0.5,
        recalls={0: 0.0, 1: 1.0},
        majority=1,
        majority_share=0.875,
    )


@pytest.mark.parametrize(("accuracy", "warned"), [(0.875 + 1e-8, True), (0.8751, False)])
def test_a_model_that_has_learned_nothing_is_warned_of(accuracy: float, warned: bool) -> None:
    scores = report.Scores(accuracy, 0.5, {0: 0.0, 1: 1.0}, 1, 0.875)
    *lines, last = report.describe_scores(scores, ["bad", "good"], "test")
    assert last.startswith("Warning:     the model is no better than naming 'good'") == warned
    assert (lines if warned else [*lines, last]) == [
        f"Accuracy:    {accuracy:.4f} on 'test'",
        "Majority:    0.8750, by naming 'good' every time",
        "Balanced:    0.5000, the mean recall of bad 0.000, good 1.000",
    ]


def test_of_many_classes_the_lowest_recalls_are_told() -> None:
    recalls = {label: label / 10 for label in range(7, 0, -1)}
    scores = report.Scores(0.5, 0.4, recalls, 7, 0.3)
    (*_, balanced) = report.describe_scores(scores, [], "test", limit=2)
    assert balanced == "Balanced:    0.4000, the mean recall of 1 0.100, 2 0.200 and 5 more"


@pytest.mark.parametrize(("recorded", "names"), [('["bad", "good"]', ["bad", "good"]), ("", [])])
def test_class_names_are_those_of_the_model(recorded: str, names: list[str]) -> None:
    assert report.class_names(artifact("Model", class_names=recorded)) == names


def projection(tmp_path: pathlib.Path, neighbors: str | None) -> mlmd.Artifact:
    (tmp_path / "own-1").mkdir()
    if neighbors is not None:
        (tmp_path / "own-1" / "neighbors.tsv").write_text(neighbors)
    return artifact("EmbeddingProjection", tmp_path, run_name="own-1")


def test_the_nearest_neighbors_come_first(tmp_path: pathlib.Path) -> None:
    rows = [f"good\tword{row}\t{0.999 - row / 10}" for row in range(7)]
    rows += ['bad\t"\t0.5', "bad\tword1\t-0.25"]
    made = projection(tmp_path, "\n".join(["probe\tneighbor\tcosine", *rows]) + "\n")
    assert report.nearest(made) == [
        "good: word0 1.00, word1 0.90, word2 0.80, word3 0.70, word4 0.60",
        'bad: " 0.50, word1 -0.25',
    ]
    assert report.nearest(made, limit=1) == ["good: word0 1.00", 'bad: " 0.50']


def test_without_probe_words_there_are_no_neighbors(tmp_path: pathlib.Path) -> None:
    assert report.nearest(projection(tmp_path, None)) == []

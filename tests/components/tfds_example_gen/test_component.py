"""TfdsExampleGen: what a pipeline gets, and when it runs again."""

import json
import pathlib

import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.types import artifact_utils, channel_utils
from tfx.utils import proto_utils

from components import TfdsExampleGen
from components.tfds_example_gen import executor


def execute(component, directory, beam_pipeline_args=()):
    """Runs a component's executor as a runner does, without driver and metadata."""
    examples = tfx.types.standard_artifacts.Examples()
    examples.uri = str(directory)
    context = executor.Executor.Context(beam_pipeline_args=list(beam_pipeline_args))
    executor.Executor(context).Do({}, {"examples": [examples]}, properties_of(component))
    return examples


def properties_of(component):
    return {
        key: value if isinstance(value, str | int) else proto_utils.proto_to_json(value)
        for key, value in component.exec_properties.items()
        if value is not None
    }


def serialized(examples, split):
    directory = artifact_utils.get_split_uri([examples], split)
    files = sorted(str(path) for path in pathlib.Path(directory).iterdir())
    return [record.numpy() for record in tf.data.TFRecordDataset(files, "GZIP")]


def texts_and_labels(examples, split):
    """Reads what is written, as (text, label); there must be nothing else."""
    pairs = []
    for record in serialized(examples, split):
        feature = tf.train.Example.FromString(record).features.feature
        assert set(feature) == {"text", "label"}
        (text,) = feature["text"].bytes_list.value
        (label,) = feature["label"].int64_list.value
        pairs.append((text.decode(), label))
    return sorted(pairs)


def test_output_of_a_dataset_with_other_names_and_several_files(prepare, tmp_path):
    component = TfdsExampleGen(
        "tiny_topics",
        {"train": "train[:75%]", "eval-2": "train[75%:]+test"},
        text_feature="body",
        label_feature="topic",
        data_dir=str(prepare("tiny_topics", shards=3)),
    )
    examples = execute(component, tmp_path / "out")
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "eval-2"]
    assert len(serialized(examples, "train")) == 9
    everything = texts_and_labels(examples, "train") + texts_and_labels(examples, "eval-2")
    expected = [(f"article {index}", index % 3) for index in [*range(12), *range(5)]]
    assert sorted(everything) == sorted(expected)


def test_artifact_says_what_it_holds(prepare, tmp_path):
    component = TfdsExampleGen("tiny_plain", data_dir=str(prepare("tiny_plain")))
    examples = execute(component, tmp_path / "out")
    text = examples.get_string_custom_property
    assert text("dataset") == "tiny_plain:1.0.0"
    assert text("dataset_version") == "1.0.0"
    assert json.loads(text("class_names")) == ["neg", "pos"]
    assert json.loads(text("examples_per_split")) == {"train": 12, "eval": 5}
    assert len(text("dataset_fingerprint")) == 64
    assert text("payload_format") == "FORMAT_TF_EXAMPLE"
    assert channel_utils.as_channel([examples]).type is tfx.types.standard_artifacts.Examples


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_records_are_written_as_tfds_has_them(prepare, tmp_path, file_format):
    data_dir = prepare("tiny_plain", file_format=file_format)
    examples = execute(TfdsExampleGen("tiny_plain", data_dir=str(data_dir)), tmp_path / "out")
    assert texts_and_labels(examples, "train") == sorted(
        (f"review {index} ä", index % 2) for index in range(12)
    )


def test_the_same_dataset_is_written_as_the_same_files(prepare, tmp_path):
    component = TfdsExampleGen("tiny_plain", data_dir=str(prepare("tiny_plain", shards=3)))
    once, again = (execute(component, tmp_path / name) for name in ("once", "again"))
    assert sorted(path.name for path in (tmp_path / "once").iterdir()) == [
        "Split-eval",
        "Split-train",
    ]
    names = [f"data_tfrecord-0000{number}-of-00003.gz" for number in range(3)]
    for split in ("train", "eval"):
        assert serialized(once, split) == serialized(again, split)
        directory = pathlib.Path(artifact_utils.get_split_uri([once], split))
        assert sorted(path.name for path in directory.iterdir()) == names


def test_label_missing_further_on_is_refused_with_the_split(prepare, tmp_path):
    data_dir = str(prepare("tiny_unlabeled"))
    component = TfdsExampleGen("tiny_unlabeled", {"some": "mixed"}, data_dir=data_dir)
    with pytest.raises(Exception, match="'mixed': the label 'label' is -1"):
        execute(component, tmp_path / "out")


def test_an_empty_text_is_kept(prepare, tmp_path):
    component = TfdsExampleGen("tiny_empty", {"some": "train"}, data_dir=str(prepare("tiny_empty")))
    examples = execute(component, tmp_path / "out")
    assert [text for text, _ in texts_and_labels(examples, "some")].count("") == 1


@pytest.mark.parametrize("splits", [{}, {"train": ""}, {"": "train"}, {"a/b": "train"}])
def test_names_of_splits_are_checked_when_the_pipeline_is_made(splits):
    with pytest.raises(ValueError, match=r"(?i)split"):
        TfdsExampleGen("tiny_plain", splits)


@pytest.mark.parametrize(
    "runner", [tfx.orchestration.LocalDagRunner, beam_dag_runner.BeamDagRunner]
)
def test_runs_again_when_the_data_has_changed_and_only_then(prepare, tmp_path, runner):
    data_dir = prepare("tiny_plain")
    database = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.db")
    )

    def run():
        component = TfdsExampleGen("tiny_plain", data_dir=str(data_dir))
        runner().run(
            tfx.dsl.Pipeline(
                pipeline_name="ingest",
                pipeline_root=str(tmp_path / "root"),
                components=[component],
                metadata_connection_config=database,
                enable_cache=True,
            )
        )
        with metadata.Metadata(database) as handle:
            states = [each.last_known_state for each in handle.store.get_executions()]
            artifacts = handle.store.get_artifacts()
        return states[-1], artifacts

    state = metadata_store_pb2.Execution
    assert run()[0] == state.COMPLETE
    assert run()[0] == state.CACHED
    prepare("tiny_plain", examples=13)
    last, artifacts = run()
    assert last == state.COMPLETE
    assert [
        json.loads(each.custom_properties["examples_per_split"].string_value)["train"]
        for each in artifacts
    ] == [12, 13]


def test_refused_dataset_never_reaches_beam(prepare, tmp_path):
    component = TfdsExampleGen(
        "tiny_unlabeled", {"train": "unsupervised"}, data_dir=str(prepare("tiny_unlabeled"))
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="ingest",
        pipeline_root=str(tmp_path / "root"),
        components=[component],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(tmp_path / "metadata.db")
        ),
    )
    with pytest.raises(ValueError, match="'unsupervised': the label 'label' is -1"):
        tfx.orchestration.LocalDagRunner().run(pipeline)


@pytest.mark.imdb
def test_all_of_the_real_imdb(imdb_dir, tmp_path):
    component = TfdsExampleGen("imdb_reviews/plain_text", {"train": "train"}, data_dir=imdb_dir)
    examples = execute(component, tmp_path / "out")
    labels = [label for _, label in texts_and_labels(examples, "train")]
    assert (labels.count(0), labels.count(1)) == (12_500, 12_500)
    assert examples.get_string_custom_property("dataset") == "imdb_reviews/plain_text:1.0.0"
    stored = next(pathlib.Path(imdb_dir, "imdb_reviews/plain_text/1.0.0").glob("*train*"))
    originals = sorted(record.numpy() for record in tf.data.TFRecordDataset(str(stored)))
    assert sorted(serialized(examples, "train")) == originals

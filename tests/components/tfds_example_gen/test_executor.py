"""The examples that the executor writes, and their description on the artifact."""

import json
import pathlib

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tfx import v1 as tfx
from tfx.types import artifact_utils, channel_utils
from tfx.utils import proto_utils

from components import TfdsExampleGen
from components.tfds_example_gen import executor
from components.tfds_example_gen.file_formats import Columns
from components.tfds_example_gen.files import TextFiles
from tests.components.tfds_example_gen.conftest import Prepare

pytestmark = pytest.mark.slow


def execute(
    component: TfdsExampleGen, directory: pathlib.Path
) -> tfx.types.standard_artifacts.Examples:
    """Runs a component's executor alone, and returns its output."""
    examples = tfx.types.standard_artifacts.Examples()
    examples.uri = str(directory)
    context = executor.Executor.Context(beam_pipeline_args=[])
    executor.Executor(context).Do({}, {"examples": [examples]}, properties_of(component))
    return examples


def properties_of(component: TfdsExampleGen) -> dict[str, str | int]:
    return {
        key: value if isinstance(value, str | int) else proto_utils.proto_to_json(value)
        for key, value in component.exec_properties.items()
        if value is not None
    }


def serialized(examples: tfx.types.standard_artifacts.Examples, split: str) -> list[bytes]:
    directory = artifact_utils.get_split_uri([examples], split)
    files = sorted(str(path) for path in pathlib.Path(directory).iterdir())
    return [record.numpy() for record in tf.data.TFRecordDataset(files, "GZIP")]


def texts_and_labels(
    examples: tfx.types.standard_artifacts.Examples, split: str
) -> list[tuple[str, int]]:
    """Returns the (text, label) pairs of a split, whose examples must have no other features."""
    pairs = []
    for record in serialized(examples, split):
        feature = tf.train.Example.FromString(record).features.feature
        assert set(feature) == {"text", "label"}
        (text,) = feature["text"].bytes_list.value
        (label,) = feature["label"].int64_list.value
        pairs.append((text.decode(), label))
    return pairs


def read_by_tfds(
    data_dir: str, name: str, split: str, text: str = "text", label: str = "label"
) -> list[tuple[str, int]]:
    """Returns the (text, label) pairs of a split as TFDS reads them."""
    dataset = tfds.load(name, split=split, data_dir=data_dir, shuffle_files=False)
    return [(row[text].decode(), row[label]) for row in tfds.as_numpy(dataset)]


def test_splits_hold_what_tfds_reads_as_them(prepare: Prepare, tmp_path: pathlib.Path) -> None:
    data_dir = str(prepare("tiny_topics", shards=3))
    splits = {"train": "train[:75%]", "eval-2": "train[75%:]+test"}
    component = TfdsExampleGen("tiny_topics", splits, "body", "topic", data_dir)
    examples = execute(component, tmp_path / "out")
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "eval-2"]
    for name, expression in splits.items():
        assert texts_and_labels(examples, name) == read_by_tfds(
            data_dir, "tiny_topics", expression, "body", "topic"
        )


def test_further_features_of_the_dataset_are_left_out(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
    data_dir = str(prepare("tiny_rated"))
    examples = execute(TfdsExampleGen("tiny_rated", data_dir=data_dir), tmp_path / "out")
    assert texts_and_labels(examples, "train") == read_by_tfds(data_dir, "tiny_rated", "train")


def test_builder_module_reaches_the_dataset(prepare: Prepare, tmp_path: pathlib.Path) -> None:
    component = TfdsExampleGen(
        "tiny_plain", data_dir=str(prepare("tiny_plain")), builder_module="no.such.module"
    )
    with pytest.raises(ValueError, match=r"no\.such\.module"):
        execute(component, tmp_path / "out")


def test_artifact_says_what_it_holds(prepare: Prepare, tmp_path: pathlib.Path) -> None:
    component = TfdsExampleGen("tiny_plain", data_dir=str(prepare("tiny_plain")))
    examples = execute(component, tmp_path / "out")
    text = examples.get_string_custom_property
    assert text("dataset") == "tiny_plain:1.0.0"
    assert text("dataset_version") == "1.0.0"
    assert json.loads(text("class_names")) == ["neg", "pos"]
    assert json.loads(text("examples_per_split")) == {"train": 12, "eval": 5}
    resolved = executor.resolve(properties_of(component))
    assert text("dataset_fingerprint") == resolved.fingerprint()
    assert text("payload_format") == "FORMAT_TF_EXAMPLE"
    assert channel_utils.as_channel([examples]).type is tfx.types.standard_artifacts.Examples


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_both_file_formats_are_read(
    prepare: Prepare, tmp_path: pathlib.Path, file_format: str
) -> None:
    data_dir = str(prepare("tiny_plain", file_format=file_format))
    examples = execute(TfdsExampleGen("tiny_plain", data_dir=data_dir), tmp_path / "out")
    pairs = [(f"review {index} ä", index % 2) for index in range(12)]
    assert sorted(texts_and_labels(examples, "train")) == sorted(pairs)


def test_the_same_dataset_is_written_as_the_same_files(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
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


def test_files_are_read_like_a_dataset(prepare: Prepare, tmp_path: pathlib.Path) -> None:
    del prepare
    (tmp_path / "a.csv").write_text("stars,says\n5,good\n1,bad\n5,fine\n")
    files = TextFiles({"train": str(tmp_path / "a.csv")}, Columns("says", "stars"))
    component = TfdsExampleGen(files=files, data_dir=str(tmp_path / "tfds"))
    examples = execute(component, tmp_path / "out")
    pairs = [("bad", 0), ("fine", 1), ("good", 1)]
    assert sorted(texts_and_labels(examples, "train")) == pairs
    text = examples.get_string_custom_property
    assert json.loads(text("class_names")) == ["1", "5"]
    assert text("dataset").startswith("text_files/")
    assert json.loads(text("file_digests")) == files.digests()


def test_nothing_is_added_to_what_the_output_directory_had(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
    data_dir = str(prepare("tiny_plain"))
    execute(TfdsExampleGen("tiny_plain", {"old": "test"}, data_dir=data_dir), tmp_path / "out")
    component = TfdsExampleGen("tiny_plain", {"train": "train[:4]"}, data_dir=data_dir)
    execute(TfdsExampleGen("tiny_plain", {"train": "train"}, data_dir=data_dir), tmp_path / "out")
    (tmp_path / "out" / "Split-train" / "data_tfrecord-00000-of-00002.gz").touch()
    examples = execute(component, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Split-train"]
    assert texts_and_labels(examples, "train") == read_by_tfds(data_dir, "tiny_plain", "train[:4]")


def test_splits_that_overlap_are_refused_unless_allowed(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
    splits, data_dir = {"train": "train", "eval": "train[:2]"}, str(prepare("tiny_plain"))
    with pytest.raises(ValueError, match="share 2 examples"):
        execute(TfdsExampleGen("tiny_plain", splits, data_dir=data_dir), tmp_path / "out")
    component = TfdsExampleGen("tiny_plain", splits, data_dir=data_dir, allow_overlap=True)
    examples = execute(component, tmp_path / "out")
    assert len(texts_and_labels(examples, "eval")) == 2


def test_label_missing_further_on_is_refused_with_the_split(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
    data_dir = str(prepare("tiny_unlabeled"))
    component = TfdsExampleGen("tiny_unlabeled", {"some": "mixed"}, data_dir=data_dir)
    with pytest.raises(Exception, match="'mixed': the label 'label' is -1"):
        execute(component, tmp_path / "out")


def test_an_empty_text_is_kept(prepare: Prepare, tmp_path: pathlib.Path) -> None:
    component = TfdsExampleGen("tiny_empty", {"some": "train"}, data_dir=str(prepare("tiny_empty")))
    examples = execute(component, tmp_path / "out")
    assert [text for text, _ in texts_and_labels(examples, "some")].count("") == 1


@pytest.mark.imdb
def test_all_of_the_real_imdb(imdb_dir: str, tmp_path: pathlib.Path) -> None:
    component = TfdsExampleGen("imdb_reviews/plain_text", {"train": "train"}, data_dir=imdb_dir)
    examples = execute(component, tmp_path / "out")
    labels = [label for _, label in texts_and_labels(examples, "train")]
    assert (labels.count(0), labels.count(1)) == (12_500, 12_500)
    assert examples.get_string_custom_property("dataset") == "imdb_reviews/plain_text:1.0.0"
    stored = next(pathlib.Path(imdb_dir, "imdb_reviews/plain_text/1.0.0").glob("*train*"))
    originals = sorted(record.numpy() for record in tf.data.TFRecordDataset(str(stored)))
    assert sorted(serialized(examples, "train")) == originals

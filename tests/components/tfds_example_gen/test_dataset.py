"""Features, splits and fingerprints of prepared datasets."""

from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.tfds_example_gen import dataset
from tests.components.tfds_example_gen.conftest import Builders, Prepare

TRAIN = {"train": "train"}
TOPICS = ("body", "topic")


def read(resolved: dataset.TextDataset, split: str) -> list[bytes]:
    reader = resolved.readers[split]
    return [example for part in resolved.ranges[split] for example in reader.read(part)]


def test_name_is_pinned_and_features_come_from_supervised_keys(prepare: Prepare) -> None:
    resolved = dataset.resolve(
        "tiny_plain", {"train": "train", "eval": "test"}, data_dir=str(prepare("tiny_plain"))
    )
    assert (resolved.name, resolved.version) == ("tiny_plain:1.0.0", "1.0.0")
    assert resolved.class_names == ("neg", "pos")
    assert resolved.examples_per_split == {"train": 12, "eval": 5}


def test_named_features_of_a_dataset_without_supervised_keys(prepare: Prepare) -> None:
    data_dir = str(prepare("tiny_topics"))
    by_class = dataset.resolve("tiny_topics", TRAIN, *TOPICS, data_dir=data_dir)
    assert by_class.class_names == ("art", "bread", "chess")
    by_number = dataset.resolve("tiny_topics", TRAIN, "body", "stars", data_dir=data_dir)
    assert by_number.class_names == ()
    example = tf.train.Example.FromString(read(by_number, "train")[0])
    assert set(example.features.feature) == {"text", "label"}


def test_features_of_a_feature_are_named_by_their_path(prepare: Prepare) -> None:
    data_dir = str(prepare("tiny_nested"))
    nested = "review/told/text", "review/told/label"
    resolved = dataset.resolve("tiny_nested", TRAIN, *nested, data_dir=data_dir)
    assert resolved.class_names == ("neg", "pos")
    examples = [tf.train.Example.FromString(it).features.feature for it in read(resolved, "train")]
    texts = {it["text"].bytes_list.value[0].decode() for it in examples}
    assert texts == {f"review {index} ä" for index in range(12)}
    with pytest.raises(ValueError, match=r"'review/text'\. Near names: review/told/text"):
        dataset.resolve("tiny_nested", TRAIN, "review/text", nested[1], data_dir=data_dir)


@pytest.mark.parametrize("keys", [(("body", "topic"), "topic"), ("body", {"a": "topic"})])
def test_nested_supervised_keys_are_refused(
    prepare: Prepare,
    builders: Builders,
    monkeypatch: pytest.MonkeyPatch,
    keys: tuple[object, object],
) -> None:
    monkeypatch.setattr(builders["tiny_topics"], "KEYS", keys)
    with pytest.raises(ValueError, match="which do not name the text and the label"):
        dataset.resolve("tiny_topics", TRAIN, data_dir=str(prepare("tiny_topics")))


def test_features_may_be_named_against_the_supervised_keys(
    prepare: Prepare, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builders["tiny_topics"], "KEYS", ("body", "stars"))
    data_dir = str(prepare("tiny_topics"))
    by_keys = dataset.resolve("tiny_topics", TRAIN, data_dir=data_dir)
    assert by_keys.class_names == ()
    assert dataset.resolve("tiny_topics", TRAIN, None, "topic", data_dir).class_names


@pytest.mark.parametrize(
    ("name", "verbatim"), [("tiny_plain", True), ("tiny_rated", False), ("tiny_topics", False)]
)
def test_records_with_the_text_and_the_label_alone_are_handed_on(
    prepare: Prepare, name: str, verbatim: bool
) -> None:
    text, label = TOPICS if name == "tiny_topics" else (None, None)
    resolved = dataset.resolve(name, TRAIN, text, label, data_dir=str(prepare(name)))
    stored = [
        record.numpy()
        for part in resolved.ranges["train"]
        for record in tf.data.TFRecordDataset(part.file)
    ]
    assert (read(resolved, "train") == stored) == verbatim


@pytest.mark.parametrize("shards", [1, 3])
def test_slices_hold_the_records_that_tfds_means(prepare: Prepare, shards: int) -> None:
    data_dir = str(prepare("tiny_plain", shards=shards))
    splits = {"whole": "train", "tail": "train[7:]", "sum": "test+train[25%:50%]", "all": "all"}
    resolved = dataset.resolve("tiny_plain", splits, data_dir=data_dir, allow_overlap=True)
    for split, expression in splits.items():
        rows = tfds.as_numpy(
            tfds.load("tiny_plain", split=expression, data_dir=data_dir, shuffle_files=False)
        )
        examples = map(tf.train.Example.FromString, read(resolved, split))
        assert [it.features.feature["text"].bytes_list.value[0] for it in examples] == [
            row["text"] for row in rows
        ]


def test_format_that_cannot_be_read_is_refused(prepare: Prepare) -> None:
    data_dir = str(prepare("tiny_plain", file_format="parquet"))
    with pytest.raises(ValueError, match="files are parquet; expected tfrecord or array_record"):
        dataset.resolve("tiny_plain", TRAIN, data_dir=data_dir)


def test_module_that_cannot_be_imported_is_refused(prepare: Prepare) -> None:
    with pytest.raises(ValueError, match=r"no\.such\.module"):
        dataset.resolve(
            "tiny_plain",
            TRAIN,
            data_dir=str(prepare("tiny_plain")),
            builder_module="no.such.module",
        )


def test_missing_file_is_refused(prepare: Prepare) -> None:
    data_dir = prepare("tiny_plain", shards=2)
    next((data_dir / "tiny_plain" / "1.0.0").glob("*train*00001-of*")).unlink()
    with pytest.raises(FileNotFoundError, match="00001-of-00002 is missing"):
        dataset.resolve("tiny_plain", TRAIN, data_dir=str(data_dir))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("trian", "Unknown split of tiny_plain:1.0.0 in eval='trian': 'trian'. Near names: train"),
        ("none", "'none'. Known: test, train"),
        ("test+trian[:2]", "'trian'. Near names: train"),
        ("train[:0]", "eval='train\\[:0\\]' has a slice without examples.*'train': 12"),
        ("train[90%:10%]", "eval='train\\[90%:10%\\]' has a slice without examples"),
        ("train[90%:10%]+test", "a slice without examples"),
        ("train[:13]", "incompatible with 12 examples"),
        ("train[", "eval='train\\['"),
        ("train[a:b]", "eval='train\\[a:b\\]'"),
        ("all[:3]", "does not support slice"),
    ],
)
def test_unfit_splits_are_refused(prepare: Prepare, expression: str, message: str) -> None:
    data_dir = str(prepare("tiny_plain"))
    with pytest.raises(ValueError, match=message):
        dataset.resolve("tiny_plain", {**TRAIN, "eval": expression}, data_dir=data_dir)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(
    ("train", "evaluation", "shared"),
    [
        ("train", "train", 12),
        ("train[:8]+test[:2]", "test[:3]", 2),
        ("train[:7]", "train[6:]", 1),
        ("train", "train[5:6]", 1),
        ("train[50%:]+test", "all", 11),
    ],
)
def test_splits_that_share_examples_are_refused(
    prepare: Prepare, train: str, evaluation: str, shared: int, shards: int
) -> None:
    data_dir = str(prepare("tiny_plain", shards=shards))
    splits = {"train": train, "eval": evaluation}
    with pytest.raises(ValueError, match=f"train=.* and eval=.* share {shared} examples"):
        dataset.resolve("tiny_plain", splits, data_dir=data_dir)
    resolved = dataset.resolve("tiny_plain", splits, data_dir=data_dir, allow_overlap=True)
    assert set(resolved.ranges) == set(splits)


@pytest.mark.parametrize("shards", [1, 3])
def test_splits_that_touch_are_accepted(prepare: Prepare, shards: int) -> None:
    splits = {"train": "train[:7]", "eval": "train[7:9]+test[:2]", "test": "train[9:]+test[2:]"}
    resolved = dataset.resolve(
        "tiny_plain", splits, data_dir=str(prepare("tiny_plain", shards=shards))
    )
    assert resolved.examples_per_split == {"train": 7, "eval": 4, "test": 6}


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        (
            None,
            None,
            r"supervised_keys are None.*text_feature.*'body' \(Text\), 'picture' \(Image\)",
        ),
        ("body", None, "supervised_keys are None"),
        ("bodi", "topic", "Unknown feature of tiny_topics:1.0.0: 'bodi'. Near names: body"),
        ("picture", "topic", "'picture' is Image.*expected a text"),
        ("words", "topic", "'words' is Sequence.*expected a text"),
        ("stars", "topic", "'stars' is .*expected a text"),
        ("body", "score", "'score' is .*float32.*expected a label"),
        ("body", "body", "'body' is Text.*expected a label"),
    ],
)
def test_unfit_features_are_refused(
    prepare: Prepare, text: str | None, label: str | None, message: str
) -> None:
    data_dir = str(prepare("tiny_topics"))
    with pytest.raises(ValueError, match=message):
        dataset.resolve("tiny_topics", TRAIN, text, label, data_dir=data_dir)


@pytest.mark.parametrize("expression", ["unsupervised", "train+unsupervised", "mixed"])
def test_split_without_labels_is_refused(prepare: Prepare, expression: str) -> None:
    data_dir = str(prepare("tiny_unlabeled"))
    resolved = dataset.resolve("tiny_unlabeled", {"train": expression}, data_dir=data_dir)
    with pytest.raises(ValueError, match=r"is -1; expected 0 or more.*'unsupervised' of imdb"):
        resolved.fingerprint()


def fingerprint(prepare: Prepare, splits: Mapping[str, str] = TRAIN, **prepared: int | str) -> str:
    data_dir = str(prepare("tiny_plain", **prepared))
    return dataset.resolve("tiny_plain", splits, data_dir=data_dir).fingerprint()


def test_fingerprint_stays_when_the_same_data_is_stored_elsewhere_and_otherwise(
    prepare: Prepare,
) -> None:
    first = fingerprint(prepare)
    assert len(first) == 64
    assert fingerprint(prepare, directory="elsewhere", shards=2) == first
    assert fingerprint(prepare, directory="elsewhere", file_format="array_record") == first


def _relabelled(index: int) -> dict[str, str | int]:
    """Returns an example of TinyPlain with one label changed; all files keep their sizes."""
    return {"text": f"review {index} ä", "label": 1 if index == 4 else index % 2}


def _reworded(index: int) -> dict[str, str | int]:
    """Returns an example of TinyPlain with two texts exchanged; all files keep their sizes."""
    return {"text": f"review {[*range(8), 9, 8, 10, 11][index]} ä", "label": index % 2}


def _with_stars(index: int) -> dict[str, str | int]:
    return {"text": f"review {index} ä", "label": index % 2, "stars": 3}


@pytest.mark.parametrize(
    "changed",
    [
        {"example": staticmethod(_relabelled)},
        {"example": staticmethod(_reworded)},
        {"VERSION": tfds.core.Version("1.0.1")},
        {"FEATURES": {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names="ab")}},
        {
            "FEATURES": {
                "text": tfds.features.Text(),
                "label": tfds.features.ClassLabel(names=["neg", "pos"]),
                "stars": np.int64,
            },
            "example": staticmethod(_with_stars),
        },
    ],
    ids=["label", "texts", "version", "class names", "further feature"],
)
def test_fingerprint_changes_with_the_dataset(
    prepare: Prepare,
    builders: Builders,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, object],
) -> None:
    first = fingerprint(prepare)
    for attribute, value in changed.items():
        monkeypatch.setattr(builders["tiny_plain"], attribute, value)
    assert fingerprint(prepare) != first


def test_fingerprint_changes_with_every_split_and_with_the_converter(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(**splits: str) -> str:
        return fingerprint(prepare, splits)

    fingerprints = [
        of(train="train", eval="test"),
        of(train="test", eval="train"),
        of(train="train", eval="test[:4]"),
        of(train="train[1:]", eval="test"),
        of(train="train", other="test"),
        of(train="train"),
    ]
    monkeypatch.setattr(dataset, "CONVERTER_VERSION", dataset.CONVERTER_VERSION + 1)
    fingerprints.append(of(train="train"))
    assert len(set(fingerprints)) == len(fingerprints)


def test_digest_tells_where_a_text_ends(
    prepare: Prepare, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for texts in (["ab", "c"], ["a", "bc"]):
        example = staticmethod(lambda index, texts=texts: {"text": texts[index % 2], "label": 0})
        monkeypatch.setattr(builders["tiny_plain"], "example", example)
        digests.add(fingerprint(prepare, examples=2))
    assert len(digests) == 2


def test_digest_tells_texts_from_labels(prepare: Prepare) -> None:
    data_dir = str(prepare("tiny_topics"))
    by_topic = dataset.resolve("tiny_topics", TRAIN, *TOPICS, data_dir=data_dir)
    by_stars = dataset.resolve("tiny_topics", TRAIN, "body", "stars", data_dir=data_dir)
    assert by_topic.fingerprint() != by_stars.fingerprint()

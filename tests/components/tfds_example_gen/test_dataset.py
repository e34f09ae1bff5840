"""Resolving, pinning, refusing and fingerprinting of TFDS datasets."""

import os
import pathlib
import shutil
import socket
import sys
import textwrap

import pytest
import tensorflow as tf

from components.tfds_example_gen import dataset

TRAIN = {"train": "train"}
TOPICS = {"text_feature": "body", "label_feature": "topic"}


def read(resolved, split):
    reader = resolved.readers[split]
    return [example for part in resolved.ranges[split] for example in reader.read(part)]


def file_sizes(resolved):
    return {part.file: os.path.getsize(part.file) for part in resolved.ranges["train"]}


def test_name_is_pinned_and_features_come_from_supervised_keys(prepare):
    resolved = dataset.resolve(
        "tiny_plain", {"train": "train", "eval": "test"}, data_dir=str(prepare("tiny_plain"))
    )
    assert (resolved.name, resolved.version) == ("tiny_plain:1.0.0", "1.0.0")
    assert resolved.class_names == ("neg", "pos")
    assert resolved.examples_per_split == {"train": 12, "eval": 5}


def test_named_features_of_a_dataset_without_supervised_keys(prepare):
    data_dir = str(prepare("tiny_topics"))
    by_class = dataset.resolve("tiny_topics", TRAIN, data_dir=data_dir, **TOPICS)
    assert by_class.class_names == ("art", "bread", "chess")
    by_number = dataset.resolve("tiny_topics", TRAIN, "body", "stars", data_dir=data_dir)
    assert by_number.class_names == ()
    example = tf.train.Example.FromString(read(by_number, "train")[0])
    assert set(example.features.feature) == {"text", "label"}


def test_newest_prepared_version_is_taken_unless_one_is_named(prepare):
    data_dir = prepare("tiny_plain")
    newer = data_dir / "tiny_plain" / "1.10.0"
    for version in ("1.9.0", "1.10.0"):
        copy = newer.with_name(version)
        shutil.copytree(data_dir / "tiny_plain" / "1.0.0", copy)
        info = copy / "dataset_info.json"
        info.write_text(info.read_text().replace('"1.0.0"', f'"{version}"'))
    names = ("tiny_plain", "tiny_plain:1.0.0", "tiny_plain:1.9.*")
    pinned = [dataset.resolve(name, TRAIN, data_dir=str(data_dir)).version for name in names]
    assert pinned == ["1.10.0", "1.0.0", "1.9.0"]


def test_first_config_is_the_default(prepare):
    data_dir = str(prepare("tiny_configured", config="short"))
    assert dataset.resolve("tiny_configured", TRAIN, data_dir=data_dir).name == (
        "tiny_configured/short:1.0.0"
    )


def test_data_dir_may_be_relative_or_in_the_environment(prepare, monkeypatch):
    data_dir = prepare("tiny_plain")
    monkeypatch.chdir(data_dir.parent)
    relative = dataset.resolve("tiny_plain", TRAIN, data_dir=data_dir.name)
    assert os.path.isabs(relative.ranges["train"][0].file)
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert dataset.resolve("tiny_plain", TRAIN) == relative


def test_dataset_of_ones_own_is_prepared_from_its_module(prepare, tmp_path, monkeypatch):
    del prepare
    (tmp_path / "shop_reviews_module.py").write_text(
        textwrap.dedent(
            '''
            """Reviews of a shop."""
            import numpy as np
            import tensorflow_datasets as tfds

            class ShopReviews(tfds.core.GeneratorBasedBuilder):
                """Two reviews."""
                VERSION = tfds.core.Version("2.1.0")

                def _info(self):
                    return self.dataset_info_from_configs(
                        features=tfds.features.FeaturesDict(
                            {"says": tfds.features.Text(), "stars": np.int64}
                        ),
                        supervised_keys=("says", "stars"),
                    )

                def _split_generators(self, dl_manager):
                    return {"train": self._generate_examples()}

                def _generate_examples(self):
                    yield 0, {"says": "bad", "stars": 0}
                    yield 1, {"says": "good", "stars": 4}
            '''
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = {"data_dir": str(tmp_path / "new"), "builder_module": "shop_reviews_module"}
    first = dataset.resolve("shop_reviews", TRAIN, **arguments)
    assert first.name == "shop_reviews:2.1.0"
    assert dataset.resolve("shop_reviews", TRAIN, **arguments) == first
    assert "shop_reviews_module" in sys.modules


def test_prepared_data_needs_no_network(prepare, monkeypatch):
    data_dir = str(prepare("tiny_plain"))

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert dataset.resolve("tiny_plain", TRAIN, data_dir=data_dir).version == "1.0.0"


def test_unprepared_data_without_network_says_how_to_prepare_it(prepare, tmp_path):
    del prepare
    with pytest.raises(FileNotFoundError) as refusal:
        dataset.resolve("imdb_reviews/plain_text", TRAIN, data_dir=str(tmp_path / "empty"))
    message = str(refusal.value)
    assert "no answer from ai.stanford.edu" in message
    assert "`tfds build imdb_reviews/plain_text --data_dir=DIR`" in message
    assert str(tmp_path / "empty" / "imdb_reviews" / "plain_text" / "1.0.0") in message
    assert "TFDS_DATA_DIR" in message


@pytest.mark.parametrize("missing", ["dataset_info.json", "features.json"])
def test_incomplete_directory_is_refused(prepare, missing):
    data_dir = prepare("tiny_plain")
    (data_dir / "tiny_plain" / "1.0.0" / missing).unlink()
    with pytest.raises(ValueError, match=r"is incomplete.*copy it again"):
        dataset.resolve("tiny_plain", TRAIN, data_dir=str(data_dir))


def test_directory_of_an_interrupted_copy_is_refused(prepare):
    data_dir = prepare("tiny_plain")
    for file in (data_dir / "tiny_plain" / "1.0.0").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match="holds no complete dataset"):
        dataset.resolve("tiny_plain", TRAIN, data_dir=str(data_dir))


def test_missing_file_is_refused(prepare):
    data_dir = prepare("tiny_plain", shards=2)
    next((data_dir / "tiny_plain" / "1.0.0").glob("*train*00001-of*")).unlink()
    with pytest.raises(FileNotFoundError, match="00001-of-00002 is missing"):
        dataset.resolve("tiny_plain", TRAIN, data_dir=str(data_dir))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imdb_reveiws", "Unknown dataset 'imdb_reveiws'. Near names: imdb_reviews"),
        ("tiny_plane", "Near names: .*tiny_plain"),
        ("nothing_like_it", "'nothing_like_it'. Near names: none. A dataset of your own needs"),
        ("imdb_reviews/plain_txt", "cannot be loaded: .*plain_txt not found.* plain_text:1.0.0"),
        ("tiny_plain:3.0.0", "cannot be loaded: .* 3.0.0, only: 1.0.0.$"),
        ("tiny_plain:one", "'tiny_plain:one' is not a name of a TFDS dataset"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(prepare, name, message):
    data_dir = str(prepare("tiny_plain"))
    with pytest.raises(ValueError, match=message):
        dataset.resolve(name, TRAIN, data_dir=data_dir)


def test_version_of_a_dataset_without_code_is_refused_with_the_prepared_ones(prepare):
    directory = prepare("tiny_plain") / "tiny_plain"
    directory.rename(directory.with_name("codeless"))
    with pytest.raises(ValueError, match=r"'codeless:3.0.0' is not prepared: .*codeless has 1.0.0"):
        dataset.resolve("codeless:3.0.0", TRAIN, data_dir=str(directory.parent))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("trian", "Unknown split of tiny_plain:1.0.0 in eval='trian': 'trian'. Near names: train"),
        ("test+trian[:2]", "'trian'. Near names: train"),
        ("train[:0]", "eval='train\\[:0\\]' has no examples.*'train': 12"),
        ("train[:13]", "incompatible with 12 examples"),
        ("train[", "eval='train\\['"),
        ("train[a:b]", "eval='train\\[a:b\\]'"),
        ("all[:3]", "does not support slice"),
    ],
)
def test_unfit_splits_are_refused(prepare, expression, message):
    data_dir = str(prepare("tiny_plain"))
    with pytest.raises(ValueError, match=message):
        dataset.resolve("tiny_plain", {**TRAIN, "eval": expression}, data_dir=data_dir)


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        (None, None, "supervised_keys are None.*text_feature.*'body' \\(Text\\)"),
        ("body", None, "supervised_keys are None"),
        ("bodi", "topic", "Unknown feature of tiny_topics:1.0.0: 'bodi'. Near names: body"),
        ("picture", "topic", "'picture' is Image.*expected a text"),
        ("words", "topic", "'words' is Sequence.*expected a text"),
        ("stars", "topic", "'stars' is .*expected a text"),
        ("body", "score", "'score' is .*float32.*expected a label"),
        ("body", "body", "'body' is Text.*expected a label"),
    ],
)
def test_unfit_features_are_refused(prepare, text, label, message):
    data_dir = str(prepare("tiny_topics"))
    with pytest.raises(ValueError, match=message):
        dataset.resolve("tiny_topics", TRAIN, text, label, data_dir=data_dir)


@pytest.mark.parametrize("expression", ["unsupervised", "train+unsupervised", "mixed"])
def test_split_without_labels_is_refused(prepare, expression):
    data_dir = str(prepare("tiny_unlabeled"))
    resolved = dataset.resolve("tiny_unlabeled", {"train": expression}, data_dir=data_dir)
    with pytest.raises(ValueError, match=r"is -1; expected 0 or more.*'unsupervised' of imdb"):
        resolved.fingerprint()


def test_module_that_cannot_be_imported_is_refused():
    with pytest.raises(ValueError, match=r"builder_module 'no.such.module' cannot be imported"):
        dataset.resolve("tiny_plain", TRAIN, builder_module="no.such.module")


def test_fingerprint_stays_when_the_same_data_is_stored_elsewhere_and_otherwise(prepare):
    here = prepare("tiny_plain")
    first = dataset.resolve("tiny_plain", TRAIN, data_dir=str(here)).fingerprint()
    again = prepare("tiny_plain", directory="elsewhere", shards=2)
    for file in pathlib.Path(again).rglob("*"):
        os.utime(file, (1, 1))
    assert dataset.resolve("tiny_plain", TRAIN, data_dir=str(again)).fingerprint() == first
    assert len(first) == 64


def test_fingerprint_changes_with_one_label_though_every_size_stays(prepare, builders, monkeypatch):
    def resolved():
        return dataset.resolve("tiny_plain", TRAIN, data_dir=str(prepare("tiny_plain")))

    first, size = resolved().fingerprint(), file_sizes(resolved())
    example = builders["tiny_plain"].example
    monkeypatch.setattr(
        builders["tiny_plain"],
        "example",
        lambda _, index: {**example(index), "label": 1 if index == 4 else index % 2},
    )
    assert file_sizes(resolved()) == size
    assert resolved().fingerprint() != first


def test_fingerprint_changes_with_data_splits_and_features(prepare):
    def fingerprint(name, splits=TRAIN, text=None, label=None, **kwargs):
        data_dir = str(prepare(name, **kwargs))
        return dataset.resolve(name, splits, text, label, data_dir=data_dir).fingerprint()

    fingerprints = [
        fingerprint("tiny_plain"),
        fingerprint("tiny_plain", examples=13),
        fingerprint("tiny_plain", splits={"train": "train[:6]"}),
        fingerprint("tiny_plain", splits={"train": "train[6:]"}),
        fingerprint("tiny_topics", text="body", label="topic"),
        fingerprint("tiny_topics", text="body", label="stars"),
    ]
    assert len(set(fingerprints)) == len(fingerprints)

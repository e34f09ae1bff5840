"""Tests the sample's dataset and the curated schemas."""

import collections
import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
import tensorflow_datasets as tfds
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline_def.sample_reviews.sample_reviews_dataset_builder import write_review

Splits = dict[str, tuple[list[str], list[int]]]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """Returns texts and labels of each split, as TFDS prepares and reads them."""
    builder = tfds.builder("sample_reviews:1.0.0", data_dir=tmp_path_factory.mktemp("tfds"))
    builder.download_and_prepare()
    splits = {}
    for split in builder.info.splits:
        examples = tfds.as_numpy(builder.as_dataset(split=split, as_supervised=True))
        texts, labels = zip(*examples, strict=True)
        splits[split] = [text.decode() for text in texts], [int(label) for label in labels]
    return splits


def test_a_seed_gives_the_same_review_on_any_machine() -> None:
    digest = hashlib.sha256()
    for number in range(100):
        digest.update(write_review(f"train {number}", number % 2).encode())
    # Another digest means that the reviews have changed; VERSION of the dataset must change too.
    assert digest.hexdigest()[:16] == "0211f5f5abfad7f3"


def test_splits_are_balanced_and_differ(splits: Splits) -> None:
    assert {name: len(texts) for name, (texts, _) in splits.items()} == {
        "train": 3000,
        "test": 1000,
    }
    assert all(np.mean(labels) == 0.5 for _, labels in splits.values())
    train, test = set(splits["train"][0]), set(splits["test"][0])
    assert len(train & test) < 20  # Only very short reviews coincide.


def test_bag_of_words_finds_the_opinion_but_not_always(splits: Splits) -> None:
    vectorizer = CountVectorizer()
    train, test = splits["train"], splits["test"]
    model = LogisticRegression(C=0.1).fit(vectorizer.fit_transform(train[0]), train[1])
    assert 0.8 < model.score(vectorizer.transform(test[0]), test[1]) < 0.97


def test_texts_are_like_reviews(splits: Splits) -> None:
    texts, _ = splits["train"]
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) < 10
    assert np.percentile(lengths, 95) > 5 * np.percentile(lengths, 25)
    assert 100 < sum("<br /><br />" in text for text in texts) < 3000

    split_words = CountVectorizer().build_analyzer()
    counts = collections.Counter(word for text in texts for word in split_words(text))
    assert len(counts) > 1500
    (_, top), *_ = counts.most_common()
    assert top > 50 * np.median(list(counts.values()))  # A few frequent words, many rare ones.


@pytest.mark.parametrize("name", ["sample_reviews", "imdb_reviews"])
def test_curated_schema_takes_reviews_and_refuses_other_labels(
    name: str, splits: Splits, pytestconfig: pytest.Config
) -> None:
    schema = tfdv.load_schema_text(str(pytestconfig.rootpath / "schemas" / f"{name}.pbtxt"))

    def anomalies(texts: Sequence[str | None], labels: list[int]) -> set[str]:
        frame = pd.DataFrame({"text": texts, "label": labels})
        statistics = tfdv.generate_statistics_from_dataframe(frame)
        return set(tfdv.validate_statistics(statistics, schema).anomaly_info)

    texts, labels = splits["test"]
    assert anomalies(texts, labels) == set()
    assert anomalies(texts, [2, *labels[1:]]) == {"label"}
    assert anomalies([None, *texts[1:]], labels) == {"text"}

import collections
import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components import text

DENSE = {
    text.TEXT: tf.io.FixedLenFeature([], tf.string),
    text.LABEL: tf.io.FixedLenFeature([], tf.int64),
}


@pytest.fixture
def transform(tmp_path):
    """Runs the real tf.Transform; returns token ids, labels and the transform's output."""

    def run(texts, spec=None, labels=None, **custom_config):
        rows = [
            {text.TEXT: value, text.LABEL: label}
            for value, label in zip(texts, labels or [1] * len(texts), strict=True)
        ]
        metadata = tft.DatasetMetadata.from_feature_spec(spec or DENSE)
        with tft_beam.Context(temp_dir=str(tmp_path / "temp")):
            (transformed, _), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
                functools.partial(text.preprocessing_fn, custom_config=custom_config)
            )
            transform_fn | tft_beam.WriteTransformFn(str(tmp_path / "output"))
        ids = [row[text.TOKEN_IDS].tolist() for row in transformed]
        labels = [row[text.LABEL] for row in transformed]
        return ids, labels, tft.TFTransformOutput(str(tmp_path / "output"))

    return run


def serve(output, texts):
    """Token ids that the serving layer gives raw texts, without labels."""
    features = output.transform_features_layer()({text.TEXT: tf.constant(texts)})
    return tf.RaggedTensor.from_sparse(features[text.TOKEN_IDS]).to_list()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("A good, GOOD film.", ["a", "good", "good", "film"]),
        ("one<br /><br />two<BR>three", ["one", "two", "three"]),
        ('<a href="x">link</a> <!-- no --> end', ["link", "end"]),
        ("2 < 3 and 4 > 3, I <3 it", ["2", "3", "and", "4", "3", "i", "3", "it"]),
        ("Don't 'quote' ''it'' rock'n'roll dogs'", ["don't", "quote", "it", "rock'n'roll", "dogs"]),
        ("it\u2019s it&#39;s it&apos;s", ["it's"] * 3),
        ("salt&nbsp;&amp;&nbsp;pepper", ["salt", "pepper"]),
        ("well-known 10/10", ["well", "known", "10", "10"]),
        ("Ünïcode ЁЛКА straße e\u0301te\u0301", ["ünïcode", "ёлка", "straße", "e\u0301te\u0301"]),
        ("多么 好，看！", ["多么", "好", "看"]),  # noqa: RUF001
        (" \t\n...!?'' ", []),
        ("", []),
        (b"bad \xff\xfe bytes", ["bad", "bytes"]),
    ],
)
def test_words(raw, words):
    (row,) = text.split_words(tf.constant([raw])).to_list()
    assert [word.decode() for word in row] == words


def test_ids_are_frequency_ranks_and_labels_pass(transform):
    # a 3, b 2, then c and d once, in reverse order.
    ids, labels, output = transform(["a b c", "", "A b. a d"], labels=[0, 1, 0])
    assert text.read_vocabulary(output) == ["a", "b", "d", "c"]
    assert ids == [[1, 2, 4], [], [1, 2, 1, 3]]
    assert labels == [0, 1, 0]
    assert output.vocabulary_size_by_name(text.VOCABULARY) == 4


def test_token_counts_are_those_of_the_vocabulary(transform):
    # As many b as c: order and the cut between them must be those of the vocabulary.
    texts = ["a b c", "", "A B. c d " * 3, "the the the the the"] * 2
    _, _, output = transform(texts, skip_top=1, min_frequency=7, vocabulary_size=2)
    assert text.read_vocabulary(output) == ["c", "b"]
    counts = text.read_token_counts(output)
    assert counts is not None
    assert counts.tolist() == [8, 8]
    assert counts.dtype == np.int64


def test_token_counts_of_many_batches_are_exact(transform):
    words = [f"w{i}" for i in range(300)]
    texts = [" ".join(words[: i % 300 + 1]) for i in range(0, 6000, 7)]
    _, _, output = transform(texts)
    expected = collections.Counter(" ".join(texts).split())
    counts = text.read_token_counts(output)
    assert counts is not None
    assert dict(zip(text.read_vocabulary(output), counts.tolist(), strict=True)) == expected


def _transform_words(tmp_path, words, *vocabularies):
    """What somebody else's Transform writes, with (name, store_frequency) vocabularies."""

    def preprocessing_fn(inputs):
        for name, store_frequency in vocabularies:
            tft.vocabulary(inputs["x"], vocab_filename=name, store_frequency=store_frequency)
        return inputs

    metadata = tft.DatasetMetadata.from_feature_spec({"x": tf.io.FixedLenFeature([], tf.string)})
    with tft_beam.Context(temp_dir=str(tmp_path / "temp")):
        rows = [{"x": word} for word in words]
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        transform_fn | tft_beam.WriteTransformFn(str(tmp_path / "output"))
    return tft.TFTransformOutput(str(tmp_path / "output"))


def test_token_counts_of_tokens_with_spaces(tmp_path):
    words = ["New York", " ", "7 x", "7 x", "new "]
    output = _transform_words(tmp_path, words, (text.VOCABULARY, False), (text.TOKEN_COUNTS, True))
    assert text.read_vocabulary(output) == ["7 x", "new ", "New York", " "]
    counts = text.read_token_counts(output)
    assert counts is not None
    assert counts.tolist() == [2, 1, 1, 1]


def test_somebody_elses_transform_has_no_token_counts(tmp_path):
    output = _transform_words(tmp_path, ["a"], (text.VOCABULARY, False))
    assert text.read_token_counts(output) is None


def test_token_counts_of_another_vocabulary_are_refused(transform):
    _, _, output = transform(["a a b"])
    path = pathlib.Path(output.vocabulary_file_by_name(text.TOKEN_COUNTS))
    path.write_text("2 b\n1 a\n")
    with pytest.raises(ValueError, match="token_counts has 2 tokens that are not the 2 of"):
        text.read_token_counts(output)


def test_out_of_vocabulary_has_the_last_id(transform):
    ids, _, output = transform(["a a a b b c"], vocabulary_size=2)
    assert ids == [[1, 1, 1, 2, 2, 3]]
    assert serve(output, ["b never seen a"]) == [[2, 3, 3, 1]]
    assert text.embedding_rows(2) == 4  # Ids 0 to 3.


def test_skip_top_drops_words_before_the_vocabulary_is_cut(transform):
    texts = ["the the the of of a a b", "the"]
    ids, _, output = transform(texts, skip_top=2, vocabulary_size=1)
    # `of` and `a` are equally frequent; the later in the alphabet comes first.
    assert text.read_vocabulary(output) == ["a"]
    assert ids == [[1, 1, 2], []]
    assert serve(output, texts) == ids


def test_min_frequency(transform):
    ids, _, output = transform(["a a a b b c"], min_frequency=2)
    assert text.read_vocabulary(output) == ["a", "b"]
    assert ids == [[1, 1, 1, 2, 2, 3]]


def test_serving_gives_the_ids_of_training(transform):
    texts = ["It's <br /> GOOD", "naïve, not good", "", "don't &amp; can't"]
    ids, _, output = transform(texts, skip_top=1, code_digest="ignored")
    assert serve(output, texts) == ids


@pytest.mark.parametrize(
    "feature",
    [lambda dtype: tf.io.FixedLenFeature([1], dtype), tf.io.VarLenFeature],
    ids=["batch-by-one", "sparse"],
)
def test_forms_of_inferred_schemas(transform, feature):
    spec = {text.TEXT: feature(tf.string), text.LABEL: feature(tf.int64)}
    ids, labels, _ = transform([["b a"], ["a"]], labels=[[1], [0]], spec=spec)
    assert (ids, labels) == ([[2, 1], [1]], [1, 0])


def test_missing_label_is_refused(transform):
    spec = {**DENSE, text.LABEL: tf.io.VarLenFeature(tf.int64)}
    with pytest.raises(Exception, match="label must have exactly one value in every example"):
        transform(["a", "b"], labels=[[1], []], spec=spec)


def test_several_values_are_refused(transform):
    spec = {**DENSE, text.TEXT: tf.io.FixedLenFeature([2], tf.string)}
    with pytest.raises(ValueError, match="'text' has the shape"):
        transform([["a", "b"]], spec=spec)


@pytest.mark.parametrize(
    ("texts", "custom_config"), [(["", "..."], {}), (["a b"], {"min_frequency": 2})]
)
def test_empty_vocabulary_is_refused_when_read(transform, texts, custom_config):
    _, _, output = transform(texts, **custom_config)
    with pytest.raises(ValueError, match="vocabulary is empty"):
        text.read_vocabulary(output)


@pytest.mark.parametrize(
    ("custom_config", "message"),
    [
        ({"tokeniser": "words"}, r"unknown keys \['tokeniser'\].*'tokenizer'"),
        ({"tokenizer": "letters"}, "tokenizer is 'letters'"),
        ({"vocabulary_size": 0}, "vocabulary_size is 0"),
        ({"skip_top": -1}, "skip_top is -1"),
        ({"skip_top": True}, "skip_top is True"),
        ({"min_frequency": 1.5}, "min_frequency is 1.5"),
    ],
)
def test_bad_config_is_refused(custom_config, message):
    with pytest.raises(ValueError, match=message):
        text.Tokenization.from_config(custom_config)


def test_subwords_split_unseen_words_and_serve_in_a_fresh_process(transform, tmp_path):
    stems, endings = ("walk", "talk", "jump", "look", "cook"), ("ed", "ing", "er", "s")
    words = [stem + ending for stem in stems for ending in endings if stem + ending != "cooking"]
    texts = [f"{word} and" for word in words] * 5
    ids, _, output = transform(texts, tokenizer="subwords", vocabulary_size=50)
    assert serve(output, texts) == ids

    vocabulary = text.read_vocabulary(output)
    assert len(vocabulary) <= 50
    counts = text.read_token_counts(output)
    assert counts is not None
    every_id = np.concatenate(ids).astype(np.int64)
    occurrences = np.bincount(every_id, minlength=text.embedding_rows(len(vocabulary)))
    np.testing.assert_array_equal(counts, occurrences[text.FIRST_TOKEN_ID : -1])
    (row,) = serve(output, ["Cooking"])
    pieces = [vocabulary[i - text.FIRST_TOKEN_ID] for i in row]
    assert pieces == ["c", "##o", "##o", "##k", "##ing"]
    assert serve(output, ["and 漢"]) == [[1, len(vocabulary) + 1]]

    # As a model server: nothing of this project, only the ops of tensorflow_text.
    model = tf.Module()
    model.layer = output.transform_features_layer()
    model.ids = tf.function(
        lambda texts: model.layer({text.TEXT: texts})[text.TOKEN_IDS].values,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(model, str(tmp_path / "model"))
    script = (
        "import json, sys, tensorflow as tf, tensorflow_text\n"
        "ids = tf.saved_model.load(sys.argv[1]).ids(tf.constant(['Cooking']))\n"
        "print(json.dumps(ids.numpy().tolist()))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "model")]
    served = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(served.stdout) == row


def test_subwords_of_no_words_are_refused(transform):
    with pytest.raises(Exception, match="no word to learn subwords from"):
        transform(["", "..."], tokenizer="subwords")


def test_words_do_without_tensorflow_text():
    script = "import components.text, sys; sys.exit('tensorflow_text' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

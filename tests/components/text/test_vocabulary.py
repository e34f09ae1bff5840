import collections
import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components.text.features import SKIPPED_TOKENS, TOKEN_COUNTS, VOCABULARY
from components.text.vocabulary import read_served_vocabulary, read_token_counts, read_vocabulary
from tests.components.text.conftest import Transform


def test_tokens_come_by_falling_frequency_and_equal_ones_in_reverse_order(
    transform: Transform,
) -> None:
    output = transform(["a b c", "", "A B. a d"]).output

    assert read_vocabulary(output) == ["a", "b", "d", "c"]
    assert output.vocabulary_size_by_name(VOCABULARY) == 4


def test_rare_tokens_are_left_out(transform: Transform) -> None:
    transformed = transform(["a a a b b c"], frequency_threshold=2)

    assert read_vocabulary(transformed.output) == ["a", "b"]
    assert transformed.ids == [[1, 1, 1, 2, 2, 3]]


@pytest.mark.parametrize("tokenizer", ["words", "subwords"])
def test_a_token_of_a_million_characters_is_out_of_vocabulary(
    transform: Transform, tokenizer: str
) -> None:
    transformed = transform(["a a b", "x" * 1_000_000, "c" * 1000], tokenizer=tokenizer)

    vocabulary = read_vocabulary(transformed.output)
    assert max(map(len, vocabulary)) <= 1000
    assert transformed.ids[1] == [len(vocabulary) + 1]
    if tokenizer == "words":
        assert vocabulary == ["a", "c" * 1000, "b"]


def test_the_files_are_those_of_tft_vocabulary(
    transform: Transform, tmp_path: pathlib.Path
) -> None:
    texts = ["a b c", "", "A B. c d " * 3, "the the the the the", "tw two 2 e\u0301 漢"] * 2

    output = transform(texts, skip_top=1, frequency_threshold=4, top_k=3).output

    words = " ".join(texts).lower().replace(".", "").split()
    oracle = _transform_words(tmp_path / "oracle", words, (VOCABULARY, False), (TOKEN_COUNTS, True))
    skip, keep = slice(0, 1), slice(1, 4)
    assert output.vocabulary_by_name(SKIPPED_TOKENS) == oracle.vocabulary_by_name(VOCABULARY)[skip]
    for name in (VOCABULARY, TOKEN_COUNTS):
        assert output.vocabulary_by_name(name) == oracle.vocabulary_by_name(name)[keep]


def test_token_counts_are_those_of_the_vocabulary(transform: Transform) -> None:
    # b and c are equally frequent: the counts must have the vocabulary's order and its cut.
    texts = ["a b c", "", "A B. c d " * 3, "the the the the the"] * 2

    output = transform(texts, skip_top=1, frequency_threshold=7, top_k=2).output

    assert read_vocabulary(output) == ["c", "b"]
    counts = read_token_counts(output)
    assert counts is not None
    assert counts.tolist() == [8, 8]
    assert counts.dtype == np.int64


def test_token_counts_of_many_batches_are_exact(transform: Transform) -> None:
    words = [f"w{i}" for i in range(300)]
    texts = [" ".join(words[: i % 300 + 1]) for i in range(0, 6000, 7)]

    output = transform(texts).output

    counts = read_token_counts(output)
    assert counts is not None
    expected = collections.Counter(" ".join(texts).split())
    assert dict(zip(read_vocabulary(output), counts.tolist(), strict=True)) == expected


@pytest.mark.slow
def test_token_counts_of_tokens_with_spaces(tmp_path: pathlib.Path) -> None:
    words = ["New York", " ", "7 x", "7 x", "new "]

    output = _transform_words(tmp_path, words, (VOCABULARY, False), (TOKEN_COUNTS, True))

    assert read_vocabulary(output) == ["7 x", "new ", "New York", " "]
    counts = read_token_counts(output)
    assert counts is not None
    assert counts.tolist() == [2, 1, 1, 1]


@pytest.mark.slow
def test_somebody_elses_transform_has_no_token_counts(tmp_path: pathlib.Path) -> None:
    assert read_token_counts(_transform_words(tmp_path, ["a"], (VOCABULARY, False))) is None


def test_token_counts_of_another_vocabulary_are_refused(transform: Transform) -> None:
    output = transform(["a a b"]).output
    path = output.vocabulary_file_by_name(TOKEN_COUNTS)
    assert path is not None
    pathlib.Path(path).write_text("2 b\n1 a\n")

    with pytest.raises(ValueError, match=r"token_counts counts 2 tokens that differ from the 2"):
        read_token_counts(output)


@pytest.mark.parametrize(
    ("texts", "custom_config"),
    [(["", "..."], {}), (["a b"], {"frequency_threshold": 2}), (["a b"], {"skip_top": 2})],
)
def test_an_empty_vocabulary_is_refused_when_read(
    transform: Transform, texts: list[str], custom_config: dict[str, int]
) -> None:
    output = transform(texts, **custom_config).output

    with pytest.raises(ValueError, match="/vocabulary: the vocabulary is empty; expected at least"):
        read_vocabulary(output)


def test_a_model_without_a_vocabulary_has_none_to_read(tmp_path: pathlib.Path) -> None:
    assert read_served_vocabulary(str(tmp_path)) is None


def test_a_served_vocabulary_is_read_line_by_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "vocabulary").write_bytes("the\nété\n".encode())
    (tmp_path / "assets" / "pieces").write_bytes(b"##s\n")

    assert read_served_vocabulary(str(tmp_path)) == [b"the", "été".encode()]
    assert read_served_vocabulary(str(tmp_path), "pieces") == [b"##s"]


def _transform_words(
    directory: pathlib.Path, words: Sequence[str], *vocabularies: tuple[str, bool]
) -> tft.TFTransformOutput:
    """Writes a graph that is not this project's, with (name, store_frequency) vocabularies."""

    def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, store_frequency in vocabularies:
            tft.vocabulary(inputs["x"], vocab_filename=name, store_frequency=store_frequency)
        return inputs

    metadata = tft.DatasetMetadata.from_feature_spec({"x": tf.io.FixedLenFeature([], tf.string)})
    with tft_beam.Context(temp_dir=str(directory / "temp")):
        rows = [{"x": word} for word in words]
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(preprocessing_fn)
        transform_fn | tft_beam.WriteTransformFn(str(directory / "output"))
    return tft.TFTransformOutput(str(directory / "output"))

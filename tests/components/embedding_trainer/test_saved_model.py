import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.embedding_trainer import saved_model
from components.embedding_trainer.model import build_model
from components.text.features import FIRST_TOKEN_ID, input_dim

from . import harness


def _build(data: str, embedding_dim: int = 4, classes: int = 2, seed: int = 0) -> keras.Model:
    """Returns a model with random weights; no weight is zero, not even a bias."""
    model = build_model(input_dim(len(harness.vocabulary(data))), embedding_dim, 8, classes)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(size=w.shape) for w in model.get_weights()])
    return model


def _save(model: keras.Model, data: str, directory: pathlib.Path, length: int = 100) -> str:
    saved_model.save(model, harness.transform_output(data), length, str(directory))
    return str(directory)


def _ids(data: str, *words: str) -> list[int]:
    return [harness.vocabulary(data).index(word) + FIRST_TOKEN_ID for word in words]


def test_every_signature_gives_the_probabilities_of_the_model(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    model = _build(two_classes, classes=3)

    directory = _save(model, two_classes, tmp_path / "model")

    texts = ["A good, GOOD film", "", "the film"]
    ids = [_ids(two_classes, "a", "good", "good", "film"), [0] * 4, [0] * 4]
    ids[2][:2] = _ids(two_classes, "the", "film")
    expected = keras.ops.softmax(model(np.array(ids, np.int32)))
    signatures = tf.saved_model.load(directory).signatures
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
                }
            )
        ).SerializeToString()
        for text in texts
    ]
    for served in (
        signatures["serving_default"](examples=tf.constant(examples)),
        signatures["serve_text"](text=tf.constant(texts)),
        signatures["serve_token_ids"](token_ids=tf.constant(ids, tf.int64)),
    ):
        np.testing.assert_allclose(served["probabilities"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "names"), [(["bad", "good"], [b"bad", b"good"]), ([], [b"0", b"1"])]
)
def test_text_is_answered_with_names_and_the_share_of_unknown_words(
    given: list[str], names: list[bytes], two_classes: str, tmp_path: pathlib.Path
) -> None:
    output, directory = harness.transform_output(two_classes), str(tmp_path / "model")
    saved_model.save(_build(two_classes), output, 4, directory, class_names=given)

    serve = tf.saved_model.load(directory).signatures["serve_text"]
    texts = ["A good film", "xyzzy film plugh film film", "", "xyzzy"]
    served = serve(text=tf.constant(texts))

    assert served["class_names"].numpy().tolist() == [names] * len(texts)
    assert served["unknown_words"].numpy().tolist() == [0, 0.5, 1, 1]


def test_tokens_after_the_longest_sequence_are_not_read(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    directory = _save(_build(two_classes), two_classes, tmp_path / "model", length=3)

    long, cut, other = harness.serve(
        directory, ["good awful bad nice plot", "good awful bad", "good awful"]
    )
    serve = tf.saved_model.load(directory).signatures["serve_token_ids"]
    ids = tf.constant([_ids(two_classes, "good", "awful", "bad", "nice", "plot")], tf.int64)

    np.testing.assert_array_equal(long, cut)
    assert not np.allclose(long, other)
    np.testing.assert_allclose(serve(token_ids=ids)["probabilities"][0], cut, rtol=1e-6)


def test_examples_are_read_by_the_name_that_their_text_has(
    subwords: str, tmp_path: pathlib.Path
) -> None:
    model, output = _build(subwords), harness.transform_output(subwords)
    directory = str(tmp_path / "model")

    saved_model.save(model, output, 100, directory, text_feature="review")

    example = tf.train.Example()
    example.features.feature["review"].bytes_list.value.append(b"good film")
    serve = tf.saved_model.load(directory).signatures["serving_default"]
    served = serve(examples=tf.constant([example.SerializeToString()]))["probabilities"]
    np.testing.assert_allclose(served, harness.serve(directory, ["good film"]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"no feature 'text'; .*\['label', 'review'\]. Give Embed"):
        saved_model.save(model, output, 100, directory)


def test_a_model_appears_when_it_is_complete(
    two_classes: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = tf.saved_model.save

    def save_and_fail(*arguments: Any, **options: Any) -> None:
        save(*arguments, **options)
        raise OSError("No space left on device")

    model = _build(two_classes)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(tf.saved_model, "save", save_and_fail)
        _save(model, two_classes, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    (incomplete,) = tmp_path.iterdir()
    (incomplete / "assets" / "of-a-killed-run").touch()

    _save(model, two_classes, tmp_path / "model")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "assets" / "of-a-killed-run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text_spec", [tf.io.VarLenFeature(tf.string), tf.io.FixedLenFeature([1], tf.string)]
)
def test_text_is_served_whatever_form_its_schema_gives_it(
    text_spec: Any, tmp_path: pathlib.Path
) -> None:
    data = harness.write_transformed(
        str(tmp_path / "data"), ["good film", "bad film"], [1, 0], text_spec=text_spec
    )
    model = _build(data)

    served = harness.serve(_save(model, data, tmp_path / "model"), ["bad film", "good"])

    ids = np.array([_ids(data, "bad", "film"), [*_ids(data, "good"), 0]], np.int32)
    logits = model(ids).numpy()[:, 0]
    np.testing.assert_allclose(served[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-5)

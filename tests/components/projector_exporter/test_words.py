import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory import metadata, reader
from components.projector_directory.verify import verify_contents
from components.projector_exporter.words import (
    COLUMNS,
    check_columns,
    make_columns,
    token_probabilities,
)

TOKENS = [b"film", b"good", b"bad", b"007"]
IDS = np.array([1, 2, 3, 4])
MATRIX = np.array([[3, 4, 0], [1, 0, 0], [0, -2, 0], [0, 0, 0]], np.float32)
COUNTS = np.array([90, 50, 7, 7])
TWO = np.array([[0.5, 0.5], [0.1, 0.9], [0.75, 0.25], [0.5, 0.5]], np.float32)


class _Model(tf.Module):
    """Gives token n of V the probability n / V of the second class; as a mean of a text's."""

    def __init__(self, size: int) -> None:
        self.table = tf.Variable(np.arange(size + 2, dtype=np.float32) / size)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="token_ids")])
    def serve(self, token_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        positive = tf.reduce_mean(tf.gather(self.table, token_ids), axis=1)
        return {"probabilities": tf.stack([1 - positive, positive], axis=1)}


@pytest.mark.parametrize("batch_size", [4096, 3])
def test_a_model_is_asked_about_every_token(tmp_path: pathlib.Path, batch_size: int) -> None:
    model = _Model(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serve_token_ids": model.serve})

    ids = np.array([10, 1, 2, 5, 5, 7, 9, 4])
    found = token_probabilities(str(tmp_path), ids, batch_size)

    assert found is not None and found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack([1 - ids / 10, ids / 10], axis=1), rtol=1e-5)


def test_models_that_take_no_token_ids_say_nothing(tmp_path: pathlib.Path) -> None:
    model = _Model(10)
    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.serve})
    (tmp_path / "variables" / "variables.index").unlink()  # It is not even loaded.

    assert token_probabilities(str(tmp_path), IDS) is None


def test_a_directory_without_a_model_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb is missing"):
        token_probabilities(str(tmp_path), IDS)


def test_all_columns_of_two_classes() -> None:
    made = make_columns(TOKENS, IDS, MATRIX, COUNTS, TWO, ["neg", "pos"])

    assert list(made) == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert made["token"] == TOKENS
    np.testing.assert_array_equal(made["id"], IDS)
    np.testing.assert_array_equal(made["rank"], [1, 2, 3, 4])
    np.testing.assert_array_equal(made["count"], COUNTS)
    np.testing.assert_array_equal(made["norm"], [5, 1, 2, 0])
    assert isinstance(made["norm"], np.ndarray) and made["norm"].dtype == np.float64
    np.testing.assert_array_equal(made["P(pos)"], TWO[:, 1])
    assert made["class"] == [b"neg", b"pos", b"neg", b"neg"]
    assert made["strength"] == ["4 ±".encode(), b"7 pos +++", b"3 neg +", "4 ±".encode()]


def test_what_is_unknown_is_left_out() -> None:
    assert list(make_columns(TOKENS, IDS, MATRIX)) == ["token", "id", "rank", "norm"]


def test_columns_are_chosen_and_keep_their_order() -> None:
    made = make_columns(
        TOKENS, IDS, MATRIX, COUNTS, TWO, columns=["strength", "probability", "id", "token"]
    )
    assert list(made) == ["token", "id", "P(class 1)", "strength"]


def test_ranks_are_those_of_the_whole_vocabulary() -> None:
    made = make_columns(TOKENS, np.array([0, 9, 70, 71]), MATRIX, first_token_id=0)
    np.testing.assert_array_equal(made["rank"], [1, 10, 71, 72])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["token", "id", "counts"], r"'counts' is none of .* Did you mean 'count'\?"),
        (["token", "xyz"], "'xyz' is none of token, id, rank"),
        (["id", "norm"], "expected 'token' and at least one of id, rank, norm"),
        (["token", "count"], "expected 'token' and at least one of id, rank, norm"),
    ],
)
def test_columns_that_make_no_table_are_refused(columns: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_columns(columns)


def test_strength_is_relative_to_the_other_tokens() -> None:
    generator = np.random.default_rng(0)
    # A model that leans to the second class: even the most negative word is more probably positive.
    log_odds = 9 + generator.normal(size=10_000)
    positive = 1 / (1 + np.exp(-log_odds))
    probabilities = np.stack([1 - positive, positive], axis=1)
    columns = _columns(10_000, probabilities, ["neg", "pos"])

    assert set(columns["class"]) == {b"pos"}
    bands, counts = np.unique(np.array(columns["strength"], dtype=object), return_counts=True)
    assert [band.decode() for band in bands] == [
        "1 neg +++",
        "2 neg ++",
        "3 neg +",
        "4 ±",
        "5 pos +",
        "6 pos ++",
        "7 pos +++",
    ]
    np.testing.assert_allclose(counts / 100, [2.5, 7.5, 15, 50, 15, 7.5, 2.5], atol=0.7)
    # The bands follow the log odds.
    order = np.array([int(band[:1]) for band in columns["strength"]])[np.argsort(log_odds)]
    assert (np.diff(order) >= 0).all()


def test_certain_and_indifferent_models_have_a_strength() -> None:
    certain = np.array([[0, 1], [1, 0]] * 50 + [[0.5, 0.5]] * 100, np.float32)
    strength = _columns(200, certain, ["neg", "pos"])["strength"]
    assert strength[0].endswith(b"+") and strength[1].endswith(b"+")
    assert strength[-1] == "4 ±".encode()
    assert set(_columns(9, np.full((9, 2), 0.5, np.float32), [])["strength"]) == {"4 ±".encode()}


def test_three_classes_have_three_probabilities_and_a_margin() -> None:
    probabilities = np.full((100, 3), 1 / 3)
    probabilities[:40] = [0.2, 0.5, 0.3]
    probabilities[:10] = [0.05, 0.05, 0.9]
    columns = _columns(100, probabilities, ["bad", "good", "mixed"])

    assert [name for name in columns if name.startswith("P")] == ["P(bad)", "P(good)", "P(mixed)"]
    assert columns["class"][5] == b"mixed" and columns["class"][20] == b"good"
    assert columns["strength"][20] == b"2 +"
    assert columns["strength"][5] == b"3 ++"
    assert columns["strength"][99] == "1 ±".encode()


def test_more_than_ten_classes_have_no_probability_columns() -> None:
    generator = np.random.default_rng(0)
    columns = _columns(30, generator.dirichlet(np.ones(11), size=30), [])
    assert list(columns) == ["token", "id", "rank", "norm", "class", "strength"]


NASTY = ["a\tb", "a_tb", "a\\tb", "", " x  y ", "007", "__next__", "日本語\u2028", "\ud800", "P(1)"]


def test_nasty_class_names_are_shown(tmp_path: pathlib.Path) -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(len(NASTY)), size=500)
    columns = _columns(500, probabilities, NASTY)

    table = metadata.encode_table(columns)
    (tmp_path / "metadata.tsv").write_bytes(table)
    (tmp_path / "tensor.bytes").write_bytes(np.ones((500, 3), np.float32).tobytes())
    (tmp_path / "projector_config.pbtxt").write_text(
        'embeddings { tensor_path: "tensor.bytes" metadata_path: "metadata.tsv" '
        "tensor_shape: [500, 3] }"
    )
    assert verify_contents(str(tmp_path)) == []

    header, rows = reader.parse_table(reader.stream_lines(reader.served_text(table).encode()))
    assert header == list(columns) and len(set(header)) == 4 + len(NASTY) + 2
    assert len(rows) == 500
    shown = {metadata.unescape(row[header.index("class")]) for row in rows}
    assert shown == {name.encode(errors="replace") for name in NASTY}
    assert len({row[header.index("strength")] for row in rows}) <= 10


@pytest.mark.parametrize(
    ("probabilities", "class_names", "message"),
    [
        (TWO, ["neg"], "class_names is .* expected 2 different names"),
        (TWO, ["pos", "pos"], "expected 2 different names"),
        (TWO[:, :1], [], r"shape \(4, 1\); expected \[rows, classes\]"),
        (TWO[:3], [], "probabilities has 3 rows; expected 4"),
        (TWO * [[1], [1], [np.nan], [1]], [], "NaN or infinity, first in row 2"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    probabilities: np.ndarray, class_names: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_columns(TOKENS, IDS, MATRIX, COUNTS, probabilities, class_names)


def test_every_name_can_be_asked_for_by_itself() -> None:
    for name in COLUMNS:
        made = make_columns(TOKENS, IDS, MATRIX, COUNTS, TWO, columns=["token", "id", name])
        metadata.encode_table(made)
        assert len(made) == len({"token", "id", name})


def _columns(rows: int, probabilities: np.ndarray, class_names: list[str]) -> dict:
    tokens = [b"w%d" % row for row in range(rows)]
    matrix = np.ones((rows, 3), np.float32)
    return make_columns(tokens, np.arange(1, rows + 1), matrix, None, probabilities, class_names)

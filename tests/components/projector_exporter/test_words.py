import pathlib

import numpy as np
import pytest

from components.projector_directory import metadata, reader
from components.projector_directory.verify import verify_contents
from components.projector_exporter.words import word_points

TOKENS = [b"film", b"good", b"bad", b"007"]
MATRIX = np.array([[3, 4, 0], [1, 0, 0], [0, -2, 0], [0, 0, 0]], np.float32)
COUNTS = np.array([90, 50, 7, 7])
TWO = np.array([[0.5, 0.5], [0.1, 0.9], [0.75, 0.25], [0.5, 0.5]], np.float32)


def test_all_columns_of_two_classes() -> None:
    points = word_points(
        TOKENS, MATRIX, counts=COUNTS, probabilities=TWO, class_names=["neg", "pos"]
    )
    made = points.columns

    assert list(made) == ["token", "id", "rank", "count", "norm", "P(pos)", "class", "strength"]
    assert made["token"] == TOKENS
    np.testing.assert_array_equal(made["id"], [1, 2, 3, 4])
    np.testing.assert_array_equal(made["rank"], [1, 2, 3, 4])
    np.testing.assert_array_equal(made["count"], COUNTS)
    np.testing.assert_array_equal(made["norm"], [5, 1, 2, 0])
    assert isinstance(made["norm"], np.ndarray) and made["norm"].dtype == np.float64
    np.testing.assert_array_equal(made["P(pos)"], TWO[:, 1])
    assert made["class"] == [b"neg", b"pos", b"neg", b"neg"]
    assert made["strength"] == ["4 ±".encode(), b"7 pos +++", b"3 neg +", "4 ±".encode()]
    assert (points.name, points.color_by) == ("embedding", "strength")
    assert points.vectors is MATRIX and points.labels == TOKENS


def test_what_is_unknown_is_left_out() -> None:
    points = word_points(TOKENS, MATRIX)
    assert list(points.columns) == ["token", "id", "rank", "norm"]
    assert points.color_by == ""


def test_ranks_start_at_one_whatever_the_first_id() -> None:
    made = word_points(TOKENS, MATRIX, first_token_id=7).columns
    np.testing.assert_array_equal(made["id"], [7, 8, 9, 10])
    np.testing.assert_array_equal(made["rank"], [1, 2, 3, 4])


def test_a_picture_is_colored_by_the_odds_of_two_classes() -> None:
    coloring = word_points(TOKENS, MATRIX, probabilities=TWO, class_names=["neg", "pos"]).coloring
    assert coloring.name == "log odds of pos" and coloring.diverging
    np.testing.assert_allclose(
        np.asarray(coloring.values), [0, np.log(9), -np.log(3), 0], atol=1e-6
    )


def test_a_picture_is_colored_by_the_predicted_of_more_classes() -> None:
    three = np.eye(3, dtype=np.float32)[[2, 0, 0, 1]]
    coloring = word_points(
        TOKENS, MATRIX, probabilities=three, class_names=["x", "y", "z"]
    ).coloring
    assert (coloring.name, coloring.values) == ("class", ["z", "x", "x", "y"])
    assert not coloring.diverging


def test_a_picture_is_colored_by_the_norm_if_the_model_says_nothing() -> None:
    coloring = word_points(TOKENS, MATRIX).coloring
    assert coloring.name == "norm" and not coloring.diverging
    np.testing.assert_array_equal(coloring.values, [5, 1, 2, 0])


def test_strength_is_relative_to_the_other_tokens() -> None:
    generator = np.random.default_rng(0)
    # The model favors the second class: even the most negative word has P(pos) above 0.5.
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


def test_the_strength_of_one_of_many_classes_is_its_lead_over_the_second() -> None:
    probabilities = np.array([[0.5, 0.49, 0.01], [0.46, 0.42, 0.12], [0.42, 0.3, 0.28]], np.float32)
    points = word_points(TOKENS[:3], MATRIX[:3], probabilities=probabilities)
    assert points.columns["strength"] == ["1 ±".encode(), "1 ±".encode(), b"4 +++"]


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


@pytest.mark.parametrize(
    ("classes", "color_by"), [(2, "strength"), (3, "class"), (50, "class"), (51, "strength")]
)
def test_tensorboard_colors_by_class_from_three_classes_on(classes: int, color_by: str) -> None:
    probabilities = np.full((9, classes), 1 / classes, np.float32)
    tokens = [b"w%d" % row for row in range(9)]
    points = word_points(tokens, np.ones((9, 3), np.float32), probabilities=probabilities)
    assert points.color_by == color_by


def test_more_than_ten_classes_have_no_probability_columns() -> None:
    generator = np.random.default_rng(0)
    columns = _columns(30, generator.dirichlet(np.ones(11), size=30), [])
    assert list(columns) == ["token", "id", "rank", "norm", "class", "strength"]


NASTY = ["a\tb", "a_tb", "a\\tb", "", " x  y ", "007", "__next__", "日本語\u2028", "\ud800", "P(1)"]


def test_class_names_that_become_one_are_refused() -> None:
    names = ["caf\udce9", "caf\udcea"]
    with pytest.raises(
        ValueError, match=r"class_names is \['caf\?', 'caf\?'\]; expected 2 different"
    ):
        word_points([b"a", b"b"], np.eye(2), probabilities=np.eye(2), class_names=names)


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
        (TWO[:, 0], [], r"shape \(4,\)"),
        (TWO[:, :, None], [], r"shape \(4, 2, 1\)"),
        (TWO[:, :1], [], r"shape \(4, 1\); expected \[tokens, classes\]"),
        (TWO[:3], [], "'class': 3"),
        (TWO * [[1], [1], [np.nan], [1]], [], "NaN or infinity, first in row 2"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    probabilities: np.ndarray, class_names: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        word_points(TOKENS, MATRIX, probabilities=probabilities, class_names=class_names)


def _columns(rows: int, probabilities: np.ndarray, class_names: list[str]) -> dict:
    tokens = [b"w%d" % row for row in range(rows)]
    matrix = np.ones((rows, 3), np.float32)
    points = word_points(tokens, matrix, probabilities=probabilities, class_names=class_names)
    return dict(points.columns)

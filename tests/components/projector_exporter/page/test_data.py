import base64
from typing import Any

import numpy as np
import pytest

from components.projector_directory.metadata import encode_table, escape
from components.projector_exporter.page.data import map_data
from components.projector_exporter.points import Coloring, Points
from components.projector_exporter.words import word_points
from components.vectors.layouts import Layout

RANDOM = np.random.default_rng(2)
MATRIX = RANDOM.normal(size=(6, 4)).astype(np.float32)
POSITIONS = RANDOM.normal(size=(6, 3)) * [100, 10, 1]
TOKENS = [b"10", b"", b"a\tb", b"\\", b"constructor", "日本".encode()]
TYPES = {
    "Int8Array": np.int8,
    "Uint8Array": np.uint8,
    "Uint16Array": np.uint16,
    "Uint32Array": np.uint32,
    "Float32Array": np.float32,
    "Float64Array": np.float64,
}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    if "first" in packed:
        return packed["first"] + np.arange(packed["count"])
    return np.frombuffer(base64.b64decode(packed["base64"]), TYPES[packed["type"]])


def whole(count: int) -> Layout:
    return Layout("PCA", POSITIONS[:count], np.arange(count))


def encode(points: Points, layouts: list[Layout] | None = None, **changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"regions": [], "probe_words": [], "text_of": escape} | changed
    return map_data(points, layouts or [whole(len(points.vectors))], **given)


def numbers_as_shown(values: np.ndarray) -> tuple[str, list[float]]:
    points = Points(
        "n",
        MATRIX[: len(values)],
        {"token": TOKENS[: len(values)], "n": values},
        Coloring("n", values),
    )
    (column,) = encode(points)["columns"]
    shown = [float(f"{number:.6g}") for number in unpack(column["numbers"]).tolist()]
    return column["numbers"].get("type", "first"), shown


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([7, 8, 9]), "first"),
        (np.array([0, 255]), "Uint8Array"),
        (np.array([0, 256]), "Uint16Array"),
        (np.array([1, 65_536]), "Uint32Array"),
        (np.array([-1, 3]), "Float64Array"),
        (np.array([0, 2**53 - 1]), "Float64Array"),
        (np.array([0.1, -123.456]), "Float32Array"),
        (np.array([0, 1e-40]), "Float64Array"),
        (np.array([1e300, 1.0]), "Float64Array"),
        (np.array([0.0, 0.0]), "Float32Array"),
    ],
)
def test_numbers_take_the_fewest_bytes(values: np.ndarray, kind: str) -> None:
    assert numbers_as_shown(values)[0] == kind


def test_numbers_are_those_of_the_metadata_table() -> None:
    values = np.concatenate([RANDOM.normal(size=3), RANDOM.normal(size=3) * 1e9])
    table = encode_table({"token": TOKENS, "n": values}).decode().split("\n")[1:-1]
    assert numbers_as_shown(values)[1] == [float(line.split("\t")[1]) for line in table]


def test_labels_are_written_visibly_but_without_the_mark_of_numbers() -> None:
    assert encode(word_points(TOKENS, MATRIX))["labels"] == [
        "10",
        r"\&",
        r"a\tb",
        r"\\",
        "constructor",
        "日本",
    ]


def test_positions_keep_their_proportions() -> None:
    layouts = [
        Layout("PCA", POSITIONS, np.arange(6)),
        Layout("t-SNE", POSITIONS[:4], np.array([0, 1, 3, 5])),
    ]
    pca, part = encode(word_points(TOKENS, MATRIX), layouts)["layouts"]
    places = unpack(pca["positions"]).reshape(6, 2) / 65535
    assert places.min() == 0 and places.max() == 1
    scale = np.ptp(POSITIONS[:, 0])
    np.testing.assert_allclose(
        places - places[0], (POSITIONS[:, :2] - POSITIONS[0, :2]) / scale, atol=1e-4
    )
    assert len(unpack(part["positions"])) == 8
    assert unpack(part["rows"]).tolist() == [0, 1, 3, 5]


def test_neighbors_come_from_the_vectors() -> None:
    matrix = np.array([[1, 0], [1, 0.1], [0, 0], [0, 1], [1, 0.3]], np.float32)
    data = encode(word_points(TOKENS[:5], matrix))["neighbors"]
    rows = unpack(data["rows"]).reshape(5, data["count"])
    percent = unpack(data["percent"]).reshape(5, data["count"])
    assert data["count"] == 4
    assert rows[0].tolist() == [1, 4, 2, 3]
    assert percent[0].tolist() == [100, 96, 0, 0]
    assert data["none"] == [2]


def test_what_colors_the_points_is_told() -> None:
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 3, np.float32)
    data = encode(word_points(TOKENS, MATRIX, probabilities=probabilities, class_names=["n", "p"]))
    first = data["columns"][0]
    assert (first["name"], first["first"], first["extra"]) == ("log odds of p", True, True)
    assert first["limit"] == pytest.approx(np.log(9), rel=1e-2)
    named = {column["name"]: column for column in data["columns"]}
    assert list(named)[1:] == ["id", "rank", "norm", "P(p)", "class", "strength"]
    texts, codes = named["class"]["texts"], unpack(named["class"]["codes"])
    assert [texts[code] for code in codes] == ["n"] * 3 + ["p"] * 3

    plain = encode(word_points(TOKENS, MATRIX))["columns"]
    assert [column["name"] for column in plain if column.get("first")] == ["norm"]
    assert not any(column.get("extra") for column in plain)


def test_regions_are_named_and_stand_in_the_middle_of_each_layout() -> None:
    layouts = [
        Layout("PCA", -POSITIONS, np.arange(6)),
        Layout("t-SNE", POSITIONS[:5], np.arange(5)),
    ]
    words = word_points([f"w{row}".encode() for row in range(6)], MATRIX)
    regions = [np.array([4, 2, 0, 1]), np.array([5])]
    data = encode(words, layouts, regions=regions)
    pca, tsne = (layout["regions"] for layout in data["layouts"])
    assert [region["name"] for region in pca] == ["w4, w2, w0", "w5"]
    assert [region["name"] for region in tsne] == ["w4, w2, w0"]  # The layout has no w5.
    places = unpack(data["layouts"][1]["positions"]).reshape(-1, 2) / 65535
    middle = np.median(places[[4, 2, 0, 1]], axis=0)
    assert (tsne[0]["x"], tsne[0]["y"]) == pytest.approx(middle, abs=1e-3)


def test_probe_words_are_told_by_their_rows() -> None:
    data = encode(word_points(TOKENS, MATRIX), probe_words=["日本", "10", "missing"])
    assert data["probes"] == [0, 5]


def test_texts_are_written_visibly_but_without_the_mark_of_numbers() -> None:
    columns: dict[str, Any] = {"token": TOKENS, "kind": [b"10", b"x", b"10", b"", b"x", b"a\tb"]}
    points = Points("n", MATRIX, columns, Coloring("kind", ["all"] * 6))
    (kind,) = encode(points)["columns"]
    texts = [kind["texts"][code] for code in unpack(kind["codes"])]
    assert texts == ["10", "x", "10", r"\&", "x", r"a\tb"]


def test_points_are_named_in_the_order_of_the_extremes_of_each_layout() -> None:
    numbers = np.array([5.0, 4, 0, 9, -1, 2])
    points = Points("n", MATRIX, {"token": TOKENS, "n": numbers}, Coloring("n", numbers))
    part = Layout("t-SNE", POSITIONS[:4], np.array([1, 2, 3, 5]))
    all_points, some = encode(points, [whole(6), part])["layouts"]
    assert all_points["order"] == [3, 4, 0, 2, 1, 5]
    assert some["order"] == [3, 2, 1, 5]

import functools
import io
from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
import PIL.Image
import PIL.ImageColor
import pytest
from matplotlib.figure import Figure

from components.projector_exporter.colors import PALETTES
from components.projector_exporter.picture import draw_picture
from components.projector_exporter.points import Coloring, Points
from components.vectors.layouts import Layout
from components.vectors.regions import find_regions

RANDOM = np.random.default_rng(1)
POSITIONS = RANDOM.normal(size=(300, 2))
LABELS = [f"word{row}" for row in range(300)]
NUMBERS = RANDOM.uniform(-1, 2, size=300)
# A label that the font cannot show, so that its point is not named.
UNSEEN = "日"
# Top left, top right, bottom left, bottom right.
CORNERS = np.array([[-1.0, 1], [1, 1], [-1, -1], [1, -1]])


def pixels(png: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def quarters(picture: np.ndarray) -> list[np.ndarray]:
    """Returns the quarters of a picture below its title, in the order of CORNERS."""
    height, width, _ = picture.shape
    plot = picture[height // 8 :]
    middle = len(plot) // 2
    left, right = slice(width // 2), slice(width // 2, width)
    return [
        plot[rows, side] for rows in (slice(middle), slice(middle, None)) for side in (left, right)
    ]


def draw(
    positions: np.ndarray = POSITIONS,
    labels: Sequence[str | bytes] = LABELS,
    values: Any = NUMBERS,
    name: str = "embedding",
    layout: str = "t-SNE",
    values_name: str = "norm",
    diverging: bool = False,
    vectors: np.ndarray | None = None,
    named: int = 8,
) -> bytes:
    columns = {"token": [x.encode() if isinstance(x, str) else x for x in labels]}
    coloring = Coloring(values_name, values, diverging)
    if vectors is None:
        vectors = np.zeros((len(labels), 3))
    points = Points(name, vectors, columns, coloring)
    regions = find_regions(positions[:, :2], vectors)
    placed = Layout(layout, positions, np.arange(len(positions)))
    return draw_picture(points, placed, regions, named)


@functools.cache
def drawn() -> bytes:
    return draw()


def test_the_picture_is_a_png_of_the_promised_size() -> None:
    assert pixels(drawn()).shape == (1040, 1440, 3)


def test_points_without_a_position_are_left_out() -> None:
    rows = np.arange(1, 300, 2)
    columns = {"token": [label.encode() for label in LABELS]}
    points = Points("embedding", np.zeros((300, 3)), columns, Coloring("norm", NUMBERS))
    regions = find_regions(POSITIONS[rows], points.vectors[rows])

    picture = draw_picture(points, Layout("t-SNE", POSITIONS[rows], rows), regions, named=8)

    assert picture == draw(POSITIONS[rows], LABELS[1::2], NUMBERS[rows])


def test_the_same_input_gives_the_same_bytes() -> None:
    assert draw() == drawn()


@pytest.mark.parametrize(
    "changed",
    [
        {"values": ["ab"[row % 2] for row in range(300)]},
        {"values": 1 - NUMBERS},
        {"positions": POSITIONS[::-1]},
        {"labels": LABELS[::-1]},
        {"name": "reviews"},
        {"layout": "PCA"},
        {"values_name": "log odds"},
        {"diverging": True},
        {"named": 3},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_everything_given_is_seen(changed: dict[str, Any]) -> None:
    assert (pixels(draw(**changed)) != pixels(drawn())).any()


@pytest.mark.parametrize(
    "values", [np.array([4.0, 3, 2, 1]), list("abcd")], ids=["numbers", "texts"]
)
@pytest.mark.parametrize("corner", range(4))
def test_each_label_is_written_at_its_own_point(values: Any, corner: int) -> None:
    labels = [UNSEEN] * 4
    bare = quarters(pixels(draw(CORNERS, labels, values)))
    labels[corner] = "hitchcock"
    named = quarters(pixels(draw(CORNERS, labels, values)))

    changed = [(before != after).sum() for before, after in zip(bare, named, strict=True)]
    assert changed[corner] > 1000
    assert sum(changed) == changed[corner]


def test_the_highest_and_the_lowest_numbers_are_named() -> None:
    positions = np.array([*CORNERS, [0, 0.5]])
    values = np.array([0.0, 9, -5, 0.1, 1])
    bare = quarters(pixels(draw(positions, [UNSEEN] * 5, values)))
    named = quarters(pixels(draw(positions, ["word"] * 5, values, named=2)))
    assert [(x != y).any() for x, y in zip(bare, named, strict=True)] == [False, True, True, False]


def test_of_categories_the_farthest_points_are_named() -> None:
    positions = np.array([[-1, 1], [9, 9], [-1, -1], [1, -1], [-9.0, -9]])
    values = list("ababa")
    bare = quarters(pixels(draw(positions, [UNSEEN] * 5, values)))
    named = quarters(pixels(draw(positions, ["word"] * 5, values, named=2)))
    assert [(x != y).any() for x, y in zip(bare, named, strict=True)] == [False, True, True, False]


def tint(quarter: np.ndarray) -> np.ndarray:
    """Returns the red, green and blue of the pixel that is farthest from gray."""
    colors = quarter.reshape(-1, 3)
    return colors[np.ptp(colors, axis=1).argmax()]


def test_each_point_has_the_color_of_its_own_number() -> None:
    values = np.array([-0.1, 3, -3, 0.1])  # Not sorted, so that a mix-up of the points shows.
    picture = quarters(pixels(draw(CORNERS, [UNSEEN] * 4, values, diverging=True)))
    warmth = [red - blue for red, _, blue in map(tint, picture)]
    assert warmth[2] > 50 and warmth[1] < -50
    assert abs(warmth[0]) < 50 and abs(warmth[3]) < 50


def test_the_color_bar_goes_from_low_to_high() -> None:
    bar = pixels(draw(diverging=True))[: 1040 // 12, 1440 * 7 // 10 :]
    left, right = map(tint, np.array_split(bar, 2, axis=1))
    assert left[0] > left[2] and right[2] > right[0]  # Orange and blue.


def test_of_points_at_one_spot_the_extreme_is_seen() -> None:
    positions = np.array([*CORNERS, [1, 1]])
    picture = draw(positions, [UNSEEN] * 5, np.array([0.0, 3, -3, 0, 0]), diverging=True)
    red, _, blue = tint(quarters(pixels(picture))[1])
    assert blue > red + 100


def test_the_legend_counts_the_points_of_each_category() -> None:
    with mock.patch.object(Figure, "savefig", autospec=True) as saved:
        draw(CORNERS, LABELS[:4], list("babb"))
    (legend,) = saved.call_args.args[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["a (1)", "b (3)"]


def test_both_axes_have_one_scale() -> None:
    picture = pixels(draw(CORNERS, [UNSEEN] * 4, np.arange(4.0)))[1040 // 8 :]
    rows, columns = np.nonzero(np.ptp(picture, axis=2) > 30)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=4)


def test_no_label_covers_another() -> None:
    # The first two are nearer to each other than the height of a line of text.
    positions = np.array([[0.0, 0], [0, 4], [-100, -100], [100, 100]])
    labels = ["hitchcock", "hitchcock", UNSEEN, UNSEEN]

    def ink(named: int) -> int:
        picture = pixels(draw(positions, labels, np.zeros(4), named=named))[1040 // 8 :]
        return int((picture.max(axis=2) < 80).sum())

    assert ink(2) - ink(0) > 1.8 * (ink(1) - ink(0)) > 0


def test_zero_has_the_middle_color_of_opposites_only() -> None:
    values = np.array([0.0, 0, 0, 10])
    opposite = quarters(pixels(draw(CORNERS, [UNSEEN] * 4, values, diverging=True)))
    assert np.ptp(tint(opposite[0])) < 30
    rising = quarters(pixels(draw(CORNERS, [UNSEEN] * 4, values)))
    assert tint(rising[0]).sum() > tint(rising[3]).sum() + 200  # Low is light, high is dark.


def test_each_point_has_the_color_of_its_own_category() -> None:
    picture = quarters(pixels(draw(CORNERS, [UNSEEN] * 4, ["x", "y", "y", "x"])))
    first, second, _, fourth = map(tint, picture)  # The legend is in the third quarter.
    assert (first == fourth).all()
    # Categories get their colors in alphabetical order; points have an opacity of 0.75 on white.
    for found, color in zip((first, second), PALETTES["light"]["categories"], strict=False):
        solid = np.array(PIL.ImageColor.getrgb(color))
        np.testing.assert_allclose(found, 255 - 0.75 * (255 - solid), atol=2)


def test_a_named_point_is_a_disc_of_its_own_color() -> None:
    first, second, _, fourth = quarters(pixels(draw(CORNERS, list("abcd"), list("xyxy"))))
    x, y = (PIL.ImageColor.getrgb(color) for color in PALETTES["light"]["categories"][:2])
    for quarter, own, other in ((first, x, y), (second, y, x), (fourth, y, x)):
        # The disc is opaque and covers its point, which is translucent.
        assert (quarter == own).all(axis=2).sum() > 50
        assert not (quarter == other).all(axis=2).any()


def test_regions_are_named_in_their_middle_by_their_most_typical_words() -> None:
    groups = np.repeat([0, 1], [100, 80])
    positions = np.array([[0, 0], [20, 20]])[groups] + RANDOM.normal(size=(180, 2))
    vectors = np.eye(2)[groups] + RANDOM.normal(size=(180, 2)) / 5
    # Rows 7, 8 and 150 are typical of their groups, rows 20 and 160 are not.
    vectors[[7, 8, 150]] = [[1, 0], [1, 0], [0, 1]]
    vectors[[20, 160]] = [[0.5, 1], [1, 0.5]]
    labels = [UNSEEN] * 180
    bare = quarters(pixels(draw(positions, labels, NUMBERS[:180], named=0)))

    def named(**words: int) -> list[bool]:
        shown = list(labels)
        for word, row in words.items():
            shown[row] = word
        values = NUMBERS[:180]
        picture = draw(positions, shown, values, vectors=vectors, named=0)
        return [(x != y).any() for x, y in zip(bare, quarters(pixels(picture)), strict=True)]

    assert named() == [False] * 4
    assert named(film=7) == [False, False, True, False]
    assert named(actor=150) == [False, True, False, False]
    first, second, third, fourth = (
        draw(
            positions,
            [*labels[:7], a, b, *labels[9:20], c, *labels[21:]],
            NUMBERS[:180],
            vectors=vectors,
            named=0,
        )
        for a, b, c in [("x", "y", "z"), ("y", "x", "z"), ("z", "y", "x"), ("x", "y", UNSEEN)]
    )
    assert len({first, second, third, fourth}) == 4


def test_points_without_a_position_are_not_drawn() -> None:
    assert draw(POSITIONS[:50]) == draw(POSITIONS[:50], LABELS[:50], NUMBERS[:50])


def test_only_two_coordinates_are_drawn() -> None:
    deep = np.hstack([POSITIONS, RANDOM.normal(size=(300, 3))])
    assert draw(deep) == draw()


def test_words_that_the_font_lacks_are_told_by_their_code_points() -> None:
    def title(label: str) -> np.ndarray:
        return pixels(draw(CORNERS, [label, "a", "b", "c"], NUMBERS[:4]))[:130]

    assert (title("x") == title("y")).all()
    assert (title("x") != title(UNSEEN)).any()
    assert (title("月") != title(UNSEEN)).any()


@pytest.mark.parametrize("label", [b"a\tb", b"\xff"])
def test_labels_that_no_font_shows_are_escaped(label: bytes) -> None:
    values = NUMBERS[:4]
    assert draw(CORNERS, [label] * 4, values) != draw(CORNERS, [UNSEEN] * 4, values)


@pytest.mark.parametrize(
    "label", ["$x_1$", "$", r"\frac{1}{2}", "a\tb", "", " ", "%", "日本語", "\U0001d11e"]
)
@pytest.mark.filterwarnings("error")
def test_any_label_can_be_drawn(label: str) -> None:
    draw(labels=[label] * 300, named=3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_and_equal_points_can_be_drawn(rows: int) -> None:
    zeros = np.zeros((rows, 2))
    draw(zeros, LABELS[:rows], np.ones(rows))
    draw(zeros, LABELS[:rows], ["a"] * rows)


def test_all_but_the_largest_categories_look_alike() -> None:
    letters = ["abcdefghijkl"[row % 12] for row in range(300)]
    swapped = [{"k": "l", "l": "k"}.get(letter, letter) for letter in letters]
    assert draw(values=letters) == draw(values=swapped)
    assert draw(values=letters) != draw(values=letters[::-1])


def test_no_point_is_under_the_legend() -> None:
    picture = pixels(draw(values=["a", "b"] * 150))
    height, width, _ = picture.shape
    assert (picture[-height // 8 :, width // 2 :] == 255).all()  # The legend is on the left.
    assert (picture[-height // 8 :, : width // 2] < 255).any()


def test_a_long_name_of_a_category_is_cut() -> None:
    def named(name: str) -> bytes:
        return draw(values=[name if row % 2 else "other" for row in range(300)])

    assert named("a" * 15 + "bc") == named("a" * 15 + "cb")
    assert named("a" * 15 + "b") != named("a" * 15 + "c")

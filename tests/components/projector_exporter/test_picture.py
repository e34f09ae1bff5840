import io
from typing import Any

import numpy as np
import PIL.Image
import pytest

from components.projector_exporter.picture import draw_picture

RANDOM = np.random.default_rng(1)
POSITIONS = RANDOM.normal(size=(300, 2))
LABELS = [f"word{row}" for row in range(300)]
PROBABILITIES = RANDOM.uniform(size=300)


def pixels(png: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def draw(**changed: Any) -> bytes:
    arguments: dict[str, Any] = {
        "positions": POSITIONS,
        "labels": LABELS,
        "values": PROBABILITIES,
        "title": "Words",
        "values_name": "probability",
    }
    return draw_picture(**(arguments | changed))


def test_the_picture_is_a_png_of_the_promised_size() -> None:
    assert pixels(draw(limits=(0, 1))).shape == (1040, 1440, 3)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert draw() == draw()


@pytest.mark.parametrize(
    "changed",
    [
        {"values": ["ab"[row % 2] for row in range(300)]},
        {"values": 1 - PROBABILITIES},
        {"positions": POSITIONS[::-1]},
        {"labels": LABELS[::-1]},
        {"title": "Others"},
        {"values_name": "norm"},
        {"named": 3},
        {"limits": (0, 9)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_everything_given_is_seen(changed: dict[str, Any]) -> None:
    assert (pixels(draw(**changed)) != pixels(draw())).any()


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
    draw(positions=zeros, labels=LABELS[:rows], values=np.ones(rows))
    draw(positions=zeros, labels=LABELS[:rows], values=["a"] * rows)


def test_all_but_the_largest_categories_look_alike() -> None:
    letters = ["abcdefghijkl"[row % 12] for row in range(300)]
    swapped = [{"k": "l", "l": "k"}.get(letter, letter) for letter in letters]
    assert draw(values=letters) == draw(values=swapped)
    assert draw(values=letters) != draw(values=letters[::-1])


@pytest.mark.parametrize("changed", [{"labels": LABELS[1:]}, {"values": PROBABILITIES[1:]}])
def test_what_does_not_fit_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="299"):
        draw(**changed)


def test_three_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(300, 3\)"):
        draw(positions=RANDOM.normal(size=(300, 3)))

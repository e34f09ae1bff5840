import itertools

import numpy as np
import pytest

from components.projector_exporter.colors import CATEGORIES, PALETTES, diverging_limit

# Viénot, Brettel and Mollon (1999): linear RGB as protanopes and deuteranopes see it.
SEEN = {
    "all colors": np.eye(3),
    "protanopia": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deuteranopia": np.array(
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]
    ),
}


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """Returns a color in CIELAB, as seen through `seen`, one of the matrices of SEEN."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(np.array(to_xyz) @ (seen @ linear), 0, None) / [0.9505, 1, 1.089]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize("theme", PALETTES)
def test_categories_can_be_told_apart(theme: str, sight: str) -> None:
    colors = [*PALETTES[theme]["categories"], PALETTES[theme]["others"]]
    assert len(colors) == CATEGORIES + 1
    # A difference of 2.3 in CIELAB is just noticeable; the palettes keep four times that.
    for a, b in itertools.combinations(colors, 2):
        assert np.linalg.norm(lab(a, SEEN[sight]) - lab(b, SEEN[sight])) > 9, (a, b)


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize("theme", PALETTES)
def test_ramps_can_be_read(theme: str, sight: str) -> None:
    rising = [lab(color, SEEN[sight])[0] for color in PALETTES[theme]["rising"]]
    steps = np.diff(rising) * (1 if theme == "dark" else -1)
    assert (steps > 5).all()
    low, *_, high = (lab(color, SEEN[sight]) for color in PALETTES[theme]["diverging"])
    assert np.linalg.norm(low - high) > 60


def test_a_few_extremes_do_not_set_the_limit() -> None:
    values = np.append(np.linspace(-1, 1, 999), 1e6)
    assert 0.9 < diverging_limit(values) <= 1
    assert diverging_limit(np.zeros(4)) == 1
